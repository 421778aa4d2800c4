"""Pooling compared with loops over patches, and its kernels with each other: ties, borders, NaN, integers."""

import math
import time
from functools import partial

import numpy as np
import pytest

import microgad as torch
import microgad.nn.functional as F
from microgad.ops.support.blocks import batch_blocks
from microgad.ops.window import avg_pool2d, fractional_pool, max_pool2d, max_pool_kernels, pool
from microgad.ops.window.geometry import pooling_window

from .patches import leaf, patches, random


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"),
    [
        (2, 2, 0, 1),
        (3, 2, 1, 1),
        ((2, 3), (1, 2), (1, 0), 1),
        (2, 3, 0, 1),
        (3, 1, 1, (2, 1)),
        (1, 1, 0, 1),
        (1, 2, 0, 1),
        ((4, 7), (4, 7), 0, 1),
        ((8, 7), 1, 0, 1),
        ((2, 7), (2, 1), 0, 1),
    ],
)
def test_pools_are_the_maximum_and_the_mean_of_each_window(kernel, stride, padding, dilation):
    x = random(2, 3, 8, 7)
    out = max_pool2d(torch.tensor(x), kernel, stride, padding, dilation).array
    np.testing.assert_array_equal(
        out, patches(x, kernel, stride, padding, dilation, -np.inf).max((4, 5)).transpose(0, 3, 1, 2)
    )
    if dilation == 1:
        x = leaf(x)
        out = avg_pool2d(x, kernel, stride, padding)
        expected = patches(x.array, kernel, stride, padding).mean((4, 5)).transpose(0, 3, 1, 2)
        np.testing.assert_allclose(out.detach().numpy(force=True), expected, rtol=0, atol=1e-12)
        (out * out.detach()).sum().backward()
        assert abs((x.grad * x).sum() - (out * out).sum()) < 1e-10  # the adjoint


@pytest.mark.parametrize("nan", [False, True])
@pytest.mark.parametrize(
    ("kernel", "stride"), [((8, 8), 8), ((4, 16), (4, 1)), ((8, 16), 1), ((2, 11), 1), ((8, 8), 1)]
)
def test_all_kernels_for_large_windows_give_the_same_maxima_and_indices(kernel, stride, nan, monkeypatch):
    x = torch.tensor(np.random.default_rng(0).integers(0, 5, (2, 3, 8, 16)).astype(np.float64))
    if nan:
        x[0, 0, 0, :3] = float("nan")
    monkeypatch.setattr(max_pool_kernels, "FEW_CELLS", 0)
    found = max_pool2d(x, kernel, stride, return_indices=True)
    for name in ("MANY_TAPS", "MANY_IN_TILES", "LONG_RUN"):
        monkeypatch.setattr(max_pool_kernels, name, 1000)
    for a, b in zip(found, max_pool2d(x, kernel, stride, return_indices=True), strict=True):
        np.testing.assert_array_equal(a.array, b.array)


@pytest.mark.parametrize("nan", [False, True])
@pytest.mark.parametrize(("size", "out"), [((80,), 5), ((64,), 3), ((3, 41), (2, 3)), ((41, 3), (3, 2))])
def test_adaptive_pools_of_few_large_windows_equal_loops(size, out, nan):
    x = np.random.default_rng(0).integers(0, 5, (2, 3, *size)).astype(np.float64)
    if nan:
        x[0, 0, ..., 1:3] = np.nan
    F, d = torch.nn.functional, len(size)
    maxima = getattr(F, f"adaptive_max_pool{d}d")(torch.tensor(x), out, return_indices=True)
    mean = getattr(F, f"adaptive_avg_pool{d}d")(torch.tensor(x), out)
    for at in np.ndindex(mean.shape):
        steps = zip(at[2:], size, mean.shape[2:], strict=True)
        window = tuple(slice(i * n // m, -((i + 1) * -n // m)) for i, n, m in steps)
        cells, indices = x[at[:2]][window], np.arange(math.prod(size)).reshape(size)[window]
        winner = indices[cells != cells][-1:] if np.isnan(cells).any() else indices[cells == cells.max()][:1]
        np.testing.assert_allclose(mean.array[at], cells.mean(), 1e-12)
        np.testing.assert_array_equal(maxima[0].array[at], cells.max())
        assert maxima[1].array[at] == winner[0]


def test_the_first_of_equal_maxima_gets_the_gradient():
    x = leaf(np.zeros((1, 1, 3, 4)))
    max_pool2d(x, 2, 1).sum().backward()
    np.testing.assert_array_equal(x.grad.array, [[[[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]]])
    x = leaf(np.array([[[[0.0, 1.0], [1.0, 1.0]]]]))
    max_pool2d(x, 2).sum().backward()
    np.testing.assert_array_equal(x.grad.array, [[[[0, 1], [0, 0]]]])
    x = leaf(np.full((1, 1, 2, 2), -np.inf))
    max_pool2d(x, 3, 1, 1).sum().backward()  # the padding is -inf as well, but gets no gradient
    assert x.grad.array.tolist() == [[[[4, 0], [0, 0]]]]


def test_nan_is_the_maximum_of_its_windows_only():
    x = leaf(np.array([[[[np.nan, 1.0, 5.0, 2.0], [3.0, np.nan, 4.0, 5.0]]]]))
    out, indices = max_pool2d(x, 2, return_indices=True)
    np.testing.assert_array_equal(out.array, [[[[np.nan, 5]]]])
    assert indices.array.tolist() == [[[[5, 2]]]]
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.array, [[[[0, 0, 1, 0], [0, 1, 0, 0]]]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_infinite_gradient_reaches_only_the_maximum(dtype):
    x = leaf(np.arange(20000, dtype=dtype).reshape(2, 1, 100, 100))
    out = max_pool2d(x, 2)
    (grad,) = torch.autograd.grad(out, x, torch.full(out.shape, np.inf, dtype=out.dtype))
    assert np.isinf(grad.array).sum() == out.numel()
    assert (grad.array == 0).sum() == 3 * out.numel()


@pytest.mark.parametrize(
    "pool",
    [
        partial(F.max_pool2d, kernel_size=2),
        partial(F.adaptive_max_pool2d, output_size=3),
        partial(F.fractional_max_pool2d, kernel_size=2, output_size=3),
    ],
)
def test_writes_to_the_returned_indices_do_not_change_the_gradient(pool):
    x = leaf(random(1, 2, 5, 5))
    out, indices = pool(x, return_indices=True)
    expected = np.zeros((1, 2, 25))
    np.add.at(expected, (0, np.array([[0], [1]]), indices.array.reshape(2, -1)), 1)
    indices.zero_()
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.array.reshape(1, 2, 25), expected)


def test_max_pool2d_has_a_second_derivative():
    x, g = leaf(random(2, 2, 6, 6)), leaf(random(2, 2, 3, 3, seed=1))
    (grad,) = torch.autograd.grad(max_pool2d(x, 2), x, g, create_graph=True)
    v = random(2, 2, 6, 6, seed=2)
    (back,) = torch.autograd.grad(grad, g, torch.tensor(v))
    chosen = max_pool2d(x, 2, return_indices=True)[1].array.reshape(2, 2, 9)
    expected = np.take_along_axis(v.reshape(2, 2, 36), chosen, 2).reshape(2, 2, 3, 3)
    np.testing.assert_array_equal(back.array, expected)


def test_ceil_mode_adds_windows_that_extend_beyond_the_input():
    x = torch.tensor(np.arange(25.0).reshape(1, 1, 5, 5))
    assert max_pool2d(x, 2).shape == (1, 1, 2, 2)
    assert max_pool2d(x, 2, ceil_mode=True).array.tolist() == [[[[6, 8, 9], [16, 18, 19], [21, 23, 24]]]]
    assert avg_pool2d(x, 2, ceil_mode=True).array.tolist() == [[[[3, 5, 6.5], [13, 15, 16.5], [20.5, 22.5, 24]]]]
    assert max_pool2d(x, 1, 5, ceil_mode=True).shape == (1, 1, 1, 1)  # a second window would start beyond the input
    assert max_pool2d(x, 7, 7, ceil_mode=True).array.tolist() == [[[[24]]]]


def test_the_check_for_windows_in_the_padding_takes_constant_time():
    start = time.process_time()
    assert pooling_window("pool", (10**7,), (2,), (1,), (1,), (2,), False).out == (10**7,)
    assert time.process_time() - start < 1  # looking at each window takes ten


def test_avg_pool2d_divides_by_the_cells_that_it_should_count():
    x = torch.tensor(np.ones((1, 1, 3, 3)))
    assert avg_pool2d(x, 3, 2, 1).array.tolist() == [[[[4 / 9, 4 / 9], [4 / 9, 4 / 9]]]]
    assert avg_pool2d(x, 3, 2, 1, count_include_pad=False).array.tolist() == [[[[1, 1], [1, 1]]]]
    assert avg_pool2d(x, 3, 2, 1, divisor_override=2).array.tolist() == [[[[2, 2], [2, 2]]]]
    # cells beyond the padding are never counted: the last window has 2 rows, one of them padding, and 2 columns
    x = torch.tensor(np.ones((1, 1, 4, 4)))
    assert avg_pool2d(x, 3, 2, 1, ceil_mode=True).array[0, 0, 2, 2] == 1 / 4


def test_max_pool2d_of_integers():
    x = torch.tensor(np.array([[[[-5, -7], [-6, -9]]]]))
    assert max_pool2d(x, 2, padding=1).array.tolist() == [[[[-5, -7], [-6, -9]]]]
    assert max_pool2d(x, 2).dtype == torch.int64


@pytest.mark.parametrize("settings", [(3, 2, 1), (2,), (3, 1, 1, 2), (2, 3, 1, 1, True)], ids=str)
@pytest.mark.parametrize("special", [None, float("nan"), -float("inf")])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_small_inputs_are_pooled_as_by_the_kernel_for_large_ones(dims, special, settings, monkeypatch):
    x = np.random.default_rng(0).integers(0, 4, (2, 3, *(7, 6, 5)[:dims])).astype(np.float32)
    if special is not None:
        x[0, 0, :3] = special
    pool, x = getattr(torch.nn.functional, f"max_pool{dims}d"), torch.tensor(x)
    few = pool(x, *settings, return_indices=True)
    monkeypatch.setattr(max_pool_kernels, "FEW_CELLS", 0)
    for a, b in zip(few, pool(x, *settings, return_indices=True), strict=True):
        np.testing.assert_array_equal(a.array, b.array)


def test_of_minus_infinities_the_first_cell_wins_that_is_no_padding():
    x = torch.full((1, 1, 5), -math.inf)
    assert F.max_pool1d(x, 3, 1, 1, 2, return_indices=True)[1].tolist() == [[[1, 0, 1]]]
    _, places = max_pool2d(x.expand(1, 5, 5), 3, 1, 1, 2, return_indices=True)
    assert places.tolist() == [[[6, 5, 6], [1, 0, 1], [6, 5, 6]]]


@pytest.mark.parametrize("order", ["C", "rows of channels"])
def test_max_pool2d_in_small_blocks_gives_the_same(monkeypatch, order):
    """Five images in blocks of two: the last block is smaller."""

    def results():
        x = torch.tensor(values, requires_grad=True)
        out, indices = max_pool2d(x, 3, 2, 1, return_indices=True)
        grad = torch.tensor(weights, requires_grad=True)
        (first,) = torch.autograd.grad(out, x, grad, create_graph=True)
        (second,) = torch.autograd.grad(first, grad, x.detach())
        return [a.detach().array for a in (out, indices, first, second)]

    monkeypatch.setattr(max_pool_kernels, "FEW_CELLS", 0)
    values, weights = random(5, 3, 9, 8), random(5, 3, 5, 4)
    if order != "C":
        values = np.ascontiguousarray(values.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    expected = results()
    monkeypatch.setattr(max_pool_kernels, "batch_blocks", lambda x, rows, n: batch_blocks(x, rows, n * 140))
    for a, b in zip(results(), expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("size", [3, 17, 300])
def test_the_maximum_may_be_farther_into_a_window_than_a_byte_can_count(size):
    x = leaf(random(1, 1, size, size))
    max_pool2d(x, size).sum().backward()
    assert x.grad.array.sum() == x.grad.array.ravel()[x.array.argmax()] == 1


def test_the_maxima_are_searched_once(monkeypatch):
    calls = []
    monkeypatch.setattr(
        pool, "window_maxima", lambda *args: calls.append(args) or max_pool_kernels.window_maxima(*args)
    )
    out, indices = max_pool2d(leaf(random(2, 3, 6, 6)), 2, return_indices=True)
    assert len(calls) == 1
    assert (out.requires_grad, indices.requires_grad, indices.dtype) == (True, False, torch.int64)


@pytest.mark.host("on a GPU the winners are always searched")
@pytest.mark.parametrize("settings", [(2,), (3, 2, 1), (3, 1, 0, 2), (9, 1)])
@pytest.mark.parametrize("channels_last", [False, True])
def test_without_a_graph_the_maxima_are_the_same_and_no_winners_are_searched(monkeypatch, settings, channels_last):
    x = torch.tensor(random(4, 16, 30, 31))
    x[:, :, 2:5, 3] = math.nan
    x = x.contiguous(memory_format=torch.channels_last) if channels_last else x
    expected = max_pool2d(x.clone().requires_grad_(), *settings)
    monkeypatch.setattr(max_pool_kernels, "_merge", None)  # the step that compares, and moves winners
    found = max_pool2d(x, *settings)
    assert found.stride() == expected.stride()
    np.testing.assert_array_equal(found.array, expected.array)


@pytest.mark.host("the ways are NumPy's")
@pytest.mark.parametrize(("shape", "kernel", "size"), [((12, 8, 40, 30), 2, (5, 7)), ((2, 9, 12, 12, 12), 2, 4)])
def test_few_boxes_in_large_planes_are_searched_side_by_side(rng, monkeypatch, shape, kernel, size):
    pool = getattr(F, f"fractional_max_pool{len(shape) - 2}d")
    x = torch.tensor(rng.integers(-3, 3, shape).astype(np.float32))  # with ties
    samples = torch.tensor(rng.random((*shape[:2], len(shape) - 2)).astype(np.float32))
    asked = []

    def pooled():
        return pool(x, kernel, output_size=size, return_indices=True, _random_samples=samples)

    along_axis = fractional_pool.max_along_axis
    monkeypatch.setattr(fractional_pool, "max_along_axis", lambda *args: asked.append(1) or along_axis(*args))
    found = pooled()
    assert not asked
    for name in ("FEW_CELLS", "PAYS"):
        monkeypatch.setattr(fractional_pool, name, 0)
    for side_by_side, along_axes in zip(found, pooled(), strict=True):
        assert torch.equal(side_by_side, along_axes)
    assert asked
