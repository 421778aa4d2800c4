"""Results for arrays without values that are too large to compute with zeros in their place.

Rules give their shapes and strides; one element is computed, for the dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

LARGE = 1 << 27  # elements from which on zeros would take too much memory and time


def by_rule(name: str, call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """What `call(*args, **kwargs)` returns for large arrays, by the rule for NumPy's function or method of this name.

    None if there is no rule, and if the arrays are small. Errors are left to the call.
    """
    rule = RULES.get(name)
    if rule is None:
        return None
    operands = [x for given in args for x in (given if type(given) in (tuple, list) else (given,))]
    arrays = [x for x in operands if isinstance(x, np.ndarray)]
    return rule(call, args, kwargs, arrays) if arrays else None


def elementwise(call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Any]) -> Any:
    """Results have the operands' broadcast shape, and are laid out like the first operand that has it."""
    shape = np.broadcast_shapes(*[x.shape for x in arrays])
    if math.prod(shape) < LARGE or kwargs.get("copy") is False:  # `astype` may return its operand
        return None
    found = call(*map(_first, args), **kwargs)
    by_rows = any(isinstance(x, str) and x == "C" for x in (*args, kwargs.get("order")))
    like = None if by_rows else next((x for x in arrays if x.shape == shape), None)
    return tuple([_laid_out(x, shape, like) for x in found]) if type(found) is tuple else _laid_out(found, shape, like)


def creation(call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Any]) -> Any:
    """np.empty_like and its like."""
    given = kwargs.get("shape")
    shape = arrays[0].shape if given is None else (given,) if isinstance(given, int) else tuple(given)
    if math.prod(shape) < LARGE:
        return None
    element = call(*map(_first, args), **kwargs | {"shape": (1,) * len(shape)})
    return _laid_out(element, shape, arrays[0] if shape == arrays[0].shape and kwargs.get("order") != "C" else None)


def reduction(
    call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Any], default: Any = None
) -> Any:
    """Results have length 1 along the axes, or lack them."""
    x = arrays[0]
    if x.size < LARGE or len(arrays) > 1:
        return None
    axis = args[1] if len(args) > 1 else kwargs.get("axis", default)
    axes = range(x.ndim) if axis is None else [a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,))]
    element = call(_first(x), *args[1:], **kwargs | {"keepdims": True})
    shape = tuple([1 if i in axes else n for i, n in enumerate(x.shape)])
    whole = _laid_out(element, shape)
    return whole if kwargs.get("keepdims") else np.squeeze(whole, tuple(axes))


def product(call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Any]) -> Any:
    """np.matmul."""
    a, *_, b = arrays
    if 0 in (a.ndim, b.ndim):
        return None
    rows, columns = a.shape[-2:-1], b.shape[-1:] if b.ndim > 1 else ()
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *rows, *columns)
    if math.prod(shape) * a.shape[-1] < LARGE or a.shape[-1] != b.shape[-2 if b.ndim > 1 else -1]:
        return None
    return _laid_out(np.asarray(call(_first(a), _first(b), **kwargs)), shape)


def contraction(call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Any]) -> Any:
    """np.einsum, with the result's subscripts."""
    terms, arrow, result = args[0].replace(" ", "").partition("->")
    sizes: dict[str, int] = {}
    lead: tuple[int, ...] = ()
    for term, x in zip(terms.split(","), arrays, strict=True):
        before, dots, after = term.partition("...")
        end = x.ndim - len(after)
        sizes |= dict(zip(before + after, x.shape[: len(before)] + x.shape[end:], strict=True))
        lead = np.broadcast_shapes(lead, x.shape[len(before) : end] if dots else ())
    if not arrow or math.prod((*sizes.values(), *lead)) < LARGE:
        return None
    before, dots, after = result.partition("...")
    shape = (*[sizes[i] for i in before], *(lead if dots else ()), *[sizes[i] for i in after])
    return _laid_out(np.asarray(call(args[0], *map(_first, arrays), **kwargs)), shape)


def reshaping(call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Any]) -> Any:
    """`reshape`: a view, or by rows where NumPy copies."""
    x, *sizes = args
    shape = sizes[0] if isinstance(sizes[0], (tuple, list)) else tuple(sizes)
    given = abs(math.prod(shape))
    if x.size < LARGE or kwargs or given == 0 or x.size % given:
        return None
    try:
        return x.reshape(shape, copy=False)
    except ValueError:
        return _laid_out(_first(x), tuple([x.size // given if n == -1 else n for n in shape]))


def joining(call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arrays: Sequence[Any]) -> Any:
    """np.concatenate, along one axis."""
    axis = args[1] if len(args) > 1 else kwargs.get("axis", 0)
    if axis is None or sum(x.size for x in arrays) < LARGE:
        return None
    element = call([_first(x) for x in arrays], *args[1:], **kwargs)
    shape = list(arrays[0].shape)
    shape[axis] = sum(x.shape[axis] for x in arrays)
    return _laid_out(element, tuple(shape))


RULES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("ufunc", "where", "clip", "copy", "astype", "nan_to_num", "tril", "triu"), elementwise),
    **dict.fromkeys(("empty_like", "zeros_like", "ones_like", "full_like"), creation),
    **dict.fromkeys(("sum", "prod", "mean", "max", "min", "amax", "amin", "any", "all", "argmax", "argmin"), reduction),
    "reduce": partial(reduction, default=0),
    "einsum": contraction,
    "reshape": reshaping,
    "concatenate": joining,
    "matmul": product,
}


def _first(x: Any) -> Any:
    """An array's first element, with all its axes."""
    place: Any = slice(1)
    return x[(..., *[place] * x.ndim)] if isinstance(x, np.ndarray) else x


def _laid_out(element: Any, shape: tuple[int, ...], like: Any = None) -> Any:
    """An array of this shape, laid out like `like` or by rows, of which no element but the first is to be read."""
    own = element.copy()  # no view of an operand
    return as_strided(own, shape, (0,) * len(shape) if like is None else like.strides)
