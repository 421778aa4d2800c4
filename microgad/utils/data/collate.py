"""Batches from lists of samples."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from ...ops.creation import as_tensor, tensor
from ...ops.movement import stack
from ...tensor import Tensor
from .dataset import Samples


def default_collate(batch: Sequence[Any]) -> Any:
    """A list of samples as one batch. Source: torch.utils.data.default_collate.

    Tensors and arrays are stacked along a new first dimension; numbers become a Tensor (float: float64; int: int64);
    strings stay a list. Mappings and sequences are gone through, and stay of their kind; but a tuple of fields that
    have no names becomes a list. Anything else raises TypeError; sequences of different lengths raise RuntimeError.

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
        return _like(first, {key: default_collate([sample[key] for sample in batch]) for key in first})
    if isinstance(first, Sequence):
        if len({len(sample) for sample in batch}) != 1:
            raise RuntimeError(
                f"each element in list of batch should be of equal size, but the sizes are {[len(s) for s in batch]}"
            )
        return _like(first, [default_collate(field) for field in zip(*batch, strict=True)])
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
        return _like(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _like(data, [default_convert(item) for item in data])
    return data


def _like(original: Any, items: Any) -> Any:
    """`items` in a container of the original's kind, which may carry more than they are; tuples become lists."""
    if isinstance(original, tuple):
        return type(original)(*items) if hasattr(original, "_fields") else items
    try:
        if not isinstance(original, (MutableMapping, MutableSequence)):
            return type(original)(items)
        copied: Any = copy.copy(original)
        if isinstance(original, MutableMapping):
            copied.update(items)
        else:
            for i, item in enumerate(items):
                copied[i] = item
        return copied
    except TypeError:  # of kinds that take no such items, or are made otherwise
        return items
