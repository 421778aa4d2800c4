"""Shape, order, joining, padding, conversion."""

import math

import numpy as np
from hypothesis import strategies as st

import microgad as torch
from microgad import backend
from microgad.ops import movement
from microgad.ops.movement import Cast, Cat, Clone, Expand, Flip, Pad, Permute, Reshape, Stack, Transfer
from microgad.testing.strategies import axes, shapes, tensors

from .registry import checks

sizes = shapes(min_side=0)


@checks(Reshape)
def test_reshape(draw):
    """To shapes of the same number of elements, one size sometimes left to be worked out."""
    x = draw(tensors(sizes, requires_grad=True))
    n = x.numel()
    shapes = [(n,), (1, n), (n, 1), (2, n // 2), (n // 3, 3)]
    shape = draw(st.sampled_from([s for s in shapes if math.prod(s) == n] + [(-1,)] * (n > 0)))
    return lambda x: x.reshape(shape), x


@checks(Reshape)
def test_squeeze_unsqueeze_flatten(draw):
    x = draw(tensors(sizes, requires_grad=True))
    dim = draw(st.integers(0, x.ndim))
    functions = [lambda x: x.unsqueeze(dim), torch.flatten, torch.squeeze, lambda x: x.unsqueeze(dim).squeeze(dim)]
    return draw(st.sampled_from(functions)), x


@checks(Permute)
def test_permute(draw):
    x = draw(tensors(sizes, requires_grad=True))
    order = tuple(draw(st.permutations(range(x.ndim))))
    return lambda x: x.permute(order), x


@checks(Permute)
def test_transpose(draw):
    x = draw(tensors(shapes(min_dims=2, min_side=0), requires_grad=True))
    a, b = draw(axes(x.ndim, several=False, all=False)), draw(axes(x.ndim, several=False, all=False))
    return draw(st.sampled_from([lambda x: x.transpose(a, b), lambda x: x.T, lambda x: x.mT])), x


@checks(Expand)
def test_expand(draw):
    x = draw(tensors(shapes(max_dims=2, min_side=0), requires_grad=True))
    wide = draw(sizes.filter(lambda s: len(s) <= 2))
    size = (*wide, *(draw(st.integers(0, 3)) if n == 1 else draw(st.sampled_from([n, -1])) for n in x.shape))
    return lambda x: x.expand(size), x


@checks(Flip)
def test_flip(draw):
    x = draw(tensors(shapes(min_dims=1, min_side=0), requires_grad=True))
    dim = draw(axes(x.ndim, all=False))
    return lambda x: torch.flip(x, dim), x


@checks(Clone)
def test_clone(draw):
    x = draw(tensors(sizes, requires_grad=True))
    return draw(st.sampled_from([torch.clone, lambda x: x.T.clone(), lambda x: x.T.contiguous()])), x


@checks(Cast, float32=False)
def test_cast(draw):
    """To a dtype of the same precision: a coarser one has no numerical derivative."""
    x, double = draw(tensors(sizes, requires_grad=True)), np.dtype(np.float64)
    return lambda x: Cast.apply(x, to=double, source=x.array.dtype), x


def test_cast_gives_gradients_in_the_source_dtype():
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    y = x.float()
    (g,) = torch.autograd.grad(y, x, torch.ones(2), create_graph=True)
    assert y.dtype == torch.float32
    assert g.dtype == torch.float64


@checks(Transfer)
def test_transfer(draw):
    cpu = backend.device("cpu")
    return lambda x: Transfer.apply(x, to=cpu, source=cpu), draw(tensors(sizes, requires_grad=True))


@checks(Cat)
def test_cat(draw):
    shape = draw(shapes(min_dims=1, min_side=0))
    dim = draw(axes(len(shape), several=False, all=False))
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        size = list(shape)
        size[dim] = draw(st.integers(0, 3))
        parts.append(draw(tensors(tuple(size), requires_grad=True)))
    return lambda *parts: torch.cat(parts, dim), *parts


@checks(Stack)
def test_stack(draw):
    shape = draw(sizes)
    dim = draw(st.integers(-len(shape) - 1, len(shape)))
    parts = draw(st.lists(tensors(shape, requires_grad=True), min_size=1, max_size=3))
    return lambda *parts: torch.stack(parts, dim), *parts


@checks(Cat)
def test_one_tensor_twice_in_a_cat(draw):
    x = draw(tensors(shapes(min_dims=1), requires_grad=True))
    return lambda x: torch.cat([x, x * 2, x]), x


@checks(Pad)
def test_pad(draw):
    """Negative widths cut off."""
    x = draw(tensors(shapes(min_dims=1, min_side=0), requires_grad=True))
    widths = [draw(st.integers(-(x.shape[-1 - i // 2] // 2), 2)) for i in range(2 * draw(st.integers(1, x.ndim)))]
    value = draw(st.sampled_from([None, 0, 1.5]))
    return lambda x: movement.pad(x, widths, "constant", value), x


def test_pad_keeps_float32():
    assert movement.pad(torch.ones(2), (1, 1), value=np.float64(0.5)).dtype == torch.float32
