"""The negative binomial distribution."""

from __future__ import annotations

from typing import Any

from ..nn.functional import logsigmoid
from ..ops.random import poisson
from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .bernoulli import ProbsOrLogits
from .distribution import Distribution
from .gamma import Gamma


class NegativeBinomial(ProbsOrLogits, Distribution):
    """Negative binomial distribution: the number of successes of probability probs before total_count failures.

    Source: torch.distributions.NegativeBinomial.

    >>> torch.distributions.NegativeBinomial(1, probs=torch.tensor(0.5)).log_prob(torch.tensor(1.0))
    tensor(-1.3863)
    """

    arg_constraints = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer

    def __init__(
        self,
        total_count: Real,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        (count,) = self._set_parameter(probs, logits, total_count)
        self.total_count = count.type_as(self._param)
        super().__init__(self._param.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Tensor:
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self) -> Tensor:
        return self.mean / (-self.logits).sigmoid()

    def _sample(self, sample_shape: Any) -> Tensor:
        rates = Gamma(self.total_count, (-self.logits).exp(), validate_args=False)
        return poisson(rates.sample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        n = self.total_count
        likely = n * logsigmoid(-self.logits) + value * logsigmoid(self.logits)
        ways = (n + value).lgamma() - (1.0 + value).lgamma() - n.lgamma()  # last: its two large gradients cancel first
        return likely + ways.masked_fill(n + value == 0.0, 0.0)
