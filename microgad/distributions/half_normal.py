"""The half-normal distribution."""

from __future__ import annotations

import math

from ..tensor import Tensor
from .half import HalfDistribution
from .normal import Normal


class HalfNormal(HalfDistribution):
    """Half-normal distribution: |X| with X ~ Normal(0, scale). Source: torch.distributions.HalfNormal.

    >>> torch.distributions.HalfNormal(1.0).mean
    tensor(0.7979)
    """

    base_class = Normal

    @property
    def mean(self) -> Tensor:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def variance(self) -> Tensor:
        return self.scale.pow(2) * (1 - 2 / math.pi)
