"""Embedding, embedding bags and the rows that they read: values and gradients."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad as torch
import microgad.nn.functional as F
from microgad.ops import embedding
from microgad.ops.embedding import BagSum, Embedding, TakeRows
from microgad.testing.strategies import shapes, tensors

from .registry import checks


def indices(draw, rows, size=None):
    size = draw(shapes(min_side=0)) if size is None else size
    return draw(tensors(size, dtype=torch.int64, elements=st.integers(0, rows - 1), layout="contiguous"))


@checks(Embedding, TakeRows)
def test_embedding(draw):
    weight = draw(tensors((draw(st.integers(1, 4)), draw(st.integers(1, 3))), requires_grad=True))
    return F.embedding, indices(draw, len(weight)), weight


@checks(TakeRows)
def test_take_rows(draw):
    """With few indices, and with many that repeat."""
    x = draw(tensors((draw(st.integers(1, 3)), 2), requires_grad=True))
    index = indices(draw, len(x), draw(st.sampled_from([(), (3,), (2, 3), (40,)])))
    return lambda x, index: TakeRows.apply(x, index=index.array), x, index


@checks(BagSum)
def test_bag_sum(draw):
    """With empty bags, and with one that is so long that its last rows are added by themselves."""
    x = draw(tensors((draw(st.integers(1, 3)), 2), requires_grad=True))
    lengths = np.array(draw(st.lists(st.sampled_from([0, 1, 3, 70]), min_size=1, max_size=3)))
    index = indices(draw, len(x), (int(lengths.sum()),))
    return lambda x, index: BagSum.apply(x, index=index.array, lengths=lengths), x, index


@given(st.integers(1, 40), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_many_gradients_of_few_rows_add_up_exactly(rows, spread, seed):
    """They are so many that they are added row by row, in their order, to zeros."""
    rng = np.random.default_rng(seed)
    index = np.minimum(rng.integers(0, rows, 60), rng.integers(0, rows, 60)) >> spread
    grad = np.where(rng.random((60, 600)) < 0.2, -0.0, rng.standard_normal((60, 600))).astype(np.float32)
    weight = torch.zeros(rows, 600, requires_grad=True)
    F.embedding(torch.tensor(index), weight).backward(torch.tensor(grad))
    expected = np.zeros((rows, 600), np.float32)
    np.add.at(expected, index, grad)
    assert weight.grad.numpy(force=True).tobytes() == expected.tobytes()


@checks(Embedding)
def test_embedding_bag(draw):
    weight = draw(tensors((4, 2), requires_grad=True, unique=True))
    mode = draw(st.sampled_from(["sum", "mean", "max"]))
    index = indices(draw, 4, (draw(st.integers(0, 6)),))
    offsets = torch.tensor([0, *sorted(draw(st.lists(st.integers(0, len(index)), max_size=2)))])
    if mode == "sum" and draw(st.booleans()):
        scale = draw(tensors(tuple(index.shape), requires_grad=True))
        return (
            lambda index, weight, offsets, scale: F.embedding_bag(
                index, weight, offsets, mode=mode, per_sample_weights=scale
            ),
            *(index, weight, offsets, scale),
        )
    return lambda index, weight, offsets: F.embedding_bag(index, weight, offsets, mode=mode), index, weight, offsets


@given(st.data())
def test_the_gradient_of_a_row_is_the_sum_over_its_uses(data):
    index = indices(data.draw, 5, data.draw(st.sampled_from([(7,), (30,), (3, 20)])))
    weight = torch.zeros(5, 2, dtype=torch.float64, requires_grad=True)
    rows = F.embedding(index, weight, padding_idx=data.draw(st.sampled_from([1, -4])), scale_grad_by_freq=True)
    seed = torch.tensor(np.random.default_rng(0).standard_normal(rows.shape))
    (g,) = torch.autograd.grad(rows, weight, seed)
    expected = np.zeros((5, 2))
    np.add.at(expected, index.array, seed.array)
    counts = np.maximum(np.bincount(index.array.reshape(-1), minlength=5), 1)
    expected /= counts[:, None]
    expected[1] = 0
    np.testing.assert_allclose(g.array, expected, atol=1e-12)


@given(st.data())
def test_bags_leave_out_what_is_padding_or_after_the_last_offset(data):
    mode, padding = data.draw(st.sampled_from(["sum", "mean", "max"])), data.draw(st.sampled_from([1, -3]))
    index, weight = indices(data.draw, 4, (8,)), data.draw(tensors((4, 2), unique=True))
    edges = [0, *sorted(data.draw(st.lists(st.integers(0, 8), min_size=1, max_size=4)))]
    scale = data.draw(tensors((8,))) if mode == "sum" and data.draw(st.booleans()) else None
    found = F.embedding_bag(
        index, weight, torch.tensor(edges), mode=mode, padding_idx=padding, per_sample_weights=scale,
        include_last_offset=True,
    )  # fmt: skip
    rows = weight.array[index.array] * (1 if scale is None else scale.array[:, None])
    reduced = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode]
    for bag, start, end in zip(found.array, edges[:-1], edges[1:], strict=True):
        counted = rows[start:end][index.array[start:end] != 1]
        np.testing.assert_allclose(bag, reduced(counted, 0) if len(counted) else 0, atol=1e-12)


def test_max_norm_scales_rows_of_the_weight_in_place():
    weight = torch.tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]], requires_grad=True)
    rows = F.embedding(torch.tensor([0, 1]), weight, max_norm=1.0)
    np.testing.assert_allclose(rows.detach().array, [[0.6, 0.8], [0.3, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(weight.detach().array, [[0.6, 0.8], [0.3, 0.4], [6, 8]], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("most", [0.1, 0.3, 2.5])
def test_rows_just_above_max_norm_are_scaled_by_a_factor_computed_in_float64(dtype, most):
    """0.1 is larger in float32 than in float64; a norm of 2.5 + 1e-7 would be rounded to 2.5."""
    sizes = (most * (1 + np.arange(-4, 20)[:, None] * 1e-7)).astype(dtype)
    weight = torch.tensor(sizes)
    torch.embedding_renorm_(weight, torch.arange(len(sizes)), most, float("inf"))
    exact = sizes.astype(np.float64)
    expected = np.where(exact > most, sizes * (most / (exact + 1e-7)).astype(dtype), sizes)
    np.testing.assert_array_equal(torch.tensor(expected).array, weight.array)


def test_padding_gets_no_gradient_not_even_nan():
    """The norm of a padding row of zeros has the gradient NaN, which must not reach the weight."""
    weight = torch.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    for scaled in (False, True):
        rows = F.embedding(torch.tensor([0, 1, 0]), weight, padding_idx=0, scale_grad_by_freq=scaled)
        (g,) = torch.autograd.grad((rows * rows).sum(1).sqrt().sum(), weight)
        np.testing.assert_allclose(g.array, [[0, 0], [0.6, 0.8]], rtol=1e-6)


def test_the_native_functions_take_a_padding_idx_of_no_row_and_modes_of_three_numbers():
    weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    for padding_idx, expected in ((-1, [1, 1]), (0, [0, 1]), (2, [1, 1])):
        rows = torch.embedding(weight, torch.tensor([0, 1]), padding_idx)
        assert torch.autograd.grad(rows[:, 0].sum(), weight)[0][:, 0].tolist() == expected
    for mode in (-1, 3):
        with pytest.raises(RuntimeError, match="mode has to be one of sum, mean or max"):
            torch.embedding_bag(weight, torch.tensor([0, 1]), torch.tensor([0]), mode=mode)


@pytest.mark.parametrize("largest", [600, 3])
def test_bags_of_very_different_sizes_take_little_memory(largest, monkeypatch):
    """Padded to the largest bag, all of them would take 40 MB."""
    monkeypatch.setattr(embedding, "MAX_TABLE", 1 << 12)
    rng = np.random.default_rng(0)
    sizes = np.concatenate([rng.integers(0, 3, 300), [largest], rng.integers(0, 3, 300)])
    stops, table = np.cumsum(sizes), rng.integers(0, 9, (1300, 28)).astype(np.float32)
    weight = torch.tensor(table, requires_grad=True)
    tracemalloc.start()
    out = F.embedding_bag(torch.arange(stops[-1]), weight, torch.tensor(stops - sizes), mode="max")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6
    expected, grad = np.zeros((len(sizes), 28), np.float32), np.zeros((1300, 28), np.float32)
    for i, (size, stop) in enumerate(zip(sizes, stops, strict=True)):
        if size:
            bag = table[stop - size : stop]
            expected[i] = bag.max(0)
            grad[stop - size + bag.argmax(0), np.arange(28)] += 1
    np.testing.assert_array_equal(out.detach().array, expected)
    out.sum().backward()
    np.testing.assert_array_equal(weight.grad.array, grad)


def test_one_hot_infers_the_number_of_classes_for_minus_one_only():
    with pytest.raises(RuntimeError, match="Class values must be"):
        F.one_hot(torch.tensor([0, 2]), -5)
