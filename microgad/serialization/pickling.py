"""The pickler of `save`: it writes protocol 2, as PyTorch does, for Tensors and the other types that may be saved."""

from __future__ import annotations

import copyreg
import enum
import struct
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from types import MethodType
from typing import Any, ClassVar

import numpy as np

from .. import backend, dtypes, lazy, return_types
from ..backend import memory_formats
from ..backend.memory_layout import geometry, memory_of, strides
from ..backend.meta import MetaArray
from ..errors import ArgumentError, DtypeError
from ..parameter import Parameter
from ..size import Size
from ..storage import TypedStorage, UntypedStorage
from ..tensor import Tensor
from ..type_aliases import Array
from . import objects
from .class_names import FACTORIES, STORAGE_CLASS_OF, UNTYPED

PATHS = (PosixPath, WindowsPath, PurePosixPath, PureWindowsPath)


class Pickler:
    """Pickles an object, and collects the storages of its Tensors, each once.

    An object that occurs twice is written once, and is one object again when it is loaded.
    """

    def __init__(self, legacy: bool = False) -> None:
        self.legacy = legacy  # whether the pickle is for the format before PyTorch 1.6
        self.storages: list[Any] = []  # 1-D arrays; the pickle refers to them by their index
        # The index and the dtype of a storage, by the id of its memory's owner. Empty ones go by their dtype, too.
        self._known: dict[Any, tuple[int, dtypes.dtype]] = {}
        self._out = bytearray(b"\x80\x02")
        self._memo: dict[Any, int] = {}
        self._kept: list[Any] = []  # keeps pickled objects alive, so that no id is used again

    def pickle(self, obj: Any) -> bytes:
        """Return the pickle of an object. Raises TypeError for what can't be saved, ValueError for too deep nesting."""
        try:
            self._save(obj, "obj")
        except RecursionError:
            raise ArgumentError("save: the object contains itself, or is nested too deeply") from None
        return bytes(self._out + b".")

    def _save(self, x: Any, place: str) -> None:
        if id(x) in self._memo:
            self._get(self._memo[id(x)])
        elif type(x) in self._KINDS:
            self._KINDS[type(x)](self, x, place)
        elif objects.is_uninitialized(x):
            self._call(f"torch.nn.parameter {type(x).__name__}", (x.requires_grad, None, x.dtype), place, x)
        elif issubclass(type(x), Parameter):
            facts: tuple[Any, ...] = x.detach(), x.requires_grad, OrderedDict()
            if state := objects.tensor_attributes(x):
                self._call("torch._utils _rebuild_parameter_with_state", (*facts, state), place, x)
            else:
                self._call("torch._utils _rebuild_parameter", facts, place, x)
        elif isinstance(x, Tensor):
            self._tensor(x, place)
        elif isinstance(x, enum.Enum) and x.__reduce_ex__(2) == (type(x), (x.value,)):
            self._call(str(objects.global_name(type(x), place)), (x.value,), place, x)
        elif isinstance(x, np.dtype):
            self._dtype(x, place)
        elif isinstance(x, np.generic):
            self._call("numpy.core.multiarray scalar", (x.dtype, x.tobytes()), place)
        elif (name := objects.global_name(x, place)) is not None:
            self._global(name)
        elif isinstance(x, MethodType) and objects.is_module(x.__self__):
            self._call("__builtin__ getattr", (x.__self__, x.__name__), place)
        elif type(x).__module__ == return_types.__name__:
            self._call(f"torch.return_types {type(x).__name__}", (tuple(x), {}), place, x)
        elif objects.is_named_tuple(type(x)) and objects.is_allowed(type(x)):
            self._named_tuple(x, place)
        elif (own := objects.plain_attributes(x)) is not None:
            self._object(x, own, place)
        elif lazy.running_as_torch:
            self._reduced(x, place)
        else:
            raise DtypeError(
                f"save: {place} is a {type(x).__module__}.{type(x).__qualname__}; only dicts, lists, tuples, sets, "
                "numbers, text, None, Tensors, arrays, modules and optimizers can be"
            )

    def _write(self, code: bytes) -> None:
        self._out += code

    def _get(self, number: int) -> None:
        self._write(b"h" + bytes([number]) if number < 256 else b"j" + struct.pack("<I", number))

    def _put(self, x: Any, key: Any = None) -> None:
        """Store the object on top of the stack in the memo, under the next number, as x."""
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
        """Write a reference to a global, given as "module name"."""
        if name in self._memo:
            self._get(self._memo[name])
            return
        self._write(b"c%s\n%s\n" % tuple(name.encode().split(b" ")))
        self._put(name, name)

    def _call(self, name: str, arguments: tuple[Any, ...], place: str, made: Any = None) -> None:
        """Write the call of a function; its result is memoized as `made`."""
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
        self._items(x, place)

    def _deque(self, x: deque[Any], place: str) -> None:
        self._call("collections deque", ((), x.maxlen), place)
        self._items(x, place)

    def _items(self, x: list[Any] | deque[Any], place: str) -> None:
        """Write the items of a list or deque that has just been made empty."""
        self._put(x)
        if x:
            self._write(b"(")
            for i, item in enumerate(x):
                self._save(item, f"{place}[{i}]")
            self._write(b"e")

    def _pairs(self, x: Mapping[Any, Any], place: str, empty: bytes = b"") -> None:
        """Write the items of a dict, which the opcode `empty` makes, or which has just been made empty."""
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
        if hasattr(x, "_metadata"):  # a state_dict has the versions of its modules there
            self._pairs({"_metadata": x._metadata}, place, b"}")
            self._write(b"b")

    def _defaultdict(self, x: defaultdict[Any, Any], place: str) -> None:
        made = [name for name, factory in FACTORIES.items() if factory is x.default_factory]
        if not made and x.default_factory is not None:
            raise DtypeError(
                f"save: {place} makes what it lacks by {x.default_factory!r}; only Python's own types can be saved"
            )
        self._global("collections defaultdict")
        if made:
            self._global(made[0])
        self._write(b"\x85R" if made else b")R")
        self._pairs(x, place)

    def _object(self, x: Any, own: dict[str, Any], place: str) -> None:
        """Write an empty object of a class, and then its attributes."""
        self._global(objects.torch_place(type(x)))
        self._write(b")R" if objects.is_made_by_call(type(x)) else b")\x81")
        self._put(x)
        self._pairs(own, place, b"}")
        self._write(b"b")

    def _reduced(self, x: Any, place: str) -> None:
        """Write any other object as Python's pickle does: PyTorch loads it with weights_only=False."""
        made = x.__reduce_ex__(2)
        if isinstance(made, str):
            return self._global(f"{x.__module__} {made}")
        function, arguments, own, items, pairs = (*made, None, None, None)[:5]
        new = function is copyreg.__newobj__  # type: ignore[attr-defined]
        self._save(arguments[0] if new else function, place)
        self._tuple(arguments[1:] if new else arguments, place)
        self._write(b"\x81" if new else b"R")
        self._put(x)
        for each in items or ():
            self._save(each, place)
            self._write(b"a")
        for key, value in pairs or ():
            self._save(key, f"a key of {place}")
            self._save(value, f"{place}[{key!r}]")
            self._write(b"s")
        if own is not None:
            self._save(own, place)
            self._write(b"b")

    def _named_tuple(self, x: Any, place: str) -> None:
        """Write a named tuple."""
        self._global(objects.torch_place(type(x)))
        self._tuple(x, place)
        self._write(b"\x81")
        self._put(x)

    def _tensor(self, x: Tensor, place: str) -> None:
        """Write a Tensor, and where that isn't all, its class and the attributes that the program has set."""
        own, kind = objects.tensor_attributes(x), objects.subclass_name(x, place)
        if own or kind:
            self._global("torch._tensor _rebuild_from_type_v2")
            self._write(b"(")
            self._bare_tensor(x, place, kind or "torch Tensor")
            self._pairs(own, place, b"}")
            self._write(b"t")
        else:
            self._bare_tensor(x, place)
        self._write(b"R")
        self._put(x)

    def _bare_tensor(self, x: Tensor, place: str, kind: str | None = None) -> None:
        """Write the function that makes a Tensor, `kind` if it is given, and the storage and the geometry in it."""
        array, typed = x.array, x.dtype in STORAGE_CLASS_OF
        meta = isinstance(array, MetaArray)
        form = "meta_tensor_no_storage" if meta else "tensor_v2" if typed else "tensor_v3"
        self._global(f"torch._utils _rebuild_{form}")
        if kind is not None:
            self._global(kind)
        if meta:
            self._tuple((x.dtype, array.shape, strides(array), x.requires_grad), place)
            return
        odd = any(stride < 0 or stride % array.itemsize for stride in array.strides)
        if odd or not (backend.is_gpu(array) or array.flags.aligned):
            array = np.ascontiguousarray(backend.to_numpy(array))  # PyTorch can't have such strides
        storage, (shape, _, offset) = memory_of(array), geometry(array)
        self._write(b"(")
        self._refer(storage, x.dtype, place)
        self._integer(offset)
        self._tuple(shape, place)
        self._tuple(strides(array), place)
        self._save(x.requires_grad, place)
        self._call("collections OrderedDict", (), place)
        if not typed:
            self._global(f"torch {x.dtype.name}")
        self._write(b"t")

    def _storage(self, x: UntypedStorage, dtype: dtypes.dtype | None, place: str) -> None:
        whole = backend.owner(x.row).nbytes == x.nbytes()
        self._refer(x.row if whole else x.row.copy(), dtype, place)

    def _refer(self, memory: Array, dtype: dtypes.dtype | None, place: str) -> None:
        """Write a reference to a storage, of a dtype or of bytes, and collect the storage if it is new."""
        owner, typed = backend.owner(memory), dtype in STORAGE_CLASS_OF
        known = id(owner) if memory.size else (id(owner), dtype)
        number, first = self._known.setdefault(known, (len(self.storages), dtype or dtypes.uint8))
        if first != (dtype or dtypes.uint8):  # PyTorch would load all of them with the dtype of the first
            raise RuntimeError("Cannot save multiple tensors or storages that view the same data as different types")
        if number == len(self.storages):
            self._kept.append(owner)
            self.storages.append(backend.to_device(memory, "cpu"))
        self._write(b"(")
        self._save("storage", place)
        self._global(f"torch {STORAGE_CLASS_OF[dtype]}" if typed else UNTYPED)  # type: ignore[index]
        self._save(str(number), place)
        self._save(str(backend.device_of(memory)), place)
        self._integer(memory.size if typed else memory.nbytes)
        self._write(b"NtQ" if self.legacy else b"tQ")  # None: the Tensor doesn't lie in a part of a storage

    def _dtype(self, x: Any, place: str) -> None:
        """Write a NumPy dtype as NumPy pickles it."""
        _, arguments, state = x.__reduce__()
        self._call("numpy dtype", arguments, place)
        self._tuple(state, place)
        self._write(b"b")

    def _array(self, x: Array, place: str) -> None:
        """Write an array as NumPy pickles it."""
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

    # On the class: in each Pickler it would be a cycle, which keeps what was saved until the garbage collector runs.
    _KINDS: ClassVar[dict[type, Callable[[Pickler, Any, str], None]]] = {
        type(None): lambda self, x, place: self._write(b"N"),
        bool: lambda self, x, place: self._write(b"\x88" if x else b"\x89"),
        int: lambda self, x, place: self._integer(x),
        float: lambda self, x, place: self._write(b"G" + struct.pack(">d", x)),
        complex: lambda self, x, place: self._call("__builtin__ complex", (x.real, x.imag), place),
        str: lambda self, x, place: self._text(x),
        bytes: lambda self, x, place: self._call("_codecs encode", (x.decode("latin-1"), "latin1"), place),
        list: _list,
        bytearray: lambda self, x, place: self._call("__builtin__ bytearray", (bytes(x),), place, x),
        tuple: _whole_tuple,
        set: lambda self, x, place: self._call("__builtin__ set", (list(x),), place, x),
        frozenset: lambda self, x, place: self._call("__builtin__ frozenset", (list(x),), place, x),
        range: lambda self, x, place: self._call("__builtin__ xrange", (x.start, x.stop, x.step), place, x),
        slice: lambda self, x, place: self._call("__builtin__ slice", (x.start, x.stop, x.step), place),
        type(...): lambda self, x, place: self._global("__builtin__ Ellipsis"),
        deque: _deque,
        **dict.fromkeys(PATHS, lambda self, x, place: self._call(f"pathlib {type(x).__name__}", x.parts, place, x)),
        Counter: lambda self, x, place: self._call("collections Counter", (dict(x),), place, x),
        partial: lambda self, x, place: self._reduced(x, place),
        dict: lambda self, x, place: self._pairs(x, place, b"}"),
        OrderedDict: _ordered,
        defaultdict: _defaultdict,
        Size: lambda self, x, place: self._call("torch Size", (tuple(x),), place),
        backend.device: lambda self, x, place: self._call("torch device", (str(x),), place),
        dtypes.dtype: lambda self, x, place: self._global(f"torch {x.name}"),
        memory_formats.layout: lambda self, x, place: self._call("torch.serialization _get_layout", (repr(x),), place),
        np.ndarray: _array,
        UntypedStorage: lambda self, x, place: self._storage(x, None, place),
        TypedStorage: lambda self, x, place: self._storage(x, x.dtype, place),
    }
