"""Paths of modules: where each is within the outermost module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import Module


def set_paths(parent: Module, child: Any, new_name: str | None = None) -> None:
    """Set the paths of a child and of everything below it, by its first name if `parent` has it under several.

    `new_name` was added after all others; without it, they are searched. Nothing happens to what is no child any more.
    """
    if child is None:
        return
    name = new_name
    if name is None:
        name = next((name for name, module in parent._modules.items() if module is child), None)
    elif parent._modules.get(earlier := child._path.rpartition(".")[2]) is child:
        name = earlier
    if name is None:
        return
    pending, seen = [(f"{parent._path}.{name}" if parent._path else name, child)], set()
    while pending:  # not by `named_modules`, whose generators are as deep as the modules
        path, inner = pending.pop()
        if inner is not None and id(inner) not in seen:
            seen.add(id(inner))
            inner.__dict__["_path"] = path
            pending += [(f"{path}.{key}", below) for key, below in reversed(inner._modules.items())]
