"""save: an object into a file as PyTorch writes it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from ..errors import ArgumentError
from .archive import ALIGNMENT, Writer
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
    """Write dicts, lists, sets, numbers, text, paths, Tensors, arrays, modules and so on to a file. Source: torch.save.

    `f` is a path or a binary file. PyTorch opens the file with `weights_only=True`, unless arrays or paths are in it.
    Dtypes, strides, `requires_grad` and Parameters are kept; Tensors on one memory share it when they are loaded, and
    what comes twice is one again. A module is its class's name and its attributes: `load` it with weights_only=False,
    where the class is. Gradients and graphs are not saved. The file is written under another name and takes its place
    at the end, so an interrupted `save`, or a full disk, leaves an older one whole. The other arguments have no effect.

    Raises TypeError, which names the place, for anything else, but in a program that runs as PyTorch's: there an object
    of any other class is written as Python pickles it, for PyTorch to read; AttributeError where `f` is neither path
    nor file; RuntimeError where the folder doesn't exist; OSError where the file can't be written.

    >>> import io
    >>> file = io.BytesIO()
    >>> torch.save({"weight": torch.tensor([1.0, 2.0]), "epoch": 3}, file)
    >>> _ = file.seek(0)
    >>> torch.load(file)
    {'weight': tensor([1., 2.]), 'epoch': 3}
    """
    pickler = Pickler()
    pickled = pickler.pickle(obj)
    if hasattr(f, "write"):
        _write(f, "archive", pickled, pickler.storages)
        return
    if not isinstance(f, str | bytes | os.PathLike):
        raise AttributeError(f"save: f must be a path or a file with a write method, not a {type(f).__name__}")
    path = os.path.realpath(f)  # through links: these stay
    with atomic_write(path) as file:
        _write(file, os.path.splitext(os.path.basename(path))[0] or "archive", pickled, pickler.storages)


def _write(file: Any, folder: str, pickled: bytes, storages: list[Any]) -> None:
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
    """A new file that takes the place of `path` at the end of the block, whole; an error leaves the old one.

    Until then it is locked, and called `path` and a number, .tmp: what a process that was killed has left is so known
    from what another is writing, and removed. Raises RuntimeError where the folder doesn't exist; OSError, which names
    `path`, where the disk is full or can't be written.
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
                file.close()  # where files have no locks, open ones can't be renamed
            os.replace(unfinished, path)
    except BaseException as error:
        if unfinished is not None and os.path.exists(unfinished):
            os.remove(unfinished)
        if isinstance(error, OSError) and error.errno:
            said = f"save: {error.strerror}; a file that was there is as it was"
            raise OSError(error.errno, said, path) from None
        raise


def _open_temporary(path: str) -> tuple[IO[bytes], str]:
    """A new file beside `path`, locked, and its name."""
    while True:
        name = f"{path}.{os.urandom(4).hex()}.tmp"
        file = open(name, "xb")  # noqa: SIM115 - closed by the caller
        with suppress(OSError):  # there are file systems without locks: nothing is removed from them
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
        if fcntl is None or os.fstat(file.fileno()).st_nlink:
            return file, name
        file.close()  # removed by another process, before it was locked


def _remove_leftovers(folder: str, name: str) -> None:
    """Remove unfinished files of a name that nobody is writing."""
    left = re.compile(re.escape(name) + r"\.[0-9a-f]{8}\.tmp")
    for found in filter(left.fullmatch, os.listdir(folder)):
        with suppress(OSError):  # written right now, or removed by another
            if fcntl is None:
                os.remove(os.path.join(folder, found))
                continue
            with open(os.path.join(folder, found), "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.remove(file.name)
