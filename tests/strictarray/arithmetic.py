"""CuPy's arithmetic, where it differs from NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np


def power(x: Any, p: Any, **kwargs: Any) -> Any:
    """For negative powers of integers, for which NumPy raises, it is 1 / xⁿ truncated."""
    if np.result_type(x, p).kind != "i":
        return np.power(x, p, **kwargs)
    is_zero = (np.absolute(x) != 1) & (np.asarray(p) < 0)
    found = np.asarray(np.power(x, abs(p), **kwargs))
    found[is_zero] = 0
    return found


def floor_divide(x: Any, y: Any, **kwargs: Any) -> Any:
    """For floating-point numbers it is the floor of the rounded quotient."""
    if np.result_type(x, y).kind != "f":
        return np.floor_divide(x, y, **kwargs)
    return np.floor(np.true_divide(x, y), **kwargs)


def remainder(x: Any, y: Any, **kwargs: Any) -> Any:
    """For floating-point numbers it is x - ⌊x / y⌋ y, of rounded numbers."""
    if np.result_type(x, y).kind != "f":
        return np.remainder(x, y, **kwargs)
    return np.subtract(x, floor_divide(x, y) * y, **kwargs)


def fmod(x: Any, y: Any, **kwargs: Any) -> Any:
    """For integers it is computed in float64."""
    dtype = np.result_type(x, y)
    if dtype.kind == "f":
        return np.fmod(x, y, **kwargs)
    quotients = np.where(np.equal(y, 0), 0, np.fmod(x, np.where(np.equal(y, 0), 1, y), dtype=np.float64))
    return np.positive(quotients.astype(dtype), **kwargs)


def divmod(x: Any, y: Any, **kwargs: Any) -> Any:
    """The floor of the quotient and the remainder."""
    return floor_divide(x, y), remainder(x, y)


def scatter(ufunc: Any, target: Any, index: Any, values: Any) -> None:
    """ufunc.at. Maxima and minima take no notice of NaN, and are rounded to float32."""
    if ufunc not in (np.maximum, np.minimum) or target.dtype.kind != "f":
        ufunc.at(target, index, values)
        return
    (np.fmax if ufunc is np.maximum else np.fmin).at(target, index, values)
    target[index] = target[index].astype(np.float32)


OTHER_FORMULAS = {
    np.power: power, np.floor_divide: floor_divide, np.remainder: remainder, np.fmod: fmod, np.divmod: divmod,
}  # fmt: skip
