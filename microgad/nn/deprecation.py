"""Functions under the names that they had before they were given an underscore."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def deprecated_alias(function: F, room: str) -> F:
    """The same function without the underscore, which warns of it as PyTorch does."""
    new = function.__name__
    old = new.removesuffix("_")

    @functools.wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> Any:
        said = f"`{room}.{old}` is now deprecated in favor of `{room}.{new}`."
        warnings.warn(said, FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    renamed.__name__ = renamed.__qualname__ = old
    renamed.__doc__ = f"`{new}` under its old name."
    return renamed  # type: ignore[return-value]
