"""The distribution of the distance of Cauchy draws from 0."""

from __future__ import annotations

import math
from typing import Any

from ..ops.creation import as_tensor
from ..tensor import Tensor
from .cauchy import Cauchy
from .half import Half
from .utils import alias


class HalfCauchy(Half):
    """|X|, where X is Cauchy with loc 0 and that scale. Source: torch.distributions.HalfCauchy.

    >>> torch.distributions.HalfCauchy(1.0).mean
    tensor(inf)
    """

    whole = Cauchy

    @property
    def mean(self) -> Tensor:
        return self.scale.new_full(self._extended_shape(), math.inf)

    variance: Tensor = alias("base_dist.variance")

    def log_prob(self, value: Any) -> Tensor:
        self._checked(value)
        return super().log_prob(as_tensor(value, dtype=self.scale.dtype, device=self.scale.device))
