"""Hooks that see what modules register: each parameter, buffer and child, which they may exchange."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engine.hooks import RemovableHandle

_hooks: dict[str, dict[int, Callable[..., Any]]] = {"parameter": {}, "buffer": {}, "module": {}}


def call_registration_hooks(kind: str, module: Any, name: str, value: Any) -> Any:
    """What hooks make of a value that becomes a part of a module."""
    for hook in tuple(_hooks[kind].values()):
        if (changed := hook(module, name, value)) is not None:
            value = changed
    return value


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call hook(module, name, parameter) for each that is registered; what it returns, if anything, takes its place.

    Source: torch.nn.modules.module.register_module_parameter_registration_hook.

    >>> with nn.modules.module.register_module_parameter_registration_hook(lambda module, name, p: print(name)):
    ...     _ = nn.Linear(2, 1)
    weight
    bias
    """
    return RemovableHandle(_hooks["parameter"], hook)


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call hook(module, name, buffer) for each that is registered; what it returns, if anything, takes its place.

    Source: torch.nn.modules.module.register_module_buffer_registration_hook.
    """
    return RemovableHandle(_hooks["buffer"], hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call hook(module, name, child) for each that is registered; what it returns, if anything, takes its place.

    Source: torch.nn.modules.module.register_module_module_registration_hook.
    """
    return RemovableHandle(_hooks["module"], hook)
