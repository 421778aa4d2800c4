"""Hooks: what a user has called around a module's forward, its backward, and its state."""

from __future__ import annotations

import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import state
from ..engine.hooks import RemovableHandle
from ..errors import GraphError, ShapeError
from ..function import Function
from ..tensor import Tensor

if TYPE_CHECKING:
    from .module import Module


class _LazyHookDict:
    """Hooks of one kind by their handles' ids: made when it is asked for, so that it costs other modules nothing."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, module: Any, owner: type | None = None) -> Any:
        if module is None:
            return self
        made: OrderedDict[int, Any] = OrderedDict()
        vars(module)[self.name] = made
        vars(module)["_hooked"] = True
        return made


class ModuleHooks:
    """The part of Module that registers hooks; each gives a handle whose `remove()` takes the hook away again."""

    _hooked = False  # whether a registry has been made, so that a call has to look
    _forward_pre_hooks = _LazyHookDict()
    _forward_pre_hooks_with_kwargs = _LazyHookDict()  # ids, as keys
    _forward_hooks = _LazyHookDict()
    _forward_hooks_with_kwargs = _LazyHookDict()
    _forward_hooks_always_called = _LazyHookDict()
    _backward_pre_hooks = _LazyHookDict()
    _backward_hooks = _LazyHookDict()
    _is_full_backward_hook: bool | None = None
    _state_dict_pre_hooks = _LazyHookDict()
    _state_dict_hooks = _LazyHookDict()
    _state_dict_hooks_without_result = _LazyHookDict()
    _load_state_dict_pre_hooks = _LazyHookDict()
    _load_state_dict_pre_hooks_with_module = _LazyHookDict()
    _load_state_dict_post_hooks = _LazyHookDict()

    def _add_hook(
        self, registry: str, hook: Callable[..., Any], prepend: bool = False, **marks: bool
    ) -> RemovableHandle:
        registered = getattr(self, registry)
        handle = RemovableHandle(registered, hook)
        if prepend:
            registered.move_to_end(handle.id, last=False)
        for mark, there in marks.items():
            if there:
                getattr(self, f"{registry}_{mark}")[handle.id] = True
        return handle

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call hook(module, args) before forward; what it returns, if anything, takes the arguments' place.

        With with_kwargs: hook(module, args, kwargs), which returns (args, kwargs) or None.

        >>> layer = nn.ReLU()
        >>> with layer.register_forward_pre_hook(lambda module, args: -args[0]):
        ...     layer(torch.tensor([-1.0, 1.0]))
        tensor([1., 0.])
        """
        return self._add_hook("_forward_pre_hooks", hook, prepend, with_kwargs=with_kwargs)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call hook(module, args, output) after forward; what it returns, if anything, takes the output's place.

        With with_kwargs: hook(module, args, kwargs, output). With always_call also after an exception, then with None.

        >>> layer = nn.ReLU()
        >>> with layer.register_forward_hook(lambda module, args, output: output + 10):
        ...     layer(torch.tensor([-1.0, 1.0]))
        tensor([10., 11.])
        """
        return self._add_hook("_forward_hooks", hook, prepend, with_kwargs=with_kwargs, always_called=always_call)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call hook(module, grad_input, grad_output) when the gradients of the inputs are there, as tuples.

        What it returns, if anything, takes the place of grad_input. Only positional inputs count. What is no Tensor has
        None there, a Tensor that requires no grad has zeros, and where none requires grad all have None. An output that
        nobody used has zeros in grad_output (in PyTorch None). Nothing is called for a module that is gone by then.
        Inputs and outputs can't be written in place.

        >>> layer = nn.ReLU()
        >>> x = torch.tensor([-1.0, 1.0], requires_grad=True)
        >>> with layer.register_full_backward_hook(lambda module, grad_input, grad_output: print(grad_input)):
        ...     layer(x).sum().backward()
        (tensor([0., 1.]),)
        """
        return self._add_backward_hook(hook, prepend, full=True)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """register_full_backward_hook, under an older name: grad_input is always the module's, not its last node's.

        The two kinds can't be on one module: that raises RuntimeError.
        """
        return self._add_backward_hook(hook, False, full=False)

    def _add_backward_hook(self, hook: Callable[..., Any], prepend: bool, full: bool) -> RemovableHandle:
        if self._is_full_backward_hook is not (None if self._is_full_backward_hook is None else full):
            raise GraphError(
                "Cannot use both regular backward hooks and full backward hooks on a single Module. Please use only "
                "one of them."
            )
        self._is_full_backward_hook = full
        return self._add_hook("_backward_hooks", hook, prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call hook(module, grad_output), a tuple, before the module's backward; what it returns takes its place."""
        return self._add_hook("_backward_pre_hooks", hook, prepend)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call hook(module, prefix, keep_vars) before this module's part of `state_dict` is made."""
        return self._add_hook("_state_dict_pre_hooks", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call hook(module, state_dict, prefix, local_metadata) after it, to change the state_dict in place."""
        return self._add_hook("_state_dict_hooks", hook, without_result=True)

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """The same, whose result, if any, takes the state_dict's place."""
        return self._add_hook("_state_dict_hooks", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call hook(module, state_dict, prefix, metadata, strict, missing_keys, unexpected_keys, error_msgs) first."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHandle:
        return self._add_hook("_load_state_dict_pre_hooks", hook, with_module=with_module)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call hook(module, incompatible_keys) when all is loaded; keys that it takes away don't count as errors."""
        return self._add_hook("_load_state_dict_post_hooks", hook)


global_hooks = ModuleHooks()  # hooks of all modules
register_module_forward_pre_hook = global_hooks.register_forward_pre_hook
register_module_forward_hook = global_hooks.register_forward_hook
register_module_full_backward_pre_hook = global_hooks.register_full_backward_pre_hook
register_module_full_backward_hook = global_hooks.register_full_backward_hook
register_module_backward_hook = global_hooks.register_backward_hook


HOOK_ATTRIBUTES = {name for name, value in vars(ModuleHooks).items() if isinstance(value, _LazyHookDict)}


class Hook(NamedTuple):
    """What to call, and how."""

    function: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


def _hooks_for(module: ModuleHooks, registry: str) -> list[Hook]:
    """The hooks of a kind: first those of all modules."""
    found = []
    for holder in (global_hooks, module):
        if hooks := vars(holder).get(registry):
            with_kwargs, always = (vars(holder).get(f"{registry}_{m}", ()) for m in ("with_kwargs", "always_called"))
            found += [Hook(function, i in with_kwargs, i in always) for i, function in hooks.items()]
    return found


def call_forward(module: Module, *args: Any, **kwargs: Any) -> Any:
    """A module's forward with its hooks around it; which are called after it is seen only then."""
    due = result = None
    try:
        for hook in _hooks_for(module, "_forward_pre_hooks"):
            args, kwargs = _changed_arguments(hook, module, args, kwargs)
        gates = _BackwardHooks.for_module(module)
        if gates is not None:
            args = gates.wrap_inputs(args)
        result = module.forward(*args, **kwargs)
        due = _hooks_for(module, "_forward_hooks")
        while due:
            result = _changed_result(due.pop(0), module, args, kwargs, result)
        return result if gates is None else gates.wrap_outputs(result)
    except Exception:
        for hook in _hooks_for(module, "_forward_hooks") if due is None else due:
            if hook.always_call:
                try:
                    result = _changed_result(hook, module, args, kwargs, result)
                except Exception as error:
                    warnings.warn(f"a forward hook with always_call raised {error!r} when forward failed", stacklevel=4)
        raise


def _changed_arguments(hook: Hook, module: Module, args: Any, kwargs: Any) -> tuple[Any, Any]:
    changed = hook.function(module, args, *((kwargs,) if hook.with_kwargs else ()))
    if changed is None:
        return args, kwargs
    if not hook.with_kwargs:
        return (changed if isinstance(changed, tuple) else (changed,)), kwargs
    if isinstance(changed, tuple) and len(changed) == 2:
        return changed
    raise RuntimeError(f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}.")


def _changed_result(hook: Hook, module: Module, args: Any, kwargs: Any, result: Any) -> Any:
    changed = hook.function(module, args, *((kwargs,) if hook.with_kwargs else ()), result)
    return result if changed is None else changed


class BackwardHookFunction(Function):
    """Its inputs at a new place in the graph; on the way back, `callback` sees their gradients and may change them."""

    # `materializes` is a setting: a module's hook sees None for a result that nobody used. It sees PyTorch's gradients.
    symbol, conjugates = "hook", False

    def callback(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        """A setting, in general; without it, as in a replay, nobody looks."""
        return grads

    def forward(self, *inputs: Any) -> Any:
        return inputs

    def grad_inputs(self, grad: Any) -> Any:
        with state.scope(deriving=False):  # a hook may look at values
            if any(isinstance(g, Tensor) for g in grad):
                return self.callback(grad)
            changed = self.callback(tuple(None if g is None else Tensor._made(g) for g in grad))
            return tuple(None if g is None else g.array[...] for g in changed)  # views: a hook may have kept the arrays


class _BackwardHooks:
    """The backward hooks of one call: a Gate for the inputs, and one for the outputs.

    Nodes hold it, so it holds its module weakly: a module may store its outputs.
    """

    def __init__(self, module: Module, before: list[Hook], after: list[Hook]) -> None:
        self.module = weakref.ref(module)
        self.before, self.after = before, after
        self.inputs: list[int] | None = None  # which arguments carry a gradient
        self.outputs: list[int] | None = None
        self.n_inputs = self.n_outputs = 0
        self.constants: list[tuple[int, Any, Any]] = []  # the other Tensors among the arguments: where, shape, dtype
        self.grad_output: tuple[Any, ...] | None = None  # between the two Gates

    @classmethod
    def for_module(cls, module: Module) -> _BackwardHooks | None:
        """Those of a module that has backward hooks."""
        before, after = _hooks_for(module, "_backward_pre_hooks"), _hooks_for(module, "_backward_hooks")
        return cls(module, before, after) if before or after else None

    def wrap_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, behind a Gate."""
        self.n_inputs = len(args)
        gated, self.inputs = _wrap_tensors(args, self.on_grad_inputs)
        others = ((i, x) for i, x in enumerate(args) if isinstance(x, Tensor) and i not in (self.inputs or ()))
        self.constants = [(i, x.array.shape, x.array.dtype) for i, x in others]
        return gated

    def wrap_outputs(self, result: Any) -> Any:
        """The result, behind a Gate."""
        if not isinstance(result, (Tensor, tuple)):
            kind = type(result).__name__
            warnings.warn(f"backward hooks need a Tensor or a tuple of Tensors as output, got {kind}", stacklevel=5)
            return result
        results = result if isinstance(result, tuple) else (result,)
        self.n_outputs = len(results)
        gated, self.outputs = _wrap_tensors(results, self.on_grad_outputs, materializes=False)
        return gated if isinstance(result, tuple) else gated[0]

    def on_grad_outputs(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        module = self.module()
        if module is None:
            return grads
        shown = _pack_with_none(self.outputs, grads, self.n_outputs)
        for hook in self.before:
            changed = hook.function(module, shown)
            shown = _check_grads("pre hook returned an invalid number of grad_output", changed, shown)
        if self.inputs is not None:
            self.grad_output = shown
        elif self.after:
            warnings.warn("a full backward hook is called without grad_input: no input requires grad", stacklevel=2)
            for hook in self.after:
                changed = hook.function(module, (None,) * self.n_inputs, shown)
                if any(grad is not None for grad in changed or ()):
                    raise GraphError("a backward hook can't change gradients of inputs of which none requires grad")
        return tuple(shown[i] for i in self.outputs or ())

    def on_grad_inputs(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        module, grad_output = self.module(), self.grad_output
        if module is None or grad_output is None:  # gradients that came by another way than the outputs
            return grads
        self.grad_output = None
        zeros = {i: Tensor._made(np.zeros_like(grads[0].array, shape=s, dtype=d)) for i, s, d in self.constants}
        shown = tuple(zeros.get(i, g) for i, g in enumerate(_pack_with_none(self.inputs, grads, self.n_inputs)))
        for hook in self.after:
            changed = hook.function(module, shown, grad_output)
            shown = _check_grads("hook returned an invalid number of grad_input", changed, shown)
        return tuple(shown[i] for i in self.inputs or ())


def _wrap_tensors(
    values: tuple[Any, ...], callback: Callable[..., Any], **settings: Any
) -> tuple[tuple[Any, ...], list[int] | None]:
    """The values, those that carry a gradient behind a Gate; and which these are, None if there are none."""
    at = [i for i, x in enumerate(values) if isinstance(x, Tensor) and x.requires_grad]
    if not (at and state.current().grad_enabled):
        return values, None
    gated = list(values)
    hooked = BackwardHookFunction.apply(*[values[i] for i in at], callback=callback, **settings)
    for i, x in zip(at, hooked, strict=True):
        x._view_of(values[i], x.node, (BackwardHookFunction, {}))
        x.chain = None  # written in place through neither: which hooks a gradient passes then, can't be said
        gated[i] = x
    return (type(values)(*gated) if hasattr(values, "_fields") else tuple(gated)), at


def _pack_with_none(at: Sequence[int] | None, grads: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """Gradients at their places among all inputs or outputs; None at the others."""
    spread: list[Any] = [None] * count
    for i, grad in zip(at or (), grads, strict=True):
        spread[i] = grad
    return tuple(spread)


def _check_grads(rule: str, changed: Any, shown: tuple[Any, ...]) -> tuple[Any, ...]:
    if changed is None:
        return shown
    grads = tuple(changed) if isinstance(changed, (tuple, list)) else (changed,)
    for grad in grads:
        if grad is not None and not isinstance(grad, Tensor):
            raise TypeError(f"Backward hook: expected a Tensor or None for each gradient, got {type(grad).__name__}")
    if len(grads) != len(shown):
        raise ShapeError(f"Backward {rule}, got {len(grads)}, but expected {len(shown)}")
    return grads
