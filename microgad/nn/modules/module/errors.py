"""Errors for what can't be a part of a module."""

from __future__ import annotations

from typing import Any

from ....tensor import Tensor


def not_assignable(value: Any, kind: str, name: str, expected: str) -> TypeError:
    return TypeError(f"cannot assign '{typename(value)}' as {kind} '{name}' ({expected} or None expected)")


def not_registrable(value: Any, kind: str, name: str, expected: str) -> TypeError:
    return TypeError(f"cannot assign '{typename(value)}' object to {kind} '{name}' ({expected} or None required)")


def typename(value: Any) -> str:
    """Return the name of a value's type as PyTorch's error messages give it."""
    if isinstance(value, Tensor):
        return value.type()
    cls = type(value)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
