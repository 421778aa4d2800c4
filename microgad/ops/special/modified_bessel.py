"""Modified Bessel functions of orders 0 and 1: I and K, and the scaled e^-|x| I(x) and e^x K(x)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...function import Function
from ...type_aliases import Array, Tensor
from ..elementwise import Where
from ..support.blocks import in_double
from ..support.out import into
from .evaluation import non_differentiable, piecewise, polynomial, promote, rational

# I₀(x) and I₁(x) / x in terms of x²/4, for |x| < 8
_I0 = (
    9.199490192822799e-25, 1.1271315698780286e-22, 2.6398039041166653e-20, 4.345576463193113e-18,
    6.277947933796445e-16, 7.593864679920678e-14, 7.594072929478665e-12, 6.151186544390525e-10, 3.936759919236813e-08,
    1.9290123448717815e-06, 6.944444444590053e-05, 0.001736111111109441, 0.027777777777778893, 0.24999999999999964,
    1.0, 1.0,
)  # fmt: skip
_I1 = (
    6.95061261121761e-24, 7.8416221392869965e-22, 1.7178762589840457e-19, 2.6068680875619995e-17,
    3.452943523545877e-15, 3.7969251841741726e-13, 3.417333283037435e-11, 2.460474598956462e-09,
    1.3778659721252566e-07, 5.78703703461938e-06, 0.00017361111111452218, 0.003472222222219402, 0.04166666666666785,
    0.2499999999999998, 0.5,
)  # fmt: skip
# e^-x I₀(x) in terms of x - 3.177, for 2.5 <= x < 4; the value at 3.177 is a float64 number to 1e-18
_I0_SCALED = (
    -7.200451251346173e-12, 6.523598405259445e-11, -4.749680622687538e-10, 3.2893182845103733e-09,
    -2.1308406478709116e-08, 1.2800268974915267e-07, -7.098123020695368e-07, 3.6168433739034745e-06,
    -1.6864277498322474e-05, 7.176608410084492e-05, -0.0002790292001807735, 0.001000051357608389,
    -0.0033840873782565234, 0.011367660410235481, -0.04180779884329372, 0.23522443844694577,
)  # fmt: skip
# √x e^-x I(x) in terms of x - 6, for 4 <= x < 8, and of 1/x, for x >= 8
_I0_MIDDLE = (
    -8.683446119287473e-18, 5.953482507935553e-17, -2.2120697197166966e-16, 1.4257226540418136e-15,
    -1.0304322715454022e-14, 5.944194733892372e-14, -3.0060364550738715e-13, 1.2937745714774874e-12,
    -3.6327535170061196e-12, -6.526121048681671e-12, 2.024843314170696e-10, -1.98967597116089e-09,
    1.468271470908823e-08, -9.233230632175051e-08, 5.205047642737087e-07, -2.7227338614563984e-06,
    1.3653763450425027e-05, -6.775412053533296e-05, 0.00034092562491981246, -0.0017583758742594502, 0.4082256718098091,
)  # fmt: skip
_I1_MIDDLE = (
    3.3812110350048597e-18, -2.4019019833399095e-17, 9.313639094154244e-17, -5.505406985153164e-16,
    3.341733620791131e-15, -1.2512251050666823e-14, -6.721312862221208e-15, 7.14438839145378e-13,
    -9.203697207992734e-12, 8.632559293163806e-11, -6.847681419084837e-10, 4.826240087588372e-09,
    -3.097589688702296e-08, 1.842976973490157e-07, -1.0346649930156197e-06, 5.593103747963885e-06,
    -2.9755393049193485e-05, 0.00015880697477378515, -0.0008601359254665347, 0.004739807695793616, 0.37244848995139895,
)  # fmt: skip
_I0_LARGE = (
    3.3678142631140656e+16, -4.5625549861394296e+16, 2.8590740304733004e+16, -1.0994172952539944e+16,
    2903063962376941.0, -558338222957833.3, 80994728553103.62, -9058765455048.8, 792083964062.0419,
    -54594034120.814644, 2977368334.3232884, -128456787.38163236, 4366882.031166628, -116003.22510420196,
    2379.9927202871477, -36.19130371636572, 0.6498655374783919, 0.08718848829722199, 0.04476075235845849,
    0.0292193434333096, 0.028050629200526308, 0.04986778505010138, 0.3989422804014327,
)  # fmt: skip
_I1_LARGE = (
    -2.893321171183265e+16, 3.907148563696379e+16, -2.436274555719628e+16, 9301926838309038.0, -2432257190265750.5,
    461688636346594.44, -65830928591934.86, 7200814157581.196, -611985622456.2366, 40686691056.16702,
    -2119884798.3081622, 86314158.8338723, -2724899.0500022112, 65755.64149216427, -1189.3431428968552,
    14.641951421183618, -0.40593512188114605, -0.11002783458508328, -0.057526957899371095, -0.04090717406169342,
    -0.04675104844774439, -0.149603355150588, 0.3989422804014327,
)  # fmt: skip
# c and e^c, which is a float64 number to 1e-20; y - c isn't rounded for y > 700
_PART_OF_EXP = 8.00801944732666, 3004.9597343436167
# K₀(x) + log(x) I₀(x) and (K₁(x) - 1/x - log(x) I₁(x)) / x in terms of x², for x < 1
_K0 = (
    6.611697199137138e-12, 1.2082660548092037e-09, 1.6271068932192254e-07, 1.4914719243031542e-05,
    0.0008460350907213902, 0.025248929932161213, 0.27898287891460316, 0.11593151565841245,
)  # fmt: skip
_K1 = (
    -4.221989438282024e-13, -8.87092489601584e-11, -1.4030171839891595e-08, -1.5592887664345827e-06,
    -0.00011253607036725078, -0.004642182766471444, -0.08537071972865079, -0.3079657578292062,
)  # fmt: skip
# √(π/2) as a sum: its rounding would cost half a unit in the last place
_ROOT_HALF_PI = 1.2533141373155003, -9.164289990229583e-17
# x (√x e^x K(x) - √(π/2)) in terms of 1/x, for x >= 1
_K0_LARGE = (
    -0.14490576307528058, -3.163981288374647, -16.54974376476671, -32.56181692355288, -28.641262734241593,
    -11.94099431069759, -2.2726792379932115, -0.1566642671644177,
), (
    0.17203967488268743, 6.559983998705684, 58.16950066191228, 194.1891235997939, 295.2514890160229,
    222.19928856941732, 84.11075930351254, 15.069185405177954, 1.0,
)  # fmt: skip
_K1_LARGE = (
    0.35363726853632405, 7.809741556335268, 41.968684880989315, 85.33533477338872, 77.7353711114344,
    33.56313503408529, 6.606455439151326, 0.46999280149328126,
), (
    0.02851865951969755, 2.546747527970391, 31.642018187210923, 128.71317959899068, 223.6370578191048,
    185.48646665213738, 75.62889543136491, 14.369003457396161, 1.0,
)  # fmt: skip


def bessel_i_over_power(y: Array, n: int, scaled: bool) -> Array:
    """Iₙ(y) / yⁿ for y >= 0, times e^-y if `scaled`."""

    def small(y: Array) -> Array:
        z = y * y / 4
        out = polynomial(z, (_I0, _I1)[n]) if n < 2 else polynomial(z, _taylor(n))
        return out * np.exp(-y) if scaled else out

    def large(y: Array) -> Array:
        u = 1 / y
        root = np.sqrt(u)
        previous, out = polynomial(u, _I0_LARGE) * root, polynomial(u, _I1_LARGE) * root * u
        for m in range(1, n):
            previous, out = out, (previous - 2 * m * out) * (u * u)
        return _unscaled(out, y, scaled)

    if n == 0:
        border = 2.5 if scaled else 4
        return piecewise(
            (y,),
            (y < border, small),
            ((y >= border) & (y < 4), lambda y: polynomial(y - 3.177, _I0_SCALED)),
            (y >= 4, lambda y: _i_from_4(y, 0, scaled)),
        )
    return piecewise((y,), (y < 8, small), (y >= 8, large))


def _i_from_4(y: Array, n: int, scaled: bool) -> Array:
    """Iₙ(y) for n = 0, 1 and y >= 4, times e^-y if `scaled`. In a power series the rounding of y² would cost digits."""
    middle, large = ((_I0_MIDDLE, _I0_LARGE), (_I1_MIDDLE, _I1_LARGE))[n]
    out = piecewise((y,), (y < 8, lambda y: polynomial(y - 6, middle)), (y >= 8, lambda y: polynomial(1 / y, large)))
    return _unscaled(out / np.sqrt(y), y, scaled)


def _unscaled(value: Array, y: Array, scaled: bool) -> Array:
    """The value, times e^y unless `scaled`. Where e^y overflows but the product may not, the value gets part of it."""
    if scaled:
        return value
    near = value * np.exp(np.minimum(y, 700))
    far = value * _PART_OF_EXP[1] * np.exp(np.minimum(y, 1e4) - _PART_OF_EXP[0])
    return np.where(y > 700, np.where(y > 1e4, math.inf, far), near)


def _taylor(n: int) -> tuple[float, ...]:
    """The coefficients of Iₙ(x) / xⁿ = Σ (x²/4)^k / (k! (n + k)! 2ⁿ), in terms of x²/4, for |x| < 8."""
    return tuple(1 / (math.factorial(k) * math.factorial(n + k) * 2**n) for k in range(24, -1, -1))


# I₁(x) / x in terms of x², for |x| < 8, for float32
_I1_FLOAT32 = (
    1.1460832451640963e-23, 2.3291947609270933e-21, 1.5456262162831017e-18, 5.153365891203708e-16,
    1.504265455397372e-13, 3.3632455960175416e-11, 5.651525939110622e-09, 6.781670155494767e-07,
    5.425348146727897e-05, 0.0026041666348843476, 0.06250000004273418, 0.5,
)  # fmt: skip


def _i1e_float32(x: Array) -> Array:
    """e^-|x| I₁(x) of float32 numbers, in float64."""
    y = abs(x)
    return piecewise(
        (x, y),
        (y < 8, lambda x, y: x * (polynomial(x * x, _I1_FLOAT32) * np.exp(-y))),
        (y >= 8, lambda x, _: _i1(x, True)),
    )


def _i1(x: Array, scaled: bool) -> Array:
    def small(y: Array) -> Array:
        return y * bessel_i_over_power(y, 1, scaled)

    y = abs(x)
    return np.copysign(piecewise((y,), (y < 4, small), (y >= 4, lambda y: _i_from_4(y, 1, scaled))), x)


class I0(Function):
    """I₀(x)."""

    symbol, promote = "I₀", promote

    def forward(self, x):
        return in_double(lambda x: bessel_i_over_power(abs(x), 0, False), x)

    def grad_x(self, grad, x):
        return grad * I1.apply(x)


def i0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The modified Bessel function of the first kind, of order 0.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.i0.

    >>> torch.i0(torch.tensor([0.0, 1.0, -2.0]))
    tensor([1.0000, 1.2661, 2.2796])
    """
    return into(out, I0.apply(input))


class I0e(Function):
    """e^-|x| I₀(x)."""

    symbol, operator, promote = "e⁻ˣI₀", "special_i0e", promote

    def forward(self, x):
        return in_double(lambda x: bessel_i_over_power(abs(x), 0, True), x)

    def grad_x(self, grad, x, out):
        slope = I1e.apply(x) - np.sign(x) * out
        far = np.absolute(x) >= _FAR
        if type(x) is not np.ndarray or far.any():  # the two terms nearly cancel
            slope = Where.apply(far, I0eDerivative.apply(x, n=1), slope)
        return grad * slope


def i0e(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """e^-|input| times `i0`. Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.i0e.

    >>> torch.special.i0e(torch.tensor([0.0, 1.0, -2.0]))
    tensor([1.0000, 0.4658, 0.3085])
    """
    return into(out, I0e.apply(input))


class I1(Function):
    """I₁(x)."""

    symbol, operator, promote = "I₁", "special_i1", promote

    def forward(self, x):
        return in_double(lambda x: _i1(x, False), x)

    def grad_x(self, grad, x):
        return grad * (I0.apply(x) - BesselIOverPower.apply(x, n=1, scaled=False))


def i1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The modified Bessel function of the first kind, of order 1.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.i1.

    >>> torch.special.i1(torch.tensor([0.0, 1.0, -2.0]))
    tensor([ 0.0000,  0.5652, -1.5906])
    """
    return into(out, I1.apply(input))


class I1e(Function):
    """e^-|x| I₁(x)."""

    symbol, operator, promote = "e⁻ˣI₁", "special_i1e", promote

    def forward(self, x):
        return in_double(_i1e_float32 if x.dtype == np.float32 else lambda x: _i1(x, True), x)

    def grad_x(self, grad, x, out):
        slope = I0e.apply(x) - BesselIOverPower.apply(x, n=1, scaled=True) - np.sign(x) * out
        far = np.absolute(x) >= _FAR
        if type(x) is not np.ndarray or far.any():  # e⁻ˣI₁ is e⁻ˣI₀ and its derivative, for x > 0
            sum_of_derivatives = np.sign(x) * I0eDerivative.apply(x, n=1) + I0eDerivative.apply(x, n=2)
            slope = Where.apply(far, sum_of_derivatives, slope)
        return grad * slope


def i1e(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """e^-|input| times `i1`. Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.i1e.

    >>> torch.special.i1e(torch.tensor([0.0, 1.0, -2.0]))
    tensor([ 0.0000,  0.2079, -0.2153])
    """
    return into(out, I1e.apply(input))


class BesselIOverPower(Function):
    """Iₙ(x) / xⁿ, times e^-|x| if `scaled`. Unscaled it has the derivative x · Iₙ₊₁(x) / xⁿ⁺¹, without cancellation."""

    symbol, operator, promote = "Iₙ/xⁿ", None, promote

    def forward(self, x):
        return in_double(lambda x: bessel_i_over_power(abs(x), self.n, self.scaled), x)

    def grad_x(self, grad, x, out):
        finite = np.where(np.isinf(x), 0, x) if self.scaled else x  # at infinity Iₙ₊₁(x) / xⁿ is 0, not infinity · 0
        slope = finite * BesselIOverPower.apply(x, n=self.n + 1, scaled=self.scaled)
        return grad * (slope - np.sign(x) * out if self.scaled else slope)


_FAR = 30.0  # from here on the series in I0eDerivative has all digits


class I0eDerivative(Function):
    """The n-th derivative of e^-|x| I₀(x) for |x| >= 30, without cancellation.

    It is (-1)ⁿ/π ∫ sⁿ e^-sx / √(s (2 - s)) ds over [0, 2] for positive x, whose series in 1/x Watson's lemma gives.
    """

    symbol, operator, promote = "(e⁻ˣI₀)⁽ⁿ⁾", None, promote

    def forward(self, x):
        return in_double(lambda x: _i0e_derivative(x, self.n), x)

    def grad_x(self, grad, x):
        return grad * I0eDerivative.apply(x, n=self.n + 1)


def _i0e_derivative(x: Array, n: int) -> Array:
    y = np.maximum(abs(x), _FAR)
    series = [math.gamma(n + 0.5) / (-1) ** n / (math.sqrt(2) * math.pi)]
    for k in range(24):
        series.append(series[-1] * (k + 0.5) * (n + k + 0.5) / (k + 1))
    out = polynomial(0.5 / y, tuple(series[::-1])) / (np.sqrt(y) * y**n)
    return np.copysign(out, -x) if n % 2 else out


def _k0(x: Array, scaled: bool) -> Array:
    def small(x: Array) -> Array:
        out = polynomial(x * x, _K0) - np.log(x) * polynomial(x * x / 4, _I0)
        return out * np.exp(x) if scaled else out

    return piecewise((x,), ((x >= 0) & (x < 1), small), (x >= 1, lambda x: _k_from_1(x, _K0_LARGE, scaled)))


def _k1(x: Array, scaled: bool) -> Array:
    def small(x: Array) -> Array:
        out = 1 / x + x * (polynomial(x * x, _K1) + np.log(x) * polynomial(x * x / 4, _I1))
        return np.where(x == 0, math.inf, out * np.exp(x) if scaled else out)

    return piecewise((x,), ((x >= 0) & (x < 1), small), (x >= 1, lambda x: _k_from_1(x, _K1_LARGE, scaled)))


def _k_from_1(x: Array, table: Any, scaled: bool) -> Array:
    """K(x) for x >= 1, times e^x if `scaled`."""
    u = 1 / x
    out = (_ROOT_HALF_PI[0] + (_ROOT_HALF_PI[1] + u * rational(u, *table))) / np.sqrt(x)
    return out if scaled else out * np.exp(-x)


ModifiedI0 = non_differentiable(
    "ModifiedI0", "special_modified_bessel_i0", lambda x: bessel_i_over_power(abs(x), 0, False)
)


def modified_bessel_i0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The modified Bessel function of the first kind, of order 0: `i0` without a derivative.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.modified_bessel_i0.

    >>> torch.special.modified_bessel_i0(torch.tensor([1.0, 2.0]))
    tensor([1.2661, 2.2796])
    """
    return into(out, ModifiedI0.apply(input))


ModifiedI1 = non_differentiable("ModifiedI1", "special_modified_bessel_i1", lambda x: _i1(x, False))


def modified_bessel_i1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The modified Bessel function of the first kind, of order 1: `i1` without a derivative.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.modified_bessel_i1.

    >>> torch.special.modified_bessel_i1(torch.tensor([1.0, 2.0]))
    tensor([0.5652, 1.5906])
    """
    return into(out, ModifiedI1.apply(input))


ModifiedK0 = non_differentiable("ModifiedK0", "special_modified_bessel_k0", lambda x: _k0(x, False))


def modified_bessel_k0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The modified Bessel function of the second kind, of order 0.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.modified_bessel_k0.

    >>> torch.special.modified_bessel_k0(torch.tensor([1.0, 2.0]))
    tensor([0.4210, 0.1139])
    """
    return into(out, ModifiedK0.apply(input))


ModifiedK1 = non_differentiable("ModifiedK1", "special_modified_bessel_k1", lambda x: _k1(x, False))


def modified_bessel_k1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The modified Bessel function of the second kind, of order 1.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.modified_bessel_k1.

    >>> torch.special.modified_bessel_k1(torch.tensor([1.0, 2.0]))
    tensor([0.6019, 0.1399])
    """
    return into(out, ModifiedK1.apply(input))


ScaledK0 = non_differentiable("ScaledK0", "special_scaled_modified_bessel_k0", lambda x: _k0(x, True))


def scaled_modified_bessel_k0(x: Tensor, *, out: Tensor | None = None) -> Tensor:
    """e^x times `modified_bessel_k0`.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.scaled_modified_bessel_k0.

    >>> torch.special.scaled_modified_bessel_k0(torch.tensor([1.0, 2.0]))
    tensor([1.1445, 0.8416])
    """
    return into(out, ScaledK0.apply(x))


ScaledK1 = non_differentiable("ScaledK1", "special_scaled_modified_bessel_k1", lambda x: _k1(x, True))


def scaled_modified_bessel_k1(x: Tensor, *, out: Tensor | None = None) -> Tensor:
    """e^x times `modified_bessel_k1`.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.scaled_modified_bessel_k1.

    >>> torch.special.scaled_modified_bessel_k1(torch.tensor([1.0, 2.0]))
    tensor([1.6362, 1.0335])
    """
    return into(out, ScaledK1.apply(x))
