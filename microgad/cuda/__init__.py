"""torch.cuda: GPUs, which CuPy drives."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .. import backend
from ..backend.memory import empty_cache as empty_cache
from ..errors import NoMemoryError, UnsupportedError
from ..generator import default_generator as _default_generator
from ..lazy import define_getattr_in_package as _define_getattr_in_package
from ..legacy import ON_GPU as _TYPES
from ..ops.random import get_rng_state as _get_state
from ..ops.random import initial_seed as initial_seed
from ..ops.random import manual_seed as _manual_seed
from ..ops.random import seed as _seed
from ..ops.random import set_rng_state as _set_state
from ..type_aliases import Device
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
from .streams import use as _use

OutOfMemoryError = NoMemoryError  # raised on the CPU, too
memory = random = sys.modules[__name__]  # PyTorch's modules: torch.cuda.random.manual_seed


def is_available() -> bool:
    """Whether CuPy is installed and finds a GPU. Source: torch.cuda.is_available.

    >>> device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    >>> torch.ones(2, device=device).sum().item()
    2.0
    """
    return backend.gpu_count() > 0


is_initialized, _initialized = is_available, False


def manual_seed(seed: int) -> None:
    """Seed the random generator, which the GPU shares with the CPU; without a GPU do nothing.

    Source: torch.cuda.manual_seed.

    >>> torch.cuda.manual_seed(0)
    """
    if is_available():
        _manual_seed(seed)


def seed() -> None:
    """Seed the random generator with a random number; without a GPU do nothing. Source: torch.cuda.seed.

    >>> torch.cuda.seed()
    """
    if is_available():
        _seed()


manual_seed_all, seed_all = manual_seed, seed


def device_count() -> int:
    """Return the number of GPUs that CuPy sees, 0 without CuPy. Source: torch.cuda.device_count.

    >>> torch.cuda.device_count() >= 0
    True
    """
    return backend.gpu_count()


def init() -> None:
    """Do nothing: CUDA is initialized on first use. Source: torch.cuda.init.

    >>> torch.cuda.init()
    """


def _is_in_bad_fork() -> bool:
    """Return False: whether a process may use the GPU is seen when it does. Programs that set seeds ask."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Return False: arrays have no bfloat16. Source: torch.cuda.is_bf16_supported.

    >>> torch.cuda.is_bf16_supported()
    False
    """
    return False


def is_tf32_supported() -> bool:
    """Return False: float32 is computed as float32. Source: torch.cuda.is_tf32_supported.

    >>> torch.cuda.is_tf32_supported()
    False
    """
    return False


def current_device() -> int:
    """Return the number of the current GPU. Raises RuntimeError without a GPU. Source: torch.cuda.current_device.

    >>> if torch.cuda.is_available():
    ...     assert torch.cuda.current_device() < torch.cuda.device_count()
    """
    return _index(None)


def set_device(device: Any) -> None:
    """Make a GPU the current one; a negative number changes nothing. Source: torch.cuda.set_device.

    Raises RuntimeError for a number without CuPy, ValueError for a device that isn't a GPU or has no number.

    >>> if torch.cuda.is_available():
    ...     torch.cuda.set_device(0)
    """
    if (index := _index(device, numbered=True)) >= 0:
        _use(index)


def synchronize(device: Device = None) -> None:
    """Wait until the GPU's work is done; without a GPU do nothing. Source: torch.cuda.synchronize.

    >>> torch.cuda.synchronize()
    """
    if is_available():
        _runtime().deviceSynchronize()


def get_device_name(device: Device = None) -> str:
    """Return the name of a GPU. Raises RuntimeError without a GPU. Source: torch.cuda.get_device_name.

    >>> if torch.cuda.is_available():
    ...     name = torch.cuda.get_device_name(0)
    """
    name: bytes = _runtime().getDeviceProperties(_index(device))["name"]
    return name.decode()


def get_device_capability(device: Device = None) -> tuple[int, int]:
    """Return the compute capability of a GPU, (major, minor).

    Raises RuntimeError without a GPU. Source: torch.cuda.get_device_capability.

    >>> if torch.cuda.is_available():
    ...     major, minor = torch.cuda.get_device_capability(0)
    """
    properties = _runtime().getDeviceProperties(_index(device))
    return int(properties["major"]), int(properties["minor"])


def get_device_properties(device: Device = None) -> Any:
    """Return an object with a GPU's name, major, minor, total_memory in bytes and multi_processor_count.

    Raises RuntimeError without a GPU. Source: torch.cuda.get_device_properties.

    >>> if torch.cuda.is_available():
    ...     gibibytes = torch.cuda.get_device_properties(0).total_memory / 2**30
    """
    found = dict(_runtime().getDeviceProperties(_index(device)))
    found |= {"name": found["name"].decode(), "total_memory": found["totalGlobalMem"]}
    return SimpleNamespace(**found, multi_processor_count=found["multiProcessorCount"])


def get_arch_list() -> list[str]:
    """Return an empty list: CuPy compiles for the GPU that it finds. Source: torch.cuda.get_arch_list.

    >>> torch.cuda.get_arch_list()
    []
    """
    return []


def ipc_collect() -> None:
    """Do nothing: no other process holds this one's arrays. Source: torch.cuda.ipc_collect.

    >>> torch.cuda.ipc_collect()
    """


def mem_get_info(device: Device = None) -> tuple[int, int]:
    """Return the free and the total bytes of the current GPU.

    Raises RuntimeError without a GPU. Source: torch.cuda.mem_get_info.

    >>> if torch.cuda.is_available():
    ...     free, total = torch.cuda.mem_get_info()
    """
    free, total = _runtime().memGetInfo()
    return int(free), int(total)


def memory_allocated(device: Device = None) -> int:
    """Return the bytes allocated by arrays, 0 without a GPU. Source: torch.cuda.memory_allocated.

    >>> torch.cuda.memory_allocated() >= 0
    True
    """
    return int(backend._cupy().get_default_memory_pool().used_bytes()) if is_available() else 0


def memory_reserved(device: Device = None) -> int:
    """Return the bytes of CuPy's memory pool, used or free; 0 without a GPU. Source: torch.cuda.memory_reserved.

    >>> torch.cuda.memory_reserved() >= torch.cuda.memory_allocated()
    True
    """
    return int(backend._cupy().get_default_memory_pool().total_bytes()) if is_available() else 0


def memory_stats(device: Device = None) -> dict[str, int]:
    """Return the bytes of CuPy's memory pool under PyTorch's names; peaks are the present values.

    Without a GPU there are none. Source: torch.cuda.memory_stats.

    >>> torch.cuda.memory_stats().get("allocated_bytes.all.current", 0) == torch.cuda.memory_allocated()
    True
    """
    found = {"allocated_bytes": memory_allocated(device), "reserved_bytes": memory_reserved(device)}
    stats = {f"{name}.all.{kind}": n for name, n in found.items() for kind in ("current", "peak")}
    return stats if is_available() else {}


def reset_peak_memory_stats(device: Device = None) -> None:
    """Do nothing: CuPy doesn't record peaks. Source: torch.cuda.reset_peak_memory_stats.

    >>> torch.cuda.reset_peak_memory_stats()
    """


max_memory_allocated, max_memory_reserved = memory_allocated, memory_reserved  # the present values, for lack of peaks
memory_cached = max_memory_cached = memory_reserved  # old names
reset_max_memory_allocated = reset_max_memory_cached = reset_accumulated_memory_stats = reset_peak_memory_stats


def memory_summary(device: Device = None, abbreviated: bool = False) -> str:
    """Return the numbers of `memory_stats` as lines of text. Source: torch.cuda.memory_summary.

    >>> if torch.cuda.is_available():
    ...     print(torch.cuda.memory_summary())
    """
    return "\n".join(f"{name:32}{n:20,} bytes" for name, n in memory_stats(device).items())


def _runtime() -> Any:
    return backend._cupy().cuda.runtime


class _Generators(Sequence[Any]):
    """The default generator of each GPU, which is the CPU's: it makes all draws."""

    def __len__(self) -> int:
        return device_count()

    def __getitem__(self, i: Any) -> Any:
        return ((_default_generator,) * len(self))[i]


default_generators = _Generators()


def get_rng_state(device: Any = None) -> Any:
    """Return the state of the default generator, which all devices share. Source: torch.cuda.get_rng_state.

    >>> torch.cuda.get_rng_state().dtype
    torch.uint8
    """
    return _get_state()


def set_rng_state(new_state: Any, device: Any = None) -> None:
    """Set the state of the default generator. Raises TypeError unless it is uint8. Source: torch.cuda.set_rng_state.

    >>> torch.cuda.set_rng_state(torch.cuda.get_rng_state())
    """
    _set_state(new_state)


def get_rng_state_all() -> list[Any]:
    """Return a list with the default generator's state for each GPU. Source: torch.cuda.get_rng_state_all.

    >>> len(torch.cuda.get_rng_state_all()) == torch.cuda.device_count()
    True
    """
    return [get_rng_state() for _ in range(device_count())]


def set_rng_state_all(new_states: Any) -> None:
    """Set the default generator's state to the last of a list. Source: torch.cuda.set_rng_state_all.

    >>> torch.cuda.set_rng_state_all(torch.cuda.get_rng_state_all())
    """
    for state in new_states:
        set_rng_state(state)


class CUDAGraph:
    """A class for annotations: making one raises NotImplementedError. Source: torch.cuda.CUDAGraph.

    >>> isinstance(print, torch.cuda.CUDAGraph)
    False
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        raise UnsupportedError(f"torch.cuda.{type(self).__name__}: not supported; cupy.cuda.Graph is CuPy's form of it")


class graph(CUDAGraph):
    """A class for programs to derive from: making one raises NotImplementedError. Source: torch.cuda.graph.

    >>> issubclass(torch.cuda.graph, torch.cuda.CUDAGraph)
    True
    """


if TYPE_CHECKING:
    from ..legacy_types import *  # noqa: F403
else:
    BoolTensor, ByteTensor, CharTensor = _TYPES["BoolTensor"], _TYPES["ByteTensor"], _TYPES["CharTensor"]
    DoubleTensor, FloatTensor, HalfTensor = _TYPES["DoubleTensor"], _TYPES["FloatTensor"], _TYPES["HalfTensor"]
    IntTensor, LongTensor, ShortTensor = _TYPES["IntTensor"], _TYPES["LongTensor"], _TYPES["ShortTensor"]
    BoolStorage, ByteStorage, CharStorage = _TYPES["BoolStorage"], _TYPES["ByteStorage"], _TYPES["CharStorage"]
    DoubleStorage, FloatStorage, HalfStorage = _TYPES["DoubleStorage"], _TYPES["FloatStorage"], _TYPES["HalfStorage"]
    IntStorage, LongStorage, ShortStorage = _TYPES["IntStorage"], _TYPES["LongStorage"], _TYPES["ShortStorage"]
    ComplexFloatStorage, ComplexDoubleStorage = _TYPES["ComplexFloatStorage"], _TYPES["ComplexDoubleStorage"]

_define_getattr_in_package(__name__)
