"""The file format of PyTorch 0.1: a tar archive of storages, Tensors on them, and a pickle that refers to these."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from ..tensor import Tensor
from .class_names import STORAGE_DTYPES, TENSOR_DTYPES
from .errors import FileError
from .legacy import PickleStream
from .storages import Storage, rebuild_tensor, storage_slice
from .unpickling import Name, Unpickler

_BLOCK = 512
_PARTS = ("storages", "tensors", "pickle")
_FACTS = "xg"  # entry types of extended headers, which hold facts about the next entry


def is_tar(start: bytes) -> bool:
    """Whether a file begins as a tar archive does."""
    return start[257:262] == b"ustar"


def read_tar(data: bytes, place: Callable[[Any, str], Any]) -> Any:
    """Load the object of an archive. Raises FileError, which says what is wrong."""
    parts = _entries(data)
    storages = _storages(_Stream(parts["storages"]), place)
    tensors = _tensors(_Stream(parts["tensors"]), storages)

    def named(key: Any) -> Any:
        if type(key) is not str or not key.isdecimal() or int(key) not in tensors:
            raise FileError("holds a reference to what is no Tensor")
        return tensors[int(key)]

    return Unpickler(parts["pickle"], named).load()


def _entries(data: bytes) -> dict[str, bytes]:
    """Return the archive's entries by name. Raises FileError for unknown or repeated ones."""
    found: dict[str, bytes] = {}
    at = 0
    while at + _BLOCK <= len(data) and data[at]:
        header, begins = data[at : at + _BLOCK], at + _BLOCK
        if sum(header) - sum(header[148:156]) + 8 * ord(" ") != _octal(header[148:156]):
            raise FileError("is damaged: the checksum of an entry's header is wrong")
        ends = begins + _octal(header[124:136])
        name, kind = header[:100].rstrip(b"\0").decode("latin-1"), chr(header[156])
        if ends > len(data):
            raise FileError(f"ends within {name!r}")
        at = ends + -ends % _BLOCK
        if kind in _FACTS:
            continue
        if kind not in "0\0" or name not in (*_PARTS, "sys_info"):
            raise FileError(f"holds an entry {name!r} of kind {kind!r}, which PyTorch's archives don't")
        if name in found:
            raise FileError(f"holds two entries of the name {name!r}")
        found[name] = data[begins:ends]
    for name in _PARTS:
        if name not in found:
            raise FileError(f"is a tar archive, but not one of PyTorch's: it holds no {name}")
    return found


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0")
    if not digits.isdigit():
        raise FileError("is damaged: an entry's header has no number where one belongs")
    return int(digits, 8)


class _Stream(PickleStream):
    """Reads pickles, and the raw numbers and bytes between them."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, _none)

    def count(self) -> int:
        found = self.object()
        if type(found) is not int:
            raise FileError("doesn't say how many storages or Tensors it holds")
        return found

    def facts(self, n: int) -> tuple[Any, ...]:
        return _check_tuple(self.object(), n)

    def take(self, nbytes: int) -> bytes:
        found = self.data[self.at : self.at + nbytes]
        if nbytes < 0 or len(found) != nbytes:
            raise FileError("ends within its storages or Tensors")
        self.at += nbytes
        return found

    def numbers(self, n: int) -> tuple[int, ...]:
        return struct.unpack(f"<{n}q", self.take(8 * n)) if n >= 0 else ()


def _storages(stream: _Stream, place: Callable[[Any, str], Any]) -> dict[Any, Storage]:
    """Read the storages, and then the views of storages, by their keys."""
    found: dict[Any, Storage] = {}
    for _ in range(stream.count()):
        key, location, kind = stream.facts(3)
        dtype = STORAGE_DTYPES.get(_class(kind))
        if dtype is None:
            raise FileError("holds a storage of no dtype")
        (count,) = stream.numbers(1)
        memory = np.frombuffer(bytearray(stream.take(count * dtype.itemsize)), np.uint8)
        memory = place(memory, _check_type(location, str))
        found[_check_type(key, int)] = Storage(_given(memory), memory.size, dtype, [0])
    for view in _check_type(stream.object(), list, "a list of views"):
        key, root, offset, count = _check_tuple(view, 4)
        whole = found[_check_type(root, int)]
        each = whole.dtype.itemsize if whole.dtype else 1
        memory = storage_slice(whole.memory(), offset, count, each)
        found[_check_type(key, int)] = whole._replace(memory=_given(memory), nbytes=memory.size)
    return found


def _tensors(stream: _Stream, storages: dict[Any, Storage]) -> dict[Any, Tensor]:
    found: dict[Any, Tensor] = {}
    for _ in range(stream.count()):
        key, storage, kind = stream.facts(3)
        ndim = int.from_bytes(stream.take(8)[:4], "little", signed=True)
        size, stride, (offset,) = stream.numbers(ndim), stream.numbers(ndim), stream.numbers(1)
        if storage is None:  # an empty Tensor
            dtype = TENSOR_DTYPES.get(_class(kind))
            if dtype is None:
                raise FileError("holds a Tensor of no dtype")
            found[_check_type(key, int)] = Tensor._wrap(np.empty(0, dtype.dtype))
        elif _check_type(storage, int) not in storages:
            raise FileError("holds a Tensor without a storage")
        else:
            found[_check_type(key, int)] = rebuild_tensor(storages[storage], offset, size, stride)
    return found


def _check_type(x: Any, kind: type, what: str = "a number or a name") -> Any:
    if type(x) is not kind:
        raise FileError(f"holds a {type(x).__name__} where {what} belongs")
    return x


def _class(kind: Any) -> str:
    return kind.name.rpartition(" ")[2] if type(kind) is Name else ""


def _check_tuple(x: Any, n: int) -> tuple[Any, ...]:
    if type(x) is not tuple or len(x) != n:
        raise FileError(f"holds a {type(x).__name__} where {n} facts belong")
    return x


def _given(memory: Any) -> Callable[[], Any]:
    return lambda: memory


def _none(key: Any) -> Any:
    raise FileError("refers to something where it may not")
