"""load: read a file in one of PyTorch's formats, safetensors or npz."""

from __future__ import annotations

import enum
import io
import os
import struct
import sys
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from .. import backend
from ..errors import DeviceError
from ..state.contexts import binding
from ..storage import UntypedStorage, is_storage
from ..type_aliases import Array
from . import objects, old_text
from .archive import Reader
from .errors import EmptyFileError, FileError, shown
from .legacy import read_legacy
from .npz import arrays_of, is_npz
from .safetensors import File, is_safetensors
from .storages import Storage, to_tensor
from .tar import is_tar, read_tar
from .unpickling import Name, Unpickler, storage_loader

Path = str | os.PathLike[str]
Location = Callable[[Any, str], Any]  # moves memory, an array of bytes on the CPU, given the device it was saved from
# The errors that invalid pickle instructions can raise, wherever they are carried out.
INVALID = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, struct.error)
_NO_GPU = (
    "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If you are running on a "
    "CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map your storages to the CPU. "
)


def load(
    f: Path | IO[bytes], map_location: Any = None, pickle_module: Any = None, *, weights_only: bool | None = None,
    mmap: bool | None = None, **options: Any,
) -> Any:  # fmt: skip
    """Load a file that PyTorch's or microgad's `save` wrote. Source: torch.load.

    Safetensors and npz files are recognized by their content, and are loaded as a dict of Tensors.

    No code in a file is ever run, whatever `weights_only` is. Tensors, arrays, dicts, lists, sets, numbers and text are
    loaded; with weights_only=False modules and subclasses of Tensor too, if the program has imported their classes:
    objects are made empty and given their attributes. Anything else raises an error that names it. weights_only is True
    unless a pickle_module is given, which is not used, or the environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD is
    1.

    A file that is open is read from its position on. One in PyTorch's format before 1.6 is then left at the end of the
    object: the next `load` reads the one that follows, or raises EOFError.

    `encoding` is that of strings in files that Python 2 wrote, "utf-8" by default; with "bytes" they stay bytes. The
    other options of pickle's `load`, allowed with weights_only=False, have no effect.

    Tensors are loaded onto the device that they were saved from. `map_location` is another device, a dict from device
    to device, or a function: it is called with each storage, on the CPU, and the name of its old device, and returns
    the storage, `storage.cuda(1)`, a device's name, or None for no change. With `mmap`, where `f` is a path, Tensors
    are mapped from the file, not copied into memory, and not compared with their checksums.

    Raises RuntimeError, which names the file and what is wrong, if it is damaged or may not be loaded; OSError if it
    can't be read; AttributeError if `f` is neither a path nor a file that can seek; TypeError for a file that is open
    as text, another map_location or an unknown option; ValueError for `mmap` of an open file. Errors of a map_location
    that is a function are raised as they are.

    >>> import io
    >>> file = io.BytesIO()
    >>> torch.save({"weight": torch.ones(2)}, file)
    >>> _ = file.seek(0)
    >>> torch.load(file)
    {'weight': tensor([1., 1.])}
    """
    place = _location(map_location)
    safe = _weights_only(weights_only, pickle_module)
    if unknown := options.keys() - ({"encoding"} if safe else {"encoding", "errors", "fix_imports", "buffers"}):
        raise TypeError(f"load() got an unexpected keyword argument {min(unknown)!r}")
    with binding(old_text.encoding, options.get("encoding", "utf-8")), objects.allow_program_classes(not safe):
        if not isinstance(f, str | os.PathLike):
            _check_seekable(f)
            if mmap:
                raise ValueError("load: f must be a file path in order to use the mmap argument")
            return _read(f, getattr(f, "name", "the file"), place, False)
        with open(f, "rb") as file:
            return _read(file, os.fspath(f), place, bool(mmap))


def _weights_only(asked: bool | None, pickle_module: Any) -> bool:
    """Whether to refuse modules and objects: as the environment, the argument or the default says."""
    names = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
    forced, freed = (os.environ.get(name, "0").lower() in ("1", "y", "yes", "true") for name in names)
    if forced and freed:
        raise RuntimeError("Only one of `{}` or `{}` should be set, but both were set.".format(*names))
    chosen = forced or (pickle_module is None and not freed if asked is None else asked)
    if chosen and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    return chosen


def _check_seekable(file: Any) -> None:
    try:
        file.seek(file.tell())
    except (AttributeError, io.UnsupportedOperation) as error:
        raise type(error)(
            f"{error}. You can only torch.load from a file that is seekable. Please pre-load the data into a buffer "
            "like io.BytesIO and try to load from it instead. (load: f must be a path or a file that can read and seek)"
        ) from None


def _location(map_location: Any) -> Location:
    """Return a function that moves a storage's memory to where it is to be loaded."""
    if map_location is None:
        return backend.to_device
    if isinstance(map_location, dict):
        moved = {str(old): str(new) for old, new in map_location.items()}
        return lambda memory, saved: backend.to_device(memory, moved.get(saved, saved))
    if isinstance(map_location, (str, backend.device)):
        return lambda memory, saved: backend.to_device(memory, map_location)
    if callable(map_location):

        def asked(memory: Array, saved: str) -> Array:
            try:
                found = map_location(UntypedStorage(memory), saved)
            except INVALID as error:
                raise error if isinstance(error, DeviceError) else _OfProgram(error) from None
            if not is_storage(found):
                return backend.to_device(memory, saved if found is None else str(found))
            if found.nbytes() != memory.nbytes:
                raise FileError(f"has a storage of {memory.nbytes} bytes, but map_location made {found.nbytes()} of it")
            return found.untyped().row

        return asked
    raise TypeError(f"load: map_location must be a device, a dict or a function, got {type(map_location).__name__}")


class _OfProgram(Exception):
    """Carries an error of a program's map_location through the handlers for errors of a file."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class LoadEndianness(enum.Enum):
    """The order of bytes in files that don't say theirs. Source: torch.serialization.LoadEndianness.

    >>> torch.serialization.LoadEndianness.BIG.value
    3
    """

    NATIVE, LITTLE, BIG = 1, 2, 3


_default_endianness: LoadEndianness | None = None


def get_default_load_endianness() -> LoadEndianness | None:
    """Return the order of bytes that `load` assumes where a file doesn't say it; None is little-endian.

    Source: torch.serialization.get_default_load_endianness.

    >>> torch.serialization.get_default_load_endianness() is None
    True
    """
    return _default_endianness


def set_default_load_endianness(endianness: LoadEndianness | None) -> None:
    """Set the order of bytes that `load` assumes where a file doesn't say it, as files of PyTorch 2.0 and before don't.

    Raises TypeError for anything but a LoadEndianness and None.
    Source: torch.serialization.set_default_load_endianness.

    >>> torch.serialization.set_default_load_endianness(torch.serialization.LoadEndianness.BIG)
    >>> torch.serialization.get_default_load_endianness().name
    'BIG'
    >>> torch.serialization.set_default_load_endianness(None)
    """
    global _default_endianness
    if not isinstance(endianness, LoadEndianness | None):
        raise TypeError("Invalid argument type in function set_default_load_endianness")
    _default_endianness = endianness


def default_restore_location(storage: Any, location: str) -> Any:
    """Move a storage to a device such as "cpu" or "cuda:1". Raises RuntimeError if there is no such device.

    Source: torch.serialization.default_restore_location.

    >>> import io
    >>> file = io.BytesIO()
    >>> torch.save(torch.ones(2), file)
    >>> _ = file.seek(0)
    >>> torch.load(file, lambda storage, location: torch.serialization.default_restore_location(storage, "cpu"))
    tensor([1., 1.])
    """
    return storage.to(device=location)


def _is_zipfile(f: Any) -> bool:
    """Whether a zip archive begins at the position of a file, which stays where it is."""
    start = f.read(4)
    f.seek(-len(start), 1)
    return bool(start == b"PK\3\4")


def _read(file: Any, name: Any, place: Location, mapped: bool) -> Any:
    """Read the object at a file's position. Errors of the file name it."""
    begins = file.tell()
    start = file.read(512)
    if not isinstance(start, bytes):
        raise TypeError(f"load: {name} must be opened in binary mode, but reading it gives {type(start).__name__}")
    file.seek(begins)
    try:
        return _read_any_format(file, begins, start, place, mapped)
    except _OfProgram as raised:
        own = raised.error
    except FileError as error:
        raise type(error)(f"load: {name} {error}") from None
    except DeviceError as error:
        hint = _NO_GPU if "CuPy" in str(error) else ""
        raise DeviceError(f"{hint}load: {error}, or load with map_location='cpu'") from None
    except INVALID as error:
        raise FileError(f"load: {name} makes no sense: {_describe(error)}") from None
    try:
        raise own
    finally:  # or the error and this frame, which is in its traceback, would keep each other and the file's contents
        del own


def _read_any_format(file: Any, begins: int, start: bytes, place: Location, mapped: bool) -> Any:
    if not start:
        raise EmptyFileError("ends here" if begins else "is empty")
    if start.startswith((b"PK\3\4", b"PK\5\6")):
        archive = Reader(file)
        if begins < archive.first:
            raise FileError(
                "holds another zip archive after the one to load: save several objects as a list, or with "
                "_use_new_zipfile_serialization=False"
            )
        if archive.names() and not is_npz(archive):
            return _read_archive(archive, place, mapped)
        where = _device(place)
        return {name: to_tensor(array, where) for name, array in arrays_of(archive, mapped)}
    if is_safetensors(start):
        tensors, where = File(file), _device(place)
        return {name: to_tensor(tensors.array(name, mapped), where) for name in tensors.names()}
    if is_tar(start):
        return read_tar(file.read(), place)
    obj, size = read_legacy(file.read(), place)
    file.seek(begins + size)  # another object may follow
    return obj


def _device(place: Location) -> str:
    """Return the name of the device for Tensors of a file that knows no storages."""
    return str(backend.device_of(place(np.empty(0, np.uint8), "cpu")))


def _describe(error: Exception) -> str:
    args = (arg if type(arg) is str else shown(arg) for arg in error.args)  # a KeyError's argument is the key
    return f"{type(error).__name__}: {', '.join(args)}"


def _read_archive(archive: Reader, place: Location, mapped: bool) -> Any:
    """Load PyTorch's format since 1.6: a zip archive of a pickle, and a record for each storage."""
    archive.leave_folder()
    if "data.pkl" not in archive:
        raise FileError("is a zip archive, but not one of PyTorch's: it holds no data.pkl")
    version = archive.read(".data/version" if ".data/version" in archive else "version")
    if not 1 <= int(version) <= 10:
        raise FileError(f"has the version {version.decode()!r}, but only those from 1 to 10 are known")
    order = (_default_endianness or LoadEndianness.LITTLE).name.lower()
    if "byteorder" in archive:
        order = archive.read("byteorder").decode()
        if order not in ("little", "big"):
            raise FileError(f"has the unknown order of bytes {order!r}")
    swapped = order not in (sys.byteorder, "native")
    memories: dict[str, Any] = {}
    shared: dict[str, Any] = {}

    def storage(kind: Name, key: Any, location: Any, count: Any, *rest: Any) -> Storage:
        record, dtype = f"data/{key}", kind.dtype
        nbytes = archive.size(record)
        if type(count) is not int or count * (dtype.itemsize if dtype else 1) != nbytes:
            raise FileError(f"claims {shown(count)} elements of {record!r}, which has {nbytes} bytes")

        def memory() -> Array:
            if record not in memories:
                data = archive.mapped(record) if mapped else archive.array(record)
                if swapped:
                    data = _swap_bytes(data, dtype)
                memories[record] = place(data, location)
            return memories[record]

        return Storage(memory, nbytes, dtype, *shared.setdefault(record, ([0], {})))

    return Unpickler(archive.read("data.pkl"), storage_loader(storage)).load()


def _swap_bytes(data: Any, dtype: Any) -> Any:
    """Convert a storage from the other byte order."""
    if dtype is None:
        raise FileError("is of the other order of bytes, and doesn't say of which numbers")
    return data.view(dtype.dtype).byteswap().view("u1")
