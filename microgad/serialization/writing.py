"""save: write an object to a file in PyTorch's format."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from ..errors import ArgumentError
from ..type_aliases import Array
from .archive import ALIGNMENT, Writer
from .legacy import write_legacy
from .pickling import Pickler

try:
    import fcntl
except ImportError:  # Windows, browsers
    fcntl = None  # type: ignore[assignment]

Path = str | os.PathLike[str]


def save(
    obj: Any, f: Path | IO[bytes], pickle_module: Any = None, pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True, _disable_byteorder_record: bool = False,
) -> None:  # fmt: skip
    """Save an object of dicts, lists, sets, numbers, text, paths, Tensors, arrays and modules. Source: torch.save.

    `f` is a path or a binary file. PyTorch loads the file with `weights_only=True`, unless it holds modules, arrays,
    paths, or containers such as deques, frozensets and defaultdicts. Dtypes, strides, `requires_grad`, Parameters and
    subclasses of Tensor are kept. Tensors that share memory, and objects that occur twice, do so when they are loaded.
    A module is saved as its class's name and its attributes: `load` it with weights_only=False, after importing the
    class. So are optimizers, schedules, datasets, samplers, DataLoaders, GradScalers, distributions and transforms; a
    function is saved as its name. Gradients and graphs are not saved. `_use_new_zipfile_serialization=False` writes the
    format of PyTorch before 1.6. The other arguments have no effect.

    The file is written under a temporary name and renamed at the end. So an interrupted `save`, or a full disk, leaves
    an older file as it was.

    Raises TypeError, which says where in the object, for other types. If `import torch` imports microgad, they are
    instead written as Python pickles them, for PyTorch to load. Raises AttributeError if `f` is neither a path nor a
    file, RuntimeError if the folder doesn't exist or Tensors of several dtypes share memory, OSError if the file can't
    be written.

    >>> import io
    >>> file = io.BytesIO()
    >>> torch.save({"weight": torch.tensor([1.0, 2.0]), "epoch": 3}, file)
    >>> _ = file.seek(0)
    >>> torch.load(file)
    {'weight': tensor([1., 2.]), 'epoch': 3}
    """
    pickler = Pickler(legacy=not _use_new_zipfile_serialization)
    pickled = pickler.pickle(obj)

    def write(file: Any, folder: str) -> None:
        if pickler.legacy:
            write_legacy(file, pickled, pickler.storages)
        else:
            _write(file, folder, pickled, pickler.storages)

    if hasattr(f, "write"):
        write(f, "archive")
        if hasattr(f, "flush"):  # other programs may open the file by its name now
            f.flush()
        return
    if not isinstance(f, str | bytes | os.PathLike):
        raise AttributeError(f"save: f must be a path or a file with a write method, not a {type(f).__name__}")
    path = os.path.realpath(f)  # a symbolic link stays, and its target is replaced
    with atomic_write(path) as file:
        write(file, os.path.splitext(os.path.basename(path))[0] or "archive")


def _write(file: Any, folder: str, pickled: bytes, storages: list[Array]) -> None:
    with Writer(file, folder) as archive:
        archive.write("data.pkl", pickled)
        archive.write(".format_version", b"1")
        archive.write(".storage_alignment", str(ALIGNMENT).encode())
        archive.write("byteorder", b"little")
        for number, memory in enumerate(storages):
            archive.write(f"data/{number}", memory.astype(memory.dtype.newbyteorder("<"), copy=False).view("u1"))
        archive.write("version", b"3\n")


@contextmanager
def atomic_write(path: str) -> Iterator[IO[bytes]]:
    """Open a new file that replaces `path` at the end of the block; an error leaves the old file as it was.

    Until then it is named `path` with a random number and .tmp, and locked. Such files that a killed process left
    behind are removed; the lock tells them from files that are still being written. Raises RuntimeError if the folder
    doesn't exist; OSError, which names `path`, if the disk is full or can't be written.
    """
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise ArgumentError(f"save: the folder {folder} does not exist: make it first (os.makedirs)")
    _remove_leftovers(folder, name)
    unfinished = None
    try:
        file, unfinished = _open_temporary(path)
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if os.path.exists(path):
                os.chmod(unfinished, os.stat(path).st_mode & 0o777)
            if fcntl is None:
                file.close()  # Windows can't rename open files
            os.replace(unfinished, path)
    except BaseException as error:
        if unfinished is not None and os.path.exists(unfinished):
            os.remove(unfinished)
        if isinstance(error, OSError) and error.errno:
            said = f"save: {error.strerror}; a file that was there is as it was"
            raise OSError(error.errno, said, path) from None
        raise


def _open_temporary(path: str) -> tuple[IO[bytes], str]:
    """Open a new, locked file beside `path`, and return it and its name."""
    while True:
        name = f"{path}.{os.urandom(4).hex()}.tmp"
        file = open(name, "xb")  # noqa: SIM115 - closed by the caller
        with suppress(OSError):  # on a file system without locks nothing is ever removed
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
        if fcntl is None or os.fstat(file.fileno()).st_nlink:
            return file, name
        file.close()  # another process removed it before it was locked


def _remove_leftovers(folder: str, name: str) -> None:
    """Remove temporary files of `name` that no process is writing."""
    left = re.compile(re.escape(name) + r"\.[0-9a-f]{8}\.tmp")
    for found in filter(left.fullmatch, os.listdir(folder)):
        with suppress(OSError):  # it is being written, or another process has removed it
            if fcntl is None:
                os.remove(os.path.join(folder, found))
                continue
            with open(os.path.join(folder, found), "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.remove(file.name)
