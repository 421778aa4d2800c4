"""Convolution, transposed convolution, the derivative for the weight, im2col and col2im."""

from hypothesis import strategies as st

import microgad as torch
from microgad.nn.functional import (
    conv1d,
    conv2d,
    conv3d,
    conv_tbc,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from microgad.ops.reduction import Sum
from microgad.ops.window.conv import (
    Conv1d,
    Conv1dWeight,
    Conv2d,
    Conv2dWeight,
    Conv3d,
    Conv3dWeight,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from microgad.ops.window.unfold import Fold, Unfold, fold, unfold
from microgad.testing.strategies import conv_problems, tensors

from .registry import checks

small = st.integers(1, 2)
pairs = st.tuples(small, small)


def geometry(draw):
    """The size of an image, a kernel that fits into it, and its settings."""
    kernel, stride, dilation = draw(st.tuples(st.integers(1, 3), small)), draw(pairs), draw(pairs)
    padding = draw(st.tuples(st.integers(0, 1), st.integers(0, 1)))
    spans = [(k - 1) * d + 1 - 2 * p for k, d, p in zip(kernel, dilation, padding, strict=True)]
    plane = tuple(draw(st.integers(max(1, n), max(1, n) + 2)) for n in spans)
    return plane, kernel, {"stride": stride, "padding": padding, "dilation": dilation}


@checks(Conv2d, ConvTranspose2d, Conv2dWeight)
def test_conv2d(draw):
    plane, kernel, options = geometry(draw)
    groups, c, o = draw(small), draw(small), draw(small)
    x = draw(tensors((draw(small), c * groups, *plane), requires_grad=True))
    weight = draw(tensors((o * groups, c, *kernel), requires_grad=True))
    bias = draw(tensors((o * groups,), requires_grad=True))
    return lambda x, weight, bias: conv2d(x, weight, bias, groups=groups, **options), x, weight, bias


@checks(Conv2d)
def test_conv2d_same_and_without_a_batch(draw):
    x = draw(tensors((1, draw(small), draw(small)), requires_grad=True))
    weight = draw(tensors((1, 1, *draw(pairs)), requires_grad=True))
    padding = draw(st.sampled_from(["same", 1]))
    return lambda x, weight: conv2d(x, weight, padding=padding), x, weight


@checks(ConvTranspose2d, Sum)
def test_conv_transpose2d(draw):
    _, kernel, options = geometry(draw)
    options["padding"] = 0
    groups, c, o = draw(small), draw(small), draw(small)
    n = draw(st.sampled_from([1, 5]))  # only the batch can have length 5, so that it is emptied alone
    x = draw(tensors((n, c * groups, *draw(pairs)), requires_grad=True))
    weight = draw(tensors((c * groups, o, *kernel), requires_grad=True))
    bias = draw(st.none() | tensors((o * groups,), requires_grad=True))
    return lambda x, weight, bias: conv_transpose2d(x, weight, bias, groups=groups, **options), x, weight, bias


@checks(Conv1d, ConvTranspose1d, Conv1dWeight)
def test_conv1d(draw):
    problem = draw(conv_problems(1, requires_grad=True))
    return lambda *operands: conv1d(*operands, **problem.settings), *problem.operands


@checks(Conv3d, ConvTranspose3d, Conv3dWeight)
def test_conv3d(draw):
    problem = draw(conv_problems(3, requires_grad=True))
    return lambda *operands: conv3d(*operands, **problem.settings), *problem.operands


def transposed_problem(draw, dims, *weight):
    """Arguments of a transposed convolution in one or three dimensions, and its settings."""
    stride = draw(small)
    n = draw(st.sampled_from([1, 5]))  # only the batch can have length 5, so that it is emptied alone
    x = draw(tensors((n, 2, *draw(st.tuples(*[small] * dims))), requires_grad=True))
    options = {"stride": stride, "output_padding": stride - 1, "groups": draw(small), "dilation": draw(small)}
    bias = draw(st.none() | tensors((options["groups"],), requires_grad=True))
    return (x, draw(tensors((2, 1, *weight), requires_grad=True)), bias), options


@checks(ConvTranspose1d, Conv1d)
def test_conv_transpose1d(draw):
    operands, options = transposed_problem(draw, 1, draw(st.integers(1, 3)))
    return lambda x, weight, bias: conv_transpose1d(x, weight, bias, **options), *operands


@checks(ConvTranspose3d, Conv3d)
def test_conv_transpose3d(draw):
    operands, options = transposed_problem(draw, 3, 1, draw(small), draw(small))
    return lambda x, weight, bias: conv_transpose3d(x, weight, bias, **options), *operands


@checks(Conv1d)
def test_conv_tbc(draw):
    x = draw(tensors((2, draw(small), draw(small)), requires_grad=True))
    weight = draw(tensors((draw(small), x.shape[2], draw(small)), requires_grad=True))
    bias = draw(tensors((weight.shape[2],), requires_grad=True))
    return conv_tbc, x, weight, bias


def test_torch_convolution_equals_the_named_convolutions():
    rng = torch.Generator().manual_seed(0)
    functions = {1: (conv1d, conv_transpose1d), 2: (conv2d, conv_transpose2d), 3: (conv3d, conv_transpose3d)}
    for dims, (conv, deconv) in functions.items():
        x, weight = (torch.randn(2, 2, *[n] * dims, generator=rng) for n in (4, 2))
        assert torch.equal(
            torch.convolution(x, weight, None, [2], [1], [1], False, [0], 1), conv(x, weight, None, 2, 1)
        )
        assert torch.equal(torch.convolution(x, weight, None, 2, 1, 1, True, 1, 1), deconv(x, weight, None, 2, 1, 1))


@checks(Unfold, Fold)
def test_unfold(draw):
    plane, kernel, options = geometry(draw)
    return lambda x: unfold(x, kernel, **options), draw(tensors((draw(small), draw(small), *plane), requires_grad=True))


@checks(Fold, Unfold)
def test_fold(draw):
    plane, kernel, options = geometry(draw)
    columns = unfold(torch.zeros(draw(small), draw(small), *plane), kernel, **options)
    return lambda x: fold(x, plane, kernel, **options), draw(tensors(tuple(columns.shape), requires_grad=True))
