"""Pooling and unpooling. tests/ops/test_pooling.py tests ties."""

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
    """The shape of a batch of images, and a kernel size and settings that fit it."""
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


def first_maxima(x):
    """For x (1, 1, 2, W), the flat index of the first largest value of each 2 × 2 block, in plain Python."""
    _, _, _, w = x.shape
    out = []
    for j in range(0, w - 1, 2):
        cells = [(0, j), (0, j + 1), (1, j), (1, j + 1)]
        i, k = max(cells, key=lambda cell: x[0, 0][cell])  # Python's max takes the first of equal values
        out.append(i * w + k)
    return np.array(out, np.int64).reshape(1, 1, 1, -1)


WITH_TIES = st.integers(2, 5).flatmap(lambda w: tensors((1, 1, 2, w), elements=st.sampled_from([0.0, 1.0, 2.0])))
INDICES = computes(
    MaxPool2d,
    lambda x: max_pool2d(x, 2, return_indices=True)[1],
    first_maxima,
    WITH_TIES.map(lambda x: (x,)),
)


def test_indices_of_max_pool2d():
    INDICES.run()


def test_an_element_that_wins_twice_gets_both_gradients():
    x = torch.tensor([[[[0.0, 3.0, 1.0]]]], requires_grad=True)
    max_pool2d(x, (1, 2), stride=1).sum().backward()
    assert x.grad.tolist() == [[[[0, 2, 0]]]]


@checks(MaxPool1d, MaxPool3d, MaxPoolScatter)
def test_max_pool1d_and_max_pool3d(draw):
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


def adaptive_problem(draw, dims, **options):
    """An input (C, ...) or (N, C, ...) of the given number of dimensions, and an output size."""
    lead = draw(st.sampled_from([(1,), (1, 2), (2, 1)]))
    size = draw(st.tuples(*[st.integers(1, 4 if dims < 3 else 2)] * dims))
    out = draw(st.tuples(*[st.integers(1, 3)] * dims))
    return draw(tensors((*lead, *size), requires_grad=True, **options)), out


@checks(AdaptiveAvg)
def test_adaptive_avg_pool(draw):
    dims = draw(st.integers(1, 3))
    x, out = adaptive_problem(draw, dims)
    pool = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[dims - 1]
    return lambda x: pool(x, out), x


@checks(MaxPool2d)
def test_adaptive_max_pool(draw):
    dims = draw(st.integers(1, 3))
    x, out = adaptive_problem(draw, dims, unique=True)
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
    indices = torch.tensor(np.random.default_rng(0).permutation(area * 2**dims)[:area]).reshape(size).expand(x.shape)
    unpool = (F.max_unpool1d, F.max_unpool2d, F.max_unpool3d)[dims - 1]
    return lambda x: unpool(x, indices.expand(x.shape).to(x.device), 2), x


@checks(AvgPool2d)
def test_lp_pool(draw):
    dims, p = draw(st.integers(1, 3)), draw(st.sampled_from([1, 2, 3.0]))
    kernel, stride = draw(small), draw(st.none() | small)
    size = draw(st.tuples(*[st.integers(kernel, kernel + 1)] * dims))
    x = draw(tensors((1, 1, *size), requires_grad=True, elements=st.floats(0.5, 2)))
    pool, ceil_mode = (F.lp_pool1d, F.lp_pool2d, F.lp_pool3d)[dims - 1], draw(st.booleans())
    return lambda x: pool(x, p, kernel, stride, ceil_mode), x


def first_maxima_of_boxes(x):
    """For x (1, H, W), the flat index of the largest value of each of 2 × 3 boxes, in plain Python."""
    _, h, w = x.shape
    out = []
    for i in range(2):
        for j in range(3):
            rows = range(i * h // 2, -(-(i + 1) * h // 2))
            columns = range(j * w // 3, -(-(j + 1) * w // 3))
            cells = [(r, c) for r in rows for c in columns]
            r, c = max(cells, key=lambda cell: x[0][cell])  # Python's max takes the first of equal values
            out.append(r * w + c)
    return np.array(out, np.int64).reshape(1, 2, 3)


BOX_INDICES = computes(
    BoxArgmax,
    lambda x: F.adaptive_max_pool2d(x, (2, 3), return_indices=True)[1],
    first_maxima_of_boxes,
    st.tuples(st.sampled_from([3, 5]), st.sampled_from([2, 4, 5, 7])).flatmap(
        lambda size: tensors((1, *size), elements=st.sampled_from([0.0, 1.0, 2.0])).map(lambda x: (x,))
    ),
)


def test_indices_of_adaptive_max_pool2d():
    BOX_INDICES.run()
