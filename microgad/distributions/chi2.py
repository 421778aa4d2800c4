"""The chi-squared distribution."""

from __future__ import annotations

from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .gamma import Gamma


class Chi2(Gamma):
    """Chi-squared distribution of the sum of df squared standard normals. Source: torch.distributions.Chi2.

    >>> torch.distributions.Chi2(3.0).mean
    tensor(3.)
    """

    arg_constraints = {"df": constraints.positive}

    def __init__(self, df: Real, validate_args: bool | None = None) -> None:
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    @property
    def df(self) -> Tensor:
        return self.concentration * 2
