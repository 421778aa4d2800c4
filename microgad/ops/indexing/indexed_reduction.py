"""The reductions of index_reduce and scatter_reduce: product, mean, maximum and minimum at an index."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import function
from ...dtypes.limits import highest, lowest
from ...errors import ArgumentError, GraphError, KindError
from ...function import Function
from ...type_aliases import Array, Tensor
from .. import creation
from ..elementwise import Div, FloorDiv
from . import index_kernels
from .item import AddItem, ClearItem, GetItem, SetItem, StoreMixin, Write


class MulItem(StoreMixin, Function):
    """x multiplied by values at index; a repeated index multiplies by each of its values."""

    symbol, operator = "[ ]×=", None

    def store(self, out, value):
        index_kernels.at(np.multiply, out, self.index, value)

    def grad_x(self, grad, value):
        return MulItem.apply(grad, value, index=self.index)

    def grad_value(self, grad, x, value, out):
        zero = value == 0
        zeros = AddItem.apply(np.zeros_like(grad), np.astype(zero, grad.dtype), index=self.index)
        zeros = GetItem.apply(zeros, index=self.index)
        _refuse_several_zeros(grad, zeros)
        lone = zero & (zeros == 1)
        others = MulItem.apply(grad * x, np.where(lone, 1, value), index=self.index)
        quotients = GetItem.apply(grad * out, index=self.index) / np.where(zero, 1, value)
        return np.where(lone, GetItem.apply(others, index=self.index), quotients)


def _refuse_several_zeros(grad: Array, zeros: Array) -> None:
    """Refuse a second derivative where several zeros meet at one place: the formula of the first leaves them out."""
    if isinstance(grad, function.Tensor) and bool((zeros.array > 1).any()):
        raise GraphError(
            "MulItem: double backward is unsupported where more than one zero of the source goes to the same place"
        )


class ExtremeItem(StoreMixin, Function):
    """x with each element at index replaced by the maximum (or minimum) of its values, and of itself if `include_self`.

    Ties share the gradient equally. As in PyTorch, an element of x that equals the result counts as a tie even where it
    isn't included; its share is lost.
    """

    symbol, operator = "[ ]max=", None
    include_self = True

    def store(self, out, value):
        if not self.include_self:
            index_kernels.put(out, self.index, _identity_element("amax" if self.largest else "amin", out.dtype))
        with np.errstate(invalid="ignore"):  # NumPy warns of comparisons with NaN
            index_kernels.at(np.maximum if self.largest else np.minimum, out, self.index, value)

    def backward(self, grad, x, value, out):
        kept = x == out
        taken = value == GetItem.apply(out, index=self.index)
        winners = AddItem.apply(np.astype(kept, grad.dtype), np.astype(taken, grad.dtype), index=self.index)
        share = grad / np.where(winners == 0, math.nan, winners)  # a NaN equals no value
        grad_x = share * kept
        if not self.include_self:
            grad_x = ClearItem.apply(grad_x, index=self.index)
        return grad_x, GetItem.apply(share, index=self.index) * taken


def reduction_call(
    op: str, input: Tensor, source: Tensor, where: Any, how: str, include_self: bool, allowed: tuple[str, ...]
) -> Write:
    """Make the Write that reduces source into input at `where`; input's own values count if `include_self`."""
    kind = input.array.dtype.kind
    if how not in allowed:
        raise ArgumentError(f"{op}: reduce argument must be either {', '.join(allowed)}, got {how!r}")
    if (how == "mean" and kind == "b") or (how in ("amax", "amin") and kind == "c"):
        raise KindError(f"{op}: reduce={how!r} is not implemented for {input.dtype}")
    steps: list[tuple[type[Function], Any, dict[str, Any]]] = []
    extreme = how in ("amax", "amin")
    if not include_self and not extreme:
        steps.append((SetItem, _identity_element(how, input.array.dtype), {"index": where}))
    if extreme:
        steps.append((ExtremeItem, source, {"index": where, "largest": how == "amax", "include_self": include_self}))
    else:
        steps.append((MulItem if how == "prod" else AddItem, source, {"index": where}))
    if how == "mean":
        shape = input.array.shape
        if isinstance(where, tuple):  # index_reduce's, which needs one count for each slice
            shape = tuple([1 if isinstance(i, slice) else n for i, n in zip(where, shape, strict=True)])
        counts = np.full_like(input.array, int(include_self), order="C", shape=shape)
        index_kernels.add(counts, where, 1)
        counts = np.maximum(counts.real, 1).astype(counts.dtype, copy=False)
        steps.append((FloorDiv if kind in "iu" else Div, creation.from_array(counts), {}))
    return Write(op.title().replace("_", ""), tuple(steps))


def _identity_element(how: str, dtype: np.dtype[Any]) -> Any:
    """Return the value that changes nothing in a reduction."""
    if how in ("sum", "mean", "prod"):
        return int(how == "prod")
    if dtype.kind == "b":
        return how == "amin"
    return lowest(dtype) if how == "amax" else highest(dtype)
