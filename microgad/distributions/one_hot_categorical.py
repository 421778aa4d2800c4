"""The categorical distribution over one-hot vectors."""

from __future__ import annotations

from collections.abc import Sequence

from ..nn.functional import one_hot
from ..ops.creation import eye
from ..tensor import Tensor
from . import constraints
from .categorical import CategoricalVector
from .utils import alias


class OneHotCategorical(CategoricalVector):
    """Categorical distribution over one-hot vectors of length K. Source: torch.distributions.OneHotCategorical.

    >>> torch.distributions.OneHotCategorical(torch.tensor([0.25, 0.75])).log_prob(torch.tensor([1.0, 0.0]))
    tensor(-1.3863)
    """

    support = constraints.one_hot
    has_enumerate_support = True

    _param: Tensor = alias("_categorical._param")
    mean: Tensor = alias("probs")

    @property
    def mode(self) -> Tensor:
        return one_hot(self._categorical.mode, self.param_shape[-1]).to(self._param)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return one_hot(self._categorical.sample(sample_shape), self.param_shape[-1]).to(self._param)

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        return self._categorical.log_prob(value.max(-1)[1])

    def entropy(self) -> Tensor:
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        return self._expand_values(eye(*self.event_shape, dtype=self._param.dtype, device=self._param.device), expand)


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """OneHotCategorical whose samples have the gradient of the probabilities (the straight-through estimator).

    Source: torch.distributions.OneHotCategoricalStraightThrough.

    >>> torch.distributions.OneHotCategoricalStraightThrough(torch.tensor([0.0, 1.0])).rsample()
    tensor([0., 1.])
    """

    has_rsample = True

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.sample(sample_shape) + (self.probs - self.probs.detach())
