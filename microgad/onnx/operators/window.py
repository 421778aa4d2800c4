"""Kernels of convolution, pooling, resizing and sampling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...dtypes import limits
from ...nn import functional as F
from ...ops import creation, elementwise, indexing, linalg, movement, reduction
from ...ops.support import fast_numpy
from ...tensor import Tensor
from ..graphs import Node, operator
from .movement import column, pad_last_axes

CONV = (F.conv1d, F.conv2d, F.conv3d)
CONV_TRANSPOSE = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)


def kernel_of(node: Node, size: Any, kernel: list[int]) -> tuple[list[int], list[int], list[tuple[int, int]]]:
    """Return strides, dilations and paddings (before, after) of a sliding kernel for an input of this size."""
    dims = len(kernel)
    strides, dilations = node.get("strides", [1] * dims), node.get("dilations", [1] * dims)
    pads, auto = node.get("pads", [0] * (2 * dims)), node.get("auto_pad", "NOTSET")
    if auto in ("NOTSET", ""):
        return strides, dilations, [(pads[i], pads[i + dims]) for i in range(dims)]
    if auto == "VALID":
        return strides, dilations, [(0, 0)] * dims
    edges = []
    for n, k, s, d in zip(size, kernel, strides, dilations, strict=True):
        edges.append(_split_padding(max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0), auto))
    return strides, dilations, edges


def _split_padding(total: int, auto: str) -> tuple[int, int]:
    """Split a padding into its two ends; an odd number gives more to the upper or to the lower end."""
    small = total // 2
    return (small, total - small) if auto == "SAME_UPPER" else (total - small, small)


@operator("Conv")
def conv(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    dims = x.ndim - 2
    strides, dilations, edges = kernel_of(node, x.shape[2:], list(weight.shape[2:]))
    even = all(low == high >= 0 for low, high in edges)
    padding = [low for low, _ in edges] if even else [0] * dims
    x = x if even else pad_last_axes(x, edges)
    return CONV[dims - 1](x, weight, bias, strides, padding, dilations, node.get("group", 1))


@operator("ConvTranspose")
def conv_transpose(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    dims, kernel = x.ndim - 2, list(weight.shape[2:])
    strides, dilations = node.get("strides", [1] * dims), node.get("dilations", [1] * dims)
    more, wanted = node.get("output_padding", [0] * dims), node.get("output_shape")
    pads, auto = node.get("pads", [0] * (2 * dims)), node.get("auto_pad", "NOTSET")
    full = CONV_TRANSPOSE[dims - 1](x, weight, None, strides, 0, 0, node.get("group", 1), dilations)
    edges = []
    for i, (n, s, k, d) in enumerate(zip(x.shape[2:], strides, kernel, dilations, strict=True)):
        whole = (n - 1) * s + (k - 1) * d + 1 + more[i]
        low, high = pads[i], pads[i + dims]
        if wanted is not None or auto.startswith("SAME"):
            low, high = _split_padding(whole - (wanted[-dims:][i] if wanted is not None else n * s), auto)
        edges.append((-low, more[i] - high))
    full = pad_last_axes(full, edges)
    return full if bias is None else full + column(bias, full.ndim)


def pooling(node: Node, x: Tensor) -> tuple[Any, ...]:
    """Return kernel, strides, dilations, paddings, and paddings extended for the last window of ceil_mode."""
    kernel = node.get("kernel_shape")
    strides, dilations, edges = kernel_of(node, x.shape[2:], kernel)
    whole = list(edges)
    if node.get("ceil_mode") and node.get("auto_pad", "NOTSET") in ("NOTSET", ""):
        for i, (n, k, s, d, (low, high)) in enumerate(zip(x.shape[2:], kernel, strides, dilations, edges, strict=True)):
            span = (k - 1) * d + 1
            rest = (n + low + high - span) % s
            if rest and (n + low + high - span) // s * s + s < n + low:
                whole[i] = low, high + s - rest
    return kernel, strides, dilations, edges, whole


def _window_sums(x: Tensor, kernel: list[int], strides: list[int], dilations: list[int]) -> Tensor:
    """Return the sum of each window."""
    dims = len(kernel)
    if set(dilations) == {1}:
        return (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[dims - 1](x, kernel, strides) * math.prod(kernel)
    n, c, *size = x.shape
    flat = movement.reshape(x, (n * c, 1, *size))
    made = CONV[dims - 1](flat, creation.ones(1, 1, *kernel, dtype=x.dtype), None, strides, 0, dilations)
    return movement.reshape(made, (n, c, *made.shape[2:]))


@operator("AveragePool")
def average_pool(node: Node, x: Tensor) -> Any:
    kernel, strides, dilations, edges, whole = pooling(node, x)
    sums = _window_sums(pad_last_axes(x, whole), kernel, strides, dilations)
    if not any(map(any, whole)):
        return sums / math.prod(kernel)
    ones = creation.ones(1, 1, *x.shape[2:], dtype=x.dtype)
    counted = pad_last_axes(ones, edges, 1.0 if node.get("count_include_pad") else 0.0)
    over = [(0, far - high) for (_, high), (_, far) in zip(edges, whole, strict=True)]
    return sums / _window_sums(pad_last_axes(counted, over), kernel, strides, dilations)


@operator("LpPool")
def lp_pool(node: Node, x: Tensor) -> Any:
    kernel, strides, dilations, _, whole = pooling(node, x)
    p = node.get("p", 2)
    return _window_sums(pad_last_axes(elementwise.abs(x) ** p, whole), kernel, strides, dilations) ** (1 / p)


@operator("MaxPool")
def max_pool(node: Node, x: Tensor) -> Any:
    kernel, strides, dilations, _, whole = pooling(node, x)
    dims, dtype = len(kernel), x.array.dtype
    wide = pad_last_axes(x, whole, limits.lowest(dtype))
    pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[dims - 1]
    if dtype.itemsize == 1:  # PyTorch has no pooling of 8-bit integers
        wide = wide.to(np.int32)
    indexed = len(node.outputs) > 1
    made = pool(wide, kernel, strides, 0, dilations, return_indices=indexed)
    if not indexed:
        return made.to(dtype)
    values, places = made
    corners = fast_numpy.unraveled(places.array, tuple(wide.shape[2:]))
    cells = [cell - low for cell, (low, _) in zip(corners, whole, strict=True)]
    size = tuple(x.shape[2:])
    if node.get("storage_order"):
        cells, size = cells[::-1], size[::-1]
    flat = np.ravel_multi_index(tuple(cells), size)
    planes = np.arange(math.prod(x.shape[:2])).reshape(*x.shape[:2], *(1,) * dims)
    return values.to(dtype), creation.as_tensor((flat + planes * math.prod(size)).astype(np.int64))


@operator("MaxUnpool")
def max_unpool(node: Node, x: Tensor, places: Tensor, shape: Tensor | None = None) -> Any:
    kernel = node.get("kernel_shape")
    strides, _, edges = kernel_of(node, x.shape[2:], kernel)
    sizes = zip(x.shape[2:], strides, kernel, edges, strict=True)
    size = [(n - 1) * s + k - low - high for n, s, k, (low, high) in sizes]
    whole = [*x.shape[:2], *size]
    flat = creation.zeros(math.prod(whole), dtype=x.dtype)
    made = indexing.scatter(flat, 0, movement.reshape(places, (-1,)), movement.reshape(x, (-1,)))
    made = movement.reshape(made, whole)
    if shape is None:
        return made
    return pad_last_axes(made, [(0, n - m) for n, m in zip(shape.tolist()[2:], size, strict=True)])


@operator("GlobalAveragePool")
def global_average_pool(node: Node, x: Tensor) -> Any:
    return reduction.mean(x, tuple(range(2, x.ndim)), True)


@operator("GlobalMaxPool")
def global_max_pool(node: Node, x: Tensor) -> Any:
    return reduction.amax(x, tuple(range(2, x.ndim)), True)


@operator("GlobalLpPool")
def global_lp_pool(node: Node, x: Tensor) -> Any:
    p = node.get("p", 2)
    return reduction.sum(elementwise.abs(x) ** p, tuple(range(2, x.ndim)), True) ** (1 / p)


@operator("Col2Im")
def col2im(node: Node, x: Tensor, size: Tensor, kernel: Tensor) -> Any:
    sizes, block = size.tolist(), kernel.tolist()
    strides, dilations, edges = kernel_of(node, sizes, block)
    n, c = x.shape[0], x.shape[1] // math.prod(block)
    wide = [m + low + high for m, (low, high) in zip(sizes, edges, strict=True)]
    steps = [(m - (k - 1) * d - 1) // s + 1 for m, k, s, d in zip(wide, block, strides, dilations, strict=True)]
    cells = np.zeros((1,) * (2 * len(block)), np.int64)
    for i, (k, t, s, d) in enumerate(zip(block, steps, strides, dilations, strict=True)):
        line = (np.arange(k)[:, None] * d + np.arange(t) * s).reshape(
            [k if j == i else t if j == i + len(block) else 1 for j in range(2 * len(block))]
        )
        cells = cells * wide[i] + line
    flat = creation.zeros(n * c, math.prod(wide), dtype=x.dtype)
    places = np.broadcast_to(cells.reshape(1, -1), (n * c, cells.size))
    made = indexing.scatter_add(flat, 1, creation.as_tensor(places.copy()), movement.reshape(x, (n * c, cells.size)))
    return pad_last_axes(movement.reshape(made, (n, c, *wide)), [(-low, -high) for low, high in edges])


def _source_coordinates(node: Node, n: int, m: int, scale: float, region: tuple[float, float]) -> Any:
    """Return the coordinate in n input cells of each of m output cells."""
    mode, i = node.get("coordinate_transformation_mode", "half_pixel"), np.arange(m)
    if mode == "align_corners":
        return i * ((n - 1) / (scale * n - 1)) if scale * n > 1 else np.zeros(m)
    if mode == "asymmetric":
        return i / scale
    if mode == "tf_crop_and_resize":
        low, high = region
        return (low + i * (high - low) / (m - 1) if m > 1 else np.full(1, (low + high) / 2)) * (n - 1)
    middle = (i + 0.5) / scale - 0.5
    if mode == "pytorch_half_pixel":
        return middle if m > 1 else np.zeros(m)
    if mode == "half_pixel_symmetric":
        return middle + n / 2 * (1 - m / (scale * n))
    return middle


def _interpolation_matrix(node: Node, n: int, m: int, scale: float, region: tuple[float, float]) -> Any:
    """Return the interpolation weights (m, n), and the coordinates of the m output cells in the input."""
    mode, at = node.get("mode", "nearest"), _source_coordinates(node, n, m, scale, region)
    if mode == "nearest":
        rounds: Any = {
            "round_prefer_floor": lambda x: np.ceil(x - 0.5), "round_prefer_ceil": lambda x: np.floor(x + 0.5),
            "floor": np.floor, "ceil": np.ceil, "before opset 11": np.ceil if scale < 1 else np.floor,
        }[node.get("nearest_mode", "round_prefer_floor")]  # fmt: skip
        return np.eye(n)[np.clip(rounds(at), 0, n - 1).astype(np.int64)], at
    wide = min(scale, 1.0) if node.get("antialias") else 1.0
    reach = math.ceil((2 if mode == "cubic" else 1) / wide) + 1
    taps = np.floor(at).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
    far = np.abs(taps - at[:, None]) * wide
    if mode == "cubic":
        a = node.get("cubic_coeff_a", -0.75)
        near = ((a + 2) * far - (a + 3)) * far * far + 1
        weights = np.where(far <= 1, near, np.where(far < 2, (((far - 5) * far + 8) * far - 4) * a, 0))
    else:
        weights = np.maximum(1 - far, 0)
    if node.get("exclude_outside"):
        weights = np.where((taps >= 0) & (taps < n), weights, 0)
    if node.get("exclude_outside") or wide < 1:
        weights = weights / weights.sum(1, keepdims=True)
    made = np.zeros((m, n))
    np.add.at(made, (np.arange(m)[:, None], np.clip(taps, 0, n - 1)), weights)
    return made, at


@operator("Resize")
def resize(
    node: Node, x: Tensor, region: Tensor | None = None, scales: Tensor | None = None, sizes: Tensor | None = None
) -> Any:
    if node.opset < 11:  # its second input are the scales
        return upsample(node, x, region)
    axes = [axis % x.ndim for axis in node.get("axes", range(x.ndim))]
    if scales is not None and scales.array.size:
        by = scales.array.astype(np.float64).tolist()
        out = [math.floor(x.shape[axis] * s) for axis, s in zip(axes, by, strict=True)]
    else:
        assert sizes is not None
        out = sizes.tolist()
        by = [m / x.shape[axis] for axis, m in zip(axes, out, strict=True)]
        policy = node.get("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            one = (min if policy == "not_larger" else max)(by)
            by = [one] * len(axes)
            out = [int(one * x.shape[axis] + 0.5) for axis in axes]
    corners = [0.0] * len(axes) + [1.0] * len(axes) if region is None or not region.array.size else region.tolist()
    return _resized(node, x, axes, out, by, corners)


def _resized(node: Node, x: Tensor, axes: Any, out: list[int], by: list[float], corners: list[float]) -> Any:
    outside = np.zeros((1,) * x.ndim, bool)
    kind = x.dtype
    made = x if kind.is_floating_point else x.double()
    for i, (axis, m, scale) in enumerate(zip(axes, out, by, strict=True)):
        n, crop = made.shape[axis], node.get("coordinate_transformation_mode") == "tf_crop_and_resize"
        if m == n and scale == 1 and not crop:
            continue
        matrix, at = _interpolation_matrix(node, n, m, scale, (corners[i], corners[i + len(axes)]))
        if crop:
            shape = [m if k == axis else 1 for k in range(x.ndim)]
            outside = outside | ((at < 0) | (at > n - 1)).reshape(shape)
        lines = linalg.matmul(movement.movedim(made, axis, -1), creation.as_tensor(matrix.T.astype(made.array.dtype)))
        made = movement.movedim(lines, -1, axis)
    if outside.any():
        value = node.get("extrapolation_value", 0.0)
        made = elementwise.where(creation.as_tensor(outside), creation.full((), value, dtype=made.dtype), made)
    return made.to(kind)


@operator("Upsample")
def upsample(node: Node, x: Tensor, scales: Tensor | None = None) -> Any:
    by = node.get("scales") if scales is None else scales.tolist()
    mode = {"bilinear": "linear"}.get(node.get("mode", "nearest"), node.get("mode", "nearest"))
    attributes = {"mode": mode, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "before opset 11"}
    made = Node(node.op_type, node.name, node.run, attributes, [], [], node.opset)
    out = [math.floor(n * s) for n, s in zip(x.shape, by, strict=True)]
    return _resized(made, x, list(range(x.ndim)), out, by, [0.0] * (2 * x.ndim))


@operator("GridSample")
def grid_sample(node: Node, x: Tensor, grid: Tensor) -> Any:
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(node.get("mode", "linear"), node.get("mode"))
    return F.grid_sample(x, grid, mode, node.get("padding_mode", "zeros"), bool(node.get("align_corners", 0)))


@operator("AffineGrid")
def affine_grid(node: Node, theta: Tensor, size: Tensor) -> Any:
    return F.affine_grid(theta, size.tolist(), bool(node.get("align_corners", 0)))


@operator("RoiAlign")
def roi_align(node: Node, x: Tensor, regions: Tensor, batch: Tensor) -> Any:
    height, width = node.get("output_height", 1), node.get("output_width", 1)
    default = "half_pixel" if node.opset >= 16 else "output_half_pixel"
    shift = 0.5 if node.get("coordinate_transformation_mode", default) == "half_pixel" else 0.0
    boxes = regions.array.astype(np.float64) * node.get("spatial_scale", 1.0) - shift
    largest, per = node.get("mode", "avg") == "max", node.get("sampling_ratio", 0)
    found = []
    for box, image in zip(boxes, batch.tolist(), strict=True):
        lines: list[Any] = []
        for low, high, n, steps in ((box[1], box[3], x.shape[2], height), (box[0], box[2], x.shape[3], width)):
            size = high - low if shift else max(high - low, 1.0)
            each = per or max(math.ceil(size / steps), 1)
            at = low + (np.arange(steps * each) + 0.5) * size / (steps * each)
            lines.append((at, n, each))
        found.append(_sampled(indexing.getitem(x, image), lines[0], lines[1], largest))
    return movement.stack(found) if found else creation.zeros(0, x.shape[1], height, width, dtype=x.dtype)


def _sampled(plane: Tensor, rows: Any, columns: Any, largest: bool) -> Tensor:
    corners = []
    for at, n, _ in (rows, columns):
        inside = (at >= -1) & (at <= n)
        at = np.clip(at, 0, n - 1)
        low = np.minimum(np.floor(at).astype(np.int64), n - 1)
        part = at - low
        corners.append(((low, (1 - part) * inside), (np.minimum(low + 1, n - 1), part * inside)))
    parts = []
    for r, wr in corners[0]:
        for c, wc in corners[1]:
            weight = creation.as_tensor(np.outer(wr, wc).astype(plane.array.dtype))
            parts.append(indexing.getitem(plane, (slice(None), r[:, None], c)) * weight)
    (_, _, a), (_, _, b) = rows, columns
    values = movement.stack(parts)
    merged = values if largest else reduction.sum(values, (0,), True)
    k, channels, h, w = merged.shape
    cells = movement.reshape(merged, (k, channels, h // a, a, w // b, b))
    return reduction.amax(cells, (0, 3, 5)) if largest else reduction.mean(cells, (0, 3, 5))
