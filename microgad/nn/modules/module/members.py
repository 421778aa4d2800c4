"""What Module's methods do to its members. Functions, so that subclasses may have methods of any private name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import paths
from .errors import typename
from .registration_hooks import call_registration_hooks

if TYPE_CHECKING:
    from . import Module

REGISTRIES = ("_parameters", "_buffers", "_modules")


def check_name(module: Module, kind: str, name: Any, registry: str) -> None:
    """Raise an error for a name that a new parameter, buffer or child can't have."""
    if "_modules" not in module.__dict__:
        raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
    if not isinstance(name, str):
        raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
    if "." in name:
        raise KeyError(f'{kind} name can\'t contain "."' + (f", got: {name}" if kind == "module" else ""))
    if not name:
        raise KeyError(f'{kind} name can\'t be empty string ""')
    if name not in getattr(module, registry) and hasattr(module, name):
        raise KeyError(f"attribute '{name}' already exists")


def set_child(module: Module, name: str, child: Module | None) -> None:
    """Make `child` the child `name`, and update places."""
    replaced = module._modules.get(name)
    module._modules[name] = child = call_registration_hooks("module", module, name, child)
    for each in (child, replaced):
        paths.set_place(module, each, name if replaced is None else None)


def unregister(module: Module, name: str, keep: str = "") -> bool:
    """Remove `name` from every registry except `keep`, and return whether any of them had it."""
    found = [members for each in REGISTRIES if each != keep and name in (members := getattr(module, each))]
    for members in found:
        paths.set_place(module, members.pop(name))
    module._non_persistent_buffers_set.discard(name)
    return bool(found)


def member_at(module: Module, target: str, registry: str, kind: str) -> Any:
    """Return the parameter or buffer at a path. Raises AttributeError if there is none."""
    path, _, name = target.rpartition(".")
    holder = module.get_submodule(path)
    if not hasattr(holder, name):
        raise AttributeError(f"{holder._get_name()} has no attribute `{name}`")
    member = getattr(holder, registry).get(name)
    if member is None and (registry == "_parameters" or name not in holder._buffers):  # None is a buffer, too
        raise AttributeError(f"`{name}` is not {kind}")
    return member
