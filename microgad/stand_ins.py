"""What stands for a dtype or a device where one is asked for, None for the default: read by type checkers alone."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from .backend import device
from .dtypes import dtype

Dtype: TypeAlias = dtype | type | np.dtype[Any] | None
Device: TypeAlias = device | str | int | None
