"""The better error for a call that failed: it names the argument of a wrong type. Other names of arguments."""

from __future__ import annotations

import inspect
import operator
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from . import ArgumentError, DtypeError, MicrogadError, NoMemoryError
from .wording import kind_of


class NoTensorError(MicrogadError, TypeError, AttributeError):
    """An argument that must be a Tensor. PyTorch raises TypeError for it in C++, AttributeError in Python code."""


# Annotations of integers, single or several.
_WHOLE = frozenset(("int", "Size", "Sizes", "Sequence[int]", "int | Sequence[int]", "Dim", "Dims", "GivenDims"))
_NONE_TOO = ("", "Any", "Dim", "Dims", "Scale")  # annotations that include None, though they don't say it
_NUMBERS = frozenset(("Operand", "Real", "float | Tensor", "Tensor | float", "int | Tensor"))

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
    from .forwards import in_forward, no_memory

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
        kind, given = said.get(name, ""), kind_of(value)
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
    op, kind = method or function.__name__, kind_of(lacking)
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
