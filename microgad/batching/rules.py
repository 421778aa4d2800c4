"""The batching rules: how NumPy's functions are computed on arrays with the batch axis in front.

A rule is called as rule(level, *args, **kwargs), with arguments of which at least one is batched at the level.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy

from .array import BatchedArray, Level
from .functions import RULES, NoRuleError, align, innermost_level, is_batched_at, ndim_of, wrap

np: Any = numpy  # NumPy's stubs don't know BatchedArray
Rule = Callable[..., Any]


def rule(*functions: Any) -> Callable[[Rule], Rule]:
    """Register the decorated function as the rule for NumPy functions, or (by name) for a method of all ufuncs."""

    def register(body: Rule) -> Rule:
        RULES.update(dict.fromkeys(functions, body))
        return body

    return register


def batch_of(x: Any, level: Level) -> Any:
    """Return x with its batch axis in front, (slices, ...). Raises NoRuleError if x isn't batched."""
    if not is_batched_at(x, level):
        raise NoRuleError
    return x.whole


def expand_to_batch(x: Any, level: Level) -> Any:
    """Return x with the batch axis in front, (slices, ...); an array that the slices share is broadcast."""
    return x.whole if is_batched_at(x, level) else np.broadcast_to(x, (level.count, *np.shape(x)))


def flatten_slices(x: Any) -> Any:
    """Return x with each slice flattened, (slices, elements)."""
    return x.whole.reshape(x.level.count, -1)


def shift_axes(axis: Any, ndim: int) -> Any:
    """Translate axes of a slice, which has `ndim` of them, to axes of the batched array."""
    if isinstance(axis, (tuple, list)):
        return tuple(shift_axes(a, ndim) for a in axis)
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise NoRuleError  # of a 0-d slice, or out of range: left to NumPy
    return axis % ndim + 1


def all_axes(axis: Any, x: Any) -> Any:
    """Translate axes of a slice as `shift_axes` does; None stands for all of them."""
    return tuple(range(1, x.ndim + 1)) if axis is None else shift_axes(axis, x.ndim)


# Reductions, scans and sorting along axes


def _reduction(func: Any) -> Rule:
    """Make the rule for a reduction: a function (a, axis, ...)."""

    def reduced(level: Level, a: Any, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
        return BatchedArray(func(batch_of(a, level), all_axes(axis, a), *args, **kwargs), level)

    return reduced


def _along_axis(func: Any, default: int | None, place: int = 1) -> Rule:
    """Make the rule for a function along one axis, its argument number `place`; None means the flattened array."""

    def of_axis(level: Level, *args: Any, **kwargs: Any) -> Any:
        given = list(args)
        axis = given.pop(place) if len(given) > place else kwargs.pop("axis", default)
        a, *rest = given
        if innermost_level((*rest, *kwargs.values())) is not None or (axis is None and kwargs.get("keepdims")):
            raise NoRuleError
        values, at = batch_of(a, level), 1 if axis is None else shift_axes(axis, a.ndim)
        return BatchedArray(func(flatten_slices(a) if axis is None else values, *rest, axis=at, **kwargs), level)

    return of_axis


for _func in (
    np.sum, np.prod, np.mean, np.max, np.min, np.any, np.all, np.var, np.std, np.count_nonzero, np.nansum, np.nanmax,
    np.nanmin, np.nanmean,
):  # fmt: skip
    RULES[_func] = _reduction(_func)
for _func, _axis in {
    np.argmax: None, np.argmin: None, np.argsort: -1, np.cumprod: None, np.cumsum: None, np.median: None, np.sort: -1,
}.items():  # fmt: skip
    RULES[_func] = _along_axis(_func, _axis)
for _func, _axis in {
    np.argpartition: -1, np.diff: -1, np.partition: -1, np.repeat: None,
}.items():  # fmt: skip
    RULES[_func] = _along_axis(_func, _axis, place=2)


@rule("reduce")
def _reduce(level: Level, ufunc: Any, array: Any, axis: Any = 0, *args: Any, **kwargs: Any) -> Any:
    return BatchedArray(ufunc.reduce(batch_of(array, level), all_axes(axis, array), *args, **kwargs), level)


@rule("accumulate")
def _accumulate(level: Level, ufunc: Any, array: Any, axis: int = 0, *args: Any, **kwargs: Any) -> Any:
    return BatchedArray(ufunc.accumulate(batch_of(array, level), shift_axes(axis, array.ndim), *args, **kwargs), level)


@rule(np.roll)
def _roll(level: Level, a: Any, shift: Any, axis: Any = None) -> Any:
    values = batch_of(a, level)
    if axis is None:
        return BatchedArray(np.roll(flatten_slices(a), shift, 1).reshape(values.shape), level)
    return BatchedArray(np.roll(values, shift, shift_axes(axis, a.ndim)), level)


# Shapes and views


@rule(np.reshape)
def _reshape(level: Level, a: Any, shape: Any, order: str = "C") -> Any:
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    known = math.prod(n for n in shape if n != -1)
    if order != "C" or (not known and -1 in shape):
        raise NoRuleError
    return a.like(batch_of(a, level).reshape(level.count, *(a.size // known if n == -1 else n for n in shape)))


@rule(np.ravel)
def _ravel(level: Level, a: Any) -> Any:
    return a.like(flatten_slices(a))


@rule(np.transpose, np.permute_dims)
def _transpose(level: Level, a: Any, axes: Any = None) -> Any:
    order = range(a.ndim, 0, -1) if axes is None else shift_axes(axes, a.ndim)
    return a.like(batch_of(a, level).transpose(0, *order))


@rule(np.swapaxes)
def _swapaxes(level: Level, a: Any, axis1: int, axis2: int) -> Any:
    return a.like(batch_of(a, level).swapaxes(*shift_axes((axis1, axis2), a.ndim)))


@rule(np.moveaxis)
def _moveaxis(level: Level, a: Any, source: Any, destination: Any) -> Any:
    return a.like(np.moveaxis(batch_of(a, level), shift_axes(source, a.ndim), shift_axes(destination, a.ndim)))


@rule(np.expand_dims)
def _expand_dims(level: Level, a: Any, axis: Any) -> Any:
    axis = axis if isinstance(axis, (tuple, list)) else (axis,)
    return a.like(np.expand_dims(batch_of(a, level), shift_axes(axis, a.ndim + len(axis))))


@rule(np.squeeze)
def _squeeze(level: Level, a: Any, axis: Any = None) -> Any:
    ones = tuple(i for i, n in enumerate(a.shape, 1) if n == 1)
    return a.like(np.squeeze(batch_of(a, level), ones if axis is None else shift_axes(axis, a.ndim)))


@rule(np.broadcast_to)
def _broadcast_to(level: Level, array: Any, shape: Any) -> Any:
    shape = shape if isinstance(shape, (tuple, list)) else (shape,)
    return array.like(np.broadcast_to(align(array, level, len(shape)), (level.count, *shape)))


@rule(np.broadcast_arrays)
def _broadcast_arrays(level: Level, *arrays: Any) -> Any:
    shape = np.broadcast_shapes(*map(np.shape, arrays))
    return tuple(np.broadcast_to(x, shape) for x in arrays)


@rule(np.flip)
def _flip(level: Level, m: Any, axis: Any = None) -> Any:
    return m.like(np.flip(batch_of(m, level), all_axes(axis, m)))


@rule(np.diagonal)
def _diagonal(level: Level, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return a.like(np.diagonal(batch_of(a, level), offset, *shift_axes((axis1, axis2), a.ndim)))


@rule(np.split, np.array_split)
def _split(level: Level, ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    parts = np.array_split(batch_of(ary, level), indices_or_sections, shift_axes(axis, ary.ndim))
    return [ary.like(x) for x in parts]


RULES[np.real], RULES[np.imag] = (lambda level, val: val.real), (lambda level, val: val.imag)


# Joining


@rule(np.concatenate)
def _concatenate(level: Level, arrays: Any, axis: Any = 0, **kwargs: Any) -> Any:
    if axis is None:
        raise NoRuleError
    parts = [expand_to_batch(x, level) for x in arrays]
    return BatchedArray(np.concatenate(parts, shift_axes(axis, parts[0].ndim - 1), **kwargs), level)


@rule(np.stack)
def _stack(level: Level, arrays: Any, axis: int = 0, **kwargs: Any) -> Any:
    parts = [expand_to_batch(x, level) for x in arrays]
    return BatchedArray(np.stack(parts, shift_axes(axis, parts[0].ndim), **kwargs), level)


# Elementwise


def _elementwise(func: Any, arrays: int) -> Rule:
    """Make the rule for an elementwise function whose first `arrays` arguments are arrays."""

    def of_each(level: Level, *args: Any, **kwargs: Any) -> Any:
        if innermost_level((*args[arrays:], *kwargs.values())) is not None or len(args) < min(arrays, 2):
            raise NoRuleError
        ndim = max(map(ndim_of, args[:arrays]))
        given = [align(x, level, ndim) for x in args[:arrays]]
        return BatchedArray(func(*given, *args[arrays:], **kwargs), level)

    return of_each


for _func, _count in {
    np.angle: 1, np.clip: 3, np.copy: 1, np.i0: 1, np.isclose: 2, np.nan_to_num: 1, np.round: 1, np.sinc: 1,
    np.where: 3,
}.items():  # fmt: skip
    RULES[_func] = _elementwise(_func, _count)
RULES[np.astype] = lambda level, x, dtype, copy=True: x.astype(dtype, copy=copy)


@rule(np.pad)
def _pad(level: Level, array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    if innermost_level(kwargs.values()) is not None or not isinstance(mode, str):
        raise NoRuleError
    widths = np.broadcast_to(pad_width, (array.ndim, 2)).tolist()
    return BatchedArray(np.pad(batch_of(array, level), [(0, 0), *widths], mode, **kwargs), level)


# Creation and writes


def _made_like(func: Any) -> Rule:
    def made(level: Level, a: Any, *args: Any, shape: Any = None, **kwargs: Any) -> Any:
        if shape is not None:
            shape = (level.count, *(shape if isinstance(shape, (tuple, list)) else (shape,)))
        ndim = a.ndim if shape is None else len(shape) - 1
        given = [align(x, level, ndim) for x in args]
        return BatchedArray(func(_batch_outermost(batch_of(a, level)), *given, shape=shape, **kwargs), level)

    return made


def _batch_outermost(whole: Any) -> Any:
    """Return `whole`, or an empty array like it whose batch axis is outermost in memory.

    What is made like it then has slices without gaps, as NumPy makes them, so that their `reshape(-1)` is a view.
    """
    if whole.strides[0] == max(whole.strides):
        return whole
    order = [0, *sorted(range(1, whole.ndim), key=lambda axis: -abs(whole.strides[axis]))]
    return np.empty_like(whole.transpose(order), order="C").transpose([order.index(i) for i in range(whole.ndim)])


for _func in (np.empty_like, np.full_like, np.ones_like, np.zeros_like):
    RULES[_func] = _made_like(_func)


@rule(np.copyto)
def _copyto(level: Level, dst: Any, src: Any, casting: Any = "same_kind") -> None:
    np.copyto(batch_of(dst, level), align(src, level, dst.ndim), casting)


# Shapes, dtypes and memory

RULES[np.shape] = lambda level, a: tuple(a.shape)
RULES[np.ndim] = lambda level, a: a.ndim
RULES[np.size] = lambda level, a, axis=None: a.size if axis is None else a.shape[axis]
RULES[np.can_cast] = lambda level, from_, *args, **kwargs: np.can_cast(from_.dtype, *args, **kwargs)
RULES[np.result_type] = lambda level, *args: np.result_type(*(x.dtype if type(x) is BatchedArray else x for x in args))


def _memory(x: Any) -> Any:
    return x.innermost if type(x) is BatchedArray else x


RULES[np.may_share_memory] = lambda level, a, b, *most: np.may_share_memory(_memory(a), _memory(b), *most)
RULES[np.shares_memory] = lambda level, a, b, *most: np.shares_memory(_memory(a), _memory(b), *most)


# Indexing


@rule(np.take)
def _take(level: Level, a: Any, indices: Any, axis: Any = None, mode: str = "raise") -> Any:
    values, at = (flatten_slices(a), 1) if axis is None else (batch_of(a, level), shift_axes(axis, a.ndim))
    if not is_batched_at(indices, level):
        return BatchedArray(np.take(values, indices, at, **({} if mode == "raise" else {"mode": mode})), level)
    if mode != "raise" or at != 1:
        raise NoRuleError
    return (a if axis is not None else np.ravel(a))[indices]


@rule(np.take_along_axis)
def _take_along_axis(level: Level, arr: Any, indices: Any, axis: Any = -1) -> Any:
    if axis is None:
        raise NoRuleError
    given = expand_to_batch(arr, level), expand_to_batch(indices, level)
    return BatchedArray(np.take_along_axis(*given, shift_axes(axis, arr.ndim)), level)


@rule(np.put_along_axis)
def _put_along_axis(level: Level, arr: Any, indices: Any, values: Any, axis: Any) -> None:
    if axis is None:
        raise NoRuleError
    given = expand_to_batch(indices, level), align(values, level, arr.ndim)
    np.put_along_axis(batch_of(arr, level), *given, shift_axes(axis, arr.ndim))


@rule(np.searchsorted)
def _searchsorted(level: Level, a: Any, v: Any, side: Any = "left", sorter: Any = None) -> Any:
    if innermost_level((a, sorter)) is not None:
        raise NoRuleError
    return BatchedArray(np.searchsorted(a, v.whole, side, sorter), level)


# Products, linear algebra, Fourier transforms


@rule(np.matmul)
def _matmul(level: Level, a: Any, b: Any, **kwargs: Any) -> Any:
    line, column = ndim_of(a) == 1, ndim_of(b) == 1
    if not ndim_of(a) or not ndim_of(b):
        raise NoRuleError
    if not is_batched_at(b, level) and b.ndim < 3:  # one product for all slices
        found = np.matmul(a.whole.reshape(math.prod(a.whole.shape[:-1]), a.shape[-1]), b, **kwargs)
        return BatchedArray(found.reshape(*a.whole.shape[:-1], *b.shape[1:]), level)
    a, b = (a[None, :] if line else a), (b[:, None] if column else b)
    ndim = max(a.ndim, b.ndim)
    found = np.matmul(align(a, level, ndim), align(b, level, ndim), **kwargs)
    found = found[..., 0, :] if line else found
    return BatchedArray(found[..., 0] if column else found, level)


@rule(np.dot)
def _dot(level: Level, a: Any, b: Any) -> Any:
    if ndim_of(a) > 2 or ndim_of(b) > 2:
        raise NoRuleError
    return _matmul(level, a, b)


@rule(np.vecdot)
def _vecdot(level: Level, a: Any, b: Any) -> Any:
    if not ndim_of(a) or not ndim_of(b):
        raise NoRuleError
    ndim = max(a.ndim, b.ndim)
    return BatchedArray(np.vecdot(align(a, level, ndim), align(b, level, ndim)), level)


@rule(np.einsum)
def _einsum(level: Level, subscripts: Any, *operands: Any, **kwargs: Any) -> Any:
    if not isinstance(subscripts, str) or "->" not in subscripts:
        raise NoRuleError
    inputs, result = subscripts.replace(" ", "").split("->")
    terms = inputs.split(",")
    given = [x.whole if is_batched_at(x, level) else x for x in operands]
    if "." in subscripts:  # the batch axis is one more axis of the ellipsis, if it is the outermost one
        axes = {ndim_of(x) - len(term) for term, x in zip(terms, operands, strict=True)}
        if len(axes) > 1 or not all(term.startswith("...") for term in (*terms, result)):
            raise NoRuleError
        return BatchedArray(np.einsum(subscripts, *given, **kwargs), level)
    letter = next(c for c in map(chr, range(65, 123)) if c.isalpha() and c not in subscripts)
    marked = [letter * is_batched_at(x, level) + term for term, x in zip(terms, operands, strict=True)]
    return BatchedArray(np.einsum(f"{','.join(marked)}->{letter}{result}", *given, **kwargs), level)


def _triangle(func: Any) -> Rule:
    def of_matrices(level: Level, m: Any, k: int = 0) -> Any:
        if m.ndim < 2:
            raise NoRuleError
        return BatchedArray(func(batch_of(m, level), k), level)

    return of_matrices


def _matrices(func: Any) -> Rule:
    """Make the rule for a function of a matrix that accepts stacks of matrices."""
    return lambda level, a, *args, **kwargs: wrap(func(batch_of(a, level), *args, **kwargs), level)


RULES[np.tril], RULES[np.triu] = _triangle(np.tril), _triangle(np.triu)
for _func in (
    np.linalg.cholesky, np.linalg.det, np.linalg.eig, np.linalg.eigh, np.linalg.eigvals, np.linalg.eigvalsh,
    np.linalg.inv, np.linalg.pinv, np.linalg.qr, np.linalg.slogdet, np.linalg.svd,
):  # fmt: skip
    RULES[_func] = _matrices(_func)


@rule(np.linalg.solve)
def _solve(level: Level, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        raise NoRuleError
    ndim = max(a.ndim, b.ndim)
    return BatchedArray(np.linalg.solve(align(a, level, ndim), align(b, level, ndim)), level)


@rule(np.linalg.norm)
def _norm(level: Level, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if axis is not None:
        return BatchedArray(np.linalg.norm(batch_of(x, level), ord, shift_axes(axis, x.ndim), keepdims), level)
    if keepdims or (ord is not None and x.ndim != 1):
        raise NoRuleError
    return BatchedArray(np.linalg.norm(flatten_slices(x), ord, 1), level)


def _transform(func: Any) -> Rule:
    def of_axis(level: Level, a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
        return BatchedArray(func(batch_of(a, level), n, shift_axes(axis, a.ndim), norm), level)

    return of_axis


def _transform_of_axes(func: Any) -> Rule:
    def of_axes(level: Level, a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
        if axes is None and s is not None:
            raise NoRuleError
        return BatchedArray(func(batch_of(a, level), s, all_axes(axes, a), norm), level)

    return of_axes


for _func in (np.fft.fft, np.fft.ifft, np.fft.rfft, np.fft.irfft, np.fft.hfft, np.fft.ihfft):
    RULES[_func] = _transform(_func)
for _func in (np.fft.fftn, np.fft.ifftn, np.fft.rfftn, np.fft.irfftn):
    RULES[_func] = _transform_of_axes(_func)
