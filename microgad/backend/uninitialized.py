"""Memory that nothing has been written to: left as it is or, with deterministic algorithms, filled."""

from __future__ import annotations

import numpy as np

from .arrays import Array

deterministic, fill_memory = False, True  # set by use_deterministic_algorithms, and in torch.utils.deterministic


def filled(x: Array) -> Array:
    """Return x, in deterministic mode after filling it with NaN, the largest integer or True, as PyTorch does."""
    if deterministic and fill_memory:
        x[...] = np.nan if x.dtype.kind in "fc" else np.iinfo(x.dtype).max if x.dtype.kind in "iu" else True
    return x
