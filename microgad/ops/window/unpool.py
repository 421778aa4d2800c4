"""Max unpooling: the partial inverse of max pooling, which puts the maxima back to where they were found."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import DtypeError, ShapeError
from ...function import Function
from ...state import composite
from ...type_aliases import Tensor
from ..indexing import Gather
from ..indexing.gather import flat_indices
from ..indexing.index_kernels import all_in_range
from ..movement.conversion import Clone
from ..support import layouts
from ..support.bare import is_recorded
from .geometry import Size, invalid, ntuple, stride_or_kernel


class MaxUnpool(Function):
    """Zeros with the input's values at `cells`, (..., P) -> (..., size). The last value for a cell counts."""

    symbol, operator = "max_unpool", None
    cells: Any
    size: int

    def forward(self, input):
        out = np.zeros_like(input, shape=(*input.shape[:-1], self.size), order="C")
        out.reshape(-1)[flat_indices(out.ndim - 1, self.cells, out.shape)] = input
        return out

    def grad_input(self, grad):
        return Gather.apply(grad, index=self.cells, axis=grad.ndim - 1)


@composite
def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """Put values back to where max_pool1d found them, (N, C, L) -> (N, C, OL). The rest is as in max_unpool2d.

    Source: torch.nn.functional.max_unpool1d.

    >>> F.max_unpool1d(torch.tensor([[3.0, 2.0]]), torch.tensor([[1, 2]]), 2)
    tensor([[0., 3., 2., 0.]])
    """
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


@composite
def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """Put values back to where max_pool2d found them, (N, C, H, W) -> (N, C, OH, OW), with zeros elsewhere.

    output_size, with or without N and C, selects one of the sizes that pool to the input's. Raises ValueError for any
    other size, RuntimeError for indices outside of it. Source: torch.nn.functional.max_unpool2d.

    >>> F.max_unpool2d(torch.tensor([[[5.0]]]), torch.tensor([[[2]]]), 2)
    tensor([[[0., 0.],
             [5., 0.]]])
    """
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


@composite
def max_unpool3d(
    input: Tensor, indices: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """Apply max_unpool2d to three dimensions, (N, C, D, H, W) -> (N, C, OD, OH, OW).

    Source: torch.nn.functional.max_unpool3d.

    >>> F.max_unpool3d(torch.tensor([[[[5.0]]]]), torch.tensor([[[[1]]]]), (1, 1, 2))
    tensor([[[[0., 5.]]]])
    """
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)


def _max_unpool(
    dims: int, input: Tensor, indices: Tensor, kernel_size: Any, stride: Any, padding: Any, output_size: Any
) -> Tensor:
    op = f"max_unpool{dims}d"
    kernel = ntuple(op, "kernel_size", kernel_size, dims)
    stride = stride_or_kernel(op, stride, kernel)
    padding = ntuple(op, "padding", padding, dims, least=0)
    if indices.array.dtype != np.int64:
        raise invalid(op, f"elements in indices should be type int64 but got: {indices.dtype}", DtypeError)
    if input.ndim not in (dims + 1, dims + 2):
        raise invalid(op, f"input must have {dims + 1} or {dims + 2} dimensions, got {input.ndim}", ShapeError)
    shape = input.array.shape
    if indices.array.shape != shape:
        shapes = f"({[*input.shape]}) but got indices tensor with shape: {[*indices.shape]}"
        raise invalid(op, f"Expected shape of indices to be same as that of the input tensor {shapes}", ShapeError)
    if 0 in shape[1:]:
        rule = "Expected input to have non-zero size for non-batch dimensions"
        raise invalid(op, f"{rule}, but got {[*input.shape]}", ShapeError)
    size = [(n - 1) * s + k - 2 * p for n, k, s, p in zip(shape[-dims:], kernel, stride, padding, strict=True)]
    size = size if output_size is None else _chosen(op, output_size, size, stride)
    if min(size) < 0:
        raise invalid(op, f"output_size must not be negative, got {tuple(size)}")
    lead, area = shape[:-dims], math.prod(size)
    cells = indices.array.reshape(*lead, math.prod(shape[-dims:]))
    if not all_in_range(cells, area):
        index = cells.min() if cells.min() < 0 else cells.max()
        volumes = "x".join(map(str, size))
        raise invalid(op, f"Found an invalid max index: {index} (output volumes are of size {volumes})")
    cells = cells.copy() if is_recorded(input) else cells  # the caller may write to indices before backward
    flat = input.reshape(cells.shape)
    out = MaxUnpool.apply(flat, cells=cells, size=area).reshape((*lead, *size))
    return laid_out_as(out, input, dims) if dims == 2 else out


def _chosen(op: str, output_size: Any, size: list[int], stride: Sequence[int]) -> list[int]:
    """Return output_size without N and C, which must be less than a stride away from `size`: both pool to the same."""
    dims, given = len(size), [*map(operator.index, output_size)]
    given = given[2:] if len(given) == dims + 2 else given
    if len(given) != dims:
        raise invalid(op, f"output_size must have {dims} or {dims + 2} elements, got {len(output_size)}")
    for i, (n, expected, s) in enumerate(zip(given, size, stride, strict=True)):
        if not expected - s < n < expected + s:
            limits = f"between {expected - s} and {expected + s}"
            raise invalid(op, f"invalid output_size {tuple(given)}: dim {i} must be {limits}")
    return given


def laid_out_as(out: Tensor, input: Tensor, dims: int) -> Tensor:
    """Put a batch of 1-D or 2-D results in channels-last format if the input has it. 3-D results stay as they are."""
    if input.ndim != dims + 2 or dims == 3:
        return out
    theirs, ours = [layouts.channels_last(layouts.lines_as_planes(x.array)) for x in (input, out)]
    return Clone.apply(out, order=(0, *range(2, dims + 2), 1)) if theirs and not ours else out
