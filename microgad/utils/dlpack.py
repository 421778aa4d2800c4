"""torch.utils.dlpack: exchange memory with other libraries by DLPack."""

from __future__ import annotations

from typing import Any

from ..ops.creation import from_dlpack as from_dlpack
from ..ops.support.spelling import tensors_only as _tensors_only
from ..tensor import Tensor


@_tensors_only
def to_dlpack(tensor: Tensor) -> Any:
    """Return a DLPack capsule for a Tensor's memory, which can be used once. Source: torch.utils.dlpack.to_dlpack.

    Raises BufferError if the Tensor requires grad.

    >>> torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(torch.ones(2)))
    tensor([1., 1.])
    """
    return tensor.__dlpack__()
