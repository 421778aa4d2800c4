"""Operations that move values without changing them: shape, order, joining, padding, conversion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend, dtypes
from ..errors import ArgumentError, DimError, ShapeError
from ..function import Function, LinearMap

if TYPE_CHECKING:
    from ..tensor import Tensor


class Reshape(LinearMap):
    """The same values in another shape: a view where the layout allows."""

    symbol, numpy, may_share = "reshape", np.reshape, True

    def forward(self, x):
        return x.reshape(self.size)

    def adjoint(self, grad):
        return grad.reshape(self.x_shape)


class Permute(LinearMap):
    """The axes in another order: a view."""

    symbol, numpy, may_share = "permute", np.transpose, True

    def forward(self, x):
        return np.transpose(x, self.order)

    def adjoint(self, grad):
        inverse = [0] * len(self.order)
        for i, axis in enumerate(self.order):
            inverse[axis] = i
        return np.transpose(grad, inverse)


class Expand(LinearMap):
    """Axes of size 1 (and new ones in front) repeated without a copy: a view."""

    symbol, numpy, may_share = "expand", np.broadcast_to, True

    def forward(self, x):
        return np.broadcast_to(x, self.size)

    def adjoint(self, grad):
        lead = grad.ndim - len(self.x_shape)
        stretched = (i + lead for i, n in enumerate(self.x_shape) if n == 1)
        return grad.sum((*range(lead), *stretched)).reshape(self.x_shape)


class Flip(LinearMap):
    """The order along axes reversed."""

    symbol, numpy = "flip", np.flip

    def forward(self, x):
        return np.flip(x, self.axis).copy()

    def adjoint(self, grad):
        return np.flip(grad, self.axis).copy()


class Clone(LinearMap):
    """A copy; `order` is NumPy's."""

    symbol, numpy = "clone", np.copy

    def forward(self, x):
        return x.copy(self.order)

    def adjoint(self, grad):
        return grad


class Cast(LinearMap):
    """The same values in another dtype."""

    symbol, numpy = "cast", np.astype

    def forward(self, x):
        return _cast(x, self.to)

    def adjoint(self, grad):
        return _cast(grad, self.source)


def _cast(x: Any, to: Any) -> Any:
    """An array in another dtype; of complex numbers the real parts, where it has no room for others."""
    return (x.real if x.dtype.kind == "c" and to.kind != "c" else x).astype(to)


class Transfer(LinearMap):
    """The same values on another device; the same memory, where they are there already."""

    symbol, may_share = "transfer", True

    def forward(self, x):
        return backend.to_device(x, self.to)

    def adjoint(self, grad):
        return backend.to_device(grad, self.source)


class Cat(Function):
    """Arrays joined along an axis."""

    symbol, numpy, promote = "cat", np.concatenate, staticmethod(dtypes.promote)

    def forward(self, *inputs):
        return np.concatenate(inputs, self.axis)

    def grad_inputs(self, grad):
        lead, start, parts = (slice(None),) * self.axis, 0, []
        for size in self.sizes:
            parts.append(grad[(*lead, slice(start, start + size))])
            start += size
        return tuple(parts)


class Stack(Function):
    """Arrays of one shape joined along a new axis."""

    symbol, numpy, promote = "stack", np.stack, staticmethod(dtypes.promote)

    def forward(self, *inputs):
        shape = (*inputs[0].shape[: self.axis], len(inputs), *inputs[0].shape[self.axis :])
        out = np.empty_like(inputs[0], shape=shape, order="C")  # row-major whatever the inputs' layout
        return np.stack(inputs, self.axis, out=out)

    def grad_inputs(self, grad):
        lead = (slice(None),) * self.axis
        return tuple(grad[(*lead, i)] for i in range(grad.shape[self.axis]))


class Pad(Function):
    """Widths of a constant value put around: `widths` has (before, after) for each axis."""

    symbol, numpy = "pad", np.pad

    def forward(self, x):
        return np.pad(x, self.widths, constant_values=self.value)

    def grad_x(self, grad):
        return grad[tuple(slice(low, n - high) for n, (low, high) in zip(grad.shape, self.widths, strict=True))]


def reshape(input: Tensor, shape: Sequence[int]) -> Tensor:
    """The same values in another shape, a view where the layout allows; one size may be -1. Source: torch.reshape.

    Raises RuntimeError where the numbers of elements differ.

    >>> torch.reshape(torch.arange(4), (2, -1))
    tensor([[0, 1],
            [2, 3]])
    """
    return Reshape.apply(input, size=_size(input, shape))


def _size(input: Tensor, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape with its -1 worked out."""
    size, n = tuple(int(s) for s in shape), input.array.size
    known = math.prod(s for s in size if s != -1)
    if size.count(-1) > 1:
        raise ArgumentError(f"reshape: only one dimension can be inferred, got {size}")
    if any(s < -1 for s in size):
        raise ArgumentError(f"reshape: invalid shape dimension {min(size)} in {size}")
    if -1 in size:
        if known == 0:
            raise ShapeError(
                f"reshape: cannot reshape tensor of {n} elements into shape {list(size)} because -1 can be any value"
            )
        size = tuple(n // known if s == -1 else s for s in size)
    if math.prod(size) != n:
        raise ShapeError(f"shape '{list(shape)}' is invalid for input of size {n}")
    return size


def permute(input: Tensor, dims: Sequence[int]) -> Tensor:
    """The dimensions in the order of dims: a view. Source: torch.permute.

    >>> torch.permute(torch.zeros(2, 3, 4), (2, 0, 1)).shape
    torch.Size([4, 2, 3])
    """
    if sorted(_dim(d, input.ndim, "permute") for d in dims) != list(range(input.ndim)):
        raise ShapeError(
            f"permute: dims {tuple(dims)} are no order of the {input.ndim} dimensions of input {tuple(input.shape)}"
        )
    return Permute.apply(input, order=tuple(d % input.ndim for d in dims))


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged: a view. Source: torch.transpose.

    >>> torch.transpose(torch.tensor([[1, 2], [3, 4]]), 0, 1)
    tensor([[1, 3],
            [2, 4]])
    """
    order = list(range(input.ndim))
    a, b = _dim(dim0, input.ndim, "transpose"), _dim(dim1, input.ndim, "transpose")
    if order:
        order[a], order[b] = order[b], order[a]
    return Permute.apply(input, order=tuple(order))


def _dim(dim: int, ndim: int, op: str) -> int:
    """A dimension counted from the front."""
    n = max(ndim, 1)
    if not -n <= dim < n:
        raise DimError(f"{op}: Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return dim % n


def expand(input: Tensor, size: Sequence[int]) -> Tensor:
    """Dimensions of size 1 repeated without a copy: a view; -1 keeps a size. Source: torch.Tensor.expand.

    >>> torch.tensor([[1], [2]]).expand(2, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    lead = len(size) - input.ndim
    if lead < 0 or any(s == -1 for s in size[:lead]):
        raise ShapeError(
            f"expand: sizes {tuple(size)} don't fit the {input.ndim} dimensions of input {tuple(input.shape)}"
        )
    return Expand.apply(input, size=tuple(input.shape[i - lead] if s == -1 else s for i, s in enumerate(size)))


def squeeze(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Without dimensions of size 1, all or those named: a view. Source: torch.squeeze.

    >>> torch.squeeze(torch.zeros(1, 2, 1), 0).shape
    torch.Size([2, 1])
    """
    if dim is None:
        gone = range(input.ndim)
    else:
        gone = [_dim(d, input.ndim, "squeeze") for d in ((dim,) if isinstance(dim, int) else dim)]  # type: ignore[assignment]
    return Reshape.apply(input, size=tuple(n for i, n in enumerate(input.shape) if n != 1 or i not in gone))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a dimension of size 1 put in at dim: a view. Source: torch.unsqueeze.

    >>> torch.unsqueeze(torch.tensor([1, 2]), 1)
    tensor([[1],
            [2]])
    """
    at = _dim(dim, input.ndim + 1, "unsqueeze")
    return Reshape.apply(input, size=(*input.shape[:at], 1, *input.shape[at:]))


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions from start_dim to end_dim made one: a view where the layout allows. Source: torch.flatten.

    >>> torch.flatten(torch.zeros(2, 3, 4), 1).shape
    torch.Size([2, 12])
    """
    shape = tuple(input.shape) or (1,)
    start, end = _dim(start_dim, len(shape), "flatten"), _dim(end_dim, len(shape), "flatten")
    if start > end:
        raise ShapeError(f"flatten: start_dim {start_dim} cannot come after end_dim {end_dim}")
    if start == end and input.ndim > 0:
        return input
    return Reshape.apply(input, size=(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def flip(input: Tensor, dims: int | Sequence[int]) -> Tensor:
    """The order along dims reversed: a copy. Source: torch.flip.

    >>> torch.flip(torch.tensor([1, 2, 3]), (0,))
    tensor([3, 2, 1])
    """
    return Flip.apply(input, axis=(dims,) if isinstance(dims, int) else tuple(dims))


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors joined along dim; other sizes must agree. Source: torch.cat.

    >>> torch.cat([torch.tensor([1, 2]), torch.tensor([3])])
    tensor([1, 2, 3])
    """
    if not tensors:
        raise ArgumentError("cat: expected a non-empty list of Tensors")
    ndim = max(t.ndim for t in tensors)
    tensors = [t for t in tensors if t.ndim == ndim or tuple(t.shape) != (0,)]  # PyTorch ignores its old empty tensor
    axis = _dim(dim, ndim, "cat")
    return Cat.apply(*tensors, axis=axis, sizes=tuple(t.shape[axis] if axis < t.ndim else 0 for t in tensors))


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape joined along a new dimension. Source: torch.stack.

    >>> torch.stack([torch.tensor([1, 2]), torch.tensor([3, 4])], dim=1)
    tensor([[1, 3],
            [2, 4]])
    """
    shapes = {tuple(t.shape) for t in tensors}
    if len(shapes) != 1:
        raise ShapeError(f"stack: expected at least one Tensor and all of one shape, got {sorted(shapes)}")
    return Stack.apply(*tensors, axis=_dim(dim, tensors[0].ndim + 1, "stack"))


def split(tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Views along dim, of one size (the last may be smaller) or of the sizes given. Source: torch.split.

    >>> torch.split(torch.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    axis = _dim(dim, tensor.ndim, "split")
    n = tensor.shape[axis]
    if isinstance(split_size_or_sections, int):
        step = split_size_or_sections
        if step <= 0 and n:
            raise ArgumentError(f"split: expects split_size to be positive, got {step}")
        sizes = [min(step, n - i) for i in range(0, n, step)] if n else [0]
    else:
        sizes = list(split_size_or_sections)
        if sum(sizes) != n:
            raise ShapeError(
                f"split: the sections {sizes} add up to {sum(sizes)}, but dimension {dim} of input has size {n}"
            )
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(narrow(tensor, axis, start, size) for start, size in zip(starts, sizes, strict=True))


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` views along dim, of equal size but for the last. Source: torch.chunk.

    >>> torch.chunk(torch.arange(5), 2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    n = input.shape[_dim(dim, input.ndim, "chunk")]
    return split(input, max(1, -(-n // chunks)), dim)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along dim, without it: views. Source: torch.unbind.

    >>> torch.unbind(torch.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    lead = (slice(None),) * _dim(dim, input.ndim, "unbind")
    return tuple(input[(*lead, i)] for i in range(input.shape[dim]))


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """`length` slices along dim from `start` on: a view. Source: torch.narrow.

    >>> torch.narrow(torch.arange(5), 0, 1, 3)
    tensor([1, 2, 3])
    """
    axis = _dim(dim, input.ndim, "narrow")
    if not 0 <= start <= start + length <= input.shape[axis]:
        raise DimError(
            f"narrow: start ({start}) + length ({length}) exceeds the size ({input.shape[axis]}) of dimension {dim}"
        )
    return input[(*(slice(None),) * axis, slice(start, start + length))]


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """input with (before, after) widths put around, given from the last dimension backwards; negative ones cut off.

    Modes: constant, reflect, replicate, circular. Source: torch.nn.functional.pad.

    >>> F.pad(torch.tensor([1, 2, 3]), (1, 2), value=9)
    tensor([9, 1, 2, 3, 9, 9])
    """
    if len(pad) % 2 or len(pad) > 2 * input.ndim:
        raise ShapeError(f"pad: expected pairs of widths for at most {input.ndim} dimensions, got {len(pad)} numbers")
    pairs = [(int(pad[2 * i]), int(pad[2 * i + 1])) for i in range(len(pad) // 2)]
    widths = [(0, 0)] * (input.ndim - len(pairs)) + pairs[::-1]
    if any(n + low + high < 0 for n, (low, high) in zip(input.shape, widths, strict=True)):
        raise ShapeError(f"pad: widths {tuple(pad)} cut off more than input {tuple(input.shape)} has")
    if mode != "constant":
        return _pad_by_index(input, widths, mode)
    if any(low < 0 or high < 0 for low, high in widths):
        input = input[
            tuple(slice(max(-low, 0), n - max(-high, 0)) for n, (low, high) in zip(input.shape, widths, strict=True))
        ]
        widths = [(max(low, 0), max(high, 0)) for low, high in widths]
    return Pad.apply(input, widths=tuple(widths), value=value or 0)


def _pad_by_index(input: Tensor, widths: list[tuple[int, int]], mode: str) -> Tensor:
    modes = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    if mode not in modes:
        raise ArgumentError(f"pad: mode is constant, {', '.join(modes)}, got '{mode}'")
    for axis, (low, high) in enumerate(widths):
        n = input.shape[axis]
        limit = {"reflect": n - 1, "circular": n, "replicate": math.inf}[mode]
        if max(low, high) > limit:
            raise ShapeError(
                f"pad: {mode} padding of {max(low, high)} is more than {limit}, for dimension {axis} of "
                f"input {tuple(input.shape)}"
            )
        if (low, high) != (0, 0):
            index = np.pad(np.arange(n), (low, high), modes[mode])  # type: ignore[call-overload]
            input = input[(*(slice(None),) * axis, index)]
    return input


def clone(input: Tensor) -> Tensor:
    """A copy with the same layout. Source: torch.clone.

    >>> x = torch.tensor([1.0])
    >>> y = torch.clone(x).add_(1)
    >>> x
    tensor([1.])
    """
    return Clone.apply(input, order="K")
