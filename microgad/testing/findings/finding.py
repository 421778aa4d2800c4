"""Finding: a derivative that is wrong, as data. messages.py, diagnosis.py and reproducer.py say what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Finding:
    """The derivative of one output by one input, found in two ways.

    `numerical` and `analytical` are (x.size, y.size): row i is the derivative of all of the output by element i of the
    input, both flat in row-major order. `error` is how far each entry may be off: infinity where the numerical one says
    nothing.
    """

    op: str  # what was checked
    order: int  # 1: its derivative, 2: the derivative of that, ...
    output: int
    input: int
    names: tuple[str, ...]  # of the inputs
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    numerical: Any
    analytical: Any
    error: Any
    arguments: tuple[Any, ...]  # what it was called with: arrays for Tensors
    operations: tuple[str, ...] = ()  # names of the operations of the function, and of those that lead to the output
    contexts: tuple[str, ...] = ()  # those among them that are autograd.Functions
    home: str = ""  # the module to import it from, if its name doesn't say that
    bound: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})  # arguments before those, and by keyword
    form: str = ""  # "vjp" where the derivative was given beside the function, "torch" where the function is torch's
    elsewhere: Finding | None = None  # the same at other values: what fits here by accident doesn't fit there

    def excess(self) -> Any:
        """By how much each entry is outside of its tolerance; by infinity where one of the two is not a number."""
        return np.where(np.isinf(self.error), 0.0, beyond(self.analytical, self.numerical, self.error))

    def worst_entry(self) -> tuple[int, int]:
        """Its row and its column."""
        return divmod(int(self.excess().argmax()), self.numerical.shape[1])

    def worst(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The worst entry: the index of the input's element and that of the output's."""
        row, column = self.worst_entry()
        return index(row, self.input_shape), index(column, self.output_shape)


def worst_of(findings: Sequence[Finding]) -> Finding:
    """The one with the entry that is furthest outside of its tolerance."""
    return max(findings, key=lambda finding: float(finding.excess().max()))


def derivative_name(order: int) -> str:
    """Say "second derivative"."""
    return {1: "derivative", 2: "second derivative"}.get(order, f"derivative of order {order}")


def beyond(a: Any, b: Any, tolerance: Any) -> Any:
    """By how much more than a tolerance numbers differ; infinity where one of two that differ is not a number."""
    with np.errstate(invalid="ignore"):
        more = np.abs(a - b) - tolerance
    return np.where(a == b, 0.0, np.where(np.isfinite(more), np.maximum(more, 0.0), np.inf))


def index(flat: int, shape: Sequence[int]) -> tuple[int, ...]:
    """Of an element in row-major order."""
    return tuple(int(i) for i in np.unravel_index(flat, tuple(shape)))


def brackets(flat: int, shape: Sequence[int]) -> str:
    """The same as one writes it, nothing where there are no axes.

    >>> brackets(4, (2, 3)), brackets(0, ())
    ('[1, 1]', '')
    """
    return f"[{', '.join(map(str, index(flat, shape)))}]" if len(shape) else ""
