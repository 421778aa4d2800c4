"""The Bernoulli distribution, and the base of distributions that are given by `probs` or by `logits`."""

from __future__ import annotations

from typing import Any

from ..errors import ArgumentError
from ..nn.functional import binary_cross_entropy_with_logits
from ..ops.creation import arange
from ..ops.elementwise import where
from ..ops.random import bernoulli
from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .distribution import ExponentialFamily
from .utils import alias, broadcast_all, lazy_property, logits_to_probs, probs_to_logits


def given_parameter(probs: Any, logits: Any) -> str:
    """Return the name of the argument that is not None. Raises ValueError if both or none are given."""
    if (probs is None) == (logits is None):
        raise ArgumentError("Either `probs` or `logits` must be specified, but not both.")
    return "logits" if probs is None else "probs"


class ProbsOrLogits:
    """Base of distributions given by the `probs` or by the `logits` of success. The other is computed on first use."""

    arg_constraints: Any = {"probs": constraints.unit_interval, "logits": constraints.real}
    _param: Tensor

    @lazy_property
    def logits(self) -> Tensor:
        """The log-odds of success."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Tensor:
        """The probabilities of success."""
        return logits_to_probs(self.logits, is_binary=True)

    @property
    def param_shape(self) -> Any:
        """The shape of the given parameter."""
        return self._param.size()

    def _set_parameter(self, probs: Any, logits: Any, *others: Any) -> list[Tensor]:
        """Set the given one of probs and logits, broadcast with `others`. Return `others`, broadcast."""
        name = given_parameter(probs, logits)
        *others_, self._param = broadcast_all(*others, logits if probs is None else probs)
        self.__dict__[name] = self._param
        return others_


class Bernoulli(ProbsOrLogits, ExponentialFamily):
    """Bernoulli distribution: 1 with probability probs = sigmoid(logits). Source: torch.distributions.Bernoulli.

    >>> d = torch.distributions.Bernoulli(probs=0.25)
    >>> d.log_prob(torch.tensor(1.0)), d.mean, d.enumerate_support()
    (tensor(-1.3863), tensor(0.2500), tensor([0., 1.]))
    """

    support = constraints.boolean
    has_enumerate_support = True

    def __init__(
        self, probs: Real | None = None, logits: Real | None = None, validate_args: bool | None = None
    ) -> None:
        self._set_parameter(probs, logits)
        super().__init__(self._param.shape, validate_args=validate_args)

    mean: Tensor = alias("probs")

    @property
    def mode(self) -> Tensor:
        mode = (self.probs >= 0.5).to(self.probs)
        return where(self.probs == 0.5, float("nan"), mode)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def _sample(self, sample_shape: Any) -> Tensor:
        return bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        logits, value = broadcast_all(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        return self._expand_values(arange(2, dtype=self._param.dtype, device=self._param.device), expand)
