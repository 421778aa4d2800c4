"""Hooks that run around a module's forward and backward, and around `state_dict` and `load_state_dict`."""

from __future__ import annotations

import gc
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .... import backend, state
from ....engine import node_hooks, transforms
from ....engine.hooks import RemovableHandle
from ....errors import GraphError, ShapeError, notices
from ....function import Function
from ....lazy import raise_missing
from ....pytree import tree_leaves, tree_map
from ....tensor import Tensor
from ....type_aliases import Array
from .last_node_hooks import hook_last_node

if TYPE_CHECKING:
    from . import Module


_calls: dict[int, weakref.WeakSet[_BackwardHooks]] = {}  # those of modules by their ids, while their graphs live


class _LazyHookDict:
    """Descriptor of a dictionary from handle ids to hooks, made at its first use.

    A module without hooks holds no dictionaries, and its calls need not look for hooks.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, module: Any, owner: type | None = None) -> Any:
        if module is None:
            return self
        hooks: OrderedDict[int, Any] = OrderedDict()
        vars(module)[self.name] = hooks
        vars(module)["_has_hook_dicts"] = True
        return hooks


class ModuleHooks:
    """The part of Module that registers hooks. Each method returns a handle whose `remove()` removes the hook."""

    _has_hook_dicts = False  # whether the module has any hook dictionary: then calls go through `call_forward`
    _forward_pre_hooks = _LazyHookDict()
    _forward_pre_hooks_with_kwargs = _LazyHookDict()  # {hook id: True}, like all dictionaries named after an option
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

    def __del__(self, calls: Any = _calls) -> None:  # a default, which is still there when the interpreter exits
        """Give a module that is let go to the graphs of its calls, whose backward hooks take it as argument.

        Tensors among its attributes, or in lists, tuples and dicts there, are detached: they would refer back to these
        graphs, which only the garbage collector could free then. That is why graphs don't simply hold their modules,
        either; and a weak reference's callback can't do this, as it comes when the module is gone.
        """
        if graphs := calls.pop(id(self), None):
            for call in graphs:
                call.module = lambda: self
            for name, value in list(vars(self).items()):
                if _is_on_graph(value):
                    vars(self)[name] = value.detach()
                elif type(value) not in (list, tuple, dict) or name == "_place_within":
                    continue  # other mappings and sequences may compute what they hold, or can't be made of parts
                elif any(map(_is_on_graph, tree_leaves(value))):
                    vars(self)[name] = tree_map(lambda x: x.detach() if _is_on_graph(x) else x, value)

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before forward. A result other than None replaces the arguments.

        With `with_kwargs`, call `hook(module, args, kwargs)`, which returns (args, kwargs) or None.

        >>> layer = nn.ReLU()
        >>> with layer.register_forward_pre_hook(lambda module, args: -args[0]):
        ...     layer(torch.tensor([-1.0, 1.0]))
        tensor([1., 0.])
        """
        return _add_hook(self, "_forward_pre_hooks", hook, prepend, with_kwargs=with_kwargs)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after forward. A result other than None replaces the output.

        With `with_kwargs`, call `hook(module, args, kwargs, output)`. With `always_call`, call the hook after an
        exception, too; the output is None if forward raised it.

        >>> layer = nn.ReLU()
        >>> with layer.register_forward_hook(lambda module, args, output: output + 10):
        ...     layer(torch.tensor([-1.0, 1.0]))
        tensor([10., 11.])
        """
        return _add_hook(self, "_forward_hooks", hook, prepend, with_kwargs=with_kwargs, always_called=always_call)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` once the gradients of the module's inputs are computed.

        Both gradients are tuples. A result other than None replaces grad_input, which covers positional inputs only. An
        input that is not a Tensor has None there, and a Tensor that doesn't require grad has zeros; if no input
        requires grad, all have None. An unused output has None in grad_output. Inputs and outputs must not be written
        in place.

        >>> layer = nn.ReLU()
        >>> x = torch.tensor([-1.0, 1.0], requires_grad=True)
        >>> with layer.register_full_backward_hook(lambda module, grad_input, grad_output: print(grad_input)):
        ...     layer(x).sum().backward()
        (tensor([0., 1.]),)
        """
        return _add_backward_hook(self, hook, prepend, full=True)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` with the gradients of the last node of the module's forward.

        A result other than None replaces grad_input, which has one gradient for each of that node's `next_functions`:
        of a Linear layer also those of its parameters. Of several results only the first one's node is hooked. Unlike
        a full hook, this allows inplace modules. Raises RuntimeError if the module has hooks of the other kind.

        >>> layer = nn.ReLU()
        >>> x = torch.tensor([-1.0, 1.0], requires_grad=True)
        >>> with layer.register_backward_hook(lambda module, grad_input, grad_output: (grad_input[0] * 10,)):
        ...     layer(x * 1).sum().backward()
        >>> x.grad
        tensor([ 0., 10.])
        """
        return _add_backward_hook(self, hook, False, full=False)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_output)` before the module's backward. A result replaces the tuple grad_output."""
        return _add_hook(self, "_backward_pre_hooks", hook, prepend)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before `state_dict` collects this module's state."""
        return _add_hook(self, "_state_dict_pre_hooks", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)`, which may change the collected state in place."""
        return _add_hook(self, "_state_dict_hooks", hook, without_result=True)

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Like `register_state_dict_post_hook`, but a result other than None replaces the state_dict."""
        return _add_hook(self, "_state_dict_hooks", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call a hook before this module's state is loaded.

        Its arguments are (module, state_dict, prefix, metadata, strict, missing_keys, unexpected_keys, error_msgs).
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHandle:
        return _add_hook(self, "_load_state_dict_pre_hooks", hook, with_module=with_module)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` after loading. Keys that it removes don't count as errors."""
        return _add_hook(self, "_load_state_dict_post_hooks", hook)


global_hooks = ModuleHooks()  # hooks that run for every module
register_module_forward_pre_hook = global_hooks.register_forward_pre_hook
register_module_forward_hook = global_hooks.register_forward_hook
register_module_full_backward_pre_hook = global_hooks.register_full_backward_pre_hook
register_module_full_backward_hook = global_hooks.register_full_backward_hook
register_module_backward_hook = global_hooks.register_backward_hook


def _add_hook(
    module: ModuleHooks, registry: str, hook: Callable[..., Any], prepend: bool = False, **options: bool
) -> RemovableHandle:
    hooks = getattr(module, registry)
    chosen = [getattr(module, f"{registry}_{option}") for option, wanted in options.items() if wanted]
    handle = RemovableHandle(hooks, hook, extra_dict=chosen)
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    for ids in chosen:
        ids[handle.id] = True
    return handle


def _add_backward_hook(module: ModuleHooks, hook: Callable[..., Any], prepend: bool, full: bool) -> RemovableHandle:
    if module._is_full_backward_hook is not (None if module._is_full_backward_hook is None else full):
        raise GraphError(
            "Cannot use both regular backward hooks and full backward hooks on a single Module. Please use only "
            "one of them."
        )
    module._is_full_backward_hook = full
    return _add_hook(module, "_backward_hooks", hook, prepend)


def __getattr__(name: str) -> Any:
    """Return a dictionary of the hooks of all modules by PyTorch's name, such as `_global_forward_hooks`."""
    if name.startswith("_global_") and (registry := name.removeprefix("_global")) in HOOK_ATTRIBUTES:
        return getattr(global_hooks, registry)
    return raise_missing(__name__.removesuffix(".hooks"), name)


HOOK_ATTRIBUTES = {name for name, value in vars(ModuleHooks).items() if isinstance(value, _LazyHookDict)}


class Hook(NamedTuple):
    """A hook's function and the options that it was registered with."""

    function: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


def _hooks_for(module: ModuleHooks, registry: str) -> list[Hook]:
    """Return the hooks of one kind that apply to a module, the global ones first."""
    found = []
    for holder in (vars(global_hooks), vars(module)):
        if hooks := holder.get(registry):
            with_kwargs = holder.get(f"{registry}_with_kwargs", ())
            always = holder.get(f"{registry}_always_called", ())
            found += [Hook(function, i in with_kwargs, i in always) for i, function in hooks.items()]
    return found


def _backward_hooks_for(module: ModuleHooks, full: bool) -> list[Callable[..., Any]]:
    """Return the full or the older backward hooks that apply to a module, the global ones first."""
    holders = (holder for holder in (global_hooks, module) if holder._is_full_backward_hook is full)
    return [hook for holder in holders for hook in vars(holder).get("_backward_hooks", {}).values()]


def call_forward(module: Module, *args: Any, **kwargs: Any) -> Any:
    """Run a module's `forward` with its hooks around it.

    The forward hooks are looked up after `forward`, which may have registered some.
    """
    pending = result = None  # pending: the forward hooks still to call
    try:
        for hook in _hooks_for(module, "_forward_pre_hooks"):
            args, kwargs = _call_pre_hook(hook, module, args, kwargs)
        backward_hooks, older_hooks = _BackwardHooks.for_module(module), _backward_hooks_for(module, full=False)
        if backward_hooks is not None:
            args = backward_hooks.wrap_inputs(args)
        result = module.forward(*args, **kwargs)
        pending = _hooks_for(module, "_forward_hooks")
        while pending:
            result = _call_hook(pending.pop(0), module, args, kwargs, result)
        if backward_hooks is not None:
            result = backward_hooks.wrap_outputs(result)
        if older_hooks:
            hook_last_node(module, older_hooks, args, result)
        return result
    except Exception:
        for hook in _hooks_for(module, "_forward_hooks") if pending is None else pending:
            if hook.always_call:
                try:
                    result = _call_hook(hook, module, args, kwargs, result)
                except Exception as error:
                    notices.warn(f"a forward hook with always_call raised {error!r} when forward failed")
        raise


def _call_pre_hook(hook: Hook, module: Module, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """Call a forward pre-hook, and return the arguments or their replacements."""
    changed = hook.function(module, args, *((kwargs,) if hook.with_kwargs else ()))
    if changed is None:
        return args, kwargs
    if not hook.with_kwargs:
        return (changed if isinstance(changed, tuple) else (changed,)), kwargs
    if isinstance(changed, tuple) and len(changed) == 2:
        return changed
    raise RuntimeError(f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}.")


def _call_hook(hook: Hook, module: Module, args: Any, kwargs: Any, result: Any) -> Any:
    """Call a forward hook, and return the result or its replacement."""
    changed = hook.function(module, args, *((kwargs,) if hook.with_kwargs else ()), result)
    return result if changed is None else changed


class BackwardHookFunction(Function):
    """The identity on its inputs, whose backward passes their gradients through `callback`.

    Source: torch.nn.modules._functions.BackwardHookFunction.
    """

    # Outputs have materializes=False: a hook gets None for an unused one. Complex gradients are as in PyTorch.
    symbol, node_name, conjugates, calls_back = "hook", "BackwardHookFunctionBackward", False, True

    def callback(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the gradients. The setting of the same name overrides this, except in a replay."""
        return grads

    def forward(self, *inputs: Array) -> Any:
        return inputs

    def grad_inputs(self, grad: Any) -> Any:
        grad = (None,) * len(self.edges) if grad is None else grad
        if transforms.computing_jvp.get():  # backward hooks don't see, or change, tangents
            return grad
        with state.scope(deriving=False):  # the hook may read values
            if state.current().grad_enabled:
                return self.callback(grad)
            changed = self.callback(tuple(None if g is None else Tensor._wrap(g) for g in grad))
            return tuple(None if g is None else g.array[...] for g in changed)  # views: the hook may keep the arrays


class _BackwardHooks:
    """The backward hooks of one module call: a BackwardHookFunction around the inputs, and one around the outputs.

    Nodes refer to this object, and a module may store its outputs. So the module is held weakly while others hold it,
    to avoid a cycle: see `ModuleHooks.__del__`, which runs once.
    """

    def __init__(self, module: Module, pre_hooks: list[Hook], hooks: list[Callable[..., Any]]) -> None:
        self.module: Callable[[], Any] = lambda: module
        if type(module).__del__ is ModuleHooks.__del__ and not gc.is_finalized(module):
            self.module = weakref.ref(module)
            _calls.setdefault(id(module), weakref.WeakSet()).add(self)
        self.pre_hooks, self.hooks = pre_hooks, hooks
        self.inputs: list[int] | None = None  # positions of the arguments that require grad
        self.outputs: list[int] | None = None
        self.n_inputs = self.n_outputs = 0
        self.tensors: list[tuple[int, Any, Any]] = []  # position, shape and dtype of each Tensor argument
        self.example: Any = None  # an array of their kind, on their device
        self.grad_output: tuple[Any, ...] | None = None  # kept from on_grad_outputs for on_grad_inputs

    @classmethod
    def for_module(cls, module: Module) -> _BackwardHooks | None:
        """Return the object for a call of `module`, or None if no backward hook applies."""
        pre_hooks, hooks = _hooks_for(module, "_backward_pre_hooks"), _backward_hooks_for(module, full=True)
        return cls(module, pre_hooks, hooks) if pre_hooks or hooks else None

    def wrap_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Pass the arguments that require grad through a BackwardHookFunction."""
        self.n_inputs = len(args)
        wrapped, self.inputs = _wrap_tensors(args, self.on_grad_inputs)
        self.tensors = [(i, x.array.shape, x.array.dtype) for i, x in enumerate(args) if isinstance(x, Tensor)]
        if self.inputs is not None:
            self.example = np.empty_like(args[self.inputs[0]].array, shape=(0,))
        return wrapped

    def wrap_outputs(self, result: Any) -> Any:
        """Pass the results that require grad through a BackwardHookFunction."""
        if not isinstance(result, (Tensor, tuple)):
            found = f"a Tensor or a tuple of Tensors but received {type(result)}"
            notices.warn(f"For backward hooks to be called, module output should be {found}")
            return result
        results = result if isinstance(result, tuple) else (result,)
        self.n_outputs = len(results)
        wrapped, self.outputs = _wrap_tensors(results, self.on_grad_outputs, materializes=False)
        return wrapped if isinstance(result, tuple) else wrapped[0]

    def on_grad_outputs(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        """Call the pre-hooks, and the other hooks, too, if no input requires grad. Return the new gradients."""
        module = self.module()
        grad_output = _pack_with_none(self.outputs, grads, self.n_outputs)
        for hook in self.pre_hooks:
            changed = hook.function(module, grad_output)
            grad_output = _check_grads("pre hook returned an invalid number of grad_output", changed, grad_output)
        if self.inputs is not None:
            self.grad_output = grad_output
        elif self.hooks:
            notices.warn(
                "Full backward hook is firing when gradients are computed with respect to module outputs since no "
                "inputs require gradients: it gets no grad_input"
            )
            for after in self.hooks:
                changed = after(module, (None,) * self.n_inputs, grad_output)
                if isinstance(changed, Tensor) or any(grad is not None for grad in changed or ()):
                    raise GraphError(
                        "Backward hook for Modules where no input requires gradient should always return None or None "
                        "for all gradients."
                    )
        return tuple(grad_output[i] for i in self.outputs or ())

    def on_grad_inputs(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        """Call the hooks with the gradients of the inputs and outputs. Return the new gradients of the inputs."""
        module, grad_output = self.module(), self.grad_output
        if grad_output is None:  # the gradients didn't come through the outputs
            return grads
        self.grad_output = None
        known = _pack_with_none(self.inputs, grads, self.n_inputs)
        zeros = {
            i: backend.make_like(np.zeros_like, self.example, shape=s, dtype=d)
            for i, s, d in self.tensors
            if known[i] is None
        }
        grad_input = tuple(Tensor._wrap(zeros[i]) if i in zeros else g for i, g in enumerate(known))
        for hook in self.hooks:
            changed = hook(module, grad_input, grad_output)
            grad_input = _check_grads("hook returned an invalid number of grad_input", changed, grad_input)
        return tuple(grad_input[i] for i in self.inputs or ())


def _is_on_graph(x: Any) -> bool:
    return isinstance(x, Tensor) and not x.is_leaf


def _wrap_tensors(
    values: tuple[Any, ...], callback: Callable[..., Any], **settings: Any
) -> tuple[tuple[Any, ...], list[int] | None]:
    """Pass the Tensors that require grad through a BackwardHookFunction.

    Returns all values, and the positions of those Tensors (None if there are none).
    """
    at = [i for i, x in enumerate(values) if isinstance(x, Tensor) and x.requires_grad]
    if not (at and state.current().grad_enabled):
        return values, None
    wrapped = list(values)
    hooked = BackwardHookFunction.apply(*[values[i] for i in at], callback=callback, **settings)
    node_hooks.calling.add(hooked[0].node.edges[0])
    for i, x in zip(at, hooked, strict=True):
        x._view_of(values[i], x.node)
        x._links.chain = None  # not writable in place: which hooks should see the gradient would be ambiguous
        wrapped[i] = x
    return (type(values)(*wrapped) if hasattr(values, "_fields") else tuple(wrapped)), at


def _pack_with_none(at: Sequence[int] | None, grads: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """Return a tuple of `count` entries with the gradients at the positions `at`, and None elsewhere."""
    spread: list[Any] = [None] * count
    for i, grad in zip(at or (), grads, strict=True):
        spread[i] = grad
    return tuple(spread)


def _check_grads(message: str, changed: Any, current: tuple[Any, ...]) -> tuple[Any, ...]:
    """Check what a backward hook returned, and return it, or the current gradients for None."""
    if changed is None:
        return current
    if isinstance(changed, Tensor):  # PyTorch takes its rows for the gradients, which then have a wrong number or shape
        raise ShapeError(f"Backward {message}, got a Tensor, but expected a tuple of {len(current)}")
    grads = tuple(changed) if isinstance(changed, (tuple, list)) else (changed,)
    if len(grads) != len(current):
        raise ShapeError(f"Backward {message}, got {len(grads)}, but expected {len(current)}")
    for grad in grads:
        if grad is not None and not isinstance(grad, Tensor):
            raise TypeError(f"Backward hook: expected a Tensor or None for each gradient, got {type(grad).__name__}")
    return grads
