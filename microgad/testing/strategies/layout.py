"""Strategy of memory layouts: order of axes, strides, writability."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from ...errors import ArgumentError
from ...type_aliases import Array

LAYOUTS = ("contiguous", "fortran", "gapped", "reversed", "broadcast", "read_only")
_any = st.sampled_from(LAYOUTS)  # a single object, since hypothesis validates each strategy that it meets


def layouts() -> st.SearchStrategy[str]:
    """Draw names of memory layouts, for `laid_out`.

    They are "contiguous" (the simplest), "fortran", "gapped" (every second element), "reversed" (negative strides),
    "broadcast" (stride 0) and "read_only".

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.layouts(), lambda name: name != "contiguous")
    'fortran'
    """
    return _any


def laid_out(x: Array, layout: str) -> Array:
    """Copy an array to a memory layout. "contiguous" returns it as it is, "broadcast" repeats the first slice of the
    last axis. Raises ValueError for an unknown layout.

    >>> torch.testing.strategies.laid_out(np.zeros((2, 3)), "reversed").strides
    (-24, -8)
    """
    if layout not in LAYOUTS:
        raise ArgumentError(f"layout: there is no {layout!r}; there are {', '.join(LAYOUTS)}")
    if layout == "fortran":
        return x.copy("F")
    if layout == "gapped":
        wide = np.empty_like(x, shape=tuple(2 * n for n in x.shape))
        view = wide[(*(slice(None, None, 2),) * x.ndim, ...)]
        view[...] = x
        return view
    if layout == "reversed" and x.ndim:
        return np.flip(np.flip(x).copy())
    if layout == "broadcast" and x.ndim and x.size:
        return np.broadcast_to(x[..., :1].copy(), x.shape)
    if layout == "read_only":
        x = x.copy()
        x.flags.writeable = False
    return x
