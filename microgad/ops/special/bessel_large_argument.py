"""J₀, J₁, Y₀ and Y₁ for x > 5, where they are waves with slowly varying amplitude and phase.

By Hankel's expansions (DLMF 10.17.3) each is ±√(2/πx) (P sin r + Q cos r), where r is the signed distance of x from the
nearest zero of the limiting wave, computed to all digits. Near a zero of the function the two terms cancel. There it is
computed

- for x < 45, by its Taylor series at the zero, which follows from Bessel's equation (DLMF 10.2.1) and a table of zeros;
- beyond, as ±√(2/πx) √(P² + Q²) sin(r + φ), with r and the phase φ (DLMF 10.18.18) in double-double arithmetic.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from ...type_aliases import Array
from .double_double import DoubleDouble, Series, power_series, renormalize, to_pair
from .evaluation import polynomial, product_error, replace_where, sum_error
from .near_zeros import taylor_at_zero

# Hankel's (P - 1) x² and Q x for orders 0 and 1, in terms of 1/x²: two numerators and their common denominator
_HANKEL_0 = (
    -7185.173311647391, -54905.86156024751, -35708.7846456277, -6318.046765831168, -400.22093120543894,
    -9.51820436541169, -0.07031249999990569,
), (
    1297.220511734967, -37680.88633536376, -133920.18137079626, -72278.87577407894, -11877.378187499327,
    -727.9898867880154, -17.04739152780676, -0.1249999999999999,
), (
    601245.546315509, 1319390.321735251, 626769.2155374526, 98242.4116421428, 5902.355200855456, 136.9650697224432, 1.0,
)  # fmt: skip
_HANKEL_1 = (
    12887.019916458117, 84340.60404236068, 55244.42729145727, 9966.481354619442, 644.2016005085467, 15.606484726483005,
    0.11718749999988716,
), (
    -1953.255432325934, 119872.31738903132, 372454.59754282667, 201198.86768531555, 33689.230239073346,
    2107.7940606548873, 50.29963784288006, 0.3749999999999999,
), (
    445870.4376657727, 1100116.9293179282, 557947.2464641711, 91290.55571681012, 5656.795545225367, 134.4058050810092,
    1.0,
)  # fmt: skip
# The first zeros of J₀, J₁, Y₀ and Y₁ above 3.8, in two parts, and the slopes there
_ZEROS = {
    "J0": (
        (5.520078110286311, 8.088597146146722e-17, 0.34026480655836816),
        (8.653727912911013, -2.92812607320779e-16, -0.27145229992838193),
        (11.791534439014281, 2.812956912778735e-16, 0.23245983136472478),
        (14.930917708487787, -7.070514505983074e-16, -0.20654643307799603),
        (18.071063967910924, -9.658048089426209e-16, 0.18772880304043943),
        (21.21163662987926, 4.947077428784068e-16, -0.17326589422922986),
        (24.352471530749302, 9.169067133951066e-16, 0.16170155068925002),
        (27.493479132040253, 1.6191941793302084e-15, -0.15218121377059454),
        (30.634606468431976, -5.390359852115135e-16, 0.1441659776863732),
        (33.77582021357357, 1.454224241250595e-15, -0.13729694340850299),
        (36.917098353664045, -9.276489358569364e-16, 0.13132462666866793),
        (40.05842576462824, -2.6782651477149736e-16, -0.12606949712727342),
        (43.19979171317673, 8.55713303876733e-16, 0.12139862477175015),
        (46.341188371661815, -9.07797413846536e-16, -0.11721119889066538),
    ),
    "J1": (
        (3.8317059702075125, -1.5269184090088067e-16, -0.402759395702553),
        (7.015586669815619, -9.414165653410389e-17, 0.30011575252613254),
        (10.173468135062722, 4.482162274768888e-16, -0.2497048770578432),
        (13.323691936314223, 2.600408064718813e-16, 0.21835940724787295),
        (16.470630050877634, -1.619019544798128e-15, -0.1964653714686572),
        (19.615858510468243, -1.004445634526616e-15, 0.18006337534431555),
        (22.760084380592772, -4.925749373614922e-16, -0.16718460047381806),
        (25.903672087618382, 4.894530726419825e-16, 0.15672498625285222),
        (29.046828534916855, -2.799892014010185e-16, -0.14801110997277755),
        (32.189679910974405, -1.5481609125503839e-15, 0.14060579818398225),
        (35.33230755008387, -3.2611649318496424e-15, -0.1342112403100007),
        (38.474766234771614, 7.193676286738655e-16, 0.12861662207206995),
        (41.61709421281445, 5.700452680227534e-16, -0.12366796076983713),
        (44.75931899765282, 2.3276041019911167e-15, 0.11924981201068947),
    ),
    "Y0": (
        (3.957678419314858, -1.0764340697562706e-16, -0.40254267177502423),
        (7.086051060301773, -8.835285723085408e-17, 0.3000976149104752),
        (10.222345043496418, -7.967395050308809e-16, -0.2497012375146848),
        (13.361097473872764, -6.626109493712529e-16, 0.21835829659767134),
        (16.50092244152809, 1.0187464212445755e-15, -0.19646493789501676),
        (19.64130970088794, -1.3738085245174177e-15, 0.18006317633754418),
        (22.782028047291558, 1.5905927758681248e-15, -0.16718449805101074),
        (25.922957653180923, -2.254067267232836e-16, 0.15672492885024078),
        (29.064030252728397, 9.25191637912007e-16, -0.14801107561113566),
        (32.20520411649328, 3.240071558384457e-15, 0.14060577650750067),
        (35.34645230521432, -1.7946483769852148e-16, -0.13421122603883404),
        (38.48775665308154, -2.8605001688824427e-15, 0.12861661233697969),
        (41.62910446621381, -2.5898201559288505e-15, -0.1236679539272368),
        (44.77048660722199, 3.128883685479239e-15, 0.11924980707648117),
    ),
    "Y1": (
        (5.429681040794135, 4.162514026670377e-16, -0.3403180455234406),
        (8.596005868331169, 2.8415838340063664e-16, 0.27145987731153354),
        (11.749154830839881, 2.9466381668409186e-17, -0.23246176601703875),
        (14.897442128336726, -6.072148995506809e-16, 0.2065471103565926),
        (18.043402276727857, -1.4499889213148965e-15, -0.1877290919149097),
        (21.188068934142212, 1.0863038864317323e-15, 0.17326603526911988),
        (24.33194257135691, 2.940063934282991e-16, -0.1617016266586241),
        (27.475294980449224, -4.0165306757179716e-16, 0.1521812578603752),
        (30.618286491641115, -1.0574311760765617e-16, -0.14416600481816505),
        (33.76101779610933, -2.8223590896878435e-15, 0.13729696091187468),
        (36.90355531614295, 1.014839093361194e-15, -0.13132463840786532),
        (40.045944640266875, 1.4745105429742688e-15, 0.1260695052608898),
        (43.18821809739321, 4.4259249833535923e-16, -0.12139863056512397),
        (46.33039925070169, -2.0415813997220564e-15, 0.11721120311639725),
    ),
}
# π/4 in parts (Cody-Waite): all products but the last with integers below 2^20 (2^26 for the fine one) are exact
_QUARTER_PI = 0.7853981633670628, 3.038550253253096e-11
_QUARTER_PI_REST = 3.061616997868383e-17  # π/4 - math.pi / 4
FINE_QUARTER_PI = 0.7853981629014015, 4.960467869796759e-10, 2.8605943548317875e-18, 8.223128468162129e-27

_SERIES_FROM = 45  # from here on φ's asymptotic series has 32 digits


@cache
def phase_series(order: int | Fraction, factor: int = 1) -> Series:
    """The coefficients of factor · φ(x) x in terms of 1/x², for `power_series`.

    They follow from 1 + φ' = 1 / (P² + Q²), where the series of P² + Q² is DLMF 10.18.17.
    """
    modulus, inverse = [Fraction(1)], [Fraction(1)]
    for k in range(1, 23):
        modulus.append(modulus[-1] * Fraction(2 * k - 1, 2 * k) * Fraction(4 * order**2 - (2 * k - 1) ** 2, 4))
        inverse.append(-sum((modulus[j] * inverse[k - j] for j in range(1, k + 1)), Fraction(0)))
    phase = [-factor * t / (2 * k - 1) for k, t in enumerate(inverse)][1:]
    return [to_pair(c) for c in phase[:5]], tuple(float(c) for c in reversed(phase[5:]))


def _taylor(order: int, z: float, slope: float) -> list[float]:
    """The Taylor coefficients of (x - z)^n, n = 1, ..., 12, at a zero z, by the recurrence from Bessel's equation."""
    a = [0.0, 0.0, 0.0, slope]  # n = -2, ..., 1
    for n in range(11):
        rest = z * (n + 1) * (2 * n + 1) * a[-1] + (n * n - order**2 + z * z) * a[-2] + 2 * z * a[-3] + a[-4]
        a.append(-rest / (z * z * (n + 1) * (n + 2)))
    return a[3:]


class LargeArgumentBessel:
    """One of the four functions, which tends to sign · (-1)^k √(2/πx) sin r, where x = (k + shift/4) π + r."""

    def __init__(self, order: int, shift: int, sign: int, zeros: Any) -> None:
        self.order, self.shift, self.sign = order, shift, sign
        self.zeros = [(zero, zero_low, *_taylor(order, zero, slope)) for zero, zero_low, slope in zeros]
        self.hankel = (_HANKEL_0, _HANKEL_1)[order]
        self.close = 1.0 + 0.5 * order  # where |wave| < close / x the terms cancel; a Taylor series reaches that far

    def __call__(self, x: Array) -> Array:
        return replace_where(self._moderate(x), (x,), (x >= 5e4, self._huge))

    def _moderate(self, x: Array) -> Array:
        """The function for x < 5e4, by t = tan r: sin r = t / √(1 + t²) and cos r = 1 / √(1 + t²)."""
        k, quarters = self._nearest_zero(x)
        r = x - quarters * _QUARTER_PI[0]
        quarters *= -_QUARTER_PI[1]
        r_error = sum_error(r, quarters)
        r += quarters
        t = np.tan(r)  # NumPy computes it much faster than the sine and the cosine
        norm = t * t
        norm += 1
        norm *= math.pi / 2 * x
        return self._combine(x, t, r_error, 1.0, np.copysign(np.sqrt(norm), self._parity(k)), x)

    def _huge(self, x: Array) -> Array:
        """The function for x >= 5e4, from s = sin x and c = cos x.

        √2 sin r and √2 cos r are ±(s + c) and ±(s - c), in one order or the other. The smaller of s + c and s - c is
        computed from their product, -cos 2x. Corrections for the rounding of the larger one and of the root go
        with the sine.
        """
        s, c = np.sin(x), np.cos(x)
        opposite = s * c < 0
        term = np.where(opposite, -c, c)
        larger, error = s + term, sum_error(s, term)
        smaller = np.where(x < 8e307, np.cos(2 * x) / -larger, s - term)  # 2 x overflows
        sine_is_smaller = opposite == (self.shift != 1)
        sine, cosine = np.where(sine_is_smaller, smaller, larger), np.where(sine_is_smaller, larger, smaller)
        error = np.where(sine_is_smaller, smaller * error / -larger, error)
        if self.shift != 1:
            sine, error = -sine, -error
        square = math.pi / 4 * x
        root = np.sqrt(square)
        rest = x * _QUARTER_PI_REST + product_error(x, math.pi / 4) + (square - root * root) - product_error(root, root)
        error -= np.where(x < 1e290, sine * rest / (2 * square), 0)  # beyond, products overflow
        return self._combine(x, sine, error, cosine, 2 * self.sign * root, np.where(x < 5e7, x, math.inf))

    def _combine(
        self, x: Array, sine: Array, sine_error: Array | float, cosine: Array | float, norm: Array, reach: Array
    ) -> Array:
        """(P sin r + Q cos r) / norm, which is computed again near zeros; `reach` is x, or ∞ to prevent that."""
        wave, q, divisor = self._hankel(x)
        wave *= sine
        q *= cosine
        wave += q
        wave /= divisor
        wave += sine_error
        wave += sine
        close = abs(wave) * reach < self.close * np.where(x < _SERIES_FROM, 1, 12)  # Q has fewer digits
        wave /= norm
        return replace_where(wave, (x,), (close, self._near_zero))

    def _near_zero(self, x: Array) -> Array:
        k, _ = self._nearest_zero(x)
        return replace_where(taylor_at_zero(x, self.zeros, k - 1), (x,), (x >= _SERIES_FROM, self._by_phase))

    def _hankel(self, x: Array) -> tuple[Array, Array, Array]:
        """(P - 1) d, Q d and the common denominator d."""
        u = 1 / x
        z = u * u
        p_rest, q, divisor = (polynomial(z, table) for table in self.hankel)
        p_rest *= z
        q *= u
        return p_rest, q, divisor

    def _nearest_zero(self, x: Array) -> tuple[Array, Array]:
        """The number k of the nearest zero of the limiting wave, and the zero in units of π/4."""
        k = np.rint(x * (1 / math.pi) - self.shift / 4)
        return k, 4 * k + self.shift

    def _parity(self, k: Array) -> Array:
        """A number whose sign is sign · (-1)^k, computed faster than by k % 2."""
        half = k * 0.5
        half -= np.rint(half)
        half = abs(half)
        return 0.25 - half if self.sign > 0 else half - 0.25

    def _by_phase(self, x: Array) -> Array:
        """±√(2/πx) √(P² + Q²) sin(r + φ)."""
        k, quarters = self._nearest_zero(x)
        r = x - quarters * FINE_QUARTER_PI[0]
        r_low = -quarters * FINE_QUARTER_PI[-1]
        for part in FINE_QUARTER_PI[1:-1]:
            r_low = r_low + sum_error(r, -quarters * part)
            r = r - quarters * part
        u = DoubleDouble(1.0) / DoubleDouble(x)
        angle = (renormalize(r, r_low) + u * power_series(u * u, *phase_series(self.order))).rounded()
        p_rest, q, divisor = self._hankel(x)
        p_rest, q = p_rest / divisor, q / divisor
        square = 1 + (p_rest * (2 + p_rest) + q * q)
        return np.sin(angle) * np.copysign(np.sqrt(square / (math.pi / 2 * x)), self._parity(k))


J0 = LargeArgumentBessel(0, 3, -1, _ZEROS["J0"])
J1 = LargeArgumentBessel(1, 1, 1, _ZEROS["J1"])
Y0 = LargeArgumentBessel(0, 1, 1, _ZEROS["Y0"])
Y1 = LargeArgumentBessel(1, 3, 1, _ZEROS["Y1"])
