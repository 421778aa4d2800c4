"""A restricted unpickler for PyTorch's files, which can do nothing but what is written here.

Python's unpickler calls whatever a file names. This one knows the names in `CALLS`, and what each does with its
arguments; it puts items only into lists and dicts that the file itself made, and sets the state only of arrays, dtypes,
and plain objects. So no code from a file is ever run, and nothing is allocated that isn't in the file.
"""

from __future__ import annotations

import enum
import re
import struct
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from .. import backend, return_types
from ..backend import memory_formats
from ..lazy import exported
from ..parameter import Parameter
from ..size import Size
from ..tensor import Tensor
from . import objects, old_text
from .class_names import CLASSES, DTYPES, FACTORIES, STORAGE_DTYPES, TENSOR_DTYPES, UNTYPED
from .errors import FileError, shown
from .storages import Storage, rebuild_meta_tensor, rebuild_tensor

_MARK = object()
MAX_KEY_ITEMS = 10_000  # of a tuple that is a key, with those of tuples inside
MAX_COPIES = 8  # functions may copy items this many times the pickle's length: a pickle can refer to one object often


class Name:
    """A global name in a file that this module knows: a key of CALLS, a storage's class, a dtype."""

    def __init__(self, name: str) -> None:
        self.name, self.kind = name, CLASSES.get(name)

    @property
    def dtype(self) -> Any:
        """The dtype of the elements of a storage's class; None for other names."""
        return STORAGE_DTYPES.get(self.name.rpartition(" ")[2])


class _ProgramGlobal:
    """A class or function of the program or the library that the current load allows."""

    def __init__(self, value: Any) -> None:
        self.value = value


class _Array:
    """A NumPy array that has no state yet."""

    array: Any = None


class _Dtype:
    """A NumPy dtype that has no state yet, which will set its byte order."""

    def __init__(self, text: Any) -> None:
        self.text, self.order = text, "="

    @property
    def dtype(self) -> np.dtype[Any]:
        found = np.dtype(self.order.replace("|", "=") + self.text)
        if found.hasobject or found.names or found.kind not in "fciubSU":
            raise FileError(f"holds an array of {self.text!r}, which may not be loaded")
        return found


def _parameter(data: Any, requires_grad: Any, hooks: Any, state: Any = None) -> Any:
    if type(data) is not Tensor:
        raise FileError(f"holds a Parameter of a {type(data).__name__}")
    return objects.restore_tensor_attributes(Parameter(data, bool(requires_grad)), state)


def _variable(data: Any) -> Any:
    """Unwrap a Variable, PyTorch's wrapper of Tensors before 0.4."""
    if not isinstance(data, Tensor):
        raise FileError(f"holds a Variable of a {type(data).__name__}")
    return data.detach()


def _bytes(text: Any, encoding: Any = "latin1") -> bytes:
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise FileError("holds bytes in another encoding than PyTorch's")
    return text.encode("latin-1")


def _scalar(dtype: Any, data: Any) -> Any:
    if not isinstance(dtype, np.dtype) or type(data) is not bytes or len(data) != dtype.itemsize:
        raise FileError("holds a NumPy number of another size than its dtype's")
    return np.frombuffer(data, dtype)[0]


def _dtype(text: Any, *flags: Any) -> _Dtype:
    if type(text) is not str or not re.fullmatch(r"[a-zA-Z]\d{0,9}", text):  # NumPy evaluates other texts
        raise FileError(f"holds a dtype of the name {shown(text)}, which is none")
    return _Dtype(text)


def _ordered(pairs: Any = ()) -> Any:
    return OrderedDict((_key(key), value) for key, value in _listed(pairs))


def _counter(counts: Any = None) -> Any:
    if type(counts) not in (dict, type(None)):
        raise FileError(f"makes a Counter of a {type(counts).__name__}")
    return Counter(counts)


def _defaultdict(factory: Any = None) -> Any:
    if factory is not None and (type(factory) is not Name or factory.name not in FACTORIES):
        raise FileError("makes a defaultdict of something else than Python's own types")
    found: Any = factory and FACTORIES[factory.name]
    return defaultdict(found)


def _deque(items: Any = (), longest: Any = None) -> Any:
    return deque(_listed(items), longest)


def _results(kind: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda values, more=None: kind(_listed(values))


def _path(kind: type[PurePath]) -> Callable[..., PurePath]:
    return lambda *parts: kind(*map(_text, parts))


def _uninitialized(kind: str) -> Callable[..., Any]:
    """Make the function that rebuilds an uninitialized parameter or buffer of a lazy module."""

    def made(requires_grad: Any = False, device: Any = None, dtype: Any = None) -> Any:
        from ..nn import parameter

        return getattr(parameter, kind)(bool(requires_grad), device, dtype)

    return made


def _listed(items: Any) -> list[Any]:
    if type(items) not in (list, tuple):
        raise FileError(f"makes something of a {type(items).__name__} that is made of lists")
    return list(items)


def _device(kind: Any, index: Any = None) -> backend.device:
    if type(kind) is not str:
        raise FileError("holds a device without a name")
    return backend.device(kind if index is None else f"{kind}:{int(index)}")


def _layout(name: Any) -> Any:
    if name != "torch.strided":
        raise FileError(f"holds the layout {shown(name)}; arrays have strides alone")
    return memory_formats.strided


def _of_type(value: Callable[..., Any], kind: Any, arguments: Any, state: Any = None) -> Any:
    """Rebuild a Tensor of a subclass, or with attributes: no code of the subclass is run."""
    return objects.restore_tensor_attributes(CALLS[value.name](*arguments), state, kind)  # type: ignore[attr-defined]


CALLS: dict[str, Callable[..., Any]] = {
    "collections OrderedDict": _ordered,
    "collections Counter": _counter,
    "collections defaultdict": _defaultdict,
    "collections deque": _deque,
    "torch._utils _rebuild_tensor": rebuild_tensor,
    "torch._utils _rebuild_meta_tensor_no_storage": rebuild_meta_tensor,
    "torch._utils _rebuild_tensor_v2": lambda storage, offset, size, stride, grad=False, hooks=None, metadata=None: (
        rebuild_tensor(storage, offset, size, stride, grad, None, metadata)
    ),
    "torch._utils _rebuild_tensor_v3": (
        lambda storage, offset, size, stride, grad, hooks, dtype, metadata=None: rebuild_tensor(
            storage, offset, size, stride, grad, dtype, metadata
        )
    ),
    "torch._utils _rebuild_parameter": _parameter,
    "torch._utils _rebuild_parameter_with_state": _parameter,
    "torch.nn.parameter Parameter": lambda data, requires_grad=True: _parameter(data, requires_grad, None),
    "torch.autograd.variable Variable": _variable,
    "torch._tensor _rebuild_from_type_v2": _of_type,
    "torch.serialization _get_layout": _layout,
    "torch Size": lambda sizes: Size(int(n) for n in _listed(sizes)),
    "torch device": _device,
    "_codecs encode": _bytes,
    "__builtin__ complex": lambda real, imag: complex(float(real), float(imag)),
    "__builtin__ set": lambda items: set(map(_key, _listed(items))),
    "__builtin__ bytes": lambda *args: _bytes(*args) if args else b"",
    "__builtin__ bytearray": lambda data=b"", *encoding: bytearray(
        data if type(data) is bytes else _bytes(data, *encoding)
    ),
    "__builtin__ frozenset": lambda items: frozenset(map(_key, _listed(items))),
    "__builtin__ xrange": lambda *bounds: range(*bounds),
    "__builtin__ getattr": lambda owner, name: objects.attribute(owner, _text(name)),
    "__builtin__ slice": lambda *bounds: slice(*bounds),
    "pathlib PosixPath": _path(Path),  # a path of this system, since one of another system can't be made
    "pathlib WindowsPath": _path(Path),
    "pathlib PurePosixPath": _path(PurePosixPath),
    "pathlib PureWindowsPath": _path(PureWindowsPath),
    "torch.nn.parameter UninitializedParameter": _uninitialized("UninitializedParameter"),
    "torch.nn.parameter UninitializedBuffer": _uninitialized("UninitializedBuffer"),
    "numpy dtype": _dtype,
    "numpy.core.multiarray scalar": _scalar,
    "numpy.core.multiarray _reconstruct": lambda kind, shape, data: _Array(),
    **{f"torch.return_types {name}": _results(getattr(return_types, name)) for name in exported(vars(return_types))},
}
_VALUES = {f"torch {name}": dtype for name, dtype in DTYPES.items()} | {"__builtin__ Ellipsis": ...}
_CLASSES = [f"{module} {name}" for module in ("torch", "torch.cuda") for name in (*STORAGE_DTYPES, *TENSOR_DTYPES)]
_KNOWN = {*CALLS, *_VALUES, *_CLASSES, *FACTORIES, UNTYPED, objects.FUNCTIONS, "numpy ndarray"} | {
    "torch Tensor", "torch._tensor Tensor", "torch.storage TypedStorage",
}  # fmt: skip
_MOVED_TO = {"builtins": "__builtin__", "pathlib._local": "pathlib", "numpy._core.multiarray": "numpy.core.multiarray"}


def storage_loader(storage: Callable[..., Storage]) -> Callable[[Any], Any]:
    """Make the function that resolves persistent references: to modules' classes, and by `storage(Name, *facts)`."""

    def referred(facts: Any) -> Any:
        facts = old_text.as_names(facts)
        if isinstance(facts, tuple) and len(facts) == 4 and facts[0] == "module" and objects.is_module_class(facts[1]):
            return _ProgramGlobal(facts[1])  # before PyTorch 1.6; its file and its source follow
        if not isinstance(facts, tuple) or len(facts) < 5 or facts[0] != "storage" or type(facts[1]) is not Name:
            raise FileError("holds a reference to what is no storage")
        if type(facts[2]) not in (str, int) or type(facts[3]) is not str:
            raise FileError("holds a storage without a name or a place")
        return storage(*facts[1:])

    return referred


class Unpickler:
    """Runs the instructions of one pickle; `referred` resolves its persistent references."""

    def __init__(self, data: bytes, referred: Callable[[Any], Any], at: int = 0) -> None:
        self.at = at  # the next byte to read; after `load`, the first one after the pickle
        self._data, self._referred, self._copies = data, referred, 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._empty: dict[int, Any] = {}  # objects that have no attributes yet, by their ids

    def load(self) -> Any:
        """Return the pickled object. Raises FileError, or any error that invalid instructions lead to."""
        while True:
            code = self._take(1)
            if code == b".":
                return _finished(self._stack.pop())
            step = _OPCODES.get(code)
            if step is None:
                raise FileError(f"holds the pickle instruction {code!r}, which PyTorch's files don't")
            step(self)

    def _take(self, n: int) -> bytes:
        found = self._data[self.at : self.at + n]
        if len(found) != n or n < 0:
            raise FileError("ends within its pickle")
        self.at += n
        return found

    def _line(self) -> str:
        end = self._data.find(b"\n", self.at)
        if end < 0:
            raise FileError("ends within its pickle")
        found, self.at = self._data[self.at : end], end + 1
        return found.decode()

    def _number(self, form: str) -> int:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _push(self, x: Any) -> None:
        self._stack.append(x)

    def _marked(self) -> list[Any]:
        """Pop what was pushed since the last mark."""
        for i in range(len(self._stack) - 1, -1, -1):
            if self._stack[i] is _MARK:
                found = self._stack[i + 1 :]
                del self._stack[i:]
                return found
        raise FileError("closes what it didn't open")

    def _tuple(self, n: int) -> None:
        if len(self._stack) < n:
            raise FileError("takes more than there is")
        items = self._stack[len(self._stack) - n :]
        del self._stack[len(self._stack) - n :]
        self._push(_made_tuple(items))

    def _name(self, module: str, what: str) -> None:
        name = f"{_MOVED_TO.get(module, module)} {what}".replace("__builtin__ range", "__builtin__ xrange")
        if name not in _KNOWN:
            found = objects.find_global(module, what)
            if found is None:
                refused = (
                    f"names {module}.{what}, which may not be loaded: a file may hold Tensors, arrays, dicts, lists, "
                    "numbers and text, with weights_only=False also modules, and with "
                    "torch.serialization.safe_globals([...]) objects of those classes; no code is run"
                )
                if not objects.program_classes_allowed.get():  # programs look for these words of PyTorch's
                    refused += ". Weights only load failed. Unsupported global: GLOBAL "
                    refused += f"{module}.{what} was not an allowed global by default."
                raise FileError(refused)
            self._push(_ProgramGlobal(found))
            return
        self._push(_VALUES.get(name) or Name(name))

    def _call(self) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if type(function) is _ProgramGlobal and isinstance(arguments, tuple):
            self._call_class(function.value, arguments)
            return
        if type(function) is not Name or function.name not in CALLS or not isinstance(arguments, tuple):
            raise FileError("calls what is no function")
        self._copied(*arguments)
        self._push(CALLS[function.name](*arguments))

    def _copied(self, *parts: Any) -> None:
        """Count the items that are copied, since a small pickle could have one object copied many times."""
        self._copies += sum(len(part) for part in parts if isinstance(part, (str, bytes, list, tuple, dict)))
        if self._copies > MAX_COPIES * len(self._data) + 10_000:
            raise FileError("makes many times more of its parts than it holds")

    def _object(self) -> None:
        arguments, known = _finished(self._stack.pop()), self._stack.pop()
        if type(known) is not _ProgramGlobal or type(arguments) is not tuple:
            raise FileError("makes an object of what is no class")
        if objects.is_named_tuple(known.value):
            self._copied(arguments)
            self._push(objects.make_named_tuple(known.value, arguments))
            return
        if arguments:
            raise FileError("makes an object with arguments")
        self._push_empty(objects.make_empty(known.value))

    def _call_class(self, kind: Any, arguments: tuple[Any, ...]) -> None:
        """Push the result of calling a class. Raises FileError if that would run code of the class."""
        if isinstance(kind, enum.EnumMeta) and len(arguments) == 1:
            self._push(objects.enum_member(kind, *arguments))
        else:
            self._push_empty(objects.make_by_call(kind, arguments))

    def _push_empty(self, made: Any) -> None:
        """Push an object that has no attributes yet."""
        self._empty[id(made)] = made
        self._push(made)

    def _state(self) -> None:
        state, x = _finished(self._stack.pop()), self._stack[-1]
        self._copied(state, *(state if type(state) is tuple else ()))
        if self._empty.pop(id(x), None) is not None:
            objects.set_attributes(x, state)
        elif type(x) is _Dtype and type(state) is tuple and len(state) > 1 and state[1] in ("<", ">", "|", "="):
            x.order = state[1]
        elif type(x) is _Array and x.array is None and type(state) is tuple and len(state) == 5:
            _, shape, dtype, columns, data = state
            x.array = _array(shape, dtype, columns, data)
        elif type(x) is OrderedDict and type(state) is dict:  # a module's state_dict has `_metadata` there
            metadata = state.get("_metadata")
            if type(metadata) is OrderedDict:
                x._metadata = metadata  # type: ignore[attr-defined]
        elif isinstance(x, Tensor):  # other attributes are dropped; the first one of a Variable is requires_grad
            if type(state) is tuple and len(state) == 3 and type(state[0]) is bool:
                x.requires_grad_(state[0])
        else:
            raise FileError(f"gives a state to a {type(x).__name__}")

    def _append(self, items: list[Any]) -> None:
        if type(self._stack[-1]) not in (list, deque, set):
            raise FileError(f"appends to a {type(self._stack[-1]).__name__}")
        items = list(map(_finished, items))
        self._stack[-1].update(map(_key, items)) if type(self._stack[-1]) is set else self._stack[-1].extend(items)

    def _set_items(self, items: list[Any]) -> None:
        if type(self._stack[-1]) not in (dict, OrderedDict, defaultdict) or len(items) % 2:
            raise FileError(f"puts items into a {type(self._stack[-1]).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            self._stack[-1][_key(_finished(key))] = _finished(value)

    def _get(self, number: int) -> None:
        self._push(self._memo[number])

    def _put(self, number: int) -> None:
        self._memo[number] = self._stack[-1]


def _array(shape: Any, dtype: Any, columns: Any, data: Any) -> Any:
    if type(data) is str:  # bytes pickled by Python 2
        data = old_text.encoded(data)
    if not isinstance(dtype, np.dtype) or type(data) is not bytes:
        raise FileError("holds an array of something else than numbers or text")
    flat = np.frombuffer(data, dtype).copy()
    return flat.reshape(tuple(int(n) for n in _listed(shape)), order="F" if columns else "C")


def _key(x: Any) -> Any:
    """Return a key. Raises FileError for huge tuples, which take long to hash: 100 bytes can say 2**40 items."""
    todo, left = [x], MAX_KEY_ITEMS
    while todo:
        part = todo.pop()
        if isinstance(part, tuple):
            left -= len(part)
            if left < 0:
                raise FileError("has a key that is too large")
            todo.extend(part)
    return x


def _finished(x: Any) -> Any:
    """Return the object that an item of the stack stands for. Raises FileError if it isn't complete."""
    if type(x) is _Array:
        if x.array is None:
            raise FileError("holds an array without values")
        return x.array
    if type(x) is _Dtype:
        return x.dtype
    if type(x) is _ProgramGlobal:
        return x.value
    if type(x) is Name:
        return x.kind or x
    if x is _MARK:
        raise FileError("leaves something open")
    if type(x) is _Arguments:
        x.finished = x.finished or tuple(map(_finished, x))
        return x.finished
    return x.whole() if type(x) is Storage else x


class _Arguments(tuple[Any, ...]):
    """A tuple with storages and names, as a Tensor is made of. `finished` has storage objects and classes instead."""

    finished: tuple[Any, ...] = ()


_UNFINISHED = {Name, Storage, _Arguments}


def _made_tuple(items: list[Any]) -> tuple[Any, ...]:
    parts = [x if type(x) in _UNFINISHED else _finished(x) for x in items]
    return _Arguments(parts) if _UNFINISHED & set(map(type, parts)) else tuple(parts)


def _text(x: Any) -> str:
    if type(x) is not str:
        raise FileError(f"has a {type(x).__name__} where a name belongs")
    return x


_OPCODES: dict[bytes, Callable[[Unpickler], Any]] = {
    b"\x80": lambda self: self._take(1),
    b"\x95": lambda self: self._take(8),
    b"(": lambda self: self._push(_MARK),
    b"0": lambda self: self._stack.pop(),
    b"N": lambda self: self._push(None),
    b"\x88": lambda self: self._push(True),
    b"\x89": lambda self: self._push(False),
    b"K": lambda self: self._push(self._number("<B")),
    b"M": lambda self: self._push(self._number("<H")),
    b"J": lambda self: self._push(self._number("<i")),
    b"\x8a": lambda self: self._push(int.from_bytes(self._take(self._number("<B")), "little", signed=True)),
    b"\x8b": lambda self: self._push(int.from_bytes(self._take(self._number("<i")), "little", signed=True)),
    b"G": lambda self: self._push(struct.unpack(">d", self._take(8))[0]),
    b"X": lambda self: self._push(self._take(self._number("<I")).decode("utf-8", "surrogatepass")),
    b"\x8c": lambda self: self._push(self._take(self._number("<B")).decode("utf-8", "surrogatepass")),
    b"\x8d": lambda self: self._push(self._take(self._number("<Q")).decode("utf-8", "surrogatepass")),
    b"C": lambda self: self._push(self._take(self._number("<B"))),
    b"B": lambda self: self._push(self._take(self._number("<I"))),
    b"U": lambda self: self._push(old_text.decoded(self._take(self._number("<B")))),
    b"T": lambda self: self._push(old_text.decoded(self._take(self._number("<i")))),
    b"]": lambda self: self._push([]),
    b"}": lambda self: self._push({}),
    b")": lambda self: self._push(()),
    b"\x8f": lambda self: self._push(set()),
    b"t": lambda self: self._push(_made_tuple(self._marked())),
    b"\x85": lambda self: self._tuple(1),
    b"\x86": lambda self: self._tuple(2),
    b"\x87": lambda self: self._tuple(3),
    b"a": lambda self: self._append([self._stack.pop()]),
    b"e": lambda self: self._append(self._marked()),
    b"\x90": lambda self: self._append(self._marked()),
    b"s": lambda self: self._set_items([*reversed((self._stack.pop(), self._stack.pop()))]),
    b"u": lambda self: self._set_items(self._marked()),
    b"c": lambda self: self._name(self._line(), self._line()),
    b"\x93": lambda self: self._name(*reversed((_text(self._stack.pop()), _text(self._stack.pop())))),
    b"R": Unpickler._call,
    b"b": Unpickler._state,
    b"\x81": Unpickler._object,
    b"Q": lambda self: self._push(self._referred(self._stack.pop())),
    b"q": lambda self: self._put(self._number("<B")),
    b"r": lambda self: self._put(self._number("<I")),
    b"\x94": lambda self: self._put(len(self._memo)),
    b"h": lambda self: self._get(self._number("<B")),
    b"j": lambda self: self._get(self._number("<I")),
}
