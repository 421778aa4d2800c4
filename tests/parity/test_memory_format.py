"""Memory formats: values, strides and `is_contiguous` are PyTorch's."""

from __future__ import annotations

import itertools

import pytest

torch = pytest.importorskip("torch")
import microgad  # noqa: E402

SHAPES = [(2, 3, 4, 5), (2, 1, 4, 5), (2, 3, 1, 1), (2, 3, 4, 5, 6), (2, 3)]
FORMATS = ["contiguous_format", "channels_last", "channels_last_3d", "preserve_format"]
CALLS = {
    "contiguous": lambda x, f: x.contiguous(memory_format=f),
    "clone": lambda x, f: x.clone(memory_format=f),
    "to": lambda x, f: x.to(memory_format=f),
    "to a dtype": lambda x, f: x.to("cpu", memory_format=f).double(),
    "transposed to a dtype": lambda x, f: x.mT.double(memory_format=f),
    "a copy of a transposed one": lambda x, f: x.mT.to("cpu", copy=True, memory_format=f),
    "back again": lambda x, f: x.contiguous(memory_format=f).contiguous(),
}


def layout_after(t, call, shape, name):
    """Values, strides, identity and contiguity of the result of a call, or RuntimeError."""
    x = t.arange(720.0)[: t.Size(shape).numel()].reshape(shape)
    f = getattr(t, name)
    try:
        y = call(x, f)
    except RuntimeError:
        return "RuntimeError"
    formats = [getattr(t, other) for other in FORMATS[:3]]
    return y.tolist(), y.stride(), y is x, [y.is_contiguous(memory_format=other) for other in formats]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("call", CALLS)
def test_conversion_gives_torchs_layout(call, name, shape):
    assert layout_after(microgad, CALLS[call], shape, name) == layout_after(torch, CALLS[call], shape, name)


MAKERS = {
    "empty": lambda t, x, f: t.empty(x.shape, memory_format=f),
    "empty_like": lambda t, x, f: t.empty_like(x, memory_format=f),
    "zeros_like": lambda t, x, f: t.zeros_like(x, memory_format=f),
    "ones_like": lambda t, x, f: t.ones_like(x, dtype=t.int8, memory_format=f),
    "full_like": lambda t, x, f: t.full_like(x, 7, memory_format=f),
    "rand_like": lambda t, x, f: t.rand_like(x, memory_format=f),
    "randint_like": lambda t, x, f: t.randint_like(x, 9, memory_format=f),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("maker", MAKERS)
def test_factories_take_a_memory_format(maker, name):
    for shape in ((2, 3, 4, 5), (2, 3, 4, 5, 6), (3, 2)):
        found = []
        for t in (torch, microgad):
            t.manual_seed(0)
            try:
                made = MAKERS[maker](t, t.ones(shape).transpose(0, 1), getattr(t, name))
            except RuntimeError:
                found.append("RuntimeError")
            else:
                values = None if maker.startswith("empty") else made.tolist()
                found.append((tuple(made.shape), str(made.dtype), made.stride(), values))
        assert found[0] == found[1]


@pytest.mark.parametrize("maker", MAKERS)
def test_factories_keep_the_strides_of_axes_of_length_1(maker):
    strides = []
    for t in (torch, microgad):
        one_channel = t.ones(8, 1, 3, 3).to(memory_format=t.channels_last)
        made = MAKERS[maker](t, one_channel, t.preserve_format if maker.endswith("like") else t.channels_last)
        strides.append(made.stride())
    assert strides[1] == strides[0] == (9, 1, 3, 1)


def test_conversion_is_differentiable():
    x = microgad.arange(120.0).reshape(2, 3, 4, 5).requires_grad_()
    y = x.contiguous(memory_format=microgad.channels_last)
    assert y.grad_fn is not None
    assert y.stride() == (60, 1, 15, 3)
    (y * y).sum().backward()
    assert (x.grad == 2 * x).all()


def test_module_to_memory_format_changes_4d_parameters_only():
    for t in (torch, microgad):
        net = t.nn.Sequential(t.nn.Conv2d(3, 4, 3), t.nn.BatchNorm2d(4)).to(memory_format=t.channels_last)
        assert net[0].weight.stride() == (27, 1, 9, 3)
        assert net[1].weight.stride() == (1,)
        assert net(t.ones(1, 3, 5, 5).to(memory_format=t.channels_last)).shape == (1, 4, 3, 3)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_dropout_after_a_channels_last_convolution_draws_torchs_mask(channels, kernel):
    """With one channel or a 1×1 kernel, only the strides tell which memory format a weight or an image has."""
    found = []
    for t in (torch, microgad):
        t.manual_seed(0)
        net = t.nn.Sequential(t.nn.Conv2d(channels, 4, kernel), t.nn.ReLU(), t.nn.Dropout(), t.nn.Conv2d(4, 2, 1))
        x = t.rand(2, channels, 6, 5)
        ys = net(x), net.to(memory_format=t.channels_last)(x), net(x.to(memory_format=t.channels_last))
        found += [(y.stride(), y.detach().numpy()) for y in ys]
    for (stride, y), (our_stride, ours) in zip(found[:3], found[3:], strict=True):
        assert our_stride == stride
        assert ours == pytest.approx(y, abs=1e-6)


def transposed(t, *shape):
    """Random numbers of that shape whose axes are reversed in memory."""
    return t.randn(shape[::-1]).permute(tuple(range(len(shape)))[::-1])


def nhwc(t, *shape):
    return t.randn(shape).to(memory_format=t.channels_last if len(shape) == 4 else t.channels_last_3d)


def image(t):
    """An image as files have it, (H, W, C), permuted to (C, H, W)."""
    return t.randn(6, 8, 3).permute(2, 0, 1)


IMAGE = {
    "conv2d": lambda x, t, F: F.conv2d(x, t.ones(4, 3, 2, 2)),
    "conv_transpose2d": lambda x, t, F: F.conv_transpose2d(x, t.ones(3, 4, 2, 2)),
    "avg_pool2d": lambda x, t, F: F.avg_pool2d(x, 2),
    "max_pool2d": lambda x, t, F: F.max_pool2d(x, 2),
    "indices of max_pool2d": lambda x, t, F: F.max_pool2d(x, 2, return_indices=True)[1],
    "adaptive_avg_pool2d": lambda x, t, F: F.adaptive_avg_pool2d(x, (4, 5)),
    "adaptive_max_pool2d, equal parts": lambda x, t, F: F.adaptive_max_pool2d(x, 2),
}
BATCH = {
    "interpolate": lambda x, t, F: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "group_norm": lambda x, t, F: F.group_norm(x, 3),
    "batch_norm": lambda x, t, F: F.batch_norm(x, t.zeros(3), t.ones(3), training=True),
    "batch_norm, fixed": lambda x, t, F: F.batch_norm(x, t.zeros(3), t.ones(3)),
    "pad": lambda x, t, F: F.pad(x, (1, 1)),
    "pixel_unshuffle": lambda x, t, F: F.pixel_unshuffle(x, 2),
    "cat": lambda x, t, F: t.cat([x, x]),
}
SIGNAL = {
    "conv1d": lambda x, t, F: F.conv1d(x, t.ones(4, 3, 2)),
    "conv1d, weight transposed": lambda x, t, F: F.conv1d(x, t.ones(4, 2, 3).transpose(1, 2)),
    "conv_transpose1d, weight transposed": lambda x, t, F: F.conv_transpose1d(x, t.ones(3, 2, 4).transpose(1, 2)),
    "avg_pool1d": lambda x, t, F: F.avg_pool1d(x, 2),
    "avg_pool1d of one": lambda x, t, F: F.avg_pool1d(x[:1], 2),
    "lp_pool1d": lambda x, t, F: F.lp_pool1d(x, 2, 2),
    "max_pool1d": lambda x, t, F: F.max_pool1d(x, 2),
    "max_pool1d for a gradient": lambda x, t, F: F.max_pool1d(x.requires_grad_(), 2),
    "indices of max_pool1d": lambda x, t, F: F.max_pool1d(x, 2, return_indices=True)[1],
    "adaptive_avg_pool1d": lambda x, t, F: F.adaptive_avg_pool1d(x, 4),
    "adaptive_avg_pool1d, equal parts": lambda x, t, F: F.adaptive_avg_pool1d(x, 3),
    "adaptive_max_pool1d": lambda x, t, F: F.adaptive_max_pool1d(x, 4),
    "adaptive_max_pool1d, equal parts": lambda x, t, F: F.adaptive_max_pool1d(x, 3),
    "area": lambda x, t, F: F.interpolate(x, 4, mode="area"),
    "linear": lambda x, t, F: F.interpolate(x, 4, mode="linear"),
    "max_unpool1d": lambda x, t, F: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2),
}
VOLUME = {
    "conv3d": lambda x, t, F: F.conv3d(x, t.ones(5, 4, 1, 2, 1)),
    "conv_transpose3d": lambda x, t, F: F.conv_transpose3d(x, t.ones(4, 5, 1, 2, 1)),
    "max_pool3d": lambda x, t, F: F.max_pool3d(x, 2),
    "avg_pool3d": lambda x, t, F: F.avg_pool3d(x, 2),
    "adaptive_max_pool3d, equal parts": lambda x, t, F: F.adaptive_max_pool3d(x, 2),
    "adaptive_max_pool3d": lambda x, t, F: F.adaptive_max_pool3d(x, 3),
    "adaptive_avg_pool3d": lambda x, t, F: F.adaptive_avg_pool3d(x, 3),
    "max_unpool3d": lambda x, t, F: F.max_unpool3d(*F.max_pool3d(x, 2, return_indices=True), 2),
    "nearest": lambda x, t, F: F.interpolate(x, scale_factor=2),
    "trilinear": lambda x, t, F: F.interpolate(x, size=(3, 4, 5), mode="trilinear"),
    "batch_norm": lambda x, t, F: F.batch_norm(x, t.zeros(4), t.ones(4), training=True),
    "batch_norm, fixed": lambda x, t, F: F.batch_norm(x, t.zeros(4), t.ones(4)),
    "group_norm": lambda x, t, F: F.group_norm(x, 2),
    "instance_norm": lambda x, t, F: F.instance_norm(x),
    "pad, constant": lambda x, t, F: F.pad(x, (1, 0, 0, 2)),
    "pad, reflect": lambda x, t, F: F.pad(x, (1, 0, 0, 2, 1, 1), "reflect"),
    "cat": lambda x, t, F: t.cat([x, x], 1),
    "roll": lambda x, t, F: x.roll(1, 2),
    "channel_shuffle": lambda x, t, F: F.channel_shuffle(x, 2),
}


RESULTS = {
    "avg_pool1d": lambda t, F: F.avg_pool1d(transposed(t, 2, 3, 6), 2),
    "avg_pool2d": lambda t, F: F.avg_pool2d(transposed(t, 2, 3, 6, 4), 2, divisor_override=3),
    "avg_pool3d": lambda t, F: F.avg_pool3d(transposed(t, 2, 3, 6, 4, 4), 1),
    "avg_pool2d, channels_last": lambda t, F: F.avg_pool2d(nhwc(t, 2, 3, 6, 4), 2),
    "lp_pool2d": lambda t, F: F.lp_pool2d(transposed(t, 2, 3, 6, 4), 2, 2),
    "adaptive_avg_pool1d": lambda t, F: F.adaptive_avg_pool1d(transposed(t, 2, 3, 4), 2),
    "adaptive_avg_pool2d": lambda t, F: F.adaptive_avg_pool2d(transposed(t, 2, 3, 4, 5), (2, 3)),
    "adaptive_avg_pool2d, channels_last": lambda t, F: F.adaptive_avg_pool2d(nhwc(t, 2, 3, 4, 5), (2, 3)),
    "interpolate": lambda t, F: F.interpolate(transposed(t, 2, 3, 4, 5), scale_factor=2, mode="bilinear"),
    "interpolate, channels_last": lambda t, F: F.interpolate(nhwc(t, 2, 3, 4, 5), scale_factor=2),
    **{
        f"pad, {mode}, channels_last": lambda t, F, mode=mode: F.pad(nhwc(t, 2, 3, 4, 5), (1, 1, 2, 0), mode)
        for mode in ("constant", "reflect", "replicate", "circular")
    },
    **{
        f"pad and crop, {mode}, channels_last": lambda t, F, mode=mode: F.pad(nhwc(t, 2, 3, 4, 5), (-1, 2, 1, 0), mode)
        for mode in ("constant", "reflect", "replicate", "circular")
    },
    "pad of no channels": lambda t, F: F.pad(t.zeros(2, 0, 4), (1, 2), "circular"),
    "pad of channels, channels_last": lambda t, F: F.pad(nhwc(t, 2, 3, 4, 5), (0, 0, 0, 0, 1, 1)),
    "max_unpool2d, channels_last": lambda t, F: F.max_unpool2d(
        *F.max_pool2d(nhwc(t, 2, 3, 4, 4), 2, return_indices=True), 2
    ),
    "indices of max_pool2d, channels_last": lambda t, F: F.max_pool2d(nhwc(t, 2, 3, 4, 4), 2, return_indices=True)[1],
    "pixel_shuffle, channels_last": lambda t, F: F.pixel_shuffle(nhwc(t, 2, 8, 3, 3), 2),
    "pixel_unshuffle, channels_last": lambda t, F: F.pixel_unshuffle(nhwc(t, 2, 3, 4, 4), 2),
    "channel_shuffle, channels_last": lambda t, F: F.channel_shuffle(nhwc(t, 2, 4, 3, 3), 2),
    "flip, channels_last": lambda t, F: nhwc(t, 2, 3, 4, 5).flip(1, 3),
    **{
        f"{name}, channels_last": lambda t, F, f=f: f(nhwc(t, 2, 4, 1, 3), t)
        for name, f in {
            "cat of one row each": lambda x, t: t.cat([x, x], 2),
            "cat of channels": lambda x, t: t.cat([x, x[:, 1:]], 1),
            "stack": lambda x, t: t.stack([x, x]),
            "stack of channels": lambda x, t: t.stack([x, x], 1),
            "stack along a last dimension": lambda x, t: t.stack([x, x], 4),
            "repeat_interleave": lambda x, t: x.repeat_interleave(t.tensor([1, 2]), 0),
        }.items()
    },
    "roll, channels_last": lambda t, F: nhwc(t, 2, 3, 4, 5).roll((1, 2), (1, 3)),
    "roll by a whole turn, channels_last": lambda t, F: nhwc(t, 2, 3, 4, 5).roll((1, 4), (0, 2)),
    "conv2d, weight channels_last": lambda t, F: F.conv2d(t.randn(2, 3, 5, 5), nhwc(t, 4, 3, 2, 2)),
    "conv_transpose2d, weight channels_last": lambda t, F: F.conv_transpose2d(t.randn(2, 3, 5, 5), nhwc(t, 3, 4, 2, 2)),
    "batch_norm": lambda t, F: F.batch_norm(transposed(t, 3, 2, 2, 3), t.zeros(2), t.ones(2)),
    "batch_norm, channels_last": lambda t, F: F.batch_norm(nhwc(t, 3, 2, 2, 3), t.zeros(2), t.ones(2)),
    "max_pool2d of one image, normalized, channels_last": lambda t, F: F.max_pool2d(
        F.batch_norm(nhwc(t, 1, 2, 4, 4), t.zeros(2), t.ones(2)), 2
    ),
    "instance_norm": lambda t, F: F.instance_norm(nhwc(t, 1, 2, 3, 2)),
    **{
        f"conv3d of one volume, {groups} groups, kernel {kernel}": lambda t, F, groups=groups, kernel=kernel: F.conv3d(
            nhwc(t, 1, 4, 6, 6, 6), t.ones(4, 4 // groups, *kernel), groups=groups
        )
        for groups, kernel in ((1, (1, 2, 1)), (1, (5, 3, 3)), (1, (1, 4, 4)), (2, (2, 2, 2)))
    },
    "conv3d of one large volume": lambda t, F: F.conv3d(nhwc(t, 1, 64, 18, 18, 2), t.ones(1, 64, 2, 2, 2)),
    "conv_transpose3d of one volume": lambda t, F: F.conv_transpose3d(nhwc(t, 1, 4, 4, 4, 4), t.ones(4, 4, 2, 2, 2)),
    **{f"{name}, channels_last_3d": lambda t, F, f=f: f(nhwc(t, 2, 4, 4, 6, 4), t, F) for name, f in VOLUME.items()},
    **{f"{name} of an image": lambda t, F, f=f: f(image(t), t, F) for name, f in IMAGE.items()},
    **{
        f"{name} of one image": lambda t, F, f=f: f(image(t)[None], t, F)
        for name, f in {**IMAGE, **BATCH}.items()
    },
    **{f"{name} of signals": lambda t, F, f=f: f(t.randn(4, 6, 3).transpose(1, 2), t, F) for name, f in SIGNAL.items()},
    "interpolate of means, channels_last": lambda t, F: F.interpolate(F.adaptive_avg_pool2d(nhwc(t, 2, 3, 4, 4), 1), 4),
    "channel_shuffle": lambda t, F: F.channel_shuffle(transposed(t, 2, 4, 3), 2),
    "channel_shuffle of one group": lambda t, F: F.channel_shuffle(transposed(t, 2, 4, 3), 1),
    "pixel_shuffle": lambda t, F: F.pixel_shuffle(transposed(t, 2, 4, 3, 3), 1),
    "pixel_unshuffle": lambda t, F: F.pixel_unshuffle(t.randn(2, 2, 4, 6)[..., ::2][..., :2, :2], 2),
    "pad by 0": lambda t, F: F.pad(transposed(t, 2, 3, 4), (0, 0)),
    "pad by negative sizes": lambda t, F: F.pad(transposed(t, 2, 3, 4), (-1, 0, 0, -1)),
    "pad": lambda t, F: F.pad(t.randn(2, 3, 4), (3, -1), "replicate"),
    "nll_loss": lambda t, F: F.nll_loss(t.randn(3, 4, 2, 5), transposed(t, 3, 2, 5).long() % 4, reduction="none"),
    **{
        f"{name}, {n} numbers, channels_last": lambda t, F, f=f, n=n: f(nhwc(t, 2, 3, 4, n // 24), t)
        for name, f in {
            "where": lambda x, t: t.where(x > 0, x, 2.0),
            "where of a number": lambda x, t: t.where(x > 0, 1.0, x),
            "where of two lines": lambda x, t: t.where(x > 0, x[0, 0, 0], x[0, 0, 1]),
            "erf": lambda x, t: x.erf(),
            "hypot": lambda x, t: t.hypot(t.ones(()), x),
            "hypot of a line": lambda x, t: t.hypot(x, x[0, 0, 0]),
            "hypot of channels": lambda x, t: t.hypot(x[:, :1], x),
            "nan_to_num": lambda x, t: x.nan_to_num(),
            "rms_norm": lambda x, t: t.nn.functional.rms_norm(x, x.shape[-1:]),
            "layer_norm": lambda x, t: t.nn.functional.layer_norm(x, x.shape[-1:]),
            "logsigmoid": lambda x, t: t.nn.functional.logsigmoid(x),
            "rrelu": lambda x, t: t.nn.functional.rrelu(x, training=True),
            "rrelu in evaluation": lambda x, t: t.nn.functional.rrelu(x),
            "threshold": lambda x, t: t.nn.functional.threshold(x, 0.5, 0.25),
            "relu's gradient": lambda x, t: t.autograd.grad(x.requires_grad_().relu(), x, x.detach() * 2)[0],
        }.items()
        for n in (96, 9600)
    },
    "conv_tbc": lambda t, F: F.conv_tbc(t.randn(5, 2, 3), t.randn(2, 3, 4), t.ones(4)),
    **{
        f"attention, {name}": lambda t, F, f=f: f(t.randn(2, 5, 3, 4).transpose(1, 2), t, F)
        for name, f in {
            "transposed heads": lambda q, t, F: F.scaled_dot_product_attention(q, q, q),
            "for a gradient": lambda q, t, F: F.scaled_dot_product_attention(q.requires_grad_(), q, q, is_causal=True),
            "mask": lambda q, t, F: F.scaled_dot_product_attention(q, q, q, attn_mask=t.zeros(5, 5)),
            "mask that requires grad": lambda q, t, F: F.scaled_dot_product_attention(
                q, q, q, attn_mask=t.zeros(5, 5, requires_grad=True)
            ),
            "mask of heads": lambda q, t, F: F.scaled_dot_product_attention(q, q, q, attn_mask=t.zeros(3, 5, 5)),
            "no keys": lambda q, t, F: F.scaled_dot_product_attention(q, q[:, :, :0], q[:, :, :0]),
            "dropout": lambda q, t, F: F.scaled_dot_product_attention(q, q, q, dropout_p=0.5),
            "some of the queries": lambda q, t, F: F.scaled_dot_product_attention(q[:, :, :2], q, q),
            "wider values": lambda q, t, F: F.scaled_dot_product_attention(q, q, t.ones(2, 3, 5, 6)),
            "one sequence": lambda q, t, F: F.scaled_dot_product_attention(q[0], q[0], q[0]),
            "keys for all": lambda q, t, F: F.scaled_dot_product_attention(q, q[:1], q[:1]),
            "few heads of keys": lambda q, t, F: F.scaled_dot_product_attention(q, q[:, :1], q[:, :1], enable_gqa=True),
        }.items()
    },
    "rms_norm, transposed batch": lambda t, F: F.rms_norm(t.randn(4, 2, 3).transpose(0, 1), (3,)),
    "rms_norm": lambda t, F: F.rms_norm(transposed(t, 4, 2, 3), (2, 3), t.ones(2, 3)),
    "rms_norm of complex numbers": lambda t, F: F.rms_norm(transposed(t, 4, 2, 3) + 1j, (2, 3)),
    "binary_cross_entropy_with_logits": lambda t, F: F.binary_cross_entropy_with_logits(
        transposed(t, 2, 3, 4), t.ones(2, 3, 4), reduction="none"
    ),
    "binary_cross_entropy_with_logits of transposed targets": lambda t, F: F.binary_cross_entropy_with_logits(
        t.randn(2, 3, 4), transposed(t, 2, 3, 4), pos_weight=t.ones(4), reduction="none"
    ),
    **{
        name: lambda t, F, f=f: f(transposed(t, 2, 3, 4), t)
        for name, f in {
            "cumsum": lambda x, t: x.cumsum(1),
            "cumprod": lambda x, t: x.cumprod(1),
            "cumprod of integers": lambda x, t: x.int().cumprod(0),
            "cummax": lambda x, t: x.cummax(0)[0],
            "indices of cummin": lambda x, t: x.cummin(2)[1],
            "logcumsumexp": lambda x, t: x.logcumsumexp(1),
            "mean beside a variance": lambda x, t: t.var_mean(x, 0)[1],
            "mean beside a deviation": lambda x, t: t.std_mean(x, 1, keepdim=True)[1],
            "unique columns": lambda x, t: x[0].unique(dim=1),
            "unique_consecutive columns": lambda x, t: x.unique_consecutive(dim=2),
        }.items()
    },
    "cdist": lambda t, F: t.cdist(transposed(t, 2, 3, 4), transposed(t, 2, 3, 4)),
    **{
        f"{name}{place}": lambda t, F, f=f, place=place: f(t.eye(4) * 9 + transposed(t, 2, 4, 4), t)[place]
        for name, n, f in [
            ("inv", 1, lambda x, t: [x.inverse()]),
            ("solve", 1, lambda x, t: [t.linalg.solve(x, t.ones(4, 3))]),
            ("solve from the right", 1, lambda x, t: [t.linalg.solve(x, t.ones(3, 4), left=False)]),
            ("qr", 2, lambda x, t: t.linalg.qr(x[..., :3])),
            ("svd", 3, lambda x, t: t.svd(x[..., :3])),
            ("linalg.svd", 3, lambda x, t: t.linalg.svd(x[..., :3])),
            ("eigh", 2, lambda x, t: t.linalg.eigh(x)),
            ("eig", 2, lambda x, t: t.linalg.eig(x)),
            ("cholesky", 2, lambda x, t: [t.linalg.cholesky(x @ x.mT, upper=upper) for upper in (False, True)]),
            ("lu_factor", 2, lambda x, t: t.linalg.lu_factor(x)),
            ("lu", 3, lambda x, t: t.linalg.lu(x)),
            ("ldl_factor", 2, lambda x, t: t.linalg.ldl_factor(x)),
            ("solve for vectors", 1, lambda x, t: [t.linalg.solve(x, t.ones(2, 4))]),
            ("ldl_solve", 1, lambda x, t: [t.linalg.ldl_solve(*t.linalg.ldl_factor(x), t.ones(4, 3))]),
            ("lstsq", 1, lambda x, t: t.linalg.lstsq(x, t.ones(2, 4, 3))),
            ("cholesky_inverse", 1, lambda x, t: [t.cholesky_inverse(x)]),
            ("lu_solve", 4, lambda x, t: [
                t.linalg.lu_solve(*t.linalg.lu_factor(x), b, left=left, adjoint=adjoint)
                for b, left in ((t.ones(4, 3), True), (t.ones(3, 4), False)) for adjoint in (False, True)]),
            ("solve_triangular", 2, lambda x, t: [
                t.linalg.solve_triangular(x, t.ones(4, 3), upper=True),
                t.linalg.solve_triangular(x, t.ones(3, 4), upper=True, left=False)]),
            ("triangular_solve", 2, lambda x, t: t.triangular_solve(t.ones(4, 3), x)),
            ("geqrf", 2, lambda x, t: t.geqrf(x)),
            ("householder_product", 1, lambda x, t: [t.linalg.householder_product(*t.geqrf(x))]),
            ("ormqr", 2, lambda x, t: [
                t.ormqr(*t.geqrf(x), t.ones(2, 4, 3)), t.ormqr(*t.geqrf(x), t.ones(2, 3, 4), left=False)]),
            ("power", 2, lambda x, t: [t.linalg.matrix_power(x, n) for n in (0, 1)]),
            ("unravel_index", 2, lambda x, t: t.unravel_index(x.int(), (5, 6))),
        ]
        for place in range(n)
    },
    "einsum of one": lambda t, F: t.einsum("bij->ji", transposed(t, 2, 3, 4)),
    "isreal": lambda t, F: t.isreal(t.randn(2, 3, 4).permute(2, 0, 1)),
    **{
        f"vmap, {dims}": lambda t, F, dims=dims: t.vmap(lambda x: x.exp() * 2, *dims)(transposed(t, 2, 3, 4))
        for dims in ((0, 0), (1, 0), (2, 1), (0, 2))
    },
    "vmap of vmap": lambda t, F: t.vmap(t.vmap(t.sin, 1), 1)(transposed(t, 2, 3, 4)),
    "one_hot": lambda t, F: F.one_hot(t.arange(3).expand(2, 3)),
    "double of an expanded tensor": lambda t, F: t.randn(3).expand(2, 3).double(),
    "rot90": lambda t, F: t.randn(2, 1, 3).expand(2, 4, 3).rot90(1, (1, 2)),
    **{
        name: lambda t, F, name=name: getattr(F, name)(t.randn(2, 1, 3).expand(2, 4, 3))
        for name in ("sigmoid", "silu", "gelu", "elu", "selu", "celu", "hardswish", "hardsigmoid", "softshrink", "mish")
    },
}  # fmt: skip


@pytest.mark.parametrize("name", RESULTS)
def test_results_have_torchs_strides(name):
    theirs, ours = (RESULTS[name](t, t.nn.functional) for t in (torch, microgad))
    seen = [[s for s, n in zip(y.stride(), y.shape, strict=True) if n > 1] for y in (theirs, ours)]
    assert theirs.shape == ours.shape
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    "call",
    [
        lambda F, x: F.channel_shuffle(x, 1),
        lambda F, x: F.channel_shuffle(x, 4),
        lambda F, x: F.pixel_shuffle(x[:, :, :1, :1], 2),
        lambda F, x: F.pixel_unshuffle(x, 2),
    ],
)
def test_shuffles_return_copies(call):
    for t in (torch, microgad):
        x = t.ones(1, 4, 2, 2)
        call(t.nn.functional, x).zero_()
        assert (x == 1).all()


REDUCTIONS = [
    "sum",
    "mean",
    "amax",
    "amin",
    "prod",
    "var",
    "any",
    "all",
    "norm",
    "logsumexp",
    "nansum",
    "count_nonzero",
]


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_keep_the_memory_order_of_axes(name):
    for axes, dim in (((2, 1, 0), 0), ((2, 1, 0), -1), ((1, 0, 2), -1), ((0, 2, 1), 0)):
        found = []
        for t in (torch, microgad):
            x = t.arange(24.0).reshape(4, 3, 2).permute(axes)
            y = x.norm(2, dim) if name == "norm" else getattr(x, name)(dim)
            found.append((y.stride(), y.view(-1).double()))
        assert found[0][0] == found[1][0]
        assert found[1][1].tolist() == pytest.approx(found[0][1].tolist(), rel=1e-5)


def test_multinomial_is_contiguous():
    for t in (torch, microgad):
        assert t.ones(2, 9).multinomial(4).is_contiguous()


ROW_CALLS = {
    "x[[1, 0]]": lambda t, x: x[[1, 0]],
    "x[:, [2, 0, 0]]": lambda t, x: x[:, [2, 0, 0]],
    "x[..., [1, 1]]": lambda t, x: x[..., [1, 1]],
    "x[[1, 0], :, [0, 1]]": lambda t, x: x[[1, 0], :, [0, 1]],
    "x[[0], [1, 2]]": lambda t, x: x[[0], [1, 2]],
    "x[1:, 0, [2, 1]]": lambda t, x: x[1:, 0, [2, 1]],
    "x[:, None, [2, 1]]": lambda t, x: x[:, None, [2, 1]],
    "a mask": lambda t, x: x[:, t.tensor([True, False, True])],
    "sort": lambda t, x: x.sort(1).values,
    "argsort": lambda t, x: x.argsort(0, True),
    "topk": lambda t, x: x.topk(3, 1).indices,
    "kthvalue": lambda t, x: x.kthvalue(2, 1).indices,
    "cumprod": lambda t, x: x.cumprod(1),
    "cummax": lambda t, x: x.cummax(1).indices,
    "logcumsumexp": lambda t, x: x.logcumsumexp(0),
    "var_mean": lambda t, x: t.var_mean(x, 1)[1],
    "rot90": lambda t, x: x.rot90(0),
    "renorm": lambda t, x: x.renorm(2, 0, 1.0),
}


@pytest.mark.parametrize("name", ROW_CALLS)
def test_indexing_and_sorting_have_torchs_strides(name):
    for order in itertools.permutations(range(3)):
        found = []
        for t in (torch, microgad):
            y = ROW_CALLS[name](t, t.arange(27.0).reshape(3, 3, 3).permute(order))
            found.append(
                ([s for s, n in zip(y.stride(), y.shape, strict=True) if n > 1], y.double().reshape(-1).tolist())
            )
        assert found[0][0] == found[1][0], order
        assert found[1][1] == pytest.approx(found[0][1], rel=1e-5), order
