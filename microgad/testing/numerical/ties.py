"""Ties: find gradients that are wrong only where values are equal, which ordinary steps always separate."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import backend
from ..calls import GradcheckError, flat
from .check import SCALES, Check
from .checked_function import CheckedFunction
from .projection import project
from .resolution import oscillates


def check_ties(check: Check, fn: CheckedFunction) -> None:
    """Check along a direction in which equal values stay equal and zeros stay zero, so that ties make no kinks."""
    inputs, values = check.tensors, flat(fn.outputs)
    sizes = np.concatenate([np.abs(backend.to_numpy(t.array)).reshape(-1) for t in inputs])
    distinct, which, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    if not (counts[distinct != 0] > 1).any() or not np.isfinite(distinct).all():
        return
    for scale in SCALES:
        speed = check.weights(distinct.size)[which]
        directions: list[Any] = [None] * len(fn.tensors)
        start = 0
        for i, t in enumerate(inputs):
            part = speed[start : start + t.numel()].reshape(tuple(t.shape))
            directions[i] = t.array * backend.like(part, t.array)
            start += t.numel()
        found = fn.along(directions, scale)
        usable = np.isfinite(values) & ~found.kinked & np.isfinite(found.error)
        u = np.where(usable, check.weights(values.size), 0.0)
        grads = check.vjp(fn.outputs, inputs, u)
        if project(u, found, directions[: len(inputs)], grads, bool(usable.all())).agrees:
            return
    if oscillates(check, fn, u, {i: t.array for i, t in enumerate(inputs)}):
        return
    raise GradcheckError(
        f"{check.name}: the {fn.derivative_name} is wrong where values are equal: when they are moved "
        "together, so that they stay equal, the result changes otherwise than the derivative says"
    )
