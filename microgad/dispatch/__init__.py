"""NumPy's functions on Tensors, by NEP 13 and 18: tables map them to operations, with NumPy's arguments and defaults.

A function in no table computes on the Tensors' arrays, as PyTorch's Tensors do, if that loses no gradient; else it
raises TypeError. In a program that uses microgad as `torch` all NumPy functions compute on arrays if they can, since it
goes on with arrays: `np.unique(x).astype(int)`. The dtype of a Tensor and an array is NumPy's choice in all programs,
unless the Tensor requires grad, and so is that of integer Tensors.

The tables' functions have NumPy's names of arguments: for np.linalg.det it is `lambda a: linalg.det(a)`, since PyTorch
calls the argument `A`.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes, lazy
from .. import function as core
from ..backend import as_array
from ..errors import DtypeError, ShapeError
from ..ops.elementwise import Reciprocal
from ..ops.movement import Cast
from ..ops.support.bare import bare, is_recorded, tensors_in
from ..ops.support.out import into
from ..pytree import tree_map
from ..state import current
from ..type_aliases import Array
from . import composites, creation, elementwise, files, fourier, indexing, linalg, movement, reduction

TABLES = (elementwise, reduction, linalg, fourier, movement, indexing, creation, composites, files)
UFUNCS: dict[Any, Callable[..., Any]] = {**elementwise.UFUNCS, **linalg.UFUNCS}
FUNCTIONS: dict[Any, Callable[..., Any]] = {name: op for table in TABLES for name, op in table.FUNCTIONS.items()}

NUMBERS = (int, float, complex)
COMPARISONS = (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)

# The modules on the stack between a NumPy function, or an operator that calls one, and what it calls.
TRANSPARENT = (__name__, "microgad.tensor", "microgad.methods.factories", "microgad.torch_function.wrappers")


def ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Implement Tensor's `__array_ufunc__`."""
    plain = method == "__call__" and (not kwargs or kwargs.keys() == {"out"})
    mixed = plain and len(inputs) == 2 and _are_mixed(*inputs) and not current().deriving
    if mixed and ufunc is np.true_divide and type(inputs[0]) is np.ndarray and not kwargs and _called_by_program():
        ufunc, inputs = np.multiply, (inputs[0], Reciprocal.apply(inputs[1]))  # as PyTorch's operator does
    # `np.float64(2) * x` is np.multiply as well: there the operator counts, which follows PyTorch's type promotion.
    as_torch = lazy.running_as_torch and not isinstance(inputs[0], np.generic) and not current().deriving
    if as_torch and _arrays_suffice(method, inputs, kwargs) and _called_by_program():
        return _on_arrays(ufunc, method, inputs, kwargs)
    if (mixed or (plain and _are_integers(inputs))) and _called_by_program():
        inputs = _promoted(ufunc, inputs)
    out = kwargs.get("out", ())
    if out:
        if _arrays_suffice(method, inputs, kwargs):
            return _on_arrays(ufunc, method, inputs, kwargs)
        _check_out(ufunc, out)
        kwargs = {name: value for name, value in kwargs.items() if name != "out"}
        if not any(isinstance(x, core.Tensor) for x in inputs):
            inputs = tuple(map(elementwise.as_exact_tensor, inputs))
    try:
        result = _recorded(ufunc, method, inputs, kwargs)
    except (TypeError, NotImplementedError):
        if ufunc in (np.equal, np.not_equal) and plain and not out and any(map(_holds_no_numbers, inputs)):
            return ufunc is np.not_equal
        if not _arrays_suffice(method, inputs, kwargs) or (out and "where" in kwargs):  # which leaves parts of `out`
            raise
        result = _on_arrays(ufunc, method, inputs, kwargs)
    return _write_out(ufunc, out[0] if len(out) == 1 else out, result) if out else result


def _recorded(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Compute a call without `out` by microgad's operations. Raises TypeError if there is none for it."""
    if method == "__call__" and not kwargs and ufunc in UFUNCS:
        return UFUNCS[ufunc](*[elementwise.as_exact_tensor(x) if isinstance(x, (list, tuple)) else x for x in inputs])
    reduce = reduction.METHODS.get(method, {}).get(ufunc)
    if reduce is not None and not kwargs.keys() - {"axis", "keepdims", "dtype"}:
        return reduce(inputs[0], **{"axis": 0, **kwargs})
    if method == "at" and not kwargs and indexing.at(ufunc, *inputs):
        return None
    options = f" with {', '.join(sorted(kwargs))}=" if kwargs else ""
    call = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    raise DtypeError(
        f"numpy.{call}{options} is not recorded on Tensors; write it out of place, or use tensor.detach().numpy()"
    )


def _holds_no_numbers(x: Any) -> bool:
    """Whether NumPy's array or scalar holds strings or dates, which equal no Tensor, as in PyTorch."""
    return isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "MmSU"


def _are_mixed(a: Any, b: Any) -> bool:
    """Whether a Tensor without gradient and an array have different dtypes, or are integers, whose quotient has."""
    tensor, array = (a, b) if type(b) is np.ndarray else (b, a)
    if type(array) is not np.ndarray or type(getattr(tensor, "array", None)) is not np.ndarray:
        return False
    same = tensor.array.dtype == array.dtype and array.dtype.kind in "fc"
    return not same and not is_recorded(tensor)


def _are_integers(inputs: tuple[Any, ...]) -> bool:
    """Whether all Tensors are integers or bools: they need no gradient, and what is computed has NumPy's dtype."""
    for x in inputs:
        if isinstance(x, core.Tensor) and x.array.dtype.kind not in "iub":
            return False
    return not isinstance(inputs[0], np.generic) and not current().deriving  # a np.generic's operator is PyTorch's


def _promoted(ufunc: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Operands in the dtype in which NumPy computes: for a Tensor and an array PyTorch's array operator does it.

    Raises OverflowError, as NumPy does, if a Python integer doesn't fit beside integer Tensors. It may be compared.
    """
    inputs = tuple(elementwise.as_exact_tensor(x) if isinstance(x, (list, tuple, bool)) else x for x in inputs)
    try:
        given = [type(x) if type(x) in NUMBERS else getattr(x, "array", x).dtype for x in inputs]
        kinds = ufunc.resolve_dtypes((*given, *[None] * ufunc.nout))
        if ufunc in COMPARISONS and int in given:
            numbers = [np.min_scalar_type(x) for x in inputs if type(x) is int]
            kinds = [np.result_type(kinds[0], *numbers)] * 2
        elementwise.check_integers(inputs, kinds)
        return tuple(_cast(x, kind) for x, kind in zip(inputs, kinds, strict=False))
    except (TypeError, AttributeError):  # NumPy doesn't take these operands, or no Tensor has the result's dtype
        return inputs


def _cast(x: Any, to: Any) -> Any:
    """An operand in another dtype, a Tensor not by its method `to`, which a subclass may override."""
    if not isinstance(x, core.Tensor):
        return x.astype(to, copy=False) if type(x) is np.ndarray else x
    to = dtypes.of(to).dtype
    return x if x.array.dtype == to else Cast.apply(x, to=to, source=x.array.dtype)


def _arrays_suffice(method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a ufunc can compute on arrays: it loses no gradient and writes no Tensor, which backward wouldn't see."""
    written = (inputs[0],) if method == "at" else kwargs.get("out", ())
    return not any(isinstance(x, core.Tensor) for x in written) and _no_gradient_lost((inputs, kwargs))


def _on_arrays(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Compute a ufunc on arrays. What NumPy returns as a Tensor by PyTorch's `__array_wrap__` is a Tensor here too."""
    results = getattr(ufunc, method)(*_as_arrays(inputs), **_as_arrays(kwargs))
    if "out" in kwargs or method in ("outer", "at"):
        return results
    if method != "__call__" and not isinstance(inputs[0], core.Tensor):
        return results
    # PyTorch makes bools uint8. An operator may have called with an array, as in `array == x`: then they stay bools.
    bytes_for_bools = lazy.running_as_torch and not any(isinstance(x, np.ndarray) for x in inputs)
    return tree_map(lambda x: _as_tensor(x, bytes_for_bools), results)


def _as_tensor(result: Array, bytes_for_bools: bool) -> Any:
    array = as_array(result)
    dtypes.of(array.dtype)  # raises TypeError if no Tensor has it
    return core.Tensor._wrap(array.astype(np.uint8) if bytes_for_bools and array.dtype == bool else array)


def function(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Implement Tensor's `__array_function__`."""
    clips = func is np.clip and args and isinstance(args[0], core.Tensor)  # its method would clip by PyTorch's rules
    if lazy.running_as_torch and not clips and _no_gradient_lost((args, kwargs)) and _called_by_program():
        try:
            return func._implementation(*args, **kwargs)
        except (TypeError, ValueError, RuntimeError, AttributeError):  # it called a method that has PyTorch's arguments
            pass
    given = args, kwargs
    args, kwargs, out = _without_out(func, args, kwargs)
    if isinstance(out, np.ndarray) and _no_gradient_lost(given):
        return func(*_as_arrays(given[0]), **_as_arrays(given[1]))
    op = FUNCTIONS.get(func)
    if op is None:
        if out is None and _no_gradient_lost((args, kwargs)):
            return func(*_as_arrays(args), **_as_arrays(kwargs))
        name = f"{func.__module__}.{func.__name__}"
        raise DtypeError(f"{name} is not recorded on Tensors; use microgad's own operation, or tensor.detach().numpy()")
    if isinstance(kwargs.get("dtype"), str):  # NumPy accepts names of dtypes
        kwargs = {**kwargs, "dtype": np.dtype(kwargs["dtype"])}
    if out is not None:
        _check_out(func, (out,))
    try:
        result = op(*args, **kwargs)
    except (TypeError, AttributeError) as error:
        if out is None and _no_gradient_lost((args, kwargs)):
            return func(*_as_arrays(args), **_as_arrays(kwargs))
        if isinstance(error, AttributeError):  # an array or list where the operation needs a Tensor
            rule = "is recorded of Tensors, not of lists or of arrays"
        elif error.__traceback__ is None or error.__traceback__.tb_next is not None:
            raise  # raised inside the operation; a call that doesn't fit the signature raises in this frame
        else:
            rule = f"is not recorded on Tensors as it was called: {error}"
        raise DtypeError(f"numpy.{func.__name__}: {rule}") from error
    return result if out is None else _write_out(func, out, result)


def _without_out(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
    """Take `out`, positional or keyword, from a call's arguments: return the other arguments, and `out` or None."""
    out, position = kwargs.get("out"), _position_of_out(func)
    if len(args) > position:
        out, args = args[position], (*args[:position], None, *args[position + 1 :])
    if "out" in kwargs:
        kwargs = {name: value for name, value in kwargs.items() if name != "out"}
    return args, kwargs, out


def _no_gradient_lost(x: Any) -> bool:
    """Whether arrays may stand for the Tensors: none of these requires grad, unless off, and all are on the CPU."""
    tensors = tensors_in(x)
    return not is_recorded(*tensors) and all(isinstance(tensor.array, np.ndarray) for tensor in tensors)


def _called_by_program() -> bool:
    """Whether a NumPy function was called by the program, directly or through other NumPy functions."""
    frame: Any = sys._getframe(3)
    while (name := frame.f_globals.get("__name__", "")).startswith("numpy.") or name in TRANSPARENT:
        frame = frame.f_back
    return not name.startswith("microgad.")


def _as_arrays(x: Any) -> Any:
    """Replace Tensors by their arrays, in tuples, lists and dicts too."""
    return tree_map(bare, x)


@functools.cache
def _position_of_out(func: Any) -> int:
    """Return the position of `out` among a NumPy function's positional parameters, or sys.maxsize if it has none."""
    try:
        parameters = inspect.signature(func).parameters.values()
    except ValueError:  # before version 2.4 some of NumPy's functions have no signature
        parameters = inspect.signature(FUNCTIONS.get(func, lambda: None)).parameters.values()
    by_place = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return by_place.index("out") if "out" in by_place else sys.maxsize


def _check_out(func: Any, outs: tuple[Any, ...]) -> None:
    """Raise TypeError if `out` isn't a Tensor, since writing to an array would lose the gradient."""
    for out in outs:
        if not isinstance(out, core.Tensor):
            kind = type(out).__name__
            raise DtypeError(f"numpy.{func.__name__} with out= is not recorded in a {kind}: give a Tensor, or none")


def _write_out(func: Any, out: Any, result: Any) -> Any:
    """Write a result into `out`, which must have its shape, and return that."""
    outs, results = (x if isinstance(x, tuple) else (x,) for x in (out, result))
    results = tuple(x if isinstance(x, core.Tensor) else core.Tensor._wrap(as_array(x)) for x in results)
    for target, value in zip(outs, results, strict=True):
        if target.shape != value.shape:
            raise ShapeError(f"numpy.{func.__name__}: out= has shape {target.shape}, but the result {value.shape}")
    return into(out, results if isinstance(out, tuple) else results[0])
