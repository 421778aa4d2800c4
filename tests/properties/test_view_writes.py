"""In-place writes through views: their effect on the base, and on other views of it."""

import re

from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from microgad.testing.strategies import shapes, tensors
from microgad.view_writes.regions import RegionClear, RegionRead, RegionWrite

from .registry import checks

# For the number of dimensions of a Tensor, a function that takes a view of it, and the dimensions of that view.
STEPS = {
    "slice": lambda n: (lambda x: x[x.shape[0] // 2 :], n),
    "transpose": lambda n: (lambda x: x.permute(tuple(range(x.ndim)[::-1])), n),
    "movedim": lambda n: (lambda x: x.movedim(0, -1), n),
    "unsqueeze": lambda n: (lambda x: x.unsqueeze(-1), n + 1),
    "part": lambda n: (lambda x: x.split(1, -1)[-1], n),
    "expand": lambda n: (lambda x: x.expand(1, *x.shape), n + 1),
    "windows": lambda n: (lambda x: x.unfold(0, min(2, len(x)), 2), n + 1),
    "unflatten": lambda n: (lambda x: x.unflatten(0, (1, -1)), n + 1),
    "become": lambda n: (lambda x: x[...].transpose_(0, -1), n),
}
FROM_TWO_DIMENSIONS = {
    "index": lambda n: (lambda x: x[0], n - 1),
    "flatten": lambda n: (lambda x: x[:1].flatten(0, 1), n - 1),
    "unbind": lambda n: (lambda x: x.unbind(-1)[-1], n - 1),
    "diagonal": lambda n: (lambda x: x.diagonal(0, -1, 0), n - 1),
}


@st.composite
def view_makers(draw, ndim, depth=2):
    """A function that takes a view of a Tensor by one or more steps."""
    steps = []
    for _ in range(draw(st.integers(1, depth))):
        steps_here = STEPS | FROM_TWO_DIMENSIONS if ndim > 1 else STEPS
        step, ndim = steps_here[draw(st.sampled_from(sorted(steps_here)))](ndim)
        steps.append(step)

    def view(x):
        for step in steps:
            x = step(x)
        return x

    return view


@checks(RegionWrite, RegionClear, RegionRead)
def test_a_write_through_a_view(draw):
    """The results are the base, the view, and another view that was taken before the write and may overlap."""
    x = draw(tensors(shapes(min_dims=1), requires_grad=True))
    view_of, other_of = draw(view_makers(x.ndim)), draw(view_makers(x.ndim))
    scale = draw(tensors((1,), requires_grad=True))

    def function(x, scale):
        base = x * 2
        view, other = view_of(base), other_of(base)
        view.mul_(scale)
        other.add_(scale)
        return base * 1, view * 1, other * 1

    return function, x, scale


@checks(RegionWrite)
def test_a_value_copied_into_a_view(draw):
    x = draw(tensors(shapes(min_dims=1), requires_grad=True))
    indices = arrays_of.basic_indices(tuple(x.shape)).filter(lambda index: not re.search(r", -\d+\)", str(index)))
    index = draw(indices)
    value = draw(tensors((), requires_grad=True))

    def function(x, value):
        base = x.clone()
        base[index].copy_(value)
        return base

    return function, x, value


@checks(RegionWrite)
def test_a_write_through_one_of_two_views(draw):
    """The other view is read afterwards, and is differentiated twice."""
    x = draw(tensors(shapes(min_dims=1, max_dims=2, min_side=2), requires_grad=True))

    def function(x):
        base = x * x
        first, second = base[:-1], base[1:]
        first.mul_(3)
        return second * second

    return function, x


@checks(RegionWrite)
def test_a_write_through_as_strided(draw):
    """Through a strided view of a matrix, or of a view of it."""
    x = draw(tensors(shapes(min_dims=2, max_dims=2, min_side=2), requires_grad=True))
    view_of = draw(st.sampled_from([lambda x: x, lambda x: x.t(), lambda x: x[1:]]))
    stride = draw(st.integers(1, x.shape[1] - 1))

    def function(x):
        base = x.contiguous() * 2
        view = view_of(base)
        strided = view.as_strided((2,), (stride,), view.storage_offset())
        strided.mul_(3)
        return base * 1, view * 1, strided * 1

    return function, x


@checks(RegionWrite)
def test_a_view_overwritten_out_of_place(draw):
    """By diagonal_scatter, select_scatter and slice_scatter."""
    x = draw(tensors(shapes(min_dims=2, max_dims=3), requires_grad=True))
    dim = draw(st.sampled_from(range(-x.ndim, x.ndim)))
    view, put = draw(
        st.sampled_from(
            [
                (lambda x: x.diagonal(), lambda x, y: x.diagonal_scatter(y)),
                (lambda x: x.select(dim, 0), lambda x, y: x.select_scatter(y, dim, 0)),
                (lambda x: x.narrow(dim, 0, 1), lambda x, y: x.slice_scatter(y, dim, 0, 1)),
            ]
        )
    )
    y = draw(tensors(tuple(view(x).shape), requires_grad=True))
    return put, x, y


@checks(RegionWrite)
def test_a_base_that_becomes_a_view(draw):
    """By t_ and unsqueeze_, with views taken before and after, and a write to one of the three."""
    x = draw(tensors(shapes(min_dims=2, max_dims=2), requires_grad=True))
    written = draw(st.integers(0, 2))

    def function(x):
        base = x * 2
        before = base[0]
        base.t_()
        base.unsqueeze_(0)
        after = base[..., -1:]
        (before, base, after)[written].mul_(x[0, 0])
        return base * 1, before * 1, after * 1

    return function, x
