"""GPUs, through CuPy, under PyTorch's names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .. import backend
from ..backend import memory
from ..errors import NoMemoryError, UnsupportedError
from ..lazy import define_getattr as _define_getattr
from ..legacy import ON_GPU as _TYPES
from ..ops.random import get_rng_state as _state_of
from ..ops.random import initial_seed as initial_seed
from ..ops.random import manual_seed as _manual_seed
from ..ops.random import seed as _seed
from ..ops.random import set_rng_state as _set_state
from . import amp as amp
from . import nvtx as nvtx
from .streams import Event as Event
from .streams import Stream as Stream
from .streams import StreamContext as StreamContext
from .streams import current_stream as current_stream
from .streams import default_stream as default_stream
from .streams import device as device
from .streams import device_of as device_of
from .streams import index_of as _index
from .streams import set_stream as set_stream
from .streams import stream as stream

if TYPE_CHECKING:
    from ..type_aliases import Device

empty_cache = memory.empty_cache
OutOfMemoryError = NoMemoryError  # on a GPU or not


def is_available() -> bool:
    """Whether there is a GPU, and CuPy to use it. Source: torch.cuda.is_available.

    >>> device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    >>> torch.ones(2, device=device).sum().item()
    2.0
    """
    return backend.gpu_count() > 0


is_initialized, _initialized = is_available, False


def manual_seed(seed: int) -> None:
    """Seed what is drawn on the GPU, which is what is drawn on the CPU, too; where there is no GPU, nothing.

    Source: torch.cuda.manual_seed.

    >>> torch.cuda.manual_seed(0)
    """
    if is_available():
        _manual_seed(seed)


def seed() -> None:
    """Seed what is drawn on the GPU at random; where there is none, nothing. Source: torch.cuda.seed."""
    if is_available():
        _seed()


manual_seed_all, seed_all = manual_seed, seed


def device_count() -> int:
    """How many GPUs CuPy sees; 0 where there is no CuPy. Source: torch.cuda.device_count.

    >>> torch.cuda.device_count() >= 0
    True
    """
    return backend.gpu_count()


def init() -> None:
    """Nothing to do before the first use. Source: torch.cuda.init."""


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False: arrays have no bfloat16. Source: torch.cuda.is_bf16_supported."""
    return False


def current_device() -> int:
    """The number of the GPU in use. Raises RuntimeError where there is none. Source: torch.cuda.current_device."""
    return int(_runtime().getDevice())


def set_device(device: Any) -> None:
    """Use this GPU from now on. Source: torch.cuda.set_device."""
    index = backend.device("cuda" if device is None else device).index
    if index is not None:
        _runtime().setDevice(index)


def synchronize(device: Device = None) -> None:
    """Wait for what the GPU is doing; nothing where there is none. Source: torch.cuda.synchronize.

    >>> torch.cuda.synchronize()
    """
    if is_available():
        _runtime().deviceSynchronize()


def get_device_name(device: Device = None) -> str:
    """What a GPU is called. Source: torch.cuda.get_device_name."""
    name: bytes = _runtime().getDeviceProperties(_index(device))["name"]
    return name.decode()


def get_device_capability(device: Device = None) -> tuple[int, int]:
    """Its compute capability, (major, minor). Source: torch.cuda.get_device_capability."""
    properties = _runtime().getDeviceProperties(_index(device))
    return int(properties["major"]), int(properties["minor"])


def get_device_properties(device: Device = None) -> Any:
    """Its name, major, minor, total_memory in bytes and multi_processor_count, by these names.

    Raises RuntimeError where there is no GPU. Source: torch.cuda.get_device_properties.
    """
    found = dict(_runtime().getDeviceProperties(_index(device)))
    found |= {"name": found["name"].decode(), "total_memory": found["totalGlobalMem"]}
    return SimpleNamespace(**found, multi_processor_count=found["multiProcessorCount"])


def ipc_collect() -> None:
    """Nothing: no other process holds this one's arrays. Source: torch.cuda.ipc_collect."""


def mem_get_info(device: Device = None) -> tuple[int, int]:
    """Bytes that are free, and all. Source: torch.cuda.mem_get_info."""
    free, total = _runtime().memGetInfo()
    return int(free), int(total)


def memory_allocated(device: Device = None) -> int:
    """Bytes in arrays; 0 without a GPU. Source: torch.cuda.memory_allocated.

    >>> torch.cuda.memory_allocated() >= 0
    True
    """
    return int(_cupy().get_default_memory_pool().used_bytes()) if is_available() else 0


def memory_reserved(device: Device = None) -> int:
    """Bytes held, in arrays or for the next ones; 0 without a GPU. Source: torch.cuda.memory_reserved."""
    return int(_cupy().get_default_memory_pool().total_bytes()) if is_available() else 0


def reset_peak_memory_stats(device: Device = None) -> None:
    """No effect: CuPy keeps no peaks. Source: torch.cuda.reset_peak_memory_stats."""


max_memory_allocated, max_memory_reserved = memory_allocated, memory_reserved  # now: CuPy keeps no peaks


def _cupy() -> Any:
    return backend._cupy()


def _runtime() -> Any:
    return _cupy().cuda.runtime


default_generators: tuple[Any, ...] = ()  # all draws are the default stream's, of the CPU


def get_rng_state(device: Any = None) -> Any:
    """The state of the one stream of random numbers, of every device. Source: torch.cuda.get_rng_state."""
    return _state_of()


def set_rng_state(new_state: Any, device: Any = None) -> None:
    """Set it. Source: torch.cuda.set_rng_state."""
    _set_state(new_state)


def get_rng_state_all() -> list[Any]:
    """The state for each GPU. Source: torch.cuda.get_rng_state_all."""
    return [get_rng_state() for _ in range(device_count())]


def set_rng_state_all(new_states: Any) -> None:
    """Set it, of each GPU. Source: torch.cuda.set_rng_state_all."""
    for state in new_states:
        set_rng_state(state)


class CUDAGraph:
    """A name in annotations: CuPy has its own. To make one raises NotImplementedError. Source: torch.cuda.CUDAGraph."""

    def __init__(self, *args: Any, **options: Any) -> None:
        raise UnsupportedError(
            f"torch.cuda.{type(self).__name__}: CuPy has its own, of what a stream captures: cupy.cuda.Graph"
        )


class graph(CUDAGraph):
    """A name that programs derive from: see CUDAGraph. Source: torch.cuda.graph."""


BoolTensor, ByteTensor, CharTensor = _TYPES["BoolTensor"], _TYPES["ByteTensor"], _TYPES["CharTensor"]
DoubleTensor, FloatTensor, HalfTensor = _TYPES["DoubleTensor"], _TYPES["FloatTensor"], _TYPES["HalfTensor"]
IntTensor, LongTensor, ShortTensor = _TYPES["IntTensor"], _TYPES["LongTensor"], _TYPES["ShortTensor"]
_define_getattr(globals())
