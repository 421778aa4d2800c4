"""What updates of every kind share: stretches that stay in the cache, and the gradient with its weight decay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import backend

SIZE = 1 << 16  # elements at a time: measured, 64k to 128k are best; 4k doubles the time


def chunks(*arrays: Any, scratch: int) -> Iterator[tuple[Any, ...]]:
    """Matching stretches of arrays of one shape, each followed by `scratch` arrays like it to write on.

    Complex arrays come as their real and then their imaginary parts. A GPU wants few large calls: all at once.

    >>> [[len(part) for part in parts] for parts in chunks(np.zeros((300, 300)), np.ones((300, 300)), scratch=1)]
    [[65536, 65536, 65536], [24464, 24464, 24464]]
    """
    first = arrays[0]
    if first.dtype.kind == "c":
        yield from chunks(*(array.real for array in arrays), scratch=scratch)
        yield from chunks(*(array.imag for array in arrays), scratch=scratch)
    elif first.size <= SIZE or backend.is_gpu(first) or not all(array.flags.c_contiguous for array in arrays):
        yield *arrays, *(np.empty_like(first) for _ in range(scratch))
    else:
        flat = [array.reshape(-1) for array in arrays]
        spare = [np.empty_like(first, shape=SIZE) for _ in range(scratch)]
        for start in range(0, first.size, SIZE):
            yield *(array[start : start + SIZE] for array in flat), *(s[: first.size - start] for s in spare)


def descent(grad: Any, values: Any, out: Any, weight_decay: float, maximize: bool) -> Any:
    """The gradient to step against, `weight_decay` · values included: `grad` itself where nothing changes, else `out`.

    >>> descent(np.ones(2), np.array([1.0, 2.0]), np.empty(2), weight_decay=0.5, maximize=True)
    array([-0.5,  0. ])
    """
    if weight_decay:
        np.multiply(values, weight_decay, out=out)
        return (np.subtract if maximize else np.add)(out, grad, out=out)
    return np.negative(grad, out=out) if maximize else grad
