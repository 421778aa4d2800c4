"""log Γ, its derivative ψ and that one's, of negative numbers.

x = e - n, n the nearest integer to -x: e is exact, and by the reflection (DLMF 5.5.3, 5.5.4)

    log|Γ(x)| = log(πe / sin πe) - log|e| - log Γ(n + 1 - e),    ψ(x) = ψ(n + 1 - e) - π cot πe.

Both have zeros, of log|Γ| two between any two poles below -2 and of ψ one. That the error is a few units of the last
digit there too, the difference from the value at the zero, 0, is taken, term by term. The zeros are in two parts.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import backend
from . import twofold
from .gamma_above import binet, upper_digamma, upper_lgamma, upper_trigamma
from .numeric import mended, pieces, polynomial, product_rest

# (|Γ(x)| - 1) |(x + 2) (x + 3)| by x + 5/2, -3 < x < -2, over x less each of the zeros of log|Γ| there
_BETWEEN = (
    0.00018782751956782177, 0.00031447756109666513, 0.00016434133715002315, 0.00027514812585990633,
    0.0005230738248316853, 0.0008757284969369739, 0.0011252230797100984, 0.0018836280414555211, 0.0025409590461498485,
    0.004252255383723966, 0.0057062744425406585, 0.00954108606652887, 0.012780202860671327, 0.021317248692247208,
    0.028387287418119928, 0.04702895583242708, 0.061598658947990326, 0.10012391746176069, 0.12512598006955622,
    0.19305362831925138, 0.2110736514973211, 1.2845292022735288,
)  # fmt: skip
_BETWEEN_ZEROS = (-2.7476826467274127, 9.055340329338315e-17), (-2.4570247382208006, -3.7075610815513266e-17)
# log(πe / sin πe) / e² by e², |e| <= 1/2
_REFLECTED = (
    0.40832454181885286, -0.2254061661490444, 0.23762874930645952, 0.05726021366253758, 0.11930112166409186,
    0.1239410907610632, 0.14295899527732164, 0.16670224481157, 0.20019911768440504, 0.25101933457238956,
    0.3391143540460239, 0.5411616168553397, 1.6449340668482266,
)  # fmt: skip
# (1 / e - π cot πe) / e by e², |e| <= 0.5045
_COTANGENT = (
    19.231815411694424, -19.924160764161904, 16.19967451337019, -3.7724465964157288, 3.6023038016616282,
    1.6837218957132167, 2.0452377241331177, 1.9952976545495245, 2.0003852052816207, 2.000103529498558,
    2.000492871252539, 2.0019891334413447, 2.008154712640101, 2.03468612396704, 2.164646467422282, 3.289868133696453,
)  # fmt: skip
# π² / sin² πe - 1 / e² by e², |e| <= 1/2
_SQUARED = (
    661.1989148278246, -697.9828502895857, 537.2241184844659, -143.5305103572228, 98.87654816408536, 31.732095107417287,
    39.444258820260046, 33.85228692419477, 30.011401002514283, 26.001017266930415, 22.00543471040072,
    18.017901859902814, 14.057082993798039, 10.17343061979196, 6.493939402266984, 3.289868133696453,
)  # fmt: skip
# e of the zeros of log|Γ|: right and left of -3, -4, ..., -11. The next ones are as near to the poles as numbers are.
_LGAMMA_ZEROS = (
    (-0.14358088834998006, 3.862806401714152e-18), (0.04470571514140207, 8.223977942582053e-19),
    (-0.03936183974053688, 3.2731379225891636e-18), (0.008455359439952277, 8.231751957350036e-19),
    (-0.008218168322593521, -5.582665915956405e-19), (0.0013925199191243706, -7.090441230646531e-20),
    (-0.0013852944531550972, -2.6295731811446077e-20), (0.0001984921093623021, 6.263909978492175e-21),
    (-0.00019833340732475162, 1.1820573401560963e-20), (2.4802904179335845e-05, 3.15397713595963e-22),
    (-2.48002706819597e-05, 1.0083974251164085e-21), (2.7557490225318057e-06, -6.500300408654724e-23),
    (-2.7557148226503463e-06, -5.624459871432079e-23), (2.7557337083353163e-07, 1.4502658434955713e-23),
    (-2.755730136466002e-07, -2.4472526783403563e-23), (2.5052109918476226e-08, -6.807394864189793e-25),
    (-2.5052106852407546e-08, 1.2924868620853802e-24),
)  # fmt: skip
# e of the zeros of ψ between the poles: next to 0, for x > -1/2, and to -1, -2, ..., -50
_DIGAMMA_ZEROS = (
    (-0.5040830082644554, -8.15428206243813e-18),
    (0.4959169917355446, -8.15428206243813e-18), (0.42650152683760956, -1.574185691077347e-17),
    (0.38927913155585536, -1.2202694992732132e-17), (0.3647066335630989, -9.671895995274374e-19),
    (0.34676223825685754, 2.2628894141607193e-17), (0.33283755844311447, -3.2153051074948335e-18),
    (0.32158178692657324, 1.40129649619771e-17), (0.312211674968374, -2.4133947001851525e-17),
    (0.30423583618359873, 4.467870224652488e-18), (0.29732745999813626, 7.435123333532191e-18),
    (0.29125916174585537, -1.8098511510194027e-17), (0.28586693877104613, 2.715774696551599e-17),
    (0.2810289742507925, 2.4369117870628782e-17), (0.2766525426361732, 8.738659301743149e-18),
    (0.27266558398147106, 1.8892751268118038e-17), (0.2690110936671176, -5.5027387288572304e-18),
    (0.2656432760442643, 1.7295163907657788e-17), (0.2625248400224111, -1.2977261991403057e-17),
    (0.2596250552199003, -1.4230298349280131e-18), (0.2569183274097824, -1.556656310557129e-17),
    (0.25438313639247406, -6.67177569649072e-18), (0.25200123179887035, -3.3780720055094426e-18),
    (0.2497570156939399, 1.1118573635369212e-17), (0.24763706261481824, 1.0790059074834907e-17),
    (0.24562974217702885, -1.2394863930507031e-17), (0.24372491922896475, 3.285914383534861e-18),
    (0.241913713338634, -4.5448870682020255e-18), (0.2401883041732943, -9.925201174654428e-19),
    (0.23854177273513444, 1.3741125786470298e-17), (0.23696797087253738, 6.124329524552054e-18),
    (0.23546141328182807, -6.405700228137796e-19), (0.23401718754175183, -4.475486518061143e-18),
    (0.23263087871473556, -1.3738503405704075e-19), (0.2312985057974528, 8.513862767483244e-18),
    (0.23001646787329, -8.292790049708093e-18), (0.22878149825728905, -4.398227484021975e-18),
    (0.22759062526337293, 1.2115274756171777e-17), (0.22644113848841935, 6.298542652682295e-18),
    (0.22533055971587548, 5.8664848403519285e-18), (0.22425661770632668, -2.9121764200751057e-18),
    (0.2232172262736359, -3.137755230899202e-18), (0.2222104651504141, -1.3027427152141936e-17),
    (0.22123456323132462, -2.767028882608106e-18), (0.2202878838514015, -6.148030014316719e-18),
    (0.21936891181250331, -6.928514686628389e-18), (0.21847624191682316, 7.992700397588792e-18),
    (0.21760856880404145, 1.1847944020856148e-17), (0.2167646779198293, -5.804457320151707e-18),
    (0.21594343746923184, 7.591346819274996e-18), (0.21514379122997324, -1.231860291171903e-17),
)  # fmt: skip
_FACTORIALS = tuple(float(math.factorial(n)) for n in range(171))
_GAUSS = (0.06943184420297371, 0.17392742256872692), (0.33000947820757187, 0.32607257743127307)  # nodes, weights


def _from_pole(x: Any) -> tuple[Any, Any]:
    """n and e."""
    n = np.rint(-x)
    return n, x + n


def _entries(table: Any, index: Any) -> Any:
    return backend.like(table, index, np.float64)[np.clip(index, 0, len(table) - 1).astype(np.int64)]


def _mean(f: Any, x: Any, width: Any) -> Any:
    """The mean of f from x to x + width, by Gauss and Legendre's rule of four points."""
    return sum(w * (f(x + t * width) + f(x + (1 - t) * width)) for t, w in _GAUSS)


def _divided(x: Any, y: Any, coefficients: tuple[float, ...]) -> Any:
    """(p(x) - p(y)) / (x - y) of a polynomial p, by Horner's rule."""
    slope, value = np.zeros_like(x), np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        slope = slope * x + value
        value = value * y + c
    return slope


def lower_lgamma(x: Any) -> Any:
    """log|Γ(x)| of x < -0.3."""
    x = np.maximum(x, -1e300)
    n, e = _from_pole(x)
    zero = _entries(_LGAMMA_ZEROS, 2 * n - 6 - (e > 0))
    delta = (e - zero[:, 0]) - zero[:, 1]
    between = (x >= -3) & (x <= -2)
    at_zero = (x < -3) & (n <= 11) & (abs(delta) <= abs(e) / 3)
    by_pole = (x < -3) & (n <= 170) & ~at_zero
    return pieces(
        (x, n, e, zero[:, 0], delta),
        (between, lambda x, *_: _between(x)),
        (at_zero, lambda x, n, e, zero, delta: _lgamma_at_zero(n, e, zero, delta)),
        (by_pole, lambda x, n, e, *_: _lgamma_by_pole(n, e)),
        (~(between | at_zero | by_pole), lambda x, n, e, *_: _lgamma_reflected(n, e)),
    )


def _lgamma_reflected(n: Any, e: Any) -> Any:
    return (e * e * polynomial(e * e, _REFLECTED) - upper_lgamma(n + 1 - e)) - np.log(abs(e))


def _between(x: Any) -> Any:
    out = polynomial(x + 2.5, _BETWEEN)
    for zero, rest in _BETWEEN_ZEROS:
        out *= (x - zero) - rest
    return np.log1p(out / abs((x + 2) * (x + 3)))


def _lgamma_by_pole(n: Any, e: Any) -> Any:
    """log(πe / sin πe) - log(n! |e|) + log Γ(n + 1) / Γ(n + 1 - e): n! is exact as far as there are zeros."""
    factorial, size, w = _entries(_FACTORIALS, n), abs(e), n + 1 - e
    product = factorial * size
    rest = np.where(n <= 22, product_rest(np.minimum(factorial, 1e22), size), 0)
    pole = np.where(product < 0.5, np.log(product), np.log1p((product - 1) + rest))
    ratio = pieces(
        (n, e, w),
        (size < 1e-6, lambda n, e, w: e * upper_digamma(n + 1 - e / 2)),
        (size >= 1e-6, _log_ratio),
    )
    return (e * e * polynomial(e * e, _REFLECTED) + ratio) - pole


def _log_ratio(n: Any, e: Any, w: Any) -> Any:
    return e * (np.log(w) - 1) - (n + 0.5) * np.log1p(-e / (n + 1)) + (binet(n + 1) - binet(w))


def _lgamma_at_zero(n: Any, e: Any, zero: Any, delta: Any) -> Any:
    """The difference from the value at the zero: of log(πe / sin πe), of -log Γ(n + 1 - e) and of -log|e|."""
    slope = (e + zero) * _divided(e * e, zero * zero, (*_REFLECTED, 0.0))
    return delta * (slope + _mean(upper_digamma, n + 1 - e, delta)) - np.log1p(delta / zero)


def lower_digamma(x: Any) -> Any:
    """ψ(x) of x < -0.25."""
    n, e = _from_pole(x)
    zero = _entries(_DIGAMMA_ZEROS, n)
    delta = (e - zero[:, 0]) - zero[:, 1]
    at_zero = (n < len(_DIGAMMA_ZEROS)) & (abs(delta) < np.clip(0.06 * n, 0.06, 0.2))
    return pieces(
        (n, e, zero[:, 0], delta),
        (at_zero, lambda n, e, zero, delta: _digamma_at_zero(n + 1 - e, e, zero, delta)),
        (~at_zero, lambda n, e, *_: _digamma_reflected(n, e)),
    )


def _digamma_at_zero(w: Any, e: Any, zero: Any, delta: Any) -> Any:
    """The difference from the value at the zero: of -1/e, of 1/e - π cot πe and of ψ(w)."""
    cotangents = polynomial(e * e, _COTANGENT) + zero * (e + zero) * _divided(e * e, zero * zero, _COTANGENT)
    return delta * ((1 / (e * zero) + cotangents) - _mean(upper_trigamma, w, delta))


def _digamma_reflected(n: Any, e: Any) -> Any:
    above = upper_digamma(n + 1 - e)
    out = pieces(
        (above, e),
        (abs(e) < 0.35, lambda above, e: (above + e * polynomial(e * e, _COTANGENT)) - 1 / e),
        (abs(e) >= 0.35, lambda above, e: above - np.copysign(math.pi * np.tan(math.pi * (0.5 - abs(e))), e)),
    )
    out = np.where(e == 0, math.nan, out)
    return mended(out, (n, e), ((n > 50) & (abs(out) < above), _digamma_twofold))


def _digamma_twofold(n: Any, e: Any) -> Any:
    """The same of n > 50 where the two cancel."""
    e = np.where(e == 0, 0.25, e)
    return (twofold.digamma(twofold.normal(n + 1, -e)) - twofold.pi_cotangent(e)).rounded()


def lower_trigamma(x: Any) -> Any:
    """ψ'(x) of x < -0.25: π² / sin² πe - ψ'(n + 1 - e)."""
    n, e = _from_pole(x)
    square = e * e
    return 1 / square + (polynomial(square, _SQUARED) - upper_trigamma(n + 1 - e))
