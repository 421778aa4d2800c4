"""A stable argsort by the digits of numbers: NumPy has a radix sort, but uses it for numbers of 16 bits only."""

from __future__ import annotations

from typing import Any

import numpy as np

LONG = 800  # elements from which on this is faster than NumPy's sort, which mispredicts branches for random numbers


def stable_argsort(x: Any) -> Any:
    """`np.argsort(x, -1, kind="stable")`: for long random lines in a third to a tenth of the time.

    >>> stable_argsort(np.array([3.0, 1.0, 2.0]))
    array([1, 2, 0])
    """
    short = type(x) is not np.ndarray or x.shape[-1] < LONG or not x.size
    if short or x.dtype.kind not in "iuf" or x.dtype.char in "bBhH":
        return np.argsort(x, -1, kind="stable")
    if x.ndim > 1:
        return np.array([stable_argsort(line) for line in x])
    rising = np.count_nonzero(x[1:] >= x[:-1]) / x.size
    if not 0.2 < rising < 0.8:  # NumPy is faster at what is nearly sorted, in either direction
        return np.argsort(x, kind="stable")
    keys = _keys(x)
    order = np.argsort(keys.astype(np.uint16), kind="stable")
    for shift in range(16, int(keys.max()).bit_length(), 16):
        digits = (keys >> shift).astype(np.uint16)
        order = order.take(np.argsort(digits.take(order), kind="stable"))
    return order


def _keys(x: Any) -> Any:
    """Return unsigned integers that compare like the elements of x, the least of which is 0; NaN is the greatest.

    The bits of floating-point numbers compare like the numbers, in reverse where these are negative.
    """
    signed, unsigned = (np.dtype(f"{kind}{x.itemsize}") for kind in "iu")
    if x.dtype.kind == "f":
        most = np.iinfo(signed).max
        bits = (x + 0).view(signed)  # -0.0 + 0 is 0.0
        bits ^= (bits >> (8 * x.itemsize - 1)) & most
        bits[x != x] = most
        x = bits
    return x.view(unsigned) - x.min().view(unsigned)
