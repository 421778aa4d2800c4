"""Boxes (..., 4), given by x and y of the upper left and lower right corners. Source: torchvision.ops.boxes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....autograd import no_grad
from ....dtypes import float32, int32, int64
from ....errors import ArgumentError, DtypeError, KindError, ShapeError, UnsupportedError
from ....ops import creation, movement
from ....ops.elementwise import atan2, maximum, minimum
from ....tensor import Tensor

FORMATS = ("xyxy", "xywh", "cxcywh")
ROTATED_FORMATS = ("xywhr", "cxcywhr", "xyxyxyxy")


def _upcast(x: Tensor) -> Tensor:
    """Convert to a dtype in which products don't overflow."""
    return x if x.element_size() >= 4 else x.to(float32 if x.is_floating_point() else int32)


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Convert boxes between the formats xyxy (two corners), xywh (corner and size) and cxcywh (center and size).

    Or between those of rotated boxes: xywhr and cxcywhr, with r in degrees counterclockwise, and xyxyxyxy, the corners
    clockwise from the upper left one. Raises ValueError for other formats, NotImplementedError from one kind to the
    other. Source: torchvision.ops.box_convert.

    >>> torch.porting.vision.ops.box_convert(torch.tensor([[1, 2, 4, 6]]), "xyxy", "xywh")
    tensor([[1, 2, 3, 4]])
    """
    known, rotated = FORMATS + ROTATED_FORMATS, in_fmt in ROTATED_FORMATS
    if in_fmt not in known or out_fmt not in known:
        raise ArgumentError(f"box_convert: from {in_fmt!r} to {out_fmt!r}, known are {', '.join(known)}")
    if in_fmt == out_fmt:
        return boxes.clone()
    if rotated != (out_fmt in ROTATED_FORMATS):
        raise UnsupportedError(f"box_convert: Unsupported Bounding Box Conversions for {in_fmt} to {out_fmt}")
    if rotated:
        by_corner = boxes if in_fmt == "xywhr" else _rotated(boxes, in_fmt, "xywhr")
        return by_corner if out_fmt == "xywhr" else _rotated(by_corner, "xywhr", out_fmt)
    a, b, c, d = boxes.unbind(-1)
    if in_fmt == "cxcywh":
        a, b, c, d = a - 0.5 * c, b - 0.5 * d, a + 0.5 * c, b + 0.5 * d
    elif in_fmt == "xywh":
        c, d = a + c, b + d
    if out_fmt == "cxcywh":
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    elif out_fmt == "xywh":
        c, d = c - a, d - b
    return movement.stack((a, b, c, d), -1)


def _rotated(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Convert rotated boxes from or to the format xywhr, in which (x, y) is the upper left corner before the turn."""
    x, y, *rest = boxes.unbind(-1)
    if in_fmt == "xyxyxyxy":
        x2, y2, x3, y3 = rest[:4]
        turn = atan2(y - y2, x2 - x) * 180 / math.pi
        found = [x, y, ((x2 - x) ** 2 + (y - y2) ** 2).sqrt(), ((x3 - x2) ** 2 + (y3 - y2) ** 2).sqrt(), turn]
    else:
        w, h, r = rest
        turn = r * math.pi / 180.0
        cos, sin = turn.cos(), turn.sin()
        if out_fmt == "xyxyxyxy":
            x2, y2 = x + w * cos, y - w * sin
            found = [x, y, x2, y2, x2 + h * sin, y2 + h * cos, x + h * sin, y + h * cos]
        else:
            way = 2 if out_fmt == "cxcywhr" else -2
            found = [x + w / way * cos + h / way * sin, y + h / way * cos - w / way * sin, w, h, r]
    result: Tensor = movement.stack(found, -1)
    return result if boxes.is_floating_point() else result.round().to(boxes.dtype)


def box_area(boxes: Tensor, fmt: str = "xyxy") -> Tensor:
    """Return the areas (...) of boxes (..., 4). Raises ValueError for other formats. Source: torchvision.ops.box_area.

    >>> torch.porting.vision.ops.box_area(torch.tensor([[1, 2, 4, 6]]))
    tensor([12])
    """
    if fmt not in FORMATS:
        raise ArgumentError(f"box_area: fmt is {fmt!r}, known are {', '.join(FORMATS)}")
    a, b, c, d = _upcast(boxes).unbind(-1)
    return (c - a) * (d - b) if fmt == "xyxy" else c * d


def intersection_and_union(a: Tensor, b: Tensor, strict: bool = False) -> tuple[Tensor, Tensor]:
    """Return the areas of intersection and union of boxes a (..., 4) and b, broadcast.

    strict, as in torchvision's losses: no gradient where boxes only touch.
    """
    size = _upcast(minimum(a[..., 2:], b[..., 2:]) - maximum(a[..., :2], b[..., :2]))
    size = size.where((size > 0).all(-1, keepdim=True), 0.0) if strict else size.clamp(min=0)
    common = size[..., 0] * size[..., 1]
    return common, box_area(a) + box_area(b) - common


def enclosing_size(a: Tensor, b: Tensor, strict: bool = False) -> Tensor:
    """Return width and height (..., 2) of the smallest box that encloses both; if not strict, 0 for negative ones."""
    size = _upcast(maximum(a[..., 2:], b[..., 2:]) - minimum(a[..., :2], b[..., :2]))
    return size if strict else size.clamp(min=0)


def generalized_iou(a: Tensor, b: Tensor, eps: float, strict: bool = False) -> Tensor:
    """Return the generalized IoU: the IoU minus the fraction of the enclosing box that neither covers."""
    (common, either), size = intersection_and_union(a, b, strict), enclosing_size(a, b, strict)
    whole = size[..., 0] * size[..., 1]
    return common / (either + eps) - (whole - either) / (whole + eps)


def center_distance(a: Tensor, b: Tensor, eps: float, strict: bool = False) -> Tensor:
    """Return the squared distance of the centers divided by the squared diagonal of the enclosing box."""
    middles = [(x[..., 2:] + x[..., :2]) / 2 for x in (a, b)]
    return ((middles[0] - middles[1]) ** 2).sum(-1) / ((enclosing_size(a, b, strict) ** 2).sum(-1) + eps)


def aspect_penalty(a: Tensor, b: Tensor, iou: Tensor, eps: float) -> Tensor:
    """Return the penalty for different aspect ratios, which has less weight for a small `iou`."""
    tilts = [((x[..., 2] - x[..., 0]) / (x[..., 3] - x[..., 1])).atan() for x in (a, b)]
    squared = 4 / math.pi**2 * (tilts[0] - tilts[1]) ** 2
    with no_grad():
        share = squared / (1 - iou + squared + eps)
    return share * squared


def _pairs(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    """Reshape to (..., N, 1, 4) and (..., 1, M, 4), which broadcast to all pairs; boxes1 may be one box (4,)."""
    return boxes1[..., None, :], boxes2[..., None, :, :]


def _box_inter_union(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> tuple[Tensor, Tensor]:
    """Return the areas of intersection and union of all pairs; libraries call it by this name."""
    return intersection_and_union(*_pairs(box_convert(boxes1, fmt, "xyxy"), box_convert(boxes2, fmt, "xyxy")))


def box_iou(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> Tensor:
    """Return the IoU (intersection over union) of all pairs: (..., N, 4), (..., M, 4) -> (..., N, M).

    Raises ValueError for unknown formats. Source: torchvision.ops.box_iou.

    >>> torch.porting.vision.ops.box_iou(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[0.0, 0, 1, 2]]))
    tensor([[0.5000]])
    """
    common, either = _box_inter_union(boxes1, boxes2, fmt)
    return common / either


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Return box_iou minus the fraction of the enclosing box that neither covers: Rezatofighi et al. (2019).

    Source: torchvision.ops.generalized_box_iou.

    >>> torch.porting.vision.ops.generalized_box_iou(torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[2.0, 0, 3, 1]]))
    tensor([[-0.3333]])
    """
    return generalized_iou(*_pairs(boxes1, boxes2), 0.0)


def distance_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """Return box_iou minus a penalty for the distance of the centers: Zheng et al. (2020).

    Source: torchvision.ops.distance_box_iou.

    >>> torch.porting.vision.ops.distance_box_iou(torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[2.0, 0, 3, 1]]))
    tensor([[-0.4000]])
    """
    boxes1, boxes2 = _upcast(boxes1), _upcast(boxes2)
    return box_iou(boxes1, boxes2) - center_distance(*_pairs(boxes1, boxes2), eps)


def complete_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """Return distance_box_iou minus a penalty for different aspect ratios: Zheng et al. (2020).

    Source: torchvision.ops.complete_box_iou.

    >>> torch.porting.vision.ops.complete_box_iou(torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[2.0, 0, 3, 1]]))
    tensor([[-0.4000]])
    """
    boxes1, boxes2 = _upcast(boxes1), _upcast(boxes2)
    pairs, iou = _pairs(boxes1, boxes2), box_iou(boxes1, boxes2)
    return iou - center_distance(*pairs, eps) - aspect_penalty(*pairs, iou, eps)


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Clip boxes to an image of size (height, width). Source: torchvision.ops.clip_boxes_to_image.

    >>> torch.porting.vision.ops.clip_boxes_to_image(torch.tensor([[-1, 2, 9, 6]]), (5, 8))
    tensor([[0, 2, 8, 5]])
    """
    height, width = size
    x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return movement.stack((x, y), -1).reshape(boxes.shape)


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """Return the indices of boxes whose sides are ≥ min_size. Source: torchvision.ops.remove_small_boxes.

    >>> torch.porting.vision.ops.remove_small_boxes(torch.tensor([[0, 0, 1, 9], [0, 0, 9, 9]]), 2)
    tensor([1])
    """
    size = boxes[..., 2:] - boxes[..., :2]
    return (size >= min_size).all(-1).nonzero().flatten()


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Non-maximum suppression: the indices of boxes (N, 4) by falling score, without those that overlap a better one.

    Boxes overlap if their box_iou exceeds iou_threshold. Raises RuntimeError if there isn't one score (N,) of the
    boxes' dtype for each box, NotImplementedError for integers. Source: torchvision.ops.nms.

    >>> boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 1.9], [3, 3, 4, 4]])
    >>> torch.porting.vision.ops.nms(boxes, torch.tensor([0.5, 0.9, 0.1]), 0.5)
    tensor([1, 2])
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.shape != boxes.shape[:1]:
        raise ShapeError(
            f"nms: boxes should be a 2d tensor (N, 4) and scores a 1d tensor (N,), but got {tuple(boxes.shape)} and "
            f"{tuple(scores.shape)}"
        )
    if not boxes.is_floating_point():
        raise KindError(f"nms: not implemented for {boxes.dtype}")
    if scores.dtype != boxes.dtype:
        raise DtypeError(f"nms: boxes should have the same type as scores, but got {boxes.dtype} and {scores.dtype}")
    at, kept = boxes.detach().cpu().numpy(), []
    areas = (at[:, 2] - at[:, 0]) * (at[:, 3] - at[:, 1])
    rest = scores.detach().cpu().argsort(descending=True, stable=True).numpy()  # NaN comes first
    while len(rest):
        first, rest = rest[0], rest[1:]
        kept.append(int(first))
        size = np.minimum(at[first, 2:], at[rest, 2:]) - np.maximum(at[first, :2], at[rest, :2])
        common = np.maximum(size, 0).prod(-1)
        with np.errstate(invalid="ignore"):  # 0/0 for two boxes without area
            overlap = common / (areas[first] + areas[rest] - common)
        rest = rest[~(overlap > np.float64(iou_threshold))]  # the threshold isn't rounded to the boxes' dtype
    return creation.tensor(kept, dtype=int64, device=boxes.device)


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Any, iou_threshold: float) -> Tensor:
    """Apply nms separately to the boxes of each class in idxs (N,). Source: torchvision.ops.batched_nms.

    >>> boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 1.9]])
    >>> torch.porting.vision.ops.batched_nms(boxes, torch.tensor([0.5, 0.9]), torch.tensor([0, 1]), 0.5)
    tensor([1, 0])
    """
    if boxes.numel() == 0:
        return creation.empty(0, dtype=int64, device=boxes.device)
    # As in torchvision, the classes are shifted so far apart that none of their boxes overlap.
    shifts = idxs.to(boxes.dtype) * (boxes.max() + 1)
    return nms(boxes + shifts[:, None], scores, iou_threshold)


def masks_to_boxes(masks: Tensor) -> Tensor:
    """Return the bounding boxes (N, 4) of masks (N, H, W); 0 for empty masks. Source: torchvision.ops.masks_to_boxes.

    >>> torch.porting.vision.ops.masks_to_boxes(torch.tensor([[[0, 0, 0], [0, 1, 1]]]))
    tensor([[1., 1., 2., 1.]])
    """
    there = masks != 0
    boxes = creation.zeros(len(masks), 4, device=masks.device)
    for i, mask in enumerate(there):
        rows, columns = (mask.any(d).nonzero().flatten().tolist() for d in (1, 0))
        if rows:
            boxes[i] = creation.tensor([columns[0], rows[0], columns[-1], rows[-1]], dtype=float32)
    return boxes
