"""Deprecated aliases of functions whose names got a trailing underscore."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors.notices import warn

F = TypeVar("F", bound=Callable[..., Any])


def deprecated_alias(function: F, namespace: str) -> F:
    """Return `function` under its name without the underscore, with PyTorch's FutureWarning at each call."""
    new = function.__name__
    old = new.removesuffix("_")

    @functools.wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> Any:
        message = f"`{namespace}.{old}` is now deprecated in favor of `{namespace}.{new}`."
        warn(message, FutureWarning)
        return function(*args, **kwargs)

    renamed.__name__ = renamed.__qualname__ = old
    summary = (function.__doc__ or "").partition("\n")[0].partition(" Source:")[0]
    older = f"This is an older name of `{new}`, and warns (FutureWarning)."
    renamed.__doc__ = f"{summary} {older}\n\nSource: torch.{namespace.removeprefix('torch.')}.{old}."
    return renamed  # type: ignore[return-value]
