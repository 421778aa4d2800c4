"""Rules of reductions, sorting, softmax and matrix products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...ops import reduction, softmax
from ...ops.distance import Cdist, Distances
from ...ops.linalg.einsum import Contract
from ...ops.linalg.norms import VectorNorm
from ...ops.linalg.products import Dot, Linear, MatMul, Mv
from ...ops.reduction.counting import All, Any_, CountNonzero
from ...ops.reduction.distances import EPSILON, Renorm
from ...ops.reduction.extrema import Amax, Amin, Argmax, Argmin, Max, Min
from ...ops.reduction.scans import Cumsum
from ...ops.reduction.sums import Mean, NanSum, Sum
from ...ops.reduction.variance import Std, StdMean, Var, VarMean
from ..recording import Step
from ..writer import BOOL, INT64, Symbol, Writer, rule
from .elementwise import computed_dtype, operand, operands
from .movement import sliced, squeezed, unsqueezed

LETTERS = "abcdefghijklmnopqrstuvwxyz"
REDUCTIONS: dict[Any, str] = {
    Sum: "ReduceSum",
    Mean: "ReduceMean",
    reduction.Prod: "ReduceProd",
    Amax: "ReduceMax",
    Amin: "ReduceMin",
    Max: "ReduceMax",
    Min: "ReduceMin",
    softmax.LogSumExp: "ReduceLogSumExp",
}


def axes_of(w: Writer, step: Step) -> list[int]:
    """Return the axes that a step reduces."""
    axis = step.settings.get("axis")
    if axis is None:
        return list(range(len(w.shape_of(step.inputs[0]))))
    return list(axis) if isinstance(axis, tuple) else [axis]


def reduced(w: Writer, kind: str, x: Symbol, axes: list[int], keepdims: bool = True) -> Symbol:
    """Write ReduceSum or a similar operator. No axes means none here, but all in ONNX."""
    if not axes:
        return x
    if w.opset >= 18 or kind == "ReduceSum":
        return w.op(kind, x, w.ints(axes), keepdims=int(keepdims))
    return w.op(kind, x, axes=axes, keepdims=int(keepdims))


@rule(*REDUCTIONS)
def reduce(w: Writer, step: Step) -> Any:
    x = w.of(step.inputs[0], step.kinds[0])
    return reduced(w, REDUCTIONS[step.function], x, axes_of(w, step), bool(step.settings["keepdims"]))


@rule(NanSum)
def nansum(w: Writer, step: Step) -> Any:
    x = w.of(step.inputs[0], step.kinds[0])
    numbers = w.op("Where", w.op("IsNaN", x), w.constant(0, x.dtype), x)
    return reduced(w, "ReduceSum", numbers, axes_of(w, step), bool(step.settings["keepdims"]))


@rule(Any_, All)
def of_booleans(w: Writer, step: Step) -> Any:
    x = w.cast(w.of(step.inputs[0], BOOL), np.int32)
    kind = "ReduceMax" if step.function is Any_ else "ReduceMin"
    return w.cast(reduced(w, kind, x, axes_of(w, step), bool(step.settings["keepdims"])), BOOL)


@rule(CountNonzero)
def count_nonzero(w: Writer, step: Step) -> Any:
    x = w.cast(w.of(step.inputs[0], BOOL), np.int64)
    return reduced(w, "ReduceSum", x, axes_of(w, step), bool(step.settings.get("keepdims")))


@rule(Argmax, Argmin)
def arg_extremum(w: Writer, step: Step) -> Any:
    x, axis = operand(w, step), step.settings["axis"]
    kind = "ArgMax" if step.function is Argmax else "ArgMin"
    if axis is not None:
        return w.op(kind, x, axis=axis, keepdims=int(step.settings["keepdims"]))
    flat = w.op(kind, w.op("Reshape", x, w.ints([-1])), axis=0, keepdims=0)
    return w.op("Reshape", flat, w.ints([1] * len(step.shapes[0]))) if step.shapes[0] else flat


@rule("max", "min")
def extremum(w: Writer, step: Step) -> Any:
    x, axis, keep = w.of(step.inputs[0]), step.settings.get("dim"), step.settings["keepdim"]
    largest = step.function.__name__ == "max"
    if len(step.inputs) > 1:
        return w.op("Max" if largest else "Min", *operands(w, step))
    if axis is None:
        return reduced(w, "ReduceMax" if largest else "ReduceMin", x, axes_of(w, step), False)
    kind = "ArgMax" if largest else "ArgMin"
    axis %= len(w.shape_of(step.inputs[0]))
    where = w.op(kind, x, axis=axis, keepdims=1)
    value = w.op("GatherElements", x, where, axis=axis)
    return [value, where] if keep else [squeezed(w, value, axis), squeezed(w, where, axis)]


@rule("topk", "sort", "argsort")
def ordered(w: Writer, step: Step) -> Any:
    x, dim = w.of(step.inputs[0]), step.settings["dim"]
    if step.function.__name__ == "topk":
        count, largest = w.ints([step.settings["k"]]), step.settings["largest"]
    else:
        count, largest = w.ints([w.shape_of(step.inputs[0])[dim]]), step.settings["descending"]
    found = w.op("TopK", x, count, outputs=2, axis=dim, largest=int(largest))
    return found[1] if step.function.__name__ == "argsort" else found


@rule("median", "kthvalue")
def at_place(w: Writer, step: Step) -> Any:
    x, sizes, dim = w.of(step.inputs[0]), w.shape_of(step.inputs[0]), step.settings["dim"]
    if dim is None:
        x, sizes = w.op("Reshape", x, w.ints([-1])), (math.prod(w.static(sizes)),)
    axis = dim or 0
    place = step.settings.get("k") or (w.static(sizes[axis]) + 1) // 2  # the lower of the two middle elements
    found = w.op("TopK", x, w.ints([place]), outputs=2, axis=axis, largest=0)
    parts = [sliced(w, part, [place - 1], [place], [axis]) for part in found]
    parts = parts if step.settings["keepdim"] else [squeezed(w, part, axis) for part in parts]
    return parts[0] if dim is None else parts


@rule(Cumsum)
def cumsum(w: Writer, step: Step) -> Any:
    return w.op("CumSum", w.of(step.inputs[0], step.kinds[0]), w.constant(step.settings["axis"], INT64))


@rule(Var)
def var(w: Writer, step: Step) -> Any:
    x, axes, keep = operand(w, step), axes_of(w, step), bool(step.settings["keepdims"])
    centered = x - reduced(w, "ReduceMean", x, axes)
    squares = centered * centered
    correction = step.settings["correction"]
    if not correction:
        return reduced(w, "ReduceMean", squares, axes, keep)
    count = w.op("ReduceProd", w.op("Gather", w.op("Shape", x), w.ints(axes)), keepdims=0)
    return reduced(w, "ReduceSum", squares, axes, keep) / (w.cast(count, x.dtype) - correction)


@rule(VarMean, StdMean)
def with_mean(w: Writer, step: Step) -> Any:
    spread = var(w, step)
    mean = reduced(w, "ReduceMean", operand(w, step), axes_of(w, step), bool(step.settings["keepdims"]))
    return [w.op("Sqrt", spread) if step.function is StdMean else spread, mean]


@rule(Std)
def std(w: Writer, step: Step) -> Any:
    return w.op("Sqrt", var(w, step))


def norm(w: Writer, x: Symbol, axes: list[int], keep: bool, p: float) -> Symbol:
    """Write the p-norm over axes."""
    if p in (1, 2):
        return reduced(w, f"ReduceL{int(p)}", x, axes, keep)
    size = w.op("Abs", x)
    if abs(p) == math.inf:
        return reduced(w, "ReduceMax" if p > 0 else "ReduceMin", size, axes, keep)
    if p == 0:
        return reduced(w, "ReduceSum", w.cast(size > 0, x.dtype), axes, keep)
    total = reduced(w, "ReduceSum", w.op("Pow", size, w.constant(p, x.dtype)), axes, keep)
    return w.op("Pow", total, w.constant(1 / p, x.dtype))


@rule(VectorNorm)
def vector_norm(w: Writer, step: Step) -> Any:
    return norm(w, operand(w, step), axes_of(w, step), bool(step.settings["keepdims"]), step.settings["p"])


@rule(Renorm)
def renorm(w: Writer, step: Step) -> Any:
    x, most = operand(w, step), step.settings["most"]
    size = norm(w, x, axes_of(w, step), True, step.settings["p"])
    return w.op("Where", size > most, x * (w.constant(most, x.dtype) / (size + EPSILON)), x)


@rule(Cdist, Distances)
def cdist(w: Writer, step: Step) -> Any:
    a, b = operands(w, step)
    return norm(w, unsqueezed(w, a, -2) - unsqueezed(w, b, -3), [-1], False, step.settings.get("p", 2))


@rule(softmax.Softmax, softmax.LogSoftmax)
def shares(w: Writer, step: Step) -> Any:
    return w.op(step.function.__name__, operand(w, step), axis=step.settings["axis"])


@rule(MatMul, Mv, Dot)
def matmul(w: Writer, step: Step) -> Any:
    kind = computed_dtype(step)
    return w.op("MatMul", *(w.of(x, kind) for x in step.inputs))


@rule(Linear)
def linear(w: Writer, step: Step) -> Any:
    x, weight, bias = step.inputs
    kind = step.kinds[0]
    if len(w.shape_of(x)) == 2 and kind.kind == "f":
        return w.op("Gemm", w.of(x, kind), w.of(weight, kind), None if bias is None else w.of(bias, kind), transB=1)
    turned = w.op("Transpose", w.of(weight, kind), perm=[1, 0])
    out = w.op("MatMul", w.of(x, kind), turned)
    return out if bias is None else out + w.of(bias, kind)


@rule(Contract)
def contract(w: Writer, step: Step) -> Any:
    labels = step.settings["labels"]
    letters = {label: LETTERS[i] for i, label in enumerate(dict.fromkeys(x for part in labels for x in part))}
    of_a, of_b, of_out = ("".join(letters[label] for label in part) for part in labels)
    kind = computed_dtype(step)
    return w.op("Einsum", *(w.of(x, kind) for x in step.inputs), equation=f"{of_a},{of_b}->{of_out}")
