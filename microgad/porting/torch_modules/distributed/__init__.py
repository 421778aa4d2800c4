"""torch.distributed for a single process: queries, and collectives over a group of one."""

from __future__ import annotations

import enum
import os
from datetime import timedelta
from typing import Any

from ....errors import ArgumentError, UnsupportedError
from . import device_mesh as device_mesh
from . import elastic as elastic
from . import fsdp as fsdp
from . import tensor as tensor
from .device_mesh import DeviceMesh as DeviceMesh
from .device_mesh import init_device_mesh as init_device_mesh

_group: dict[str, Any] = {}
default_pg_timeout = timedelta(minutes=30)  # of collectives, which here need no time


class ProcessGroup:
    """The group of the single process. Source: torch.distributed.ProcessGroup."""

    def rank(self) -> int:
        """Return 0."""
        return 0

    def size(self) -> int:
        """Return 1."""
        return 1


class Work:
    """The handle of an operation with async_op=True, which is already complete. Source: torch.distributed.Work."""

    def wait(self, timeout: Any = None) -> bool:
        """Return True."""
        return True

    is_completed = is_success = wait


class group:
    """The existing groups. Source: torch.distributed.group."""

    WORLD = ProcessGroup()


GroupMember = group


class ReduceOp(enum.Enum):
    """How the values of several processes are reduced to one. Source: torch.distributed.ReduceOp."""

    SUM, AVG, PRODUCT, MIN, MAX, BAND, BOR, BXOR = range(8)


ReduceOp.RedOpType = ReduceOp  # type: ignore[attr-defined]  # the type of its values in annotations


def is_available() -> bool:
    """Return False, so that libraries skip distributed work. A group of one process can be made nevertheless.

    Source: torch.distributed.is_available.
    """
    return False


def is_initialized() -> bool:
    """Whether the group of one process was made. Source: torch.distributed.is_initialized.

    >>> torch.distributed.is_initialized()
    False
    """
    return bool(_group)


def is_nccl_available() -> bool:
    """Return False. Source: torch.distributed.is_nccl_available."""
    return False


is_mpi_available = is_ucc_available = is_xccl_available = is_torchelastic_launched = is_nccl_available


def is_gloo_available() -> bool:
    """Return True: "gloo" is the default backend of the group of one. Source: torch.distributed.is_gloo_available."""
    return True


def is_backend_available(backend: str) -> bool:
    """Whether it is "gloo". Source: torch.distributed.is_backend_available.

    >>> torch.distributed.is_backend_available("gloo"), torch.distributed.is_backend_available("nccl")
    (True, False)
    """
    return backend.lower() == "gloo"


def init_process_group(
    backend: str | None = None, init_method: str | None = None, timeout: Any = None, world_size: int = -1,
    rank: int = -1, **options: Any,
) -> None:  # fmt: skip
    """Make the group of one process. Source: torch.distributed.init_process_group.

    The number of processes is world_size or, as torchrun sets it, the variable WORLD_SIZE. Raises NotImplementedError
    for more than one.

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
    """Delete the group. Source: torch.distributed.destroy_process_group."""
    _group.clear()


def get_rank(group: Any = None) -> int:
    """Return 0. Raises ValueError if no group was made. Source: torch.distributed.get_rank."""
    _require_group()
    return 0


def get_world_size(group: Any = None) -> int:
    """Return 1. Raises ValueError if no group was made. Source: torch.distributed.get_world_size."""
    _require_group()
    return 1


def get_node_local_rank(fallback_rank: int | None = None) -> int:
    """Return the variable LOCAL_RANK, which torchrun sets, or else the fallback; RuntimeError without either.

    Source: torch.distributed.get_node_local_rank.

    >>> torch.distributed.get_node_local_rank(fallback_rank=0)
    0
    """
    found = os.environ.get("LOCAL_RANK", fallback_rank)
    if found is None:
        raise ArgumentError("LOCAL_RANK is not in the environment: pass fallback_rank for a program of one process")
    return int(found)


def get_process_group_ranks(group: Any = None) -> list[int]:
    """Return [0]. Raises ValueError if no group was made. Source: torch.distributed.get_process_group_ranks."""
    _require_group()
    return [0]


def get_global_rank(group: Any, group_rank: int) -> int:
    """Return the rank: the group is the world. Source: torch.distributed.get_global_rank."""
    return group_rank


def get_group_rank(group: Any, global_rank: int) -> int:
    """Return the rank: the group is the world. Source: torch.distributed.get_group_rank."""
    return global_rank


def get_backend(group: Any = None) -> str:
    """Return the group's backend. Raises ValueError if no group was made. Source: torch.distributed.get_backend."""
    _require_group()
    return str(_group["backend"])


def _require_group(async_op: bool = False) -> Work | None:
    if not _group:
        raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.")
    return Work() if async_op else None


def new_group(ranks: Any = None, **options: Any) -> ProcessGroup:
    """Return a group of the single process. Source: torch.distributed.new_group."""
    _require_group()
    return group.WORLD


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None, timeout: Any = None) -> Work | None:
    """Do nothing: there is no other process to wait for. Source: torch.distributed.barrier."""
    return _require_group(async_op)


def monitored_barrier(group: Any = None, timeout: Any = None, wait_all_ranks: bool = False) -> None:
    """Do nothing: there is no other process to wait for. Source: torch.distributed.monitored_barrier."""
    _require_group()


def all_reduce(tensor: Any, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """Leave the Tensor unchanged: it is its own sum over one process. Source: torch.distributed.all_reduce."""
    return _require_group(async_op)


def broadcast(
    tensor: Any, src: Any = None, group: Any = None, async_op: bool = False, group_src: Any = None
) -> Work | None:
    """Leave the Tensor unchanged. Source: torch.distributed.broadcast."""
    return _require_group(async_op)


def broadcast_object_list(
    object_list: list[Any], src: Any = None, group: Any = None, device: Any = None, group_src: Any = None
) -> None:
    """Leave the list unchanged. Source: torch.distributed.broadcast_object_list."""
    _require_group()


def reduce(
    tensor: Any, dst: Any = None, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False,
    group_dst: Any = None,
) -> Work | None:  # fmt: skip
    """Leave the Tensor unchanged. Source: torch.distributed.reduce."""
    return _require_group(async_op)


def all_gather(tensor_list: list[Any], tensor: Any, group: Any = None, async_op: bool = False) -> Work | None:
    """Copy the Tensor into the only Tensor of the list. Source: torch.distributed.all_gather."""
    work = _require_group(async_op)
    tensor_list[0].copy_(tensor)
    return work


def all_gather_into_tensor(
    output_tensor: Any, input_tensor: Any, group: Any = None, async_op: bool = False
) -> Work | None:
    """Copy the input into the output. Source: torch.distributed.all_gather_into_tensor."""
    work = _require_group(async_op)
    output_tensor.copy_(input_tensor.reshape(output_tensor.shape))
    return work


def reduce_scatter_tensor(
    output: Any, input: Any, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """Copy the input into the output. Source: torch.distributed.reduce_scatter_tensor."""
    return all_gather_into_tensor(output, input, group, async_op)


def reduce_scatter(
    output: Any, input_list: list[Any], op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """Copy the only Tensor of the list into the output. Source: torch.distributed.reduce_scatter."""
    return scatter(output, input_list, group=group, async_op=async_op)


def all_to_all(
    output_tensor_list: list[Any], input_tensor_list: list[Any], group: Any = None, async_op: bool = False
) -> Work | None:
    """Copy the only Tensor of one list into that of the other. Source: torch.distributed.all_to_all."""
    return all_gather(output_tensor_list, input_tensor_list[0], group, async_op)


def all_to_all_single(
    output: Any, input: Any, output_split_sizes: Any = None, input_split_sizes: Any = None, group: Any = None,
    async_op: bool = False,
) -> Work | None:  # fmt: skip
    """Copy the input into the output. Source: torch.distributed.all_to_all_single."""
    return all_gather_into_tensor(output, input, group, async_op)


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """Store the object in the list. Source: torch.distributed.all_gather_object."""
    _require_group()
    object_list[0] = obj


def gather_object(
    obj: Any, object_gather_list: list[Any] | None = None, dst: Any = None, group: Any = None, group_dst: Any = None
) -> None:
    """Store the object in the list. Raises ValueError without one. Source: torch.distributed.gather_object."""
    if object_gather_list is None:
        raise ValueError("gather_object: Argument object_gather_list must be specified on destination rank")
    all_gather_object(object_gather_list, obj)


def scatter_object_list(
    scatter_object_output_list: list[Any], scatter_object_input_list: list[Any] | None = None, src: Any = None,
    group: Any = None, group_src: Any = None,
) -> None:  # fmt: skip
    """Store the only object of the second list in the first. Raises ValueError without one.

    Source: torch.distributed.scatter_object_list.
    """
    if scatter_object_input_list is None:
        raise ValueError("scatter_object_list: source rank must provide non-None scatter_object_input_list")
    all_gather_object(scatter_object_output_list, scatter_object_input_list[0])


def gather(
    tensor: Any, gather_list: list[Any] | None = None, dst: Any = None, group: Any = None, async_op: bool = False,
    group_dst: Any = None,
) -> Work | None:  # fmt: skip
    """Copy the Tensor into the only Tensor of the list. Source: torch.distributed.gather."""
    work = _require_group(async_op)
    if gather_list:
        gather_list[0].copy_(tensor)
    return work


def scatter(
    tensor: Any, scatter_list: list[Any] | None = None, src: Any = None, group: Any = None, async_op: bool = False,
    group_src: Any = None,
) -> Work | None:  # fmt: skip
    """Copy the only Tensor of the list into the Tensor. Source: torch.distributed.scatter."""
    work = _require_group(async_op)
    if scatter_list:
        tensor.copy_(scatter_list[0])
    return work
