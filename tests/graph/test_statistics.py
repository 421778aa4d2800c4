"""`stats_of`: range, mean, deviation, norm and histogram of arrays, against long double, at every magnitude."""

from __future__ import annotations

import numpy as np
import pytest

from microgad.graph.statistics import BINS, SAMPLE, stats_of

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("count", [2, 70_000])
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        ("f4", 1.0), ("f4", 1e-30), ("f4", 1e20), ("f4", 3e38), ("f8", 1e-200), ("f8", 1e200), ("f8", 1.7e308),
        ("i8", 2e18),
    ],
)  # fmt: skip
def test_statistics_of_numbers_of_every_magnitude(dtype, scale, count):
    x = (RNG.uniform(-1, 1, count) * scale).astype(dtype)
    x[0] = x.dtype.type(0.9 * scale)
    found, wide = stats_of(x), x.astype(np.longdouble)
    assert (found.minimum, found.maximum) == (x.min(), x.max())
    assert found.mean == pytest.approx(float(wide.mean()), rel=1e-5, abs=1e-5 * scale)
    assert found.std == pytest.approx(float(wide.std()), rel=1e-5)
    assert found.norm == pytest.approx(float(np.sqrt((wide**2).sum())), rel=1e-5)
    if scale > 1e-30:  # a smaller range has only one bin
        ends = wide.min() / scale, wide.max() / scale
        expected = np.histogram(wide[:: -(-count // SAMPLE)] / scale, BINS, ends)[0]
        assert np.abs(expected - found.counts).max() <= 2  # values on an edge of a bin


def test_an_array_of_one_large_number_does_not_overflow():
    found = stats_of(np.full(70_000, 3e38, np.float32))
    assert (found.mean, found.std) == (pytest.approx(3e38), 0.0)
    assert found.norm == pytest.approx(3e38 * 70_000**0.5)


def test_the_largest_value_is_in_the_last_bin_and_the_norm_is_that_of_finite_values():
    x = np.array([0.0, 1.0, 2.0, 4.0], np.float32)
    places = [i for i, count in enumerate(stats_of(x).counts) if count]
    assert places == [0, BINS // 4, BINS // 2, BINS - 1]
    assert stats_of(np.array([3.0, np.nan, 4.0, np.inf])).norm == pytest.approx(5)
