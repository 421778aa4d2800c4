"""NumPy's functions of indices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops import creation, indexing


def _take_along_axis(arr: Any, indices: Any, axis: int = -1) -> Any:
    return indexing.gather(arr, axis, creation.as_tensor(indices))


FUNCTIONS: dict[Any, Callable[..., Any]] = {np.take_along_axis: _take_along_axis}
