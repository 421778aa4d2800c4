"""NumPy's npz files: zip archives of arrays. Arrays of objects, which are pickles, are refused."""

from __future__ import annotations

import io
import math
import os
import re
from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from .. import backend
from ..errors import ArgumentError, DtypeError
from ..tensor import Tensor
from .archive import Reader, Writer
from .errors import FileError
from .writing import Path, atomic_write

# The header as NumPy writes it: the repr of a dict, which is parsed without evaluating it.
_HEADER = re.compile(
    r"\{\s*'descr':\s*'([<>|=]?([a-zA-Z])\d*)',\s*'fortran_order':\s*(True|False),"
    r"\s*'shape':\s*\(((?:\d{1,20}L?(?:,\s*|(?=\)))){0,64})\),?\s*\}\s*"
)
_KINDS = "biufcSU"  # numbers and text


def is_npz(archive: Reader) -> bool:
    """Whether an archive is an npz file."""
    return all(name.endswith(".npy") for name in archive.names())


def arrays_of(archive: Reader, mapped: bool = False) -> Iterator[tuple[str, Any]]:
    """Iterate over the names and arrays of an npz file. Raises FileError, which says what is wrong."""
    for record in archive.names():
        data = archive.mapped(record) if mapped else archive.array(record)
        yield record.removesuffix(".npy"), _array(data, record)


def _array(data: Any, record: str) -> Any:
    """Parse the bytes of an npy file: return a view of them, or a copy if alignment or byte order require it."""
    start = bytes(data[:12])
    wide = 2 if start[6:7] == b"\1" else 4  # size of the field that holds the header's length
    begins = 8 + wide + int.from_bytes(start[8 : 8 + wide], "little")
    if start[:6] != b"\x93NUMPY" or len(start) < 12 or begins > data.size:
        raise FileError(f"holds {record!r}, which is no array of NumPy's, or is cut off")
    said = _HEADER.fullmatch(bytes(data[8 + wide : begins]).decode("latin-1"))
    if said is None or said[2] not in _KINDS:
        raise FileError(f"holds {record!r}, an array of something else than numbers or text, which may not be loaded")
    dtype, shape = np.dtype(said[1]), tuple(int(n) for n in re.findall(r"\d+", said[4]))
    if begins + math.prod(shape) * dtype.itemsize != data.size:
        raise FileError(f"holds {record!r} of shape {shape} and dtype {dtype}, but {data.size - begins} bytes of it")
    if not math.prod(shape):
        return np.empty(shape, dtype.newbyteorder("="))
    values = data[begins:].view(dtype).reshape(shape, order="F" if said[3] == "True" else "C")
    return values if dtype.isnative and values.flags.aligned else values.astype(dtype.newbyteorder("="))


def save_npz(tensors: Mapping[str, Any], f: Path | IO[bytes]) -> None:
    """Write a dict of Tensors and arrays, such as a state dict, to a file that `np.load` and `microgad.load` open.

    `f` is a path, to which no ending is added, or a binary file. Keys are strings; values are Tensors, on any device,
    or arrays of numbers or strings. As with `save`, an existing file is replaced only when the new one is complete. Not
    in PyTorch: see `numpy.savez`. Raises TypeError for other values and keys, ValueError for a key that can't be the
    name of a file in an archive, RuntimeError if the folder doesn't exist.

    >>> import io
    >>> file = io.BytesIO()
    >>> torch.serialization.save_npz({"weight": torch.ones(2, 3)}, file)
    >>> _ = file.seek(0)
    >>> np.load(file)["weight"].shape
    (2, 3)
    >>> _ = file.seek(0)
    >>> torch.load(file)
    {'weight': tensor([[1., 1., 1.],
            [1., 1., 1.]])}
    """
    arrays = {name: _plain(name, value) for name, value in tensors.items()}
    if hasattr(f, "write"):
        _write(f, arrays)
        return
    with atomic_write(os.path.realpath(f)) as file:
        _write(file, arrays)


def _plain(name: Any, value: Any) -> Any:
    if type(name) is not str or not isinstance(value, (Tensor, np.ndarray, np.generic)):
        raise DtypeError(f"save_npz: takes Tensors and arrays by name, got {name!r}: {type(value).__name__}")
    if name.startswith("/") or ".." in name.split("/") or "\\" in name or "\0" in name:
        raise ArgumentError(f"save_npz: {name!r} can't be the name of a file in an archive")
    array = backend.to_numpy(value.array if isinstance(value, Tensor) else np.asanyarray(value))
    if array.dtype.kind not in _KINDS:
        raise DtypeError(f"save_npz: {name!r} is an array of {array.dtype}; numbers and text can be saved")
    return np.ascontiguousarray(array).reshape(array.shape)


def _write(file: Any, arrays: dict[str, Any]) -> None:
    with Writer(file) as archive:
        for name, array in arrays.items():
            header = io.BytesIO()
            npy.write_array_header_1_0(header, npy.header_data_from_array_1_0(array))
            archive.write(f"{name}.npy", header.getvalue(), array.reshape(-1).view(np.uint8) if array.size else b"")
