"""save and load: state in a file that holds arrays and text, never code.

The file is a zip archive, not compressed, that `numpy.load` opens too: `0.npy`, `1.npy`, ... are the arrays, each once,
and `microgad.json` is the structure: {"format": 1, "tensors": [...], "object": ...}. There null, true, false, numbers,
strings and lists stand for themselves. Everything else is an object of one entry, kind and contents: {"dict": pairs},
{"OrderedDict": pairs}, {"tuple": items}, {"Size": items}, {"float": "nan"}, {"complex": [re, im]}, {"array": number},
{"scalar": number of a 0-d array}, {"tensor": number in the list of tensors, which says array, class, requires_grad and
device}.
"""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from . import backend, dtypes
from .errors import ArgumentError, DeviceError, DtypeError, MicrogadError
from .parameter import Parameter
from .size import Size
from .tensor import Tensor

FORMAT = 1
STRUCTURE = "microgad.json"
TENSORS = {"Tensor": Tensor, "Parameter": Parameter}
Path = str | os.PathLike[str]


class FileError(MicrogadError, RuntimeError, ValueError):
    """A file that is damaged, or not one that `save` wrote."""


def save(obj: Any, f: Path | IO[bytes]) -> None:
    """Write dicts, lists, tuples, numbers, strings, None, bools, Tensors and arrays to a file. Source: torch.save.

    `f` is a path or a binary file. Dtypes, shapes, `requires_grad` and Parameters are kept, and a Tensor or array that
    comes twice is one again when loaded; gradients and graphs are not saved. The file is written under another name and
    takes its place at the end, so an interrupted `save` leaves an older one whole.

    Raises TypeError, which names the place, for anything else; RuntimeError where the folder doesn't exist.

    >>> import io
    >>> file = io.BytesIO()
    >>> torch.save({"weight": torch.tensor([1.0, 2.0]), "epoch": 3}, file)
    >>> _ = file.seek(0)
    >>> torch.load(file)
    {'weight': tensor([1., 2.]), 'epoch': 3}
    """
    writer = _Writer()
    try:
        structure = {"format": FORMAT, "tensors": writer.tensors, "object": writer.encode(obj, "obj")}
    except RecursionError:
        raise ArgumentError("save: the object contains itself, or is nested too deeply") from None
    if hasattr(f, "write"):
        _write(f, structure, writer.arrays)
        return
    path = os.path.realpath(f)  # through links: these stay
    if not os.path.isdir(os.path.dirname(path)):
        raise ArgumentError(f"save: the folder {os.path.dirname(path)} does not exist: make it first (os.makedirs)")
    unfinished = f"{path}.{os.urandom(4).hex()}.tmp"
    try:
        with open(unfinished, "xb") as file:
            _write(file, structure, writer.arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        if os.path.exists(unfinished):
            os.remove(unfinished)
        raise


def load(f: Path | IO[bytes], map_location: Any = None, weights_only: bool = True) -> Any:
    """What `save` wrote to a file. No code in a file is ever run, whatever `weights_only` says. Source: torch.load.

    Tensors come back on the device they were saved from; `map_location` names another, or is a dict from device to
    device.

    Raises RuntimeError, which names the file and what is wrong, where it is damaged or of another kind; OSError where
    it can't be read.
    """
    if not (map_location is None or isinstance(map_location, (str, dict, backend.device))):
        raise TypeError(f"load: map_location must be a device or a dict, but got {type(map_location).__name__}")
    if hasattr(f, "read"):
        return _read(f, getattr(f, "name", "the file"), map_location)
    with open(f, "rb") as file:
        return _read(file, os.fspath(f), map_location)


class _Writer:
    """Turns an object into its structure; collects arrays and Tensors, each once."""

    def __init__(self) -> None:
        self.arrays: list[Any] = []
        self.tensors: list[dict[str, Any]] = []
        self._numbers: dict[int, int] = {}  # of arrays and Tensors, by id
        self._kept: list[Any] = []  # so that no id is used again

    def encode(self, x: Any, place: str) -> Any:
        """The structure of `x`, which is found at `place`."""
        kind = type(x)
        if x is None or kind in (bool, int, str) or (kind is float and math.isfinite(x)):
            return x
        if kind is float:
            return {"float": repr(x)}
        if kind is complex:
            return {"complex": [self.encode(x.real, place), self.encode(x.imag, place)]}
        if kind in (list, tuple, Size):
            items = [self.encode(item, f"{place}[{i}]") for i, item in enumerate(x)]
            return items if kind is list else {kind.__name__: items}
        if kind in (dict, OrderedDict):
            pairs = [[self.encode(key, f"a key of {place}"), self.encode(x[key], f"{place}[{key!r}]")] for key in x]
            return {kind.__name__: pairs}
        if kind in TENSORS.values():
            return {"tensor": self._tensor(x)}
        if isinstance(x, np.generic) or kind is np.ndarray:
            return {"array" if kind is np.ndarray else "scalar": self._array(x, place)}
        raise DtypeError(
            f"save: {place} is a {kind.__module__}.{kind.__qualname__}; only dicts, lists, tuples, numbers, strings, "
            "None, Tensors and arrays can be saved: of a module or an optimizer save its state_dict()"
        )

    def _tensor(self, x: Tensor) -> int:
        if id(x) not in self._numbers:
            entry = {"array": self._array(x.array, ""), "class": type(x).__name__}
            self.tensors.append({**entry, "requires_grad": x.requires_grad, "device": str(x.device)})
            self._numbers[id(x)] = len(self.tensors) - 1
            self._kept.append(x)
        return self._numbers[id(x)]

    def _array(self, x: Any, place: str) -> int:
        if id(x) not in self._numbers:
            array = np.asarray(backend.to_numpy(x))
            if array.dtype.hasobject:
                raise DtypeError(f"save: {place} is an array of Python objects; only numbers and text can be saved")
            self.arrays.append(array)
            self._numbers[id(x)] = len(self.arrays) - 1
            self._kept.append(x)
        return self._numbers[id(x)]


def _write(file: Any, structure: Any, arrays: list[Any]) -> None:
    import json
    import zipfile

    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo(STRUCTURE), json.dumps(structure))
        for number, array in enumerate(arrays):
            with archive.open(zipfile.ZipInfo(f"{number}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


def _read(file: Any, name: Any, map_location: Any) -> Any:
    import zipfile
    import zlib

    try:
        with zipfile.ZipFile(file) as archive:
            if STRUCTURE not in archive.namelist():
                raise FileError(f"load: {name} {_foreign(archive.namelist())}")
            return _Reader(archive, map_location).read()
    except MicrogadError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise FileError(f"load: {name} {_broken(file)} ({error})") from None
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError, MemoryError) as error:
        raise FileError(f"load: {name} is damaged: it makes no sense ({type(error).__name__}: {error})") from None


def _foreign(names: list[str]) -> str:
    """What a zip archive without our structure is."""
    if any(name.endswith("data.pkl") for name in names):
        return "was written by torch.save, whose format microgad doesn't read: there, save arrays by numpy.savez"
    return f"is a zip archive that microgad.save didn't write: it holds {', '.join(names[:3]) or 'nothing'}"


def _broken(file: Any) -> str:
    """What a file is that can't be unzipped."""
    file.seek(0)
    start = file.read(4)
    if not start:
        return "is empty"
    return "is damaged or cut off" if start.startswith(b"PK") else "is not a file that microgad.save wrote"


class _Reader:
    """Makes the object again; reads arrays as they are asked for, each once."""

    def __init__(self, archive: Any, map_location: Any) -> None:
        self.archive = archive
        self.map_location = map_location
        self._arrays: dict[int, Any] = {}
        self._memories: dict[tuple[int, str], Tensor] = {}  # for Tensors on the same array
        self._tensors: dict[int, Tensor] = {}
        self._kinds: dict[str, Callable[[Any], Any]] = {
            "dict": lambda pairs: dict(map(self._decode, pairs)),
            "OrderedDict": lambda pairs: OrderedDict(map(self._decode, pairs)),
            "tuple": lambda items: tuple(map(self._decode, items)),
            "Size": lambda items: Size(map(self._decode, items)),
            "float": float,
            "complex": lambda parts: complex(*map(self._decode, parts)),
            "array": self._array,
            "scalar": lambda number: self._array(number)[()],
            "tensor": self._tensor,
        }

    def read(self) -> Any:
        """The object in the archive."""
        import json

        structure = json.loads(self.archive.read(STRUCTURE))
        if structure["format"] != FORMAT:
            raise FileError(
                f"load: {self.archive.filename or 'the file'} has format {structure['format']}, but this microgad "
                f"reads format {FORMAT}: it was written by a later one"
            )
        self._entries = structure["tensors"]
        return self._decode(structure["object"])

    def _decode(self, x: Any) -> Any:
        if isinstance(x, list):
            return [self._decode(item) for item in x]
        if not isinstance(x, dict):
            return x
        ((kind, contents),) = x.items()
        return self._kinds[kind](contents)

    def _array(self, number: int) -> Any:
        if number not in self._arrays:
            with self.archive.open(f"{number}.npy") as entry:
                self._arrays[number] = np.lib.format.read_array(entry, allow_pickle=False)
                if entry.read(1):
                    raise ValueError(f"{number}.npy goes on after its array")
        return self._arrays[number]

    def _tensor(self, number: int) -> Tensor:
        if number not in self._tensors:
            entry = self._entries[number]
            device = self._place(entry["device"])
            memory = self._memories.get((entry["array"], device))
            if memory is None:
                array = self._array(entry["array"])
                dtypes.of(array.dtype)  # refuse what no Tensor can hold
                memory = self._memories[entry["array"], device] = Tensor._made(_to_device(array, device))
            made = Parameter(memory, False) if TENSORS[entry["class"]] is Parameter else memory.detach()
            self._tensors[number] = made.requires_grad_(entry["requires_grad"])
        return self._tensors[number]

    def _place(self, saved: str) -> str:
        if isinstance(self.map_location, dict):
            return {str(old): str(new) for old, new in self.map_location.items()}.get(saved, saved)
        return saved if self.map_location is None else str(self.map_location)


def _to_device(array: Any, device: str) -> Any:
    try:
        return backend.to_device(array, device)
    except DeviceError as error:
        raise DeviceError(f"load: {error}, or load with map_location='cpu'") from None
