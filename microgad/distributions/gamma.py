"""The gamma distribution."""

from __future__ import annotations

from collections.abc import Sequence

from ..dtypes.limits import finfo
from ..ops.creation import as_tensor
from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .distribution import ExponentialFamily
from .reparameterized import _standard_gamma, gamma_cdf
from .utils import broadcast_all


class Gamma(ExponentialFamily):
    """Gamma distribution: density ∝ x^(concentration - 1) exp(-rate x) for x ≥ 0. Source: torch.distributions.Gamma.

    The gradients of samples, and of cdf by concentration, can't be differentiated again.

    >>> torch.distributions.Gamma(2.0, 1.0).log_prob(torch.tensor(1.0))
    tensor(-1.)
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, concentration: Real, rate: Real, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Tensor:
        return self.concentration / self.rate.pow(2)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        value = _standard_gamma(self.concentration.expand(shape)) / self.rate.expand(shape)
        value.detach().clamp_(min=finfo(value.dtype).tiny)  # never 0; the gradient ignores the clamp
        return value

    def log_prob(self, value: Tensor) -> Tensor:
        value = as_tensor(value, dtype=self.rate.dtype, device=self.rate.device)
        self._maybe_validate(value)
        return (
            self.concentration.xlogy(self.rate)
            + (self.concentration - 1).xlogy(value)
            - self.rate * value
            - self.concentration.lgamma()
        )

    def cdf(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        return gamma_cdf(self.concentration, self.rate * value)

    def entropy(self) -> Tensor:
        a = self.concentration
        return a - self.rate.log() + a.lgamma() + (1.0 - a) * a.digamma()
