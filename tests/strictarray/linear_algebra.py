"""CuPy's linear algebra, where it differs from NumPy's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

NOT_FINITE = "Array must not contain infs or NaNs"  # which CuPy doesn't look for
# What CuPy says instead, if asked.
REPORT = "Error reported by {} in cuSOLVER. devInfo = [1]. Please refer to the cuSOLVER documentation."
ROUTINES = {
    "Eigenvalues did not converge": REPORT.format("xsyevd"),
    "SVD did not converge": REPORT.format("dgesvd"),
}
NUMERICAL = ("Singular matrix", "Matrix is not positive definite", NOT_FINITE, *ROUTINES)
_state = {"linalg": "ignore"}


@contextmanager
def errstate(*, linalg: str) -> Iterator[None]:
    """cupyx.errstate: whether a failed factorization raises."""
    before, _state["linalg"] = _state["linalg"], linalg
    try:
        yield
    finally:
        _state["linalg"] = before


def call_as_cupy(func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Call the function on NumPy arrays. If a factorization fails, return NaN unless errors are asked for.

    Eigenvalues of general matrices are always complex, and tuples have no names.
    """
    try:
        found = func(*args, **kwargs)
    except np.linalg.LinAlgError as error:
        said = str(error)
        if (_state["linalg"] == "raise" and said != NOT_FINITE) or said not in NUMERICAL:
            if said in ROUTINES:
                raise np.linalg.LinAlgError(ROUTINES[said]) from None
            raise
        found = func(np.broadcast_to(np.eye(*args[0].shape[-2:]), args[0].shape), *args[1:], **kwargs)
        found = tuple([x * np.nan for x in found]) if isinstance(found, tuple) else found * np.nan
    if func in (np.linalg.eig, np.linalg.eigvals):
        parts = found if isinstance(found, tuple) else (found,)
        parts = tuple([x.astype(np.result_type(x, np.complex64)) for x in parts])
        return parts if isinstance(found, tuple) else parts[0]
    return tuple(found) if isinstance(found, tuple) and func.__module__ == "numpy.linalg" else found


def check_solve(a: Any, b: Any) -> None:
    """Raise an error if batch axes would have to broadcast, or if batches have no columns."""
    if b.ndim > 1 and a.shape[:-1] != b.shape[:-1]:
        raise ValueError("a must have (..., M, M) shape and b must have (..., M, K) for multidimensional b")
    if a.ndim > 2 and a.size and not b.shape[-1]:
        raise ZeroDivisionError("division by zero")
