"""Objects as the pickles that PyTorch writes: protocol 2, of a few kinds of objects, Tensors among them."""

from __future__ import annotations

import struct
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any

import numpy as np

from .. import backend, dtypes, formats
from ..errors import ArgumentError, DtypeError
from ..parameter import Parameter
from ..placement import geometry, memory_of, strides
from ..size import Size
from ..tensor import Tensor
from . import objects
from .kinds import CLASS_OF, UNTYPED

PATHS = (PosixPath, WindowsPath, PurePosixPath, PureWindowsPath)


class Pickler:
    """Makes a pickle of an object; collects the memory of its Tensors, each piece once.

    An object that comes twice is written once, and is one again when it is loaded.
    """

    def __init__(self) -> None:
        self.storages: list[Any] = []  # rows of elements, by the numbers that the pickle calls them
        self._numbers: dict[int, int] = {}  # of storages, by the id of the array that owns the memory
        self._out = bytearray(b"\x80\x02")
        self._memo: dict[Any, int] = {}
        self._kept: list[Any] = []  # so that no id is used again
        self._kinds: dict[type, Callable[[Any, str], None]] = {
            type(None): lambda x, place: self._write(b"N"),
            bool: lambda x, place: self._write(b"\x88" if x else b"\x89"),
            int: lambda x, place: self._integer(x),
            float: lambda x, place: self._write(b"G" + struct.pack(">d", x)),
            complex: lambda x, place: self._call("__builtin__ complex", (x.real, x.imag), place),
            str: lambda x, place: self._text(x),
            bytes: lambda x, place: self._call("_codecs encode", (x.decode("latin-1"), "latin1"), place),
            list: self._list,
            bytearray: lambda x, place: self._call("__builtin__ bytearray", (bytes(x),), place, x),
            tuple: self._whole_tuple,
            set: lambda x, place: self._call("__builtin__ set", (list(x),), place, x),
            frozenset: lambda x, place: self._call("__builtin__ frozenset", (list(x),), place, x),
            range: lambda x, place: self._call("__builtin__ xrange", (x.start, x.stop, x.step), place, x),
            **dict.fromkeys(PATHS, lambda x, place: self._call(f"pathlib {type(x).__name__}", x.parts, place, x)),
            Counter: lambda x, place: self._call("collections Counter", (dict(x),), place, x),
            dict: lambda x, place: self._pairs(x, place, b"}"),
            OrderedDict: self._ordered,
            Size: lambda x, place: self._call("torch Size", (tuple(x),), place),
            backend.device: lambda x, place: self._call("torch device", (str(x),), place),
            dtypes.dtype: lambda x, place: self._global(f"torch {x.name}"),
            formats.layout: lambda x, place: self._call("torch.serialization _get_layout", (repr(x),), place),
            np.ndarray: self._array,
        }

    def pickle(self, obj: Any) -> bytes:
        """The whole of it. Raises TypeError of what can't be saved, by its place; ValueError of what is too deep."""
        try:
            self._save(obj, "obj")
        except RecursionError:
            raise ArgumentError("save: the object contains itself, or is nested too deeply") from None
        return bytes(self._out + b".")

    def _save(self, x: Any, place: str) -> None:
        if id(x) in self._memo:
            self._get(self._memo[id(x)])
        elif type(x) in self._kinds:
            self._kinds[type(x)](x, place)
        elif objects.is_uninitialized(x):
            self._call(f"torch.nn.parameter {type(x).__name__}", (x.requires_grad, None, x.dtype), place, x)
        elif isinstance(x, Parameter):
            facts: tuple[Any, ...] = x.detach(), x.requires_grad, OrderedDict()
            if state := objects.set_on(x):
                self._call("torch._utils _rebuild_parameter_with_state", (*facts, state), place, x)
            else:
                self._call("torch._utils _rebuild_parameter", facts, place, x)
        elif isinstance(x, Tensor):
            self._tensor(x, place)
        elif isinstance(x, np.dtype):
            self._dtype(x, place)
        elif isinstance(x, np.generic):
            self._call("numpy.core.multiarray scalar", (x.dtype, x.tobytes()), place)
        elif (name := objects.named(x, place)) is not None:
            self._global(name)
        elif (own := objects.attributes(x, place)) is not None:
            self._object(x, own, place)
        else:
            raise DtypeError(
                f"save: {place} is a {type(x).__module__}.{type(x).__qualname__}; only dicts, lists, tuples, sets, "
                "numbers, text, None, Tensors, arrays and modules can be: of an optimizer save its state_dict()"
            )

    def _write(self, code: bytes) -> None:
        self._out += code

    def _get(self, number: int) -> None:
        self._write(b"h" + bytes([number]) if number < 256 else b"j" + struct.pack("<I", number))

    def _put(self, x: Any, key: Any = None) -> None:
        """Remember what was made last under a number, and that it is x."""
        number = len(self._memo)
        self._memo[id(x) if key is None else key] = number
        self._kept.append(x)
        self._write(b"q" + bytes([number]) if number < 256 else b"r" + struct.pack("<I", number))

    def _integer(self, x: int) -> None:
        if 0 <= x < 256:
            self._write(b"K" + bytes([x]))
        elif -(2**31) <= x < 2**31:
            self._write(b"J" + struct.pack("<i", x))
        else:
            data = x.to_bytes(x.bit_length() // 8 + 1, "little", signed=True)
            self._write(b"\x8a" + bytes([len(data)]) if len(data) < 256 else b"\x8b" + struct.pack("<i", len(data)))
            self._write(data)

    def _text(self, x: str) -> None:
        data = x.encode("utf-8", "surrogatepass")
        self._write(b"X" + struct.pack("<I", len(data)) + data)
        self._put(x)

    def _global(self, name: str) -> None:
        """A name in a module, "module name"."""
        if name in self._memo:
            self._get(self._memo[name])
            return
        self._write(b"c%s\n%s\n" % tuple(name.encode().split(b" ")))
        self._put(name, name)

    def _call(self, name: str, arguments: tuple[Any, ...], place: str, made: Any = None) -> None:
        """What a function makes of arguments, remembered as `made`."""
        self._global(name)
        self._tuple(arguments, place)
        self._write(b"R")
        if made is not None:
            self._put(made)

    def _whole_tuple(self, x: tuple[Any, ...], place: str) -> None:
        self._tuple(x, place)
        if x:
            self._put(x)

    def _tuple(self, x: tuple[Any, ...], place: str) -> None:
        if x:
            self._write(b"(")
        for i, item in enumerate(x):
            self._save(item, f"{place}[{i}]")
        self._write(b"t" if x else b")")

    def _list(self, x: list[Any], place: str) -> None:
        self._write(b"]")
        self._put(x)
        if x:
            self._write(b"(")
            for i, item in enumerate(x):
                self._save(item, f"{place}[{i}]")
            self._write(b"e")

    def _pairs(self, x: Mapping[Any, Any], place: str, empty: bytes = b"") -> None:
        """Keys and values, put into the empty dict that `empty` makes, or that was made."""
        self._write(empty)
        self._put(x)
        if x:
            self._write(b"(")
            for key, value in x.items():
                self._save(key, f"a key of {place}")
                self._save(value, f"{place}[{key!r}]")
            self._write(b"u")

    def _ordered(self, x: OrderedDict[Any, Any], place: str) -> None:
        self._call("collections OrderedDict", (), place)
        self._pairs(x, place)
        if hasattr(x, "_metadata"):  # of a state_dict: the versions of its modules
            self._pairs({"_metadata": x._metadata}, place, b"}")
            self._write(b"b")

    def _object(self, x: Any, own: dict[str, Any], place: str) -> None:
        """An object of a class, empty, and then its attributes."""
        self._global(f"{type(x).__module__} {type(x).__qualname__}")
        self._write(b")\x81")
        self._put(x)
        self._pairs(own, place, b"}")
        self._write(b"b")

    def _tensor(self, x: Tensor, place: str) -> None:
        """A piece of memory, where in it the Tensor lies, and what was set on it as attributes."""
        array = x.array
        odd = any(stride < 0 or stride % array.itemsize for stride in array.strides)
        if odd or not (backend.is_gpu(array) or array.flags.aligned):
            array = np.ascontiguousarray(backend.to_numpy(array))  # PyTorch has no such strides
        storage, (shape, _, offset) = memory_of(array), geometry(array)
        typed, own = x.dtype in CLASS_OF, objects.set_on(x)
        if own:
            self._global("torch._tensor _rebuild_from_type_v2")
            self._write(b"(")
        self._global(f"torch._utils _rebuild_tensor_{'v2' if typed else 'v3'}")
        if own:
            self._global("torch Tensor")
        self._write(b"((")
        self._save("storage", place)
        self._global(f"torch {CLASS_OF[x.dtype]}" if typed else UNTYPED)
        self._save(self._storage(backend.owner(array), storage), place)
        self._save(str(x.device), place)
        self._integer(storage.size if typed else storage.nbytes)
        self._write(b"tQ")
        self._integer(offset)
        self._tuple(shape, place)
        self._tuple(strides(array), place)
        self._save(x.requires_grad, place)
        self._call("collections OrderedDict", (), place)
        if not typed:
            self._global(f"torch {x.dtype.name}")
        self._write(b"t")
        if own:
            self._pairs(own, place, b"}")
            self._write(b"t")
        self._write(b"R")
        self._put(x)

    def _storage(self, owner: Any, memory: Any) -> str:
        """The number that a piece of memory has, or gets."""
        if id(owner) not in self._numbers:
            self._numbers[id(owner)] = len(self.storages)
            self._kept.append(owner)
            self.storages.append(backend.to_numpy(memory))
        return str(self._numbers[id(owner)])

    def _dtype(self, x: Any, place: str) -> None:
        """A NumPy dtype, as NumPy pickles it."""
        _, arguments, state = x.__reduce__()
        self._call("numpy dtype", arguments, place)
        self._tuple(state, place)
        self._write(b"b")

    def _array(self, x: Any, place: str) -> None:
        """An array, as NumPy pickles it."""
        if x.dtype.hasobject or x.dtype.names:
            raise DtypeError(f"save: {place} is an array of Python objects; only numbers and text can be saved")
        self._global("numpy.core.multiarray _reconstruct")
        self._write(b"(")
        self._global("numpy ndarray")
        self._tuple((0,), place)
        self._save(b"b", place)
        self._write(b"tR")
        self._put(x)
        self._write(b"(K\x01")
        self._tuple(x.shape, place)
        self._dtype(x.dtype, place)
        self._save(False, place)
        self._save(np.ascontiguousarray(x).tobytes(), place)
        self._write(b"tb")
