"""Send objects between processes; large arrays go through anonymous shared memory.

Unlike named shared memory, it is freed even if a process is killed.
"""

from __future__ import annotations

import mmap
import os
import pickle
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from ...lazy import LazyModule

socket = LazyModule("socket")
ALIGNED = 64  # bytes: arrays start at multiples of it
LARGE = 4096  # bytes: less goes through the pipe
SHARED = hasattr(os, "memfd_create")  # Linux


def send(connection: Any, value: Any) -> None:
    """Send a value, pickled with its arrays out of band; if it is large, through shared memory."""
    buffers: list[Any] = []
    pickled = pickle.dumps(value, protocol=5, buffer_callback=lambda buffer: buffers.append(buffer.raw()))
    parts = [memoryview(pickled), *buffers]
    sizes = [part.nbytes for part in parts]
    *starts, total = _places(sizes)
    shared = SHARED and total > LARGE
    connection.send_bytes(pickle.dumps((shared, sizes)))
    if not shared:
        for part in parts:
            connection.send_bytes(part)
        return
    descriptor = os.memfd_create("microgad")
    try:
        os.ftruncate(descriptor, total)
        with mmap.mmap(descriptor, total) as memory:
            for part, start, size in zip(parts, starts, sizes, strict=True):
                memory[start : start + size] = part
        with _socket(connection) as end:
            socket.send_fds(end, [b"."], [descriptor])
    finally:
        os.close(descriptor)


def receive(connection: Any) -> Any:
    """Receive a value. Its arrays are views of the shared memory, which is freed with the last of them.

    >>> from multiprocessing import Pipe
    >>> here, there = Pipe()
    >>> send(here, [np.ones(2), "a"])
    >>> receive(there)
    [array([1., 1.]), 'a']
    """
    shared, sizes = pickle.loads(connection.recv_bytes())
    if not shared:
        pickled, *buffers = [bytearray(connection.recv_bytes()) for _ in sizes]
        return pickle.loads(pickled, buffers=buffers)
    with _socket(connection) as end:
        byte, descriptors, *_ = socket.recv_fds(end, 1, 1)
    if not byte:
        raise EOFError
    if not descriptors:
        raise RuntimeError("shared memory can't be opened: this process has all files open that it may (ulimit -n)")
    (descriptor,) = descriptors
    try:
        memory = memoryview(mmap.mmap(descriptor, 0))
    finally:
        os.close(descriptor)
    parts = [memory[start : start + size] for start, size in zip(_places(sizes), sizes, strict=False)]
    return pickle.loads(parts[0], buffers=parts[1:])


def _socket(connection: Any) -> Any:
    """A pipe's end as a socket. Python's own functions that send descriptors await an answer, since 3.14."""
    return socket.fromfd(connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM)


def _places(sizes: list[int]) -> Iterator[int]:
    """Iterate over where parts of these sizes begin in shared memory, and then where the last one ends."""
    return accumulate((-(-size // ALIGNED) * ALIGNED for size in sizes), initial=0)
