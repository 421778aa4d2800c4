"""Convolutions and windows compared with loops over patches: kernels, blocks, layouts, empty and unbatched inputs."""

import math
from functools import partial

import numpy as np
import pytest

import microgad as torch
from microgad.ops.support.blocks import batch_blocks
from microgad.ops.window import (
    avg_pool2d,
    columns,
    conv2d,
    conv_kernels,
    conv_rows,
    conv_transpose2d,
    depthwise,
    fold,
    max_pool2d,
    unfold,
)
from microgad.ops.window.geometry import Window
from microgad.ops.window.resample import ResampleMatrix
from microgad.ops.window.unfold import add_columns, im2col, padded, taps, windows

from ..times import assert_takes
from .patches import leaf, pair, patches, random


def reference_conv2d(x, weight, stride=1, padding=0, dilation=1, groups=1):
    taken = patches(x, weight.shape[2:], stride, padding, dilation)
    per_x, per_y = x.shape[1] // groups, len(weight) // groups
    parts = [
        np.einsum("nijchw,ochw->noij", taken[:, :, :, g * per_x : (g + 1) * per_x], weight[g * per_y : (g + 1) * per_y])
        for g in range(groups)
    ]
    return np.concatenate(parts, 1)


SHAPES = {
    "3x3": ((2, 3, 7, 6), (4, 3, 3, 3), {"padding": 1}),
    "1x1": ((2, 3, 5, 4), (4, 3, 1, 1), {}),
    "1x1, stride": ((2, 3, 5, 4), (4, 3, 1, 1), {"stride": 2}),
    "one channel": ((3, 1, 6, 6), (5, 1, 3, 3), {"padding": 1}),
    "one filter": ((2, 3, 6, 6), (1, 3, 2, 3), {}),
    "many filters, one channel": ((2, 1, 6, 6), (20, 1, 3, 3), {"padding": (0, 2)}),
    "tall kernel, by rows": ((2, 3, 9, 8), (4, 3, 5, 3), {"padding": (2, 1)}),
    "tall kernel, by rows, stride": ((2, 3, 12, 9), (4, 3, 7, 5), {"padding": 3, "stride": (2, 3), "dilation": (1, 2)}),
    "tall kernel, dilated rows": ((2, 2, 12, 5), (3, 2, 5, 2), {"dilation": (2, 1)}),
    "rows of a kernel": ((2, 8, 9, 7), (5, 8, 3, 2), {"padding": (2, 1), "dilation": (2, 1)}),
    "rows of a kernel, groups, stride across": ((3, 12, 6, 9), (8, 6, 2, 3), {"groups": 2, "stride": (1, 2)}),
    "rows of a kernel, level": ((2, 6, 7, 6), (4, 6, 3, 3), {"padding": 1}),
    "more weights than places": ((3, 12, 3, 4), (5, 12, 3, 3), {"padding": (0, 1)}),
    "more weights than places, stride": ((3, 9, 5, 5), (5, 9, 3, 3), {"padding": 1, "stride": (4, 3)}),
    "more weights than places, groups": ((2, 16, 3, 3), (4, 8, 3, 3), {"groups": 2}),
    "more filters than places": ((1, 12, 3, 3), (12, 12, 3, 3), {"padding": 1}),
    "more images than a block": ((520, 2, 3, 3), (2, 2, 3, 3), {}),
    "stride leaves cells over": ((2, 3, 8, 7), (4, 3, 3, 2), {"stride": 3}),
    "dilation": ((2, 2, 9, 8), (3, 2, 3, 3), {"dilation": (2, 3), "padding": (1, 3)}),
    "padding beyond the kernel": ((2, 2, 3, 3), (3, 2, 2, 2), {"padding": 3}),
    "taps in the padding": ((2, 6, 1, 1), (4, 3, 3, 3), {"groups": 2, "padding": 1}),
    "taps in the padding, many channels": ((3, 12, 1, 1), (5, 12, 3, 3), {"padding": 1}),
    "taps in the padding, several left": ((2, 3, 2, 4), (4, 3, 5, 3), {"padding": (2, 1), "stride": (1, 2)}),
    "taps in the padding, dilation": ((2, 3, 3, 2), (4, 3, 3, 3), {"padding": (4, 5), "dilation": (4, 3)}),
    "taps in the padding, stride past the plane": ((2, 3, 2, 2), (4, 3, 4, 2), {"padding": 3, "stride": 3}),
    "groups": ((2, 6, 5, 5), (4, 3, 3, 3), {"groups": 2, "padding": 1}),
    "groups, by rows": ((2, 4, 8, 5), (6, 2, 5, 2), {"groups": 2}),
    "depthwise": ((2, 4, 5, 5), (8, 1, 3, 3), {"groups": 4, "stride": 2}),
    "depthwise of a stride past the kernel": (
        (2, 4, 7, 6),
        (4, 1, 2, 4),
        {"groups": 4, "stride": (3, 2), "padding": 1},
    ),
    "depthwise of a stride past the kernel's width": ((2, 4, 4, 9), (4, 1, 3, 2), {"groups": 4, "stride": (1, 4)}),
    "depthwise of one line": ((2, 3, 2, 5), (3, 1, 3, 3), {"groups": 3, "stride": (4, 2), "padding": 1}),
    "depthwise of as many filters": ((2, 5, 6, 7), (5, 1, 3, 4), {"groups": 5, "padding": (1, 2)}),
    "depthwise of as many filters, stride": ((3, 5, 7, 8), (5, 1, 3, 3), {"groups": 5, "padding": 1, "stride": 2}),
    "depthwise of as many filters, dilation": (
        (2, 3, 9, 8),
        (3, 1, 2, 3),
        {"groups": 3, "dilation": (2, 3), "padding": 2},
    ),
    "depthwise of as many filters, stride and dilation": (
        (2, 3, 9, 8),
        (3, 1, 3, 3),
        {"groups": 3, "stride": 2, "dilation": (1, 2), "padding": 2},
    ),
    "empty batch": ((0, 3, 5, 5), (4, 3, 3, 3), {}),
}


def in_rows(x):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


@pytest.fixture(params=["planes", "small planes", "rows of channels", "rows of channels, small blocks"])
def layout(request, monkeypatch):
    """How images and weights lie in memory: rows of channels are convolved by rows, gradients of small planes, too."""
    if request.param == "planes":
        return np.ascontiguousarray
    for name, number in (("MANY_FILTERS", 1), ("MANY_CHANNELS", 1), ("LONG_WINDOW", 1000)):
        monkeypatch.setattr(conv_rows, name, number)
    monkeypatch.setattr(depthwise, "MANY_CHANNELS", 1)
    if "small" in request.param:
        monkeypatch.setattr(conv_rows, "batch_blocks", lambda x, rows, n: batch_blocks(x, rows, 1000 * n))
    return np.ascontiguousarray if "planes" in request.param else in_rows


@pytest.mark.parametrize(("x", "weight", "settings"), SHAPES.values(), ids=SHAPES)
def test_conv2d_is_the_sum_over_each_window(x, weight, settings, layout):
    x, weight, bias = layout(random(*x)), layout(random(*weight, seed=1)), random(weight[0], seed=2)
    out = conv2d(torch.as_tensor(x), torch.as_tensor(weight), torch.tensor(bias), **settings).array
    np.testing.assert_allclose(out, reference_conv2d(x, weight, **settings) + bias[:, None, None], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("x", "weight", "settings"), SHAPES.values(), ids=SHAPES)
def test_derivatives_of_conv2d_agree_with_its_trilinear_form(x, weight, settings, layout):
    """<y, conv(x, w)> is linear in x, w and y: each derivative times its own argument gives the form itself."""
    x = torch.as_tensor(layout(random(*x))).requires_grad_()
    weight, bias = (torch.as_tensor(a).requires_grad_() for a in (layout(random(*weight, seed=1)), random(weight[0])))
    y = layout(random(*conv2d(x, weight, **settings).shape, seed=3))
    grads = torch.autograd.grad(conv2d(x, weight, bias, **settings), (x, weight, bias), torch.as_tensor(y))
    form = (y * reference_conv2d(x.array, weight.array, **settings)).sum()
    probe_x, probe_w = random(*x.shape, seed=4), random(*weight.shape, seed=5)
    scale = 1e-12 * max(1.0, np.abs(y).sum())
    assert abs((grads[0].array * x.array).sum() - form) < scale
    assert abs((grads[1].array * weight.array).sum() - form) < scale
    form_x = (y * reference_conv2d(probe_x, weight.array, **settings)).sum()
    form_w = (y * reference_conv2d(x.array, probe_w, **settings)).sum()
    assert abs((grads[0].array * probe_x).sum() - form_x) < scale
    assert abs((grads[1].array * probe_w).sum() - form_w) < scale
    np.testing.assert_allclose(grads[2].array, y.sum((0, 2, 3)), rtol=0, atol=1e-12)


@pytest.mark.host("it takes other ways on a GPU")
def test_depthwise_convolution_of_rows_of_channels_takes_less_time_than_of_planes():
    x, weight = torch.tensor(random(8, 64, 32, 32), dtype=torch.float32), torch.ones(64, 1, 3, 3)
    rows = x.contiguous(memory_format=torch.channels_last)
    assert_takes(
        0.8, lambda: conv2d(rows, weight, padding=1, groups=64), lambda: conv2d(x, weight, padding=1, groups=64)
    )


STRATEGIES = [
    (conv_kernels.by_columns, partial(conv_kernels.weight_by_columns, affine=False), (2, 1)),
    (conv_kernels.by_mec, conv_kernels.weight_by_mec, (1, 2)),
    (conv_kernels.by_joint_columns, conv_kernels.weight_by_joint_columns, (2, 1)),
]


@pytest.mark.parametrize(("strategy", "weight_gradient", "stride"), STRATEGIES)
@pytest.mark.parametrize("size", [1, 500, 5000, 1 << 19])
def test_convolution_strategies_agree_for_any_block_size(strategy, weight_gradient, stride, size, monkeypatch):
    for module in (columns, conv_kernels):
        monkeypatch.setattr(module, "batch_blocks", lambda x, rows, n: batch_blocks(x, rows, n * (1 << 19) // size))
    monkeypatch.setattr(columns, "MAX_JOINT_COLUMNS", size)
    x, weight, bias = random(5, 4, 9, 8), random(6, 2, 3, 2, seed=1), random(6, seed=2)
    window = Window((9, 8), (3, 2), stride, ((1, 1), (0, 0)), (1, 3))
    y = np.empty((5, 2, 3, *window.out))
    strategy(x, weight.reshape(2, 3, 2, 3, 2), bias.reshape(2, 3, 1), window, y)
    expected = reference_conv2d(x, weight, stride=stride, padding=(1, 0), dilation=(1, 3), groups=2)
    np.testing.assert_allclose(y.reshape(expected.shape), expected + bias[:, None, None], rtol=0, atol=1e-12)
    g = random(*expected.shape, seed=2)
    form = (g * expected).sum()
    assert abs((weight_gradient(g.reshape(5, 2, 3, -1), x, window).reshape(weight.shape) * weight).sum() - form) < 1e-11
    assert abs((conv_kernels.correlate_transposed(g, weight, None, window, 2) * x).sum() - form) < 1e-11


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("size", [1, 500, 1 << 19])
def test_a_kernel_of_one_cell_needs_no_columns(groups, biased, size, monkeypatch):
    for name in ("column_blocks", "by_additions"):
        monkeypatch.setattr(conv_kernels, name, None)
    monkeypatch.setattr(conv_kernels, "batch_blocks", lambda x, rows, n: batch_blocks(x, rows, n * (1 << 19) // size))
    arrays = random(5, 4, 6, 3), random(6, 4 // groups, 1, 1, seed=1), random(6, seed=2)
    x, weight, bias = map(leaf, arrays)
    y = conv2d(x, weight, bias if biased else None, groups=groups)
    expected = reference_conv2d(*arrays[:2], groups=groups)
    biases = arrays[2][:, None, None] if biased else 0
    np.testing.assert_allclose(y.detach().array, expected + biases, rtol=0, atol=1e-12)
    g = random(*expected.shape, seed=3)
    y.backward(torch.tensor(g))
    form = (g * expected).sum()
    assert abs((x.grad.array * arrays[0]).sum() - form) < 1e-11
    assert abs((weight.grad.array * arrays[1]).sum() - form) < 1e-11
    if biased:
        np.testing.assert_allclose(bias.grad.array, g.sum((0, 2, 3)), rtol=0, atol=1e-12)
    back = conv_transpose2d(torch.tensor(g), weight, torch.ones(4, dtype=torch.float64), groups=groups)
    np.testing.assert_allclose(back.detach().array, x.grad.array + 1, rtol=0, atol=1e-12)


@pytest.mark.parametrize("convolution", [conv2d, conv_transpose2d])
def test_an_expanded_filter_is_multiplied_by_blas_as_its_copy_is(convolution):
    x, weight = leaf(random(2, 8, 30, 30)), leaf(random(1)).expand(8, 1, 5, 5)
    expanded, copied = (convolution(x, w, groups=8).detach().numpy(force=True) for w in (weight, weight.contiguous()))
    np.testing.assert_array_equal(expanded, copied)  # other loops would round otherwise


@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (2, 3), (4, 3)])
@pytest.mark.parametrize("padding", [0, 1])
def test_the_adjoint_by_phases_is_that_of_conv2d(stride, padding):
    x, weight, bias = random(2, 4, 9, 8), random(6, 2, 3, 2, seed=1), random(4, seed=2)
    window = Window((9, 8), (3, 2), stride, 2 * ((padding, padding),), (1, 1))
    g = random(2, 6, *window.out, seed=3)
    back = conv_kernels.by_phases(g, weight.reshape(2, 3, 2, 3, 2), bias, window) - bias[:, None, None]
    form = (g * reference_conv2d(x, weight, stride=stride, padding=padding, groups=2)).sum()
    assert abs((back * x).sum() - form) < 1e-11


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(("places", "stride"), [((3, 2), (8, 5)), ((1, 2), (3, 5)), ((1, 1), 1)])
def test_conv_transpose2d_of_windows_without_overlap_is_one_product(groups, biased, places, stride, monkeypatch):
    """A loop over the elements of a kernel of 32 x 32 would need a thousand products."""
    monkeypatch.setattr(conv_kernels, "by_phases", None)
    monkeypatch.setattr(conv_kernels, "add_columns", None)
    monkeypatch.setattr(conv_kernels, "batch_blocks", lambda x, rows, numbers: batch_blocks(x, rows, 1 << 15))
    y, weight, bias = random(2, 4, *places), random(4, 3, 8, 5), random(3 * groups)
    parts = [
        np.einsum("noij,ocab->nciajb", y[:, part], weight[part]).reshape(2, 3, 8 * places[0], 5 * places[1])
        for part in np.split(np.arange(4), groups)
    ]
    expected = np.concatenate(parts, 1) + (bias[:, None, None] if biased else 0)
    operands = torch.tensor(y), torch.tensor(weight), torch.tensor(bias) if biased else None
    found = conv_transpose2d(*operands, stride=stride, groups=groups)
    np.testing.assert_allclose(found.array, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("n", "size", "k", "stride", "flips"),
    [(2, 3, 3, 1, True), (1, 3, 3, 1, False), (8, 8, 9, 1, False), (64, 4, 4, 2, True), (8, 14, 8, 4, False)],
)
def test_the_adjoint_for_many_channels_is_a_convolution_or_adds_columns(n, size, k, stride, flips, monkeypatch):
    """With stride 1 it convolves with the flipped kernel if there are fewer filters than output elements.

    Where windows are almost as large as the plane, it would multiply mostly zeros of its padding. With other strides
    each phase is a convolution, if it is large.
    """
    calls, correlate = [], conv_kernels.correlate
    monkeypatch.setattr(conv_kernels, "correlate", lambda *args: calls.append(args) or correlate(*args))
    window = Window((size, size), (k, k), (stride, stride), 2 * ((1, 1),), (1, 1))
    g, weight = random(n, 12, *window.out), random(12, 12, k, k, seed=1)
    x = conv_kernels.correlate_transposed(g, weight, None, window, 1)
    assert bool(calls) == flips
    probe = random(n, 12, size, size, seed=2)
    form = (g * reference_conv2d(probe, weight, stride, padding=1)).sum()
    assert abs((x * probe).sum() - form) < 1e-9


@pytest.mark.parametrize(
    "grads", [(True, True, True), (False, True, True), (False, True, False), (False, False, True), (True, False, True)]
)
def test_any_subset_of_the_inputs_may_require_grad(grads):
    arrays = random(2, 3, 5, 5), random(4, 3, 3, 3, seed=1), random(4, seed=2)
    all_three = list(map(leaf, arrays))
    conv2d(*all_three).backward(torch.tensor(random(2, 4, 3, 3, seed=3)))
    some = [torch.tensor(a, requires_grad=w) for a, w in zip(arrays, grads, strict=True)]
    conv2d(*some).backward(torch.tensor(random(2, 4, 3, 3, seed=3)))
    for x, y, w in zip(some, all_three, grads, strict=True):
        assert (x.grad is not None) == w
        if w:
            np.testing.assert_allclose(x.grad.array, y.grad.array, rtol=0, atol=1e-12)


def test_same_padding_puts_an_odd_row_at_the_bottom():
    x, weight = random(1, 1, 5, 4), random(1, 1, 2, 4, seed=1)
    out = conv2d(torch.tensor(x), torch.tensor(weight), padding="same").array
    padded_x = np.pad(x, ((0, 0), (0, 0), (0, 1), (1, 2)))
    np.testing.assert_allclose(out, reference_conv2d(padded_x, weight), rtol=0, atol=1e-12)
    assert conv2d(torch.tensor(x), torch.tensor(weight), padding="valid").shape == (1, 1, 4, 1)


@pytest.mark.parametrize(("stride", "dilation", "extra"), [(2, 1, 1), (1, 2, 1), (3, 1, (2, 0)), (1, 3, 2)])
def test_output_padding_adds_rows_that_hold_only_the_bias(stride, dilation, extra):
    y, weight, bias = random(2, 3, 4, 4), random(3, 2, 2, 2, seed=1), np.array([10.0, 20.0])
    settings = {"stride": stride, "dilation": dilation}
    plain = conv_transpose2d(*map(torch.tensor, (y, weight, bias)), **settings).array
    out = conv_transpose2d(*map(torch.tensor, (y, weight, bias)), output_padding=extra, **settings).array
    down, right = pair(extra)
    assert out.shape == (2, 2, plain.shape[2] + down, plain.shape[3] + right)
    np.testing.assert_allclose(out[:, :, : plain.shape[2], : plain.shape[3]], plain, rtol=0, atol=1e-12)
    if down:
        assert (out[:, :, plain.shape[2] :] == bias[:, None, None]).all()


def test_unfold_gathers_patches_and_fold_is_its_adjoint():
    x = random(2, 3, 5, 6)
    settings = {"kernel_size": (2, 3), "dilation": (2, 1), "padding": (1, 2), "stride": (1, 2)}
    columns = unfold(torch.tensor(x), **settings).array
    taken = patches(x, (2, 3), (1, 2), (1, 2), (2, 1))
    np.testing.assert_array_equal(columns, taken.reshape(2, -1, 3 * 6).swapaxes(1, 2))
    again = fold(torch.tensor(random(*columns.shape, seed=1)), (5, 6), **settings).array
    assert abs((again * x).sum() - (random(*columns.shape, seed=1) * columns).sum()) < 1e-11
    counts = fold(torch.tensor(np.ones((4, 4))), 3, 2).array
    np.testing.assert_array_equal(counts, [[[1, 2, 1], [2, 4, 2], [1, 2, 1]]])


@pytest.mark.parametrize(
    "window",
    [
        Window((60,), (20,), (8,), ((0, 0),), (1,)),
        Window((61,), (27,), (9,), ((9, 13),), (1,)),
        Window((30,), (8,), (9,), ((3, 0),), (1,)),
        Window((18,), (14,), (11,), ((1, 19),), (1,)),
        Window((5, 44), (2, 19), (1, 9), ((1, 0), (2, 9)), (1, 1)),
        Window((3, 5, 40), (1, 2, 8), (1, 2, 10), ((0, 0), (1, 1), (7, 3)), (1, 1, 1)),
    ],
)
def test_columns_of_long_strides_are_added_as_one_by_one(window):
    columns = random(2, 3, math.prod(window.kernel), *window.out)
    found, expected = np.zeros((2, 2, 3, *window.size))
    for first in (0, 2):  # rows of the output
        part = columns.take(range(first, 2 if first == 0 else window.out[0]), 3)
        add_columns(part, found, window, first)
        for k, cells, places in taps(window, first, part.shape[3]):
            expected[cells] += part[(..., k, *places)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


def test_unfold_with_a_kernel_of_one_element_returns_a_copy():
    x = torch.zeros(1, 2, 3, 3)
    unfold(x, 1).array[...] = 1
    assert (x.array == 0).all()


def test_unbatched_inputs_equal_a_batch_of_one():
    x, weight = torch.tensor(random(3, 6, 6)), torch.tensor(random(3, 3, 3, 3))
    batch = x.unsqueeze(0)
    for f in (
        lambda x: conv2d(x, weight),
        lambda x: conv_transpose2d(x, weight, stride=2),
        lambda x: unfold(x, 2),
        lambda x: max_pool2d(x, 2),
        lambda x: max_pool2d(x, 3, return_indices=True)[1],
        lambda x: avg_pool2d(x, 3, 1),
    ):
        np.testing.assert_array_equal(f(x).array, f(batch).array[0])


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_im2col_of_seamless_windows_equals_that_of_the_padded_input(dims):
    rng, seamless = np.random.default_rng(0), 0
    for _ in range(150):
        size, kernel, dilation, stride = (tuple(rng.integers(1, 6, dims).tolist()) for _ in range(4))
        stride, total = (*stride[:-1], 1), (kernel[-1] - 1) * dilation[-1]
        edges = [(int(rng.integers(0, k * d)),) * 2 for k, d in zip(kernel, dilation, strict=True)]
        edges[-1] = (total // 2, total - total // 2)
        window = Window(size, kernel, stride, tuple(edges), dilation)
        if min(window.out) < 1:
            continue
        seamless += window.seamless is not None
        x = rng.standard_normal((2, 3, *size)).astype(np.float32)
        x.flat[rng.integers(x.size)] = np.nan
        plain = windows(padded(x, window), window)
        np.testing.assert_array_equal(im2col(x, window), plain.reshape(2, -1, math.prod(window.out)))
    assert seamless > 20 or dims == 1


OPS = {
    "conv2d": lambda x: conv2d(x, torch.tensor(random(4, 3, 3, 3, dtype=x.array.dtype)), padding=1),
    "conv2d, tall": lambda x: conv2d(x, torch.tensor(random(4, 3, 5, 3, dtype=x.array.dtype)), padding=2),
    "conv2d, 1x1": lambda x: conv2d(x, torch.tensor(random(4, 3, 1, 1, dtype=x.array.dtype))),
    "conv_transpose2d": lambda x: conv_transpose2d(x, torch.tensor(random(3, 2, 3, 3, dtype=x.array.dtype)), stride=2),
    "unfold": lambda x: unfold(x, 2),
    "fold": lambda x: fold(x.reshape(2, 6, 21), (4, 7), (2, 1)),
    "max_pool2d": lambda x: max_pool2d(x, 3, 2, 1),
    "avg_pool2d": lambda x: avg_pool2d(x, 3, 2, 1),
}


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layouts_give_the_same_results_and_inputs_are_not_changed(op, dtype):
    plain = random(2, 3, 7, 6, dtype=dtype)
    layouts = [
        plain,
        np.asfortranarray(plain),
        plain.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2),  # channels last
        np.repeat(plain, 2, axis=3)[..., ::2],
        plain[::-1, :, ::-1].copy()[::-1, :, ::-1],
    ]
    expected = op(torch.tensor(plain)).array
    g = random(*expected.shape, seed=7, dtype=dtype)
    results = []
    for layout in layouts:
        before = layout.copy()
        x = torch.as_tensor(layout).requires_grad_()
        out = op(x)
        assert out.array.dtype == dtype
        np.testing.assert_allclose(out.array, expected, rtol=0, atol=100 * np.finfo(dtype).eps)
        upstream = torch.as_tensor(np.asfortranarray(g))
        (grad,) = torch.autograd.grad(out, x, upstream)
        assert grad.array.dtype == dtype
        results.append(grad.array)
        np.testing.assert_array_equal(layout, before)
        np.testing.assert_array_equal(upstream.array, g)
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], rtol=0, atol=100 * np.finfo(dtype).eps)


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_gradients_of_stride_zero_give_the_same(op):
    x = leaf(random(2, 3, 7, 6))
    op(x).sum().backward()
    y = leaf(x.array)
    out = op(y)
    out.backward(torch.ones(out.shape, dtype=torch.float64))
    np.testing.assert_allclose(x.grad.array, y.grad.array, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d", "unfold", "max_pool2d", "avg_pool2d"])
def test_empty_batches_give_empty_results_and_gradients(name):
    x = leaf(np.zeros((0, 3, 7, 6)))
    out = OPS[name](x)
    assert out.shape[0] == 0
    assert out.shape[1:] == OPS[name](torch.zeros(1, 3, 7, 6, dtype=torch.float64)).shape[1:]
    out.sum().backward()
    assert x.grad.shape == x.shape


RESIZING = "bilinear", 23, 2, False, None, True, "float64"


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("spans", [ResampleMatrix.parts(23, 3), ResampleMatrix.resizing(*RESIZING)])
def test_a_resample_matrix_of_spans_multiplies_as_the_dense_matrix(spans, axis, monkeypatch):
    """If there are few rows with many adjacent weights, they are multiplied one by one, also by the transpose."""
    monkeypatch.setattr(ResampleMatrix, "_dense_pays", lambda *_: False)
    assert len(spans.spans) == spans.cells.shape[1]
    matrix = np.zeros((spans.cells.shape[1], spans.size + 1))
    for cells, weights in zip(spans.cells, spans.weights, strict=True):
        matrix[np.arange(len(matrix)), cells] += weights
    matrix = matrix[:, : spans.size]
    x, grad = (np.moveaxis(random(2, 4, n), 2, axis) for n in matrix.shape[::-1])
    for operand, by, found in ((x, matrix, spans.times(x, axis)), (grad, matrix.T, spans.transposed_times(grad, axis))):
        expected = np.moveaxis(np.moveaxis(operand, axis, -1) @ by.T, -1, axis)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("cell", [0.0, np.inf, -np.inf, np.nan, 3e38])
@pytest.mark.parametrize("shape", [(3, 7), (2, 2, 7, 3), (2, 7, 40)])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "parts"])
def test_a_resample_matrix_multiplies_densely_as_by_its_taps(mode, shape, cell):
    """A cell that isn't finite, or overflows when it is squared, reaches only the results that read it."""
    axis = shape.index(7)
    fields = mode, 7, 14, False, None, False, "float32"
    forward = ResampleMatrix.parts(7, 3) if mode == "parts" else ResampleMatrix.resizing(*fields)
    for matrix in (forward, forward.transposed):
        x = random(*shape[:axis], matrix.size, *shape[axis + 1 :]).astype(np.float32)
        x[(..., 2, *(0,) * (x.ndim - axis - 1))] = cell
        assert matrix._dense_pays(x, math.prod(shape[axis + 1 :]))
        expected, weights = 0, matrix.weights.reshape(*matrix.weights.shape, *(1,) * (x.ndim - axis - 1))
        full = np.concatenate((x, np.zeros_like(x.take([0], axis))), axis)
        with np.errstate(all="ignore"):
            for tap, weight in zip(matrix.cells, weights, strict=True):
                expected = expected + full.take(tap, axis) * weight
            np.testing.assert_allclose(matrix.times(x, axis), expected, rtol=1e-5, atol=1e-6)


def test_the_gradient_of_a_weight_of_one_cell_has_the_strides_of_the_weight():
    weight = torch.ones(16, 40, 1, 1, requires_grad=True)
    out = torch.conv_transpose2d(torch.ones(2, 16, 4, 4), weight)
    (grad,) = torch.autograd.grad(out, weight, torch.ones_like(out).contiguous(memory_format=torch.channels_last))
    assert grad.stride() == weight.stride()
