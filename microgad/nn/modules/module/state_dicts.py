"""What `Module.state_dict` and `Module.load_state_dict` do.

Loading checks the whole state before it writes anything. Hooks, and parts with extra state or a `_load_from_state_dict`
of their own, may read the values loaded so far; where there are any, a failed load restores what it has written.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Set
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from .... import state
from ....errors.notices import warn
from ....parameter import Parameter, swap_tensors
from ....tensor import Tensor
from ...parameter import is_lazy
from .conversion import FutureFlags

if TYPE_CHECKING:
    from . import Module

_EXTRA_STATE_KEY_SUFFIX = "_extra_state"


class _Keys(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]


class _IncompatibleKeys(_Keys):
    """The result of `load_state_dict`: the keys that the state_dict lacks, and those that the module lacks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return super().__repr__() if any(self) else "<All keys matched successfully>"

    __str__ = __repr__


def save_state(module: Module, destination: Any, prefix: str, keep_vars: bool) -> Any:
    """Collect the state of a module and its descendants: what `Module.state_dict` does."""
    if destination is None:
        destination = OrderedDict()
        destination._metadata = OrderedDict()
    metadata = {"version": module._version}
    if hasattr(destination, "_metadata"):
        destination._metadata[prefix[:-1]] = metadata
    for hook in vars(module).get("_state_dict_pre_hooks", {}).values():
        hook(module, prefix, keep_vars)
    module._save_to_state_dict(destination, prefix, keep_vars)
    for name, child in module._modules.items():
        if child is not None:
            child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
    for i, hook in vars(module).get("_state_dict_hooks", {}).items():
        changed = hook(module, destination, prefix, metadata)
        if changed is not None and i in vars(module).get("_state_dict_hooks_without_result", ()):
            raise RuntimeError("state_dict post-hook must return None")
        destination = destination if changed is None else changed
    return destination


def save_own_state(module: Module, destination: Any, prefix: str, keep_vars: bool) -> None:
    """Put the state of one module, without its children, into `destination`."""
    for name, tensor in _persistent(module).items():
        destination[prefix + name] = tensor if keep_vars else tensor.detach()
    if type(module).get_extra_state is not get_extra_state:
        destination[prefix + _EXTRA_STATE_KEY_SUFFIX] = module.get_extra_state()


def get_extra_state(self: Module) -> Any:
    """Return further state for the state_dict; `Module` itself has none. Source: torch.nn.Module.get_extra_state."""
    raise RuntimeError("Reached a code path in Module.get_extra_state() that should never be called.")


def set_extra_state(self: Module, state: Any) -> None:
    """Take over what `get_extra_state` returned. Source: torch.nn.Module.set_extra_state."""
    raise RuntimeError("Reached a code path in Module.set_extra_state() that should never be called.")


def _takes_extra(module: Module) -> bool:
    return type(module).set_extra_state is not set_extra_state


def _persistent(module: Module) -> dict[str, Tensor]:
    """Return the module's own parameters and persistent buffers."""
    excluded = module._non_persistent_buffers_set
    buffers = {name: buffer for name, buffer in module._buffers.items() if name not in excluded}
    return {name: tensor for name, tensor in {**module._parameters, **buffers}.items() if tensor is not None}


def load_state(module: Module, state_dict: Mapping[str, Any], strict: bool, assign: bool) -> _IncompatibleKeys:
    """Check a state_dict and load it: what `Module.load_state_dict` does."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
    load = _LoadPass(getattr(state_dict, "_metadata", None) or {}, assign, _IncompatibleKeys([], []), [], [])
    restore = _snapshot(module) if any(map(_runs_code, module.modules())) else None
    try:
        load.visit(module, OrderedDict(state_dict), "")  # hooks may call its methods, as move_to_end
        if load.errors or (strict and any(load.keys)):
            raise _load_error(module, load.keys if strict else None, load.errors)
    except BaseException:
        if restore is not None:
            restore()
        raise
    _write(load.writes)
    return load.keys


class _LoadPass(NamedTuple):
    """One walk over the modules, which collects errors and the writes to make if there are none."""

    metadata: Mapping[str, Any]
    assign: bool
    keys: _IncompatibleKeys
    errors: list[str]
    writes: list[Callable[[], Any]]

    def visit(self, module: Module, state_dict: dict[str, Any], prefix: str) -> None:
        """Check the state of a module and all below it, and collect the writes."""
        local = {**self.metadata.get(prefix[:-1], {}), "assign_to_params_buffers": self.assign, "writes": self.writes}
        module._load_from_state_dict(state_dict, prefix, local, True, *self.keys, self.errors)
        below: dict[str, dict[str, Any]] = {}
        for key, value in state_dict.items():
            name, dot, _ = key[len(prefix) :].partition(".")
            if dot and key.startswith(prefix):
                below.setdefault(name, {})[key] = value
        for name, child in module._modules.items():
            if child is not None:
                start, own = f"{prefix}{name}.", below.get(name, {})
                if "." in name:  # setattr allows it
                    own = {key: value for key, value in state_dict.items() if key.startswith(start)}
                self.visit(child, own, start)
        for hook in vars(module).get("_load_state_dict_post_hooks", {}).values():
            _write(self.writes)  # the hook sees the loaded values
            if hook(module, self.keys) is not None:
                raise AssertionError("load_state_dict post-hook must return None; change incompatible_keys in place")


def _write(writes: list[Callable[[], Any]]) -> None:
    with state.scope(grad_enabled=False):
        for write in writes:
            write()
    writes.clear()


def load_own_state(
    module: Module, state_dict: Any, prefix: str, metadata: dict[str, Any], strict: bool, missing: list[str],
    unexpected: list[str], errors: list[str],
) -> None:  # fmt: skip
    """Check the state of one module, without its children, and plan the writes.

    Problems go into the lists, and the writes into metadata["writes"]. A program that calls this in a loop of its own
    over modules gives no such list; the writes are then made at once.
    """
    for i, hook in vars(module).get("_load_state_dict_pre_hooks", {}).items():
        first = (module,) if i in vars(module).get("_load_state_dict_pre_hooks_with_module", ()) else ()
        hook(*first, state_dict, prefix, metadata, strict, missing, unexpected, errors)
    if not strict:
        missing, unexpected = [], []
    own, assign, writes = _persistent(module), metadata.get("assign_to_params_buffers"), metadata.get("writes", [])
    for name, target in own.items():
        key = prefix + name
        if key in state_dict:
            planned, error = _plan_copy(module, name, target, key, state_dict[key], assign)
            writes += planned
            errors += [error] if error else []
        else:
            missing.append(key)
    extra = prefix + _EXTRA_STATE_KEY_SUFFIX
    takes_extra = _takes_extra(module)
    sets_extra = takes_extra and extra in state_dict
    if takes_extra and not sets_extra:
        missing.append(extra)
    if not errors and (sets_extra or _has_custom_load(module)):  # either may read the loaded values
        _write(writes)
        if sets_extra:  # before the keys below are checked: it may create children
            module.set_extra_state(state_dict[extra])
    names = own.keys() | ({_EXTRA_STATE_KEY_SUFFIX} if takes_extra else set())
    unexpected += _unexpected_keys(module, state_dict, prefix, names)
    if "writes" not in metadata:
        _write(writes)


def _unexpected_keys(module: Module, state_dict: Any, prefix: str, names: Set[str]) -> Iterator[str]:
    """Yield the keys under `prefix` that are neither one of the module's own `names` nor below one of its children."""
    for key in state_dict:
        if key.startswith(prefix):
            name, below, _ = key.removeprefix(prefix).partition(".")
            if name not in (module._modules if below else names):
                yield key


def _has_custom_load(module: Module) -> bool:
    """Whether a class outside microgad overrides `_load_from_state_dict`."""
    return not type(module)._load_from_state_dict.__module__.startswith("microgad.")


def _runs_code(module: Module) -> bool:
    """Whether loading the module runs code of a program, which may change the module or read loaded values."""
    hooks = "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks"
    has_hooks = any(name in vars(module) for name in hooks)
    return has_hooks or _takes_extra(module) or _has_custom_load(module)


def _plan_copy(
    module: Module, name: str, target: Tensor, key: str, value: Any, assign: bool | None
) -> tuple[list[Callable[[], Any]], str]:
    """Return the writes that give a parameter or buffer its value, and an error message, empty if there is none."""
    if is_lazy(target) and is_lazy(value):
        return [], ""
    value, error = _match_shape(key, value, target)
    if error:
        return [], error
    if assign and target.requires_grad and not (value.is_floating_point() or value.is_complex()):
        return [], f"{key} requires grad, but its value in the checkpoint has dtype {value.dtype}"
    if assign and not FutureFlags.swap:
        return [partial(_assign, module, name, target, value)], ""
    if not assign and not is_lazy(target) and target.is_meta and not value.is_meta:
        warn(
            f"for {key}: copying from a non-meta parameter in the checkpoint to a meta parameter in the current model, "
            "which is a no-op. (Did you mean to pass `assign=True`?)"
        )
    if FutureFlags.swap and not is_lazy(target):
        return [partial(_swap, target, value, bool(assign))], ""
    materialize = [partial(target.materialize, value.shape)] if is_lazy(target) else []  # type: ignore[attr-defined]
    value = value.detach()
    if value.dtype != target.dtype or value.device != target.device:
        value = value.to(device=target.device, dtype=target.dtype)
    return [*materialize, partial(target.copy_, value)], ""


def _match_shape(key: str, value: Any, target: Tensor) -> tuple[Any, str]:
    """Return `value` in the shape of a parameter or buffer, and an error message, empty if there is none."""
    if not isinstance(value, Tensor):
        return value, (
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from '
            f"checkpoint but received {type(value)}"
        )
    if is_lazy(target):
        return value, ""
    shape, wanted = value.shape, target.shape
    if shape == wanted:
        return value, ""
    if shape == (1,) and wanted == ():
        return value[0], ""  # PyTorch 0.3 had no 0-d Tensors
    return value, (
        f"size mismatch for {key}: copying a param with shape {shape} from checkpoint, "
        f"the shape in current model is {wanted}."
    )


def _assign(module: Module, name: str, target: Tensor, value: Tensor) -> None:
    setattr(module, name, _of_same_kind(target, value))


def _swap(target: Tensor, value: Tensor, assign: bool) -> None:
    """Give a parameter or buffer, which stays the same object, what its class makes of `value`."""
    loaded = target.module_load(value, assign=assign)
    if loaded is target or loaded is value:
        raise RuntimeError(
            "module_load returned one of self or other, please .detach() the result if returning one of the inputs in "
            "module_load"
        )
    swap_tensors(target, _of_same_kind(target, loaded))


def _of_same_kind(target: Tensor, value: Tensor) -> Tensor:
    """Return the new value of a parameter as a Parameter that requires grad as the old one does; of a buffer as is."""
    if not isinstance(target, Parameter):
        return value
    if isinstance(value, Parameter):
        return value.requires_grad_(target.requires_grad)
    return Parameter(value, target.requires_grad)


def _load_error(module: Module, keys: _IncompatibleKeys | None, errors: list[str]) -> RuntimeError:
    lines = []
    for kind, names in zip(("Missing", "Unexpected"), keys or (), strict=False):
        if names:
            quoted = ", ".join(f'"{name}"' for name in names)
            lines.append(f"{kind} key(s) in state_dict: {quoted}. ")
    text = "\n\t".join(lines + errors)
    return RuntimeError(f"Error(s) in loading state_dict for {module._get_name()}:\n\t{text}")


def _snapshot(module: Module) -> Callable[[], None]:
    """Return a function that restores all attributes, children, parameters and buffers, and their values."""
    parts = list(module.modules())
    attributes = [(vars(m), dict(vars(m))) for m in parts]
    members = [(d, dict(d)) for m in parts for d in (m._modules, m._parameters, m._buffers)]
    tensors = [t for _, found in members for t in found.values() if isinstance(t, Tensor)]
    values = [(t, type(t), t.array, None if is_lazy(t) else t.array.copy()) for t in tensors]

    def restore() -> None:
        for current, before in attributes + members:
            current.clear()
            current.update(before)
        for tensor, kind, array, value in values:
            if value is not None:
                array[...] = value
            if tensor.array is not array:
                tensor.data = Tensor._wrap(array)
                tensor.__class__ = kind

    return restore
