"""Batches from lists of samples."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from ...ops.creation import as_tensor, tensor
from ...ops.movement import stack
from ...tensor import Tensor
from .dataset import Samples


def default_collate(batch: Sequence[Any]) -> Any:
    """A list of samples as one batch. Source: torch.utils.data.default_collate.

    Tensors and arrays are stacked along a new first dimension; numbers become a Tensor (float: float64; int: int64);
    strings stay a list. Mappings, named tuples and sequences are gone through: a tuple or list of fields becomes a
    list of batches. Anything else raises TypeError; sequences of different lengths raise RuntimeError.

    >>> default_collate([(torch.tensor([1.0, 2.0]), 0, "a"), (torch.tensor([3.0, 4.0]), 1, "b")])
    [tensor([[1., 2.],
            [3., 4.]]), tensor([0, 1]), ('a', 'b')]
    """
    if isinstance(batch, Samples):
        return list(batch.columns)
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(batch)
    if isinstance(first, np.ndarray) and first.dtype.kind not in "SUO":
        return stack([as_tensor(array) for array in batch])
    if isinstance(first, (np.number, np.bool_)):
        return as_tensor(np.array(batch))
    if isinstance(first, float):
        return tensor(batch, dtype=np.float64)
    if isinstance(first, int):
        return tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return _like_mapping(first, {key: default_collate([sample[key] for sample in batch]) for key in first})
    if isinstance(first, Sequence):
        if len({len(sample) for sample in batch}) != 1:
            raise RuntimeError(
                f"each element in list of batch should be of equal size, but the sizes are {[len(s) for s in batch]}"
            )
        fields = [default_collate(field) for field in zip(*batch, strict=True)]
        return type(first)(*fields) if isinstance(first, tuple) and hasattr(first, "_fields") else fields
    found = first.dtype if isinstance(first, np.ndarray) else type(first)
    raise TypeError(
        f"default_collate: batch must contain tensors, numpy arrays, numbers, strings, dicts or lists; found {found}"
    )


def default_convert(data: Any) -> Any:
    """Arrays in a sample as Tensors, all else as it is. Source: torch.utils.data.default_convert.

    >>> default_convert({"a": np.array([1, 2]), "b": "text"})
    {'a': tensor([1, 2]), 'b': 'text'}
    """
    if isinstance(data, (np.ndarray, np.number, np.bool_)):
        return data if data.dtype.kind in "SUO" else as_tensor(data)
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        items = [default_convert(item) for item in data]
        return type(data)(*items) if isinstance(data, tuple) and hasattr(data, "_fields") else items
    return data


def _like_mapping(original: Any, items: dict[Any, Any]) -> Any:
    """`items` as a mapping of the original's kind, which may carry more than its items."""
    if not isinstance(original, MutableMapping):
        return items
    mapping = copy.copy(original)
    mapping.update(items)
    return mapping
