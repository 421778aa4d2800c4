"""torch.distributed.tensor: what programs ask of a Tensor, whether it is shared out. None is."""

from __future__ import annotations

from typing import Any

from ....errors import UnsupportedError
from ....lazy import define_getattr as _define_getattr


class DTensor:
    """No Tensor is one; making one is refused. Source: torch.distributed.tensor.DTensor."""

    def __init__(self, *args: Any, **options: Any) -> None:
        raise UnsupportedError("DTensor: microgad computes in one process, on one device")


_define_getattr(globals())
