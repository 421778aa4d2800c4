"""Losses of class scores: cross-entropy and negative log-likelihood."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import backend, dtypes, errors, state
from ...dtypes.type_names import TYPE_NAMES
from ...errors import ArgumentError, DimError, DtypeError, KindError, ShapeError
from ...errors.forwards import in_forward
from ...function import Function
from ...function.naming import with_torch_name
from ...state import composite, observed
from ...type_aliases import Array, Tensor
from ..elementwise import Flat
from ..elementwise.selection_kernels import fast_select
from ..indexing.index_kernels import all_in_range
from ..linalg import linear
from ..linalg.common import check_halves
from ..softmax import UNSHIFTED, LogSoftmax, exponentials, log_softmax
from ..support import layouts
from ..support.bare import bare
from ..support.blocks import unbuffered
from ..support.spelling import tensors_only
from .reduction import reduce_losses, reduce_weighted, resolve_reduction

FEW_ROWS = 1 << 12  # whose positions are cached, at most
MAX_KEPT = 1 << 22  # exponentials kept for backward, at most: keeping them is faster, but takes memory
SUBNORMAL = 1e-37  # smaller exponentials have lost digits in float32
INDEX_DTYPES = (np.dtype(np.int64), np.dtype(np.uint8))


class CrossEntropy(Function):
    """log Σ exp(x) - x[target], or its sum or mean: (N, C, ...), int (N, ...), weight (C) -> (N, ...) or ().

    For backward it keeps the exponentials, or, if there are many, only each row's sum and what was subtracted from it,
    from which backward computes the exponentials again.
    """

    symbol, operator = "cross entropy", "cross_entropy_loss"

    def forward(self, input, target, weight):
        classes, self.counted, self.row_weights = _check_rows(input, target, weight, self.ignore_index)
        self.divisor = _divisor(classes, self.row_weights)
        x, own = _classes_first(input), _class_index(classes)
        rows, axis = (input, 1) if x.base is not None else (x, 0)
        exps, total, peak = exponentials(rows, axis)
        exps, self.total = exps.swapaxes(0, axis), total.squeeze(axis)
        self.exps = exps if exps.size <= MAX_KEPT else None
        self.peak = peak if peak is UNSHIFTED else peak.squeeze(axis)
        losses = -_log_share(x, own, exps, self.total, self.peak)  # a loss of 0 is -0, as in PyTorch
        return reduce_weighted(losses, self.counted, self.row_weights, self.divisor, self.reduction)

    def grad_input(self, grad, input, target, counted, row_weights, divisor, peak, total, exps):
        target, scale = _row_scales(grad, target, counted, row_weights, divisor, self)
        gradient = np.empty_like(input, order="C")
        x, out = _classes_first(input), gradient.swapaxes(0, 1)
        part = out if x.base is not None else np.empty_like(x)
        with unbuffered(input, 1):
            if exps is None:
                exps = np.exp(np.subtract(x, peak, out=part), out=part)
            np.multiply(exps, scale / total, out=part)
        part[_class_index(target)] -= scale
        if part is not out:
            out[...] = part
        return gradient

    def decomposition(self, input, target, counted, row_weights, divisor):
        return _pick_and_reduce(LogSoftmax.apply(input, axis=1), target, counted, row_weights, divisor, self.reduction)


@tensors_only
@observed
def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """Return the negative logarithm of the softmax of input at the target classes.

    input is (C), (N, C) or (N, C, d1, ...). target holds either class indices, int64 or uint8 of shape (), (N) or
    (N, d1, ...), of which those that equal ignore_index are ignored, or class probabilities of input's shape. weight
    (C) has a weight for each class. "mean" divides by the sum of the targets' weights; for probabilities, by the number
    of rows, N · d1 · ....

    Raises IndexError if a target is not a class, ValueError or RuntimeError for other shapes, RuntimeError for other
    dtypes. Source: torch.nn.functional.cross_entropy.

    >>> F.cross_entropy(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
    tensor(0.2395)
    >>> F.cross_entropy(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[0.5, 0.5, 0.0]]))
    tensor(1.2395)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    ignore_index, label_smoothing = int(ignore_index), float(label_smoothing)
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"cross_entropy: label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if input.ndim == 1:
        rest = {"weight": weight, "ignore_index": ignore_index, "label_smoothing": label_smoothing}
        return _with_batch_axis(cross_entropy, input, target, reduction=reduction, **rest)
    if target.array.shape == input.array.shape and target.dtype.is_floating_point:
        if ignore_index >= 0:
            raise ArgumentError(f"cross_entropy: ignore_index={ignore_index} is not supported for class probabilities")
        if label_smoothing > 0:
            target = target * (1 - label_smoothing) + label_smoothing / max(input.shape[1], 1)
        losses = _sum_over_classes(log_softmax(input, 1) * target, weight)
        return reduce_losses(losses, reduction, "DivBackward1" if reduction == "mean" else "Neg")
    check_halves("cross_entropy", input, weight)
    if label_smoothing == 0:
        return CrossEntropy.apply(input, target, weight, ignore_index=ignore_index, reduction=reduction)
    classes, counted, row_weights = _check_tensors(input, target, weight, ignore_index)
    smooth = np.full_like(input.array, label_smoothing / max(input.shape[1], 1))
    np.swapaxes(smooth, 0, 1)[_class_index(classes)] += 1 - label_smoothing
    losses, divisor = _sum_over_classes(log_softmax(input, 1) * smooth, weight), _divisor(classes, row_weights)
    if row_weights is not None:  # PyTorch adds the mean of the targets' losses, which is 0 / 0 if all have weight 0
        divisor = np.where((row_weights != 0).any(), divisor, math.nan)
    return with_torch_name("Add", reduce_weighted(losses, counted, None, divisor, reduction))


def _sum_over_classes(terms: Tensor, weight: Tensor | None) -> Tensor:
    """Return -Σ weight · terms over the classes, (N, C, ...), (C) -> (N, ...)."""
    if weight is not None:
        if weight.array.shape != (terms.shape[1],):
            raise ShapeError(f"cross_entropy: {_weight_rule(weight.array, terms.shape[1])}")
        terms = terms * weight.reshape(-1, *(1,) * (terms.ndim - 2))
    return -terms.sum(1)


class NllLoss(Function):
    """-x[target], or its sum or mean: (N, C, ...), int (N, ...), weight (C) -> (N, ...) or ()."""

    symbol, zero_link = "nll", Flat
    saved_names = {"self": "input"}

    def forward(self, input, target, weight):
        classes, self.counted, self.row_weights = _check_rows(input, target, weight, self.ignore_index)
        self.divisor = _divisor(classes, self.row_weights)
        losses = -input.swapaxes(0, 1)[_class_index(classes)]
        return reduce_weighted(losses, self.counted, self.row_weights, self.divisor, self.reduction)

    def grad_input(self, grad, target, counted, row_weights, divisor):
        target, scale = _row_scales(-grad, target, counted, row_weights, divisor, self)
        out = backend.zeros(self.sizes, grad)
        out.swapaxes(0, 1)[_class_index(target)] = scale
        return out

    def decomposition(self, input, target, counted, row_weights, divisor):
        return _pick_and_reduce(input, target, counted, row_weights, divisor, self.reduction)


def _pick_and_reduce(
    x: Any, target: Any, counted: Array | None, row_weights: Array | None, divisor: Array | float, reduction: str
) -> Any:
    """Return -x[target], reduced, in calls that can be differentiated: (N, C, ...), int (N, ...) -> (N, ...) or ()."""
    if counted is not None:
        target = np.where(counted, target, 0)
    classes, rows, *places = _class_index(target)
    return reduce_weighted(-x[(rows, classes, *places)], counted, row_weights, divisor, reduction)


@tensors_only
def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Return -input at the target classes. Source: torch.nn.functional.nll_loss.

    input holds log-probabilities, (C), (N, C) or (N, C, d1, ...). target, weight, the mean and the errors are those of
    cross_entropy with class indices.

    >>> F.nll_loss(torch.tensor([[-0.1, -2.4], [-0.7, -0.7]]), torch.tensor([0, 1]))
    tensor(0.4000)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    if input.ndim == 1:
        return _with_batch_axis(nll_loss, input, target, reduction=reduction, weight=weight, ignore_index=ignore_index)
    check_halves("nll_loss", input, weight)
    sizes = tuple(input.shape)
    return NllLoss.apply(input, target, weight, ignore_index=ignore_index, reduction=reduction, sizes=sizes)


@composite
def linear_cross_entropy(
    input: Tensor, linear_weight: Tensor, target: Tensor, *, linear_bias: Tensor | None = None,
    weight: Tensor | None = None, reduction: str = "mean", ignore_index: int | None = None,
    label_smoothing: float = 0.0, options: Any = None,
) -> Tensor:  # fmt: skip
    """Return the cross-entropy of linear(input, linear_weight, linear_bias).

    input is (in) or (N, in), linear_weight is (C, in) or (C, d1, ..., in), linear_bias is (C) or (C, d1, ...). The
    other arguments are cross_entropy's. `options`, with which PyTorch saves memory, is accepted and ignored. Raises
    RuntimeError if shapes do not fit. Source: torch.nn.functional.linear_cross_entropy.

    >>> F.linear_cross_entropy(torch.tensor([1.0]), torch.tensor([[2.0], [0.0], [0.0]]), torch.tensor(0))
    tensor(0.2395)
    """
    classes, sizes = linear_weight.shape[:1], linear_weight.shape[1:-1]
    if input.ndim not in (1, 2) or linear_weight.ndim < 2 or input.shape[-1] != linear_weight.shape[-1]:
        raise ShapeError(
            "linear_cross_entropy: input is (in) or (N, in) and linear_weight (C, ..., in), but they have "
            f"{tuple(input.shape)} and {tuple(linear_weight.shape)}"
        )
    if linear_bias is not None and tuple(linear_bias.shape) != (*classes, *sizes):
        raise ShapeError(
            f"linear_cross_entropy: expected linear_bias shape {(*classes, *sizes)}, got {tuple(linear_bias.shape)}"
        )
    if sizes and input.ndim == 1:
        raise ShapeError(f"linear_cross_entropy: linear_weight {tuple(linear_weight.shape)} needs input (N, in)")
    shape = (*input.shape[:-1], *classes, *sizes)
    if tuple(target.shape) == shape and ignore_index is not None:
        raise ArgumentError("linear_cross_entropy: ignore_index cannot be specified when target contains probabilities")
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    logits = linear(input, linear_weight.reshape(-1, input.shape[-1]), bias).reshape(shape)
    return cross_entropy(
        logits, target, weight, ignore_index=-100 if ignore_index is None else ignore_index, reduction=reduction,
        label_smoothing=label_smoothing,
    )  # fmt: skip


def _with_batch_axis(loss: Callable[..., Tensor], input: Tensor, target: Tensor, reduction: str, **rest: Any) -> Tensor:
    """Compute a loss of an input (C) as that of (1, C), and remove the batch axis."""
    indexed = target.array.ndim == 1 and not target.dtype.is_floating_point
    if indexed and target.array.size != 1:
        raise ShapeError(f"For 1D input, 1D target must have size 1, but got target size: {target.array.size}")
    out = loss(input.unsqueeze(0), target if indexed else target.unsqueeze(0), reduction=reduction, **rest)
    return out.squeeze(0) if out.ndim else out


def _check_rows(input: Array, target: Array, weight: Array | None, ignore_index: int) -> tuple[Any, Any, Any]:
    """Return the rows' classes (0 if ignored), which rows count (None: all), and their weights (None: all 1)."""
    if input.dtype.kind != "f":
        raise KindError(f"input must be floating-point, but is {input.dtype}")
    if input.ndim == 0:
        raise ShapeError("input needs the classes as a dimension: (C), (N, C) or (N, C, d1, ...), but has 0 dimensions")
    count = input.shape[1]
    if target.shape != input.shape[:1] + input.shape[2:]:
        if target.ndim and len(target) != len(input):
            raise ShapeError(f"Expected input batch_size ({len(input)}) to match target batch_size ({len(target)}).")
        raise ShapeError(
            f"{_target_rule(input, target)}: class indices of this input have shape {input.shape[:1] + input.shape[2:]}"
            "; cross_entropy also takes class probabilities, which are floating-point, of its own shape"
        )
    if target.dtype not in INDEX_DTYPES:
        name = TYPE_NAMES[dtypes.of(target.dtype)]
        raise DtypeError(f"expected target dtype to be Long or Byte, but got {name}: use target.long()")
    if weight is not None and weight.shape != (count,):
        raise ShapeError(_weight_rule(weight, count))
    if weight is not None and weight.dtype != input.dtype:
        raise DtypeError(f"weight is {weight.dtype}, but input is {input.dtype}; convert weight")
    if all_in_range(target, count) and not 0 <= ignore_index < count:
        return target, None, None if weight is None else weight[target]
    counted = target != ignore_index
    classes = np.where(counted, target, 0)
    if not all_in_range(classes, count):
        wrong = classes[(classes < 0) | (classes >= count)].reshape(-1)[0]
        raise DimError(f"Target {wrong} is out of bounds: input has the classes 0 to {count - 1}")
    row_weights = np.ones_like(input, shape=target.shape) if weight is None else weight[classes]
    return classes, counted, fast_select(counted, row_weights)


def _row_scales(
    grad: Array, target: Array, counted: Array | None, row_weights: Array | None, divisor: Array | float, node: Any
) -> tuple[Array, Array]:
    """Return each row's class and the gradient of its unweighted loss, both 0 if the row is ignored. Bare arrays."""
    scale = grad / divisor if node.reduction == "mean" else grad
    if row_weights is not None:
        scale = row_weights * scale
    if counted is None:
        return target, scale
    return np.where(counted, target, 0), fast_select(counted, scale)


def _target_rule(input: Array, target: Array) -> str:
    """Return the rule, in PyTorch's words, for the shape of class indices that the target breaks."""
    if input.ndim == 2:
        return "0D or 1D target tensor expected, multi-target not supported"
    if input.ndim == 4 and target.ndim != 3:
        return f"only batches of spatial targets supported (3D tensors) but got targets of dimension: {target.ndim}"
    if input.ndim == 4:
        return f"size mismatch (got input: {[*input.shape]} , target: {[*target.shape]}"
    return f"Expected target size {[len(input), *input.shape[2:]]}, got {[*target.shape]}"


def _weight_rule(weight: Array, count: int) -> str:
    return (
        f"weight tensor should be defined either for all {count} classes or no classes but got weight tensor of shape: "
        f"{[*weight.shape]}"
    )


def _check_tensors(input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int) -> tuple[Array | None, ...]:
    """Call `_check_rows` for the Tensors of cross_entropy, so that its errors name the operation and its arguments."""
    try:
        return _check_rows(input.array, target.array, None if weight is None else weight.array, ignore_index)
    except errors.FROM_FORWARD as error:
        names = ("input", "target", "weight")
        raise in_forward(error, "cross_entropy", state.current().path, names, (input, target, weight)) from None


def _classes_first(x: Array) -> Array:
    """Return a view (C, N, ...) of a bare array (N, C, ...), or a copy of a matrix with short rows, for speed."""
    x = x.swapaxes(0, 1)
    return x.copy() if x.ndim == 2 and x.shape[0] < 32 else x


def _log_share(x: Array, own: Any, exps: Array, total: Array, peak: Array | float) -> Array:
    """Return the logarithm of the share that the exponential at index `own` has in the total, for each row."""
    if peak is not UNSHIFTED:
        return (x[own] - peak) - np.log(total)
    found = exps[own]
    # Wherever the share isn't tiny: x[own] - log(total) would lose digits of one that is nearly 1.
    if np.minimum.reduce(found, None) > SUBNORMAL:
        return np.log(found / total)
    return np.where(found > SUBNORMAL, np.log(np.maximum(found, SUBNORMAL) / total), x[own] - np.log(total))


def _class_index(classes: Array) -> tuple[Array, ...]:
    """Return the index with which an array (C, N, ...) gives (N, ...): at each position, the value of its class."""
    classes = bare(classes)  # integers have no gradient
    classes = layouts.contiguous(classes.astype(np.int64, copy=False))  # Tensors take uint8 as a mask
    grid = (_cached_grid if classes.size <= FEW_ROWS else _grid)(classes.shape)
    return (classes, *(grid if backend.on_cpu(classes) else [backend.like(places, classes) for places in grid]))


def _grid(shape: tuple[int, ...]) -> tuple[Array, ...]:
    """Return the positions along each axis of a shape, to be broadcast, as np.ogrid does."""
    return tuple([np.arange(n).reshape((n,) + (1,) * (len(shape) - 1 - i)) for i, n in enumerate(shape)])


_cached_grid = functools.lru_cache(maxsize=64)(_grid)


def _divisor(classes: Array, row_weights: Array | None) -> Array | float:
    """Return the divisor of the mean: NaN or an array of 0 if no row counts, so that the mean is NaN as in PyTorch."""
    return row_weights.sum() if row_weights is not None else classes.size or math.nan
