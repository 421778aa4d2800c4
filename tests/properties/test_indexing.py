"""Indexing, read and written: basic, integer, boolean, mixed."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

import microgad as torch
from microgad.ops.indexing import Clear, Gather, GetItem, SetItem
from microgad.ops.selection import Select
from microgad.testing.strategies import axes, shapes, tensors

from .registry import checks

sizes = shapes(min_dims=1)


@st.composite
def indices(draw, shape):
    """Everything that can stand between the brackets: integers may come more than once."""
    kind = draw(st.sampled_from(["basic", "integer", "boolean", "rows", "mixed"]))
    if kind == "basic":
        return draw(arrays_of.basic_indices(shape, allow_newaxis=True))
    if kind == "integer":
        return draw(arrays_of.integer_array_indices(shape, result_shape=shapes(max_dims=2, max_side=3)))
    if kind == "boolean":
        return draw(arrays_of.arrays(bool, shape[: draw(st.integers(1, len(shape)))]))
    rows = draw(st.lists(st.integers(-shape[0], shape[0] - 1), min_size=1, max_size=4))
    return rows if kind == "rows" else (rows, ..., slice(None, None, 2) if len(shape) > 1 else None)


@checks(GetItem)
def test_getitem(draw):
    x = draw(tensors(sizes, requires_grad=True))
    index = draw(indices(tuple(x.shape)))
    return lambda x: x[index], x


@checks(GetItem)
def test_split_chunk_unbind_narrow(draw):
    x = draw(tensors(sizes, requires_grad=True))
    dim, n = draw(axes(x.ndim, several=False, all=False)), draw(st.integers(1, 3))
    functions = [
        lambda x: torch.split(x, n, dim),
        lambda x: torch.chunk(x, n, dim),
        lambda x: torch.unbind(x, dim),
        lambda x: torch.narrow(x, dim, x.shape[dim] // 2, 1),
    ]
    return draw(st.sampled_from(functions)), x


@checks(SetItem, Clear, Select)
def test_setitem(draw):
    """Where an index comes more than once, the last value stays; the value broadcasts."""
    x = draw(tensors(sizes, requires_grad=True))
    index = draw(indices(tuple(x.shape)))
    target = np.empty(x.shape)[index].shape
    size = tuple(draw(st.sampled_from([1, n])) for n in target)[draw(st.integers(0, len(target))) :]
    value = draw(tensors(size, requires_grad=True))

    def function(x, value):
        out = x.clone()
        out[index] = value
        return out

    return function, x, value


@checks(Clear)
def test_a_number_written(draw):
    x = draw(tensors(sizes, requires_grad=True))
    index = draw(indices(tuple(x.shape)))

    def function(x):
        out = x * 2
        out[index] = 1.5
        return out

    return function, x


@checks(Gather)
def test_gather(draw):
    """The index may be shorter than the input along every dimension, and longer along dim."""
    x = draw(tensors(sizes, requires_grad=True))
    dim = draw(axes(x.ndim, several=False, all=False))
    shape = tuple(draw(st.integers(1, 4 if i == dim % x.ndim else n)) for i, n in enumerate(x.shape))
    index = draw(arrays_of.arrays(np.int64, shape, elements=st.integers(0, x.shape[dim] - 1)))
    return lambda x: torch.gather(x, dim, torch.tensor(index)), x
