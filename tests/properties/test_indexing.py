"""Reading and writing by index: basic, integer, boolean and mixed indices, along a dimension, by mask, and flat."""

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

import microgad as torch
from microgad.ops import indexing as ops
from microgad.ops.elementwise import Select
from microgad.testing.strategies import axes, indices, shapes, tensors

from .registry import checks

sizes = shapes(min_dims=1)


def valid_index(draw, shape):
    return draw(indices(shape, draw(st.sampled_from(["basic", "integer", "boolean", "mixed"]))))


def value_for(draw, x, index):
    """A value that broadcasts to x[index]."""
    target = tuple(x.detach()[index].shape)
    size = tuple(draw(st.sampled_from([1, n])) for n in target)[draw(st.integers(0, len(target))) :]
    return draw(tensors(size, requires_grad=True))


def along(draw, x):
    """A dimension, and indices along it for gather and scatter; other dimensions may be shorter than x's."""
    dim = draw(axes(x.ndim, several=False, all=False))
    shape = tuple(draw(st.integers(1, 4 if i == dim % x.ndim else n)) for i, n in enumerate(x.shape))
    return dim, draw(arrays_of.arrays(np.int64, shape, elements=st.integers(0, x.shape[dim] - 1)))


def rows(draw, x):
    """A dimension, and a vector of indices along it."""
    dim = draw(axes(x.ndim, several=False, all=False))
    return dim, draw(st.lists(st.integers(0, x.shape[dim] - 1), min_size=1, max_size=4))


def with_length(x, dim, length):
    """x's shape with another length along a dimension."""
    return tuple(length if i == dim % x.ndim else n for i, n in enumerate(x.shape))


@checks(ops.GetItem)
def test_getitem(draw):
    x = draw(tensors(sizes, requires_grad=True))
    index = valid_index(draw, tuple(x.shape))
    return lambda x: x[index], x


@checks(ops.GetItem)
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


@checks(ops.IndexSelect)
def test_index_select(draw):
    x = draw(tensors(sizes, requires_grad=True))
    dim, index = rows(draw, x)
    return lambda x: torch.index_select(x, dim, torch.tensor(index, device=x.device)), x


@checks(ops.GetItem)
def test_take_and_masked_select(draw):
    """Values by flat index, and by mask."""
    x = draw(tensors(sizes, requires_grad=True))
    flat = draw(st.lists(st.integers(-x.numel(), x.numel() - 1), min_size=1, max_size=6))
    mask = draw(arrays_of.arrays(bool, tuple(x.shape)[draw(st.integers(0, x.ndim - 1)) :]))
    functions = [
        lambda x: torch.take(x, torch.tensor(flat, device=x.device)),
        lambda x: torch.masked_select(x, torch.tensor(mask, device=x.device)),
    ]
    return draw(st.sampled_from(functions)), x


@checks(ops.SetItem, ops.ClearItem, Select)
def test_setitem(draw):
    """The value broadcasts, and the last value of a repeated index stays."""
    x = draw(tensors(sizes, requires_grad=True))
    index = valid_index(draw, tuple(x.shape))
    value = value_for(draw, x, index)

    def function(x, value):
        out = x.clone()
        out[index] = value
        return out

    return function, x, value


@checks(ops.ClearItem)
def test_setitem_of_a_number(draw):
    x = draw(tensors(sizes, requires_grad=True))
    index = valid_index(draw, tuple(x.shape))

    def function(x):
        out = x * 2
        out[index] = 1.5
        return out

    return function, x


@checks(ops.SetItem, ops.ClearItem)
def test_scatter_index_copy_index_fill_and_masked_fill(draw):
    x = draw(tensors(sizes, requires_grad=True))
    dim, index = along(draw, x)
    at, vector = rows(draw, x)
    mask = draw(arrays_of.arrays(bool, tuple(x.shape)[draw(st.integers(0, x.ndim - 1)) :]))
    one = draw(tensors((), requires_grad=True))
    src = draw(tensors(index.shape, requires_grad=True))
    slices = draw(tensors(with_length(x, at, len(vector)), requires_grad=True))
    cases = [
        (lambda x, src: torch.scatter(x, dim, torch.tensor(index, device=x.device), src), src),
        (lambda x, slices: torch.index_copy(x, at, torch.tensor(vector, device=x.device), slices), slices),
        (lambda x, one: torch.index_fill(x, at, torch.tensor(vector, device=x.device), one), one),
        (lambda x, one: torch.masked_fill(x, torch.tensor(mask, device=x.device), one), one),
    ]
    function, value = draw(st.sampled_from(cases))
    return function, x, value


@checks(ops.MaskedScatter)
def test_masked_scatter(draw):
    x = draw(tensors(sizes, requires_grad=True))
    mask = draw(arrays_of.arrays(bool, tuple(x.shape)[draw(st.integers(0, x.ndim - 1)) :]))
    source = draw(tensors((x.numel() + 1,), requires_grad=True))
    in_place = draw(st.booleans())

    def function(x, source):
        given = torch.tensor(mask, device=x.device), source
        return (x * 2).masked_scatter_(*given) if in_place else torch.masked_scatter(x, *given)

    return function, x, source


@checks(ops.Gather)
def test_gather(draw):
    x = draw(tensors(sizes, requires_grad=True))
    dim, index = along(draw, x)
    return lambda x: torch.gather(x, dim, torch.tensor(index, device=x.device)), x


@checks(ops.AddItem, ops.GetItem)
def test_scatter_add_index_add_and_accumulating_index_put(draw):
    """All values of a repeated index are added."""
    x = draw(tensors(sizes, requires_grad=True))
    dim, index = along(draw, x)
    at, vector = rows(draw, x)
    where = draw(indices(tuple(x.shape), "integer"))
    where = [torch.tensor(i) for i in (where if isinstance(where, tuple) else (where,))]
    src = draw(tensors(index.shape, requires_grad=True))
    slices = draw(tensors(with_length(x, at, len(vector)), requires_grad=True))
    value = value_for(draw, x, tuple(where))
    cases = [
        (lambda x, src: torch.scatter_add(x, dim, torch.tensor(index, device=x.device), src), src),
        (lambda x, slices: torch.index_add(x, at, torch.tensor(vector, device=x.device), slices, alpha=-2), slices),
        (lambda x, value: torch.index_put(x, where, value, accumulate=True), value),
        (lambda x, src: torch.scatter_reduce(x, dim, torch.tensor(index, device=x.device), src, "mean"), src),
    ]
    function, value = draw(st.sampled_from(cases))
    return function, x, value


def one_zero_at_most(src):
    """The source with one zero at most: the second derivative is refused for two zeros at one index."""
    array = src.detach().array
    return src.detach().masked_fill(torch.from_numpy(np.cumsum(array == 0).reshape(array.shape) > 1), 0.5)


@checks(ops.MulItem)
def test_scatter_reduce_by_product(draw):
    x = draw(tensors(sizes, requires_grad=True))
    dim, index = along(draw, x)
    src = one_zero_at_most(draw(tensors(index.shape))).requires_grad_()
    include = draw(st.booleans())
    return (
        lambda x, src: torch.scatter_reduce(
            x, dim, torch.tensor(index, device=x.device), src, "prod", include_self=include
        ),
        x,
        src,
    )


@checks(ops.ExtremeItem)
def test_scatter_reduce_by_extrema(draw):
    """Ties share the gradient; with include_self=False, the input gets none where a source was written."""
    x = draw(tensors(sizes, requires_grad=True))
    dim, index = along(draw, x)
    src = draw(tensors(index.shape, requires_grad=True))
    reduce, include = draw(st.sampled_from(["amax", "amin"])), draw(st.booleans())
    assume(include or set(x.flatten().tolist()).isdisjoint(src.flatten().tolist()))  # PyTorch counts these as ties
    return (
        lambda x, src: torch.scatter_reduce(
            x, dim, torch.tensor(index, device=x.device), src, reduce, include_self=include
        ),
        x,
        src,
    )


REDUCTIONS = {"sum": sum, "prod": np.prod, "mean": np.mean, "amax": max, "amin": min}


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_scatter_reduce_equals_reductions_in_python(reduce, include_self):
    x, src, index = [[-5.0, 7.0, 0.5]], [[-2.0, -3.0, -4.0, 6.0]], [[0, 0, 0, 2]]
    out = torch.tensor(x).scatter_reduce(1, torch.tensor(index), torch.tensor(src), reduce, include_self=include_self)
    groups = [[x[0][i]] * (include_self or i not in index[0]) for i in range(3)]
    for i, value in zip(index[0], src[0], strict=True):
        groups[i].append(value)
    expected = [REDUCTIONS[reduce](group) for group in groups]
    np.testing.assert_allclose(out[0].numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("reduction", [(), ("sum",)])
def test_of_a_source_larger_than_the_index_the_first_values_are_written(reduction):
    write = torch.scatter_reduce if reduction else torch.scatter
    src = torch.arange(12.0).reshape(3, 4).requires_grad_()
    out = write(torch.zeros(3, 5), 1, torch.tensor([[4, 0], [1, 2]]), src, *reduction)
    assert out.tolist() == [[1, 0, 0, 0, 0], [0, 4, 5, 0, 0], [0, 0, 0, 0, 0]]
    (grad,) = torch.autograd.grad(out.sum(), src)
    assert grad.tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    number, two = torch.tensor(1), torch.tensor([5.0, 6.0])
    assert write(torch.zeros(3), 0, number, two, *reduction).tolist() == [0, 5, 0]


def test_zeros_that_meet_in_a_product_and_nan_among_extremes_have_the_gradient_of_the_formula():
    src, index = torch.tensor([0.0, 0.0, 2.0, 0.0, 3.0], requires_grad=True), torch.tensor([0, 0, 0, 1, 1])
    out = torch.scatter_reduce(torch.tensor([5.0, 7.0]), 0, index, src, "prod")
    (grad,) = torch.autograd.grad(out.sum(), src)
    assert grad.tolist() == [0, 0, 0, 21, 0]
    src = torch.tensor([torch.nan, 2.0], requires_grad=True)
    out = torch.scatter_reduce(torch.tensor([5.0]), 0, torch.tensor([0, 0]), src, "amax")
    assert torch.autograd.grad(out.sum(), src)[0].isnan().all()  # as in PyTorch


def test_ties_share_the_gradient():
    x, src = torch.tensor([2.0, 0.0], requires_grad=True), torch.tensor([2.0, 2.0, 1.0, 5.0], requires_grad=True)
    out = torch.scatter_reduce(x, 0, torch.tensor([0, 0, 0, 1]), src, "amax")
    by_x, by_src = torch.autograd.grad(out, (x, src), torch.tensor([3.0, 1.0]))
    assert (by_x.tolist(), by_src.tolist()) == ([1, 0], [1, 1, 0, 1])


SHAPES = [
    ((40, 70), 300), ((3, 50, 40), 700), ((900, 3), 2000), ((2000,), 5000), ((9, 600), 60), ((5, 700), 900),
    ((200, 120), 2400),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "count"), SHAPES)
@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum])
@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_the_algorithms_for_many_values_equal_numpy(shape, count, ufunc, dtype):
    """Many values are added, multiplied or compared row by row or flat, in place of `ufunc.at`, but in its order."""
    rng = np.random.default_rng(0)
    for axis in range(len(shape)):
        for spread, repeats in ((shape[axis], 0), (7 if shape[axis] > 7 else 1, 0), (shape[axis], count // 2)):
            where = rng.integers(-1, spread - 1, count)
            where[:repeats] = 0  # a few passes over rows, and then the other algorithm
            index = (*(slice(None),) * axis, where)
            values = rng.choice([-1, 1, 0.5, 2], (*shape[:axis], count, *shape[axis + 1 :]))
            x = (rng.standard_normal(shape) * 3).astype(dtype)
            expected, values = x.copy(), values.astype(dtype)
            ufunc.at(expected, index, values)
            for found in (x, in_other_memory(x)):
                ops.index_kernels.at(ufunc, found, (*index, *(slice(None),) * (len(shape) - axis - 1)), values)
                np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shape", [(3000, 40), (2, 3000, 20)])
@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum])
def test_many_rows_at_distinct_places_equal_numpy(shape, ufunc):
    """They are taken in blocks."""
    rng, axis = np.random.default_rng(0), len(shape) - 2
    index = (*(slice(None),) * axis, rng.permutation(shape[axis])[:2500])
    x, values = rng.standard_normal(shape), rng.standard_normal((*shape[:axis], 2500, shape[-1]))
    expected = x.copy()
    ufunc.at(expected, index, values)
    for found in (x, in_other_memory(x)):
        ops.index_kernels.at(ufunc, found, (*index, slice(None)), values)
        np.testing.assert_array_equal(found, expected)


def in_other_memory(x):
    """A copy of x with its axes in reverse order, and with gaps."""
    out = np.zeros([n + 1 for n in x.shape[::-1]], x.dtype)[tuple(slice(n) for n in x.shape[::-1])].T
    out[...] = x
    return out


@pytest.mark.parametrize("shape", [(60, 40), (90, 3), (20, 30, 25), (700,)])
def test_rows_at_distinct_places_are_added_as_at_others(shape):
    rng = np.random.default_rng(0)
    for axis, n in enumerate(shape):
        where = rng.permutation(n)[: n // 2 + 1]
        index = (*(slice(None),) * axis, where, *(slice(None),) * (len(shape) - axis - 1))
        x = np.where(rng.random(shape) < 0.5, -0.0, rng.standard_normal(shape))
        values = np.where(rng.random(x[index].shape) < 0.5, -0.0, rng.standard_normal(x[index].shape))
        for blank in (False, True):
            start = np.zeros(shape) if blank else x
            expected = start.copy()
            np.add.at(expected, index, values)
            for found in (start.copy(), in_other_memory(start)):
                ops.index_kernels.add(found, index, values, blank)
                assert found.tobytes() == expected.tobytes()  # -0.0 + 0.0 is 0.0


@pytest.mark.parametrize("shape", [(5, 0), (0, 5), (0, 5, 3), (3, 5, 0)])
def test_many_indices_of_empty_rows(shape):
    dim = shape.index(5)
    x, index = torch.zeros(shape, requires_grad=True), torch.arange(700) % 5
    rows = torch.index_select(x, dim, index)
    assert torch.index_add(x, dim, index, rows).shape == torch.index_reduce(x, dim, index, rows, "amax").shape == shape
    assert torch.autograd.grad(x[(slice(None),) * dim + (index,)].sum(), x)[0].shape == shape


@pytest.mark.parametrize("contiguous", [True, False])
def test_the_kernels_for_many_indices_equal_numpy(contiguous):
    rng = np.random.default_rng(0)
    base = rng.standard_normal((60, 50, 4))
    x = base if contiguous else base.transpose(1, 0, 2)[:, ::2]
    every, few, many, mask = slice(None), slice(1, 4, 2), rng.integers(-9, 9, (40, 50)), rng.random(x.shape[:2]) < 0.5
    row = rng.integers(0, 9, 700)
    indices = [
        (every, many, every),
        (many, many, every),
        (many, many, many % 2),
        (mask, every),
        (many, 0, every),
        (row, few),
        (many, every, 1),
        (None, row, every, every),
        (few, None, row, 1, None),
        (row, every, row % 2),
        (1, every, row % 2),
        (row[:, None], [0, 5], few),
        (np.array(True), row, every, every),
        (few, mask[1], few),
        (1, mask[1], few),
    ]
    for index in indices:
        index = tuple(np.array(item) if isinstance(item, list) else item for item in index)
        np.testing.assert_array_equal(ops.index_kernels.take(x, index), x[index])
        out, expected = x.copy(), x.copy()
        ops.index_kernels.put(out, index, 0)
        expected[index] = 0
        np.testing.assert_array_equal(out, expected)
        values = rng.standard_normal(x[index].shape)
        expected = x.copy()
        np.add.at(expected, index, values)
        for out in (x.copy(order="K"), in_other_memory(x)):
            ops.index_kernels.add(out, index, values)
            np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("size", [(9000, 1), (100, 90, 1), (1, 9000)])
def test_many_flat_indices_into_an_array_with_gaps_may_have_a_last_axis_of_one_element(size):
    rng = np.random.default_rng(0)
    for count in (500, 100_000):
        values = rng.integers(0, 99, (count // 50, 5, 10))
        where, added = rng.integers(0, values.size, size), rng.integers(0, 99, size)
        x, flat = in_other_memory(values), values.reshape(-1)
        np.testing.assert_array_equal(ops.index_kernels.take(x, where), flat[where])
        ops.index_kernels.add(x, where, added)
        np.add.at(flat, where, added)
        np.testing.assert_array_equal(x, values)
        ops.index_kernels.put(x, where, added)
        flat[where] = added
        np.testing.assert_array_equal(x, values)


def test_values_broadcast_to_an_index_of_more_axes_than_the_tensor():
    """NumPy 2.4 reads beyond the end of the values in this case."""
    x, value = torch.zeros(3, dtype=torch.float64), torch.tensor([4.0, 7.0], dtype=torch.float64)
    index = torch.tensor([[0, 1], [1, 0], [2, 2]])
    assert torch.index_put(x, (index,), value, accumulate=True).tolist() == [11, 11, 11]
    np.add.at(x, index.numpy(), value)
    assert x.tolist() == [11, 11, 11]
