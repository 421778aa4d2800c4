"""float32: gradients against those of the same call in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import backend
from ...tensor import Tensor
from ..calls import GradcheckError, SameDraws, gradients, numbered
from .check import Check
from .elsewhere import away, in_float64


def float32_agrees(check: Check, draws: SameDraws) -> None:
    """The gradients of float32 inputs against those of the same call in float64."""
    outputs = [y for y in check.outputs() if y.requires_grad]
    draws.made()
    if draws.drew or not outputs:
        return  # other dtypes, other draws
    seeds = [check.rng.uniform(0.5, 1, tuple(y.shape)) for y in outputs]

    def pull(outputs: list[Tensor]) -> list[Any]:
        like = [backend.like(u, y.array, y.array.dtype) for u, y in zip(seeds, outputs, strict=True)]
        return [None if g is None else backend.to_numpy(g) for g in gradients(outputs, check.tensors, like)]

    single = pull(outputs)
    with in_float64(check.args):
        double = pull([y for y in check.outputs() if y.requires_grad])
        spread = [0.0] * len(double)
        for _ in range(3):  # what the rounding of the inputs does to the gradients
            with away(check.tensors, check.rng, 2.0**-23):
                for i, g in enumerate(pull([y for y in check.outputs() if y.requires_grad])):
                    if g is not None and g.size:
                        spread[i] = max(spread[i], float(np.abs(g - double[i]).max()))
    for name, a, b, s in zip(numbered(check.args, check.tensors), single, double, spread, strict=True):
        if a is None or b is None or not a.size:
            continue
        largest = float(np.abs(b).max())
        if not 1e-25 < largest < 1e25:
            continue  # float32 may overflow on the way
        if not float(np.abs(a - b).max()) <= 16 * s + 1e-4 * largest:
            raise GradcheckError(
                f"{check.name}: the gradient of {name} differs by {float(np.abs(a - b).max()):.3g} between float32 "
                f"and float64, where the largest entry is {largest:.3g}"
            )
