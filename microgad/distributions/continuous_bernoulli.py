"""The continuous Bernoulli distribution (Loaiza-Ganem and Cunningham 2019)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import ArgumentError
from ..nn.functional import binary_cross_entropy_with_logits
from ..ops.elementwise import where
from ..ops.random import rand
from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .bernoulli import ProbsOrLogits
from .distribution import ExponentialFamily
from .utils import broadcast_all, clamp_probs, lazy_property, logits_to_probs


class ContinuousBernoulli(ProbsOrLogits, ExponentialFamily):
    """Continuous Bernoulli distribution: density ∝ probs^x (1 - probs)^(1 - x) on [0, 1].

    The formulas are 0/0 at probs = 1/2, so between `lims` Taylor series replace them. As in PyTorch, probs are first
    clamped to (0, 1); only validate_args=True raises ValueError for those outside.
    Source: torch.distributions.ContinuousBernoulli.

    >>> torch.distributions.ContinuousBernoulli(0.25).log_prob(torch.tensor(0.0))
    tensor(0.4995)
    """

    support = constraints.unit_interval
    has_rsample = True

    def __init__(
        self,
        probs: Real | None = None,
        logits: Real | None = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:
        self._set_parameter(probs, logits)
        if probs is not None:
            if validate_args and not constraints.unit_interval.check(self.probs).all():
                raise ArgumentError(f"ContinuousBernoulli: probs must lie in [0, 1], but are {self.probs}")
            self.probs = self._param = clamp_probs(self.probs)
        self._lims = lims
        super().__init__(self._param.shape, validate_args=validate_args)

    @lazy_property
    def probs(self) -> Tensor:
        """1 / (1 + exp(-logits)): the density at 1 divided by the sum of the densities at 0 and 1."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    def _regular(self) -> tuple[Tensor, Tensor]:
        """Return where the formulas are stable, and probs with a harmless number in place of the others."""
        regular = (self.probs <= self._lims[0]) | (self.probs > self._lims[1])
        return regular, where(regular, self.probs, self._lims[0])

    def _log_norm(self) -> Tensor:
        """Return the logarithm of the normalizing factor of the density."""
        regular, p = self._regular()
        away = (self.probs - 0.5).square()
        series = math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * away) * away
        return where(regular, ((-p).log1p() - p.log()).abs().log() - (1 - 2 * p).abs().log(), series)

    @property
    def mean(self) -> Tensor:
        regular, p = self._regular()
        away = self.probs - 0.5
        series = 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * away.square()) * away
        return where(regular, p / (2 * p - 1) + 1 / ((-p).log1p() - p.log()), series)

    @property
    def variance(self) -> Tensor:
        regular, p = self._regular()
        away = (self.probs - 0.5).square()
        series = 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * away) * away
        return where(regular, p * (p - 1) / (1 - 2 * p).square() + 1 / ((-p).log1p() - p.log()).square(), series)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.icdf(rand(self._extended_shape(sample_shape), dtype=self.probs.dtype, device=self._param.device))

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        logits, value = broadcast_all(self.logits, value)
        return self._log_norm() - binary_cross_entropy_with_logits(logits, value, reduction="none")

    def cdf(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        regular, p = self._regular()
        below = where(regular, (p.pow(value) * (1 - p).pow(1 - value) + p - 1) / (2 * p - 1), value)
        return where(value <= 0, 0.0, where(value >= 1, 1.0, below))

    def icdf(self, value: Tensor) -> Tensor:
        regular, p = self._regular()
        log_rest = (-p).log1p()
        return where(regular, ((value * (2 * p - 1) - p).log1p() - log_rest) / (p.log() - log_rest), value)

    def entropy(self) -> Tensor:
        log_rest = (-self.probs).log1p()
        return self.mean * (log_rest - self.probs.log()) - self._log_norm() - log_rest
