"""Mixtures whose components are of one class."""

from __future__ import annotations

from typing import Any, Self

from ..errors import ArgumentError
from ..ops.softmax import log_softmax
from ..tensor import Tensor
from . import constraints
from .categorical import Categorical
from .distribution import Distribution
from .utils import alias


class MixtureSameFamily(Distribution):
    """Mixture of the distributions in the last batch dimension of component_distribution.

    mixture_distribution, a Categorical, holds the weights. Raises ValueError for other classes, and for batch shapes
    that don't fit. Source: torch.distributions.MixtureSameFamily.

    >>> d = torch.distributions
    >>> d.MixtureSameFamily(d.Categorical(torch.ones(2)), d.Normal(torch.tensor([-1.0, 1.0]), 1.0)).mean
    tensor(0.)
    """

    arg_constraints: Any = {}

    def __init__(
        self, mixture_distribution: Categorical, component_distribution: Distribution, validate_args: bool | None = None
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ArgumentError(" The Mixture distribution needs to be an instance of torch.distributions.Categorical")
        if not isinstance(component_distribution, Distribution):
            raise ArgumentError("The Component distribution need to be an instance of torch.distributions.Distribution")
        mixed, components = mixture_distribution.batch_shape, component_distribution.batch_shape
        for a, b in zip(reversed(mixed), reversed(components[:-1]), strict=False):
            if 1 not in (a, b) and a != b:
                raise ArgumentError(
                    f"`mixture_distribution.batch_shape` ({mixed}) is not compatible with "
                    f"`component_distribution.batch_shape`({components})"
                )
        count = mixture_distribution.logits.shape[-1]  # computes logits, which repr shows from now on, as in PyTorch
        if count != components[-1]:
            raise ArgumentError(
                f"`mixture_distribution component` ({count}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({components[-1]})"
            )
        self._mixture_distribution, self._component_distribution = mixture_distribution, component_distribution
        super().__init__(components[:-1], component_distribution.event_shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        new = super().expand(batch_shape, _instance)
        count = self._mixture_distribution._num_events
        new._mixture_distribution = self._mixture_distribution.expand(batch_shape)
        new._component_distribution = self._component_distribution.expand((*batch_shape, count))
        return new

    @constraints.dependent_property
    def support(self) -> Any:
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    mixture_distribution: Categorical = alias("_mixture_distribution", "The distribution of the component's index.")
    component_distribution: Distribution = alias("_component_distribution", "The components.")

    def _mixture_mean(self, values: Tensor) -> Tensor:
        """Return the mean over the components, whose dimension precedes the event dimensions."""
        return (self._pad_mixture_dimensions(self._mixture_distribution.probs) * values).sum(
            -1 - len(self._event_shape)
        )

    @property
    def mean(self) -> Tensor:
        return self._mixture_mean(self._component_distribution.mean)

    @property
    def variance(self) -> Tensor:
        away = self._component_distribution.mean - self._pad(self.mean)
        return self._mixture_mean(self._component_distribution.variance) + self._mixture_mean(away.pow(2.0))

    def _pad(self, value: Tensor) -> Tensor:
        """Insert a dimension for the components."""
        return value.unsqueeze(-1 - len(self._event_shape))

    def _pad_mixture_dimensions(self, x: Tensor) -> Tensor:
        """Append the event dimensions to a Tensor that has one number for each component."""
        return x.reshape(*x.shape, *(1,) * len(self._event_shape))

    def cdf(self, x: Tensor) -> Tensor:
        return (self._component_distribution.cdf(self._pad(x)) * self._mixture_distribution.probs).sum(-1)

    def log_prob(self, x: Tensor) -> Tensor:
        self._maybe_validate(x)
        each = self._component_distribution.log_prob(self._pad(x))
        return (each + log_softmax(self._mixture_distribution.logits, -1)).logsumexp(-1)

    def _sample(self, sample_shape: Any) -> Tensor:
        which = self._mixture_distribution.expand(self._batch_shape).sample(sample_shape)
        drawn = self._component_distribution.sample(sample_shape)
        dim = which.ndim
        which = which.reshape(*which.shape, 1, *(1,) * len(self._event_shape))
        return drawn.gather(dim, which.expand(*which.shape[: dim + 1], *self._event_shape)).squeeze(dim)

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self._mixture_distribution},\n  {self._component_distribution})"
