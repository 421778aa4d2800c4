"""Tensors made from data: numbers, sequences, arrays, storages, files, buffers and other libraries' arrays."""

from __future__ import annotations

import functools
from collections.abc import Set
from typing import Any

import numpy as np

from ... import backend, dtypes, function
from ...backend.copies import cloned
from ...backend.memory_formats import strided
from ...backend.memory_layout import in_own_memory
from ...dtypes.conversions import convert
from ...errors import ArgumentError, DtypeError, GraphError, UnsupportedError
from ...errors.arguments import check_bool, is_sequence
from ...errors.notices import TO_SCALAR, once, warn
from ...function import SCALARS
from ...storage import UntypedStorage, is_storage
from ...type_aliases import Array, Device, Dtype, GivenDtype, Layout, Operand, Tensor
from ..support.bare import is_recorded
from .scalars import as_scalar, check_numbers

_OBJECTS = np.dtype(object)
_WHOLE = np.ndarray, np.generic, function.Tensor, str, bytes
_COPY_WARNING = (
    "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
    "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor)."
)
_ARRAYS_WARNING = (
    "Creating a tensor from a list of numpy.ndarrays is extremely slow. Please consider converting the list to a "
    "single numpy.ndarray with numpy.array() before converting to a tensor."
)
_READ_ONLY_WARNING = "The given {} is not writable: writing to the Tensor raises. You may want to copy it first."


def from_array(array: Any, device: Device = None, requires_grad: bool = False) -> Tensor:
    """Wrap an array as a Tensor, moved to a device if one is given. Raises TypeError if requires_grad is no bool."""
    result: Tensor = function.Tensor._wrap(array if device is None else backend.to_device(array, device))
    if requires_grad is False or requires_grad is None:
        return result
    if requires_grad is not True:
        raise DtypeError(f"argument 'requires_grad' must be bool, not {type(requires_grad).__name__}")
    return result.requires_grad_()


def check_options(op: str, options: dict[str, Any], known: Set[str]) -> None:
    """Raise TypeError for unknown keyword arguments."""
    unexpected = options.keys() - known
    if unexpected:
        raise TypeError(f"{op}() got an unexpected keyword argument '{min(unexpected)}'")


def check_layout(op: str, layout: Any) -> None:
    """Raise NotImplementedError for any other layout than `strided`."""
    if layout is not None and layout is not strided:
        raise UnsupportedError(f"{op}: there is no layout {layout}: arrays are dense")


def tensor(
    data: Any, *, dtype: Dtype = None, device: Device = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """Copy data, which are numbers, nested sequences, arrays or Tensors, into a new Tensor. Source: torch.tensor.

    Python numbers become bool, int64, or the default floating or complex dtype; arrays keep their dtype. The memory of
    a storage is shared. Raises RuntimeError where a Python number doesn't fit into an integer dtype; arrays are cast.

    >>> torch.tensor([[1, 2], [3, 4]], dtype=torch.float64)
    tensor([[1., 2.],
            [3., 4.]], dtype=torch.float64)
    """
    if isinstance(data, function.Tensor):
        warn(_COPY_WARNING)
        data = data.array
    elif is_storage(data):  # shares its memory, as in PyTorch
        return from_array(_shared_array(data, dtype), device, requires_grad)
    else:
        data = _shared_array(data, dtype)
    if backend.is_gpu(data):
        array = cloned(data) if dtype is None else cloned(data).astype(dtypes.of(dtype).dtype)
        return from_array(array, device, requires_grad)
    array = _copy_to_array(data, dtype)
    _check_array(array)
    return from_array(array, backend.chosen(device), requires_grad)


def _copy_to_array(data: Any, dtype: Dtype) -> Array:
    """Copy data into a new array of a dtype, or of the dtype that PyTorch infers."""
    found: list[Any] = []  # the dtypes of elements, where some are arrays or Tensors
    first = _first(data)
    array = _stack(data, first, found)
    if array.dtype == object:
        array = _from_objects(data, array, dtype)
    if isinstance(first, str):
        if first is data:
            raise DtypeError("new(): invalid data type 'str'")
        raise ArgumentError("too many dimensions 'str'")
    if dtype is not None:
        to = dtypes.of(dtype).dtype
        if backend.is_array(data):
            _check_array(data)
        elif array.dtype.kind in "US":  # NumPy would read numbers in text
            raise DtypeError(f"must be real number, not {'str' if array.dtype.kind == 'U' else 'bytes'}")
        else:
            check_numbers(array, to)
        return array if array.dtype == to else convert(array, to)
    if not found and first is not data and array.dtype not in (np.int64, np.bool_) and _has_typed(data):
        _find_dtypes(data, found)
    if found:
        return array.astype(functools.reduce(dtypes.promote_types, dict.fromkeys(found)).dtype)
    if hasattr(first, "dtype"):
        return array
    if array.dtype == np.uint64 or (type(first) is int and array.dtype.kind == "f" and _overflows(data)):
        raise ArgumentError(
            "Overflow when unpacking long long: a number is too large for int64; give dtype=torch.uint64"
        )
    if array.dtype.kind in "biufc":  # a buffer such as a bytearray counts as a sequence of Python numbers
        array = array.astype(dtypes.default_for("bifc".index(array.dtype.kind.replace("u", "i"))), copy=False)
    return array


def _stack(data: Any, first: Any, found: list[Any]) -> Array:
    """np.array(data), in PyTorch's layout. Tensors in it become numbers; `found` gets the dtypes of all elements."""
    if not isinstance(first, function.Tensor):
        try:
            return cloned(data) if type(data) is np.ndarray else np.array(data)
        except (TypeError, ValueError, GraphError):  # a later element may be a Tensor
            pass
    sizes = _sizes(data)
    if 0 in sizes:  # what follows an empty sequence has no place, so that it may have any size
        array = np.empty(sizes)
        found += [] if backend.is_array(first) else [dtypes.get_default_dtype()]
    else:
        array = np.array(_numbers(data, sizes))
    _find_dtypes(data, found)
    return array


def _shared_array(data: Any, dtype: Dtype) -> Any:
    """An array on the memory of a storage (of dtype, or the default one) or a DLPack object; other data unchanged."""
    if is_storage(data):
        return data.row_of(dtypes.of(dtype or dtypes.get_default_dtype()).dtype)
    if hasattr(data, "__dlpack__") and not backend.is_array(data):
        return from_dlpack(data).array
    return data


def _plain_view(array: Array) -> Array:
    """The array without its class, as a matrix multiplies differently, and without what lies around it in memory."""
    return in_own_memory(array) if isinstance(array, np.ndarray) else array.view()


def _check_array(array: Array) -> None:
    """Raise for a dtype that PyTorch lacks, for bytes in another order than the machine's, and for uneven strides."""
    if not array.dtype.isnative:
        raise ArgumentError(
            "given numpy array has byte order different from the native byte order. Conversion between byte orders is "
            "currently not supported."
        )
    try:
        dtypes.of(array.dtype)
    except DtypeError:
        raise DtypeError(
            f"can't convert np.ndarray of type numpy.{array.dtype.type.__name__}. The only supported types are: "
            "float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, "
            "uint8, and bool."
        ) from None
    size = array.itemsize
    for stride in array.strides:  # `any` of a generator takes a fifth of from_numpy's time
        if stride % size:  # of a field of a structured array
            raise ArgumentError(
                "given numpy array strides not a multiple of the element byte size. Copy the numpy array to reallocate "
                "the memory."
            )


_WIDE = {"b": np.bool_, "f": np.float64, "c": np.complex128}


def _from_objects(data: Any, array: Array, dtype: Any) -> Array:
    """Convert an array of objects, such as fractions and large integers, to float64, complex128 or bool.

    dtype, or else a float or a complex number among the objects, decides which. Raises RuntimeError if neither does.
    """
    if not backend.is_array(data):
        numbers = np.array(array.tolist())  # of a pandas Series of objects
        if numbers.dtype != object:
            return numbers
        types = set(map(type, array.flat))
        inferred = "c" if complex in types else "f" if float in types else ""
        kind = dtypes.of(dtype).dtype.kind if dtype is not None else inferred
        if kind in _WIDE and all(_is_real(x) or (type(x) is complex and kind != "f") for x in array.flat):
            return array.astype(_WIDE[kind])
        if array.size and all(type(x) is int for x in array.flat):
            raise ArgumentError("Overflow when unpacking long long: a number is too large for int64")
        strange = next((x for x in array.flat if not isinstance(x, (int, float, complex))), data)
        raise DtypeError(f"Could not infer dtype of {type(strange).__name__}")
    _check_array(data)


def _is_real(x: Any) -> bool:
    return hasattr(x, "__float__") or hasattr(x, "__index__")


def _is_nested(data: Any) -> bool:
    """Whether data is a sequence whose elements are read one by one: no text, and nothing that has a NumPy dtype."""
    if isinstance(data, (list, tuple)):
        return True
    if isinstance(data, _WHOLE) or backend.is_array(data) or not is_sequence(data):
        return False
    return bool(getattr(data, "dtype", _OBJECTS) == _OBJECTS)


def _has_typed(data: Any) -> bool:
    """Whether nested sequences contain an element that has a dtype, such as a NumPy scalar."""
    if _is_nested(data):
        return not SCALARS.issuperset(map(type, data)) and any(map(_has_typed, data))
    return hasattr(data, "dtype")


def _sizes(data: Any) -> list[int]:
    """The sizes of nested sequences, by the first item at each level. A Tensor that comes first is a number."""
    sizes = []
    while _is_nested(data) or (backend.is_array(data) and data.ndim):
        sizes.append(len(data))
        if not len(data):
            break
        data = data[0]
    return sizes


def _numbers(data: Any, sizes: list[int], level: int = 0) -> Any:
    """Nested sequences as lists, with numbers for Tensors. Raise where they differ from `sizes` in depth or length."""
    innermost = level == len(sizes)
    if innermost and isinstance(data, function.Tensor):
        if data.array.size != 1:
            raise ArgumentError("only one element tensors can be converted to Python scalars")
        if is_recorded(data):
            once(TO_SCALAR)
        return data.item()
    if innermost is (_is_nested(data) or getattr(data, "ndim", 0) > 0):
        raise DtypeError("not a sequence: expected nested sequences of equal lengths, got numbers beside sequences")
    if innermost:
        return data
    if len(data) != sizes[level]:
        raise ValueError(f"expected sequence of length {sizes[level]} at dim {level} (got {len(data)})")
    return [_numbers(x, sizes, level + 1) for x in data]


def _overflows(data: Any) -> bool:
    """Whether nested sequences hold only integers. NumPy made floats of them, so they fit into no integer dtype."""
    return all(map(_overflows, data)) if _is_nested(data) else type(data) is int


def _find_dtypes(data: Any, found: list[Any]) -> None:
    """Append the dtype of each element of nested sequences to `found`."""
    if _is_nested(data):
        for x in data:
            _find_dtypes(x, found)
    elif hasattr(data, "dtype"):
        found.append(dtypes.of(data.dtype))
    elif isinstance(data, (bool, int, float, complex)):
        found.append(dtypes.of(dtypes.of_number(data)))


def _first(data: Any) -> Any:
    """The first element of nested sequences: a number, an empty one, or an array, of which it warns as PyTorch does."""
    for depth in range(128):
        if type(data) in SCALARS:
            return data
        if not (_is_nested(data) and len(data)):
            if depth and isinstance(data, np.ndarray) and data.ndim and data.size:
                once(_ARRAYS_WARNING)
            return data
        try:
            data = data[0]
        except LookupError:
            raise ArgumentError(f"could not determine the shape of object type '{type(data).__name__}'") from None
    raise ArgumentError(f"tensor: too many dimensions '{type(data).__name__}'")


def as_tensor(data: Any, dtype: Dtype = None, device: Device = None) -> Tensor:
    """Make a Tensor of data, on the same memory if no conversion is needed.

    Raises as `tensor` does, TypeError for arrays of other kinds, such as strings, ValueError for a foreign byte order.
    Source: torch.as_tensor.

    >>> array = np.zeros(2)
    >>> torch.as_tensor(array)[0] = 1
    >>> array
    array([1., 0.])
    """
    if isinstance(data, function.Tensor):
        return data.to(dtype=dtype, device=device)
    data = _shared_array(data, dtype)
    if backend.is_array(data) and (dtype is None or dtypes.of(dtype).dtype == data.dtype):
        _check_array(data)
        return from_array(_plain_view(data), device if backend.is_gpu(data) else backend.chosen(device))
    return tensor(data, dtype=dtype, device=device)


def asarray(
    obj: Any, *, dtype: Dtype = None, device: Device = None, copy: bool | None = None,
    requires_grad: bool | None = None,
) -> Tensor:  # fmt: skip
    """Make a Tensor of obj, on the same memory if possible. Source: torch.asarray.

    copy=True always copies; copy=False never does, and raises RuntimeError where a copy would be needed. The memory of
    a buffer, such as a bytearray, is read as numbers of dtype, or of the default one.

    >>> torch.asarray([1, 2])
    tensor([1, 2])
    """
    given = {"copy": copy, "requires_grad": requires_grad}
    check_bool("asarray", **{name: value for name, value in given.items() if value is not None})
    if type(obj).__name__ == "PyCapsule":
        obj = from_dlpack(obj)
    if not hasattr(obj, "dtype") and _has_buffer(obj):
        obj = frombuffer(obj, dtype=dtype or dtypes.get_default_dtype())
    if isinstance(obj, np.ndarray) and not obj.ndim:
        obj = obj.copy()  # counts as a number
    result = as_tensor(obj, dtype, device)
    array = getattr(obj, "array", obj)
    here = backend.is_array(array) and backend.device_of(array) == result.device
    shares = here and np.may_share_memory(result.array, array)
    if copy is False and not shares:
        raise ArgumentError("asarray: copy=False, but the conversion of obj needs a copy")
    if copy and shares:
        result = result.clone()
    if requires_grad in (None, result.requires_grad):
        return result
    return result.requires_grad_() if requires_grad else result.detach()


def _has_buffer(obj: Any) -> bool:
    try:
        memoryview(obj)
    except TypeError:
        return False
    return True


def from_numpy(ndarray: np.ndarray[Any, Any]) -> Tensor:
    """Make a Tensor that shares the memory of a NumPy array, of a slice only the part that it spans.

    Raises TypeError unless it is a NumPy array of a dtype that Tensors have, ValueError for another byte order than the
    machine's and for strides that aren't whole elements. Source: torch.from_numpy.

    >>> torch.from_numpy(np.arange(3))
    tensor([0, 1, 2])
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    if not ndarray.flags.writeable:
        once(_READ_ONLY_WARNING.format("NumPy array"))
    _check_array(ndarray)
    return from_array(in_own_memory(ndarray))


def from_file(
    filename: Any, shared: bool | None = None, size: int = 0, *, dtype: Dtype = None, layout: Layout = None,
    device: Device = None, requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """Map a file of `size` elements into memory. Source: torch.from_file.

    With `shared`, what is written to the Tensor is written to the file, which is created or extended as needed. Without
    it, a file that is too short raises ValueError.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = torch.from_file(file.name, shared=True, size=2).fill_(1.0)
    ...     torch.from_file(file.name, size=2)
    tensor([1., 1.])
    """
    check_layout("from_file", layout)
    result_dtype = dtypes.of(dtype or dtypes.get_default_dtype()).dtype
    memory = UntypedStorage.from_file(filename, shared, size * result_dtype.itemsize)
    return from_array(memory.row.view(result_dtype), None, requires_grad)


class _Capsule:
    """Adapt a DLPack capsule, which `utils.dlpack.to_dlpack` returns, to the protocol that NumPy reads."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0

    def to_array(self) -> Any:
        """Return a writable array. NumPy makes it read-only if the capsule is older than DLPack 1.0, without a flag."""
        old = '"dltensor"' in repr(self.capsule)
        array = backend.from_dlpack(self, True)
        return np.asarray(_Writable(array)) if old else array


class _Writable:
    """The memory of a read-only array, exposed as writable by NumPy's array interface."""

    def __init__(self, array: Any) -> None:
        self.array = array  # keeps the memory alive
        interface = array.__array_interface__
        self.__array_interface__ = {**interface, "data": (interface["data"][0], False)}


def from_dlpack(ext_tensor: Any, *, device: Device = None, copy: bool | None = None) -> Tensor:
    """Make a Tensor on the memory of another library's array (NumPy, CuPy, PyTorch, JAX). Source: torch.from_dlpack.

    With `copy` the Tensor gets its own memory. Writes by the other library are not noticed by backward. Raises
    BufferError where the other library refuses, RuntimeError for a dtype that NumPy doesn't have, and ValueError where
    copy=False but the array is on another device.

    >>> array = np.zeros(2)
    >>> torch.from_dlpack(array)[0] = 1
    >>> array
    array([1., 0.])
    """
    if isinstance(ext_tensor, function.Tensor):
        if ext_tensor.requires_grad:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        ext_tensor = ext_tensor.array
    try:
        if backend.is_array(ext_tensor):
            array = _plain_view(ext_tensor)
        elif hasattr(ext_tensor, "__dlpack__"):
            array = backend.from_dlpack(ext_tensor, ext_tensor.__dlpack_device__()[0] == 1)
        else:
            array = _Capsule(ext_tensor).to_array()
        dtypes.of(array.dtype)
    except (RuntimeError, TypeError, BufferError) as error:
        if isinstance(error, BufferError) and "dtype" not in str(error):  # NumPy 2.5 raises it for unknown dtypes, too
            raise
        raise DtypeError(f"from_dlpack: {error}") from error
    result = from_array(array, device)
    if copy is False and result.array is not array:
        raise ArgumentError(f"from_dlpack: copy=False, but to reach {result.device} the values have to be copied")
    return result.clone() if copy and result.array is array else result


def frombuffer(
    buffer: Any, *, dtype: GivenDtype, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """Make a Tensor on the memory of an object that has a buffer, such as a bytearray.

    The result is (count), or all of the buffer from offset on (in bytes) for count -1. Raises ValueError for an object
    without a buffer, an offset outside of it, no elements, and more than it has. Source: torch.frombuffer.

    >>> torch.frombuffer(bytearray([1, 0, 2, 0]), dtype=torch.int16)
    tensor([1, 2], dtype=torch.int16)
    """
    try:
        length = memoryview(buffer).nbytes
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    if not (count and length):
        raise ValueError(f"both buffer length ({length}) and count ({count}) must not be 0")
    if not 0 <= offset < length:
        said = (
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length ({length} bytes) minus 1"
        )
        raise ValueError(said)
    if memoryview(buffer).readonly:
        once(_READ_ONLY_WARNING.format("buffer"))
    return from_array(np.frombuffer(buffer, dtypes.of(dtype).dtype, count, offset), None, requires_grad)


def scalar_tensor(
    s: Operand, *, dtype: Dtype = None, layout: Layout = None, device: Device = None, requires_grad: bool = False,
    pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """Make a 0-dimensional Tensor of a number, in the default floating dtype unless told otherwise.

    Source: torch.scalar_tensor.

    >>> torch.scalar_tensor(2)
    tensor(2.)
    """
    check_layout("scalar_tensor", layout)
    dtype = dtype or dtypes.get_default_dtype()
    return tensor(as_scalar("scalar_tensor", "s", s), dtype=dtype, device=device, requires_grad=requires_grad)
