"""NumPy's functions of each element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes
from ..function import Function
from ..ops import arithmetic, comparison, complex, elementwise, selection

UFUNCS: dict[Any, Callable[..., Any]] = {
    cls.numpy: cls.apply
    for module in (arithmetic, comparison, complex, elementwise, selection)
    for cls in vars(module).values()
    if isinstance(cls, type) and issubclass(cls, Function) and isinstance(cls.numpy, np.ufunc)
}
UFUNCS[np.square] = arithmetic.square


def _where(condition: Any, x: Any, y: Any, /) -> Any:
    return selection.Where.apply(condition, x, y)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, out: None = None, *, min: Any = None, max: Any = None) -> Any:
    return selection.clamp(a, a_min if min is None else min, a_max if max is None else max)


def _astype(x: Any, dtype: Any, /, *, copy: bool = True) -> Any:
    return x.to(dtype=dtypes.of(dtype), copy=copy)


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: _where,
    np.clip: _clip,
    np.astype: _astype,
    np.real: complex.real,
    np.imag: complex.imag,
}
