"""Type aliases for signatures of operations, where Tensor itself can't be imported. Only type checkers read them."""

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
else:  # operations are defined before the class Tensor
    Operand = Tensor = Any
