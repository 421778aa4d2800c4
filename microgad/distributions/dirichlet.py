"""The Dirichlet distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import ArgumentError
from ..ops.creation import tensor, zeros_like
from ..ops.elementwise import where
from ..tensor import Tensor
from . import constraints
from .distribution import ExponentialFamily
from .reparameterized import _sample_dirichlet


class Dirichlet(ExponentialFamily):
    """Dirichlet distribution: density ∝ Π x^(concentration - 1) over K probabilities that sum to 1.

    Raises ValueError for a 0-d concentration. Source: torch.distributions.Dirichlet.

    >>> torch.distributions.Dirichlet(torch.ones(3)).log_prob(torch.tensor([0.2, 0.3, 0.5]))
    tensor(0.6931)
    """

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.dim() < 1:
            raise ArgumentError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Tensor:
        above = (self.concentration - 1).clamp(min=0.0)
        total = above.sum(-1, True)
        mode = above / total.masked_fill(total == 0, math.nan)
        flat = (self.concentration < 1).all(-1, True)  # the density is infinite in every corner; the first is the mode
        return where(flat, zeros_like(mode).index_fill_(-1, tensor(0, device=mode.device), 1), mode)

    @property
    def variance(self) -> Tensor:
        total = self.concentration.sum(-1, True)
        return self.concentration * (total - self.concentration) / (total.pow(2) * (total + 1))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return _sample_dirichlet(self.concentration.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        a = self.concentration
        return (a - 1.0).xlogy(value).sum(-1) + a.sum(-1).lgamma() - a.lgamma().sum(-1)

    def entropy(self) -> Tensor:
        a, k = self.concentration, self.concentration.size(-1)
        total = a.sum(-1)
        spread = (k - total) * total.digamma() + ((a - 1.0) * a.digamma()).sum(-1)
        return a.lgamma().sum(-1) - total.lgamma() - spread
