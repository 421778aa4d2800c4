"""Where PyTorch's functions of two operands take numbers in place of Tensors, and where they refuse them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import dtypes, function
from ...errors import DtypeError

_NUMBERS = frozenset((bool, int, float, complex))


def wrap_scalars(a: Any, b: Any) -> tuple[Any, Any]:
    """Two operands; of two numbers the first becomes a Tensor, so that the result is one."""
    if type(a) in _NUMBERS and type(b) in _NUMBERS:
        a = function.Tensor._made(np.asarray(a, dtypes.result_dtype([a])))
    return a, b


def require_tensor(op: str, a: Any) -> Any:
    """The first operand, which must not be a number."""
    if type(a) in _NUMBERS or a is None:
        raise DtypeError(f"{op}: argument 'input' (position 1) must be Tensor, not {type(a).__name__}")
    return a


def require_tensors(op: str, a: Any, b: Any) -> tuple[Any, Any]:
    """Two operands, neither of which may be a number."""
    if type(b) in _NUMBERS:
        raise DtypeError(f"{op}: argument 'other' (position 2) must be Tensor, not {type(b).__name__}")
    return require_tensor(op, a), b


def require_one_tensor(op: str, a: Any, b: Any) -> tuple[Any, Any]:
    """Two operands, of which one may be a number."""
    if type(a) in _NUMBERS and type(b) in _NUMBERS:
        raise DtypeError(f"{op}: one of its operands must be Tensor, not {type(a).__name__} and {type(b).__name__}")
    return a, b
