"""masked_fill, masked_select, masked_scatter: elements by a boolean mask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...backend.meta import as_zeros
from ...errors import DtypeError, ShapeError
from ...errors.wording import in_torchs_words
from ...function import Function
from ...function.naming import with_torch_name
from ...state import observed
from ...type_aliases import Array, Operand, Tensor
from ..support import fast_numpy
from ..support.bare import is_recorded
from ..support.spelling import tensors_only
from . import index_kernels
from .index_parsing import into_separate, normalize_index
from .item import ClearItem, GetItem, SetItem, StoreMixin, Write, fill_value_for, index_put, single_write


def _mask(op: str, mask: Tensor, *kept_by: Any) -> Array:
    """Return the array of a mask, copied if a graph will keep it. Raises RuntimeError for other dtypes."""
    if mask.array.dtype != bool:
        raise DtypeError(
            f"{op}: expected BoolTensor for mask"
            if op == "masked_select"
            else f"{op} only supports boolean masks, but got mask with dtype {mask.dtype}"
        )
    return mask.array.copy() if is_recorded(*kept_by) else mask.array


def _broadcast(op: str, input: Tensor, mask: Array, in_place: bool = False) -> tuple[Tensor, tuple[Any]]:
    """Broadcast input and mask to one shape, and return the mask as an index."""
    if mask.shape == input.array.shape:
        return input, (mask,)
    try:
        shape = fast_numpy.broadcast_shapes(mask.shape, input.array.shape)
    except ValueError as error:
        raise ShapeError(f"{op}: {in_torchs_words(str(error))}") from None
    if shape != input.array.shape and in_place:
        raise ShapeError(f"{op}: output with shape {[*input.shape]} doesn't match the broadcast shape {[*shape]}")
    return input if shape == input.array.shape else input.expand(shape), (np.broadcast_to(mask, shape),)


def masked_fill_call(input: Tensor, mask: Tensor, value: Operand) -> Write:
    """Check the arguments of `masked_fill_`, and return its Write."""
    return _filled("masked_fill_", input, mask, value, True)[1]


def _filled(op: str, input: Tensor, mask: Tensor, value: Any, in_place: bool = False) -> tuple[Tensor, Write]:
    """Return the input expanded to the mask's shape, and the Write that fills it."""
    wide, index = _broadcast(op, input, _mask(op, mask, input, value), in_place)
    name = f"MaskedFillBackward{int(hasattr(value, 'array'))}"
    return wide, single_write(name, SetItem, fill_value_for(op, value, input), index, True)


@tensors_only
@observed
def masked_fill(input: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """Return input filled with one value, a number or a 0-d Tensor, where the mask is true; the mask broadcasts.

    Raises RuntimeError unless mask is of booleans and broadcasts. Source: torch.masked_fill.

    >>> torch.masked_fill(torch.zeros(3), torch.tensor([True, False, True]), 5)
    tensor([5., 0., 5.])
    """
    wide, call = _filled("masked_fill", input, mask, value)
    return call.out_of_place(wide)


@tensors_only
@observed
def masked_select(input: Tensor, mask: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the values of input where the mask is true, as a vector; the two broadcast.

    Raises RuntimeError unless mask is of booleans and broadcasts. Source: torch.masked_select.

    >>> torch.masked_select(torch.tensor([[1, 2], [3, 4]]), torch.tensor([True, False]))
    tensor([1, 3])
    """
    wide, index = _broadcast("masked_select", input, _mask("masked_select", mask, input))
    taken = with_torch_name("MaskedSelect", GetItem.apply(wide, index=index))
    return into_separate("masked_select", out, taken, input, mask)


class MaskedScatter(StoreMixin, Function):
    """x with the first `count` values, in order, where the mask in `index` is true."""

    symbol, native_half = "masked scatter", True

    def store(self, out, value):
        index_kernels.put(out, self.index, value.reshape(-1)[: self.count])

    def grad_x(self, grad):
        return ClearItem.apply(grad, index=self.index)

    def grad_value(self, grad):
        rest = np.zeros_like(grad, shape=(math.prod(self.sizes) - self.count,))
        return np.concatenate([GetItem.apply(grad, index=self.index), rest]).reshape(self.sizes)


def masked_scatter_call(input: Tensor, mask: Tensor, source: Tensor) -> Write:
    """Check the arguments of `masked_scatter`, and return its Write."""
    if source.array.dtype != input.array.dtype:
        raise DtypeError(
            f"masked_scatter: expected self and source to have same dtypes but got {input.dtype} and {source.dtype}"
        )
    array = _mask("masked_scatter_", mask, input, source)
    index = as_zeros(_broadcast("masked_scatter_", input, array, True)[1])  # the result's shape depends on no value
    count = int(np.count_nonzero(index[0]))
    if source.numel() < count:
        raise ShapeError(
            f"masked_scatter: Number of elements of source < number of ones in mask ({source.numel()} < {count})"
        )
    settings = {"index": index, "count": count, "sizes": source.array.shape}
    return Write("MaskedScatter", ((MaskedScatter, source, settings),))


@tensors_only
@observed
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Return input with consecutive values of source where the mask is true; the mask broadcasts.

    Raises RuntimeError for another dtype, a mask that isn't of booleans, and too few values.
    Source: torch.masked_scatter.

    >>> torch.masked_scatter(torch.zeros(3), torch.tensor([True, False, True]), torch.tensor([1.0, 2.0, 3.0]))
    tensor([1., 0., 2.])
    """
    input, _ = _broadcast("masked_scatter", input, _mask("masked_scatter", mask))
    return masked_scatter_call(input, mask, source).out_of_place(input)


def _safe(mask: Tensor, indices: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
    """Set the indices to 0 where the mask is false: they may be out of range there."""
    return tuple(None if i is None else masked_fill(i, ~mask, 0) for i in indices)


@tensors_only
@observed
def _unsafe_masked_index(input: Tensor, mask: Tensor, indices: Sequence[Tensor | None], fill: Any) -> Tensor:
    """input[indices] where the mask is true, `fill` elsewhere, where the indices may be out of range."""
    given = tuple(slice(None) if i is None else i for i in _safe(mask, indices))
    index = normalize_index(given, input.array, is_recorded(input))
    return masked_fill(GetItem.apply(input, index=index), ~mask, fill)


@tensors_only
@observed
def _unsafe_masked_index_put_accumulate(
    input: Tensor, mask: Tensor, indices: Sequence[Tensor | None], values: Tensor
) -> Tensor:
    """Return input with values added at indices where the mask is true; elsewhere the indices may be out of range."""
    return index_put(input, _safe(mask, indices), masked_fill(values, ~mask, 0), accumulate=True)
