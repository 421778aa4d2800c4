"""The operations at the border of a mapping: they give Tensors a batch dimension on the way in, and take it away.

Gradients cross the same border the other way round; those of Tensors that the slices share are summed over the slices.
"""

from __future__ import annotations

import numpy as np

from ..backend import as_array
from ..backend.copies import cloned
from ..function import Function
from ..type_aliases import Array
from .array import BatchedArray, batched_view
from .rules.common import expand_to_batch


class AddBatchDim(Function):
    """Make an array batched: its slices along `dim` become those of the level."""

    symbol = "slices"

    def forward(self, x: Array) -> Array:
        return batched_view(np.moveaxis(x, self.dim, 0), self.level)

    def grad_x(self, grad: Array) -> Array:
        return RemoveBatchDim.apply(grad, level=self.level, dim=self.dim)


class WholeBatch(Function):
    """Return the slices of a level as one array, along `dim`, on the same memory; an array that they share is repeated.

    It is for what doesn't outlive the mapping: nodes know nothing of writes from one side to the other.
    """

    symbol = "all slices"

    def forward(self, x: Array) -> Array:
        return np.moveaxis(expand_to_batch(x, self.level), 0, self.dim)

    def grad_x(self, grad: Array) -> Array:
        return AddBatchDim.apply(grad, level=self.level, dim=self.dim)


class RemoveBatchDim(WholeBatch):
    """Return the slices of a level as one new array, stacked along `dim`; an array that they share is repeated."""

    def forward(self, x: Array) -> Array:
        return cloned(super().forward(x))


class SumOverSlices(Function):
    """Sum over the slices of a level: the gradient of an array that they share."""

    symbol = "Σ slices"

    def forward(self, x: Array) -> Array:
        if x.level is self.level:
            return as_array(x.whole.sum(0))
        return BatchedArray(self.forward(x.whole), x.level)  # the level is further outside

    def grad_x(self, grad: Array) -> Array:
        return grad  # the same for each slice
