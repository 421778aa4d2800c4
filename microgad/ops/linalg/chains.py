"""Products of several matrices in the cheapest order, and powers of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

import numpy as np

from ...backend import memory_formats
from ...errors import ArgumentError, ShapeError
from ...errors.notices import once
from ...function.naming import with_torch_name
from ...state import composite
from ...type_aliases import Tensor
from ..creation import from_array
from ..elementwise import Flat
from ..movement import squeeze, unsqueeze
from ..support.out import into
from ..support.spelling import numpy_spelling, tensors_only
from .common import check_floating, check_matrices, check_ndims, check_same_dtype, eye
from .products import matmul
from .solving import inv


@composite
def multi_dot(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Multiply two or more matrices in the order with the fewest operations; the first and last may be vectors.

    Raises RuntimeError for fewer than two Tensors, or sizes that don't fit. Source: torch.linalg.multi_dot.

    >>> torch.linalg.multi_dot([torch.ones(2), torch.ones(2, 3), torch.ones(3, 1)])
    tensor([6.])
    """
    if len(tensors) < 2:
        raise ArgumentError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    first, *middle, last = tensors
    for name, x in (("first", first), ("last", last)):
        if x.ndim not in (1, 2):
            raise ShapeError(f"multi_dot(): the {name} tensor must be 1D or 2D but got {x.ndim}D")
    check_ndims("multi_dot()", **{f"tensors[{i}]": (x, 2) for i, x in enumerate(middle, 1)})
    check_same_dtype("multi_dot()", *tensors)
    chain = [unsqueeze(first, 0) if first.ndim == 1 else first, *middle, unsqueeze(last, 1) if last.ndim == 1 else last]
    for i, (a, b) in enumerate(pairwise(chain)):
        if a.shape[1] != b.shape[0]:
            raise ShapeError(
                f"multi_dot(): tensors {i} and {i + 1} with shapes {list(a.shape)} and {list(b.shape)} cannot be "
                "multiplied"
            )
    result = _in_best_order(chain)
    ends = ([0] if first.ndim == 1 else []) + ([1] if last.ndim == 1 else [])
    return into(out, squeeze(result, ends) if ends else result, exact="multi_dot")


def _in_best_order(chain: list[Tensor]) -> Tensor:
    """Multiply the matrices in the cheapest order, which dynamic programming finds."""
    sizes, n = [chain[0].shape[0], *(x.shape[1] for x in chain)], len(chain)
    best = {(i, i + 1): (0, i) for i in range(n)}  # the cost of the product of chain[i:j], and its last split
    for i, j in ((j - length, j) for length in range(2, n + 1) for j in range(length, n + 1)):
        costs = ((best[i, k][0] + best[k, j][0] + sizes[i] * sizes[k] * sizes[j], k) for k in range(i + 1, j))
        best[i, j] = min(costs)
    return _multiplied(chain, best, 0, n)


def _multiplied(chain: list[Tensor], best: dict[tuple[int, int], tuple[int, int]], i: int, j: int) -> Tensor:
    """Return the product of chain[i:j]."""
    if j - i == 1:
        return chain[i]
    k = best[i, j][1]
    return matmul(_multiplied(chain, best, i, k), _multiplied(chain, best, k, j))


@tensors_only
def chain_matmul(*matrices: Tensor, out: Tensor | None = None) -> Tensor:
    """Multiply one or more matrices in the order with the fewest operations.

    Raises RuntimeError if the sizes don't fit. Source: torch.chain_matmul.

    >>> torch.chain_matmul(torch.ones(1, 2), torch.ones(2, 3), torch.ones(3, 1))
    tensor([[6.]])
    """
    once("torch.chain_matmul is deprecated. Use torch.linalg.multi_dot instead, which takes a list of matrices.")
    check_ndims("chain_matmul", **{f"matrices[{i}]": (x, 2) for i, x in enumerate(matrices)})
    if len(matrices) == 1:
        return matrices[0] if out is None else into(out, matrices[0].clone(), exact="chain_matmul")
    return multi_dot(matrices, out=out)


@numpy_spelling
@composite
def matrix_power(input: Tensor, n: int, *, out: Tensor | None = None) -> Tensor:
    """Return the n-th power of square matrices; a negative n inverts them first.

    (..., n, n) -> the same. Raises RuntimeError for other shapes, LinAlgError if one can't be inverted.
    Source: torch.linalg.matrix_power.

    >>> torch.linalg.matrix_power(torch.tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
    tensor([[1., 5.],
            [0., 1.]])
    """
    check_matrices("linalg.matrix_power", input, square=True)
    if n == 0:
        ones = np.zeros_like(input.array, order="C") + eye(input, input.shape[-1])
        return into(out, with_torch_name("torch::autograd::CopyBackwards", Flat.apply(from_array(ones), input)))
    if n == 1:
        return into(out, input.clone(memory_format=memory_formats.contiguous_format))
    if n < 0:
        check_floating("linalg.matrix_power", input)
        input, n = inv(input), -n
    factors = []
    while True:
        if n & 1:
            factors.append(input)
        n >>= 1
        if not n:
            break
        input = matmul(input, input)
    return into(out, reduce(matmul, factors))
