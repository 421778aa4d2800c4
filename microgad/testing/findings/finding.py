"""Finding: a derivative that is wrong, as data. What is said of it is in report.py, mistakes.py and paste.py."""

from __future__ import annotations

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
    operations: tuple[str, ...] = ()  # names of the operations that lead to the output
    home: str = ""  # the module to import it from, if its name doesn't say that
    bound: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})  # arguments before those, and by keyword
    form: str = ""  # "vjp" where the derivative was given beside the function, "torch" where the function is torch's
    elsewhere: Finding | None = None  # the same at other values: what fits here by accident doesn't fit there

    def excess(self) -> Any:
        """By how much each entry is outside of its tolerance; by infinity where one of the two is not a number."""
        a, n = self.analytical, self.numerical
        with np.errstate(invalid="ignore"):
            beyond = np.abs(a - n) - self.error
        return np.where(
            (a == n) | np.isinf(self.error), 0.0, np.where(np.isfinite(beyond), np.maximum(beyond, 0.0), np.inf)
        )

    def worst(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The worst entry: the index of the input's element and that of the output's."""
        row, column = divmod(int(self.excess().argmax()), self.numerical.shape[1])
        return _index(row, self.input_shape), _index(column, self.output_shape)


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(flat, shape)) if shape else ()
