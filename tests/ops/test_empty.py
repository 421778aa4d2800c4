"""Empty inputs: gradients have their shapes, means are NaN, and an error names what must not be empty."""

from __future__ import annotations

from functools import partial

import pytest

import microgad as torch
import microgad.nn.functional as F


def zeros(*shape):
    return torch.zeros(*shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(
    ("function", "shapes", "out"),
    [
        (F.linear, [(3, 0, 3), (0, 3)], (3, 0, 0)),
        (F.linear, [(3,), (0, 3)], (0,)),
        (torch.matmul, [(1, 1, 2, 1), (1, 0)], (1, 1, 2, 0)),
        (F.conv2d, [(0, 1, 2, 3), (1, 1, 1, 1)], (0, 1, 2, 3)),
        (F.conv2d, [(1, 0, 2, 3), (1, 0, 1, 1)], (1, 1, 2, 3)),
        (F.conv_transpose2d, [(0, 1, 2, 3), (1, 1, 3, 3)], (0, 1, 4, 5)),
        (lambda x, y: x.clone().mul_(y).mul_(y), [(0,), (0,)], (0,)),
        (partial(F.adaptive_avg_pool2d, output_size=7), [(1, 0, 2, 6)], (1, 0, 7, 7)),
        (partial(F.adaptive_avg_pool1d, output_size=2), [(0, 5)], (0, 2)),
        (partial(F.adaptive_max_pool3d, output_size=1), [(0, 2, 2, 2)], (0, 1, 1, 1)),
        (partial(F.affine_grid, size=(0, 1, 4, 5), align_corners=True), [(0, 2, 3)], (0, 4, 5, 2)),
        (partial(F.grid_sample, align_corners=True), [(0, 1, 2, 3), (0, 4, 5, 2)], (0, 1, 4, 5)),
        (partial(F.grid_sample, align_corners=True), [(1, 0, 2, 3), (1, 4, 5, 2)], (1, 0, 4, 5)),
        (partial(F.grid_sample, align_corners=True), [(1, 1, 2, 3), (1, 0, 5, 2)], (1, 1, 0, 5)),
        (partial(F.grid_sample, mode="bicubic", align_corners=True), [(1, 1, 2, 3), (1, 0, 5, 2)], (1, 1, 0, 5)),
    ],
)
def test_gradients_have_their_inputs_shapes(function, shapes, out):
    inputs = [zeros(*shape) for shape in shapes]
    y = function(*inputs)
    assert tuple(y.shape) == out
    y.sum().backward()
    for x, shape in zip(inputs, shapes, strict=True):
        assert tuple(x.grad.shape) == shape
        assert not x.grad.any()


@pytest.mark.parametrize("function", [F.conv2d, F.conv_transpose2d])
@pytest.mark.parametrize("shape", [(1, 1, 0, 3), (1, 1, 3, 0)])
def test_convolution_of_an_empty_plane_raises(function, shape):
    with pytest.raises(RuntimeError, match="empty in its batch or its channels alone"):
        function(zeros(*shape), zeros(1, 1, 1, 1), padding=1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(0, 0), (0, 3)])
def test_the_mean_of_no_losses_is_nan(shape, smoothing):
    x = zeros(*shape)
    loss = F.cross_entropy(x, torch.zeros(0, dtype=torch.int64), label_smoothing=smoothing)
    assert loss.isnan()
    assert torch.autograd.grad(loss, x)[0].shape == shape


MEANS = [
    torch.mean,
    partial(torch.mean, dim=0),
    lambda x: torch.var_mean(x)[1],
    *(lambda x, f=f: f(x, x.detach()) for f in (F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.binary_cross_entropy)),
]


@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
@pytest.mark.parametrize("function", MEANS)
def test_a_penalty_of_the_gradient_of_no_elements_mean_is_0(function):
    x, scale = zeros(0, 3), torch.ones((), requires_grad=True)
    mean = function(x)
    assert mean.isnan().all()
    (g,) = torch.autograd.grad((mean * scale).sum(), x, create_graph=True)
    (g**2).sum().backward()
    assert scale.grad == 0


@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
@pytest.mark.parametrize("function", MEANS)
def test_the_tangent_of_no_elements_mean_is_nan(function):
    x = torch.zeros(0, 3)
    assert torch.func.jvp(function, (x,), (x,))[1].isnan().all()


@pytest.mark.parametrize("sizes", [(0, 2, 3), (3, 0, 3), (3, 2, 0)], ids=["queries", "batch", "keys"])
@pytest.mark.parametrize("average_attn_weights", [True, False])
def test_attention_with_empty_queries_batches_or_keys(sizes, average_attn_weights):
    length, count, keys = sizes
    attention = torch.nn.MultiheadAttention(4, 2, dtype=torch.float64)
    query, key = zeros(length, count, 4), zeros(keys, count, 4)
    out, weights = attention(query, key, key, average_attn_weights=average_attn_weights)
    assert tuple(out.shape) == (length, count, 4)
    assert tuple(weights.shape) == ((count, length, keys) if average_attn_weights else (count, 2, length, keys))
    assert not out.any()
    (out.sum() + weights.sum()).backward()
    assert not query.grad.any()
    assert tuple(key.grad.shape) == (keys, count, 4)


@pytest.mark.parametrize("shape", [(2, 1, 0, 4), (2, 0, 0, 0)])
def test_adaptive_avg_pool_of_an_empty_plane_is_nan_or_raises(shape):
    y = F.adaptive_avg_pool2d(torch.zeros(shape), 1)
    assert tuple(y.shape) == (*shape[:2], 1, 1)
    assert y.isnan().all()
    with pytest.raises(RuntimeError, match="non-zero size for non-batch dimensions"):
        F.adaptive_avg_pool2d(torch.zeros(shape), 2)


def test_no_normal_numbers_may_be_integers():
    """Programs that test dtypes make empty ones with randn, as PyTorch allows."""
    assert torch.randn(0, 2, dtype=torch.int64).shape == (0, 2)
    with pytest.raises(NotImplementedError, match="int64"):
        torch.randn(1, dtype=torch.int64)


def test_a_transposed_convolution_of_no_samples_takes_any_output_padding():
    assert F.conv_transpose2d(torch.zeros(0, 1, 3, 3), torch.ones(1, 1, 2, 2), output_padding=1).shape == (0, 1, 5, 5)
