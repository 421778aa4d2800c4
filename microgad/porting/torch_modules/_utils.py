"""torch._utils: flattening of many Tensors into one, and the functions that are named in pickles."""

from __future__ import annotations

import io
import sys
import traceback
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from ... import backend, dtypes
from ...cuda.streams import index_of
from ...methods.copies import memory_span, without_gaps
from ...ops.creation import empty_strided, from_array
from ...ops.movement import cat
from ...parameter import Parameter
from ...serialization import save
from ...serialization.class_names import STORAGE_CLASS_OF
from ...serialization.objects import tensor_attributes
from ...serialization.storages import Storage, rebuild_tensor
from ...storage import TypedStorage, UntypedStorage, _load_from_bytes
from ...tensor import Tensor
from ...type_aliases import Dtype
from ...utils.data import workers
from ._tensor import _rebuild_from_type_v2, set_attributes


def _element_size(dtype: Dtype) -> int:
    """Return the bytes of one element. Source: torch._utils._element_size.

    >>> from microgad.porting.torch_modules._utils import _element_size
    >>> _element_size(torch.float64)
    8
    """
    return dtypes.of(dtype).itemsize


def _flatten_dense_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate the elements of all Tensors to one Tensor (n,). For a single Tensor it is a view, if possible.

    Raises ValueError if there are no Tensors. Source: torch._utils._flatten_dense_tensors.

    >>> from microgad.porting.torch_modules._utils import _flatten_dense_tensors
    >>> _flatten_dense_tensors([torch.zeros(1, 2), torch.ones(2)])
    tensor([0., 0., 1., 1.])
    """
    pieces = [x.contiguous().view(-1) for x in tensors]
    return pieces[0] if len(pieces) == 1 else cat(pieces)


def _unflatten_dense_tensors(flat: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return views of `flat` (n,) in the shapes of `tensors`.

    Raises RuntimeError if `flat` is too short. Source: torch._utils._unflatten_dense_tensors.

    >>> from microgad.porting.torch_modules._utils import _unflatten_dense_tensors
    >>> _unflatten_dense_tensors(torch.arange(3), [torch.zeros(1, 2), torch.zeros(1)])
    (tensor([[0, 1]]), tensor([2]))
    """
    pieces, start = [], 0
    for x in tensors:
        pieces.append(flat.narrow(0, start, x.numel()).view(x.shape) if x.numel() else flat.new_empty(0))
        start += x.numel()
    return tuple(pieces)


def _take_tensors(tensors: Iterable[Tensor], size_limit: int) -> Iterator[list[Tensor]]:
    """Yield lists of Tensors of one type that have at most `size_limit` bytes, or are one Tensor.

    Source: torch._utils._take_tensors.

    >>> from microgad.porting.torch_modules._utils import _take_tensors
    >>> [len(taken) for taken in _take_tensors([torch.ones(2), torch.ones(2), torch.ones(1)], 16)]
    [2, 1]
    """
    waiting: dict[Any, tuple[list[Tensor], int]] = {}
    for x in tensors:
        held, size = waiting.get(x.type(), ([], 0))
        nbytes = x.numel() * x.element_size()
        if size > 0 and size_limit < size + nbytes:
            yield held
            held, size = [], 0
        waiting[x.type()] = [*held, x], size + nbytes
    yield from (held for held, _ in waiting.values())


def _reorder_tensors_as(tensors: Iterable[Tensor], ordered_tensors: Iterable[Tensor]) -> tuple[Tensor, ...]:
    """Return Tensors that come type by type in the order of others. Source: torch._utils._reorder_tensors_as."""
    by_type: dict[Any, list[Tensor]] = {}
    for x in tensors:
        by_type.setdefault(x.type(), []).append(x)
    each = {kind: iter(held) for kind, held in by_type.items()}
    return tuple(next(each[x.type()]) for x in ordered_tensors)


def _get_device_index(device: Any, optional: bool = False, allow_cpu: bool = False) -> int:
    """Return the number of a GPU, the current one if it may be left out; -1 for the CPU, if that is allowed.

    Raises ValueError for another device, and for one without a number. Source: torch._utils._get_device_index.

    >>> from microgad.porting.torch_modules._utils import _get_device_index
    >>> _get_device_index(torch.device("cuda", 1)), _get_device_index("cpu", allow_cpu=True)
    (1, -1)
    """
    if not isinstance(device, int | None):
        place = backend.device(device)
        if place.type == "cuda" and place.index is not None:
            return place.index
        if place.type == "cpu" and allow_cpu:
            return -1
    return index_of(device, not optional)


class ExceptionWrapper:
    """An exception and its traceback, to be raised again elsewhere. Source: torch._utils.ExceptionWrapper."""

    def __init__(self, exc_info: Any = None, where: str = "in background") -> None:
        raised: Any = sys.exc_info() if exc_info is None else exc_info
        self.exc_type, self.exc_msg, self.where = raised[0], "".join(traceback.format_exception(*raised)), where

    def reraise(self) -> NoReturn:
        """Raise an exception of its class, with the traceback in the message."""
        said = f"Caught {self.exc_type.__name__} {self.where}.\nOriginal {self.exc_msg}"
        raise workers.ExceptionWrapper(self.exc_type, said).make_exception()


class classproperty:
    """Decorator of a method that makes it a property of the class. Source: torch._utils.classproperty."""

    def __init__(self, func: Any) -> None:
        self.method = func if isinstance(func, classmethod | staticmethod) else classmethod(func)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self.method.__get__(instance, owner)()


def _rebuild_tensor(storage: Any, storage_offset: int, size: Any, stride: Any) -> Tensor:
    """Make a Tensor on a storage that was unpickled. Source: torch._utils._rebuild_tensor."""
    return _rebuild_tensor_v3(storage, storage_offset, size, stride, False, None, storage.dtype)


def _rebuild_tensor_v2(
    storage: Any, storage_offset: int, size: Any, stride: Any, requires_grad: bool, backward_hooks: Any,
    metadata: Any = None,
) -> Tensor:  # fmt: skip
    """Make a Tensor on a storage that was unpickled. Source: torch._utils._rebuild_tensor_v2."""
    return _rebuild_tensor_v3(
        storage, storage_offset, size, stride, requires_grad, backward_hooks, storage.dtype, metadata
    )


def _rebuild_tensor_v3(
    storage: Any, storage_offset: int, size: Any, stride: Any, requires_grad: bool, backward_hooks: Any, dtype: Any,
    metadata: Any = None,
) -> Tensor:  # fmt: skip
    """Make a Tensor of a dtype on a storage that was unpickled. Source: torch._utils._rebuild_tensor_v3."""
    row = storage.untyped().row
    memory = Storage(lambda: row, row.nbytes, None, [0], {})
    return rebuild_tensor(memory, storage_offset, tuple(size), tuple(stride), requires_grad, dtype, metadata)


def _rebuild_meta_tensor_no_storage(dtype: Dtype, size: Any, stride: Any, requires_grad: bool) -> Tensor:
    """Make a Tensor on the device "meta". Source: torch._utils._rebuild_meta_tensor_no_storage."""
    return empty_strided(size, stride, dtype=dtype, device="meta", requires_grad=requires_grad)


def _rebuild_parameter(data: Tensor, requires_grad: bool, backward_hooks: Any) -> Parameter:
    """Make a Parameter of a Tensor that was unpickled. Source: torch._utils._rebuild_parameter."""
    return Parameter(data, requires_grad)


def _rebuild_parameter_with_state(data: Tensor, requires_grad: bool, backward_hooks: Any, state: Any) -> Parameter:
    """Make a Parameter with attributes. Source: torch._utils._rebuild_parameter_with_state."""
    return set_attributes(Parameter(data, requires_grad), state)


def _rebuild_device_tensor_from_numpy(data: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    """Make a Tensor of an array. Source: torch._utils._rebuild_device_tensor_from_numpy."""
    return from_array(data, device, requires_grad)


def _reduced(x: Any) -> tuple[Any, ...]:
    """Return a function of PyTorch's and its arguments, by which it and microgad unpickle a storage or Tensor.

    Where NumPy keeps the strides, the values are an array: it is pickled faster than a storage, and out of band where
    asked for. Of a Tensor's memory the pickle holds only what the Tensor needs.
    """
    if isinstance(x, TypedStorage):
        file = io.BytesIO()
        save(x, file, _use_new_zipfile_serialization=False)
        return _load_from_bytes, (file.getvalue(),)
    state = tensor_attributes(x)
    if issubclass(type(x), Parameter):
        facts = x.detach(), x.requires_grad, OrderedDict[Any, Any]()
        return (_rebuild_parameter_with_state, (*facts, state)) if state else (_rebuild_parameter, facts)
    parts = _parts(x)
    return parts if type(x) is Tensor and not state else (_rebuild_from_type_v2, (parts[0], type(x), parts[1], state))


def _parts(x: Tensor) -> tuple[Any, ...]:
    """Return the function and the arguments that rebuild a Tensor without its class and attributes."""
    if x.is_meta:
        return _rebuild_meta_tensor_no_storage, (x.dtype, tuple(x.shape), x.stride(), x.requires_grad)
    array = without_gaps(x.array)
    if type(array) is np.ndarray and array.size and array.flags.forc:
        return _rebuild_device_tensor_from_numpy, (array, x.dtype, "cpu", x.requires_grad)
    memory, typed = UntypedStorage(memory_span(array)), x.dtype in STORAGE_CLASS_OF
    stored = TypedStorage(wrap_storage=memory, dtype=x.dtype) if typed else memory
    facts = stored, 0, array.shape, Tensor._wrap(array).stride(), x.requires_grad, OrderedDict[Any, Any]()
    return (_rebuild_tensor_v2, facts) if typed else (_rebuild_tensor_v3, (*facts, x.dtype))


for _name, _value in [*globals().items()]:
    if _name.startswith("_rebuild_") and _value.__module__ == __name__:
        _value.__module__ = "torch._utils"  # the name that pickles have
