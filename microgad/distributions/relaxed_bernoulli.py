"""The continuous relaxation of the Bernoulli distribution (Maddison et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ops.random import rand
from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .bernoulli import ProbsOrLogits
from .distribution import Distribution
from .transformed_distribution import TransformedDistribution
from .transforms import SigmoidTransform
from .utils import alias, broadcast_all, probs_to_logits


class LogitRelaxedBernoulli(ProbsOrLogits, Distribution):
    """Distribution of the logit of a RelaxedBernoulli. Source: torch.distributions.relaxed_bernoulli.

    >>> torch.distributions.relaxed_bernoulli.LogitRelaxedBernoulli(torch.tensor(0.5), torch.tensor(0.3)).param_shape
    torch.Size([])
    """

    support = constraints.real

    def __init__(
        self,
        temperature: Real,
        probs: Real | None = None,
        logits: Real | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._temperature = [temperature]  # in a list, so that expand leaves it as it is
        self._set_parameter(probs, logits)
        super().__init__(self._param.shape, validate_args=validate_args)

    @property
    def temperature(self) -> Any:
        """The temperature: the lower, the closer samples are to 0 or 1."""
        return self._temperature[0]

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        unit = rand(shape, dtype=self.probs.dtype, device=self._param.device)
        return (probs_to_logits(unit, True) + probs_to_logits(self.probs.expand(shape), True)) / self.temperature

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        logits, value = broadcast_all(self.logits, value)
        difference = logits - value * self.temperature
        return self.temperature.log() + difference - 2 * difference.exp().log1p()


class RelaxedBernoulli(TransformedDistribution):
    """Relaxed Bernoulli distribution: samples in (0, 1) with gradients. Source: torch.distributions.RelaxedBernoulli.

    >>> d = torch.distributions.RelaxedBernoulli(torch.tensor(0.5), logits=torch.zeros(2))
    >>> d.rsample().shape
    torch.Size([2])
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True

    def __init__(
        self,
        temperature: Real,
        probs: Real | None = None,
        logits: Real | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(
            LogitRelaxedBernoulli(temperature, probs, logits), SigmoidTransform(), validate_args=validate_args
        )

    temperature = alias("base_dist.temperature", "The temperature: the lower, the closer samples are to 0 or 1.")
    probs: Tensor = alias("base_dist.probs", "The probabilities of success.")
    logits: Tensor = alias("base_dist.logits", "The log-odds of success.")
