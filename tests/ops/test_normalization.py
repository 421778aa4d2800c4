"""Normalization: running statistics, precision, values kept for backward, float16 and errors."""

from functools import partial

import numpy as np
import pytest

import microgad as torch
import microgad.nn.functional as F
from microgad.ops.normalization import BatchNorm, batch_norm, channels, group
from microgad.ops.normalization.channels import per_channel
from microgad.ops.support import layouts

from ..times import assert_takes


def running_stats(channels):
    return torch.zeros(channels), torch.ones(channels)


def test_each_channel_gets_mean_0_and_variance_1():
    x = torch.randn(8, 3, 5, 4) * 7 + 3
    y = batch_norm(x, None, None, training=True).array
    np.testing.assert_allclose(y.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(y.var((0, 2, 3)), 1, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 3), (3, 3, 5), (4, 3, 5), (4, 3, 1), (4, 3, 5000), (4, 70, 4000), (4, 3, 0)])
def test_per_channel_values_broadcast_over_channels(shape):
    x = torch.randn(shape).array
    values = torch.arange(float(shape[1])).array
    column = values.reshape(-1, *(1,) * (len(shape) - 2))
    np.testing.assert_array_equal(per_channel(values, x) + x, column + x)


@pytest.mark.parametrize("mean", [2**12, 2**20])
def test_batch_norm_keeps_its_digits_for_a_large_mean(mean):
    """E[x²] - E[x]² would lose them, and even a mean that has the rounding error of a sum."""
    x = np.random.default_rng(0).standard_normal((64, 2, 10))
    far = (x.astype(np.float32) + np.float32(mean)).astype(np.float64)  # rounded as float32 is there
    expected = (far - far.mean((0, 2), keepdims=True)) / far.std((0, 2), keepdims=True)
    a = torch.tensor(far.astype(np.float32), requires_grad=True)
    y = batch_norm(a, None, None, training=True, eps=1e-9)
    np.testing.assert_allclose(y.array, expected, rtol=1e-6, atol=1e-6)
    g = np.random.default_rng(1).standard_normal(x.shape)
    weight, half_an_ulp = torch.ones(2, requires_grad=True), mean * 2**-24  # of the mean that is kept for backward
    batch_norm(a, None, None, weight, training=True, eps=1e-9).backward(torch.tensor(g.astype(np.float32)))
    bound = half_an_ulp * np.abs(g.sum((0, 2))) + 1e-4
    assert (np.abs(weight.grad.array - (g * expected).sum((0, 2))) < bound).all()


@pytest.mark.parametrize("norm", [lambda x: F.layer_norm(x, (600,), eps=1e-9), lambda x: F.group_norm(x, 3, eps=1e-9)])
def test_rows_keep_their_digits_for_a_large_mean(norm):
    far = np.random.default_rng(0).standard_normal((2, 3, 600)).astype(np.float32) + np.float32(2**12)
    exact = far.astype(np.float64)
    expected = (exact - exact.mean(2, keepdims=True)) / exact.std(2, keepdims=True)
    np.testing.assert_allclose(norm(torch.tensor(far)).array, expected, rtol=1e-6, atol=1e-6)


def test_running_statistics_move_by_momentum():
    x = torch.randn(6, 2, 3)
    mean, var = running_stats(2)
    batch_norm(x, mean, var, training=True, momentum=0.25)
    np.testing.assert_allclose(mean.array, 0.25 * x.array.mean((0, 2)), 1e-5, 1e-7)  # it may be close to 0
    np.testing.assert_allclose(var.array, 0.75 + 0.25 * x.array.var((0, 2), ddof=1), 1e-5)
    assert (mean._version, var._version) == (1, 1)
    assert not mean.requires_grad


def test_running_statistics_of_instances_move_to_their_mean_over_the_batch():
    x = torch.randn(3, 2, 5)
    mean, var = running_stats(2)
    F.instance_norm(x, mean, var, momentum=0.25)
    np.testing.assert_allclose(mean.array, 0.25 * x.array.mean((0, 2)), 1e-5, 1e-7)
    np.testing.assert_allclose(var.array, 0.75 + 0.25 * x.array.var(2, ddof=1).mean(0), 1e-5)


def test_evaluation_uses_running_statistics_and_keeps_them():
    mean, var = torch.tensor([1.0, 2.0]), torch.tensor([4.0, 9.0])
    y = batch_norm(torch.tensor([[3.0, 8.0]]), mean, var, torch.tensor([1.0, 2.0]), torch.tensor([0.0, 1.0]), eps=0)
    np.testing.assert_allclose(y.array, [[1, 5]], 1e-6)
    assert (mean.tolist(), var.tolist()) == ([1, 2], [4, 9])


def test_an_update_of_running_statistics_before_backward_raises():
    x = torch.randn(4, 2, requires_grad=True)
    mean, var = running_stats(2)
    y = batch_norm(x, mean, var)
    batch_norm(x, mean, var, training=True)
    with pytest.raises(RuntimeError, match=r"FixedBatchNorm: .* modified by an inplace operation"):
        y.sum().backward()


def test_training_keeps_the_input_and_one_number_per_channel():
    x, weight = torch.randn(4, 3, 5, requires_grad=True), torch.ones(3, requires_grad=True)
    node = batch_norm(x, *running_stats(3), weight, weight, training=True).grad_fn
    assert type(node) is BatchNorm
    assert [k.shape for k in node.kept] == [(4, 3, 5), (3,), (3,), (3,), (3,)]


@pytest.mark.parametrize("shape", [(0, 3, 2), (0, 3), (2, 3, 0), (2, 3, 0, 4)])
def test_an_empty_batch_changes_no_running_statistics(shape):
    mean, var = running_stats(3)
    x, weight, bias = torch.zeros(shape).requires_grad_(), *(torch.ones(3, requires_grad=True) for _ in range(2))
    out = batch_norm(x, mean, var, weight, bias, training=True)
    out.sum().backward()
    assert out.shape == x.grad.shape == shape
    assert weight.grad.tolist() == bias.grad.tolist() == [0.0, 0.0, 0.0]
    assert mean._version == 0


def test_the_gradient_of_a_constant_batch_is_finite():
    x = torch.full((4, 2), 3.0, requires_grad=True)
    batch_norm(x, None, None, training=True).sum().backward()
    np.testing.assert_allclose(x.grad.array, 0, atol=1e-4)


def test_non_contiguous_input():
    x = torch.randn(5, 4, 3)
    a, b = (z.detach().requires_grad_() for z in (x.permute(2, 1, 0), x.permute(2, 1, 0).contiguous()))
    for z in (a, b):
        y = batch_norm(z, None, None, training=True)
        (y * y * y).sum().backward()
    np.testing.assert_allclose(a.grad.array, b.grad.array, 1e-5, 1e-6)


def test_errors_change_no_running_statistics():
    x, (mean, var) = torch.randn(4, 3), running_stats(3)
    two = torch.ones(2)
    doubles, integers = torch.ones(3, dtype=torch.float64), x.long()
    wrong = [
        (RuntimeError, r"^BatchNorm: weight must have an element for each channel of input, \(3,\), but has \(2,\) \(",
         lambda: batch_norm(x, mean, var, two, None, True)),
        (RuntimeError, r"batch_norm: bias must have .* \(3,\), but has \(2,\)",
         lambda: batch_norm(x, mean, var, None, two)),
        (RuntimeError, r"running_mean must have .* \(3,\), but has \(2,\)",
         lambda: batch_norm(x, two, var, training=True)),
        (RuntimeError, r"running_var must have .* \(3,\), but has \(2,\)",
         lambda: batch_norm(x, mean, two)),
        (RuntimeError, "running_mean must be defined in evaluation mode",
         lambda: batch_norm(x, None, None)),
        (ValueError, r"Expected more than 1 value per channel when training, got input size \(1, 3\)",
         lambda: batch_norm(x[:1], mean, var, training=True)),
        (RuntimeError, r"input must be \(N, C, ...\), but has shape \(3,\)",
         lambda: batch_norm(mean, None, None, training=True)),
        (RuntimeError, "input must be floating-point, but is int64",
         lambda: batch_norm(integers, None, None, training=True)),
        (RuntimeError, "input is float32, but weight is float64",
         lambda: batch_norm(x, mean, var, doubles, None, True)),
    ]  # fmt: skip
    for error, message, call in wrong:
        with pytest.raises(error, match=message):
            call()
    assert (mean.tolist(), var.tolist()) == ([0] * 3, [1] * 3)
    assert mean._version == var._version == 0


NORMS = [
    lambda x, mean, var, w, b: batch_norm(x, mean, var, w, b, True),
    lambda x, mean, var, w, b: batch_norm(x, mean, var, w, b),
    lambda x, mean, var, w, b: F.instance_norm(x, None, None, w, b),
    lambda x, mean, var, w, b: F.instance_norm(x, mean, var, w, b),
    lambda x, mean, var, w, b: F.group_norm(x, 2, w, b),
    lambda x, mean, var, w, b: F.layer_norm(x, (4, 5), w[:, None].expand(4, 5), b[:, None].expand(4, 5)),
]


def rms(x, mean, var, w, b):
    return F.rms_norm(x, (4, 5), w[:, None].expand(4, 5))


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")
@pytest.mark.parametrize("norm", [*NORMS, rms])
def test_float16_with_parameters_of_float32_is_computed_in_float32(norm):
    def results(x):
        x = x.detach().requires_grad_()
        mean, var = running_stats(4)
        w, b = (torch.tensor([1.5, 2.0, 0.1, -1.0], requires_grad=True) for _ in range(2))
        y = norm(x, mean, var, w, b)
        y.float().sum().backward()
        return y.half(), x.grad.half(), w.grad, mean, var

    x = torch.randn(3, 4, 5).half()
    for found, expected in zip(results(x), results(x.float()), strict=True):
        assert found.dtype == expected.dtype
        tolerance = 1e-3 if found.dtype == torch.half else 1e-6  # rounding errors of sums depend on strides
        np.testing.assert_allclose(found.detach().array, expected.detach().array, tolerance, tolerance)
    with pytest.raises(RuntimeError, match="floating-point"):
        norm(x.short(), *running_stats(4), torch.ones(4), torch.ones(4))


@pytest.mark.parametrize("norm", NORMS)
def test_parameters_of_another_dtype_raise(norm):
    with pytest.raises(RuntimeError, match="convert one of them"):
        norm(torch.randn(3, 4, 5), *running_stats(4), torch.ones(4).double(), torch.ones(4).double())


def test_the_default_eps_of_rms_norm_for_float16_is_that_of_float32():
    x = torch.full((1, 3), 0.01, dtype=torch.half)
    np.testing.assert_array_equal(F.rms_norm(x, (3,)).array, F.rms_norm(x.float(), (3,)).half().array)


@pytest.mark.parametrize("shape", [(3, 5, 4, 6), (2, 9, 2, 3, 4), (40, 12, 20, 20), (1, 12, 79, 83)])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("grad_too", [True, False])
def test_batch_norm_in_channels_last_is_that_of_a_contiguous_input(shape, training, grad_too):
    x, g = torch.randn(2, *shape, dtype=torch.float64)
    weight, bias, mean, var = torch.rand(4, shape[1], dtype=torch.float64)
    found = []
    for last in (False, True):
        given, grad = (a.movedim(1, -1).contiguous().movedim(-1, 1) if last else a for a in (x, g))
        leaves = [a.detach().requires_grad_() for a in (given, weight, bias)]
        out = F.batch_norm(leaves[0], mean.clone(), var.clone(), *leaves[1:], training=training)
        assert out.stride() == given.stride()
        found.append([out, *torch.autograd.grad(out, leaves, grad if grad_too else g)])
    for expected, each in zip(*found, strict=True):
        np.testing.assert_allclose(each.detach().cpu().numpy(), expected.detach().cpu().numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.host("CuPy has other kernels")
def test_batch_norm_in_channels_last_does_not_copy_strided_memory():
    weight = torch.ones(64, requires_grad=True)

    def step(x):
        F.batch_norm(x, None, None, weight, weight, training=True).backward(x)

    x = torch.randn(8, 64, 28, 28)
    last = x.contiguous(memory_format=torch.channels_last)
    assert_takes(2.1, partial(step, last), partial(step, x))  # it took 2.8 times as long


@pytest.mark.parametrize("count", [9000, 9001])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_of_many_rows_is_that_of_lines_of_one(count, training):
    rng = np.random.default_rng(0)
    x, grad = (torch.tensor(rng.standard_normal((count, 10)).astype(np.float32)) for _ in range(2))
    found = []
    for lines in (False, True):
        given = x.unsqueeze(2).requires_grad_() if lines else x.clone().requires_grad_()
        mean, var, weight, bias = (torch.linspace(0.1, k, 10).requires_grad_(k > 2) for k in (1, 2, 3, 4))
        out = F.batch_norm(given, mean, var, weight, bias, training).reshape(x.shape)
        found.append([out, mean, var, *torch.autograd.grad(out, (given, weight, bias), grad)])
    for rows, lines in zip(*found, strict=True):
        torch.testing.assert_close(rows, lines.reshape(rows.shape), rtol=1e-4, atol=1e-5)


# What makes small arrays take the ways of large ones: names of thresholds, and values for them.
AS_IF_LARGE = {
    "blocks": ((group, "BLOCK", 100), (group, "BLOCK_SIZE", 0)),
    "many rows": ((channels, "MANY_ROWS", 2), (group, "MANY_ROWS", 2)),
    "places": ((layouts, "LARGE", 0), (channels, "FEW_CHANNELS", 1), (group, "BLOCK", 100)),
    "places, many rows": ((layouts, "LARGE", 0), (channels, "FEW_CHANNELS", 1), (group, "MANY_ROWS", 2)),
}
NORMS_OF_ROWS = {
    "group_norm": lambda x, w, b: F.group_norm(x, 2, w, b),
    "group_norm without weight": lambda x, w, b: F.group_norm(x, 2) * w.sum() * b.sum(),
    "instance_norm": lambda x, w, b: F.instance_norm(x, None, None, w, b),
    "layer_norm": lambda x, w, b: F.layer_norm(x.mT, (4,), w, b),
    "rms_norm": lambda x, w, b: F.rms_norm(x.mT, (4,), w) + b,
}


@pytest.mark.parametrize("far", [0, 1e4])
@pytest.mark.parametrize("way", AS_IF_LARGE)
@pytest.mark.parametrize("norm", NORMS_OF_ROWS.values(), ids=NORMS_OF_ROWS)
def test_norms_of_large_arrays_are_those_of_small_ones(monkeypatch, norm, way, far):
    """Seven images in blocks of five, or with more rows than are summed at once (a prime number: see `places`)."""
    rng, length = np.random.default_rng(0), 1031 if way == "places, many rows" else 5
    x, w, b = rng.standard_normal((7, 4, length)) + far, rng.standard_normal(4), rng.standard_normal(4)
    if "places" in way:
        x = np.ascontiguousarray(x.transpose(0, 2, 1)).transpose(0, 2, 1)
    found = []
    for large in (False, True):
        for place, name, value in AS_IF_LARGE[way] if large else ():
            monkeypatch.setattr(place, name, value)
        leaves = [torch.tensor(a, requires_grad=True) for a in (x, w, b)]
        out = norm(*leaves)
        found.append([out, *torch.autograd.grad(out, leaves, torch.tensor(x.reshape(tuple(out.shape)) - far))])
    for expected, each in zip(*found, strict=True):
        np.testing.assert_allclose(each.detach().cpu().numpy(), expected.detach().cpu().numpy(), 1e-9, 1e-9)
