"""Read, assign and add to x[index]; also the classes of which all writes by index are built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import backend, function
from ...backend.devices import on_one_device
from ...errors import DtypeError, ShapeError
from ...errors.arguments import check_bool
from ...errors.notices import warn
from ...function import Function
from ...function.half import HALF
from ...function.linear_map import LinearMap
from ...function.naming import with_in_place_name, with_torch_name
from ...function.view import View
from ...pytree import contains, tree_leaves
from ...state import current, observed
from ...type_aliases import Array, Index, Operand, Tensor
from ...updates import update
from .. import creation
from ..creation.scalars import checked_scalar
from ..elementwise import Select
from ..movement.joining import stack
from ..support import layouts
from ..support.bare import bare, is_recorded
from ..support.spelling import tensors_only
from . import index_kernels
from .index_kernels import is_basic, is_mask, unexpanded
from .index_parsing import normalize_index, other_index, plain_index, refuse_uint8_fill, split_int_indices

PLAIN = frozenset((tuple, slice, type(None), type(...)))  # the types, besides int, of which an index may be plain


class GetItem(View):
    """x[index]: a view where the index is basic."""

    symbol, operator, native_half, conjugates = "[ ]", "index", True, False

    def forward(self, x):
        return index_kernels.take(x, self.index)

    def adjoint(self, grad):
        out = backend.zeros(self.x_shape, grad)
        if is_basic(self.index):
            out[self.index] = grad
        else:
            index_kernels.add(out, self.index, grad, blank=True)
        return out

    @staticmethod
    def joined(before, after):
        sizes = before["x_shape"]
        first, second = (_slices(step["index"], len(sizes)) for step in (before, after))
        if first is None or second is None:
            return None
        cells = [range(n)[i][j] for n, i, j in zip(sizes, first, second, strict=True)]
        return {"index": tuple([slice(kept.start, kept.stop, kept.step) for kept in cells])}


def _slices(index: tuple[Any, ...], ndim: int) -> tuple[slice, ...] | None:
    """Return an index of slices, and maybe an Ellipsis, as one slice for each axis; None for other indices."""
    if not {slice, type(...)}.issuperset(map(type, index)):
        return None
    at = index.index(...) if ... in index else len(index)
    rest = index[at + 1 :]
    return (*index[:at], *[slice(None)] * (ndim - at - len(rest)), *rest)


class StoreMixin:
    """Mixin for Functions that write by index: `forward` stores into a copy of x, `write` into x itself.

    `order` is NumPy's memory order of the copy.
    """

    __slots__ = ()
    order = "C"

    def forward(self, x: Array, value: Array | complex) -> Array:
        out = x.copy(self.order)
        self.store(out, value)
        return out

    def write(self, out: Array, x: Array, value: Array | complex) -> None:
        self.store(out, value)

    def store(self, out: Any, value: Any) -> None:
        raise NotImplementedError


def _is_data_alias(x: Tensor) -> bool:
    """Whether x is a `.data` Tensor or a view of one: then it is remembered where writes go."""
    return (x._links if x._links.base is None else x._links.base._links).data_of is not None


class SetItem(StoreMixin, Function):
    """x with value at index; where an index is repeated, the last value stays."""

    symbol, operator, broadcasts, all_edges = "[ ]=", "index_put_", True, True

    @classmethod
    def apply_(cls, target: Any, value: Array | complex, **settings: Any) -> Any:
        """Write in place as usual, except into a `.data` Tensor."""
        index = settings["index"]
        if _is_data_alias(target) and is_basic(index):
            # Through a view, which remembers where the write went.
            super().apply_(GetItem.apply(target, index=index), value, index=(...,))
            return target
        return super().apply_(target, value, **settings)

    def forward(self, x, value):
        if index_kernels.fills(x, self.index, value):
            return index_kernels.filled(x, self.index[0], value)
        return super().forward(x, value)

    def store(self, out, value):
        index_kernels.put(out, self.index, value)

    def grad_x(self, grad):
        return ClearItem.apply(grad, index=self.index)

    def grad_value(self, grad):
        g = GetItem.apply(grad, index=self.index)
        if is_basic(self.index):
            return g
        last = index_kernels.last_write_mask(self.index, bare(grad))
        return g if last is None else Select.apply(last, g)


class ClearItem(LinearMap):
    """x with zeros at index."""

    symbol, operator, native_half = "[ ]=0", None, True

    def forward(self, x):
        x = backend.as_array(x)
        if index_kernels.fills(x, self.index, 0):
            return index_kernels.cleared(x, self.index[0])
        out = x.copy()
        index_kernels.put(out, self.index, 0)
        return out

    adjoint = forward


class AddItem(StoreMixin, Function):
    """x with values added at index; a repeated index adds each of its values."""

    symbol, operator, node_name, broadcasts = "[ ]+=", None, "IndexAdd", True

    def store(self, out, value):
        index_kernels.add(out, self.index, value)

    def grad_x(self, grad):
        return grad

    def grad_value(self, grad):
        return GetItem.apply(grad, index=self.index)


class Write(NamedTuple):
    """A write whose arguments are checked, but which is not made yet: Functions to be applied one after the other."""

    name: str  # PyTorch's name of the node; empty where the Function's own will do
    steps: tuple[tuple[type[Function], Any, dict[str, Any]], ...]  # each with its second operand and its settings
    fills: bool = False  # whether it is a SetItem that may write one value to an expanded Tensor

    def out_of_place(self, input: Tensor) -> Tensor:
        """Return the result as a new Tensor."""
        for cls, operand, settings in self.steps:
            input = cls.apply(input, operand, **settings)
        return with_torch_name(self.name, input)

    def in_place(self, input: Tensor) -> Tensor:
        """Write the result into the Tensor's own memory."""
        x, before = input.array, input.node
        steps = [
            (cls, copy_if_shared(operand, x), {name: copy_if_shared(value, x) for name, value in settings.items()})
            for cls, operand, settings in self.steps
        ]
        for cls, operand, settings in steps:
            if self.fills and layouts.expanded_axes(x) and np.size(bare(operand)) <= 1:
                _fill_expanded(input, operand, settings["index"])
            else:
                cls.apply_(input, operand, **settings)
        return with_in_place_name(self.name, input, before)


def _fill_expanded(target: Tensor, value: Any, index: Any) -> None:
    """Write one value to an expanded Tensor at an index with arrays."""
    warn(
        "Use of writes by index or mask on expanded tensors is deprecated. Please clone() the tensor before "
        "performing this operation."
    )
    x = target.array
    mask = np.zeros_like(x, bool, order="C")
    index_kernels.put(mask, index, True)
    where = mask.any(layouts.expanded_axes(x), keepdims=True)
    value = value.reshape(()) if hasattr(value, "array") else value
    SetItem.apply_(GetItem.apply(target, index=unexpanded(x)), value, index=(where,))


def copy_if_shared(given: Any, target: Array) -> Any:
    """Copy an operand or index that shares memory with the target, so that it is read as it was before the write."""
    if type(given) is tuple:
        return tuple([copy_if_shared(item, target) for item in given])
    array = bare(given)
    if type(array) is not type(target) or not np.may_share_memory(array, target):
        return given
    return array.copy() if given is array else given.clone()


def single_write(
    name: str, cls: type[Function], operand: Any, index: Any, fills: bool = False, **settings: Any
) -> Write:
    """Make a Write of one Function at an index."""
    return Write(name, ((cls, operand, {"index": index, **settings}),), fills)


@tensors_only
def getitem(input: Tensor, index: Index) -> Tensor:
    """input[index], a view where the index is basic. Source: torch.Tensor.__getitem__.

    >>> torch.arange(6).reshape(2, 3)[:, [2, 0]]
    tensor([[2, 0],
            [5, 3]])
    """
    kind = type(index)
    plain = (index, ...) if kind is int else plain_index(index) if kind in PLAIN else None
    if plain is not None:
        return GetItem.apply(input, index=plain)
    if (observer := current().observer) is not None and _has_tensors(index):
        return observer.call(_getitem, (input, index), {})
    return _getitem(input, index)


def _getitem(input: Tensor, index: Any) -> Tensor:
    index = other_index(index, input.array, is_recorded(input))
    steps = None if is_basic(index) else split_int_indices(index)
    if steps is not None:
        input, index = GetItem.apply(input, index=steps[0]), steps[1]
    return GetItem.apply(input, index=index)


def _has_tensors(index: Any) -> bool:
    """Whether an index has a Tensor, whose values observers don't see otherwise."""
    return any(isinstance(x, function.Tensor) for x in (index if type(index) in (tuple, list) else (index,)))


def setitem(input: Tensor, index: Index, value: Operand | np.ndarray[Any, Any] | list[Any] | tuple[Any, ...]) -> None:
    """Assign a number, Tensor, array or list to input[index]. Source: torch.Tensor.__setitem__.

    Where index has arrays, a Tensor value must have input's dtype, unless it is one value for one mask that has
    dimensions; other values are converted.

    >>> x = torch.zeros(3)
    >>> x[[0, 2]] = torch.tensor([1.0, 2.0])
    >>> x
    tensor([1., 0., 2.])
    """
    if (observer := current().observer) is not None and _has_tensors(index):
        observer.call(_setitem, (input, index, value), {})
    elif not _stored(input, index, value):
        _setitem(input, index, value)


def _stored(input: Tensor, index: Any, value: Any) -> bool:
    """Write a number or a Tensor of input's dtype at a plain index, or return False if that isn't plain: see `update`.

    Programs fill buffers so, row by row or at Tensors and lists of few integers: it takes half to a fifth of the time
    of `_setitem`. So does a mask of few elements.
    """
    number = type(value) in (float, int)
    any_dtype = not number or (type(value) is int and 0 <= value < 128)
    plain: Any = (index, ...) if type(index) is int else plain_index(index) if type(index) in PLAIN else None
    if plain is None and type(input.array) is np.ndarray:
        plain = _few_places(input, index, number)
    if plain is None or not (number or isinstance(value, function.Tensor)):
        return False
    if 0 in input.array.strides or _is_data_alias(input):
        return False

    def store(array: Array, factor: float, *values: Array) -> None:
        array[plain] = values[0] if values else factor

    return update("__setitem__", store, input, *((value,) if number else (1, value)), joined=any_dtype)


def _few_places(input: Tensor, index: Any, number: bool) -> Any:
    """Return a mask of few elements, or an index of Tensors or lists of few integers and plain slices, as NumPy's.

    None for anything else, and for an index in the memory that is written to: NumPy 2.1 overwrites it while reading it.
    """
    target = input.array
    if type(index) is function.Tensor and type(mask := index.array) is np.ndarray and mask.dtype == bool:
        whole = mask.shape == target.shape
        few = mask.size < (index_kernels.WITH_BRANCHES if number and whole else index_kernels.SMALL_MASK)
        fits = whole or (mask.ndim and mask.shape == target.shape[: mask.ndim])
        return mask if few and fits and not np.may_share_memory(mask, target) else None
    if input.node is not None:
        return None
    items = index if type(index) is tuple else (index,)
    found: list[Any] = []
    for item in items:
        if type(item) is slice and plain_index(item) is not None:
            found.append(item)
            continue
        listed = type(item) is list and len(item) < index_kernels.SMALL_INDEX and {*map(type, item)} == {int}
        x = np.array(item) if listed else item.array if type(item) is function.Tensor else None
        if type(x) is not np.ndarray or x.dtype != index_kernels.INT64:
            return None
        if not x.ndim or x.size >= index_kernels.SMALL_INDEX or np.may_share_memory(x, target):
            return None
        found.append(x)
    return tuple(found)


def _setitem(input: Tensor, index: Any, value: Any) -> None:
    if index is False:  # nothing, whatever the value's shape
        return
    given, index = index, normalize_index(index, input.array, is_recorded(input, value))
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (int, float, complex)):
        if input.array.dtype != np.float16 or isinstance(value, complex):  # in float16 too large numbers become ∞
            value = checked_scalar("__setitem__", value, input.array.dtype)
    elif value is None or isinstance(value, str):
        raise DtypeError(f"__setitem__: can't assign a {type(value).__name__} to a Tensor")
    else:
        value = _assignable(value, input, (...,) if isinstance(given, bool) else index)
    if is_basic(index):
        if layouts.expanded_axes(input.array):  # the part may hold each element once
            input, index = GetItem.apply(input, index=index), (Ellipsis,)
        SetItem.apply_(input, value, index=index)
        return
    if not isinstance(value, function.Tensor) or value.array.size == 1:
        refuse_uint8_fill(given, index)
    if (steps := split_int_indices(index)) is not None:
        input, index = GetItem.apply(input, index=steps[0]), steps[1]
    single_write("", SetItem, value, index, True).in_place(input)


_getitem.observed = _setitem.observed = True  # type: ignore[attr-defined]  # observers see their calls


def fill_everywhere(name: str, input: Tensor, value: Any) -> Tensor:
    """Set all elements in place to one number that input's dtype can hold, for `fill_` and `zero_`."""
    before, shown = input.node, input
    if layouts.expanded_axes(input.array):
        shown = GetItem.apply(input, index=unexpanded(input.array))
    SetItem.apply_(shown, value, index=(...,))
    return with_in_place_name(name, input, before)


def _assignable(value: Any, input: Tensor, index: tuple[Any, ...]) -> Tensor:
    """Convert the value of a `setitem` to a Tensor that can be assigned, without leading axes of size 1."""
    if not isinstance(value, function.Tensor):
        value = _like(input, value)
    elif value.array.dtype != input.array.dtype:
        if not is_basic(index):
            if any(backend.is_array(item) and item.ndim == 0 and is_mask(item) for item in index):
                raise _dtype_mismatch(input, value)
            value = _single_masked_value("__setitem__", value, input, index)
        elif value.array.dtype.kind == "c" or input.array.dtype == HALF:  # NumPy would round otherwise than `to`
            value = value.to(dtype=input.dtype)
    while value.array.ndim and value.array.shape[0] == 1:
        value = value[0]
    apart = type(value.array) is not type(input.array) or value.array.device != input.array.device
    if apart and (value.array.ndim == 0 or is_basic(index)):
        value = value.to(device=input.device)  # from another device, as PyTorch copies it
    return value


def _like(input: Tensor, value: Any) -> Tensor:
    """Convert to input's dtype and device. Tensors in a list are stacked if one needs a gradient, to record it."""
    if isinstance(value, (list, tuple)) and contains(value, function.Tensor) and is_recorded(*tree_leaves(value)):
        return stack([_like(input, part) for part in value])
    return creation.as_tensor(value, device=input.device).to(dtype=input.dtype)


def _single_masked_value(op: str, value: Tensor, input: Tensor, index: tuple[Any, ...]) -> Tensor:
    """Check a value of another dtype for an index with arrays: one value for one mask is allowed."""
    arrays = [item for item in index if backend.is_array(item)]
    if len(arrays) > 1 or not is_mask(arrays[0]) or value.array.size != 1:
        raise _dtype_mismatch(input, value)
    return fill_value_for(op, value.reshape(()), input)


def fill_value_for(op: str, value: Any, input: Tensor) -> Any:
    """Check one value, a number or a 0-d Tensor: input's dtype must be able to hold it."""
    if not hasattr(value, "array"):
        return checked_scalar(op, value, input.array.dtype)
    if value.ndim:
        raise ShapeError(
            f"{op} only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)"
        )
    if value.is_complex() and not input.is_complex():
        if op != "fill_":
            checked_scalar(op, value.detach(), input.array.dtype)
        value = value.to(input.dtype)
    return _beside(input, value)


def _beside(input: Tensor, value: Tensor) -> Tensor:
    """Return a value, moved to the GPU of input if it is a 0-d Tensor on the CPU."""
    near = on_one_device((input, value))
    return near[1] if near else value


def _dtype_mismatch(input: Tensor, source: Tensor) -> DtypeError:
    return DtypeError(
        f"Index put requires the source and destination dtypes match, got {input.dtype} for the destination and "
        f"{source.dtype} for the source"
    )


def index_put_call(input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Write:
    """Check the arguments of `index_put`, and return its Write."""
    if not isinstance(indices, (tuple, list)):
        raise TypeError(f"index_put(): argument 'indices' must be tuple of Tensors, not {type(indices).__name__}")
    check_bool("index_put_", accumulate=accumulate)
    for position, i in enumerate(indices):
        if i is not None and not isinstance(i, function.Tensor):
            raise TypeError(f"index_put(): expected Tensor as element {position} of 'indices', got {type(i).__name__}")
    given = tuple(slice(None) if i is None else i for i in indices)
    index = normalize_index(given, input.array, is_recorded(input, values))
    values = _beside(input, values)
    if values.array.dtype != input.array.dtype:
        if accumulate:
            raise _dtype_mismatch(input, values)
        values = _single_masked_value("index_put_", values, input, index)
    if not accumulate and values.array.size == 1:
        refuse_uint8_fill(given, index)
    cls = AddItem if accumulate else SetItem
    return single_write("IndexPut", cls, values, index, not accumulate, order=layouts.copy_order(input.array))


@tensors_only
@observed
def index_put(input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Tensor:
    """Return input with values, which broadcast, written to input[indices], or added if `accumulate`.

    Raises IndexError for an index out of range, RuntimeError if the values don't broadcast. Source: torch.index_put.

    >>> torch.index_put(torch.zeros(3), (torch.tensor([0, 0]),), torch.tensor([1.0, 2.0]), accumulate=True)
    tensor([3., 0., 0.])
    """
    return index_put_call(input, indices, values, accumulate).out_of_place(input)
