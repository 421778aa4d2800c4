"""Binary cross-entropy of probabilities and of logits."""

from __future__ import annotations

import numpy as np

from ... import dtypes
from ...backend.axis_order import laid_out_as_operands
from ...errors import ArgumentError, KindError, ShapeError
from ...errors.calls import NoTensorError
from ...function import Function
from ...type_aliases import Tensor
from ..activation import LogSigmoid
from ..elementwise import Logit, Sigmoid
from ..elementwise.selection_kernels import fast_maximum, fast_minimum
from ..support.spelling import tensors_only
from .reduction import reduce_losses, resolve_reduction, written_into

EPSILON = float(np.float32(1e-12))  # the least divisor in the derivative of binary_cross_entropy


class BinaryCrossEntropyWithLogits(Function):
    """-p t log σ(x) - (1 - t) log σ(-x), elementwise; the positive weight p broadcasts, and None means 1."""

    symbol = "binary cross entropy"
    promote = staticmethod(lambda arrays: [*dtypes.promote(arrays[:2]), arrays[2]])

    def forward(self, x, t, p):
        low, rest = fast_minimum(0, x), np.log1p(np.exp(-np.abs(x)))  # log σ(x) is low - rest
        if p is None:
            out = ((1 - t) * x - low) + rest  # if t is 0 or 1, the difference is exact
        else:
            out = (1 - t) * fast_maximum(0, x) - p * t * low + ((1 - t) + p * t) * rest
        return laid_out_as_operands(out, (t, x))

    def grad_x(self, grad, x, t, p):
        sigmoid = Sigmoid.apply(x)
        return (sigmoid - t if p is None else (1 - t) * sigmoid - p * t * Sigmoid.apply(-x)) * grad

    def grad_t(self, grad, x, p):
        return x * -grad if p is None else (LogSigmoid.apply(-x) - p * LogSigmoid.apply(x)) * grad

    def grad_p(self, grad, x, t):
        return -grad * t * LogSigmoid.apply(x)


@tensors_only
def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean", pos_weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return the binary cross-entropy of sigmoid(input), without the loss of precision of the sigmoid.

    For target 0 and large negative input it keeps its digits, unlike PyTorch's, which in float32 is 0 from -17 on.
    A loss is (-pos_weight · target · log σ(input) - (1 - target) · log σ(-input)) · weight, and has the dtype of
    target. Raises ValueError if input and target have different shapes, RuntimeError if one of them is not
    floating-point or if weight or pos_weight does not broadcast to their shape. Source:
    torch.nn.functional.binary_cross_entropy_with_logits.

    >>> F.binary_cross_entropy_with_logits(torch.tensor([0.0, 100.0]), torch.tensor([1.0, 1.0]))
    tensor(0.3466)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    if target.array.shape != input.array.shape:
        raise ShapeError(
            f"binary_cross_entropy_with_logits: Target size ({target.shape}) must be the same as input size "
            f"({input.shape})"
        )
    for name, x in (("input", input), ("target", target)):
        if x.array.dtype.kind != "f":
            raise KindError(f"binary_cross_entropy_with_logits: {name} must be floating-point, got {x.dtype}")
    _check_tensor("binary_cross_entropy_with_logits", "pos_weight", pos_weight)
    losses = BinaryCrossEntropyWithLogits.apply(input, target, pos_weight)
    losses = _apply_weight("binary_cross_entropy_with_logits", losses, weight, target)
    return reduce_losses(losses, reduction, "BinaryCrossEntropyWithLogits")


class BinaryCrossEntropy(Function):
    """-t log x - (1 - t) log(1 - x), elementwise. Logarithms are clamped to at least -100, as in PyTorch."""

    symbol, elementwise = "binary cross entropy", True

    def forward(self, x, target):
        inside = (x >= 0) & (x <= 1)
        if not (inside & (target >= 0) & (target <= 1)).all():  # this waits for a GPU once
            if not inside.all():
                raise ArgumentError("all elements of input should be between 0 and 1; logits have a loss of their own")
            raise ArgumentError("all elements of target should be between 0 and 1")
        with np.errstate(divide="ignore"):
            return (target - 1) * fast_maximum(-100, np.log1p(-x)) - target * fast_maximum(-100, np.log(x))

    def grad_x(self, grad, x, target):
        return grad * (x - target) / fast_maximum(EPSILON, x * (1 - x))

    def grad_target(self, grad, x):
        return -Logit.apply(x, eps=None) * grad  # infinite at 0 and 1, as in PyTorch


@tensors_only
def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Return (-target · log input - (1 - target) · log(1 - input)) · weight, reduced.

    Raises ValueError if input and target have different shapes, RuntimeError if their dtypes differ, a value is outside
    of [0, 1], or weight does not broadcast to their shape. Source: torch.nn.functional.binary_cross_entropy.

    >>> F.binary_cross_entropy(torch.tensor([0.5, 1.0]), torch.tensor([1.0, 1.0]))
    tensor(0.3466)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    if target.array.shape != input.array.shape:
        raise ShapeError(
            f"binary_cross_entropy: Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}) is deprecated. Please ensure they have the same size."
        )
    if target.dtype != input.dtype or input.array.dtype.kind != "f":
        raise KindError(
            "binary_cross_entropy: input and target must have one floating-point dtype, got "
            f"{input.dtype} and {target.dtype}"
        )
    losses = _apply_weight("binary_cross_entropy", BinaryCrossEntropy.apply(input, target), weight, target)
    return reduce_losses(losses, reduction, "BinaryCrossEntropy")


def _apply_weight(op: str, losses: Tensor, weight: Tensor | None, target: Tensor) -> Tensor:
    """Return losses · weight in target's shape and dtype, since PyTorch computes them in a copy of target."""
    _check_tensor(op, "weight", weight)
    return written_into(op, losses if weight is None else losses * weight, target)


def _check_tensor(op: str, name: str, weight: Tensor | None) -> None:
    if weight is not None and not hasattr(weight, "array"):
        raise NoTensorError(f"{op}(): argument '{name}' must be Tensor, not {type(weight).__name__}")
