"""The incomplete gamma functions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import backend, dtypes
from ...errors import UnsupportedError
from ...function import Function
from ...stand_ins import Tensor
from ..blocks import in_double
from ..elementwise.operands import tensors
from ..out import into
from .error import erfcx_of
from .gamma import Lgamma
from .gamma_above import binet, upper_lgamma_single
from .numeric import pieces, polynomial, product_rest, rational, sum_rest
from .twofold import Twofold, log

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
# Temme's uniform expansion (DLMF 8.12): the power series by η of its coefficients c₀, ..., c₉, as far as a >= 20 and
# |x - a| <= 0.35 a need them; by c₀ = 1/m - 1/η, cₖ = cₖ₋₁' / η + g / m, g such that the poles cancel.
_UNIFORM = (
    (
        -5.139111834242572e-16, 2.8534893807047445e-14, -1.392388722418162e-13, 3.371763262400985e-13,
        1.1004392031956135e-13, -5.0276692801141755e-12, 2.4361948020667415e-11, -5.830772132550426e-11,
        -2.5514193994946248e-11, 9.14769958223679e-10, -4.382036018453353e-09, 1.0261809784240309e-08,
        6.707853543401498e-09, -1.7665952736826078e-07, 8.296711340953087e-07, -1.85406221071516e-06,
        -2.185448510679992e-06, 3.919263178522438e-05, -0.0001787551440329218, 0.0003527336860670194,
        0.0011574074074074073, -0.014814814814814815, 0.08333333333333333, -0.3333333333333333,
    ),
    (
        5.996696365683689e-13, -2.933186643771437e-12, 7.1624989648114856e-12, 6.067215101604758e-14,
        -8.56390702649298e-11, 4.162792991842583e-10, -1.0091543710600413e-09, -1.7543241719747647e-11,
        1.1951628599778148e-08, -5.752545603517705e-08, 1.378633446915721e-07, 4.647127802807434e-09,
        -1.6120900894563446e-06, 7.64916091608111e-06, -1.8098550334489977e-05, -4.018775720164609e-07,
        0.00020576131687242798, -0.0009902263374485596, 0.0026455026455026454, -0.003472222222222222,
        -0.001851851851851852,
    ),
    (
        1.197593554636698e-11, -5.5645956134363323e-11, 1.2872252400089318e-10, 9.428356159014678e-13,
        -1.3670488396617114e-09, 6.228974084922022e-09, -1.409252991086752e-08, -2.0477098421990866e-10,
        1.4280614206064242e-07, -6.298992138380055e-07, 1.3721957309062934e-06, 3.423578734096138e-08,
        -1.2760635188618728e-05, 5.2923448829120125e-05, -0.0001073665322636516, 2.0093878600823047e-06,
        0.0007716049382716049, -0.0026813271604938273, 0.004133597883597883,
    ),
    (
        2.1541049775774907e-10, -9.460496661855133e-10, 2.0620131815488797e-09, 2.3928620439808118e-12,
        -1.9111168485973655e-08, 8.099464905388083e-08, -1.6958404091930278e-07, -2.7861080291528143e-11,
        1.4230900732435883e-06, -5.6749528269915965e-06, 1.1082654115347302e-05, -2.396505113867297e-07,
        -7.561801671883977e-05, 0.00026772063206283885, -0.0004691894943952557, 0.00022947209362139917,
        0.0006494341563786008,
    ),
    (
        3.4463580499464896e-09, -1.4189739437803219e-08, 2.8865829742708783e-08, 2.956794137544049e-11,
        -2.292934834000805e-07, 8.907507532205309e-07, -1.6954149536558305e-06, 2.507497226237533e-10,
        1.1375726970678419e-05, -3.968365047179435e-05, 6.641498215465122e-05, -1.4638452578843418e-06,
        -0.0002990724803031902, 0.0007840392217200666, -0.0008618882909167117,
    ),
    (
        4.8240967037894184e-08, -1.8447187191171344e-07, 3.4652846491085265e-07, -3.252473551298454e-10,
        -2.291481176508095e-06, 8.018470256334202e-06, -1.3594048189768693e-05, 1.419062920643967e-07,
        6.797780477937208e-05, -0.00019932570516188847, 0.0002772753244959392, -6.972813758365857e-05,
        -0.00033679855336635813,
    ),
    (
        5.788792863149004e-07, -2.0291327396058603e-06, 3.465155368803609e-06, -3.0796134506033047e-09,
        -1.8329116582843375e-05, 5.61168275310625e-05, -8.153969367561969e-05, 7.902353232660328e-07,
        0.0002708782096718045, -0.0005921664373536939, 0.0005313079364639922,
    ),
    (
        -1.8263488805711332e-05, 2.7744451511563645e-05, -1.2741009095484485e-07, -0.00010976582244684731,
        0.0002812695154763237, -0.00033493161081142234, 5.171790908260592e-05, 0.00034436760689237765,
    ),
    (
        -0.00012783517679769218, 0.00016644846642067547, -6.969091458420552e-07, -0.000438297098541721,
        0.0008394987206720873, -0.0006526239185953094,
    ),
    (
        0.00027750107634328704, -0.0006401475260262758, 0.0006782308837667328, -7.204895416020011e-05,
        -0.0005967612901927463,
    ),
)  # fmt: skip


def _peak(a: Any, x: Any, by: Any, by_rest: Any = 0.0, less: Any = None) -> Any:
    """(x / a)^a e^(a - x - less) (by + by_rest), of which the roundings in between are made up for."""
    ratio, gap = x / a, a - x
    rest = (x - ratio * a) - product_rest(ratio, a)
    gap_rest = np.where(a > x, (a - gap) - x, a - (gap + x))
    if less is not None:
        gap_rest += sum_rest(gap, -less)
        gap = gap - less
    error = rest / ratio + gap_rest

    def direct(a: Any, x: Any, by: Any, by_rest: Any, ratio: Any, gap: Any, error: Any, rest: Any) -> Any:
        power, decay = np.power(ratio, a), np.exp(gap)
        out = power * decay
        return _times(out, out * error + product_rest(power, decay), by, by_rest)

    def by_logarithm(a: Any, x: Any, by: Any, by_rest: Any, ratio: Any, gap: Any, error: Any, rest: Any) -> Any:
        """Each factor alone would over- or underflow."""
        exponent = Twofold(a) * log(Twofold(x) / Twofold(a)) + Twofold(gap, rest)
        out = np.exp(np.minimum(exponent.high, 0))
        return _times(out, out * exponent.low, by, by_rest)

    near = (abs(gap) <= 500) & (gap <= 700 * ratio)  # a log(a / x) <= (a - x) a / x
    by_rest = np.zeros_like(a) + by_rest
    return pieces((a, x, by, by_rest, ratio, gap, error, gap_rest), (near, direct), (~near, by_logarithm))


def _times(x: Any, x_rest: Any, y: Any, y_rest: Any) -> Any:
    """(x + x_rest) (y + y_rest), rounded once."""
    out = x * y
    return out + (product_rest(x, y) + (x_rest * y + x * y_rest))


def _factor(a: Any, x: Any, divided: bool) -> Any:
    """x^a e^-x / Γ(a + 1), or over Γ(a) if not divided by a once more: with few roundings."""

    def small(a: Any, x: Any) -> Any:
        whole = np.floor(a)
        f = a - whole
        power, decay = np.power(x, a), np.exp(-x)
        out = power * decay
        out = out + (out * (f * (1 - f) * polynomial(f - 0.5, _RECIPROCAL)) + product_rest(power, decay))
        for k in range(0 if divided else 1, 4):
            out = np.where(whole > k, out / np.where(whole > k, a - k, 1.0), out)
        return out if divided else np.where(whole == 0, out * a, out)

    def large(a: Any, x: Any) -> Any:
        square = 1 / (2 * math.pi * a) if divided else a * (1 / (2 * math.pi))
        return _peak(a, x, np.sqrt(square), less=binet(a))

    return pieces((a, np.minimum(x, 1e8 + 4 * a)), (a < 4, small), (a >= 4, large))


def _factor_single(a: Any, x: Any) -> Any:
    """x^a e^-x / Γ(a + 1) to float32's digits."""
    return np.exp(a * np.log(x) - x - upper_lgamma_single(a + 1))


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
            lower = _factor_single(a, x) * total
        else:
            fine = Twofold(total)
            for last in (4.0, 3.0, 2.0, 1.0):
                fine = Twofold(1.0) + fine * (Twofold(x) / Twofold(a + last, sum_rest(a, last)))
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
            value = a * _factor_single(a, x) / total
        else:
            rest = sum_rest(x, -a) + sum_rest(gap, np.ones_like(a)) + sum_rest(gap + 1, last)
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
        for row in reversed(_UNIFORM):
            total = total / a + polynomial(eta, row)
        distance, quotient = abs(x - a), square / (2 * a)
        root = np.sqrt(quotient)
        z = distance * root
        quotient_rest = ((square - quotient * (2 * a)) - product_rest(quotient, 2 * a)) / (2 * a)
        root_rest = (((quotient - root * root) - product_rest(root, root)) + quotient_rest) / (2 * root)
        z_rest = product_rest(distance, root) + distance * root_rest
        correction = total / np.sqrt(2 * math.pi * a)
        half = erfcx_of(z) / 2
        half_rest = z_rest * (2 * z * half - 1 / math.sqrt(math.pi))
        above = eta > 0
        correction = np.where(above, correction, -correction)
        tail = _peak(a, x, half + correction, sum_rest(half, correction) + half_rest)
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
    rest = product_rest(a, factor) + a * (sum_rest(log, euler) + sum_rest(log + euler, second))
    total = np.zeros_like(a)
    for k in range(20, 1, -1):
        total = (total + 1 / (a + k)) * (x / -k)
    first = 1 / (a + 1)
    inner = total + first
    product = -x * inner
    product_lost = product_rest(-x, inner) - x * sum_rest(total, first)
    loss = a * product
    lost = product_rest(a, product) + a * product_lost
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
        return pieces((a, x), *zip(cases, series, strict=True))

    def by_fraction(a: Any, x: Any) -> Any:
        cases = x < 1.2, (x >= 1.2) & (x < 2.2), (x >= 2.2) & (x < 20), x >= 20
        return pieces((a, x), *zip(cases, fractions, strict=True))

    def formula(a: Any, x: Any) -> Any:
        proper = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
        finite = proper & (a < 1e37)
        near = finite & (a >= 20) & (x > 0.68 * a) & (x <= 1.35 * a)
        rest = finite & ~near
        low = x < np.maximum(a - 0.9 if upper else a, reach)  # where 1 - P has P's digits, and x - a + 1 is positive
        small = rest & (x <= 0.8) & (np.where(x <= 0.5, -0.4 / np.log(x), 1.1 * x) >= a) & upper
        far = (x > 0) & ((a == 0) | (np.isinf(x) & ~(a < 0) & (a != np.inf)))  # where P is 1
        nothing = ((x == 0) & ~(a <= 0)) | ((a == np.inf) & ~(x < 0) & (x != np.inf))  # and where it is 0
        return pieces(
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
_TERMS_SINGLE = 13, 38, 57, 54, 38, 24, 18  # for errors below 3e-10
_lower, _upper = _incomplete(False, _TERMS), _incomplete(True, _TERMS)
_lower_single, _upper_single = _incomplete(False, _TERMS_SINGLE, 2.2, True), _incomplete(True, _TERMS_SINGLE, 0.8, True)


def _density(a: Any, x: Any) -> Any:
    """The derivative of P(a, x) by x."""
    return np.exp((a - 1) * np.log(x) - x - Lgamma.apply(a))


class Igamma(Function):
    """P(a, x), of which the derivative by x alone is known, as in PyTorch."""

    symbol, promote, elementwise = "P(a, x)", dtypes.only("f"), True

    def forward(self, a, x):
        return in_double(_lower_single if np.result_type(a, x) == np.float32 else _lower, a, x)

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
    return into(out, Igamma.apply(*tensors("igamma", input, other)))


class Igammac(Igamma):
    """Q(a, x) = 1 - P(a, x)."""

    symbol = "Q(a, x)"

    def forward(self, a, x):
        return in_double(_upper_single if np.result_type(a, x) == np.float32 else _upper, a, x)

    def grad_x(self, grad, a, x):
        return -grad * _density(a, x)


def igammac(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The upper incomplete gamma function Q(input, other), regularized. Source: torch.igammac.

    In float64 it is right to 4 units in the last place.

    It has a derivative for other only, as in PyTorch: backward raises where input wants one.

    >>> torch.igammac(torch.tensor([1.0, 4.0]), torch.tensor([1.0, 5.0]))
    tensor([0.3679, 0.2650])
    """
    return into(out, Igammac.apply(*tensors("igammac", input, other)))
