"""hash_tensor: the bits of many elements in one number."""

from __future__ import annotations

import math

import numpy as np

from ...backend.axes import reduced_shape, reduction_size, wrapped
from ...errors import ArgumentError
from ...function import Function
from ...type_aliases import Array, Tensor
from ..support.out import into
from ..support.spelling import tensors_only
from .axes import Dim, axes, check_not_empty, check_ordered


class HashTensor(Function):
    """The exclusive or of the elements along axes, each of which is a float64 or an int64, as uint64."""

    symbol = "hash"

    def forward(self, x: Array) -> Array:
        axis = wrapped(self.axis, x.ndim)
        kept = math.prod(reduced_shape(x.shape, axis))
        bits = x.astype(np.float64 if x.dtype.kind == "f" else np.int64).view(np.uint64)
        bits = np.moveaxis(bits, axis, range(len(axis))).reshape(reduction_size(x.shape, axis), kept)
        while (n := len(bits)) > 1:  # CuPy's ufuncs have no `reduce`
            pairs = bits[: n // 2] ^ bits[n // 2 : n // 2 * 2]
            bits = np.concatenate([pairs, bits[-1:]]) if n % 2 else pairs
        return bits.reshape(reduced_shape(x.shape, axis, self.keepdims))


@tensors_only
def hash_tensor(
    input: Tensor, dim: Dim = (), *, keepdim: bool = False, mode: int = 0, out: Tensor | None = None
) -> Tensor:
    """Return the exclusive or of the bits of all elements, or of those along dim, as uint64. Source: torch.hash_tensor.

    Floating-point elements count as float64, others as int64. Raises RuntimeError or IndexError where there are no
    elements, RuntimeError for another mode than 0, and NotImplementedError for complex numbers.

    >>> torch.hash_tensor(torch.tensor([[1, 2], [3, 5]]), dim=1)
    tensor([3, 6], dtype=torch.uint64)
    """
    if mode != 0:
        raise ArgumentError(f"Unknown hash_tensor mode: {mode}")
    check_ordered(input, "hash_tensor")
    axis = axes(dim, input.array.ndim, "hash_tensor")
    check_not_empty(input, axis, "hash_tensor")
    return into(out, HashTensor.apply(input, axis=axis, keepdims=keepdim), exact="hash_tensor")
