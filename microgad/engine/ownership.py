"""Which gradients belong to the engine alone, so that it may add to them in place: those without other references."""

from __future__ import annotations

import sys
from sys import getrefcount

import numpy as np

from ..backend.memory_layout import overlaps
from ..type_aliases import Array


def alone(x: Array) -> bool:
    """Whether `x` is a reshaped or permuted view of a whole array to which nothing else refers."""
    if type(x) is not np.ndarray or type(x.base) is not np.ndarray or getrefcount(x.base) > 2:  # of x and this call
        return False
    whole = x.nbytes == x.base.nbytes and (x.flags.forc or not overlaps(x.shape, x.strides))
    return whole and x.flags.writeable and x.base.base is None


def _sole() -> int:
    """The reference count that the engine's `fit_to_input` sees for a gradient to which only the engine's list refers.

    It depends on Python's version, so it is measured, in a loop and a call like the engine's. Debuggers and profilers
    add references, so they are switched off meanwhile. cProfile adds none, and couldn't be switched on again.
    """
    held, looking = getrefcount, (sys.gettrace(), sys.getprofile())
    sys.settrace(None)
    if callable(looking[1]):
        sys.setprofile(None)
    try:
        for _, x in enumerate([np.empty(0)]):
            count = (lambda x: held(x))(x)
    finally:
        sys.settrace(looking[0])
        if callable(looking[1]):
            sys.setprofile(looking[1])
    return count


SOLE = _sole()
