"""save: an object into a file as PyTorch writes it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from ..errors import ArgumentError
from .archive import ALIGNMENT, Writer
from .pickling import Pickler

Path = str | os.PathLike[str]


def save(
    obj: Any, f: Path | IO[bytes], pickle_module: Any = None, pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
) -> None:  # fmt: skip
    """Write dicts, lists, tuples, sets, numbers, text, None, Tensors and arrays to a file. Source: torch.save.

    `f` is a path or a binary file. PyTorch opens the file with `weights_only=True`, unless there are arrays in it.
    Dtypes, strides, `requires_grad` and Parameters are kept; Tensors on one memory share it when they are loaded, and
    what comes twice is one again. Gradients and graphs are not saved. The file is written under another name and takes
    its place at the end, so an interrupted `save` leaves an older one whole. The other arguments have no effect.

    Raises TypeError, which names the place, for anything else; RuntimeError where the folder doesn't exist.

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
    path = os.path.realpath(f)  # through links: these stay
    with replacing(path) as file:
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
def replacing(path: str) -> Iterator[IO[bytes]]:
    """A new file that takes the place of `path` at the end of the block, whole; an error leaves the old one.

    Raises RuntimeError where the folder doesn't exist.
    """
    if not os.path.isdir(os.path.dirname(path)):
        raise ArgumentError(f"save: the folder {os.path.dirname(path)} does not exist: make it first (os.makedirs)")
    unfinished = f"{path}.{os.urandom(4).hex()}.tmp"
    try:
        with open(unfinished, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        if os.path.exists(unfinished):
            os.remove(unfinished)
        raise
