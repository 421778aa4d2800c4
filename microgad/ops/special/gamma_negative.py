"""log|Γ|, ψ and ψ' of negative numbers.

With n the integer nearest to -x, e = x + n is exact, and the reflection formulas (DLMF 5.5.3, 5.5.4) give

    log|Γ(x)| = log(πe / sin πe) - log|e| - log Γ(n + 1 - e),    ψ(x) = ψ(n + 1 - e) - π cot πe.

Between two poles below -2, log|Γ| has two zeros and ψ has one, near which the terms cancel. There each term is
replaced by its difference from its value at the zero, where the sum of the terms is 0, so that the error stays a few
units in the last place. The zeros are given in two parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...type_aliases import Array
from . import double_double
from . import gamma_positive as positive
from .evaluation import piecewise, polynomial, product_error, replace_where, table_rows
from .near_zeros import polynomial_with_zeros

# (|Γ(x)| - 1) |(x + 2) (x + 3)| / Π (x - zero) in terms of x + 5/2, for -3 < x < -2 and the zeros of log|Γ| there
_BETWEEN = (
    0.00018782751956782177, 0.00031447756109666513, 0.00016434133715002315, 0.00027514812585990633,
    0.0005230738248316853, 0.0008757284969369739, 0.0011252230797100984, 0.0018836280414555211, 0.0025409590461498485,
    0.004252255383723966, 0.0057062744425406585, 0.00954108606652887, 0.012780202860671327, 0.021317248692247208,
    0.028387287418119928, 0.04702895583242708, 0.061598658947990326, 0.10012391746176069, 0.12512598006955622,
    0.19305362831925138, 0.2110736514973211, 1.2845292022735288,
)  # fmt: skip
_BETWEEN_ZEROS = (-2.7476826467274127, 9.055340329338315e-17), (-2.4570247382208006, -3.7075610815513266e-17)
# log|Γ(x)| / Π (x - zero) and ψ(x) / (x - zero) on intervals where the sums below would be rounded too often: the ends,
# the zeros, a center, where the value is a float64 number to 1e-18, and the coefficients in terms of x - center.
_LGAMMA_PIECES = (
    (-1.8, -1.4, (), -1.5565, (
        33858296735.971256, 27695939081.08642, 4023784716.7787647, -3070543056.4852123, -1011165221.1066917,
        86504371.86283687, 78968406.3322195, 1334178.0604745722, -2433426.9783144626, -550296.5747126646,
        200890.4186217112, -47746.08295185764, 27523.312711011404, -12970.484102059298, 6543.540838795373,
        -2835.821775194816, 1533.5124443717123, -638.9505021850067, 374.7823741895022, -145.6807118291047,
        97.1137352782892, -33.69199976866704, 27.54444716736985, -7.922079544987671, 9.17889013137361,
        -1.951053215378277, 4.85492401955607, 0.166927733232614, 0.8353795440090463,
    )),
    (-2.8, -2.4, _BETWEEN_ZEROS, -2.613, (
        227271866901.2546, -174685831061.32596, 18343629484.383457, 13748472824.85424, -414089490.80346847,
        -2214555089.245279, 606218640.8442178, -86166641.40931378, 44675248.924850196, -25023156.930588428,
        9961399.355000257, -3846872.197818227, 1573310.3832343137, -648261.6299914571, 266663.6251974381,
        -109747.10558049042, 45586.588328714075, -18902.49212603482, 7968.73257579759, -3324.9784288861865,
        1437.0140417323003, -600.7994333015039, 272.1168796655892, -112.32612761810259, 56.11182723349532,
        -21.916123815722422, 13.748840953790124, -4.5423396228793775, 5.6457778527460425,
    )),
)  # fmt: skip
_DIGAMMA_PIECES = (
    (-0.69, -0.32, ((-0.5040830082644554, -8.15428206243813e-18),), -0.5245, (
        358762914.41009986, -213137435.2464096, 67051281.842860065, -14336340.683833446, 12405094.022544784,
        -5297935.60091343, 3234190.501358946, -1078827.1692578197, 734113.6907027217, -234859.74806247707,
        172147.9355236026, -50118.10305726621, 40467.32645949351, -10516.6262037128, 9577.363433174396,
        -2153.5669071353027, 2283.084888934357, -425.25549926103463, 548.6043628918926, -79.23841781690213,
        133.03188539980968, -13.386385205697765, 32.751113444339765, -2.134434926655806, 8.969815936628285,
    )),
    (-1.76, -1.4, ((-1.5734984731623904, -1.574185691077347e-17),), -1.6035, (
        137517637858.5904, -140508507145.90454, 51222435391.78583, -7731835546.754898, 1862701922.89445,
        -1532452864.1160214, 735659538.2948525, -263446260.98926598, 98439588.16621865, -39615584.39598804,
        15894259.562242832, -6284651.724472751, 2494347.3877495965, -985669.7906200966, 392908.0072629309,
        -154550.06977665532, 62025.83263298458, -24142.416701780014, 9844.585240339746, -3739.1952975212835,
        1581.7637851432053, -567.3888793984736, 261.23551446346545, -81.82409418228949, 46.00135967841802,
        -10.36800102137066, 10.213174696220154,
    )),
)  # fmt: skip
# log(πe / sin πe) / e² in terms of e², for |e| <= 1/2
_REFLECTED = (
    0.40832454181885286, -0.2254061661490444, 0.23762874930645952, 0.05726021366253758, 0.11930112166409186,
    0.1239410907610632, 0.14295899527732164, 0.16670224481157, 0.20019911768440504, 0.25101933457238956,
    0.3391143540460239, 0.5411616168553397, 1.6449340668482266,
)  # fmt: skip
# (1 / e - π cot πe) / e in terms of e², for |e| <= 0.5045
_COTANGENT = (
    19.231815411694424, -19.924160764161904, 16.19967451337019, -3.7724465964157288, 3.6023038016616282,
    1.6837218957132167, 2.0452377241331177, 1.9952976545495245, 2.0003852052816207, 2.000103529498558,
    2.000492871252539, 2.0019891334413447, 2.008154712640101, 2.03468612396704, 2.164646467422282, 3.289868133696453,
)  # fmt: skip
# π² / sin² πe - 1 / e² in terms of e², for |e| <= 1/2
_SQUARED = (
    661.1989148278246, -697.9828502895857, 537.2241184844659, -143.5305103572228, 98.87654816408536, 31.732095107417287,
    39.444258820260046, 33.85228692419477, 30.011401002514283, 26.001017266930415, 22.00543471040072,
    18.017901859902814, 14.057082993798039, 10.17343061979196, 6.493939402266984, 3.289868133696453,
)  # fmt: skip
# The zeros of log|Γ| as e: left of -3, and right and left of -4, ..., -11. `_lgamma_by_pole` suffices for the rest.
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
# The zeros of ψ as e, next to -3, -4, ..., -50
_DIGAMMA_ZEROS = (
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
# The nodes and weights of the four-point Gauss-Legendre rule on [0, 1], without their mirror images.
_GAUSS_LEGENDRE = (0.06943184420297371, 0.17392742256872692), (0.33000947820757187, 0.32607257743127307)


def _pole_and_distance(x: Array) -> tuple[Array, Array]:
    """(n, e) with x = e - n, where n is an integer and |e| <= 1/2."""
    n = np.rint(-x)
    return n, x + n


def _mean(f: Any, x: Array, width: Array) -> Array:
    """The mean of f over [x, x + width], by the four-point Gauss-Legendre rule."""
    return sum(w * (f(x + t * width) + f(x + (1 - t) * width)) for t, w in _GAUSS_LEGENDRE)


def _divided_difference(x: Array, y: Array, coefficients: tuple[float, ...]) -> Array:
    """(p(x) - p(y)) / (x - y) for a polynomial p, by Horner's rule."""
    slope, value = np.zeros_like(x), np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        slope = slope * x + value
        value = value * y + c
    return slope


def _fitted_cases(x: Array, table: Any) -> list[tuple[Any, Callable[..., Any]]]:
    """The cases for `piecewise` of a table of intervals with their fits."""
    return [((x >= low) & (x < high), polynomial_with_zeros(*fit)) for low, high, *fit in table]


def lgamma(x: Array) -> Array:
    """log|Γ(x)| for x < -0.3."""
    x = np.maximum(x, -1e300)
    n, e = _pole_and_distance(x)
    zero = table_rows(_LGAMMA_ZEROS, 2 * n - 6 - (e > 0))
    delta = (e - zero[:, 0]) - zero[:, 1]
    fitted = _fitted_cases(x, _LGAMMA_PIECES)
    is_fitted = fitted[0][0] | fitted[1][0]
    between = (x >= -3) & (x <= -2) & ~is_fitted
    at_zero = (x < -3) & (n <= 11) & (abs(delta) <= abs(e) / 3)
    by_pole = (x < -3) & (n <= 170) & ~at_zero
    return piecewise(
        (x, n, e, zero[:, 0], delta),
        *fitted,
        (between, lambda x, *_: _lgamma_between_poles(x)),
        (at_zero, lambda x, n, e, zero, delta: _lgamma_at_zero(n, e, zero, delta)),
        (by_pole, lambda x, n, e, *_: _lgamma_by_pole(n, e)),
        (~(is_fitted | between | at_zero | by_pole), lambda x, n, e, *_: _lgamma_reflected(n, e)),
    )


def lgamma_float32(x: Array, above: Array) -> Array:
    """log|Γ(x)| of float32 numbers x < 0, in float64, from above = log Γ(1 - x) by the reflection formula."""
    _, e = _pole_and_distance(np.maximum(x, -1e40))
    square = e * e
    out = square * polynomial(square, _REFLECTED)
    out -= above
    out -= np.log(abs(e))
    return out


def _lgamma_reflected(n: Array, e: Array) -> Array:
    return (e * e * polynomial(e * e, _REFLECTED) - positive.lgamma(n + 1 - e)) - np.log(abs(e))


def _lgamma_between_poles(x: Array) -> Array:
    """log|Γ(x)| = log(1 + (|Γ(x)| - 1)) for -3 < x < -2."""
    return np.log1p(polynomial_with_zeros(_BETWEEN_ZEROS, -2.5, _BETWEEN)(x) / abs((x + 2) * (x + 3)))


def _lgamma_by_pole(n: Array, e: Array) -> Array:
    """log(πe / sin πe) - log(n! |e|) + log(Γ(n + 1) / Γ(n + 1 - e)). n! is exact for all n that have zeros nearby."""
    factorial, size, w = table_rows(_FACTORIALS, n), abs(e), n + 1 - e
    product = factorial * size
    error = np.where(n <= 22, product_error(np.minimum(factorial, 1e22), size), 0)
    pole = np.where(product < 0.5, np.log(product), np.log1p((product - 1) + error))
    ratio = piecewise(
        (n, e, w),
        (size < 1e-6, lambda n, e, w: e * positive.digamma(n + 1 - e / 2)),
        (size >= 1e-6, _log_ratio),
    )
    return (e * e * polynomial(e * e, _REFLECTED) + ratio) - pole


def _log_ratio(n: Array, e: Array, w: Array) -> Array:
    """log(Γ(n + 1) / Γ(w)) for w = n + 1 - e, by Stirling's formula with Binet's function."""
    return e * (np.log(w) - 1) - (n + 0.5) * np.log1p(-e / (n + 1)) + (positive.binet(n + 1) - positive.binet(w))


def _lgamma_at_zero(n: Array, e: Array, zero: Array, delta: Array) -> Array:
    """The sum of log(πe / sin πe), -log Γ(n + 1 - e) and -log|e|, each minus its value at the zero."""
    slope = (e + zero) * _divided_difference(e * e, zero * zero, (*_REFLECTED, 0.0))
    return delta * (slope + _mean(positive.digamma, n + 1 - e, delta)) - np.log1p(delta / zero)


def digamma(x: Array) -> Array:
    """ψ(x) for x < -0.25."""
    n, e = _pole_and_distance(x)
    zero = table_rows(_DIGAMMA_ZEROS, n - 3)
    delta = (e - zero[:, 0]) - zero[:, 1]
    at_zero = (n >= 3) & (n <= 50) & (abs(delta) < np.minimum(0.06 * n, 0.2))
    fitted = _fitted_cases(x, _DIGAMMA_PIECES)
    return piecewise(
        (x, n, e, zero[:, 0], delta),
        *fitted,
        (at_zero, lambda x, n, e, zero, delta: _digamma_at_zero(n + 1 - e, e, zero, delta)),
        (~(fitted[0][0] | fitted[1][0] | at_zero), lambda x, n, e, *_: _digamma_reflected(n, e)),
    )


def digamma_float32(x: Array, above: Array) -> Array:
    """ψ(x) of float32 numbers x < 0, in float64, from above = ψ(1 - x) by the reflection formula."""
    _, e = _pole_and_distance(x)
    square = e * e
    out = e * polynomial(square, _COTANGENT)
    out += above
    out -= e / square  # NaN at a pole
    return out


def _digamma_at_zero(w: Array, e: Array, zero: Array, delta: Array) -> Array:
    """The sum of -1/e, 1/e - π cot πe and ψ(w), each minus its value at the zero, where w = n + 1 - e."""
    cotangents = polynomial(e * e, _COTANGENT) + zero * (e + zero) * _divided_difference(e * e, zero * zero, _COTANGENT)
    return delta * ((1 / (e * zero) + cotangents) - _mean(positive.trigamma, w, delta))


def _digamma_reflected(n: Array, e: Array) -> Array:
    above = positive.digamma(n + 1 - e)
    out = piecewise(
        (above, e),
        (abs(e) < 0.35, lambda above, e: (above + e * polynomial(e * e, _COTANGENT)) - 1 / e),
        (abs(e) >= 0.35, lambda above, e: above - np.copysign(math.pi * np.tan(math.pi * (0.5 - abs(e))), e)),
    )
    out = np.where(e == 0, math.nan, out)
    return replace_where(out, (n, e), ((n > 50) & (abs(out) < above), _digamma_double_double))


def _digamma_double_double(n: Array, e: Array) -> Array:
    """ψ(n + 1 - e) - π cot πe for n > 50, in double-double arithmetic, where the two nearly cancel."""
    e = np.where(e == 0, 0.25, e)
    return (double_double.digamma(double_double.renormalize(n + 1, -e)) - double_double.pi_cotangent(e)).rounded()


def trigamma(x: Array) -> Array:
    """ψ'(x) = π² / sin² πe - ψ'(n + 1 - e) for x < -0.25."""
    n, e = _pole_and_distance(x)
    return trigamma_float32(x, positive.trigamma(n + 1 - e))


def trigamma_float32(x: Array, above: Array) -> Array:
    """ψ'(x) for x < 0, from above = ψ'(1 - x)."""
    square = _pole_and_distance(x)[1] ** 2
    return 1 / square + (polynomial(square, _SQUARED) - above)
