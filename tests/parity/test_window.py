"""Convolution, folding and pooling against PyTorch's: values, first derivatives, and derivatives of those."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import microgad
from microgad.ops import window as ours

torch = pytest.importorskip("torch")
theirs = torch.nn.functional

# PyTorch warns of its own deprecations and slow paths.
pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")

TOLERANCE = {"float32": 2e-4, "float64": 1e-11}
sizes = st.integers(1, 3)
pairs = st.one_of(sizes, st.tuples(sizes, sizes))
seeds = st.integers(0, 2**32 - 1)


def both(pair):
    return pair if isinstance(pair, tuple) else (pair, pair)


def same(mine, other, tolerance=0.0):
    other = other.detach().numpy()
    assert mine.array.dtype == other.dtype
    assert mine.array.shape == other.shape
    np.testing.assert_allclose(mine.array, other, rtol=tolerance, atol=tolerance)


def check(mine, other, inputs, dtype, seed):
    """The two functions give equal values, equal gradients, and equal gradients of <gradients, random>."""
    rng, tolerance = np.random.default_rng(seed), TOLERANCE[dtype]
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in inputs]
    a = [microgad.tensor(x, requires_grad=True) for x in arrays]
    b = [torch.tensor(x, requires_grad=True) for x in arrays]
    out_a, out_b = mine(*a), other(*b)
    same(out_a, out_b, tolerance)
    upstream = rng.standard_normal(tuple(out_b.shape)).astype(dtype)
    up_a, up_b = microgad.tensor(upstream, requires_grad=True), torch.tensor(upstream, requires_grad=True)
    for x, y in zip(
        microgad.autograd.grad(out_a, a, up_a, retain_graph=True),
        torch.autograd.grad(out_b, b, up_b, retain_graph=True),
        strict=True,
    ):
        same(x, y, tolerance)
    grads_a = microgad.autograd.grad(out_a, a, up_a, create_graph=True)
    grads_b = torch.autograd.grad(out_b, b, up_b, create_graph=True)
    probes = [rng.standard_normal(x.shape).astype(dtype) for x in arrays]
    along_a = sum((g * microgad.tensor(v)).sum() for g, v in zip(grads_a, probes, strict=True))
    along_b = sum((g * torch.tensor(v)).sum() for g, v in zip(grads_b, probes, strict=True))
    second_a = microgad.autograd.grad(along_a, [*a, up_a], allow_unused=True)
    second_b = torch.autograd.grad(along_b, [*b, up_b], allow_unused=True)
    for x, y in zip(second_a, second_b, strict=True):
        if x is None or y is None:  # where nothing depends on it, one may say None and the other zeros
            assert all(z is None or not z.any() for z in (x, y))
        else:
            same(x, y, 10 * tolerance)


@st.composite
def convolutions(draw):
    """Shapes of input and weight, and settings that fit them."""
    groups, per_x, per_y, batch = draw(sizes), draw(sizes), draw(sizes), draw(st.integers(0, 3))
    kernel = draw(st.tuples(st.integers(1, 6), st.integers(1, 3)))
    settings = {
        "stride": draw(pairs),
        "padding": draw(st.one_of(st.just(0), pairs)),
        "dilation": draw(pairs),
        "groups": groups,
    }
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, both(settings["dilation"]), strict=True)]
    least = [max(1, span - 2 * p) for span, p in zip(spans, both(settings["padding"]), strict=True)]
    plane = tuple(draw(st.integers(low, low + 5)) for low in least)
    if settings["stride"] in (1, (1, 1)) and draw(st.booleans()):
        settings["padding"] = "same"
    return (batch, per_x * groups, *plane), (per_y * groups, per_x, *kernel), settings


@given(convolutions(), st.booleans(), st.sampled_from(["float32", "float64"]), seeds)
def test_conv2d(shapes, bias, dtype, seed):
    x, weight, settings = shapes
    inputs = (x, weight, weight[:1]) if bias else (x, weight)
    check(lambda *a: ours.conv2d(*a, **settings), lambda *b: theirs.conv2d(*b, **settings), inputs, dtype, seed)


@st.composite
def transposed_convolutions(draw):
    """The same for conv_transpose2d: the output is at least one cell."""
    groups, per_x, per_y, batch = draw(sizes), draw(sizes), draw(sizes), draw(st.integers(1, 3))
    kernel, plane = (
        draw(st.tuples(st.integers(1, 6), st.integers(1, 3))),
        draw(st.tuples(st.integers(1, 5), st.integers(1, 5))),
    )
    stride, dilation = draw(pairs), draw(pairs)
    limits = [max(s, d) - 1 for s, d in zip(both(stride), both(dilation), strict=True)]
    extra = tuple(draw(st.integers(0, limit)) for limit in limits)
    full = [
        (n - 1) * s + (k - 1) * d + 1 + e
        for n, s, k, d, e in zip(plane, both(stride), kernel, both(dilation), extra, strict=True)
    ]
    padding = tuple(draw(st.integers(0, min(3, (size - 1) // 2))) for size in full)
    settings = {"stride": stride, "padding": padding, "output_padding": extra, "groups": groups, "dilation": dilation}
    return (batch, per_x * groups, *plane), (per_x * groups, per_y, *kernel), settings


@given(transposed_convolutions(), st.booleans(), st.sampled_from(["float32", "float64"]), seeds)
def test_conv_transpose2d(shapes, bias, dtype, seed):
    x, weight, settings = shapes
    inputs = (x, weight, (weight[1] * settings["groups"],)) if bias else (x, weight)
    check(
        lambda *a: ours.conv_transpose2d(*a, **settings),
        lambda *b: theirs.conv_transpose2d(*b, **settings),
        inputs,
        dtype,
        seed,
    )


@st.composite
def foldings(draw):
    kernel, settings = (
        draw(st.tuples(sizes, sizes)),
        {"dilation": draw(pairs), "padding": draw(st.one_of(st.just(0), pairs)), "stride": draw(pairs)},
    )
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, both(settings["dilation"]), strict=True)]
    least = [max(1, span - 2 * p) for span, p in zip(spans, both(settings["padding"]), strict=True)]
    shape = (draw(sizes), draw(sizes), *(draw(st.integers(low, low + 5)) for low in least))
    return shape if draw(st.booleans()) else shape[1:], {"kernel_size": kernel, **settings}


@given(foldings(), st.sampled_from(["float32", "float64"]), seeds)
def test_unfold_and_fold(shapes, dtype, seed):
    x, settings = shapes
    check(lambda a: ours.unfold(a, **settings), lambda b: theirs.unfold(b, **settings), (x,), dtype, seed)
    columns = tuple(theirs.unfold(torch.zeros(x), **settings).shape)
    check(
        lambda a: ours.fold(a, x[-2:], **settings),
        lambda b: theirs.fold(b, x[-2:], **settings),
        (columns,),
        dtype,
        seed,
    )


@st.composite
def poolings(draw, dilations=pairs):
    kernel, dilation = draw(st.tuples(st.integers(1, 4), st.integers(1, 3))), draw(dilations)
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, both(dilation), strict=True)]
    # PyTorch bounds the padding by the kernel's size first
    padding = tuple(draw(st.integers(0, min(span, k) // 2)) for span, k in zip(spans, kernel, strict=True))
    plane = tuple(draw(st.integers(max(1, span - 2 * p), span + 6)) for span, p in zip(spans, padding, strict=True))
    stride = draw(st.one_of(st.none(), pairs))
    for size, k, s, p, d in zip(plane, kernel, both(stride or kernel), padding, both(dilation), strict=True):
        # a window that has no cell at all: PyTorch's index is anything
        assume(all(any(0 <= i + t * d < size for t in range(k)) for i in range(-p, size, s)))
    settings = {"stride": stride, "padding": padding, "ceil_mode": draw(st.booleans())}
    batch = draw(st.integers(0, 2))
    shape = (draw(sizes), *plane)
    return (batch, *shape) if batch else shape, kernel, {**settings, "dilation": dilation}


@given(poolings(), st.sampled_from(["float32", "float64"]), seeds)
def test_max_pool2d(shapes, dtype, seed):
    x, kernel, settings = shapes
    check(
        lambda a: ours.max_pool2d(a, kernel, **settings),
        lambda b: theirs.max_pool2d(b, kernel, **settings),
        (x,),
        dtype,
        seed,
    )


@given(poolings(), st.sampled_from(["int32", "int64", "float32", "float64"]), seeds)
def test_max_pool2d_at_ties(shapes, dtype, seed):
    """Few values, NaN and infinities among them: equal results, the same winners, the same gradients."""
    shape, kernel, settings = shapes
    values = [0, 1, 2] if dtype.startswith("int") else [0, 1, 2, -np.inf, np.inf, np.nan]
    array = np.random.default_rng(seed).choice(values, shape).astype(dtype)
    floating = dtype.startswith("float")
    a, b = microgad.tensor(array, requires_grad=floating), torch.tensor(array, requires_grad=floating)
    out_a, indices_a = ours.max_pool2d(a, kernel, return_indices=True, **settings)
    out_b, indices_b = theirs.max_pool2d(b, kernel, return_indices=True, **settings)
    same(out_a, out_b)
    same(indices_a, indices_b)
    if floating:
        upstream = np.arange(1, indices_b.numel() + 1, dtype=dtype).reshape(indices_b.shape)
        (grad_a,) = microgad.autograd.grad(out_a, a, microgad.tensor(upstream))
        (grad_b,) = torch.autograd.grad(out_b, b, torch.tensor(upstream))
        same(grad_a, grad_b)


@given(
    poolings(st.just(1)),
    st.booleans(),
    st.one_of(st.none(), st.sampled_from([-2, 1, 5])),
    st.sampled_from(["float32", "float64"]),
    seeds,
)
def test_avg_pool2d(shapes, count_include_pad, divisor, dtype, seed):
    x, kernel, settings = shapes
    del settings["dilation"]
    settings.update(count_include_pad=count_include_pad, divisor_override=divisor)
    check(
        lambda a: ours.avg_pool2d(a, kernel, **settings),
        lambda b: theirs.avg_pool2d(b, kernel, **settings),
        (x,),
        dtype,
        seed,
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda f, t: f.conv2d(t.zeros(2, 4, 6, 6), t.zeros(3, 3, 3, 3)),
        lambda f, t: f.conv2d(t.zeros(2, 4, 6, 6), t.zeros(3, 2, 3, 3), groups=2),
        lambda f, t: f.conv2d(t.zeros(2, 4, 6, 6), t.zeros(3, 4, 7, 3)),
        lambda f, t: f.conv2d(t.zeros(2, 4, 6, 6).double(), t.zeros(3, 4, 3, 3)),
        lambda f, t: f.conv2d(t.zeros(2, 4, 6, 6), t.zeros(3, 4, 3, 3), t.zeros(4)),
        lambda f, t: f.conv2d(t.zeros(2, 4, 6, 6), t.zeros(3, 4, 3, 3), stride=0),
        lambda f, t: f.conv2d(t.zeros(2, 4, 6, 6), t.zeros(3, 4, 3, 3), stride=(1, 1, 1)),
        lambda f, t: f.conv2d(t.zeros(2, 4, 6, 6), t.zeros(3, 4, 3, 3), stride=1.0),
        lambda f, t: f.conv2d(t.zeros(2, 4, 6, 6), t.zeros(3, 4, 3, 3), padding=-1),
        lambda f, t: f.conv2d(t.zeros(2, 4, 6, 6), t.zeros(3, 4, 3, 3), padding="same", stride=2),
        lambda f, t: f.conv2d(t.zeros(6, 6), t.zeros(3, 4, 3, 3)),
        lambda f, t: f.conv_transpose2d(t.zeros(2, 4, 6, 6), t.zeros(3, 4, 3, 3)),
        lambda f, t: f.conv_transpose2d(t.zeros(2, 4, 6, 6), t.zeros(4, 4, 3, 3), output_padding=1),
        lambda f, t: f.unfold(t.zeros(2, 4, 6, 6), 7),
        lambda f, t: f.fold(t.zeros(1, 12, 10), (4, 5), 2),
        lambda f, t: f.max_pool2d(t.zeros(2, 4, 6, 6), 2, padding=2),
        lambda f, t: f.max_pool2d(t.zeros(2, 4, 6, 6), 7),
        lambda f, t: f.max_pool2d(t.zeros(2, 4, 6, 6), 2.0),
        lambda f, t: f.max_pool2d(t.zeros(6, 6), 2),
        lambda f, t: f.avg_pool2d(t.zeros(2, 4, 6, 6), 2, divisor_override=0),
    ],
)
def test_refused_by_both(call):
    with pytest.raises((RuntimeError, TypeError)) as error:
        call(theirs, torch)
    with pytest.raises(error.type):
        call(ours, microgad)
