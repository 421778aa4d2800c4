"""The contexts `flags(...)` of torch.backends, in which a module's flags have other values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def changed(module: dict[str, Any], flags: dict[str, Any]) -> Iterator[None]:
    """Set global names of a module in a `with` block."""
    before = {name: module[name] for name in flags}
    module.update(flags)
    try:
        yield
    finally:
        module.update(before)
