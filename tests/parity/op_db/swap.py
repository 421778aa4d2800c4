"""torch's values and functions as microgad's: what `import microgad as torch` does to a program."""

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

EVERY_MODULE = vars(torch.nn.Module())  # what each has: registries, hooks
ROOMS = (torch, torch.nn.functional, torch.linalg, torch.special, torch.fft, torch.Tensor)


class CannotHold(Exception):
    """A value that NumPy has no way to hold, or a device that isn't there."""


def named(path: str) -> Any:
    """What microgad has under a name of op_db: `add`, `linalg.det`, or a method such as `__rsub__`."""
    path = path.removeprefix("torch.")
    start = microgad.Tensor if path.startswith("__") else microgad
    return functools.reduce(getattr, path.split("."), start)


def memory_of(t: torch.Tensor, held: dict[int, torch.Tensor]) -> torch.Tensor:
    """A copy of all memory behind a tensor, flat; the same one for tensors that share it."""
    storage = t.untyped_storage()
    if storage.data_ptr() not in held or not storage.nbytes():
        held[storage.data_ptr()] = torch.empty(0, dtype=torch.uint8).set_(storage.clone())
        held[storage.data_ptr()].source = storage  # alive, or its address may be another's next
    return torch.empty(0, dtype=t.dtype).set_(held[storage.data_ptr()].untyped_storage())


class Copies:
    """Copies of torch's values for torch itself: strides, shared memory and requires_grad as they are."""

    lib: Any = torch

    def __init__(self, requires_grad: bool = True) -> None:
        self.requires_grad = requires_grad
        self.held: dict[int, torch.Tensor] = {}
        self.made: dict[int, Any] = {}  # by id of the original, which therefore has to live on
        self.tensors: list[Any] = []

    def __call__(self, x: Any) -> Any:
        if isinstance(x, torch.Tensor):
            if id(x) not in self.made:
                self.made[id(x)] = x, self.tensor(x)
                self.tensors.append(self.made[id(x)][1])
            return self.made[id(x)][1]
        if isinstance(x, torch.Size):
            return self.other(x)
        if type(x) in (list, tuple):
            return type(x)(self(item) for item in x)
        if type(x) is dict:
            return {key: self(value) for key, value in x.items()}
        if isinstance(x, PackedSequence):
            return self.lib.nn.utils.rnn.PackedSequence(*map(self, x))
        if type(x) is slice:
            return slice(self(x.start), self(x.stop), self(x.step))
        return self.other(x)

    def tensor(self, t: torch.Tensor) -> Any:
        if type(t) not in (torch.Tensor, torch.nn.Parameter) or t.layout != torch.strided or t.is_quantized:
            raise CannotHold(f"{type(t).__name__}, {t.layout}")
        if t.device.type != "cpu":
            raise CannotHold(str(t.device))
        strided = t.detach().resolve_conj().resolve_neg()
        geometry = strided.shape, strided.stride(), strided.storage_offset()
        made = self.laid_out(memory_of(strided, self.held), *geometry)
        return made.requires_grad_() if self.requires_grad and t.requires_grad else made

    def laid_out(self, memory: torch.Tensor, shape: Any, strides: Any, offset: int) -> Any:
        return memory.as_strided(shape, strides, offset)

    def other(self, x: Any) -> Any:
        if isinstance(x, torch.nn.Module):
            return copy.deepcopy(x)
        return torch.Generator().set_state(x.get_state()) if isinstance(x, torch.Generator) else x


class Swapped(Copies):
    """The same values for microgad."""

    lib = microgad

    def laid_out(self, memory: torch.Tensor, shape: Any, strides: Any, offset: int) -> Any:
        held(memory.dtype)
        if len(shape) > 64:
            raise CannotHold(f"{len(shape)} dimensions")
        flat = memory.numpy()
        strides = [n * flat.itemsize for n in strides]
        return microgad.from_numpy(np.lib.stride_tricks.as_strided(flat[offset:], shape, strides))

    def other(self, x: Any) -> Any:
        return self.module(x) if isinstance(x, torch.nn.Module) else swapped(x)

    def module(self, x: torch.nn.Module) -> Any:
        """microgad's module of that name with the same attributes."""
        name = type(x).__name__
        rooms = (microgad.nn, importlib.import_module("microgad.nn.attention"))
        made = object.__new__(next(getattr(room, name) for room in rooms if hasattr(room, name)))
        microgad.nn.Module.__init__(made)
        made.training = x.training
        for name, value in vars(x).items():
            if not (name in EVERY_MODULE or isinstance(getattr(type(made), name, None), property)):
                setattr(made, name, self(value))
        for name, parameter in x._parameters.items():
            held = parameter if parameter is None else microgad.nn.Parameter(self(parameter.data))
            made.register_parameter(name, held)
        for name, buffer in x._buffers.items():
            made.register_buffer(name, self(buffer), name not in x._non_persistent_buffers_set)
        for name, child in x._modules.items():
            made.add_module(name, self(child))
        return made


def held(dtype: torch.dtype) -> str:
    """The name of a dtype, if NumPy has it."""
    name = str(dtype).removeprefix("torch.")
    try:
        known = np.dtype(name).isbuiltin == 1  # not of ml_dtypes, which comes with onnx
    except TypeError:
        known = False
    if not known:
        raise CannotHold(name)
    return name


def swapped(x: Any) -> Any:
    """Anything but tensors and containers."""
    if isinstance(x, torch.dtype):
        return getattr(microgad, held(x))
    if isinstance(x, torch.device):
        if x.type != "cpu":
            raise CannotHold(str(x))
        return microgad.device(str(x))
    if isinstance(x, torch.memory_format | torch.layout):
        if "sparse" in str(x) or "mkldnn" in str(x):
            raise CannotHold(str(x))
        return named(str(x))
    if isinstance(x, torch.Size):
        return microgad.Size(x)
    if isinstance(x, torch.Generator):
        return microgad.Generator().manual_seed(x.initial_seed())
    if isinstance(x, types.ModuleType) and (x.__name__ + ".").startswith("torch."):
        return functools.reduce(getattr, x.__name__.split(".")[1:], microgad)
    if isinstance(x, torch.nn.Module):
        return Swapped().module(x)
    return function(x) if callable(x) and not isinstance(x, type) else x


def function(f: Callable[..., Any]) -> Callable[..., Any]:
    """What a function that calls torch is after the swap: the same code, with microgad where it says torch."""
    if f is common_methods_invocations.wrapper_set_seed:
        return seeded
    if isinstance(f, functools.partial):
        return functools.partial(function(f.func), *f.args, **f.keywords)
    module = getattr(f, "__module__", None) or ""
    if inspect.isfunction(f) and module.startswith("torch.testing"):
        cells = tuple(types.CellType(swapped(cell.cell_contents)) for cell in f.__closure__ or ())
        return types.FunctionType(f.__code__, Globals(f.__globals__), f.__name__, f.__defaults__, cells)
    if hasattr(f, "__objclass__") or getattr(f, "__qualname__", "").startswith("Tensor."):
        return getattr(microgad.Tensor, f.__name__)
    if module.startswith("torch") or type(f).__module__.startswith("torch") or isinstance(f, types.BuiltinMethodType):
        for room in ROOMS:
            for name, value in vars(room).items():
                if value is f:
                    path = room.__name__.partition("torch")[2].strip(".")
                    return named(f"{path}.{name}".strip("."))
    return f


class Globals(dict[str, Any]):
    """The names that a module of torch's tests sees, swapped when they are read."""

    def __init__(self, original: dict[str, Any]) -> None:
        super().__init__(__builtins__=builtins)
        self.original = original

    def __missing__(self, name: str) -> Any:
        self[name] = swapped(self.original[name])
        return self[name]


def seeded(op: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """torch's `wrapper_set_seed`: op_db calls what draws random numbers through it."""
    microgad.manual_seed(42)
    return op(*args, **kwargs)
