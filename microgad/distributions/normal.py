"""The normal distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..ops.random import normal
from ..ops.special import erfinv
from ..tensor import Tensor
from .distribution import ExponentialFamily
from .loc_scale import LocScale
from .utils import _standard_normal, alias


class Normal(LocScale, ExponentialFamily):
    """Normal distribution: density ∝ exp(-((x - loc)/scale)²/2). Source: torch.distributions.Normal.

    >>> d = torch.distributions.Normal(0.0, 1.0)
    >>> d.log_prob(torch.tensor(0.0)), d.cdf(torch.tensor(0.0)), d.entropy()
    (tensor(-0.9189), tensor(0.5000), tensor(1.4189))
    """

    mean: Tensor = alias("loc")
    stddev: Tensor = alias("scale")

    @property
    def variance(self) -> Tensor:
        return self.stddev.pow(2)

    def _sample(self, sample_shape: Any) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return normal(self.loc.expand(shape), self.scale.expand(shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return self.loc + _standard_normal(shape, self.loc.dtype, self.loc.device) * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        distance = (value - self.loc) ** 2 / (2 * self.scale**2)
        return -distance - self.scale.log() - math.log(math.sqrt(2 * math.pi))

    def cdf(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        return 0.5 * (1 + ((value - self.loc) * self.scale.reciprocal() / math.sqrt(2)).erf())

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self) -> Tensor:
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()
