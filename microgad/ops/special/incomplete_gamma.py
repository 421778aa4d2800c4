"""The regularized incomplete gamma functions P(a, x) (lower) and Q(a, x) = 1 - P(a, x) (upper)."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from ... import backend, dtypes
from ...errors import UnsupportedError
from ...function import Function
from ...type_aliases import Array, Tensor
from ..elementwise.operands import require_tensors
from ..support.blocks import in_double
from ..support.out import into
from .double_double import DoubleDouble, log, log_quotient
from .error_function import erfcx_float64
from .evaluation import piecewise, polynomial, product_error, rational, sum_error
from .gamma import Digamma, Lgamma
from .gamma_positive import binet, lgamma_float32

# (1 / Γ(1 + f) - 1) / (f (1 - f)) in terms of f - 1/2, for 0 <= f <= 1
_RECIPROCAL = (
    -1.6796002705931017e-08, 9.01276868758033e-08, -6.22845254166883e-08, -2.1341211068273184e-06,
    1.3881269473509407e-05, -2.588862672911073e-05, -0.000148887308180788, 0.0011042580831499755, -0.002157953269256171,
    -0.006336833304923994, 0.04161568105120782, -0.05255106857397921, -0.1646981057811324, 0.5135166683820503,
)  # fmt: skip
_AT_ONCE = 1 << 17  # elements of x times steps of a recurrence that are prepared together
_EULER = 0.5772156649015329  # γ
_EXP_MINUS_EULER = 0.5614594835668851, 3.845711298868925e-17  # e^-γ, in two parts
# (log Γ(1 + a) / a + γ) / a, for 0 <= a <= 1
_LGAMMA_REST = (
    1.906810866093884e-05, 0.005460451429658404, 0.10863032757724259, 0.677944515384063, 1.7629245711796795,
    2.004026795826522, 0.8224670334241132,
), (
    0.0013767973616728582, 0.04456603967545184, 0.42212683047876787, 1.6924427392405499, 3.238865735892898,
    2.9237797169835305, 1.0,
)  # fmt: skip
# (η² / m² - 1) / m, where η² = 2 (m - log(1 + m)), for |m| <= 0.36
_ETA_SQUARED = (
    -0.010753575479851297, -0.16649739628447577, -0.8403636884101753, -1.8426260951386335,
    -1.822705121206242, -0.666666666666667,
), (
    0.010768631363599072, 0.1872327457941406, 1.1366498592511227, 3.2528477265792346, 4.776982404065046,
    3.484057681809356, 1.0,
)  # fmt: skip
# The number of powers of η that each of c₀, ..., c₉ of Temme's expansion needs for a >= 20 and |x - a| <= 0.35 a.
_TEMME_COUNTS = 24, 21, 19, 17, 15, 13, 11, 8, 6, 5


@functools.cache
def _temme_coefficients() -> list[tuple[float, ...]]:
    """The coefficients cₖ(η) of Temme's uniform expansion (DLMF 8.12.9 to 11) as power series, the highest power first.

    With m = x/a - 1 and η²/2 = m - log(1 + m), they are c₀ = 1/m - 1/η and cₖ = cₖ₋₁' / η + g / m, where the constant g
    is chosen so that the pole at η = 0 vanishes.
    """
    m = [Fraction(0), Fraction(1)]  # the series of m(η), which satisfies m m' = η (1 + m)
    for n in range(2, 26):
        m.append((m[n - 1] - sum(m[j] * (n + 1 - j) * m[n + 1 - j] for j in range(2, n))) / (n + 1))
    inverse = [Fraction(1)]  # the series of η/m
    for n in range(1, 25):
        inverse.append(-sum((m[j + 1] * inverse[n - j] for j in range(1, n + 1)), Fraction(0)))
    c, coefficients = inverse[1:], []
    for count in _TEMME_COUNTS:
        coefficients.append(tuple(map(float, c[:count][::-1])))
        c = [(n + 2) * c[n + 2] - c[1] * inverse[n + 1] for n in range(len(c) - 2)]
    return coefficients


def _power_times_exp(
    a: Array, x: Array, factor: Array, factor_low: Array | float = 0.0, shift: Array | None = None
) -> Array:
    """(x / a)^a · e^(a - x - shift) · (factor + factor_low), corrected for the rounding errors on the way."""
    ratio, gap = x / a, a - x
    remainder = (x - ratio * a) - product_error(ratio, a)
    gap_low = np.where(a > x, (a - gap) - x, a - (gap + x))
    if shift is not None:
        gap_low += sum_error(gap, -shift)
        gap = gap - shift
    error = remainder / ratio + gap_low

    def direct(
        a: Array, x: Array, factor: Array, factor_low: Array, ratio: Array, gap: Array, error: Array, gap_low: Array
    ) -> Array:
        power, decay = np.power(ratio, a), np.exp(gap)
        out = power * decay
        return _multiply(out, out * error + product_error(power, decay), factor, factor_low)

    def by_log(logarithm: Any) -> Any:
        """Add the exponents, since power or decay alone would over- or underflow, or err more than `error` corrects."""

        def formula(
            a: Array, x: Array, factor: Array, factor_low: Array, ratio: Array, gap: Array, error: Array, gap_low: Array
        ) -> Array:
            exponent = DoubleDouble(a) * logarithm(x, a) + DoubleDouble(gap, gap_low)
            out = np.exp(np.minimum(exponent.high, 0))
            return _multiply(out, out * exponent.low, factor, factor_low)

        return formula

    close = (a >= 1e7) & (abs(gap) <= a / 64)  # ratio's rounding error is multiplied by a, the square of which counts
    near = (abs(gap) <= 500) & (gap <= 700 * ratio) & ~close  # a log(a / x) <= (a - x) a / x
    factor_low = np.zeros_like(a) + factor_low
    return piecewise(
        (a, x, factor, factor_low, ratio, gap, error, gap_low),
        (near, direct),
        (close, by_log(log_quotient)),
        (~(near | close), by_log(lambda x, a: log(DoubleDouble(x) / DoubleDouble(a)))),
    )


def _multiply(x: Array, x_low: Array, y: Array, y_low: Array) -> Array:
    """(x + x_low) · (y + y_low), rounded once."""
    out = x * y
    return out + (product_error(x, y) + (x_low * y + x * y_low))


def _prefactor(a: Array, x: Array, divided: bool) -> Array:
    """x^a e^-x / Γ(a + 1) if `divided` by a, else x^a e^-x / Γ(a), with few roundings."""

    def small(a: Array, x: Array) -> Array:
        integer = np.floor(a)
        f = a - integer
        power, decay = np.power(x, a), np.exp(-x)
        out = power * decay
        out = out + (out * (f * (1 - f) * polynomial(f - 0.5, _RECIPROCAL)) + product_error(power, decay))
        for k in range(0 if divided else 1, 4):  # Γ(a + 1) = a (a - 1) ... Γ(f + 1)
            out = np.where(integer > k, out / np.where(integer > k, a - k, 1.0), out)
        return out if divided else np.where(integer == 0, out * a, out)

    def large(a: Array, x: Array) -> Array:
        square = 1 / (2 * math.pi * a) if divided else a * (1 / (2 * math.pi))
        return _power_times_exp(a, x, np.sqrt(square), shift=binet(a))

    return piecewise((a, np.minimum(x, 1e8 + 4 * a)), (a < 4, small), (a >= 4, large))


def _prefactor_float32(a: Array, x: Array) -> Array:
    """x^a e^-x / Γ(a + 1) for float32."""
    return np.exp(a * np.log(x) - x - lgamma_float32(a + 1))


def _countdown(start: int, stop: int, x: Array) -> Iterator[Any]:
    """start, start - 1, ... before stop, in columns that broadcast with x: longer ones for small x, to save calls."""
    size = max(1, _AT_ONCE // x.size)
    for k in range(start, stop, -size):
        yield backend.like(np.arange(k, max(k - size, stop), -1.0)[:, None], x)


def _series(count: int, upper: bool, float32: bool) -> Any:
    """The formula for P(a, x) (or 1 - P if `upper`) where x < a or x is small: `count` terms of its power series.

    All terms are positive (DLMF 8.11.4). Except for float32, the last steps of Horner's rule are in double-double
    arithmetic; the rounding errors of earlier ones are scaled down by x / (a + k).
    """

    def formula(a: Array, x: Array) -> Array:
        total = np.ones_like(a)
        for ks in _countdown(count, 0 if float32 else 4, a):
            for ratio in x / (a + ks):
                total *= ratio
                total += 1
        if float32:
            lower = _prefactor_float32(a, x) * total
        else:
            exact = DoubleDouble(total)
            for k in (4.0, 3.0, 2.0, 1.0):
                exact = DoubleDouble(1.0) + exact * (DoubleDouble(x) / DoubleDouble(a + k, sum_error(a, k)))
            prefactor = _prefactor(a, x, True)
            lower = prefactor * exact.high + prefactor * exact.low
        return 1 - lower if upper else lower

    return formula


def _continued_fraction(count: int, upper: bool, float32: bool) -> Any:
    """The formula for Q(a, x) (or 1 - Q unless `upper`) where x > a - 0.9: `count` terms of a continued fraction."""

    def formula(a: Array, x: Array) -> Array:
        gap, total = x - a, x + (2 * count + 1 - a)
        for ks in _countdown(count, 1, a):
            for numerator, denominator in zip(ks * (ks - a), gap + (2 * ks - 1), strict=True):
                numerator /= total
                total = np.subtract(denominator, numerator, out=denominator)
        last = (a - 1) / total
        total = gap + 1 + last
        if float32:
            value = a * _prefactor_float32(a, x) / total
        else:
            error = sum_error(x, -a) + sum_error(gap, np.ones_like(a)) + sum_error(gap + 1, last)
            value = _prefactor(a, x, False) / total
            value -= value * (error / total)
        return value if upper else 1 - value

    return formula


def _uniform(upper: bool) -> Any:
    """The formula for Q (or P unless `upper`) near x = a for large a, by Temme's expansion (DLMF 8.12.3 and 4).

    The smaller of the two is erfc(z) / 2 plus or minus a correction, where z = |η| √(a/2); both are scaled by e^(z²).
    """

    def formula(a: Array, x: Array) -> Array:
        m = (x - a) / a
        square = 1 + m * rational(m, *_ETA_SQUARED)
        eta = m * np.sqrt(square)
        total = np.zeros_like(a)
        for row in reversed(_temme_coefficients()):
            total = total / a + polynomial(eta, row)
        distance, quotient = abs(x - a), square / (2 * a)
        root = np.sqrt(quotient)
        z = distance * root
        quotient_error = ((square - quotient * (2 * a)) - product_error(quotient, 2 * a)) / (2 * a)
        root_error = (((quotient - root * root) - product_error(root, root)) + quotient_error) / (2 * root)
        z_error = product_error(distance, root) + distance * root_error
        correction = total / np.sqrt(2 * math.pi * a)
        half = erfcx_float64(z) / 2
        half_error = z_error * (2 * z * half - 1 / math.sqrt(math.pi))
        above = eta > 0
        correction = np.where(above, correction, -correction)
        tail = _power_times_exp(a, x, half + correction, sum_error(half, correction) + half_error)
        return np.where(above == upper, tail, 1 - tail)

    return formula


def _small_upper(a: Array, x: Array) -> Array:
    """Q(a, x) = 1 - x^a / Γ(a + 1) · (1 + a series), for x <= 0.8 and a < 1, where 1 - P would cost digits.

    The exponent of x^a / Γ(a + 1) is a (log x + γ - a · rational(a)). Near x = e^-γ log x + γ is small, and computed as
    log1p of the relative difference from e^-γ.
    """
    near = np.log1p(np.maximum((x - _EXP_MINUS_EULER[0]) - _EXP_MINUS_EULER[1], -0.4) / _EXP_MINUS_EULER[0])
    log, euler = np.where(x > 0.3, near, np.log(x)), np.where(x > 0.3, 0.0, _EULER)
    second = -a * rational(a, *_LGAMMA_REST)
    factor = (log + euler) + second
    exponent = a * factor
    exponent_error = product_error(a, factor) + a * (sum_error(log, euler) + sum_error(log + euler, second))
    total = np.zeros_like(a)
    for k in range(20, 1, -1):
        total = (total + 1 / (a + k)) * (x / -k)
    next_a = a + 1
    first = 1 / next_a
    first_error = ((1 - first * next_a) - product_error(first, next_a) - first * sum_error(a, 1.0)) / next_a
    inner = total + first
    product = -x * inner
    inner_error = product_error(-x, inner) - x * (sum_error(total, first) + first_error)
    rest = a * product  # P = (1 + power) (1 + rest), so Q = -(rest + power + power · rest)
    rest_error = product_error(a, product) + a * inner_error
    power = np.expm1(exponent)
    return -(rest + (power + (power * rest + (rest_error + (1 + power) * exponent_error))))


def _incomplete(upper: bool, counts: tuple[int, ...], reach: float = 0.8, float32: bool = False) -> Any:
    """The formula for Q if `upper`, else for P: in each region the one that suits it, or 1 minus that of the other.

    `counts` are the numbers of terms of three series and four continued fractions, for regions of x. For x < reach it
    is a series whatever a is.
    """
    series = [_series(count, upper, float32) for count in counts[:3]]
    fractions = [_continued_fraction(count, upper, float32) for count in counts[3:]]
    one, zero = (0.0, 1.0) if upper else (1.0, 0.0)  # the values where P is 1 and where P is 0

    def by_series(a: Array, x: Array) -> Array:
        cases = x < 1, (x >= 1) & (a < 20), (x >= 1) & (a >= 20)
        return piecewise((a, x), *zip(cases, series, strict=True))

    def by_fraction(a: Array, x: Array) -> Array:
        cases = x < 1.2, (x >= 1.2) & (x < 2.2), (x >= 2.2) & (x < 20), x >= 20
        return piecewise((a, x), *zip(cases, fractions, strict=True))

    def formula(a: Array, x: Array) -> Array:
        proper = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
        finite = proper & (a < 1e37)
        near = finite & (a >= 20) & (x > 0.68 * a) & (x <= 1.35 * a)
        rest = finite & ~near
        low = x < np.maximum(a - 0.9 if upper else a, reach)  # 1 - P is accurate there, and x - a + 1 > 0 elsewhere
        small = rest & (x <= 0.8) & (np.where(x <= 0.5, -0.68 / np.log(x), 1.1 * x) >= a) & upper
        p_is_1 = (x > 0) & ((a == 0) | (np.isinf(x) & ~(a < 0) & (a != np.inf)))
        p_is_0 = ((x == 0) & ~(a <= 0)) | ((a == np.inf) & ~(x < 0) & (x != np.inf))
        return piecewise(
            (a, x),
            (small, _small_upper),
            (rest & low & ~small, by_series),
            (rest & ~low, by_fraction),
            (near, _uniform(upper)),
            (proper & ~finite, lambda a, x: np.where(x == a, 0.5, np.where(x < a, zero, one))),
            (p_is_1, lambda a, x: np.full_like(a, one)),
            (p_is_0, lambda a, x: np.full_like(a, zero)),
        )

    return formula


_TERMS = 22, 52, 100, 142, 96, 56, 24
_TERMS_FLOAT32 = 13, 38, 57, 54, 38, 24, 18  # for errors below 3e-10
_lower, _lower_float32 = _incomplete(False, _TERMS), _incomplete(False, _TERMS_FLOAT32, 2.2, True)
_upper, _upper_float32 = _incomplete(True, _TERMS), _incomplete(True, _TERMS_FLOAT32, 0.8, True)


def _density(a: Array, x: Array) -> Array:
    """x^(a - 1) e^-x / Γ(a). For large a the terms of its exponent nearly cancel, which would cost digits."""
    large = (a >= 4) & (x > a / 100) & (a < 1e150) & np.isfinite(x)
    return piecewise(
        (a, x),
        (large, lambda a, x: _prefactor(a, x, False) / x),
        (~large, lambda a, x: np.exp((a - 1) * np.log(x) - x - Lgamma.apply(a))),
    )


class GammaDensity(Function):
    """x^(a - 1) e^-x / Γ(a), the derivative of P(a, x) with respect to x."""

    symbol, operator, promote, elementwise = "P′(a, x)", None, dtypes.only("f"), True

    def forward(self, a, x):
        return in_double(_density, a, x)

    def grad_a(self, grad, a, x, out):
        return grad * (out * (np.log(x) - Digamma.apply(a)))

    def grad_x(self, grad, a, x, out):
        return grad * (out * ((a - 1 - x) / x))


class Igamma(Function):
    """P(a, x)."""

    symbol, promote, elementwise = "P(a, x)", dtypes.only("f"), True

    def forward(self, a, x):
        return in_double(_lower_float32 if np.result_type(a, x) == np.float32 else _lower, a, x)

    def grad_a(self, grad):
        op = type(self).__name__.lower()
        raise UnsupportedError(f"the derivative for '{op}: input' is not implemented; detach it")

    def grad_x(self, grad, a, x):
        return grad * GammaDensity.apply(a, x)


def igamma(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The regularized lower incomplete gamma function P(input, other). Source: torch.igamma.

    In float64 it errs by at most 4 units in the last place. Only the derivative with respect to other is implemented,
    as in PyTorch: backward raises NotImplementedError if input requires grad.

    >>> torch.igamma(torch.tensor([1.0, 4.0]), torch.tensor([1.0, 5.0]))
    tensor([0.6321, 0.7350])
    """
    return into(out, Igamma.apply(*require_tensors("igamma", input, other)))


class Igammac(Igamma):
    """Q(a, x) = 1 - P(a, x)."""

    symbol = "Q(a, x)"

    def forward(self, a, x):
        return in_double(_upper_float32 if np.result_type(a, x) == np.float32 else _upper, a, x)

    def grad_x(self, grad, a, x):
        return -grad * GammaDensity.apply(a, x)


def igammac(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The regularized upper incomplete gamma function Q(input, other). Source: torch.igammac.

    In float64 it errs by at most 4 units in the last place. Only the derivative with respect to other is implemented,
    as in PyTorch: backward raises NotImplementedError if input requires grad.

    >>> torch.igammac(torch.tensor([1.0, 4.0]), torch.tensor([1.0, 5.0]))
    tensor([0.3679, 0.2650])
    """
    return into(out, Igammac.apply(*require_tensors("igammac", input, other)))
