"""The Airy function Ai, without a derivative, as in PyTorch."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from ...type_aliases import Array, Tensor
from ..support.out import into
from .bessel_large_argument import FINE_QUARTER_PI, phase_series
from .double_double import DoubleDouble, power_series, renormalize
from .evaluation import non_differentiable, piecewise, polynomial, product_error, rational, replace_where, sum_error
from .near_zeros import polynomial_with_zeros, taylor_at_zero

# Ai(x) / (x - zero) for the first zero, in terms of x + 2, for -3 <= x < -1, and for the second one, in terms of
# x + 13/4, for -4 <= x < -3; Ai(x) in terms of x for |x| <= 1; and ζ (e^ζ ⁴√x Ai(x) - 1/(2√π)) in terms of 1/ζ for
# x > 1, where ζ = 2/3 x√x.
_FIRST = (
    -4.367263095335692e-12, -1.5263939122581397e-11, 3.074042145016088e-10, -8.645359233707067e-10,
    -7.597885816933548e-09, 6.858094223504672e-08, -7.177207464792022e-08, -1.7292317086357689e-06,
    9.090263108093785e-06, 6.358067824592274e-06, -0.00021474763854181398, 0.0005830278038505679,
    0.0016725536329527354, -0.012133194391110243, 0.009550461747482615, 0.08619374120528178,
    -0.19732784485037447, -0.16068942156771873, 0.6725893049562303,
)  # fmt: skip
_SECOND = (
    8.8558304646025e-09, 3.7745208648499686e-08, -2.434720784539115e-07, 1.1362424718885702e-07,
    6.431011651010733e-06, -2.5197000561177586e-05, -5.857250259665785e-05, 0.0006513503578355404,
    -0.0007672426492939697, -0.007248508319993781, 0.023790184589345686, 0.025242142188831022,
    -0.20576561097440177, 0.10391480263820686, 0.5938212074508352, -0.5000459988845574,
)  # fmt: skip
_SMALL = (
    3.0738844992312536e-12, -2.0043591014475253e-12, -1.5172076320961726e-10, 9.92159732574796e-10,
    -1.25945967037084e-12, -3.658046289235502e-08, 2.0753262980875173e-07, 2.6978835100546875e-12,
    -5.705895890550009e-06, 2.7394138916301496e-05, 2.5827461267764855e-13, -0.000513530562843955,
    0.001972378077104149, -2.905450817193319e-14, -0.02156828364939563, 0.05917134231463782, -1.864401023596863e-16,
    -0.2588194037928068, 0.3550280538878172,
)  # fmt: skip
_DECAY = (
    -0.00012267551231702841, -0.03191586877153556, -0.4899969346911019, -2.2187463606132454, -4.097343341367183,
    -3.517462900405692, -1.4610816733859358, -0.28022204923801497, -0.0195899160954025,
), (
    0.30774446996176863, 8.392664933816492, 63.87551086725186, 197.81214950831338, 290.50872313882496,
    216.09818318779725, 81.97106517342252, 14.839124950223635, 1.0,
)  # fmt: skip
# P and ζ Q in terms of 1/ζ² for x < -4, where √π ⁴√-x Ai(x) = P cos χ + Q sin χ with χ = ζ - π/4
_P = (
    -1410.6346825139221, 127476.48464638634, 162147.56103923492, 43565.63293967993, 3734.6094102732163,
    112.18866829835646, 1.0,
), (131831.94196913426, 163584.34143581716, 43698.28648362925, 3738.7190965081954, 112.22580178601066, 1.0)  # fmt: skip
_Q = (
    -2120.7198760485267, 17864.237501186915, 20505.093039812484, 4646.539497621016, 339.82903920516253,
    8.854612737523347, 0.0694444444444444,
), (363714.553706315, 326400.088623654, 69423.39298243634, 4961.9244273324575, 128.05352347176748, 1.0)  # fmt: skip
# The zeros in two parts, and the slopes there, up to ζ = 45, from where on φ's asymptotic series has 32 digits
_ZEROS = (
    (-2.338107410459767, -3.912260409818305e-17, 0.7012108227206914),
    (-4.08794944413097, -3.387261694242901e-16, -0.803111369654864),
    (-5.520559828095551, -2.674142599618633e-16, 0.8652040258941519),
    (-6.786708090071759, -9.56301343655757e-17, -0.9108507370496018),
    (-7.944133587120853, 3.4021391708444276e-17, 0.9473357094415678),
    (-9.02265085334098, 2.2327602737028807e-16, -0.9779228085694986),
    (-10.040174341558085, -6.28099682978957e-16, 1.004370122660312),
    (-11.008524303733262, -8.202114600392923e-16, -1.0277386888207862),
    (-11.936015563236262, -1.7909689918903845e-16, 1.0487206485881895),
    (-12.828776752865757, -3.9538462779075493e-16, -1.0677938591574279),
    (-13.691489035210719, 6.550617508624347e-16, 1.0853028313507),
    (-14.527829951775335, -3.3281852585500534e-16, -1.1015045702774968),
    (-15.340755135977997, -2.9774186246930615e-16, 1.116596177932656),
    (-16.132685156945772, 8.807679938269336e-16, -1.130732310493188),
)
_HUGE = 5e9  # beyond, neighboring float64 numbers are a good part of a period apart
_QUARTER_PI_LOW = 3.061616997868383e-17  # π/4 minus its float64 value


def _taylor(zero: float, slope: float) -> list[float]:
    """The Taylor coefficients of (x - zero)^n, n = 1, ..., 12, by the recurrence from Airy's equation."""
    a = [0.0, slope, 0.0]
    for n in range(1, 11):
        a.append((zero * a[n] + a[n - 1]) / ((n + 1) * (n + 2)))
    return a[1:]


_TAYLOR = [(zero, zero_low, *_taylor(zero, slope)) for zero, zero_low, slope in _ZEROS]
_P_REST = tuple(a - b for a, b in zip(_P[0][:-1], (0.0, *_P[1][:-1]), strict=True)), _P[1]  # (P - 1) ζ²


def _zeta(x: Array) -> tuple[Array, Array]:
    """ζ = 2/3 x√x in two parts, because e^ζ and cos ζ magnify its rounding error."""
    root = np.sqrt(x)
    root_low = ((x - root * root) - product_error(root, root)) / (2 * root)
    product, product_low = x * root, product_error(x, root)
    zeta = product / 1.5
    return zeta, (((2 * product - 2 * zeta) - zeta) + 2 * (product_low + x * root_low)) / 3


def _decaying(x: Array) -> Array:
    """Ai(x) = e^-ζ / ⁴√x · (1/(2√π) + ...) for x > 1."""
    x = np.minimum(x, 1e3)
    zeta, zeta_low = _zeta(x)
    u = 1 / zeta
    constant, part = 0.5 / math.sqrt(math.pi), u * rational(u, *_DECAY)
    part -= (constant + part) * zeta_low
    return np.exp(-zeta) * ((constant + part) / np.sqrt(np.sqrt(x)))


def _oscillating(x: Array) -> Array:
    return piecewise((-x,), (x > -_HUGE, _moderate), (x <= -_HUGE, _huge))


def _moderate(y: Array) -> Array:
    """Ai(-y) for y < 5e9, from r = ζ - (k + 3/4) π. Near zeros it is computed again, as in `LargeArgumentBessel`."""
    zeta, zeta_low = _zeta(y)
    k = np.rint(zeta * (1 / math.pi) - 0.75)
    quarters = 4 * k + 3
    turn = quarters * (math.pi / 4)
    turn_low = product_error(quarters, np.full_like(y, math.pi / 4)) + quarters * _QUARTER_PI_LOW
    r = renormalize(zeta - turn, zeta_low - turn_low)
    z = 1 / (zeta * zeta)
    sine = np.sin(r.high)
    wave = (np.cos(r.high) * (rational(z, *_Q) / zeta - r.low) - sine * (z * rational(z, *_P_REST))) - sine
    close = abs(wave) * zeta < np.maximum(8 * _Q[0][-1], zeta * zeta * 2**-51)
    norm = _sign(k) * np.sqrt(math.pi * np.sqrt(y))
    cases = (close & (k < len(_TAYLOR)), _by_taylor), (close & (k >= len(_TAYLOR)), _by_phase)
    return replace_where(wave / norm, (y, k, zeta, zeta_low), *cases)


def _huge(y: Array) -> Array:
    """Ai(-y) for y >= 5e9. The addition theorem adds ζ's low part."""
    zeta, zeta_low = _zeta(np.minimum(y, 1e30))
    s, c = np.sin(zeta), np.cos(zeta)
    s_low, c_low = np.sin(zeta_low), np.cos(zeta_low)
    s, c = s * c_low + s_low * c, c * c_low - s_low * s
    return (c + s + _Q[0][-1] / zeta * (s - c)) * (math.sqrt(0.5 / math.pi) / np.sqrt(np.sqrt(y)))


def _sign(k: Array) -> Array:
    """(-1)^k."""
    return 1 - 4 * abs(0.5 * k - np.rint(0.5 * k))


def _by_taylor(y: Array, k: Array, *_: Array) -> Array:
    return taylor_at_zero(-y, _TAYLOR, k)


def _by_phase(y: Array, k: Array, zeta: Array, zeta_low: Array) -> Array:
    """Ai(-y) = -(-1)^k √(P² + Q²) sin(r + φ) / (√π ⁴√y), where 3 (r + φ) = 2 y √y - 3 (k + 3/4) π + 3 φ.

    √y is a sum of three parts, and π/4 of four, whose products with either half of an integer are exact.
    """
    root = np.sqrt(y)
    remainder = DoubleDouble(y - root * root) - DoubleDouble(product_error(root, root))
    small = remainder.high / (2 * root)
    remainder = remainder - DoubleDouble(2 * root * small, product_error(2 * root, small))
    smallest = (remainder.rounded() - small * small) / (2 * root)
    turns = 3 * (4 * k + 3)
    upper = np.floor(turns / 2**26) * 2**26
    (first, second, third, fourth), lower = FINE_QUARTER_PI, turns - upper
    r = ((2 * y * root - upper * first) - lower * first) - upper * second  # exactly
    parts = [-lower * second, 2 * product_error(y, root), 2 * y * small, -upper * third, -lower * third]
    error = np.zeros_like(y)
    for part in parts:
        error = error + sum_error(r, part)
        r = r + part
    error = error + (2 * product_error(y, small) + 2 * y * smallest - turns * fourth)
    u = DoubleDouble(1.0) / DoubleDouble(zeta, zeta_low)
    triple = renormalize(r, error) + u * power_series(u * u, *phase_series(Fraction(1, 3), 3))
    angle = (triple / DoubleDouble(3.0)).rounded()
    z = 1 / (zeta * zeta)
    p_rest, q = z * rational(z, *_P_REST), rational(z, *_Q) / zeta
    square = 1 + (p_rest * (2 + p_rest) + q * q)
    return np.sin(angle) * (-_sign(k) * np.sqrt(square / (math.pi * np.sqrt(y))))


def _airy(x: Array) -> Array:
    return piecewise(
        (x,),
        ((x < -4) & (x > -math.inf), _oscillating),
        ((x >= -4) & (x < -3), polynomial_with_zeros([_ZEROS[1][:2]], -3.25, _SECOND)),
        ((x >= -3) & (x < -1), polynomial_with_zeros([_ZEROS[0][:2]], -2, _FIRST)),
        (abs(x) <= 1, lambda x: polynomial(x, _SMALL)),
        (x > 1, _decaying),
    )


AiryAi = non_differentiable("AiryAi", "special_airy_ai", _airy)


def airy_ai(x: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The Airy function Ai(x). Source: torch.special.airy_ai.

    In float64 it errs by at most 4 units in the last place for x > -5e9, also near its zeros. Below, where the phase
    advances by 0.067 radians and more from one number to the next, it errs by at most 4 units in the last place of the
    amplitude down to -1e11, and by more beyond. Elementwise, of any shape; complex numbers raise RuntimeError.

    >>> torch.special.airy_ai(torch.tensor([0.0, 1.0, -3.0]))
    tensor([ 0.3550,  0.1353, -0.3788])
    """
    return into(out, AiryAi.apply(x))
