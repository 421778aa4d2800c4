"""The multinomial distribution."""

from __future__ import annotations

from typing import Any

from ..ops.creation import ones_like, tensor
from ..size import Size
from ..tensor import Tensor
from . import constraints
from .binomial import Binomial
from .categorical import CategoricalVector
from .utils import broadcast_all


class Multinomial(CategoricalVector):
    """Multinomial distribution: counts of K categories in total_count draws.

    Raises NotImplementedError for a total_count that is no int. Source: torch.distributions.Multinomial.

    >>> d = torch.distributions.Multinomial(2, torch.tensor([0.5, 0.5]))
    >>> d.log_prob(torch.tensor([1.0, 1.0])), d.sample().sum()
    (tensor(-0.6931), tensor(2.))
    """

    def __init__(
        self,
        total_count: int = 1,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        super().__init__(probs, logits, validate_args)
        self._binomial = Binomial(total_count, probs=self.probs)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> Any:
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def _sample(self, sample_shape: Any) -> Tensor:
        shape = Size(sample_shape)
        drawn = self._categorical.sample((self.total_count, *shape)).movedim(0, -1)
        counts = drawn.new_zeros(self._extended_shape(shape))
        return counts.scatter_add_(-1, drawn, ones_like(drawn)).type_as(self.probs)

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        logits, value = broadcast_all(self.logits, value)
        ways = (value.sum(-1) + 1).lgamma() - (value + 1).lgamma().sum(-1)
        impossible = (value == 0) & (logits == float("-inf"))
        return ways + (logits.masked_fill(impossible, 0) * value).sum(-1)

    def entropy(self) -> Tensor:
        n = self.total_count
        values = self._binomial.enumerate_support(expand=False)[1:]
        spread = (self._binomial.log_prob(values).exp() * (values + 1).lgamma()).sum((0, -1))
        return n * self._categorical.entropy() - tensor(n + 1.0).lgamma() + spread
