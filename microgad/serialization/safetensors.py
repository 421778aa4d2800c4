"""The safetensors format: a JSON header that says where in the file each Tensor's bytes are, and the bytes.

The package `safetensors` isn't needed: its functions are here under their names, with their arguments and results.
Source of the format: https://github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from .. import backend, dtypes
from ..backend.memory_layout import address
from ..errors import ArgumentError, DtypeError
from ..tensor import Tensor
from .archive import read_array
from .errors import FileError
from .storages import to_tensor
from .writing import Path, atomic_write

MAX_HEADER = 100_000_000  # bytes
# In the order in which Tensors are written, widest first, so that each is aligned.
CODES = {
    "U64": dtypes.uint64, "I64": dtypes.int64, "F64": dtypes.float64, "C64": dtypes.complex64, "F32": dtypes.float32,
    "U32": dtypes.uint32, "I32": dtypes.int32, "F16": dtypes.float16, "U16": dtypes.uint16, "I16": dtypes.int16,
    "I8": dtypes.int8, "U8": dtypes.uint8, "BOOL": dtypes.bool_,
}  # fmt: skip
_CODE_OF = {dtype.dtype: code for code, dtype in CODES.items()}
_RANK = {code: rank for rank, code in enumerate(CODES)}
# The bits of an element. NumPy doesn't have the last dtypes, but a file with such Tensors can still be read for others.
_BITS = {code: 8 * dtype.itemsize for code, dtype in CODES.items()} | {
    "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F6_E2M3": 6,
    "F6_E3M2": 6, "F4": 4,
}  # fmt: skip


def is_safetensors(start: bytes) -> bool:
    """Whether a file begins as a safetensors file does: with a header's length and an opening brace."""
    return start[8:9] == b"{" and start[4:8] == bytes(4)


class File:
    """An open file whose header has been read, and checked against the file's length before any Tensor is read.

    Raises FileError, which says what is wrong.
    """

    def __init__(self, file: IO[bytes]) -> None:
        file.seek(0, 2)
        length = file.tell()
        file.seek(0)
        size = int.from_bytes(file.read(8), "little")
        if length < 8 or size > min(length - 8, MAX_HEADER):
            raise FileError(f"is {length} bytes long, but claims a header of {size}")
        try:
            header = json.loads(file.read(size).decode(), object_pairs_hook=_reject_duplicates)
        except (ValueError, RecursionError) as error:
            if isinstance(error, FileError):
                raise
            raise FileError(f"has a header that is no JSON: {error}") from None
        if type(header) is not dict:
            raise FileError("has a header that is no table")
        self._file, self._begins = file, 8 + size
        self.metadata = header.pop("__metadata__", None)
        if self.metadata is not None and not _is_text_table(self.metadata):
            raise FileError("has metadata that isn't text by name")
        self._facts = dict(sorted(((name, _entry(name, said)) for name, said in header.items()), key=lambda x: x[1][2]))
        at = 0
        for name, (_, _, (begins, ends)) in self._facts.items():
            if begins != at:
                raise FileError(f"leaves a gap before {name!r}, or lays it over another")
            at = ends
        if at != length - self._begins:
            raise FileError(f"holds {length - self._begins} bytes of Tensors, but its header says {at}")

    def names(self) -> list[str]:
        """Return the names of all Tensors, in the order of the file."""
        return list(self._facts)

    def code(self, name: str) -> str:
        """Return the format's name of a Tensor's dtype."""
        return self._of(name)[0]

    def shape(self, name: str) -> tuple[int, ...]:
        return self._of(name)[1]

    def array(self, name: str, mapped: bool = False) -> Any:
        """Return a Tensor's values, read into new memory or mapped from the file."""
        code, shape, (begins, ends) = self._of(name)
        if code not in CODES:
            raise FileError(f"holds {name!r} as {code}, of which NumPy has no arrays")
        place, nbytes = self._begins + begins, ends - begins
        if mapped and nbytes:
            data = np.memmap(self._file, np.uint8, "c", place, nbytes).view(np.ndarray)
        else:
            self._file.seek(place)
            data = read_array(self._file, nbytes, name)
        values = data.view(CODES[code].dtype.newbyteorder("<")).reshape(shape)
        return values.astype(CODES[code].dtype, copy=not values.flags.aligned)

    def _of(self, name: str) -> tuple[str, tuple[int, ...], tuple[int, int]]:
        if name not in self._facts:
            raise FileError(f"has no Tensor {name!r}")
        return self._facts[name]


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise FileError("has a header that says something twice")
    return table


def _is_text_table(x: Any) -> bool:
    return type(x) is dict and all(type(text) is str for text in (*x, *x.values()))


def _entry(name: str, said: Any) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    """Return dtype, shape and offsets of a Tensor from its header entry. Raises FileError if they don't agree."""
    told: Any = said if type(said) is dict else {}
    code, shape, place = told.get("dtype"), told.get("shape"), told.get("data_offsets")
    bits = _BITS.get(code) if type(code) is str else None
    if bits is None or not _are_sizes(shape) or not _are_sizes(place) or len(place) != 2 or len(shape) > 64:
        raise FileError(f"says of {name!r} what makes no sense: {str(said)[:100]}")
    needed, there = math.prod(shape) * bits, (place[1] - place[0]) * 8
    if needed != there:
        raise FileError(f"says that {name!r} is {code} of shape {tuple(shape)}, in {there // 8} bytes")
    return code, tuple(shape), (place[0], place[1])


def _are_sizes(x: Any) -> bool:
    return type(x) is list and all(type(n) is int and 0 <= n < 2**63 for n in x)


class safe_open:
    """Opens a safetensors file, to read Tensors one by one. Source: safetensors.safe_open.

    `framework` is "pt" for Tensors or "numpy" for arrays; `device` is where Tensors are put. `keys()` and
    `offset_keys()` return the names, `metadata()` the text in the header, `get_tensor(name)` one Tensor,
    `get_tensors()` all of them. `get_slice(name)` has `get_shape()` and `get_dtype()`; indexing it reads a part of the
    Tensor.

    Raises RuntimeError, which names the file and what is wrong, if it is damaged; OSError if it can't be read.

    >>> import os, tempfile
    >>> from microgad.serialization.safetensors import safe_open, save_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_file({"w": torch.arange(6.0).reshape(2, 3)}, os.path.join(folder, "w.safetensors"))
    ...     with safe_open(os.path.join(folder, "w.safetensors"), framework="pt") as file:
    ...         file.keys(), file.get_slice("w").get_shape(), file.get_slice("w")[:, 1:]
    (['w'], [2, 3], tensor([[1., 2.],
            [4., 5.]]))
    """

    def __init__(self, filename: Path, framework: str, device: Any = "cpu", *, backend: str = "mmap") -> None:
        if framework not in ("pt", "torch", "pytorch", "np", "numpy"):
            raise FileError(f"safe_open: framework is 'pt' or 'numpy', got {framework!r}")
        self._name, self._device = os.fspath(filename), "cuda" if device == "cuda:" else device
        self._arrays = framework in ("np", "numpy")
        self._file = open(filename, "rb")  # noqa: SIM115 - closed with this object
        try:
            self._tensors = self._told(File, self._file)
        except FileError:
            self._file.close()
            raise

    def __enter__(self) -> safe_open:
        return self

    def __exit__(self, *raised: Any) -> None:
        self._file.close()

    def keys(self) -> list[str]:
        """Return the names in alphabetical order."""
        return sorted(self._tensors.names())

    def offset_keys(self) -> list[str]:
        """Return the names in the order of the file."""
        return self._tensors.names()

    def metadata(self) -> dict[str, str] | None:
        """Return the header's metadata, a dict of strings, or None."""
        return self._tensors.metadata

    def get_tensor(self, name: str) -> Any:
        """Read one Tensor."""
        return self._wrap(self._told(self._tensors.array, name))

    def get_tensors(self) -> dict[str, Any]:
        """Read all Tensors, as a dict."""
        return {name: self.get_tensor(name) for name in self.offset_keys()}

    def get_slice(self, name: str) -> _Slice:
        """Return an object that reads parts of a Tensor when it is indexed."""
        self._told(self._tensors.code, name)
        return _Slice(self, name)

    def _told(self, do: Any, *args: Any) -> Any:
        try:
            return do(*args)
        except FileError as error:
            raise FileError(f"safetensors: {self._name} {error}") from None

    def _wrap(self, array: Any) -> Any:
        return array if self._arrays else to_tensor(array, self._device)


class _Slice:
    """A Tensor in a file, of which an index reads a part."""

    def __init__(self, file: safe_open, name: str) -> None:
        self._of, self._name = file, name

    def get_shape(self) -> list[int]:
        return list(self._of._tensors.shape(self._name))

    def get_dtype(self) -> str:
        return self._of._tensors.code(self._name)

    def __getitem__(self, index: Any) -> Any:
        mapped = self._of._told(self._of._tensors.array, self._name, True)
        return self._of._wrap(np.array(mapped[index], order="C"))


def load_file(filename: Path, device: Any = "cpu", *, backend: str = "mmap") -> dict[str, Tensor]:
    """Load the Tensors of a safetensors file as a dict. Source: safetensors.torch.load_file.

    `microgad.load` loads such files, too. `backend` has no effect. Raises the errors of `safe_open`.
    """
    with safe_open(filename, "pt", device) as file:
        return file.get_tensors()


def load(data: bytes) -> dict[str, Tensor]:
    """Load Tensors from the bytes of a safetensors file, as a dict. Source: safetensors.torch.load.

    Raises RuntimeError, which says what is wrong.

    >>> from microgad.serialization import safetensors
    >>> safetensors.load(safetensors.save({"w": torch.ones(2)}))
    {'w': tensor([1., 1.])}
    """
    try:
        file = File(io.BytesIO(data))
        return {name: to_tensor(file.array(name)) for name in file.names()}
    except FileError as error:
        raise FileError(f"safetensors: the content {error}") from None


def save(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes that `save_file` writes. Raises its errors. Source: safetensors.torch.save."""
    file = io.BytesIO()
    _write(file, *_lay_out(tensors, metadata))
    return file.getvalue()


def save_file(tensors: Mapping[str, Tensor], filename: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a dict of Tensors, and metadata, to a safetensors file. Source: safetensors.torch.save_file.

    The file is the same as the package's, byte for byte. As with `torch.save`, an existing file is replaced only when
    the new one is complete. Raises ValueError for what isn't a dict of contiguous Tensors, RuntimeError if two share
    memory or the folder doesn't exist, TypeError for a dtype that the format doesn't have, and for metadata that aren't
    strings.

    >>> import os, tempfile
    >>> from microgad.serialization.safetensors import load_file, save_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_file(nn.Linear(2, 3).state_dict(), os.path.join(folder, "linear.safetensors"))
    ...     {name: x.shape for name, x in load_file(os.path.join(folder, "linear.safetensors")).items()}
    {'bias': torch.Size([3]), 'weight': torch.Size([3, 2])}
    """
    laid = _lay_out(tensors, metadata)
    with atomic_write(os.path.realpath(filename)) as file:
        _write(file, *laid)


def _lay_out(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None) -> tuple[bytes, list[Any]]:
    """Return the header, and the arrays in the order in which they follow it."""
    if not isinstance(tensors, dict):
        raise ArgumentError(f"Expected a dict of [str, torch.Tensor] but received {type(tensors)}")
    rows = []
    for name, x in tensors.items():
        if type(name) is not str or not isinstance(x, Tensor):
            raise ArgumentError(f"Key `{name}` is invalid, expected torch.Tensor but received {type(x)}")
        if x.dtype.dtype not in _CODE_OF:
            raise DtypeError(f"save_file: {name!r} is {x.dtype}, which safetensors doesn't have")
        if not x.is_contiguous():
            raise ArgumentError(f"save_file: {name!r} is a non contiguous tensor: call .contiguous() on it before")
        rows.append((_RANK[_CODE_OF[x.dtype.dtype]], name, x))
    if shared := [sorted(group) for group in _shared_groups(tensors)]:
        raise ArgumentError(f"Some tensors share memory, and would be several when loaded: {shared}; see `save_model`")
    if metadata is not None and not _is_text_table(dict(metadata)):
        raise DtypeError("save_file: metadata has to be text by name")
    rows.sort(key=lambda row: row[:2])
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    at = 0
    for rank, name, x in rows:
        if name == "__metadata__":
            raise ArgumentError("save_file: no Tensor can be called '__metadata__'")
        place = [at, at := at + x.nbytes]
        header[name] = {"dtype": list(CODES)[rank], "shape": list(x.shape), "data_offsets": place}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8), [backend.to_device(x.detach().array, "cpu") for _, _, x in rows]


def _write(file: Any, header: bytes, arrays: list[Any]) -> None:
    file.write(len(header).to_bytes(8, "little") + header)
    for array in arrays:
        array = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
        file.write(array.reshape(-1).view(np.uint8))


def _shared_groups(tensors: Mapping[str, Tensor]) -> list[set[str]]:
    """Return groups of the names of Tensors that overlap in memory, without those that overlap with none."""
    places = sorted((address(x.array), x.nbytes, name) for name, x in tensors.items() if x.nbytes)
    groups: list[set[str]] = []
    end = -1
    for begins, nbytes, name in places:
        if begins >= end:
            groups.append(set())
        groups[-1].add(name)
        end = max(end, begins + nbytes)
    return [group for group in groups if len(group) > 1]


def storage_ptr(tensor: Tensor) -> int:
    """Return the address of a Tensor's storage. Source: safetensors.torch.storage_ptr.

    >>> from microgad.serialization.safetensors import storage_ptr
    >>> x = torch.ones(4)
    >>> storage_ptr(x[2:]) == storage_ptr(x)
    True
    """
    return tensor.untyped_storage().data_ptr()


def storage_size(tensor: Tensor) -> int:
    """Return the size of a Tensor's storage in bytes. Source: safetensors.torch.storage_size.

    >>> from microgad.serialization.safetensors import storage_size
    >>> storage_size(torch.ones(4)[2:])
    16
    """
    return tensor.untyped_storage().nbytes()


def save_model(
    model: Any, filename: Path, metadata: Mapping[str, str] | None = None, force_contiguous: bool = True
) -> None:
    """Write a module's state dict, with one Tensor of each group that shares memory.

    The metadata map the names that are left out to the one that is written. Raises RuntimeError if no Tensor of a group
    covers all of the shared memory, and the errors of `save_file`. Source: safetensors.torch.save_model.

    >>> import os, tempfile
    >>> from microgad.serialization.safetensors import load_model, save_model
    >>> net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    >>> net[1].weight = net[0].weight
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(net, os.path.join(folder, "net.safetensors"))
    ...     load_model(net, os.path.join(folder, "net.safetensors"))
    (set(), [])
    """
    state = dict(model.state_dict())
    facts = dict(metadata or {})
    for kept, others in _duplicates(state).items():
        for name in others:
            facts.setdefault(name, kept)
            del state[name]
    if force_contiguous:
        state = {name: x.contiguous() for name, x in state.items()}
    save_file(state, filename, facts or metadata)


def load_model(
    model: Any, filename: Path, strict: bool = True, device: Any = "cpu", *, backend: str = "mmap"
) -> tuple[set[str], list[str]]:
    """Load a file that `save_model` wrote into a module; return its missing and its unexpected names.

    Raises RuntimeError if there are any and `strict` is true, and the errors of `safe_open`.
    Source: safetensors.torch.load_model.
    """
    state = load_file(filename, device)
    doubles = _duplicates(model.state_dict(), state)
    found = model.load_state_dict(state, strict=False)
    missing, unexpected = set(found.missing_keys), list(found.unexpected_keys)
    for name in (name for others in doubles.values() for name in others):
        if name in missing:
            missing.remove(name)
        else:
            unexpected.append(name)
    if strict and (missing or unexpected):
        said = [f"Error(s) in loading state_dict for {type(model).__name__}:"]
        for kind, names in (("Missing", missing), ("Unexpected", unexpected)):
            said += [f"    {kind} key(s) in state_dict: " + ", ".join(f'"{n}"' for n in sorted(names))] * bool(names)
        raise ArgumentError("\n".join(said))
    return missing, unexpected


def _duplicates(state: Mapping[str, Tensor], preferred: Mapping[str, Any] | None = None) -> dict[str, list[str]]:
    """For each group of Tensors that share memory, map the name to keep, if possible a preferred one, to the others."""
    found = {}
    for group in _shared_groups(state):
        whole = sorted(name for name in group if _covers_storage(state[name]))
        if not whole:
            raise ArgumentError(f"{sorted(group)} share memory, and none of them has all of it: none can be kept")
        kept = next((name for name in whole if name in (preferred or ())), whole[0])
        found[kept] = sorted(group - {kept})
    return found


def _covers_storage(x: Tensor) -> bool:
    whole = backend.owner(x.array)
    return address(x.array) == address(whole) and x.nbytes == whole.nbytes
