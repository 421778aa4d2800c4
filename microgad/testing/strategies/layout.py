"""Memory layouts: the ways in which the same values can lie in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

LAYOUTS = ("contiguous", "fortran", "gapped", "reversed", "broadcast", "read_only")
_any = st.sampled_from(LAYOUTS)  # one strategy: hypothesis looks at each that it meets


def layouts() -> st.SearchStrategy[str]:
    """Names of ways in which values can lie in memory, for `laid_out`.

    contiguous (the simplest), fortran, gapped (every second element), reversed (negative strides), broadcast (stride
    0), read_only.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.layouts(), lambda name: name != "contiguous")
    'fortran'
    """
    return _any


def laid_out(x: Any, layout: str) -> Any:
    """The array in a layout. "broadcast" repeats the first slice along the last axis; the others keep every value.

    >>> torch.testing.strategies.laid_out(np.zeros((2, 3)), "reversed").strides
    (-24, -8)
    """
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
