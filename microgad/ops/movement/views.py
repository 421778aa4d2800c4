"""Variants of views: copies (`*_copy`), copies with a part overwritten (`*_scatter`), changes in place (`resize_`)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from inspect import getdoc
from typing import Any, TypeVar

import numpy as np

from ... import backend, dtypes, errors, function, state
from ...backend import memory_formats, uninitialized
from ...backend.memory_layout import axes_of, geometry, memory_of
from ...engine import leaves
from ...function.naming import node_name, set_in_place_view_name, with_torch_name
from ...type_aliases import Array, MemoryFormat, Tensor
from ...view_writes import histories, regions, registry
from ...view_writes.mirrors import mirrors_of
from ..creation import in_memory_format, parse_shape
from ..elementwise import view_as_complex, view_as_real
from ..support import layouts
from ..support.out import into
from ..support.spelling import numpy_spelling, tensors_only
from .conversion import Clone
from .diagonal import diagonal
from .rearranging import permute, t, transpose
from .repeating import expand
from .shape import reshape, squeeze, unsqueeze, view
from .splitting import narrow, select, slice, split, split_with_sizes, unbind
from .strided import as_strided, storage_view, unfold, vmap_offset

F = TypeVar("F", bound=Callable[..., Any])


def alias(input: Tensor) -> Tensor:
    """Return a view of all of input. Source: torch.ops.aten.alias.

    >>> x = torch.zeros(2)
    >>> _ = alias(x).add_(1)
    >>> x
    tensor([1., 1.])
    """
    return with_torch_name("Alias", reshape(input, input.shape))


@tensors_only
def detach(input: Tensor) -> Tensor:
    """Return a view off the graph: see `Tensor.detach`. Source: torch.detach.

    >>> torch.detach(torch.ones(2, requires_grad=True)).requires_grad
    False
    """
    return input.detach()


def _copy_variant(op: F, example: str = "", taken: Callable[..., Any] | None = None) -> F:
    """Make PyTorch's `*_copy` variant of an operation that returns views: the result is copied, in row-major order.

    With several results and `out`, it returns None, as in PyTorch. `taken` is called in place of `op` if it is given.
    The docstring's example is that of `op` if none is given.
    """
    name = f"{op.__name__}_copy"

    def copy(*args: Any, out: Any = None, **options: Any) -> Any:
        view = (taken or op)(*args, **options)
        if not isinstance(view, tuple):
            return into(out, copied(view), exact=name)
        results = into(out, tuple(map(copied, view)), exact=name)
        return results if out is None else None

    def copied(view: Tensor) -> Tensor:
        return with_torch_name(f"{node_name(view.node)}_copy" if view.node else "", Clone.apply(view, order="C"))

    copy.__name__ = copy.__qualname__ = name
    example = example or (getdoc(op) or "").partition(">>> ")[2].replace(f"torch.{op.__name__}(", f"torch.{name}(")
    copy.__doc__ = (
        f"Return the result of `{op.__name__}` as a copy in row-major order. Source: torch.{name}.\n\n>>> {example}"
    )
    copy.__wrapped__ = op  # type: ignore[attr-defined]  # `inspect.signature` and `help` follow it
    return state.composite(copy)  # type: ignore[return-value]


def _view_or_copy(input: Tensor, size: Any = None, dtype: Any = None) -> Tensor:
    """Return `view`, or a copy in the new shape where the layout doesn't allow a view."""
    size = dtype if size is None else size
    if isinstance(size, (dtypes.dtype, type)):
        return view(input, size)
    return with_torch_name("View", reshape(input, size))


alias_copy = _copy_variant(alias, "torch.alias_copy(torch.arange(2))\ntensor([0, 1])\n")
as_strided_copy = _copy_variant(as_strided)
detach_copy = _copy_variant(detach)
diagonal_copy = _copy_variant(diagonal)
expand_copy = _copy_variant(expand, "torch.expand_copy(torch.arange(2), (1, 2))\ntensor([[0, 1]])\n")
narrow_copy = _copy_variant(narrow)
permute_copy = _copy_variant(permute)
select_copy = _copy_variant(select)
slice_copy = _copy_variant(slice)
split_copy = _copy_variant(split)
split_with_sizes_copy = _copy_variant(split_with_sizes)
squeeze_copy = _copy_variant(squeeze)
t_copy = _copy_variant(t)
transpose_copy = _copy_variant(transpose)
unbind_copy = _copy_variant(unbind)
unfold_copy = _copy_variant(unfold, "torch.unfold_copy(torch.arange(3), 0, 2, 2)\ntensor([[0, 1]])\n")
unsqueeze_copy = _copy_variant(unsqueeze)
view_as_complex_copy = _copy_variant(view_as_complex)
view_as_real_copy = _copy_variant(view_as_real)
view_copy = _copy_variant(view, "torch.view_copy(torch.arange(2), (1, 2))\ntensor([[0, 1]])\n", _view_or_copy)


def _scatter(op: str, input: Tensor, src: Tensor, view_of: Callable[..., Tensor], *args: Any) -> Tensor:
    """Return a copy of input with src written to its view `view_of(input, *args)`; an integer input detaches src."""
    x = input.array
    plain = type(x) is np.ndarray and all(type(i) in (int, type(None)) for i in args)
    chain, shape = _cached_region(x.shape, view_of, args) if plain else _region(x, view_of, args)
    if src.array.shape != shape:
        raise errors.ShapeError(
            f"{op}: expected src to have a size equal to the slice of self. src size = {list(src.shape)}, slice size = "
            f"{list(shape)}"
        )
    order = axes_of(x) if layouts.copy_order(x) == "K" else tuple(range(x.ndim))
    src = src if x.dtype.kind in "fc" else src.detach()
    written = regions.RegionWrite.apply(input, src, chain=chain, order=order)
    return with_torch_name(op.title().replace("_", ""), written)


def _region(x: Array, view_of: Callable[..., Tensor], args: tuple[Any, ...]) -> tuple[registry.Steps, tuple[int, ...]]:
    """Return the steps to a view of x, and its shape."""
    with state.scope(grad_enabled=True, observer=None):
        target = view_of(function.Tensor._wrap(x), *args)
    return registry.steps_to(target._links), target.array.shape


@functools.lru_cache(maxsize=256)
def _cached_region(shape: tuple[int, ...], view_of: Any, args: Any) -> tuple[registry.Steps, tuple[int, ...]]:
    """`_region` of an array of this shape: half of the time of a small copy."""
    return _region(np.empty(shape, bool), view_of, args)


@tensors_only
def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """Copy input with src written to its diagonal.

    Raises RuntimeError unless src has the diagonal's shape, IndexError for a dim out of range.
    Source: torch.diagonal_scatter.

    >>> torch.diagonal_scatter(torch.zeros(2, 2), torch.ones(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    return _scatter("diagonal_scatter", input, src, diagonal, offset, dim1, dim2)


@numpy_spelling
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """Copy input with src written to the slice at index along dim.

    Raises RuntimeError unless src has the slice's shape, IndexError for a dim or an index out of range.
    Source: torch.select_scatter.

    >>> torch.select_scatter(torch.zeros(2, 2), torch.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])
    """
    return _scatter("select_scatter", input, src, select, dim, index)


@numpy_spelling
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1, *,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Copy input with src written to every step-th slice along dim.

    Raises RuntimeError unless src has their shape, IndexError for a dim out of range. Source: torch.slice_scatter.

    >>> torch.slice_scatter(torch.zeros(3), torch.ones(2), 0, 0, None, 2)
    tensor([1., 0., 1.])
    """
    written = _scatter("slice_scatter", input, src, slice, dim, start, end, step)
    return into(out, written, exact="slice_scatter")


@tensors_only
def as_strided_scatter(
    input: Tensor, src: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """Copy input with src written to the view that `as_strided` takes.

    Raises RuntimeError unless src has its shape, and for a view outside of the memory.
    Source: torch.as_strided_scatter.

    >>> torch.as_strided_scatter(torch.zeros(2, 2), torch.ones(2), (2,), (3,))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if layouts.expanded_axes(input.array):
        input = Clone.apply(input, order="C")  # a copy in which no two elements share memory
    x = input.array
    shape, strides, offset = geometry(x)
    start = offset if storage_offset is None else storage_offset + vmap_offset(input)
    extent = memory_of(x).size
    if extent == x.size and x.flags.c_contiguous:
        return _scatter("as_strided_scatter", input, src, lambda x: storage_view(x, size, stride, start))
    row = storage_view(input, (extent,), (1,), 0)  # its memory, with what lies between its elements
    written = _scatter("as_strided_scatter", row, src, lambda x: storage_view(x, size, stride, start))
    return storage_view(written, shape, strides, offset)


def become_view(tensor: Tensor, op: Callable[..., Tensor], *args: Any, **options: Any) -> Tensor:
    """Turn tensor itself, in place, into the view that `op` takes of it; existing views of it follow."""
    tensor._check_history(f"{op.__name__}_", tensor.node is not None)
    with state.scope(grad_enabled=True):
        shown = op(tensor, *args, **options)
    if shown is not tensor:
        tensor.array, node = shown.array, shown.node
        if type(tensor.node) is function.AccumulateGrad:  # under no_grad it stays a leaf
            node = leaves.leaf_of_new_array(tensor)
        elif node is not None:
            set_in_place_view_name(node)
        if tensor._links.base is not None:
            histories.set_history(tensor, node)
            tensor._links.chain = shown._links.chain
        else:
            # The tensor is the base of its views: prepend the inverse of the operation to their chains. The inverse of
            # an operation that only moves values is its transpose.
            ((step, settings),) = registry.steps_to(shown._links)
            inverse = step.transposed  # type: ignore[attr-defined]
            del shown  # or it would be among the live views
            conjugates = [x for x in mirrors_of(tensor.array) if x.base() is tensor]
            for existing in (*(view._links for view in registry.live_views(tensor)), *conjugates):
                if existing.chain is not None:
                    steps, existing.chain = registry.steps_to(existing), (None, inverse, settings)
                    for each in steps:
                        existing.chain = existing.chain, *each
            if node is not None:
                with state.scope(grad_enabled=True):
                    tensor._rebind(node)
    tensor._bump()
    return tensor


def _larger_memory(tensor: Tensor, first: int, count: int) -> Any:
    """Return a new memory of `count` elements that begins with a Tensor's from the element `first` on.

    The Tensor whose `.data` it is moves there. Raises RuntimeError if the old one has other views.
    """
    other: Any = tensor._links.data_of and tensor._links.data_of()  # whose `.data` it is: that moves along
    if other is None or backend.owner(other.array) is not backend.owner(tensor.array):
        other = tensor
    for each in (tensor, other):
        if each._links.base is not None or registry.live_views(each):
            raise errors.GraphError(f"resize_: {count} elements need more memory than there is, and it has other views")
    memory = memory_of(tensor.array)[first : first + count]
    grown = uninitialized.filled(np.empty_like(tensor.array, shape=(count,)))
    grown[: memory.size] = memory
    x, place = other.array, geometry(other.array)[2] - first
    if other is not tensor and place >= 0:
        other.array = backend.as_strided(grown[place:], x.shape, x.strides)
    return grown


def enlarge_storage(tensor: Tensor, size: int) -> Any:
    """Move a Tensor into a new memory of `size` bytes that begins with the old one, and return it as a 1-D array.

    Raises RuntimeError if the memory has other views, or if it would get smaller.
    """
    x, old = tensor.array, memory_of(tensor.array)
    if size < old.nbytes:
        raise errors.GraphError("resize_: the memory belongs to a Tensor")
    shape, _, first = geometry(x)
    row = _larger_memory(tensor, 0, -(-size // x.itemsize))
    tensor.array = backend.as_strided(row[first:], shape, x.strides)
    return row


@tensors_only
def resize_(input: Tensor, size: Sequence[int], *, memory_format: MemoryFormat = None) -> Tensor:
    """Change the shape in place, in row-major order or that of a memory_format; memory that is too small is replaced.

    The values at the beginning of the memory stay. Raises RuntimeError where input requires grad, and where a memory
    that is too small has other views, which PyTorch would move along. Source: torch.Tensor.resize_.

    >>> torch.arange(6).resize_(2, 2)
    tensor([[0, 1],
            [2, 3]])
    """
    if input.node is not None:
        raise errors.GraphError("resize_: cannot resize variables that require grad")
    shape = parse_shape("resize_", (tuple(size),))
    x, memory = input.array, memory_of(input.array)
    if shape == x.shape and memory_format is None:
        return input
    laid = in_memory_format("resize_", lambda shape: np.empty(shape, np.int8), shape, memory_format)
    first, count = geometry(x)[2], laid.size
    if first + count <= memory.size:
        return become_view(input, as_strided, shape, laid.strides)
    grown = _larger_memory(input, first, count)
    input.array = backend.as_strided(grown, shape, tuple(step * x.itemsize for step in laid.strides))
    input._bump()
    return input


@tensors_only
def resize_as_(input: Tensor, the_template: Tensor, *, memory_format: MemoryFormat = None) -> Tensor:
    """Resize to the shape of another Tensor, and with preserve_format in its memory order. Source: torch.resize_as_.

    >>> torch.resize_as_(torch.ones(4), torch.ones(2, 2))
    tensor([[1., 1.],
            [1., 1.]])
    """
    if memory_format is memory_formats.preserve_format:
        others = () if the_template.is_contiguous() else memory_formats.AXES
        memory_format = next((f for f in others if the_template.is_contiguous(memory_format=f)), None)
    return resize_(input, the_template.shape, memory_format=memory_format)
