"""The memory that a call takes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def with_peak(call: Callable[[], T]) -> tuple[T, int]:
    """Return the result of a call, and the most bytes that it has allocated at one time."""
    tracemalloc.start()
    try:
        return call(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
