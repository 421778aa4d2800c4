"""The complex step: derivatives of analytic functions without cancellation, exact up to rounding."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from ... import backend, state
from ...tensor import Tensor
from ..calls import Direction, Vector, moved


def complex_step(
    values: Callable[[], Vector], tensors: Sequence[Tensor], directions: Sequence[Direction | None]
) -> Vector | None:
    """Return Im f(x + ih) / h along `directions`, with h = 1e-20, or less if some x is smaller.

    None if some x isn't float64, or if the function refuses complex input or discards the imaginary part. The result is
    a derivative only if the function is analytic, which the caller has to verify. Source: Squire & Trapp, Using complex
    variables to estimate derivatives of real functions (1998).
    """
    if any(t.array.dtype != np.float64 for t in tensors):
        return None
    h = 1e-20
    for t, d in zip(tensors, directions, strict=True):
        if d is not None:
            near = (d != 0) & (t.array != 0)
            smallest = float(np.abs(backend.to_numpy(t.array[near] / d[near])).min(initial=1.0))
            h = min(h, 1e-20 * smallest)  # small compared with every x that it moves
    h = max(h, 1e-300)
    try:
        with warnings.catch_warnings(), state.scope(holomorphic=True):
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            warnings.filterwarnings("error", "Casting complex values to real")  # microgad's own
            out = moved(values, tensors, directions, 1j * h)
    except Exception:  # it doesn't take complex numbers
        return None
    return out.imag / h if out.dtype.kind == "c" else None
