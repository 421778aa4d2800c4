"""NumPy's functions, methods and operators on `BatchedArray`s.

A function with a rule (see rules/) is computed for all slices at once, on the array with the batch axis in front.
Others are called slice by slice.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy

from .. import function
from ..backend import at, is_array, like, owner
from ..backend.memory_layout import laid_out_as_operands
from ..duck_arrays import WRITERS, Fallback
from .array import BatchedArray, Level

np: Any = numpy  # NumPy's stubs don't know BatchedArray
RULES: dict[Any, Callable[..., Any]] = {}  # NumPy function -> rule(level, *args, **kwargs), filled by rules/


class NoRuleError(Exception):
    """Raised by a rule that doesn't cover its arguments: the function is then called slice by slice."""


def array_ufunc(self: BatchedArray, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """Implement `__array_ufunc__`. As a derivative's constant next to recorded Tensors, it leaves the call to them."""
    if any(isinstance(x, function.Tensor) for x in inputs):
        return NotImplemented
    level = innermost_level((*inputs, *kwargs.get("out", ()), kwargs.get("where")))
    if method == "at" and len(inputs) == 3 and is_batched_at(inputs[0], level):
        return setitem(*inputs, partial(at, ufunc))
    if method != "__call__":
        return _apply_rule(method, getattr(ufunc, method), level, (ufunc, *inputs), kwargs)
    if ufunc.signature is not None:
        return _apply_rule(ufunc, ufunc, level, inputs, kwargs)
    return _elementwise(ufunc, level, inputs, **kwargs)


def array_function(self: BatchedArray, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Implement `__array_function__`."""
    if any(issubclass(cls, function.Tensor) for cls in types):
        return NotImplemented
    if func in (np.may_share_memory, np.shares_memory):  # allowed after the mapping has ended, too
        return RULES[func](None, *args, **kwargs)
    return _apply_rule(func, func, innermost_level((*args, *kwargs.values())), args, kwargs)


def _apply_rule(name: Any, func: Any, level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Compute a function by the rule registered under `name`, or slice by slice if there is none that applies."""
    own = args[1:] if isinstance(name, str) else args  # the rule for a ufunc's method is given the ufunc first
    out = kwargs.get("out")
    if type(out) is tuple and len(out) == 1:
        (out,) = out
    target = own[0] if name in WRITERS or name == "at" else out
    if target is not None and not is_batched_at(target, level):
        raise Fallback  # an array that the slices share can't hold a value for each
    rule = RULES.get(name)
    if rule is None or kwargs.get("where", True) is not True:
        return call_per_slice(func, level, own, kwargs)
    try:
        found = rule(level, *args, **{name: x for name, x in kwargs.items() if name not in ("out", "where")})
    except NoRuleError:
        return call_per_slice(func, level, own, kwargs)
    except Exception:  # caused by one slice, such as a singular matrix: the operation handles it slice by slice
        raise Fallback from None
    if out is None:
        return found
    out[...] = found
    return out


def _elementwise(ufunc: Any, level: Level, inputs: tuple[Any, ...], out: Any = (), **kwargs: Any) -> Any:
    """Compute a ufunc element by element, for all slices at once."""
    ndim = max(map(ndim_of, (*inputs, *out)))
    given = [align(x, level, ndim) for x in inputs]
    if "where" in kwargs:
        kwargs["where"] = align(kwargs["where"], level, ndim)
    if not out:
        return wrap(_laid_out(ufunc(*given, **kwargs), given), level)
    if not all(x is None or (is_batched_at(x, level) and x.ndim == ndim) for x in out):
        raise Fallback
    ufunc(*given, out=tuple(x if x is None else x.whole for x in out), **kwargs)
    return out[0] if len(out) == 1 else out


def _laid_out(found: Any, given: list[Any]) -> Any:
    """Return a result in PyTorch's layout, which follows the first operand also where its batch axis isn't in front."""
    arrays = [x for x in given if is_array(x)]
    if type(found) in (tuple, BatchedArray) or all(x.flags.c_contiguous for x in arrays):
        return found
    return laid_out_as_operands(found, arrays)


def innermost_level(values: Any) -> Any:
    """Return the innermost level at which one of the values, also in tuples and lists, is batched; None for none."""
    found = None
    for x in values:
        level = x.level if type(x) is BatchedArray else innermost_level(x) if type(x) in (tuple, list) else None
        if level is not None:
            level.check()
        if level is not None and (found is None or level.depth > found.depth):
            found = level
    return found


def is_batched_at(x: Any, level: Level) -> bool:
    """Whether x is batched at this level, so that each slice has its own values."""
    return type(x) is BatchedArray and x.level is level


def ndim_of(x: Any) -> int:
    """Return the number of dimensions of x; 0 for a Python number."""
    n: int = getattr(x, "ndim", 0)
    return n


def align(x: Any, level: Level, ndim: int) -> Any:
    """Prepare x for broadcasting with the batch axis in front: pad its slices with axes of length 1 to `ndim`."""
    if not is_batched_at(x, level):
        return x
    missing = ndim - x.ndim
    return x.whole[(slice(None), *(None,) * missing)] if missing > 0 else x.whole


def wrap(found: Any, level: Level) -> Any:
    """Wrap a result that NumPy computed for all slices at once, one array or a tuple of them."""
    if not isinstance(found, tuple):
        return BatchedArray(found, level)
    parts = [BatchedArray(x, level) for x in found]
    return type(found)(*parts) if hasattr(found, "_fields") else tuple(parts)


def call_per_slice(func: Any, level: Level, args: Any, kwargs: Any) -> Any:
    """Call a function once for each slice, and stack the results."""
    results = [func(*take_slice(args, level, i), **take_slice(kwargs, level, i)) for i in range(level.count)]
    if (out := kwargs.get("out")) is not None:
        return out[0] if type(out) is tuple and len(out) == 1 else out
    return stack_results(results, level, args)


def take_slice(x: Any, level: Level, i: int) -> Any:
    """Take slice i of batched arrays, also in tuples, lists and dicts; return anything else as it is."""
    if is_batched_at(x, level):
        return x.whole[i, ...]
    if isinstance(x, dict):
        return {name: take_slice(value, level, i) for name, value in x.items()}
    return type(x)(take_slice(value, level, i) for value in x) if type(x) in (tuple, list) else x


def stack_results(results: Sequence[Any], level: Level, args: Any = ()) -> Any:
    """Stack the slices' results.

    Raises Fallback for different shapes, different numbers, views of an argument, and what isn't of one slice alone.
    """
    first = results[0]
    if isinstance(first, (tuple, list)):
        parts = [stack_results(each, level, args) for each in zip(*results, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    if is_array(first) or isinstance(first, np.generic):
        if any(x.shape != first.shape or is_batched_at(x, level) for x in results) or _shares_memory(first, args):
            raise Fallback
        return BatchedArray(np.stack(results), level)
    if any(x != first for x in results):
        raise Fallback
    return first


def _shares_memory(result: Any, args: Any) -> bool:
    """Whether a result is a view of an argument's memory."""
    if type(args) in (tuple, list):
        return any(_shares_memory(result, x) for x in args)
    return type(args) is BatchedArray and ndim_of(result) > 0 and owner(result) is owner(args.whole)


def getitem(x: BatchedArray, index: Any) -> Any:
    """Implement `x[index]`."""
    items = index if isinstance(index, tuple) else (index,)
    if innermost_level(items) is None and not _moves_axes(items):
        return x.like(x.whole[(slice(None), *items)])
    place = _batched_index(items, x)
    if place is None:
        return call_per_slice(operator.getitem, x.level, (x, index), {})
    return BatchedArray(x.whole[place], x.level)


def _batched_index(items: tuple[Any, ...], x: BatchedArray) -> Any:
    """Turn an index of integers, batched or not, into an index of `x.whole`; None for other kinds of index."""
    if len(items) > x.ndim or any(getattr(i, "dtype", np.dtype(type(i))).kind not in "iu" for i in items):
        return None
    ndim = max(map(ndim_of, items))
    slices = like(np.arange(x.level.count).reshape(-1, *(1,) * ndim), x.whole)
    return (slices, *(align(i, x.level, ndim) for i in items))


def setitem(x: BatchedArray, index: Any, value: Any, write: Callable[..., Any] = operator.setitem) -> None:
    """Implement `x[index] = value`, or `write(x, index, value)`, for all slices at once where possible."""
    items = index if isinstance(index, tuple) else (index,)
    level, inner = x.level, innermost_level((value, *items))
    if inner is not None and inner.depth > level.depth:
        raise Fallback  # the inner mapping's slices share x
    if innermost_level(items) is not None:
        place = _batched_mask(items, x, value) or _batched_index(items, x)
        ndim = x.ndim - len(items) + place[0].ndim - 1 if place else 0
    else:
        place = None if _moves_axes(items) else (slice(None), *items)
        ndim = x.whole[:1][place].ndim - 1 if place else 0
    if place is None:
        call_per_slice(write, level, (x, index, value), {})
    else:
        write(x.whole, place, align(value, level, ndim))


def _batched_mask(items: tuple[Any, ...], x: BatchedArray, value: Any) -> Any:
    """Turn a batched mask into an index of `x.whole` to which `value` can be written; None for another index or value.

    The value must be the same wherever the mask holds.
    """
    mask, *more = items
    if more or not is_batched_at(mask, x.level) or mask.dtype.kind != "b":
        return None
    shared = not is_batched_at(value, x.level) and ndim_of(value) <= x.ndim - mask.ndim
    return (mask.whole,) if shared else None


def _moves_axes(items: tuple[Any, ...]) -> bool:
    """Whether NumPy may move the axes selected by index arrays to the front, before the batch axis."""
    arrays = [is_array(i) or isinstance(i, list) for i in items]
    if any(isinstance(i, (bool, np.bool_)) or (is_array(i) and not i.ndim) for i in items):
        return True
    places = [k for k, i in enumerate(items) if arrays[k] or isinstance(i, (int, np.integer))]
    return any(arrays) and places != list(range(places[0], places[-1] + 1))


def _method(name: str) -> Callable[..., Any]:
    function = getattr(np, name)
    return lambda self, *args, **kwargs: function(self, *args, **kwargs)


def _operator(ufunc: Any) -> Callable[..., Any]:
    return lambda self, *others: ufunc(self, *others)


def _sort(self: BatchedArray, axis: int = -1, **options: Any) -> None:
    setitem(self, ..., np.sort(self, axis, **options))


for _name in (
    "all", "any", "argmax", "argmin", "argpartition", "argsort", "conj", "cumprod", "cumsum", "diagonal", "dot",
    "max", "mean", "min", "nonzero", "prod", "ravel", "repeat", "round", "squeeze", "std", "sum", "swapaxes", "take",
    "trace", "var",
):  # fmt: skip
    setattr(BatchedArray, _name, _method(_name))
for _name, _ufunc in {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal,
    "neg": np.negative, "pos": np.positive, "abs": np.absolute, "invert": np.invert,
}.items():  # fmt: skip
    setattr(BatchedArray, f"__{_name}__", _operator(_ufunc))
for _name, _ufunc in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "floordiv": np.floor_divide,
    "mod": np.remainder, "pow": np.power, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    "lshift": np.left_shift, "rshift": np.right_shift, "matmul": np.matmul,
}.items():  # fmt: skip
    setattr(BatchedArray, f"__{_name}__", _operator(_ufunc))
    setattr(BatchedArray, f"__r{_name}__", lambda self, other, ufunc=_ufunc: ufunc(other, self))
    setattr(BatchedArray, f"__i{_name}__", lambda self, other, ufunc=_ufunc: ufunc(self, other, out=self))
for _name, _value in {
    "__array_ufunc__": array_ufunc,
    "__array_function__": array_function,
    "__getitem__": getitem,
    "__setitem__": setitem,
    "T": property(np.transpose),
    "clip": lambda self, min=None, max=None, out=None: np.clip(self, min, max, out=out),
    "mT": property(lambda self: np.swapaxes(self, -1, -2)),
    "real": property(lambda self: self.like(self.whole.real), lambda self, x: setitem(self.real, ..., x)),
    "imag": property(lambda self: self.like(self.whole.imag), lambda self, x: setitem(self.imag, ..., x)),
    "fill": lambda self, value: setitem(self, ..., value),
    "flatten": lambda self, order="C": np.reshape(self, -1, order=order).copy(),
    "reshape": lambda self, *shape, order="C": np.reshape(self, shape[0] if len(shape) == 1 else shape, order=order),
    "sort": _sort,
    "transpose": lambda self, *axes: np.transpose(self, (axes[0] if len(axes) == 1 else axes) if axes else None),
}.items():
    setattr(BatchedArray, _name, _value)
