"""CuPy's linear algebra, where it differs from NumPy's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

NUMERICAL = ("Singular matrix", "Matrix is not positive definite")
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
    """Call the function on NumPy arrays. If a factorization fails, return NaN unless errors are asked for."""
    try:
        return func(*args, **kwargs)
    except np.linalg.LinAlgError as error:
        if _state["linalg"] == "raise" or str(error) not in NUMERICAL:
            raise
        return func(np.broadcast_to(np.eye(*args[0].shape[-2:]), args[0].shape), *args[1:], **kwargs) * np.nan


def check_solve(a: Any, b: Any) -> None:
    """Raise ValueError if batch axes would have to broadcast."""
    if b.ndim > 1 and a.shape[:-1] != b.shape[:-1]:
        raise ValueError("a must have (..., M, M) shape and b must have (..., M, K) for multidimensional b")
