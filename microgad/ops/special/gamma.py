"""The logarithm of the gamma function and its derivatives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ArgumentError
from ...function import Function
from ..blocks import in_double
from ..creation import arange
from ..out import into
from ..spelling import tensors_only
from .numeric import pieces, promote, rational
from .zeta import zeta_of

if TYPE_CHECKING:
    from ...tensor import Tensor

# log Γ(1 + t) / t, -0.3 <= t < 0.7, and log Γ(2 + t) / t, -0.4 <= t < 2: the zeros are factors
_ONE = (
    5.003880221959341e-05, 0.009087873732634807, 0.13057933406414507, 0.5723249660367693, 0.8630858323612782,
    -0.00599782768709179, -0.9919145523977565, -0.5772156649015329,
), (
    0.0028577558732981825, 0.07652710184169419, 0.6217215941055833, 2.199116482678101, 3.7951165586451854,
    3.143333932441673, 1.0,
)  # fmt: skip
_TWO = (
    3.9870974802287765e-06, 0.0003579134874157404, 0.00833390668988265, 0.07993321160048354, 0.3726746704318965,
    0.8833197737662734, 1.0053826696999528, 0.42278433509846713,
), (
    7.690549521092337e-07, 0.00011291450907448596, 0.0037750685136636168, 0.04978488591096853, 0.3147490049826661,
    1.016587100594988, 1.6152813138565967, 1.0,
)  # fmt: skip
# Binet's function times x, log Γ(x) = (x - 1/2) log x - x + log(2π)/2 + binet(x), by 1/x², x >= 4
_BINET = (
    -0.0040610918014240245, 0.3765229115721603, 2.2894987390454866, 2.705504194561719, 0.9187760870191882,
    0.08333333333333331,
), (5.2235434477022595, 28.46997888101263, 32.82514807118219, 11.058646377563404, 1.0)  # fmt: skip
# ψ(1 + t) / (t - zero), -0.25 <= t < 2, of the zero in two parts
_ZERO = 0.46163214496836236, -1.5522348162858677e-17
_ROOT = (
    6.182738700444368e-08, 5.162083610198118e-05, 0.002696625941633141, 0.04574080827601027, 0.34084321126447087,
    1.2220096883993472, 2.0404850089366584, 1.2503801375034054,
), (
    9.924770039730461e-06, 0.0007385786199684942, 0.016573120886048138, 0.16223399745254902, 0.7891805613044397,
    1.9582295785025563, 2.315438547607736, 1.0,
)  # fmt: skip
# (ψ(x) - log x + 1/2x) x² by 1/x², x >= 3
_DIGAMMA = (
    -0.3447923774173281, -5.3437956141812455, -11.196257107415997, -6.767540449007833, -1.3859464405821171,
    -0.08333333333333333,
), (7.766181146327919, 75.11583054900879, 141.89195419147632, 82.83600206919961, 16.731357286985354, 1.0)  # fmt: skip

# ψ'(1 + t), -0.25 <= t < 2
_TRIGAMMA = (
    0.019435340052658526, 0.23543906546252064, 1.2091658034793815, 3.357396237810899, 5.306444498364784,
    4.531827144812437, 1.6449340668482264,
), (
    0.019435339626393683, 0.24515674565155607, 1.3285048245024271, 3.9807902772211388, 7.076062987759035,
    7.414602599047931, 4.216546481052111, 1.0,
)  # fmt: skip
# (ψ'(x) - 1/x - 1/2x²) x³ by 1/x², x >= 3
_TRIGAMMA_LARGE = (
    -0.09238119962397258, 2.1885871598876325, 10.283057364945229, 8.97859298709237, 2.3275323427759953,
    0.1666666666666565,
), (21.667232284077834, 71.18709220798642, 56.561739598341, 14.165194056619988, 1.0)  # fmt: skip


def binet(x: Any) -> Any:
    """log Γ(x) - (x - 1/2) log x + x - log(2π)/2 of x >= 4."""
    return rational(1 / (x * x), *_BINET) / x


def lgamma_1p(x: Any) -> Any:
    """log Γ(1 + x) of |x| < 2, with all its digits near 0."""
    return pieces(
        (x,), (x < 0.7, lambda x: x * rational(x, *_ONE)), (x >= 0.7, lambda x: (x - 1) * rational(x - 1, *_TWO))
    )


def _lgamma(x: Any) -> Any:
    return pieces((x,), (x >= -0.3, _upper_lgamma), (x < -0.3, _reflected_lgamma))


def _upper_lgamma(x: Any) -> Any:
    def large(x: Any) -> Any:
        return (x - 0.5) * (np.log(x) - 1) + ((math.log(2 * math.pi) - 1) / 2 + binet(x))

    return pieces(
        (x,),
        (x >= 4, large),
        ((x >= 1.7) & (x < 4), lambda x: (x - 2) * rational(x - 2, *_TWO)),
        ((x >= 0.7) & (x < 1.7), lambda x: (x - 1) * rational(x - 1, *_ONE) + 0.0),  # 0, not -0, at 1
        (x < 0.7, lambda x: x * rational(x, *_ONE) - np.log(abs(x))),
    )


def _reflected_lgamma(x: Any) -> Any:
    """log π/|x sin πx| - log Γ(-x), the sine by a tangent, which NumPy has faster."""
    y = np.minimum(-x, 1e300)
    r = y - np.rint(y)
    t = abs(np.tan(math.pi * r))
    return np.where(r == 0, math.inf, np.log(math.pi * np.sqrt(1 + t * t) / (y * t)) - _upper_lgamma(y))


def _digamma(x: Any) -> Any:
    return pieces((x,), (x >= -0.25, _upper_digamma), (x < -0.25, _reflected_digamma))


def _upper_digamma(x: Any) -> Any:
    def near_zero(t: Any) -> Any:
        return ((t - _ZERO[0]) - _ZERO[1]) * rational(t, *_ROOT)

    def large(x: Any) -> Any:
        z = 1 / (x * x)
        return np.log(x) + (z * rational(z, *_DIGAMMA) - 0.5 / x)

    return pieces(
        (x,),
        (x >= 3, large),
        ((x >= 0.75) & (x < 3), lambda x: near_zero(x - 1)),
        (x < 0.75, lambda x: near_zero(x) - 1 / x),
    )


def _reflected_digamma(x: Any) -> Any:
    cotangent = _cotangent(x)
    return np.where(np.isinf(cotangent), math.nan, _upper_digamma(1 - x) - math.pi * cotangent)


def _trigamma(x: Any) -> Any:
    return pieces((x,), (x >= -0.25, _upper_trigamma), (x < -0.25, _reflected_trigamma))


def _upper_trigamma(x: Any) -> Any:
    def large(x: Any) -> Any:
        u = 1 / x
        z = u * u
        return u + z * (0.5 + u * rational(z, *_TRIGAMMA_LARGE))

    return pieces(
        (x,),
        (x >= 3, large),
        ((x >= 1) & (x < 3), lambda x: rational(x - 1, *_TRIGAMMA)),
        (x < 1, lambda x: rational(x, *_TRIGAMMA) + 1 / (x * x)),
    )


def _reflected_trigamma(x: Any) -> Any:
    cotangent = _cotangent(x)
    return math.pi**2 * (1 + cotangent * cotangent) - _upper_trigamma(1 - x)


def _cotangent(x: Any) -> Any:
    """cot πx of negative x: infinite at integers, with all its digits between them."""
    r = x - np.rint(x)
    size = pieces(
        (abs(r),),
        (abs(r) < 0.25, lambda r: 1 / np.tan(math.pi * r)),
        (abs(r) >= 0.25, lambda r: np.tan(math.pi * (0.5 - r))),
    )
    return np.copysign(size, r)


class Lgamma(Function):
    """log |Γ(x)|."""

    symbol, promote = "log Γ", promote

    def forward(self, x):
        return in_double(_lgamma, x)

    def grad_x(self, grad, x):
        return grad * Digamma.apply(x)


def lgamma(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The logarithm of |Γ(input)|; ∞ at 0 and at the negative integers. Source: torch.lgamma.

    >>> torch.lgamma(torch.tensor([0.5, 1.0, 10.0]))
    tensor([ 0.5724,  0.0000, 12.8018])
    """
    return into(out, Lgamma.apply(input))


class Digamma(Function):
    """ψ(x), the derivative of log Γ."""

    symbol, promote = "ψ", promote

    def forward(self, x):
        return in_double(_digamma, x)

    def grad_x(self, grad, x):
        return grad * Polygamma.apply(x, n=1)


def digamma(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """ψ(input), the derivative of `lgamma`; NaN at the negative integers. Source: torch.digamma.

    >>> torch.digamma(torch.tensor([1.0, 0.5]))
    tensor([-0.5772, -1.9635])
    """
    return into(out, Digamma.apply(input))


class Polygamma(Function):
    """The derivative of ψ of order n >= 1: ±n! ζ(n + 1, x)."""

    symbol, promote = "ψⁿ", promote

    def forward(self, x):
        if self.n == 1:
            return in_double(_trigamma, x)
        order = self.n + 1
        power = int(math.lgamma(order) / (order * math.log(2)))  # n! = factor · 2^(power · order)
        factor = math.factorial(self.n) / 2 ** (power * order) if order < 1000 else math.inf
        return in_double(lambda x: (-1) ** order * zeta_of(np.full_like(x, order), x, 2.0**power, factor), x)

    def grad_x(self, grad, x):
        return grad * Polygamma.apply(x, n=self.n + 1)


@tensors_only
def polygamma(n: int, input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The derivative of `digamma` of order n. Source: torch.polygamma.

    Raises RuntimeError for n < 0.

    >>> torch.polygamma(1, torch.tensor([1.0, 0.5]))
    tensor([1.6449, 4.9348])
    """
    if n < 0:
        raise ArgumentError(f"polygamma(n, x) does not support negative n, got n = {n}")
    return into(out, Polygamma.apply(input, n=n) if n else Digamma.apply(input))


@tensors_only
def mvlgamma(input: Tensor, p: int, *, out: Tensor | None = None) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension p. Source: torch.mvlgamma.

    Raises RuntimeError for p < 1.

    >>> torch.mvlgamma(torch.tensor([2.0, 3.0]), 2)
    tensor([0.4516, 1.5502])
    """
    if p < 1:
        raise ArgumentError(f"mvlgamma: p has to be greater than or equal to 1, got p = {p}")
    halves = arange(p, dtype=input.dtype if input.is_floating_point() else None, device=input.device) / 2
    return into(out, Lgamma.apply(input[..., None] - halves).sum(-1) + p * (p - 1) / 4 * math.log(math.pi))
