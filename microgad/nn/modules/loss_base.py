"""Base classes of the loss modules."""

from __future__ import annotations

from ...ops.loss.reduction import legacy_reduction
from ...tensor import Tensor
from .module import Module


class _Loss(Module):
    """Base class of losses: `reduction` is "mean", "sum" or "none"; size_average and reduce are its old form."""

    reduction: str

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = legacy_reduction(size_average, reduce) or reduction


class _WeightedLoss(_Loss):
    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
