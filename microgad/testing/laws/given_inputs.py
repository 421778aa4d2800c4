"""Where examples come from: what a caller gives for the inputs, made a hypothesis strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ...tensor import Tensor
from ..calls import fresh_tensors

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


def in_float64(drawn: Inputs) -> Inputs:
    """Fresh float64 Tensors, all of which require grad, for floating-point arrays and Tensors; others as they are."""
    fresh = fresh_tensors(drawn)
    made = {
        id(x): Tensor._made(x.array.astype(np.float64)).requires_grad_()
        for x in fresh
        if isinstance(x, Tensor) and x.array.dtype.kind == "f"
    }
    return tuple(made.get(id(x), x) for x in fresh)
