"""Losses of detectors. Source: torchvision.ops."""

from __future__ import annotations

from ....dtypes import float32, float64
from ....errors import ArgumentError
from ....nn import functional as F
from ....tensor import Tensor
from .boxes import apart, generalized, shared, unlike


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
    """1 - the generalized intersection over union of each box (..., 4) with its own: Rezatofighi et al. (2019).

    The mean of none is 0; float16 is computed, and returned, in float32. Raises ValueError of another reduction.
    Source: torchvision.ops.generalized_box_iou_loss.

    >>> box = torch.tensor([[0.0, 0, 1, 1]])
    >>> torch.porting.vision.ops.generalized_box_iou_loss(box, box).round(decimals=4)
    tensor([0.])
    """
    return _reduced_or_0(1 - generalized(_floats(boxes1), _floats(boxes2), eps), reduction)


def distance_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """1 - box_iou of each box (..., 4) with its own, and how far apart their middles are: Zheng et al. (2020).

    As generalized_box_iou_loss else. Source: torchvision.ops.distance_box_iou_loss.

    >>> a, b = torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[2.0, 0, 3, 1]])
    >>> torch.porting.vision.ops.distance_box_iou_loss(a, b)
    tensor([1.4000])
    """
    return _reduced_or_0(_distant(_floats(boxes1), _floats(boxes2), eps)[0], reduction)


def complete_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """distance_box_iou_loss, and how much the boxes' proportions differ: Zheng et al. (2020).

    As generalized_box_iou_loss else. Source: torchvision.ops.complete_box_iou_loss.

    >>> a, b = torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[2.0, 0, 3, 1]])
    >>> torch.porting.vision.ops.complete_box_iou_loss(a, b)
    tensor([1.4000])
    """
    boxes = _floats(boxes1), _floats(boxes2)
    loss, iou = _distant(*boxes, 1e-7)  # whatever eps is, as in torchvision
    return _reduced_or_0(loss + unlike(*boxes, iou, eps), reduction)


def _floats(boxes: Tensor) -> Tensor:
    return boxes if boxes.dtype in (float32, float64) else boxes.to(float32)


def _reduced_or_0(loss: Tensor, reduction: str) -> Tensor:
    return _reduced(loss, "sum" if reduction == "mean" and not loss.numel() else reduction)


def _distant(boxes1: Tensor, boxes2: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """The loss, and the intersection over union, that it takes the place of."""
    common, either = shared(boxes1, boxes2)
    iou = common / (either + eps)
    return 1 - iou + apart(boxes1, boxes2, eps), iou
