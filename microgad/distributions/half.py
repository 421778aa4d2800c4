"""HalfDistribution, the base of HalfNormal and HalfCauchy."""

from __future__ import annotations

import math
from typing import ClassVar

from ..ops.creation import zeros_like
from ..ops.elementwise import where
from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .distribution import Distribution
from .transformed_distribution import TransformedDistribution
from .transforms import AbsTransform
from .utils import alias


class HalfDistribution(TransformedDistribution):
    """Distribution of |X|, where X has the symmetric distribution `base_class` with loc 0 and the given scale."""

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    base_class: ClassVar[type[Distribution]]

    def __init__(self, scale: Real, validate_args: bool | None = None) -> None:
        super().__init__(self.base_class(0, scale, validate_args=False), AbsTransform(), validate_args=validate_args)

    scale: Tensor = alias("base_dist.scale")

    @property
    def mode(self) -> Tensor:
        return zeros_like(self.scale)

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        return where(value >= 0, self.base_dist.log_prob(value) + math.log(2), -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, prob: Tensor) -> Tensor:
        return self.base_dist.icdf((prob + 1) / 2)

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() - math.log(2)
