"""Sums, products, means, extrema and their indices, variances and distances."""

import functools
import math
import operator
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import microgad as torch
from microgad.ops import reduction as ops
from microgad.ops.distance import Cdist, Distances, Pdist
from microgad.ops.elementwise import Where
from microgad.ops.linalg import VectorNorm
from microgad.testing.strategies import axes, numbers, shapes, tensors

from .registry import checks, computes

few = pytest.mark.filterwarnings("ignore:.*degrees of freedom")
with_zeros = st.one_of(numbers(-2, 2), st.just(0.0))


def reduced(draw, function, x, **options):
    dim, keepdim = draw(axes(x.ndim, **options)), draw(st.booleans())
    return lambda x: function(x, dim, keepdim), x


@checks(ops.Sum)
def test_sum(draw):
    return reduced(draw, torch.sum, draw(tensors(shapes(min_side=0), requires_grad=True)))


@checks(ops.NanSum)
def test_nansum(draw):
    function, x = reduced(draw, torch.nansum, draw(tensors(shapes(min_side=0), requires_grad=True)))
    every = draw(st.integers(2, 9))  # this element is NaN, and all multiples

    def with_nan(x):
        where = torch.arange(1, x.numel() + 1, device=x.device).reshape(x.shape) % every == 0
        return function(torch.where(where, torch.nan, x))

    return with_nan, x


@checks(ops.Mean)
def test_mean(draw):
    return reduced(draw, torch.mean, draw(tensors(requires_grad=True)))


@checks(ops.Sum)
def test_sum_to_size(draw):
    x = draw(tensors(requires_grad=True))
    size = [draw(st.sampled_from([1, n])) for n in x.shape][draw(st.integers(0, x.ndim)) :]
    return lambda x: x.sum_to_size(size), x


@checks(ops.Prod)
def test_prod(draw):
    """Zeros are frequent, as the derivative can't be a quotient by the element there."""
    x = draw(tensors(elements=with_zeros, requires_grad=True))
    return reduced(draw, lambda x, dim, *keep: x.prod() if dim is None else x.prod(dim, *keep), x, several=False)


@checks(ops.Amax)
def test_amax(draw):
    return reduced(draw, torch.amax, draw(tensors(requires_grad=True, unique=draw(st.booleans()))))


@checks(ops.Amin)
def test_amin(draw):
    return reduced(draw, torch.amin, draw(tensors(requires_grad=True, unique=draw(st.booleans()))))


@checks(ops.Max, ops.Min)
def test_max_and_min_of_all_elements(draw):
    function = draw(st.sampled_from([torch.max, torch.min]))
    return function, draw(tensors(requires_grad=True, unique=draw(st.booleans())))


@checks(ops.Pick)
def test_max_and_min_along_a_dimension(draw):
    x = draw(tensors(shapes(), requires_grad=True, unique=True))
    function, keepdim = draw(st.sampled_from([torch.max, torch.min])), draw(st.booleans())
    dim = draw(axes(x.ndim, several=False, all=False)) if x.ndim else 0
    return lambda x: function(x, dim, keepdim).values, x


@few
@checks(ops.Var)
def test_var(draw):
    """At least two elements, since with correction 1 it would be 0/0 for one."""
    x = draw(tensors(shapes(min_dims=1, min_side=2), requires_grad=True))
    dim, correction, keepdim = draw(axes(x.ndim)), draw(st.sampled_from([0, 1, 0.5])), draw(st.booleans())
    return lambda x: torch.var(x, dim, correction=correction, keepdim=keepdim), x


@few
@checks(ops.Mean, ops.Std)
def test_std_and_mean(draw):
    x = draw(tensors(shapes(min_dims=1, min_side=2), requires_grad=True, unique=True))
    dim = draw(axes(x.ndim))
    return lambda x: (torch.std(x, dim), torch.mean(x, dim)), x


@few
@checks(ops.VarMean, ops.StdMean)
def test_var_mean_and_std_mean(draw):
    x = draw(tensors(shapes(min_dims=1, min_side=2), requires_grad=True, unique=True))
    dim, correction, keepdim = draw(axes(x.ndim)), draw(st.sampled_from([0, 1, 0.5])), draw(st.booleans())
    function = draw(st.sampled_from([torch.var_mean, torch.std_mean]))
    return lambda x: function(x, dim, correction=correction, keepdim=keepdim), x


@checks(Cdist)
def test_cdist(draw):
    p, r, m = (draw(st.integers(1, 4)) for _ in range(3))
    a = draw(tensors((*draw(shapes(max_dims=1)), p, m), requires_grad=True))
    b = draw(tensors((r, m), elements=numbers(4, 6), requires_grad=True))
    return lambda a, b: torch.cdist(a, b, compute_mode="use_mm_for_euclid_dist"), a, b


@checks(Distances)
def test_cdist_by_differences(draw):
    p, r, m = draw(st.sampled_from([2.0, 1.0, 3.0, math.inf, 0.0])), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    leads = draw(st.sampled_from([((), ()), ((2,), ()), ((), (2,)), ((2, 1), (3,))]))
    a = draw(tensors((*leads[0], 3, m), requires_grad=True, unique=True))
    b = draw(tensors((*leads[1], r, m), elements=numbers(4, 6), requires_grad=True, unique=True))

    def distances(a, b):
        units = 1 + torch.arange(m, device=a.device) * 0.0137  # no differences tie: of order inf, all the largest count
        return torch.cdist(a * units, b * units, p, "donot_use_mm_for_euclid_dist")

    return distances, a, b


@checks(Pdist)
def test_pdist(draw):
    p = draw(st.sampled_from([2.0, 2.0, 1.0, 3.0, math.inf, 0.0]))
    shape = draw(st.integers(2, 5)), draw(st.integers(1, 4))
    x = draw(tensors(shape, requires_grad=True, unique=True))
    return lambda x: torch.pdist(x, p), x


@checks(ops.Renorm, VectorNorm, Where)
def test_renorm(draw):
    p = draw(st.sampled_from([2.0, 1.0, 3.0]))
    x = draw(tensors(shapes(min_dims=2, max_dims=3), elements=numbers(away_from=[0]), requires_grad=True))
    dim, most = draw(st.integers(-x.ndim, x.ndim - 1)), draw(st.sampled_from([0.3, 1.7, 30.1]))
    return lambda x: torch.renorm(x, p, dim, most), x


def segments(draw, reduce, **options):
    """A segment_reduce whose offsets leave some elements out, and with empty segments."""
    x = draw(tensors(shapes(min_dims=1), requires_grad=True))
    axis, count = draw(st.integers(0, x.ndim - 1)), draw(st.integers(1, 4))
    offsets = draw(arrays(np.int64, (*x.shape[:axis], count), elements=st.integers(0, x.shape[axis])))
    offsets = torch.tensor(np.sort(offsets, -1), device="cpu")
    return lambda x: torch.segment_reduce(x, reduce, offsets=offsets, axis=axis, **options), x


@checks(ops.SegmentSum)
def test_sums_of_segments(draw):
    reduce = draw(st.sampled_from(["sum", "mean"]))
    return segments(draw, reduce, initial=draw(st.sampled_from([2.0] if reduce == "mean" else [None, 2.0])))


@checks(ops.SegmentExtreme)
def test_extrema_of_segments(draw):
    return segments(draw, draw(st.sampled_from(["max", "min"])), initial=draw(numbers(-2, 2)))


@given(tensors(elements=st.sampled_from([0.0, 1.0]), requires_grad=True), st.booleans())
def test_ties_share_the_gradient_equally(x, largest):
    y = torch.amax(x) if largest else torch.amin(x)
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    winners = x.array == y.array
    np.testing.assert_allclose(g.array, winners / winners.sum(), rtol=1e-15)


def first(better):
    """A function that finds the index of the first best value along the last axis, in plain Python."""

    def on_array(x):
        indices = []
        for row in x.reshape(-1, x.shape[-1]).tolist():
            best = 0
            for i, value in enumerate(row):
                best = i if better(value, row[best]) else best
            indices.append(best)
        return np.array(indices, np.int64).reshape(x.shape[:-1])

    return on_array


def over_rows(of_row):
    """A Python function of a list, applied along the last axis."""
    return lambda x: np.array([of_row(row) for row in x.reshape(-1, x.shape[-1]).tolist()]).reshape(x.shape[:-1])


def xor_of_bits(row):
    """The exclusive or of the row's float64 numbers, read as integers."""
    bits = struct.unpack(f"{len(row)}Q", struct.pack(f"{len(row)}d", *row))
    return np.uint64(functools.reduce(operator.xor, bits))


WITH_TIES = tensors(shapes(min_dims=1), elements=numbers(-0.25, 0.25), requires_grad=True).map(lambda x: (x,))
MASKS = tensors(shapes(min_dims=1), dtype=torch.bool).map(lambda x: (x,))
ENTRIES = [
    computes(ops.Argmax, lambda x: torch.argmax(x, -1), first(lambda a, b: a > b), WITH_TIES),
    computes(ops.Argmin, lambda x: torch.argmin(x, -1), first(lambda a, b: a < b), WITH_TIES),
    computes(ops.Any_, lambda x: torch.any(x, -1), over_rows(any), MASKS),
    computes(ops.All, lambda x: torch.all(x, -1), over_rows(all), MASKS),
    computes(ops.CountNonzero, lambda x: torch.count_nonzero(x, -1), over_rows(sum), MASKS),
    computes(ops.HashTensor, lambda x: torch.hash_tensor(x, -1), over_rows(xor_of_bits), WITH_TIES),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_values_agree_with_the_reference(entry):
    entry.run()
