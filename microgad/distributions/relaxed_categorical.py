"""The continuous relaxation of the categorical distribution (Jang et al. 2017, Maddison et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ops.creation import full_like
from ..ops.random import rand
from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .categorical import CategoricalVector
from .transformed_distribution import TransformedDistribution
from .transforms import ExpTransform
from .utils import alias, broadcast_all, clamp_probs


class ExpRelaxedCategorical(CategoricalVector):
    """Distribution of the logarithm of a RelaxedOneHotCategorical. Source: torch.distributions.relaxed_categorical.

    >>> d = torch.distributions.relaxed_categorical.ExpRelaxedCategorical(torch.tensor(0.5), torch.ones(3))
    >>> d.sample().shape
    torch.Size([3])
    """

    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        temperature: Real,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._temperature = [temperature]  # in a list, so that expand leaves it as it is
        super().__init__(probs, logits, validate_args)

    @property
    def temperature(self) -> Any:
        """The temperature: the lower, the closer samples are to one-hot vectors."""
        return self._temperature[0]

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        logits = self.logits
        unit = rand(self._extended_shape(sample_shape), dtype=logits.dtype, device=logits.device)
        scores = (logits - (-clamp_probs(unit).log()).log()) / self.temperature
        return scores - scores.logsumexp(dim=-1, keepdim=True)

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        count = self._categorical._num_events
        logits, value = broadcast_all(self.logits, value)
        scale = full_like(self.temperature, float(count)).lgamma() + (count - 1) * self.temperature.log()
        score = logits - value * self.temperature
        return (score - score.logsumexp(dim=-1, keepdim=True)).sum(-1) + scale


class RelaxedOneHotCategorical(TransformedDistribution):
    """Gumbel-softmax distribution: softmax((logits + Gumbel noise)/temperature), whose samples have gradients.

    Source: torch.distributions.RelaxedOneHotCategorical.

    >>> torch.distributions.RelaxedOneHotCategorical(torch.tensor(0.5), torch.ones(3)).rsample().shape
    torch.Size([3])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex
    has_rsample = True

    def __init__(
        self,
        temperature: Real,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)

    temperature = alias("base_dist.temperature", "The lower the temperature, the closer samples are to one-hot.")
    probs: Tensor = alias("base_dist.probs", "The probabilities.")
    logits: Tensor = alias("base_dist.logits", "The log-probabilities.")
