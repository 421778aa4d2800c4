"""x[index], read, written and added to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import backend, function
from ...errors import DtypeError, ShapeError
from ...errors.arguments import boolean
from ...errors.notices import warn
from ...function import Function
from ...function.linear_map import LinearMap
from ...function.naming import called, called_in_place
from ...type_aliases import Tensor
from .. import creation, layouts
from ..creation.scalars import checked_scalar
from ..elementwise import Select
from ..spelling import tensors_only
from . import index_kernels
from .index_kernels import is_basic, is_mask, unexpanded
from .index_parsing import is_recorded, normalize_index, refuse_uint8_fill, split_int_indices


class GetItem(LinearMap):
    """x[index]: a view where the index is basic."""

    symbol, may_share, native_half = "[ ]", True, True

    def forward(self, x):
        return index_kernels.take(x, self.index)

    def adjoint(self, grad):
        out = np.zeros_like(grad, shape=self.x_shape, order="C")
        if is_basic(self.index):
            out[self.index] = grad
        else:
            index_kernels.add(out, self.index, grad)
        return out


class StoreMixin:
    """x with what is written into it at places; `order` is NumPy's, of the copy."""

    __slots__ = ()
    order = "C"

    def forward(self, x: Any, value: Any) -> Any:
        out = x.copy(self.order)
        self.store(out, value)
        return out

    def write(self, out: Any, x: Any, value: Any) -> None:
        self.store(out, value)

    def store(self, out: Any, value: Any) -> None:
        raise NotImplementedError


class SetItem(StoreMixin, Function):
    """x with value at index; where an index comes more than once, the last value stays."""

    symbol, broadcasts = "[ ]=", True

    @classmethod
    def apply_(cls, target: Any, value: Any, **settings: Any) -> Any:
        """As of any operation. One value is put through arrays also where what is expanded has several at one place."""
        x, index = target.array, settings["index"]
        if (target if target.base is None else target.base).is_data_alias and is_basic(index):
            super().apply_(GetItem.apply(target, index=index), value, index=(...,))  # it is remembered where to
            return target
        axes = layouts.expanded_axes(x)
        if not axes or is_basic(index) or np.size(getattr(value, "array", value)) > 1:
            return super().apply_(target, value, **settings)
        warn("Writes by index or mask into what is expanded are deprecated; clone() the Tensor first")
        there = np.zeros_like(x, bool, order="C")
        index_kernels.put(there, index, True)
        value = value.reshape(()) if hasattr(value, "array") else value
        super().apply_(GetItem.apply(target, index=unexpanded(x)), value, index=(there.any(axes, keepdims=True),))
        return target

    def store(self, out, value):
        index_kernels.put(out, self.index, value)

    def grad_x(self, grad):
        return ClearItem.apply(grad, index=self.index)

    def grad_value(self, grad):
        g = GetItem.apply(grad, index=self.index)
        if is_basic(self.index):
            return g
        lasts = index_kernels.last_write_mask(self.index, getattr(grad, "array", grad))
        return g if lasts is None else Select.apply(lasts, g)


class ClearItem(LinearMap):
    """x with zeros at index."""

    symbol, native_half = "[ ]=0", True

    def forward(self, x):
        out = backend.as_array(x).copy()
        index_kernels.put(out, self.index, 0)
        return out

    adjoint = forward


class AddItem(StoreMixin, Function):
    """x with values added at index, each time that it comes."""

    symbol, broadcasts = "[ ]+=", True

    def store(self, out, value):
        index_kernels.add(out, self.index, value)

    def grad_x(self, grad):
        return grad

    def grad_value(self, grad):
        return GetItem.apply(grad, index=self.index)


class Write(NamedTuple):
    """What an operation comes to: Functions, applied to a Tensor one after the other, out of place or in place."""

    name: str  # PyTorch's name of the node; empty where the Function tells it by itself
    steps: tuple[tuple[type[Function], Any, dict[str, Any]], ...]  # each with its second operand and its settings

    def out_of_place(self, input: Tensor) -> Tensor:
        """The result as a new Tensor."""
        for cls, operand, settings in self.steps:
            input = cls.apply(input, operand, **settings)
        return called(self.name, input)

    def in_place(self, input: Tensor) -> Tensor:
        """The result in the Tensor's own memory."""
        x, before = input.array, input.node
        steps = [
            (cls, copy_if_shared(operand, x), {name: copy_if_shared(value, x) for name, value in settings.items()})
            for cls, operand, settings in self.steps
        ]
        for cls, operand, settings in steps:
            cls.apply_(input, operand, **settings)
        return called_in_place(self.name, input, before)


def copy_if_shared(given: Any, target: Any) -> Any:
    """An operand or an index, copied where it lies in memory that will be written to: it is read as it was before."""
    if type(given) is tuple:
        return tuple([copy_if_shared(item, target) for item in given])
    array = getattr(given, "array", given)
    if type(array) is not type(target) or not np.may_share_memory(array, target):
        return given
    return array.copy() if given is array else given.clone()


def one_step_call(name: str, cls: type[Function], operand: Any, index: Any, **settings: Any) -> Write:
    """One Function, at an index."""
    return Write(name, ((cls, operand, {"index": index, **settings}),))


@tensors_only
def getitem(input: Tensor, index: Any) -> Tensor:
    """input[index], a view where the index is basic. Source: torch.Tensor.__getitem__.

    >>> torch.arange(6).reshape(2, 3)[:, [2, 0]]
    tensor([[2, 0],
            [5, 3]])
    """
    if type(index) is int:
        index = (index, ...)
    else:
        index = normalize_index(index, input.array, is_recorded(input))
        steps = None if is_basic(index) else split_int_indices(index)
        if steps is not None:
            input, index = GetItem.apply(input, index=steps[0]), steps[1]
    return GetItem.apply(input, index=index)


def setitem(input: Tensor, index: Any, value: Any) -> None:
    """input[index] = value: numbers, Tensors, and arrays or lists as well. Source: torch.Tensor.__setitem__.

    Through arrays of indices a Tensor has to be of input's dtype; everything else is converted, as is one value through
    a mask.

    >>> x = torch.zeros(3)
    >>> x[[0, 2]] = torch.tensor([1.0, 2.0])
    >>> x
    tensor([1., 0., 2.])
    """
    given, index = index, normalize_index(index, input.array, is_recorded(input, value))
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (int, float, complex)):
        if input.array.dtype != np.float16 or isinstance(value, complex):  # float16 takes too large ones as ∞
            value = checked_scalar("__setitem__", value, input.array.dtype)
    elif value is None or isinstance(value, str):
        raise DtypeError(f"__setitem__: can't assign a {type(value).__name__} to a Tensor")
    else:
        value = _settable(value, input, index)
    if is_basic(index):
        if layouts.expanded_axes(input.array):  # a part may have each element once
            input, index = GetItem.apply(input, index=index), (Ellipsis,)
        SetItem.apply_(input, value, index=index)
        return
    if not isinstance(value, function.Tensor) or value.array.size == 1:
        refuse_uint8_fill(given, index)
    if (steps := split_int_indices(index)) is not None:
        input, index = GetItem.apply(input, index=steps[0]), steps[1]
    one_step_call("", SetItem, value, index).in_place(input)


def fill_everywhere(name: str, input: Tensor, value: Any) -> Tensor:
    """input with one number, which its dtype can hold, at every place of its memory."""
    before, shown = input.node, input
    if layouts.expanded_axes(input.array):
        shown = GetItem.apply(input, index=unexpanded(input.array))
    SetItem.apply_(shown, value, index=(...,))
    return called_in_place(name, input, before)


def _settable(value: Any, input: Tensor, index: tuple[Any, ...]) -> Tensor:
    """A value as a Tensor without leading axes of size 1."""
    if not isinstance(value, function.Tensor):
        made: Tensor = creation.as_tensor(value, device=input.device).to(dtype=input.dtype)
        value = made
    elif value.array.dtype != input.array.dtype:
        if not is_basic(index):
            value = _fill("__setitem__", value, input, index)
        elif value.array.dtype.kind == "c":
            value = value.to(dtype=input.dtype)
    while value.array.ndim and value.array.shape[0] == 1:
        value = value[0]
    if type(value.array) is not type(input.array) and (value.array.ndim == 0 or is_basic(index)):
        value = value.to(device=input.device)  # from another device, as PyTorch copies it
    return value


def _fill(op: str, value: Tensor, input: Tensor, index: tuple[Any, ...]) -> Tensor:
    """A value of another dtype that is to go through an index with arrays: one, by one mask, as by `masked_fill`."""
    arrays = [item for item in index if backend.is_array(item)]
    if len(arrays) > 1 or not is_mask(arrays[0]) or value.array.size != 1:
        raise _other_dtype("Index put", input, value)
    one: Tensor = checked_fill_value(op, value.reshape(()), input)
    return one


def checked_fill_value(op: str, value: Any, input: Tensor) -> Any:
    """One value, a number or a 0-d Tensor, that input's dtype can take."""
    if not hasattr(value, "array"):
        return checked_scalar(op, value, input.array.dtype)
    if value.ndim:
        raise ShapeError(
            f"{op} only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)"
        )
    if value.is_complex() and not input.is_complex():
        raise DtypeError(f"{op}: value cannot be converted to type {input.dtype} without overflow, it is complex")
    return value


def _other_dtype(op: str, input: Tensor, source: Tensor) -> DtypeError:
    return DtypeError(
        f"{op} requires the source and destination dtypes match, got {input.dtype} for the destination and "
        f"{source.dtype} for the source"
    )


def index_put_call(input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Write:
    if isinstance(indices, function.Tensor) or not isinstance(indices, (tuple, list)):
        raise TypeError(f"index_put(): argument 'indices' must be tuple of Tensors, not {type(indices).__name__}")
    if not isinstance(values, function.Tensor):
        raise TypeError(f"index_put(): argument 'values' must be Tensor, not {type(values).__name__}")
    boolean("index_put_", accumulate=accumulate)
    for position, i in enumerate(indices):
        if i is not None and not isinstance(i, function.Tensor):
            raise TypeError(f"index_put(): expected Tensor as element {position} of 'indices', got {type(i).__name__}")
    given = tuple(slice(None) if i is None else i for i in indices)
    index = normalize_index(given, input.array, is_recorded(input, values))
    if values.array.dtype != input.array.dtype:
        if accumulate:
            raise _other_dtype("Index put", input, values)
        values = _fill("index_put_", values, input, index)
    if not accumulate and values.array.size == 1:
        refuse_uint8_fill(given, index)
    cls = AddItem if accumulate else SetItem
    return one_step_call("IndexPut", cls, values, index, order=layouts.copy_order(input.array))


@tensors_only
def index_put(input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Tensor:
    """input with values, which broadcast, at input[indices]; `accumulate` adds them. Source: torch.index_put.

    >>> torch.index_put(torch.zeros(3), (torch.tensor([0, 0]),), torch.tensor([1.0, 2.0]), accumulate=True)
    tensor([3., 0., 0.])
    """
    return index_put_call(input, indices, values, accumulate).out_of_place(input)
