"""Tensors made from data."""

from __future__ import annotations

import functools
import os
from collections.abc import Set
from typing import Any

import numpy as np

from ... import backend, dtypes, function, state
from ...errors import ArgumentError, DtypeError, GraphError
from ...errors.arguments import boolean
from ...errors.notices import TO_SCALAR, once, warn
from ...storage import is_storage
from ...type_aliases import Device, Dtype, Tensor
from .scalars import as_scalar, checked_cast

_PYTHONS = frozenset((float, int, bool, complex))
COPIED = (
    "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
    "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor)."
)
_WITHOUT_EFFECT = frozenset(("layout", "pin_memory", "memory_format"))
UNWRITABLE = "The given {} is not writable: what is written into the Tensor raises. You may want to copy it first."


def from_array(array: Any, device: Device = None, requires_grad: bool = False) -> Tensor:
    """An array as a new Tensor on a device. Raises TypeError where requires_grad is neither a bool nor None."""
    made: Tensor = function.Tensor._made(array if device is None else backend.to_device(array, device))
    if requires_grad is False or requires_grad is None:
        return made
    if requires_grad is not True:
        raise DtypeError(f"argument 'requires_grad' must be bool, not {type(requires_grad).__name__}")
    return made.requires_grad_()


def check_options(op: str, options: dict[str, Any], known: Set[str] = _WITHOUT_EFFECT) -> None:
    """Raise TypeError for keyword arguments but the known ones; layout, pin_memory and memory_format have no effect."""
    unexpected = options.keys() - known
    if unexpected:
        raise TypeError(f"{op}() got an unexpected keyword argument '{min(unexpected)}'")


def tensor(
    data: Any, *, dtype: Dtype = None, device: Device = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """A new Tensor with a copy of data: numbers, nested sequences, arrays, Tensors; or on the memory of a storage.

    Python numbers give int64, the default floating dtype, complex64 or bool; arrays keep their dtype. Raises
    RuntimeError where Python's numbers are none of an integer dtype; arrays and Tensors are cast. Source: torch.tensor.

    >>> torch.tensor([[1, 2], [3, 4]], dtype=torch.float64)
    tensor([[1., 2.],
            [3., 4.]], dtype=torch.float64)
    """
    if isinstance(data, function.Tensor):
        warn(COPIED)
        data = data.array
    elif is_storage(data):  # the Tensor lies on its memory, as in PyTorch, while everything else is copied
        return from_array(_lent(data, dtype), device, requires_grad)
    else:
        data = _lent(data, dtype)
    if backend.is_gpu(data):
        array = data.copy() if dtype is None else data.astype(dtypes.of(dtype).dtype)
        return from_array(array, device, requires_grad)
    array = _array_of(data, dtype)
    _check_kind(array)
    return from_array(array, backend.chosen(device), requires_grad)


def _array_of(data: Any, dtype: Dtype) -> Any:
    """A new array of data in a dtype, or in that which PyTorch finds for it: of arrays and Tensors their own."""
    found: list[Any] = []
    first = _first(data)
    array = _joined(data, first, found)
    if array.dtype == object:
        array = _of_objects(data, array, dtype)
    if isinstance(first, str) and first is not data:
        raise ArgumentError("tensor: too many dimensions 'str'")
    if dtype is not None and backend.is_array(data):
        _check_kind(data)
        return array.astype(dtypes.of(dtype).dtype, copy=False)
    if dtype is not None:
        return checked_cast("tensor", array, dtypes.of(dtype).dtype)
    if not found and first is not data and array.dtype not in (np.int64, np.bool_) and _among_numbers(data):
        _plain(data, found)
    if found:
        return array.astype(functools.reduce(dtypes.promote_types, found).dtype)
    if hasattr(first, "dtype"):
        return array
    if array.dtype == np.uint64 or (type(first) is int and array.dtype.kind == "f" and _overflows(data)):
        raise ArgumentError("tensor: Overflow: a number is too large for int64; give dtype=torch.uint64")
    if array.dtype.kind in "biufc":  # of what has a buffer, such as a bytearray, the numbers alone count
        array = array.astype(dtypes.default_for("bifc".index(array.dtype.kind.replace("u", "i"))), copy=False)
    return array


def _joined(data: Any, first: Any, found: list[Any]) -> Any:
    """data as an array by NumPy, with numbers for Tensors: where there are such, `found` gets the dtypes of all."""
    try:
        return np.array(_plain(data, found) if isinstance(first, function.Tensor) else data)
    except (TypeError, GraphError):  # further on there is a Tensor of a GPU, or one that requires grad
        return np.array(_plain(data, found))
    except ValueError:
        _check_even(data, data)
        raise


def _lent(data: Any, dtype: Dtype) -> Any:
    """The array of what lends its memory, by DLPack or as a storage, which is of dtype or of the default one."""
    if is_storage(data):
        return data.row_of(dtypes.of(dtype or dtypes.get_default_dtype()).dtype)
    if hasattr(data, "__dlpack__") and not backend.is_array(data):
        return from_dlpack(data).array
    return data


def _check_kind(array: Any) -> None:
    """Refuse what PyTorch has no name for."""
    try:
        dtypes.of(array.dtype)
    except DtypeError:
        if array.dtype.isnative:
            raise
        raise ArgumentError(f"the bytes of a {array.dtype} array are in another order than this machine's") from None


_WIDE = {"b": np.bool_, "f": np.float64, "c": np.complex128}


def _of_objects(data: Any, array: Any, dtype: Any) -> Any:
    """Numbers that NumPy has no dtype for, fractions and large integers, as of a kind that has them, if it's wanted."""
    if not backend.is_array(data):
        held = set(map(type, array.flat))
        beside = "c" if complex in held else "f" if float in held else ""
        kind = dtypes.of(dtype).dtype.kind if dtype is not None else beside
        if kind in _WIDE and all(hasattr(x, "__float__") or (type(x) is complex and kind != "f") for x in array.flat):
            return array.astype(_WIDE[kind])
        if array.size and all(type(x) is int for x in array.flat):
            raise ArgumentError("tensor: Overflow: a number is too large for int64")
    raise DtypeError(f"tensor: expected numbers or nested sequences of equal lengths, got {type(data).__name__}")


def _among_numbers(data: Any) -> bool:
    """Whether nested sequences have something of a dtype among Python's numbers, which alone have none."""
    if isinstance(data, (list, tuple)):
        return not _PYTHONS.issuperset(map(type, data)) and any(map(_among_numbers, data))
    return hasattr(data, "dtype")


def _check_even(data: Any, like: Any, level: int = 0) -> None:
    """Raise where nested sequences differ in depth or in length from `like`, the first one at their level."""
    nested, wanted = (isinstance(x, (list, tuple)) or getattr(x, "ndim", 0) > 0 for x in (data, like))
    if nested is not wanted:
        raise DtypeError("tensor: expected numbers or nested sequences of equal lengths, got numbers beside sequences")
    if nested and len(data) != len(like):
        raise ValueError(f"expected sequence of length {len(like)} at dim {level} (got {len(data)})")
    for x in data if nested else ():
        _check_even(x, like[0], level + 1)


def _overflows(data: Any) -> bool:
    """Whether nested sequences are of integers alone, which NumPy made floats for want of a common dtype."""
    return all(map(_overflows, data)) if isinstance(data, (list, tuple)) else type(data) is int


def _plain(data: Any, found: list[Any]) -> Any:
    """Nested sequences with numbers in place of Tensors of one element; `found` gets the dtypes of all."""
    if isinstance(data, (list, tuple)):
        return [_plain(x, found) for x in data]
    if isinstance(data, function.Tensor):
        if data.array.size != 1:
            raise ArgumentError("only one element tensors can be converted to Python scalars")
        found.append(data.dtype)
        if data.node is not None and state.current().grad_enabled:
            once(TO_SCALAR)
        return data.item()
    if hasattr(data, "dtype"):
        found.append(dtypes.of(data.dtype))
    elif isinstance(data, (bool, int, float, complex)):
        found.append(dtypes.result_dtype([data]))
    return data


def _first(data: Any) -> Any:
    """The first number, or array, of nested sequences; what they end in where they are empty."""
    for _ in range(128):
        if not (isinstance(data, (list, tuple)) and data):
            return data
        data = data[0]
    raise ArgumentError(f"tensor: too many dimensions '{type(data).__name__}'")


def as_tensor(data: Any, dtype: Dtype = None, device: Device = None) -> Tensor:
    """data as a Tensor, sharing memory with an array or Tensor where nothing is converted. Source: torch.as_tensor.

    >>> array = np.zeros(2)
    >>> torch.as_tensor(array)[0] = 1
    >>> array
    array([1., 0.])
    """
    if isinstance(data, function.Tensor):
        found: Tensor = data.to(dtype=dtype, device=device)
        return found
    data = _lent(data, dtype)
    if backend.is_array(data) and (dtype is None or dtypes.of(dtype).dtype == data.dtype):
        _check_kind(data)
        data = data.view()  # whoever has the array may give it another shape or dtype
        return from_array(data, device if backend.is_gpu(data) else backend.chosen(device))
    return tensor(data, dtype=dtype, device=device)


def asarray(
    obj: Any, *, dtype: Dtype = None, device: Device = None, copy: bool | None = None,
    requires_grad: bool | None = None,
) -> Tensor:  # fmt: skip
    """obj as a Tensor; copy=True copies always, copy=False never, and raises where it has to. Source: torch.asarray.

    The memory of what has a buffer, such as a bytearray, is read as numbers of the dtype, or of the default one.

    >>> torch.asarray([1, 2])
    tensor([1, 2])
    """
    given = {"copy": copy, "requires_grad": requires_grad}
    boolean("asarray", **{name: value for name, value in given.items() if value is not None})
    if type(obj).__name__ == "PyCapsule":
        obj = from_dlpack(obj)
    if not hasattr(obj, "dtype") and _has_buffer(obj):
        obj = frombuffer(obj, dtype=dtype or dtypes.get_default_dtype())
    found = as_tensor(obj, dtype, device)
    array = getattr(obj, "array", obj)
    shares = backend.is_array(array) and np.may_share_memory(found.array, array)
    if copy is False and not shares:
        raise ArgumentError("asarray: copy=False, but the conversion of obj needs a copy")
    if copy and shares:
        found = found.clone()
    if requires_grad in (None, found.requires_grad):
        return found
    return found.requires_grad_() if requires_grad else found.detach()


def _has_buffer(obj: Any) -> bool:
    try:
        memoryview(obj)
    except TypeError:
        return False
    return True


def from_numpy(ndarray: Any) -> Tensor:
    """A Tensor on the memory of a NumPy array. Source: torch.from_numpy.

    >>> torch.from_numpy(np.arange(3))
    tensor([0, 1, 2])
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    if not ndarray.flags.writeable:
        once(UNWRITABLE.format("NumPy array"))
    return as_tensor(ndarray, device="cpu")


def from_file(
    filename: Any, shared: bool | None = None, size: int = 0, *, dtype: Dtype = None, requires_grad: bool = False,
    **options: Any,
) -> Tensor:  # fmt: skip
    """A Tensor on the memory of a file of `size` elements: with `shared` what is written goes into the file.

    Where shared, the file is made if there is none, and made longer if it is too short; else that raises ValueError.
    Source: torch.from_file.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = torch.from_file(file.name, shared=True, size=2).fill_(1.0)
    ...     torch.from_file(file.name, size=2)
    tensor([1., 1.])
    """
    check_options("from_file", options)
    kind = dtypes.of(dtype or dtypes.get_default_dtype()).dtype
    mode: Any = "c" if not shared else "r+" if os.path.exists(filename) else "w+"
    return from_array(np.asarray(np.memmap(filename, kind, mode, shape=(size,))), None, requires_grad)


class _Capsule:
    """A capsule, as `utils.dlpack.to_dlpack` gives it, in the form that NumPy takes: it tells no device."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0

    def taken(self) -> Any:
        """The array, which may be written to: a capsule of before DLPack 1.0 doesn't say, so NumPy forbids it."""
        old = '"dltensor"' in repr(self.capsule)
        array = backend.from_dlpack(self, True)
        return np.asarray(_Writable(array)) if old else array


class _Writable:
    """The memory of an array that may only be read, as NumPy's array interface tells of it, but for that."""

    def __init__(self, array: Any) -> None:
        self.array = array  # kept, since it holds the memory
        said = array.__array_interface__
        self.__array_interface__ = {**said, "data": (said["data"][0], False)}


def from_dlpack(ext_tensor: Any, *, device: Device = None, copy: bool | None = None) -> Tensor:
    """A Tensor on the memory of another library's array, by DLPack: of NumPy, CuPy, PyTorch, JAX, ...

    With `copy` on memory of its own. Writes into it are not noticed by backward. Raises BufferError where its library
    refuses, RuntimeError where its dtype is none of NumPy's, and ValueError where copy=False, but the device is
    another. Source: torch.from_dlpack.

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
            array = ext_tensor.view()
        elif hasattr(ext_tensor, "__dlpack__"):
            array = backend.from_dlpack(ext_tensor, ext_tensor.__dlpack_device__()[0] == 1)
        else:
            array = _Capsule(ext_tensor).taken()
        dtypes.of(array.dtype)
    except (RuntimeError, TypeError) as error:
        raise DtypeError(f"from_dlpack: {error}") from error
    made = from_array(array, device)
    if copy is False and made.array is not array:
        raise ArgumentError(f"from_dlpack: copy=False, but to reach {made.device} the values have to be copied")
    return made.clone() if copy and made.array is array else made


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A Tensor on the memory of an object that has a buffer, such as a bytearray. Source: torch.frombuffer.

    >>> torch.frombuffer(bytearray([1, 0, 2, 0]), dtype=torch.int16)
    tensor([1, 2], dtype=torch.int16)
    """
    try:
        length = memoryview(buffer).nbytes
    except TypeError:
        raise ValueError("frombuffer: the object does not implement Python's buffer protocol") from None
    if not (count and 0 <= offset < length):
        raise ValueError(
            f"frombuffer: count ({count}) must not be 0, and offset ({offset}) must be in the buffer's {length} bytes"
        )
    if memoryview(buffer).readonly:
        once(UNWRITABLE.format("buffer"))
    return from_array(np.frombuffer(buffer, dtypes.of(dtype).dtype, count, offset), None, requires_grad)


def scalar_tensor(
    s: Any, *, dtype: Dtype = None, device: Device = None, requires_grad: bool = False, **options: Any
) -> Tensor:
    """One number without dimensions, in the default floating dtype. Source: torch.scalar_tensor.

    >>> torch.scalar_tensor(2)
    tensor(2.)
    """
    check_options("scalar_tensor", options)
    dtype = dtype or dtypes.get_default_dtype()
    return tensor(as_scalar("scalar_tensor", "s", s), dtype=dtype, device=device, requires_grad=requires_grad)
