"""torch.distributed in one process: what programs ask before they share work, and a group of one."""

from __future__ import annotations

import enum
import os
from typing import Any

from ....errors import UnsupportedError
from ....lazy import define_getattr as _define_getattr
from . import device_mesh as device_mesh
from . import fsdp as fsdp
from . import tensor as tensor
from .device_mesh import DeviceMesh as DeviceMesh
from .device_mesh import init_device_mesh as init_device_mesh

_group: dict[str, Any] = {}


class ProcessGroup:
    """The group of the one process. Source: torch.distributed.ProcessGroup."""

    def rank(self) -> int:
        """0."""
        return 0

    def size(self) -> int:
        """1."""
        return 1


class Work:
    """What was begun with async_op=True: it is done already. Source: torch.distributed.Work."""

    def wait(self, timeout: Any = None) -> bool:
        """True."""
        return True

    is_completed = is_success = wait


class group:
    """The groups that there are. Source: torch.distributed.group."""

    WORLD = ProcessGroup()


class ReduceOp(enum.Enum):
    """How values of several processes become one. Source: torch.distributed.ReduceOp."""

    SUM, AVG, PRODUCT, MIN, MAX, BAND, BOR, BXOR = range(8)


ReduceOp.RedOpType = ReduceOp  # type: ignore[attr-defined]  # as annotations spell its values


def is_available() -> bool:
    """False: work isn't shared, so that libraries leave out what they share it with; a group of one can be made.

    Source: torch.distributed.is_available.
    """
    return False


def is_initialized() -> bool:
    """Whether it was made. Source: torch.distributed.is_initialized.

    >>> torch.distributed.is_initialized()
    False
    """
    return bool(_group)


def is_nccl_available() -> bool:
    """False. Source: torch.distributed.is_nccl_available."""
    return False


is_mpi_available = is_ucc_available = is_torchelastic_launched = is_nccl_available


def is_gloo_available() -> bool:
    """True: the group of one goes by its name. Source: torch.distributed.is_gloo_available."""
    return True


def init_process_group(
    backend: str | None = None, init_method: str | None = None, timeout: Any = None, world_size: int = -1,
    rank: int = -1, **options: Any,
) -> None:  # fmt: skip
    """Make the group of one process. Source: torch.distributed.init_process_group.

    The number of processes is the argument, or in WORLD_SIZE as torchrun sets it. More than one raises
    NotImplementedError.

    >>> torch.distributed.init_process_group("gloo", world_size=1, rank=0)
    >>> torch.distributed.get_rank(), torch.distributed.get_world_size()
    (0, 1)
    >>> torch.distributed.destroy_process_group()
    """
    size = int(os.environ.get("WORLD_SIZE", 1)) if world_size < 0 else world_size
    if size > 1:
        raise UnsupportedError(f"init_process_group: microgad computes in one process, got world_size {size}")
    _group["backend"] = backend or "gloo"


def destroy_process_group(group: Any = None) -> None:
    """Forget the group. Source: torch.distributed.destroy_process_group."""
    _group.clear()


def get_rank(group: Any = None) -> int:
    """0. Raises ValueError where no group was made. Source: torch.distributed.get_rank."""
    _made()
    return 0


def get_world_size(group: Any = None) -> int:
    """1. Raises ValueError where no group was made. Source: torch.distributed.get_world_size."""
    _made()
    return 1


def get_backend(group: Any = None) -> str:
    """The name that it was made with. Raises ValueError where there is none. Source: torch.distributed.get_backend."""
    _made()
    return str(_group["backend"])


def _made(async_op: bool = False) -> Work | None:
    if not _group:
        raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.")
    return Work() if async_op else None


def new_group(ranks: Any = None, **options: Any) -> ProcessGroup:
    """The group of the one process. Source: torch.distributed.new_group."""
    _made()
    return group.WORLD


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None, timeout: Any = None) -> Work | None:
    """Nobody to wait for. Source: torch.distributed.barrier."""
    return _made(async_op)


def all_reduce(tensor: Any, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """The Tensor stays: it is the sum, the mean, the largest over one process. Source: torch.distributed.all_reduce."""
    return _made(async_op)


def broadcast(
    tensor: Any, src: Any = None, group: Any = None, async_op: bool = False, group_src: Any = None
) -> Work | None:
    """The Tensor stays. Source: torch.distributed.broadcast."""
    return _made(async_op)


def broadcast_object_list(
    object_list: list[Any], src: Any = None, group: Any = None, device: Any = None, group_src: Any = None
) -> None:
    """The list stays. Source: torch.distributed.broadcast_object_list."""
    _made()


def reduce(
    tensor: Any, dst: Any = None, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False,
    group_dst: Any = None,
) -> Work | None:  # fmt: skip
    """The Tensor stays. Source: torch.distributed.reduce."""
    return _made(async_op)


def all_gather(tensor_list: list[Any], tensor: Any, group: Any = None, async_op: bool = False) -> Work | None:
    """Write the Tensor into the one of the list. Source: torch.distributed.all_gather."""
    work = _made(async_op)
    tensor_list[0].copy_(tensor)
    return work


def all_gather_into_tensor(
    output_tensor: Any, input_tensor: Any, group: Any = None, async_op: bool = False
) -> Work | None:
    """Write the Tensor into the other. Source: torch.distributed.all_gather_into_tensor."""
    work = _made(async_op)
    output_tensor.copy_(input_tensor.reshape(output_tensor.shape))
    return work


def reduce_scatter_tensor(
    output: Any, input: Any, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """Write the Tensor into the other. Source: torch.distributed.reduce_scatter_tensor."""
    return all_gather_into_tensor(output, input, group, async_op)


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """Put the object into the list. Source: torch.distributed.all_gather_object."""
    _made()
    object_list[0] = obj


def gather(
    tensor: Any, gather_list: list[Any] | None = None, dst: Any = None, group: Any = None, async_op: bool = False,
    group_dst: Any = None,
) -> Work | None:  # fmt: skip
    """Write the Tensor into the one of the list. Source: torch.distributed.gather."""
    work = _made(async_op)
    if gather_list:
        gather_list[0].copy_(tensor)
    return work


def scatter(
    tensor: Any, scatter_list: list[Any] | None = None, src: Any = None, group: Any = None, async_op: bool = False,
    group_src: Any = None,
) -> Work | None:  # fmt: skip
    """Write the one of the list into the Tensor. Source: torch.distributed.scatter."""
    work = _made(async_op)
    if scatter_list:
        tensor.copy_(scatter_list[0])
    return work


_define_getattr(globals())
