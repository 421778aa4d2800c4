"""Pooling. What happens at ties is said in test_window.py."""

import numpy as np
from hypothesis import strategies as st

import microgad as torch
from microgad.ops.window.pool import AvgPool2d, MaxPool2d, MaxPool2dIndices, Unpool, avg_pool2d, max_pool2d
from microgad.testing.strategies import tensors

from .registry import checks, computes

small = st.integers(1, 2)
pairs = st.tuples(small, small)


def problem(draw, dilated):
    """A plane, a kernel size and settings that fit it."""
    kernel, stride = draw(pairs), draw(pairs)
    dilation = draw(pairs) if dilated else (1, 1)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    plane = tuple((k - 1) * d + 1 + draw(st.integers(0, 2)) for k, d in zip(kernel, dilation, strict=True))
    options = {"stride": stride, "padding": padding, "ceil_mode": draw(st.booleans())}
    return (draw(small), draw(small), *plane), kernel, {**options, "dilation": dilation} if dilated else options


@checks(MaxPool2d, Unpool)
def test_max_pool2d(draw):
    shape, kernel, options = problem(draw, dilated=True)
    x = draw(tensors(shape, requires_grad=True, unique=True))
    return lambda x: max_pool2d(x, kernel, **options), x


@checks(AvgPool2d)
def test_avg_pool2d(draw):
    shape, kernel, options = problem(draw, dilated=False)
    options |= {"count_include_pad": draw(st.booleans()), "divisor_override": draw(st.none() | st.integers(1, 3))}
    return lambda x: avg_pool2d(x, kernel, **options), draw(tensors(shape, requires_grad=True))


def places(x):
    """(1, 1, 2, W): the place of the first largest value of each two by two block, looked for one by one."""
    _, _, _, w = x.shape
    out = []
    for j in range(0, w - 1, 2):
        cells = [(0, j), (0, j + 1), (1, j), (1, j + 1)]
        i, k = max(cells, key=lambda cell: x[0, 0][cell])  # of equal ones, Python's max takes the first
        out.append(i * w + k)
    return np.array(out, np.int64).reshape(1, 1, 1, -1)


WITH_TIES = st.integers(2, 5).flatmap(lambda w: tensors((1, 1, 2, w), elements=st.sampled_from([0.0, 1.0, 2.0])))
INDICES = computes(
    MaxPool2dIndices,
    lambda x: max_pool2d(x, 2, return_indices=True)[1],
    places,
    WITH_TIES.map(lambda x: (x,)),
)


def test_indices():
    INDICES.run()


def test_what_is_pooled_twice_has_both_gradients():
    x = torch.tensor([[[[0.0, 3.0, 1.0]]]], requires_grad=True)
    max_pool2d(x, (1, 2), stride=1).sum().backward()
    assert x.grad.tolist() == [[[[0, 2, 0]]]]
