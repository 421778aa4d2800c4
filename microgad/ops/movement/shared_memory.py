"""Memory that processes share: an array in it is the same in a process that it was sent to, or that was forked."""

from __future__ import annotations

from multiprocessing.heap import Arena
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np

from ... import backend
from ...backend.memory_layout import address, elsewhere, memory_of
from ...errors import DeviceError
from ...type_aliases import Tensor
from ..view_writes import live_views


class _Memory:
    """A file without a name, mapped: what NumPy makes an array of."""

    def __init__(self, arena: Any) -> None:
        self.arena = arena
        self.__array_interface__ = np.frombuffer(arena.buffer, np.uint8).__array_interface__


def _memory_of(x: Any) -> _Memory | None:
    """The shared memory that an array lies in."""
    base = None if backend.is_gpu(x) else backend.owner(x).base
    return base if type(base) is _Memory else None


def is_shared(input: Tensor) -> bool:
    """Whether other processes may see what is written to it. Source: torch.Tensor.is_shared.

    >>> x = torch.zeros(2)
    >>> x.is_shared(), x.share_memory_().is_shared()
    (False, True)
    """
    return _memory_of(input.array) is not None


def share_memory_(input: Tensor) -> Tensor:
    """Move it to memory that processes share: those forked from now on, and those it is sent to as an argument or
    through a queue of torch.multiprocessing, read and write the same values.

    A base and its views are moved together; arrays, and what was detached before, stay where they are. Raises
    RuntimeError on a GPU. Source: torch.Tensor.share_memory_.
    """
    if backend.is_gpu(input.array):
        raise DeviceError("share_memory_: arrays on a GPU can't be shared with other processes")
    if _memory_of(input.array) is None:
        base = input if input.base is None else input.base
        whole = memory_of(base.array)
        row = np.asarray(_Memory(Arena(max(whole.nbytes, 1))))
        row[: whole.nbytes].view(whole.dtype)[...] = whole
        for tensor in (base, *live_views(base)):
            tensor.array = elsewhere(tensor.array, whole, row)
            ForkingPickler.register(type(tensor), _reduced)
    return input


def _reduced(tensor: Tensor) -> tuple[Any, ...]:
    """How a Tensor is sent to another process."""
    array = tensor.array
    memory = _memory_of(array)
    if memory is None:
        return tensor.__reduce_ex__(2)
    start = address(array) - address(backend.owner(array))
    facts = memory.arena, start, array.shape, array.strides, array.dtype, tensor.requires_grad
    return _received, (type(tensor), *facts)


def _received(kind: Any, arena: Any, start: int, shape: Any, strides: Any, dtype: Any, requires_grad: bool) -> Any:
    ForkingPickler.register(kind, _reduced)
    row = np.asarray(_Memory(arena))
    array = np.ndarray(shape, dtype, row, start, strides)
    return kind._made(array).requires_grad_(requires_grad)
