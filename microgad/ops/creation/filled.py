"""Tensors of a given shape: uninitialized, filled with one value, or an identity matrix."""

from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Unpack, overload

import numpy as np

from ... import backend, dtypes, function
from ...backend import memory_formats, meta, uninitialized
from ...backend.axis_order import inverse
from ...backend.meta import as_zeros
from ...dtypes.unsupported import unsupported_dtype
from ...errors import ArgumentError, DtypeError, GraphError, ShapeError
from ...errors.arguments import as_sizes, is_sequence
from ...size import Size
from ...type_aliases import (
    Array,
    Device,
    Dtype,
    EmptyOptions,
    GivenInt,
    Layout,
    MemoryFormat,
    Operand,
    OutOptions,
    Tensor,
)
from ..support import layouts
from ..support.out import into
from ..support.spelling import tensors_only
from .data import as_tensor, check_layout, from_array
from .scalars import as_scalar, checked_scalar


def parse_shape(op: str, size: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the shape given by sizes, one by one or in a sequence. Raises RuntimeError for negative or huge ones."""
    sizes = tuple(size[0]) if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    shape = as_sizes(op, "size", sizes)
    if shape and min(shape) < 0:
        raise ArgumentError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
    if math.prod(filter(None, shape)) >= 2**60:  # PyTorch's and NumPy's limit, also for empty ones
        raise ArgumentError(f"Storage size calculation overflowed with sizes={list(shape)}")
    return shape


def numpy_dtype(dtype: Any) -> np.dtype[Any]:
    """Return the NumPy dtype of a dtype; None stands for the default floating dtype."""
    return (dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype)).dtype


def resolve_dtype(op: str, dtype: Any, out: Tensor | None) -> Any:
    """Return dtype, or that of `out`. Raises RuntimeError if both are given and differ."""
    if out is None:
        return dtype
    if dtype is not None and out.dtype != dtypes.of(dtype):
        raise DtypeError(f"{op}: dtype {dtypes.of(dtype)} does not match dtype of out parameter ({out.dtype})")
    return out.dtype


def from_array_into(out: Tensor | None, array: Array, device: Any, requires_grad: bool) -> Tensor:
    """Wrap an array as a new Tensor, or write it into `out`, whose device is used unless one is given.

    A 1-dimensional array of as many elements as `out` takes the shape of `out`.
    """
    if out is not None and array.ndim == 1 and array.size == out.array.size:
        array = array.reshape(out.array.shape)
    where = backend.chosen(device) if device is not None or out is None else out.device
    made = from_array(array, where, requires_grad)
    if out is None:
        return made
    into(out, made.detach(), quiet=True)
    return out.requires_grad_(bool(requires_grad)) if out.is_leaf else out  # also switches it off, as in PyTorch


def _filled(
    op: str, make: Any, size: tuple[Any, ...], out: Any, dtype: Any, layout: Any, device: Any, requires_grad: bool,
    memory_format: Any = None,
) -> Tensor:  # fmt: skip
    check_layout(op, layout)
    shape, dtype = parse_shape(op, size), resolve_dtype(op, dtype, out)
    if out is not None and make is np.empty and (device is None or backend.device(device) == out.device):
        with contextlib.suppress(GraphError):  # other views share its memory, which is too small: it gets another one
            out.resize_(shape)  # its values stay
            return out.requires_grad_(bool(requires_grad)) if out.is_leaf else out
    result_dtype = dtype.without_values if 0 in shape and isinstance(dtype, unsupported_dtype) else numpy_dtype(dtype)
    where = None if out is not None else backend.chosen(device)
    new = make if where is None else meta.empty if backend.device(where) == meta.META else _maker(make, where)
    array = in_memory_format(op, lambda shape: new(shape, result_dtype), shape, memory_format)
    if make is np.empty:
        uninitialized.filled(array)
    return from_array_into(out, array, device, requires_grad)


def _maker(make: Any, where: Any) -> Any:
    """NumPy's function for new arrays, as `np.zeros`, or CuPy's if they are to be on a GPU: no copy takes memory."""
    on_cpu = where is None or (place := backend.device(where)).type != "cuda"
    return make if on_cpu else getattr(backend.on_gpu(place), make.__name__)


def in_memory_format(op: str, make: Callable[[Any], Any], shape: tuple[int, ...], memory_format: Any) -> Array:
    """Return make(shape) with strides in a memory format. Raises RuntimeError for preserve_format."""
    if memory_format is None:
        return make(shape)
    if memory_format is memory_formats.preserve_format:
        raise ArgumentError(f"{op}: unsupported memory format option Preserve: there is no input to take it from")
    axes = memory_formats.axes_of_format(op, memory_format, len(shape))
    return make(tuple(shape[i] for i in axes)).transpose(inverse(axes))


@overload
def empty(size: int, /, *sizes: int, **options: Unpack[EmptyOptions]) -> Tensor: ...
@overload
def empty(size: Sequence[int], **options: Unpack[EmptyOptions]) -> Tensor: ...
@tensors_only
def empty(
    size: Any, *sizes: Any, out: Tensor | None = None, dtype: Dtype = None, layout: Layout = None,
    device: Device = None, requires_grad: bool = False, pin_memory: bool | None = False,
    memory_format: MemoryFormat = None,
) -> Tensor:  # fmt: skip
    """An uninitialized Tensor, in a memory_format if one is given.

    Raises RuntimeError for a negative size. Source: torch.empty.

    >>> torch.empty(2, 3).shape
    torch.Size([2, 3])
    """
    return _filled("empty", np.empty, (size, *sizes), out, dtype, layout, device, requires_grad, memory_format)


@overload
def zeros(size: int, /, *sizes: int, **options: Unpack[OutOptions]) -> Tensor: ...
@overload
def zeros(size: Sequence[int], **options: Unpack[OutOptions]) -> Tensor: ...
@tensors_only
def zeros(
    size: Any, *sizes: Any, out: Tensor | None = None, dtype: Dtype = None, layout: Layout = None,
    device: Device = None, requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """A Tensor filled with zeros. Raises RuntimeError for a negative size. Source: torch.zeros.

    >>> torch.zeros(2)
    tensor([0., 0.])
    """
    return _filled("zeros", np.zeros, (size, *sizes), out, dtype, layout, device, requires_grad)


@overload
def ones(size: int, /, *sizes: int, **options: Unpack[OutOptions]) -> Tensor: ...
@overload
def ones(size: Sequence[int], **options: Unpack[OutOptions]) -> Tensor: ...
@tensors_only
def ones(
    size: Any, *sizes: Any, out: Tensor | None = None, dtype: Dtype = None, layout: Layout = None,
    device: Device = None, requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """A Tensor filled with ones. Raises RuntimeError for a negative size. Source: torch.ones.

    >>> torch.ones(2, dtype=torch.int64)
    tensor([1, 1])
    """
    return _filled("ones", np.ones, (size, *sizes), out, dtype, layout, device, requires_grad)


@tensors_only
def full(
    size: Sequence[int], fill_value: Operand, *, out: Tensor | None = None, dtype: Dtype = None,
    layout: Layout = None, device: Device = None, requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """A Tensor filled with one value, whose type gives the dtype by default.

    Raises RuntimeError for a negative size, TypeError unless the value is a number. Source: torch.full.

    >>> torch.full((2,), 7)
    tensor([7, 7])
    """
    check_layout("full", layout)
    value, dtype = as_scalar("full", "fill_value", fill_value), resolve_dtype("full", dtype, out)
    result_dtype = dtypes.of_number(value) if dtype is None else dtypes.of(dtype).dtype
    array = _maker(np.full, backend.chosen(device) if out is None else None)(
        parse_shape("full", (as_sizes("full", "size", size),)),
        checked_scalar("full", value, result_dtype),
        result_dtype,
    )
    return from_array_into(out, array, device, requires_grad)


@tensors_only
def eye(
    n: int, m: GivenInt = None, *, out: Tensor | None = None, dtype: Dtype = None, layout: Layout = None,
    device: Device = None, requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """An (n, m) matrix with ones on the diagonal and zeros elsewhere.

    Raises RuntimeError for a negative n or m. Source: torch.eye.

    >>> torch.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    check_layout("eye", layout)
    m = n if m is None else m
    for name, size in (("n", n), ("m", m)):
        if size < 0:
            raise ArgumentError(f"eye: {name} must be greater or equal to 0, got {size}")
    parse_shape("eye", (n, m))  # raises if the memory would be too large
    array = np.eye(n, m, dtype=numpy_dtype(resolve_dtype("eye", dtype, out)))
    return from_array_into(out, array, device, requires_grad)


@tensors_only
def empty_strided(
    size: Sequence[int], stride: Sequence[int], *, dtype: Dtype = None, layout: Layout = None, device: Device = None,
    requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """An uninitialized Tensor with the given strides.

    Raises RuntimeError for other numbers of sizes and strides. Source: torch.empty_strided.

    >>> torch.empty_strided((2, 3), (1, 2)).stride()
    (1, 2)
    """
    check_layout("empty_strided", layout)
    shape, result_dtype = parse_shape("empty_strided", (tuple(size),)), numpy_dtype(dtype)
    if len(shape) != len(stride):
        raise ShapeError(f"dimensionality of sizes ({len(shape)}) must match dimensionality of strides ({len(stride)})")
    if min(stride, default=0) < 0:
        raise ArgumentError(f"empty_strided: strides can't be negative, got {list(stride)}")
    span = 0 if 0 in shape else 1 + sum((n - 1) * s for n, s in zip(shape, stride, strict=True))
    parse_shape("empty_strided", (span,))  # raises if the memory would be too large
    where = backend.chosen(device)
    memory = from_array(uninitialized.filled(_maker(np.empty, where)(span, result_dtype)), where).array
    strides = tuple(s * result_dtype.itemsize for s in stride)
    return from_array(backend.as_strided(memory, shape, strides), None, requires_grad)


def empty_permuted(
    size: Sequence[int], physical_layout: Sequence[int], *, dtype: Dtype = None, layout: Layout = None,
    device: Device = None, requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """An uninitialized Tensor whose dimensions lie in memory in the given order.

    Raises RuntimeError unless physical_layout has each dimension once. Source: torch.empty_permuted.

    >>> torch.empty_permuted((2, 3, 5), (1, 2, 0)).stride()
    (1, 10, 2)
    """
    shape, order = parse_shape("empty_permuted", (tuple(size),)), tuple(physical_layout)
    if sorted(order) != list(range(len(shape))):
        raise ArgumentError(f"empty_permuted: {order} is no order of the dimensions of {shape}")
    strides, step = [0] * len(shape), 1
    for axis in reversed(order):
        strides[axis], step = step, step * max(shape[axis], 1)
    return empty_strided(shape, strides, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def legacy_new(*sizes: Any, dtype: Dtype = None, device: Device = None) -> Tensor:
    """Make what `torch.Tensor(...)`, `torch.FloatTensor(...)` and `x.new(...)` return.

    Sizes give an uninitialized Tensor, and a Tensor gives a view of it. Other data are converted to dtype, by default
    the default one; an array that has it shares its memory. Raises RuntimeError if the Tensor has another dtype.
    """
    if len(sizes) != 1 or isinstance(sizes[0], Size) or _is_size(sizes[0]):
        return empty(*sizes or (0,), dtype=dtype, device=device)
    (data,) = sizes
    if isinstance(data, function.Tensor):
        if dtype not in (None, data.dtype):
            raise DtypeError(f"new(): expected a Tensor of {dtype}, got one of {data.dtype}")
        return data.as_subclass(function.Tensor)
    if isinstance(data, (str, bytes)) or not is_sequence(data):
        raise TypeError(f"new(): data must be a sequence (got {type(data).__name__})")
    return as_tensor(data, dtype or dtypes.get_default_dtype(), device)


def _is_size(x: Any) -> bool:
    """Whether x is an integer, also an array of one, but no Tensor."""
    try:
        operator.index(x)
    except TypeError:
        return False
    return not isinstance(x, function.Tensor)


@tensors_only
def empty_like(
    input: Tensor, *, dtype: Dtype = None, layout: Layout = None, device: Device = None, requires_grad: bool = False,
    pin_memory: bool | None = False, memory_format: MemoryFormat = None,
) -> Tensor:  # fmt: skip
    """An uninitialized Tensor of input's shape, dtype and device. Source: torch.empty_like.

    >>> torch.empty_like(torch.zeros(2)).shape
    torch.Size([2])
    """
    result = _like("empty_like", np.empty_like, input, dtype, layout, device, requires_grad, memory_format)
    uninitialized.filled(result.array)
    return result


@tensors_only
def zeros_like(
    input: Tensor, *, dtype: Dtype = None, layout: Layout = None, device: Device = None, requires_grad: bool = False,
    pin_memory: bool | None = False, memory_format: MemoryFormat = None,
) -> Tensor:  # fmt: skip
    """A Tensor of zeros of input's shape, dtype and device. Source: torch.zeros_like.

    >>> torch.zeros_like(torch.tensor([1, 2]))
    tensor([0, 0])
    """
    return _like("zeros_like", np.zeros_like, input, dtype, layout, device, requires_grad, memory_format)


@tensors_only
def ones_like(
    input: Tensor, *, dtype: Dtype = None, layout: Layout = None, device: Device = None, requires_grad: bool = False,
    pin_memory: bool | None = False, memory_format: MemoryFormat = None,
) -> Tensor:  # fmt: skip
    """A Tensor of ones of input's shape, dtype and device. Source: torch.ones_like.

    >>> torch.ones_like(torch.tensor([1.5, 2.5]))
    tensor([1., 1.])
    """
    return _like("ones_like", np.ones_like, input, dtype, layout, device, requires_grad, memory_format)


@tensors_only
def full_like(
    input: Tensor, fill_value: Operand, *, dtype: Dtype = None, layout: Layout = None, device: Device = None,
    requires_grad: bool = False, pin_memory: bool | None = False, memory_format: MemoryFormat = None,
) -> Tensor:  # fmt: skip
    """A Tensor filled with one value, of input's shape, dtype and device. Source: torch.full_like.

    >>> torch.full_like(torch.zeros(2), 3)
    tensor([3., 3.])
    """
    value = checked_scalar("full_like", as_scalar("full_like", "fill_value", fill_value), _result_dtype(input, dtype))
    make = partial(np.full_like, fill_value=value)
    return _like("full_like", make, input, dtype, layout, device, requires_grad, memory_format)


def _result_dtype(input: Tensor, dtype: Any) -> Any:
    return input.array.dtype if dtype is None else dtypes.of(dtype).dtype


def _like(
    op: str, make: Callable[..., Any], input: Tensor, dtype: Any, layout: Any, device: Any, requires_grad: bool,
    memory_format: Any,
) -> Tensor:  # fmt: skip
    """Make a Tensor of input's shape, with its strides or in a memory_format.

    An expanded input's strides aren't kept, since its elements share places in memory.
    """
    check_layout(op, layout)
    x = input.array if device is None else as_zeros(input.array)
    make = partial(make, x, dtype=_result_dtype(input, dtype))
    if memory_format not in (None, memory_formats.preserve_format):
        array = in_memory_format(op, lambda shape: make(order="C", shape=shape), x.shape, memory_format)
    else:
        array = layouts.keep_strides(make(order=layouts.copy_order(x)), x)
    return from_array(array, device, requires_grad)


class Fill(function.Function):
    """A result of the shape of x that is `value` everywhere."""

    symbol = "fill"

    def forward(self, x, value):
        out = layouts.empty_like(x)
        out[...] = value
        return out

    def grad_x(self, grad):
        return layouts.zeros_like(grad)

    def grad_value(self, grad):
        return grad.sum()


@tensors_only
def fill(input: Tensor, value: Operand) -> Tensor:
    """A Tensor of input's shape and dtype, filled with a number or a 0-dimensional Tensor.

    Raises RuntimeError for a value with dimensions. Source: torch.fill.

    >>> torch.fill(torch.tensor([1, 2]), 3.7)
    tensor([3, 3])
    """
    if ndim := getattr(value, "ndim", 0):
        raise ShapeError(f"fill: only supports 0-dimension value tensor but got tensor with {ndim} dimensions")
    return Fill.apply(input, value if hasattr(value, "array") else checked_scalar("fill", value, input.array.dtype))
