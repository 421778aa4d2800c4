"""Methods that read or write elements by index, and that fill or copy all of them."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from .. import dtypes, errors, updates
from .. import function as core
from ..errors.arguments import check_bool
from ..errors.calls import no_tensor
from ..errors.wording import kind_of
from ..function.naming import with_in_place_name
from ..lazy import LazyModule, accepts_lazy
from ..state import current
from .factories import with_signature

if TYPE_CHECKING:
    from ..ops import indexing
    from ..ops.indexing.item import Write
    from ..tensor import Operand, Tensor
else:
    indexing = LazyModule("microgad.ops.indexing")


P = ParamSpec("P")


@accepts_lazy
def _written(call: Callable[Concatenate[Tensor, P], Write]) -> Callable[Concatenate[Tensor, P], Tensor]:
    """Make the in-place method `op_` from `op_call`, which checks the arguments and returns a `Write`."""

    def write(self: Tensor, *args: P.args, **options: P.kwargs) -> Tensor:
        return call(self, *args, **options).in_place(self)

    def method(self: Tensor, /, *args: P.args, **options: P.kwargs) -> Tensor:
        try:
            if (observer := current().observer) is not None:
                return observer.call(write, (self, *args), options)
            return call(self, *args, **options).in_place(self)
        except AttributeError as error:
            raise no_tensor(call, (self, *args), options, error, method.__name__) from None

    name = call.__name__.removesuffix("_call")
    write.__name__, write.__qualname__ = f"{name}_", f"Tensor.{name}_"
    call.__qualname__ = f"{name}_"  # which Python's errors about missing arguments name
    with_signature(method, f"{name}_", f"In place: see `{name}`.", getattr(indexing, name))
    method.observed = True  # type: ignore[attr-defined]
    return method


def _each(op: str, function: Callable[..., Any], self: Tensor, *others: Tensor) -> Tensor:
    """Call a Python function for each element of Tensors, and write the results into the first one."""
    if not all(isinstance(x, core.Tensor) for x in others):
        raise errors.DtypeError(f"{op}(): all arguments but the function must be Tensor")
    if any(x.requires_grad or x.node is not None for x in (self, *others)):
        raise errors.GraphError(f"Can't call {op}() on a Tensor that requires grad. Use detach().{op}() instead")
    rows = zip(*(x.expand(self.shape).reshape(-1).tolist() for x in (self, *others)), strict=True)
    values = [function(*row) for row in rows]
    if wrong := [x for x in values if not isinstance(x, numbers.Complex | core.Tensor)]:
        raise TypeError(f"{op}: the function must return a number, but returned {wrong[0]!r:.60}")
    self.copy_(self.new_tensor(values).reshape(self.shape))
    return self


class Indexing:
    """Methods that read and write elements."""

    __slots__ = ()

    gather, take, take_along_dim = indexing.gather, indexing.take, indexing.take_along_dim
    put, put_ = indexing.put, _written(indexing.put_call)
    index_put, index_put_ = indexing.index_put, _written(indexing.index_put_call)
    scatter, scatter_ = indexing.scatter, _written(indexing.scatter_call)
    scatter_add, scatter_add_ = indexing.scatter_add, _written(indexing.scatter_add_call)
    scatter_reduce, scatter_reduce_ = indexing.scatter_reduce, _written(indexing.scatter_reduce_call)
    index_select = indexing.index_select
    index_add, index_add_ = indexing.index_add, _written(indexing.index_add_call)
    index_copy, index_copy_ = indexing.index_copy, _written(indexing.index_copy_call)
    index_fill, index_fill_ = indexing.index_fill, _written(indexing.index_fill_call)
    index_reduce, index_reduce_ = indexing.index_reduce, _written(indexing.index_reduce_call)
    masked_fill, masked_fill_ = indexing.masked_fill, _written(indexing.masked_fill_call)
    masked_scatter, masked_scatter_ = indexing.masked_scatter, _written(indexing.masked_scatter_call)
    masked_select = indexing.masked_select

    def copy_(self: Tensor, other: Operand, non_blocking: bool = False) -> Tensor:
        """Copy the values of other, broadcast and converted, into this Tensor.

        Raises RuntimeError for sizes that don't broadcast, TypeError for what is neither a Tensor nor a number.
        """
        check_bool("copy_", non_blocking=non_blocking)
        if not isinstance(other, core.Tensor):
            if not isinstance(other, numbers.Complex):
                raise TypeError(f"copy_(): argument 'other' (position 1) must be Tensor, not {kind_of(other)}")
            if isinstance(other, numbers.Integral):
                wide = dtypes.int64 if other < 1 << 63 else dtypes.uint64
            else:
                wide = dtypes.float64 if isinstance(other, numbers.Real) else dtypes.complex128
            if wide is dtypes.complex128 or not (self.is_floating_point() and -6e4 < other < 6e4):
                other = self.new_tensor(other, dtype=wide)  # its values are converted, unlike numbers out of range
        elif updates.update("copy_", updates.replace, self, 1, other):
            return self
        elif other.ndim > self.ndim:
            raise errors.ShapeError(
                f"copy_: output with shape {list(self.shape)} doesn't match the broadcast shape {list(other.shape)}"
            )
        before, self[...] = self.node, other
        return with_in_place_name("torch::autograd::CopyBackwards", self, before)

    def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
        """Replace each element by the result of a Python function of it, which is slow.

        Raises TypeError where the function returns no number, RuntimeError for a Tensor that requires grad.
        """
        return _each("apply_", callable, self)

    def map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
        """Replace each element by a Python function of it and of the element of another Tensor, broadcast.

        Raises TypeError where the function returns no number and for what is no Tensor, RuntimeError for a Tensor that
        requires grad.
        """
        return _each("map_", callable, self, tensor)

    def map2_(self: Tensor, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Any]) -> Tensor:
        """Replace each element by a Python function of it and of the elements of two other Tensors, broadcast.

        Raises TypeError where the function returns no number and for what is no Tensor, RuntimeError for a Tensor that
        requires grad.
        """
        return _each("map2_", callable, self, x, y)

    def fill_(self: Tensor, value: Operand) -> Tensor:
        """Set all elements to value, a number that the dtype can hold or a 0-d Tensor."""
        if 0 not in self.array.strides and updates.update("fill_", updates.fill, self, value):
            return self
        before, value = self.node, indexing.fill_value_for("fill_", value, self)
        if not hasattr(value, "array"):
            return indexing.fill_everywhere("FillBackward2", self, value)
        self[...] = value
        return with_in_place_name("FillBackward3", self, before)

    def zero_(self: Tensor) -> Tensor:
        """Set all elements to 0."""
        if 0 not in self.array.strides and updates.update("zero_", updates.fill, self, 0.0):
            return self
        return indexing.fill_everywhere("ZeroBackward0", self, 0)
