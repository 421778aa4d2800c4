"""Paths of modules: where each is within the outermost module.

A module's place is [path, its parent's place, name]. The path is made when it is first needed, and again after the
module, or one that it is in, got another place. So a model is built in linear time, also from the inside out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from . import Module

Place: TypeAlias = list[Any]  # a list, which is copied and saved with its module


def set_place(parent: Module, child: Any, new_name: str | None = None) -> None:
    """Set the place of a child, by its first name if `parent` has it under several.

    `new_name` was added after all others; without it, they are searched. Nothing happens to what is no child any more.
    """
    if child is None:
        return
    name = new_name
    if name is None:
        name = next((name for name, module in parent._modules.items() if module is child), None)
    elif parent._modules.get(earlier := child._place_within[2]) is child:
        name = earlier
    if name is None:
        return
    pending = [(parent.__dict__.setdefault("_place_within", ["", None, ""]), name, child)]
    while pending:  # from the last child to the first, whose name stays
        around, name, inner = pending.pop()
        place = inner.__dict__.get("_place_within")
        if place is not None and place[0] is None:  # what is below has no path either
            place[1:] = around, name
        else:
            place = inner.__dict__["_place_within"] = [None, around, name]
            inner.__dict__["_path_within"] = None
            pending += [(place, key, below) for key, below in inner._modules.items() if below is not None]


def path_of(module: Module) -> str:
    """Return the names that lead to a module from the outermost one, as "features.0"; "" for the outermost one."""
    place = module._place_within
    missing: dict[int, Place] = {}  # by id: a module may contain itself
    while place[0] is None and id(place) not in missing:
        missing[id(place)] = place
        place = place[1]
    path: str = place[0]
    for place in reversed(missing.values()):
        path = place[0] = f"{path}.{place[2]}" if path else place[2]
    module.__dict__["_path_within"] = path
    return path


def restore(module: Module, attributes: dict[str, Any]) -> None:
    """Set the attributes of a copied module, with a place of its own: `copy.copy` copies no lists."""
    vars(module).update(attributes)
    vars(module)["_place_within"] = [path_of(module), None, module._place_within[2]]
