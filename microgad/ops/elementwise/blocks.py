"""Elementwise formulas of many passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import layouts

BLOCK = 1 << 18


def by_blocks(formula: Callable[..., Any], *inputs: Any) -> Any:
    """What formula(out, *inputs), elementwise, writes into out; of large arrays block by block, each in the cache."""
    first = inputs[0]
    out = layouts.empty_like(first)
    if (
        first.size <= BLOCK
        or type(first) is not np.ndarray
        or not all(x.shape == first.shape and x.flags.c_contiguous for x in inputs)
    ):
        formula(out, *inputs)
        return out
    parts = [x.reshape(-1) for x in (out, *inputs)]
    for i in range(0, first.size, BLOCK):
        formula(*[x[i : i + BLOCK] for x in parts])
    return out
