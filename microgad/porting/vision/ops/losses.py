"""Losses for object detection. Source: torchvision.ops."""

from __future__ import annotations

from ....dtypes import float32, float64
from ....errors import ArgumentError
from ....nn import functional as F
from ....tensor import Tensor
from .boxes import aspect_penalty, center_distance, generalized_iou, intersection_and_union


def _reduce(loss: Tensor, reduction: str) -> Tensor:
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentError(f"reduction is {reduction!r}, expected 'none', 'mean' or 'sum'")
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


def sigmoid_focal_loss(
    inputs: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2, reduction: str = "none"
) -> Tensor:
    """Focal loss: binary cross entropy of logits, with less weight where it is small. Lin et al. (2017).

    Raises ValueError for an unknown reduction, or an alpha that is neither -1 nor in [0, 1].
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
    return _reduce(loss, reduction)


def generalized_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """Return 1 - generalized IoU of corresponding boxes (..., 4): Rezatofighi et al. (2019).

    The mean of no boxes is 0. float16 is computed and returned in float32. Raises ValueError for an unknown reduction.
    Source: torchvision.ops.generalized_box_iou_loss.

    >>> box = torch.tensor([[0.0, 0, 1, 1]])
    >>> torch.porting.vision.ops.generalized_box_iou_loss(box, box).round(decimals=4)
    tensor([0.])
    """
    return _reduce_or_zero(1 - generalized_iou(_floats(boxes1), _floats(boxes2), eps, strict=True), reduction)


def distance_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """Return 1 - IoU of corresponding boxes (..., 4) plus a penalty for the distance of centers: Zheng et al. (2020).

    Otherwise like generalized_box_iou_loss. Source: torchvision.ops.distance_box_iou_loss.

    >>> a, b = torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[2.0, 0, 3, 1]])
    >>> torch.porting.vision.ops.distance_box_iou_loss(a, b)
    tensor([1.4000])
    """
    return _reduce_or_zero(_distance_iou_loss(_floats(boxes1), _floats(boxes2), eps)[0], reduction)


def complete_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """Return distance_box_iou_loss plus a penalty for different aspect ratios: Zheng et al. (2020).

    Otherwise like generalized_box_iou_loss. Source: torchvision.ops.complete_box_iou_loss.

    >>> a, b = torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[2.0, 0, 3, 1]])
    >>> torch.porting.vision.ops.complete_box_iou_loss(a, b)
    tensor([1.4000])
    """
    boxes = _floats(boxes1), _floats(boxes2)
    loss, iou = _distance_iou_loss(*boxes, 1e-7)  # torchvision ignores eps here
    return _reduce_or_zero(loss + aspect_penalty(*boxes, iou, eps), reduction)


def _floats(boxes: Tensor) -> Tensor:
    return boxes if boxes.dtype in (float32, float64) else boxes.to(float32)


def _reduce_or_zero(loss: Tensor, reduction: str) -> Tensor:
    return _reduce(loss, "sum" if reduction == "mean" and not loss.numel() else reduction)


def _distance_iou_loss(boxes1: Tensor, boxes2: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Return the distance-IoU loss, and the IoU."""
    common, either = intersection_and_union(boxes1, boxes2, strict=True)
    iou = common / (either + eps)
    return 1 - iou + center_distance(boxes1, boxes2, eps, strict=True), iou
