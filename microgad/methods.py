"""The operations as methods and operators of Tensor: one visible table, and the few that need more than a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import backend, dtypes, errors
from . import function as core
from .function import Function
from .ops import (
    arithmetic,
    comparison,
    creation,
    elementwise,
    indexing,
    matmul,
    movement,
    random,
    reduction,
    selection,
    softmax,
)

if TYPE_CHECKING:
    from .tensor import Tensor


def _in_place(cls: type[Function]) -> Callable[..., Tensor]:
    """The method `op_` of a Function: the result is written into the Tensor's own memory."""

    def method(self: Tensor, *others: Any) -> Tensor:
        result: Tensor = cls.apply_(self, *others)
        return result

    method.__name__ = method.__qualname__ = f"{cls.__name__.lower()}_"
    method.__doc__ = f"In place: {cls.__doc__}"
    return method


def _with_alpha(cls: type[Function]) -> Callable[..., Tensor]:
    def method(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
        result: Tensor = cls.apply_(self, other if alpha == 1 else other * alpha)
        return result

    method.__name__ = method.__qualname__ = f"{cls.__name__.lower()}_"
    method.__doc__ = f"In place: {cls.__doc__}"
    return method


def _shape(sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    """Sizes given one by one or as one sequence."""
    return tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) and np.ndim(sizes[0]) else sizes


class Methods:
    """What a Tensor can do, beside being one: the base of Tensor, and of nothing else."""

    __slots__ = ()

    # Operators

    __add__ = __radd__ = arithmetic.add
    __sub__ = arithmetic.sub
    __mul__ = __rmul__ = arithmetic.mul
    __truediv__ = arithmetic.div
    __pow__ = arithmetic.pow
    __matmul__ = matmul.matmul
    __neg__ = arithmetic.neg
    __abs__ = arithmetic.abs
    __lt__, __le__, __gt__, __ge__ = comparison.lt, comparison.le, comparison.gt, comparison.ge
    __and__ = __rand__ = comparison.bitwise_and
    __or__ = __ror__ = comparison.bitwise_or
    __xor__ = __rxor__ = comparison.bitwise_xor
    __invert__ = comparison.bitwise_not

    def __eq__(self: Tensor, other: Any) -> Any:
        return False if other is None else comparison.eq(self, other)

    def __ne__(self: Tensor, other: Any) -> Any:
        return True if other is None else comparison.ne(self, other)

    def __rsub__(self: Tensor, other: Any) -> Any:
        return arithmetic.Sub.apply(other, self)

    def __rtruediv__(self: Tensor, other: Any) -> Any:
        return arithmetic.Div.apply(other, self)

    def __rpow__(self: Tensor, other: Any) -> Any:
        return arithmetic.Pow.apply(other, self)

    def __rmatmul__(self: Tensor, other: Any) -> Any:
        return matmul.matmul(creation.as_tensor(other), self)

    __getitem__ = indexing.getitem

    def __setitem__(self: Tensor, index: Any, value: Any) -> None:
        if not isinstance(value, (core.Tensor, int, float, complex)):
            value = creation.as_tensor(value)
        indexing.SetItem.apply_(self, value, index=indexing.normalized(index, self.array))

    # Operations

    add, sub, mul, div, neg = arithmetic.add, arithmetic.sub, arithmetic.mul, arithmetic.div, arithmetic.neg
    subtract, multiply, divide, true_divide, negative = sub, mul, div, div, neg
    pow, abs, absolute, sign = arithmetic.pow, arithmetic.abs, arithmetic.abs, arithmetic.sign
    square = arithmetic.square
    exp, log, sqrt, sin, cos = elementwise.exp, elementwise.log, elementwise.sqrt, elementwise.sin, elementwise.cos
    tanh, sigmoid, relu = elementwise.tanh, elementwise.sigmoid, elementwise.relu
    maximum, minimum, clamp, clip = selection.maximum, selection.minimum, selection.clamp, selection.clamp
    eq, ne, lt, le, gt, ge = comparison.eq, comparison.ne, comparison.lt, comparison.le, comparison.gt, comparison.ge
    logical_and, logical_or, logical_xor = comparison.logical_and, comparison.logical_or, comparison.logical_xor
    logical_not, isnan, isinf, isfinite = (
        comparison.logical_not,
        comparison.isnan,
        comparison.isinf,
        comparison.isfinite,
    )
    allclose = comparison.allclose
    equal = comparison.equal

    def where(self: Tensor, condition: Tensor, other: Any) -> Tensor:
        """This Tensor where the condition holds, other elsewhere: see `where`."""
        return selection.where(condition, self, other)

    sum, mean, var, std = reduction.sum, reduction.mean, reduction.var, reduction.std
    max, min, amax, amin, argmax, argmin = (
        reduction.max, reduction.min, reduction.amax, reduction.amin, reduction.argmax, reduction.argmin
    )  # fmt: skip
    any, all = reduction.any, reduction.all

    logsumexp = softmax.logsumexp

    def softmax(self: Tensor, dim: int, dtype: Any = None) -> Tensor:
        """The softmax along dim: see `nn.functional.softmax`."""
        return softmax.softmax(self, dim, dtype=dtype)

    def log_softmax(self: Tensor, dim: int, dtype: Any = None) -> Tensor:
        """The logarithm of the softmax along dim: see `nn.functional.log_softmax`."""
        return softmax.log_softmax(self, dim, dtype=dtype)

    matmul, mm, bmm, dot, mv = matmul.matmul, matmul.matmul, matmul.matmul, matmul.matmul, matmul.matmul
    gather, narrow = indexing.gather, movement.narrow
    transpose, swapaxes, squeeze, unsqueeze = (
        movement.transpose,
        movement.transpose,
        movement.squeeze,
        movement.unsqueeze,
    )
    flatten, split, chunk, unbind, clone = (
        movement.flatten,
        movement.split,
        movement.chunk,
        movement.unbind,
        movement.clone,
    )

    def reshape(self: Tensor, *shape: Any) -> Tensor:
        """The same values in another shape: see `reshape`."""
        return movement.reshape(self, _shape(shape))

    def view(self: Tensor, *shape: Any) -> Tensor:
        """The same memory in another shape. Raises RuntimeError where the layout doesn't allow it: `reshape` copies."""
        result = movement.reshape(self, _shape(shape))
        if result.numel() and backend.owner(result.array) is not backend.owner(self.array):
            raise errors.ShapeError(
                f"view: size {tuple(result.shape)} is not compatible with input tensor's size {tuple(self.shape)} "
                f"and stride {self.stride()}. Use .reshape(...) instead"
            )
        return result

    def view_as(self: Tensor, other: Tensor) -> Tensor:
        """`view` in the shape of other."""
        return self.view(other.shape)

    def permute(self: Tensor, *dims: Any) -> Tensor:
        """The dimensions in another order: see `permute`."""
        return movement.permute(self, _shape(dims))

    def expand(self: Tensor, *size: Any) -> Tensor:
        """Dimensions of size 1 repeated without a copy: see `expand`."""
        return movement.expand(self, _shape(size))

    def expand_as(self: Tensor, other: Tensor) -> Tensor:
        """`expand` to the shape of other."""
        return movement.expand(self, other.shape)

    def flip(self: Tensor, *dims: Any) -> Tensor:
        """The order along dims reversed: see `flip`."""
        return movement.flip(self, _shape(dims))

    def t(self: Tensor) -> Tensor:
        """The transpose of a matrix; vectors and scalars as they are."""
        if self.ndim > 2:
            raise errors.ShapeError(f"t: expects a tensor with <= 2 dimensions, but self is {self.ndim}D")
        return self if self.ndim < 2 else movement.transpose(self, 0, 1)

    @property
    def T(self: Tensor) -> Tensor:
        """All dimensions in reverse order."""
        return movement.permute(self, range(self.ndim)[::-1])

    @property
    def mT(self: Tensor) -> Tensor:
        """The last two dimensions exchanged."""
        return movement.transpose(self, -2, -1)

    def contiguous(self: Tensor) -> Tensor:
        """This Tensor if its values lie in row-major order, else a copy where they do."""
        if self.is_contiguous():
            return self
        result: Tensor = movement.Clone.apply(self, order="C")
        return result

    # Conversion

    def to(
        self: Tensor, *args: Any, dtype: Any = None, device: Any = None, copy: bool = False, **ignored: Any
    ) -> Tensor:
        """In another dtype, on another device, or both: `to(dtype)`, `to(device)`, `to(device, dtype)`, `to(other)`.

        Gives this Tensor itself where nothing changes, unless `copy`. `non_blocking` has no effect.

        >>> torch.tensor([1.7]).to(torch.int64)
        tensor([1])
        """
        if ignored.keys() - {"non_blocking", "memory_format"}:
            raise TypeError(f"to: unexpected keyword arguments {sorted(ignored)}")
        for arg in args:
            if isinstance(arg, core.Tensor):
                device, dtype = arg.device, arg.dtype
            elif isinstance(arg, (str, backend.device)) or type(arg) is int:
                device = arg
            elif isinstance(arg, dtypes.dtype) or arg in (float, int, bool) or isinstance(arg, (type, np.dtype)):
                dtype = arg
        result = self
        if device is not None:
            place = backend.device(device)
            if place.type != self.device.type or (place.index is not None and place != self.device):
                result = movement.Transfer.apply(result, to=place, source=result.device)
        if dtype is not None and dtypes.of(dtype) != result.dtype:
            to = dtypes.of(dtype).dtype
            if to.kind not in "fc":
                result = result.detach()  # integers carry no gradient
            result = movement.Cast.apply(result, to=to, source=result.array.dtype)
        return result.clone() if copy and result is self else result

    def type(self: Tensor, dtype: Any = None) -> Any:
        """In another dtype; without an argument, PyTorch's name of this one's type."""
        if dtype is None:
            names = {
                "float32": "Float",
                "float64": "Double",
                "int64": "Long",
                "int32": "Int",
                "bool": "Bool",
                "float16": "Half",
            }
            name = self.dtype.name
            return f"torch.{'cuda.' if self.is_cuda else ''}{names.get(name, name.capitalize())}Tensor"
        return self.to(dtype=dtype)

    def type_as(self: Tensor, other: Tensor) -> Tensor:
        """In the dtype of other."""
        return self.to(dtype=other.dtype)

    def float(self: Tensor) -> Tensor:
        """As float32."""
        return self.to(dtype=dtypes.float32)

    def double(self: Tensor) -> Tensor:
        """As float64."""
        return self.to(dtype=dtypes.float64)

    def half(self: Tensor) -> Tensor:
        """As float16."""
        return self.to(dtype=dtypes.float16)

    def int(self: Tensor) -> Tensor:
        """As int32."""
        return self.to(dtype=dtypes.int32)

    def long(self: Tensor) -> Tensor:
        """As int64."""
        return self.to(dtype=dtypes.int64)

    def bool(self: Tensor) -> Tensor:
        """As bool."""
        return self.to(dtype=dtypes.bool_)

    def cpu(self: Tensor) -> Tensor:
        """On the CPU."""
        return self.to(device="cpu")

    def cuda(self: Tensor, device: Any = None) -> Tensor:
        """On a GPU."""
        return self.to(device=backend.device("cuda" if device is None else device))

    # In place

    add_, sub_ = _with_alpha(arithmetic.Add), _with_alpha(arithmetic.Sub)
    mul_, div_, pow_ = _in_place(arithmetic.Mul), _in_place(arithmetic.Div), _in_place(arithmetic.Pow)
    neg_, abs_ = _in_place(arithmetic.Neg), _in_place(arithmetic.Abs)
    exp_, log_, sqrt_ = _in_place(elementwise.Exp), _in_place(elementwise.Log), _in_place(elementwise.Sqrt)
    tanh_, sigmoid_, relu_ = _in_place(elementwise.Tanh), _in_place(elementwise.Sigmoid), _in_place(elementwise.Relu)
    __iadd__, __isub__, __imul__, __itruediv__, __ipow__ = add_, sub_, mul_, div_, pow_

    def clamp_(self: Tensor, min: Any = None, max: Any = None) -> Tensor:
        """In place: held between min and max."""
        result: Tensor = selection.Clamp.apply_(self, min, max)
        return result

    def copy_(self: Tensor, src: Any, non_blocking: Any = False) -> Tensor:
        """Take over the values of src, broadcast and converted."""
        self[...] = src
        return self

    def fill_(self: Tensor, value: Any) -> Tensor:
        """Set every element to value."""
        self[...] = value
        return self

    def zero_(self: Tensor) -> Tensor:
        """Set every element to 0."""
        self[...] = 0
        return self

    uniform_, normal_, bernoulli_, random_ = random.uniform_, random.normal_, random.bernoulli_, random.random_

    # Creation

    def new_tensor(self: Tensor, data: Any, dtype: Any = None, requires_grad: Any = False) -> Tensor:
        """A Tensor of data with this one's dtype and device."""
        return creation.tensor(data, dtype=dtype or self.dtype, device=self.device, requires_grad=requires_grad)

    def new_zeros(self: Tensor, *size: Any, dtype: Any = None) -> Tensor:
        """Zeros with this one's dtype and device."""
        return creation.zeros(_shape(size), dtype=dtype or self.dtype, device=self.device)

    def new_ones(self: Tensor, *size: Any, dtype: Any = None) -> Tensor:
        """Ones with this one's dtype and device."""
        return creation.ones(_shape(size), dtype=dtype or self.dtype, device=self.device)
