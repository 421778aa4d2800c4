"""The operations at the border of a mapping: they give Tensors a batch dimension on the way in, and take it away.

Gradients cross the same border the other way round; those of Tensors that the slices share are summed over the slices.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import as_array
from ..backend.memory_layout import cloned
from ..function import Function
from .array import BatchedArray, batched_view
from .rules.common import expand_to_batch


class AddBatchDim(Function):
    """Make an array batched: its slices along `dim` become those of the level."""

    symbol = "slices"

    def forward(self, x: Any) -> Any:
        return batched_view(np.moveaxis(x, self.dim, 0), self.level)

    def grad_x(self, grad: Any) -> Any:
        return RemoveBatchDim.apply(grad, level=self.level, dim=self.dim)


class RemoveBatchDim(Function):
    """Return the slices of a level as one array, stacked along `dim`; an array that they share is repeated."""

    symbol = "all slices"

    def forward(self, x: Any) -> Any:
        return cloned(np.moveaxis(expand_to_batch(x, self.level), 0, self.dim))

    def grad_x(self, grad: Any) -> Any:
        return AddBatchDim.apply(grad, level=self.level, dim=self.dim)


class SumOverSlices(Function):
    """Sum over the slices of a level: the gradient of an array that they share."""

    symbol = "Σ slices"

    def forward(self, x: Any) -> Any:
        if x.level is self.level:
            return as_array(x.whole.sum(0))
        return BatchedArray(self.forward(x.whole), x.level)  # the level is further outside

    def grad_x(self, grad: Any) -> Any:
        return grad  # the same for each slice
