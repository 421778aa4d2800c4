"""NumPy's products and linear algebra."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops import creation, matmul


def _matmul(a: Any, b: Any, out: None = None) -> Any:
    return matmul.matmul(creation.as_tensor(a), creation.as_tensor(b))


UFUNCS: dict[Any, Callable[..., Any]] = {np.matmul: _matmul}
FUNCTIONS: dict[Any, Callable[..., Any]] = {np.dot: _matmul}
