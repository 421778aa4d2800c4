"""Losses: cross-entropy of classes and of bits, negative log-likelihood, squared and absolute error."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend, dtypes, errors, state
from ..errors import ArgumentError, DimError, DtypeError, ShapeError
from ..function import Function
from .elementwise import Sigmoid
from .selection import Select
from .softmax import LogSoftmax, log_softmax

if TYPE_CHECKING:
    from ..tensor import Tensor

INDICES = (np.dtype(np.int64), np.dtype(np.uint8))  # the dtypes of class indices


class CrossEntropy(Function):
    """(N, C, ...), int (N, ...), (C) -> (N, ...), or their sum or mean: log Σ exp(x) - x[target].

    Of the softmax it keeps two numbers a row, the maximum and the sum; the way back forms the rest again.
    """

    symbol = "cross entropy"

    def forward(self, input, target, weight):
        classes, self.row_weights = _rows(input, target, weight, self.ignore_index)
        self.divisor = _divisor(classes, self.row_weights)
        x = _classes_first(input)
        self.peak = x.max(0)
        shifted = x - self.peak
        own = shifted[_places(classes)]
        self.total = _sum_of_first(np.exp(shifted, out=shifted))
        return _reduced(np.log(self.total) - own, self.row_weights, self.divisor, self.reduction)

    def grad_input(self, grad, input, target, row_weights, divisor, peak, total):
        scale = grad / divisor if self.reduction == "mean" else grad
        if row_weights is not None:
            target = _without_ignored(target, self.ignore_index)
            scale = Select.apply(row_weights != 0, row_weights * scale)
        out = _classes_first(input) - peak
        np.exp(out, out=out)
        out *= scale / total
        out[_places(target)] -= scale
        return out.swapaxes(0, 1)

    def decomposition(self, input, target, row_weights, divisor):
        if row_weights is not None:
            target = _without_ignored(target, self.ignore_index)
        log_probabilities = np.swapaxes(LogSoftmax.apply(input, axis=1), 0, 1)
        return _reduced(-log_probabilities[_places(target)], row_weights, divisor, self.reduction)


def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """The negative logarithm of the softmax of input at the target classes. Source: torch.nn.functional.cross_entropy.

    input is (C), (N, C) or (N, C, d1, ...). target is either class indices, int64 of shape (), (N) or (N, d1, ...),
    where ignore_index counts for nothing, or probabilities of input's shape. weight (C) is the classes'. "mean" is over
    the weights of the targets, with probabilities over N (and d1, ...).

    Raises IndexError where a target is no class, ValueError and RuntimeError where shapes don't fit, RuntimeError for
    other dtypes.

    >>> cross_entropy(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
    tensor(0.2395)
    >>> cross_entropy(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[0.5, 0.5, 0.0]]))
    tensor(1.2395)
    """
    reduction = _reduction(size_average, reduce, reduction)
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"cross_entropy: label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if input.ndim == 1:
        rest = {"weight": weight, "ignore_index": ignore_index, "label_smoothing": label_smoothing}
        return _unbatched(cross_entropy, input, target, reduction=reduction, **rest)
    if target.array.shape == input.array.shape and target.dtype.is_floating_point:
        if ignore_index >= 0:
            raise ArgumentError(f"cross_entropy: ignore_index={ignore_index} is not supported for class probabilities")
        if label_smoothing > 0:
            target = target * (1 - label_smoothing) + label_smoothing / max(input.shape[1], 1)
        losses = _of_probabilities(input, target, weight)
        return _plainly(losses, reduction)
    if label_smoothing == 0:
        return CrossEntropy.apply(input, target, weight, ignore_index=ignore_index, reduction=reduction)
    classes, row_weights = _checked_rows("cross_entropy", input, target, weight, ignore_index)
    smooth = np.full_like(input.array, label_smoothing / max(input.shape[1], 1))
    np.swapaxes(smooth, 0, 1)[_places(classes)] += 1 - label_smoothing
    counted = None if row_weights is None else target.array != ignore_index
    losses = _of_probabilities(input, smooth, weight)
    return _reduced(losses, counted, _divisor(classes, row_weights), reduction)


def _of_probabilities(input: Tensor, target: Any, weight: Tensor | None) -> Tensor:
    """(N, C, ...) twice, (C) -> (N, ...): each row's cross-entropy."""
    products = log_softmax(input, 1) * target
    if weight is not None:
        if weight.array.shape != (input.shape[1],):
            raise ShapeError(f"cross_entropy: {_weight_rule(weight.array, input.shape[1])}")
        products = products * weight.reshape(-1, *(1,) * (input.ndim - 2))
    return -products.sum(1)


def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-input at the target classes. Source: torch.nn.functional.nll_loss.

    input has log-probabilities: (C), (N, C) or (N, C, d1, ...). target, weight, the mean and the errors are those of
    cross_entropy with class indices.

    >>> nll_loss(torch.tensor([[-0.1, -2.4], [-0.7, -0.7]]), torch.tensor([0, 1]))
    tensor(0.4000)
    """
    reduction = _reduction(size_average, reduce, reduction)
    if input.ndim == 1:
        return _unbatched(nll_loss, input, target, reduction=reduction, weight=weight, ignore_index=ignore_index)
    classes, row_weights = _checked_rows("nll_loss", input, target, weight, ignore_index)
    losses = -input.transpose(0, 1)[_places(classes)]
    return _reduced(losses, row_weights, _divisor(classes, row_weights), reduction)


def _unbatched(loss: Callable[..., Tensor], input: Tensor, target: Tensor, reduction: str, **rest: Any) -> Tensor:
    """The loss of (C) is that of (1, C), without its batch dimension."""
    indexed = target.array.shape == (1,) and not target.dtype.is_floating_point
    out = loss(input.unsqueeze(0), target if indexed else target.unsqueeze(0), reduction=reduction, **rest)
    return out.squeeze(0) if out.ndim and not indexed else out


def _rows(input: Any, target: Any, weight: Any, ignore_index: int) -> tuple[Any, Any]:
    """The rows' classes, 0 where they are ignored, and the rows' weights, 0 there; None if all weigh 1. Bare arrays."""
    if input.dtype.kind != "f":
        raise DtypeError(f"input must be floating-point, but is {input.dtype}")
    if input.ndim == 0:
        raise ShapeError("input needs the classes as a dimension: (C), (N, C) or (N, C, d1, ...), but has 0 dimensions")
    count = input.shape[1]
    if target.shape != input.shape[:1] + input.shape[2:]:
        raise ShapeError(
            f"target has shape {target.shape}, but input {input.shape} needs class indices of shape "
            f"{input.shape[:1] + input.shape[2:]}, or floating-point class probabilities of its own shape"
        )
    if target.dtype not in INDICES:
        raise DtypeError(f"class indices in target must be int64 or uint8, but are {target.dtype}: use target.long()")
    if weight is not None and weight.shape != (count,):
        raise ShapeError(_weight_rule(weight, count))
    if weight is not None and weight.dtype != input.dtype:
        raise DtypeError(f"weight is {weight.dtype}, but input is {input.dtype}; convert weight")
    if _in_range(target, count) and not 0 <= ignore_index < count:
        return target, None if weight is None else weight[target]
    classes = _without_ignored(target, ignore_index)
    if not _in_range(classes, count):
        wrong = classes[(classes < 0) | (classes >= count)].reshape(-1)[0]
        raise DimError(f"Target {wrong} is out of bounds: input has the classes 0 to {count - 1}")
    row_weights = np.ones_like(input, shape=target.shape) if weight is None else weight[classes]
    return classes, Select.apply(target != ignore_index, row_weights)


def _in_range(classes: Any, count: int) -> bool:
    # as unsigned numbers negative ones are huge: one comparison for both ends
    return not classes.size or bool(classes.astype(np.uint64).max() < count)


def _weight_rule(weight: Any, count: int) -> str:
    return f"weight must have shape ({count},), a weight for each class of input, but has shape {weight.shape}"


def _checked_rows(op: str, input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int) -> tuple[Any, Any]:
    """`_rows` of Tensors, for composites."""
    try:
        return _rows(input.array, target.array, None if weight is None else weight.array, ignore_index)
    except errors.FROM_FORWARD as error:
        names = ("input", "target", "weight")
        raise errors.in_forward(error, op, state.current().path, names, (input, target, weight)) from None


def _without_ignored(target: Any, ignore_index: int) -> Any:
    return np.where(target == ignore_index, 0, target)


def _classes_first(x: Any) -> Any:
    """(N, C, ...) -> (C, N, ...), bare: a view; of a matrix of short rows, on which NumPy is slow, a copy."""
    x = x.swapaxes(0, 1)
    return x.copy() if x.ndim == 2 and x.shape[0] < 32 else x


def _sum_of_first(x: Any) -> Any:
    """(C, N, ...) -> (N, ...), bare: the sum. Along long rows a matrix product is the fastest way."""
    return x.sum(0) if x.ndim > 2 or x.flags.c_contiguous else np.ones_like(x, shape=x.shape[0]) @ x


def _places(classes: Any) -> tuple[Any, ...]:
    """Of (C, N, ...) the index that gives (N, ...): at each place the class there."""
    classes = getattr(classes, "array", classes)  # off the Tensor, if it is one: integers have no gradient
    grid = [np.arange(n).reshape((n,) + (1,) * (classes.ndim - 1 - i)) for i, n in enumerate(classes.shape)]
    return (classes, *(backend.like(rows, classes) for rows in grid))


def _divisor(classes: Any, row_weights: Any) -> Any:
    """What the mean divides by. PyTorch's mean over nothing is NaN."""
    return (classes.size if row_weights is None else row_weights.sum()) or math.nan


def _reduced(losses: Any, row_weights: Any, divisor: Any, reduction: str) -> Any:
    """Weighted losses as they are, or their sum or mean."""
    if row_weights is not None:
        losses = Select.apply(row_weights != 0, losses) * row_weights
    if reduction == "none":
        return losses
    return losses.sum() / divisor if reduction == "mean" else losses.sum()


def _plainly(losses: Tensor, reduction: str) -> Tensor:
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


def _reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction, by PyTorch's first arguments for it where these are given."""
    if size_average is not None or reduce is not None:
        reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
        said = f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead."
        warnings.warn(said, stacklevel=3)
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentError(f"{reduction} is not a valid value for reduction: it is 'none', 'mean' or 'sum'")
    return reduction


class SquaredError(Function):
    """(x - y)², broadcast, or the sum or mean of it."""

    symbol, promote, broadcasts = "(x - y)²", dtypes.promote, True

    def forward(self, x, y):
        difference = x - y
        if self.reduction == "none":
            return difference * difference
        flat = difference.reshape(-1)
        return flat @ flat / self._count(difference)

    def grad_x(self, grad, x, y):
        difference = x - y
        return difference * (grad * 2 / self._count(difference))

    def grad_y(self, grad, x, y):
        difference = y - x
        return difference * (grad * 2 / self._count(difference))

    def _count(self, difference: Any) -> float:
        return (math.prod(difference.shape) or math.nan) if self.reduction == "mean" else 1


def mse_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """(input - target)², each times its weight; the mean is over the weights. Source: torch.nn.functional.mse_loss.

    Other shapes broadcast, with a warning. Raises ValueError where weight hasn't input's shape, RuntimeError for
    integers.

    >>> mse_loss(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(2.)
    """
    reduction = _reduction(size_average, reduce, reduction)
    _check_operands("mse_loss", input, target)
    if weight is None:
        return SquaredError.apply(input, target, reduction=reduction)
    return _weighted(SquaredError.apply(input, target, reduction="none"), input, weight, reduction)


def l1_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """|input - target|, each times its weight; the mean is over the weights. Source: torch.nn.functional.l1_loss.

    Arguments and errors are mse_loss's.

    >>> l1_loss(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(1.)
    """
    reduction = _reduction(size_average, reduce, reduction)
    _check_operands("l1_loss", input, target)
    losses = (input - target).abs()
    return _plainly(losses, reduction) if weight is None else _weighted(losses, input, weight, reduction)


def _check_operands(op: str, input: Tensor, target: Tensor) -> None:
    if target.array.shape != input.array.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). "
            "This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=3,
        )
    if input.array.dtype.kind != "f" and target.array.dtype.kind != "f":
        raise DtypeError(f"{op}: input or target must be floating-point, but they are {input.dtype} and {target.dtype}")


def _weighted(losses: Tensor, input: Tensor, weight: Tensor, reduction: str) -> Tensor:
    if weight.shape != input.shape:
        raise ShapeError(f"Weights and input must have the same size, but have {weight.shape} and {input.shape}")
    return _reduced(losses * weight, None, weight.sum(), reduction)


class LogSigmoid(Function):
    """log 1/(1 + e⁻ˣ), which never overflows."""

    symbol, promote = "log σ", dtypes.promote_floating

    def forward(self, x):
        return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))

    def grad_x(self, grad, x):
        return grad * Sigmoid.apply(-x)


def logsigmoid(input: Tensor) -> Tensor:
    """The logarithm of the sigmoid. Source: torch.nn.functional.logsigmoid.

    >>> logsigmoid(torch.tensor([-1000.0, 0.0]))
    tensor([-1.0000e+03, -6.9315e-01])
    """
    return LogSigmoid.apply(input)


class BinaryCrossEntropyWithLogits(Function):
    """-p t log σ(x) - (1 - t) log σ(-x), elementwise; p broadcasts, None is 1."""

    symbol = "binary cross entropy"
    promote = staticmethod(lambda arrays: [*dtypes.promote(arrays[:2]), arrays[2]])

    def forward(self, x, t, p):
        rest = np.log1p(np.exp(-np.abs(x)))  # log σ(x) is min(x, 0) - rest
        if p is None:
            return (np.maximum(x, 0) - x * t) + rest  # if t is 0 or 1, the difference is exact
        return (1 - t) * np.maximum(x, 0) - p * t * np.minimum(x, 0) + (1 + (p - 1) * t) * rest

    def grad_x(self, grad, x, t, p):
        sigmoid = Sigmoid.apply(x)
        return grad * (sigmoid - t if p is None else (1 - t) * sigmoid - p * t * Sigmoid.apply(-x))

    def grad_t(self, grad, x, p):
        return -grad * x if p is None else grad * (LogSigmoid.apply(-x) - p * LogSigmoid.apply(x))

    def grad_p(self, grad, x, t):
        return -grad * t * LogSigmoid.apply(x)


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean", pos_weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Binary cross-entropy of sigmoid(input), without its loss of precision. Source: torch.nn.functional.

    -pos_weight · target · log σ(input) - (1 - target) · log σ(-input), times weight. weight and pos_weight broadcast to
    the shape of input; target has it, or ValueError is raised.

    >>> binary_cross_entropy_with_logits(torch.tensor([0.0, 100.0]), torch.tensor([1.0, 1.0]))
    tensor(0.3466)
    """
    reduction = _reduction(size_average, reduce, reduction)
    _check_same("binary_cross_entropy_with_logits", input, target)
    losses = BinaryCrossEntropyWithLogits.apply(input, target, pos_weight)
    return _plainly(losses if weight is None else losses * weight, reduction)


class BinaryCrossEntropy(Function):
    """-t log x - (1 - t) log(1 - x), elementwise. Logarithms are held above -100, as in PyTorch."""

    symbol = "binary cross entropy"

    def forward(self, x, target):
        if not ((x >= 0) & (x <= 1)).all():
            raise ArgumentError("all elements of input should be between 0 and 1; logits have a loss of their own")
        with np.errstate(divide="ignore"):
            return -(target * np.maximum(np.log(x), -100) + (1 - target) * np.maximum(np.log1p(-x), -100))

    def grad_x(self, grad, x, target):
        return grad * (x - target) / np.maximum(x * (1 - x), 1e-12)

    def grad_target(self, grad, x):
        with np.errstate(divide="ignore"):
            return grad * (np.maximum(np.log(1 - x), -100) - np.maximum(np.log(x), -100))


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-target · log input - (1 - target) · log(1 - input), times weight. Source: torch.nn.functional.

    Raises ValueError where input and target have different shapes, RuntimeError where input is outside of [0, 1].

    >>> binary_cross_entropy(torch.tensor([0.5, 1.0]), torch.tensor([1.0, 1.0]))
    tensor(0.3466)
    """
    reduction = _reduction(size_average, reduce, reduction)
    _check_same("binary_cross_entropy", input, target)
    losses = BinaryCrossEntropy.apply(input, target)
    return _plainly(losses if weight is None else losses * weight, reduction)


def _check_same(op: str, input: Tensor, target: Tensor) -> None:
    if target.array.shape != input.array.shape:
        raise ShapeError(f"{op}: target size ({target.shape}) must be the same as input size ({input.shape})")
