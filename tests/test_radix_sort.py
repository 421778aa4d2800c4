"""The stable argsort by digits gives NumPy's order."""

from __future__ import annotations

import numpy as np
import pytest

from microgad.backend.radix_sort import LONG, stable_argsort

DTYPES = "?bBhHiIqQefd"


@pytest.mark.parametrize("size", [LONG - 1, LONG, 3 * LONG])
@pytest.mark.parametrize("char", DTYPES)
@pytest.mark.parametrize("spread", [0, 5, 1 << 14, 1 << 30, 1 << 62])
def test_order_is_numpys(size: int, char: str, spread: int) -> None:
    rng = np.random.default_rng(spread % 1000)
    numbers = rng.integers(-spread, spread, size, endpoint=True)
    with np.errstate(over="ignore"):
        check(numbers.astype(char))
        check(np.stack([numbers, numbers[::-1]]).astype(char)[:, ::-1])


@pytest.mark.parametrize("char", "efd")
def test_special_values(char: str) -> None:
    limits = np.finfo(char)
    nan = np.array([-1, 1], char) * np.nan  # of both signs
    special = [-0.0, 0.0, np.inf, -np.inf, *nan, limits.max, limits.min, limits.tiny, -limits.tiny / 2, 1]
    check(np.array(special, char)[np.random.default_rng(0).integers(0, len(special), 2 * LONG)])


@pytest.mark.parametrize("char", "iIqQ")
def test_extreme_integers(char: str) -> None:
    limits = np.iinfo(char)
    extremes = np.array([limits.min, limits.min + 1, 0, limits.max - 1, limits.max], char)
    check(extremes[np.random.default_rng(0).integers(0, len(extremes), 2 * LONG)])


def test_empty_lines() -> None:
    assert stable_argsort(np.ones((0, LONG))).shape == (0, LONG)
    assert stable_argsort(np.ones((3, 0))).shape == (3, 0)


def check(x: np.ndarray) -> None:
    found = stable_argsort(x)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, np.argsort(x, -1, kind="stable"))
