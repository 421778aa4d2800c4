"""Modules that are loaded when something of them is first used, so that `import microgad` is quick.

Here too: the `__getattr__` of the library's modules, which loads lazy names and explains those that don't exist.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec, PathFinder
from opcode import opmap
from types import FrameType, ModuleType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

# Names from these modules are a module's tools, not part of its interface.
_TOOL_MODULES = frozenset(
    ["__future__", "abc", "collections.abc", "contextlib", "dataclasses", "functools", "types", "typing"]
)
_TORCH_MODULES = "microgad.porting.torch_modules."
_OF_MODULES = (".", ".porting.torch_modules")  # a stub imports modules from these, and nothing else
# The two kinds of lines of a stub: `from where import what as name` and `name = where.what`.
_IMPORTED = re.compile(r"^from (\S+) import \(?\s*(\w+) as (\w+)", re.MULTILINE)
_RENAMED = re.compile(r"^(\w+) = (\S+)\.(\w+)$", re.MULTILINE)


class LazyModule:
    """A module that is imported on first use: until it is, its attributes are `LazyObject`s.

    >>> math = LazyModule("math")
    >>> math.cos(0)
    1.0
    """

    def __init__(self, name: str) -> None:
        self._module = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # doctest and inspect ask for them
            raise AttributeError(f"{self._module} is imported on first use, not for its {name}")
        module = sys.modules.get(self._module)
        if module is None or not hasattr(module, name):  # not loaded, or not yet fully
            return LazyObject(_import_attribute, self._module, name)
        value = getattr(module, name)
        setattr(self, name, value)
        return value


def _import_attribute(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


class LazyObject:
    """A placeholder for `make(*args)`, which is called on first use. As a class attribute it then replaces itself."""

    __slots__ = ("args", "make", "value")  # every process starts with some six hundred of these: keep them small

    def __init__(self, make: Callable[..., Any], *args: Any) -> None:
        self.make: Callable[..., Any] | None = make
        self.args = args

    def load(self) -> Any:
        """Return the object, made on the first call; arguments that are lazy are loaded as well."""
        make = self.make
        if make is not None:
            self.value = make(*(x.load() if type(x) is LazyObject else x for x in self.args))
            self.make = None
        return self.value

    def __get__(self, instance: Any, owner: type) -> Any:
        value = self.load()
        for cls in owner.__mro__:
            for name in [name for name, held in vars(cls).items() if held is self]:
                setattr(cls, name, value)
        return value.__get__(instance, owner)

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.load()(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.load(), name)


def accepts_lazy(make: F) -> F:
    """Decorate a function of one source: called with a `LazyObject`, it returns another, and runs when that is used."""

    @functools.wraps(make)
    def made(source: Any, *args: Any) -> Any:
        return LazyObject(make, source, *args) if isinstance(source, LazyObject) else make(source, *args)

    return made  # type: ignore[return-value]


def define_getattr(
    module: dict[str, Any], lazy_names: Mapping[str, str] | None = None, extras: Mapping[str, str] | None = None
) -> None:
    """Give a module a `__getattr__` that suggests the nearest name, and a `__dir__` without tools such as typing.Any.

    Where the module has an `__all__`, `__dir__` lists that and its submodules, and leaves out what else it imports.

    Call it with globals() at the module's end. `lazy_names` maps names that are loaded on first use to the module that
    each is from, such as ".laws"; a submodule is from itself. `extras` maps optional packages to the extra that
    installs them: where one is missing, ImportError names its extra.
    """
    homes, extras = lazy_names or {}, extras or {}

    def __getattr__(name: str) -> Any:
        if name == "__all__" and not extras:
            return exported(module) + [each for each, home in homes.items() if each[0] != "_" and home != f".{each}"]
        if name not in homes:
            return raise_missing(module["__name__"], name)
        try:
            home = importlib.import_module(homes[name], module["__name__"])
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in extras:
                raise
            message = f"{module['__name__']}.{name} needs {package}: pip install 'microgad[{extras[package]}]'"
            raise ImportError(message) from error
        module[name] = value = home if homes[name] == f".{name}" else getattr(home, name)
        return value

    def __dir__() -> list[str]:
        own = {name for name, value in module.items() if name.startswith("__") or not _is_tool(value)}
        if "__all__" in module:
            own = {name for name in own if name.startswith("_") or name in module["__all__"] or _is_part(module, name)}
        return sorted({*own, *homes} - {"TYPE_CHECKING"})

    module.setdefault("__getattr__", __getattr__)
    module.setdefault("__dir__", __dir__)


def define_getattr_in_package(package: str) -> None:
    """Call `define_getattr` for a package and each of its loaded modules. Call it with __name__ at the package's end.

    >>> import microgad.distributions.normal as module
    >>> module.Norml
    Traceback (most recent call last):
    AttributeError: microgad has no distributions.normal.Norml; the nearest name is Normal
    """
    for name, module in list(sys.modules.items()):
        if f"{name}.".startswith(f"{package}."):
            define_getattr(vars(module))


class TorchModuleFinder:
    """Import hook for PyTorch's modules that lie in porting/torch_modules: `import microgad.backends.cudnn`.

    Elsewhere they are attributes only, as `microgad.backends`; a module is the same under each of its names.
    """

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return a spec for such a module, which this loads. It comes before Python's own finders: they find copies."""
        package, _, below = name.partition(".")
        if package != "microgad" or not _is_torch_module(below.partition(".")[0]):
            return None
        return ModuleSpec(name, self) if importlib.util.find_spec(_TORCH_MODULES + below) else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make a module for `exec_module`, which replaces it."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the module that is in porting/torch_modules in place of a new one."""
        found = _TORCH_MODULES + module.__name__.removeprefix("microgad.")
        sys.modules[module.__name__] = importlib.import_module(found)
        define_getattr_in_package(found)


@functools.cache
def _is_torch_module(name: str) -> bool:
    path = [f"{root}/porting/torch_modules" for root in sys.modules["microgad"].__path__]
    return PathFinder.find_spec(_TORCH_MODULES + name, path) is not None


def _is_tool(value: Any) -> bool:
    """Whether a module's attribute is only imported for its own use: another library, or a name such as typing.Any."""
    if isinstance(value, ModuleType):
        return value.__name__.split(".")[0] != __package__
    return getattr(value, "__module__", None) in _TOOL_MODULES


# Modules that `from torch.nn import *` and so on import. Others mustn't overwrite a program's names, such as `init`.
_PARTS = {
    "microgad.nn": "attention common_types functional grad init modules parallel parameter utils",
    "microgad.nn.utils": "parametrizations parametrize rnn stateless",
    "microgad.autograd": "grad_mode variable",
}


def _is_part(module: dict[str, Any], name: str) -> bool:
    return isinstance(module[name], ModuleType) and module[name].__name__ == f"{module['__name__']}.{name}"


def exported(module: dict[str, Any]) -> list[str]:
    """Return what `from module import *` imports: what microgad defines, and no modules but those that PyTorch gives.

    >>> from microgad.distributions.normal import __all__ as names
    >>> "Normal" in names, "annotations" in names
    (True, False)
    """
    parts = _PARTS.get(module["__name__"], "").split()
    return [
        name
        for name, value in module.items()
        if not name.startswith("_")
        and (not isinstance(value, ModuleType) or name in parts)
        and (getattr(value, "__module__", None) or "microgad").partition(".")[0] in ("microgad", "torch")
        and type(value).__module__ != "typing"  # a module's TypeVar F must not overwrite a program's F
        and name not in ("annotations", "TYPE_CHECKING")
    ]


def raise_missing(module_name: str, name: str) -> Any:
    """Raise AttributeError for a name that a module lacks; at an unguarded import call `on_missing_import`, if set."""
    if name.startswith("__"):
        raise AttributeError(name)
    module, frame = sys.modules[module_name], sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__") in (__name__, module_name, "torch"):
        frame = frame.f_back
    where = module_name.removeprefix("microgad").replace(".porting.torch_modules", "", 1).strip(".")
    where = where.replace("porting.vision", "torchvision", 1)
    missing = MissingName(f"{where}.{name}".lstrip("."), name, functools.partial(_candidates, module))
    if on_missing_import is not None and is_unguarded_import(frame):
        return on_missing_import(str(missing))
    raise missing.error()


def _candidates(module: Any) -> list[str]:
    listed = None if module is sys.modules[__package__] else getattr(module, "__all__", None)
    return listed or [known for known in dir(module) if not known.startswith("_")]


# Set while `import torch` imports microgad, by `as_torch`:
on_missing_import: Callable[[str], Any] | None = None
running_as_torch = False


def is_unguarded_import(frame: FrameType) -> bool:
    """Whether a frame is at an import statement, outside of a `try` that catches ImportError."""
    return frame.f_code.co_code[frame.f_lasti] in _IMPORTS and not any(
        first <= frame.f_lineno <= last for first, last in _guarded_lines(frame.f_code.co_filename)
    )


_IMPORTS = (opmap["IMPORT_NAME"], opmap["IMPORT_FROM"])
_CATCH_IMPORT_ERROR = frozenset(["ImportError", "ModuleNotFoundError", "Exception", "BaseException"])


@functools.lru_cache
def _guarded_lines(file: str) -> list[tuple[int, int]]:
    """Return the first and last line of each block of a file, `try` or `with suppress`, that survives an ImportError.

    A handler that raises only on a condition, or whose own fallback fails, counts as one that goes on.
    """
    import ast
    import linecache

    def catches(kind: ast.AST | None) -> bool:
        names = {node.id for node in ast.walk(kind) if isinstance(node, ast.Name)} if kind else _CATCH_IMPORT_ERROR
        return not _CATCH_IMPORT_ERROR.isdisjoint(names)

    tree = ast.parse("".join(linecache.getlines(file)))
    return [
        (block.body[0].lineno, block.body[-1].end_lineno or 0)
        for block in ast.walk(tree)
        if (
            isinstance(block, ast.Try)
            and any(catches(x.type) and not any(isinstance(y, ast.Raise) for y in x.body) for x in block.handlers)
        )
        or (
            isinstance(block, ast.With)
            and any("suppress" in ast.dump(item) and catches(item.context_expr) for item in block.items)
        )
    ]


def _import_from_stub(package: str, where: str, what: str) -> Any:
    """Return what `from where import what` imports inside of a package."""
    if where == ".":
        return importlib.import_module(f".{what}", package)
    module = importlib.import_module(where, package)
    found = getattr(module, what) if hasattr(module, what) else importlib.import_module(f"{where}.{what}", package)
    if isinstance(found, ModuleType):
        define_getattr_in_package(found.__name__)
    return found


def stub_getattr(module: Any, fallback: Callable[[str], Any]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` for a module whose names are listed in a stub file beside it (PEP 562).

    The stub's lines, `from where import name as name` and `name = where.what`, tell editors and type checkers what a
    name is; the same lines tell `__getattr__` where to import it from on first use. `fallback` handles other names.
    """
    package, spec = module["__name__"], module["__spec__"]

    @functools.cache
    def table() -> dict[str, tuple[str, str]]:
        stub = spec.loader.get_data(re.sub(r"\.pyc?$", ".pyi", spec.origin)).decode()
        imported = {name: (where, what) for where, what, name in _IMPORTED.findall(stub)}
        return imported | {name: (where, what) for name, where, what in _RENAMED.findall(stub)}

    def __getattr__(name: str) -> Any:
        if name == "__all__":  # as in PyTorch without modules, and without the name of a built-in class
            public = ((name, where) for name, (where, _) in table().items() if not name.startswith("_"))
            return [name for name, where in public if where not in _OF_MODULES and name != "slice"]
        if name not in table():
            return fallback(name)
        where, what = table()[name]
        module[name] = value = _import_from_stub(package, where, what)
        return value

    def __dir__() -> list[str]:
        return sorted({*table(), *(name for name in module if name.startswith("__"))})

    return __getattr__, __dir__


class MissingName:
    """The message about a name that doesn't exist: the reason, where one is known, and the nearest name that does.

    The text is made only when somebody reads it. That takes a thousand times as long as raising the error, and most
    callers, such as `hasattr`, only want to know whether the name exists.
    """

    def __init__(self, path: str, name: str, candidates: Callable[[], list[str]]) -> None:
        self.path, self.name, self.candidates = path, name, candidates

    def error(self) -> AttributeError:
        """Return the error. Its `obj` has no attributes, so Python doesn't search for a similar name once more."""
        return AttributeError(self, name=self.name, obj=self)

    def __dir__(self) -> list[str]:
        return []

    def __str__(self) -> str:
        if self.name.startswith("_"):
            return f"{self.path} does not exist"
        import difflib

        from .errors.missing import reason

        why, names = reason(self.path), self.candidates()
        same = [name for name in names if sorted(name.lower()) == sorted(self.name.lower())]  # in another case or order
        near = difflib.get_close_matches(self.name, same, 1, 0) or difflib.get_close_matches(self.name, names, 1)
        message = f"microgad has no {self.path}" + (f": {why}" if why else "")
        return message + (f"; the nearest name is {near[0]}" if near else "")

    def __repr__(self) -> str:
        return repr(str(self))

    def __reduce__(self) -> Any:
        return str, (str(self),)
