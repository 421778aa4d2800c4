"""Binding a context variable to a value for the length of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def binding(variable: ContextVar[T], value: T) -> Iterator[None]:
    """Set a context variable to `value` for a block.

    >>> from contextvars import ContextVar
    >>> depth = ContextVar("depth", default=0)
    >>> with binding(depth, 1):
    ...     depth.get()
    1
    >>> depth.get()
    0
    """
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
