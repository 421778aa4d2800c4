"""Shapes, shapes that broadcast together, and the axes of a shape."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

Shape = tuple[int, ...]


def shapes(*, min_dims: int = 0, max_dims: int = 3, min_side: int = 1, max_side: int = 4) -> st.SearchStrategy[Shape]:
    """Shapes: `max_dims` and `max_side` are included; `min_side=0` lets arrays be empty.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.shapes(), lambda shape: len(shape) > 1)
    (1, 1)
    """
    return arrays_of.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


def broadcastable_shapes(
    n: int, *, min_dims: int = 0, max_dims: int = 3, min_side: int = 1, max_side: int = 4
) -> st.SearchStrategy[tuple[Shape, ...]]:
    """`n` shapes that broadcast together, by axes of size 1 and by missing ones.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.broadcastable_shapes(2), lambda pair: len(pair[1]) > len(pair[0]))
    ((), (1,))
    """
    together = arrays_of.mutually_broadcastable_shapes(
        num_shapes=n, min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side
    )
    return together.map(lambda drawn: drawn.input_shapes)


def axes(ndim: int, *, several: bool = True, all: bool = True) -> st.SearchStrategy[Any]:
    """What `dim` can be for `ndim` dimensions: an int from either end, a tuple (if `several`), None (if `all`).

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.axes(3), lambda dim: isinstance(dim, tuple) and len(dim) == 2)
    (0, 1)
    """
    chosen: list[st.SearchStrategy[Any]] = [st.none()] if all else []
    if ndim:
        one = st.integers(0, ndim - 1).flatmap(lambda axis: st.sampled_from((axis, axis - ndim)))
        chosen.append(one)
        if several:
            chosen.append(st.lists(one, min_size=1, max_size=ndim, unique_by=lambda axis: axis % ndim).map(tuple))
    return st.one_of(chosen)
