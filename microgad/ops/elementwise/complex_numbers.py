"""Complex numbers: real and imaginary parts, conjugates, angles, and complex numbers made of two real ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import backend, dtypes
from ...dtypes.type_names import TYPE_NAMES
from ...engine.transforms import transposes_tangent
from ...errors import DtypeError, KindError, ShapeError
from ...function import Function
from ...type_aliases import Array, Tensor
from ...view_writes.mirrors import Mirror
from ..support import fast_numpy, layouts
from ..support.bare import bare
from ..support.out import into
from ..support.spelling import tensors_only

# These derivatives are PyTorch's complex gradients as they stand, so the engine must not conjugate them again:
# `conjugates` is off.


class Conj(Function):
    """The complex conjugate."""

    symbol, numpy, conjugates = "conj", np.conjugate, False

    def forward(self, x):
        return np.conjugate(x)

    def grad_x(self, grad):
        return np.conjugate(grad)


@tensors_only
def conj(input: Tensor) -> Tensor:
    """The complex conjugate; a real input is returned as it is. Source: torch.conj.

    The result is a copy that later writes to input change too. PyTorch's is a view whose conjugate bit is set, so a
    write to the result raises RuntimeError as long as input's memory exists.

    >>> torch.conj(torch.tensor([1 + 2j]))
    tensor([1.-2.j])
    """
    if not input.is_complex():
        return input
    result: Tensor = Conj.apply(input)
    mirror = Mirror(input, result, Conj)
    if result._version_counter is None:
        result._version_counter = mirror
    else:  # of an inference tensor
        result._own_links().mirror = mirror
    return result


@tensors_only
def conj_physical(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The complex conjugate; a real input is returned as it is. Of any shape. Source: torch.conj_physical.

    >>> torch.conj_physical(torch.tensor([1 + 2j]))
    tensor([1.-2.j])
    """
    result = Conj.apply(input) if input.is_complex() else input if out is None else input.clone()
    return into(out, result, exact="conj_physical")


def is_complex(x: Array) -> bool:
    """Whether an array, or a Tensor that a derivative is computed on, is complex."""
    return bare(x).dtype.kind == "c"


def conjugate(x: Array) -> Array:
    """The complex conjugate of an array or a Tensor; a real one is returned as it is."""
    return np.conjugate(x) if is_complex(x) else x


def resolve_conj(input: Tensor) -> Tensor:
    """Return input, or a copy of a conjugate that can't be written to: see `conj`. Source: torch.resolve_conj.

    >>> torch.resolve_conj(torch.tensor([1 + 2j]).conj())
    tensor([1.-2.j])
    """
    return input.clone() if type(input._version_counter) is Mirror and input._version_counter.has_source else input


def resolve_neg(input: Tensor) -> Tensor:
    """Return input: microgad's Tensors have no negative bit to resolve. Source: torch.resolve_neg.

    >>> torch.resolve_neg(torch.tensor([1 + 2j]).conj().imag)
    tensor([-2.])
    """
    return input


def is_conj(input: Tensor) -> bool:
    """Return False: microgad's Tensors have no conjugate bit. Source: torch.is_conj.

    >>> torch.is_conj(torch.tensor([1 + 2j]).conj())
    False
    """
    return False


def is_neg(input: Tensor) -> bool:
    """Return False: microgad's Tensors have no negative bit. Source: torch.is_neg.

    >>> torch.is_neg(torch.tensor([1 + 2j]).conj().imag)
    False
    """
    return False


class Real(Function):
    """The real part."""

    symbol, node_name, numpy, may_share, conjugates = "real", "Select", np.real, True, False

    def forward(self, x):
        return np.real(x)

    def grad_x(self, grad):
        return grad


@tensors_only
def real(input: Tensor) -> Tensor:
    """The real part, as a view; a real input is returned as it is. Of any shape. Source: torch.real.

    >>> torch.real(torch.tensor([1 + 2j]))
    tensor([1.])
    """
    return Real.apply(input) if input.is_complex() else input


class Imag(Function):
    """The imaginary part."""

    symbol, node_name, numpy, may_share, conjugates = "imag", "Select", np.imag, True, False

    def forward(self, x):
        return np.imag(x)

    def grad_x(self, grad):
        return Complex.apply(backend.make_like(np.zeros_like, grad, shape=()), grad)  # ∞ · 1j would be NaN + ∞i


@tensors_only
def imag(input: Tensor) -> Tensor:
    """The imaginary part, as a view. Source: torch.imag.

    Raises RuntimeError for real numbers.

    >>> torch.imag(torch.tensor([1 + 2j]))
    tensor([2.])
    """
    if not input.is_complex():
        raise DtypeError("imag: is not implemented for tensors with non-complex dtypes, got " + repr(input.dtype))
    return Imag.apply(input)


class Angle(Function):
    """The angle of x in the complex plane, which is 0 or π for real numbers."""

    symbol, numpy, promote = "angle", np.angle, dtypes.promote_floating

    def forward(self, x):
        if x.dtype.kind == "c":
            return layouts.row_major(np.arctan2(np.imag(x), np.real(x)))  # PyTorch keeps only real numbers' strides
        out, nan = (x < 0).astype(x.dtype), x != x
        out *= math.pi
        return layouts.match_strides(np.where(nan, x, out) if nan.any() else out, x)

    def grad_x(self, grad, x):
        if not is_complex(x):
            return layouts.zeros_like(x)
        zero = x == 0
        return np.where(zero, 0.0, grad * -1j / np.where(zero, 1.0, x))


def angle(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The angle in the complex plane, in radians; 0 or π for real numbers.

    Of any shape; integers become floating-point. Source: torch.angle.

    >>> torch.angle(torch.tensor([1j, -1, 1]))
    tensor([1.5708, 3.1416, 0.0000])
    """
    return into(out, Angle.apply(input))


def _check_same_floats(arrays: Any) -> Any:
    """Return both arrays. Raises RuntimeError unless they are both float32, or both float64."""
    a, b = (x.dtype for x in arrays)
    if {a, b} - {dtypes.float32.dtype, dtypes.float64.dtype}:
        raise KindError(
            f"Expected both inputs to be Half, Float or Double tensors but got {TYPE_NAMES[a]} and {TYPE_NAMES[b]}"
        )
    if a != b:
        raise DtypeError(
            f"Expected object of scalar type {TYPE_NAMES[a]} but got scalar type {TYPE_NAMES[b]} for second argument"
        )
    return arrays


class Complex(Function):
    """a + b·i."""

    symbol, promote, conjugates, elementwise = "a + bi", staticmethod(_check_same_floats), False, True

    def forward(self, a, b):
        return _from_parts(a, b)

    def grad_a(self, grad):
        return np.real(grad)

    def grad_b(self, grad):
        return np.imag(grad)


def _from_parts(a: Array, b: Array) -> Array:
    """a + bi. NumPy's a + 1j * b won't do, because 1j · ∞ is NaN + ∞i."""
    like = a if a.ndim >= b.ndim else b  # the result is laid out in memory like this one
    z = np.empty_like(like, shape=fast_numpy.broadcast_shapes(a.shape, b.shape), dtype=np.result_type(a, np.complex64))
    z.real, z.imag = a, b
    return z


@tensors_only
def complex(real: Tensor, imag: Tensor, *, out: Tensor | None = None) -> Tensor:
    """real + imag·i, broadcast, of two Tensors of the same floating dtype. Source: torch.complex.

    Two Tensors of float16 give complex64: NumPy has no complex32, in which PyTorch implements few operations. Raises
    RuntimeError if the shapes don't broadcast, and for integers, booleans and complex numbers.

    >>> torch.complex(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    tensor([1.+3.j, 2.+4.j])
    """
    return into(out, Complex.apply(real, imag), exact="complex")


class Polar(Function):
    """abs · e^(angle·i). The gradient of abs, unlike a tangent, has as in PyTorch the sign of abs: it is 0 at 0."""

    symbol, promote, conjugates, elementwise = "polar", staticmethod(_check_same_floats), False, True

    def forward(self, abs, angle):
        return _from_parts(abs * np.cos(angle), abs * np.sin(angle))

    def grad_abs(self, grad, abs, angle):
        found = np.real(grad) * np.cos(angle) + np.imag(grad) * np.sin(angle)
        return found if transposes_tangent() else found * np.sign(abs)

    def grad_angle(self, grad, out):
        return np.imag(grad) * np.real(out) - np.real(grad) * np.imag(out)


@tensors_only
def polar(abs: Tensor, angle: Tensor, *, out: Tensor | None = None) -> Tensor:
    """abs · (cos(angle) + sin(angle)·i), of two float32 or two float64 Tensors.

    As in PyTorch, the gradient of abs is 0 where abs is 0, and has the other sign where it is negative. Raises
    RuntimeError if the shapes don't broadcast, and for integers, booleans and complex numbers. Source: torch.polar.

    >>> torch.polar(torch.tensor([2.0]), torch.tensor([0.0]))
    tensor([2.+0.j])
    """
    _check_same_floats((abs.array, angle.array))  # also float16, which Polar would be given in float32
    return into(out, Polar.apply(abs, angle), exact="polar")


class ViewAsReal(Function):
    """A view of complex numbers as (real, imaginary) pairs along a new last dimension."""

    symbol, may_share, conjugates = "as real", True, False

    def forward(self, x):
        return x[..., None].view(np.finfo(x.dtype).dtype)

    def grad_x(self, grad):
        return ViewAsComplex.apply(layouts.in_rows(grad))


@tensors_only
def view_as_real(input: Tensor) -> Tensor:
    """View complex numbers as (real, imaginary) pairs along a new last dimension.

    (...) -> (..., 2). Raises RuntimeError for real numbers. Source: torch.view_as_real.

    >>> torch.view_as_real(torch.tensor([1 + 2j]))
    tensor([[1., 2.]])
    """
    if not input.is_complex():
        raise DtypeError(f"view_as_real: is only supported for complex tensors, got {input.dtype}")
    return ViewAsReal.apply(input)


class ViewAsComplex(Function):
    """A view of (real, imaginary) pairs along the last dimension as complex numbers."""

    symbol, may_share, conjugates = "as complex", True, False

    def forward(self, x):
        x = x if x.size and x.strides[-1] == x.itemsize else x.copy()  # a gradient may have any strides
        return x.view(np.result_type(x, np.complex64))[..., 0]

    def grad_x(self, grad):
        return ViewAsReal.apply(grad)


@tensors_only
def view_as_complex(input: Tensor) -> Tensor:
    """View (real, imaginary) pairs along the last dimension as complex numbers. Source: torch.view_as_complex.

    Raises RuntimeError where the last dimension's size isn't 2, or its stride isn't 1.

    >>> torch.view_as_complex(torch.tensor([[1.0, 2.0]]))
    tensor([1.+2.j])
    """
    if not input.is_floating_point() or input.element_size() < 4:
        raise DtypeError(f"view_as_complex: is only supported for float32 and float64 tensors, got {input.dtype}")
    if not input.ndim:
        raise ShapeError("view_as_complex: Input tensor must have one or more dimensions")
    if input.shape[-1] != 2:
        raise ShapeError(
            f"view_as_complex: Tensor must have a last dimension of size 2, got shape {tuple(input.shape)}"
        )
    *others, last = input.stride()
    if input.numel() and last != 1:
        raise ShapeError(f"view_as_complex: Tensor must have a last dimension with stride 1, got {input.stride()}")
    if input.numel() and any(stride % 2 for stride in others):
        raise ShapeError(
            "view_as_complex: Tensor must have a stride divisible by 2 for all but last dimension, got "
            f"{input.stride()}"
        )
    return ViewAsComplex.apply(input)
