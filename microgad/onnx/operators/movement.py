"""Kernels of movement: shapes, order, joining, padding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...backend.axes import at_axis
from ...ops import creation, movement
from ...ops.indexing import getitem
from ...tensor import Tensor
from ..graphs import Node, operator


def axes_of(node: Node, axes: Tensor | None, name: str = "axes") -> Any:
    """Return axes from the input or, in older opsets, the attribute; None if there are none."""
    return node.get(name) if axes is None else axes.array.reshape(-1).tolist()


def column(x: Any, ndim: int, axis: int = 1) -> Any:
    """Reshape (C), a Tensor or an array, so that it broadcasts along one of `ndim` axes."""
    return x.reshape([-1 if i == axis else 1 for i in range(ndim)])


def take(x: Tensor, axis: int, places: Any) -> Any:
    """Index x at `places` along an axis, which is removed if `places` is a number."""
    return getitem(x, at_axis(axis % x.ndim, places))


@operator("Reshape")
def reshape(node: Node, x: Tensor, shape: Tensor | None = None) -> Any:
    wanted = node.get("shape") if shape is None else shape.tolist()
    if not node.get("allowzero"):
        wanted = [x.shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    return movement.reshape(x, wanted)


@operator("Transpose")
def transpose(node: Node, x: Tensor) -> Any:
    order = node.get("perm")
    return movement.permute(x, list(range(x.ndim))[::-1] if order is None else order)


@operator("Flatten")
def flatten(node: Node, x: Tensor) -> Any:
    axis = node.get("axis", 1)
    return movement.reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


@operator("Squeeze")
def squeeze(node: Node, x: Tensor, axes: Tensor | None = None) -> Any:
    gone = axes_of(node, axes)
    if gone is None:
        return movement.squeeze(x)
    wrong = [axis for axis in gone if x.shape[axis] != 1]
    if wrong:
        raise ValueError(f"axis {wrong[0]} has size {x.shape[wrong[0]]}, not 1")
    return movement.squeeze(x, tuple(gone))


@operator("Unsqueeze")
def unsqueeze(node: Node, x: Tensor, axes: Tensor | None = None) -> Any:
    new = axes_of(node, axes)
    ndim = x.ndim + len(new)
    for axis in sorted(axis % ndim for axis in new):
        x = movement.unsqueeze(x, axis)
    return x


@operator("Expand")
def expand(node: Node, x: Tensor, shape: Tensor) -> Any:
    return movement.broadcast_to(x, np.broadcast_shapes(tuple(x.shape), tuple(shape.tolist())))


@operator("Tile")
def tile(node: Node, x: Tensor, times: Tensor) -> Any:
    return movement.tile(x, tuple(times.tolist()))


@operator("Concat")
def concat(node: Node, *inputs: Tensor) -> Any:
    return movement.cat(inputs, node.get("axis", 1))


@operator("Split")
def split(node: Node, x: Tensor, sizes: Tensor | None = None) -> Any:
    axis, wanted = node.get("axis", 0), axes_of(node, sizes, "split")
    if wanted is None:
        count = node.get("num_outputs", len(node.outputs))
        each = -(-x.shape[axis] // count)
        wanted = [max(min(each, x.shape[axis] - i * each), 0) for i in range(count)]
    return tuple(movement.split(x, wanted, axis))


@operator("Slice")
def slice_(
    node: Node, x: Tensor, starts: Tensor | None = None, ends: Tensor | None = None, axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Any:  # fmt: skip
    first, last = axes_of(node, starts, "starts"), axes_of(node, ends, "ends")
    along = axes_of(node, axes) or list(range(len(first)))
    by = [1] * len(first) if steps is None else steps.tolist()
    index = [slice(None)] * x.ndim
    reversed_axes = []
    for start, end, axis, step in zip(first, last, along, by, strict=True):
        axis %= x.ndim
        if step > 0:
            index[axis] = slice(start, end, step)
            continue
        n = x.shape[axis]
        places = range(n)[slice(max(start, -n), end if end >= -n else None, step)]
        if len(places):
            index[axis] = slice(places[-1], places[0] + 1, -step)
            reversed_axes.append(axis)
        else:
            index[axis] = slice(0, 0)
    made = getitem(x, tuple(index))
    return movement.flip(made, reversed_axes) if reversed_axes else made


@operator("Pad")
def pad(
    node: Node, x: Tensor, pads: Tensor | None = None, value: Tensor | None = None, axes: Tensor | None = None
) -> Any:
    edges = axes_of(node, pads, "pads")
    along = list(range(x.ndim)) if axes is None else [axis % x.ndim for axis in axes.tolist()]
    wide = [(0, 0)] * x.ndim
    for i, axis in enumerate(along):
        wide[axis] = edges[i], edges[i + len(along)]
    mode = node.get("mode", "constant")
    if mode == "constant":
        grown = [(max(low, 0), max(high, 0)) for low, high in wide]
        return _cropped(pad_last_axes(x, grown, node.get("value", 0.0) if value is None else value.item()), wide)
    if mode == "wrap":
        x = _cropped(x, wide)
        for axis, (low, high) in enumerate(wide):
            if low > 0 or high > 0:
                places = np.arange(-max(low, 0), x.shape[axis] + max(high, 0)) % x.shape[axis]
                x = take(x, axis, places)
        return x
    named = {"edge": "replicate", "reflect": "reflect"}[mode]
    for axis, (low, high) in enumerate(wide):  # one axis at a time, because PyTorch only pads the last few axes
        if low > 0 or high > 0:
            lines = movement.movedim(x, axis, -1)
            flat = movement.reshape(lines, (math.prod(lines.shape[:-1]), 1, lines.shape[-1]))
            flat = movement.pad(flat, (max(low, 0), max(high, 0)), named)
            x = movement.movedim(movement.reshape(flat, (*lines.shape[:-1], flat.shape[-1])), -1, axis)
    return _cropped(x, wide)


def pad_last_axes(x: Tensor, edges: list[tuple[int, int]], value: float = 0.0) -> Tensor:
    """Pad the last axes with a value."""
    if not any(map(any, edges)):
        return x
    return movement.pad(x, [n for pair in reversed(edges) for n in pair], value=value)


def _cropped(x: Tensor, wide: list[tuple[int, int]]) -> Tensor:
    if min(map(min, wide), default=0) >= 0:
        return x
    index = [slice(max(-low, 0), n - max(-high, 0)) for n, (low, high) in zip(x.shape, wide, strict=True)]
    return getitem(x, tuple(index))


@operator("CenterCropPad")
def center_crop_pad(node: Node, x: Tensor, shape: Tensor) -> Any:
    wide = [(0, 0)] * x.ndim
    for axis, size in zip(node.get("axes", range(x.ndim)), shape.tolist(), strict=True):
        more = size - x.shape[axis]
        low = int(more / 2)  # the smaller half of an odd number, for padding and for cropping
        wide[axis] = low, more - low
    return pad_last_axes(x, wide)


@operator("Shape")
def shape(node: Node, x: Tensor) -> Any:
    start, end = node.get("start", 0), node.get("end")
    return creation.as_tensor(np.array(list(x.shape)[start:end], np.int64))


@operator("Size")
def size(node: Node, x: Tensor) -> Any:
    return creation.as_tensor(np.array(x.array.size, np.int64))


@operator("DepthToSpace")
def depth_to_space(node: Node, x: Tensor) -> Any:
    by = node.get("blocksize")
    n, c, h, w = x.shape
    if node.get("mode", "DCR") == "DCR":
        parts, order = (n, by, by, c // by**2, h, w), (0, 3, 4, 1, 5, 2)
    else:
        parts, order = (n, c // by**2, by, by, h, w), (0, 1, 4, 2, 5, 3)
    return movement.reshape(movement.permute(movement.reshape(x, parts), order), (n, c // by**2, h * by, w * by))


@operator("SpaceToDepth")
def space_to_depth(node: Node, x: Tensor) -> Any:
    by, order = node.get("blocksize"), (0, 3, 5, 1, 2, 4) if node.get("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    n, c, h, w = x.shape
    parts = movement.permute(movement.reshape(x, (n, c, h // by, by, w // by, by)), order)
    return movement.reshape(parts, (n, c * by**2, h // by, w // by))


@operator("ReverseSequence")
def reverse_sequence(node: Node, x: Tensor, lengths: Tensor) -> Any:
    axes = node.get("time_axis", 0), node.get("batch_axis", 1)
    return movement.movedim(reverse_sequences(movement.movedim(x, axes, (0, 1)), lengths.array), (0, 1), axes)


def reverse_sequences(x: Tensor, lengths: Any) -> Tensor:
    """Reverse each sequence of a batch (T, B, ...) up to its length."""
    place = np.arange(x.shape[0])[:, None]
    return getitem(x, (np.where(place < lengths, lengths - 1 - place, place), np.arange(x.shape[1])))
