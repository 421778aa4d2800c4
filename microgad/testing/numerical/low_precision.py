"""float32 and float16: compare gradients with those of the same call in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import backend
from ...tensor import Tensor
from ..calls import GradcheckError, SameDraws, gradients
from .check import Check
from .perturbation import in_float64, perturbed

RANGE = 0.65  # exponent that narrows a dtype's range: for float32 to 1e-25 ... 1e25


def check_low_precision(check: Check, draws: SameDraws) -> None:
    """Compare the gradients of float32 and float16 inputs with those of the same call in float64."""

    def recorded() -> list[Tensor]:
        return [y for y in check.outputs() if y.requires_grad]

    outputs = recorded()
    draws.first_done()
    if draws.drew or not outputs:
        return  # draws differ between dtypes
    seeds = [check.rng.uniform(0.5, 1, tuple(y.shape)) for y in outputs]

    def vjp(outputs: list[Tensor]) -> list[Any]:
        like = [backend.like(u, y.array, y.array.dtype) for u, y in zip(seeds, outputs, strict=True)]
        return [None if g is None else backend.to_numpy(g) for g in gradients(outputs, check.tensors, like)]

    single = vjp(outputs)
    coarsest = max((np.finfo(t.array.dtype) for t in check.tensors), key=lambda info: info.eps)
    eps, least, most = float(coarsest.eps), float(coarsest.smallest_normal) ** RANGE, float(coarsest.max) ** RANGE
    with in_float64(check.args):
        double = vjp(recorded())
        spread = [0.0] * len(double)
        for _ in range(3):  # how much rounding of the inputs changes the gradients
            with perturbed(check.tensors, check.rng, eps):
                moved = vjp(recorded())
            gaps = [0.0 if g is None or not g.size else _gap(g, d) for g, d in zip(moved, double, strict=True)]
            spread = list(map(max, spread, gaps))
    for name, a, b, s in zip(check.names, single, double, spread, strict=True):
        if a is None or b is None or not a.size:
            continue
        largest = float(np.abs(b).max())
        if not least < largest < most:
            continue  # intermediate values may overflow
        if not _gap(a, b) <= 16 * s + max(1e-4, 32 * eps) * largest:
            raise GradcheckError(
                f"{check.name}: the gradient of {name} differs by {_gap(a, b):.3g} between "
                f"{coarsest.dtype} and float64, where the largest entry is {largest:.3g}"
            )


def _gap(a: Any, b: Any) -> float:
    return float(np.abs(a - b).max())
