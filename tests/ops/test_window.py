"""Windows, convolutions and pools against the plainest of loops; their errors; ties, borders and odd inputs."""

import math
import time
from functools import partial

import numpy as np
import pytest

import microgad as torch
import microgad.nn.functional as F
from microgad.ops.blocks import blocks
from microgad.ops.window import (
    avg_pool2d,
    columns,
    conv2d,
    conv_transpose2d,
    correlation,
    fold,
    largest,
    max_pool2d,
    unfold,
)
from microgad.ops.window.geometry import Window, pooled
from microgad.ops.window.unfold import im2col, padded, windows


def pair(x):
    return x if isinstance(x, tuple) else (x, x)


def patches(x, kernel, stride=1, padding=0, dilation=1, value=0.0):
    """(N, C, H, W) -> (N, OH, OW, C, KH, KW), one patch after the other."""
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = map(pair, (kernel, stride, padding, dilation))
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=value)
    rows = range(0, x.shape[2] - (kh - 1) * dh, sh)
    columns = range(0, x.shape[3] - (kw - 1) * dw, sw)
    return np.stack(
        [
            np.stack([x[:, :, i : i + (kh - 1) * dh + 1 : dh, j : j + (kw - 1) * dw + 1 : dw] for j in columns], 1)
            for i in rows
        ],
        1,
    )


def reference_conv2d(x, weight, stride=1, padding=0, dilation=1, groups=1):
    taken = patches(x, weight.shape[2:], stride, padding, dilation)
    per_x, per_y = x.shape[1] // groups, len(weight) // groups
    parts = [
        np.einsum("nijchw,ochw->noij", taken[:, :, :, g * per_x : (g + 1) * per_x], weight[g * per_y : (g + 1) * per_y])
        for g in range(groups)
    ]
    return np.concatenate(parts, 1)


def random(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def leaf(array):
    return torch.tensor(array, requires_grad=True)


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
    "groups": ((2, 6, 5, 5), (4, 3, 3, 3), {"groups": 2, "padding": 1}),
    "groups, by rows": ((2, 4, 8, 5), (6, 2, 5, 2), {"groups": 2}),
    "depthwise": ((2, 4, 5, 5), (8, 1, 3, 3), {"groups": 4, "stride": 2}),
    "depthwise of a stride past the kernel": (
        (2, 4, 7, 6),
        (4, 1, 2, 4),
        {"groups": 4, "stride": (3, 2), "padding": 1},
    ),
    "depthwise of one line": ((2, 3, 2, 5), (3, 1, 3, 3), {"groups": 3, "stride": (4, 2), "padding": 1}),
    "empty batch": ((0, 3, 5, 5), (4, 3, 3, 3), {}),
}


@pytest.mark.parametrize(("x", "weight", "settings"), SHAPES.values(), ids=SHAPES)
def test_conv2d_is_the_sum_over_each_window(x, weight, settings):
    x, weight, bias = random(*x), random(*weight, seed=1), random(weight[0], seed=2)
    out = conv2d(torch.tensor(x), torch.tensor(weight), torch.tensor(bias), **settings).array
    np.testing.assert_allclose(out, reference_conv2d(x, weight, **settings) + bias[:, None, None], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("x", "weight", "settings"), SHAPES.values(), ids=SHAPES)
def test_derivatives_of_conv2d_are_of_one_trilinear_form(x, weight, settings):
    """<y, conv(x, w)> is linear in x, w and y: each derivative times its own argument gives the form itself."""
    x, weight, bias = leaf(random(*x)), leaf(random(*weight, seed=1)), leaf(random(weight[0], seed=2))
    y = random(*conv2d(x, weight, **settings).shape, seed=3)
    grads = torch.autograd.grad(conv2d(x, weight, bias, **settings), (x, weight, bias), torch.tensor(y))
    form = (y * reference_conv2d(x.array, weight.array, **settings)).sum()
    probe_x, probe_w = random(*x.shape, seed=4), random(*weight.shape, seed=5)
    scale = 1e-12 * max(1.0, np.abs(y).sum())
    assert abs((grads[0].array * x.array).sum() - form) < scale
    assert abs((grads[1].array * weight.array).sum() - form) < scale
    moved_x = (y * reference_conv2d(probe_x, weight.array, **settings)).sum()
    moved_w = (y * reference_conv2d(x.array, probe_w, **settings)).sum()
    assert abs((grads[0].array * probe_x).sum() - moved_x) < scale
    assert abs((grads[1].array * probe_w).sum() - moved_w) < scale
    np.testing.assert_allclose(grads[2].array, y.sum((0, 2, 3)), rtol=0, atol=1e-12)


STRATEGIES = [
    (correlation.by_columns, partial(correlation.taps_by_columns, affine=False), (2, 1)),
    (correlation.by_rows, None, (2, 1)),
    (correlation.by_lines, correlation.taps_by_lines, (1, 2)),
    (correlation.together, correlation.taps_together, (2, 1)),
]


@pytest.mark.parametrize(("strategy", "taps", "stride"), STRATEGIES)
@pytest.mark.parametrize("room", [1, 500, 5000, 1 << 19])
def test_strategies_and_blocks_agree(strategy, taps, stride, room, monkeypatch):
    for module in (columns, correlation):
        monkeypatch.setattr(module, "blocks", lambda x, rows, numbers: blocks(x, rows, numbers * (1 << 19) // room))
    monkeypatch.setattr(columns, "PLACES", room)
    x, weight, bias = random(5, 4, 9, 8), random(6, 2, 3, 2, seed=1), random(6, seed=2)
    window = Window((9, 8), (3, 2), stride, ((1, 1), (0, 0)), (1, 3))
    y = np.empty((5, 2, 3, *window.out))
    strategy(x, weight.reshape(2, 3, 2, 3, 2), bias.reshape(2, 3, 1), window, y)
    expected = reference_conv2d(x, weight, stride=stride, padding=(1, 0), dilation=(1, 3), groups=2)
    np.testing.assert_allclose(y.reshape(expected.shape), expected + bias[:, None, None], rtol=0, atol=1e-12)
    g = random(*expected.shape, seed=2)
    form = (g * expected).sum()
    if taps:
        assert abs((taps(g.reshape(5, 2, 3, -1), x, window).reshape(weight.shape) * weight).sum() - form) < 1e-11
    assert abs((correlation.transpose(g, weight, None, window, 2) * x).sum() - form) < 1e-11


@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (2, 3), (4, 3)])
@pytest.mark.parametrize("padding", [0, 1])
def test_cells_a_stride_apart_are_a_correlation_each(stride, padding):
    x, weight, bias = random(2, 4, 9, 8), random(6, 2, 3, 2, seed=1), random(4, seed=2)
    window = Window((9, 8), (3, 2), stride, 2 * ((padding, padding),), (1, 1))
    g = random(2, 6, *window.out, seed=3)
    back = correlation.by_phases(g, weight.reshape(2, 3, 2, 3, 2), bias, window) - bias[:, None, None]
    form = (g * reference_conv2d(x, weight, stride=stride, padding=padding, groups=2)).sum()
    assert abs((back * x).sum() - form) < 1e-11


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
def test_windows_side_by_side_are_products_put_beside_one_another(groups, biased, monkeypatch):
    """With a loop over the kernel's places a kernel of 32 x 32 would be a thousand products."""
    monkeypatch.setattr(correlation, "by_phases", None)
    monkeypatch.setattr(correlation, "add_columns", None)
    monkeypatch.setattr(correlation, "blocks", lambda x, rows, numbers: blocks(x, rows, 1 << 15))
    y, weight, bias = random(2, 4, 3, 2), random(4, 3, 8, 5), random(3 * groups)
    parts = [
        np.einsum("noij,ocab->nciajb", y[:, part], weight[part]).reshape(2, 3, 24, 10)
        for part in np.split(np.arange(4), groups)
    ]
    expected = np.concatenate(parts, 1) + (bias[:, None, None] if biased else 0)
    operands = torch.tensor(y), torch.tensor(weight), torch.tensor(bias) if biased else None
    found = conv_transpose2d(*operands, stride=(8, 5), groups=groups)
    np.testing.assert_allclose(found.array, expected, atol=1e-12)


@pytest.mark.parametrize("turns", [True, False])
def test_the_adjoint_of_a_deep_kernel_is_a_convolution_or_adds_columns(turns, monkeypatch):
    """A kernel of stride 1 is turned where it has fewer filters than there are places."""
    turned, correlate = [], correlation.correlate
    monkeypatch.setattr(correlation, "correlate", lambda *args: turned.append(args) or correlate(*args))
    n = 2 if turns else 1
    g, weight, window = (
        random(n, 12, 3, 3),
        random(12, 12, 3, 3, seed=1),
        Window((3, 3), (3, 3), (1, 1), 2 * ((1, 1),), (1, 1)),
    )
    x = correlation.transpose(g, weight, None, window, 1)
    assert len(turned) == turns
    probe = random(n, 12, 3, 3, seed=2)
    assert abs((x * probe).sum() - (g * reference_conv2d(probe, weight, padding=1)).sum()) < 1e-10


@pytest.mark.parametrize(
    "wanted", [(True, True, True), (False, True, True), (False, True, False), (False, False, True), (True, False, True)]
)
def test_each_choice_of_derivatives(wanted):
    arrays = random(2, 3, 5, 5), random(4, 3, 3, 3, seed=1), random(4, seed=2)
    all_three = list(map(leaf, arrays))
    conv2d(*all_three).backward(torch.tensor(random(2, 4, 3, 3, seed=3)))
    some = [torch.tensor(a, requires_grad=w) for a, w in zip(arrays, wanted, strict=True)]
    conv2d(*some).backward(torch.tensor(random(2, 4, 3, 3, seed=3)))
    for x, y, w in zip(some, all_three, wanted, strict=True):
        assert (x.grad is not None) == w
        if w:
            np.testing.assert_allclose(x.grad.array, y.grad.array, rtol=0, atol=1e-12)


def test_same_padding_gives_an_odd_row_to_the_bottom():
    x, weight = random(1, 1, 5, 4), random(1, 1, 2, 4, seed=1)
    out = conv2d(torch.tensor(x), torch.tensor(weight), padding="same").array
    moved = np.pad(x, ((0, 0), (0, 0), (0, 1), (1, 2)))
    np.testing.assert_allclose(out, reference_conv2d(moved, weight), rtol=0, atol=1e-12)
    assert conv2d(torch.tensor(x), torch.tensor(weight), padding="valid").shape == (1, 1, 4, 1)


def test_conv_transpose2d_scatters_what_conv2d_gathers():
    for settings in (
        {},
        {"stride": 2},
        {"stride": (3, 2), "padding": (1, 2)},
        {"groups": 2, "dilation": 2, "padding": 1},
    ):
        weight, groups = random(4, 2, 3, 3, seed=1), settings.get("groups", 1)
        y = random(2, 4, 5, 4)
        out = conv_transpose2d(torch.tensor(y), torch.tensor(weight), **settings).array
        x = random(*out.shape, seed=2)
        assert x.shape[1] == 2 * groups
        assert abs((x * out).sum() - (reference_conv2d(x, weight, **settings) * y).sum()) < 1e-11


@pytest.mark.parametrize(("stride", "dilation", "extra"), [(2, 1, 1), (1, 2, 1), (3, 1, (2, 0)), (1, 3, 2)])
def test_output_padding_adds_cells_that_only_the_bias_reaches(stride, dilation, extra):
    y, weight, bias = random(2, 3, 4, 4), random(3, 2, 2, 2, seed=1), np.array([10.0, 20.0])
    settings = {"stride": stride, "dilation": dilation}
    plain = conv_transpose2d(*map(torch.tensor, (y, weight, bias)), **settings).array
    out = conv_transpose2d(*map(torch.tensor, (y, weight, bias)), output_padding=extra, **settings).array
    down, right = pair(extra)
    assert out.shape == (2, 2, plain.shape[2] + down, plain.shape[3] + right)
    np.testing.assert_allclose(out[:, :, : plain.shape[2], : plain.shape[3]], plain, rtol=0, atol=1e-12)
    if down:
        assert (out[:, :, plain.shape[2] :] == bias[:, None, None]).all()


def test_unfold_and_fold():
    x = random(2, 3, 5, 6)
    settings = {"kernel_size": (2, 3), "dilation": (2, 1), "padding": (1, 2), "stride": (1, 2)}
    columns = unfold(torch.tensor(x), **settings).array
    taken = patches(x, (2, 3), (1, 2), (1, 2), (2, 1))
    np.testing.assert_array_equal(columns, taken.reshape(2, -1, 3 * 6).swapaxes(1, 2))
    again = fold(torch.tensor(random(*columns.shape, seed=1)), (5, 6), **settings).array
    assert abs((again * x).sum() - (random(*columns.shape, seed=1) * columns).sum()) < 1e-11
    counts = fold(torch.tensor(np.ones((4, 4))), 3, 2).array
    np.testing.assert_array_equal(counts, [[[1, 2, 1], [2, 4, 2], [1, 2, 1]]])


def test_unfold_of_one_cell_is_a_copy():
    x = torch.zeros(1, 2, 3, 3)
    unfold(x, 1).array[...] = 1
    assert (x.array == 0).all()


def test_inputs_without_a_batch():
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


# Pools


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
    ],
)
def test_pools_are_the_maximum_and_the_mean_of_each_window(kernel, stride, padding, dilation):
    x = random(2, 3, 8, 7)
    out = max_pool2d(torch.tensor(x), kernel, stride, padding, dilation).array
    np.testing.assert_array_equal(
        out, patches(x, kernel, stride, padding, dilation, -np.inf).max((4, 5)).transpose(0, 3, 1, 2)
    )
    if dilation == 1:
        out = avg_pool2d(torch.tensor(x), kernel, stride, padding).array
        np.testing.assert_allclose(
            out, patches(x, kernel, stride, padding).mean((4, 5)).transpose(0, 3, 1, 2), rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_rows_that_keep_their_length_give_the_columns_of_a_padded_plane(dims):
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


@pytest.mark.parametrize("nan", [False, True])
@pytest.mark.parametrize("kernel", [(4, 4), (8, 2), (8, 16)])
def test_windows_of_many_taps_have_the_same_winners(kernel, nan, monkeypatch):
    x = torch.tensor(np.random.default_rng(0).integers(0, 5, (2, 3, 8, 16)).astype(np.float64))
    if nan:
        x[0, 0, 0, :3] = float("nan")
    monkeypatch.setattr(largest, "FEW_CELLS", 0)
    found = max_pool2d(x, kernel, return_indices=True)
    monkeypatch.setattr(largest, "MANY_TAPS", 1000)
    for a, b in zip(found, max_pool2d(x, kernel, return_indices=True), strict=True):
        np.testing.assert_array_equal(a.array, b.array)


@pytest.mark.parametrize("nan", [False, True])
@pytest.mark.parametrize(("size", "out"), [((80,), 5), ((64,), 3), ((3, 41), (2, 3)), ((41, 3), (3, 2))])
def test_adaptive_pools_of_few_large_parts(size, out, nan):
    x = np.random.default_rng(0).integers(0, 5, (2, 3, *size)).astype(np.float64)
    if nan:
        x[0, 0, ..., 1:3] = np.nan
    F, d = torch.nn.functional, len(size)
    largest = getattr(F, f"adaptive_max_pool{d}d")(torch.tensor(x), out, return_indices=True)
    mean = getattr(F, f"adaptive_avg_pool{d}d")(torch.tensor(x), out)
    for at in np.ndindex(mean.shape):
        steps = zip(at[2:], size, mean.shape[2:], strict=True)
        part = tuple(slice(i * n // m, -((i + 1) * -n // m)) for i, n, m in steps)
        cells, places = x[at[:2]][part], np.arange(math.prod(size)).reshape(size)[part]
        wins = places[cells != cells][-1:] if np.isnan(cells).any() else places[cells == cells.max()][:1]
        np.testing.assert_allclose(mean.array[at], cells.mean(), 1e-12)
        np.testing.assert_array_equal(largest[0].array[at], cells.max())
        assert largest[1].array[at] == wins[0]


def test_the_first_of_equals_has_the_gradient():
    x = leaf(np.zeros((1, 1, 3, 4)))
    max_pool2d(x, 2, 1).sum().backward()
    np.testing.assert_array_equal(x.grad.array, [[[[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]]])
    x = leaf(np.array([[[[0.0, 1.0], [1.0, 1.0]]]]))
    max_pool2d(x, 2).sum().backward()
    np.testing.assert_array_equal(x.grad.array, [[[[0, 1], [0, 0]]]])
    x = leaf(np.full((1, 1, 2, 2), -np.inf))
    max_pool2d(x, 3, 1, 1).sum().backward()  # not a cell of the padding, which is -inf too
    assert x.grad.array.tolist() == [[[[4, 0], [0, 0]]]]


def test_nan_wins_its_windows_and_no_other():
    x = leaf(np.array([[[[np.nan, 1.0, 5.0, 2.0], [3.0, np.nan, 4.0, 5.0]]]]))
    out, indices = max_pool2d(x, 2, return_indices=True)
    np.testing.assert_array_equal(out.array, [[[[np.nan, 5]]]])
    assert indices.array.tolist() == [[[[5, 2]]]]
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.array, [[[[0, 0, 1, 0], [0, 1, 0, 0]]]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_infinite_gradient_stays_with_the_winner(dtype):
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
def test_indices_that_are_written_over_are_still_the_forwards(pool):
    x = leaf(random(1, 2, 5, 5))
    out, indices = pool(x, return_indices=True)
    expected = np.zeros((1, 2, 25))
    np.add.at(expected, (0, np.array([[0], [1]]), indices.array.reshape(2, -1)), 1)
    indices.zero_()
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.array.reshape(1, 2, 25), expected)


def test_second_derivative_of_max_pool2d():
    x, g = leaf(random(2, 2, 6, 6)), leaf(random(2, 2, 3, 3, seed=1))
    (grad,) = torch.autograd.grad(max_pool2d(x, 2), x, g, create_graph=True)
    v = random(2, 2, 6, 6, seed=2)
    (back,) = torch.autograd.grad(grad, g, torch.tensor(v))
    chosen = max_pool2d(x, 2, return_indices=True)[1].array.reshape(2, 2, 9)
    expected = np.take_along_axis(v.reshape(2, 2, 36), chosen, 2).reshape(2, 2, 3, 3)
    np.testing.assert_array_equal(back.array, expected)


def test_ceil_mode_lets_the_last_window_hang_over():
    x = torch.tensor(np.arange(25.0).reshape(1, 1, 5, 5))
    assert max_pool2d(x, 2).shape == (1, 1, 2, 2)
    assert max_pool2d(x, 2, ceil_mode=True).array.tolist() == [[[[6, 8, 9], [16, 18, 19], [21, 23, 24]]]]
    assert avg_pool2d(x, 2, ceil_mode=True).array.tolist() == [[[[3, 5, 6.5], [13, 15, 16.5], [20.5, 22.5, 24]]]]
    assert max_pool2d(x, 1, 5, ceil_mode=True).shape == (1, 1, 1, 1)  # a second window would start beyond the input
    assert max_pool2d(x, 7, 7, ceil_mode=True).array.tolist() == [[[[24]]]]


def test_looking_for_windows_in_the_padding_takes_no_longer_of_a_long_line():
    start = time.perf_counter()
    assert pooled("pool", (10**7,), (2,), (1,), (1,), (2,), False).out == (10**7,)
    assert time.perf_counter() - start < 1  # to look at each of its windows takes ten


def test_what_counts_in_a_mean():
    x = torch.tensor(np.ones((1, 1, 3, 3)))
    assert avg_pool2d(x, 3, 2, 1).array.tolist() == [[[[4 / 9, 4 / 9], [4 / 9, 4 / 9]]]]
    assert avg_pool2d(x, 3, 2, 1, count_include_pad=False).array.tolist() == [[[[1, 1], [1, 1]]]]
    assert avg_pool2d(x, 3, 2, 1, divisor_override=2).array.tolist() == [[[[2, 2], [2, 2]]]]
    # what hangs over the padding counts neither way: the last window has 2 rows, one of them padding, and 2 columns
    x = torch.tensor(np.ones((1, 1, 4, 4)))
    assert avg_pool2d(x, 3, 2, 1, ceil_mode=True).array[0, 0, 2, 2] == 1 / 4


def test_max_pool2d_of_integers():
    x = torch.tensor(np.array([[[[-5, -7], [-6, -9]]]]))
    assert max_pool2d(x, 2, padding=1).array.tolist() == [[[[-5, -7], [-6, -9]]]]
    assert max_pool2d(x, 2).dtype == torch.int64


@pytest.mark.parametrize("settings", [(3, 2, 1), (2,), (3, 1, 1, 2), (2, 3, 1, 1, True)], ids=str)
@pytest.mark.parametrize("odd", [None, float("nan"), -float("inf")])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_windows_of_few_cells_are_pooled_as_those_of_many(dims, odd, settings, monkeypatch):
    x = np.random.default_rng(0).integers(0, 4, (2, 3, *(7, 6, 5)[:dims])).astype(np.float32)
    if odd is not None:
        x[0, 0, :3] = odd
    pool, x = getattr(torch.nn.functional, f"max_pool{dims}d"), torch.tensor(x)
    few = pool(x, *settings, return_indices=True)
    monkeypatch.setattr(largest, "FEW_CELLS", 0)
    for a, b in zip(few, pool(x, *settings, return_indices=True), strict=True):
        np.testing.assert_array_equal(a.array, b.array)


def test_blocks_of_a_pool_agree(monkeypatch):
    monkeypatch.setattr(largest, "FEW_CELLS", 0)
    x = torch.tensor(random(5, 3, 9, 8))
    expected = max_pool2d(x, 3, 2, 1, return_indices=True)
    monkeypatch.setattr(largest, "blocks", lambda x, rows, numbers: blocks(x, rows, numbers * 2000))
    for a, b in zip(max_pool2d(x, 3, 2, 1, return_indices=True), expected, strict=True):
        np.testing.assert_array_equal(a.array, b.array)


@pytest.mark.parametrize("size", [3, 17, 300])
def test_a_winner_farther_away_than_a_byte_counts(size):
    x = leaf(random(1, 1, size, size))
    max_pool2d(x, size).sum().backward()
    assert x.grad.array.sum() == x.grad.array.flat[x.array.argmax()] == 1


# All of them

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
def test_layouts_dtypes_and_untouched_inputs(op, dtype):
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
def test_the_gradient_of_a_sum_has_stride_zero(op):
    x = leaf(random(2, 3, 7, 6))
    op(x).sum().backward()
    y = leaf(x.array)
    out = op(y)
    out.backward(torch.ones(out.shape, dtype=torch.float64))
    np.testing.assert_allclose(x.grad.array, y.grad.array, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d", "unfold", "max_pool2d", "avg_pool2d"])
def test_an_empty_batch(name):
    x = leaf(np.zeros((0, 3, 7, 6)))
    out = OPS[name](x)
    assert out.shape[0] == 0
    assert out.shape[1:] == OPS[name](torch.zeros(1, 3, 7, 6, dtype=torch.float64)).shape[1:]
    out.sum().backward()
    assert x.grad.shape == x.shape


def test_what_is_written_to_indices_moves_no_gradient():
    """They are the result's own: PyTorch refuses the backward pass."""
    x, y = (leaf(random(1, 2, 7, 7)) for _ in range(2))
    y.data.copy_(x.data)
    pool = partial(torch.nn.functional.adaptive_max_pool2d, output_size=3, return_indices=True)
    out, indices = pool(x)
    indices.zero_()
    (out * out).sum().backward()
    (pool(y)[0] ** 2).sum().backward()
    np.testing.assert_array_equal(x.grad.array, y.grad.array)
