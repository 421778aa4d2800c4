"""safetensors.numpy: the same files, of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...lazy import define_getattr as _define_getattr
from ...ops.creation import from_numpy
from ...serialization import safetensors
from ...serialization.writing import Path


def load_file(filename: Path, *, backend: str = "mmap") -> dict[str, Any]:
    """The arrays in a file, by name. Source: safetensors.numpy.load_file. Raises as `safe_open`."""
    with safetensors.safe_open(filename, "numpy") as file:
        return file.get_tensors()


def load(data: bytes) -> dict[str, Any]:
    """The arrays in a file's content. Source: safetensors.numpy.load. Raises as `safe_open`.

    >>> from microgad.porting.safetensors.numpy import load, save
    >>> load(save({"w": np.arange(3)}))
    {'w': array([0, 1, 2])}
    """
    return {name: x.array for name, x in safetensors.load(data).items()}


def save_file(tensor_dict: Mapping[str, Any], filename: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write arrays by name to a file. Source: safetensors.numpy.save_file. Raises as that of `safetensors.torch`."""
    safetensors.save_file(_tensors(tensor_dict), filename, metadata)


def save(tensor_dict: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> bytes:
    """The same as bytes. Source: safetensors.numpy.save."""
    return safetensors.save(_tensors(tensor_dict), metadata)


def _tensors(arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name: from_numpy(np.array(x, order="C")) for name, x in arrays.items()}


_define_getattr(globals())
