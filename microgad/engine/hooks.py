"""Hooks: what is called when something passes, until its handle is removed."""

from __future__ import annotations

from itertools import count
from typing import Any

LAST = 1 << 62
_ids = count()


class RemovableHandle:
    """Takes a hook away again: `handle.remove()`, or at the end of a `with` block."""

    def __init__(self, hooks: dict[int, Any], hook: Any, last: int = 0) -> None:
        self.hooks = hooks
        self.id = next(_ids) + last * LAST  # a gradient's hooks are called in the order of these
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        self.hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()
