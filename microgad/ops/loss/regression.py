"""Losses of real-valued predictions: squared and absolute errors, likelihoods, the Kullback-Leibler divergence."""

from __future__ import annotations

import math

import numpy as np

from ... import dtypes
from ...backend.axis_order import laid_out_as_operands
from ...engine.transforms import transposes_tangent
from ...errors import ArgumentError, KindError, ShapeError
from ...errors.notices import warn
from ...fast_reductions.products import sum_of_squares
from ...function import Function
from ...state import composite
from ...type_aliases import Array, Tensor
from ..activation import Hardtanh
from ..creation import full_like
from ..elementwise import RaisedCopy, exp, log, where, xlogy
from ..movement import broadcast_tensors
from ..support import layouts
from ..support.spelling import tensors_only
from .reduction import reduce_losses, reduce_weighted, resolve_reduction, to_input_dtype


class SquaredError(Function):
    """(x - y)², broadcast, or its sum or mean."""

    symbol, operator, promote, broadcasts = "(x - y)²", "mse_loss", dtypes.promote, True
    saved_names = {"target": "y"}

    def forward(self, x, y):
        difference = x - y
        if self.reduction == "none":
            return laid_out_as_operands(difference * difference, (x, y))
        return sum_of_squares(difference.reshape(-1)) / self._count(difference, True)

    def grad_x(self, grad, x, y):
        difference = layouts.in_rows(x - y)
        return difference * (grad * 2 / self._count(difference, transposes_tangent()))

    def grad_y(self, grad, x, y):
        difference = layouts.in_rows(y - x)
        return difference * (grad * 2 / self._count(difference, transposes_tangent()))

    def _count(self, difference: Array, undefined: bool) -> float:
        """What the sum is divided by: for no elements NaN, or 1 in the gradient, which has none either."""
        count = math.prod(difference.shape) if self.reduction == "mean" else 1
        return count or (math.nan if undefined else 1)


@tensors_only
def mse_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return (input - target)² · weight, reduced; the mean is weighted. Source: torch.nn.functional.mse_loss.

    Different shapes broadcast, with a warning. Raises ValueError if weight does not have input's shape, RuntimeError
    if neither operand is floating-point or one is complex.

    >>> F.mse_loss(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(2.)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    input, target = _check_operands("mse_loss", input, target)
    if weight is None:
        return SquaredError.apply(input, target, reduction=reduction)
    losses = _apply_weight(SquaredError.apply(input, target, reduction="none"), input, weight)
    return reduce_weighted(losses, None, None, weight.sum(), reduction)


@tensors_only
def l1_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return |input - target| · weight, reduced; the mean is weighted. Source: torch.nn.functional.l1_loss.

    The arguments and errors are those of mse_loss, except that complex numbers are allowed, and integers, too, if the
    reduction is not "mean". Raises RuntimeError if the shapes don't broadcast.

    >>> F.l1_loss(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(1.)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    input, target = _broadcast_scalars(input, target)
    losses = (input - target).abs()
    if weight is None:
        return reduce_losses(losses, reduction)
    return reduce_weighted(_apply_weight(losses, input, weight), None, None, weight.sum(), reduction)


def _check_operands(op: str, input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return both operands, or raise an error if their dtypes are not allowed; see `_broadcast_scalars`."""
    input, target = _broadcast_scalars(input, target)
    kinds = input.array.dtype.kind + target.array.dtype.kind
    if "f" not in kinds or "c" in kinds:
        raise KindError(
            f"{op}: input or target must be floating-point, and none complex, but they are {input.dtype} and "
            f"{target.dtype}"
        )
    return input, target


def _broadcast_scalars(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return both operands, and warn if their shapes differ. A 0-d operand is expanded, so that its dtype counts."""
    if target.array.shape == input.array.shape:
        return input, target
    warn(
        f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). "
        "This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size."
    )
    if input.array.ndim and target.array.ndim:
        return input, target
    input, target = broadcast_tensors(input, target)
    return input, target


def _apply_weight(losses: Tensor, input: Tensor, weight: Tensor) -> Tensor:
    if weight.shape != input.shape:
        raise ShapeError(f"Weights and input must have the same size, but have {weight.shape} and {input.shape}")
    return losses * weight


class Huber(Function):
    """½ d² where d = |x - y| is less than δ, otherwise δ (d - ½ δ); broadcast."""

    symbol, operator, promote, elementwise = "huber", "huber_loss", dtypes.promote_floating, True

    def forward(self, x, y):
        out = np.absolute(x - y)
        near = out.clip(0, self.delta)
        out -= 0.5 * near
        out *= near
        return out

    def grad_x(self, grad, x, y):
        return layouts.in_rows(grad * Hardtanh.apply(x - y, low=-self.delta, high=self.delta))

    def grad_y(self, grad, x, y):
        return layouts.in_rows(grad * Hardtanh.apply(y - x, low=-self.delta, high=self.delta))


@tensors_only
def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Return ½ d² where d = |input - target| is less than delta, otherwise delta (d - ½ delta); reduced.

    The losses have input's dtype. They are multiplied by weight, which has input's shape; the mean divides by the
    number of elements. Raises ValueError for another shape of weight, RuntimeError for two of integers and delta <= 0.
    Source: torch.nn.functional.huber_loss; Huber (1964).

    >>> F.huber_loss(torch.tensor([0.0, 0.0]), torch.tensor([1.0, 4.0]), reduction="none", delta=2.0)
    tensor([0.5000, 6.0000])
    """
    reduction = resolve_reduction(None, None, reduction)
    input, target = _check_operands("huber_loss", input, target)
    if not delta > 0:
        raise ArgumentError(f"huber_loss: does not support non-positive values for delta, got {delta}")
    losses = to_input_dtype("huber_loss", Huber.apply(input, target, delta=float(delta)), input)
    return reduce_losses(losses if weight is None else _apply_weight(losses, input, weight), reduction, "HuberLoss")


@tensors_only
def smooth_l1_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", beta: float = 1.0,
) -> Tensor:  # fmt: skip
    """Return ½ d² / beta where d = |input - target| is less than beta, otherwise d - ½ beta; reduced.

    For beta = 0 it is l1_loss. Raises RuntimeError if beta is negative. Source: torch.nn.functional.smooth_l1_loss;
    Girshick (2015).

    >>> F.smooth_l1_loss(torch.tensor([0.0, 0.0]), torch.tensor([0.5, 4.0]), reduction="none")
    tensor([0.1250, 3.5000])
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    input, target = _check_operands("smooth_l1_loss", input, target)
    if beta < 0:
        raise ArgumentError(f"smooth_l1_loss: does not support negative values for beta, got {beta}")
    if beta == 0:
        return reduce_losses((input - target).abs(), reduction)
    losses = Huber.apply(input, target, delta=float(beta))
    return reduce_losses(losses if beta == 1 else losses / beta, reduction, "SmoothL1Loss")


@composite
def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, size_average: bool | None = None,
    eps: float = 1e-8, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Return the negative log-likelihood of Poisson counts, exp(input) - target · input, reduced.

    If log_input is false, input is the rate itself, and the loss is input - target · log(input + eps). `full` adds
    Stirling's approximation of log(target!) where target is more than 1. Raises RuntimeError if the shapes don't
    broadcast. Source: torch.nn.functional.poisson_nll_loss.

    >>> F.poisson_nll_loss(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 2.0]), reduction="none")
    tensor([1.0000, 0.7183])
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    losses = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        stirling = target * log(target) - target + 0.5 * log(target * (2 * math.pi))
        losses = losses + where(target <= 1, 0.0, stirling).to(losses.dtype)
    return reduce_losses(losses, reduction)


@composite
def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Return ½ (log var + (input - target)² / var), reduced; var is at least eps, and `full` adds ½ log 2π.

    var is a number, or has input's shape, or that shape without the last dimension or with one dimension of size 1.
    Raises ValueError for another shape or a negative value. Source: torch.nn.functional.gaussian_nll_loss.

    >>> F.gaussian_nll_loss(torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor([4.0]))
    tensor(1.1931)
    """
    given = full_like(input, 1) * float(var) if isinstance(var, (int, float)) else var
    if (given < 0).any().item():
        raise ArgumentError("var has negative entry/entries")
    sizes, found = tuple(input.shape), tuple(given.shape)
    if found == sizes[:-1] and found != sizes:
        given = given.unsqueeze(-1)
    elif found != sizes:
        differing = [n for m, n in zip(sizes, found, strict=False) if m != n]
        if len(found) != len(sizes) or sum(differing) != 1:
            raise ShapeError(f"var is of incorrect size: it has {found}, but input {sizes}")
    reduction = resolve_reduction(None, None, reduction)
    given = RaisedCopy.apply(given, low=eps)
    losses = 0.5 * (log(given) + (input - target) ** 2 / given)
    return reduce_losses(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


@composite
def kl_div(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", log_target: bool = False,
) -> Tensor:  # fmt: skip
    """Return target · (log target - input), reduced: the Kullback-Leibler divergence; input holds log-probabilities.

    With log_target, target holds log-probabilities, too. "batchmean" divides the sum by the size of the first
    dimension; "mean" divides by the number of elements, and warns. Raises RuntimeError for integers. Source:
    torch.nn.functional.kl_div.

    >>> F.kl_div(torch.tensor([[-0.7, -0.7]]), torch.tensor([[1.0, 0.0]]), reduction="batchmean")
    tensor(0.7000)
    """
    if size_average is None and reduce is None and reduction == "mean":
        warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size. 'batchmean' divides "
            "only by the batch size, and aligns with the KL div math definition."
        )
    if input.array.dtype.kind not in "fc" or target.array.dtype.kind not in "fc":
        raise KindError(f"kl_div: Integral inputs not supported, got {input.dtype} and {target.dtype}")
    by_batch = reduction == "batchmean"
    reduction = resolve_reduction(size_average, reduce, "sum" if by_batch else reduction)
    losses = exp(target) * (target - input) if log_target else xlogy(target, target) - target * input
    out = reduce_losses(losses, reduction)
    return out / input.shape[0] if by_batch and input.ndim else out
