"""Smooth activations: ELU and its variants, SiLU, GELU, Mish, softplus, log-sigmoid, softsign, tanhshrink, GLU.

Elementwise, of any shape, and of the input's floating-point dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ...backend.axes import slice_along
from ...errors import ArgumentError, KindError, ShapeError
from ...function import Function
from ...function.half import HALF
from ...state import composite
from ...type_aliases import Array, Tensor
from ..elementwise import Sigmoid
from ..elementwise.exponential import Share
from ..elementwise.selection_kernels import fast_maximum, fast_minimum
from ..movement.dims import wrap_dim
from ..special.error_function import Erfc
from ..support import fast_exp, layouts
from ..support.blocks import by_blocks, by_blocks_if_bare
from ..support.out import into
from ..support.spelling import tensors_only
from .common import apply_activation, require_floating

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al. (2017)


class Elu(Function):
    """scale · x where x > 0, else size · (exp(rate · x) - 1)."""

    symbol, promote = "elu", staticmethod(require_floating)
    scale, rate = 1.0, 1.0

    def forward(self, x):
        def elu(out: Array, x: Array) -> None:
            x.clip(-math.inf, 0, out)  # takes half the time of np.clip on small arrays
            out *= self.rate
            np.expm1(out, out=out)
            out *= self.size
            if math.isinf(self.size):
                out[x >= 0] = -0.0  # where 0 · inf is NaN
            above = x.clip(0, math.inf)
            above *= self.scale
            out += above

        return by_blocks(elu, x)

    def grad_x(self, grad, x):
        return by_blocks_if_bare(self._vjp, grad, x)

    def _vjp(self, out: Array | None, grad: Array, x: Array) -> Array:
        """grad · elu'(x), written into out unless that is None."""
        below = self.size * self.rate
        # At 0 and for NaN fmin returns its first argument, and x gets no second derivative, as in PyTorch.
        slope = np.multiply(np.fmin(0, x, out=out), self.rate, out=out)
        slope = np.multiply(np.exp(slope, out=out), below, out=out)
        if not math.isfinite(below):
            slope = np.where(x <= 0, slope, self.scale)
        elif below != self.scale:
            lower = np.astype(x <= 0, x.dtype)  # 0 for NaN, as in PyTorch
            slope = np.multiply(slope, lower, out=out)
            upper = 1 - lower
            upper *= self.scale
            slope = np.add(slope, upper, out=out)
        return np.multiply(slope, grad, out=out)


@tensors_only
def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """input where input > 0, else alpha · (exp(input) - 1).

    Of any shape; integers raise RuntimeError. Source: torch.nn.functional.elu.

    >>> F.elu(torch.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    return apply_activation(Elu, input, inplace=inplace, name="Elu", size=float(alpha))


@tensors_only
def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """1.0507 · elu(input, 1.6733), which keeps mean 0 and variance 1.

    Of any shape; integers raise RuntimeError. Source: torch.selu; Klambauer et al. (2017).

    >>> F.selu(torch.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """
    return apply_activation(Elu, input, inplace=inplace, name="Elu", size=SELU_SCALE * SELU_ALPHA, scale=SELU_SCALE)


@tensors_only
def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """input where input > 0, else alpha · (exp(input / alpha) - 1). Source: torch.celu; Barron (2017).

    Raises RuntimeError where alpha is 0.

    >>> F.celu(torch.tensor([-1.0, 2.0]), 2.0)
    tensor([-0.7869,  2.0000])
    """
    if alpha == 0:
        raise ArgumentError("celu: alpha must not be 0: ZeroDivisionError")
    return apply_activation(Elu, input, inplace=inplace, name="Celu", size=float(alpha), rate=1 / float(alpha))


class Silu(Function):
    """x · σ(x)."""

    symbol = "silu"

    @staticmethod
    def promote(arrays):
        return arrays if arrays[0].dtype.kind == "c" else require_floating(arrays)

    def forward(self, x):
        def silu(out: Array, x: Array) -> None:
            np.negative(x, out=out)
            np.exp(out, out=out)
            out += 1
            np.divide(x, out, out=out)

        return _saturating(silu, x)

    def grad_x(self, grad, x):
        def slope(out: Array, grad: Array, x: Array) -> None:
            np.negative(x, out=out)
            np.exp(out, out=out)
            _gated_slope(out, x)
            out *= grad

        return _saturating(slope, grad, x)

    def decomposition(self, x):
        return x * Share.apply(x)


def _saturating(formula: Callable[..., None], *inputs: Array) -> Array:
    """Compute `by_blocks` a formula that is right also where its exponentials or powers overflow or vanish."""
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        return by_blocks(formula, *inputs)


def _gated_slope(out: Array, growth: Array) -> None:
    """Write the derivative of x · σ(z), (1 + growth / (1 + eᶻ)) / (1 + e⁻ᶻ), into out. It holds e⁻ᶻ; growth is x · z'.

    Like PyTorch's, the result is NaN where x is infinite.
    """
    rest = np.reciprocal(out)
    rest += 1
    np.divide(growth, rest, out=rest)
    rest += 1
    out += 1
    np.divide(rest, out, out=out)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """input · sigmoid(input), also called swish.

    Of any shape; integers raise RuntimeError. Source: torch.nn.functional.silu; Elfwing et al. (2017).

    >>> F.silu(torch.tensor([0.0, 2.0]))
    tensor([0.0000, 1.7616])
    """
    return apply_activation(Silu, input, inplace=inplace)


class Gelu(Function):
    """x · Φ(x), where Φ is the standard normal distribution function."""

    symbol, promote = "gelu", staticmethod(require_floating)

    def forward(self, x):
        return _saturating(lambda out, x: _times_normal_cdf(out, x, x), x)

    def grad_x(self, grad, x):
        """grad · (Φ(x) + x · φ(x)) with the density φ(x) = exp(-x²/2) / √(2π)."""

        def slope(out: Array, grad: Array, x: Array) -> None:
            _times_normal_cdf(out, x, 1)
            density = x * x
            density *= -0.5
            np.exp(density, out=density)
            density *= INV_SQRT_2PI
            density *= x  # NaN where x is infinite, like PyTorch's
            out += density
            out *= grad

        return _saturating(slope, grad, x)

    def decomposition(self, x):
        return x * (0.5 * Erfc.apply(x * -math.sqrt(0.5)))


INV_SQRT_2PI = 1 / math.sqrt(2 * math.pi)
# log(Φ(x) / Φ(-x)) = x P(x²), so Φ(x) = 1 / (1 + exp(-x P(x²))). P, its highest power first, is a weighted minimax fit
# (Lawson's algorithm) with which Φ errs by at most 8.5e-8 / (1 + |x|).
_LOGIT = (
    3.687652995217586e-09, -2.703869135322912e-07, 7.996720605048627e-06, -0.0001109304533863154,
    -6.462534592703907e-05, 0.07266601066272332, 1.5957696977160927,
)  # fmt: skip


def _times_normal_cdf(out: Array, x: Array, factor: Array | float) -> None:
    """Write factor · Φ(x) into out: from erfc, or for float32 from the fit above."""
    if x.dtype != np.float32:
        np.multiply(0.5 * Erfc.apply(x * -math.sqrt(0.5)), factor, out=out)
        return
    square = x * x
    first, *rest = [c * fast_exp.RATE for c in _LOGIT]
    np.multiply(square, -first, out=out)
    for c in rest[:-1]:
        out -= c
        out *= square
    out -= rest[-1]
    out *= x
    _gate(out, factor)


def _gate(out: Array, factor: Array | float) -> None:
    """Write factor · σ(z) into out, which holds -z · RATE."""
    fast_exp.power(out, out=out)
    out += 1
    np.divide(factor, out, out=out)


class GeluTanh(Function):
    """x · (1 + tanh u) / 2 = x · σ(2u) with u = √(2/π) (x + 0.044715 x³), an approximation of x · Φ(x)."""

    symbol, operator, promote = "gelu", "gelu", staticmethod(require_floating)

    def forward(self, x):
        def gelu(out: Array, x: Array) -> None:
            np.square(x, out=out)
            _tanh_exponent(out, out, x)
            _gate(out, x)

        return _saturating(gelu, x)

    def grad_x(self, grad, x):
        def slope(out: Array, grad: Array, x: Array) -> None:
            growth = np.square(x)
            _tanh_exponent(out, growth, x)
            fast_exp.power(out, out=out)
            growth *= 6 * CUBE
            growth += 2 * SLOPE
            growth *= x  # 2u'x
            _gated_slope(out, growth)
            out *= grad

        return _saturating(slope, grad, x)

    def decomposition(self, x):
        return x * Share.apply(x * (2 * CUBE * x * x + 2 * SLOPE))


SLOPE = math.sqrt(2 / math.pi)
CUBE = 0.044715 * SLOPE  # u = SLOPE · x + CUBE · x³


def _tanh_exponent(out: Array, square: Array, x: Array) -> None:
    """Write -2u · RATE into out."""
    np.multiply(square, -2 * CUBE * fast_exp.RATE, out=out)
    out -= 2 * SLOPE * fast_exp.RATE
    out *= x


@tensors_only
def gelu(input: Tensor, approximate: str = "none", *, out: Tensor | None = None) -> Tensor:
    """input · Φ(input), Φ the normal distribution function. Source: torch.nn.functional.gelu; Hendrycks, Gimpel (2016).

    approximate="tanh" computes Φ from a tanh. Raises RuntimeError for anything but "none" and "tanh".

    >>> F.gelu(torch.tensor([-1.0, 2.0]))
    tensor([-0.1587,  1.9545])
    """
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"gelu: approximate argument must be either none or tanh, got '{approximate}'")
    cls = Gelu if approximate == "none" else GeluTanh
    if input.array.dtype == HALF:
        return into(out, cls.apply(input.float()).to(input.dtype), exact="gelu")
    return into(out, cls.apply(input), exact="gelu")


class Mish(Function):
    """x · tanh(log(1 + eˣ)).

    With eˣ = n/m and n, m <= 1, so that nothing overflows, tanh(log(1 + eˣ)) = n(n + 2m) / (n(n + 2m) + 2m²).
    """

    symbol, promote = "mish", staticmethod(require_floating)

    def forward(self, x):
        def mish(out: Array, x: Array) -> None:
            n, m = _exp_as_quotient(x)
            numerator = n * (n + 2 * m)
            np.divide(numerator, numerator + 2 * m * m, out=out)
            out *= x

        return by_blocks(mish, x)

    def grad_x(self, grad, x):
        return by_blocks_if_bare(self._vjp, grad, x)

    def _vjp(self, out: Array | None, grad: Array, x: Array) -> Array:
        """grad · mish'(x), written into out unless that is None."""
        n, m = _exp_as_quotient(x)
        numerator = n * (n + 2 * m)
        denominator = numerator + 2 * m * m
        slope = numerator + x * (4 * n * m * m * (n + m)) / denominator
        return np.divide(np.multiply(grad, slope, out=out), denominator, out=out)


def _exp_as_quotient(x: Array) -> tuple[Array, Array]:
    """(n, m) with n / m = eˣ and n, m <= 1."""
    return np.exp(fast_minimum(0, x)), np.exp(-fast_maximum(0, x))


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """input · tanh(softplus(input)).

    Of any shape; integers raise RuntimeError. Source: torch.nn.functional.mish; Misra (2019).

    >>> F.mish(torch.tensor([0.0, 2.0]))
    tensor([0.0000, 1.9440])
    """
    return apply_activation(Mish, input, inplace=inplace)


class Softplus(Function):
    """log(1 + eᵝˣ) / β, and x where βx > threshold."""

    symbol, promote = "softplus", staticmethod(require_floating)

    def forward(self, x):
        def softplus(out: Array, x: Array) -> None:
            y = x * self.beta
            np.abs(y, out=out)
            np.negative(out, out=out)
            np.exp(out, out=out)
            np.log1p(out, out=out)
            out += fast_maximum(0, y)
            out /= self.beta
            np.copyto(out, x, where=y > self.threshold)

        return by_blocks(softplus, x)

    def grad_x(self, grad, x):
        def slope(out: Array, grad: Array, x: Array) -> None:
            np.multiply(x, -self.beta, out=out)
            linear = np.astype(out < -self.threshold, x.dtype)
            np.exp(out, out=out)
            out += 1
            np.divide(1, out, out=out)
            np.maximum(out, linear, out=out)  # takes a tenth of the time of np.where
            out *= grad

        return _saturating(slope, grad, x)

    def decomposition(self, x):
        y = x * self.beta
        return np.where(y > self.threshold, x, np.logaddexp(y, 0.0) / self.beta)


@tensors_only
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0, *, out: Tensor | None = None) -> Tensor:
    """log(1 + exp(beta · input)) / beta; input where beta · input > threshold.

    Of any shape; integers raise RuntimeError. Source: torch.nn.functional.softplus.

    >>> F.softplus(torch.tensor([-1000.0, 0.0, 30.0]))
    tensor([ 0.0000,  0.6931, 30.0000])
    """
    return into(out, Softplus.apply(input, beta=float(beta), threshold=float(threshold)), exact="softplus")


class LogSigmoid(Function):
    """log(1 / (1 + e⁻ˣ)), by a formula that can't overflow."""

    symbol, promote = "log σ", staticmethod(require_floating)

    def forward(self, x):
        return layouts.contiguous(fast_minimum(0, x) - np.log1p(np.exp(-np.abs(x))))

    def grad_x(self, grad, x):  # not by -expm1(out): PyTorch keeps x, and programs negate the result in place
        return grad * Share.apply(-x)  # 1 - σ(x), with all digits, as its derivative has


def logsigmoid(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The logarithm of the sigmoid. Of any shape; integers raise RuntimeError. Source: torch.nn.functional.logsigmoid.

    >>> F.logsigmoid(torch.tensor([-1000.0, 0.0]))
    tensor([-1.0000e+03, -6.9315e-01])
    """
    return into(out, LogSigmoid.apply(input), exact="logsigmoid")


@composite
def softsign(input: Tensor) -> Tensor:
    """input / (1 + |input|). Source: torch.nn.functional.softsign.

    >>> F.softsign(torch.tensor([-1.0, 3.0]))
    tensor([-0.5000,  0.7500])
    """
    return input / (input.abs() + 1)


@composite
def tanhshrink(input: Tensor) -> Tensor:
    """input - tanh(input). Source: torch.nn.functional.tanhshrink.

    >>> F.tanhshrink(torch.tensor([0.0, 2.0]))
    tensor([0.0000, 1.0360])
    """
    return input - input.tanh()


class Glu(Function):
    """a · σ(b), where a and b are the two halves of x along an axis."""

    symbol = "glu"

    def forward(self, x):
        first, second = self._halves(x)
        self.gate = Sigmoid.apply(second)
        return np.multiply(first, self.gate, out=np.empty_like(self.gate))

    def grad_x(self, grad, x, gate):
        first, _ = self._halves(x)
        out = np.empty_like(x, order="C")
        grad_first, grad_second = self._halves(out)
        np.multiply(grad, gate, out=grad_first)
        np.subtract(1, gate, out=grad_second)
        grad_second *= gate
        grad_second *= first
        grad_second *= grad
        return out

    def decomposition(self, x):
        first, second = self._halves(x)
        return first * Share.apply(second)

    def _halves(self, x: Array) -> tuple[Array, Array]:
        half = x.shape[self.axis] // 2
        return x[slice_along(self.axis, 0, half)], x[slice_along(self.axis, half, 2 * half)]


@tensors_only
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half of input along dim, times the sigmoid of the second half. Source: torch.nn.functional.glu.

    Raises RuntimeError where the size of dim is odd. See Dauphin et al. (2016).

    >>> F.glu(torch.tensor([1.0, 2.0, 0.0, 0.0]))
    tensor([0.5000, 1.0000])
    """
    if input.ndim == 0:
        raise ShapeError("glu: does not support 0-dimensional tensors")
    if input.array.dtype.kind != "f":
        raise KindError(f"glu: is not implemented for {input.dtype}")
    axis = wrap_dim(dim, input.array.ndim, "glu")
    size = input.array.shape[axis]
    if size % 2:
        raise ShapeError(f"glu: Halving dimension must be even, but dimension {dim} is size {size}")
    return Glu.apply(input, axis=axis)


@tensors_only
def elu_(input: Tensor, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Tensor:
    """scale · elu(input, alpha) with exp(input_scale · input), in place. Source: torch.nn.functional.elu_.

    >>> F.elu_(torch.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    settings = {"size": float(alpha) * scale, "scale": float(scale), "rate": float(input_scale)}
    return apply_activation(Elu, input, inplace=True, name="Elu", **settings)


@tensors_only
def selu_(input: Tensor) -> Tensor:
    """Write scale · elu(input) into input: see `selu`. Source: torch.selu_.

    >>> torch.selu_(torch.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """
    return selu(input, True)


@tensors_only
def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Write alpha · (exp(input / alpha) - 1) where input is negative, in place: see `celu`. Source: torch.celu_.

    >>> torch.celu_(torch.tensor([-1.0, 2.0]), 2.0)
    tensor([-0.7869,  2.0000])
    """
    return celu(input, alpha, True)
