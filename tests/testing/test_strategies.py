"""Strategies: what they draw, and what it shrinks to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import find, given
from hypothesis import strategies as st

import microgad as torch
from microgad.testing import strategies as s


@given(st.data())
def test_tensors_are_what_was_asked_for(data):
    shape = data.draw(s.shapes(min_side=0))
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64, torch.int64, torch.bool]))
    wanted = dtype.is_floating_point and data.draw(st.booleans())
    x = data.draw(s.tensors(shape, dtype, requires_grad=wanted))
    assert tuple(x.shape) == shape
    assert x.dtype == dtype
    assert x.requires_grad == wanted
    assert type(x.array) is np.ndarray


@given(s.tensors(unique=True))
def test_unique_values(x):
    assert len(np.unique(x.array)) == x.numel()


@given(st.integers(1, 4).flatmap(lambda n: s.broadcastable_shapes(n, min_side=0)))
def test_shapes_broadcast_together(shapes):
    np.broadcast_shapes(*shapes)


@given(s.broadcastable_tensors(2, elements=[s.numbers(1, 2), s.numbers(-2, -1)], requires_grad=True))
def test_tensors_broadcast_together(pair):
    a, b = pair
    (a * b).sum().backward()
    assert (a.array >= 1).all()
    assert (b.array <= -1).all()


@given(st.data())
def test_axes_are_valid(data):
    x = np.zeros(data.draw(s.shapes()))
    x.sum(data.draw(s.axes(x.ndim)))
    if x.ndim:
        assert isinstance(data.draw(s.axes(x.ndim, several=False, all=False)), int)


@given(s.numbers(-1, 1, away_from=[0, 0.5], by=0.2))
def test_numbers_keep_away(x):
    assert -1 <= x <= 1
    assert abs(x) >= 0.2
    assert abs(x - 0.5) >= 0.2


LAID_OUT = {
    "contiguous": lambda x: x.flags.c_contiguous,
    "fortran": lambda x: x.flags.f_contiguous,
    "gapped": lambda x: not x.flags.contiguous,
    "reversed": lambda x: all(stride < 0 for stride in x.strides),
    "broadcast": lambda x: x.strides[-1] == 0 and not x.flags.writeable,
    "read_only": lambda x: not x.flags.writeable,
}


@pytest.mark.parametrize("layout", s.LAYOUTS)
def test_layouts(layout):
    x = np.arange(6.0).reshape(2, 3)
    laid = s.laid_out(x, layout)
    assert LAID_OUT[layout](laid)
    np.testing.assert_array_equal(laid, np.repeat(x[:, :1], 3, 1) if layout == "broadcast" else x)
    for other in (np.zeros(()), np.zeros((0, 2))):
        assert s.laid_out(other, layout).shape == other.shape
        assert type(s.laid_out(other, layout)) is np.ndarray


@pytest.mark.parametrize("layout", s.LAYOUTS)
def test_every_layout_is_drawn(layout):
    find(s.tensors((2, 2), elements=s.numbers(away_from=[0])), lambda x: LAID_OUT[layout](x.array))


def test_shrinks_to_small_readable_examples():
    """A fault in broadcasting, planted: the gradient of a stretched operand is not summed."""

    a, b = find(s.broadcastable_tensors(2), lambda pair: pair[0].shape != (pair[0] + pair[1]).shape)
    assert a.numel() <= 2
    assert b.numel() <= 2
    assert repr(a) == "tensor(0., dtype=torch.float64)"
    assert repr(find(s.tensors(), lambda x: x.ndim == 2)) == "tensor([[0.]], dtype=torch.float64)"
