"""NumPy's functions and ufuncs on `BatchedArray`s.

A function with a rule (see rules/) is computed for all slices at once, on the array with the batch axis in front.
Others are called slice by slice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy

from .. import function
from ..backend import at, is_array
from ..backend.axis_order import laid_out_as_operands
from ..duck_arrays import WRITERS, Fallback
from ..pytree import rebuilt
from ..type_aliases import Array
from .array import BatchedArray, Level, align, innermost_level, is_batched_at, ndim_of
from .indexing import setitem
from .per_slice import call_per_slice

np: Any = numpy  # NumPy's stubs don't know BatchedArray
RULES: dict[Any, Callable[..., Any]] = {}  # NumPy function -> rule(level, *args, **kwargs), filled by rules/


class NoRuleError(Exception):
    """Raised by a rule that doesn't cover its arguments: the function is then called slice by slice."""


def array_ufunc(ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
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


def array_function(func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
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


def _elementwise(ufunc: Any, level: Level, inputs: tuple[Array | complex, ...], out: Any = (), **kwargs: Any) -> Any:
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


def wrap(found: Any, level: Level) -> Any:
    """Wrap a result that NumPy computed for all slices at once, one array or a tuple of them."""
    if not isinstance(found, tuple):
        return BatchedArray(found, level)
    return rebuilt(found, [BatchedArray(x, level) for x in found])
