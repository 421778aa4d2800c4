"""Losses."""

from __future__ import annotations

from typing import Any

from ...ops import loss
from ..recording import Step
from ..writer import INT64, Symbol, Writer, rule
from .elementwise import clip


def gathered(w: Writer, x: Symbol, reduction: str) -> Any:
    """The values themselves, their sum or their mean."""
    return x if reduction == "none" else w.op("ReduceSum" if reduction == "sum" else "ReduceMean", x, keepdims=0)


@rule(loss.CrossEntropy, loss.NllLoss)
def of_classes(w: Writer, step: Step) -> Any:
    input, target, weight = step.inputs
    kind = "SoftmaxCrossEntropyLoss" if step.function is loss.CrossEntropy else "NegativeLogLikelihoodLoss"
    given = w.of(input), w.of(target, INT64), None if weight is None else w.of(weight)
    return w.op(kind, *given, reduction=step.settings["reduction"], ignore_index=step.settings["ignore_index"])


@rule(loss.SquaredError)
def squared_error(w: Writer, step: Step) -> Any:
    a, b = (w.of(x, step.kinds[0]) for x in step.inputs)
    difference = a - b
    return gathered(w, difference * difference, step.settings["reduction"])


@rule(loss.Huber)
def huber(w: Writer, step: Step) -> Any:
    a, b = (w.of(x, step.kinds[0]) for x in step.inputs)
    difference, delta = a - b, step.settings["delta"]
    near = clip(w, difference, -delta, delta)
    return (difference - near * 0.5) * near


@rule(loss.BinaryCrossEntropyWithLogits)
def with_logits(w: Writer, step: Step) -> Any:
    x, t, p = (None if part is None else w.of(part, step.kinds[0]) for part in step.inputs)
    assert x is not None
    assert t is not None
    below, above = w.op("Softplus", -x), w.op("Softplus", x)  # -log σ(x), -log σ(-x)
    return (1 - t) * above + (t * below if p is None else p * t * below)


@rule(loss.BinaryCrossEntropy)
def binary_cross_entropy(w: Writer, step: Step) -> Any:
    x, t = (w.of(part, step.kinds[0]) for part in step.inputs)
    least = w.constant(-100, x.dtype)
    own, other = (w.op("Max", w.op("Log", part), least) for part in (x, 1 - x))
    return -(t * own + (1 - t) * other)
