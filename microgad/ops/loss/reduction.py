"""The reduction of losses: "none", "mean" or "sum"."""

from __future__ import annotations

import operator

from ... import dtypes
from ...errors import ArgumentError, DtypeError, ShapeError
from ...errors.notices import warn
from ...errors.wording import cannot_cast
from ...function.naming import with_torch_name
from ...type_aliases import Array, Tensor
from ..elementwise import Select

REDUCTIONS = ("none", "mean", "sum")  # in the order of the numbers that stand for them in PyTorch's `torch` functions


def reduce_weighted(
    losses: Array, counted: Array | None, row_weights: Array | None, divisor: Array | float, reduction: str
) -> Array:
    """Reduce losses · row_weights (None: 1), 0 if not `counted` (None: all are); the mean divides by `divisor`."""
    if counted is not None:
        losses = Select.apply(counted, losses)
    if row_weights is not None:
        losses = losses * row_weights
    if reduction == "none":
        return losses
    return losses.sum() / divisor if reduction == "mean" else losses.sum()


def to_input_dtype(op: str, losses: Tensor, input: Tensor) -> Tensor:
    """Cast losses to input's dtype, as PyTorch does where it writes them into a Tensor made like input."""
    if not dtypes.can_cast(losses.dtype, input.dtype):
        raise DtypeError(f"{op}: {cannot_cast(losses.dtype, input.dtype)}")
    return losses.to(input.dtype)


def written_into(op: str, losses: Tensor, operand: Tensor) -> Tensor:
    """Cast losses to the operand's dtype and check that they have its shape: PyTorch writes them into a copy of it."""
    if losses.array.shape != operand.array.shape:
        raise ShapeError(
            f"{op}: output with shape {[*operand.shape]} doesn't match the broadcast shape {[*losses.shape]}"
        )
    return to_input_dtype(op, losses, operand)


def reduce_losses(losses: Tensor, reduction: str, name: str = "") -> Tensor:
    """Reduce losses without weights. `name` is the node's name, if PyTorch has one operation for the whole loss."""
    whole = losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()
    return with_torch_name(name, whole) if name else whole


def resolve_reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """Return the reduction's name, also from PyTorch's deprecated size_average and reduce. Raises for other names."""
    reduction = legacy_reduction(size_average, reduce) or reduction
    if reduction not in REDUCTIONS:
        raise ArgumentError(f"{reduction} is not a valid value for reduction: it is 'none', 'mean' or 'sum'")
    return reduction


def legacy_reduction(size_average: bool | None, reduce: bool | None) -> str:
    """Return what PyTorch's deprecated arguments mean, with a warning; "" if neither is given."""
    if size_average is None and reduce is None:
        return ""
    averaged, whole = size_average is None or bool(size_average), reduce is None or bool(reduce)
    reduction = "mean" if averaged and whole else "sum" if whole else "none"
    warn(f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.")
    return reduction


def numbered_reduction(number: int) -> str:
    """Return the name of the reduction that has this number. As in PyTorch, every other number means "none"."""
    return REDUCTIONS[number] if operator.index(number) in (1, 2) else "none"
