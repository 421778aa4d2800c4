"""Margin losses: hinge losses of scores, of classes, of distances."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ... import backend
from ...errors import ArgumentError, DtypeError, KindError, ShapeError
from ...function import Function
from ...state import composite
from ...type_aliases import Array, Tensor
from ..activation import logsigmoid
from ..distance import pairwise_distance
from ..elementwise import Select, clamp_min, minimum, ne, sqrt, where
from ..indexing import index_kernels
from ..support import fast_numpy, layouts
from ..support.bare import bare
from ..support.spelling import tensors_only
from .reduction import reduce_losses, reduce_weighted, resolve_reduction, written_into

EPSILON = float(np.float32(1e-12))  # cosine_embedding_loss adds it to squared lengths


@composite
def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Return log(1 + exp(-target · input)), reduced, without overflow; target is 1 or -1.

    The losses have input's shape and dtype. Raises RuntimeError for a target that doesn't broadcast to input's shape.
    Source: torch.nn.functional.soft_margin_loss.

    >>> F.soft_margin_loss(torch.tensor([0.0, 100.0]), torch.tensor([1.0, -1.0]))
    tensor(50.3466)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    losses = 0 - logsigmoid(written_into("soft_margin_loss", target * input, input))  # 0, where -0 would print as -0.
    return reduce_losses(losses, reduction)


@composite
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Return max(0, -target · (input1 - input2) + margin), reduced: for target 1, input1 should be the larger one.

    Raises RuntimeError if the numbers of dimensions differ. Source: torch.nn.functional.margin_ranking_loss.

    >>> F.margin_ranking_loss(torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor([1.0]), 0.5)
    tensor(2.5000)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        raise ShapeError(
            "margin_ranking_loss: All input tensors should have same dimension but got sizes: input1: "
            f"{input1.shape}, input2: {input2.shape}, target: {target.shape}"
        )
    return reduce_losses(clamp_min(-target * (input1 - input2) + float(margin), 0), reduction)


@composite
def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Return input where target is 1, max(0, margin - input) where it is -1, reduced.

    Raises RuntimeError if the shapes don't broadcast. Source: torch.nn.functional.hinge_embedding_loss.

    >>> F.hinge_embedding_loss(torch.tensor([2.0, 0.25]), torch.tensor([1.0, -1.0]), reduction="none")
    tensor([2.0000, 0.7500])
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    beyond = where(ne(target, 1), clamp_min(margin - input, 0).to(input.dtype), 0)
    return reduce_losses(beyond + where(ne(target, -1), input, 0), reduction)


@composite
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Return 1 - cos where target is 1, max(0, cos - margin) where it is -1, reduced; cos is the cosine similarity.

    The inputs are (N, D) and target is (N), or they are (D) and (); otherwise RuntimeError is raised.
    Source: torch.nn.functional.cosine_embedding_loss.

    >>> F.cosine_embedding_loss(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]]), torch.tensor([1]))
    tensor(0.2929)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    if target.ndim > 1:
        raise ShapeError("cosine_embedding_loss: 0D or 1D target tensor expected, multi-target not supported")
    if input1.ndim != target.ndim + 1 or input2.ndim != target.ndim + 1:
        raise ShapeError(
            f"cosine_embedding_loss: {target.ndim}D target tensor expects {target.ndim + 1}D input tensors, but found "
            f"inputs with sizes {list(input1.shape)} and {list(input2.shape)}"
        )
    dot, square1, square2 = ((a * b).sum(-1) for a, b in ((input1, input2), (input1, input1), (input2, input2)))
    cosine = dot / sqrt((square1 + EPSILON) * (square2 + EPSILON))
    losses = where(target == 1, 1 - cosine, 0.0) + where(target == -1, clamp_min(cosine - margin, 0), 0.0)
    return reduce_losses(losses, reduction)


class MultiMarginLoss(Function):
    """Σ weight · max(0, margin - x[target] + x)ᵖ / C over other classes, reduced: (N, C), int (N), (C) -> (N) or ()."""

    symbol = "multi margin"

    def forward(self, input, target, weight):
        _check_kind(input)
        hinge = self._hinge(input, target)
        if self.p == 2:
            hinge *= hinge
        if weight is not None:
            hinge = hinge * weight[target][:, None]
        return reduce_weighted(hinge.sum(1) / input.shape[1], None, None, len(input) or math.nan, self.reduction)

    def _hinge(self, x: Array, target: Array) -> Array:
        """Return max(0, margin - x[target] + x), and 0 at the target: a bare array (N, C)."""
        own = backend.like(np.arange(len(x)), x), target
        hinge = x + (self.margin - x[own])[:, None]
        np.fmax(hinge, 0, out=hinge)  # NaN becomes 0, as in PyTorch
        hinge[own] = 0
        return hinge

    def grad_input(self, grad, input, target, weight):
        hinge = self._hinge(input, target)
        scale = _row_gradients(grad, len(input), self.reduction) / input.shape[1]
        if weight is not None:
            scale = scale * weight[target]
        out = 2 * hinge if self.p == 2 else np.astype(hinge != 0, hinge.dtype)
        out[backend.like(np.arange(len(input)), input), target] = 0 - out.sum(1)  # 0, not -0, without a slope
        out *= scale[:, None]  # NaN also where the slope is 0 and scale isn't finite
        return out

    def grad_weight(self, grad, input, target, weight):
        hinge = self._hinge(input, target)
        terms = (hinge * hinge if self.p == 2 else hinge).sum(1) / input.shape[1]
        out = np.zeros_like(weight)
        index_kernels.add(out, target, _row_gradients(grad, len(input), self.reduction) * terms)
        return out

    def decomposition(self, input, target, weight):
        target = bare(target)
        is_own = _is_own(target, input.shape[1])
        own = Select.apply(is_own, input).sum(1).reshape((-1, 1))
        hinge = self.margin - own + input
        hinge = Select.apply(~is_own & (bare(hinge) > 0), hinge)  # 0 for NaN, too
        if self.p == 2:
            hinge = hinge * hinge
        if weight is not None:
            hinge = hinge * weight[target].reshape((-1, 1))
        return reduce_weighted(hinge.sum(1) / input.shape[1], None, None, len(target) or math.nan, self.reduction)


def _check_kind(input: Array) -> None:
    if input.dtype.kind != "f":
        raise KindError(f"input must be floating-point, but is {input.dtype}")


def _row_gradients(grad: Array, rows: int, reduction: str) -> Array:
    """Return the gradient of each row's loss, a bare array (N)."""
    return layouts.expand(backend.as_array(grad / rows if reduction == "mean" else grad), (rows,))


def _is_own(target: Array, count: int) -> Array:
    """Whether a class is the target: bare (N) -> (N, C), or (N, L) -> (N, L, C)."""
    return target[..., None] == backend.like(np.arange(count), target)


@tensors_only
def multi_margin_loss(
    input: Tensor, target: Tensor, p: float = 1, margin: float = 1.0, weight: Tensor | None = None,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Return Σ weight · max(0, margin - input[target] + input)ᵖ / C over the other classes, reduced.

    input is (N, C) and target int64 (N), or they are (C) and (); weight (C) weights a row by its target; p is 1 or 2.
    Raises ValueError or RuntimeError for anything else, RuntimeError if a target is not a class.
    Source: torch.nn.functional.multi_margin_loss.

    >>> F.multi_margin_loss(torch.tensor([[0.5, 0.25, 0.0]]), torch.tensor([0]))
    tensor(0.4167)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ArgumentError(f"multi_margin_loss: only p == 1 and p == 2 supported, got {p}")
    if weight is not None and weight.ndim != 1:
        raise ArgumentError(f"multi_margin_loss: weight must be one-dimensional, but has shape {tuple(weight.shape)}")
    _check_not_empty("multi_margin_loss", input)
    x = input.reshape(1, -1) if input.ndim < 2 else input
    shape = x.array.shape
    if target.ndim > 1 or target.array.size != shape[0]:
        raise ShapeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch "
            f"size). Expected target size {[*shape[:1]]}, but got {[*target.shape]}. Input has shape {[*input.shape]}."
        )
    if weight is not None and weight.numel() != shape[1]:
        raise ShapeError(f"multi_margin_loss: inconsistent weight size, expected {shape[1]} but got {[*weight.shape]}")
    classes = _checked_classes("multi_margin_loss", target if target.ndim else target.reshape(1), shape[1])
    losses = MultiMarginLoss.apply(x, classes, weight, p=p, margin=float(margin), reduction=reduction)
    return losses if target.ndim or reduction != "none" else losses.reshape(())


class MultilabelMarginLoss(Function):
    """Σ max(0, 1 - x[label] + x) / C over pairs of a label and another class, reduced: (N, C), int (N, C) -> (N) or ().

    The labels of a row of target are those before its first negative number. They are few, so each gets its own row.
    """

    symbol = "multilabel margin"

    def forward(self, input, target):
        _check_kind(input)
        hinge, rows, _ = self._hinges(input, target)
        losses = np.zeros_like(input, shape=(len(input),))
        index_kernels.add(losses, (rows,), hinge.sum(1))
        return reduce_weighted(losses / input.shape[1], None, None, len(input) or math.nan, self.reduction)

    def _hinges(self, x: Array, target: Array) -> tuple[Array, Array, Array]:
        """Return max(0, 1 - x[label] + x), 0 at labels, for all L labels, (L, C), and their rows and classes, (L)."""
        rows, nth = fast_numpy.nonzero(_label_mask(target))
        own = rows, target[rows, nth]
        is_label = np.zeros_like(target, dtype=bool)
        is_label[own] = True
        hinge = x[rows]
        hinge += (1 - x[own])[:, None]
        np.fmax(hinge, 0, out=hinge)  # NaN becomes 0, as in PyTorch
        hinge[is_label[rows]] = 0
        return hinge, *own

    def grad_input(self, grad, input, target):
        hinge, *own = self._hinges(input, target)
        scale = _row_gradients(grad, len(input), self.reduction) / input.shape[1]
        slope = np.astype(hinge != 0, hinge.dtype)
        out = np.zeros_like(input)
        index_kernels.add(out, (own[0],), slope)
        index_kernels.add(out, tuple(own), -slope.sum(1))
        out *= scale[:, None]  # NaN also where the slope is 0 and scale isn't finite
        return out

    def decomposition(self, input, target):
        target = bare(target)
        counts, n = _label_mask(target)[:, :, None], target.shape[1]
        labels = np.where(counts[:, :, 0], target, 0)
        is_label = (_is_own(labels, n) & counts).any(1)
        own = np.take_along_axis(input, labels, 1).reshape((-1, n, 1))
        hinge = 1 - own + input.reshape((-1, 1, n))
        hinge = Select.apply(counts & ~is_label[:, None, :] & (bare(hinge) > 0), hinge)  # 0 for NaN, too
        return reduce_weighted(hinge.sum((1, 2)) / n, None, None, len(target) or math.nan, self.reduction)


def _label_mask(target: Array) -> Array:
    """Return which numbers of each row are labels, a bare array (N, C)."""
    return (target < 0).cumsum(1) == 0


def _check_not_empty(op: str, input: Tensor) -> None:
    if input.ndim > 2 or 0 in input.shape[-1:]:
        raise ShapeError(
            f"{op}: Expected non-empty vector or matrix with optional 0-dim batch size, but got: {[*input.shape]}"
        )


@tensors_only
def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Return Σ max(0, 1 - input[label] + input) / C over pairs of a label and another class, reduced.

    input and target are (N, C) or (C). A row of target, int64, lists its labels first, then -1. Raises RuntimeError if
    shapes differ and for labels out of range. Source: torch.nn.functional.multilabel_margin_loss.

    >>> F.multilabel_margin_loss(torch.tensor([[0.1, 0.2, 0.4, 0.8]]), torch.tensor([[3, 0, -1, 1]]))
    tensor(0.8500)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    _check_not_empty("multilabel_margin_loss", input)
    if input.shape != target.shape:
        raise ShapeError(
            f"multilabel_margin_loss: inconsistent target size: {[*target.shape]} for input of size: {[*input.shape]}"
        )
    x, labels = (a if a.ndim == 2 else a.reshape(1, -1) for a in (input, target))
    classes = labels.array * (labels.array != -1)  # also those after the first -1, as in PyTorch
    _checked_classes("multilabel_margin_loss", labels._wrap(classes), x.array.shape[1])
    losses = MultilabelMarginLoss.apply(x, labels, reduction=reduction)
    return losses if input.ndim > 1 or reduction != "none" else losses.reshape(())


def _checked_classes(op: str, target: Tensor, count: int) -> Tensor:
    if target.array.dtype != np.int64:
        raise DtypeError(f"{op}: target must be int64, but is {target.dtype}")
    if not index_kernels.all_in_range(target.array, count):
        raise ArgumentError(f"{op}: target has classes outside of 0 to {count - 1}")
    return target


@composite
def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Return the mean over the last dimension of (-target · log σ(input) - (1 - target) · log σ(-input)) · weight.

    The means are then reduced. Both are (..., C); a target that broadcasts to more dimensions is, as in PyTorch, summed
    over the dimension that is input's last. Raises RuntimeError if the shapes don't broadcast.
    Source: torch.nn.functional.multilabel_soft_margin_loss.

    >>> F.multilabel_soft_margin_loss(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        losses = losses * weight
    return reduce_losses(losses.sum(input.ndim - 1) / input.shape[-1], reduction)


@tensors_only
def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
    swap: bool = False, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Return max(0, d(anchor, positive) - d(anchor, negative) + margin), reduced.

    d is pairwise_distance with p and eps. With `swap`, the smaller one of d(anchor, negative) and d(positive, negative)
    is subtracted. Raises ValueError if margin is not positive. Source: torch.nn.functional.triplet_margin_loss.

    >>> F.triplet_margin_loss(torch.tensor([[0.0]]), torch.tensor([[1.0]]), torch.tensor([[1.5]]))
    tensor(0.5000)
    """
    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=lambda a, b: pairwise_distance(a, b, p, eps), margin=margin,
        swap=swap, reduction=resolve_reduction(size_average, reduce, reduction),
    )  # fmt: skip


@composite
def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float | Tensor = 1.0,
    swap: bool = False, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Return triplet_margin_loss with the distance `distance_function`, by default pairwise_distance.

    Raises ValueError unless margin > 0, RuntimeError for different numbers of dimensions.
    Source: torch.nn.functional.triplet_margin_with_distance_loss.

    >>> points = torch.tensor([[0.0]]), torch.tensor([[1.0]]), torch.tensor([[1.5]])
    >>> F.triplet_margin_with_distance_loss(*points, distance_function=lambda a, b: (a - b).abs().sum(1))
    tensor(0.5000)
    """
    reduction = resolve_reduction(None, None, reduction)
    if margin <= 0:
        raise ArgumentError(f"margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ShapeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs"
        )
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduce_losses(clamp_min(margin + near - far, 0), reduction)
