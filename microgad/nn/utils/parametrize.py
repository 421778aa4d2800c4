"""Parametrizations: a parameter that a module computes, each time it is read, from others that are learned."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar

from ... import state
from ...errors import GraphError
from ...lazy import define_getattr as _define_getattr
from ...parameter import Parameter
from ...state.contexts import binding
from ...tensor import Tensor
from ..container import ModuleDict, ModuleList
from ..module import Module

M = TypeVar("M", bound=Module)

Cache = dict[tuple[Module, str], Tensor]
_cache: ContextVar[Cache | None] = ContextVar("cache", default=None)


@contextmanager
def cached() -> Iterator[None]:
    """A block in which each parametrized Tensor is computed once. Source: torch.nn.utils.parametrize.cached."""
    outer = _cache.get()
    with binding(_cache, {} if outer is None else outer):
        yield


class ParametrizationList(ModuleList):
    """The parametrizations of one Tensor, applied in turn to `original`, or to `original0`, `original1`, ...

    Those are what the parametrizations' right_inverse makes of the Tensor, from the last one to the first. Unless
    unsafe, shape and dtype have to stay: ValueError. Source: torch.nn.utils.parametrize.ParametrizationList.
    """

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        before = original.detach()
        made: Any = original
        with state.scope(grad_enabled=False):
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    with suppress(NotImplementedError):
                        made = module.right_inverse(made)
        if not isinstance(made, (Tensor, Sequence)):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(made).__name__}"
            )
        self.is_tensor = isinstance(made, Tensor)
        self.ntensors = 1 if self.is_tensor else len(made)
        if isinstance(made, Tensor):
            self._register_one(made, original)
        else:
            self._register_several(made, original)
        if not unsafe:
            said = "unparametrized {}", "parametrized {}", "`unsafe`"
            try:
                _check("Registering a parametrization", self(), before, *said)
            except Exception:
                original.data = before
                raise

    def _register_one(self, made: Tensor, original: Tensor) -> None:
        """Keep the original itself, with the values that the right_inverse made."""
        for fact in ("dtype", "device"):
            if getattr(made, fact) != getattr(original, fact):
                raise ValueError(
                    f"When `right_inverse` outputs one tensor, it may not change the {fact}.\n"
                    f"original.{fact}: {getattr(original, fact)}\n"
                    f"right_inverse(original).{fact}: {getattr(made, fact)}"
                )
        _set(original, made)
        _register(self, "original", original)

    def _register_several(self, made: Sequence[Any], original: Tensor) -> None:
        """Keep what the right_inverse made, Parameters where the original is one."""
        for i, x in enumerate(made):
            if not isinstance(x, Tensor):
                raise ValueError(
                    "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                    f"Got element {i} of the sequence with type {type(x).__name__}."
                )
            x = Parameter(x.detach(), original.requires_grad) if isinstance(original, Parameter) else x
            _register(self, f"original{i}", x.requires_grad_(original.requires_grad))

    @property
    def originals(self) -> list[Tensor]:
        """What is learned."""
        return [self.original] if self.is_tensor else [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Any) -> None:
        """Give the originals the values from which value is computed, where all parametrizations have a right_inverse.

        Raises RuntimeError where one has none, ValueError for dtypes or numbers of Tensors that don't fit.
        """
        with state.scope(grad_enabled=False):
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise GraphError(f"parametrization {type(module).__name__} does not implement right_inverse.")
                value = module.right_inverse(value)
        value = [value] if self.is_tensor else value
        if not isinstance(value, Sequence):
            raise ValueError(f"'right_inverse' must return a sequence of tensors. Got {type(value).__name__}.")
        if len(value) != self.ntensors:
            raise ValueError(
                f"'right_inverse' must return a sequence of tensors of length {self.ntensors}. Got a sequence of "
                f"length {len(value)}."
            )
        for i, (original, new) in enumerate(zip(self.originals, value, strict=True)):
            which, whose = ("The tensor", "original") if self.is_tensor else (f"Tensor {i}", f"original{i}")
            if not isinstance(new, Tensor):
                raise ValueError(f"{which} returned by `right_inverse` is none: got {type(new).__name__}")
            if new.dtype != original.dtype:
                raise ValueError(
                    f"{which} returned by `right_inverse` has dtype {new.dtype} while `{whose}` has dtype "
                    f"{original.dtype}"
                )
        for original, new in zip(self.originals, value, strict=True):
            _set(original, new)

    def forward(self) -> Any:
        first, *others = self
        x = first(*self.originals)
        for module in others:
            x = module(x)
        return x


def _set(original: Tensor, new: Tensor) -> None:
    if new is not original:
        original.data = new.detach()


def _register(module: Module, name: str, x: Tensor) -> None:
    if isinstance(x, Parameter):
        module.register_parameter(name, x)
    else:
        module.register_buffer(name, x)


def _check(what: str, new: Any, old: Any, said_old: str, said_new: str, flag: str) -> None:
    if not isinstance(new, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(new).__name__}.")
    for fact in ("dtype", "shape"):
        if getattr(new, fact) != getattr(old, fact):
            raise ValueError(
                f"{what} may not change the {fact} of the tensor, unless {flag} flag is enabled.\n"
                f"{said_old.format(fact)}: {getattr(old, fact)}\n{said_new.format(fact)}: {getattr(new, fact)}"
            )


def register_parametrization(module: M, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> M:
    """Have a parameter or buffer computed by parametrization: a module whose forward makes it of what is learned.

    What is learned stands in `module.parametrizations.<name>.original`. A second one is applied to the first one's
    result. If parametrization has a right_inverse, assigning to the Tensor works, and its value stays as near as that
    makes it. Raises ValueError for a name that the module hasn't, and unless unsafe for another shape or dtype.

    Source: torch.nn.utils.parametrize.register_parametrization.

    >>> class Symmetric(nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).T
    >>> layer = nn.utils.parametrize.register_parametrization(nn.Linear(2, 2), "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.T).all()), list(layer.state_dict())
    (True, ['bias', 'parametrizations.weight.original'])
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_another(module, tensor_name, parametrization)
        module.parametrizations[tensor_name].append(parametrization)
        module.parametrizations[tensor_name].unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        made = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            module.__class__ = _parametrized_class(type(module))  # type: ignore[assignment]
            module.parametrizations = ModuleDict()
        setattr(type(module), tensor_name, _parametrized_property(tensor_name))
        module.parametrizations[tensor_name] = made
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
            f"'{tensor_name}'"
        )
    return module


def _check_another(module: Module, name: str, parametrization: Module) -> None:
    """One more: it has to keep shape and dtype, and so has its right_inverse."""
    old = getattr(module, name)
    new = parametrization(old)
    _check(
        "Registering a parametrization", new, old, f"module.{name}.{{}}", f"parametrization(module.{name}).{{}}",
        "the `unsafe`",
    )  # fmt: skip
    if not hasattr(parametrization, "right_inverse"):
        return
    try:
        back = parametrization.right_inverse(new)
    except NotImplementedError:
        return
    if not isinstance(back, Tensor):
        raise ValueError(f"parametrization.right_inverse must return a tensor. Got: {type(back).__name__}")
    for fact in ("dtype", "shape"):
        if getattr(back, fact) != getattr(old, fact):
            raise ValueError(
                f"The tensor returned by parametrization.right_inverse must have the same {fact} as module.{name}, "
                f"unless the `unsafe` flag is enabled.\nmodule.{name}.{fact}: {getattr(old, fact)}\n"
                f"returned {fact}: {getattr(back, fact)}"
            )


def _parametrized_class(cls: type[Module]) -> type[Module]:
    """A class of one module's own, which has properties for what is parametrized."""

    def copied(self: Any, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            memo[id(self)] = other = object.__new__(type(self))
            vars(other).update(copy.deepcopy(vars(self), memo))
        return memo[id(self)]

    def refused(self: Any) -> Any:
        raise RuntimeError("Serialization of parametrized modules is only supported through state_dict().")

    body = {"__getstate__": refused} | ({} if hasattr(cls, "__deepcopy__") else {"__deepcopy__": copied})
    return type(f"Parametrized{cls.__name__}", (cls,), body)


def _parametrized_property(name: str) -> property:
    def read(self: Any) -> Any:
        cache = _cache.get()
        if cache is None:
            return self.parametrizations[name]()
        if (self, name) not in cache:
            cache[self, name] = self.parametrizations[name]()
        return cache[self, name]

    def write(self: Any, value: Any) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(read, write)


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a Tensor of the module, or without a name any, is. Source: torch.nn.utils.parametrize.is_parametrized."""
    found = getattr(module, "parametrizations", None)
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module: M, tensor_name: str, leave_parametrized: bool = True) -> M:
    """Make the Tensor a parameter or buffer again, with the value as computed, or with that of the original.

    Raises ValueError where it isn't parametrized, or where there are several originals to choose from.
    Source: torch.nn.utils.parametrize.remove_parametrizations.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    made = module.parametrizations[tensor_name]
    if made.is_tensor:
        original = made.original
        if leave_parametrized:
            with state.scope(grad_enabled=False):
                _set(original, getattr(module, tensor_name))
    elif leave_parametrized:
        computed = getattr(module, tensor_name)
        original = Parameter(computed.detach()) if computed.requires_grad else computed
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a "
            "sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, original)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class of a module as it was made. Source: torch.nn.utils.parametrize.type_before_parametrizations."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(from_module: Module, to_module: M, tensor_name: str | None = None) -> M:
    """Give to_module the parametrizations of from_module, of one Tensor or all, and what is learned.

    Source: torch.nn.utils.parametrize.transfer_parametrizations_and_params.
    """
    if not is_parametrized(from_module):
        return to_module
    for name in from_module.parametrizations if tensor_name is None else [tensor_name]:
        source = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
        for parametrization in source:
            register_parametrization(to_module, name, parametrization)
        for key in ("original",) if source.is_tensor else [f"original{i}" for i in range(source.ntensors)]:
            setattr(to_module.parametrizations[name], key, getattr(source, key))
    return to_module


_define_getattr(globals())
