"""Decorators for the arguments that PyTorch accepts besides the documented ones: NumPy's names, and an older order."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from ... import function as core
from ...errors.arguments import type_check
from ...errors.calls import CALL_ERRORS, other_names, renamed, retry_or_raise
from ...errors.notices import once
from ...state import current

F = TypeVar("F", bound=Callable[..., Any])

# Names that PyTorch takes for arguments that its documentation calls something else, and their positions.
_POSITIONS = {
    "input": 0, "input2": 1, "input3": 2, "b": 1, "other": 1, "indices": 1, "sections": 1,
    "tensor_indices_or_sections": 1, "split_size": 1,
}  # fmt: skip
_OLD_ORDER = "This overload of {} is deprecated: give numbers after the Tensors and by name, as in add(x, y, alpha=2)"


def numpy_spelling(function: F) -> F:
    """Make a public function accept `axis` for `dim`, `keepdims` for `keepdim`, `x` for `input`, `input` for `A`.

    It also checks the types of arguments, as `tensors_only` does. Functions that aren't decorated so take NumPy's
    names, too, but only in a second call, after the first has failed: see `retry_or_raise`.
    """
    return _with_checks(function, other_names(function, _POSITIONS))


def tensors_only(function: F) -> F:
    """Make a public function raise TypeError for an argument that is not of the annotated type: Tensor, int, bool."""
    return _with_checks(function, {})


def _with_checks(function: F, names: dict[str, str]) -> F:
    """Wrap a public function: `names` maps alternative names of arguments to its own; types are checked."""
    inner: Any = getattr(function, "__wrapped__", None)
    shown = inner is not None and getattr(function, "unobserved", None) is inner  # one wrapper does what two would
    inner = inner if shown else function
    check = type_check(inner)

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not names.keys().isdisjoint(kwargs):
            kwargs = renamed(function, names, kwargs)
        if check is not None:
            args = check(args, kwargs)
        try:
            if shown and (observer := current().observer) is not None:
                return observer.call(inner, args, kwargs)
            return inner(*args, **kwargs)
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
