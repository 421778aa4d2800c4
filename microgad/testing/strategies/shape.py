"""Strategies of shapes, of shapes that broadcast together, and of axes."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ...errors import ArgumentError

Shape = tuple[int, ...]


@st.composite
def shapes(draw: st.DrawFn, /, *, min_dims: int = 0, max_dims: int = 3, min_side: int = 1, max_side: int = 4) -> Shape:
    """Draw shapes. `max_dims` and `max_side` are inclusive; `min_side=0` allows empty arrays.

    More dimensions are drawn more often, since more can go wrong. The last two sides are often equal, since only then a
    matrix transposed by mistake has the right shape.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.shapes(), lambda shape: len(shape) > 1)
    (1, 1)
    """
    if not 0 <= min_dims <= max_dims or not 0 <= min_side <= max_side:
        raise ArgumentError(
            f"shapes: from {min_dims} to {max_dims} axes, with sides from {min_side} to {max_side}, there is none"
        )
    often = [(ndim, False) for ndim in range(min_dims, max_dims + 1) for _ in range(min(ndim, 2) + 1)]
    often += [(ndim, True) for ndim in range(max(min_dims, 2), max_dims + 1) for _ in range(2)]
    ndim, square = draw(st.sampled_from(often))
    sides = [draw(st.integers(min_side, max_side)) for _ in range(ndim)]
    return (*sides[:-1], sides[-2]) if square else tuple(sides)


@st.composite
def broadcastable_shapes(
    draw: st.DrawFn, n: int, /, *, min_dims: int = 0, max_dims: int = 3, min_side: int = 1, max_side: int = 4
) -> tuple[Shape, ...]:
    """Draw `n` shapes that broadcast together, by axes of size 1 and by missing ones, each about equally often.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.broadcastable_shapes(2), lambda pair: len(pair[1]) > len(pair[0]))
    ((), (1,))
    """
    whole = draw(shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side))
    found = []
    for _ in range(n):
        way = draw(st.sampled_from(("whole", "missing", "one axis", "any")))
        size = list(whole)
        if way == "one axis" and size and min_side <= 1:
            size[draw(st.integers(-len(size), -1))] = 1
        if way == "any" and min_side <= 1:
            size = [draw(st.sampled_from((side, 1))) for side in size]
        if way in ("missing", "any"):
            size = size[len(size) - draw(st.integers(min_dims, len(size))) :]
        found.append(tuple(size))
    return tuple(found)


def axes(ndim: int, *, several: bool = True, all: bool = True) -> st.SearchStrategy[Any]:
    """Draw values of `dim` for `ndim` dimensions: an int from either end, a tuple (if `several`), None (if `all`).

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.axes(3), lambda dim: isinstance(dim, tuple) and len(dim) == 2)
    (0, 1)
    """
    if ndim < 0:
        raise ArgumentError(f"axes: ndim must be at least 0, got {ndim}")
    chosen: list[st.SearchStrategy[Any]] = [st.none()] if all else []
    if ndim:
        one = st.sampled_from(range(ndim)).flatmap(lambda axis: st.sampled_from((axis, axis - ndim)))
        chosen.append(one)
        if several:
            chosen.append(st.lists(one, min_size=1, max_size=ndim, unique_by=lambda axis: axis % ndim).map(tuple))
    return st.one_of(chosen)
