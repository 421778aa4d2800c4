"""Turn the inputs that a caller gives into hypothesis strategies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ...tensor import Tensor
from ..calls import fresh_tensors

Inputs = tuple[Any, ...]


def as_strategy(value: Any) -> st.SearchStrategy[Any]:
    """Return a strategy as it is, and for any other value the strategy that draws only that."""
    return value if isinstance(value, st.SearchStrategy) else st.just(value)


def examples(inputs: Sequence[Any]) -> st.SearchStrategy[Inputs]:
    """Return a strategy of argument tuples, from one such strategy or from a strategy or a value for each argument."""
    if len(inputs) == 1:
        return as_strategy(inputs[0]).map(lambda drawn: tuple(drawn) if isinstance(drawn, (tuple, list)) else (drawn,))
    return st.tuples(*map(as_strategy, inputs))


def keywords(settings: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy of keyword arguments, from values and strategies."""
    return st.fixed_dictionaries({name: as_strategy(value) for name, value in settings.items()})


def in_float64(drawn: Inputs) -> Inputs:
    """Replace arrays and Tensors by fresh Tensors; floating-point ones become float64 and require grad."""
    fresh = fresh_tensors(drawn)
    made = {
        id(x): Tensor._wrap(x.array.astype(np.float64)).requires_grad_()
        for x in fresh
        if isinstance(x, Tensor) and x.array.dtype.kind == "f"
    }
    return tuple(made.get(id(x), x) for x in fresh)
