"""The error function erf, its complement erfc, and the scaled complement erfcx."""

from __future__ import annotations

import math

import numpy as np

from ...function import Function
from ...type_aliases import Array, Tensor
from ..elementwise import Where
from ..support.blocks import in_double
from ..support.out import into
from .evaluation import evaluate, piecewise, polynomial, promote, rational, replace_where, square_with_error

ROOT_PI = math.sqrt(math.pi)

# -log(erfc(x)) / x for 0 <= x <= 6, as exact as erf needs it
_DECAY = (
    0.00011831967351880569, 0.003369129069749144, 0.03498247957832192, 0.1999430833505358, 0.7206029176599894,
    1.714802194607236, 2.67049405354323, 2.5234839524092907, 1.1283791670955126,
), (
    0.00011834069789551262, 0.0033666883596548793, 0.03442334749830822, 0.18881754039259102, 0.6327670573633178,
    1.3321517962456202, 1.6721898410253027, 1.0,
)  # fmt: skip
# (1 - erfcx(x)) / x, for 0 <= x < 0.5
_NEAR_ZERO = (
    -5.963332280303804e-05, 0.0003629473685367837, -0.001249066044093852, 0.00339528871552086, -0.008302447962224286,
    0.01909616331171827, -0.041664937329539374, 0.08597150424659482, -0.166666643619642, 0.30090110979802326,
    -0.4999999999469097, 0.7522527780626426, -0.9999999999999921, 1.1283791670955126,
)  # fmt: skip
# artanh(erf(x)) / x in terms of x², for 0 <= x <= 4, for float32
_ARTANH = (
    -0.0007788012389453147, 0.0710155730146168, 1.8082771395522077, 12.84208217990218, 57.7591190614258,
), (1.0, 6.718849786659604, 51.18768596716177)  # fmt: skip
# (x + c) erfcx(x) in terms of t = (x - c) / (x + c), for 0.5 <= x < 5. It varies little there, so little is lost to
# rounding. This c was chosen so that the value at t = 0, c √2 and that value times √2 are float64 numbers to 2e-18.
_CENTER = 1.62398
_MIDDLE = (
    1.3312734650567674e-06, -1.1835871283163833e-08, -5.991427087700056e-06, -8.643106691432122e-06,
    2.4947366629404224e-06, 3.138712511988984e-05, 5.368537317319101e-05, -5.661316484269497e-06,
    -0.00020772191591961387, -0.0003560951566003488, 0.00022205662053080194, 0.0018851339771399401,
    0.0017675015561586477, -0.007146502575178557, -0.017026547766985086, 0.035396198053043205, 0.1270616202026992,
    -0.559691200359999, 0.9822163235504635,
)  # fmt: skip
# (x + 3) erfcx(x) and (x + 3)² erfcx'(x) in terms of u = 1 / (x + 3), for 0 <= x <= 10, for float32
_FLOAT32 = (
    3278.8312712709, -5729.8545741704, 3498.6793475935, -957.55955157965, 292.11233476147, -0.096090393312,
    15.520524457968, 4.631561994528, 1.698052900998, 0.564109307103,
)  # fmt: skip
_SLOPE_FLOAT32 = (
    -33067.157522181, 52103.271610022, -28435.777242209, 6915.4402730918, -1816.1191927814, 12.76704001152,
    -63.622212264, -13.77442820232, -3.40140484494, -0.56400903641,
)  # fmt: skip
# (√π x erfcx(x) - 1) x² in terms of z = 1/x², for x >= 5
_TAIL = (
    6.774617538836614, -27.637938666343388, -123.23472681388624, -65.4284235778405, -10.525945315868732,
    -0.49999999999999994,
), (313.3422446064801, 416.42688825173724, 160.93468310371213, 22.55189063173703, 1.0)  # fmt: skip


def _erf(x: Array) -> Array:
    """|erf(x)| = 1 - exp(log erfc(|x|))."""
    y = np.minimum(abs(x), 6.0)
    return np.copysign(np.expm1(-y * rational(y, *_DECAY)), x)


def _erf_float32(x: Array) -> Array:
    y = x.clip(-5.0, 5.0)  # tanh is ±1 at the ends, and erf is beyond
    out = rational(y * y, *_ARTANH)
    out *= y
    return np.tanh(out)


def _rescale(coefficients: tuple[float, ...], root: float, order: int) -> tuple[float, ...]:
    """The coefficients of p(x / root) / root^order as a polynomial in x; root² is an integer."""
    powers = [n + order for n in range(len(coefficients) - 1, -1, -1)]
    return tuple(
        c / (round(root * root) ** (n // 2) * root ** (n % 2)) for c, n in zip(coefficients, powers, strict=True)
    )


def _add(constant: float, part: Array, *corrections: Array) -> Array:
    """(constant + part) · (1 - ε) for each small ε. It rounds less to subtract ε times the sum from `part`."""
    for epsilon in corrections:
        total = constant + part
        total *= epsilon
        part -= total
    part += constant
    return part


class ErfcFormulas:
    """erfc(x / root) and erfcx(x / root). The coefficients contain the root, so that x / root isn't rounded."""

    def __init__(self, root: float) -> None:
        self.root, self.square = root, round(root * root)
        self.end = math.sqrt(self.square / math.pi)  # the limit of x erfcx(x / root)
        numerator, denominator = _DECAY
        self.decay = _rescale(numerator, root, 1), _rescale(denominator, root, 0)
        self.center, self.middle = _CENTER * root, tuple(c * root for c in _MIDDLE)
        self.float32 = tuple(c * root ** (len(_FLOAT32) - n) for n, c in enumerate(_FLOAT32))
        self.tail = tuple(c * self.end for c in _TAIL[0]), _TAIL[1]

    def erfc_upper(self, x: Array) -> Array:
        """erfc(x / root) = exp(-x²/root²) erfcx(x / root) for x >= root / 2."""
        x = np.minimum(x, 30 * self.root)
        square, error = square_with_error(x)
        return np.exp(square / -self.square) * self.erfcx(x, error / self.square)

    def erfc_lower(self, x: Array) -> Array:
        """erfc(x / root) for x < root / 2."""
        value = np.exp(-self.minus_log_erfc(abs(x)))
        return np.where(x < 0, 2 - value, value)  # erfc(-x) = 2 - erfc(x)

    def minus_log_erfc(self, x: Array) -> Array:
        """-log(erfc(x / root)) for 0 <= x < root / 2. For larger x it has the digits that 2 - erfc(x / root) needs."""
        y = np.minimum(x, 6 * self.root)
        return y * rational(y, *self.decay)

    def erfc_float32(self, x: Array) -> Array:
        """erfc(x / root) of float32 numbers, in float64, in which their squares are exact."""
        y = abs(x.clip(-12 * self.root, 12 * self.root)).astype(np.float64)  # clip is faster than minimum
        u = y + 3 * self.root
        np.divide(1, u, out=u)
        value = polynomial(u, self.float32)
        value *= u
        y *= y
        y *= -1 / self.square  # a power of 2
        value *= np.exp(y, out=y)
        twice = np.multiply(x < 0, 2.0, out=u)
        value *= np.subtract(1, twice, out=y)
        value += twice  # 2 - value where x < 0: exactly, and without np.where, which branches
        return value

    def erfcx(self, x: Array, *corrections: Array) -> Array:
        """exp(x²/root²) erfc(x / root) for x >= root / 2, times 1 - ε if a small correction ε is given."""

        def middle(x: Array, *corrections: Array) -> Array:
            denominator = x + self.center
            t = x - self.center
            t /= denominator
            part = polynomial(t, self.middle[:-1])
            part *= t
            if corrections:  # add the relative rounding error of the denominator
                epsilon = x - denominator
                epsilon += self.center
                epsilon /= denominator
                epsilon += corrections[0]
                corrections = (epsilon,)
            value = _add(self.middle[-1], part, *corrections)
            value /= denominator
            return value

        def far(x: Array, *corrections: Array) -> Array:
            z = self.square / (x * x)
            return _add(self.end, z * rational(z, *self.tail), *corrections) / x

        return piecewise((x, *corrections), (x < 5 * self.root, middle), (x >= 5 * self.root, far))


_ERFC = ErfcFormulas(1)


def _erfc(x: Array) -> Array:
    return piecewise((x,), (x >= 0.5, _ERFC.erfc_upper), (x < 0.5, _ERFC.erfc_lower))


def erfcx_float64(x: Array) -> Array:
    """exp(x²) erfc(x) in float64."""

    def negative(x: Array) -> Array:
        square, error = square_with_error(np.maximum(x, -30.0))
        return np.exp(square) * (_ERFC.erfc_lower(x) * (1 + error))

    return piecewise(
        (x,),
        (x >= 0.5, _ERFC.erfcx),
        ((x >= 0) & (x < 0.5), lambda x: 1 - x * polynomial(x, _NEAR_ZERO)),
        (x < 0, negative),
    )


def _erfcx_float32(x: Array) -> Array:
    def near(x: Array) -> Array:
        y = abs(x.clip(-30.0, 30.0)).astype(np.float64)
        u = 1 / (y + 3)
        value = polynomial(u, _FLOAT32)
        value *= u
        square = np.minimum(x, 0.0).astype(np.float64)
        square *= square
        return np.where(x < 0, 2 * np.exp(square) - value, value)

    return piecewise((x,), (x < 6, near), (x >= 6, lambda x: _ERFC.erfcx(x.astype(np.float64))))


class Erf(Function):
    """2/√π ∫₀ˣ exp(-t²) dt."""

    symbol, promote = "erf", promote

    def forward(self, x):
        return evaluate(_erf, _erf_float32, x)

    def grad_x(self, grad, x):
        return grad * (2 / ROOT_PI * np.exp(-x * x))


def erf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The error function, 2/√π times the integral of exp(-t²) from 0 to input.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.erf.

    >>> torch.erf(torch.tensor([0.0, -1.0, 10.0]))
    tensor([ 0.0000, -0.8427,  1.0000])
    """
    return into(out, Erf.apply(input))


class Erfc(Function):
    """1 - erf(x), with all digits where that is small."""

    symbol, promote = "erfc", promote

    def forward(self, x):
        return evaluate(_erfc, _ERFC.erfc_float32, x)

    def grad_x(self, grad, x):
        return grad * (-2 / ROOT_PI * np.exp(-x * x))


def erfc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The complementary error function, 1 - erf(input).

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.erfc.

    >>> torch.erfc(torch.tensor([0.0, -1.0, 5.0]))
    tensor([1.0000e+00, 1.8427e+00, 1.5375e-12])
    """
    return into(out, Erfc.apply(input))


class Erfcx(Function):
    """exp(x²) erfc(x)."""

    symbol, operator, promote = "erfcx", "special_erfcx", promote

    def forward(self, x):
        return evaluate(erfcx_float64, _erfcx_float32, x)

    def grad_x(self, grad, x):
        return grad * ErfcxSlope.apply(x)


def _erfcx_slope(x: Array) -> Array:
    """erfcx'(x) = 2x erfcx(x) - 2/√π. For large x the two terms nearly cancel, so a series gives their difference."""
    return piecewise((x,), (x < 5, lambda x: 2 * (x * erfcx_float64(x)) - 2 / ROOT_PI), (x >= 5, _far_slope))


def _far_slope(x: Array) -> Array:
    z = 1 / (x * x)
    return 2 / ROOT_PI * z * rational(z, *_TAIL)


def _erfcx_slope_float32(x: Array) -> Array:
    u = abs(x.clip(-30.0, 30.0))
    u += 3
    np.divide(1, u, out=u)
    slope = polynomial(u, _SLOPE_FLOAT32)
    u *= u
    slope *= u
    return replace_where(
        slope, (x, slope), (x > 10, lambda x, slope: _far_slope(x)),
        (x < 0, lambda x, slope: 4 * x * np.exp(x * x) + slope),  # erfcx(x) = 2 exp(x²) - erfcx(-x)
    )  # fmt: skip


class ErfcxSlope(Function):
    """The derivative of erfcx, with all digits also where x is large."""

    symbol, operator, promote = "erfcx′", None, promote

    def forward(self, x):
        return in_double(_erfcx_slope_float32 if x.dtype == np.float32 else _erfcx_slope, x)

    def grad_x(self, grad, x, out):
        slope = 2 * (x * out + Erfcx.apply(x))
        far = x >= 5
        if type(x) is not np.ndarray or far.any():  # the two terms nearly cancel
            slope = Where.apply(far, ErfcxDerivative.apply(x, n=2), slope)
        return grad * slope


class ErfcxDerivative(Function):
    """The n-th derivative of erfcx for x >= 5, without cancellation."""

    symbol, operator, promote = "erfcx⁽ⁿ⁾", None, promote

    def forward(self, x):
        return in_double(lambda x: _far_derivative(x, self.n), x)

    def grad_x(self, grad, x):
        return grad * ErfcxDerivative.apply(x, n=self.n + 1)


def _far_derivative(x: Array, n: int) -> Array:
    """(-1)ⁿ fₙ, where f₀ = erfcx and fₖ₊₁ = 2k fₖ₋₁ - 2x fₖ, by the continued fractions of fₖ / fₖ₋₁."""
    x = np.maximum(x, 5.0)
    out, ratio = (-1) ** n * _ERFC.erfcx(x), np.zeros_like(x)
    for k in range(n + 20, 0, -1):
        ratio = 2 * k / (2 * x + ratio)
        if k <= n:
            out *= ratio
    return out


def erfcx(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The scaled complementary error function, exp(input²) erfc(input).

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.erfcx.

    >>> torch.special.erfcx(torch.tensor([0.0, -1.0, 10.0]))
    tensor([1.0000, 5.0090, 0.0561])
    """
    return into(out, Erfcx.apply(input))
