"""New Tensors in the likeness of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..ops import creation
from .forms import shape_of

if TYPE_CHECKING:
    from ..tensor import Tensor


class Creation:
    """`new_` methods."""

    __slots__ = ()

    def new_tensor(self: Tensor, data: Any, dtype: Any = None, requires_grad: Any = False) -> Tensor:
        """A Tensor of data with this one's dtype and device."""
        return creation.tensor(data, dtype=dtype or self.dtype, device=self.device, requires_grad=requires_grad)

    def new_zeros(self: Tensor, *size: Any, dtype: Any = None) -> Tensor:
        """Zeros with this one's dtype and device."""
        return creation.zeros(shape_of(size), dtype=dtype or self.dtype, device=self.device)

    def new_ones(self: Tensor, *size: Any, dtype: Any = None) -> Tensor:
        """Ones with this one's dtype and device."""
        return creation.ones(shape_of(size), dtype=dtype or self.dtype, device=self.device)
