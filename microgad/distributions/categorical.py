"""The categorical distribution."""

from __future__ import annotations

import math
from typing import Any

from ..dtypes.limits import finfo
from ..errors import ArgumentError
from ..ops.creation import arange
from ..ops.movement import broadcast_tensors
from ..ops.random import multinomial
from ..size import Size
from ..tensor import Tensor
from . import constraints
from .bernoulli import given_parameter
from .distribution import Distribution
from .utils import alias, lazy_property, logits_to_probs, probs_to_logits


class Categorical(Distribution):
    """Categorical distribution over the indices 0 … K-1.

    The last dimension of probs holds their K probabilities, that of logits their logarithms; both are normalized.

    Raises ValueError for a 0-d Tensor, and unless exactly one is given. Source: torch.distributions.Categorical.

    >>> d = torch.distributions.Categorical(torch.tensor([0.25, 0.25, 0.5]))
    >>> d.log_prob(torch.tensor(2)), d.sample((2,)).shape
    (tensor(-0.6931), torch.Size([2]))
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(
        self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        name = given_parameter(probs, logits)
        value: Any = logits if probs is None else probs
        if value.dim() < 1:
            raise ArgumentError(f"`{name}` parameter must be at least one-dimensional.")
        if probs is None:
            value = value - value.logsumexp(dim=-1, keepdim=True)
        else:
            value = value / value.sum(-1, keepdim=True)
        self.__dict__[name] = self._param = value
        self._num_events = value.size()[-1]
        super().__init__(value.shape[:-1], validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        return constraints.integer_interval(0, self._num_events - 1)

    @lazy_property
    def logits(self) -> Tensor:
        """The log-probabilities."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self) -> Tensor:
        """The probabilities."""
        return logits_to_probs(self.logits)

    @property
    def param_shape(self) -> Any:
        """The shape of the given parameter."""
        return self._param.size()

    @property
    def mean(self) -> Tensor:
        return self._param.new_full(self._extended_shape(), math.nan)

    @property
    def mode(self) -> Tensor:
        return self.probs.argmax(dim=-1)

    variance: Tensor = alias("mean")

    def _sample(self, sample_shape: Any) -> Tensor:
        shape = Size(sample_shape)
        drawn = multinomial(self.probs.reshape(-1, self._num_events), shape.numel(), True)
        return drawn.t().reshape(self._extended_shape(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        value, logits = value.long().unsqueeze(-1), self.logits
        if value.shape[:-1] != logits.shape[:-1]:
            value, logits = broadcast_tensors(value, logits)
            value = value[..., :1]
        return logits.gather(-1, value).squeeze(-1)

    def entropy(self) -> Tensor:
        logits = self.logits.clamp(min=finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        return self._expand_values(arange(self._num_events, device=self._param.device), expand)


class CategoricalVector(Distribution):
    """Base of distributions over vectors with one entry per category; its arguments are those of Categorical."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def __init__(
        self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        self._categorical = Categorical(probs, logits)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args=validate_args)

    probs: Tensor = alias("_categorical.probs", "The probabilities.")
    logits: Tensor = alias("_categorical.logits", "The log-probabilities.")
    param_shape = alias("_categorical.param_shape", "The shape of the given parameter.")
