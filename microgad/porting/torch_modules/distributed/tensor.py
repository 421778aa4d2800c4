"""torch.distributed.tensor: the class that programs test Tensors against. No Tensor is distributed."""

from __future__ import annotations

from typing import Any

from ....errors import UnsupportedError


class DTensor:
    """A distributed Tensor. No Tensor is one; creating one raises. Source: torch.distributed.tensor.DTensor."""

    def __init__(self, *args: Any, **options: Any) -> None:
        raise UnsupportedError("DTensor: microgad computes in one process, on one device")
