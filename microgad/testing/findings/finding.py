"""Finding: a wrong derivative as data, from which the other files here make messages, diagnoses and reproducers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...type_aliases import Array


@dataclass(frozen=True)
class Finding:
    """The Jacobian of one output by one input, computed numerically and analytically.

    `numerical` and `analytical` are (x.size, y.size): row i is the derivative of the whole output by element i of the
    input, both flattened in row-major order. `error` is the tolerance of each entry: infinity where the numerical one
    is unknown.
    """

    op: str  # the name of the function that was checked
    order: int  # of the derivative: 1, 2, ...
    output: int
    input: int
    names: tuple[str, ...]  # of the inputs
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    numerical: Any
    analytical: Any
    error: Any
    arguments: tuple[Any, ...]  # of the call, with arrays in place of Tensors
    operations: tuple[str, ...] = ()  # names of the operations in the graph
    custom_functions: tuple[str, ...] = ()  # names of those that are autograd.Functions
    module: str = ""  # the module to import the function from, if its name doesn't tell
    partial: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})  # positional and keyword arguments of a partial
    adapter: str = ""  # "vjp" for a function with a handwritten derivative, "torch" for one of torch, else empty
    elsewhere: Finding | None = None  # the same at perturbed inputs, to rule out accidental matches
    at_kink: bool = False  # whether it is at a kink, and isn't between the one-sided derivatives, which are finite
    kinks: str = "move"  # as given to the check
    only_here: bool = False  # whether the derivative is right at perturbed inputs

    def excess(self) -> Array:
        """Return by how much each entry exceeds its tolerance; 0 if that is infinite. See `beyond`."""
        return np.where(np.isinf(self.error), 0.0, beyond(self.analytical, self.numerical, self.error))

    def worst_entry(self) -> tuple[int, int]:
        """Return the row and the column of the worst entry."""
        return divmod(int(self.excess().argmax()), self.numerical.shape[1])

    def worst(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the worst entry as the index of the input's element and that of the output's."""
        row, column = self.worst_entry()
        return index(row, self.input_shape), index(column, self.output_shape)


def worst_of(findings: Sequence[Finding]) -> Finding:
    """Return the finding with the entry that most exceeds its tolerance."""
    return max(findings, key=lambda finding: float(finding.excess().max()))


def derivative_name(order: int) -> str:
    """Return "derivative", "second derivative" or "derivative of order 3"."""
    return {1: "derivative", 2: "second derivative"}.get(order, f"derivative of order {order}")


def beyond(a: Array, b: Array, tolerance: Array) -> Array:
    """Return by how much |a - b| exceeds the tolerance; infinity where a and b differ and one is not finite."""
    with np.errstate(invalid="ignore"):
        more = np.abs(a - b) - tolerance
    return np.where(a == b, 0.0, np.where(np.isfinite(more), np.maximum(more, 0.0), np.inf))


def index(flat: int, shape: Sequence[int]) -> tuple[int, ...]:
    """Return the index of an element, given its position in row-major order."""
    return tuple(int(i) for i in np.unravel_index(flat, tuple(shape)))


def brackets(flat: int, shape: Sequence[int]) -> str:
    """Return the index as it is written, nothing for a 0-d array.

    >>> brackets(4, (2, 3)), brackets(0, ())
    ('[1, 1]', '')
    """
    return f"[{', '.join(map(str, index(flat, shape)))}]" if len(shape) else ""
