"""The Poisson distribution."""

from __future__ import annotations

from typing import Any

from ..ops.random import poisson
from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .distribution import ExponentialFamily
from .utils import alias, broadcast_all


class Poisson(ExponentialFamily):
    """Poisson distribution: probability rate^k exp(-rate) / k! of a count k. Source: torch.distributions.Poisson.

    >>> torch.distributions.Poisson(2.0).log_prob(torch.tensor(1.0))
    tensor(-1.3069)
    """

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, rate: Real, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    mean: Tensor = alias("rate")
    variance: Tensor = alias("rate")

    @property
    def mode(self) -> Tensor:
        return self.rate.floor()

    def _sample(self, sample_shape: Any) -> Tensor:
        return poisson(self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        rate, value = broadcast_all(self.rate, value)
        return value.xlogy(rate) - rate - (value + 1).lgamma()
