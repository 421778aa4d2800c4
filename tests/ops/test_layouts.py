"""Strides of results: they are PyTorch's, which programs notice in `view` and in the order of random draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import microgad as torch
import microgad.nn.functional as F
from microgad import Tensor
from microgad.backend import axis_order, copies
from microgad.backend.copies import copied_row_major, copy_into, faster_copy
from microgad.ops.support import fast_numpy, layouts

from ..times import assert_takes

PERMUTED = torch.arange(120.0).reshape(2, 5, 3, 4).transpose(0, 2)
INDEX = torch.tensor([1, 0])


@pytest.mark.parametrize(
    "operation",
    [
        lambda x: x[:, INDEX, INDEX],
        lambda x: x.index_select(1, INDEX),
        lambda x: x.softmax(1),
        lambda x: x.log_softmax(-1),
        lambda x: x.cumsum(1),
        lambda x: x.index_copy(0, INDEX, x[:2]),
        lambda x: x.scatter(0, (x * 0).long(), x),
        lambda x: x.roll(1, 1),
        lambda x: x.permute(2, 1, 3, 0).contiguous(memory_format=torch.channels_last).roll(1),
        lambda x: x.tril(),
        lambda x: (x * 1j).angle(),
        lambda x: torch.cat([x, x], 1),
        lambda x: x @ x.transpose(-1, -2),
        lambda x: torch.einsum("abcd,abed->abec", x, x),
        lambda x: torch.einsum("abcd,abed->baec", x, x),
    ],
)
def test_results_that_are_contiguous_whatever_the_strides_of_the_input(operation: Callable[[Tensor], Tensor]) -> None:
    result = operation(PERMUTED)
    assert result.is_contiguous()
    assert result.view(-1).tolist() == operation(PERMUTED.clone().contiguous()).flatten().tolist()


@pytest.mark.parametrize(
    "operation",
    [
        lambda x: x.sum(0, keepdim=True),
        lambda x: x.mean((0, 2), keepdim=True),
        lambda x: x.var(0, keepdim=True),
        lambda x: x.prod(1, keepdim=True),
        lambda x: x.amax(0, keepdim=True),
        lambda x: x.aminmax(dim=0, keepdim=True).min,
        lambda x: x.any(1, keepdim=True),
        lambda x: x.all(0, keepdim=True),
        lambda x: x.median(0, keepdim=True).values,
        lambda x: x.kthvalue(2, 0, keepdim=True).values,
        lambda x: x.mode(1, keepdim=True).indices,
        lambda x: x.topk(1, 0).values,
        lambda x: x.amax(0, keepdim=True).sort(0).values,
    ],
)
@pytest.mark.parametrize(
    "x", [torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1), torch.arange(24.0).reshape(4, 6, 1)]
)
def test_axes_of_length_1_have_the_strides_of_rows(operation: Callable[[Tensor], Tensor], x: Tensor) -> None:
    result = operation(x)
    assert result.stride() == torch.empty(result.shape).stride()


@pytest.mark.parametrize(
    "operation",
    [
        torch.sigmoid,
        torch.nn.functional.gelu,
        torch.nn.functional.silu,
        torch.exp,
        lambda x: x.index_put((INDEX,), x[:2]),
        lambda x: x.index_put((INDEX,), x[:2], accumulate=True),
        lambda x: x.index_fill(1, INDEX, 2.0),
        lambda x: x.select_scatter(x[0], 0, 1),
        lambda x: x.slice_scatter(x[:1], 0, 1, 2),
        lambda x: torch.rot90(x, 2),
        lambda x: (x + 1) * x.double(),
        lambda x: 2 / x,
        lambda x: 1 / x,
        lambda x: x.half() * 2,
        lambda x: x.maximum(x[:1]) > 3,
        lambda x: x.round(decimals=1),
        lambda x: x.isposinf(),
        lambda x: x.logit(),
        torch.relu,
        torch.nn.functional.hardtanh,
        torch.nn.functional.hardshrink,
        torch.nn.functional.dropout,
        torch.nn.functional.dropout2d,
        lambda x: torch.nn.functional.glu(torch.cat([x.transpose(0, 2)] * 2, 1).transpose(0, 2), 1),
        lambda x: torch.nn.functional.binary_cross_entropy_with_logits(x, x, reduction="none"),
        lambda x: torch.rand_like(x).exp(),
        lambda x: x.bool().sign(),
        lambda x: x.angle(),
        lambda x: x.flip(1),
        lambda x: x.put(INDEX, x[0, 0, 0, :2]),
    ],
)
def test_results_with_the_strides_of_their_input(operation: Callable[[Tensor], Tensor]) -> None:
    assert operation(PERMUTED).stride() == PERMUTED.stride()


@pytest.mark.parametrize("width", [4, 200])  # a small array, and one that is computed in blocks
@pytest.mark.parametrize(
    "operation",
    [
        torch.erf,
        torch.nan_to_num,
        lambda x: torch.hypot(torch.tensor(2.0), x),
        lambda x: torch.hypot(x, x[:, :1]),
        lambda x: torch.where(x > 0.5, x, -1.0),
        lambda x: torch.where(x > 0.5, x[:1], x[:, :1]),
        lambda x: torch.where(x > 0.5, x[0, 0, 0], x[0, 0, 0].flip(0)),
        lambda x: torch.nn.functional.threshold(x, 0.5, 0.0),
    ],
)
def test_elementwise_results_have_the_strides_of_their_input(operation: Callable[[Tensor], Tensor], width: int) -> None:
    x = torch.linspace(0, 1, 30 * width).reshape(2, 5, 3, width).transpose(0, 2)
    result = operation(x)
    assert result.stride() == x.stride()
    assert result.tolist() == operation(x.contiguous()).tolist()


@pytest.mark.parametrize(
    "operation", [lambda x: torch.fill(x, 2), lambda x: x.diagonal_scatter(x[0]), lambda x: x.flip(1)]
)
def test_results_of_expanded_inputs_are_contiguous(operation: Callable[[Tensor], Tensor]) -> None:
    assert operation(torch.arange(2.0).expand(3, 2)).stride() == (2, 1)


def test_results_of_broadcast_operands_in_rows_lie_as_pytorch_s_iterator_would_have_them(rng: Any) -> None:
    for _ in range(500):
        shape = rng.integers(1, 4, rng.integers(1, 5))
        thin = [np.where(rng.random(len(shape)) < 0.6, shape, 1) for _ in range(3)]
        operands = [np.zeros(sizes[rng.integers(len(shape)) :]) for sizes in thin]
        operands = [np.copy(x.T).T if rng.random() < 0.2 else x for x in operands]
        out = sum(operands)
        if out.shape != operands[0].shape:
            order = axis_order.order_by(out.shape, *[axis_order._spread(x, out.shape) for x in operands])
            expected = axis_order.lying(out, order)
            assert axis_order.laid_out_as_operands(out, operands).strides == expected.strides


@pytest.mark.host("times of NumPy")
def test_small_masks_that_broadcast_take_little_longer_than_whole_ones() -> None:
    x, mask = torch.ones(4, 16, 2), torch.ones(4, 16, 2) > 0
    column = mask[..., :1].clone()

    def calls(mask: Tensor) -> Callable[[], Any]:
        return lambda: [torch.where(mask, x, 0) for _ in range(20)]

    assert_takes(1.7, calls(column), calls(mask))


def test_copies_of_a_part_have_no_gaps_around_axes_of_length_1() -> None:
    images = torch.ones(2, 1, 3, 3).to(memory_format=torch.channels_last)
    for mode in ("reflect", "replicate"):
        assert F.pad(torch.ones(1, 3), (-1, 1), mode).stride() == (3, 1)
        assert F.pad(images, (-1, 1, 0, -2), mode).stride() == (3, 1, 3, 1)
    assert torch.ones(2, 3).diag(2).stride() == (1,)


def test_empty_views_have_the_strides_of_what_they_view() -> None:
    x = torch.ones(2, 3, 4, 5)[..., 1]
    assert x[:, 1:1].stride() == x.narrow(1, 3, 0).stride() == x.stride() == (60, 20, 5)
    assert x[:0].transpose(0, 2).stride() == (5, 20, 60)
    assert x[:, 1:1].exp().stride() == torch.empty(2, 0, 4).stride() == (4, 4, 1)


def test_einsum_has_pytorch_s_strides() -> None:
    assert torch.einsum("bhij,hg->bgij", torch.ones(2, 3, 4, 5), torch.ones(3, 6)).stride() == (120, 1, 30, 6)
    assert torch.einsum("hg,bhij->bgij", torch.ones(3, 6), torch.ones(2, 3, 4, 5)).stride() == (20, 40, 5, 1)


@pytest.mark.parametrize(
    "operation",
    [
        torch.nn.Conv2d(4, 2, 3),
        torch.nn.ConvTranspose2d(4, 2, 3),
        torch.nn.BatchNorm2d(4),
        torch.nn.GroupNorm(2, 4),
        torch.nn.MaxPool2d(2),
        torch.nn.AdaptiveAvgPool2d(4),
        torch.nn.AdaptiveMaxPool2d(4),
        lambda x: torch.nn.AdaptiveMaxPool2d(4, return_indices=True)(x)[1],
        torch.nn.SiLU(),
        lambda x: torch.cat([x, x], 1),
        lambda x: x.roll(1, 1),
    ],
)
@pytest.mark.parametrize("gaps", [False, True])
def test_channels_last_is_kept(operation: Callable[[Tensor], Tensor], gaps: bool) -> None:
    x = torch.arange(480.0).reshape(2, 6, 5, 8).permute(0, 3, 1, 2)
    x = x[:, ::2] if gaps else x[:, :4].contiguous(memory_format=torch.channels_last)
    result, same = operation(x), operation(x.contiguous())
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert same.is_contiguous()
    torch.testing.assert_close(result, same, rtol=0, atol=0)


IMAGES = {
    "max_pool2d": lambda x: F.max_pool2d(x, 2),
    "max_pool2d, overlapping": lambda x: F.max_pool2d(x, 3, 2, 1),
    "max_pool2d, long": lambda x: F.max_pool2d(x, 8, 1),
    "max_pool2d, dilated": lambda x: F.max_pool2d(x, 2, 1, 1, 2),
    "avg_pool2d": lambda x: F.avg_pool2d(x, 2),
    "avg_pool2d, overlapping": lambda x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
    "avg_pool2d of the whole plane": lambda x: F.avg_pool2d(x, (10, 12)),
    "pad, reflect": lambda x: F.pad(x, (1, 2, 2, 0), "reflect"),
    "pad, replicate": lambda x: F.pad(x, (1, 2, 2, 0), "replicate"),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x, 2),
    "pixel_unshuffle": lambda x: F.pixel_unshuffle(x, 2),
    "channel_shuffle": lambda x: F.channel_shuffle(x, 4),
    "conv2d of one cell": lambda x: F.conv2d(x, x[:, :, :1, :1].detach(), x[0, 0, :4, 0].detach()),
    "conv2d": lambda x: F.conv2d(x, x.detach().repeat(24, 1, 1, 1)[:, :, :3, :2].contiguous(), padding=1),
    "conv2d, stride": lambda x: F.conv2d(x, x.detach().repeat(24, 1, 1, 1)[:, :, :3, :2].contiguous(), None, 2),
    "group_norm": lambda x: F.group_norm(x, 4, x[0, :, 0, 0].detach(), x[0, :, 1, 1].detach()),
    "group_norm of the sum": lambda x: F.group_norm(x + 100, 2),
}


@pytest.mark.parametrize("channels", [4, 80])
@pytest.mark.parametrize("operation", IMAGES)
def test_images_in_channels_last_format_have_the_results_of_contiguous_ones(rng, operation, channels) -> None:
    """Their derivatives are the same, too, to second order."""
    values, results = rng.integers(0, 9, (4, channels, 10, 12)) + 0.5, []
    if operation.startswith("max"):
        values[1, 2, 3:5, 4] = np.nan
    for form in (torch.contiguous_format, torch.channels_last):
        x = torch.tensor(values).contiguous(memory_format=form).requires_grad_()
        out = IMAGES[operation](x)
        assert out.is_contiguous(memory_format=form)
        factors = torch.arange(float(out.numel())).reshape(out.shape).contiguous(memory_format=form)
        (grad,) = torch.autograd.grad(out, x, factors.to(out), retain_graph=True)
        (again,) = torch.autograd.grad((out * out).sum(), x, create_graph=True)
        second = torch.autograd.grad((again * again.detach()).sum(), x)[0]
        results.append([a.detach().numpy(force=True) for a in (out, grad, again, second)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-7 * np.nanmax(np.abs(theirs)))


@pytest.mark.parametrize("dtype", ["bool", "int8", "float16", "float32", "complex64"])
@pytest.mark.parametrize("shape", [(7,), (0,), (3, 4), (4, 1, 5), (2, 0, 3), (0, 4)])
def test_nonzero_gives_numpy_s_indices(rng, dtype, shape):
    x = (rng.integers(-1, 2, shape) * (1j if dtype == "complex64" else 1)).astype(dtype)
    if x.size and dtype.startswith("float"):
        x.reshape(-1)[:2] = np.nan, -0.0
    for each in (x, x.T):
        found = fast_numpy.nonzero(each)
        assert len(found) == each.ndim
        for ours, theirs in zip(found, each.nonzero(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("shape", [(512, 37), (40, 256, 3), (3, 1024, 17), (2, 2, 512, 33), (128, 45), (512, 530)])
def test_columns_that_are_far_apart_are_copied_in_strips(shape: tuple[int, ...]) -> None:
    """`contiguous` copies them 8 to 32 at a time; the last strip is narrower."""
    x = torch.arange(float(math.prod(shape)), dtype=torch.float64).view(shape[::-1]).permute(*range(len(shape))[::-1])
    assert x.stride(-1) * 8 >= 1024
    y = x.contiguous()
    assert y.is_contiguous()
    assert torch.equal(y, x)


@pytest.mark.parametrize("rows", [1, 3, 30])
def test_few_long_rows_are_copied_at_once(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """A loop over their strips would take ten times as long as the copy of a column."""
    x = np.zeros((9000, 256)).cumsum(0)[:, :rows].T
    expected = x.copy()
    monkeypatch.setattr(np, "empty", None)
    found = copied_row_major(x)
    monkeypatch.undo()
    np.testing.assert_array_equal(found, expected)


ROWS = {
    "heads": lambda x: x.reshape(16, 30, 4, 6).transpose(0, 2, 1, 3),
    "cropped": lambda x: x.reshape(640, 18)[:, 3:16],
    "spread": lambda x: x.reshape(80, 72, 2)[..., 0],
    "expanded": lambda x: np.broadcast_to(x[:36, None], (36, 700)).T[:, :9],
    "windows": lambda x: np.lib.stride_tricks.sliding_window_view(x[:700], 11),
    "columns": lambda x: x.reshape(3, 3840).T,
    "far apart": lambda x: x.reshape(90, 128).T,
    "one": lambda x: x[:900].reshape(300, 3)[:, :1],
    "empty": lambda x: x.reshape(-1, 4)[:, :0],
}


@pytest.mark.parametrize("dtype", ["bool", "int16", "float32", "float64", "complex128", object])
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_copies_of_rows_equal_those_of_numpy(rng, monkeypatch, rows, dtype):
    x = rows(rng.integers(0, 2, 11520).astype(dtype))
    padded = np.zeros((*x.shape[:-1], x.shape[-1] + 2), dtype)
    for out in (padded[..., 1:-1], np.zeros(x.shape, dtype), np.zeros(x.shape[::-1], dtype).T):
        copy_into(out, x)
        np.testing.assert_array_equal(out, x)
    assert not padded[..., [0, -1]].any()
    monkeypatch.setattr(layouts, "LARGE", 0)
    np.testing.assert_array_equal(layouts.reshape(x, (x.size,)), x.reshape(-1))


@pytest.mark.parametrize(
    ("shape", "columns", "way"),
    [
        ((64, 9), 8, None),
        ((600, 17), 16, "_copy_items"),
        ((1000, 201), 200, None),
        ((2000, 4), 3, "_copy_columns"),
        ((2000, 5), 4, "_copy_items"),
    ],
)
def test_short_rows_are_copied_as_items_only_where_that_pays(shape, columns, way):
    found = faster_copy(np.zeros(shape, "float32")[:, :columns])
    assert getattr(found, "__name__", None) == way


@pytest.mark.parametrize("gap", [0, 1])
def test_writes_into_arrays_take_the_way_of_copies(monkeypatch, gap):
    x, ways = np.ones((90, 128)).T, []
    monkeypatch.setattr(copies, "_copy_strips", lambda out, x: ways.append(out.strides))
    out = np.empty((128, 90 + gap))[:, :90]
    copy_into(out, x)
    copied_row_major(x)
    assert ways == [out.strides, (720, 8)]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.half, torch.float32, torch.float64, torch.complex64])
@pytest.mark.parametrize("shape", [(1500, 3), (50, 50, 2), (1100, 3, 3), (1100, 1, 4), (2, 700, 3)])
@pytest.mark.parametrize("images", [False, True])
def test_rows_of_few_bytes_are_copied_right(shape: tuple[int, ...], dtype: torch.dtype, images: bool) -> None:
    """They are copied column by column."""
    x = torch.arange(math.prod(shape)).remainder(251).view(shape).to(dtype)
    x = x.movedim(-1, 0) if images else x
    for dim in range(x.ndim):
        flipped, n = x.flip(dim), x.shape[dim]
        backwards = torch.arange(n - 1, -1, -1)
        assert torch.equal(flipped, x.index_select(dim, backwards))
        assert flipped.stride() == x.stride()
        part = x.narrow(dim, 0, n - 1)
        for copy in (part.clone(), part.contiguous()):
            assert torch.equal(copy, part)


@pytest.mark.host("it is NumPy that is slow")
@pytest.mark.parametrize(
    ("shape", "dtype", "dim"),
    [
        ((224, 224, 3), "uint8", 1),
        ((224, 224, 3), "uint8", 2),
        ((20_000, 3), "float32", 0),
        ((9_000, 2), "complex64", 0),
    ],
)
def test_rows_of_few_bytes_are_flipped_in_two_thirds_of_numpys_time(shape: Any, dtype: Any, dim: int) -> None:
    x = np.ones(shape, dtype)
    given = torch.from_numpy(x)
    assert_takes(2 / 3, lambda: given.flip(dim), lambda: np.flip(x, dim).copy())
