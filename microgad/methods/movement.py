"""Methods that reshape, view, split, repeat or copy a Tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .. import dtypes, errors
from ..backend import memory_formats
from ..errors.notices import once
from ..lazy import LazyModule, accepts_lazy
from .factories import sizes_from, unlike_numpy, with_dims, with_signature

if TYPE_CHECKING:
    from ..backend import memory_layout as memory
    from ..ops import movement as ops
    from ..tensor import Tensor
else:
    ops = LazyModule("microgad.ops.movement")
    memory = LazyModule("microgad.backend.memory_layout")

F = TypeVar("F", bound=Callable[..., Any])


# Signatures of methods that take integers: as separate arguments, as one sequence, or by keyword. See factories.py.


@overload
def _shape(self: Tensor, *shape: int) -> Tensor: ...
@overload
def _shape(self: Tensor, shape: Sequence[int]) -> Tensor: ...
def _shape(self: Tensor, *args: Any, shape: Any = ()) -> Tensor:
    """Return the elements, in order, in another shape: a view if possible. One size may be -1, which is then computed.

    Takes `shape` as integers or as one sequence. Raises RuntimeError for another number of elements.
    Source: torch.reshape.
    """
    return self


@overload
def _size(self: Tensor, *size: int) -> Tensor: ...
@overload
def _size(self: Tensor, size: Sequence[int]) -> Tensor: ...
def _size(self: Tensor, *args: Any, size: Any = ()) -> Tensor:
    """Give the Tensor this size, given as integers or as one sequence. Raises RuntimeError if it doesn't fit.

    `expand` and `broadcast_to` repeat dimensions of size 1 without a copy: a view. `sum_to_size` adds up what they
    repeat. `resize_` changes the number of elements in place.
    """
    return self


@overload
def _dims(self: Tensor, *dims: int) -> Tensor: ...
@overload
def _dims(self: Tensor, dims: Sequence[int]) -> Tensor: ...
def _dims(self: Tensor, *args: Any, dims: Any = ()) -> Tensor:
    """Takes `dims` as integers or as one sequence. Dimensions out of range raise IndexError.

    `permute` puts the dimensions into the order `dims`: a view. `flip` reverses the elements along `dims`: a copy.
    `tile` repeats the Tensor dims[i] times along dimension i: a copy.
    """
    return self


@overload
def _repeats(self: Tensor, *repeats: int) -> Tensor: ...
@overload
def _repeats(self: Tensor, repeats: Sequence[int]) -> Tensor: ...
def _repeats(self: Tensor, *args: Any, repeats: Any = ()) -> Tensor:
    """Repeat the Tensor repeats[i] times along dimension i: a copy. Takes `repeats` as integers or as one sequence.

    Raises RuntimeError for fewer repeats than dimensions. Source: torch.Tensor.repeat.
    """
    return self


@accepts_lazy
def _sized(op: Callable[..., Tensor], like: F) -> F:
    """Make the method of an operation that takes integers; the name of `like` is their keyword."""
    keyword = like.__name__.removeprefix("_")

    def method(self: Tensor, *numbers: Any, **options: Any) -> Tensor:
        if not numbers and keyword not in options:
            raise TypeError(f"{op.__name__}() missing 1 required positional arguments: '{keyword}'")
        given = options.pop(keyword) if keyword in options else sizes_from(numbers)
        return op(self, given, **options)

    return with_signature(method, op.__name__, f"Takes `{keyword}` as integers or as one sequence. {op.__doc__}", like)


@accepts_lazy
def _as_view(op: F) -> F:
    """Make the method `op_` from an operation that returns a view: the Tensor itself becomes that view."""

    def method(self: Tensor, *args: Any, **options: Any) -> Tensor:
        return ops.become_view(self, op, *args, **options)

    return with_signature(method, f"{op.__name__}_", f"In place, without touching the memory: see `{op.__name__}`.", op)


@accepts_lazy
def _unchecked(op: F) -> F:
    """Return an operation without the check of `tensors_only`: a method's first argument is a Tensor anyway."""
    return op.__wrapped__  # type: ignore[attr-defined]


class Movement:
    """Methods that move elements, or view them in another shape."""

    __slots__ = ()

    reshape, permute = _sized(_unchecked(ops.reshape), _shape), _sized(_unchecked(ops.permute), _dims)
    expand, sum_to_size = _sized(ops.expand, _size), _sized(ops.sum_to_size, _size)
    repeat, tile = unlike_numpy(_sized(ops.repeat, _repeats)), _sized(ops.tile, _dims)
    flip, resize_ = _sized(ops.flip, _dims), _sized(ops.resize_, _size)
    broadcast_to = _sized(ops.broadcast_to, _size)
    _enlarge_storage = ops.enlarge_storage
    view_as, reshape_as, expand_as, resize_as_ = ops.view_as, ops.reshape_as, ops.expand_as, ops.resize_as_

    squeeze, unsqueeze, unflatten, ravel = with_dims(ops.squeeze), ops.unsqueeze, ops.unflatten, ops.ravel
    flatten, transpose, t = _unchecked(ops.flatten), _unchecked(ops.transpose), _unchecked(ops.t)
    swapaxes, swapdims, adjoint = ops.swapaxes, ops.transpose, ops.adjoint
    movedim, moveaxis, roll, rot90 = ops.movedim, ops.movedim, ops.roll, ops.rot90
    fliplr, flipud = ops.fliplr, ops.flipud
    squeeze_, unsqueeze_, t_, transpose_ = _as_view(squeeze), _as_view(unsqueeze), _as_view(t), _as_view(transpose)
    swapaxes_, swapdims_, as_strided_ = _as_view(swapaxes), _as_view(swapdims), _as_view(ops.as_strided)

    if TYPE_CHECKING:  # as a method's, the parameter has another name, which the function accepts, too

        def split(self: Tensor, split_size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]: ...
    else:
        split = ops.split
    narrow, select, unbind, chunk = ops.narrow, ops.select, ops.unbind, ops.chunk
    split_with_sizes, tensor_split, hsplit = ops.split_with_sizes, ops.tensor_split, ops.hsplit
    unsafe_split, unsafe_chunk, unsafe_split_with_sizes = split, chunk, split_with_sizes
    vsplit, dsplit, unfold, as_strided = ops.vsplit, ops.dsplit, ops.unfold, ops.as_strided
    slice_scatter, select_scatter = ops.slice_scatter, ops.select_scatter
    diagonal_scatter, as_strided_scatter = ops.diagonal_scatter, ops.as_strided_scatter

    diag, diag_embed, diagflat, diagonal, trace = ops.diag, ops.diag_embed, ops.diagflat, ops.diagonal, ops.trace
    fill_diagonal_ = ops.fill_diagonal_
    tril, triu, tril_, triu_ = ops.tril, ops.triu, ops.tril_, ops.triu_
    repeat_interleave, kron, clone = ops.repeat_interleave, ops.kron, ops.clone

    def narrow_copy(self: Tensor, dim: int, start: int, length: int) -> Tensor:
        """Return a copy of `narrow`."""
        return ops.narrow_copy(self, dim, start, length)

    @overload
    def view(self: Tensor, dtype: dtypes.dtype) -> Tensor: ...
    @overload
    def view(self: Tensor, *size: int) -> Tensor: ...
    @overload
    def view(self: Tensor, size: Sequence[int]) -> Tensor: ...
    def view(self: Tensor, *shape: Any, **options: Any) -> Tensor:
        """View the memory in another shape, or as another dtype: see `ops.movement.view`.

        Raises TypeError without sizes or a dtype.
        """
        given = (*shape, *options.values()) if options else shape
        if not given or (options and (options.keys() - {"dtype", "size"} or len(given) > 1)):
            raise TypeError(f"view: expected sizes or a dtype, got {given}")
        return ops.view(self, given[0] if isinstance(given[0], (dtypes.dtype, type)) else sizes_from(given))

    @property
    def T(self: Tensor) -> Tensor:
        """A view with all dimensions in reverse order. As in PyTorch, other than 2-D Tensors give a warning, once."""
        if self.array.ndim != 2:
            once(
                "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated: `x.mT` "
                "transposes batches of matrices, `x.permute(*range(x.ndim)[::-1])` reverses the dimensions"
            )
        return ops.Permute.apply(self, order=tuple(range(self.array.ndim)[::-1]))

    @property
    def mT(self: Tensor) -> Tensor:
        """A view with the last two dimensions exchanged."""
        return ops.matrix_transpose(self, "tensor.mT")

    @property
    def H(self: Tensor) -> Tensor:
        """The conjugate transpose of a matrix: see `adjoint`."""
        if self.ndim not in (0, 2):
            raise errors.ShapeError(f"tensor.H is only supported on matrices (2-D tensors). Got {self.ndim}-D tensor.")
        return ops.matrix_transpose(self, "tensor.H").conj()

    @property
    def mH(self: Tensor) -> Tensor:
        """The conjugate transpose of a batch of matrices: see `adjoint`."""
        return ops.matrix_transpose(self, "tensor.mH").conj()

    def contiguous(
        self: Tensor, *, memory_format: memory_formats.memory_format = memory_formats.contiguous_format
    ) -> Tensor:
        """Return this Tensor if it is contiguous in row-major order, or in memory_format, else a copy that is.

        The results of operations needn't have the memory format of their inputs. Raises RuntimeError for a
        copy in preserve_format.

        >>> x = torch.zeros(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
        >>> x.stride(), x.is_contiguous(), x.is_contiguous(memory_format=torch.channels_last)
        ((60, 1, 15, 3), False, True)
        """
        if self.is_contiguous(memory_format=memory_format):
            return self
        if memory_format is memory_formats.preserve_format:
            raise errors.ArgumentError("contiguous: preserve memory format is unsupported by the contiguous operator")
        return ops.clone(self, memory_format=memory_format)

    def storage_offset(self: Tensor) -> int:
        """Return the number of elements of the storage before this Tensor's first one; see `as_strided`."""
        return memory.geometry(self.array)[2] - ops.vmap_offset(self)

    def is_set_to(self: Tensor, tensor: Tensor) -> bool:
        """Whether both Tensors view the same memory with the same shape, strides and dtype."""
        a, b = self.array, tensor.array
        return memory.address(a) == memory.address(b) and (a.shape, a.strides, a.dtype) == (b.shape, b.strides, b.dtype)

    def data_ptr(self: Tensor) -> int:
        """Return the address of the first element, or 0 if there is none."""
        return memory.address(self.array) if self.array.size and not self.is_meta else 0
