"""Check: what one run of check_grads is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import backend
from ...tensor import Tensor
from ..calls import floating, gradients, signed, slices
from .estimates import unit

SCALES = (1.0, 0.3, 0.11)  # steps of another size for another try: a derivative is wrong if it is in all of them


class Check:
    """What is called with what, how it is looked at, and random numbers to look at it with."""

    def __init__(
        self,
        name: str,
        call: Callable[..., Any],
        args: list[Any],
        tensors: list[Tensor],
        kinks: str,
        full: bool,
        modes: Sequence[str],
    ) -> None:
        self.name, self.call, self.args, self.tensors = name, call, args, tensors
        self.kinks, self.full, self.modes = kinks, full, modes
        self.rng = np.random.default_rng(0)

    def outputs(self) -> list[Tensor]:
        return floating(self.call(*self.args))

    def direction(self, t: Tensor) -> Any:
        x = t.array
        return unit(x) * backend.like(self.weights(x.size).reshape(x.shape), x)

    def weights(self, size: int) -> Any:
        """Random factors that leave none out."""
        return signed(self.rng, size)

    def pulled(self, outputs: list[Tensor], tensors: list[Tensor], u: Any) -> list[Any]:
        """The gradients of u · outputs."""
        chosen = [(y, at) for y, at in zip(outputs, slices(outputs), strict=True) if y.requires_grad]
        for y, at in zip(outputs, slices(outputs), strict=True):
            if not y.requires_grad:
                u[at] = 0  # off the graph: left out of the numerical side as well
        seeds = [backend.like(u[at].reshape(tuple(y.shape)), y.array, y.array.dtype) for y, at in chosen]
        return gradients([y for y, _ in chosen], tensors, seeds)
