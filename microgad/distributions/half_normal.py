"""The distribution of the distance of normal draws from 0."""

from __future__ import annotations

import math

from ..tensor import Tensor
from .half import Half
from .normal import Normal


class HalfNormal(Half):
    """|X|, where X is normal with loc 0 and that scale. Source: torch.distributions.HalfNormal.

    >>> torch.distributions.HalfNormal(1.0).mean
    tensor(0.7979)
    """

    whole = Normal

    @property
    def mean(self) -> Tensor:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def variance(self) -> Tensor:
        return self.scale.pow(2) * (1 - 2 / math.pi)
