"""Functions that build grids, products, combinations and block matrices out of several Tensors."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..errors import ArgumentError, DeviceError, DtypeError, ShapeError
from ..errors.notices import once
from ..function import Function
from ..state import composite
from ..type_aliases import Tensor
from . import creation, movement


@composite
def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Return the coordinates of a grid: each vector along its own dimension, repeated along the others.

    "ij" indexing assigns the dimensions in the vectors' order, "xy" swaps the first two. Raises RuntimeError for none,
    for matrices, for other indexing, and where dtypes or devices differ. Source: torch.meshgrid.

    >>> torch.meshgrid(torch.tensor([1, 2]), torch.tensor([3, 4, 5]), indexing="ij")[0]
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    vectors = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    if not vectors:
        raise ArgumentError("meshgrid expects a non-empty TensorList")
    for i, x in enumerate(vectors):
        if x.array.ndim > 1:
            raise ShapeError(
                f"meshgrid: Expected 0D or 1D tensor in the tensor list but tensor {i} has shape {tuple(x.shape)}"
            )
        if x.device != vectors[0].device:
            raise DeviceError(
                f"meshgrid expects all tensors to have the same device, got {vectors[0].device}, {x.device}"
            )
        if x.array.dtype != vectors[0].array.dtype:
            raise DtypeError(f"meshgrid expects all tensors to have the same dtype, got {vectors[0].dtype}, {x.dtype}")
    if indexing not in (None, "ij", "xy"):
        raise ArgumentError(f'meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    if indexing is None:
        once("torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument.")
    exchange = indexing == "xy" and len(vectors) > 1
    if exchange:
        vectors = (vectors[1], vectors[0], *vectors[2:])
    shape = [x.numel() for x in vectors]
    grids = [
        movement.expand(movement.reshape(x, [-1 if i == j else 1 for j in range(len(shape))]), shape)
        for i, x in enumerate(vectors)
    ]
    if exchange:
        grids[:2] = grids[1::-1]
    return tuple(grids)


@composite
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """Return all ways to take one value from each vector, as rows.

    (n), (m), ... -> (n · m · ..., number of vectors); a single vector stays as it is. Raises RuntimeError for other
    shapes. Source: torch.cartesian_prod.

    >>> torch.cartesian_prod(torch.tensor([1, 2]), torch.tensor([3, 4]))
    tensor([[1, 3],
            [1, 4],
            [2, 3],
            [2, 4]])
    """
    for x in tensors:
        _check_vector("cartesian_prod", x)
    if len(tensors) == 1:
        return tensors[0]
    return movement.stack([movement.flatten(x) for x in meshgrid(*tensors, indexing="ij")], 1)


@composite
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Return all ways to take r values of a vector, in its order, as rows.

    (n) -> (number of ways, r). Raises RuntimeError for other shapes and a negative r. Source: torch.combinations.

    >>> torch.combinations(torch.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    _check_vector("combinations", input)
    if r < 0:
        raise ArgumentError(f"combinations: expect a non-negative number, but got r = {r}")
    if r == 0:
        return creation.empty(0, dtype=input.dtype, device=input.device)
    if r == 2:
        pairs = creation.triu_indices(input.numel(), input.numel(), int(not with_replacement), device=input.device)
        return input[movement.transpose(pairs, 0, 1)]
    n, choose = input.numel(), itertools.combinations_with_replacement if with_replacement else itertools.combinations
    count = math.comb(n + (r - 1) * with_replacement, r)
    places = np.fromiter(itertools.chain.from_iterable(choose(range(n), r)), np.int64, count * r)
    return input[creation.tensor(places, device=input.device).reshape((count, r))]


def _check_vector(op: str, x: Tensor) -> None:
    if x.ndim != 1:
        raise ShapeError(f"{op}: expect a 1D vector, but got shape {tuple(x.shape)}")


class BlockDiag(Function):
    """A block-diagonal matrix of the inputs."""

    symbol, promote = "block diag", staticmethod(dtypes.promote)

    def forward(self, *inputs):
        *_, last = places = list(_diagonal_blocks(self.shapes))
        out = np.zeros_like(inputs[0], shape=[part.stop for part in last], order="C")
        for x, place in zip(inputs, places, strict=True):
            out[place] = x
        return out

    def grad_inputs(self, grad):
        places = zip(self.shapes, _diagonal_blocks(self.shapes), strict=True)
        return tuple([grad[place].reshape(shape) for shape, place in places])


def _diagonal_blocks(shapes: Sequence[tuple[int, ...]]) -> Iterator[tuple[slice, slice]]:
    """Yield the position of each matrix of these shapes in the block-diagonal matrix; a vector counts as a row."""
    row = column = 0
    for shape in shapes:
        n, m = (1, 1, *shape)[-2:]
        yield slice(row, row + n), slice(column, column + m)
        row, column = row + n, column + m


@composite
def block_diag(*tensors: Any) -> Tensor:
    """Return the block-diagonal matrix of the inputs; a vector counts as a row.

    Raises RuntimeError for more than two dimensions. Source: torch.block_diag.

    >>> torch.block_diag(torch.tensor([[1, 2]]), torch.tensor(3))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    for i, x in enumerate(tensors):
        if x.ndim > 2:
            raise ShapeError(
                f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {i} has {x.ndim} dimensions"
            )
    shapes = tuple([x.array.shape for x in tensors])
    return BlockDiag.apply(*tensors, shapes=shapes) if tensors else creation.empty((1, 0))
