"""`x.new_zeros(...)` and its kin: new Tensors with the dtype and device of an existing one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from ..lazy import LazyModule, accepts_lazy
from ..size import Size
from .factories import with_signature

if TYPE_CHECKING:
    from ..ops import creation
    from ..tensor import Tensor
    from ..type_aliases import Device, Dtype, Layout, Operand, Options
else:
    creation = LazyModule("microgad.ops.creation")

F = TypeVar("F", bound=Callable[..., Any])


@overload
def _of_size(self: Tensor, size: int, /, *sizes: int, **options: Unpack[Options]) -> Tensor: ...
@overload
def _of_size(self: Tensor, size: Sequence[int], **options: Unpack[Options]) -> Tensor: ...
def _of_size(
    self: Tensor, size: Any, *sizes: Any, dtype: Dtype = None, layout: Layout = None, device: Device = None,
    requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    return self


@accepts_lazy
def _new(make: Callable[..., Tensor], like: F) -> F:
    """Make the `new_` method of a creation function that takes sizes."""

    def method(
        self: Tensor, size: Any, *sizes: Any, dtype: Dtype = None, layout: Layout = None, device: Device = None,
        requires_grad: bool = False, pin_memory: bool | None = False,
    ) -> Tensor:  # fmt: skip
        dtype, device = self.dtype if dtype is None else dtype, self.device if device is None else device
        return make(size, *sizes, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)

    doc = f"{(make.__doc__ or '').partition(' Source:')[0]} `size` is several integers or one sequence."
    return with_signature(method, f"new_{make.__name__}", doc, like)


class Creation:
    """Methods that make new Tensors, by default with this Tensor's dtype and device."""

    __slots__ = ()

    def new_tensor(
        self: Tensor, data: Any, *, dtype: Dtype = None, device: Device = None, requires_grad: Any = False
    ) -> Tensor:
        """Return a Tensor with a copy of data."""
        dtype, device = self.dtype if dtype is None else dtype, self.device if device is None else device
        return creation.tensor(data, dtype=dtype, device=device, requires_grad=requires_grad)

    def new_full(
        self: Tensor, size: Sequence[int], fill_value: Operand, *, dtype: Dtype = None, layout: Layout = None,
        device: Device = None, requires_grad: bool = False, pin_memory: bool | None = False,
    ) -> Tensor:  # fmt: skip
        """Return a Tensor of a size, filled with one value."""
        dtype, device = self.dtype if dtype is None else dtype, self.device if device is None else device
        return creation.full(size, fill_value, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)

    def new_empty_strided(
        self: Tensor, size: Sequence[int], stride: Sequence[int], *, dtype: Dtype = None, layout: Layout = None,
        device: Device = None, requires_grad: bool = False, pin_memory: bool | None = False,
    ) -> Tensor:  # fmt: skip
        """Return an uninitialized Tensor of a size, with the given strides."""
        dtype, device = self.dtype if dtype is None else dtype, self.device if device is None else device
        given: Options = {"dtype": dtype, "device": device, "layout": layout}
        return creation.empty_strided(size, stride, requires_grad=requires_grad, **given)

    def new(self: Tensor, *args: Any, size: Any = None, device: Device = None) -> Tensor:
        """Return an uninitialized Tensor of given sizes, or one of data, on its memory if possible. A legacy method."""
        args = args if size is None else (Size(size),)
        return creation.legacy_new(*args, dtype=self.dtype, device=self.device if device is None else device)

    new_empty, new_zeros = _new(creation.empty, _of_size), _new(creation.zeros, _of_size)
    new_ones = _new(creation.ones, _of_size)
