"""The file format of PyTorch before 1.6: several pickles one after the other, and then the bytes of the storages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backend, dtypes
from ..type_aliases import Array
from . import old_text
from .class_names import STORAGE_CLASS_OF
from .errors import FileError, shown
from .pickling import Pickler
from .storages import Storage, storage_slice
from .unpickling import Name, Unpickler, storage_loader

_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of such a file
_VERSION = 1001  # of the format: the second pickle


class PickleStream:
    """Reads pickles one after the other; the next one begins at `at`. `referred` resolves persistent references."""

    def __init__(self, data: bytes, referred: Callable[[Any], Any]) -> None:
        self.data, self.at, self._referred = data, 0, referred

    def object(self) -> Any:
        """Load the object of the next pickle."""
        machine = Unpickler(self.data, self._referred, self.at)
        found = machine.load()
        self.at = machine.at
        return found


class _Storages:
    """The storages of a file by their keys. They are allocated when a pickle refers to them, and filled at the end."""

    def __init__(self, data: bytes, place: Callable[[Any, str], Any]) -> None:
        self._data, self._place, self._claimed = data, place, 0
        self._memories: dict[str, Any] = {}
        self._versions: dict[str, list[int]] = {}

    def storage(self, kind: Name, key: Any, location: Any, count: Any, view: Any = None) -> Storage:
        """Resolve a persistent reference: return a storage, or a part of one."""
        dtype, key = kind.dtype, str(key)
        each = dtype.itemsize if dtype else 1
        if type(count) is not int or count < 0:
            raise FileError(f"claims {shown(count)} elements of a storage")
        if key not in self._memories:
            self._claimed += count * each
            if self._claimed > len(self._data):
                raise FileError(f"is {len(self._data)} bytes long, but its storages claim {self._claimed}")
            self._memories[key] = self._place(np.zeros(count * each, np.uint8), location)
        memory = self._memories[key]
        if view is not None:
            _, offset, size = view
            memory = storage_slice(memory, offset, size, each)
        return Storage(lambda: memory, memory.size, dtype, self._versions.setdefault(key, [0]))

    def fill(self, keys: Any, at: int) -> int:
        """Fill the storages: their bytes follow in the order of the keys, each after its number of elements.

        Return where they end. Raises FileError if the keys aren't those of the storages that the pickles refer to, or
        if the file ends early.
        """
        named = old_text.as_names(keys) if type(keys) is list else []
        keys = [str(key) for key in named if type(key) in (str, int)]
        if set(keys) != self._memories.keys():
            raise FileError("holds other storages than those that its Tensors lie in")
        for memory in map(self._memories.__getitem__, keys):
            count = int.from_bytes(self._data[at : at + 8], "little")
            if memory.size < count or at + 8 + memory.size > len(self._data):
                raise FileError("ends within its storages")
            memory[...] = backend.like(np.frombuffer(self._data, np.uint8, memory.size, at + 8), memory)
            at += 8 + memory.size
        return at


def write_legacy(file: Any, pickled: bytes, storages: list[Array]) -> None:
    """Write a file of an object that a Pickler with `legacy` pickled, and of its storages."""
    sizes = {"short": 2, "int": 4, "long": 4}
    machine = {"protocol_version": _VERSION, "little_endian": True, "type_sizes": sizes}
    keys = [str(number) for number in range(len(storages))]
    for part in (*map(_pickled, (_MAGIC, _VERSION, machine)), pickled, _pickled(keys)):
        file.write(part)
    for memory in storages:
        typed = dtypes.of(memory.dtype) in STORAGE_CLASS_OF
        file.write((memory.size if typed else memory.nbytes).to_bytes(8, "little"))
        file.write(memory.astype(memory.dtype.newbyteorder("<"), copy=False).view("u1"))


def _pickled(obj: Any) -> bytes:
    return Pickler().pickle(obj)


def read_legacy(data: bytes, place: Callable[[Any, str], Any]) -> tuple[Any, int]:
    """Return the object at the start of a file, and where it ends. Raises FileError, which says what is wrong."""
    if not data.startswith(b"\x80"):
        raise FileError("is not a file that torch.save wrote, nor one of safetensors or npz")
    memories = _Storages(data, place)
    pickles = PickleStream(data, storage_loader(memories.storage))
    if pickles.object() != _MAGIC:
        raise FileError("is a pickle, but not one of PyTorch's")
    for _ in range(2):  # the protocol version, and facts about the machine
        pickles.object()
    obj, keys = pickles.object(), pickles.object()
    return obj, memories.fill(keys, pickles.at)
