"""torch.distributed.fsdp: what programs ask of a module, whether its parameters are shared out. None are."""

from __future__ import annotations

from typing import Any

from ....errors import UnsupportedError
from ....lazy import define_getattr as _define_getattr


class FSDPModule:
    """No module is one; making one is refused. Source: torch.distributed.fsdp.FSDPModule."""

    def __init__(self, *args: Any, **options: Any) -> None:
        raise UnsupportedError(f"{type(self).__name__}: microgad computes in one process, on one device")


class FullyShardedDataParallel(FSDPModule):
    """The same by its first name. Source: torch.distributed.fsdp.FullyShardedDataParallel."""


_define_getattr(globals())
