"""as_torch, which lets `import torch`, `import torchvision` and `import safetensors` give microgad's modules."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import FrameType, FunctionType, ModuleType, TracebackType
from typing import Any, NoReturn

from .. import lazy, operators, ops, storage
from ..backend.devices import device
from ..backend.memory_formats import layout, memory_format
from ..dtypes import dtype
from ..engine.hooks import RemovableHandle
from ..errors import MicrogadError, missing
from ..errors.callers import program_frame
from ..generator import Generator
from ..parameter import Parameter
from ..size import Size
from ..tensor import Tensor
from ..torch_function import wrappers
from .torch_modules.torch_version import TorchVersion

# microgad's modules for PyTorch's, where the names differ; any other `torch.a.b` is `microgad.a.b`.
MODULES = {
    "torch": "microgad",
    "torch._dynamo.config": "microgad.porting.torch_modules.compiler_settings",
    "torch._dynamo.eval_frame": "microgad.porting.torch_modules._dynamo",
    "torch._dynamo.exc": "microgad.porting.torch_modules._dynamo",
    "torch._dynamo.utils": "microgad.porting.torch_modules._dynamo",
    "torch._functorch": "microgad.func",
    "torch._functorch.functional_call": "microgad.func",
    "torch._functorch.vmap": "microgad.func",
    "torch._functorch.make_functional": "microgad.porting.functorch",
    "torch._inductor.config": "microgad.porting.torch_modules.compiler_settings",
    "torch._ops": "microgad.porting.torch_modules.library",
    "torch._subclasses.fake_tensor": "microgad.porting.torch_modules._subclasses",
    "torch.cuda.amp.autocast_mode": "microgad.cuda.amp",
    "torch.cuda.amp.common": "microgad.cuda.amp",
    "torch.cuda.amp.grad_scaler": "microgad.cuda.amp",
    "torch.cuda.memory": "microgad.cuda",
    "torch.cuda.random": "microgad.cuda",
    "torch.distributed.elastic.multiprocessing.errors": "microgad.porting.torch_modules.distributed.elastic",
    "torch.distributions.exp_family": "microgad.distributions.distribution",
    "torch.profiler.profiler": "microgad.profiler",
    "torch.utils.data._utils.collate": "microgad.utils.data.collate",
    "torch.utils.data._utils.fetch": "microgad.utils.data.workers",
    "torch.utils.data._utils.signal_handling": "microgad.utils.data._utils",
    "torch.utils.data._utils.worker": "microgad.utils.data.workers",
    "torch.utils.hooks": "microgad.engine.hooks",
    "torch.utils.model_zoo": "microgad.porting.torch_modules.hub",
    "torch.utils.tensorboard.summary": "microgad.porting.torch_modules.tensorboard_summary",
    "torchvision": "microgad.porting.vision",
    "torchvision.datasets": "microgad.datasets",
    "torchvision.transforms": "microgad.transforms",
    "torchvision.transforms.transforms": "microgad.transforms",
    "torchvision.models": "microgad.models",
    "functorch": "microgad.porting.functorch",
    "safetensors": "microgad.porting.safetensors",
    "torchinfo": "microgad.graph.compat.torchinfo",
    "torchview": "microgad.graph.compat",
    "torchviz": "microgad.graph.compat",
}
# The modules right below torch that microgad lacks. Others must raise when they are imported, as in PyTorch: programs
# import torch._six, for example, to detect old versions.
LACKING = {
    "_appdirs", "_awaits", "_classes", "_compile", "_custom_op", "_custom_ops", "_decomp", "_dispatch",
    "_environment", "_export", "_guards", "_higher_order_ops", "_lazy", "_library", "_linalg_utils",
    "_lobpcg", "_logging", "_lowrank", "_meta_registrations", "_native", "_numpy", "_opaque_base", "_prims",
    "_prims_common", "_python_dispatcher", "_refs", "_size_docs", "_sources", "_storage_docs", "_streambase",
    "_strobelight", "_tensor_docs", "_tensor_iterator", "_thread_safe_fork", "_utils_internal",
    "_vendor", "_weights_only_unpickler", "ao", "classes", "contrib", "export", "monitor", "mtia", "nativert", "nested",
    "numa", "package", "quantization",
}  # fmt: skip
# Modules of old PyTorch versions further below.
REMOVED = {
    "torch.distributed.deprecated", "torch.nn._functions", "torch.nn.parallel.deprecated", "torch.onnx.symbolic",
    "torch.utils.ffi", "torch.utils.trainer", "torchvision.models.utils", "torchvision.prototype",
    "torchvision.transforms.functional_tensor",
}  # fmt: skip
PACKAGES = ("torch", "torchvision", "functorch", "safetensors", "torchinfo", "torchview", "torchviz")
# The __module__ of classes: libraries read type(x).__module__ to see which framework x is of, and programs print it.
CLASS_MODULES = {
    Tensor: "torch", Size: "torch", device: "torch", dtype: "torch", Generator: "torch._C",
    Parameter: "torch.nn.parameter", layout: "torch", memory_format: "torch", RemovableHandle: "torch.utils.hooks",
}  # fmt: skip
# Our modules whose classes are in PyTorch's modules of the same names.
RENAMED_MODULES = (
    "microgad.amp.", "microgad.autograd.grad_mode", "microgad.nn.utils.", "microgad.optim.", "microgad.utils.data.",
)  # fmt: skip
SCHEDULES = "torch.optim.lr_scheduler"
# PyTorch's modules with the name of a function, which is what their parent module has under this name.
HOMONYMS = ("torch.autograd.gradcheck", "torch.multiprocessing.spawn", "torch.nn.parallel.data_parallel")
vars(ops).update(aten=operators.aten, load_library=operators.load_library)  # of torch.ops
TORCH_VERSION = "2.13.0"  # the version of PyTorch that programs see


class NameTakenError(MicrogadError, ImportError):
    """Raised by as_torch if PyTorch itself is already imported."""


class as_torch:
    """Let `import torch`, torchvision and safetensors give microgad: from the call on, or inside a `with` block.

    A name that microgad doesn't have raises AttributeError when it is used, not when it is imported; but
    `import torch.name` raises ModuleNotFoundError for a name that PyTorch doesn't have either. Meanwhile `__version__`
    is the version of PyTorch that microgad follows, and `importlib.metadata` knows torch and torchvision. Raises
    ImportError if PyTorch itself is already imported, because a program would get parts of both. Not in PyTorch.

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
        for name in PACKAGES:
            found = sys.modules.get(name)
            if found is not None and not _is_of_microgad(found):
                raise NameTakenError(
                    f"as_torch: {name} itself is imported already: call it before, or in a new process"
                )
        self._before = set(sys.modules)
        self._finder = _Finder()
        sys.meta_path.insert(0, self._finder)
        self._root = sys.modules["microgad"]
        self._on_missing_import, self._running_before = lazy.on_missing_import, lazy.running_as_torch
        self._version, self._reduced_before = self._root.__version__, storage.reduced_for_torch
        self._root.__name__ = "torch"
        self._root.__version__ = TorchVersion(f"{TORCH_VERSION}+microgad.{self._version.rpartition('+microgad.')[2]}")
        lazy.on_missing_import, lazy.running_as_torch = MissingName, True
        storage.reduced_for_torch = lazy.LazyModule("microgad.porting.torch_modules._utils")._reduced
        self._root.torch = self._root  # kornia's annotations use torch.torch.Tensor
        from ..nn.modules.torch_names import layer_modules

        class_modules = CLASS_MODULES | layer_modules()
        for name, module in [*sys.modules.items()]:
            if name.startswith(RENAMED_MODULES):
                class_modules |= _renamed_classes(module)
        self._class_modules = {kind: kind.__module__ for kind in class_modules}
        _set_modules(class_modules)
        for name_of_module in {*class_modules.values()}:
            importlib.import_module(name_of_module)  # inspect looks for the source of the class there
        for name in HOMONYMS:
            sys.modules.setdefault(name, MissingModule(name))

    def __enter__(self) -> ModuleType:
        return self._root

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        sys.meta_path.remove(self._finder)
        _set_modules(self._class_modules | self._finder.class_modules)
        self._root.__version__, lazy.on_missing_import = self._version, self._on_missing_import
        lazy.running_as_torch, storage.reduced_for_torch = self._running_before, self._reduced_before
        if lazy.on_missing_import is None:
            self._root.__name__ = "microgad"
            del self._root.torch
        for name in sorted(set(sys.modules) - self._before, reverse=True):  # submodules before their parents
            if name.partition(".")[0] in PACKAGES:
                gone, (above, _, name) = sys.modules.pop(name), name.rpartition(".")
                held = vars(sys.modules.get(above, gone))
                if isinstance(gone, MissingModule) and held.get(name) is gone:
                    del held[name]


def _renamed_classes(module: ModuleType) -> dict[type, str]:
    """Return the name of PyTorch's module, which is like ours, for each class of a module: all schedules are in one."""
    kinds = [x for x in vars(module).values() if isinstance(x, type) and x.__module__ == module.__name__]
    name = module.__name__.replace("microgad", "torch", 1)
    return dict.fromkeys(kinds, SCHEDULES if name.startswith(SCHEDULES) else name)


class _RenamingLoader(SourceFileLoader):
    """Loads a module whose classes are said to be of PyTorch's: programs print them, keras knows DataLoader so."""

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        _set_modules(kinds := _renamed_classes(module))
        for finder in sys.meta_path:
            if isinstance(finder, _Finder):
                finder.class_modules |= dict.fromkeys(kinds, module.__name__)
        vars(module).setdefault("__path__", [])  # as for the modules that _Finder gives
        sys.modules.setdefault(module.__name__.replace("microgad", "torch", 1), module)


def _set_modules(class_modules: dict[type, str]) -> None:
    for kind, name_of_module in class_modules.items():
        lines = {name: line for name, line in vars(kind).items() if name == "__firstlineno__"}
        kind.__module__ = name_of_module
        for name, line in lines.items():  # Python 3.13 deletes __firstlineno__, which inspect reads, with __module__
            setattr(kind, name, line)


def _is_of_microgad(module: ModuleType) -> bool:
    spec = module.__spec__
    return spec is not None and (spec.name.partition(".")[0] == "microgad" or isinstance(spec.loader, _Finder))


def _never(absent: object, x: object) -> bool:
    """Return False, as the answer to isinstance(x, a missing class)."""
    return False


class ProgramArguments(list[str]):
    """The sys.argv of a program under as_torch. A spawned process unpickles it first, which calls as_torch there."""

    def __reduce__(self) -> Any:
        return _unpickle_arguments, (list(self),)


def _unpickle_arguments(arguments: list[str]) -> ProgramArguments:
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        as_torch()
    return ProgramArguments(arguments)


def _used(placeholder: Any, *args: Any, **options: Any) -> NoReturn:
    """Raise the error of a placeholder that a program uses."""
    raise AttributeError(f"{_caller_location()}: {missing_message(placeholder)}")


class MissingName:
    """Placeholder for an imported name that microgad lacks. Uses other than in annotations and isinstance raise."""

    def __init__(self, message: str) -> None:
        object.__setattr__(self, "message", message)

    def __repr__(self) -> str:
        return f"<{missing_message(self)}>"

    __call__ = __getattr__ = __setattr__ = __iter__ = __enter__ = _used
    __instancecheck__ = __subclasscheck__ = _never

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type]:
        """Let a class derive from a missing one; the error is raised when an object of the class is made."""
        return (type("MissingName", (), {"__new__": lambda cls, *args, **options: _used(self)}),)

    def __getitem__(self, index: Any) -> MissingName:
        """Return the placeholder itself for annotations such as X[int] and X | None."""
        return self

    __or__ = __ror__ = __getitem__


class MissingModule(ModuleType):
    """Placeholder for a missing module of PyTorch's.

    Its names are looked up beside the function of the module's name, if there is one, and in the parent modules.
    """

    __call__ = __mro_entries__ = __getitem__ = _used
    __instancecheck__ = __subclasscheck__ = _never

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        module, _, own = self.__name__.rpartition(".")
        homonym = getattr(find_module(module), own, None)
        if isinstance(homonym, FunctionType) and name in vars(beside := sys.modules[homonym.__module__]):
            return getattr(beside, name)
        while module:
            above = find_module(module)
            if hasattr(above, name):
                return getattr(above, name)
            module = module.rpartition(".")[0]
        message = _describe_missing(f"{self.__name__}.{name}")
        if lazy.is_unguarded_import(sys._getframe(1)):
            return MissingName(message)
        raise AttributeError(f"{_caller_location()}: {message}")


def missing_message(x: Any) -> str | None:
    """Return the error message of a placeholder, or None if x is not one."""
    if isinstance(x, MissingModule):
        return _describe_missing(x.__name__)
    return object.__getattribute__(x, "message") if type(x) is MissingName else None


def _describe_missing(name: str) -> str:
    """Return the message that microgad lacks torch.a.b, with the reason if one is known."""
    whole = name.removeprefix("torch.")
    why = missing.reason(whole)
    return f"microgad has no {whole}" + (f": {why}" if why else "")


def _caller_location() -> str:
    """Return file and line of the innermost frame outside of microgad."""
    frame, _ = program_frame()
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def find_module(name: str) -> ModuleType | None:
    """Return microgad's module for the name of a PyTorch module, or None."""
    above, inside = name, ""
    while above not in MODULES:
        above, _, last = above.rpartition(".")
        inside = f".{last}{inside}"
    try:
        there = importlib.util.find_spec(MODULES[above] + inside)
    except ModuleNotFoundError:  # its parent doesn't exist
        return None
    if there is None:
        return None
    module = importlib.import_module(MODULES[above] + inside)
    lazy.define_getattr(vars(module))
    return module


class GuardedModule(ModuleType):
    """A module whose functions aren't replaced by submodules of the same name, such as nn.utils.weight_norm."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and self._holds(name)):
            super().__setattr__(name, value)

    def _holds(self, name: str) -> bool:
        return not isinstance(vars(self).get(name, self), ModuleType)


def _is_held_by_parent(name: str) -> bool:
    """Whether the parent holds something else by that name: mock.patch tries each part of "torch.optim.SGD"."""
    above, _, last = name.rpartition(".")
    module = sys.modules.get(above)
    if type(module) is ModuleType:
        module.__class__ = GuardedModule
    return isinstance(module, GuardedModule) and module._holds(last)


def _may_fail() -> bool:
    """Whether the import of a module that doesn't exist may raise: no unguarded statement of a program asks for it.

    It is a guarded one, or a call such as importlib.util.find_spec, or `from torch import name`, for which Python
    tries the module after the attribute.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        if frame.f_code.co_name == "_handle_fromlist":
            return True
        frame = frame.f_back
    return frame is None or not lazy.is_unguarded_import(frame)


class _Finder:  # the base classes in importlib.abc, which has dozens of modules imported, add nothing to it
    """Import hook that gives microgad.a.b for torch.a.b: the same module under both names."""

    def __init__(self) -> None:
        self.class_modules: dict[type, str] = {}  # our modules of the classes that were loaded since

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        wrappers.install_if_needed()
        package, _, below = name.partition(".")
        if name.startswith(RENAMED_MODULES):
            spec = PathFinder.find_spec(name, path)
            if spec is not None and type(spec.loader) is SourceFileLoader:
                spec.loader = _RenamingLoader(spec.loader.name, spec.loader.path)
            return spec
        if package not in PACKAGES or name in REMOVED:
            return None
        if package == "torch" and below and "." not in below and below not in LACKING and find_module(name) is None:
            return None
        held = _is_held_by_parent(name)  # which the import of the submodule would otherwise replace
        if find_module(name) is None and (held or _may_fail()):  # which reads the program's source, and so comes last
            return None
        return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]

    def find_distributions(self, context: Any) -> Iterator[Any]:
        """Yield torch and torchvision with the versions that microgad follows."""
        from .metadata import Alias

        for name in ("torch", "torchvision"):
            if context.name in (None, name):
                yield Alias(name, importlib.import_module(name).__version__)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return MissingModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Replace the new module by microgad's; if there is none, the placeholder stays."""
        found = find_module(module.__name__)
        if found is not None:
            vars(found).setdefault("__path__", [])  # makes imports of submodules reach this finder
            sys.modules[module.__name__] = found
