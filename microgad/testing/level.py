"""Level: f, or the derivative of f of some order, as a function whose own derivative is checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import backend, engine
from ..tensor import Tensor
from .calls import SameDraws, flat
from .complex_step import complex_step
from .estimates import Estimate, estimate, sharpened


class Level:
    """A function whose derivative is checked: f itself, or the gradients of a level below.

    `recorded` gives its results with a graph, `plain` the same without one, to take differences of.
    """

    def __init__(
        self,
        order: int,
        recorded: Callable[[], list[Tensor]],
        plain: Callable[[], list[Tensor]],
        tensors: list[Tensor],
        names: list[str],
        draws: SameDraws,
    ) -> None:
        self.order, self.tensors, self.names, self.draws = order, tensors, names, draws
        self._recorded, self._plain = recorded, plain
        self.takes_complex = True  # until it is seen not to

    def recorded(self) -> list[Tensor]:
        self.draws.again()
        return self._recorded()

    def values(self) -> Any:
        self.draws.again()
        return flat(self._plain())

    def along(self, directions: Sequence[Any | None], scale: float = 1.0) -> Estimate:
        found = estimate(self.values, self.tensors, directions, scale)
        exact = complex_step(self.values, self.tensors, directions) if self.takes_complex else None
        self.takes_complex = exact is not None
        return found if exact is None else sharpened(found, exact)

    def only(self, i: int, direction: Any) -> list[Any | None]:
        return [direction if k == i else None for k in range(len(self.tensors))]

    @property
    def derivative_name(self) -> str:
        """Of the derivative that is checked."""
        return {1: "derivative", 2: "second derivative"}.get(self.order, f"derivative of order {self.order}")

    def derivative(self, inputs: list[Tensor], rng: np.random.Generator) -> Level | None:
        """The level above: from the inputs, and from the gradients that come in, to the gradients that go out."""
        outputs = [y for y in self.recorded() if y.requires_grad]
        seeds = [
            Tensor._made(backend.like(rng.standard_normal(tuple(y.shape)), y.array)).requires_grad_() for y in outputs
        ]
        if not outputs:
            return None

        def results(create_graph: bool) -> list[Tensor]:
            outputs = [y for y in self._recorded() if y.requires_grad]
            found = engine.grad(outputs, inputs, seeds, create_graph=create_graph, allow_unused=True)
            return [g for g in found if g is not None]

        names = self.names + [f"grad_outputs[{i}]" for i in range(len(seeds))]
        return Level(
            self.order + 1, lambda: results(True), lambda: results(False), self.tensors + seeds, names, self.draws
        )
