"""torch.distributed.elastic: what programs that torchrun may start import, for one process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def record(fn: F, error_handler: Any = None) -> F:
    """Return the function: its exceptions are Python's, and no other process waits for a report of them.

    Source: torch.distributed.elastic.multiprocessing.errors.record.

    >>> from microgad.porting.torch_modules.distributed.elastic import record
    >>> record(len) is len
    True
    """
    return fn
