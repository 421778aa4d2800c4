"""Shapes, order of elements, joining and splitting, padding, and conversion of dtypes."""

import math

import numpy as np
from hypothesis import strategies as st

import microgad as torch
from microgad.ops import movement
from microgad.ops import movement as ops
from microgad.ops.shuffle import Shuffle
from microgad.testing.strategies import axes, shapes, tensors

from .registry import checks

sizes = shapes(min_side=0)


def swapped(x):
    """The view with its axes in reverse order."""
    return x.permute(tuple(range(x.ndim)[::-1]))


@checks(ops.Reshape)
def test_reshape(draw):
    """To shapes of the same number of elements, sometimes with -1."""
    x = draw(tensors(sizes, requires_grad=True))
    n = x.numel()
    shapes = [(n,), (1, n), (n, 1), (2, n // 2), (n // 3, 3)]
    shape = draw(st.sampled_from([s for s in shapes if math.prod(s) == n] + [(-1,)] * (n > 0)))
    return lambda x: x.reshape(shape), x


@checks(ops.Reshape)
def test_squeeze_unsqueeze_flatten(draw):
    x = draw(tensors(sizes, requires_grad=True))
    dim = draw(st.integers(0, x.ndim))
    functions = [lambda x: x.unsqueeze(dim), torch.flatten, torch.squeeze, lambda x: x.unsqueeze(dim).squeeze(dim)]
    return draw(st.sampled_from(functions)), x


@checks(ops.Permute)
def test_permute(draw):
    x = draw(tensors(sizes, requires_grad=True))
    order = tuple(draw(st.permutations(range(x.ndim))))
    return lambda x: x.permute(order), x


@checks(Shuffle)
def test_pixel_and_channel_shuffle(draw):
    lead, c, h, w = draw(st.tuples(*[st.integers(0, 2)] * 4))
    functions = [torch.pixel_shuffle, torch.pixel_unshuffle, torch.channel_shuffle]
    x = draw(tensors((lead, 4 * c, 2 * h, 2 * w), requires_grad=True))
    function = draw(st.sampled_from(functions))
    return lambda x: function(x, 2), x


@checks(ops.Permute)
def test_transpose(draw):
    x = draw(tensors(shapes(min_dims=2, min_side=0), requires_grad=True))
    a, b = draw(axes(x.ndim, several=False, all=False)), draw(axes(x.ndim, several=False, all=False))
    return draw(
        st.sampled_from([lambda x: x.transpose(a, b), lambda x: x.movedim(a, b), lambda x: x.mT if x.ndim else x])
    ), x


@checks(ops.Expand)
def test_expand(draw):
    x = draw(tensors(shapes(max_dims=2, min_side=0), requires_grad=True))
    wide = draw(sizes.filter(lambda s: len(s) <= 2))
    size = (*wide, *(draw(st.integers(0, 3)) if n == 1 else draw(st.sampled_from([n, -1])) for n in x.shape))
    return lambda x: x.expand(size), x


@checks(ops.Flip)
def test_flip(draw):
    x = draw(tensors(shapes(min_dims=1, min_side=0), requires_grad=True))
    dim = draw(axes(x.ndim, all=False))
    return lambda x: torch.flip(x, dim), x


@checks(ops.Clone)
def test_clone(draw):
    x = draw(tensors(sizes, requires_grad=True))
    return draw(st.sampled_from([torch.clone, lambda x: swapped(x).clone(), lambda x: swapped(x).contiguous()])), x


@checks(ops.Cast, float32=False)
def test_cast(draw):
    """To the same dtype: a less precise one has no accurate numerical derivative."""
    x, double = draw(tensors(sizes, requires_grad=True)), np.dtype(np.float64)
    return lambda x: ops.Cast.apply(x, to=double, source=x.array.dtype), x


def test_the_gradient_of_a_cast_has_the_source_dtype():
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    y = x.float()
    (g,) = torch.autograd.grad(y, x, torch.ones(2), create_graph=True)
    assert y.dtype == torch.float32
    assert g.dtype == torch.float64


@checks(ops.Transfer)
def test_transfer(draw):
    return lambda x: ops.Transfer.apply(x, to=x.device, source=x.device), draw(tensors(sizes, requires_grad=True))


@checks(ops.Cat)
def test_cat(draw):
    shape = draw(shapes(min_dims=1, min_side=0))
    dim = draw(axes(len(shape), several=False, all=False))
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        size = list(shape)
        size[dim] = draw(st.integers(0, 3))
        parts.append(draw(tensors(tuple(size), requires_grad=True)))
    return lambda *parts: torch.cat(parts, dim), *parts


@checks(ops.Stack)
def test_stack(draw):
    shape = draw(sizes)
    dim = draw(st.sampled_from(range(-len(shape) - 1, len(shape) + 1)))
    parts = draw(st.lists(tensors(shape, requires_grad=True), min_size=1, max_size=3))
    return lambda *parts: torch.stack(parts, dim), *parts


@checks(ops.Cat)
def test_one_tensor_twice_in_a_cat(draw):
    x = draw(tensors(shapes(min_dims=1), requires_grad=True))
    return lambda x: torch.cat([x, x * 2, x]), x


@checks(ops.Pad)
def test_pad(draw):
    """Negative widths crop."""
    x = draw(tensors(shapes(min_dims=1, min_side=0), requires_grad=True))
    widths = [draw(st.integers(-(x.shape[-1 - i // 2] // 2), 2)) for i in range(2 * draw(st.integers(1, x.ndim)))]
    value = draw(st.sampled_from([None, 0, 1.5]))
    return lambda x: movement.pad(x, widths, "constant", value), x


@checks(ops.NonConstantPad)
def test_nonconstant_pad(draw):
    """Widths up to what the mode allows, 0 among them."""
    x = draw(tensors(shapes(min_dims=1, max_dims=2), requires_grad=True))
    mode = draw(st.sampled_from(["reflect", "symmetric", "edge", "wrap"]))
    most = [n - 1 if mode == "reflect" else n + 2 * (mode == "edge") for n in x.shape]
    widths = [(draw(st.integers(0, n)), draw(st.integers(0, n))) for n in most]
    return lambda x: movement.padded(x, widths, mode), x


@checks(ops.NonConstantPad)
def test_nonconstant_pad_with_negative_widths(draw):
    """In the modes of torch.nn.functional.pad."""
    x = draw(tensors(shapes(min_dims=2, max_dims=2, min_side=2), requires_grad=True))
    mode = draw(st.sampled_from(["reflect", "replicate", "circular"]))
    low, high = draw(st.sampled_from([(1, 1), (1, 0), (-1, 1), (0, -1), (1, -1)]))
    return lambda x: movement.pad(x, (low, high), mode), x


def test_pad_keeps_float32():
    assert movement.pad(torch.ones(2), (1, 1), value=np.float64(0.5)).dtype == torch.float32


@checks(ops.Roll)
def test_roll(draw):
    x = draw(tensors(sizes, requires_grad=True))
    dims = draw(st.lists(st.sampled_from(range(-x.ndim, x.ndim)), max_size=2)) if x.ndim else []
    shifts = draw(st.lists(st.integers(-4, 4), min_size=len(dims) or 1, max_size=len(dims) or 1))
    return lambda x: torch.roll(x, shifts, dims or None), x


@checks(ops.Rot90)
def test_rot90(draw):
    x = draw(tensors(shapes(min_dims=2), requires_grad=True))
    k = draw(st.integers(-3, 7))
    a, b = draw(st.permutations(range(x.ndim)))[:2]
    return lambda x: torch.rot90(x, k, (a, b)), x


@checks(ops.Split)
def test_split(draw):
    """Into parts of one size, of given sizes, or a given number of parts; some may be unused."""
    x = draw(tensors(shapes(min_dims=1, min_side=0), requires_grad=True))
    dim = draw(axes(x.ndim, several=False, all=False))
    n, size = x.shape[dim], draw(st.integers(1, 3))
    cut = draw(st.integers(0, n))
    parts = [
        lambda x: x.split(size, dim),
        lambda x: x.split([cut, n - cut], dim),
        lambda x: x.chunk(size, dim),
        lambda x: x.tensor_split(size, dim),
        lambda x: x.tensor_split((cut,), dim),
    ]
    split = draw(st.sampled_from(parts))
    return draw(st.sampled_from([split, lambda x: split(x)[-1], lambda x: torch.cat(split(x)[::-1], dim)])), x


@checks(ops.Unbind)
def test_unbind(draw):
    x = draw(tensors(shapes(min_dims=1), requires_grad=True))
    dim = draw(axes(x.ndim, several=False, all=False))
    return draw(st.sampled_from([lambda x: x.unbind(dim), lambda x: x.unbind(dim)[-1] * 2])), x


@checks(ops.Diagonal)
def test_diagonal(draw):
    x = draw(tensors(shapes(min_dims=2, min_side=0), requires_grad=True))
    a, b = draw(st.permutations(range(-x.ndim, 0)))[:2]
    offset = draw(st.integers(-3, 3))
    return lambda x: torch.diagonal(x, offset, a, b), x


@checks(ops.DiagEmbed)
def test_diag_embed(draw):
    x = draw(tensors(shapes(min_dims=1, min_side=0), requires_grad=True))
    a, b = draw(st.permutations(range(-x.ndim - 1, 0)))[:2]
    offset = draw(st.integers(-2, 2))
    return draw(st.sampled_from([lambda x: torch.diag_embed(x, offset, a, b), lambda x: torch.diagflat(x, offset)])), x


@checks(ops.Trace)
def test_trace(draw):
    x = draw(tensors(shapes(min_dims=2, max_dims=2, min_side=0), requires_grad=True))
    return torch.trace, x


@checks(ops.Tril, ops.Triu)
def test_triangles(draw):
    x = draw(tensors(shapes(min_dims=2, min_side=0), requires_grad=True))
    k = draw(st.integers(-3, 3))
    return lambda x: (torch.tril(x, k), torch.triu(x, k)), x


@checks(ops.SlidingWindows)
def test_unfold(draw):
    """Windows that overlap, that touch, and with gaps."""
    x = draw(tensors(shapes(min_dims=1), requires_grad=True))
    dim = draw(axes(x.ndim, several=False, all=False))
    n = x.shape[dim]
    size = draw(st.sampled_from([min(2, n), max(n - 1, 0), *range(n + 1)]))
    step = draw(st.sampled_from([1, 1, 1, 2, 3]))
    return lambda x: x.unfold(dim, size, step), x


@checks(ops.AsStrided)
def test_as_strided(draw):
    """Of a Tensor and of views of it, only within the view: elements outside of it would have no gradient."""
    x = draw(tensors(shapes(min_dims=1, max_dims=2), requires_grad=True))
    n, row = x.numel(), x[0].numel()
    view_of, first, end = draw(
        st.sampled_from(
            [
                (lambda x: x, 0, n),
                (swapped, 0, n),
                (lambda x: x[-1:], n - row, n),
                (lambda x: x[:1].expand(2, *x.shape[1:]), 0, row),
            ]
        )
    )
    offset = draw(st.integers(first, end - 1))
    most = end - 1 - offset
    stride = draw(st.integers(0, most))
    size = draw(st.integers(0, most // stride + 1 if stride else 3))
    columns = draw(st.integers(0, most - max(size - 1, 0) * stride + 1))
    return lambda x: view_of(x.contiguous() * 1).as_strided((size, columns), (stride, 1), offset), x


@checks(ops.Expand, ops.Reshape, ops.RepeatInterleave)
def test_repeat(draw):
    x = draw(tensors(shapes(max_dims=2, min_side=0), requires_grad=True))
    times = draw(st.lists(st.integers(0, 2), min_size=x.ndim, max_size=x.ndim + 1))
    n, dim = draw(st.integers(0, 3)), draw(axes(x.ndim, several=False, all=False)) if x.ndim else None
    return draw(st.sampled_from([lambda x: x.repeat(times), lambda x: x.repeat_interleave(n, dim)])), x


@checks(ops.Expand)
def test_kron(draw):
    a, b = (draw(tensors(shapes(max_dims=2), requires_grad=True)) for _ in range(2))
    return lambda a, b: torch.kron(a, b.expand(2, *b.shape)), a, b
