"""Absolute values and signs."""

from __future__ import annotations

import math

import numpy as np

from ... import dtypes
from ...errors import DtypeError, KindError
from ...function import Function
from ...function.half import by_forward, unless_converted
from ...function.naming import with_torch_name
from ...type_aliases import Array, Operand, Tensor
from ..support import layouts
from ..support.bare import bare
from ..support.out import apply_into, into
from ..support.spelling import tensors_only
from .complex_numbers import conjugate, is_complex
from .operands import require_tensor, require_tensors
from .rounding import PiecewiseConstant
from .selection import Select


class Abs(Function):
    """|x|."""

    symbol, numpy, promote, native_half = "|x|", np.absolute, dtypes.only("iufc", list), True

    def forward(self, x):
        return np.absolute(x)

    def write(self, out, x):
        if x.dtype.kind == "c":
            raise DtypeError("in-place abs is not supported for complex tensors")
        np.absolute(x, out=out)

    def grad_x(self, grad, x):
        if is_complex(x) and layouts.expanded_axes(bare(grad)):
            x = layouts.in_rows(x)  # PyTorch converts the gradient to complex numbers, which then lie in C order
        return grad * conjugate(_sign_or_sgn(x))  # 0 for NaN, unlike np.sign


def abs(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """|input|; the derivative at 0 is 0. Of any shape; booleans raise RuntimeError. Source: torch.abs.

    >>> torch.abs(torch.tensor([-1.5, 2.0]))
    tensor([1.5000, 2.0000])
    """
    return apply_into(out, Abs, input, exact="" if out is None or input.is_complex() else "abs")


class Sign(PiecewiseConstant):
    """-1, 0 or 1 for real numbers, and 0 for NaN, as in PyTorch."""

    symbol, numpy, promote = "sign", np.sign, dtypes.only("biuf", list)

    @unless_converted
    def write(self, out, x):
        if x.dtype.kind == "f":
            np.subtract((x > 0).view(np.int8), (x < 0).view(np.int8), out=out)
        else:
            by_forward(self, out, x)

    def forward(self, x):
        if x.dtype.kind == "f":
            return np.subtract((x > 0).view(np.int8), (x < 0).view(np.int8)).astype(x.dtype)
        return np.sign(x) if x.dtype.kind != "b" else x.copy(layouts.copy_order(x))


class Sgn(Function):
    """x / |x| for complex numbers, and 0 at 0."""

    symbol = "sgn"

    def forward(self, x):
        modulus = np.absolute(x)
        return x / np.where(modulus == 0, 1, modulus)

    def grad_x(self, grad, x, out):
        modulus = np.absolute(x)
        modulus = np.where(modulus == 0, 1.0, modulus)
        return Select.apply(x != 0, (grad - np.real(grad * out) * np.conjugate(out)) / modulus)


def _sign_or_sgn(x: Array) -> Array:
    return (Sgn if is_complex(x) else Sign).apply(x)


@tensors_only
def sign(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """-1, 0 or 1; its derivative is 0. Source: torch.sign.

    Raises RuntimeError for complex numbers, which have `sgn`.

    >>> torch.sign(torch.tensor([-3.0, 0.0, 2.0]))
    tensor([-1.,  0.,  1.])
    """
    if input.is_complex():
        raise KindError("sign: is not supported for complex tensors; use sgn")
    return apply_into(out, Sign, input, exact="sign")


@tensors_only
def sgn(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The sign, also of complex numbers: input / |input|, and 0 at 0. Of any shape. Source: torch.sgn.

    >>> torch.sgn(torch.tensor([3 + 4j, 0]))
    tensor([0.6000+0.8000j, 0.0000+0.0000j])
    """
    return into(out, with_torch_name("SgnBackward0", _sign_or_sgn(input)), exact="sgn")


class CopySign(Function):
    """|a| with the sign of b."""

    symbol, numpy, promote = "copysign", np.copysign, dtypes.only("biuf", dtypes.promote_floating)
    operator = "copysign"

    def forward(self, a, b):
        return np.copysign(a, b)

    def grad_a(self, grad, a, out):
        return grad * (out / np.where(a == 0, math.inf, a))

    def grad_b(self, grad):
        return np.zeros_like(grad, order="C")


def copysign(input: Tensor, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """|input| with the sign of other, broadcast; integers give floating-point numbers.

    Raises RuntimeError if the shapes don't broadcast, and for complex numbers. Source: torch.copysign.

    >>> torch.copysign(torch.tensor([1.0, -2.0]), torch.tensor([-0.0, 3.0]))
    tensor([-1.,  2.])
    """
    return apply_into(out, CopySign, require_tensor("copysign", input), other)


class SignBit(Function):
    """Whether the sign bit is set, as it is for -0.0."""

    symbol, operator, numpy, promote = "signbit", "signbit", np.signbit, dtypes.only("biuf")

    def forward(self, x):
        return np.signbit(x) if x.dtype.kind == "f" else x < 0


def signbit(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether the sign bit is set, as it is for -0.0.

    Of any shape; complex numbers raise RuntimeError. Source: torch.signbit.

    >>> torch.signbit(torch.tensor([-0.0, 0.0, -1.0]))
    tensor([ True, False,  True])
    """
    return into(out, SignBit.apply(input), exact="signbit")


class Heaviside(PiecewiseConstant):
    """0 where x < 0, 1 where x > 0, and `values` where x is 0."""

    symbol, node_name, numpy, write = "heaviside", "NotImplemented", np.heaviside, by_forward

    @staticmethod
    def promote(arrays):
        x, values = arrays
        if x.dtype != values.dtype or x.dtype.kind == "c":
            what = "complex tensors" if "c" in (x.dtype.kind, values.dtype.kind) else "tensors with different dtypes"
            raise KindError(f"heaviside is not yet implemented for {what}.")
        return arrays

    def forward(self, x, values):
        return np.where(x == 0, values, x > 0).astype(x.dtype, copy=False)

    def grad_values(self, grad, x):
        return Select.apply(x == 0, grad)


@tensors_only
def heaviside(input: Tensor, values: Tensor, *, out: Tensor | None = None) -> Tensor:
    """0 where input < 0, 1 where input > 0, values where it is 0; broadcast.

    Raises RuntimeError if the shapes don't broadcast, and for complex numbers. Source: torch.heaviside.

    >>> torch.heaviside(torch.tensor([-1.5, 0.0, 2.0]), torch.tensor([0.5]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    return apply_into(out, Heaviside, *require_tensors("heaviside", input, values), exact="heaviside")


absolute = abs
