"""Collation: combine a list of samples into a batch."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from ...ops.creation import as_tensor, tensor
from ...ops.movement import stack
from ...ops.movement.joining import stacked
from ...tensor import Tensor
from .dataset import Samples


def default_collate(batch: Sequence[Any]) -> Any:
    """Combine a list of samples into a batch. Source: torch.utils.data.default_collate.

    Tensors and arrays are stacked along a new first dimension; numbers become a Tensor (float: float64; int: int64);
    strings stay as they are. Mappings and sequences are collated item by item and keep their type, except that a plain
    tuple becomes a list. Anything else raises TypeError; sequences of different lengths raise RuntimeError.

    >>> torch.utils.data.default_collate([(torch.tensor([1.0, 2.0]), 0, "a"), (torch.tensor([3.0, 4.0]), 1, "b")])
    [tensor([[1., 2.],
            [3., 4.]]), tensor([0, 1]), ('a', 'b')]
    """
    if isinstance(batch, Samples):
        return list(batch.columns)
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collate(batch: Sequence[Any], *, collate_fn_map: CollateFns | None = None) -> Any:
    """Combine a list of samples into a batch, using the functions that `collate_fn_map` has for types of items.

    `default_collate` uses `default_collate_fn_map`, to which programs may add types of their own.
    Source: torch.utils.data._utils.collate.collate.

    >>> class Graph: pass
    >>> fns = {Graph: lambda batch, *, collate_fn_map: len(batch), str: collate_str_fn}
    >>> collate([(Graph(), "a"), (Graph(), "b")], collate_fn_map=fns)
    [2, ('a', 'b')]
    """
    first, known = batch[0], collate_fn_map or {}
    join = known.get(type(first)) or next((fn for kind, fn in known.items() if isinstance(first, kind)), None)
    if join is not None:
        return join(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, Mapping):
        return _like(first, {key: collate([x[key] for x in batch], collate_fn_map=collate_fn_map) for key in first})
    if isinstance(first, Sequence):
        if len({len(sample) for sample in batch}) != 1:
            raise RuntimeError(
                f"each element in list of batch should be of equal size, but the sizes are {[len(s) for s in batch]}"
            )
        return _like(first, [collate(field, collate_fn_map=collate_fn_map) for field in zip(*batch, strict=True)])
    raise _unknown(type(first))


default_collate_err_msg_format = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)
np_str_obj_array_pattern = re.compile("[SaUO]")  # matches the dtypes of arrays that can't become Tensors


def _unknown(kind: Any) -> TypeError:
    return TypeError(default_collate_err_msg_format.format(kind))


def collate_tensor_fn(batch: Any, *, collate_fn_map: CollateFns | None = None) -> Tensor:
    """Stack Tensors."""
    return stack(batch)


def collate_numpy_array_fn(batch: Any, *, collate_fn_map: CollateFns | None = None) -> Tensor:
    """Stack arrays to a Tensor. Raises TypeError for arrays of strings and objects."""
    first = batch[0]
    if first.dtype.kind in "SUO":
        raise _unknown(first.dtype)
    if first.dtype.isnative and all(_is_plain(array, first) for array in batch):
        return as_tensor(stacked(batch, 0))
    return stack([as_tensor(array) for array in batch])


def _is_plain(array: Any, like: Any) -> bool:
    """Whether this is an array of the same shape and dtype, with its elements in row-major order without gaps."""
    alike = type(array) is np.ndarray and array.dtype is like.dtype and array.shape == like.shape
    return alike and array.flags.c_contiguous


def collate_numpy_scalar_fn(batch: Any, *, collate_fn_map: CollateFns | None = None) -> Tensor:
    """Combine NumPy scalars into a Tensor of their dtype."""
    return as_tensor(np.array(batch))


def collate_float_fn(batch: Any, *, collate_fn_map: CollateFns | None = None) -> Tensor:
    """Combine floats into a float64 Tensor."""
    return tensor(batch, dtype=np.float64)


def collate_int_fn(batch: Any, *, collate_fn_map: CollateFns | None = None) -> Tensor:
    """Combine ints into an int64 Tensor, or bools into a bool Tensor."""
    return tensor(batch)


def collate_str_fn(batch: Any, *, collate_fn_map: CollateFns | None = None) -> Any:
    """Return strings as they are."""
    return batch


CollateFns = dict[Any, Callable[..., Any]]  # by a type, or a tuple of types
default_collate_fn_map: CollateFns = {
    Tensor: collate_tensor_fn, np.ndarray: collate_numpy_array_fn, (np.number, np.bool_): collate_numpy_scalar_fn,
    float: collate_float_fn, int: collate_int_fn, str: collate_str_fn, bytes: collate_str_fn,
}  # fmt: skip


def default_convert(data: Any) -> Any:
    """Convert the arrays of a sample to Tensors, and leave the rest as it is. Source: torch.utils.data.default_convert.

    >>> torch.utils.data.default_convert({"a": np.array([1, 2]), "b": "text"})
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
    """Put items into a container of the original's type, a copy if that is mutable; plain tuples become lists."""
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
    except TypeError:  # a type that can't be made from items
        return items
