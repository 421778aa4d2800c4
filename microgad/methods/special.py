"""Special functions as methods, with their in-place forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import LazyModule
from .factories import by_copy, in_place, with_tensor

if TYPE_CHECKING:
    from ..ops import special
    from ..tensor import Tensor
else:
    special = LazyModule("microgad.ops.special")


class Special:
    """Special functions, and their in-place forms."""

    __slots__ = ()

    erf, erfc, erfinv, i0 = special.erf, special.erfc, special.erfinv, special.i0
    lgamma, digamma, mvlgamma = special.lgamma, special.digamma, special.mvlgamma
    igamma, igammac = special.igamma, special.igammac
    erf_, erfc_, erfinv_ = in_place(special.Erf), in_place(special.Erfc), in_place(special.Erfinv)
    i0_, lgamma_, digamma_ = in_place(special.I0), in_place(special.Lgamma), in_place(special.Digamma)
    igamma_, igammac_ = in_place(special.Igamma, with_tensor), in_place(special.Igammac, with_tensor)
    mvlgamma_ = by_copy(special.mvlgamma)

    def polygamma(self: Tensor, n: int) -> Tensor:
        """Compute the n-th derivative of `digamma`: see `polygamma`."""
        return special.polygamma(n, self)

    polygamma_ = by_copy(polygamma)
