"""Identities of convolution, unfold and pooling, over random shapes and settings, in float64."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

import microgad as torch
from microgad.ops.window import avg_pool2d, conv, conv2d, conv_transpose2d, max_pool2d, max_pool_kernels
from microgad.ops.window.geometry import Window
from microgad.ops.window.unfold import Fold, Unfold

small = st.integers(1, 3)
seeds = st.integers(0, 2**32 - 1)


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


def leaf(array):
    return torch.tensor(array, requires_grad=True)


@st.composite
def windows(draw, symmetric=False):
    """A window that fits its image; unless symmetric, the paddings of the two sides may differ, and may be negative."""
    edges = []
    for _ in range(2):
        kernel, stride, dilation = draw(st.integers(1, 5)), draw(small), draw(small)
        before = draw(st.integers(0 if symmetric else -1, 3))
        after = before if symmetric else draw(st.integers(-1, 3))
        least = max(1, -before - after + 1, (kernel - 1) * dilation + 1 - before - after, -before + 1, -after + 1)
        edges.append((draw(st.integers(least, least + 6)), kernel, stride, (before, after), dilation))
    return Window(*zip(*edges, strict=True))


@st.composite
def convolutions(draw, symmetric=False):
    """Input, weight and output gradient of a convolution, its window and its groups."""
    window, groups, n = draw(windows(symmetric)), draw(small), draw(small)
    c, o, rng = draw(small), draw(small), np.random.default_rng(draw(seeds))
    x = rng.standard_normal((n, c * groups, *window.size))
    weight = rng.standard_normal((o * groups, c, *window.kernel))
    y = rng.standard_normal((n, o * groups, *window.out))
    return x, weight, y, window, groups


@given(convolutions())
def test_forward_and_both_derivatives_are_one_trilinear_form(form):
    """<y, conv(x, w)> = <x, conv_transpose(y, w)> = <w, conv_weight(y, x)>."""
    x, weight, y, window, groups = form
    value = (y * conv.Conv2d.apply(x, weight, None, window=window, groups=groups)).sum()
    close((x * conv.ConvTranspose2d.apply(y, weight, None, window=window, groups=groups)).sum(), value)
    close((weight * conv.Conv2dWeight.apply(y, x, affine=False, window=window, groups=groups)).sum(), value)
    by_weight, by_bias = conv.Conv2dWeight.apply(y, x, affine=True, window=window, groups=groups)
    close((weight * by_weight).sum(), value)
    close(by_bias, y.sum((0, 2, 3)))


@given(convolutions(), seeds)
def test_derivatives_of_weight_and_bias_together(form, seed):
    """Conv2d is affine in weight and bias; Conv2dWeight is its adjoint, with the derivatives of an adjoint."""
    x, weight, y, window, groups = form
    rng = np.random.default_rng(seed)
    x, y, settings = leaf(x), leaf(y), {"window": window, "groups": groups}
    v, u = torch.tensor(rng.standard_normal(weight.shape)), torch.tensor(rng.standard_normal(len(weight)))
    by_weight, by_bias = conv.Conv2dWeight.apply(y, x, affine=True, **settings)
    dy, dx = torch.autograd.grad((by_weight * v).sum() + (by_bias * u).sum(), (y, x), create_graph=True)
    close(dy.array, conv.Conv2d.apply(x.array, v.array, u.array, **settings))
    close(dx.array, conv.ConvTranspose2d.apply(y.array, v.array, None, **settings))
    only_bias = torch.autograd.grad(conv.Conv2dWeight.apply(y, x, affine=True, **settings)[1].sum(), y)[0]
    close(only_bias.array, 1)


@given(convolutions(), seeds)
def test_derivatives_up_to_third_order_of_a_convolution(form, seed):
    """d/dx, d²/dx dw and d³/dx dw dy of the form, each by the graph of the one before."""
    x, weight, y = map(leaf, form[:3])
    settings = {"window": form[3], "groups": form[4]}
    rng = np.random.default_rng(seed)
    u, v, t = (rng.standard_normal(a.shape) for a in form[:3])
    (dx,) = torch.autograd.grad((conv.Conv2d.apply(x, weight, None, **settings) * y).sum(), x, create_graph=True)
    (dw,) = torch.autograd.grad((dx * torch.tensor(u)).sum(), weight, create_graph=True)
    (dy,) = torch.autograd.grad((dw * torch.tensor(v)).sum(), y, create_graph=True)
    direct = conv.Conv2d.apply(u, v, None, **settings)
    close(dy.array, direct)
    close((dw.array * v).sum(), (direct * y.array).sum())
    assert dy.shape == t.shape


@given(convolutions(), seeds)
def test_bias_is_added_to_every_position(form, seed):
    x, weight, y, window, groups = form
    for op, a, channels in ((conv.Conv2d, x, len(weight)), (conv.ConvTranspose2d, y, weight.shape[1] * groups)):
        bias = leaf(np.random.default_rng(seed).standard_normal(channels))
        plain = op.apply(a, weight, None, window=window, groups=groups)
        out = op.apply(torch.tensor(a), torch.tensor(weight), bias, window=window, groups=groups)
        close(out.array, plain + bias.array[:, None, None])
        upstream = leaf(np.random.default_rng(seed + 1).standard_normal(out.shape))
        (grad,) = torch.autograd.grad(out, bias, upstream, create_graph=True)
        close(grad.array, upstream.array.sum((0, 2, 3)))
        (back,) = torch.autograd.grad((grad * bias.detach()).sum(), upstream)
        close(back.array, np.broadcast_to(bias.array[:, None, None], out.shape))


@given(windows(), small, small, seeds)
def test_fold_is_the_adjoint_of_unfold(window, n, c, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, c, *window.size))
    columns = Unfold.apply(x, window=window)
    y = rng.standard_normal(columns.shape)
    folded = Fold.apply(y, window=window)
    close((columns * y).sum(), (x * folded).sum())
    # Each is recorded as the derivative of the other.
    a = leaf(x)
    (grad,) = torch.autograd.grad(Unfold.apply(a, window=window), a, up := leaf(y), create_graph=True)
    close(grad.array, folded)
    close(torch.autograd.grad(grad, up, torch.tensor(x))[0].array, columns)


@st.composite
def pools(draw, dilated=True):
    """The shape of a batch of images, and settings of a pooling whose windows all contain an element."""
    kernel, stride = draw(st.tuples(small, small)), draw(st.tuples(small, small))
    dilation = draw(st.tuples(small, small)) if dilated else (1, 1)
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    padding = tuple(draw(st.integers(0, min(k, span) // 2)) for k, span in zip(kernel, spans, strict=True))
    plane = tuple(draw(st.integers(max(1, span - 2 * p), span + 5)) for span, p in zip(spans, padding, strict=True))
    for size, k, s, p, d in zip(plane, kernel, stride, padding, dilation, strict=True):  # no window is all padding
        assume(all(any(0 <= i + t * d < size for t in range(k)) for i in range(-p, size, s)))
    settings = {"kernel_size": kernel, "stride": stride, "padding": padding, "ceil_mode": draw(st.booleans())}
    return (draw(small), draw(small), *plane), settings | ({"dilation": dilation} if dilated else {})


@given(pools(), seeds)
def test_max_pool2d_and_its_derivatives_agree_with_its_indices(shapes, seed):
    """The first derivative scatters to the indices, and the second gathers from them: they are adjoint."""
    shape, settings = shapes
    rng = np.random.default_rng(seed)
    x = leaf(rng.permutation(np.arange(float(np.prod(shape)))).reshape(shape))  # no ties
    out, indices = max_pool2d(x, **settings, return_indices=True)
    n, c = shape[:2]
    flat = indices.array.reshape(n, c, -1)
    np.testing.assert_array_equal(np.take_along_axis(x.array.reshape(n, c, -1), flat, 2), out.array.reshape(n, c, -1))
    g, v = leaf(rng.standard_normal(out.shape)), rng.standard_normal(shape)
    (grad,) = torch.autograd.grad(out, x, g, create_graph=True)
    expected = np.zeros((n, c, shape[2] * shape[3]))
    np.add.at(expected, (*np.ogrid[:n, :c, :1][:2], flat), g.array.reshape(n, c, -1))
    close(grad.array, expected.reshape(shape))
    (back,) = torch.autograd.grad(grad, g, torch.tensor(v))
    close(back.array.reshape(n, c, -1), np.take_along_axis(v.reshape(n, c, -1), flat, 2))
    # A central difference along v is exact, as the step is too small to change any index.
    h = 0.1 / np.abs(v).max()
    values = [max_pool2d(torch.tensor(x.array + s * h * v), **settings).array for s in (1, -1)]
    np.testing.assert_allclose((values[0] - values[1]) / (2 * h), back.array, rtol=1e-6, atol=1e-6)


@given(pools(), seeds)
def test_a_tie_gives_the_gradient_to_one_element(shapes, seed):
    """However many values tie, a window's gradient goes to exactly one element."""
    shape, settings = shapes
    x = leaf(np.random.default_rng(seed).integers(0, 2, shape).astype(float))
    out = max_pool2d(x, **settings)
    out.sum().backward()
    assert x.grad.array.sum() == out.numel()
    assert (x.grad.array == np.round(x.grad.array)).all()


@given(pools(dilated=False), st.booleans(), st.one_of(st.none(), st.integers(1, 4)), seeds)
def test_avg_pool2d_is_linear_with_its_adjoint(shapes, count_include_pad, divisor, seed):
    shape, settings = shapes
    settings |= {"count_include_pad": count_include_pad, "divisor_override": divisor}
    rng = np.random.default_rng(seed)
    x, y = leaf(rng.standard_normal(shape)), rng.standard_normal(shape)
    out = avg_pool2d(x, **settings)
    close(
        avg_pool2d(torch.tensor(x.array + 2 * y), **settings).array,
        out.array + 2 * avg_pool2d(torch.tensor(y), **settings).array,
    )
    g = leaf(rng.standard_normal(out.shape))
    (grad,) = torch.autograd.grad(out, x, g, create_graph=True)
    close((grad.array * x.array).sum(), (g.array * out.array).sum())
    close(torch.autograd.grad(grad, g, torch.tensor(y))[0].array, avg_pool2d(torch.tensor(y), **settings).array)
    if divisor is None and not count_include_pad:
        close(avg_pool2d(torch.ones(shape, dtype=torch.float64), **settings).array, 1)


@given(convolutions(symmetric=True))
def test_conv2d_and_conv_transpose2d_are_adjoint(form):
    x, weight, y, window, groups = form
    padding = [before for before, _ in window.padding]
    settings = {"stride": window.stride, "padding": padding, "dilation": window.dilation, "groups": groups}
    extra = [(p - span) % s for p, span, s in zip(window.padded_size, window.span, window.stride, strict=True)]
    x, weight, y = map(torch.tensor, (x, weight, y))
    transposed = conv_transpose2d(y, weight, output_padding=extra, **settings)
    assert transposed.shape == x.shape
    close((transposed * x).sum().array, (conv2d(x, weight, **settings) * y).sum().array)


def test_window_maxima_gives_offsets_within_the_window():
    x = np.array([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    window = Window((2, 3), (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))
    assert [a.tolist() for a in max_pool_kernels.window_maxima(x, window)] == [[[[[5, 6]]]], [[[[4, 4]]]]]
    assert [a.tolist() for a in max_pool_kernels.window_maxima(-x, window)] == [[[[[-1, -2]]]], [[[[0, 0]]]]]
