"""CheckedFunction: f, or the gradients of f of some order, as a function whose derivative is checked.

The second derivative of f is checked as the first derivative of its gradients, and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ... import backend
from ...gradients import grad
from ...tensor import Tensor
from ...type_aliases import Array
from ..calls import SameDraws, flat, max_abs
from ..findings.finding import derivative_name
from .complex_step import complex_step
from .estimates import EPS, Estimate, Line, estimate, refined, verified


class CheckedFunction:
    """A function whose derivative is checked: f itself (order 1), or the gradients of such a function (order 2, ...).

    `recorded` returns its results with a graph, `plain` without one, for finite differences. `natural`, (m,), is how
    large the results would be if no terms in them cancelled: it sets the size of their rounding errors.
    """

    def __init__(
        self,
        order: int,
        recorded: Callable[[], list[Tensor]],
        plain: Callable[[], list[Tensor]],
        tensors: list[Tensor],
        names: list[str],
        draws: SameDraws,
        natural: Array | float = 0.0,
    ) -> None:
        self.order, self.tensors, self.names, self.draws, self.natural = order, tensors, names, draws, natural
        self._recorded, self._plain = recorded, plain
        self.takes_complex = True  # until a complex step fails

    def recorded(self) -> list[Tensor]:
        """Return the results with a graph."""
        self.draws.rewind()
        return self._recorded()

    @cached_property
    def outputs(self) -> list[Tensor]:
        """The results with a graph, at the inputs as they were on first use."""
        return self.recorded()

    def values(self) -> Array:
        """Return the results as one vector, without a graph."""
        self.draws.rewind()
        return flat(self._plain())

    @cached_property
    def here(self) -> Array:
        """The values at the inputs as they were on first use."""
        return self.values()

    def along(self, directions: Sequence[Any | None], scale: float = 1.0) -> Estimate:
        """Estimate the numerical derivative along a direction for each Tensor; None leaves the Tensor fixed."""
        noise = 8 * EPS * self.natural
        exact = complex_step(self.values, self.tensors, directions) if self.takes_complex else None
        if exact is not None and exact.shape != self.here.shape:  # complex results count as pairs
            exact = None
        self.takes_complex = exact is not None
        line = Line(self.values, self.here, self.tensors, directions, noise)
        found = verified(exact, line, scale) if exact is not None else None
        if found is None:
            found = estimate(line, scale)
            if exact is not None:
                found = refined(found, exact)
        return found._replace(error=found.error + noise * max(line.largest_move(), 1.0))

    def only(self, i: int, direction: Array) -> list[Any | None]:
        """Return directions that move only Tensor i."""
        return [direction if k == i else None for k in range(len(self.tensors))]

    @property
    def derivative_name(self) -> str:
        """The name of the checked derivative in messages."""
        return derivative_name(self.order)

    def derivative(self, inputs: list[Tensor], rng: np.random.Generator) -> CheckedFunction | None:
        """Return the function from the inputs and the outputs' gradients to the inputs' gradients.

        None if no output requires grad.
        """
        outputs = [y for y in self.outputs if y.requires_grad]
        if not outputs:
            return None
        seeds = [
            Tensor._wrap(backend.like(rng.standard_normal(tuple(y.shape)), y.array)).requires_grad_() for y in outputs
        ]

        def gradients(create_graph: bool) -> list[Tensor | None]:
            outputs = [y for y in self._recorded() if y.requires_grad]
            return list(grad(outputs, inputs, seeds, create_graph=create_graph, allow_unused=True))

        def results(create_graph: bool) -> list[Tensor]:
            return [g for g in gradients(create_graph) if g is not None]

        self.draws.rewind()
        pulled = gradients(False)
        largest, seed = (max(max_abs(x.array) for x in tensors) for tensors in (outputs, seeds))
        incoming = seed * max(float(np.max(self.natural, initial=0.0)), largest)
        reached = [x for x, g in zip(inputs, pulled, strict=True) if g is not None]
        natural = np.concatenate(
            [np.zeros(0), *(np.full(x.numel(), incoming / min(max_abs(x.array) or 1.0, 1.0)) for x in reached)]
        )
        natural = np.where(np.isfinite(natural), natural, 0.0)
        names = self.names + [f"grad_outputs[{i}]" for i in range(len(seeds))]
        above = CheckedFunction(
            self.order + 1, lambda: results(True), lambda: results(False),
            self.tensors + seeds, names, self.draws, natural,
        )  # fmt: skip
        above.here = flat([g for g in pulled if g is not None])
        return above


def term_size(tensors: list[Tensor]) -> float:
    """Return how large intermediate terms may be, such as the 1 in 1 + tanh(x): at most 32, and 0 for tiny inputs."""
    largest = max((max_abs(x.array) for x in tensors), default=0.0)
    return min(max(1.0, largest), 32.0) if largest >= 1e-3 else 0.0
