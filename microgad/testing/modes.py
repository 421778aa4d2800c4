"""Reverse mode and forward mode, under one interface, so that `gradcheck` can check either."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import backend
from ..autograd.functional import DoubleBackward
from ..batching.vmap import map_slices
from ..gradients import grad
from ..tensor import Tensor
from ..type_aliases import Array
from .calls import GradcheckError, grad_arrays, jacobians

LinearFunction = Callable[[Tensor], Sequence[Tensor | None]]  # None stands for zeros


class ReverseMode:
    """Derivatives by backward passes: from the gradient of an output to those of the inputs."""

    name = ""  # what error messages say about the mode

    def __init__(self, outputs: list[Tensor], tensors: list[Tensor]) -> None:
        self.outputs, self.tensors = outputs, tensors

    def jacobians(self) -> list[list[Array]]:
        """Return, for each output y and each Tensor x, the Jacobian (x.size, y.size)."""
        return [jacobians(y, self.tensors) for y in self.outputs]

    def projections(self, us: Sequence[Any], vs: Sequence[Any]) -> list[list[float]]:
        """Return, for each output and each Tensor, v · (J u)."""
        vjps = [self._vjp(y, Tensor._wrap(v)) for y, v in zip(self.outputs, vs, strict=True)]
        return [[_dot(g, u) for g, u in zip(grads, us, strict=True)] for grads in vjps]

    def maps(self) -> Iterator[tuple[LinearFunction, Tensor]]:
        """Yield each function that is linear in a gradient, and a Tensor of the gradient's shape and dtype."""
        for y in self.outputs:
            yield lambda v, y=y: self._vjp(y, v), y  # type: ignore[misc]

    def _vjp(self, y: Tensor, v: Tensor) -> Sequence[Tensor | None]:
        if not y.requires_grad:
            return [None] * len(self.tensors)
        return grad([y], self.tensors, [v], retain_graph=True, allow_unused=True)


class ForwardMode:
    """Derivatives by pushing tangents of the inputs to the outputs, by a Function's `jvp` if it has one."""

    name = "computed with forward mode "

    def __init__(self, outputs: list[Tensor], tensors: list[Tensor]) -> None:
        self.outputs, self.tensors = outputs, tensors
        self.pushing = DoubleBackward(outputs, tensors)

    def jacobians(self) -> list[list[Any]]:
        """Return, for each output y and each Tensor x, the Jacobian (x.size, y.size)."""
        found = [[np.zeros((t.numel(), y.numel())) for t in self.tensors] for y in self.outputs]
        for i, t in enumerate(self.tensors):
            for j in range(t.numel()):
                unit = np.zeros_like(t.array, order="C")
                unit.reshape(-1)[j] = 1
                for rows, tangent in zip(found, grad_arrays(self._jvp(i, Tensor._wrap(unit))), strict=True):
                    if tangent is not None:
                        rows[i][j] = backend.to_numpy(tangent).reshape(-1)
        return found

    def projections(self, us: Sequence[Any], vs: Sequence[Any]) -> list[list[float]]:
        """Return, for each output and each Tensor, v · (J u)."""
        jvps = [self._jvp(i, Tensor._wrap(u)) for i, u in enumerate(us)]
        return [[_dot(tangents[k], v) for tangents in jvps] for k, v in enumerate(vs)]

    def maps(self) -> Iterator[tuple[LinearFunction, Tensor]]:
        """Yield each function that is linear in a tangent, and a Tensor of the tangent's shape and dtype."""
        for i, t in enumerate(self.tensors):
            yield lambda u, i=i: self._jvp(i, u), t  # type: ignore[misc]

    def _jvp(self, i: int, u: Tensor) -> Sequence[Tensor | None]:
        others = [np.zeros_like(t.array) for t in self.tensors]
        return self.pushing.jvp([u if j == i else Tensor._wrap(zero) for j, zero in enumerate(others)], False)


Mode = ReverseMode | ForwardMode


def check_batches(mode: Mode) -> None:
    """Raise GradcheckError if a batch of gradients or tangents gives other results by vmap than one by one."""
    rng = np.random.default_rng(0)
    for linear, like in mode.maps():
        given = Tensor._wrap(backend.like(rng.standard_normal((2, *like.shape)), like.array, like.array.dtype))
        batch = grad_arrays(map_slices(lambda given, linear=linear: linear(given[0]), [given]))  # type: ignore[misc]
        each = zip(*(grad_arrays(linear(x)) for x in given), strict=True)
        for one_by_one, at_once in zip(each, batch, strict=True):
            if at_once is None:
                continue
            expected = np.stack([at_once[0] * 0 if g is None else g for g in one_by_one])
            if not np.allclose(backend.to_numpy(at_once), backend.to_numpy(expected), equal_nan=True):
                raise GradcheckError(f"a batch {mode.name}by vmap gives\n{at_once}\nbut one by one\n{expected}")


def _dot(a: Tensor | None, b: Any) -> float:
    return 0.0 if a is None else float((a.array * b).sum())
