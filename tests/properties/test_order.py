"""Sorting, order statistics and quantiles."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import microgad as torch
from microgad.ops.indexing import Gather
from microgad.ops.reduction import Median, Pick
from microgad.testing.strategies import axes, numbers, shapes, special_numbers, tensors

from .registry import checks


def axis_of(draw, x):
    return draw(axes(x.ndim, several=False, all=False)) if x.ndim else draw(st.sampled_from([0, -1]))


@checks(Pick)
def test_sort(draw):
    x = draw(tensors(requires_grad=True, unique=True))
    dim, descending = axis_of(draw, x), draw(st.booleans())
    return lambda x: torch.sort(x, dim, descending).values, x


@checks(Pick)
def test_kthvalue_topk_median_and_mode(draw):
    x = draw(tensors(requires_grad=True, unique=True))
    dim, keepdim = axis_of(draw, x), draw(st.booleans())
    n = x.shape[dim] if x.ndim else 1
    k = draw(st.integers(1, n))
    functions = [
        lambda x: torch.kthvalue(x, k, dim, keepdim).values,
        lambda x: torch.topk(x, k, dim, largest=keepdim).values,
        lambda x: torch.median(x, dim, keepdim).values,
        lambda x: torch.mode(x, dim, keepdim).values,
    ]
    return draw(st.sampled_from(functions)), x


@checks(Median)
def test_the_median_of_all_elements(draw):
    x = draw(tensors(requires_grad=True, unique=True))
    return draw(st.sampled_from([torch.median, torch.nanmedian])), x


@checks(Pick, Gather)
def test_quantile(draw):
    x = draw(tensors(requires_grad=True, unique=True))
    dim, keepdim = (axis_of(draw, x) if draw(st.booleans()) else None), draw(st.booleans())
    interpolation = draw(st.sampled_from(["linear", "lower", "higher", "midpoint", "nearest"]))
    levels = st.sampled_from([0.07, 0.17, 0.43, 0.61, 0.93])  # no rank is an integer, where the derivative jumps
    q = draw(tensors(draw(shapes(max_dims=1)), elements=levels, requires_grad=interpolation == "linear"))
    function = draw(st.sampled_from([torch.quantile, torch.nanquantile]))
    return lambda x, q: function(x, q.to(x), dim, keepdim, interpolation=interpolation), x, q


@given(tensors(shapes(min_dims=1), elements=numbers(-0.5, 0.5) | special_numbers()), st.booleans())
def test_sort_is_stable_and_nan_is_the_greatest(x, descending):
    values, indices = torch.sort(x, -1, descending)
    for row, found, order in zip(*(t.array.reshape(-1, x.shape[-1]) for t in (x, values, indices)), strict=True):
        rank = [(value != value, 0.0 if value != value else value) for value in row.tolist()]
        expected = sorted(range(len(row)), key=rank.__getitem__, reverse=descending)
        assert order.tolist() == expected
        np.testing.assert_array_equal(found, row[expected])


@given(tensors(shapes(min_dims=1), elements=numbers(-0.5, 0.5)), st.data())
def test_order_statistics_equal_those_of_sorted_rows(x, data):
    n = x.shape[-1]
    k = data.draw(st.integers(1, n))
    ordered = np.sort(x.array, -1)
    with_nan = torch.cat([x, torch.full_like(x[..., :1], torch.nan)], -1)
    modes = [min(row, key=lambda v, row=row: (-row.count(v), v)) for row in x.array.reshape(-1, n).tolist()]
    for found, expected in (
        (torch.kthvalue(x, k), ordered[..., k - 1]),
        (torch.median(x, -1), ordered[..., (n - 1) // 2]),
        (torch.nanmedian(with_nan, -1), ordered[..., (n - 1) // 2]),
        (torch.mode(x), np.reshape(modes, x.shape[:-1])),
        (torch.topk(x, k), np.flip(ordered, -1)[..., :k]),
        (torch.topk(x, k, largest=False), ordered[..., :k]),
    ):
        np.testing.assert_array_equal(found.values.array, expected)
        indices = found.indices if found.indices.ndim == x.ndim else found.indices.unsqueeze(-1)
        at = np.take_along_axis(x.array, indices.array, -1)
        np.testing.assert_array_equal(at.reshape(expected.shape), expected)
