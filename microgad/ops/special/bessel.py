"""Bessel functions of order 0 and 1; without derivatives, as in PyTorch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..out import into
from .numeric import pieces, polynomial, rational, without_derivative

if TYPE_CHECKING:
    from ...tensor import Tensor

# By x², 0 <= x < 2: J₀(x), J₁(x) / x, Y₀(x) - 2/π log(x) J₀(x), (Y₁(x) - 2/π (log(x) J₁(x) - 1/x)) / x
_J0_NEAR = (
    -2.750417384206437e-17, 9.37311925515688e-15, -2.402744629849181e-12, 4.709500922154078e-10,
    -6.781683992954739e-08, 6.7816840273808705e-06, -0.00043402777777751543, 0.015624999999999912, -0.25, 1.0,
)  # fmt: skip
_J1_NEAR = (
    4.956088035508538e-16, -1.4997999305864397e-13, 3.3638502891760665e-11, -5.651401426182474e-09,
    6.781684000391469e-07, -5.425347222002833e-05, 0.0026041666666657805, -0.06249999999999986, 0.5,
)  # fmt: skip
_Y0_NEAR = (
    5.1753866563902733e-17, -1.6912818743373088e-14, 4.143480673739053e-12, -7.693077728620153e-10,
    1.0358475999741819e-07, -9.495005204903348e-06, 0.0005386026668614836, -0.016073968025938377, 0.17760601686906713,
    -0.07380429510868723,
)  # fmt: skip
_Y1_NEAR = (
    -9.106567086431083e-16, 2.645875179858925e-13, -5.6478793246232905e-11, 8.931876207196981e-09,
    -9.926740572242895e-07, 7.164268749607524e-05, -0.002955305336078408, 0.05434868816051003, -0.19605709064623894,
)  # fmt: skip
# The same by x² - 14.5, 2 <= x <= 5, those of J over (x² - a²)(x² - b²), a and b its first zeros, in two parts each
_J0_ZEROS = ((2.404825557695773, -1.176691651530894e-16), (5.520078110286311, 8.088597146146722e-17))
_J1_ZEROS = ((3.8317059702075125, -1.5269184090088067e-16), (7.015586669815619, -9.414165653410389e-17))
_J0 = (
    1.9327443457413277e-25, -1.0894326145864532e-22, 5.1084019474910453e-20, -1.9679950662022237e-17,
    6.085172295191698e-15, -1.4674593620851961e-12, 2.6573367854268667e-10, -3.4277578288460646e-08,
    2.909007445176639e-06, -0.00014163098072545962, 0.0028921791194457657,
)  # fmt: skip
_J1 = (
    7.316624009275016e-27, -4.451197232793419e-24, 2.2695882020381836e-21, -9.576922819849132e-19,
    3.271988082307257e-16, -8.810781551616147e-14, 1.804703006791397e-11, -2.675979717944368e-09,
    2.6650346882458567e-07, -1.5647427523133497e-05, 0.0003999873050583434,
)  # fmt: skip
_Y0 = (
    -3.992683519329825e-25, 2.1842873907595796e-22, -9.947069927232196e-20, 3.707584749732314e-17,
    -1.1034169810438067e-14, 2.543188943425842e-12, -4.357300125691417e-10, 5.234009288814218e-08,
    -4.0174596910549035e-06, 0.000164615954371769, -0.0019232804689720661, -0.04441380983963129, 0.4039732700950215,
)  # fmt: skip
_Y1 = (
    9.45550030609603e-24, -4.7337927484957146e-21, 1.9553630005313398e-18, -6.541164909028966e-16,
    1.72394309439809e-13, -3.4583862578279044e-11, 5.038549608380388e-09, -4.977239072208513e-07,
    2.9780675832776433e-05, -0.0008529283730237257, 0.003501502101662199, 0.1504104804894747,
)  # fmt: skip
# Hankel's P and x Q, by 1/x², x > 5: J = √(2/πx) (P cos χ - Q sin χ), Y = √(2/πx) (P sin χ + Q cos χ)
_P0 = (
    194057.33587237974, 807084.7419011717, 483265.4633190548, 84986.03731763584, 5461.323741238697,
    132.51001803275014, 1.0,
), (
    225102.8182215278, 834311.7809641046, 488723.3809661955, 85356.38755325916, 5470.533643629852, 132.58033053275008,
    1.0,
)  # fmt: skip
_Q0 = (
    3084.008303860635, -25200.624519633824, -30778.073056218138, -7323.4045502756035, -560.7925490772144,
    -15.273398420476392, -0.12499999999999979,
), (295388.085362368, 275218.2295576174, 61047.797424585275, 4556.460906497937, 122.77312486379058, 1.0)  # fmt: skip
_P1 = (
    185573.0974394014, 712570.632497808, 439439.0679008136, 79752.63765614532, 5259.392318981151, 130.29069112811192,
    1.0,
), (
    139107.16676227978, 670722.0756076463, 430837.96606593614, 79156.16723030945, 5244.2818070811645,
    130.17350362811197, 1.0,
)  # fmt: skip
_Q1 = (
    -4590.194322047404, 78550.94371320272, 88703.3836841889, 21140.67455796943, 1639.291111859136, 45.25506283433557,
    0.3749999999999998,
), (251384.3770030842, 249574.31667014302, 57495.07540357252, 4403.776012499874, 120.95360505822043, 1.0)  # fmt: skip


def _even(x: Any, near: Any, table: Any, zeros: Any = None) -> Any:
    """An even function of 0 <= x <= 5."""

    def further(x: Any) -> Any:
        out = polynomial(x * x - 14.5, table)
        for zero, rest in zeros or ():
            out *= ((x - zero) - rest) * (x + zero)
        return out

    return pieces((x,), (x < 2, lambda x: polynomial(x * x, near)), (x >= 2, further))


def _waves(x: Any) -> Any:
    """√2 cos(x - π/4) and √2 sin(x - π/4), and what to divide them by: by a tangent, which NumPy has much faster."""
    t = np.tan(x / 2)
    square = t * t
    return 1 - square + 2 * t, square - 1 + 2 * t, 1 + square


def _hankel(x: Any, above: Any, beside: Any, one: Any, other: Any, divisor: Any) -> Any:
    z = 1 / (x * x)
    wave = rational(z, *above) * one + rational(z, *beside) / x * other
    return wave / (np.sqrt(math.pi / 4 * x) * (2 * divisor))  # π x may overflow


def _j0(x: Any) -> Any:
    def large(x: Any) -> Any:
        cosine, sine, divisor = _waves(x)
        return _hankel(x, _P0, _Q0, cosine, -sine, divisor)

    x = abs(x)
    return pieces((x,), (x <= 5, lambda x: _even(x, _J0_NEAR, _J0, _J0_ZEROS)), (x > 5, large))


def _j1(x: Any) -> Any:
    def large(x: Any) -> Any:
        cosine, sine, divisor = _waves(x)
        return _hankel(x, _P1, _Q1, sine, cosine, divisor)

    y = abs(x)
    size = pieces((y,), (y <= 5, lambda y: y * _even(y, _J1_NEAR, _J1, _J1_ZEROS)), (y > 5, large))
    return np.where(np.signbit(x), -size, size)


def _y0(x: Any) -> Any:
    def small(x: Any) -> Any:
        return _even(x, _Y0_NEAR, _Y0) + 2 / math.pi * np.log(x) * _j0(x)

    def large(x: Any) -> Any:
        cosine, sine, divisor = _waves(x)
        return _hankel(x, _P0, _Q0, sine, cosine, divisor)

    return pieces((x,), ((x >= 0) & (x <= 5), small), (x > 5, large))


def _y1(x: Any) -> Any:
    def small(x: Any) -> Any:
        out = x * _even(x, _Y1_NEAR, _Y1) + 2 / math.pi * (np.log(x) * _j1(x)) - 2 / math.pi / x
        return np.where(x == 0, -math.inf, out)

    def large(x: Any) -> Any:
        cosine, sine, divisor = _waves(x)
        return _hankel(x, _P1, _Q1, -cosine, sine, divisor)

    return pieces((x,), ((x >= 0) & (x <= 5), small), (x > 5, large))


def _spherical_j0(x: Any) -> Any:
    return np.where(x == 0, 1.0, np.where(np.isinf(x), 0.0, np.sin(x) / x))


BesselJ0 = without_derivative("BesselJ0", _j0)


def bessel_j0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The Bessel function of the first kind, of order 0. Source: torch.special.bessel_j0.

    >>> torch.special.bessel_j0(torch.tensor([1.0, 10.0]))
    tensor([ 0.7652, -0.2459])
    """
    return into(out, BesselJ0.apply(input))


BesselJ1 = without_derivative("BesselJ1", _j1)


def bessel_j1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The Bessel function of the first kind, of order 1. Source: torch.special.bessel_j1.

    >>> torch.special.bessel_j1(torch.tensor([1.0, 10.0]))
    tensor([0.4401, 0.0435])
    """
    return into(out, BesselJ1.apply(input))


BesselY0 = without_derivative("BesselY0", _y0)


def bessel_y0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The Bessel function of the second kind, of order 0; NaN for negative numbers. Source: torch.special.bessel_y0.

    >>> torch.special.bessel_y0(torch.tensor([1.0, 10.0]))
    tensor([0.0883, 0.0557])
    """
    return into(out, BesselY0.apply(input))


BesselY1 = without_derivative("BesselY1", _y1)


def bessel_y1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The Bessel function of the second kind, of order 1; NaN for negative numbers. Source: torch.special.bessel_y1.

    >>> torch.special.bessel_y1(torch.tensor([1.0, 10.0]))
    tensor([-0.7812,  0.2490])
    """
    return into(out, BesselY1.apply(input))


SphericalBesselJ0 = without_derivative("SphericalBesselJ0", _spherical_j0)


def spherical_bessel_j0(x: Tensor, *, out: Tensor | None = None) -> Tensor:
    """sin(x) / x, 1 at 0. Source: torch.special.spherical_bessel_j0.

    >>> torch.special.spherical_bessel_j0(torch.tensor([1.0, 10.0]))
    tensor([ 0.8415, -0.0544])
    """
    return into(out, SphericalBesselJ0.apply(x))
