"""Student's t distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .chi2 import Chi2
from .distribution import Distribution
from .utils import _standard_normal, alias, broadcast_all


class StudentT(Distribution):
    """Student's t distribution: density ∝ (1 + ((x - loc)/scale)²/df)^(-(df + 1)/2).

    Source: torch.distributions.StudentT.

    >>> torch.distributions.StudentT(2.0).log_prob(torch.tensor(0.0))
    tensor(-1.0397)
    """

    arg_constraints = {"df": constraints.positive, "loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, df: Real, loc: Real = 0.0, scale: Real = 1.0, validate_args: bool | None = None) -> None:
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        self._chi2 = Chi2(self.df)
        super().__init__(self.df.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.loc.masked_fill(self.df <= 1, math.nan)

    mode: Tensor = alias("loc")

    @property
    def variance(self) -> Tensor:
        df = self.df.masked_fill(self.df <= 2, 3.0)  # any value that has a variance
        variance = (self.scale.pow(2) * df / (df - 2)).masked_fill(self.df <= 2, math.inf)
        return variance.masked_fill(self.df <= 1, math.nan)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        normal = _standard_normal(self._extended_shape(sample_shape), self.df.dtype, self.df.device)
        return self.loc + self.scale * normal * (self._chi2.rsample(sample_shape) / self.df).rsqrt()

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        y = (value - self.loc) / self.scale
        # PyTorch's order, as the last two are large and almost cancel
        scale = self.scale.log() + 0.5 * self.df.log() + 0.5 * math.log(math.pi)
        scale = scale + (0.5 * self.df).lgamma() - (0.5 * (self.df + 1.0)).lgamma()
        return -0.5 * (self.df + 1.0) * (y**2.0 / self.df).log1p() - scale

    def entropy(self) -> Tensor:
        half = 0.5 * (self.df + 1)
        spread = half * (half.digamma() - (0.5 * self.df).digamma())
        log_beta = (0.5 * self.df).lgamma() + 0.5 * math.log(math.pi) - (0.5 * (self.df + 1)).lgamma()
        return self.scale.log() + spread + 0.5 * self.df.log() + log_beta
