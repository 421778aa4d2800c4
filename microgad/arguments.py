"""What is said of an argument that is no Tensor and has to be."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from .errors import MicrogadError


class NoTensorError(MicrogadError, TypeError, AttributeError):
    """An argument that is no Tensor and has to be. PyTorch's functions raise the one in C++, the other in Python."""


def no_tensor(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], error: AttributeError
) -> Exception:
    """The error to raise where a call failed for want of an attribute: NoTensorError, if an argument lacks it.

    So calls with Tensors pay nothing for the check. What was no argument, or is a Tensor, keeps its AttributeError.
    """
    lacking = error.obj
    if error.name is None or hasattr(lacking, "array"):
        return error
    op, kind = function.__name__.replace("_call", "_"), type(lacking).__name__
    for name, place, value in _named(function, args, kwargs):
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
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[tuple[str, str, Any]]:
    """Name, place and value of each argument; all that `*tensors` takes goes by that name."""
    code = inspect.unwrap(function).__code__
    own, count = code.co_varnames, code.co_argcount
    rest = own[count + code.co_kwonlyargcount] if code.co_flags & inspect.CO_VARARGS else ""
    for i, value in enumerate(args):
        yield own[i] if i < count else rest, f" (position {i + 1})", value
    for name, value in kwargs.items():
        yield name, "", value
