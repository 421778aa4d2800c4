"""Checks which of two operands may be Python numbers instead of Tensors: PyTorch's functions differ in that."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import dtypes, function
from ...errors import DtypeError
from ...function import SCALARS
from ..creation.scalars import as_scalar


def wrap_scalars(a: Any, b: Any) -> tuple[Any, Any]:
    """Return both operands. If both are numbers, the first becomes a Tensor, so that the result is a Tensor."""
    if type(a) is not function.Tensor and _is_number(a) and _is_number(b):
        a, b = as_scalar("", "input", a), as_scalar("", "other", b)
        a = function.Tensor._wrap(np.asarray(a, dtypes.of_number(a)))
    return a, b


def _is_number(x: Any) -> bool:
    return type(x) in SCALARS or isinstance(x, (np.number, np.bool_))


def require_tensor(op: str, a: Any) -> Any:
    """Return the first operand. Raises TypeError if it is a number or None."""
    if type(a) in SCALARS or a is None:
        raise DtypeError(f"{op}: argument 'input' (position 1) must be Tensor, not {type(a).__name__}")
    return a


def require_tensors(op: str, a: Any, b: Any) -> tuple[Any, Any]:
    """Return both operands. Raises TypeError if one of them is a number."""
    if type(b) in SCALARS:
        raise DtypeError(f"{op}: argument 'other' (position 2) must be Tensor, not {type(b).__name__}")
    return require_tensor(op, a), b


def require_one_tensor(op: str, a: Any, b: Any) -> tuple[Any, Any]:
    """Return both operands. Raises TypeError if both are numbers."""
    if type(a) in SCALARS and type(b) in SCALARS:
        raise DtypeError(f"{op}: one of its operands must be Tensor, not {type(a).__name__} and {type(b).__name__}")
    return a, b
