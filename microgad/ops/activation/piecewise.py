"""Piecewise linear activations, and Hardswish, which is piecewise quadratic."""

from __future__ import annotations

import math

import numpy as np

from ... import backend
from ... import generator as draws
from ...dtypes.limits import finfo
from ...dtypes.type_names import TYPE_NAMES
from ...errors import ArgumentError, DtypeError, KindError, ShapeError
from ...function import Function
from ...function.half import HALF, by_forward
from ...function.naming import with_torch_name
from ...state import observed
from ...type_aliases import Array, Tensor
from ..creation.scalars import checked_scalar
from ..dropout import Dropout
from ..elementwise import Flat, Select
from ..elementwise.selection_kernels import fast_select, fast_where
from ..support import layouts
from ..support.bare import bare
from ..support.blocks import apply_row, arithmetic, by_blocks, unbuffered, write_by_blocks
from ..support.out import into
from ..support.spelling import tensors_only
from .common import apply_activation, require_floating

HALF_MAX = 65504  # the largest float16 number: limits of other dtypes are above it


class PRelu(Function):
    """x where x > 0, else slope · x; slope is a number or an array that broadcasts."""

    symbol, promote, zero_link, elementwise = "prelu", staticmethod(require_floating), Flat, True
    saved_names = {"weight": "slope", "negative_slope": "slope"}
    exact_scalars = True

    def forward(self, x, slope):
        if _is_maximum(x, slope):
            if type(x) is np.ndarray and (x.ndim == 2 or not x.flags.c_contiguous):
                out = arithmetic(np.multiply, x, slope)
            else:
                with unbuffered(x, 1):
                    out = x * slope
            return np.maximum(x, out, out=out if out.ndim else None)
        if _needs_where(x, slope):
            return np.where(x > 0, x, x * slope)
        out = x.clip(-math.inf, 0)  # in a third of the time of minimum, a tenth of that of np.where
        with unbuffered(x, 1):
            apply_row(np.multiply, out, slope)
        write_by_blocks(_add_positive, out, x)
        return out

    def grad_x(self, grad, x, slope):
        if _needs_where(x, slope):
            return np.where(x > 0, grad, grad * slope)
        positive = np.astype(x > 0, x.dtype)
        if isinstance(slope, (int, float)) and _is_maximum(x, slope):
            return grad * np.clip(positive, slope, 1)
        return grad * (positive + slope * (1 - positive))

    def grad_slope(self, grad, x):
        return Select.apply(np.logical_not(x > 0), grad * x)


def _add_positive(out: Array, x: Array) -> None:
    out += x.clip(-0.0, math.inf)  # adding -0 keeps the sign of a 0


def _is_maximum(x: Array, slope: Array | float) -> bool:
    """Whether the result is max(x, slope · x), as 0 < slope <= 1. Arrays of slopes are checked for large x only."""
    if isinstance(slope, (int, float)):
        return 0 < slope <= 1
    return x.size >= 5000 and not backend.is_gpu(x) and bool(slope.min() > 0 and slope.max() <= 1)


def _needs_where(x: Array, slope: Array | float) -> bool:
    """Whether to use np.where: x is small, or on a GPU, or a slope isn't finite, which would make NaN of 0 · slope."""
    x, slope = bare(x), bare(slope)
    return x.size < 5000 or backend.is_gpu(x) or not math.isfinite(np.sum(slope))


@tensors_only
def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """input where input > 0, else negative_slope · input.

    Of any shape; integers raise RuntimeError. Source: torch.nn.functional.leaky_relu.

    >>> F.leaky_relu(torch.tensor([-1.0, 2.0]), 0.5)
    tensor([-0.5000,  2.0000])
    """
    return apply_activation(PRelu, input, float(negative_slope), inplace=inplace, name="LeakyRelu")


@tensors_only
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """input where input > 0, else weight · input. Source: torch.prelu.

    weight has one element, or one for each channel of input (N, C, ...), else RuntimeError is raised.

    >>> torch.prelu(torch.tensor([[-1.0, -1.0]]), torch.tensor([0.5, 0.25]))
    tensor([[-0.5000, -0.2500]])
    """
    if input.dtype != weight.dtype:
        raise DtypeError(f"prelu: Type promoting not supported. Got input {input.dtype} and weight {weight.dtype}")
    if weight.ndim > 1:
        raise ShapeError(f"prelu: weight must be a scalar or 1-D, but has shape {tuple(weight.shape)}")
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.numel() not in (1, channels):
        raise ShapeError(
            f"prelu: weight has {weight.numel()} elements, but input {tuple(input.shape)} needs {channels}"
        )
    return PRelu.apply(input, weight.reshape(() if weight.numel() == 1 else (channels, *(1,) * (input.ndim - 2))))


class RRelu(Dropout):
    """x · noise, where noise is 1 for x > 0 and a random slope for each other element."""

    symbol, node_name, zero_link, elementwise = "rrelu", "RreluWithNoise", Flat, False

    def forward(self, x):
        return layouts.contiguous(x * self.noise)


@tensors_only
@observed
def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False,
    generator: draws.Generator | None = None,
) -> Tensor:  # fmt: skip
    """leaky_relu with slopes drawn from [lower, upper), or, unless training, with their mean. Source: torch.rrelu.

    The draws are PyTorch's. See Xu et al. (2015). Raises RuntimeError where lower is more than upper.

    >>> _ = torch.manual_seed(2024)
    >>> F.rrelu(torch.tensor([-1.0, 2.0]), training=True)
    tensor([-0.1779,  2.0000])
    """
    if not lower <= upper:
        raise ArgumentError(f"rrelu: lower must be at most upper, but they are {lower} and {upper}")
    if not training:
        out = leaky_relu(input if inplace else input.contiguous(), (lower + upper) / 2, inplace)
        return with_torch_name("RreluWithNoiseBackward1" if inplace else "RreluWithNoise", out)
    x = input.array
    require_floating([x])
    low, high = float(x.dtype.type(lower)), float(x.dtype.type(upper))
    noise = backend.to_device(draws.rrelu_noise(backend.to_numpy(x), low, high, generator=generator), input.device)
    return apply_activation(RRelu, input, inplace=inplace, name="RreluWithNoise", noise=noise)


class Hardtanh(Function):
    """x clipped to [low, high]; on the bounds and beyond the derivative is 0."""

    symbol, zero_link, elementwise = "hardtanh", Flat, True

    def forward(self, x):
        return x.clip(self.low, self.high)

    def write(self, out, x):
        by_forward(self, out, x) if out.dtype == HALF else x.clip(self.low, self.high, out=out)

    def grad_x(self, grad, x):
        return Select.apply(self.within(x), grad)

    def within(self, x: Array) -> Array:
        """Where x is strictly between the bounds, or NaN."""
        return np.logical_not((x <= self.low) | (x >= self.high))


class HardtanhInPlace(Hardtanh):
    """Hardtanh written into x. Its derivative reads a mask, since programs may overwrite the result in turn."""

    operator, constants = "hardtanh_", ("inside",)

    def forward(self, x):
        self.inside = self.within(x)
        return x.clip(self.low, self.high)

    def write(self, out, x):
        self.inside = self.within(x)
        super().write(out, x)  # type: ignore[no-untyped-call]

    def grad_x(self, grad, inside):
        return Select.apply(inside, grad)


@tensors_only
def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Clip input to [min_val, max_val]; on the bounds the derivative is 0. Source: torch.nn.functional.hardtanh.

    Raises ValueError where min_val is more than max_val, RuntimeError for booleans and complex numbers.

    >>> F.hardtanh(torch.tensor([-2.0, 0.5]))
    tensor([-1.0000,  0.5000])
    """
    if min_val > max_val:
        raise ArgumentError(f"hardtanh: min_val cannot be greater than max_val, but they are {min_val} and {max_val}")
    kind = input.array.dtype.kind
    if kind in "bc" or (kind == "u" and min_val < 0):
        raise KindError(f"hardtanh: can't hold {input.dtype} between {min_val} and {max_val}; convert it")
    low, high = min_val, max_val
    if kind != "f":
        low, high = (checked_scalar("hardtanh", int(x), input.array.dtype) for x in (min_val, max_val))
    cls = HardtanhInPlace if inplace and input.requires_grad else Hardtanh  # otherwise no mask is needed
    return apply_activation(cls, input, inplace=inplace, low=low, high=high)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Clip input to [0, 6]. Of any shape; takes integers, but no booleans. Source: torch.nn.functional.relu6.

    >>> F.relu6(torch.tensor([-1.0, 2.0, 8.0]))
    tensor([0., 2., 6.])
    """
    return hardtanh(input, 0.0, 6.0, inplace)


class Hardsigmoid(Function):
    """relu6(x + 3) / 6."""

    symbol, promote = "hardsigmoid", staticmethod(require_floating)

    def forward(self, x):
        out = np.add(x, 3, out=layouts.empty_like(x))
        out.clip(0, 6, out)
        out /= 6
        return out

    def grad_x(self, grad, x):
        return Select.apply((x > -3) & (x < 3), grad) / 6


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """relu6(input + 3) / 6. Of any shape; integers raise RuntimeError. Source: torch.nn.functional.hardsigmoid.

    >>> F.hardsigmoid(torch.tensor([-4.0, 0.0, 1.5]))
    tensor([0.0000, 0.5000, 0.7500])
    """
    return apply_activation(Hardsigmoid, input, inplace=inplace)


class Hardswish(Function):
    """x · relu6(x + 3) / 6."""

    symbol, promote = "hardswish", staticmethod(require_floating)

    def forward(self, x):
        out = np.add(x, 3, out=layouts.empty_like(x))
        out.clip(0, 6, out)
        out *= x
        out /= 6
        return out

    def grad_x(self, grad, x):
        def slope(out: Array, grad: Array, x: Array) -> None:
            clipped = x.clip(-3, 3)
            np.absolute(clipped, out=out)
            out[...] = out < 3  # 1 between the corners, where the slope is (2x + 3) / 6; 0 beyond, where it is 0 or 1
            out += 1
            out *= clipped
            out += 3
            out *= grad
            out /= 6
            out += 0  # 0, not -0, below -3
            if backend.is_gpu(grad) or not math.isfinite(np.vdot(grad, grad)):
                out[clipped == -3] = 0  # not NaN of 0 · ∞

        return by_blocks(slope, grad, x)

    def decomposition(self, x):
        return Select.apply(np.logical_not(x <= -3), x * Hardsigmoid.apply(x))


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """input · hardsigmoid(input).

    Of any shape; integers raise RuntimeError. Source: torch.nn.functional.hardswish; Howard et al. (2019).

    >>> F.hardswish(torch.tensor([-4.0, 1.5, 4.0]))
    tensor([-0.0000,  1.1250,  4.0000])
    """
    return apply_activation(Hardswish, input, inplace=inplace)


class Threshold(Function):
    """x where x > bound, else value."""

    symbol, constants, zero_link, elementwise = "threshold", ("above",), Flat, True

    def forward(self, x):
        self.above = above = np.logical_not(x <= self.bound)
        return fast_select(above, x) if self.value == 0 else fast_where(above, x, self.value)

    def grad_x(self, grad, above):
        return Select.apply(above, grad)


@tensors_only
def threshold(
    input: Tensor, threshold: float, value: float, inplace: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """input where input > threshold, else value.

    Of any shape; takes integers. Raises RuntimeError for booleans and complex numbers.
    Source: torch.nn.functional.threshold; torch.threshold has `out`.

    >>> F.threshold(torch.tensor([0.5, 2.0]), 1, 20)
    tensor([20.,  2.])
    """
    if input.array.dtype.kind in "bc":
        raise KindError(f"threshold: is not implemented for {input.dtype}")
    if not input.dtype.is_floating_point:
        threshold, value = (checked_scalar("threshold", int(x), input.array.dtype) for x in (threshold, value))
    result = apply_activation(Threshold, input, inplace=inplace, name="Threshold", bound=threshold, value=value)
    return into(out, result)


class Hardshrink(Function):
    """x where |x| > bound, else 0."""

    symbol, promote, constants = "hardshrink", staticmethod(require_floating), ("beyond",)
    zero_link, elementwise = Flat, True

    def forward(self, x):
        self.beyond = beyond = np.logical_not(np.absolute(x) <= self.bound)
        return fast_select(beyond, x)

    def grad_x(self, grad, beyond):
        return Select.apply(beyond, grad)


@tensors_only
def hardshrink(input: Tensor, lambd: float = 0.5, *, out: Tensor | None = None) -> Tensor:
    """input where |input| > lambd, else 0.

    Of any shape; integers raise RuntimeError. Source: torch.nn.functional.hardshrink.

    >>> F.hardshrink(torch.tensor([-2.0, 0.25]))
    tensor([-2.,  0.])
    """
    return into(out, Hardshrink.apply(input, bound=lambd), exact="hardshrink")


class Softshrink(Function):
    """sign(x) · max(|x| - bound, 0)."""

    symbol, promote, zero_link = "softshrink", staticmethod(require_floating), Flat

    def forward(self, x):
        def shrink(out: Array, x: Array) -> None:
            x.clip(-self.bound, self.bound, out)
            np.subtract(x, out, out=out)

        out = by_blocks(shrink, x)
        # PyTorch computes 64 bytes at once, where 0 has no sign, and the rest singly: there it is -0 for negative x.
        bare = type(x) is np.ndarray
        rows, own = (a.ravel("K") for a in (out, x)) if bare and x.flags.forc else (out, x)
        if bare and own.strides[-1] == x.itemsize:
            whole = own.shape[-1] // (n := 64 // x.itemsize) * n
            rows, own = rows[..., whole:], own[..., whole:]
        np.copysign(rows, own, out=rows)
        return out

    def grad_x(self, grad, x):
        return Select.apply(np.logical_not(np.absolute(x) <= self.bound), grad)


@tensors_only
def softshrink(input: Tensor, lambd: float = 0.5, *, out: Tensor | None = None) -> Tensor:
    """sign(input) · max(|input| - lambd, 0). Source: torch.nn.functional.softshrink.

    Raises RuntimeError where lambd is negative or infinite.

    >>> F.softshrink(torch.tensor([-2.0, 0.25]))
    tensor([-1.5000,  0.0000])
    """
    if not 0 <= lambd <= HALF_MAX:
        limit = finfo(input.dtype).max if input.is_floating_point() else math.inf
        if not 0 <= lambd <= limit:
            kind = TYPE_NAMES[input.dtype]
            raise ArgumentError(f"lambda must be in range [0, {limit:g}] for input dtype {kind}, but found {lambd:g}")
    return into(out, Softshrink.apply(input, bound=lambd), exact="softshrink")


@tensors_only
def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Multiply the negative elements of input by negative_slope, in place. Source: torch.nn.functional.leaky_relu_.

    >>> F.leaky_relu_(torch.tensor([-1.0, 2.0]), 0.5)
    tensor([-0.5000,  2.0000])
    """
    return leaky_relu(input, negative_slope, True)


@observed
def rrelu_(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False,
    generator: draws.Generator | None = None,
) -> Tensor:  # fmt: skip
    """Multiply the negative elements of input by drawn slopes, in place: see `rrelu`. Source: torch.rrelu_.

    >>> F.rrelu_(torch.tensor([-1.0, 2.0]), 0.25, 0.75)
    tensor([-0.5000,  2.0000])
    """
    return rrelu(input, lower, upper, training, True, generator)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Clip the elements of input to [min_val, max_val], in place. Source: torch.nn.functional.hardtanh_.

    >>> F.hardtanh_(torch.tensor([-2.0, 0.5]))
    tensor([-1.0000,  0.5000])
    """
    return hardtanh(input, min_val, max_val, True)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """Write value where input <= threshold, in place.

    Raises as threshold does. Source: torch.threshold_.

    >>> F.threshold_(torch.tensor([0.5, 2.0]), 1, 20)
    tensor([20.,  2.])
    """
    return _threshold(input, threshold, value, True)


_threshold = threshold  # in threshold_, a parameter of that name hides the function
