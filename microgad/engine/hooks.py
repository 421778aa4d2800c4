"""The handle of a registered hook."""

from __future__ import annotations

from itertools import count
from typing import Any

LAST = 1 << 62  # hooks of a higher class `last` have ids from last · LAST on, and so run after those of a lower one
_ids = count()


class RemovableHandle:
    """Removes a hook: by `handle.remove()`, or at the end of a `with` block."""

    def __init__(self, hooks: dict[int, Any], hook: Any, last: int = 0) -> None:
        self.hooks = hooks
        self.id = next(_ids) + last * LAST  # hooks run in the order of their ids
        hooks[self.id] = hook

    def remove(self) -> None:
        """Remove the hook. A second call does nothing."""
        self.hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()
