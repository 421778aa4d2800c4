"""Bytes that save writes, zip archives as bytes, and what loading malformed ones must do."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from typing import Any

import pytest

import microgad as torch
from microgad.serialization import FileError


def saved(obj: Any) -> bytes:
    file = io.BytesIO()
    torch.save(obj, file)
    return file.getvalue()


def reloaded(obj: Any, **options: Any) -> Any:
    return torch.load(io.BytesIO(saved(obj)), **options)


def records(content: bytes) -> dict[str, bytes]:
    """The contents of a zip archive by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as entries:
        return {entry.filename: entries.read(entry) for entry in entries.infolist()}


def zip_of(entries: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def rejects(content: bytes, message: str) -> None:
    """Loading raises a FileError, and allocates memory in proportion to the file's size."""
    tracemalloc.start()
    try:
        with pytest.raises(FileError, match=message):
            torch.load(io.BytesIO(content))
        assert tracemalloc.get_traced_memory()[1] < 25 * len(content) + 200_000
    finally:
        tracemalloc.stop()
