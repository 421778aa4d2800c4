"""Control flow and symbolic numbers as functions, which PyTorch's compiler can trace: torch.cond, torch.sym_int etc."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from typing import Any


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: Sequence[Any] = ()) -> Any:
    """Return `true_fn(*operands)` if pred, else `false_fn(*operands)`. Source: torch.cond.

    >>> torch.cond(torch.tensor(True), torch.sin, torch.cos, (torch.tensor(0.0),))
    tensor(0.)
    """
    return true_fn(*operands) if pred else false_fn(*operands)


def while_loop(cond_fn: Callable[..., Any], body_fn: Callable[..., Any], carried_inputs: Sequence[Any]) -> Any:
    """Apply `body_fn` to the inputs repeatedly while `cond_fn` of them is true. Source: torch.while_loop.

    >>> torch.while_loop(lambda i: i < 5, lambda i: (i + 2,), (torch.tensor(0),))
    (tensor(6),)
    """
    carried = tuple(carried_inputs)
    while cond_fn(*carried):
        found = body_fn(*carried)
        carried = tuple(found) if isinstance(found, (tuple, list)) else (found,)
    return carried


def sym_int(a: Any) -> int:
    """Convert a number to an int. Source: torch.sym_int.

    >>> torch.sym_int(2.5)
    2
    """
    return int(a)


def sym_float(a: Any) -> float:
    """Convert a number to a float. Source: torch.sym_float.

    >>> torch.sym_float(1)
    1.0
    """
    return float(a)


def sym_not(a: Any) -> bool:
    """Return `not a`. Source: torch.sym_not.

    >>> torch.sym_not(True)
    False
    """
    return not a


def sym_ite(b: Any, t: Any, f: Any) -> Any:
    """Return t if b, else f. Source: torch.sym_ite.

    >>> torch.sym_ite(True, 1, 2)
    1
    """
    return t if b else f


def sym_sqrt(a: Any) -> float:
    """Return the square root of a number. Source: torch.sym_sqrt.

    >>> torch.sym_sqrt(4)
    2.0
    """
    return math.sqrt(a)


def sym_sum(args: Sequence[Any]) -> Any:
    """Return the sum of numbers. Source: torch.sym_sum.

    >>> torch.sym_sum([1, 2])
    3
    """
    return builtins.sum(args)


sym_max, sym_min = builtins.max, builtins.min
