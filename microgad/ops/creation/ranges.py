"""Tensors of evenly spaced values, and the indices of triangles of matrices."""

from __future__ import annotations

import builtins
import math
import operator
from typing import Any, Unpack, overload

import numpy as np

from ... import backend, dtypes
from ...errors import ArgumentError, DtypeError, KindError
from ...errors.notices import warn
from ...type_aliases import Array, Device, Dtype, GivenNumber, Layout, Operand, OutOptions, Real, Tensor
from ..support.spelling import tensors_only
from .data import check_layout, from_array
from .filled import from_array_into, numpy_dtype, resolve_dtype
from .scalars import as_scalar, scale_factor

CHUNK = 1 << 15  # elements that arange and linspace compute at a time, so that they stay in the cache


@overload
def arange(end: Real, **options: Unpack[OutOptions]) -> Tensor: ...
@overload
def arange(start: Real, end: Real, step: Real = 1, **options: Unpack[OutOptions]) -> Tensor: ...
@tensors_only  # type: ignore[misc]  # an argument has two names
def arange(
    start: GivenNumber = None, end: GivenNumber = None, step: Any = 1, *, out: Tensor | None = None,
    dtype: Dtype = None, layout: Layout = None, device: Device = None, requires_grad: bool = False,
    pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """Values from start (by default 0) to end, exclusive, in steps of `step`.

    Raises RuntimeError for a step of 0, or one of the wrong sign. Source: torch.arange.

    >>> torch.arange(1, 2.5, 0.5)
    tensor([1.0000, 1.5000, 2.0000])
    """
    check_layout("arange", layout)
    if end is None:
        start, end = 0, start
    elif start is None:
        start = 0
    return _arange("arange", start, end, step, out, dtype, device, requires_grad)


@tensors_only
def range(
    start: Real, end: Real, step: Real = 1, *, out: Tensor | None = None, dtype: Dtype = None, layout: Layout = None,
    device: Device = None, requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """Values from start to end, inclusive, in the default floating dtype unless told otherwise.

    Raises RuntimeError for a step of the wrong sign. Source: torch.range.

    >>> torch.range(1, 3)
    tensor([1., 2., 3.])
    """
    check_layout("range", layout)
    message = "torch.range is deprecated, since it includes end. Use torch.arange, whose values are in [start, end)."
    warn(message)
    result_dtype = dtypes.get_default_dtype() if dtype is None and out is None else dtype
    return _arange("range", start, end, step, out, result_dtype, device, requires_grad)


def _arange(op: str, start: Any, end: Any, step: Any, out: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    """`arange`, or `range`, which includes the end."""
    start, end, step = (_real_scalar(op, x) for x in (start, end, step))
    if step == 0:
        raise ArgumentError(f"{op}: step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise ArgumentError(f"{op}: unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise ArgumentError(
            f"{op}: upper bound and lower bound inconsistent with step sign: step {step} doesn't lead from {start} "
            f"to {end}"
        )
    dtype = resolve_dtype(op, dtype, out)
    integers = all(isinstance(x, int) for x in (start, end, step))
    result_dtype = dtypes.int64.dtype if dtype is None and integers else numpy_dtype(dtype)
    if result_dtype.kind in "bc":
        raise KindError(f"{op}: not implemented for {result_dtype}")
    if result_dtype == np.int64 and int(step):
        start, end, step, integers = int(start), int(end), int(step), True
    if integers:
        count = -((start - end) // step) if op == "arange" else (end - start) // step + 1
    else:
        steps = (end - start) / step
        count = math.ceil(steps) if op == "arange" else math.floor(steps) + 1
    if count >= 2**60:
        raise ArgumentError(f"{op}: invalid size, possible overflow? {start} -> {end} by {step}")
    whole = result_dtype.kind in "iu"
    if whole:
        if int(step) == 0 and (op == "range" or result_dtype == np.int64):  # in smaller dtypes PyTorch repeats start
            raise ArgumentError(f"{op}: step must be nonzero, but {step} is 0 in {result_dtype}")
        start, step = int(start), int(step)
    if op == "arange":
        warn_of_resizing(out, count)
        if start % 1 or step % 1:
            return from_array_into(out, _in_vectors(start, step, count, result_dtype), device, requires_grad)
    values = np.arange(count, dtype=np.int64 if whole else np.float64)
    if step != 1:
        values *= step
    if start or step < 0:
        values += start
    return from_array_into(out, values.astype(result_dtype, copy=False), device, requires_grad)


def _in_vectors(start: float, step: float, count: int, dtype: np.dtype[Any]) -> Array:
    """start + step · i in PyTorch's last bits: each vector of 32 bytes counts from its first element, which is rounded.

    Vectors come in pairs. The elements behind the last pair count from start.
    """
    wide = np.float32 if dtype == np.float16 else np.float64
    start, step = float(wide(start)), float(wide(step))

    def count_from(begin: Any, index: Array) -> Array:
        return _fused_multiply_add(step, index.astype(np.float64), begin).astype(wide)

    lanes = 32 // dtype.itemsize
    if count < 2 * lanes:
        return count_from(start, np.arange(count)).astype(dtype)
    lane = np.arange(lanes)[:, None]
    values = np.empty(count, dtype)
    for i in builtins.range(0, count, CHUNK):
        part = values[i : i + CHUNK]
        paired = len(part) - len(part) % (2 * lanes)
        index = np.concatenate((np.arange(i, i + paired, lanes), np.arange(i + paired, i + len(part))))
        counted = count_from(start, index)
        vectors = part[:paired].reshape(-1, lanes)
        vectors[:, 0], part[paired:] = counted[: len(vectors)], counted[len(vectors) :]
        begin = vectors[:, 0].astype(np.float64)
        if dtype == np.float32 and abs(step) < 1e38:
            high = float(np.float32(step))  # high · lane + begin is exact unless one is tiny
            counted = high * lane + begin
            counted += (step - high) * lane
            vectors.T[:] = counted
        else:
            vectors.T[:] = count_from(begin, lane)
    return values


def warn_of_resizing(out: Tensor | None, count: int) -> None:
    """Warn if `out` has another number of elements than the `count` of a range, which may be an error of rounding."""
    if out is not None and 0 < out.array.size != count:
        shape, size = list(out.shape), out.array.size
        warn(
            f"The number of elements in the out tensor of shape {shape} is {size} which does not match the computed "
            f"number of elements {count}. The out tensor will be resized to a tensor of shape ({count},)."
        )


def _real_scalar(op: str, x: Any) -> Any:
    if type(x) in (int, float):
        return x
    x = as_scalar(op, "end", x)
    if not isinstance(x, (int, float)):
        raise DtypeError(f"{op}: expected a real number, got {x!r}")
    return x


@tensors_only
def linspace(
    start: Operand, end: Operand, steps: int, *, out: Tensor | None = None, dtype: Dtype = None,
    layout: Layout = None, device: Device = None, requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """`steps` evenly spaced values from start to end, inclusive.

    Raises RuntimeError for negative steps. Source: torch.linspace.

    >>> torch.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    check_layout("linspace", layout)
    steps = operator.index(steps)
    start, end, result_dtype = _bounds("linspace", start, end, steps, resolve_dtype("linspace", dtype, out))
    if steps < 2:
        values = np.array([scale_factor("linspace", start, result_dtype)] * steps, result_dtype)
        return from_array_into(out, values, device, requires_grad)
    # Each half is counted from its own end, as in PyTorch, so that the last value is exactly end.
    first, last = (result_dtype.type(scale_factor("linspace", x, result_dtype)) for x in (start, end))
    half = steps // 2
    if result_dtype.kind in "iu":  # the difference may be too large for the dtype
        first, last = float(first), float(last)
    step = (last - first) / (steps - 1)
    # PyTorch rounds once, after the sum: float32 is computed in float64, float64 and integers by a fused multiply-add.
    fused = result_dtype == np.float64 or result_dtype.kind in "iu"
    wide = np.float64 if result_dtype == np.float32 or fused else result_dtype
    values = np.empty(steps, result_dtype)
    for part, begin, sign in ((values[:half], first, 1), (values[half:][::-1], last, -1)):
        for i in builtins.range(0, len(part), CHUNK):
            index = np.arange(i, min(i + CHUNK, len(part))).astype(wide)  # a small dtype can't count that far
            if fused:
                part[i : i + CHUNK] = _fused_multiply_add(float(sign * step), index, float(begin))
            else:
                part[i : i + CHUNK] = begin + step * index if sign > 0 else begin - step * index
    return from_array_into(out, values, device, requires_grad)


def _fused_multiply_add(x: float, counts: Array, y: float | Array) -> Array:
    """x · counts + y in float64, rounded once, except that near a tie the last bit may differ.

    x is split in halves whose products are exact, and Knuth's two-sum gives the rounding error of the sum.
    """
    if abs(x) >= 2.0**960 or (isinstance(y, float) and y == 0):  # the halves would overflow; there's no second rounding
        return x * counts + y
    shifted = x * (2.0**27 + 1)
    high = shifted - (shifted - x)
    product = high * counts
    total = product + y
    rounded_product = total - y
    return total + ((y - (total - rounded_product)) + (product - rounded_product) + (x - high) * counts)


@tensors_only
def logspace(
    start: Operand, end: Operand, steps: int, base: float = 10.0, *, out: Tensor | None = None, dtype: Dtype = None,
    layout: Layout = None, device: Device = None, requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """base to the power of `steps` evenly spaced values from start to end.

    Raises RuntimeError for negative steps. Source: torch.logspace.

    >>> torch.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    check_layout("logspace", layout)
    steps = operator.index(steps)
    start, end, result_dtype = _bounds("logspace", start, end, steps, resolve_dtype("logspace", dtype, out))
    exact = np.result_type(result_dtype, np.float64)
    with np.errstate(invalid="ignore"):  # NaN for fractional powers of a negative base
        if steps < 2:
            only = [scale_factor("logspace", np.power(exact.type(base), x), result_dtype) for x in [start] * steps]
            return from_array_into(out, np.array(only, result_dtype), device, requires_grad)
        # As in linspace, but rounded before the sum, too.
        first, last = (result_dtype.type(scale_factor("logspace", x, result_dtype)) for x in (start, end))
        if result_dtype.kind != "f":
            first, last = exact.type(first), exact.type(last)
        step = exact.type(last - first) / (steps - 1)
        from_end = step * np.arange(steps - steps // 2 - 1, -1, -1)
        exponents = np.concatenate([first + step * np.arange(steps // 2), last - from_end])
        values = np.power(exact.type(base), exponents)
    return from_array_into(out, values.astype(result_dtype), device, requires_grad)


def _bounds(op: str, start: Any, end: Any, steps: int, dtype: Any) -> tuple[Any, Any, Any]:
    """Return start and end as Python numbers, and the NumPy dtype of the result."""
    for name, x in (("start", start), ("end", end)):
        if getattr(x, "ndim", 0):
            raise ArgumentError(
                f"{op}: only supports 0-dimensional start and end tensors, but got {name} with {x.ndim}"
            )
    if steps < 0:
        raise ArgumentError(f"{op}: number of steps must be non-negative, got {steps}")
    start, end = (as_scalar(op, name, getattr(x, "array", x)) for name, x in (("start", start), ("end", end)))
    of_complex = isinstance(start + end, complex)
    if dtype is None and of_complex:
        return start, end, dtypes.default_for(3)
    result_dtype = numpy_dtype(dtype)
    if of_complex and result_dtype.kind != "c":
        raise DtypeError(
            f"torch.{op}(): inferred dtype {dtypes.default_for(3)} can't be safely cast to passed dtype {dtype}"
        )
    if result_dtype.kind == "b":
        raise KindError(f"{op}: not implemented for bool")
    return start, end, result_dtype


@tensors_only
def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: Dtype = None, layout: Layout = None, device: Device = None,
    requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """The indices of the lower triangle of a (row, col) matrix, as a (2, n) Tensor.

    Raises RuntimeError for a negative size, and for dtypes other than int64 and int32. Source: torch.tril_indices.

    >>> torch.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return _triangle("tril_indices", row, col, offset, dtype, layout, device, requires_grad)


@tensors_only
def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: Dtype = None, layout: Layout = None, device: Device = None,
    requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """The indices of the upper triangle of a (row, col) matrix, as a (2, n) Tensor.

    Raises RuntimeError for a negative size, and for dtypes other than int64 and int32. Source: torch.triu_indices.

    >>> torch.triu_indices(2, 2)
    tensor([[0, 0, 1],
            [0, 1, 1]])
    """
    return _triangle("triu_indices", row, col, offset, dtype, layout, device, requires_grad)


def _triangle(
    op: str, row: int, col: int, offset: int, dtype: Any, layout: Any, device: Any, requires_grad: bool
) -> Tensor:
    check_layout(op, layout)
    for name, size in (("row", row), ("col", col)):
        if size < 0:
            raise ArgumentError(f"{op}: {name} must be non-negative, got {size}")
    result_dtype = dtypes.of(dtypes.int64 if dtype is None else dtype).dtype
    if result_dtype.kind != "i" or result_dtype.itemsize < 4:
        raise KindError(f"{op}: not implemented for {result_dtype}; int64 and int32 are there")
    upper, rows, offset = op == "triu_indices", np.arange(row), min(max(offset, -row), col)
    edges = np.minimum(np.maximum(rows + (offset + (not upper)), 0), col)  # the column at which a row begins, or ends
    lengths = col - edges if upper else edges
    ends = lengths.cumsum()
    out = np.empty((2, ends[-1] if row else 0), result_dtype)
    out[0] = np.repeat(rows, lengths)
    out[1] = np.arange(out.shape[1])
    out[1] -= np.repeat(ends - col if upper else ends - lengths, lengths)
    return from_array(out, backend.chosen(device), requires_grad)
