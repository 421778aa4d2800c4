"""Saves and loads whole modules and other plain objects, without running any of their code.

A file has an object's class by name, and its attributes. The class must be in a module that the program has imported
already: for a file only the library's own layers and models are imported. An object is made empty, and its attributes
are put into its `__dict__`: no `__new__`, `__init__`, `__setstate__` or property runs. Classes whose objects are more
than their `__dict__`, and those that have a `__del__`, are refused. A member of an Enum is looked up by its value. A
Tensor of a subclass is a Tensor that gets the class and its attributes at the end.
"""

from __future__ import annotations

import abc
import argparse
import copyreg
import enum
import functools
import importlib
import sys
import types
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar
from typing import Any

from ..state.contexts import binding
from ..tensor import Tensor
from .errors import FileError, SaveError, shown

_PLAIN = (argparse.Namespace, types.SimpleNamespace, functools.partial)
_MAKERS = (object.__new__, types.SimpleNamespace.__new__)  # the `__new__` methods that run no code of a class
# Packages of layers and of what they and DataLoaders call, whose classes and functions are trusted.
_OWN = ("microgad.nn.", "microgad.ops.", "microgad.utils.data.collate.", "torch.nn.")
_DATA = ("dataloader", "dataset", "distributed", "sampler")
# Those that are imported if a file names a class of theirs.
_IMPORTED = (
    *_OWN, "microgad.models.", "microgad.porting.vision.ops.", "microgad.transforms.", "microgad.distributions.",
    "microgad.porting.torch_modules.optimized_module.",
    *(f"{root}.{name}." for root in ("microgad", "torch") for name in ("optim", "amp", "cuda.amp")),
    *(f"{root}.utils.data.{name}." for root in ("microgad", "torch") for name in _DATA),
)  # fmt: skip
# PyTorch's and torchvision's modules, and ours which have what is in all modules below them.
_OURS = {
    "torch.nn.parallel.": "microgad.nn", "torch._C._nn.": "microgad.nn.functional",
    "torch.cuda.amp.": "microgad.cuda.amp", "torch.utils.data._utils.collate.": "microgad.utils.data.collate",
    "torchvision.transforms.v2.": "microgad.transforms.v2", "torchvision.transforms.": "microgad.transforms",
    "torchvision.ops.": "microgad.porting.vision.ops",
}  # fmt: skip
# Modules of ours, and PyTorch's and torchvision's with the same names of functions and transforms.
_HOMES = {
    "microgad.nn.functional": "torch.nn.functional", "microgad": "torch",
    "microgad.distributions.transforms": "torch.distributions.transforms",
    "microgad.optim.lr_scheduler": "torch.optim.lr_scheduler",
    "microgad.transforms": "torchvision.transforms", "microgad.transforms.v2": "torchvision.transforms.v2",
}  # fmt: skip
# The beginnings of our modules' names, and those of PyTorch's and torchvision's; of several that fit, the first counts.
_THEIRS = {
    "microgad.models.blocks": "torchvision.ops", "microgad.models.": "torchvision.models.",
    "microgad.utils.data.collate": "torch.utils.data._utils.collate",
    "microgad.parameter": "torch.nn.parameter", **dict.fromkeys(("microgad.tensor", "microgad.size"), "torch"),
    "microgad.backend.devices": "torch", "microgad.": "torch.",
}  # fmt: skip
_RECURRENT = ("_flat_weights_names", "_flat_weights")  # lists that a recurrent layer of PyTorch's holds
FUNCTIONS = "torch._C _VariableFunctionsClass"  # whose attributes most of PyTorch's functions are
_safe: list[Any] = []  # shared by all threads; an object is in it as often as it was added
program_classes_allowed: ContextVar[bool] = ContextVar("trusted", default=False)


def add_safe_globals(safe_globals: Iterable[Any]) -> None:
    """Allow `load` to make objects of these classes, and to return these functions, even with weights_only=True.

    A class has to be plain: its objects must consist of their `__dict__`. A pair (cls, "module.name") allows a class
    under the name that a file has for it. Source: torch.serialization.add_safe_globals.

    >>> class Config:
    ...     pass
    >>> torch.serialization.add_safe_globals([Config])
    >>> Config in torch.serialization.get_safe_globals()
    True
    >>> torch.serialization.clear_safe_globals()
    """
    _safe.extend(safe_globals)


def get_safe_globals() -> list[Any]:
    """Return the classes and functions that were added. Source: torch.serialization.get_safe_globals.

    >>> class Config:
    ...     pass
    >>> with torch.serialization.safe_globals([Config]):
    ...     [cls.__name__ for cls in torch.serialization.get_safe_globals()]
    ['Config']
    """
    return list(dict.fromkeys(_safe))


def clear_safe_globals() -> None:
    """Remove all classes and functions that were added. Source: torch.serialization.clear_safe_globals.

    >>> torch.serialization.add_safe_globals([complex])
    >>> torch.serialization.clear_safe_globals()
    >>> torch.serialization.get_safe_globals()
    []
    """
    _safe.clear()


class safe_globals:
    """Allow classes and functions for a block: see `add_safe_globals`. Source: torch.serialization.safe_globals.

    >>> class Config:
    ...     pass
    >>> with torch.serialization.safe_globals([Config]):
    ...     torch.serialization.get_safe_globals() == [Config]
    True
    """

    def __init__(self, safe_globals: Iterable[Any]) -> None:
        self._added = list(safe_globals)

    def __enter__(self) -> None:
        add_safe_globals(self._added)

    def __exit__(self, *raised: object) -> None:
        for x in self._added:
            with suppress(ValueError):  # cleared in the meantime
                _safe.remove(x)


def allow_program_classes(allowed: bool) -> AbstractContextManager[None]:
    """Set for a block whether files may hold Modules, and objects of the program's own classes."""
    return binding(program_classes_allowed, allowed)


def _modules() -> tuple[Any, ...]:
    """Return (nn.Module,), or () if `nn` isn't loaded: then no class can be a Module, and loading it takes long."""
    module = sys.modules.get("microgad.nn.modules.module")
    return (module.Module,) if module else ()


def is_uninitialized(x: Any) -> bool:
    """Whether an object is an uninitialized parameter or buffer of a lazy module."""
    module = sys.modules.get("microgad.nn.parameter")  # if it isn't loaded there are none
    return bool(module and type(x) in (module.UninitializedParameter, module.UninitializedBuffer))


def _why_not_plain(kind: type) -> str | None:
    """Return the reason why a class's objects can't be made from their attributes alone, or None if they can."""
    if type(kind) not in (type, abc.ABCMeta) or all(_maker(kind) is not new for new in _MAKERS):
        return "is made by code of its own"
    modules = _modules()
    no_code = (None, *(module.__del__ for module in modules))  # a module without hooks does nothing there
    if getattr(kind, "__del__", None) not in no_code or any(vars(base).get("__slots__") for base in kind.__mro__):
        return "is more than its attributes"
    sets = getattr(kind, "__setstate__", None)
    own = sets is not None and not str(getattr(sets, "__module__", "")).startswith((*_OWN, "microgad.optim.optimizer"))
    return "sets its state by code of its own" if own else None


def _maker(kind: type) -> Any:
    """Return the first `__new__` among the bases' that isn't written in Python, as a decorator's of a class is."""
    found = (vars(base).get("__new__") for base in kind.__mro__)
    return next(new for new in found if not isinstance(new, types.NoneType | staticmethod | types.FunctionType))


def _find_loaded(module: str, name: str) -> Any:
    """Return what a module, loaded or in `_IMPORTED`, has by a (dotted) name, without running descriptors, or None."""
    if ours := next(filter(f"{module}.".startswith, _OURS), ""):
        module = _OURS[ours]
    elif f"{module}.".startswith(("torch.", "torchvision.")):
        module = ".".join(["microgad", *module.split(".")[1:]])
    if module not in sys.modules and f"{module}.".startswith(_IMPORTED):
        try:
            importlib.import_module(module)
        except ModuleNotFoundError:
            return None
    if module == "microgad" and name in dir(sys.modules[module]):
        return getattr(sys.modules[module], name)  # loads what is lazy
    found = sys.modules.get(module)
    for part in name.split("."):
        found = vars(found).get(part) if isinstance(found, types.ModuleType | type) else None
    return found


def _by_name(x: Any) -> tuple[str, Any]:
    """Return the name under which files have an allowed class or function, and that itself."""
    return (x[1], x[0]) if isinstance(x, tuple) else (f"{x.__module__}.{x.__qualname__}", x)


def find_global(module: str, name: str) -> Any:
    """Return the class or function that a file names if the current load allows it, else None."""
    safe = dict(map(_by_name, _safe))
    found = safe.get(f"{module}.{name}") or _find_loaded(module, name)
    if found is None or not isinstance(found, types.FunctionType | type):
        return None
    if found in safe.values():
        return found
    if not program_classes_allowed.get():
        return None
    return found if _is_library(found) or (isinstance(found, type) and _is_program_class(found)) else None


def _is_library(x: Any) -> bool:
    """Whether x is a function of the library's layers, as `F.relu` is, or a class whose objects may be saved."""
    own = f"{x.__module__}.".startswith(_IMPORTED if isinstance(x, type) else _OWN)
    return own and x.__name__ != "from_file"  # a partial of it would overwrite a file when the program calls a layer


def _is_program_class(kind: type) -> bool:
    """Whether a class of the program is one whose objects may be saved and loaded whole."""
    return issubclass(kind, (enum.Enum, Tensor, *_modules())) or kind in _PLAIN or kind.__module__ == "__main__"


def is_allowed(kind: type) -> bool:
    """Whether objects of a class may be saved."""
    return _is_library(kind) or _is_program_class(kind) or kind in dict(map(_by_name, _safe)).values()


def attribute(owner: Any, name: Any) -> Any:
    """Return what is pickled as an attribute: a function such as PyTorch's torch.relu, or a method of a module."""
    if is_module(owner):
        found = next((vars(base)[name] for base in type(owner).__mro__ if name in vars(base)), None)
        if isinstance(found, types.FunctionType):
            return types.MethodType(found, owner)
        raise FileError(
            f"names {name!s:.99} of a {type(owner).__name__}, which is no method: call lazy layers before saving"
        )
    found = find_global("torch", str(name)) if getattr(owner, "name", None) == FUNCTIONS else None
    if not isinstance(found, types.FunctionType):
        raise FileError("names getattr, which gives PyTorch's functions and methods of modules alone")
    return found


def is_module(x: Any) -> bool:
    """Whether an object is an nn.Module."""
    return isinstance(x, _modules())


def is_module_class(x: Any) -> bool:
    """Whether an object is a class of modules."""
    return isinstance(x, type) and issubclass(x, _modules())


def is_named_tuple(kind: Any) -> bool:
    """Whether an object is a named tuple class whose tuples consist of their fields."""
    return (
        isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields") and not hasattr(kind, "__del__")
    )


def make_named_tuple(kind: Any, parts: tuple[Any, ...]) -> Any:
    """Make a named tuple from its fields. Raises FileError for a wrong number of them."""
    if len(parts) != len(kind._fields):
        raise FileError(f"makes a {kind.__qualname__} of {len(parts)} parts, not {len(kind._fields)}")
    return tuple.__new__(kind, parts)


def make_empty(kind: Any) -> Any:
    """Make an object without attributes. Raises FileError for a class whose objects aren't plain."""
    if not isinstance(kind, type):
        raise FileError("makes an object of what is no class")
    why = _why_not_plain(kind)
    if why:
        raise FileError(f"holds a {kind.__module__}.{kind.__qualname__}, which {why}: no code is run")
    return _maker(kind)(kind)


def make_by_call(kind: Any, arguments: tuple[Any, ...]) -> Any:
    """Make what a file says as the call of a class, and has a state later. Raises FileError if that would run code."""
    if kind is functools.partial and len(arguments) == 1 and isinstance(arguments[0], types.FunctionType | type):
        return functools.partial(arguments[0])
    if is_made_by_call(kind) and not arguments:
        return make_empty(kind)
    raise FileError("calls what is no function")


def is_made_by_call(kind: Any) -> bool:
    """Whether calling a class makes an empty object and does nothing else, as SimpleNamespace does."""
    return isinstance(kind, type) and kind.__init__ is types.SimpleNamespace.__init__  # type: ignore[misc]


def enum_member(kind: Any, value: Any) -> Any:
    """Return the member of an Enum that has a value; for Flags also a combination of members."""
    for found in kind._member_map_.values():
        if type(found._value_) is type(value) and found._value_ == value:
            return found
    own = type(kind) is enum.EnumMeta and kind._missing_.__func__ is enum.Flag._missing_.__func__  # type: ignore[attr-defined]
    if own and type(value) is int and not value & ~kind._flag_mask_:
        return kind(value)
    raise FileError(f"holds {shown(value)} as a {kind.__qualname__}, which has no such member")


def set_attributes(x: Any, state: Any) -> None:
    """Set the attributes of an object that `make_empty` or `make_by_call` has made."""
    if type(x) is functools.partial:
        _set_arguments(x, state)
        return
    if type(state) is not dict or not all(type(name) is str for name in state):
        raise FileError(f"gives a {type(x).__name__} something else than attributes")
    if is_module(x):
        from ..nn.modules.module.hooks import HOOK_ATTRIBUTES

        # PyTorch writes a dict for every kind of hook; here empty ones would only slow down calls.
        no_use = {name for name in HOOK_ATTRIBUTES & state.keys() if not state[name]}.union(_RECURRENT)
        state = {name: value for name, value in state.items() if name not in no_use}
        state.setdefault("_non_persistent_buffers_set", set())  # PyTorch before version 1.6 had none
        if HOOK_ATTRIBUTES & state.keys():
            state["_has_hook_dicts"] = True
    vars(x).update(state)
    if is_module(x) and "_place_within" not in state:
        _set_places(x)
    module = sys.modules.get("microgad.optim.optimizer")  # if it isn't loaded there are no optimizers
    if module and isinstance(x, module.Optimizer):
        module.Optimizer._init_hooks(x)  # files have none


def _set_places(module: Any) -> None:
    """Tell the children of a module that PyTorch has saved where they are."""
    from ..nn.modules.module.paths import set_place

    children = vars(module).get("_modules")
    for name, child in children.items() if isinstance(children, dict) else ():
        if is_module(child) and isinstance(vars(child).get("_modules"), dict):  # it has its own state
            set_place(module, child, name)


def _set_arguments(x: functools.partial[Any], state: Any) -> None:
    """Set the arguments of a partial of a function, which stays; `__setstate__` of Python's own checks no more."""
    fits = type(state) is tuple and list(map(type, state))[1:3] == [tuple, dict] and state[0] is x.func
    if not fits or state[3:] != (None,) or not all(type(name) is str for name in state[2]):
        raise FileError("gives a partial something else than arguments")
    x.__setstate__(state)  # type: ignore[attr-defined]


def tensor_attributes(x: Tensor) -> dict[str, Any]:
    """Return the attributes that a program has set on a Tensor."""
    return {name: value for name, value in vars(x).items() if _settable(x, name)}


def subclass_name(x: Tensor, place: str) -> str | None:
    """Return "module name" for a subclass of Tensor, else None. Raises TypeError if `load` couldn't restore it."""
    if type(x) is Tensor or "_is_saved_plain" in vars(type(x)):
        return None
    why = _why_no_subclass(type(x))
    if why:
        raise SaveError(f"save: {place} is a {type(x).__module__}.{type(x).__qualname__}, which {why}")
    return global_name(type(x), place)


def _why_no_subclass(kind: type) -> str | None:
    """Return the reason why a Tensor can't be made one of a subclass by its class and attributes alone, or None."""
    bases = kind.__mro__[: kind.__mro__.index(Tensor)]
    if hasattr(kind, "__del__") or any(vars(base).get("__slots__") for base in bases):
        return "is more than its attributes"
    if any(name in vars(base) for base in bases for name in ("__reduce_ex__", "__reduce__", "__getstate__")):
        return "is pickled by code of its own"
    return "sets its state by code of its own" if hasattr(kind, "__setstate__") else None


def restore_tensor_attributes(x: Any, state: Any, kind: Any = None) -> Any:
    """Give a Tensor the class `kind`, and the attributes that a program had set: those in its `__dict__`, no others."""
    if isinstance(kind, type):
        if type(x) is not Tensor or not issubclass(kind, Tensor):
            raise FileError(f"makes a {kind.__qualname__} of a {type(x).__name__}")
        why = _why_no_subclass(kind)
        if why:
            raise FileError(f"holds a {kind.__module__}.{kind.__qualname__}, which {why}: no code is run")
        x.__class__ = kind
    own = state[0] if type(state) is tuple and state else state
    if type(own) is dict and isinstance(x, Tensor):
        vars(x).update({name: value for name, value in own.items() if type(name) is str and _settable(x, name)})
    return x


def _settable(x: Tensor, name: str) -> bool:
    marks = name == "_is_param" and type(x) is Tensor  # Parameters of subclasses have this mark, others a class
    return not (marks or hasattr(Tensor, name))


def global_name(x: Any, place: str) -> str | None:
    """Return "module name" for a class or function, else None. Raises TypeError if it can't be found by that name."""
    if not isinstance(x, types.FunctionType | type):
        return None
    if hasattr(x, "torch_name"):  # a wrapper, installed for subclasses of Tensor
        x = getattr(x, "__wrapped__", x)
    found = _find_loaded(x.__module__ or "", x.__qualname__)
    if x is not found and x is not getattr(found, "__wrapped__", None):
        raise SaveError(f"save: {place} is {x.__module__}.{x.__qualname__}, which can't be found under that name")
    return torch_place(x)


def torch_place(x: Any) -> str:
    """Return "module name" of a class or function: PyTorch's or torchvision's for one of the library."""
    if x.__module__.startswith("microgad.nn."):
        from ..nn.modules.torch_names import layer_modules

        if x in layer_modules():
            return f"{layer_modules()[x]} {x.__qualname__}"
    if x.__module__.startswith(("microgad.ops.", "microgad.transforms.", "microgad.distributions.", "microgad.optim.")):
        for home, theirs in _HOMES.items():
            found = getattr(sys.modules.get(home), x.__name__, None)
            if x in (found, getattr(found, "__wrapped__", None)):
                return f"{theirs} {x.__name__}"
    ours = next(filter(x.__module__.startswith, _THEIRS), "")
    return f"{_THEIRS.get(ours, '')}{x.__module__.removeprefix(ours)} {x.__qualname__}"


def plain_attributes(x: Any) -> dict[str, Any] | None:
    """Return an object's attributes if its class and these are all that it consists of, else None."""
    kind = type(x)
    if _why_not_plain(kind) or not is_allowed(kind):
        return None
    made, given, *rest = x.__reduce_ex__(2)
    state = rest[0] if rest else None
    empty = (kind, ()) if is_made_by_call(kind) else (copyreg.__newobj__, (kind,))  # type: ignore[attr-defined]
    if (made, given) != empty or not isinstance(state, dict | None) or any(rest[1:]):
        return None
    return (_needed_by_torch(x) if is_module(x) else {}) | (state or {})


def _needed_by_torch(module: Any) -> dict[str, Any]:
    """Return the attributes that a module of PyTorch's needs, and doesn't make itself when it is loaded."""
    needed: dict[str, Any] = {"_forward_hooks": OrderedDict(), "_backward_hooks": OrderedDict()}
    if hasattr(type(module), _RECURRENT[0]):
        names = module._flat_weights_names
        needed |= zip(_RECURRENT, (names, [getattr(module, name, None) for name in names]), strict=True)
    return needed
