"""The bare arrays of Tensors: for what a derivative only decides by, and for computations that nothing can observe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy import ndarray

from ... import function, state, torch_function


def bare(x: Any) -> Any:
    """Return the array of a Tensor, or what isn't one. It is for decisions only: operations on it are not recorded."""
    return x.array if isinstance(x, function.Tensor) else x


def unseen(kinds: Sequence[type], *tensors: Any) -> list[Any] | None:
    """Return the arrays of Tensors of exactly these classes, if operations on the arrays can stand for operations.

    None if an array isn't NumPy's own, or if anything sees each operation: an observer, `graph.fine`, a mode that
    overrides functions. The caller makes sure that no gradient is wanted.
    """
    for x in tensors:
        if type(x) not in kinds or type(x.array) is not ndarray:
            return None
    now = state.current()
    if now.observer is not None or now.fine is not None or torch_function.has_torch_function(()):
        return None
    return [x.array for x in tensors]
