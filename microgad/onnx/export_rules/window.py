"""Rules of sliding windows: convolution, pooling, resizing, im2col."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...backend.axis_order import inverse
from ...ops.window import pool
from ...ops.window.adaptive import AdaptiveAvg
from ...ops.window.conv import Conv2d, ConvTranspose2d
from ...ops.window.fractional_pool import BoxArgmax
from ...ops.window.pool import AvgPool2d, MaxPool2d
from ...ops.window.resample import Resample
from ...ops.window.unfold import Fold, Unfold
from ..dynamic_axes import Dim, at_size_one
from ..recording import Constant, Step
from ..writer import INT64, Writer, rule
from .elementwise import operand, operands


def pads(padding: Any) -> list[int]:
    """Convert (before, after) of each axis to ONNX's order: all before, then all after."""
    return [low for low, _ in padding] + [high for _, high in padding]


def sliding(w: Writer, step: Step) -> dict[str, Any]:
    """Return the attributes of a sliding kernel."""
    window = step.settings["window"]
    return {
        "kernel_shape": list(w.static(window.kernel)),
        "strides": list(w.static(window.stride)),
        "dilations": list(w.static(window.dilation)),
        "pads": pads(w.static(window.padding)),
    }


@rule(Conv2d)
def convolution(w: Writer, step: Step) -> Any:
    given = operands(w, step)
    attributes = sliding(w, step)
    if min(attributes["pads"]) < 0:
        raise w.unsupported("ONNX has no negative padding")
    return w.op("Conv", *given, group=step.settings["groups"], **attributes)


@rule(ConvTranspose2d)
def transposed(w: Writer, step: Step) -> Any:
    given = operands(w, step)
    window, before = step.settings["window"], w.shape_of(step.inputs[0])[2:]
    more = []
    for size, n, k, s, d, (low, high) in zip(
        window.size, before, window.kernel, window.stride, window.dilation, window.padding, strict=True
    ):
        if isinstance(size, Dim) != isinstance(n, Dim):
            w.static(size)
        more.append(int(at_size_one(size) - ((at_size_one(n) - 1) * s + (k - 1) * d + 1 - low - high)))
    attributes = sliding(w, step)
    return w.op("ConvTranspose", *given, group=step.settings["groups"], output_padding=more, **attributes)


@rule(MaxPool2d)
def max_pool(w: Writer, step: Step) -> Any:
    x = operand(w, step)
    if not step.settings["indices"]:
        return w.op("MaxPool", x, **sliding(w, step))
    largest, where = w.op("MaxPool", x, outputs=2, **sliding(w, step))
    area = math.prod(w.static(step.settings["window"].size))
    return largest, w.op("Mod", where, w.constant(area, INT64))


@rule(AvgPool2d)
def avg_pool(w: Writer, step: Step) -> Any:
    x, window, attributes = operand(w, step), step.settings["window"], sliding(w, step)
    inside, divisor = step.settings["count_include_pad"], step.settings["divisor_override"]
    area = math.prod(window.kernel)
    del attributes["dilations"]
    even = all(low == high for low, high in window.padding)
    if divisor is None and (window.unpadded or even or not inside):
        # A window beyond the far edge excludes the cells there, but ONNX includes them if it includes padding.
        return w.op("AveragePool", x, count_include_pad=int(inside), **attributes)
    sums = w.op("AveragePool", x, count_include_pad=1, **attributes)
    if divisor is not None:
        return sums * (area / divisor)
    w.static(window.size)
    return sums * w.constant(area / pool.window_counts(window, True, np.dtype(np.float64)), x.dtype)


@rule(Resample, AdaptiveAvg)
def resampled(w: Writer, step: Step) -> Any:
    x, axis, taps = operand(w, step), step.settings["axis"], w.static(step.settings["matrix"])
    cells, weights = np.asarray(taps.cells), taps.weights
    if len(cells) == 1 and weights is None:
        return w.op("Gather", x, w.constant(cells[0], INT64), axis=axis)
    steps = cells.shape[1]
    matrix = np.zeros((taps.size + 1, steps))
    np.add.at(matrix, (cells, np.arange(steps)), 1.0 if weights is None else weights)
    ndim = len(w.shape_of(step.inputs[0]))
    product = w.constant(matrix[:-1], x.dtype)
    if axis == ndim - 1:
        return w.op("MatMul", x, product)
    order = [i for i in range(ndim) if i != axis] + [axis]
    made = w.op("MatMul", w.op("Transpose", x, perm=order), product)
    return w.op("Transpose", made, perm=inverse(order))


RESIZED = {
    "nearest": ("nearest", "asymmetric"),
    "nearest-exact": ("nearest", "half_pixel"),
    "linear": ("linear", "pytorch_half_pixel"),
    "bilinear": ("linear", "pytorch_half_pixel"),
    "trilinear": ("linear", "pytorch_half_pixel"),
    "bicubic": ("cubic", "pytorch_half_pixel"),
}


@rule("interpolate", when=lambda arguments: arguments["mode"] in RESIZED and not arguments["antialias"])
def interpolate(w: Writer, step: Step) -> Any:
    mode, places = RESIZED[step.settings["mode"]]
    factor, sizes = step.settings["scale_factor"], step.shapes[0]
    if step.settings["align_corners"]:
        places = "align_corners"
    given: list[Any] = [None, None, w.ints([*w.shape_of(step.inputs[0])[:2], *sizes[2:]])]
    if factor is not None and not step.settings["recompute_scale_factor"] and places != "align_corners":
        factors = factor if isinstance(factor, tuple) else (factor,) * (len(sizes) - 2)
        given = [None, w.constant([1.0, 1.0, *map(float, factors)], np.float32)]
    return w.op(
        "Resize", w.of(step.inputs[0]), *given, mode=mode, coordinate_transformation_mode=places,
        nearest_mode="floor" if step.settings["mode"] == "nearest" else "round_prefer_ceil", cubic_coeff_a=-0.75,
    )  # fmt: skip


@rule(Unfold)
def im2col(w: Writer, step: Step) -> Any:
    x, window = operand(w, step), step.settings["window"]
    w.static(window)
    (top, bottom), (left, right) = window.padding
    channels = w.static(w.shape_of(step.inputs[0])[1])
    x = w.op("Pad", x, w.ints([0, 0, top, left, 0, 0, bottom, right])) if not window.unpadded else x
    (height, width), (kh, kw), (oh, ow) = window.padded_size, window.kernel, window.out
    rows = np.arange(kh)[:, None] * window.dilation[0] + np.arange(oh) * window.stride[0]
    columns = np.arange(kw)[:, None] * window.dilation[1] + np.arange(ow) * window.stride[1]
    cells = rows[:, None, :, None] * width + columns[None, :, None, :]
    flat = w.op("Reshape", x, w.ints([0, 0, height * width]))
    taken = w.op("Gather", flat, w.constant(cells.reshape(kh * kw, oh * ow), INT64), axis=2)
    return w.op("Reshape", taken, w.ints([0, channels * kh * kw, oh * ow]))


@rule(Fold)
def col2im(w: Writer, step: Step) -> Any:
    if w.opset < 18:
        raise w.unsupported("ONNX has it from opset 18 on")
    window = w.static(step.settings["window"])
    return w.op(
        "Col2Im", operand(w, step), w.ints(window.size), w.ints(window.kernel), dilations=list(window.dilation),
        pads=pads(window.padding), strides=list(window.stride),
    )  # fmt: skip


@rule(BoxArgmax)
def winners(w: Writer, step: Step) -> Any:
    given = (x.array if isinstance(x, Constant) else w.static(x) for x in step.settings["tables"])
    tables = [np.asarray(table) for table in given]
    if any(table.ndim != 2 for table in tables):
        raise w.unsupported("its windows are random")
    sizes = w.shape_of(step.inputs[0])
    dims, lead = len(tables), len(sizes) - len(tables)
    spread = np.zeros((1,) * (2 * dims), np.int64)
    for i, table in enumerate(tables):
        shape = [1] * (2 * dims)
        shape[i], shape[dims + i] = table.shape[1], table.shape[0]
        spread = spread * w.static(sizes[lead + i]) + table.T.reshape(shape)
    outs, taps = math.prod(spread.shape[:dims]), math.prod(spread.shape[dims:])
    cells = spread.reshape(outs, taps)
    x = w.op("Reshape", operand(w, step), w.ints([0] * lead + [-1]))
    taken = w.op("Gather", x, w.constant(cells, INT64), axis=lead)
    best = w.op("ArgMax", taken, axis=lead + 1, keepdims=0) + w.constant(np.arange(outs) * taps, INT64)
    places = w.op("Gather", w.constant(cells.reshape(-1), INT64), best, axis=0)
    return w.op("Reshape", places, w.ints([0] * lead + list(spread.shape[:dims])))


@rule("grid_sample")
def grid_sample(w: Writer, step: Step) -> Any:
    mode, flat = step.settings["mode"], len(w.shape_of(step.inputs[0])) == 4
    if not flat and w.opset < 20:
        raise w.unsupported("for volumes ONNX has it from opset 20 on")
    names = {"bilinear": "linear", "bicubic": "cubic"} if w.opset >= 20 else {}
    x, places = operands(w, step)
    return w.op(
        "GridSample", x, places, mode=names.get(mode, mode), padding_mode=step.settings["padding_mode"],
        align_corners=int(bool(step.settings["align_corners"])),
    )  # fmt: skip
