"""LocScale, the base of location-scale families."""

from __future__ import annotations

from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .distribution import Distribution
from .utils import alias, broadcast_all


class LocScale(Distribution):
    """A location-scale family over the real numbers whose mode is loc."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    mode: Tensor = alias("loc")

    def __init__(self, loc: Real, scale: Real, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)
