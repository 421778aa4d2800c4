"""The functions of digits.npz by mpmath, and the points where they are stored."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np

mp.mp.dps = 50
UNIFORM = np.random.default_rng(7).uniform


def between(low, high, count=60):
    return UNIFORM(low, high, count)


def decades(low, high, count=40):
    """Numbers whose logarithms are uniform."""
    return np.exp(UNIFORM(np.log(low), np.log(high), count))


def points(*parts):
    """One array of all parts. If a part is a function, the result is one too, which computes the array when called."""
    if any(map(callable, parts)):
        return lambda: points(*(part() if callable(part) else part for part in parts))
    return np.concatenate([np.atleast_1d(part) for part in parts])


def hurwitz(s, q):
    with mp.workdps(50 + int(max(0, s * mp.log10(max(q, 1))))):
        return mp.zeta(s, q)


def odd_zeta(s, q):
    """The Hurwitz zeta function for odd s and q < 0, as sums over the terms on either side of 0."""
    with mp.workdps(70):
        n = mp.floor(-q)
        return mp.zeta(s, q + n + 1) - mp.zeta(s, -q - n) + mp.zeta(s, 1 - q)


def even_zeta(s, q):
    """The Hurwitz zeta function for even s and q < 0."""
    with mp.workdps(70):
        n = mp.floor(-q)
        return mp.zeta(s, q + n + 1) + mp.zeta(s, -q - n) - mp.zeta(s, 1 - q)


class Zeros(NamedTuple):
    """The number of zeros, and a function that finds them. It is called late, as it takes long."""

    count: int
    find: Callable[[], list[float]]


def zeta_zeros(s, *ns):
    """Zeros of the zeta function between -n - 1 and -n for each n."""
    starts = [-n - 0.5 + 1 / (2 * s * 3**s * (n + 1) ** (s - 1)) for n in ns]
    return Zeros(
        len(starts),
        lambda: [float(mp.findroot(lambda q: odd_zeta(s, q), (start, start + 1e-9))) for start in starts],
    )


def tail(x):
    """The upper tail of the normal distribution."""
    return mp.erfc(x / mp.sqrt(2)) / 2


def quantile(p):
    """The normal quantile, by Newton's method on the logarithm of the tail."""
    if mp.mpf("0.1") < p < mp.mpf("0.9"):
        return mp.sqrt(2) * mp.erfinv(2 * p - 1)
    small = min(p, 1 - p)
    x = mp.sqrt(-2 * mp.log(small))
    for _ in range(100):
        step = (mp.log(tail(x)) - mp.log(small)) * tail(x) / (mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi))
        x += step
        if abs(step) < mp.mpf(10) ** -40:
            break
    return x if p > mp.mpf("0.5") else -x


def around(zeros):
    """Floating-point numbers next to the zeros of a function, and numbers at distances of all magnitudes."""
    count = zeros.count if isinstance(zeros, Zeros) else len(zeros)
    # They are drawn at once, so that they don't depend on which tests run.
    factors = [1 + sign * decades(1e-15, 1e-2, count) for sign in (-1, 1)]

    def found():
        at = np.asarray(zeros.find() if isinstance(zeros, Zeros) else zeros)
        steps = np.arange(-3, 4)[:, None] * np.spacing(abs(at))
        return points((at + steps).ravel(), *(at * factor for factor in factors))

    return found


def non_integers(part):
    """Without integers, which are poles or exact zeros."""
    if callable(part):
        return lambda: non_integers(part())
    return part[part != np.rint(part)]


def oscillation_zeros(function, shift, *known):
    """Small and large zeros of a function that tends to a multiple of sin(x - shift π / 4)."""
    guesses = [(k + shift / 4) * math.pi for k in (*range(1 if shift == 1 else 0, 18), 40, 318, 3183, 10**6)]

    def find():
        with mp.workdps(25):
            return [*known, *(float(mp.findroot(function, guess)) for guess in guesses)]

    return Zeros(len(known) + len(guesses), find)


def digamma_zeros(*ns):
    """Zeros of digamma between -n and 1 - n, for large n."""
    starts = [math.atan(math.pi / math.log(n)) / math.pi - n for n in ns]
    return Zeros(len(starts), lambda: [float(mp.findroot(mp.digamma, (start, start + 1e-3))) for start in starts])


def small_digamma_zeros():
    found = [float(mp.findroot(mp.digamma, (-n + 0.1, -n + 0.499), solver="anderson")) for n in range(1, 51)]
    return [*found, -0.4992393555036735]  # also close to -1/2, but nearer to the pole at 0


def airy_zeros(*ks):
    """Zeros of Ai, from two terms of their asymptotic series (DLMF 9.9.18)."""

    def find():
        with mp.workdps(40):
            ts = [3 * mp.pi * (4 * k - 1) / 8 for k in ks]
            return [float(mp.findroot(mp.airyai, -(t ** (mp.mpf(2) / 3)) * (1 + 5 / (48 * t**2)))) for t in ts]

    return Zeros(len(ks), find)


def log_gamma(x):
    return mp.log(abs(mp.gamma(x)))


@cache
def bessel_k(order, x):
    """Cached, as it takes long and is used twice."""
    return mp.besselk(order, x)


def hankel(wave, x):
    """The asymptotic form of Bessel functions for large x."""
    with mp.workdps(400):
        return mp.sqrt(2 / (mp.pi * x)) * wave(x - mp.pi / 4)


def slope(cdf, density, a):
    """The derivative of a draw by a parameter."""
    return -mp.diff(cdf, a) / density


def angle(x):
    return mp.acos(2 * x - 1)


def incomplete_gamma_points():
    a = points(between(0, 4), decades(1e-6, 1), between(0, 20), between(20, 200), decades(200, 2000, 20))
    x = a * points(between(0, 2), decades(1e-2, 1e2), between(0.3, 2), between(0.5, 1.6), between(0.9, 1.1, 20))
    return [points(a, WORST_INCOMPLETE[0]), points(x, WORST_INCOMPLETE[1])]


HALF_LINE = points(between(0, 4), between(4, 30), decades(1e-300, 1), decades(30, 1e4), 1, 2, 3, 4)
LINE = points(between(-1, 1), between(-6, 6), between(-27, 27), decades(1e-300, 1), -decades(1e-300, 1), 0.75, 5)
SIGNED = points(HALF_LINE[HALF_LINE < 600], -HALF_LINE[HALF_LINE < 600], 8, -8)
NEAR_ZEROS = points(1 + between(-1e-6, 1e-6, 20), 2 + between(-1e-6, 1e-6, 20), 1.4616321449683622)
OSCILLATING = points(between(0, 5), between(5, 60), decades(1e-300, 1), decades(60, 1e6))
LGAMMA_ZEROS = [-2.457024738220801, -2.7476826467274127, -3.14358088834998, -3.955294284858598, -4.039361839740537]
LGAMMA_ZEROS += [n + e for n in range(-19, -4) for e in (-1 / math.factorial(-n), 1 / math.factorial(-n))]
FAR_DIGAMMA_ZEROS = digamma_zeros(51, 52, 63, 64, 77, 100, 127, 128, 500, 1000, 10**4, 10**5, 10**7, 10**9, 10**12)
AIRY_ZEROS = airy_zeros(*range(1, 21), 200, 10**4, 10**7, 10**10, 7 * 10**13)
J0, J1 = (lambda x, n=n: mp.besselj(n, x) for n in (0, 1))
Y0, Y1 = (lambda x, n=n: mp.bessely(n, x) for n in (0, 1))
# Where rounding errors of earlier formulas added up to 4 to 5 units in the last place.
WORST = {
    "erfc": (0.8169798169972318, 0.816805450582254, 2.0430370989568503),
    "ndtr": (-1.5401489094336664,),
    "log_ndtr": (1.2287109126472346, 1.5679383650830356, 1.624326172314321),
    "lgamma": (1.5670204757831776, 1.3701450731041633, 3.305381759293638, 2.4396710225408103),
    "lgamma, below 0": (-1.7403282465916476, -2.604533161242762, -2.592086521799957),
    "digamma": (2.11678377154958, 1.733190692878184, 1.4616326306903926, 0.7895229948361958),
    "digamma, little below 0": (-0.605844055574546, -0.3968101794301814, -1.4736565253174503),
    "digamma, below 0": (-170.8883794930618, -170.88672286121286, -4148.938885575965, -4148.938044655248),
    "i0e": (2.860755219702213, -2.915015853405318),
    "i0": (-8.03091961970562, -8.049413775693269, 8.034636803600764, 701.4843342155593, 708.415852187614),
    "i1": (713.9433395876165, 702.8811131456519),
    "airy": (
        -1.3792858993434887,
        -1.4011588564308164,
        -1.3880683337054813,
        19.387410783220442,
        -94.43778144870564,
        -31.06946849753556,
        -30.5033603685463,
        -58.00644928411356,
        -17.659628485985035,
    ),
    "k1": (5.038113370727931,),
    "y0": (2.494492894604272, 2.602325613550837, 107898.58356132891),
    "y1": (
        3.504179303294431,
        3.5041801196568576,
        3.5000053738010655,
        0.35624669388255126,
        0.010397840765416918,
        101870611.54053323,
    ),
    "j0": (
        2.510700079513228,
        2.510111361608203,
        49.46609682690887,
        65.18018907181722,
        46.32521673244681,
        101870611.54053323,
    ),
    "j1": (729.900790948756, 729.9012095329001, 57.332047025356296, 107898.58356301943),
}
EXACT: dict[str, tuple[Callable[..., Any], Any]] = {
    "erf": (mp.erf, LINE),
    "erfc": (mp.erfc, points(LINE[LINE < 26], WORST["erfc"])),
    "erfcx": (lambda x: mp.exp(x * x) * mp.erfc(x), points(LINE[LINE > -26], decades(30, 1e3))),
    "erfinv": (
        lambda x: mp.erfinv(x) if abs(x) < mp.mpf("0.8") else quantile((1 + x) / 2) / mp.sqrt(2),
        points(between(-1, 1), 1 - decades(1e-16, 0.1), decades(1e-300, 1), -0.85, 0.5),
    ),
    "ndtr": (lambda x: tail(-x), points(LINE, between(-37, 8), WORST["ndtr"])),
    "ndtri": (quantile, points(between(0, 1), decades(1e-300, 1), 1 - decades(1e-16, 0.1))),
    "log_ndtr": (
        lambda x: mp.log1p(-tail(x)) if x > 0 else mp.log(tail(-x)),
        points(LINE, between(-37, 37), -decades(10, 1e4), WORST["log_ndtr"]),
    ),
    "lgamma": (
        mp.loggamma,
        points(HALF_LINE, NEAR_ZEROS, decades(1e4, 1e300), 1.6037810971365285, WORST["lgamma"]),
    ),
    "lgamma, negative": (
        log_gamma,
        points(-between(0, 4), -between(0, 40), -between(40, 400), WORST["lgamma, below 0"]),
    ),
    "lgamma, its zeros": (log_gamma, non_integers(around(LGAMMA_ZEROS))),
    "lgamma, next to its poles": (log_gamma, non_integers(around(-np.arange(1.0, 41)))),
    "digamma": (mp.digamma, points(HALF_LINE, NEAR_ZEROS, decades(1e4, 1e300), 2.819155213102985, WORST["digamma"])),
    "digamma, negative": (
        mp.digamma,
        points(-between(0, 4, 300), -between(0, 50), -decades(1e-9, 1), -1.73057328, WORST["digamma, little below 0"]),
    ),
    "digamma, its zeros": (mp.digamma, around(Zeros(51, small_digamma_zeros))),
    "digamma, its far zeros": (mp.digamma, non_integers(around(FAR_DIGAMMA_ZEROS))),
    "digamma, far below 0": (
        mp.digamma,
        points(-between(50, 100, 200), -decades(50, 1e14), WORST["digamma, below 0"]),
    ),
    "trigamma": (
        lambda x: mp.polygamma(1, x),
        points(HALF_LINE[HALF_LINE > 1e-100], between(1, 3, 600), 1.4833872086916982),
    ),
    "polygamma(3)": (lambda x: 6 * hurwitz(4, x), HALF_LINE[HALF_LINE > 1e-50]),
    "polygamma(9)": (lambda x: math.factorial(9) * hurwitz(10, x), HALF_LINE[HALF_LINE > 1e-20]),
    "trigamma, negative": (lambda x: mp.polygamma(1, x), -points(between(0, 8, 300), between(8, 60))),
    **{
        f"zeta({s}), its zeros": (
            lambda q, s=s: odd_zeta(s, q),
            points(around(zeta_zeros(s, 0, 1, 2, 5, 12, 13, 40, 1000)), -0.5, -1.5, -13.5),
        )
        for s in (3, 5, 9)
    },
    "zeta, negative": (lambda q: odd_zeta(7, q), -points(between(0, 2), between(0, 30))),
    "polygamma(2), negative": (
        lambda x: -2 * odd_zeta(3, x),
        points(around(zeta_zeros(3, 0, 1, 30)), -between(0, 2), -between(0, 30)),
    ),
    "i0": (lambda x: mp.besseli(0, x), points(SIGNED, WORST["i0"])),
    "i1": (lambda x: mp.besseli(1, x), points(SIGNED, WORST["i1"])),
    "i0e": (lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), points(SIGNED, WORST["i0e"])),
    "i1e": (lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), SIGNED),
    "k0": (lambda x: bessel_k(0, x), HALF_LINE[HALF_LINE < 600]),
    "k1": (lambda x: bessel_k(1, x), points(HALF_LINE[HALF_LINE < 600], WORST["k1"])),
    "k0e": (lambda x: bessel_k(0, x) * mp.exp(x), HALF_LINE[HALF_LINE < 600]),
    "k1e": (lambda x: bessel_k(1, x) * mp.exp(x), HALF_LINE[HALF_LINE < 600]),
    "j0": (J0, points(OSCILLATING, -OSCILLATING, WORST["j0"])),
    "j1": (J1, points(OSCILLATING, -OSCILLATING, WORST["j1"])),
    "y0": (Y0, points(OSCILLATING, WORST["y0"])),
    "y1": (Y1, points(OSCILLATING, WORST["y1"])),
    "j0, its zeros": (J0, around(oscillation_zeros(J0, 3))),
    "j1, its zeros": (J1, around(oscillation_zeros(J1, 1))),
    "y0, its zeros": (Y0, around(oscillation_zeros(Y0, 1, 0.8935769662791675))),
    "y1, its zeros": (Y1, around(oscillation_zeros(Y1, 3))),
    "spherical j0": (lambda x: mp.sin(x) / x, SIGNED),
    "airy": (
        mp.airyai,
        points(between(-4, 4), between(-100, 100), decades(1e-300, 1), -decades(1e2, 5e9), -4, -1, WORST["airy"]),
    ),
    "airy, its zeros": (mp.airyai, around(AIRY_ZEROS)),
    "logit": (
        lambda x: mp.log(x / (1 - x)),
        points(between(0, 1), 0.5 + decades(1e-16, 0.1), 0.5 - decades(1e-16, 0.1)),
    ),
    "expit": (lambda x: 1 / (1 + mp.exp(-x)), points(LINE, -between(600, 745))),
    "sinc": (
        lambda x: mp.sinpi(x) / (mp.pi * x),
        points(LINE[LINE != 5], around(np.arange(1.0, 30)), decades(1, 1e8)),
    ),
    "entr": (lambda x: -x * mp.log(x), HALF_LINE[HALF_LINE != 1]),
    # Where a square or power would overflow.
    "extreme log_ndtr": (lambda x: -x * x / 2, -1.8e154),
    "extreme y1": (lambda x: -2 / (mp.pi * x), 4e-309),
    "extreme j0": (lambda x: hankel(mp.cos, x), 1e308),
    "extreme j1": (lambda x: hankel(mp.sin, x), 1e308),
    "extreme igamma": (lambda x: mp.mpf(0.5), 1e200),
    "extreme igammac": (lambda x: mp.mpf(0), 1e40),
    "extreme zeta(3.5)": (lambda x: x**-2.5 / 2.5, 1e89),
    "extreme zeta(1000), q < 0": (lambda x: even_zeta(1000, x), -0.4999999836024627),
    "extreme zeta(51), q < 0": (lambda x: odd_zeta(51, x), -0.49138385001675783),
    "extreme polygamma(5), x < 0": (lambda x: 120 * even_zeta(6, x), points(-2.2218430631366726, -37.12433431279329)),
    "extreme zeta(1+)": (lambda x: hurwitz(mp.mpf(1.0000001), x), 1e305),
    **{
        f"extreme polygamma({n})": (lambda x, n=n: (-1) ** (n + 1) * mp.factorial(n) * hurwitz(n + 1, x), at)
        for n, at in ((5, 3e58), (20, 1e16), (120, 1000.5), (200, 3000.25), (900, 400.5))
    },
}
WORST_INCOMPLETE = (  # pairs a, x where rounding errors add up, and where a power underflows
    [
        0.00014312115540360786, 0.8087761926475169, 0.37142401355609245, 11.513983217269821, 152.33393281107323,
        100.0, 391.8670378063007, 293.75098648345204, 43.98092766172764, 766.7152007359787, 573.3472008092674, 1500.0,
        39.3583166721677, 32.946357821570054, 190.862475954466, 95.21645869320108, 0.17497496020592795,
        0.009735874349523832,
    ],
    [
        0.7519413036635364, 1.1506647609766623, 0.32658821193556176, 9.080862237808269, 160.576896969962, 90.0,
        259.68344491584475, 209.96059533500025, 57.28150403836245, 926.7102595061681, 145.60766602408654, 600.0,
        15.381967708815429, 36.748939564946305, 130.57411211671615, 102.13168955446062, 0.05661153908408133,
        0.72816582830636,
    ],
)  # fmt: skip
SHIFTED_CHEBYSHEV = {  # of cos(2 t) = 2 x - 1
    "t": lambda x, n: mp.cos(n * angle(x)),
    "u": lambda x, n: mp.sin((n + 1) * angle(x)) / mp.sin(angle(x)),
    "v": lambda x, n: mp.cos((n + 0.5) * angle(x)) / mp.cos(angle(x) / 2),
    "w": lambda x, n: mp.sin((n + 0.5) * angle(x)) / mp.sin(angle(x) / 2),
}
RNG = np.random.default_rng(5)
CONCENTRATION = 10 ** RNG.uniform(-2, 2, 25)
GAMMA_DRAWS = [CONCENTRATION, np.maximum(RNG.gamma(CONCENTRATION), 1e-290)]
CONCENTRATIONS = 10 ** RNG.uniform(-1, 2, (2, 25))
BETA_DRAWS = [*CONCENTRATIONS, np.clip(RNG.beta(*CONCENTRATIONS), 1e-30, 1 - 1e-15)]
KAPPAS = np.array([1e-3, 0.7, 3.7, 3.8, 40.0, 1e4])
EXACT |= {  # functions of several arguments
    "zeta": (
        hurwitz,
        [
            points(1 + decades(1e-9, 1), between(1, 60), between(1, 8)),
            points(decades(1e-3, 1e4), between(0, 40), between(0, 3)),
        ],
    ),
    **{
        name: (lambda a, x, limits=limits: mp.gammainc(a, *limits(x), regularized=True), incomplete_gamma_points())
        for name, limits in (("igamma", lambda x: (0, x)), ("igammac", lambda x: (x, mp.inf)))
    },
    **{
        f"shifted chebyshev {kind}": (polynomial, [np.repeat(decades(1e-12, 0.2, 60), 3), np.tile([3.0, 17, 60], 60)])
        for kind, polynomial in SHIFTED_CHEBYSHEV.items()
    },
    "slope of gamma": (
        lambda a, x: slope(
            lambda a: mp.gammainc(a, 0, x, regularized=True), x ** (a - 1) * mp.exp(-x) / mp.gamma(a), a
        ),
        GAMMA_DRAWS,
    ),
    "slope of beta": (
        lambda a, b, x: slope(
            lambda a: mp.betainc(a, b, 0, x, regularized=True),
            (1 - x) * x ** (a - 1) * (1 - x) ** (b - 1) / mp.beta(a, b),
            a,
        ),
        BETA_DRAWS,
    ),
    "density of von Mises": (lambda kappa: kappa * mp.cos(1) - mp.log(2 * mp.pi * mp.besseli(0, kappa)), KAPPAS),
    "variance of von Mises": (lambda kappa: 1 - mp.besseli(1, kappa) / mp.besseli(0, kappa), KAPPAS),
}


def arguments(name: str) -> Any:
    """Where a function's results are stored, of shape (arguments, points)."""
    at = EXACT[name][1]
    return np.atleast_2d(at() if callable(at) else at)


def results(name: str, at: Any) -> tuple[Any, Any]:
    """The nearest numbers to a function's results, and the rest in units in their last place."""
    exact = [EXACT[name][0](*map(mp.mpf, column)) for column in np.transpose(at).tolist()]
    nearest = np.array([float(value) for value in exact])
    units = np.spacing(abs(nearest)).tolist()
    rest = [float((value - number) / unit) for value, number, unit in zip(exact, nearest.tolist(), units, strict=True)]
    return nearest, np.array(rest, np.float32)
