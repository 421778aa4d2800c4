"""safetensors.numpy: safetensors files of NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...ops.creation import from_numpy
from ...serialization import safetensors
from ...serialization.writing import Path


def load_file(filename: Path, *, backend: str = "mmap") -> dict[str, Any]:
    """Load the arrays in a file, by name. Raises as `safe_open` does. Source: safetensors.numpy.load_file."""
    with safetensors.safe_open(filename, "numpy") as file:
        return file.get_tensors()


def load(data: bytes) -> dict[str, Any]:
    """Load the arrays in the bytes of a file. Raises as `safe_open` does. Source: safetensors.numpy.load.

    >>> from microgad.porting.safetensors.numpy import load, save
    >>> load(save({"w": np.arange(3)}))
    {'w': array([0, 1, 2])}
    """
    return {name: x.array for name, x in safetensors.load(data).items()}


def save_file(tensor_dict: Mapping[str, Any], filename: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Save named arrays to a file. Raises as safetensors.torch.save_file does. Source: safetensors.numpy.save_file."""
    safetensors.save_file(_tensors(tensor_dict), filename, metadata)


def save(tensor_dict: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return named arrays as the bytes of a file. Source: safetensors.numpy.save."""
    return safetensors.save(_tensors(tensor_dict), metadata)


def _tensors(arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name: from_numpy(np.array(x, order="C")) for name, x in arrays.items()}
