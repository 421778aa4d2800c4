"""Select by bit operations, as it works for large arrays, compared with np.where."""

from __future__ import annotations

import numpy as np
import pytest

import microgad as torch
from microgad.ops.elementwise import Select

SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan]


def draw(dtype, seed, layout=lambda x: x):
    return layout(np.random.default_rng(seed).choice(np.array(SPECIAL, dtype), 6000).reshape(2, -1))


@pytest.mark.parametrize("layout", [lambda x: x, lambda x: x.T, lambda x: x[:, ::-1], lambda x: x[:1]])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("mask_layout", [lambda x: x, np.asfortranarray])
def test_select_keeps_every_bit_and_gives_positive_zeros(dtype, layout, mask_layout):
    x, gate = draw(dtype, 0, layout), mask_layout(draw(dtype, 1, layout))
    bits = f"i{x.itemsize}"
    expected = np.where(gate > 0, x, dtype(0))
    out = Select.apply(gate > 0, x)
    np.testing.assert_array_equal(np.ascontiguousarray(out).view(bits), np.ascontiguousarray(expected).view(bits))


@pytest.mark.parametrize("shape", [(2, 1), (2, 5000), (1, 5000), (5000,), (3, 2, 5000)])
def test_select_broadcasts_its_mask(rng, shape):
    x, mask = rng.standard_normal((2, 5000)).astype(np.float32), rng.random(shape) < 0.5
    for given in (x, np.asfortranarray(x)):
        np.testing.assert_array_equal(Select.apply(mask, given), np.where(mask, x, np.float32(0)))


@pytest.mark.parametrize("density", [0.0, 0.02, 0.3, 0.98, 1.0])
@pytest.mark.parametrize("view", [lambda x: x[:, :800], lambda x: x.T, lambda x: x[:1].expand(100, -1)])
def test_a_mask_chooses_and_counts_elements_of_views(rng, view, density):
    x, mask = torch.tensor(rng.standard_normal((200, 1000))), rng.random((200, 1000)) < density
    x[0, :9] = torch.tensor([0.0, -0.0, np.nan] * 3)
    x, mask = view(x), view(torch.from_numpy(mask))
    np.testing.assert_array_equal(x[mask].array, x.array[mask.array])
    assert x.count_nonzero() == np.count_nonzero(x.array)


@pytest.mark.host("CuPy's own bytes are 0 and 1")
@pytest.mark.parametrize("n", [10, 5000, 30_000])
def test_bytes_that_are_viewed_as_booleans_hold_unless_they_are_0(n):
    given = np.resize(np.array([0, 1, 2, 255], np.uint8), n)
    x, mask = torch.ones(n), torch.from_numpy(given).view(torch.bool)
    filled, written = x.masked_fill(mask, 7.0), x.clone()
    written[mask] = 7.0
    for out in (filled, written):
        np.testing.assert_array_equal(out, np.where(given, 7, 1))


@pytest.mark.host("on a GPU any of several values for one place stays")
@pytest.mark.parametrize("view", [lambda x: x[:, :250], lambda x: x.T, lambda x: x[::2, ::3]])
def test_values_scattered_into_views_equal_those_in_copies(rng, view):
    base = torch.tensor(rng.standard_normal((300, 400)))
    x = view(base)
    index = torch.from_numpy(rng.integers(0, x.shape[1], x.shape))  # with repeated places, of which the last counts
    expected, values = x.clone(memory_format=torch.contiguous_format), torch.tensor(rng.standard_normal(x.shape))
    expected.scatter_(1, index, values)
    assert x.scatter_(1, index, values) is x
    np.testing.assert_array_equal(view(base).array, expected.array)
