"""The half-Cauchy distribution."""

from __future__ import annotations

import math
from typing import Any

from ..ops.creation import as_tensor
from ..tensor import Tensor
from .cauchy import Cauchy
from .half import HalfDistribution
from .utils import alias


class HalfCauchy(HalfDistribution):
    """Half-Cauchy distribution: |X| with X ~ Cauchy(0, scale). Source: torch.distributions.HalfCauchy.

    >>> torch.distributions.HalfCauchy(1.0).mean
    tensor(inf)
    """

    base_class = Cauchy

    @property
    def mean(self) -> Tensor:
        return self.scale.new_full(self._extended_shape(), math.inf)

    variance: Tensor = alias("base_dist.variance")

    def log_prob(self, value: Any) -> Tensor:
        self._maybe_validate(value)
        return super().log_prob(as_tensor(value, dtype=self.scale.dtype, device=self.scale.device))
