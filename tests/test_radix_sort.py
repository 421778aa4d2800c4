"""Stable argsorts give NumPy's order, and order statistics its values."""

from __future__ import annotations

import numpy as np
import pytest

from microgad.backend.radix_sort import DIGITS_MIN, FEW, JOINT_MAX, kth_smallest, stable_argsort

DTYPES = "?bBhHiIqQefd"


@pytest.mark.parametrize("size", [FEW, DIGITS_MIN, JOINT_MAX, JOINT_MAX + 1])
@pytest.mark.parametrize("char", DTYPES)
@pytest.mark.parametrize("spread", [0, 5, 1 << 14, 1 << 30, 1 << 62])
def test_order_is_numpys(size: int, char: str, spread: int) -> None:
    rng = np.random.default_rng(spread % 1000)
    numbers = rng.integers(-spread, spread, size, endpoint=True)
    with np.errstate(over="ignore"):
        check(numbers.astype(char))
        check(np.stack([numbers, numbers[::-1]]).astype(char)[:, ::-1])
        check(numbers[: size // 40 * 40].reshape(2, 20, -1).astype(char).swapaxes(1, 2))


@pytest.mark.parametrize("char", "efd")
def test_special_values(char: str) -> None:
    limits = np.finfo(char)
    nan = np.array([-1, 1], char) * np.nan  # of both signs
    special = [-0.0, 0.0, np.inf, -np.inf, *nan, limits.max, limits.min, limits.tiny, -limits.tiny / 2, 1]
    check(np.array(special, char)[np.random.default_rng(0).integers(0, len(special), 2 * JOINT_MAX)])


@pytest.mark.parametrize("char", "iIqQ")
def test_extreme_integers(char: str) -> None:
    limits = np.iinfo(char)
    extremes = np.array([limits.min, limits.min + 1, 0, limits.max - 1, limits.max], char)
    check(extremes[np.random.default_rng(0).integers(0, len(extremes), 2 * JOINT_MAX)])


def test_empty_lines() -> None:
    assert stable_argsort(np.ones((0, FEW))).shape == (0, FEW)
    assert stable_argsort(np.ones((3, 0))).shape == (3, 0)


@pytest.mark.parametrize("shape", [(1, 5), (1, 2000), (70, 30), (3, 1000)])
@pytest.mark.parametrize("spread", [0, 1, 5, 1 << 30])
def test_kth_smallest_is_that_of_a_partition(shape: tuple[int, int], spread: int) -> None:
    x = np.random.default_rng(0).integers(-spread, spread, shape, endpoint=True)
    for lines in (x, x.astype("f"), np.where(x > 0, np.nan, x), x[:, ::-1]):
        for k in (0, shape[1] // 2, shape[1] - 1):
            np.testing.assert_array_equal(kth_smallest(lines, k), np.partition(lines, k, 1)[:, k : k + 1])


def check(x: np.ndarray) -> None:
    found = stable_argsort(x)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, np.argsort(x, -1, kind="stable"))
