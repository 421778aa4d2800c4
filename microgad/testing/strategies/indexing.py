"""Indices: what can stand between the brackets of x[...]."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from ...errors import ArgumentError
from .shape import Shape, shapes

INDEX_KINDS = ("basic", "integer", "boolean", "mixed")


def indices(shape: Shape, kind: str | None = None) -> st.SearchStrategy[Any]:
    """What a Tensor of a shape can be indexed by; any of the kinds, unless one is named.

    basic: ints, slices (of positive steps, as PyTorch has it), `...` and None, which give a view. integer: an array of
    ints for each dimension, or a list of ints for the first; an element may come more than once. boolean: a mask over
    the first dimensions. mixed: lists of ints, or one mask and lists, among what is basic.

    Raises ValueError for a kind that there isn't, and where nothing of the kind fits: only "basic" and "boolean" do
    where the shape has no dimension, and "integer" needs all sides, "mixed" one side, to be at least 1.

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
    """The same with slices that run forwards."""
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
    """An item for each axis, of which one or more are arrays; those broadcast together. `...` or None among them."""
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
    """What indexes one axis and gives a view."""
    slices = st.just(slice(None)) | st.slices(side).map(_forwards)
    return slices | st.integers(-side, side - 1) if side else slices


def _places(side: int, least: int = 1, most: int = 4) -> st.SearchStrategy[list[int]]:
    """Lists of ints that index an axis, from either end."""
    return st.lists(st.integers(0, side - 1) | st.integers(-side, -1), min_size=least, max_size=most)
