"""Results for arrays without values that are too large to compute with zeros in their place.

Rules give their shapes. What NumPy computes from the arrays' first two elements along each axis, their corner, has the
dtype and the order of axes in memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .arrays import Array, owner
from .axes import reduced_shape
from .meta import zeros

LARGE = 1 << 17  # elements from which on computing with zeros takes longer


def by_rule(name: str, call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """What `call(*args, **kwargs)` returns for large arrays, by the rule for NumPy's function or method of this name.

    None if there is no rule, and if the arrays are small. Errors are left to the call.
    """
    rule = RULES.get(name)
    if rule is None or any(isinstance(x, np.ndarray) for x in kwargs.values()):
        return None
    operands = [x for given in args for x in (given if type(given) in (tuple, list) else (given,))]
    arrays = [x for x in operands if isinstance(x, np.ndarray)]
    return rule(call, args, kwargs, arrays) if arrays else None


def elementwise(call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Array]) -> Any:
    """Results have the operands' broadcast shape."""
    shape = np.broadcast_shapes(*[x.shape for x in arrays])
    if math.prod(shape) < LARGE:
        return None
    found = call(*map(_corner, args), **kwargs)
    if kwargs.get("copy") is False and np.may_share_memory(found, arrays[0]):  # `astype` returned its operand
        return None
    return tuple([_grown(x, shape) for x in found]) if type(found) is tuple else _grown(found, shape)


def creation(
    call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Array]
) -> Array | None:
    """np.empty_like and its like."""
    given = kwargs.get("shape")
    shape = arrays[0].shape if given is None else (given,) if isinstance(given, int) else tuple(given)
    if math.prod(shape) < LARGE:
        return None
    return _grown(call(*map(_corner, args), **kwargs | {"shape": [min(n, 2) for n in shape]}), shape)


def reduction(
    call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Array], default: Any = None
) -> Array | None:
    """Results have length 1 along the axes, or lack them."""
    x = arrays[0]
    if x.size < LARGE or len(arrays) > 1:
        return None
    axis = args[1] if len(args) > 1 else kwargs.get("axis", default)
    shape = reduced_shape(x.shape, axis, bool(kwargs.get("keepdims")))
    return _grown(call(_corner(x), *args[1:], **kwargs), shape)


def along_axis(
    call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Array]
) -> Array | None:
    """Sorts and running sums: results have x's shape, unless x is flattened."""
    x = arrays[0]
    found = call(_corner(x), *args[1:], **kwargs) if x.size >= LARGE else None
    return None if found is None or found.ndim != x.ndim else _grown(found, x.shape)


def transform(
    call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Array]
) -> Array | None:
    """Fourier transforms along one axis, whose length may change: two lines of each other axis are transformed."""
    x = arrays[0]
    axis = (args[2] if len(args) > 2 else kwargs.get("axis", -1)) % x.ndim
    if x.size < LARGE:
        return None
    lines = call(x[tuple([slice(None if a == axis else 2) for a in range(x.ndim)])], *args[1:], **kwargs)
    return _grown(lines, (*x.shape[:axis], lines.shape[axis], *x.shape[axis:][1:]))


def product(
    call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Array]
) -> Array | None:
    """np.matmul."""
    a, *_, b = arrays
    if 0 in (a.ndim, b.ndim):
        return None
    rows, columns = a.shape[-2:-1], b.shape[-1:] if b.ndim > 1 else ()
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *rows, *columns)
    if math.prod(shape) * a.shape[-1] < LARGE or a.shape[-1] != b.shape[-2 if b.ndim > 1 else -1]:
        return None
    return _grown(call(_corner(a), _corner(b), **kwargs), shape)


def contraction(
    call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Array]
) -> Array | None:
    """np.einsum, with the result's subscripts."""
    terms, arrow, result = args[0].replace(" ", "").partition("->")
    sizes: dict[str, int] = {}
    lead: tuple[int, ...] = ()
    for term, x in zip(terms.split(","), arrays, strict=True):
        before, dots, after = term.partition("...")
        end = x.ndim - len(after)
        for label, n in zip(before + after, x.shape[: len(before)] + x.shape[end:], strict=True):
            sizes[label] = max(n, sizes.get(label, 1))
        lead = np.broadcast_shapes(lead, x.shape[len(before) : end] if dots else ())
    if not arrow or math.prod((*sizes.values(), *lead)) < LARGE:
        return None
    before, dots, after = result.partition("...")
    shape = (*[sizes[i] for i in before], *(lead if dots else ()), *[sizes[i] for i in after])
    return _grown(call(args[0], *map(_corner, arrays), **kwargs), shape)


def reshaping(
    call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Array]
) -> Array | None:
    """`reshape`: a view, or by rows where NumPy copies."""
    x, *sizes = args
    shape = sizes[0] if isinstance(sizes[0], (tuple, list)) else tuple(sizes)
    given = abs(math.prod(shape))
    if x.size < LARGE or kwargs or given == 0 or x.size % given:
        return None
    try:
        return x.reshape(shape, copy=False)
    except ValueError:
        return _by_rows(x.dtype, [x.size // given if n == -1 else n for n in shape])


def joining(
    call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Array]
) -> Array | None:
    """np.concatenate, along one axis."""
    axis = args[1] if len(args) > 1 else kwargs.get("axis", 0)
    if axis is None or sum(x.size for x in arrays) < LARGE:
        return None
    shape = list(arrays[0].shape)
    shape[axis] = sum(x.shape[axis] for x in arrays)
    return _grown(call([_corner(x) for x in arrays], *args[1:], **kwargs), shape)


def repetition(
    call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Array]
) -> Array | None:
    """`repeat`, by a number, along one axis."""
    x, times, *rest = args
    axis = rest[0] if rest else kwargs.get("axis")
    if axis is None or not isinstance(times, int) or x.size * times < LARGE:
        return None
    shape = list(x.shape)
    shape[axis] *= times
    return _grown(call(_corner(x), times, *rest, **kwargs), shape)


def taking(
    call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Array]
) -> Array | None:
    """`take`: the indices' axes replace an axis of x, or all of them."""
    x, indices, *rest = args
    axis = rest[0] if rest else kwargs.get("axis")
    lead, last = ((), ()) if axis is None else (x.shape[:axis], x.shape[axis:][1:])
    shape = (*lead, *np.shape(indices), *last)
    return _by_rows(x.dtype, shape) if x.size and math.prod(shape) >= LARGE else None


def indexing(
    call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Array]
) -> Array | None:
    """x[i], x[i, j] with arrays of integers: their axes replace the first axes of x."""
    x, index = args
    items = index if type(index) is tuple else (index,)
    if not items or not x.size or not all(isinstance(i, np.ndarray) and i.dtype.kind in "iu" for i in items):
        return None
    shape = (*np.broadcast_shapes(*[i.shape for i in items]), *x.shape[len(items) :])
    if math.prod(shape) < LARGE:
        return None
    return _grown(call(_corner(x), tuple([np.zeros_like(_corner(i)) for i in items])), shape)


def same(call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Array]) -> Array:
    """Results, also small ones, have the matrices' shape: zeros have no inverse and no Cholesky factor."""
    return _by_rows(args[0].dtype, args[0].shape)


def solution(call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Array]) -> Array:
    """np.linalg.solve, also of small arrays."""
    a, b = args
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return _by_rows(np.result_type(a, b), (*lead, *b.shape[-2:]))


def sharing(call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Array]) -> Any:
    """np.may_share_memory: huge arrays lie in the same pages without being views of each other."""
    return None if owner(args[0]) is owner(args[1]) else False


RULES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("ufunc", "where", "clip", "copy", "astype", "nan_to_num", "tril", "triu", "roll"), elementwise),
    **dict.fromkeys(("empty_like", "zeros_like", "ones_like", "full_like"), creation),
    **dict.fromkeys(("sum", "prod", "mean", "max", "min", "amax", "amin", "any", "all", "argmax", "argmin"), reduction),
    "reduce": partial(reduction, default=0),
    **dict.fromkeys(("sort", "argsort", "cumsum", "cumprod", "accumulate"), along_axis),
    **dict.fromkeys(("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"), transform),
    "einsum": contraction,
    "reshape": reshaping,
    "concatenate": joining,
    "matmul": product,
    **dict.fromkeys(("inv", "cholesky"), same),
    "solve": solution,
    "repeat": repetition,
    "take": taking,
    "getitem": indexing,
    **dict.fromkeys(("may_share_memory", "shares_memory"), sharing),
}


def _corner(x: Any) -> Any:
    """The first two elements of an array along each axis."""
    first: Any = slice(2)
    return x[(..., *[first] * x.ndim)] if isinstance(x, np.ndarray) else x


def _grown(corner: Array, shape: Sequence[int]) -> Array:
    """Zeros of this shape whose axes have the order that the corner's have in memory."""
    corner = np.asarray(corner)  # of a NumPy scalar
    return zeros(shape, corner.dtype, corner.strides)


def _by_rows(dtype: Any, shape: Sequence[int]) -> Array:
    return np.broadcast_to(np.empty((), dtype), shape)
