"""Module, the base class of every model and layer.

A module knows its parameters, buffers and children by name, and its own path within the outermost module. Hooks,
state dicts and conversions have files of their own: hooks.py, state_dicts.py and conversion.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

from .... import state
from ....errors.notices import warn
from ....errors.wording import name_module
from ....parameter import Parameter, zero_grad
from ....tensor import Tensor
from ...parameter import Buffer
from . import hooks, paths, state_dicts
from .class_details import keep_plain_annotations, name_init
from .conversion import ModuleConversion
from .errors import not_assignable, not_registrable, typename
from .hooks import __getattr__ as __getattr__
from .hooks import register_module_backward_hook as register_module_backward_hook
from .hooks import register_module_forward_hook as register_module_forward_hook
from .hooks import register_module_forward_pre_hook as register_module_forward_pre_hook
from .hooks import register_module_full_backward_hook as register_module_full_backward_hook
from .hooks import register_module_full_backward_pre_hook as register_module_full_backward_pre_hook
from .members import REGISTRIES, check_name, member_at, set_child, unregister
from .registration_hooks import _global_buffer_registration_hooks as _global_buffer_registration_hooks
from .registration_hooks import _global_module_registration_hooks as _global_module_registration_hooks
from .registration_hooks import _global_parameter_registration_hooks as _global_parameter_registration_hooks
from .registration_hooks import call_registration_hooks
from .registration_hooks import register_module_buffer_registration_hook as register_module_buffer_registration_hook
from .registration_hooks import register_module_module_registration_hook as register_module_module_registration_hook
from .registration_hooks import (
    register_module_parameter_registration_hook as register_module_parameter_registration_hook,
)
from .state_dicts import _EXTRA_STATE_KEY_SUFFIX as _EXTRA_STATE_KEY_SUFFIX
from .state_dicts import _IncompatibleKeys as _IncompatibleKeys

if TYPE_CHECKING:
    from .call_types import Computes, Unknown


class Module(hooks.ModuleHooks, ModuleConversion):
    """Base class of all models and layers: a subclass makes its parts in `__init__` and computes in `forward`.

    Assigning a Parameter, a Module or a Buffer to an attribute registers it. Calling a module runs its hooks and
    `forward` under the module's path ("features.0"), which error messages and drawings show. The path says where the
    module was last registered, with the first of its names there. If another module calls it (several may share it),
    the path is the caller's, followed by the module's own name. Arguments raise TypeError. Source: torch.nn.Module.

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

    _path_within: str | None = ""  # None until it is needed: see paths.py
    _place_within: paths.Place = ["", None, ""]  # that of the outermost module
    _version: int = 1  # of the state_dict's layout; a subclass that changes its layout increments it

    __constants__: ClassVar[list[str]] = []  # for the compiler; a subclass extends its base class's list
    call_super_init: bool = False  # whether __init__ passes its arguments on to the next class of the MRO

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make microgad functions in the class body static methods, so that `act = torch.tanh` is not bound to `self`.

        Most of PyTorch's functions are builtins, which Python never binds.
        """
        super().__init_subclass__(**kwargs)
        if cls.__module__.startswith("microgad."):
            name_init(cls)
            keep_plain_annotations(cls)
            return
        for name, f in list(vars(cls).items()):
            if type(f) is FunctionType and f"{f.__module__}.".startswith("microgad.") and "." not in f.__qualname__:
                setattr(cls, name, staticmethod(f))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and (args or kwargs):
            given = f"takes 1 positional argument but {len(args) + 1} were given"
            wrong = f"got an unexpected keyword argument '{next(iter(kwargs))}'" if kwargs else given
            raise TypeError(f"{type(self).__name__}.__init__() {wrong}")
        vars(self)["_place_within"] = ["", None, ""]  # the first attribute: its nesting adds nothing to a copy's depth
        vars(self).update(training=True, _parameters={}, _buffers={}, _non_persistent_buffers_set=set(), _modules={})
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def _no_forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    forward: Callable[..., Any] = _no_forward

    # A call's result is a Tensor where `forward` is annotated so, and else Any, as it always is for PyTorch.
    @overload
    def __call__(self: Computes[Unknown], *args: Any, **kwargs: Any) -> Any: ...
    @overload
    def __call__(self: Computes[Tensor], *args: Any, **kwargs: Any) -> Tensor: ...
    @overload
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        forward = (
            MethodType(hooks.call_forward, self)
            if self._has_hook_dicts or hooks.global_hooks._has_hook_dicts
            else self.forward
        )
        path = self._path_within
        if not path and (path is not None or not (path := paths.path_of(self))):
            return forward(*args, **kwargs)
        now = state.current()
        inner = now.inner.get(path)
        if inner is None:
            called_from_elsewhere = now.path and not path.startswith(f"{now.path}.")
            place = f"{now.path}.{path.rpartition('.')[2]}" if called_from_elsewhere else path
            inner = now.inner[path] = now.at(place, now.grad_enabled)
        if now.observer is not None:
            now.observer.enter(self, inner.path)
        token = state.variable.set(inner)
        try:
            return forward(*args, **kwargs)
        except Exception as error:
            name_module(error, self._get_name(), inner.path)
            raise
        finally:
            state.variable.reset(token)

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        for registry in REGISTRIES:
            if registry in own and name in own[registry]:
                return own[registry][name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        kind = None
        if isinstance(value, (Tensor, Module)):  # asked first, since to look for marks takes longer
            kind = next((kind for kind in (Parameter, Module, Buffer) if isinstance(value, kind)), None)
        if "_modules" not in own:
            if kind is not None:
                many = "parameters" if kind is Parameter else kind.__name__.lower()
                raise AttributeError(f"cannot assign {many} before Module.__init__() call")
            object.__setattr__(self, name, value)
        elif kind is Parameter:
            own.pop(name, None)
            unregister(self, name, keep="_parameters")
            self.register_parameter(name, value)
        elif name in self._parameters:
            if value is not None:
                raise not_assignable(value, "parameter", name, "torch.nn.Parameter")
            self._parameters[name] = None
        elif kind is Module:
            own.pop(name, None)
            unregister(self, name, keep="_modules")
            set_child(self, name, value)
        elif name in self._modules:
            if value is not None:
                raise not_assignable(value, "child module", name, "torch.nn.Module")
            set_child(self, name, None)
        elif kind is Buffer or name in self._buffers:
            if value is not None and not isinstance(value, Tensor):
                raise not_assignable(value, "buffer", name, "torch.nn.Buffer, torch.Tensor")
            persistent = value.persistent if isinstance(value, Buffer) else name not in self._non_persistent_buffers_set
            self.register_buffer(name, value, **({} if persistent else {"persistent": False}))  # old overrides lack it
        else:
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if not unregister(self, name):
            object.__delattr__(self, name)

    def __setstate__(self, state: dict[str, Any]) -> None:
        paths.restore(self, state)

    def __dir__(self) -> list[str]:
        names = {*object.__dir__(self), *self._parameters, *self._buffers, *self._modules}
        return sorted(name for name in names if not name[0].isdigit())

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Register `param` as the parameter `name`; None registers the name without a parameter.

        Raises KeyError for a name that is empty, contains a dot or belongs to another attribute; TypeError unless
        `param` is a Parameter or None; ValueError for a Tensor that is not a leaf.
        """
        check_name(self, "parameter", name, "_parameters")
        if param is not None and not isinstance(param, Parameter):
            raise not_registrable(param, "parameter", name, "torch.nn.Parameter")
        if param is not None and not param.is_leaf:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Compute the value in forward(), or detach it"
            )
        self._parameters[name] = param if param is None else call_registration_hooks("parameter", self, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Register `tensor` as the buffer `name`: state that is not learned.

        A buffer with persistent=False stays out of `state_dict`. Raises KeyError for a name that is empty, contains a
        dot or belongs to another attribute; TypeError unless `tensor` is a Tensor or None.

        >>> layer = nn.Identity()
        >>> layer.register_buffer("steps", torch.tensor(0))
        >>> layer.state_dict()["steps"]
        tensor(0)
        """
        check_name(self, "buffer", name, "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise not_registrable(tensor, "buffer", name, "torch Tensor")
        self._buffers[name] = call_registration_hooks("buffer", self, name, tensor)
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Register `module` as the child `name`. Raises KeyError and TypeError as `register_parameter` does."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{typename(module)} is not a Module subclass")
        check_name(self, "module", name, "_modules")
        set_child(self, name, module)

    register_module = add_module

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
        """Iterate over the parameters, each once: the module's own first, then (with `recurse`) its descendants'."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Iterate over (name, parameter) pairs, with `prefix` before each name.

        A parameter that modules share comes once, unless remove_duplicate is False.

        >>> [(name, tuple(p.shape)) for name, p in nn.Sequential(nn.Linear(2, 3)).named_parameters()]
        [('0.weight', (3, 2)), ('0.bias', (3,))]
        """
        return self._named_members(lambda module: module._parameters.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Iterate over the buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Iterate over (name, buffer) pairs, as `named_parameters` does over parameters."""
        return self._named_members(lambda module: module._buffers.items(), prefix, recurse, remove_duplicate)

    def children(self) -> Iterator[Module]:
        """Iterate over the direct children, each once."""
        return (module for _, module in self.named_children())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Iterate over (name, child) pairs of the direct children, each once."""
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """Iterate over this module and all its descendants, each once unless remove_duplicate is False."""
        return (module for _, module in self.named_modules(remove_duplicate=remove_duplicate))

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Iterate over (path, module) pairs of this module, whose path is `prefix`, and all its descendants.

        Modules in `memo` are skipped, and so are duplicates unless remove_duplicate is False.

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
        """Return the module at a path such as "features.0"; "" means this one. AttributeError if there is none."""
        module = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put `module` at a path such as "features.0", replacing the module there.

        With `strict` there must be a module at the path already. Raises ValueError for an empty path or if `module` is
        not a Module, AttributeError if the path leads nowhere.
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
        """Return the parameter at a path such as "features.0.weight". Raises AttributeError if there is none."""
        return member_at(self, target, "_parameters", "an nn.Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer at a path such as "features.1.running_mean". Raises AttributeError if there is none."""
        return member_at(self, target, "_buffers", "a buffer")

    get_extra_state, set_extra_state = state_dicts.get_extra_state, state_dicts.set_extra_state

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """Return a dictionary of all parameters and persistent buffers by name.

        Its Tensors share memory with the module's. They are detached unless `keep_vars` is True. The result of a
        subclass's `get_extra_state()` is included; `load_state_dict` hands it to `set_extra_state(state)`.

        >>> list(nn.Linear(2, 3).state_dict())
        ['weight', 'bias']
        """
        if args:
            warn(
                "Positional args are being deprecated, use kwargs instead: destination=, prefix=, keep_vars=",
                FutureWarning,
            )
            given: list[Any] = [*args, *(destination, prefix, keep_vars)[len(args) :]]
            destination, prefix, keep_vars = given
        return state_dicts.save_state(self, destination, prefix, keep_vars)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> state_dicts._IncompatibleKeys:
        """Copy the values of `state_dict` into the parameters and buffers; with `assign`, use its Tensors themselves.

        Returns the missing keys (which `state_dict` lacks) and the unexpected ones (which the module lacks). Raises
        RuntimeError for either kind if `strict`, and for sizes that differ. After any error the module is unchanged.

        >>> nn.Linear(2, 3).load_state_dict(nn.Linear(2, 3).state_dict())
        <All keys matched successfully>
        """
        return state_dicts.load_state(self, state_dict, strict, assign)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Put the state of this module, without its children, into `destination`. Subclasses may extend it."""
        state_dicts.save_own_state(self, destination, prefix, keep_vars)

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: dict[str, Any], strict: bool, missing_keys: list[str],
        unexpected_keys: list[str], error_msgs: list[str],
    ) -> None:  # fmt: skip
        """Check the state of this module, without its children, and note what to copy. Subclasses may extend it."""
        state_dicts.load_own_state(
            self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def train(self, mode: bool = True) -> Self:
        """Set `training` to `mode` in this module and all below; dropout and batch normalization depend on it."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Set evaluation mode: `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set `requires_grad` of all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the parameters' gradients to None, or (set_to_none=False) fill them with zeros."""
        for parameter in self.parameters():
            zero_grad(parameter, set_to_none)

    def apply(self, fn: Callable[[Module], None]) -> Self:
        """Call `fn` with every descendant, then with this module.

        >>> net = nn.Linear(1, 1).apply(lambda module: nn.init.ones_(module.weight))
        >>> net.weight.item()
        1.0
        """
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """Return what `repr` shows between the parentheses, before the children. Subclasses return their settings."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        settings = extra.split("\n") if extra else []
        children = [_addindent(f"({name}): {module!r}", 2) for name, module in self._modules.items()]
        if len(settings) == 1 and not children:
            return f"{self._get_name()}({extra})"
        lines = "".join(f"\n  {line}" for line in settings + children)
        return f"{self._get_name()}({lines}\n)" if lines else f"{self._get_name()}()"


keep_plain_annotations(Module)


def _addindent(s_: str, numSpaces: int) -> str:
    """Indent all lines of a text but the first and the empty ones."""
    first, *others = s_.split("\n")
    return "\n".join([first, *(numSpaces * " " + line if line.strip() else "" for line in others)])
