"""Sizes for each dimension, under the names that programs take from torch.nn.modules.utils."""

from __future__ import annotations

from functools import partial

from ..settings import each

_single, _pair, _triple, _quadruple = (partial(each, n=n) for n in (1, 2, 3, 4))


def _ntuple(n: int, name: str = "parse") -> partial[tuple[object, ...]]:
    """A function that makes n of one number."""
    return partial(each, n=n)
