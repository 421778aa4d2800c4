"""The geometric distribution."""

from __future__ import annotations

from typing import Any

from ..dtypes.limits import finfo
from ..errors import ArgumentError
from ..nn.functional import binary_cross_entropy_with_logits
from ..ops.creation import zeros_like
from ..ops.elementwise import where
from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .bernoulli import ProbsOrLogits
from .distribution import Distribution
from .utils import broadcast_all


class Geometric(ProbsOrLogits, Distribution):
    """Geometric distribution: the number of failures before the first success of probability probs.

    Raises ValueError unless probs are in (0, 1]. Source: torch.distributions.Geometric.

    >>> torch.distributions.Geometric(probs=0.5).log_prob(torch.tensor(1.0))
    tensor(-1.3863)
    """

    support = constraints.nonnegative_integer

    def __init__(
        self, probs: Real | None = None, logits: Real | None = None, validate_args: bool | None = None
    ) -> None:
        self._set_parameter(probs, logits)
        super().__init__(self._param.shape, validate_args=validate_args)
        if self._validate_args and probs is not None and not (self.probs > 0).all():
            raise ArgumentError(
                f"Expected parameter probs of distribution {self!r} to be positive, but found invalid values:\n"
                f"{self.probs}"
            )

    @property
    def mean(self) -> Tensor:
        return 1.0 / self.probs - 1.0

    @property
    def mode(self) -> Tensor:
        return zeros_like(self.probs)

    @property
    def variance(self) -> Tensor:
        return (1.0 / self.probs - 1.0) / self.probs

    def _sample(self, sample_shape: Any) -> Tensor:
        u = self.probs.new_empty(self._extended_shape(sample_shape)).uniform_(finfo(self.probs.dtype).tiny, 1)
        return (u.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        value, probs = broadcast_all(value, self.probs)
        certain = (probs == 1) & (value == 0)  # here 0 · log 0 would be NaN
        return value * (-where(certain, 0.0, probs)).log1p() + self.probs.log()

    def entropy(self) -> Tensor:
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs
