"""torch.distributed.fsdp: classes that programs test modules against. No module is sharded."""

from __future__ import annotations

from typing import Any

from ....errors import UnsupportedError


class FSDPModule:
    """A sharded module. No module is one; creating one raises. Source: torch.distributed.fsdp.FSDPModule."""

    def __init__(self, *args: Any, **options: Any) -> None:
        raise UnsupportedError(f"{type(self).__name__}: microgad computes in one process, on one device")


class FullyShardedDataParallel(FSDPModule):
    """The older form of FSDPModule. Source: torch.distributed.fsdp.FullyShardedDataParallel."""
