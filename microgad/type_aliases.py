"""What stands for a Tensor, a dtype or a device in signatures: read by type checkers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .backend import device
from .dtypes import dtype

Dtype: TypeAlias = dtype | type | np.dtype[Any] | None  # None for the default
Device: TypeAlias = device | str | int | None

if TYPE_CHECKING:
    from .tensor import Operand as Operand
    from .tensor import Tensor as Tensor
else:  # operations are made before there is a Tensor
    Operand = Tensor = Any
