"""In-place writes through views: what they do to the base, and to other views of it."""

from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from microgad.ops.region import Region, RegionClear, RegionWrite
from microgad.testing.strategies import shapes, tensors

from .registry import checks


@st.composite
def view_makers(draw, ndim, depth=2):
    """A function that takes a view of a Tensor, in some steps."""
    steps = []
    for _ in range(draw(st.integers(1, depth))):
        kind = draw(st.sampled_from(["index", "transpose", "unsqueeze", "slice"]))
        if kind == "index" and ndim > 1:
            steps.append(lambda x: x[0])
            ndim -= 1
        elif kind == "transpose":
            steps.append(lambda x: x.T)
        elif kind == "unsqueeze":
            steps.append(lambda x: x.unsqueeze(-1))
            ndim += 1
        else:
            steps.append(lambda x: x[x.shape[0] // 2 :])

    def view(x):
        for step in steps:
            x = step(x)
        return x

    return view


@checks(RegionWrite, RegionClear, Region)
def test_a_write_through_a_view(draw):
    """Gives the base, the view, and another view that was taken before the write and may overlap."""
    x = draw(tensors(shapes(min_dims=1), requires_grad=True))
    taken, other = draw(view_makers(x.ndim)), draw(view_makers(x.ndim))
    scale = draw(tensors((1,), requires_grad=True))

    def function(x, scale):
        base = x * 2
        view, beside = taken(base), other(base)
        view.mul_(scale)
        beside.add_(scale)
        return base * 1, view * 1, beside * 1

    return function, x, scale


@checks(RegionWrite)
def test_a_value_copied_into_a_view(draw):
    x = draw(tensors(shapes(min_dims=1), requires_grad=True))
    taken = draw(arrays_of.basic_indices(tuple(x.shape)))
    value = draw(tensors((), requires_grad=True))

    def function(x, value):
        base = x.clone()
        base[taken].copy_(value)
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
