"""What PyTorch's compiler needs said by functions: choices, loops, and numbers that it would trace."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from typing import Any

from ...lazy import define_getattr as _define_getattr


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: Sequence[Any] = ()) -> Any:
    """`true_fn(*operands)` where pred holds, else `false_fn(*operands)`. Source: torch.cond.

    >>> torch.cond(torch.tensor(True), torch.sin, torch.cos, (torch.tensor(0.0),))
    tensor(0.)
    """
    return true_fn(*operands) if pred else false_fn(*operands)


def while_loop(cond_fn: Callable[..., Any], body_fn: Callable[..., Any], carried_inputs: Sequence[Any]) -> Any:
    """What `body_fn` makes of the inputs, again and again while `cond_fn` of them holds. Source: torch.while_loop.

    >>> torch.while_loop(lambda i: i < 5, lambda i: (i + 2,), (torch.tensor(0),))
    (tensor(6),)
    """
    carried = tuple(carried_inputs)
    while cond_fn(*carried):
        found = body_fn(*carried)
        carried = tuple(found) if isinstance(found, (tuple, list)) else (found,)
    return carried


def sym_int(a: Any) -> int:
    """A number as an int. Source: torch.sym_int."""
    return int(a)


def sym_float(a: Any) -> float:
    """A number as a float. Source: torch.sym_float."""
    return float(a)


def sym_not(a: Any) -> bool:
    """Not a. Source: torch.sym_not."""
    return not a


def sym_ite(b: Any, t: Any, f: Any) -> Any:
    """t where b holds, else f. Source: torch.sym_ite."""
    return t if b else f


def sym_sqrt(a: Any) -> float:
    """The square root of a number. Source: torch.sym_sqrt."""
    return math.sqrt(a)


def sym_sum(args: Sequence[Any]) -> Any:
    """The sum of numbers. Source: torch.sym_sum."""
    return builtins.sum(args)


sym_max, sym_min = builtins.max, builtins.min


_define_getattr(globals())
