"""NumPy's functions that make new arrays: np.zeros_like and its kin, np.meshgrid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backend, dtypes
from .. import function as core
from ..ops.grids import meshgrid
from ..ops.movement import flatten
from .elementwise import as_exact_tensor


def _like(make: Callable[..., Any]) -> Callable[..., Any]:
    def made(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None) -> Any:
        kind = a.array.dtype if dtype is None else dtypes.of(np.dtype(dtype)).dtype
        return core.Tensor._wrap(backend.make_like(make, a.array, dtype=kind, order=order, shape=shape))

    return made


def _full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None
) -> Any:
    made = _like(np.empty_like)(a, dtype, order, subok, shape)
    return made.fill_(fill_value) if np.isscalar(fill_value) else made.copy_(as_exact_tensor(fill_value))


def _meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    if sparse:
        raise TypeError("numpy.meshgrid with sparse=True is not recorded on Tensors")
    return tuple(meshgrid(*[flatten(as_exact_tensor(x)) for x in xi], indexing=indexing))


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.zeros_like: _like(np.zeros_like),
    np.ones_like: _like(np.ones_like),
    np.empty_like: _like(np.empty_like),
    np.full_like: _full_like,
    np.meshgrid: _meshgrid,
}
