"""Hooks that run around an optimizer's `step`, `state_dict` and `load_state_dict`."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from .. import errors
from ..autograd.labels import profiled
from ..engine.hooks import RemovableHandle
from ..errors.forwards import no_memory

Hooks = OrderedDict[int, Callable[..., Any]]

KINDS = ("step_pre", "step_post", "state_dict_pre", "state_dict_post", "load_state_dict_pre", "load_state_dict_post")
_pre_hooks, _post_hooks = Hooks(), Hooks()  # run around the steps of all optimizers


def with_step_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a class's `step`: hooks run around it and profiles list it, but not when a subclass's `step` calls it."""

    @functools.wraps(step)
    def with_hooks(self: OptimizerHooks, *args: Any, **kwargs: Any) -> Any:
        if type(self).step is not with_hooks or "_optimizer_step_pre_hooks" not in vars(self):  # __init__ didn't run
            return step(self, *args, **kwargs)
        if "_opt_called" in vars(self):
            self._opt_called = True
        with profiled(f"Optimizer.step#{type(self).__name__}.step"):
            return _step_with_hooks(step, self, (self, *args), kwargs)

    with_hooks.hooked = True  # type: ignore[attr-defined]
    return with_hooks


def _step_with_hooks(step: Callable[..., Any], self: OptimizerHooks, args: Any, kwargs: Any) -> Any:
    for before in (*_pre_hooks.values(), *self._optimizer_step_pre_hooks.values()):
        replaced = before(self, args, kwargs)
        if replaced is not None:
            if not isinstance(replaced, tuple) or len(replaced) != 2:
                raise RuntimeError(
                    f"{before} must return None or a tuple of (new_args, new_kwargs), but got {replaced}."
                )
            args, kwargs = replaced
    try:
        loss = step(*args, **kwargs)
    except errors.NoMemoryError:  # it names an operation of the closure already
        raise
    except MemoryError as error:
        raise errors.NoMemoryError(f"{type(self).__name__}.step: {no_memory(error)}") from error
    for after in (*self._optimizer_step_post_hooks.values(), *_post_hooks.values()):
        after(self, args, kwargs)
    return loss


class OptimizerHooks:
    """The part of Optimizer that registers hooks and runs them."""

    step: Callable[..., Any]
    _optimizer_step_pre_hooks: Hooks
    _optimizer_step_post_hooks: Hooks
    _optimizer_state_dict_pre_hooks: Hooks
    _optimizer_state_dict_post_hooks: Hooks
    _optimizer_load_state_dict_pre_hooks: Hooks
    _optimizer_load_state_dict_post_hooks: Hooks
    _opt_called: bool  # whether `step` was called; exists once a scheduler has asked for it

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in vars(cls):
            cls.step = with_step_hooks(vars(cls)["step"])

    def register_step_pre_hook(self, hook: Callable[[Any, Any, Any], Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step. It may return new (args, kwargs)."""
        return self._add_hook("step_pre", hook)

    def register_step_post_hook(self, hook: Callable[[Any, Any, Any], None]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step.

        >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)])
        >>> with optimizer.register_step_post_hook(lambda optimizer, args, kwargs: print("stepped")):
        ...     optimizer.step()
        stepped
        """
        return self._add_hook("step_post", hook)

    def register_state_dict_pre_hook(self, hook: Callable[[Any], None], prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` before `state_dict` collects the state."""
        return self._add_hook("state_dict_pre", hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[[Any, Any], Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` after `state_dict`. A result other than None replaces the state dict."""
        return self._add_hook("state_dict_post", hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[[Any, Any], Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before loading. A result other than None is loaded instead."""
        return self._add_hook("load_state_dict_pre", hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[[Any], None], prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` after loading."""
        return self._add_hook("load_state_dict_post", hook, prepend)

    def _add_hook(self, kind: str, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        hooks = getattr(self, f"_optimizer_{kind}_hooks")
        handle = RemovableHandle(hooks, hook)
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        return handle

    def _call_state_dict_hooks(self, kind: str, state_dict: dict[str, Any]) -> dict[str, Any]:
        """Call the hooks of one kind with a state dict, and return it or what a hook returned instead."""
        for hook in getattr(self, f"_optimizer_{kind}_hooks").values():
            replaced = hook(self, state_dict)
            state_dict = state_dict if replaced is None else replaced
        return state_dict

    def _init_hooks(self) -> None:
        """Create the hook dictionaries under PyTorch's names, unless a wrapping optimizer has set them itself."""
        for kind in KINDS:
            vars(self).setdefault(f"_optimizer_{kind}_hooks", Hooks())
        self._patch_step_function()

    def _patch_step_function(self) -> None:
        """Wrap the class's `step` if it was assigned after the class was defined, so that hooks run around it."""
        kind = type(self)
        if not getattr(kind.step, "hooked", False):
            kind.step = with_step_hooks(kind.step)

    def _cuda_graph_capture_health_check(self) -> None:
        """Do nothing: optimizers that programs derive from PyTorch's code call this, and nothing is captured here."""

    _accelerator_graph_capture_health_check = _cuda_graph_capture_health_check


def register_optimizer_step_pre_hook(hook: Callable[[Any, Any, Any], Any]) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` before each step of any optimizer."""
    return RemovableHandle(_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable[[Any, Any, Any], None]) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` after each step of any optimizer."""
    return RemovableHandle(_post_hooks, hook)
