"""NumPy's names of arguments, which PyTorch takes beside its own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_PYTORCH = {"axis": "dim", "keepdims": "keepdim", "a": "input", "x": "input", "x1": "input", "x2": "other"}


def numpy_spelling(function: F) -> F:
    """Let a public function take `axis` for `dim`, `keepdims` for `keepdim`, `x` or `a` for `input`."""
    code = function.__wrapped__.__code__ if hasattr(function, "__wrapped__") else function.__code__
    own = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    renamed = {theirs: ours for theirs, ours in _PYTORCH.items() if ours in own and theirs not in own}

    @functools.wraps(function)
    def spelled(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            kwargs = {renamed.get(name, name): value for name, value in kwargs.items()}
        return function(*args, **kwargs)

    return spelled  # type: ignore[return-value]
