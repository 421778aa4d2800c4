"""What differs between NumPy and CuPy: devices, transfers, scatter-add, memory. The only import of cupy."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import Any

import numpy as np

from ..duck_arrays import DuckArray
from ..errors import DeviceError
from . import copies
from . import memory as memory  # importing it configures malloc
from .arrays import Array
from .arrays import is_array as is_array
from .arrays import is_gpu as is_gpu
from .arrays import make_like as make_like
from .arrays import owner as owner
from .arrays import zeros as zeros
from .devices import CPU as CPU
from .devices import chosen as chosen
from .devices import current_gpu as current_gpu
from .devices import device as device
from .devices import follow as follow
from .meta import META, NO_DATA, MetaArray, NoValuesError


def _cupy() -> Any:
    try:
        import cupy
    except ImportError:
        cupy = None
    if not hasattr(cupy, "ndarray"):  # a folder of that name on the path would be imported as a namespace package
        raise DeviceError("device 'cuda' needs CuPy: pip install 'microgad[cuda]'")
    return cupy


def gpu_count() -> int:
    """How many GPUs CuPy sees; 0 where there is no CuPy."""
    try:
        return int(_cupy().cuda.runtime.getDeviceCount())
    except (DeviceError, RuntimeError):  # no CuPy, or a CuPy that finds no driver
        return 0


def as_array(x: Any) -> Array:
    """Convert NumPy scalars, which reductions return, to 0-d arrays, and return arrays as they are."""
    return np.asarray(x) if isinstance(x, np.generic) or not is_array(x) else x  # `is_array` takes longer to say no


def on_cpu(x: Array) -> bool:
    """Whether an array, also one of vmap's, is neither on a GPU nor without values."""
    return type(x) is np.ndarray or device_of(x) is CPU


def device_of(x: Array) -> device:
    """The device of an array."""
    return device("cuda", x.device.id) if is_gpu(x) else META if isinstance(x, MetaArray) else CPU


def to_device(x: Array, where: device | str | int | None) -> Array:
    """The array on a device (None: the CPU): itself if it is there already, else a copy."""
    where = CPU if where is None else where if type(where) is device else device(where)
    if where.type == "meta":
        return x if isinstance(x, MetaArray) else MetaArray(x)
    if isinstance(x, MetaArray):
        raise NoValuesError(NO_DATA)
    if where.type == "cpu":
        return to_numpy(x)
    if where.type != "cuda":
        raise DeviceError(f"device '{where}': microgad has no tensors there; 'cpu', 'cuda' (CuPy) and 'meta' are there")
    cupy = on_gpu(where)
    if is_gpu(x) and x.device.id == cupy.cuda.runtime.getDevice():
        return x
    return copies.moved(x, lambda x: cupy.asarray(x, order="C"))  # "K" refuses what has gaps on another GPU


def on_gpu(where: device) -> Array:
    """CuPy, which makes new arrays on a GPU from now on."""
    cupy = _cupy()
    cupy.cuda.runtime.setDevice(current_gpu.get() if where.index is None else where.index)
    return cupy


def like(values: Any, x: Array, dtype: Any = None) -> Array:
    """`values` as an array on the device of `x`."""
    return np.asarray(values, dtype) if on_cpu(x) else to_device(np.asarray(values, dtype), device_of(x))


def to_numpy(x: Array) -> Array:
    """The array as a NumPy array: a CuPy array is copied to the host."""
    return copies.moved(x, lambda x: x.get()) if is_gpu(x) else x


def from_dlpack(x: Any, on_cpu: bool) -> Any:
    """An array on the memory of another library's array."""
    return np.from_dlpack(x) if on_cpu else _cupy().from_dlpack(x)


def as_strided(x: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """A view that starts at the first element of `x`, with strides in bytes. It may reach beyond `x`."""
    if isinstance(x, DuckArray):
        return x.as_strided(shape, strides)
    if not is_gpu(x):
        return np.lib.stride_tricks.as_strided(x, shape, strides)
    # CuPy's own as_strided returns an array without `base`, by which views are known. Expanding an element gives one,
    # and kernels the number of bits that they need to index the result.
    view: Any = np.broadcast_to(x[(0,) * x.ndim], shape) if x.size else x.view()
    view._set_shape_and_strides(shape, strides, True, True)
    return view


def at(ufunc: np.ufunc, target: Array, index: Any, values: Array | complex) -> None:
    """target[index] = ufunc(target[index], values), where an index that is repeated counts each time."""
    if is_gpu(target) and not isinstance(target, DuckArray):
        ufunc = getattr(sys.modules["cupy"], ufunc.__name__)  # NumPy's own passes no tuple on as an index to CuPy
    ufunc.at(target, index, values)


def add_at(target: Array, index: Any, values: Array) -> None:
    """target[index] += values, where an index that is repeated counts each time."""
    at(np.add, target, index, values)


def checked(x: Array) -> Any:
    """A context in which linear algebra on the device of `x` raises LinAlgError, which CuPy does only on request."""
    return sys.modules["cupyx"].errstate(linalg="raise") if is_gpu(x) else nullcontext()
