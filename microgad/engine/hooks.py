"""The handle of a registered hook."""

from __future__ import annotations

from itertools import count
from typing import Any

LAST = 1 << 62  # hooks of a higher class `last` have ids from last · LAST on, and so run after those of a lower one
_ids = count()


class RemovableHandle:
    """Removes a hook: by `handle.remove()`, or at the end of a `with` block.

    Without `hook` it only reserves the key `handle.id` in the dict of hooks; the caller then adds the hook under it.
    What is stored under that key in `extra_dict`, a dict or a list of dicts, is removed too.
    Source: torch.utils.hooks.RemovableHandle.

    >>> hooks = {}
    >>> handle = torch.utils.hooks.RemovableHandle(hooks)
    >>> hooks[handle.id] = print
    >>> handle.remove()
    >>> hooks
    {}
    """

    def __init__(self, hooks_dict: Any, hook: Any = None, last: int = 0, *, extra_dict: Any = None) -> None:
        self.dicts: list[Any] = [hooks_dict, *([extra_dict] if isinstance(extra_dict, dict) else extra_dict or ())]
        self.id: int = next(_ids) + last * LAST  # hooks run in the order of their ids
        if hook is not None:
            hooks_dict[self.id] = hook

    def remove(self) -> None:
        """Remove the hook. A second call does nothing."""
        for hooks in self.dicts:
            hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()
