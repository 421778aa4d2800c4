"""Maxima and minima, their indices, and the median of all elements."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, overload

import numpy as np

from ... import return_types
from ...backend.axes import Axis, reduced_shape, reduction_size
from ...backend.radix_sort import kth_smallest
from ...errors import DimError, DtypeError
from ...fast_reductions import fast_reduce
from ...function import Function
from ...function.half import wide
from ...function.naming import with_torch_name
from ...state import observed
from ...type_aliases import Array, GivenDim, Tensor
from ..elementwise import Select, maximum, minimum
from ..movement.dims import as_int, wrap_dim
from ..support import layouts
from ..support.out import into
from ..support.spelling import numpy_spelling
from .axes import Dim, at_least_1d, axes, check_not_empty, check_ordered
from .picking import pick_along

F = TypeVar("F", bound=Callable[..., Any])
MANY = 1000  # elements for which it pays to avoid NumPy's loops over lines


class Amax(Function):
    """The maximum over axes. Tied elements share the gradient equally; if the maximum is NaN, all gradients are NaN."""

    symbol, numpy = "max", np.max

    def forward(self, x):
        return layouts.row_major(fast_reduce(np.maximum, x, self.axis, self.keepdims))

    def grad_x(self, grad, x, out):
        shape = reduced_shape(x.shape, self.axis)
        ties = x == out.reshape(shape)
        return ties * (grad.reshape(shape) / _count(ties, self.axis, grad.dtype))  # NaN also where grad isn't finite


class Amin(Amax):
    """The minimum over axes. Tied elements share the gradient equally; if the minimum is NaN, all gradients are NaN."""

    symbol, numpy = "min", np.min

    def forward(self, x):
        return layouts.row_major(fast_reduce(np.minimum, x, self.axis, self.keepdims))


class Max(Amax):
    """The maximum, whose tied elements share the gradient equally; if there are NaNs, only they share it."""

    node_name = "MaxBackward1"

    def grad_x(self, grad, x, out):
        shape = reduced_shape(x.shape, self.axis)
        out = out.reshape(shape)
        return _split_among_ties(grad.reshape(shape), equal_or_both_nan(x, out), self.axis)


class Min(Max):
    """The minimum of all elements. Tied elements share the gradient equally; if there are NaNs, only they share it."""

    symbol, node_name, forward = "min", "MinBackward1", Amin.forward


class Median(Max):
    """The lower median of all elements, whose ties share the gradient; NaN if there is one, unless `skip`."""

    symbol = "median"

    def forward(self, x):
        nans = int(np.count_nonzero(x != x)) if x.dtype.kind == "f" else 0
        if nans and not self.skip:
            return np.sum(x)
        place = 0 if nans == x.size else (x.size - nans - 1) // 2
        return kth_smallest(x.reshape(1, -1), place)[0, 0]


def equal_or_both_nan(x: Array, y: Array) -> Array:
    """Where x equals y, or both are NaN."""
    return (x == y) | ((x != x) & (y != y))


def _split_among_ties(grad: Array, winners: Array, axis: Any) -> Array:
    """Split the gradient equally among the winners along an axis; the result is in C order."""
    winners = layouts.in_rows(winners)
    return Select.apply(winners, np.broadcast_to(grad / _count(winners, axis, grad.dtype), winners.shape))


def _count(winners: Array, axis: Any, dtype: Any) -> Array:
    return np.astype(fast_reduce(np.add, winners, axis, True), dtype)


def _index_along(method: str, x: Array, axis: int | None, keepdims: bool) -> Array:
    """Return x.argmax or x.argmin along an axis; NumPy calls a function for each line, and copies short rows slowly."""
    if axis is not None and x.size > MANY and type(x) is np.ndarray:
        if x.shape[axis] == 1:
            return np.zeros(reduced_shape(x.shape, axis, keepdims), np.int64)
        x = layouts.contiguous(x) if axis == x.ndim - 1 else x
    return getattr(x, method)(axis, keepdims=keepdims)


class Argmax(Function):
    """The index of the first maximum along an axis."""

    symbol, numpy = "argmax", np.argmax

    def forward(self, x):
        return _index_along("argmax", x, self.axis, self.keepdims)


class Argmin(Function):
    """The index of the first minimum along an axis."""

    symbol, numpy = "argmin", np.argmin

    def forward(self, x):
        return _index_along("argmin", x, self.axis, self.keepdims)


def _extremum_axis(input: Tensor, dim: Dim, op: str) -> Axis:
    """Convert dim to axes, and check that the input has an order and is not empty along them."""
    axis = axes(dim, input.array.ndim, op)
    check_not_empty(input, axis, op)
    check_ordered(input, op)
    return axis


@numpy_spelling
def amax(input: Tensor, dim: Dim = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return the maximum over dim, without indices; ties share the gradient equally.

    Raises IndexError for a dim out of range, RuntimeError for complex numbers. Source: torch.amax.

    >>> torch.amax(torch.tensor([[1.0, 5.0], [3.0, 4.0]]), dim=1)
    tensor([5., 4.])
    """
    return into(out, Amax.apply(input, axis=_extremum_axis(input, dim, "amax"), keepdims=keepdim), exact="amax")


@numpy_spelling
def amin(input: Tensor, dim: Dim = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return the minimum over dim, without indices; ties share the gradient equally.

    Raises IndexError for a dim out of range, RuntimeError for complex numbers. Source: torch.amin.

    >>> torch.amin(torch.tensor([[1.0, 5.0], [3.0, 4.0]]), dim=1)
    tensor([1., 3.])
    """
    return into(out, Amin.apply(input, axis=_extremum_axis(input, dim, "amin"), keepdims=keepdim), exact="amin")


@numpy_spelling
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False, out: Any = None) -> return_types.aminmax:
    """Return the minimum and the maximum over dim (of all elements by default).

    Raises IndexError for a dim out of range, RuntimeError for complex numbers. Source: torch.aminmax.

    >>> torch.aminmax(torch.tensor([3.0, 1.0, 2.0])).max
    tensor(3.)
    """
    axis = _extremum_axis(input, dim, "aminmax")
    found = (with_torch_name("Aminmax", cls.apply(input, axis=axis, keepdims=keepdim)) for cls in (Amin, Amax))
    return into(out, return_types.aminmax(*found), exact="aminmax")


def _arg_extremum(cls: type[Function], input: Tensor, dim: int | None, keepdim: bool, op: str) -> Tensor:
    """Check the arguments of argmax or argmin, and apply its Function."""
    check_ordered(input, op)
    if input.array.dtype.kind == "b":
        raise DtypeError(f"{op}: does not support bool input")
    axis = None if dim is None else wrap_dim(dim, input.array.ndim, op)
    if not reduction_size(input.array.shape, axis):
        dims = "to be specified" if dim is None else f"{dim} to have non-zero size"
        raise DimError(f"{op}: Expected reduction dim {dims}, got input of shape {tuple(input.shape)}")
    return cls.apply(input, axis=axis if input.array.ndim else None, keepdims=keepdim)


@numpy_spelling
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return the index (int64) of the first maximum along dim, or in the flattened input.

    Raises IndexError for a dim out of range, RuntimeError for booleans and complex numbers. Source: torch.argmax.

    >>> torch.argmax(torch.tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1)
    tensor([1, 0])
    """
    return into(out, _arg_extremum(Argmax, input, dim, keepdim, "argmax"), exact="argmax")


@numpy_spelling
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return the index (int64) of the first minimum along dim, or in the flattened input.

    Raises IndexError for a dim out of range, RuntimeError for booleans and complex numbers. Source: torch.argmin.

    >>> torch.argmin(torch.tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1)
    tensor([0, 1])
    """
    return into(out, _arg_extremum(Argmin, input, dim, keepdim, "argmin"), exact="argmin")


def _tensor_dims(function: F) -> F:
    """Make max or min take a 0-d integer Tensor as dim, if it is given by its name or together with keepdim."""

    @functools.wraps(function)
    def named(*args: Any, **kwargs: Any) -> Any:
        if hasattr(kwargs.get("dim"), "array"):
            kwargs["dim"] = as_int(kwargs["dim"], function.__name__)
        elif len(args) > 2 or (len(args) == 2 and "keepdim" in kwargs):
            args = (args[0], as_int(args[1], function.__name__), *args[2:])
        return function(*args, **kwargs)

    return named  # type: ignore[return-value]


@overload
def max(input: Tensor, *, out: Tensor | None = None) -> Tensor: ...
@overload
def max(input: Tensor, dim: int, keepdim: bool = False, *, out: Any = None) -> return_types.max: ...
@overload
def max(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor: ...
@numpy_spelling  # type: ignore[misc]  # `other` by its place comes in as `dim`
@_tensor_dims
@observed
def max(
    input: Tensor, dim: GivenDim = None, keepdim: bool = False, *, other: Tensor | None = None, out: Any = None
) -> Any:
    """Return the maximum of all values; with an int dim, (values, indices); with a Tensor, `maximum`.

    Raises IndexError for a dim out of range, RuntimeError for complex numbers. Source: torch.max.

    >>> torch.max(torch.tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1).values
    tensor([5., 3.])
    """
    return _max_or_min(input, dim, keepdim, other, out, (Max, "argmax", maximum, return_types.max))


@overload
def min(input: Tensor, *, out: Tensor | None = None) -> Tensor: ...
@overload
def min(input: Tensor, dim: int, keepdim: bool = False, *, out: Any = None) -> return_types.min: ...
@overload
def min(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor: ...
@numpy_spelling  # type: ignore[misc]  # `other` by its place comes in as `dim`
@_tensor_dims
@observed
def min(
    input: Tensor, dim: GivenDim = None, keepdim: bool = False, *, other: Tensor | None = None, out: Any = None
) -> Any:
    """Return the minimum of all values; with an int dim, (values, indices); with a Tensor, `minimum`.

    Raises IndexError for a dim out of range, RuntimeError for complex numbers. Source: torch.min.

    >>> torch.min(torch.tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1).indices
    tensor([0, 1])
    """
    return _max_or_min(input, dim, keepdim, other, out, (Min, "argmin", minimum, return_types.min))


def _max_or_min(input: Tensor, dim: Any, keepdim: bool, other: Tensor | None, out: Any, kind: tuple[Any, ...]) -> Any:
    """Dispatch the three forms of max and min: over all values, elementwise with `other`, and along a dim.

    `kind` has the Function over all values, NumPy's method for indices, the elementwise function, and the named tuple.
    """
    over_all, arg_method, elementwise, result = kind
    op = result.__name__
    if hasattr(dim, "array"):
        dim, other = None, dim
    if other is not None:
        check_ordered(input, op)
        return into(out, elementwise(input, other))
    if dim is None:
        if keepdim:
            raise DtypeError(f"{op}: keepdim goes with a dim")
        return into(out, over_all.apply(input, axis=_extremum_axis(input, None, op), keepdims=False))
    axis = wrap_dim(dim, input.array.ndim, op)
    x = at_least_1d(input)
    check_not_empty(x, axis, op)
    check_ordered(input, op)
    index = _index_along(arg_method, wide(x.array), axis, True)  # NumPy compares float16 slowly
    return into(out, pick_along(input, axis, index, keepdim, result), exact=op)
