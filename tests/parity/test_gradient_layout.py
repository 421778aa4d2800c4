"""The strides of gradients that `autograd.grad` returns, which programs flatten by `view(-1)`, are PyTorch's."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import microgad  # noqa: E402

# Each entry is a layer and the sizes of its inputs.
LAYERS = {
    "linear": lambda nn: (nn.Linear(3, 4), (2, 5, 3)),
    "bilinear": lambda nn: (nn.Bilinear(3, 4, 5), (2, 3), (2, 4)),
    "conv1d": lambda nn: (nn.Conv1d(2, 4, 3), (2, 2, 6)),
    "conv2d": lambda nn: (nn.Conv2d(2, 4, 3), (2, 2, 6, 6)),
    "conv2d without bias": lambda nn: (nn.Conv2d(4, 4, 3, groups=2, bias=False), (2, 4, 6, 6)),
    "conv2d of many channels": lambda nn: (nn.Conv2d(64, 64, 3, padding=1), (2, 64, 8, 8)),
    "conv3d": lambda nn: (nn.Conv3d(2, 4, 3), (2, 2, 5, 5, 5)),
    "conv_transpose2d": lambda nn: (nn.ConvTranspose2d(2, 4, 3), (2, 2, 5, 5)),
    "lstm": lambda nn: (nn.LSTM(3, 4, 2, bidirectional=True), (5, 2, 3)),
    "lstm with projections": lambda nn: (nn.LSTM(3, 4, proj_size=2), (5, 2, 3)),
    "gru": lambda nn: (nn.GRU(3, 4), (5, 2, 3)),
    "rnn": lambda nn: (nn.RNN(3, 4), (5, 2, 3)),
    "lstm_cell": lambda nn: (nn.LSTMCell(3, 4), (2, 3)),
    "attention": lambda nn: (nn.MultiheadAttention(8, 2), (5, 2, 8), (5, 2, 8), (5, 2, 8)),
}


@pytest.mark.filterwarnings("ignore:LSTM with projections")  # is not fast on the CPU, says PyTorch
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("layer", LAYERS)
def test_gradients_of_layers(layer, create_graph):
    strides = []
    for t in (torch, microgad):
        module, *sizes = LAYERS[layer](t.nn)
        inputs = [t.rand(size).requires_grad_() for size in sizes]
        out = module(*inputs)
        while isinstance(out, tuple):
            out = out[0]
        gradients = t.autograd.grad(out.pow(2).sum(), [*module.parameters(), *inputs], create_graph=create_graph)
        strides.append([grad.stride() for grad in gradients])
    assert strides[1] == strides[0]


MASKS = {
    "none": lambda t: None,
    "numbers": lambda t: t.ones(4, 5),
    "boolean": lambda t: t.ones(2, 3, 4, 5, dtype=t.bool),
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3), (2, 0, 1, 3)])
def test_gradients_of_fused_attention(order, mask):
    strides = []
    for t in (torch, microgad):
        inputs = []
        for sizes in ((2, 3, 4, 8), (2, 3, 5, 8), (2, 3, 5, 8)):
            x = t.rand([sizes[axis] for axis in order]).permute([order.index(axis) for axis in range(4)])
            inputs.append(x.detach().requires_grad_())
        out = t.nn.functional.scaled_dot_product_attention(*inputs, MASKS[mask](t))
        strides.append([out.stride(), *(grad.stride() for grad in t.autograd.grad(out.sum(), inputs))])
    assert strides[1] == strides[0]


OPERATIONS = {
    "pad": lambda x, F: F.pad(x, (1, 2)),
    "pad and crop": lambda x, F: F.pad(x, (-1, 2, 1, 1)),
    "pad with the opposite side": lambda x, F: F.pad(x, (1, 2, 2, 1), "circular"),
    "pad with the nearest values": lambda x, F: F.pad(x, (1, 2, 2, 1), "replicate"),
    "conv2d after padding": lambda x, F: F.conv2d(F.pad(x, (1, 1)), x[:2, :, :2, :2].detach()),
    "cross_entropy": lambda x, F: F.cross_entropy(x, x[:, 0].detach().long()),
    "nll_loss": lambda x, F: F.nll_loss(x, x[:, 0].detach().long(), reduction="none"),
    "nll_loss of rows": lambda x, F: F.nll_loss(x[:, :, 0, 0], x[:, 0, 0, 0].detach().long(), ignore_index=0),
}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_gradients_of_operations(operation, create_graph):
    strides = []
    for t in (torch, microgad):
        x = t.rand(3, 4, 5, 6).requires_grad_()
        out = OPERATIONS[operation](x, t.nn.functional)
        (grad,) = t.autograd.grad(out.pow(2).sum(), x, create_graph=create_graph)
        strides.append(grad.stride())
    assert strides[1] == strides[0]


PRODUCTS = {
    "x Wᵀ": lambda t, x, w, _: x @ w.t(),
    "x Wᵀ + 1": lambda t, x, w, _: t.addmm(x[0, 0].detach(), x, w.t()),
    "W xᵀ": lambda t, x, w, _: w @ x.t(),
    "Wᵀ square": lambda t, x, w, s: w.t() @ s,
    "square W": lambda t, x, w, s: s @ w @ x.t(),
    "transposed twice": lambda t, x, w, _: x.t().t() @ w.t(),
    "x times its transpose": lambda t, x, w, _: x.t() @ x + w.t() @ w,
    "a chain": lambda t, x, w, _: t.linalg.multi_dot([x, w.t(), w]),
    "a row": lambda t, x, w, _: x[:1] @ w.t() @ w[:, :1],
    "batch with a matrix": lambda t, x, w, s: t.stack([x, x]) @ w.t() @ s @ w,
    "batch with Wᵀ": lambda t, x, w, s: t.stack([s, s]) @ w.t().contiguous().t(),
    "vector with a matrix": lambda t, x, w, s: x[0] @ w.t() @ s @ w,
    "rows of a larger matrix": lambda t, x, w, _: x @ w.t()[:, 1:] @ w[1:],
}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", PRODUCTS)
def test_gradients_of_products_lie_in_memory_as_the_operands(name, create_graph):
    results = []
    for t in (torch, microgad):
        t.manual_seed(0)
        x, w, s = (t.rand(sizes, dtype=t.float64, requires_grad=True) for sizes in ((4, 3), (5, 3), (5, 5)))
        out = PRODUCTS[name](t, x, w, s)
        gradients = t.autograd.grad(out.pow(2).sum(), (x, w, s), create_graph=create_graph, allow_unused=True)
        results.append([None if g is None else g.detach().numpy() for g in gradients])
    for ours, theirs in zip(*results[::-1], strict=True):
        if theirs is not None:
            assert ours.strides == theirs.strides
            np.testing.assert_allclose(ours, theirs)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("channels", ["before", "after", "before and after"])
@pytest.mark.parametrize("kind", [f"Conv{transpose}{dims}d" for transpose in ("", "Transpose") for dims in (1, 2, 3)])
def test_gradients_of_weights_of_convolutions_of_permuted_channels(kind, channels, create_graph):
    """The channels of the input, or of the output and its gradient, are the last dimension."""
    strides = []
    for t in (torch, microgad):
        conv, dims = getattr(t.nn, kind)(3, 4, 3), int(kind[-2])
        x = t.rand(2, *[6] * dims, 3).movedim(-1, 1) if "before" in channels else t.rand(2, 3, *[6] * dims)
        out = conv(x).movedim(1, -1) if "after" in channels else conv(x)
        weights = t.rand(out.shape)
        gradients = t.autograd.grad((out * weights).sum(), [*conv.parameters()], create_graph=create_graph)
        strides.append([grad.stride() for grad in gradients])
    assert strides[1] == strides[0]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("kind", [f"Conv{transpose}{dims}d" for transpose in ("", "Transpose") for dims in (1, 2, 3)])
def test_gradients_of_weights_of_complex_convolutions_in_channels_last_format(kind, create_graph):
    strides = []
    for t in (torch, microgad):
        conv, dims = getattr(t.nn, kind)(4, 4, 3, dtype=t.complex64), int(kind[-2])
        x = t.rand(2, *[6] * dims, 4, dtype=t.complex64).movedim(-1, 1)
        conv.weight = t.nn.Parameter(t.rand(4, *[3] * dims, 4, dtype=t.complex64).movedim(-1, 1))
        gradients = t.autograd.grad(conv(x).abs().sum(), [*conv.parameters()], create_graph=create_graph)
        strides.append([grad.stride() for grad in gradients])
    assert strides[1] == strides[0]


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_gradients_of_batch_normalization_of_permuted_lines(order):
    strides = []
    for t in (torch, microgad):
        norm, x = t.nn.BatchNorm1d(3), t.rand([(5, 3, 4)[axis] for axis in order])
        x = x.permute([order.index(axis) for axis in range(3)]).detach().requires_grad_()
        out = norm(x)
        strides.append([out.stride(), t.autograd.grad(out.pow(2).sum(), x)[0].stride()])
    assert strides[1] == strides[0]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("channels_last", ["input", "weight", "input and weight"])
@pytest.mark.parametrize("kind", ["Conv2d", "ConvTranspose2d"])
def test_gradients_of_convolutions_in_channels_last_format(kind, channels_last, create_graph):
    strides = []
    for t in (torch, microgad):
        conv, x = getattr(t.nn, kind)(4, 4, 3), t.rand(2, 4, 6, 6)
        conv = conv.to(memory_format=t.channels_last) if "weight" in channels_last else conv
        x = (x.to(memory_format=t.channels_last) if "input" in channels_last else x).requires_grad_()
        gradients = t.autograd.grad(conv(x).pow(2).sum(), [*conv.parameters(), x], create_graph=create_graph)
        strides.append([grad.stride() for grad in gradients])
    assert strides[1] == strides[0]


SUMS = {
    "nansum": lambda x: x.nansum(),
    "nansum along a dim": lambda x: x.nansum(0),
    "nansum along the last dim": lambda x: x.nansum(-1, keepdim=True),
    "nanmean": lambda x: x.nanmean(),
    "nanmean along a dim": lambda x: x.nanmean(1),
    "relu": lambda x: x.relu().sum(),
}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("value", [1.0, math.nan])
@pytest.mark.parametrize("name", SUMS)
def test_gradients_of_sums_lie_in_memory_as_the_input(name, value, create_graph):
    results = []
    for t in (torch, microgad):
        for shape, order in (((2, 4, 5, 3), (0, 3, 1, 2)), ((12, 40, 30), (2, 1, 0)), ((4, 3), (1, 0))):
            x = t.ones(shape)
            x[0, 0] = value
            x = x.permute(order).requires_grad_()
            out = SUMS[name](x)
            (grad,) = t.autograd.grad(out, x, t.ones_like(out), create_graph=create_graph)
            results.append((grad.stride(), grad.detach().add_(1).tolist()))
    half = len(results) // 2
    assert [stride for stride, _ in results[half:]] == [stride for stride, _ in results[:half]]
    for (_, ours), (_, theirs) in zip(results[half:], results[:half], strict=True):
        np.testing.assert_allclose(ours, theirs, 1e-6)


# Each takes two Tensors of shape (3, 4, 5).
OF_TURNED = {
    "chunk": lambda t, x, y: x.chunk(2, 1)[0].sigmoid() * y[:, :2],
    "split": lambda t, x, y: t.cat(x.split([1, 3], 1), 1),
    "tensor_split": lambda t, x, y: x.tensor_split(2, 1)[0],
    "dsplit": lambda t, x, y: x.dsplit(5)[1],
    "unbind": lambda t, x, y: x.unbind(1)[1],
    "unbind vectors": lambda t, x, y: t.stack(x[0].unbind(1)),
    "diff": lambda t, x, y: x.diff(dim=1),
    "roll": lambda t, x, y: x.roll(1, 1),
    "expand": lambda t, x, y: x.expand(2, 3, 4, 5),
    "max": lambda t, x, y: x.max(),
    "min": lambda t, x, y: x.min(),
    "median": lambda t, x, y: x.median(),
    "nanmedian": lambda t, x, y: x.nanmedian(),
    "round": lambda t, x, y: x.round(),
    "fill": lambda t, x, y: t.fill(x, 1.0),
    "angle": lambda t, x, y: x.angle(),
    "floor_divide": lambda t, x, y: t.div(x, y, rounding_mode="floor"),
    "copysign": lambda t, x, y: t.copysign(x, y),
    "nextafter": lambda t, x, y: t.nextafter(x, y),
    "fmax": lambda t, x, y: t.fmax(x, y),
    "fmin": lambda t, x, y: t.fmin(x, y),
    "xlogy": lambda t, x, y: t.xlogy(x, y),
    "xlog1py": lambda t, x, y: t.special.xlog1py(x, y),
    "complex": lambda t, x, y: t.complex(x, x).abs().sum(),
    "polar": lambda t, x, y: t.polar(x, x).abs().sum(),
    "view_as_real": lambda t, x, y: t.view_as_real(t.complex(x, x)),
    "add in float64": lambda t, x, y: x + y.double(),
    "add in float16": lambda t, x, y: x.half() + y.half(),
    "mse_loss": lambda t, x, y: t.nn.functional.mse_loss(x, y, reduction="none"),
    "huber_loss": lambda t, x, y: t.nn.functional.huber_loss(x, y, reduction="none"),
    "smooth_l1_loss": lambda t, x, y: t.nn.functional.smooth_l1_loss(x, y, reduction="none"),
}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", OF_TURNED)
def test_gradients_of_turned_tensors_and_of_sums_over_a_dim(name, create_graph):
    """Many are contiguous in PyTorch, whatever the strides of the input, or of a gradient that is expanded."""
    strides = []
    for t in (torch, microgad):
        for order in ((0, 1, 2), (0, 2, 1), (2, 1, 0), (1, 2, 0)):
            inputs = [t.rand([(3, 4, 5)[axis] for axis in order]) + 0.1 for _ in range(2)]
            x, y = (each.permute([order.index(axis) for axis in range(3)]).requires_grad_() for each in inputs)
            for sums in (lambda out: out, lambda out: out.sum(0) if out.ndim else out):
                out = sums(OF_TURNED[name](t, x, y)).pow(2).sum()
                gradients = t.autograd.grad(out, (x, y), create_graph=create_graph, allow_unused=True)
                strides += [None if grad is None else grad.stride() for grad in gradients]
    half = len(strides) // 2
    for ours, theirs in zip(strides[half:], strides[:half], strict=True):
        assert ours == (20, 5, 1) or theirs != (20, 5, 1)


BROADCAST = {
    "add": lambda t, x, y: y + x,
    "sub": lambda t, x, y: y - x,
    "mul": lambda t, x, y: y * x,
    "where": lambda t, x, y: t.where(y > 0.5, x, y),
    "lerp": lambda t, x, y: t.lerp(y, y * 2, x),
}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", BROADCAST)
def test_gradients_of_operands_that_are_broadcast_to_a_turned_tensor(name, create_graph):
    strides = []
    for t in (torch, microgad):
        for order, sizes in itertools.product(itertools.permutations(range(3)), ((5,), (4, 1), (3, 1, 5), (1, 4, 5))):
            x, y = t.rand(sizes).requires_grad_(), t.rand([(3, 4, 5)[axis] for axis in order])
            out = BROADCAST[name](t, x, y.permute([order.index(axis) for axis in range(3)]))
            strides.append(t.autograd.grad(out.pow(2).sum(), x, create_graph=create_graph)[0].stride())
    half = len(strides) // 2
    assert strides[half:] == strides[:half]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("used", [1, 2])
def test_gradients_of_chunks_of_images_in_channels_last_format(used, create_graph):
    """The gradient has this format if all the chunks' gradients have; that of an unused one is contiguous."""
    strides = []
    for t in (torch, microgad):
        x = t.rand(2, 4, 5, 6).to(memory_format=t.channels_last).requires_grad_()
        outs = [out.sigmoid() for out in x.chunk(2, 1)[:used]]
        (grad,) = t.autograd.grad([out.pow(2).sum() for out in outs], x, create_graph=create_graph)
        strides.append(grad.stride())
    assert strides[1] == strides[0]


IMAGES = {
    "max_pool2d": lambda x, F: F.max_pool2d(x, 3, 2, 1),
    "avg_pool2d": lambda x, F: F.avg_pool2d(x, 2),
    "avg_pool2d, overlapping": lambda x, F: F.avg_pool2d(x, 3, 1, 1),
    "pad, reflect": lambda x, F: F.pad(x, (1, 2, 2, 0), "reflect"),
    "pad, replicate": lambda x, F: F.pad(x, (1, 2, 2, 0), "replicate"),
    "pixel_shuffle": lambda x, F: F.pixel_shuffle(x, 2),
    "pixel_unshuffle": lambda x, F: F.pixel_unshuffle(x, 2),
    "channel_shuffle": lambda x, F: F.channel_shuffle(x, 2),
    "group_norm": lambda x, F: F.group_norm(x, 2),
}


@pytest.mark.parametrize("size", [4, 36])
@pytest.mark.parametrize("forms", [*itertools.product(("contiguous_format", "channels_last"), repeat=2)])
@pytest.mark.parametrize(
    ("operation", "create_graph"), [*itertools.product(IMAGES, (False, True))][:-1]
)  # group_norm's derivative that is recorded is composed of elementary operations
def test_gradients_of_images(operation, create_graph, forms, size):
    """They have the input's format in pooling, padding and normalization, and the given gradient's in shuffles."""
    strides = []
    for t in (torch, microgad):
        given, after = (getattr(t, form) for form in forms)
        x = t.rand(2, 16, size, size).contiguous(memory_format=given).requires_grad_()
        out = IMAGES[operation](x, t.nn.functional)
        factors = t.rand_like(out).contiguous(memory_format=after)
        (grad,) = t.autograd.grad(out, x, factors, create_graph=create_graph)
        strides.append(grad.stride())
    assert strides[1] == strides[0]
