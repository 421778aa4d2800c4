"""Loss modules based on margins and distances.

Reductions and errors are those of loss.py: shapes that don't fit together raise RuntimeError.
"""

from __future__ import annotations

from collections.abc import Callable

from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor
from .. import functional as F
from .distance import PairwiseDistance
from .loss_base import _Loss, _WeightedLoss


class _MarginLoss(_Loss):
    """Base class of losses with a margin."""

    def __init__(
        self, margin: float = 0.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin


class CosineEmbeddingLoss(_MarginLoss):
    """The mean of 1 - cos for pairs (N, D) with target 1, and of max(0, cos - margin) for those with target -1.

    Raises RuntimeError unless target is (N), or () for vectors (D). Source: torch.nn.CosineEmbeddingLoss.

    >>> x = torch.tensor([[1.0, 0.0]])
    >>> nn.CosineEmbeddingLoss()(x, x, torch.tensor([-1.0]))
    tensor(1.)
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.cosine_embedding_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class MarginRankingLoss(_MarginLoss):
    """The mean of max(0, margin - target · (input1 - input2)), with targets ±1; all are (N).

    Raises RuntimeError for other shapes. Source: torch.nn.MarginRankingLoss.

    >>> nn.MarginRankingLoss()(torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor([1.0]))
    tensor(2.)
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.margin_ranking_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class HingeEmbeddingLoss(_MarginLoss):
    """The mean of x for distances x with target 1, and of max(0, margin - x) for those with target -1.

    Both have one shape; shapes that don't broadcast raise RuntimeError. Source: torch.nn.HingeEmbeddingLoss.

    >>> nn.HingeEmbeddingLoss()(torch.tensor([0.2, 0.2]), torch.tensor([1.0, -1.0]))
    tensor(0.5000)
    """

    def __init__(
        self, margin: float = 1.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(margin, size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class SoftMarginLoss(_Loss):
    """The mean of log(1 + e^(-target · x)), with scores x and targets ±1 of one shape.

    Raises RuntimeError for shapes that don't broadcast. Source: torch.nn.SoftMarginLoss.

    >>> nn.SoftMarginLoss()(torch.tensor([0.0]), torch.tensor([1.0]))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelMarginLoss(_Loss):
    """Multi-label hinge loss of scores x (N, C) and classes (N, C), of which those before the first -1 count.

    The mean over N of Σ max(0, 1 - x[own] + x[other]) / C, summed over the example's own and all other classes. Raises
    RuntimeError for classes that aren't int64 or out of range, and for other shapes.
    Source: torch.nn.MultiLabelMarginLoss.

    >>> nn.MultiLabelMarginLoss()(torch.tensor([[0.0, 0.5]]), torch.tensor([[1, -1]]))
    tensor(0.2500)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """The binary cross-entropy of logits (N, C) with targets 0 or 1 (N, C), averaged over C and N.

    Raises RuntimeError for other shapes. Source: torch.nn.MultiLabelSoftMarginLoss.

    >>> nn.MultiLabelSoftMarginLoss()(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)


class MultiMarginLoss(_WeightedLoss):
    """Multi-class hinge loss of scores x (N, C) and classes (N).

    The mean over N of Σ max(0, margin - x[own] + x[other])ᵖ / C, summed over all other classes. Raises ValueError
    unless p is 1 or 2, RuntimeError for classes that aren't int64 or out of range. Source: torch.nn.MultiMarginLoss.

    >>> nn.MultiMarginLoss()(torch.tensor([[0.0, 0.5]]), torch.tensor([1]))
    tensor(0.2500)
    """

    def __init__(
        self,
        p: float = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ArgumentError(f"MultiMarginLoss: only p == 1 and p == 2 supported, got {p}")
        if weight is not None and weight.ndim != 1:
            raise ShapeError(f"MultiMarginLoss: expected weight to be None or 1D tensor, got {weight.ndim}D instead")
        self.p = p
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multi_margin_loss(input, target, self.p, self.margin, self.weight, reduction=self.reduction)


class TripletMarginLoss(_Loss):
    """The mean of max(0, margin + ‖anchor - positive‖ - ‖anchor - negative‖), with p-norms; inputs are (N, D).

    With `swap`, ‖positive - negative‖ replaces ‖anchor - negative‖ where it is smaller. Raises ValueError unless margin
    > 0, RuntimeError for shapes that don't fit together. Source: torch.nn.TripletMarginLoss; Balntas et al. (2016).

    >>> nn.TripletMarginLoss()(torch.tensor([[0.0]]), torch.tensor([[1.0]]), torch.tensor([[1.5]]))
    tensor(0.5000)
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = _positive(margin, "TripletMarginLoss")
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        settings = self.margin, self.p, self.eps, self.swap
        return F.triplet_margin_loss(anchor, positive, negative, *settings, reduction=self.reduction)


class TripletMarginWithDistanceLoss(_Loss):
    """TripletMarginLoss with a distance of your own, a callable of two Tensors; PairwiseDistance by default.

    Inputs are (N, D) or what the distance takes. Raises ValueError unless margin > 0.
    Source: torch.nn.TripletMarginWithDistanceLoss.

    >>> loss = nn.TripletMarginWithDistanceLoss(distance_function=lambda a, b: (a - b).abs().sum(-1))
    >>> loss(torch.tensor([[0.0]]), torch.tensor([[1.0]]), torch.tensor([[1.5]]))
    tensor(0.5000)
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.distance_function = PairwiseDistance() if distance_function is None else distance_function
        self.margin = _positive(margin, "TripletMarginWithDistanceLoss")
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_with_distance_loss(
            anchor, positive, negative, distance_function=self.distance_function, margin=self.margin, swap=self.swap,
            reduction=self.reduction,
        )  # fmt: skip


def _positive(margin: float, name: str) -> float:
    if margin <= 0:
        raise ArgumentError(f"{name}: expected margin to be greater than 0, got {margin} instead")
    return margin
