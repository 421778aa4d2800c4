"""Replaces torch's values and functions by microgad's, as `import microgad as torch` does in a program."""

from __future__ import annotations

import builtins
import copy
import functools
import importlib
import inspect
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import PackedSequence
from torch.testing._internal import common_methods_invocations

import microgad

MODULE_ATTRIBUTES = vars(torch.nn.Module())  # what every module has, such as registries and hooks
PLAIN = {bool, int, float, complex, str, type(None)}  # what both libraries take as it is
NAMESPACES = (torch, torch.nn.functional, torch.linalg, torch.special, torch.fft, torch.Tensor)


class Unsupported(Exception):
    """NumPy can't represent the value, or the device isn't available."""


def microgad_function(path: str) -> Any:
    """microgad's function for a name of op_db: `add`, `linalg.det`, or a method such as `__rsub__`."""
    path = path.removeprefix("torch.")
    start = microgad.Tensor if path.startswith("__") else microgad
    return functools.reduce(getattr, path.split("."), start)


class Copies:
    """Copies values for torch itself, with their strides, shared memory and requires_grad."""

    lib: Any = torch

    def __init__(self, requires_grad: bool = True) -> None:
        self.requires_grad = requires_grad
        # By the address of a storage: a Tensor with a copy of it, and the storage, kept alive.
        self.copied_memory: dict[int, Any] = {}
        self.made: dict[int, Any] = {}  # by the id of the original, which is kept alive so that the id stays its own
        self.tensors: list[Any] = []

    def __call__(self, x: Any) -> Any:
        if type(x) in PLAIN:
            return x
        if isinstance(x, torch.Tensor):
            if id(x) not in self.made:
                self.made[id(x)] = x, self.tensor(x)
                self.tensors.append(self.made[id(x)][1])
            return self.made[id(x)][1]
        if isinstance(x, torch.Size):
            return self.convert_other(x)
        if type(x) in (list, tuple):
            return type(x)(self(item) for item in x)
        if type(x) is dict:
            return {key: self(value) for key, value in x.items()}
        if isinstance(x, PackedSequence):
            return self.lib.nn.utils.rnn.PackedSequence(*map(self, x))
        if type(x) is slice:
            return slice(self(x.start), self(x.stop), self(x.step))
        return self.convert_other(x)

    def tensor(self, t: torch.Tensor) -> Any:
        if type(t) not in (torch.Tensor, torch.nn.Parameter) or t.layout != torch.strided or t.is_quantized:
            raise Unsupported(f"{type(t).__name__}, {t.layout}")
        if t.device.type != "cpu":
            raise Unsupported(str(t.device))
        strided = t.detach().resolve_conj().resolve_neg() if t.is_conj() or t.is_neg() else t
        storage = strided.untyped_storage()
        address = storage.data_ptr()
        if address in self.copied_memory:  # tensors that share memory get the same copy
            made = self.strided(self.copied_memory[address][0], strided)
        elif strided.is_contiguous() and strided.nbytes == storage.nbytes() > 0:
            made = self.contiguous(strided.detach())
            self.copied_memory[address] = made, storage
        else:
            memory = self.contiguous(torch.empty(0, dtype=torch.uint8).set_(storage))
            if storage.nbytes():  # others have no address of their own
                self.copied_memory[address] = memory, storage
            made = self.strided(memory, strided)
        return made.requires_grad_() if self.requires_grad and t.requires_grad else made

    def contiguous(self, t: torch.Tensor) -> Any:
        """A copy of a Tensor that fills its storage."""
        return t.clone()

    def strided(self, memory: Any, like: torch.Tensor) -> Any:
        """A Tensor on copied memory, with the dtype and geometry of another."""
        geometry = like.storage_offset(), like.shape, like.stride()
        return torch.empty(0, dtype=like.dtype).set_(memory.untyped_storage(), *geometry)

    def convert_other(self, x: Any) -> Any:
        if isinstance(x, torch.nn.Module):
            return copy.deepcopy(x)
        return torch.Generator().set_state(x.get_state()) if isinstance(x, torch.Generator) else x


class Swapped(Copies):
    """Copies values for microgad, whose Tensors, dtypes, modules and functions replace torch's."""

    lib = microgad

    def tensor(self, t: torch.Tensor) -> Any:
        if t.ndim > 64:
            raise Unsupported(f"{t.ndim} dimensions")
        return super().tensor(t)

    def contiguous(self, t: torch.Tensor) -> Any:
        dtype_name(t.dtype)
        return microgad.from_numpy(t.numpy().copy())

    def strided(self, memory: Any, like: torch.Tensor) -> Any:
        dtype, size = dtype_name(like.dtype), like.element_size()
        if not like.numel():
            return microgad.from_numpy(np.empty(like.shape, dtype))
        strides = [size * n for n in like.stride()]
        found = np.ndarray(like.shape, dtype, memory.array, size * like.storage_offset(), strides)
        return microgad.Tensor._wrap(found)  # from_numpy would begin a storage at its first element

    def convert_other(self, x: Any) -> Any:
        return self.module(x) if isinstance(x, torch.nn.Module) else swapped(x)

    def module(self, x: torch.nn.Module) -> Any:
        """microgad's module of the same name, with the same attributes, parameters, buffers and submodules."""
        name = type(x).__name__
        namespaces = (microgad.nn, importlib.import_module("microgad.nn.attention"))
        made = object.__new__(next(getattr(namespace, name) for namespace in namespaces if hasattr(namespace, name)))
        microgad.nn.Module.__init__(made)
        made.training = x.training
        for name, value in vars(x).items():
            if not (name in MODULE_ATTRIBUTES or isinstance(getattr(type(made), name, None), property)):
                setattr(made, name, self(value))
        for name, parameter in x._parameters.items():
            converted = parameter if parameter is None else microgad.nn.Parameter(self(parameter.data))
            made.register_parameter(name, converted)
        for name, buffer in x._buffers.items():
            made.register_buffer(name, self(buffer), name not in x._non_persistent_buffers_set)
        for name, child in x._modules.items():
            made.add_module(name, self(child))
        return made


@functools.cache
def dtype_name(dtype: torch.dtype) -> str:
    """The name of a dtype that NumPy has itself; for others raise Unsupported."""
    name = str(dtype).removeprefix("torch.")
    try:
        known = np.dtype(name).isbuiltin == 1  # ml_dtypes, which onnx installs, adds others
    except TypeError:
        known = False
    if not known:
        raise Unsupported(name)
    return name


def swapped(x: Any) -> Any:
    """microgad's counterpart of anything but tensors and containers."""
    if isinstance(x, torch.dtype):
        return getattr(microgad, dtype_name(x))
    if isinstance(x, torch.device):
        if x.type != "cpu":
            raise Unsupported(str(x))
        return microgad.device(str(x))
    if isinstance(x, torch.memory_format | torch.layout):
        if "sparse" in str(x) or "mkldnn" in str(x):
            raise Unsupported(str(x))
        return microgad_function(str(x))
    if isinstance(x, torch.Size):
        return microgad.Size(x)
    if isinstance(x, torch.Generator):
        return microgad.Generator().manual_seed(x.initial_seed())
    if isinstance(x, types.ModuleType) and (x.__name__ + ".").startswith("torch."):
        return functools.reduce(getattr, x.__name__.split(".")[1:], microgad)
    if isinstance(x, torch.nn.Module):
        return Swapped().module(x)
    return swapped_function(x) if callable(x) and not isinstance(x, type) else x


def swapped_function(f: Callable[..., Any]) -> Callable[..., Any]:
    """microgad's function for one of torch, or a function of PyTorch's tests with microgad in place of torch."""
    if f is common_methods_invocations.wrapper_set_seed:
        return seeded
    if isinstance(f, functools.partial):
        return functools.partial(swapped_function(f.func), *f.args, **f.keywords)
    module = getattr(f, "__module__", None) or ""
    if inspect.isfunction(f) and module.startswith("torch.testing"):
        cells = tuple(types.CellType(swapped(cell.cell_contents)) for cell in f.__closure__ or ())
        return types.FunctionType(f.__code__, Globals(f.__globals__), f.__name__, f.__defaults__, cells)
    if hasattr(f, "__objclass__") or getattr(f, "__qualname__", "").startswith("Tensor."):
        return getattr(microgad.Tensor, f.__name__)
    if module.startswith("torch") or type(f).__module__.startswith("torch") or isinstance(f, types.BuiltinMethodType):
        path = names_in_torch().get(id(f))
        return f if path is None else microgad_function(path)
    return f


@functools.cache
def names_in_torch() -> dict[int, str]:
    """The names of torch's functions, such as `linalg.det`, by their ids."""
    found: dict[int, str] = {}
    for namespace in NAMESPACES:
        path = namespace.__name__.partition("torch")[2].strip(".")
        for name, value in vars(namespace).items():
            found.setdefault(id(value), f"{path}.{name}".strip("."))
    return found


class Globals(dict[str, Any]):
    """The globals of a module of PyTorch's tests, each replaced by microgad's counterpart when it is first read."""

    def __init__(self, original: dict[str, Any]) -> None:
        super().__init__(__builtins__=builtins)
        self.original = original

    def __missing__(self, name: str) -> Any:
        self[name] = swapped(self.original[name])
        return self[name]


def seeded(op: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Replaces torch's `wrapper_set_seed`, through which op_db calls operations that draw random numbers."""
    microgad.manual_seed(42)
    return op(*args, **kwargs)
