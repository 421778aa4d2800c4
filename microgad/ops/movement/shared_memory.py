"""Tensors in shared memory: a process that was forked, or was sent such a Tensor, reads and writes the same values."""

from __future__ import annotations

from multiprocessing.heap import Arena
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np

from ... import backend
from ...backend.memory_layout import SharedMemory, address, elsewhere, memory_of, shared_memory_of
from ...type_aliases import Tensor
from ...view_writes.registry import base_of, live_views


def is_shared(input: Tensor) -> bool:
    """Whether input lies in memory that other processes share, or on a GPU. Source: torch.Tensor.is_shared.

    >>> x = torch.zeros(2)
    >>> x.is_shared(), x.share_memory_().is_shared()
    (False, True)
    """
    return backend.is_gpu(input.array) or shared_memory_of(input.array) is not None


def share_memory_(input: Tensor) -> Tensor:
    """Move input to shared memory. Source: torch.Tensor.share_memory_.

    Processes forked from now on, and those that receive it as an argument or through a queue of torch.multiprocessing,
    read and write the same values. A base and its views are moved together; NumPy arrays and Tensors that were detached
    before keep the old memory. On a GPU nothing happens.
    """
    if not is_shared(input):
        base = base_of(input)
        whole = memory_of(base.array)
        row = np.asarray(SharedMemory(Arena(max(whole.nbytes, 1))))
        row[: whole.nbytes].view(whole.dtype)[...] = whole
        for tensor in (base, *live_views(base)):
            tensor.array = elsewhere(tensor.array, whole, row)
            ForkingPickler.register(type(tensor), _reduced)
    return input


def _reduced(tensor: Tensor) -> tuple[Any, ...]:
    """Pickle a Tensor for another process: by its memory if that is shared, else by value."""
    array = tensor.array
    memory = shared_memory_of(array)
    if memory is None:
        return tensor.__reduce_ex__(2)
    start = address(array) - address(backend.owner(array))
    state = memory.arena, start, array.shape, array.strides, array.dtype, tensor.requires_grad
    return _rebuilt, (type(tensor), *state)


def _rebuilt(kind: Any, arena: Any, start: int, shape: Any, strides: Any, dtype: Any, requires_grad: bool) -> Any:
    """Unpickle a Tensor in shared memory."""
    ForkingPickler.register(kind, _reduced)
    row = np.asarray(SharedMemory(arena))
    array = np.ndarray(shape, dtype, row, start, strides)
    return kind._wrap(array).requires_grad_(requires_grad)
