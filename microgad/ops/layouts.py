"""How results lie in memory: as PyTorch's do, where programs see it in `view` and in the order of random draws."""

from __future__ import annotations

from typing import Any

import numpy as np


def contiguous(x: Any) -> Any:
    """x in the order of its axes, copied where it isn't: as PyTorch lays out what an operation has put together."""
    return x if x.flags.c_contiguous else x.copy()


def channels_last(x: Any) -> bool:
    """Whether x (N, C, H, W) has its channels innermost in memory, and isn't in the order of its axes as well."""
    if x.flags.c_contiguous or x.ndim != 4 or not np.moveaxis(x, 1, 3).flags.c_contiguous:
        return False
    whole: bool = x.strides[0] == x.nbytes // len(x)  # of one image any stride would do, but not for PyTorch
    return whole


def laid_out_as(x: Any, out: Any) -> Any:
    """out (N, C, H, W) in the order that PyTorch calls channels_last, where x is: its convolutions keep that."""
    return np.moveaxis(contiguous(np.moveaxis(out, 1, 3)), 3, 1) if channels_last(x) else out
