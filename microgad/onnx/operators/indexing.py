"""Kernels of indexing: reading and writing at indices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...ops import creation, elementwise, indexing, movement, reduction
from ...tensor import Tensor
from ..graphs import Node, operator
from .movement import column, take

# ONNX's and PyTorch's names of reductions.
REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def wrap_negative(index: Tensor, size: int) -> Any:
    """Return indices as an array, with negative ones wrapped around."""
    array = index.array.astype(np.int64)
    return np.where(array < 0, array + size, array)


@operator("Gather")
def gather(node: Node, x: Tensor, index: Tensor) -> Any:
    return take(x, node.get("axis", 0), index.array.astype(np.int64) if index.ndim else int(index.item()))


@operator("GatherElements")
def gather_elements(node: Node, x: Tensor, index: Tensor) -> Any:
    axis = node.get("axis", 0) % x.ndim
    return indexing.gather(x, axis, creation.as_tensor(wrap_negative(index, x.shape[axis])))


@operator("GatherND")
def gather_nd(node: Node, x: Tensor, index: Tensor) -> Any:
    return indexing.getitem(x, nd_index(index.array, node.get("batch_dims", 0)))


def nd_index(index: Any, batch: int = 0) -> tuple[Any, ...]:
    """Convert positions (..., k) to an index tuple; the first `batch` axes are shared with the indexed array."""
    parts = tuple(np.moveaxis(index.astype(np.int64), -1, 0))
    dims = index.ndim - 1
    return (*(column(np.arange(n), dims, k) for k, n in enumerate(index.shape[:batch])), *parts)


@operator("Scatter", "ScatterElements")
def scatter_elements(node: Node, x: Tensor, index: Tensor, updates: Tensor) -> Any:
    axis, how = node.get("axis", 0) % x.ndim, node.get("reduction", "none")
    places = creation.as_tensor(wrap_negative(index, x.shape[axis]))
    if how == "none":
        return indexing.scatter(x, axis, places, updates)
    return indexing.scatter_reduce(x, axis, places, updates, REDUCTIONS[how])


@operator("ScatterND")
def scatter_nd(node: Node, x: Tensor, index: Tensor, updates: Tensor) -> Any:
    how, places = node.get("reduction", "none"), nd_index(index.array)
    where = tuple(creation.as_tensor(part) for part in places)
    if how in ("none", "add"):
        return indexing.index_put(x, where, updates, accumulate=how == "add")
    k = index.shape[-1]
    sizes, rest = x.shape[:k], math.prod(x.shape[k:])
    flat = np.ravel_multi_index(tuple(p % n for p, n in zip(places, sizes, strict=True)), sizes).reshape(-1)
    wide = creation.as_tensor(flat[:, None]).expand(flat.size, rest)
    lines = movement.reshape(x, (math.prod(sizes), rest)), movement.reshape(updates, (flat.size, rest))
    return movement.reshape(indexing.scatter_reduce(lines[0], 0, wide, lines[1], REDUCTIONS[how]), tuple(x.shape))


@operator("TensorScatter")
def tensor_scatter(node: Node, cache: Tensor, update: Tensor, where: Tensor | None = None) -> Any:
    axis, count = node.get("axis", -2) % cache.ndim, cache.shape[0]
    starts = np.zeros(count, np.int64) if where is None else where.array
    steps = starts[:, None] + np.arange(update.shape[axis])
    if node.get("mode", "linear") == "circular":
        steps = steps % cache.shape[axis]
    rows = movement.movedim(cache, axis, 1)
    made = indexing.index_put(
        rows,
        (creation.as_tensor(np.arange(count)[:, None]), creation.as_tensor(steps)),
        movement.movedim(update, axis, 1),
    )
    return movement.movedim(made, 1, axis)


@operator("OneHot")
def one_hot(node: Node, index: Tensor, depth: Tensor, values: Tensor) -> Any:
    size, axis = int(depth.item()), node.get("axis", -1)
    axis %= index.ndim + 1
    hot = np.expand_dims(wrap_negative(index, size), axis) == column(np.arange(size), index.ndim + 1, axis)
    hot = creation.as_tensor(hot)
    return elementwise.where(hot, indexing.getitem(values, 1), indexing.getitem(values, 0))


@operator("NonZero")
def nonzero(node: Node, x: Tensor) -> Any:
    return movement.permute(reduction.nonzero(x), (1, 0))


@operator("Compress")
def compress(node: Node, x: Tensor, condition: Tensor) -> Any:
    axis, places = node.get("axis"), np.flatnonzero(condition.array)
    if axis is None:
        return indexing.getitem(movement.reshape(x, (-1,)), places)
    return take(x, axis, places)


@operator("Unique")
def unique(node: Node, x: Tensor) -> Any:
    axis = node.get("axis")
    array = x.array
    values, first, back, counts = np.unique(array, True, True, True, axis=axis)
    back = back.reshape(-1)
    if not node.get("sorted", 1):
        order = np.argsort(first, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        values = np.take(values, order, 0 if axis is None else axis)
        first, counts, back = first[order], counts[order], rank[back]
    unique_values = indexing.getitem(movement.reshape(x, (-1,)), first) if axis is None else creation.as_tensor(values)
    return unique_values, *(creation.as_tensor(part.astype(np.int64)) for part in (first, back, counts))


@operator("TopK")
def topk(node: Node, x: Tensor, k: Tensor | None = None) -> Any:
    count, axis = node.get("k") if k is None else k.item(), node.get("axis", -1)
    found = reduction.sort(x, axis, bool(node.get("largest", 1)), stable=True)  # the first of equal elements
    return tuple(movement.narrow(part, axis, 0, count) for part in found)


@operator("NonMaxSuppression")
def non_max_suppression(
    node: Node, boxes: Tensor, scores: Tensor, most: Tensor | None = None, overlap: Tensor | None = None,
    least: Tensor | None = None,
) -> Any:  # fmt: skip
    limit = 0 if most is None else most.item()
    bound = 0.0 if overlap is None else overlap.item()
    found = []
    for n, c in np.ndindex(*scores.shape[:2]):
        corners, score = _corners(boxes.array[n], node.get("center_point_box", 0)), scores.array[n, c]
        order = np.argsort(-score, kind="stable")
        if least is not None:
            order = order[score[order] > least.item()]
        chosen: list[int] = []
        for i in order:
            if len(chosen) >= limit:
                break
            if all(_iou(corners[i], corners[j]) <= bound for j in chosen):
                chosen.append(int(i))
        found += [(n, c, i) for i in chosen]
    return creation.as_tensor(np.array(found, np.int64).reshape(-1, 3))


def _corners(boxes: Any, by_center: int) -> Any:
    if by_center:
        x, y, w, h = boxes.T
        boxes = np.stack([y - h / 2, x - w / 2, y + h / 2, x + w / 2], 1)
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    return np.concatenate([low, high], 1)


def _iou(a: Any, b: Any) -> float:
    """Return the intersection over union."""
    both = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0).prod()
    union = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - both
    return float(both / union) if union > 0 else 0.0
