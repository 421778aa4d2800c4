"""Wrappers around the public functions and Tensor's methods that call the __torch_function__ of their arguments.

Most programs override nothing, so the wrappers are installed only when a subclass of Tensor is defined, a mode is
entered, or an object of another class that has a __torch_function__ comes in as an argument.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import re
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from fnmatch import translate
from types import FunctionType
from typing import Any

from .. import function
from ..errors import calls
from . import (
    disable_subclasses,
    get_overloaded_args,
    handle_torch_function,
    has_torch_function,
    not_implemented_error,
    resolve_name,
)

MODULES = ("microgad.nn.functional", "microgad", "microgad.linalg", "microgad.fft", "microgad.special")
# Modules of which PyTorch lets only these functions be overridden:
FEW = {"microgad.autograd": "backward grad", "microgad.nn.init": "constant_ kaiming_uniform_ normal_ uniform_"}
# PyTorch's functions in these have the module in their __name__, as "linalg_svd", by which handlers are looked up.
PREFIXED = ("torch.linalg", "torch.fft", "torch.special")
# Packages that call the public functions, as PyTorch's do:
CLIENTS = ("microgad.nn", "microgad.distributions", "microgad.masked", "microgad.utils.data")
# The operators that PyTorch reports under a method's name, those that it reports under their own, and other specials.
OPERATORS = {
    "add": "__add__ __radd__", "sub": "__sub__", "mul": "__mul__ __rmul__", "div": "__truediv__",
    "matmul": "__matmul__", "remainder": "__mod__", "lt": "__lt__", "le": "__le__", "gt": "__gt__", "ge": "__ge__",
    "ne": "__ne__", "bitwise_and": "__rand__", "bitwise_or": "__ror__", "bitwise_xor": "__rxor__", "add_": "__iadd__",
    "sub_": "__isub__", "mul_": "__imul__", "div_": "__itruediv__", "floor_divide_": "__ifloordiv__",
    "remainder_": "__imod__",
}  # fmt: skip
# Operators that are the same function as a method, by which programs look them up.
SAME = {
    "__neg__": "neg", "__pos__": "positive", "__abs__": "abs", "__rdiv__": "__rtruediv__", "__idiv__": "__itruediv__",
}  # fmt: skip
OTHER_OPERATORS = """
    __rsub__ __rtruediv__ __pow__ __rpow__ __rmatmul__ __floordiv__ __rfloordiv__ __rmod__ __eq__ __and__ __or__ __xor__
    __lshift__ __rshift__ __rlshift__ __rrshift__ __ipow__ __iand__ __ior__ __ixor__ __ilshift__ __irshift__
"""
SPECIALS = """
    __invert__ __getitem__ __setitem__ __len__ __reversed__ __contains__ __bool__ __float__ __int__ __index__
    __complex__ __repr__ __format__ __array__ __deepcopy__ __reduce_ex__ __dlpack__ __dlpack_device__
"""
# The __name__ of PyTorch's function where it isn't the name by which programs call it.
NAMES = {
    "torch.nn.functional.logsigmoid": "log_sigmoid", "torch.nn.functional.threshold": "_threshold",
    "torch.Tensor.__pow__": "pow", "torch.Tensor.__ipow__": "pow_", "torch.Tensor.__rtruediv__": "__rdiv__",
    "torch.Tensor.__itruediv__": "__idiv__",
}  # fmt: skip
NOT_OVERRIDABLE = """
    get_[!d]* get_de[!v]* set_?* is_grad* is_tensor is_storage is_warn* manual_seed seed initial_seed save load compile
    typename vmap graph node as_subclass *torch_function*
"""
# PyTorch's functions in Python hand on the options by name, with their defaults: all of nn.functional but the first
# ones, and the others. Its functions in C++ hand on what they get.
IN_CPP = """
    *_ adaptive_avg_pool1d avg_pool?d bilinear *channel_shuffle conv* cosine_similarity gelu hardshrink linear
    logsigmoid one_hot pairwise_distance pdist pixel_* prelu scaled_dot_product_attention sigmoid softplus softshrink
    tanh
"""
IN_PYTHON = """
    torch.autograd.* torch.cdist torch.lu torch.norm torch.split torch.stft torch.tensordot torch.unique*
    torch.Tensor.backward torch.Tensor.istft torch.Tensor.lu torch.Tensor.norm torch.Tensor.split torch.Tensor.stft
    torch.Tensor.unique*
"""
# Functions that make a Tensor of data, which may be a subclass's: modes alone override them.
ONLY_MODES = "torch.tensor torch.as_tensor torch.asarray torch.from_dlpack"


def _wrap(f: Any, called: str, to: Any = None) -> Any:
    """Return a wrapper of `f` that calls the __torch_function__ of modes and arguments in place of `f`.

    `called` is PyTorch's path of the function. The first argument of __torch_function__ is `to`, or the wrapper if that
    is None.
    """
    module, _, name = called.rpartition(".")

    @functools.wraps(f)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        arguments = () if only_modes else (*args, *kwargs.values())
        if not has_torch_function(arguments):
            with disable_subclasses() if only_modes else nullcontext():
                return f(*args, **kwargs)
        if names_options:
            with suppress(TypeError):  # wrong arguments, of which `f` tells
                args, kwargs = _name_options(f, args, kwargs, all_named=called.startswith("torch.nn.init."))
        result = handle_torch_function(wrapper.to, arguments, args, kwargs)  # type: ignore[attr-defined]
        if result is NotImplemented and (not operator or len(args) < 2):  # Python tries the other operand's operator
            raise not_implemented_error(wrapper.to, arguments)  # type: ignore[attr-defined]
        return result

    only_modes = called in ONLY_MODES.split()
    if called.startswith("torch.nn.functional."):
        names_options = not _matches(name, IN_CPP)
    else:
        names_options = called.startswith("torch.nn.init.") or _matches(called, IN_PYTHON)
    operator = name in OTHER_OPERATORS.split() or to is not None
    if module in PREFIXED:
        name = f"{module.removeprefix('torch.')}_{name}"
    wrapper.__name__ = NAMES.get(called, name)
    wrapper.torch_name, wrapper.to = called, to or wrapper  # type: ignore[attr-defined]
    return wrapper


def _name_options(f: Any, args: Any, kwargs: Any, *, all_named: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return positional arguments, and all options by name, or all arguments: modes read them."""
    signature = inspect.signature(f)
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    named = {
        name: bound.arguments.pop(name)
        for name, parameter in signature.parameters.items()
        if all_named or parameter.default is not parameter.empty
    }
    return bound.args, {**named, **bound.kwargs}


_wrappers: dict[int, list[Any]] = {}  # by the id of the wrapped function: torch.add and Tensor.add may be the same one
_installed = False
_searched: set[str] = set()  # modules that were fully loaded when they were searched
_loading: dict[str, int] = {}  # how many names other modules had when they were searched


def install_if_needed() -> None:
    """Install the wrappers if a program has a class with a __torch_function__ that isn't a subclass of Tensor.

    Nothing notifies us when such a class is defined, so this searches the modules loaded since the last search. While
    a part of microgad is half loaded, which what the wrappers load may need, it leaves them to the next call.
    """
    if _installed:
        return
    for name in sys.modules.keys() - _searched:
        module = sys.modules[name]
        if name != "__main__":
            if not _is_loading(module):
                _searched.add(name)
            elif _loading.get(name) == (count := len(vars(module))):
                continue
            else:
                _loading[name] = count
        if name.partition(".")[0] not in ("microgad", "torch") and any(
            issubclass(type(x), type) and "__torch_function__" in vars(x) and x.__module__ == name
            for x in list(getattr(module, "__dict__", {}).values())
        ):
            if any(_is_loading(part) for path, part in list(sys.modules.items()) if path.startswith("microgad.")):
                _searched.discard(name)
            else:
                install()
            return


def _is_loading(module: Any) -> bool:
    return getattr(getattr(module, "__spec__", None), "_initializing", False)


def retry_overridden(f: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Repeat a call that failed before the wrappers were installed; NotImplemented if no argument overrides it."""
    if "torch" in sys.modules:  # only then an argument may be PyTorch's
        from . import pytorch

        if any(pytorch.is_tensor(type(x)) for x in args):
            raise pytorch.mixed("an operation of PyTorch's Tensor", function.Tensor)
    if _installed or not get_overloaded_args((*args, *kwargs.values())):
        return NotImplemented
    install()
    return _wrappers[id(f)][0](*args, **kwargs) if id(f) in _wrappers else NotImplemented


calls.retry_overridden = retry_overridden


def install() -> None:
    """Install the wrappers, for the rest of the process."""
    global _installed
    if _installed:
        return
    _installed = True
    for public in (*MODULES, *FEW):
        module = importlib.import_module(public)
        for name in FEW[public].split() if public in FEW else filter(_is_overridable, dir(module)):
            if isinstance(f := getattr(module, name), FunctionType):
                _set_wrapper(module, name, _wrap(f, f"torch{public.removeprefix('microgad')}.{name}"))
    _install_methods(function.Tensor)
    for client in CLIENTS:
        package = importlib.import_module(client)
        for name in dir(package):
            getattr(package, name)  # loads what is lazy
    modules = list(sys.modules.values())
    inner = [vars(module) for module in modules if not _is_client(module) and hasattr(module, "__dict__")]
    kept = {id(x) for names in inner for x in names.values() if type(x) in (dict, set, list)}
    for module in filter(_is_client, modules):
        _replace_references(module, kept)


def _set_wrapper(owner: Any, name: str, wrapper: Any) -> None:
    """Put a wrapper in its function's place in a module or class, with names by which pickle finds it."""
    in_class = isinstance(owner, type)
    wrapper.__module__ = owner.__module__ if in_class else owner.__spec__.name
    wrapper.__qualname__ = f"{owner.__qualname__}.{name}" if in_class else name
    _wrappers.setdefault(id(wrapper.__wrapped__), []).append(wrapper)
    setattr(owner, name, wrapper)


def _is_overridable(name: str) -> bool:
    return not name.startswith("_") and not _matches(name, NOT_OVERRIDABLE)


def _matches(name: str, patterns: str) -> bool:
    return _expression(patterns).match(name) is not None


@functools.cache
def _expression(patterns: str) -> re.Pattern[str]:
    """Compile the patterns to one regular expression: `install` takes a third longer if it tries each."""
    return re.compile("|".join(map(translate, patterns.split())))


def _is_client(module: Any) -> bool:
    """Whether a module calls the public functions from outside: a program's, or one of `CLIENTS`."""
    path = str(getattr(module, "__name__", "microgad"))
    return path.partition(".")[0] != "microgad" or f"{path}.".startswith(tuple(f"{client}." for client in CLIENTS))


def _replace_references(module: Any, kept: set[int]) -> None:
    """Replace functions by their wrappers where a module has them: as globals, in tables, in classes, as defaults.

    `kept` has the ids of tables that microgad itself uses, which stay as they are.
    """
    for key, value in list(vars(module).items()):
        if id(value) in _wrappers:
            setattr(module, key, _wrapper_of(value))
        # isinstance runs a value's code; as_torch gives layers the __module__ of PyTorch's, which is the same module
        elif issubclass(type(value), type) and sys.modules.get(value.__module__) is module:
            for name, member in list(vars(value).items()):
                plain = member.__func__ if type(member) is staticmethod else member
                if id(plain) in _wrappers:
                    setattr(value, name, _wrapper_of(plain) if plain is member else staticmethod(_wrapper_of(plain)))
                if type(plain) in _HOLDERS:
                    _replace_inside(plain)
        elif type(value) is FunctionType:
            if value.__module__ == module.__name__:
                _replace_inside(value)
        elif type(value) in _HOLDERS and id(value) not in kept:
            _replace_inside(value)


def _wrapper_of(value: Any) -> Any:
    return _wrappers.get(id(value), [value])[0]


_HOLDERS = {FunctionType, dict, set, list}  # asked for before each call of `_replace_inside`: most values are others


def _replace_inside(x: Any, depth: int = 2) -> None:
    """Replace functions in a dict, set or list, or in one inside of it, and in a function's defaults.

    One that is torch.add and Tensor.add becomes two keys of a dict, or items of a set.
    """
    if type(x) is FunctionType:
        if x.__defaults__ and not _wrappers.keys().isdisjoint(map(id, x.__defaults__)):
            x.__defaults__ = tuple(map(_wrapper_of, x.__defaults__))
        x = x.__kwdefaults__
    if depth == 0 or type(x) not in (dict, set, list) or len(x) > 10_000:  # a larger one holds data
        return
    if type(x) is not list and not _wrappers.keys().isdisjoint(map(id, x)):
        known = x if type(x) is dict else dict.fromkeys(x)
        made = {wrapper: value for key, value in known.items() for wrapper in _wrappers.get(id(key), [key])}
        x.clear()
        x.update(made)
    for place, value in [] if type(x) is set else list(x.items() if type(x) is dict else enumerate(x)):
        if id(value) in _wrappers:
            x[place] = _wrapper_of(value)
        elif type(value) in _HOLDERS:
            _replace_inside(value, depth - 1)


def _install_methods(cls: Any) -> None:
    known = {name: getattr(cls, name, None) for name in dir(cls)}  # loads what is lazy
    for name in [*filter(_is_overridable, known), *OTHER_OPERATORS.split(), *SPECIALS.split()]:
        if isinstance(inspect.getattr_static(cls, name, None), FunctionType):
            _set_wrapper(cls, name, _wrap(known[name], f"torch.Tensor.{name}"))
    for to, names in OPERATORS.items():
        for name in names.split():
            if name in known:
                _set_wrapper(cls, name, _wrap(known[name], f"torch.Tensor.{name}", getattr(cls, to)))
    for alias, name in SAME.items():
        _wrappers.setdefault(id(known[alias]), []).append(getattr(cls, name))
        setattr(cls, alias, getattr(cls, name))
    for name in filter(_is_overridable, known):
        own = inspect.getattr_static(cls, name)
        if isinstance(own, property):
            called = own.fget, own.fset, own.fdel
            wrapped: list[Any] = [f if f is None else _wrap(f, f"torch.Tensor.{name}") for f in called]
            made = property(wrapped[0], wrapped[1], wrapped[2], own.__doc__)
            for wrapper, method in zip(wrapped, (made.__get__, made.__set__, made.__delete__), strict=True):
                if wrapper is not None:
                    wrapper.to = method
            setattr(cls, name, made)


def overridable_functions() -> dict[Any, list[Callable[..., Any]]]:
    """Return the functions and the getters that have a wrapper, by the module or class that they are in."""
    install()
    owners = [importlib.import_module(name) for name in MODULES] + [function.Tensor]
    return {
        owner: [
            f for x in vars(owner).values()
            if isinstance(resolve_name(f := x.__get__ if isinstance(x, property) else x), str)
        ]
        for owner in owners
    }  # fmt: skip
