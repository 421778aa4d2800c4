"""as_torch: while it lasts, `import torch`, `import torchvision` and `import safetensors` give microgad."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType, TracebackType
from typing import Any, NoReturn

from .. import dispatch, lazy, operators, ops
from ..backend.devices import device
from ..dtypes import dtype
from ..errors import MicrogadError, absences
from ..parameter import Parameter
from ..size import Size
from ..tensor import Tensor
from ..torch_function import wrappers
from .torch_modules.torch_version import TorchVersion

# Where a room of PyTorch's is another's of microgad; any other `torch.a.b` is `microgad.a.b`.
ROOMS = {
    "torch": "microgad",
    "torch._ops": "microgad.porting.torch_modules.library",
    "torch._subclasses.fake_tensor": "microgad.porting.torch_modules._subclasses",
    "torch.autograd.function": "microgad.autograd.function",
    "torch.autograd.profiler_util": "microgad.autograd.profiler_util",
    "torch.profiler.profiler": "microgad.profiler",
    "torch.utils.data._utils.collate": "microgad.utils.data.collate",
    "torch.utils.data._utils.worker": "microgad.utils.data.workers",
    "torch.utils.hooks": "microgad.engine.hooks",
    "torch.utils.model_zoo": "microgad.porting.torch_modules.hub",
    "torchvision": "microgad.porting.vision",
    "torchvision.datasets": "microgad.datasets",
    "torchvision.transforms": "microgad.transforms",
    "torchvision.models": "microgad.models",
    "functorch": "microgad.porting.functorch",
    "safetensors": "microgad.porting.safetensors",
    "torchinfo": "microgad.graph.compat.torchinfo",
    "torchview": "microgad.graph.compat",
    "torchviz": "microgad.graph.compat",
}
# What PyTorch once had. Programs ask for it to learn how old their PyTorch is: `import torch._six` raises, as there.
GONE = {
    "torch._namedtensor_internals", "torch._six", "torch.distributed.deprecated", "torch.for_onnx", "torch.functorch",
    "torch.nn._functions", "torch.nn.parallel.deprecated", "torch.onnx.symbolic", "torch.utils.ffi",
    "torch.utils.trainer", "torchvision.models.utils", "torchvision.prototype",
    "torchvision.transforms.functional_tensor",
}  # fmt: skip
ROOTS = ("torch", "torchvision", "functorch", "safetensors", "torchinfo", "torchview", "torchviz")
# Where libraries find whose array x is, by type(x).__module__, and what programs print of it.
HOMES = {Tensor: "torch", Size: "torch", device: "torch", dtype: "torch", Parameter: "torch.nn.parameter"}
ALONE = {"ChannelShuffle": "channelshuffle", "Flatten": "flatten", "Unflatten": "flatten"}  # layers' own rooms, there
# Modules that go by the name of a function of the room above, where it is.
HOMONYMS = ("torch.autograd.gradcheck", "torch.multiprocessing.spawn", "torch.nn.parallel.data_parallel")
LIKE = "2.13.0"  # the version of PyTorch that programs are told of


class NameTakenError(MicrogadError, ImportError):
    """PyTorch itself is imported already."""


class as_torch:
    """Let `import torch`, torchvision and safetensors give microgad: from the call on, or as a context for a while.

    A name that microgad doesn't have raises AttributeError where it is used, not where it is imported. While it goes by
    the name of torch, `__version__` is that of the PyTorch it follows. Raises ImportError where PyTorch itself is
    imported already: a program would be given parts of both. `importlib.metadata` knows of torch and torchvision, too.

    >>> import subprocess, sys
    >>> program = '''
    ... import microgad
    ... with microgad.as_torch():
    ...     import torch
    ... print(torch is microgad, torch.relu(torch.tensor([-1.0, 2.0])))
    ... '''
    >>> print(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout, end="")
    True tensor([0., 2.])
    """

    _root: Any

    def __init__(self) -> None:
        for name in ROOTS:
            found = sys.modules.get(name)
            if found is not None and not _is_of_microgad(found):
                raise NameTakenError(
                    f"as_torch: {name} itself is imported already: call it before, or in a new process"
                )
        self._before = set(sys.modules)
        self._finder = _Finder()
        sys.meta_path.insert(0, self._finder)
        self._root = sys.modules["microgad"]
        self._placeholder, self._before_us = lazy.on_missing_import, dispatch.running_as_torch
        self._version = self._root.__version__
        self._root.__name__ = "torch"
        self._root.__version__ = TorchVersion(f"{LIKE}+microgad.{self._version.rpartition('+microgad.')[2]}")
        lazy.on_missing_import, dispatch.running_as_torch = Absent, True
        self._root.torch = self._root  # kornia's annotations say torch.torch.Tensor
        homes = _homes()
        self._homes = {kind: kind.__module__ for kind in homes}
        _move(homes)
        for home in {*homes.values()}:
            importlib.import_module(home)  # where inspect looks for its source
        for name in HOMONYMS:
            sys.modules.setdefault(name, Nowhere(name))
        vars(ops).update(aten=operators.aten, load_library=operators.load_library)

    def __enter__(self) -> ModuleType:
        return self._root

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        sys.meta_path.remove(self._finder)
        _move(self._homes)
        self._root.__version__, lazy.on_missing_import = self._version, self._placeholder
        dispatch.running_as_torch = self._before_us
        if lazy.on_missing_import is None:
            self._root.__name__ = "microgad"
            del self._root.torch
        for name in sorted(set(sys.modules) - self._before, reverse=True):  # what is in a room before the room
            if name.partition(".")[0] in ROOTS:
                gone, (above, _, name) = sys.modules.pop(name), name.rpartition(".")
                held = vars(sys.modules.get(above, gone))
                if isinstance(gone, Nowhere) and held.get(name) is gone:
                    del held[name]


def _homes() -> dict[type, str]:
    """Classes, layers among them, and PyTorch's modules of them: of the same name as ours, or one that has them."""
    from .. import nn
    from ..nn import modules

    rooms = {name: vars(room) for name, room in vars(modules).items() if isinstance(room, ModuleType)}
    homes = dict(HOMES)
    for kind in vars(nn).values():
        if isinstance(kind, type) and issubclass(kind, nn.Module):
            own = ALONE.get(kind.__name__, kind.__module__.rpartition(".")[2])
            there = [room for room in (own, *rooms) if rooms.get(room, {}).get(kind.__name__) is kind]
            if there:
                homes[kind] = f"torch.nn.modules.{there[0]}"
    return homes


def _move(homes: dict[type, str]) -> None:
    for kind, home in homes.items():
        lines = {name: line for name, line in vars(kind).items() if name == "__firstlineno__"}
        kind.__module__ = home
        for name, line in lines.items():  # with the module Python 3.13 takes away where inspect finds the source
            setattr(kind, name, line)


def _is_of_microgad(module: ModuleType) -> bool:
    spec = module.__spec__
    return spec is not None and (spec.name.partition(".")[0] == "microgad" or type(spec.loader) is _Finder)


def _none_is(absent: object, x: object) -> bool:
    """isinstance(x, what microgad doesn't have)."""
    return False


class Arguments(list[str]):
    """sys.argv of a program that runs as PyTorch's: a process that it spawns is given it before it imports anything."""

    def __reduce__(self) -> Any:
        return _as_its_parent, (list(self),)


def _as_its_parent(arguments: list[str]) -> Arguments:
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        as_torch()
    return Arguments(arguments)


class Absent:
    """What a program has imported that microgad doesn't have: whatever is done with it says so."""

    def __init__(self, said: str) -> None:
        object.__setattr__(self, "said", said)

    def __repr__(self) -> str:
        return f"<{said_of(self)}>"

    def _used(self, *args: Any, **options: Any) -> NoReturn:
        raise AttributeError(f"{_place()}: {said_of(self)}")

    __call__ = __getattr__ = __setattr__ = __iter__ = __enter__ = _used
    __instancecheck__ = __subclasscheck__ = _none_is

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type]:
        """A library that nobody asks for its class may derive it: to make an object of it is to use what is absent."""
        return (type("Absent", (), {"__new__": lambda cls, *args, **options: self._used()}),)

    def __getitem__(self, index: Any) -> Absent:
        """In annotations: what is absent of a type, or it or another, is absent as well."""
        return self

    __or__ = __ror__ = __getitem__


class Nowhere(ModuleType):
    """A module of PyTorch's that microgad doesn't have. What it holds may be in a room above; else it is Absent."""

    def _used(self, *args: Any, **options: Any) -> NoReturn:
        raise AttributeError(f"{_place()}: {said_of(self)}")

    __call__ = __mro_entries__ = __getitem__ = _used
    __instancecheck__ = __subclasscheck__ = _none_is

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        room = self.__name__
        while "." in room:
            room = room.rpartition(".")[0]
            above = room_of(room)
            if hasattr(above, name):
                return getattr(above, name)
        said = _absent(f"{self.__name__}.{name}")
        if lazy.is_unguarded_import(sys._getframe(1)):
            return Absent(said)
        raise AttributeError(f"{_place()}: {said}")


def said_of(x: Any) -> str | None:
    """What there is to say of something absent; None of anything else."""
    if isinstance(x, Nowhere):
        return _absent(x.__name__)
    return object.__getattribute__(x, "said") if type(x) is Absent else None


def _absent(name: str) -> str:
    """That microgad hasn't PyTorch's torch.a.b, and why, where that is known."""
    whole = name.removeprefix("torch.")
    why = absences.reason(whole)
    return f"microgad has no {whole}" + (f": {why}" if why else "")


def _place() -> str:
    """File and line of the program's that is running: the newest one outside of microgad."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("microgad."):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def room_of(name: str) -> ModuleType | None:
    """microgad's module for one of PyTorch's, by name; None where there is none."""
    above, inside = name, ""
    while above not in ROOMS:
        above, _, last = above.rpartition(".")
        inside = f".{last}{inside}"
    for found in (ROOMS[above] + inside, f"microgad.porting.torch_modules.{name.removeprefix('torch.')}"):
        try:
            there = importlib.util.find_spec(found)
        except ModuleNotFoundError:  # nor what it would be in
            continue
        if there is not None:
            room = importlib.import_module(found)
            lazy.define_getattr(vars(room))
            return room
    return None


class Room(ModuleType):
    """A module in which a function stays when a module of its name is imported, as in PyTorch: nn.utils.weight_norm."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and self._holds(name)):
            super().__setattr__(name, value)

    def _holds(self, name: str) -> bool:
        return not isinstance(vars(self).get(name, self), ModuleType)


def _held(name: str) -> bool:
    """Whether a room holds something else by the name: mock.patch asks for each part of "torch.optim.SGD.step"."""
    above, _, last = name.rpartition(".")
    room = sys.modules.get(above)
    if type(room) is ModuleType:
        room.__class__ = Room
    return isinstance(room, Room) and room._holds(last)


def _is_from() -> bool:
    """Whether the name is looked for by `from torch import name`, which takes a name for a module last of all."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        if frame.f_code.co_name == "_handle_fromlist":
            return True
        frame = frame.f_back
    return False


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds torch.a.b as microgad.a.b, the same module under both names."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        wrappers.install_if_needed()
        if name.partition(".")[0] not in ROOTS or name in GONE:
            return None
        if (_held(name) or _is_from()) and room_of(name) is None:
            return None
        return ModuleSpec(name, self, is_package=True)

    def find_distributions(self, context: Any) -> Iterator[Any]:
        """torch and torchvision, with the versions that microgad follows."""
        from .metadata import Alias

        for name in ("torch", "torchvision"):
            if context.name in (None, name):
                yield Alias(name, importlib.import_module(name).__version__)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return Nowhere(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Put microgad's module at the place of the new one, which is kept where there is none."""
        room = room_of(module.__name__)
        if room is not None:
            vars(room).setdefault("__path__", [])  # so that what would be in it is asked for here
            sys.modules[module.__name__] = room
