"""Module: what every model and layer is. It knows its parameters, buffers and children by name, and where it stands."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import FunctionType
from typing import Any, Self

from .. import state
from ..parameter import Parameter, zero_grad
from ..tensor import Tensor
from . import hooks, state_dicts
from .conversion import ModuleConversion
from .hooks import register_module_backward_hook as register_module_backward_hook
from .hooks import register_module_forward_hook as register_module_forward_hook
from .hooks import register_module_forward_pre_hook as register_module_forward_pre_hook
from .hooks import register_module_full_backward_hook as register_module_full_backward_hook
from .hooks import register_module_full_backward_pre_hook as register_module_full_backward_pre_hook
from .parameter import Buffer
from .registration_hooks import call_registration_hooks
from .registration_hooks import register_module_buffer_registration_hook as register_module_buffer_registration_hook
from .registration_hooks import register_module_module_registration_hook as register_module_module_registration_hook
from .registration_hooks import (
    register_module_parameter_registration_hook as register_module_parameter_registration_hook,
)
from .state_dicts import _EXTRA_STATE_KEY_SUFFIX as _EXTRA_STATE_KEY_SUFFIX
from .state_dicts import _IncompatibleKeys as _IncompatibleKeys

_REGISTRIES = ("_parameters", "_buffers", "_modules")


class Module(hooks.ModuleHooks, ModuleConversion):
    """A function with state: subclass it, make parameters and children in `__init__`, compute in `forward`.

    What is assigned to an attribute is registered: a Parameter as parameter, a Module as child. A call runs `forward`
    with the hooks around it, under the module's path ("features.0"), which errors and pictures show. The path is where
    the module was last registered; called from elsewhere (a module that several share) it is the caller's path and the
    module's own name. Source: torch.nn.Module.

    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.fc = nn.Linear(2, 1)
    ...     def forward(self, x):
    ...         return self.fc(x).relu()
    >>> net = Net()
    >>> net
    Net(
      (fc): Linear(in_features=2, out_features=1, bias=True)
    )
    >>> [name for name, _ in net.named_parameters()], net(torch.ones(3, 2)).shape
    (['fc.weight', 'fc.bias'], torch.Size([3, 1]))
    """

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _non_persistent_buffers_set: set[str]
    _modules: dict[str, Module | None]

    _path: str = ""  # from the outermost module, which has none itself
    _version: int = 1  # of the state_dict's layout; a subclass that changes its own raises it

    call_super_init: bool = False  # whether a class beside Module is initialized, with all arguments, as well

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Bind no function of the library's that a program's class holds, `act = torch.tanh`: PyTorch's are of C."""
        super().__init_subclass__(**kwargs)
        if cls.__module__.startswith("microgad."):
            return
        for name, f in list(vars(cls).items()):
            if type(f) is FunctionType and f.__module__.partition(".")[0] == "microgad" and "." not in f.__qualname__:
                setattr(cls, name, staticmethod(f))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and (args or kwargs):
            said = f"{type(self).__name__}.__init__()"
            if kwargs:
                raise TypeError(f"{said} got an unexpected keyword argument '{next(iter(kwargs))}'")
            raise TypeError(f"{said} takes 1 positional argument but {len(args) + 1} were given")
        vars(self).update(training=True, _parameters={}, _buffers={}, _non_persistent_buffers_set=set(), _modules={})
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def _no_forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    forward: Callable[..., Any] = _no_forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        forward = partial(hooks.call_forward, self) if self._hooked or hooks.global_hooks._hooked else self.forward
        path = self._path
        if not path:
            return forward(*args, **kwargs)
        now = state.current()
        inner = now.inner.get(path)
        if inner is None:
            caller = now.path
            apart = caller and not path.startswith(f"{caller}.")
            place = f"{caller}.{path.rpartition('.')[2]}" if apart else path
            inner = now.inner[path] = now.at(place, now.grad_enabled)
        if now.observer is not None:
            now.observer.enter(self, inner.path)
        token = state.variable.set(inner)
        try:
            return forward(*args, **kwargs)
        finally:
            state.variable.reset(token)

    # Attributes

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        for registry in _REGISTRIES:
            if registry in own and name in own[registry]:
                return own[registry][name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        kind = next((kind for kind in (Parameter, Module, Buffer) if isinstance(value, kind)), None)
        if "_modules" not in own:
            if kind is not None:
                many = "parameters" if kind is Parameter else kind.__name__.lower()
                raise AttributeError(f"cannot assign {many} before Module.__init__() call")
            object.__setattr__(self, name, value)
        elif kind is Parameter:
            own.pop(name, None)
            self._unregister(name, keep="_parameters")
            self.register_parameter(name, value)
        elif name in self._parameters:
            if value is not None:
                raise _not_assignable(value, "parameter", name, "torch.nn.Parameter")
            self._parameters[name] = None
        elif kind is Module:
            own.pop(name, None)
            self._unregister(name, keep="_modules")
            self._set_child(name, value)
        elif name in self._modules:
            if value is not None:
                raise _not_assignable(value, "child module", name, "torch.nn.Module")
            self._modules[name] = None
        elif kind is Buffer or name in self._buffers:
            if value is not None and not isinstance(value, Tensor):
                raise _not_assignable(value, "buffer", name, "torch.nn.Buffer, torch.Tensor")
            persistent = value.persistent if isinstance(value, Buffer) else name not in self._non_persistent_buffers_set
            self.register_buffer(name, value, **({} if persistent else {"persistent": False}))  # older ones take none
        else:
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if not self._unregister(name):
            object.__delattr__(self, name)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    def __dir__(self) -> list[str]:
        names = {*object.__dir__(self), *self._parameters, *self._buffers, *self._modules}
        return sorted(name for name in names if not name[0].isdigit())

    def _unregister(self, name: str, keep: str = "") -> bool:
        """Take a name out of every registry but one; whether it was there."""
        found = [known for each in _REGISTRIES if each != keep and name in (known := getattr(self, each))]
        for registered in found:
            del registered[name]
        self._non_persistent_buffers_set.discard(name)
        return bool(found)

    def _set_child(self, name: str, module: Module | None) -> None:
        """Make `module` the child `name`, and tell it and all that it holds where they now stand."""
        self._modules[name] = module = call_registration_hooks("module", self, name, module)
        if module is not None:
            for path, inner in module.named_modules(prefix=f"{self._path}.{name}" if self._path else name):
                inner.__dict__["_path"] = path

    # Registration

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Make param, or None for "there is none", this module's parameter `name`.

        Raises KeyError for a name that is taken, empty or has a dot, TypeError for what is no Parameter.
        """
        self._check_name("parameter", name, "_parameters")
        if param is not None and not isinstance(param, Parameter):
            raise _not_registrable(param, "parameter", name, "torch.nn.Parameter")
        if param is not None and not param.is_leaf:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Compute the value in forward(), or detach it"
            )
        self._parameters[name] = param if param is None else call_registration_hooks("parameter", self, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Make tensor a part of the state that is not learned; one that isn't persistent stays out of `state_dict`.

        Raises KeyError for a name that is taken, empty or has a dot, TypeError for what is no Tensor.

        >>> layer = nn.Identity()
        >>> layer.register_buffer("steps", torch.tensor(0))
        >>> layer.state_dict()["steps"]
        tensor(0)
        """
        self._check_name("buffer", name, "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise _not_registrable(tensor, "buffer", name, "torch Tensor")
        self._buffers[name] = call_registration_hooks("buffer", self, name, tensor)
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Make module the child `name`; errors are register_parameter's."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{_typename(module)} is not a Module subclass")
        self._check_name("module", name, "_modules")
        self._set_child(name, module)

    register_module = add_module

    def _check_name(self, kind: str, name: Any, registry: str) -> None:
        if "_modules" not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {_typename(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain "."' + (f", got: {name}" if kind == "module" else ""))
        if not name:
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if name not in getattr(self, registry) and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")

    # What it holds

    def _named_members(
        self,
        get_members_fn: Callable[[Module], Iterable[tuple[str, Any]]],
        prefix: str = "",
        recurse: bool = True,
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Any]]:
        seen: set[Tensor] = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, member in get_members_fn(module):
                if member is None or member in seen:
                    continue
                if remove_duplicate:
                    seen.add(member)
                yield f"{path}.{name}" if path else name, member

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once: its own, then, with recurse, its descendants'."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their names, after prefix. A shared one comes once, unless remove_duplicate is False.

        >>> [(name, tuple(p.shape)) for name, p in nn.Sequential(nn.Linear(2, 3)).named_parameters()]
        [('0.weight', (3, 2)), ('0.bias', (3,))]
        """
        return self._named_members(lambda module: module._parameters.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their names: see `named_parameters`."""
        return self._named_members(lambda module: module._buffers.items(), prefix, recurse, remove_duplicate)

    def children(self) -> Iterator[Module]:
        """The modules directly below, each once."""
        return (module for _, module in self.named_children())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below with their names, each once."""
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below, each once, unless remove_duplicate is False."""
        return (module for _, module in self.named_modules(remove_duplicate=remove_duplicate))

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module, named prefix, and all below with their paths; modules in memo, and duplicates, are left out.

        >>> [name for name, _ in nn.Sequential(nn.ReLU(), nn.Sequential(nn.ReLU())).named_modules()]
        ['', '0', '1', '1.0']
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def get_submodule(self, target: str) -> Module:
        """The module at a path such as "features.0"; "" is this one. Raises AttributeError where there is none."""
        module = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put module at a path such as "features.0", in place of what is there, or, unless strict, where nothing is.

        Raises ValueError for an empty path or what is no Module, AttributeError where the path leads nowhere.
        """
        if not target:
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as "features.0.weight". Raises AttributeError where there is none."""
        return self._get_member(target, "_parameters", "an nn.Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path such as "features.1.running_mean". Raises AttributeError where there is none."""
        return self._get_member(target, "_buffers", "a buffer")

    def _get_member(self, target: str, registry: str, kind: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        member = getattr(module, registry).get(name)
        if member is None:
            raise AttributeError(f"`{name}` is not {kind}")
        return member

    # State

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """Names -> the parameters and persistent buffers, on the same memory, off the graph unless keep_vars.

        A subclass with `get_extra_state()` and `set_extra_state(state)` has what they give and take in it as well.

        >>> list(nn.Linear(2, 3).state_dict())
        ['weight', 'bias']
        """
        if args:
            warnings.warn(
                "Positional args are being deprecated, use kwargs instead: destination=, prefix=, keep_vars=",
                FutureWarning,
                stacklevel=2,
            )
            given: list[Any] = [*args, *(destination, prefix, keep_vars)[len(args) :]]
            destination, prefix, keep_vars = given
        return state_dicts.save_state(self, destination, prefix, keep_vars)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> state_dicts._IncompatibleKeys:
        """Copy values from a state_dict; with assign, take its Tensors themselves.

        Gives the keys that are missing there and those that are unexpected here. Raises RuntimeError for those, if
        strict, and for sizes that differ; the module is then as it was before, unless it had extra state to set, or a
        part that loads in its own way.

        >>> nn.Linear(2, 3).load_state_dict(nn.Linear(2, 3).state_dict())
        <All keys matched successfully>
        """
        return state_dicts.load_state(self, state_dict, strict, assign)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Put this module's own state, not its children's, into destination. Subclasses may extend it."""
        state_dicts.save_own_state(self, destination, prefix, keep_vars)

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: dict[str, Any], strict: bool, missing_keys: list[str],
        unexpected_keys: list[str], error_msgs: list[str],
    ) -> None:  # fmt: skip
        """Check this module's own state, and note what is to be copied. Subclasses may extend it."""
        state_dicts.load_own_state(
            self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    # Modes

    def train(self, mode: bool = True) -> Self:
        """Tell this module and all below whether they train: then dropout drops, and batch norm uses the batch."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """`train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Say whether gradients are to flow to the parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Take the parameters' gradients away, or fill them with zeros."""
        for parameter in self.parameters():
            zero_grad(parameter, set_to_none)

    def apply(self, fn: Callable[[Module], None]) -> Self:
        """Call fn with every module below, then with this one.

        >>> net = nn.Linear(1, 1).apply(lambda module: nn.init.ones_(module.weight))
        >>> net.weight.item()
        1.0
        """
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # Printing

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What is printed between the brackets, before the children: a subclass gives its settings."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        settings = extra.split("\n") if extra else []
        children = [_addindent(f"({name}): {module!r}", 2) for name, module in self._modules.items()]
        if len(settings) == 1 and not children:
            return f"{self._get_name()}({extra})"
        lines = "".join(f"\n  {line}" for line in settings + children)
        return f"{self._get_name()}({lines}\n)" if lines else f"{self._get_name()}()"


def _addindent(s_: str, numSpaces: int) -> str:
    """A text whose lines after the first, but for empty ones, are moved in."""
    first, *others = s_.split("\n")
    return "\n".join([first, *(numSpaces * " " + line if line.strip() else "" for line in others)])


def _not_assignable(value: Any, kind: str, name: str, expected: str) -> TypeError:
    return TypeError(f"cannot assign '{_typename(value)}' as {kind} '{name}' ({expected} or None expected)")


def _not_registrable(value: Any, kind: str, name: str, expected: str) -> TypeError:
    return TypeError(f"cannot assign '{_typename(value)}' object to {kind} '{name}' ({expected} or None required)")


def _typename(value: Any) -> str:
    """A value's type in PyTorch's words."""
    if isinstance(value, Tensor):
        return value.type()
    cls = type(value)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
