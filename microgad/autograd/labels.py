"""The labels under which profiles list what microgad itself does outside of operations, as optimizers' steps."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .. import state


def profiled(label: str) -> AbstractContextManager[Any]:
    """Return `record_function(label)`, or a context that does nothing and costs less where nothing observes."""
    if state.current().observer is None:
        return nullcontext()
    from .profiler import record_function  # loaded only by programs that profile or record

    return record_function(label)
