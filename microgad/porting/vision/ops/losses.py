"""Losses of detectors. Source: torchvision.ops."""

from __future__ import annotations

from ....errors import ArgumentError
from ....nn import functional as F
from ....ops.elementwise import maximum, minimum
from ....tensor import Tensor


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentError(f"reduction is {reduction!r}, expected 'none', 'mean' or 'sum'")
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


def sigmoid_focal_loss(
    inputs: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2, reduction: str = "none"
) -> Tensor:
    """Binary cross entropy of logits, less where it is small already: Lin et al. (2017).

    Raises ValueError of another reduction, or an alpha neither -1 nor from 0 to 1.
    Source: torchvision.ops.sigmoid_focal_loss.

    >>> torch.porting.vision.ops.sigmoid_focal_loss(torch.zeros(1), torch.ones(1))
    tensor([0.0433])
    """
    if not 0 <= alpha <= 1 and alpha != -1:
        raise ArgumentError(f"sigmoid_focal_loss: alpha is {alpha}, expected 0 to 1, or -1 to leave it out")
    p = inputs.sigmoid()
    right = p * targets + (1 - p) * (1 - targets)
    loss = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none") * (1 - right) ** gamma
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    return _reduced(loss, reduction)


def generalized_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """1 - the generalized intersection over union of each box (N, 4) with its own: Rezatofighi et al. (2019).

    Raises ValueError of another reduction. Source: torchvision.ops.generalized_box_iou_loss.

    >>> box = torch.tensor([[0.0, 0, 1, 1]])
    >>> torch.porting.vision.ops.generalized_box_iou_loss(box, box).round(decimals=4)
    tensor([0.])
    """
    low, high = maximum(boxes1[:, :2], boxes2[:, :2]), minimum(boxes1[:, 2:], boxes2[:, 2:])
    size = (high - low).clamp(min=0)
    common = size[:, 0] * size[:, 1]
    first, second = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (boxes1, boxes2))
    either = first + second - common
    outer = maximum(boxes1[:, 2:], boxes2[:, 2:]) - minimum(boxes1[:, :2], boxes2[:, :2])
    around = outer[:, 0] * outer[:, 1]
    return _reduced(1 - (common / (either + eps) - (around - either) / (around + eps)), reduction)
