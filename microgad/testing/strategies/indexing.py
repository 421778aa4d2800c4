"""Strategies of indices: what can stand between the brackets of x[...]."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from ...errors import ArgumentError
from .shape import Shape, shapes

INDEX_KINDS = ("basic", "integer", "boolean", "mixed")


def indices(shape: Shape, kind: str | None = None) -> st.SearchStrategy[Any]:
    """Draw indices of a Tensor of a shape, of one kind or, by default, of any.

    "basic": ints, slices (with positive steps, as in PyTorch), `...` and None, which make a view. "integer": an array
    of ints for each dimension, or a list of ints for the first; elements may repeat. "boolean": a mask over the first
    dimensions. "mixed": lists of ints, or one mask and lists, among basic items.

    Raises ValueError for an unknown kind, and if no index of the kind fits the shape. A shape without dimensions takes
    only "basic" and "boolean"; "integer" needs all sides to be at least 1, "mixed" one of them.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.indices((2, 3), "integer"), lambda index: np.zeros((2, 3))[index].size > 2)
    [0]
    >>> find(torch.testing.strategies.indices((2, 3), "mixed"), lambda index: len(index) == 2)
    ([0], slice(None, None, None))
    """
    possible = {
        "basic": True,
        "integer": len(shape) > 0 and min(shape) > 0,
        "boolean": True,
        "mixed": any(shape),
    }
    if kind is not None and kind not in INDEX_KINDS:
        raise ArgumentError(f"indices: kind must be one of {', '.join(INDEX_KINDS)}, got {kind!r}")
    if kind is not None and not possible[kind]:
        raise ArgumentError(f"indices: no {kind} index fits the shape {shape}")
    made = {"basic": _basic, "integer": _integer, "boolean": _masks, "mixed": _mixed}
    return st.one_of([made[name](shape) for name in INDEX_KINDS if (possible[name] if kind is None else name == kind)])


def _basic(shape: Shape) -> st.SearchStrategy[Any]:
    return arrays_of.basic_indices(shape, allow_newaxis=True).map(_forwards)


def _forwards(index: Any) -> Any:
    """Make the steps of slices positive."""
    if type(index) is tuple:
        return tuple(map(_forwards, index))
    return slice(None, None, -index.step) if type(index) is slice and (index.step or 1) < 0 else index


def _integer(shape: Shape) -> st.SearchStrategy[Any]:
    return _places(shape[0]) | arrays_of.integer_array_indices(shape, result_shape=shapes(max_dims=2, max_side=3))


def _masks(shape: Shape) -> st.SearchStrategy[Any]:
    covered = st.integers(min(1, len(shape)), len(shape))
    return covered.flatmap(lambda ndim: arrays_of.arrays(bool, shape[:ndim], fill=st.nothing()))


@st.composite
def _mixed(draw: st.DrawFn, shape: Shape) -> tuple[Any, ...]:
    """Draw an item for each axis, one or more of them arrays that broadcast together, and perhaps `...` or None."""
    filled = [axis for axis, side in enumerate(shape) if side]
    arrays = draw(st.lists(st.sampled_from(filled), min_size=1, unique=True))
    index = [draw(_one_basic(side)) for side in shape]
    first = draw(_places(shape[arrays[0]]) | arrays_of.arrays(bool, shape[arrays[0]], fill=st.nothing()))
    chosen = int(first.sum()) if isinstance(first, np.ndarray) else len(first)
    index[arrays[0]] = first
    for axis in arrays[1:]:
        length = draw(st.sampled_from((1, chosen)))
        index[axis] = draw(_places(shape[axis], length, length))
    between = [(None,), (...,)] if len(arrays) == len(shape) else [(), (None,), (...,)]
    at = draw(st.integers(0, len(shape)).map(lambda n: len(shape) - n))
    return (*index[:at], *draw(st.sampled_from(between)), *index[at:])


def _one_basic(side: int) -> st.SearchStrategy[Any]:
    """Draw an index of one axis that makes a view."""
    slices = st.just(slice(None)) | st.slices(side).map(_forwards)
    return slices | st.integers(-side, side - 1) if side else slices


def _places(side: int, least: int = 1, most: int = 4) -> st.SearchStrategy[list[int]]:
    """Draw lists of ints that index an axis, from either end."""
    return st.lists(st.integers(0, side - 1) | st.integers(-side, -1), min_size=least, max_size=most)
