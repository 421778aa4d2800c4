"""Decorators for the arguments that PyTorch accepts besides the documented ones: NumPy's names, and an older order."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from .. import function as core
from ..errors.arguments import CALL_ERRORS, retry_or_raise, type_check
from ..errors.notices import once

F = TypeVar("F", bound=Callable[..., Any])

# NumPy's names of arguments, and PyTorch's.
_NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim", "a": "input", "x": "input", "x1": "input", "x2": "other"}
# Names that PyTorch takes for arguments that its documentation calls something else, and their positions.
_POSITIONS = {
    "input": 0, "input2": 1, "input3": 2, "b": 1, "other": 1, "indices": 1, "sections": 1,
    "tensor_indices_or_sections": 1, "split_size": 1,
}  # fmt: skip
_OLD_ORDER = "This overload of {} is deprecated: give numbers after the Tensors and by name, as in add(x, y, alpha=2)"


def numpy_spelling(function: F) -> F:
    """Make a public function accept `axis` for `dim`, `keepdims` for `keepdim`, `x` for `input`, `input` for `A`.

    It also checks the types of arguments, as `tensors_only` does.
    """
    code = inspect.unwrap(function).__code__
    own = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    renamed = {name: own[place] for name, place in _POSITIONS.items() if place < code.co_argcount and name not in own}
    places = {**dict(zip(own, own, strict=True)), **renamed}
    renamed |= {name: places[like] for name, like in _NUMPY_NAMES.items() if like in places and name not in own}
    return _with_checks(function, renamed)


def tensors_only(function: F) -> F:
    """Make a public function raise TypeError for an argument that is not of the annotated type: Tensor, int, bool."""
    return _with_checks(function, {})


def _with_checks(function: F, renamed: dict[str, str]) -> F:
    """Wrap a public function: `renamed` maps alternative names of arguments to its own; types are checked."""
    check = type_check(function)

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not renamed.keys().isdisjoint(kwargs):
            named = {renamed.get(name, name): value for name, value in kwargs.items()}
            if len(named) < len(kwargs):
                raise TypeError(f"{function.__name__}() got one argument by two of its names: {', '.join(kwargs)}")
            kwargs = named
        if check is not None:
            check(args, kwargs)
        try:
            return function(*args, **kwargs)
        except CALL_ERRORS as error:
            return retry_or_raise(checked, args, kwargs, error)

    return checked  # type: ignore[return-value]


def numbers_first(function: F) -> F:
    """Make a public function accept factors before the Tensors that they scale, as in `addcmul(input, value, a, b)`.

    This order, `addmm(beta, input, alpha, mat1, mat2)` with an optional alpha, is PyTorch's deprecated one.
    """
    code = inspect.unwrap(function).__code__
    names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]

    @functools.wraps(function)
    def ordered(*args: Any, **kwargs: Any) -> Any:
        if len(args) > 3 and isinstance(args[-1], core.Tensor):
            once(_OLD_ORDER.format(function.__name__))
            numbers = [x for x in args if not isinstance(x, core.Tensor)]
            args = tuple(x for x in args if isinstance(x, core.Tensor))
            kwargs = {**dict(zip(names, numbers, strict=False)), **kwargs}
        return function(*args, **kwargs)

    return ordered  # type: ignore[return-value]


def old_order(op: str, alpha: Any, rest: tuple[Any, ...]) -> tuple[Any, Any]:
    """Return other and alpha of a deprecated `add(input, alpha, other)`. Raise TypeError if `other` is no operand."""
    if len(rest) > 1 or not isinstance(rest[0], (core.Tensor, complex, float, int)):
        raise TypeError(f"{op}() takes 2 positional arguments but {2 + len(rest)} were given")
    once(_OLD_ORDER.format(op))
    return rest[0], alpha
