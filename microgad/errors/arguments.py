"""Errors for wrong arguments: of a wrong type, no Tensor where one is needed, gradients that don't fit."""

from __future__ import annotations

import inspect
import operator
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from . import (
    ArgumentError,
    DeviceError,
    DtypeError,
    GraphError,
    MicrogadError,
    NoMemoryError,
    ShapeError,
)
from .forwards import in_forward, no_memory


class NoTensorError(MicrogadError, TypeError, AttributeError):
    """An argument that must be a Tensor. PyTorch raises TypeError for it in C++, AttributeError in Python code."""


# Annotation -> types that are accepted at once; `_fits` decides about all others.
_TAKEN = {
    "bool": frozenset([bool]),
    "int": frozenset([int]),
    "float": frozenset([float, int]),
    "complex": frozenset([complex, float, int, bool]),
    "str": frozenset([str]),
    "Dtype": frozenset([type(None)]),
}
_REAL, _NUMERIC = (float, np.floating, bool, np.bool_), (np.inexact, np.bool_)  # bools are numbers, as in PyTorch
# Not checked: what PyTorch only tests for truth in Python code, and requires_grad, which is checked later.
_ANY = frozenset(
    ("antialias", "center", "full", "inplace", "recompute_scale_factor", "reduce", "requires_grad", "return_indices",
     "size_average", "swap")
)  # fmt: skip

# Annotations of integers, single or several.
_WHOLE = frozenset(("int", "Size", "Sizes", "Sequence[int]", "int | Sequence[int]", "Dim", "Dims"))
_NONE_TOO = ("", "Any", "Dim", "Dims", "Scale")  # annotations that include None, though they don't say it
_NUMBERS = frozenset(("Operand", "Real", "float | Tensor", "Tensor | float", "int | Tensor"))


def type_check(function: Callable[..., Any]) -> Callable[[tuple[Any, ...], dict[str, Any]], tuple[Any, ...]] | None:
    """Make a check of a call's argument types against the annotations of `function`: numbers, bools and strings.

    The check raises TypeError where PyTorch's bindings do: for "a", 1.5 or True where an int is expected, for 1 where a
    bool is. It returns the positional arguments, with Python's numbers for NumPy's and Tensors, whose arithmetic would
    round or overflow; in the keyword arguments it replaces them. Returns None if there is nothing to check.
    """
    if function is not inspect.unwrap(function):
        return None  # the wrapped function has a check of its own
    wanted = {}
    for name, said in function.__annotations__.items():
        kind = said.removesuffix(" | None") if isinstance(said, str) else ""
        if kind in _TAKEN and name not in _ANY and (name, kind) != ("reduction", "str"):  # losses refuse its values
            wanted[name] = kind, _TAKEN[kind] if kind == said else _TAKEN[kind] | {type(None)}
    wanted.pop("return", None)
    if not wanted:
        return None
    code = function.__code__
    placed = [(i, *wanted[name]) for i, name in enumerate(code.co_varnames[: code.co_argcount]) if name in wanted]

    def check(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        for i, kind, taken in placed:
            if i < len(args) and type(args[i]) not in taken:
                if not _fits(args[i], kind):
                    raise _mistyped(function, args, f"'{code.co_varnames[i]}' (position {i + 1})", kind, args[i])
                args = *args[:i], _as_python(args[i], kind), *args[i + 1 :]
        for name, value in kwargs.items():
            if name in wanted and type(value) not in wanted[name][1]:
                kind = wanted[name][0]
                if not _fits(value, kind):
                    raise _mistyped(function, args, f"'{name}'", kind, value)
                kwargs[name] = _as_python(value, kind)
        return args

    return check


def _fits(value: Any, kind: str) -> bool:
    """Whether a value is accepted for an annotation: also NumPy's numbers, and 0-d Tensors off the graph."""
    if kind == "str":
        return isinstance(value, str)
    if kind == "Dtype":
        return isinstance(value, (type, np.dtype)) or hasattr(type(value), "to_complex")  # microgad's dtypes have it
    if kind in ("float", "complex") and hasattr(value, "array"):
        return not value.array.ndim and value.node is None
    if isinstance(value, _REAL if kind == "float" else _NUMERIC if kind == "complex" else ()):
        return True
    if kind == "bool" or isinstance(value, (bool, np.bool_)):
        return False
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def _as_python(value: Any, kind: str) -> Any:
    """A value that fits, as Python's number if it is NumPy's or a Tensor on the CPU outside of vmap."""
    if kind == "int":  # whether a Tensor (1) is one, its reader decides: as a dim it isn't
        return value if getattr(value, "ndim", 0) else operator.index(value)
    if type(getattr(value, "array", value)) is np.ndarray or isinstance(value, np.generic):
        value = value.item()
    if kind == "float" and isinstance(value, complex) and not value.imag:
        value = value.real
    return float(value) if kind == "float" and isinstance(value, bool) else value


def _mistyped(function: Callable[..., Any], args: tuple[Any, ...], where: str, kind: str, value: Any) -> Exception:
    """The error for an argument; in cat(a, b) it is the first one, of which the second's type follows."""
    first = function.__code__.co_varnames[0]
    if args and function.__annotations__.get(first) == "Sequence[Tensor]" and hasattr(args[0], "array"):
        where, kind, value = f"'{first}' (position 1)", "tuple of Tensors", args[0]
    kind = kind.replace("Dtype", "torch.dtype")
    return DtypeError(f"{function.__name__}(): argument {where} must be {kind}, not {type(value).__name__}")


def check_bool(op: str, **given: Any) -> None:
    """Raise TypeError for an argument that isn't a bool. PyTorch's bindings refuse 1, None and NumPy's bools."""
    for name, value in given.items():
        if type(value) is not bool:
            raise DtypeError(f"{op}(): argument '{name}' must be bool, not {type(value).__name__}")


def as_sizes(op: str, name: str, given: Any) -> tuple[int, ...]:
    """Return sizes as ints. Raises TypeError, which names the argument, also for a bool, but only as the first size."""
    try:
        sizes = tuple(map(operator.index, given))
        if not sizes or type(given[0]) is not bool:
            return sizes
    except (LookupError, TypeError):
        pass
    raise DtypeError(f"{op}(): argument '{name}' must be tuple of ints, got {given!r:.60}")


def is_sequence(x: Any) -> bool:
    """Whether PyTorch takes x for a sequence (PySequence_Check): any class with __getitem__, but no dict or scalar."""
    if isinstance(x, (list, tuple)):
        return True
    if not hasattr(type(x), "__getitem__") or isinstance(x, (dict, np.generic)):
        return False
    return any("__getitem__" in cls.__dict__ for cls in type(x).__mro__)  # only its metaclass has one: x is an Enum


# Names of arguments that PyTorch's parser takes for others in every function: NumPy's, and those of isin's numbers.
_OTHER_NAMES = {
    "axis": "dim", "keepdims": "keepdim", "a": "input", "x": "input", "x1": "input", "x2": "other",
    "element": "elements", "test_element": "test_elements",
}  # fmt: skip


def other_names(function: Callable[..., Any], positions: Mapping[str, int] = MappingProxyType({})) -> dict[str, str]:
    """Return other names of a function's arguments, with its own ones: NumPy's, and those that `positions` has."""
    code = inspect.unwrap(function).__code__
    own = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    names = {name: own[place] for name, place in positions.items() if place < code.co_argcount and name not in own}
    places = {**dict(zip(own, own, strict=True)), **names}
    return names | {name: places[like] for name, like in _OTHER_NAMES.items() if like in places and name not in own}


def renamed(function: Callable[..., Any], names: dict[str, str], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return keyword arguments under a function's own names: the same dict where they are. Raise TypeError for two."""
    if names.keys().isdisjoint(kwargs):
        return kwargs
    own = {names.get(name, name): value for name, value in kwargs.items()}
    if len(own) < len(kwargs):
        raise TypeError(f"{function.__name__}() got one argument by two of its names: {', '.join(kwargs)}")
    return own


# What Python says where a value can't be used as code uses it.
_PYTHONS = re.compile(
    r"'.*' object |'.*' not supported between|bad operand type|must be real number|object of type|unsupported operand|"
    r"only integer tensors|int\(\) argument"
)
CALL_ERRORS = (AttributeError, MemoryError, OverflowError, MicrogadError, TypeError, ValueError)


def _not_overridden(*args: Any, **kwargs: Any) -> Any:
    return NotImplemented


retry_overridden: Callable[..., Any] = _not_overridden  # set by torch_function.wrappers


def retry_or_raise(public: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], error: Any) -> Any:
    """Raise the error that PyTorch raises for a call that failed with one of `CALL_ERRORS`: the same, or a better one.

    PyTorch checks the types of all arguments first. Here they are checked after a failure, so that correct calls cost
    nothing. If an argument's class has a __torch_function__, that makes the call now, and its result is returned: see
    `torch_function`. A call with other names of arguments, such as NumPy's, is repeated with the function's own ones.
    """
    inside = sys._getframe(2).f_globals.get("__name__", "").startswith("microgad.")
    if not inside and (answer := retry_overridden(public, *args, **kwargs)) is not NotImplemented:
        return answer
    function, better = inspect.unwrap(public), None
    try:
        if isinstance(error, TypeError) and (named := renamed(public, other_names(public), kwargs)) is not kwargs:
            return public(*args, **named)
        if (better := _better_error(function, args, kwargs, error)) is not error:
            raise better from None
        raise error
    finally:  # or the error and this frame, which is in its traceback, would keep each other and the operands
        del error, better


def _better_error(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], error: Any) -> Exception:
    if isinstance(error, AttributeError) and (better := no_tensor(function, args, kwargs, error)) is not error:
        return better
    named = isinstance(error, MicrogadError) and isinstance(error, TypeError)
    if not named and (mistyped := _of_wrong_type(function, args, kwargs, error)) is not None:
        return mistyped
    if isinstance(error, MicrogadError):
        return error
    if isinstance(error, MemoryError):
        return NoMemoryError(f"{function.__name__}(): {no_memory(error)}")
    given = [
        (name, x) for name, _, value in _named(function, args, kwargs)
        for x in (value if isinstance(value, (list, tuple)) else (value,))
    ]  # fmt: skip
    if len({x.device for _, x in given if hasattr(x, "array") and x.ndim}) > 1:  # CuPy has other words for it
        names, values = zip(*given, strict=True)
        return in_forward(error, function.__name__, "", names, values)
    if isinstance(error, OverflowError):
        return ArgumentError(f"{function.__name__}(): {error}")
    if type(error) is TypeError and _PYTHONS.match(str(error)) and _raised_here(error):
        kinds = ", ".join([type(x).__name__ for x in args] + [f"{k}={type(x).__name__}" for k, x in kwargs.items()])
        said = f"{function.__name__}() received an invalid combination of arguments - got ({kinds}): {error}"
        return DtypeError(said)
    return error


def _raised_here(error: Exception) -> bool:
    """Whether microgad's own code raised an error, not a program's function that it called."""
    at: Any = error.__traceback__
    while at.tb_next is not None:
        at = at.tb_next
    return at.tb_frame.f_globals.get("__name__", "").startswith("microgad.")


def _of_wrong_type(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception
) -> Exception | None:
    """The error for the first argument that isn't a Tensor or integers although the signature says so, or None."""
    said = inspect.unwrap(function).__annotations__
    op = function.__name__
    pythons = type(error) is TypeError  # one that Python raised
    for name, place, value in _named(function, args, kwargs):
        kind, given = said.get(name, ""), type(value).__name__
        if value is None and (kind.endswith("None") or kind in _NONE_TOO):
            continue
        kind = kind.removesuffix(" | None")
        if kind == "Tensor" and not hasattr(value, "array"):
            return NoTensorError(f"{op}(): argument '{name}'{place} must be Tensor, not {given}")
        if kind == "Sequence[Tensor]" and (isinstance(value, str) or not hasattr(value, "__iter__")):
            return NoTensorError(f"{op}(): argument '{name}'{place} must be tuple of Tensors, not {given}")
        if kind == "Sequence[int]" and (value is None or (pythons and type(value) is int)):
            return DtypeError(f"{op}(): argument '{name}'{place} must be tuple of ints, not {given}")
        if kind in _WHOLE and not _whole(value, not pythons):
            return DtypeError(f"{op}(): argument '{name}'{place} must be int or a tuple of ints, got {value!r:.60}")
        if kind in _NUMBERS and not (hasattr(value, "array") or isinstance(value, (complex, float, int, np.generic))):
            return NoTensorError(f"{op}(): argument '{name}'{place} must be Tensor or Number, not {given}")
    return None


def _whole(value: Any, none: bool) -> bool:
    """Whether a value is an int or a list of ints, in which None may be allowed."""
    try:
        for item in value if isinstance(value, (list, tuple)) else (value,):
            if not none or item is not None:
                operator.index(item)
    except (TypeError, ValueError, RuntimeError):
        return False
    return value is not None


def no_tensor(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    error: AttributeError,
    method: str | None = None,
) -> Exception:
    """The error for a call that failed with an AttributeError: NoTensorError if an argument lacks the attribute.

    So calls with Tensors pay nothing for a check. The AttributeError stays if the object is a Tensor, or no argument.
    `method` names the method that called the function; PyTorch doesn't count a method's own Tensor as an argument.
    """
    lacking = error.obj
    if error.name is None or hasattr(lacking, "array"):
        return error
    op, kind = method or function.__name__, type(lacking).__name__
    for name, place, value in _named(function, args, kwargs, first=0 if method else 1):
        if value is lacking:
            return NoTensorError(f"{op}(): argument '{name}'{place} must be Tensor, not {kind}")
        if isinstance(value, (list, tuple)):
            for i, item in enumerate(value):
                if item is lacking:
                    return NoTensorError(
                        f"{op}(): expected Tensor as element {i} in argument '{name}'{place}, got {kind}"
                    )
    return error


def _named(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], first: int = 1
) -> Iterator[tuple[str, str, Any]]:
    """Name, position (as text, counted from `first`) and value of each argument; those of `*tensors` have its name."""
    code = inspect.unwrap(function).__code__
    own, count = code.co_varnames, code.co_argcount
    rest = own[count + code.co_kwonlyargcount] if code.co_flags & inspect.CO_VARARGS else ""
    for i, value in enumerate(args):
        yield own[i] if i < count else rest, f" (position {first + i})", value
    for name, value in kwargs.items():
        yield name, "", value


def unused(i: int, shape: tuple[int, ...]) -> GraphError:
    """The error for an input of `grad` on which the outputs don't depend."""
    return GraphError(
        f"grad: The differentiated Tensor at index {i} appears to not have been used in the graph. Set "
        f"allow_unused=True if this is the desired behavior. It has shape {shape}"
    )


def no_node(op: str, i: int, given: Any) -> GraphError:
    """The error for an input of `grad` or `backward` that has no node, or isn't a Tensor at all."""
    if not hasattr(given, "node"):
        return GraphError(f"{op}: all inputs have to be Tensors or GradientEdges, but got {type(given).__name__}")
    return GraphError(f"{op}: inputs[{i}] of shape {tuple(given.shape)} does not require grad")


def no_gradient(i: int, shape: tuple[int, ...], dtype: Any) -> GraphError:
    """The error for an output that isn't a scalar and for which no gradient is given."""
    return GraphError(
        f"grad can be implicitly created only for {'real ' * (dtype.kind == 'c')}scalar outputs, but "
        f"element {i} has shape {shape} and dtype {dtype}: reduce it, or give its gradient"
    )


def unfit_gradient(i: int, grad: Any, shape: tuple[int, ...], dtype: Any) -> Exception:
    """The error for a gradient that doesn't fit output i, which has this shape and dtype."""
    if not hasattr(grad, "array"):
        return DtypeError(f"gradients can be either Tensors or None, but got {type(grad).__name__}")
    if grad.array.shape != shape:
        return ShapeError(
            f"Mismatch in shape: grad_output[{i}] has a shape of torch.Size({[*grad.array.shape]}) and "
            f"output[{i}] has a shape of torch.Size({[*shape]})."
        )
    return DtypeError(
        "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in dtype: "
        f"grad_output[{i}] has a dtype of {grad.dtype} and output[{i}] has a dtype of torch.{dtype}."
    )


def check_device(grad: Any, result: Any, i: int) -> None:
    """Raise RuntimeError if `grad`, the gradient of the i-th result, isn't on its device. A GradientEdge has none."""
    if (expected := getattr(result, "device", grad.device)) != grad.device:
        raise DeviceError(f"invalid gradient at index {i} - expected device {expected} but got {grad.device}")


def old_gradients(grad_tensors: Any, grad_variables: Any) -> Any:
    """The gradients for `backward` where they are given by their name before PyTorch 0.4, `grad_variables`."""
    warnings.warn("`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning, stacklevel=3)
    if grad_tensors is not None:
        raise ArgumentError("backward: both grad_tensors and grad_variables were given; use grad_tensors")
    return grad_variables


def check_grad(inputs: tuple[Any, ...], only_inputs: bool, materialize_grads: bool, allow_unused: bool | None) -> None:
    """Check the less usual arguments of `grad`: raise for wrong ones, warn of those without effect."""
    operator.index(materialize_grads), operator.index(False if allow_unused is None else allow_unused)
    if not only_inputs:
        said = "only_inputs argument is deprecated and is ignored now (defaults to True); `backward` adds to .grad"
        warnings.warn(said, FutureWarning, stacklevel=3)
    if not inputs:
        raise ArgumentError("`inputs` argument to `grad()` cannot be empty.")
    if materialize_grads and allow_unused is not None and not allow_unused:
        raise ArgumentError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
            f"allow_unused={allow_unused}."
        )
