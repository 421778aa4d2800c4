"""Bytes that save writes, and what loading malformed ones must do."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import pytest

import microgad as torch
from microgad.serialization import FileError


def saved(obj: Any) -> bytes:
    file = io.BytesIO()
    torch.save(obj, file)
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
