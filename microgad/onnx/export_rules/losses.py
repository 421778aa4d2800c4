"""Rules of losses."""

from __future__ import annotations

from typing import Any

from ...ops import loss
from ...ops.loss.reduction import resolve_reduction
from ..recording import Step
from ..writer import INT64, Symbol, Writer, rule
from .elementwise import clip, operands
from .indexing import one_hot
from .layers import column
from .movement import unsqueezed


def apply_reduction(w: Writer, x: Symbol, reduction: str) -> Any:
    """Reduce to the sum or the mean, or return the values themselves."""
    return x if reduction == "none" else w.op("ReduceSum" if reduction == "sum" else "ReduceMean", x, keepdims=0)


def _smoothed(args: dict[str, Any]) -> bool:
    return args["label_smoothing"] > 0 and args["input"].ndim > 1 and not args["target"].is_floating_point()


@rule(loss.CrossEntropy, loss.NllLoss)
def of_classes(w: Writer, step: Step) -> Any:
    input, target, weight = step.inputs
    kind = "SoftmaxCrossEntropyLoss" if step.function is loss.CrossEntropy else "NegativeLogLikelihoodLoss"
    given = w.of(input), w.of(target, INT64), None if weight is None else w.of(weight)
    return w.op(kind, *given, reduction=step.settings["reduction"], ignore_index=step.settings["ignore_index"])


@rule("cross_entropy", when=_smoothed)
def of_smoothed_classes(w: Writer, step: Step) -> Any:
    """Write cross entropy with label smoothing: each class has a share of the label, and the target the rest."""
    x, target, *weight = step.inputs
    ndim, arguments = len(w.shape_of(x)), step.settings
    share, ignored = arguments["label_smoothing"], arguments["ignore_index"]
    reduction = resolve_reduction(arguments["size_average"], arguments["reduce"], arguments["reduction"])
    logs, classes = w.op("LogSoftmax", w.of(x), axis=1), w.of(target, INT64)

    def at_classes(values: Symbol, reduction: str) -> Symbol:
        given = [values, classes, *(w.of(part) for part in weight)]
        return w.op("NegativeLogLikelihoodLoss", *given, reduction=reduction, ignore_index=ignored)

    counted = w.cast(w.op("Not", classes.same(ignored)), logs.dtype)
    others = summed(w, logs * column(w, weight[0], ndim, logs.dtype) if weight else logs, 1) * counted
    total = at_classes(logs, "none") * (1 - share) - others * (share / w.static(w.shape_of(x)[1]))
    if reduction != "mean":
        return apply_reduction(w, total, reduction)
    ones = w.op("Expand", w.constant(-1, logs.dtype), w.op("Shape", logs))
    return apply_reduction(w, total, "sum") / at_classes(ones, "sum")


@rule(loss.SquaredError)
def squared_error(w: Writer, step: Step) -> Any:
    a, b = operands(w, step)
    difference = a - b
    return apply_reduction(w, difference * difference, step.settings["reduction"])


@rule(loss.Huber)
def huber(w: Writer, step: Step) -> Any:
    a, b = operands(w, step)
    difference, delta = a - b, step.settings["delta"]
    near = clip(w, difference, -delta, delta)
    return (difference - near * 0.5) * near


@rule(loss.BinaryCrossEntropyWithLogits)
def with_logits(w: Writer, step: Step) -> Any:
    x, t, p = operands(w, step)
    below, above = w.op("Softplus", -x), w.op("Softplus", x)  # -log σ(x), -log σ(-x)
    return (1 - t) * above + (t * below if p is None else p * t * below)


@rule(loss.BinaryCrossEntropy)
def binary_cross_entropy(w: Writer, step: Step) -> Any:
    x, t = operands(w, step)
    least = w.constant(-100, x.dtype)
    own, other = (w.op("Max", w.op("Log", part), least) for part in (x, 1 - x))
    return -(t * own + (1 - t) * other)


def summed(w: Writer, x: Symbol, *axes: int) -> Any:
    """Sum over axes."""
    return w.op("ReduceSum", x, w.ints(axes), keepdims=0)


@rule(loss.MultiMarginLoss)
def multi_margin(w: Writer, step: Step) -> Any:
    x, target = w.of(step.inputs[0]), w.of(step.inputs[1], INT64)
    count = w.shape_of(step.inputs[0])[1]
    own = w.op("GatherElements", x, unsqueezed(w, target, 1), axis=1)
    hinge = w.op("Relu", step.settings["margin"] - own + x) * (1 - one_hot(w, target, count, x.dtype))
    hinge = hinge * hinge if step.settings["p"] == 2 else hinge
    if step.inputs[2] is not None:
        hinge = hinge * unsqueezed(w, w.op("Gather", w.of(step.inputs[2]), target), 1)
    return apply_reduction(w, summed(w, hinge, 1) / w.number(count, x.dtype), step.settings["reduction"])


@rule(loss.MultilabelMarginLoss)
def multilabel_margin(w: Writer, step: Step) -> Any:
    x, target = w.of(step.inputs[0]), w.of(step.inputs[1], INT64)
    count = w.shape_of(step.inputs[0])[1]
    ended = w.op("CumSum", w.cast(target < 0, x.dtype), w.constant(1, INT64))
    counts = 1 - w.op("Min", ended, w.constant(1, x.dtype))  # (N, L): 1 for labels, 0 from the first negative number on
    labels = target * w.cast(counts, INT64)
    places = one_hot(w, labels, count, x.dtype) * unsqueezed(w, counts, 2)  # (N, L, C)
    others = 1 - w.op("Min", summed(w, places, 1), w.constant(1, x.dtype))  # (N, C): 0 at labels
    own = unsqueezed(w, w.op("GatherElements", x, labels, axis=1), 2)
    hinge = w.op("Relu", 1 - own + unsqueezed(w, x, 1)) * unsqueezed(w, counts, 2) * unsqueezed(w, others, 1)
    return apply_reduction(w, summed(w, hinge, 1, 2) / w.number(count, x.dtype), step.settings["reduction"])
