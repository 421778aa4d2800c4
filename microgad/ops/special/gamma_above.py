"""log Γ, its derivative ψ and that one's, of positive numbers and a little below 0: no two terms cancel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .numeric import pieces, rational

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
# Binet's function times x, log Γ(x) = (x - 1/2) log x - x + log(2π)/2 + binet(x), by 1/x², x >= 3
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

# ψ'(1 + t), -0.25 <= t < 1
_TRIGAMMA = (
    0.019435340052658526, 0.23543906546252064, 1.2091658034793815, 3.357396237810899, 5.306444498364784,
    4.531827144812437, 1.6449340668482264,
), (
    0.019435339626393683, 0.24515674565155607, 1.3285048245024271, 3.9807902772211388, 7.076062987759035,
    7.414602599047931, 4.216546481052111, 1.0,
)  # fmt: skip
# (ψ'(x) - 1/x - 1/2x²) x³ by 1/x², x >= 2
_TRIGAMMA_LARGE = (
    2.0112320089110596, 60.025310796614164, 248.16693372491554, 329.7915022193097, 180.13689944963713,
    43.82902836021569, 4.609267314465417, 0.16666666666666663,
), (
    39.79307882108439, 550.2323756599229, 1804.3406401940592, 2171.666887608125, 1130.7225114547334, 268.4024337959249,
    27.855603886792114, 1.0,
)  # fmt: skip


def binet(x: Any) -> Any:
    """log Γ(x) - (x - 1/2) log x + x - log(2π)/2 of x >= 3."""
    return rational(1 / (x * x), *_BINET) / x


def upper_lgamma(x: Any) -> Any:
    """log Γ(x) of x >= -0.3."""

    def large(x: Any) -> Any:
        return (x - 0.5) * (np.log(x) - 1) + ((math.log(2 * math.pi) - 1) / 2 + binet(x))

    return pieces(
        (x,),
        (x >= 3.5, large),
        ((x >= 1.7) & (x < 3.5), lambda x: (x - 2) * rational(x - 2, *_TWO)),
        ((x >= 0.8) & (x < 1.7), lambda x: (x - 1) * rational(x - 1, *_ONE) + 0.0),  # 0, not -0, at 1
        ((x >= 0.7) & (x < 0.8), lambda x: (x - 1) * rational(x - 1, *_TWO) - np.log(x)),
        (x < 0.7, lambda x: x * rational(x, *_ONE) - np.log(abs(x))),
    )


def upper_lgamma_single(x: Any) -> Any:
    """The same of float32 numbers >= 0, in float64, where next to the zeros enough is left of what cancels."""
    x = np.minimum(x, 1e40)
    w = x + 3
    out = (w - 0.5) * (np.log(w) - 1) + ((math.log(2 * math.pi) - 1) / 2 + binet(w))
    out -= np.log(x * (x + 1) * (x + 2))
    out[(x == 1) | (x == 2)] = 0
    return out


def upper_digamma_single(x: Any) -> Any:
    """ψ(x) of float32 numbers >= 0, in float64."""
    w = x + 3
    z = 1 / (w * w)
    return np.log(w) + (z * rational(z, *_DIGAMMA) - 0.5 / w) - (1 / x + 1 / (x + 1) + 1 / (x + 2))


def upper_digamma(x: Any) -> Any:
    """ψ(x) of x >= -0.25."""

    def near_zero(t: Any) -> Any:
        return ((t - _ZERO[0]) - _ZERO[1]) * rational(t, *_ROOT)

    def large(x: Any) -> Any:
        z = 1 / (x * x)
        return np.log(x) + (z * rational(z, *_DIGAMMA) - 0.5 / x)

    return pieces(
        (x,),
        (x >= 3, large),
        ((x >= 2.15) & (x < 3), lambda x: large(x + 1) - 1 / x),
        ((x >= 0.75) & (x < 2.15), lambda x: near_zero(x - 1)),
        (x < 0.75, lambda x: near_zero(x) - 1 / x),
    )


def upper_trigamma(x: Any) -> Any:
    """ψ'(x) of x >= -0.25."""

    def large(x: Any) -> Any:
        u = 1 / x
        z = u * u
        return u + z * (0.5 + u * rational(z, *_TRIGAMMA_LARGE))

    return pieces(
        (x,),
        (x >= 2, large),
        ((x >= 1) & (x < 2), lambda x: large(x + 1) + 1 / (x * x)),
        (x < 1, lambda x: rational(x, *_TRIGAMMA) + 1 / (x * x)),
    )
