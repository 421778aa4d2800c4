"""Reading of arrays in ONNX files. Their claimed sizes are checked before memory is allocated."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
from onnx import TensorProto

from ..serialization.errors import FileError

# By ONNX's number of the dtype: NumPy's dtype, and the field that holds values other than raw bytes.
KINDS: dict[int, tuple[np.dtype[Any], str]] = {
    TensorProto.FLOAT: (np.dtype("<f4"), "float_data"),
    TensorProto.UINT8: (np.dtype("u1"), "int32_data"),
    TensorProto.INT8: (np.dtype("i1"), "int32_data"),
    TensorProto.UINT16: (np.dtype("<u2"), "int32_data"),
    TensorProto.INT16: (np.dtype("<i2"), "int32_data"),
    TensorProto.INT32: (np.dtype("<i4"), "int32_data"),
    TensorProto.INT64: (np.dtype("<i8"), "int64_data"),
    TensorProto.BOOL: (np.dtype("bool"), "int32_data"),
    TensorProto.FLOAT16: (np.dtype("<f2"), "int32_data"),
    TensorProto.DOUBLE: (np.dtype("<f8"), "double_data"),
    TensorProto.UINT32: (np.dtype("<u4"), "uint64_data"),
    TensorProto.UINT64: (np.dtype("<u8"), "uint64_data"),
    TensorProto.COMPLEX64: (np.dtype("<c8"), "float_data"),
    TensorProto.COMPLEX128: (np.dtype("<c16"), "double_data"),
}


def kind_of(number: int, what: str) -> np.dtype[Any]:
    """Return the NumPy dtype for ONNX's number. Raises FileError for an unknown number."""
    if number not in KINDS:
        known = number in TensorProto.DataType.values()
        name = TensorProto.DataType.Name(number).lower() if known else f"number {number}"
        raise FileError(f"{what} is of dtype {name}, which isn't supported")
    return KINDS[number][0].newbyteorder("=")


def array_of(proto: Any, folder: str | None) -> Any:
    """Return the array of a TensorProto. External data must lie in `folder`."""
    what = f"tensor {proto.name!r}" if proto.name else "a tensor"
    dtype = kind_of(proto.data_type, what)
    shape = tuple(proto.dims)
    if any(n < 0 for n in shape) or len(shape) > 64:
        raise FileError(f"{what} has the impossible shape {shape[:65]}")
    count = math.prod(shape)
    size = count * dtype.itemsize
    little = dtype.newbyteorder("<")
    if proto.HasField("segment"):
        raise FileError(f"{what} is stored in segments, which isn't supported")
    if proto.data_location == TensorProto.EXTERNAL:
        return _outside(proto, folder, what, size, little).astype(dtype, copy=False).reshape(shape)
    if proto.HasField("raw_data"):
        if len(proto.raw_data) != size:
            raise FileError(f"{what} of shape {shape} needs {size} bytes, but has {len(proto.raw_data)}")
        found = np.frombuffer(proto.raw_data, little)
        if dtype.kind == "b" and found.view(np.uint8).max(initial=0) > 1:
            found = found.view(np.uint8) != 0
        return found.astype(dtype).reshape(shape)
    values = getattr(proto, KINDS[proto.data_type][1])
    parts = 2 if dtype.kind == "c" else 1
    if len(values) != count * parts:
        raise FileError(f"{what} of shape {shape} needs {count * parts} values, but has {len(values)}")
    if dtype.kind == "c":
        return np.array(values, f"f{dtype.itemsize // 2}").view(dtype).reshape(shape)
    if dtype == np.float16:
        return np.array(values, np.int64).astype(np.uint16).view(dtype).reshape(shape)
    wide = np.array(values, np.uint64 if dtype.kind == "u" and dtype.itemsize > 2 else None)
    return wide.astype(dtype).reshape(shape)


def _outside(proto: Any, folder: str | None, what: str, size: int, dtype: np.dtype[Any]) -> Any:
    entries = {entry.key: entry.value for entry in proto.external_data}
    location = entries.get("location", "")
    if folder is None:
        raise FileError(
            f"{what} is in another file, {location!r}: load it by its path, so that the file is found next to it"
        )
    inside = os.path.realpath(folder)
    try:
        path = os.path.realpath(os.path.join(inside, location))
        offset, length = (int(entries.get(key, default)) for key, default in (("offset", 0), ("length", size)))
    except ValueError as error:
        raise FileError(f"{what} is in another file in an invalid way: {error}") from None
    if not location or "\\" in location or os.path.isabs(location) or os.path.commonpath((inside, path)) != inside:
        raise FileError(f"{what} is in another file, {location!r}, which is not in the folder of this one")
    if not os.path.isfile(path):
        raise FileError(f"{what} is in another file, {location!r}, which isn't there")
    if offset < 0 or length != size or offset + size > os.path.getsize(path):
        raise FileError(
            f"{what} needs {size} bytes, but is claimed to be {length} bytes at {offset} of {location!r}, which has "
            f"{os.path.getsize(path)}"
        )
    return np.fromfile(path, dtype, size // dtype.itemsize, offset=offset)
