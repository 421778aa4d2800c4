"""Global hooks that run when a module registers a parameter, buffer or child, and may replace it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....engine.hooks import RemovableHandle

_Hooks = dict[int, Callable[..., Any]]
_global_parameter_registration_hooks: _Hooks = {}
_global_buffer_registration_hooks: _Hooks = {}
_global_module_registration_hooks: _Hooks = {}
_hooks = {
    "parameter": _global_parameter_registration_hooks,
    "buffer": _global_buffer_registration_hooks,
    "module": _global_module_registration_hooks,
}


def call_registration_hooks(kind: str, module: Any, name: str, value: Any) -> Any:
    """Call the hooks of one kind with a value that `module` registers, and return the value or its replacement."""
    for hook in tuple(_hooks[kind].values()):
        if (changed := hook(module, name, value)) is not None:
            value = changed
    return value


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, name, parameter)` for each registered parameter. A result other than None replaces it.

    Source: torch.nn.modules.module.register_module_parameter_registration_hook.

    >>> with nn.modules.module.register_module_parameter_registration_hook(lambda module, name, p: print(name)):
    ...     _ = nn.Linear(2, 1)
    weight
    bias
    """
    return RemovableHandle(_hooks["parameter"], hook)


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, name, buffer)` for each registered buffer. A result other than None replaces it.

    Source: torch.nn.modules.module.register_module_buffer_registration_hook.
    """
    return RemovableHandle(_hooks["buffer"], hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, name, child)` for each registered child. A result other than None replaces it.

    Source: torch.nn.modules.module.register_module_module_registration_hook.
    """
    return RemovableHandle(_hooks["module"], hook)
