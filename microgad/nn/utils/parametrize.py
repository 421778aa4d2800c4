"""torch.nn.utils.parametrize: parameters that are computed from learned originals each time they are read."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar

from ... import state
from ...errors import GraphError
from ...parameter import Parameter
from ...state.contexts import binding
from ...tensor import Tensor
from ..modules.container import ModuleDict, ModuleList
from ..modules.module import Module

__all__ = [
    "ParametrizationList", "cached", "is_parametrized", "register_parametrization", "remove_parametrizations",
    "transfer_parametrizations_and_params", "type_before_parametrizations",
]  # fmt: skip

M = TypeVar("M", bound=Module)

Cache = dict[tuple[Module, str], Tensor]
_cache: ContextVar[Cache | None] = ContextVar("cache", default=None)


@contextmanager
def cached() -> Iterator[None]:
    """Within this context, compute each parametrized Tensor only once. Source: torch.nn.utils.parametrize.cached.

    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1))
    >>> with nn.utils.parametrize.cached():
    ...     layer.weight is layer.weight
    True
    """
    outer = _cache.get()
    with binding(_cache, {} if outer is None else outer):
        yield


class ParametrizationList(ModuleList):
    """The parametrizations of one Tensor, applied in turn to `original`, or to `original0`, `original1`, ...

    The originals start as the Tensor, passed through the `right_inverse` of the parametrizations from the last one to
    the first. Raises ValueError if shape or dtype change, unless `unsafe`. Source:
    torch.nn.utils.parametrize.ParametrizationList.

    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1))
    >>> layer.parametrizations.weight
    ParametrizationList(
      (0): _WeightNorm()
    )
    """

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        before = original.detach()
        inverse = original
        with state.scope(grad_enabled=False):
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    with suppress(NotImplementedError):
                        inverse = module.right_inverse(inverse)
        if not isinstance(inverse, (Tensor, Sequence)):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(inverse).__name__}"
            )
        self.is_tensor = isinstance(inverse, Tensor)
        self.ntensors = 1 if self.is_tensor else len(inverse)
        if isinstance(inverse, Tensor):
            self._register_one(inverse, original)
        else:
            self._register_several(inverse, original)
        if not unsafe:
            try:
                _check(self(), before, "unparametrized {}", "parametrized {}", "`unsafe`")
            except Exception:
                original.data = before
                raise

    def _register_one(self, inverse: Tensor, original: Tensor) -> None:
        """Register the original itself, with the values of the right_inverse."""
        for attr in ("dtype", "device"):
            if getattr(inverse, attr) != getattr(original, attr):
                raise ValueError(
                    f"When `right_inverse` outputs one tensor, it may not change the {attr}.\n"
                    f"original.{attr}: {getattr(original, attr)}\n"
                    f"right_inverse(original).{attr}: {getattr(inverse, attr)}"
                )
        _set(original, inverse)
        _register(self, "original", original)

    def _register_several(self, inverses: Sequence[Any], original: Tensor) -> None:
        """Register the Tensors of the right_inverse, as Parameters if the original is one."""
        for i, x in enumerate(inverses):
            if not isinstance(x, Tensor):
                raise ValueError(
                    "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                    f"Got element {i} of the sequence with type {type(x).__name__}."
                )
            x = Parameter(x.detach(), original.requires_grad) if isinstance(original, Parameter) else x
            _register(self, f"original{i}", x.requires_grad_(original.requires_grad))

    @property
    def originals(self) -> list[Tensor]:
        """The original Tensors, which are learned."""
        return [self.original] if self.is_tensor else [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Any) -> None:
        """Set the originals to values from which `value` is computed.

        Raises RuntimeError for a parametrization without a right_inverse, ValueError for dtypes or numbers of Tensors
        that don't fit.
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
                raise ValueError(f"{which} returned by `right_inverse` is not a Tensor: got {type(new).__name__}")
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


def _check(new: Any, old: Any, old_label: str, new_label: str, flag: str) -> None:
    if not isinstance(new, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(new).__name__}.")
    for attr in ("dtype", "shape"):
        if getattr(new, attr) != getattr(old, attr):
            raise ValueError(
                f"Registering a parametrization may not change the {attr} of the tensor, unless {flag} flag is "
                f"enabled.\n{old_label.format(attr)}: {getattr(old, attr)}\n"
                f"{new_label.format(attr)}: {getattr(new, attr)}"
            )


def register_parametrization(module: M, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> M:
    """Compute a parameter or buffer by `parametrization`, a module whose forward takes the learned original.

    The original is `module.parametrizations.<name>.original`. A second parametrization is applied to the first one's
    result. With a `right_inverse`, the Tensor can be assigned to, and registration preserves its value as far as the
    right_inverse is exact. Raises ValueError for an unknown name, and unless `unsafe` for a change of shape or dtype.

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
        parametrizations = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            module.__class__ = _parametrized_class(type(module))  # type: ignore[assignment]
            module.parametrizations = ModuleDict()
        setattr(type(module), tensor_name, _parametrized_property(tensor_name))
        module.parametrizations[tensor_name] = parametrizations
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
            f"'{tensor_name}'"
        )
    return module


def _check_another(module: Module, name: str, parametrization: Module) -> None:
    """Check that one more parametrization, and its right_inverse, preserve shape and dtype."""
    old = getattr(module, name)
    new = parametrization(old)
    _check(new, old, f"module.{name}.{{}}", f"parametrization(module.{name}).{{}}", "the `unsafe`")
    if not hasattr(parametrization, "right_inverse"):
        return
    try:
        back = parametrization.right_inverse(new)
    except NotImplementedError:
        return
    if not isinstance(back, Tensor):
        raise ValueError(f"parametrization.right_inverse must return a tensor. Got: {type(back).__name__}")
    for attr in ("dtype", "shape"):
        if getattr(back, attr) != getattr(old, attr):
            raise ValueError(
                f"The tensor returned by parametrization.right_inverse must have the same {attr} as module.{name}, "
                f"unless the `unsafe` flag is enabled.\nmodule.{name}.{attr}: {getattr(old, attr)}\n"
                f"returned {attr}: {getattr(back, attr)}"
            )


def _parametrized_class(cls: type[Module]) -> type[Module]:
    """Make a subclass of `cls` for a single module, to hold the properties of its parametrized Tensors."""

    def copied(self: Any, memo: dict[int, Any]) -> Any:
        memo[id(self)] = other = object.__new__(type(self))
        vars(other).update(copy.deepcopy(vars(self), memo))
        return other

    def refused(self: Any) -> Any:
        raise RuntimeError("Serialization of parametrized modules is only supported through state_dict().")

    body = {"__getstate__": refused} | ({} if hasattr(cls, "__deepcopy__") else {"__deepcopy__": copied})
    return type(f"Parametrized{cls.__name__}", (cls,), body)


def _parametrized_property(name: str) -> property:
    """Make the property that computes a parametrized Tensor, and assigns to it by its right_inverse."""

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
    """Whether a Tensor of the module (any, if no name is given) is parametrized.

    Source: torch.nn.utils.parametrize.is_parametrized.

    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1))
    >>> nn.utils.parametrize.is_parametrized(layer), nn.utils.parametrize.is_parametrized(layer, "bias")
    (True, False)
    """
    found = getattr(module, "parametrizations", None)
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module: M, tensor_name: str, leave_parametrized: bool = True) -> M:
    """Make a parametrized Tensor a parameter or buffer again.

    Its value is the computed one, or with leave_parametrized=False that of the original. Raises ValueError if it isn't
    parametrized, or for leave_parametrized=False with several originals.
    Source: torch.nn.utils.parametrize.remove_parametrizations.

    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1))
    >>> list(nn.utils.parametrize.remove_parametrizations(layer, "weight").state_dict())
    ['bias', 'weight']
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    parametrizations = module.parametrizations[tensor_name]
    if parametrizations.is_tensor:
        original = parametrizations.original
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
    """Return the class that a module had before it was parametrized.

    Source: torch.nn.utils.parametrize.type_before_parametrizations.

    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1))
    >>> nn.utils.parametrize.type_before_parametrizations(layer) is nn.Linear
    True
    """
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(from_module: Module, to_module: M, tensor_name: str | None = None) -> M:
    """Give to_module the parametrizations and originals of from_module, for one Tensor or for all.

    Raises KeyError if that one isn't parametrized.
    Source: torch.nn.utils.parametrize.transfer_parametrizations_and_params.

    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1))
    >>> other = nn.utils.parametrize.transfer_parametrizations_and_params(layer, nn.Linear(2, 1))
    >>> bool((other.weight == layer.weight).all())
    True
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
