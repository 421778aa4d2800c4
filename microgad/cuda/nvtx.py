"""torch.cuda.nvtx: marks for NVIDIA's profiler, which have no effect here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def range(msg: str, *args: Any, **kwargs: Any) -> Iterator[None]:
    """Mark a block or function; this has no effect. Source: torch.cuda.nvtx.range.

    >>> with torch.cuda.nvtx.range("forward"):
    ...     torch.ones(2).sum()
    tensor(2.)
    """
    yield


def range_push(msg: str) -> int:
    """Return -1, as no range is open. Source: torch.cuda.nvtx.range_push."""
    return -1


def range_pop() -> int:
    """Return -1, as no range is open. Source: torch.cuda.nvtx.range_pop."""
    return -1


def mark(msg: str) -> None:
    """Do nothing. Source: torch.cuda.nvtx.mark."""
