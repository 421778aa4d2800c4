"""Pooling. What happens at ties is said in tests/ops/test_pooling.py."""

import numpy as np
from hypothesis import strategies as st

import microgad as torch
import microgad.nn.functional as F
from microgad.ops.window.adaptive import AdaptiveAvg
from microgad.ops.window.fractional_pool import BoxArgmax, BoxMax
from microgad.ops.window.pool import (
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
    MaxPoolScatter,
    avg_pool2d,
    max_pool2d,
)
from microgad.ops.window.unpool import MaxUnpool
from microgad.testing.strategies import pool_problems, tensors

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


@checks(MaxPool2d, MaxPoolScatter)
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
    MaxPool2d,
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


@checks(MaxPool1d, MaxPool3d, MaxPoolScatter)
def test_max_pools_of_lines_and_volumes(draw):
    dims = draw(st.sampled_from([1, 3]))
    problem = draw(pool_problems(dims, requires_grad=True, unique=True))
    pool = F.max_pool1d if dims == 1 else F.max_pool3d
    return lambda x: pool(x, **problem.settings), problem.x


@checks(AvgPool1d)
def test_avg_pool1d(draw):
    problem = draw(pool_problems(1, dilated=False, requires_grad=True))
    counted = draw(st.booleans())
    return lambda x: F.avg_pool1d(x, **problem.settings, count_include_pad=counted), problem.x


@checks(AvgPool3d)
def test_avg_pool3d(draw):
    problem = draw(pool_problems(3, dilated=False, requires_grad=True))
    settings = {"count_include_pad": draw(st.booleans()), "divisor_override": draw(st.none() | st.integers(1, 3))}
    return lambda x: F.avg_pool3d(x, **problem.settings, **settings), problem.x


def planes(draw, dims, **options):
    """(C, ...) or (N, C, ...) in so many dimensions, and an output size for it."""
    lead = draw(st.sampled_from([(1,), (1, 2), (2, 1)]))
    size = draw(st.tuples(*[st.integers(1, 4 if dims < 3 else 2)] * dims))
    out = draw(st.tuples(*[st.integers(1, 3)] * dims))
    return draw(tensors((*lead, *size), requires_grad=True, **options)), out


@checks(AdaptiveAvg)
def test_adaptive_avg_pool(draw):
    dims = draw(st.integers(1, 3))
    x, out = planes(draw, dims)
    pool = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[dims - 1]
    return lambda x: pool(x, out), x


@checks(MaxPool2d)
def test_adaptive_max_pool(draw):
    dims = draw(st.integers(1, 3))
    x, out = planes(draw, dims, unique=True)
    pool = (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)[dims - 1]
    return lambda x: pool(x, out), x


@checks(BoxMax)
def test_fractional_max_pool(draw):
    dims, lead = draw(st.integers(2, 3)), draw(st.sampled_from([(2,), (1, 2), (2, 1)]))
    x = draw(tensors((*lead, *draw(st.tuples(*[st.integers(3, 4)] * dims))), requires_grad=True, unique=True))
    samples = torch.rand(2, lead[-1], dims, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    pool = F.fractional_max_pool2d if dims == 2 else F.fractional_max_pool3d
    return lambda x: pool(x, 2, 1, _random_samples=samples.to(x)), x


@checks(MaxUnpool)
def test_max_unpool(draw):
    dims = draw(st.integers(1, 3))
    size = draw(st.tuples(*[st.integers(1, 2)] * dims))
    x = draw(tensors((draw(small), draw(small), *size), requires_grad=True))
    area = int(np.prod(size))
    places = torch.tensor(np.random.default_rng(0).permutation(area * 2**dims)[:area]).reshape(size).expand(x.shape)
    unpool = (F.max_unpool1d, F.max_unpool2d, F.max_unpool3d)[dims - 1]
    return lambda x: unpool(x, places.expand(x.shape).to(x.device), 2), x


@checks(AvgPool2d)
def test_lp_pool(draw):
    dims, p = draw(st.integers(1, 3)), draw(st.sampled_from([1, 2, 3.0]))
    kernel, stride = draw(small), draw(st.none() | small)
    size = draw(st.tuples(*[st.integers(kernel, kernel + 1)] * dims))
    x = draw(tensors((1, 1, *size), requires_grad=True, elements=st.floats(0.5, 2)))
    pool, ceil_mode = (F.lp_pool1d, F.lp_pool2d, F.lp_pool3d)[dims - 1], draw(st.booleans())
    return lambda x: pool(x, p, kernel, stride, ceil_mode), x


def boxes_one_by_one(x):
    """Of (1, H, W) the place of the largest value of each of 2 · 3 nearly equal parts, looked for one by one."""
    _, h, w = x.shape
    out = []
    for i in range(2):
        for j in range(3):
            rows = range(i * h // 2, -(-(i + 1) * h // 2))
            columns = range(j * w // 3, -(-(j + 1) * w // 3))
            cells = [(r, c) for r in rows for c in columns]
            r, c = max(cells, key=lambda cell: x[0][cell])  # of equal ones, Python's max takes the first
            out.append(r * w + c)
    return np.array(out, np.int64).reshape(1, 2, 3)


OF_BOXES = computes(
    BoxArgmax,
    lambda x: F.adaptive_max_pool2d(x, (2, 3), return_indices=True)[1],
    boxes_one_by_one,
    st.tuples(st.sampled_from([3, 5]), st.sampled_from([2, 4, 5, 7])).flatmap(
        lambda size: tensors((1, *size), elements=st.sampled_from([0.0, 1.0, 2.0])).map(lambda x: (x,))
    ),
)


def test_places_in_boxes():
    OF_BOXES.run()
