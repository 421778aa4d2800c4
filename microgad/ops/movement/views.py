"""What follows from a view: its values copied, input with it overwritten, and a Tensor that becomes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from ... import backend, errors, function, state
from ...backend import memory_formats
from ...backend.memory_layout import axes_of, geometry, memory_of
from ...engine import leaves
from ...function.naming import called, called_as_in_place
from ...type_aliases import Tensor
from .. import layouts, view_writes
from ..creation import in_memory_format, parse_shape
from ..elementwise import view_as_complex, view_as_real
from ..out import into
from ..spelling import numpy_spelling, tensors_only
from .conversion import Clone
from .diagonal import diagonal
from .rearranging import permute, t, transpose
from .repeating import expand
from .shape import reshape, squeeze, unsqueeze, view
from .splitting import narrow, select, slice, split, split_with_sizes, unbind
from .strided import as_strided, storage_view, unfold, vmap_slice_offset

F = TypeVar("F", bound=Callable[..., Any])


def alias(input: Tensor) -> Tensor:
    """The same values at the same place: a view. Source: torch.ops.aten.alias."""
    return called("Alias", reshape(input, input.shape))


@tensors_only
def detach(input: Tensor) -> Tensor:
    """The same memory, off the graph: see `Tensor.detach`. Source: torch.detach."""
    return input.detach()


def _copied(op: F) -> F:
    """The operation by whose name PyTorch copies what a view shows, row by row."""
    name = f"{op.__name__}_copy"

    def copy(*args: Any, out: Any = None, **options: Any) -> Any:
        shown = op(*args, **options)
        if isinstance(shown, tuple):
            return into(out, tuple(Clone.apply(x, order="C") for x in shown), exact=name)
        return into(out, Clone.apply(shown, order="C"), exact=name)

    copy.__name__ = copy.__qualname__ = name
    copy.__doc__ = f"`{op.__name__}`, copied. Source: torch.{name}."
    copy.__wrapped__ = op  # type: ignore[attr-defined]  # `inspect.signature` and `help` follow it
    return state.composite(copy)  # type: ignore[return-value]


alias_copy = _copied(alias)
as_strided_copy = _copied(as_strided)
detach_copy = _copied(detach)
diagonal_copy = _copied(diagonal)
expand_copy = _copied(expand)
narrow_copy = _copied(narrow)
permute_copy = _copied(permute)
select_copy = _copied(select)
slice_copy = _copied(slice)
split_copy = _copied(split)
split_with_sizes_copy = _copied(split_with_sizes)
squeeze_copy = _copied(squeeze)
t_copy = _copied(t)
transpose_copy = _copied(transpose)
unbind_copy = _copied(unbind)
unfold_copy = _copied(unfold)
unsqueeze_copy = _copied(unsqueeze)
view_as_complex_copy = _copied(view_as_complex)
view_as_real_copy = _copied(view_as_real)
view_copy = _copied(view)


def _overwritten(op: str, input: Tensor, src: Tensor, show: Callable[[Tensor], Tensor]) -> Tensor:
    """A copy of input in which src stands where `show` looks; without a gradient in integers, which carry none."""
    x = input.array
    with state.scope(grad_enabled=True, observer=None):
        shown = show(function.Tensor._made(x))
    if src.array.shape != shown.array.shape:
        raise errors.ShapeError(
            f"{op}: expected src to have a size equal to the slice of self. src size = {list(src.shape)}, slice size = "
            f"{list(shown.shape)}"
        )
    order = axes_of(x) if layouts.copy_order(x) == "K" else tuple(range(x.ndim))
    src = src if x.dtype.kind in "fc" else src.detach()
    written = view_writes.RegionWrite.apply(input, src, chain=shown.chain or (), order=order)
    return called(op.title().replace("_", ""), written)


@tensors_only
def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy of input with src as its diagonal. Source: torch.diagonal_scatter.

    >>> torch.diagonal_scatter(torch.zeros(2, 2), torch.ones(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    return _overwritten("diagonal_scatter", input, src, lambda x: diagonal(x, offset, dim1, dim2))


@numpy_spelling
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of input with src as its slice at index along dim. Source: torch.select_scatter.

    >>> torch.select_scatter(torch.zeros(2, 2), torch.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])
    """
    return _overwritten("select_scatter", input, src, lambda x: select(x, dim, index))


@numpy_spelling
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1, *,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """A copy of input with src as every step-th of its slices along dim. Source: torch.slice_scatter.

    >>> torch.slice_scatter(torch.zeros(3), torch.ones(2), 0, 0, None, 2)
    tensor([1., 0., 1.])
    """
    written = _overwritten("slice_scatter", input, src, lambda x: slice(x, dim, start, end, step))
    return into(out, written, exact="slice_scatter")


@tensors_only
def as_strided_scatter(
    input: Tensor, src: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """A copy of input with src where `as_strided` looks. Source: torch.as_strided_scatter.

    >>> torch.as_strided_scatter(torch.zeros(2, 2), torch.ones(2), (2,), (3,))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if layouts.expanded_axes(input.array):
        input = Clone.apply(input, order="C")  # in which no two elements are one
    x = input.array
    shape, strides, offset = geometry(x)
    at = offset if storage_offset is None else storage_offset + vmap_slice_offset(input)
    extent = memory_of(x).size
    if extent == x.size:
        return _overwritten("as_strided_scatter", input, src, lambda x: storage_view(x, size, stride, at))
    row = storage_view(input, (extent,), (1,), 0)  # what lies between input's elements stays between them
    written = _overwritten("as_strided_scatter", row, src, lambda x: storage_view(x, size, stride, at))
    return storage_view(written, shape, strides, offset)


def become_view(tensor: Tensor, op: Callable[..., Tensor], *args: Any, **options: Any) -> Tensor:
    """tensor itself becomes a view that `op` gives of it, by one operation, and views of it are views of that."""
    tensor._check_history(f"{op.__name__}_", tensor.node is not None)
    with state.scope(grad_enabled=True):
        shown = op(tensor, *args, **options)
    if shown is not tensor:
        tensor.array, node = shown.array, shown.node
        if type(tensor.node) is function.Leaf:  # in no_grad: it stays one
            node = leaves.leaf_of_new_array(tensor)
        elif node is not None:
            called_as_in_place(node)
        if tensor.base is not None:
            view_writes.set_history(tensor, node)
            tensor.chain = shown.chain
        else:
            # The tensor was the base: its views see it through the operation's inverse, which of what only moves
            # values is the transpose, and then as before.
            step, settings = (shown.chain or ())[-1]
            back: Any = step.transposed  # type: ignore[attr-defined]
            del shown  # or it would be among the views
            for seen in view_writes.live_views(tensor):
                if seen.chain is not None:
                    seen.chain = ((back, settings), *seen.chain)
            if node is not None:
                with state.scope(grad_enabled=True):
                    tensor._rebind(node)
    tensor._bump()
    return tensor


@tensors_only
def resize_(input: Tensor, size: Sequence[int], *, memory_format: Any = None) -> Tensor:
    """Another shape, in place: the same memory row by row, or where it is too small another with what it held.

    A memory_format says in which order. Raises RuntimeError where input requires grad, and where a memory that is too
    small has other views, which PyTorch moves with it. Source: torch.Tensor.resize_.

    >>> torch.arange(6).resize_(2, 2)
    tensor([[0, 1],
            [2, 3]])
    """
    if input.node is not None:
        raise errors.GraphError("resize_: cannot resize variables that require grad")
    shape = parse_shape((tuple(size),))
    x, memory = input.array, memory_of(input.array)
    if shape == x.shape and memory_format is None:
        return input
    laid = in_memory_format("resize_", lambda shape: np.empty(shape, np.int8), shape, memory_format)
    first, count = geometry(x)[2], laid.size
    if first + count <= memory.size:
        return become_view(input, as_strided, shape, laid.strides)
    if input.base is not None or view_writes.live_views(input):
        raise errors.GraphError(f"resize_: {shape} needs more memory than there is, and the memory has other views")
    grown = np.empty_like(x, shape=(count,))
    grown[: memory.size - first] = memory[first:]
    input.array = backend.as_strided(grown, shape, tuple(step * x.itemsize for step in laid.strides))
    input._bump()
    return input


@tensors_only
def resize_as_(input: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """`resize_` to the shape of another Tensor, in its order with preserve_format. Source: torch.resize_as_."""
    if memory_format is memory_formats.preserve_format:
        in_rows = the_template.is_contiguous()
        memory_format = (
            None if in_rows else next((f for f in memory_formats.AXES if the_template.is_contiguous(f)), None)
        )
    return resize_(input, the_template.shape, memory_format=memory_format)
