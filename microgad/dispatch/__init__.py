"""NumPy's functions on Tensors: NumPy function -> operation, with NumPy's arguments and defaults, a table a family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import DtypeError
from . import composites, creation, elementwise, files, fourier, indexing, linalg, movement, reduction, special

TABLES = (elementwise, reduction, linalg, fourier, movement, indexing, creation, composites, special, files)
UFUNCS: dict[Any, Callable[..., Any]] = {**elementwise.UFUNCS, **linalg.UFUNCS}
FUNCTIONS: dict[Any, Callable[..., Any]] = {name: op for table in TABLES for name, op in table.FUNCTIONS.items()}


def ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What `__array_ufunc__` answers."""
    if method == "__call__" and not kwargs and ufunc in UFUNCS:
        return UFUNCS[ufunc](*inputs)
    whole = reduction.METHODS.get(method, {}).get(ufunc)
    if whole is not None and not kwargs.keys() - {"axis", "keepdims", "dtype"}:
        return whole(inputs[0], **{"axis": 0, **kwargs})
    if method == "at" and not kwargs and indexing.at(ufunc, *inputs):
        return None
    options = f" with {', '.join(sorted(kwargs))}=" if kwargs else ""
    call = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    raise DtypeError(
        f"numpy.{call}{options} is not recorded on Tensors; write it out of place, or use tensor.detach().numpy()"
    )


def function(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What `__array_function__` answers."""
    op = FUNCTIONS.get(func)
    if op is None:
        name = f"{func.__module__}.{func.__name__}"
        raise DtypeError(f"{name} is not recorded on Tensors; use microgad's own operation, or tensor.detach().numpy()")
    if isinstance(kwargs.get("dtype"), str):  # NumPy takes names
        kwargs = {**kwargs, "dtype": np.dtype(kwargs["dtype"])}
    try:
        return op(*args, **kwargs)
    except AttributeError as error:  # an array where there can be a Tensor alone
        raise DtypeError(
            f"numpy.{func.__name__}: is recorded of Tensors, not of lists or of arrays: {error}"
        ) from error
