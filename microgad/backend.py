"""NumPy or CuPy: devices, arrays made from nothing, scatter-add, memory. The only import of cupy."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from .errors import DeviceError


class device:
    """Where an array lives: `device("cpu")`, `device("cuda")`, `device("cuda:1")`, `device("cuda", 1)`.

    >>> import microgad
    >>> microgad.device("cuda:1").type, microgad.device("cuda:1").index, microgad.device("cpu")
    ('cuda', 1, device(type='cpu'))
    """

    __slots__ = ("index", "type")
    type: str
    index: int | None

    def __init__(self, type: str | device | int, index: int | None = None) -> None:
        if isinstance(type, device):
            self.type, self.index = type.type, type.index
            return
        kind, _, number = f"cuda:{type}".partition(":") if isinstance(type, int) else type.partition(":")
        if number and (index is not None or not number.isdigit()):
            raise DeviceError(f"invalid device: '{type}'{'' if index is None else f' with index {index}'}")
        if kind not in ("cpu", "cuda"):
            raise DeviceError(f"the device is 'cpu' or 'cuda' (CuPy), got '{type}'")
        self.type = kind
        self.index = int(number) if number else index

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device(type='{self.type}'" + (")" if self.index is None else f", index={self.index})")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (self.type, self.index)

    def __enter__(self) -> device:
        _left.append(_default)
        set_default_device(self)
        return self

    def __exit__(self, *raised: Any) -> None:
        global _default
        _default = _left.pop()


CPU = device("cpu")
_default: device | None = None  # None: the CPU, with nothing to ask
_left: list[device | None] = []  # the defaults before each `with device(...)`


def set_default_device(device: Any) -> None:
    """Where new Tensors are made that are given no device; None for the CPU. Source: torch.set_default_device.

    `with torch.device("cuda"):` does the same for a block.

    >>> torch.set_default_device("cpu")
    >>> torch.get_default_device()
    device(type='cpu')
    """
    global _default
    where = CPU if device is None else type(CPU)(device)
    _default = None if where == CPU else where


def get_default_device() -> device:
    """Where new Tensors are made that are given no device. Source: torch.get_default_device.

    >>> torch.get_default_device()
    device(type='cpu')
    """
    if _default is None or _default.index is not None:
        return _default or CPU
    return device(_default.type, 0)


def chosen(where: Any) -> Any:
    """Where a new Tensor is made: the device that it was given, else the default one; None for the CPU."""
    return _default if where is None else where


def _cupy() -> Any:
    try:
        import cupy
    except ImportError:
        cupy = None
    if not hasattr(cupy, "ndarray"):  # a stray folder of that name is a module too
        raise DeviceError("device 'cuda' needs CuPy: pip install 'microgad[cuda]'")
    return cupy


def gpu_count() -> int:
    """How many GPUs CuPy sees; 0 where there is no CuPy."""
    try:
        count: int = _cupy().cuda.runtime.getDeviceCount()
    except (DeviceError, RuntimeError):  # no CuPy, or a CuPy that finds no driver
        return 0
    return count


def is_gpu(x: Any) -> bool:
    """Whether `x` is a CuPy array."""
    if type(x) is np.ndarray or "cupy" not in sys.modules:
        return False
    return isinstance(x, getattr(sys.modules["cupy"], "ndarray", ()))


def is_array(x: Any) -> bool:
    """Whether `x` is a NumPy or CuPy array."""
    return isinstance(x, np.ndarray) or is_gpu(x)


def as_array(x: Any) -> Any:
    """NumPy's scalars, which reductions give, as 0-d arrays; arrays as they are."""
    return np.asarray(x) if isinstance(x, np.generic) or not is_array(x) else x


def device_of(x: Any) -> device:
    """The device of an array."""
    return device("cuda", x.device.id) if is_gpu(x) else CPU


def to_device(x: Any, where: device | str | int | None) -> Any:
    """The array on a device: itself if it is there already."""
    where = device(where) if where is not None else CPU
    if where.type == "cpu":
        return x.get() if is_gpu(x) else x
    cupy = _cupy()
    with cupy.cuda.Device(where.index):
        return cupy.asarray(x)


def like(values: Any, x: Any, dtype: Any = None) -> Any:
    """`values` as an array on the device of `x`."""
    return np.asarray(values, dtype) if not is_gpu(x) else to_device(np.asarray(values, dtype), device_of(x))


def to_numpy(x: Any) -> Any:
    """The array in the computer's memory."""
    return x.get() if is_gpu(x) else x


def owner(x: Any) -> Any:
    """The array that owns the memory of `x`."""
    while (base := x.base) is not None:
        if not is_array(base):
            base = getattr(base, "base", None)  # NumPy's as_strided puts an object between
            if not is_array(base):
                break
        x = base
    return x


def as_strided(x: Any, shape: tuple[int, ...], strides: tuple[int, ...]) -> Any:
    """A view of memory from the first element of `x` on, with strides in bytes. It can reach beyond x."""
    library = _cupy() if is_gpu(x) else np
    return library.lib.stride_tricks.as_strided(x, shape, strides)


def at(ufunc: Any, target: Any, index: Any, values: Any) -> None:
    """target[index] = ufunc(target[index], values), where an index that comes more than once counts each time."""
    if not is_gpu(target):
        ufunc.at(target, index, values)
        return
    import cupyx

    scatter = {np.add: cupyx.scatter_add, np.maximum: cupyx.scatter_max, np.minimum: cupyx.scatter_min}
    if ufunc in scatter:
        scatter[ufunc](target, index, values)
    else:
        _in_turns(ufunc, target, index, values)


def _in_turns(ufunc: Any, target: Any, index: Any, values: Any) -> None:
    """The same where CuPy hasn't that ufunc's: in each turn a place comes once."""
    places = like(np.arange(target.size), target).reshape(target.shape)[index]
    values = np.broadcast_to(values, places.shape).reshape(-1)
    places = places.reshape(-1)
    order = np.argsort(places)  # CuPy's is stable
    ordered, flat = places[order], target.reshape(-1)
    turn = like(np.arange(places.size), target) - np.searchsorted(ordered, ordered)
    for i in range(int(turn.max()) + 1 if places.size else 0):
        chosen = order[turn == i]
        flat[places[chosen]] = ufunc(flat[places[chosen]], values[chosen])
    target[...] = flat.reshape(target.shape)


def add_at(target: Any, index: Any, values: Any) -> None:
    """target[index] += values, where an index that comes more than once counts each time."""
    at(np.add, target, index, values)


def _keep_freed_memory() -> None:
    """Ask glibc to reuse the memory of freed arrays instead of handing it back to the system.

    Every training step frees and makes the same large arrays; the page faults cost as much as the arithmetic (an MNIST
    step: 15 ms, 7 ms without them). It acts on the whole process: `MICROGAD_MALLOC=system` leaves malloc alone, and
    `empty_cache()` gives free memory back.
    """
    libc = _glibc()
    if libc is not None and os.environ.get("MICROGAD_MALLOC") != "system":
        mmap_threshold, trim_threshold = -3, -1
        libc.mallopt(mmap_threshold, 1 << 30)
        libc.mallopt(trim_threshold, (1 << 31) - 1)


def _glibc() -> Any:
    try:
        import ctypes

        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version, libc.mallopt, libc.malloc_trim  # noqa: B018 - musl, macOS and Windows lack them
        return libc
    except (ImportError, OSError, AttributeError, TypeError):
        return None


def empty_cache() -> None:
    """Give memory of freed arrays back to the system, on the CPU and on every GPU in use."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)
    if hasattr(sys.modules.get("cupy"), "ndarray"):
        sys.modules["cupy"].get_default_memory_pool().free_all_blocks()


_keep_freed_memory()
