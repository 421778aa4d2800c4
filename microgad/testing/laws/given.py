"""Where examples come from: what a caller gives for the inputs, made a hypothesis strategy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ... import backend
from ...tensor import Tensor

Inputs = tuple[Any, ...]


def as_strategy(value: Any) -> st.SearchStrategy[Any]:
    """A strategy as it is; anything else as the only example."""
    return value if isinstance(value, st.SearchStrategy) else st.just(value)


def examples(inputs: Sequence[Any]) -> st.SearchStrategy[Inputs]:
    """From one strategy of tuples, or from something for each argument: a strategy, an array, a Tensor, a value."""
    if len(inputs) == 1:
        return as_strategy(inputs[0]).map(lambda drawn: tuple(drawn) if isinstance(drawn, (tuple, list)) else (drawn,))
    return st.tuples(*map(as_strategy, inputs))


def keywords(settings: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Keyword arguments, of values and of strategies."""
    return st.fixed_dictionaries({name: as_strategy(value) for name, value in settings.items()})


def differentiated(drawn: Inputs, can_be: Callable[[int], bool]) -> Inputs:
    """Fresh Tensors for arrays and Tensors, so that the caller's stay as they are; one Tensor for one Tensor.

    Those that require grad still do; where none does, all floating-point ones do for which `can_be(place)`.
    """
    some = any(isinstance(x, Tensor) and x.requires_grad for x in drawn)
    made: dict[int, Tensor] = {}
    for i, x in enumerate(drawn):
        if isinstance(x, Tensor) or backend.is_array(x):
            array = x.array if isinstance(x, Tensor) else x
            wants = x.requires_grad if some and isinstance(x, Tensor) else not some and can_be(i)
            fresh = made.setdefault(id(x), Tensor._made(array))
            if wants and array.dtype.kind == "f":
                fresh.requires_grad_()
    return tuple(made.get(id(x), x.item() if isinstance(x, np.generic) else x) for x in drawn)


def in_float64(drawn: Inputs) -> Inputs:
    """Fresh float64 Tensors, all of which require grad, for floating-point arrays and Tensors; others as they are."""
    fresh = differentiated(drawn, lambda i: True)
    made = {
        id(x): Tensor._made(x.array.astype(np.float64)).requires_grad_()
        for x in fresh
        if isinstance(x, Tensor) and x.array.dtype.kind == "f"
    }
    return tuple(made.get(id(x), x) for x in fresh)
