"""Rounding, fractional parts, and neighboring floating-point numbers."""

from __future__ import annotations

import numpy as np

from ... import dtypes
from ...errors import KindError
from ...function import Function
from ...function.half import by_forward, unless_converted
from ...type_aliases import Array, Tensor
from ..support import fast_numpy, layouts
from ..support.blocks import in_blocks
from ..support.out import apply_into
from ..support.spelling import tensors_only
from .operands import require_tensors
from .selection import Select

LARGE = 1 << 13  # elements, beyond which `_nextafter_by_bits` is faster than np.nextafter, which isn't vectorized


class PiecewiseConstant(Function):
    """A piecewise constant function, whose derivative is 0."""

    def grad_x(self, grad):
        return layouts.zeros_like(grad)


class Ceil(PiecewiseConstant):
    """The smallest integer that is at least x."""

    symbol, numpy, promote = "⌈x⌉", np.ceil, dtypes.only("iuf")

    def forward(self, x):
        return np.ceil(x)


def ceil(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Round up to integers; the derivative is 0.

    Of any shape; booleans and complex numbers raise RuntimeError. Source: torch.ceil.

    >>> torch.ceil(torch.tensor([-1.5, 1.2]))
    tensor([-1.,  2.])
    """
    return apply_into(out, Ceil, input, exact="ceil")


class Floor(PiecewiseConstant):
    """The largest integer that is at most x."""

    symbol, numpy, promote = "⌊x⌋", np.floor, dtypes.only("iuf")

    def forward(self, x):
        return np.floor(x)


def floor(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Round down to integers; the derivative is 0.

    Of any shape; booleans and complex numbers raise RuntimeError. Source: torch.floor.

    >>> torch.floor(torch.tensor([-1.5, 1.2]))
    tensor([-2.,  1.])
    """
    return apply_into(out, Floor, input, exact="floor")


class Trunc(PiecewiseConstant):
    """The integer part of x."""

    symbol, numpy, promote = "trunc", np.trunc, dtypes.only("iuf")

    def forward(self, x):
        return np.trunc(x)


def trunc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Round towards 0, to integers; the derivative is 0.

    Of any shape; booleans and complex numbers raise RuntimeError. Source: torch.trunc.

    >>> torch.trunc(torch.tensor([-1.5, 1.2]))
    tensor([-1.,  1.])
    """
    return apply_into(out, Trunc, input, exact="trunc")


class Round(PiecewiseConstant):
    """x rounded to `decimals` places after the point, or before it if negative; halves go to the even neighbor."""

    symbol, numpy, promote = "round", np.round, dtypes.only("iuf")

    def forward(self, x):
        if self.decimals and x.dtype.kind != "f":
            raise KindError(f"decimals={self.decimals} is not implemented for {x.dtype}")
        return layouts.match_strides(np.round(x, self.decimals), x)

    @unless_converted
    def write(self, out, x):
        np.round(x, self.decimals, out=out) if x.dtype.kind == "f" else by_forward(self, out, x)


@tensors_only
def round(input: Tensor, *, decimals: int = 0, out: Tensor | None = None) -> Tensor:
    """Round to a number of decimals, halves to the even neighbor; the derivative is 0.

    Of any shape; booleans and complex numbers raise RuntimeError. Source: torch.round.

    >>> torch.round(torch.tensor([0.5, 1.5, -2.5]))
    tensor([ 0.,  2., -2.])
    >>> torch.round(torch.tensor([1.2345]), decimals=2)
    tensor([1.2300])
    """
    return apply_into(out, Round, input, decimals=decimals, exact="round")


class Frac(Function):
    """x - trunc(x)."""

    symbol, promote = "frac", dtypes.only("f")

    def forward(self, x):
        integer = np.trunc(x, out=layouts.empty_like(x))
        return np.subtract(x, integer, out=integer)

    @unless_converted
    def write(self, out, x):
        np.subtract(x, np.trunc(x), out=out)

    def grad_x(self, grad):
        return grad


def frac(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The fractional part, with the sign of input.

    Of any shape; integers, booleans and complex numbers raise RuntimeError. Source: torch.frac.

    >>> torch.frac(torch.tensor([1.25, -1.25]))
    tensor([ 0.2500, -0.2500])
    """
    return apply_into(out, Frac, input, exact="frac")


def _nextafter_by_bits(a: Array, b: Array) -> Array:
    """np.nextafter by integer steps: read as integers, neighboring floats of one sign differ by 1."""
    negative = (a < 0).view(np.int8)
    step = (b > a).view(np.int8) - (b < a).view(np.int8)
    step = (step ^ -negative) + negative  # -step where a is negative (two's complement)
    out = (a.view(f"i{a.itemsize}") + step).view(a.dtype)
    other = (a == 0) | (b != b)
    if other.any():
        out[other] = np.nextafter(a[other], b[other])
    return out


class NextAfter(Function):
    """The next floating-point number after a in the direction of b."""

    symbol, operator, numpy, promote = "nextafter", "nextafter", np.nextafter, dtypes.only("f")
    native_half = True  # float16 has other neighbors than float32

    def forward(self, a, b):
        return in_blocks(_nextafter_by_bits, a, b) if fast_numpy.result_size(a, b) > LARGE else np.nextafter(a, b)

    def grad_a(self, grad, a, b):
        return Select.apply(a != b, grad)

    def grad_b(self, grad):
        return np.zeros_like(grad, order="C")


def nextafter(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The next floating-point number after input in the direction of other.

    Raises RuntimeError if the shapes don't broadcast, and for integers, booleans and complex numbers.
    Source: torch.nextafter.

    >>> torch.nextafter(torch.tensor([1.0]), torch.tensor([2.0])) - 1 == torch.finfo(torch.float32).eps
    tensor([True])
    """
    return apply_into(out, NextAfter, *require_tensors("nextafter", input, other))


fix = trunc
