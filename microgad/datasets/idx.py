"""Reading and writing of IDX, the file format of MNIST and similar data sets, as NumPy arrays.

An IDX file is big-endian: two zero bytes, one byte for the dtype, one for the number of dimensions, each size as a
uint32, then the values in row-major order. It is often gzipped.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MicrogadError
from ..serialization.archive import max_unpacked_size

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
CODES = {np.dtype(dtype).newbyteorder("="): code for code, dtype in DTYPES.items()}
GZIP_MAGIC, XZ_MAGIC = b"\x1f\x8b", b"\xfd7zXZ"


class DataError(MicrogadError, RuntimeError, ValueError):
    """A data file is missing, damaged or of another kind."""


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read the array in an IDX file, which may be compressed by gzip or xz (detected by its contents). Not in PyTorch.

    Args:
        path: the file.

    Returns:
        A fresh, writable array of the file's shape and dtype, in native byte order.

    Raises:
        DataError: the file is damaged or not an IDX file; the message names it and what is wrong.
        OSError: the file can't be opened.

    >>> import os, tempfile
    >>> import numpy as np
    >>> from microgad.datasets import encode_idx, read_idx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "labels-idx1-ubyte")
    ...     with open(path, "wb") as file:
    ...         _ = file.write(encode_idx(np.array([7, 2, 1], np.uint8)))
    ...     read_idx(path)
    array([7, 2, 1], dtype=uint8)
    """
    with open(path, "rb") as file:
        content = file.read()
    return decode_idx(decompress(content, path), path)


def decompress(content: bytes, name: str | os.PathLike[str]) -> bytes:
    """Decompress `content` if it is compressed. The size of the result is limited by that of `content`.

    Raises:
        DataError: it can't be decompressed, or is a decompression bomb.

    >>> from microgad.datasets.idx import decompress
    >>> import gzip
    >>> decompress(gzip.compress(b"IDX"), "a file"), decompress(b"IDX", "a file")
    (b'IDX', b'IDX')
    """
    if not content.startswith((GZIP_MAGIC, XZ_MAGIC)):
        return content
    kind, opened, damage = _open_compressed(content)
    most, found = max_unpacked_size(len(content)), bytearray()
    try:
        with opened as stream:
            while part := stream.read(2**18):
                found += part
                if len(found) > most:
                    raise _damaged(name, f"{len(content)} bytes that unpack to more than {most}")
    except EOFError:
        raise _damaged(name, f"the {kind} stream is cut off") from None
    except (gzip.BadGzipFile, damage) as error:
        raise _damaged(name, f"the {kind} stream is broken ({error})") from None
    return bytes(found)


def _open_compressed(content: bytes) -> tuple[str, Any, type[Exception]]:
    """Return the name of the compression, a stream of the contents, and the exception that damage raises."""
    file = io.BytesIO(content)
    if content.startswith(XZ_MAGIC):
        import lzma  # may be missing, for example in a browser's Python

        return "xz", lzma.LZMAFile(file), lzma.LZMAError
    return "gzip", gzip.GzipFile(fileobj=file), zlib.error


def decode_idx(content: bytes, name: str | os.PathLike[str] = "IDX data") -> NDArray[Any]:
    """Return the array in the decompressed `content` of an IDX file. Errors call the file `name`. Not in PyTorch.

    Raises:
        DataError: `content` is not IDX, or its length does not fit the sizes in its header.

    >>> from microgad.datasets import decode_idx
    >>> decode_idx(bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 10, 20, 30]))
    array([[10, 20, 30]], dtype=uint8)
    """
    if len(content) < 4:
        raise _damaged(name, f"{len(content)} bytes, but an IDX header has at least 8")
    zeros, code, ndim = content[:2], content[2], content[3]
    if zeros != b"\0\0":
        raise _damaged(name, f"not an IDX file: it begins with {content[:4]!r}, an IDX file with two zero bytes")
    if code not in DTYPES:
        known = ", ".join(f"0x{known:02x}" for known in DTYPES)
        raise _damaged(name, f"dtype code 0x{code:02x} in the IDX header, known are {known}")
    if not 1 <= ndim <= 64:
        raise _damaged(name, f"{ndim} dimensions in the IDX header, possible are 1 to 64")
    start = 4 + 4 * ndim
    if len(content) < start:
        raise _damaged(name, f"{len(content)} bytes, but the IDX header of {ndim} dimensions alone has {start}")

    dtype = np.dtype(DTYPES[code])
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4))
    expected = start + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        difference = len(content) - expected
        trouble = f"{difference} trailing bytes" if difference > 0 else f"{-difference} bytes are missing"
        raise _damaged(name, f"{trouble}: the IDX header says shape {shape}, {expected} bytes; found {len(content)}")
    try:
        values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    except ValueError:  # an empty array whose other sizes are too large
        raise _damaged(name, f"no array has the shape {shape} in the IDX header") from None
    # astype copies: the array owns writable memory, and `content` can go.
    return values.astype(dtype.newbyteorder("="))


def encode_idx(array: NDArray[Any]) -> bytes:
    """Return the uncompressed contents of an IDX file with `array`. Not in PyTorch.

    Args:
        array: 1 to 64 dimensions; uint8, int8, int16, int32, float32 or float64.

    Raises:
        DataError: IDX has no code for the array's dtype or number of dimensions.

    >>> import numpy as np
    >>> from microgad.datasets import encode_idx
    >>> encode_idx(np.array([7, 2], np.uint8))
    b'\\x00\\x00\\x08\\x01\\x00\\x00\\x00\\x02\\x07\\x02'
    """
    native = array.dtype.newbyteorder("=")
    if native not in CODES or array.ndim == 0:
        known = ", ".join(str(dtype) for dtype in CODES)
        raise DataError(f"encode_idx: array is {array.dtype} with {array.ndim} dimensions, IDX has {known} with >= 1")
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, CODES[native], array.ndim]) + sizes + array.astype(native.newbyteorder(">")).tobytes()


def _damaged(name: str | os.PathLike[str], trouble: str) -> DataError:
    return DataError(f"{os.fspath(name)}: {trouble}. Delete the file and get it again (for MNIST: download=True)")
