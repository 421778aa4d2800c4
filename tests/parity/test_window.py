"""Convolution, folding and pooling against PyTorch's: values, first derivatives and their derivatives."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import microgad
import microgad.nn.functional as ours

torch = pytest.importorskip("torch")

from ..ops.patches import pair  # noqa: E402
from .derivatives import check, functional_pair, same  # noqa: E402

theirs = torch.nn.functional

# PyTorch warns of its own deprecations and slow paths.
pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")

sizes = st.integers(1, 3)
pairs = st.one_of(sizes, st.tuples(sizes, sizes))
seeds = st.integers(0, 2**32 - 1)


@st.composite
def convolutions(draw):
    """Shapes of an input and a weight, and settings of conv2d that fit them."""
    groups, per_x, per_y, batch = draw(sizes), draw(sizes), draw(sizes), draw(st.integers(0, 3))
    kernel = draw(st.tuples(st.integers(1, 6), st.integers(1, 3)))
    settings = {
        "stride": draw(pairs),
        "padding": draw(st.one_of(st.just(0), pairs)),
        "dilation": draw(pairs),
        "groups": groups,
    }
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, pair(settings["dilation"]), strict=True)]
    min_sizes = [max(1, span - 2 * p) for span, p in zip(extents, pair(settings["padding"]), strict=True)]
    plane = tuple(draw(st.integers(low, low + 5)) for low in min_sizes)
    if settings["stride"] in (1, (1, 1)) and draw(st.booleans()):
        settings["padding"] = "same"
    return (batch, per_x * groups, *plane), (per_y * groups, per_x, *kernel), settings


@given(convolutions(), st.booleans(), st.sampled_from(["float32", "float64"]), seeds)
def test_conv2d_equals_pytorchs_with_gradients(shapes, bias, dtype, seed):
    x, weight, settings = shapes
    inputs = (x, weight, weight[:1]) if bias else (x, weight)
    check(lambda *a: ours.conv2d(*a, **settings), lambda *b: theirs.conv2d(*b, **settings), inputs, dtype, seed)


@st.composite
def transposed_convolutions(draw):
    """The same for conv_transpose2d, with an output of at least one element."""
    groups, per_x, per_y, batch = draw(sizes), draw(sizes), draw(sizes), draw(st.integers(1, 3))
    kernel, plane = (
        draw(st.tuples(st.integers(1, 6), st.integers(1, 3))),
        draw(st.tuples(st.integers(1, 5), st.integers(1, 5))),
    )
    stride, dilation = draw(pairs), draw(pairs)
    limits = [max(s, d) - 1 for s, d in zip(pair(stride), pair(dilation), strict=True)]
    extra = tuple(draw(st.integers(0, limit)) for limit in limits)
    full = [
        (n - 1) * s + (k - 1) * d + 1 + e
        for n, s, k, d, e in zip(plane, pair(stride), kernel, pair(dilation), extra, strict=True)
    ]
    padding = tuple(draw(st.integers(0, min(3, (size - 1) // 2))) for size in full)
    settings = {"stride": stride, "padding": padding, "output_padding": extra, "groups": groups, "dilation": dilation}
    return (batch, per_x * groups, *plane), (per_x * groups, per_y, *kernel), settings


@given(transposed_convolutions(), st.booleans(), st.sampled_from(["float32", "float64"]), seeds)
def test_conv_transpose2d_equals_pytorchs_with_gradients(shapes, bias, dtype, seed):
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
    """The shape of an input, and settings of unfold that fit it."""
    kernel, settings = (
        draw(st.tuples(sizes, sizes)),
        {"dilation": draw(pairs), "padding": draw(st.one_of(st.just(0), pairs)), "stride": draw(pairs)},
    )
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, pair(settings["dilation"]), strict=True)]
    min_sizes = [max(1, span - 2 * p) for span, p in zip(extents, pair(settings["padding"]), strict=True)]
    shape = (draw(sizes), draw(sizes), *(draw(st.integers(low, low + 5)) for low in min_sizes))
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
    """The shape of an input, a kernel size, and settings of a pooling that fit them."""
    kernel, dilation = draw(st.tuples(st.integers(1, 4), st.integers(1, 3))), draw(dilations)
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, pair(dilation), strict=True)]
    # PyTorch bounds the padding by half the kernel size, without dilation
    padding = tuple(draw(st.integers(0, min(span, k) // 2)) for span, k in zip(extents, kernel, strict=True))
    plane = tuple(draw(st.integers(max(1, span - 2 * p), span + 6)) for span, p in zip(extents, padding, strict=True))
    stride = draw(st.one_of(st.none(), pairs))
    for size, k, s, p, d in zip(plane, kernel, pair(stride or kernel), padding, pair(dilation), strict=True):
        # PyTorch's index is undefined for a window without any element
        assume(all(any(0 <= i + t * d < size for t in range(k)) for i in range(-p, size, s)))
    settings = {"stride": stride, "padding": padding, "ceil_mode": draw(st.booleans())}
    batch = draw(st.integers(0, 2))
    shape = (draw(sizes), *plane)
    return (batch, *shape) if batch else shape, kernel, {**settings, "dilation": dilation}


@given(poolings(), st.sampled_from(["float32", "float64"]), seeds)
def test_max_pool2d_equals_pytorchs_with_gradients(shapes, dtype, seed):
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
    """Inputs with few distinct values, NaN and infinities: the same results, indices and gradients."""
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
def test_avg_pool2d_equals_pytorchs_with_gradients(shapes, count_include_pad, divisor, dtype, seed):
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


@given(st.sampled_from([1, 3]), st.booleans(), st.sampled_from(["float32", "float64"]), st.data(), seeds)
def test_1d_and_3d_convolutions(dims, transposed, dtype, data, seed):
    def ints(min_sizes, most):
        return data.draw(st.tuples(*[st.integers(min_sizes, most)] * dims))

    groups, kernel, stride, dilation = data.draw(sizes), ints(1, 3), ints(1, 3), ints(1, 2)
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    plane = tuple(data.draw(st.integers(n, n + 2)) for n in span)
    batch = data.draw(st.sampled_from([(), (1,), (2,)]))
    settings = {"stride": stride, "dilation": dilation, "groups": groups}
    if transposed:
        settings |= {"output_padding": tuple(max(s, d) - 1 for s, d in zip(stride, dilation, strict=True))}
    else:
        settings |= {"padding": ints(0, 2)}
    name = f"conv_transpose{dims}d" if transposed else f"conv{dims}d"
    weight = (2 * groups, 1, *kernel)
    channels, out = (2 * groups, groups) if transposed else (groups, 2 * groups)
    check(*functional_pair(name, **settings), ((*batch, channels, *plane), weight, (out,)), dtype, seed)


@pytest.mark.parametrize("name", ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d"])
@pytest.mark.parametrize("dtype", ["complex64", "complex128", "int64"])
def test_convolutions_of_complex_and_integer_numbers(name, dtype):
    dims, rng = int(name[-2]), np.random.default_rng(0)
    arrays = [rng.integers(-9, 9, (2, 2, *[n] * dims)).astype(dtype) for n in (4, 2)]
    arrays = [x * (1 - 0.5j) for x in arrays] if dtype.startswith("complex") else arrays
    arrays = [x.astype(dtype) for x in arrays]
    floating = dtype.startswith("complex")
    a, b = ([lib.tensor(x, requires_grad=floating) for x in arrays] for lib in (microgad, torch))
    out_a, out_b = getattr(ours, name)(*a, stride=2), getattr(theirs, name)(*b, stride=2)
    same(out_a, out_b, 1e-4)
    if floating:
        up = arrays[0].reshape(-1)[0] * np.ones(tuple(out_b.shape), dtype)
        for x, y in zip(
            microgad.autograd.grad(out_a, a, microgad.tensor(up)),
            torch.autograd.grad(out_b, b, torch.tensor(up)),
            strict=True,
        ):
            same(x, y, 1e-3 if dtype == "complex64" else 1e-9)


POOLS = {
    "max_pool1d": ((2, 3, 7), (3, 2, 1), {}),
    "max_pool1d, dilated": ((3, 9), (2,), {"dilation": 3, "ceil_mode": True}),
    "max_pool3d": ((2, 2, 5, 6, 7), (2,), {}),
    "max_pool3d, padded": ((2, 5, 4, 6), ((3, 2, 3), (1, 2, 3), 1), {"ceil_mode": True}),
    "avg_pool1d": ((2, 3, 7), (3, 2, 1), {"count_include_pad": False}),
    "avg_pool3d": ((2, 2, 5, 6, 7), ((1, 2, 3), 2), {"ceil_mode": True}),
    "avg_pool3d, divisor": ((2, 5, 4, 6), (3, 1, 1), {"divisor_override": 5}),
    "lp_pool2d": ((2, 3, 6, 7), (2, (3, 2)), {"stride": 2, "ceil_mode": True}),
    "lp_pool2d, infinite": ((2, 3, 6, 7), (float("inf"), 2), {}),
    "lp_pool3d": ((2, 4, 4, 4), (2, 2), {}),
    "adaptive_avg_pool1d": ((2, 3, 7), (3,), {}),
    "adaptive_avg_pool2d": ((2, 3, 5, 7), ((None, 3),), {}),
    "adaptive_avg_pool2d, whole parts": ((3, 6, 8), ((3, 2),), {}),
    "adaptive_avg_pool2d, larger": ((1, 2, 2, 3), (5,), {}),
    "adaptive_avg_pool3d": ((1, 2, 3, 4, 5), (2,), {}),
    "adaptive_avg_pool3d, one": ((1, 2, 3, 4, 5), (1,), {}),
    "adaptive_max_pool1d": ((2, 3, 7), (3,), {}),
    "adaptive_max_pool2d": ((2, 3, 5, 7), ((None, 3),), {}),
    "adaptive_max_pool3d": ((2, 3, 4, 5), (2,), {}),
    "adaptive_max_pool3d, whole parts": ((1, 2, 4, 2, 6), ((2, 1, 3),), {}),
}


@pytest.mark.parametrize("name", POOLS)
def test_poolings_of_each_dimension(name):
    shape, args, settings = POOLS[name]
    check(*functional_pair(name.partition(",")[0], *args, **settings), (shape,), "float64", 0)


@pytest.mark.parametrize("name", [name for name in POOLS if "max_pool" in name])
@pytest.mark.parametrize("values", [[0.0, 1.0], [0.0, 1.0, np.nan, -np.inf]])
def test_max_pool_indices_at_ties_and_nan(name, values):
    shape, args, settings = POOLS[name]
    x = np.random.default_rng(0).choice(values, shape)
    mine, other = functional_pair(name.partition(",")[0], *args, return_indices=True, **settings)
    for a, b in zip(mine(microgad.tensor(x)), other(torch.tensor(x)), strict=True):
        same(a, b)


@pytest.mark.parametrize("name", ["avg_pool1d", "avg_pool2d", "avg_pool3d"])
def test_avg_pool_of_integers(name):
    x = np.random.default_rng(0).integers(-20, 20, (2, 3, *[5] * int(name[-2])))
    mine, other = functional_pair(name, 2, 1)
    same(mine(microgad.tensor(x)), other(torch.tensor(x)))


@pytest.mark.parametrize(
    ("name", "shape", "kernel", "settings"),
    [
        ("fractional_max_pool2d", (2, 3, 9, 8), 2, {"output_size": (4, 3)}),
        ("fractional_max_pool2d", (3, 9, 8), (1, 3), {"output_ratio": (0.5, 0.6)}),
        ("fractional_max_pool2d", (0, 3, 9, 8), 2, {"output_size": 1}),
        ("fractional_max_pool2d", (2, 3, 9, 8), 2, {"output_size": (0, 1)}),
        ("fractional_max_pool3d", (2, 3, 6, 7, 8), 2, {"output_size": (2, 3, 4)}),
        ("fractional_max_pool3d", (3, 6, 7, 8), 2, {"output_ratio": 0.5}),
    ],
)
def test_fractional_max_pool(name, shape, kernel, settings):
    def seeded(lib, pool):
        def draw(x):
            lib.manual_seed(5)
            return pool(x, kernel, **settings)

        return draw

    mine, other = seeded(microgad, getattr(ours, name)), seeded(torch, getattr(theirs, name))
    check(mine, other, (shape,), "float64", 0)
    x = np.random.default_rng(0).choice([0.0, 1.0, np.nan], shape)
    settings["return_indices"] = True
    for a, b in zip(mine(microgad.tensor(x)), other(torch.tensor(x)), strict=True):
        same(a, b)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_max_unpool_of_max_pool(dims):
    def pool_and_unpool(functions):
        def program(x):
            y, indices = getattr(functions, f"max_pool{dims}d")(x, 3, 2, return_indices=True)
            size = tuple(x.shape) if dims != 2 else tuple(x.shape[2:])
            return getattr(functions, f"max_unpool{dims}d")(y, indices, 3, 2, output_size=size)

        return program

    check(pool_and_unpool(ours), pool_and_unpool(theirs), ((2, 3, *[6] * dims),), "float64", 0)


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
        lambda f, t: f.avg_pool3d(t.zeros(2, 4, 6, 1, 6), 2, padding=1),
        lambda f, t: f.adaptive_avg_pool2d(t.zeros(2, 4, 6, 6), (1, 2, 3)),
        lambda f, t: f.fractional_max_pool2d(t.zeros(2, 4, 6, 6), 2),
        lambda f, t: f.fractional_max_pool3d(t.zeros(2, 4, 3, 3, 3), 2, 2),
        lambda f, t: f.max_unpool2d(t.zeros(1, 1, 2, 2), t.zeros(1, 1, 2, 2), 2),
        lambda f, t: f.max_unpool2d(t.zeros(1, 1, 2, 2), t.zeros(1, 1, 2, 2, dtype=t.int64) + 99, 2),
        lambda f, t: f.interpolate(t.zeros(2, 4, 6, 6), 2, 2.0),
        lambda f, t: f.interpolate(t.zeros(2, 4, 6, 6), (2, 2, 2)),
        lambda f, t: f.interpolate(t.zeros(2, 4, 6, 6), 2, mode="trilinear"),
        lambda f, t: f.interpolate(t.zeros(2, 4, 6, 6), 2, align_corners=False),
        lambda f, t: f.interpolate(t.zeros(2, 4, 6, 6), 2, mode="bilinear", antialias=1, recompute_scale_factor=True),
        lambda f, t: f.grid_sample(t.zeros(2, 4, 6, 6), t.zeros(1, 2, 2, 2), align_corners=False),
        lambda f, t: f.grid_sample(t.zeros(2, 4, 6, 6), t.zeros(2, 2, 2, 3), align_corners=False),
        lambda f, t: f.affine_grid(t.zeros(1, 2, 3), (1, 1, 2, 2, 2), align_corners=False),
    ],
)
def test_errors_have_torchs_class(call):
    with pytest.raises((RuntimeError, TypeError, ValueError)) as error:
        call(theirs, torch)
    with pytest.raises(error.type):
        call(ours, microgad)


LINEAR_POOLINGS = {
    "adaptive_avg_pool1d": ((6,), lambda t, F, x: F.adaptive_avg_pool1d(x, 4)),
    "adaptive_avg_pool2d": ((5, 6), lambda t, F, x: F.adaptive_avg_pool2d(x, (3, 4))),
    "adaptive_avg_pool3d": ((5, 6, 4), lambda t, F, x: F.adaptive_avg_pool3d(x, (3, 4, 3))),
    "adaptive_max_pool1d": ((6,), lambda t, F, x: F.adaptive_max_pool1d(x, 4)),
    "adaptive_max_pool2d": ((5, 6), lambda t, F, x: F.adaptive_max_pool2d(x, (3, 4))),
    "adaptive_max_pool3d": ((5, 6, 4), lambda t, F, x: F.adaptive_max_pool3d(x, (3, 4, 3))),
    "fractional_max_pool2d": (
        (5, 6),
        lambda t, F, x: F.fractional_max_pool2d(x, 2, 2, _random_samples=t.full((2, 3, 2), 0.3, dtype=x.dtype)),
    ),
    "area": ((5, 6), lambda t, F, x: F.interpolate(x, size=(3, 4), mode="area")),
    "avg_pool2d": ((5, 6), lambda t, F, x: F.avg_pool2d(x, 2, padding=1)),
    "max_pool2d": ((5, 6), lambda t, F, x: F.max_pool2d(x, 2)),
}


@pytest.mark.parametrize("name", LINEAR_POOLINGS)
def test_second_derivatives_of_piecewise_linear_poolings(name):
    """It is 0 for the pooling itself; derivatives of the cube of a pooling are PyTorch's."""
    size, pool = LINEAR_POOLINGS[name]
    found = []
    for t in (torch, microgad):
        x = t.tensor(np.random.default_rng(0).standard_normal((2, 3, *size)), requires_grad=True)
        out = pool(t, t.nn.functional, x)
        (flat,) = t.autograd.grad(out.sum(), x, create_graph=True)
        (zero,) = t.autograd.grad(flat.sum(), x)
        (first,) = t.autograd.grad((pool(t, t.nn.functional, x) ** 3).sum(), x, create_graph=True)
        (second,) = t.autograd.grad((first * x.detach()).sum(), x, create_graph=True)
        (third,) = t.autograd.grad(second.sum(), x)
        found.append([g.detach().numpy() for g in (flat, zero, first, second, third)])
    for expected, g in zip(*found, strict=True):
        np.testing.assert_allclose(g, expected, rtol=1e-9, atol=1e-12)
