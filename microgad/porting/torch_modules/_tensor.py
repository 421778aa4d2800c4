"""torch._tensor: the class of Tensors, and how pickles rebuild those of subclasses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...tensor import Tensor


def _rebuild_from_type_v2(func: Callable[..., Tensor], new_type: Any, args: Any, state: Any) -> Any:
    """Make a Tensor of a subclass, or one with attributes. Source: torch._tensor._rebuild_from_type_v2."""
    made = func(*args)
    if type(made) is not new_type:
        made = made.detach().as_subclass(new_type).requires_grad_(made.requires_grad)  # a leaf
    set_state = getattr(made, "__setstate__", None)
    if set_state is None:
        return set_attributes(made, state)
    set_state(state)
    return made


def set_attributes(made: Any, state: Any) -> Any:
    """Set the attributes that are in a dict, or in a pair of dicts, or in none, and return the object."""
    for part in state if isinstance(state, tuple) else (state,):
        for name, value in (part or {}).items():
            setattr(made, name, value)
    return made


_rebuild_from_type_v2.__module__ = "torch._tensor"
