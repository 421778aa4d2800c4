"""The incomplete gamma functions."""

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
from ...type_aliases import Tensor
from ..blocks import in_double
from ..elementwise.operands import require_tensors
from ..out import into
from .double_double import DoubleDouble, log
from .error_function import erfcx_float64
from .gamma import Lgamma
from .gamma_positive import binet, lgamma_float32
from .numeric import piecewise, polynomial, product_error, rational, sum_error

# (1 / Γ(1 + f) - 1) / f (1 - f) by f - 1/2, 0 <= f <= 1
_RECIPROCAL = (
    -1.6796002705931017e-08, 9.01276868758033e-08, -6.22845254166883e-08, -2.1341211068273184e-06,
    1.3881269473509407e-05, -2.588862672911073e-05, -0.000148887308180788, 0.0011042580831499755, -0.002157953269256171,
    -0.006336833304923994, 0.04161568105120782, -0.05255106857397921, -0.1646981057811324, 0.5135166683820503,
)  # fmt: skip
_AT_ONCE = 1 << 17  # elements
_EULER = 0.5772156649015329  # γ
_FEW = 0.5614594835668851, 3.845711298868925e-17  # e^-γ
# (log Γ(1 + a) / a + γ) / a, 0 <= a <= 1
_SECOND = (
    1.906810866093884e-05, 0.005460451429658404, 0.10863032757724259, 0.677944515384063, 1.7629245711796795,
    2.004026795826522, 0.8224670334241132,
), (
    0.0013767973616728582, 0.04456603967545184, 0.42212683047876787, 1.6924427392405499, 3.238865735892898,
    2.9237797169835305, 1.0,
)  # fmt: skip
# 2 (m - log(1 + m)) / m², |m| <= 0.36
_LOG = (
    1.505588374777415e-05, 0.02073534950966482, 0.2962861708409475, 1.410221631440601, 2.9542772828588038,
    2.817391015142689, 1.0,
), (
    0.010768631363599072, 0.1872327457941406, 1.1366498592511227, 3.2528477265792346, 4.776982404065046,
    3.484057681809356, 1.0,
)  # fmt: skip
# so many powers of η in each of c₀, ..., c₉ of Temme's expansion, as far as a >= 20 and |x - a| <= 0.35 a need them
_TEMME = 24, 21, 19, 17, 15, 13, 11, 8, 6, 5


@functools.cache
def _temme() -> list[tuple[float, ...]]:
    """The coefficients of Temme's uniform expansion (DLMF 8.12.9 to 11), power series by η, the highest power first.

    With m = x/a - 1 and η²/2 = m - log(1 + m) they are c₀ = 1/m - 1/η and cₖ = cₖ₋₁' / η + g / m, g such that there is
    no pole.
    """
    m = [Fraction(0), Fraction(1)]  # by η, of which m m' = η (1 + m)
    for n in range(2, 26):
        m.append((m[n - 1] - sum(m[j] * (n + 1 - j) * m[n + 1 - j] for j in range(2, n))) / (n + 1))
    inverse = [Fraction(1)]  # η/m
    for n in range(1, 25):
        inverse.append(-sum((m[j + 1] * inverse[n - j] for j in range(1, n + 1)), Fraction(0)))
    c, found = inverse[1:], []
    for count in _TEMME:
        found.append(tuple(map(float, c[:count][::-1])))
        c = [(n + 2) * c[n + 2] - c[1] * inverse[n + 1] for n in range(len(c) - 2)]
    return found


def _peak(a: Any, x: Any, by: Any, by_rest: Any = 0.0, less: Any = None) -> Any:
    """(x / a)^a e^(a - x - less) (by + by_rest), of which the roundings in between are made up for."""
    ratio, gap = x / a, a - x
    rest = (x - ratio * a) - product_error(ratio, a)
    gap_rest = np.where(a > x, (a - gap) - x, a - (gap + x))
    if less is not None:
        gap_rest += sum_error(gap, -less)
        gap = gap - less
    error = rest / ratio + gap_rest

    def direct(a: Any, x: Any, by: Any, by_rest: Any, ratio: Any, gap: Any, error: Any, rest: Any) -> Any:
        power, decay = np.power(ratio, a), np.exp(gap)
        out = power * decay
        return _times(out, out * error + product_error(power, decay), by, by_rest)

    def by_logarithm(a: Any, x: Any, by: Any, by_rest: Any, ratio: Any, gap: Any, error: Any, rest: Any) -> Any:
        """Each factor alone would over- or underflow."""
        exponent = DoubleDouble(a) * log(DoubleDouble(x) / DoubleDouble(a)) + DoubleDouble(gap, rest)
        out = np.exp(np.minimum(exponent.high, 0))
        return _times(out, out * exponent.low, by, by_rest)

    near = (abs(gap) <= 500) & (gap <= 700 * ratio)  # a log(a / x) <= (a - x) a / x
    by_rest = np.zeros_like(a) + by_rest
    return piecewise((a, x, by, by_rest, ratio, gap, error, gap_rest), (near, direct), (~near, by_logarithm))


def _times(x: Any, x_rest: Any, y: Any, y_rest: Any) -> Any:
    """(x + x_rest) (y + y_rest), rounded once."""
    out = x * y
    return out + (product_error(x, y) + (x_rest * y + x * y_rest))


def _factor(a: Any, x: Any, divided: bool) -> Any:
    """x^a e^-x / Γ(a + 1), or over Γ(a) if not divided by a once more: with few roundings."""

    def small(a: Any, x: Any) -> Any:
        whole = np.floor(a)
        f = a - whole
        power, decay = np.power(x, a), np.exp(-x)
        out = power * decay
        out = out + (out * (f * (1 - f) * polynomial(f - 0.5, _RECIPROCAL)) + product_error(power, decay))
        for k in range(0 if divided else 1, 4):
            out = np.where(whole > k, out / np.where(whole > k, a - k, 1.0), out)
        return out if divided else np.where(whole == 0, out * a, out)

    def large(a: Any, x: Any) -> Any:
        square = 1 / (2 * math.pi * a) if divided else a * (1 / (2 * math.pi))
        return _peak(a, x, np.sqrt(square), less=binet(a))

    return piecewise((a, np.minimum(x, 1e8 + 4 * a)), (a < 4, small), (a >= 4, large))


def _factor_float32(a: Any, x: Any) -> Any:
    """x^a e^-x / Γ(a + 1) to float32's digits."""
    return np.exp(a * np.log(x) - x - lgamma_float32(a + 1))


def _downwards(first: int, beyond: int, x: Any) -> Iterator[Any]:
    """The numbers from the first to before the one beyond, in columns: of few x many at once, which saves calls."""
    size = max(1, _AT_ONCE // x.size)
    for k in range(first, beyond, -size):
        yield backend.like(np.arange(k, max(k - size, beyond), -1.0)[:, None], x)


def _series(count: Any, upper: Any, single: Any) -> Any:
    """P(a, x) of x < a or small x, or 1 less it: a power series with positive terms, of which so many count.

    But for float32 the last few steps have twice the digits: what the others are rounded by grows small until then.
    """

    def formula(a: Any, x: Any) -> Any:
        total = np.ones_like(a)
        for ks in _downwards(count, 0 if single else 4, a):
            for ratio in x / (a + ks):
                total *= ratio
                total += 1
        if single:
            lower = _factor_float32(a, x) * total
        else:
            fine = DoubleDouble(total)
            for last in (4.0, 3.0, 2.0, 1.0):
                fine = DoubleDouble(1.0) + fine * (DoubleDouble(x) / DoubleDouble(a + last, sum_error(a, last)))
            factor = _factor(a, x, True)
            lower = factor * fine.high + factor * fine.low
        return 1 - lower if upper else lower

    return formula


def _fraction(count: Any, upper: Any, single: Any) -> Any:
    """Q(a, x) of x > a - 0.9, or 1 less it: a continued fraction, of which so many terms count."""

    def formula(a: Any, x: Any) -> Any:
        gap, total = x - a, x + (2 * count + 1 - a)
        for ks in _downwards(count, 1, a):
            for step, base in zip(ks * (ks - a), gap + (2 * ks - 1), strict=True):
                step /= total
                total = np.subtract(base, step, out=base)
        last = (a - 1) / total
        total = gap + 1 + last
        if single:
            value = a * _factor_float32(a, x) / total
        else:
            rest = sum_error(x, -a) + sum_error(gap, np.ones_like(a)) + sum_error(gap + 1, last)
            value = _factor(a, x, False) / total
            value -= value * (rest / total)
        return value if upper else 1 - value

    return formula


def _uniform(upper: Any) -> Any:
    """P or Q near x = a, a large, by Temme's expansion."""

    def formula(a: Any, x: Any) -> Any:
        m = (x - a) / a
        square = rational(m, *_LOG)
        eta = m * np.sqrt(square)
        total = np.zeros_like(a)
        for row in reversed(_temme()):
            total = total / a + polynomial(eta, row)
        distance, quotient = abs(x - a), square / (2 * a)
        root = np.sqrt(quotient)
        z = distance * root
        quotient_rest = ((square - quotient * (2 * a)) - product_error(quotient, 2 * a)) / (2 * a)
        root_rest = (((quotient - root * root) - product_error(root, root)) + quotient_rest) / (2 * root)
        z_rest = product_error(distance, root) + distance * root_rest
        correction = total / np.sqrt(2 * math.pi * a)
        half = erfcx_float64(z) / 2
        half_rest = z_rest * (2 * z * half - 1 / math.sqrt(math.pi))
        above = eta > 0
        correction = np.where(above, correction, -correction)
        tail = _peak(a, x, half + correction, sum_error(half, correction) + half_rest)
        return np.where(above == upper, tail, 1 - tail)

    return formula


def _small_upper(a: Any, x: Any) -> Any:
    """Q(a, x) of x <= 0.8 and small a: 1 - x^a / Γ(a + 1) less a series, so that 1 doesn't swallow what is left.

    log x - log Γ(1 + a) / a, a factor of a logarithm, is small near x = e^-γ: there the digits of x less that count.
    """
    near = np.log1p(np.maximum((x - _FEW[0]) - _FEW[1], -0.4) / _FEW[0])
    log, euler = np.where(x > 0.3, near, np.log(x)), np.where(x > 0.3, 0.0, _EULER)
    second = -a * rational(a, *_SECOND)
    factor = (log + euler) + second
    power = a * factor
    rest = product_error(a, factor) + a * (sum_error(log, euler) + sum_error(log + euler, second))
    total = np.zeros_like(a)
    for k in range(20, 1, -1):
        total = (total + 1 / (a + k)) * (x / -k)
    first = 1 / (a + 1)
    inner = total + first
    product = -x * inner
    product_lost = product_error(-x, inner) - x * sum_error(total, first)
    loss = a * product
    lost = product_error(a, product) + a * product_lost
    grown = np.expm1(power)
    return -(loss + (grown + (grown * loss + (lost + (1 + grown) * rest))))


def _incomplete(upper: bool, counts: tuple[int, ...], reach: float = 0.8, single: bool = False) -> Any:
    """P or Q: each region by the formula that has it, or by 1 less the other where that isn't small.

    Of three series and four fractions so many terms count; below `reach` it is the series whatever a is.
    """
    series = [_series(count, upper, single) for count in counts[:3]]
    fractions = [_fraction(count, upper, single) for count in counts[3:]]
    one, zero = (0.0, 1.0) if upper else (1.0, 0.0)

    def by_series(a: Any, x: Any) -> Any:
        cases = x < 1, (x >= 1) & (a < 20), (x >= 1) & (a >= 20)
        return piecewise((a, x), *zip(cases, series, strict=True))

    def by_fraction(a: Any, x: Any) -> Any:
        cases = x < 1.2, (x >= 1.2) & (x < 2.2), (x >= 2.2) & (x < 20), x >= 20
        return piecewise((a, x), *zip(cases, fractions, strict=True))

    def formula(a: Any, x: Any) -> Any:
        proper = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
        finite = proper & (a < 1e37)
        near = finite & (a >= 20) & (x > 0.68 * a) & (x <= 1.35 * a)
        rest = finite & ~near
        low = x < np.maximum(a - 0.9 if upper else a, reach)  # where 1 - P has P's digits, and x - a + 1 is positive
        small = rest & (x <= 0.8) & (np.where(x <= 0.5, -0.4 / np.log(x), 1.1 * x) >= a) & upper
        far = (x > 0) & ((a == 0) | (np.isinf(x) & ~(a < 0) & (a != np.inf)))  # where P is 1
        nothing = ((x == 0) & ~(a <= 0)) | ((a == np.inf) & ~(x < 0) & (x != np.inf))  # and where it is 0
        return piecewise(
            (a, x),
            (small, _small_upper),
            (rest & low & ~small, by_series),
            (rest & ~low, by_fraction),
            (near, _uniform(upper)),
            (proper & ~finite, lambda a, x: np.where(x == a, 0.5, np.where(x < a, zero, one))),
            (far, lambda a, x: np.full_like(a, one)),
            (nothing, lambda a, x: np.full_like(a, zero)),
        )

    return formula


_TERMS = 22, 52, 100, 142, 96, 56, 24
_TERMS_FLOAT32 = 13, 38, 57, 54, 38, 24, 18  # for errors below 3e-10
_lower, _upper = _incomplete(False, _TERMS), _incomplete(True, _TERMS)
_lower_float32, _upper_float32 = (
    _incomplete(False, _TERMS_FLOAT32, 2.2, True),
    _incomplete(True, _TERMS_FLOAT32, 0.8, True),
)


def _density(a: Any, x: Any) -> Any:
    """The derivative of P(a, x) by x."""
    return np.exp((a - 1) * np.log(x) - x - Lgamma.apply(a))


class Igamma(Function):
    """P(a, x), of which the derivative by x alone is known, as in PyTorch."""

    symbol, promote, elementwise = "P(a, x)", dtypes.only("f"), True

    def forward(self, a, x):
        return in_double(_lower_float32 if np.result_type(a, x) == np.float32 else _lower, a, x)

    def grad_a(self, grad):
        op = type(self).__name__.lower()
        raise UnsupportedError(f"the derivative for '{op}: input' is not implemented; detach it")

    def grad_x(self, grad, a, x):
        return grad * _density(a, x)


def igamma(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The lower incomplete gamma function P(input, other), regularized. Source: torch.igamma.

    In float64 it is right to 4 units in the last place.

    It has a derivative for other only, as in PyTorch: backward raises where input wants one.

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
        return -grad * _density(a, x)


def igammac(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The upper incomplete gamma function Q(input, other), regularized. Source: torch.igammac.

    In float64 it is right to 4 units in the last place.

    It has a derivative for other only, as in PyTorch: backward raises where input wants one.

    >>> torch.igammac(torch.tensor([1.0, 4.0]), torch.tensor([1.0, 5.0]))
    tensor([0.3679, 0.2650])
    """
    return into(out, Igammac.apply(*require_tensors("igammac", input, other)))
