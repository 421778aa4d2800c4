"""torch._C._functorch: what a Tensor is inside of a transform."""

from __future__ import annotations

from ....batching.array import BatchedArray
from ....tensor import Tensor


def is_batchedtensor(tensor: Tensor) -> bool:
    """Return whether `vmap` maps over the Tensor."""
    return isinstance(tensor.array, BatchedArray)
