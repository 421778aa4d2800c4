"""Bessel functions of orders 0 and 1, and the spherical one of order 0; without derivatives, as in PyTorch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...type_aliases import Array, Tensor
from ..support.out import into
from . import bessel_large_argument as large
from .evaluation import non_differentiable, piecewise, polynomial, product_error, replace_where, sum_error
from .near_zeros import polynomial_with_zeros

# J₀(x) in terms of x² for x < 1, and J₁(x) / x in terms of x² for x < 2. From there to x = 5, divided by x - zero:
# J₀(x) in terms of x - 17/8 for x < 3.25 and of x - 4 beyond, and J₁(x) in terms of x - 7/2.
_J0_NEAR = (
    -2.750417384206437e-17, 9.37311925515688e-15, -2.402744629849181e-12, 4.709500922154078e-10,
    -6.781683992954739e-08, 6.7816840273808705e-06, -0.00043402777777751543, 0.015624999999999912, -0.25, 1.0,
)  # fmt: skip
_J1_NEAR = (
    4.956088035508538e-16, -1.4997999305864397e-13, 3.3638502891760665e-11, -5.651401426182474e-09,
    6.781684000391469e-07, -5.425347222002833e-05, 0.0026041666666657805, -0.06249999999999986, 0.5,
)  # fmt: skip
_J0_FIRST = (
    1.327719142234368e-13, 1.1314950110912435e-12, -3.04400663184175e-11, -2.2246834536933622e-10,
    5.160768019999816e-09, 3.1358871384992255e-08, -6.267570814193761e-07, -3.0372409629394845e-06,
    5.098844758765462e-05, 0.0001845067329831718, -0.0025096456578997802, -0.0060147242135642895,
    0.06278506299850024, 0.0744276572583928, -0.5447436402297168,
)  # fmt: skip
_J0_SECOND = (
    -1.21921787648119e-13, 1.5852423216161093e-12, 2.5056557447134146e-11, -3.1184043034304057e-10,
    -4.18044946917047e-09, 4.474548608783414e-08, 4.968385532811103e-07, -4.439241588853597e-06,
    -3.910069395678235e-05, 0.0002789203785133335, 0.0018193995085398818, -0.009561625570903474,
    -0.040713645143512084, 0.12843156815636278, 0.2612693434477806,
)  # fmt: skip
_J1 = (
    -2.4475006931009277e-15, 1.3862024436147853e-13, 6.207592414965154e-13, -3.2030185001894484e-11,
    -1.1583973741637285e-10, 5.382560505176476e-09, 1.5580309537364657e-08, -6.450582288470394e-07,
    -1.4098310556828497e-06, 5.140835134588482e-05, 7.689638028975457e-05, -0.0024431681050837224,
    -0.0020594584943690233, 0.05703550414919742, 0.01574870844382178, -0.4141545214769123,
)  # fmt: skip
# Y₀(x) - 2/π log(x/a) J₀(x) and x (Y₁(x) - 2/π log(x/a) J₁(x)), divided by x² - a², where a is the first and then the
# second zero: in terms of x² - 2 for x < 2 and x² - 14.5 for 2 <= x <= 5, of x² - 6 for x < 3.5 and x² - 18.5 for
# 3.5 <= x <= 5.
_Y0_LOW = (
    -1.3927331013237322e-19, 5.3711700864800684e-17, -1.6680459250894097e-14, 4.0620312092003985e-12,
    -7.494394849187524e-10, 1.0006144855295263e-07, -9.063597932475106e-06, 0.0005049491758777186,
    -0.014612850003404437, 0.15082466450050294,
)  # fmt: skip
_Y0_HIGH = (
    -2.2701729009707384e-25, 1.2153326606545418e-22, -5.392384507775504e-20, 1.9466727618422058e-17,
    -5.563506275301122e-15, 1.2152981979626685e-12, -1.9301336493624318e-10, 2.058692267113795e-08,
    -1.2605144549243386e-06, 2.481105730683957e-05, 0.0011836046618188124, -0.04414356235325344,
)  # fmt: skip
_Y1_LOW = (
    8.32975749312709e-24, -4.197504813594882e-21, 1.7437387174847976e-18, -5.868612573944099e-16,
    1.5582872075778378e-13, -3.155406055666535e-11, 4.651771364462585e-09, -4.6646088074684814e-07,
    2.842815758055927e-05, -0.0008271000956316697, 0.002597589182506157, 0.18401934836001413,
)  # fmt: skip
_Y1_HIGH = (
    -1.8107510060142326e-21, 7.023337028806862e-19, -2.152504346767268e-16, 5.040612419869461e-14,
    -8.509893462859648e-12, 9.336314468926283e-10, -5.039720915089921e-08, -7.378511381022428e-07,
    0.0002098694978898043, -0.004311107930898197, -0.12635306929561543,
)  # fmt: skip

# J₀, J₁ / x, Y₀ - 2/π log(x) J₀, and (Y₁ - 2/π (log(x) J₁ - 1/x)) / x in terms of x², for x <= 5, for float32
_J0_FLOAT32 = (
    -1.1516283772555288e-22, 7.025429984779424e-20, -2.888899923305203e-17, 9.38407729489643e-15,
    -2.4027779513263752e-12, 4.709499696775561e-10, -6.78168381367331e-08, 6.7816840183947335e-06,
    -0.00043402777775349786, 0.015624999999967523, -0.24999999999998299, 0.9999999999999986,
)  # fmt: skip
_J1_FLOAT32 = (
    2.5338463895391195e-21, -1.405310309227938e-18, 5.200252847475926e-16, -1.5014630689660375e-13,
    3.3638918483868426e-11, -5.651400046691726e-09, 6.781683851121441e-07, -5.4253472167155964e-05,
    0.002604166666578562, -0.06249999999994498, 0.5,
)  # fmt: skip
_Y0_FLOAT32 = (
    2.282772830085451e-22, -1.3596096898919034e-19, 5.4147318353676766e-17, -1.6928860992034187e-14,
    4.143505380792083e-12, -7.693073579758172e-10, 1.0358475597135876e-07, -9.495005186093767e-06,
    0.0005386026668121615, -0.016073968025872225, 0.17760601686903243, -0.07380429510868422,
)  # fmt: skip
_Y1_FLOAT32 = (
    -4.947689556316819e-21, 2.67473141528556e-18, -9.56295169915567e-16, 2.6488945243208753e-13,
    -5.6479466370532425e-11, 8.931872962187373e-09, -9.92674026404122e-07, 7.164268738896896e-05,
    -0.002955305335902611, 0.054348688160399575, -0.1960570906462275,
)  # fmt: skip


_J0_ZEROS = ((2.404825557695773, -1.176691651530894e-16), (5.520078110286311, 8.088597146146722e-17))
_J1_ZEROS = ((3.8317059702075125, -1.5269184090088067e-16),)
_Y0_ZEROS = ((0.8935769662791675, 2.6596231539720385e-17), (3.957678419314858, -1.0764340697562706e-16))
_Y1_ZEROS = ((2.197141326031017, -4.8259835876454966e-17), (5.429681040794135, 4.162514026670377e-16))


def _j0(x: Array) -> Array:
    def low(x: Array) -> Array:
        return piecewise((x,), (x < 1, lambda x: polynomial(x * x, _J0_NEAR)), (x >= 1, middle))

    def middle(x: Array) -> Array:
        return piecewise(
            (x,),
            (x < 3.25, polynomial_with_zeros(_J0_ZEROS[:1], 2.125, _J0_FIRST)),
            (x >= 3.25, polynomial_with_zeros(_J0_ZEROS[1:], 4, _J0_SECOND)),
        )

    x = abs(x)
    return piecewise((x,), (x <= 5, low), (x > 5, large.J0))


def _j1(x: Array) -> Array:
    def low(x: Array) -> Array:
        middle = polynomial_with_zeros(_J1_ZEROS, 3.5, _J1)
        return piecewise((x,), (x < 2, lambda x: x * polynomial(x * x, _J1_NEAR)), (x >= 2, middle))

    y = abs(x)
    size = piecewise((y,), (y <= 5, low), (y > 5, large.J1))
    return np.where(np.signbit(x), -size, size)


def _second_kind(first_kind: Any, table: Any, center: float, zero: tuple[float, float], power: int) -> Any:
    """Return the formula Y(x) = 2/π log(x/zero) J(x) + (x² - zero²) polynomial(x² - center) / x^power (DLMF 10.8.1).

    Both terms vanish at the zero, so they don't cancel near it. The rounding errors of x² - zero² are added to the sum.
    """

    def formula(x: Array) -> Array:
        gap, total = x - zero[0], x + zero[0]
        delta = gap - zero[1]
        rounding = sum_error(x, zero[0]) / total + (sum_error(x, -zero[0]) + sum_error(gap, -zero[1])) / delta
        near = abs(delta) < zero[0] / 2
        log = np.where(near, np.log1p(np.where(near, delta, 0) / zero[0]), np.log(x) - math.log(zero[0]))
        product = delta * total
        rounding += product_error(delta, total) / product
        rest = polynomial(x * x - center, table) * product
        if power:
            rest /= x
        return (2 / math.pi * log * first_kind(x) + rest * rounding) + rest

    return formula


_y0_low = _second_kind(_j0, _Y0_LOW, 2, _Y0_ZEROS[0], 0)
_y0_high = _second_kind(_j0, _Y0_HIGH, 14.5, _Y0_ZEROS[1], 0)
_y1_low = _second_kind(_j1, _Y1_LOW, 6, _Y1_ZEROS[0], 1)
_y1_high = _second_kind(_j1, _Y1_HIGH, 18.5, _Y1_ZEROS[1], 1)


def _y0(x: Array) -> Array:
    return piecewise((x,), ((x >= 0) & (x < 2), _y0_low), ((x >= 2) & (x <= 5), _y0_high), (x > 5, large.Y0))


def _y1(x: Array) -> Array:
    def low(x: Array) -> Array:
        return np.where(x == 0, -math.inf, _y1_low(x))

    return piecewise((x,), ((x >= 0) & (x < 3.5), low), ((x >= 3.5) & (x <= 5), _y1_high), (x > 5, large.Y1))


def _for_float32(short: Any, full: Any) -> Any:
    """Return the formula for float32 numbers, in float64: short(x) for |x| <= 5, full(x) beyond and near zeros."""

    def low(x: Array) -> Array:
        out = short(x)
        return replace_where(out, (x,), (~(abs(out) > 1e-4 * abs(x)), full))

    return lambda x: piecewise((x,), (abs(x) <= 5, low), (abs(x) > 5, full))


def _j0_float32(x: Array) -> Array:
    return polynomial(x * x, _J0_FLOAT32)


def _j1_float32(x: Array) -> Array:
    return x * polynomial(x * x, _J1_FLOAT32)


def _y0_float32(x: Array) -> Array:
    return 2 / math.pi * np.log(x) * _j0_float32(x) + polynomial(x * x, _Y0_FLOAT32)


def _y1_float32(x: Array) -> Array:
    return 2 / math.pi * (np.log(x) * _j1_float32(x) - 1 / x) + x * polynomial(x * x, _Y1_FLOAT32)


def _spherical_j0(x: Array) -> Array:
    return np.where(x == 0, 1.0, np.where(np.isinf(x), 0.0, np.sin(x) / x))


def _spherical_j0_float32(x: Array) -> Array:
    """sin(x) / x of float32 numbers, in float64, by t = tan(x/2): NumPy computes it much faster than the sine."""
    t = np.tan(x / 2)
    out = 2 * t / ((1 + t * t) * x)
    return replace_where(out, (x,), (np.isnan(out), _spherical_j0))


BesselJ0 = non_differentiable("BesselJ0", "special_bessel_j0", _j0, _for_float32(_j0_float32, _j0))


def bessel_j0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The Bessel function of the first kind, of order 0.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.bessel_j0.

    >>> torch.special.bessel_j0(torch.tensor([1.0, 10.0]))
    tensor([ 0.7652, -0.2459])
    """
    return into(out, BesselJ0.apply(input))


BesselJ1 = non_differentiable("BesselJ1", "special_bessel_j1", _j1, _for_float32(_j1_float32, _j1))


def bessel_j1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The Bessel function of the first kind, of order 1.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.bessel_j1.

    >>> torch.special.bessel_j1(torch.tensor([1.0, 10.0]))
    tensor([0.4401, 0.0435])
    """
    return into(out, BesselJ1.apply(input))


BesselY0 = non_differentiable("BesselY0", "special_bessel_y0", _y0, _for_float32(_y0_float32, _y0))


def bessel_y0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The Bessel function of the second kind, of order 0; NaN for negative numbers.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.bessel_y0.

    >>> torch.special.bessel_y0(torch.tensor([1.0, 10.0]))
    tensor([0.0883, 0.0557])
    """
    return into(out, BesselY0.apply(input))


BesselY1 = non_differentiable("BesselY1", "special_bessel_y1", _y1, _for_float32(_y1_float32, _y1))


def bessel_y1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The Bessel function of the second kind, of order 1; NaN for negative numbers.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.bessel_y1.

    >>> torch.special.bessel_y1(torch.tensor([1.0, 10.0]))
    tensor([-0.7812,  0.2490])
    """
    return into(out, BesselY1.apply(input))


SphericalBesselJ0 = non_differentiable(
    "SphericalBesselJ0", "special_spherical_bessel_j0", _spherical_j0, _spherical_j0_float32
)


def spherical_bessel_j0(x: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The spherical Bessel function of order 0: sin(x) / x, and 1 at 0.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.spherical_bessel_j0.

    >>> torch.special.spherical_bessel_j0(torch.tensor([1.0, 10.0]))
    tensor([ 0.8415, -0.0544])
    """
    return into(out, SphericalBesselJ0.apply(x))
