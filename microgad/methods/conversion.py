"""Conversions to other dtypes, devices and classes, and the exchange of memory with other libraries and Tensors."""

from __future__ import annotations

import builtins
import numbers
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from .. import backend, dtypes, errors, state
from .. import function as core
from ..backend import memory_formats
from ..dtypes.type_names import TYPE_NAMES
from ..errors.arguments import check_bool
from ..function.naming import with_torch_name
from ..lazy import LazyModule
from .factories import with_signature

if TYPE_CHECKING:
    import numpy as np

    from .. import storage, torch_function
    from ..ops import introspection, movement
    from ..tensor import Tensor
    from ..torch_function import wrappers
    from ..type_aliases import Device, Dtype, GivenDtype, MemoryFormat
else:
    torch_function, wrappers = LazyModule("microgad.torch_function"), LazyModule("microgad.torch_function.wrappers")
    storage = LazyModule("microgad.storage")
    introspection = LazyModule("microgad.ops.introspection")
    movement = LazyModule("microgad.ops.movement")


F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def _converted(self: Tensor, *, memory_format: MemoryFormat = None) -> Tensor:
    """Convert to the dtype that the name says; a Tensor that has it is returned itself. Source: torch.Tensor.float.

    `half`, `float`, `double` are float16, float32, float64; `byte`, `char`, `short`, `int`, `long` are uint8, int8,
    int16, int32, int64; `cfloat` and `cdouble` complex64 and complex128. memory_format is the order of the axes.
    """
    return self.to(memory_format=memory_format)


def _as(dtype: dtypes.dtype, like: F) -> F:
    """Make the method that converts to a dtype, such as `x.double()`."""

    own = dtype.dtype

    def method(self: Tensor, *, memory_format: MemoryFormat = None) -> Tensor:
        if memory_format is None and self.array.dtype is own:
            return self
        return self.to(dtype=dtype, memory_format=memory_format)

    return with_signature(method, dtype.name, f"Convert to {dtype.name}.", like)


def destination(
    args: Sequence[Any], device: Any = None, dtype: Any = None, non_blocking: Any = False, copy: Any = False
) -> tuple[Any, Any, Any, Any]:
    """Parse the arguments of `to`: return the device, the dtype, non_blocking and copy.

    The positional ones are (device, dtype, *flags), (dtype, *flags) or (other, *flags), where a Tensor `other` gives
    both its device and its dtype, and the flags are non_blocking and copy. Raises TypeError for others.
    """
    if not args:
        return device, dtype, non_blocking, copy
    first, places = args[0], (str, backend.device, numbers.Integral)
    if isinstance(first, core.Tensor):
        valid, chosen, flags = device is dtype is None, (first.device, first.dtype), args[1:]
    elif first is None or isinstance(first, places):
        second = args[1] if len(args) > 1 else None
        valid = (first is None or device is None) and (second is None or dtype is None)
        valid = valid and not isinstance(first, bool)
        valid = valid and (second is None or not isinstance(second, (*places, core.Tensor)))
        chosen, flags = (device if first is None else first, dtype if second is None else second), args[2:]
    else:
        valid, chosen, flags = device is dtype is None, (None, first), args[1:]
    if not valid or len(flags) > 2 or not all(isinstance(flag, bool) for flag in flags):
        given = [type(arg).__name__ for arg in args]
        given += [f"{k}={type(v).__name__}" for k, v in (("device", device), ("dtype", dtype)) if v is not None]
        raise TypeError(f"to() received an invalid combination of arguments - got ({', '.join(given)})")
    return *chosen, *flags, *(non_blocking, copy)[len(flags) :]


class Conversion:
    """Conversions, `as_subclass` and `__torch_function__`, `set_` and DLPack."""

    __slots__ = ()

    @overload
    def to(
        self: Tensor, dtype: GivenDtype, non_blocking: bool = False, copy: bool = False, *,
        memory_format: MemoryFormat = None,
    ) -> Tensor: ...  # fmt: skip
    @overload
    def to(
        self: Tensor, device: Device = None, dtype: Dtype = None, non_blocking: bool = False, copy: bool = False, *,
        memory_format: MemoryFormat = None,
    ) -> Tensor: ...  # fmt: skip
    @overload
    def to(
        self: Tensor, other: Tensor, non_blocking: bool = False, copy: bool = False, *,
        memory_format: MemoryFormat = None,
    ) -> Tensor: ...  # fmt: skip
    def to(
        self: Tensor, *args: Any, dtype: Dtype = None, device: Device = None, non_blocking: bool = False,
        copy: bool = False, memory_format: MemoryFormat = None, **other: Any,
    ) -> Tensor:  # fmt: skip
        """Convert to a dtype, a device, or both: `to(dtype)`, `to(device)`, `to(device, dtype)`, `to(other)`.

        Returns this Tensor itself if nothing changes, unless `copy` is true. `non_blocking` has no effect. Raises
        TypeError for other keywords.

        >>> torch.tensor([1.7]).to(torch.int64)
        tensor([1])
        """
        alone = len(args) == 1 and dtype is None and device is None and memory_format is None and not other
        if alone and copy is non_blocking is False and type(args[0]) is backend.device and args[0] == self.device:
            return self  # the usual case, checked first for speed
        if other:
            if other.keys() not in ({"other"}, {"tensor"}):  # the name in PyTorch's documentation, and that in its code
                raise TypeError(f"to: unexpected keyword arguments {sorted(other)}")
            args = (*other.values(), *args)
        if copy is not False or non_blocking is not False:
            check_bool("to", copy=copy, non_blocking=non_blocking)
        device, dtype, _, copy = destination(args, device, dtype, copy=copy)
        result = self
        if device is not None:
            place = backend.device(device)
            if place.type == "cuda" and place.index is None:
                place = backend.device("cuda", backend.current_gpu.get())
            if place.type != self.device.type or (place.index is not None and place != self.device):
                result = movement.Transfer.apply(result, to=place, source=result.device)
        if dtype is not None and (to := dtypes.of(dtype).dtype) != result.array.dtype:
            if to.kind not in "fc":
                result = result.detach()  # integers carry no gradient
            result = movement.Cast.apply(result, to=to, source=result.array.dtype)
        copy = copy and result is self
        if memory_format is not None and memory_format is not memory_formats.preserve_format:
            memory_formats.check("to", memory_format)
            copy = copy or memory_format != movement.memory_format_of(result.array)
            if not copy and result is not self:  # it was converted, but may have kept this Tensor's order of axes
                return with_torch_name("ToCopyBackward0", result.contiguous(memory_format=memory_format))
        if not copy:
            return result
        return with_torch_name("ToCopyBackward0", movement.clone(result, memory_format=memory_format))

    @overload
    def type(self: Tensor, dtype: None = None, non_blocking: builtins.bool = False) -> str: ...
    @overload
    def type(
        self: Tensor, dtype: str | dtypes.dtype | builtins.type | np.dtype[Any], non_blocking: builtins.bool = False
    ) -> Tensor: ...
    def type(self: Tensor, dtype: Any = None, non_blocking: builtins.bool = False) -> Any:
        """Convert to a dtype or a legacy type, "torch.cuda.FloatTensor"; without one return the type's name.

        Raises ValueError for a name of no type.
        """
        check_bool("type", non_blocking=non_blocking)
        if dtype is None:
            return f"torch.{'cuda.' if self.is_cuda else ''}{TYPE_NAMES[self.dtype]}Tensor"
        device = getattr(dtype, "device", None)  # of a legacy type, torch.FloatTensor
        if isinstance(dtype, str):
            place, _, name = dtype.removeprefix("torch.").rpartition(".")
            kind = {f"{name}Tensor": kind for kind, name in TYPE_NAMES.items()}.get(name)
            if kind is None or dtype != f"torch.{place and 'cuda.'}{name}":
                raise ValueError(f"invalid type: {dtype!r}")
            dtype, device = kind, place or "cpu"
        if dtype is core.Tensor:
            dtype, device = dtypes.get_default_dtype(), None
        return self.to(device, getattr(dtype, "dtype", dtype))

    def type_as(self: Tensor, other: Tensor) -> Tensor:
        """Convert to the dtype and the device of other.

        Raises TypeError for what is no Tensor.
        """
        if not isinstance(other, core.Tensor):
            raise errors.DtypeError(f"type_as(): argument 'other' must be Tensor, not {builtins.type(other).__name__}")
        return self.to(other.device, other.dtype)

    half, float = _as(dtypes.float16, _converted), _as(dtypes.float32, _converted)
    double = _as(dtypes.float64, _converted)
    cfloat, cdouble = _as(dtypes.complex64, _converted), _as(dtypes.complex128, _converted)
    byte, char, short = _as(dtypes.uint8, _converted), _as(dtypes.int8, _converted), _as(dtypes.int16, _converted)
    int, long, bool = _as(dtypes.int32, _converted), _as(dtypes.int64, _converted), _as(dtypes.bool_, _converted)
    is_nonzero, is_same_size, is_signed = introspection.is_nonzero, introspection.is_same_size, introspection.is_signed

    def as_subclass(self: Tensor, cls: builtins.type[T]) -> T:
        """Return a view as an instance of a subclass of Tensor. Raises TypeError if cls isn't one."""
        if not (isinstance(cls, type) and issubclass(cls, core.Tensor)):
            raise TypeError(f"as_subclass: cls must be a subclass of Tensor, but is {cls!r}")
        return movement.alias(self)._of_class(cls)

    def _of_class(self: Tensor, cls: Any) -> Any:
        """Return this Tensor, to which there must be no other references, as an instance of a subclass."""
        made = core.Tensor._wrap.__func__(cls, self.array, self.node)  # `cls` may have a _wrap of its own
        made._version_counter = self._version_counter
        made._links = self._links
        vars(made).update(vars(self))
        if made._links.base is not None:
            made._links.base._links.views.append(weakref.ref(made))
            if not hasattr(self, "fresh_node"):  # a view made under no_grad: see `disconnect`
                del made.fresh_node
        return made

    _keeps_class: ClassVar[builtins.bool] = True  # whether operations on a subclass return instances of it

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if isinstance(vars(cls).get("array"), property):
            # All operations read this attribute, so no property may take its place. MONAI's gives the same, the array.
            del cls.array  # type: ignore[attr-defined]
        if cls.__module__.partition(".")[0] != "microgad" and torch_function.overrides_functions(cls):
            wrappers.install()

    @classmethod
    def __torch_function__(cls: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute func(*args, **kwargs), and return its Tensors as instances of this subclass.

        A subclass may override this method. It is called in place of each public function or Tensor method that has an
        instance of the subclass among its arguments. Source: torch.Tensor.__torch_function__.
        """
        return torch_function.default_torch_function(cls, func, types, args, kwargs)

    @staticmethod
    def _make_subclass(cls: Any, data: Tensor, require_grad: Any = False) -> Any:
        """Return a detached Tensor on the same memory as an instance of a subclass, for that one's `__new__`."""
        with torch_function.disable_torch_function():
            return data.detach()._of_class(cls).requires_grad_(require_grad)

    def set_(self: Tensor, source: Any = None, storage_offset: Any = 0, size: Any = None, stride: Any = None) -> Tensor:
        """Make this Tensor a view of the memory of `source`, a Tensor or a storage.

        The geometry is the source's, or the given offset, size and strides in elements. Without arguments the Tensor
        becomes empty. Raises RuntimeError if the memory is too small or, except under no_grad, a Tensor requires grad.

        >>> torch.zeros(0).set_(torch.arange(4.0), 1, (2,), (2,))
        tensor([1., 3.])
        """
        if source is None:
            source = self.new_empty(0)
        if storage.is_storage(source):
            source = type(self)._wrap(source.row_of(self.array.dtype))
        if not isinstance(source, core.Tensor):
            raise errors.DtypeError(f"set_(): argument 'source' must be Tensor or Storage, not {type(source).__name__}")
        if source.dtype != self.dtype:
            raise errors.DtypeError(f"set_: could not set {source.dtype} to a tensor of {self.dtype}")
        if state.current().grad_enabled and any(x.requires_grad or x.node is not None for x in (self, source)):
            said = "set_: is not recorded, so neither Tensor may require grad: use detach() first, or no_grad()"
            raise errors.GraphError(said)
        if size is not None:
            count = source.untyped_storage().nbytes() // source.element_size()
            whole = movement.storage_view(source, (count,), (1,), 0)
            strides = self.new_empty(size).stride() if stride is None else stride
            source = movement.storage_view(whole, size, strides, storage_offset)
        self.data = source
        return self

    def pin_memory(self: Tensor, device: Device = None) -> Tensor:
        """Return this Tensor: CuPy copies from memory that isn't pinned, too. Raises RuntimeError on a GPU."""
        if backend.is_gpu(self.array):
            raise errors.DeviceError(f"cannot pin '{self.type()}' only dense CPU tensors can be pinned")
        return self

    def record_stream(self: Tensor, stream: Any) -> None:
        """Keep the memory from use by others until the work of a `torch.cuda.Stream` is done: its end waits for that.

        Raises RuntimeError for a Tensor that isn't on a GPU.
        """
        if not backend.is_gpu(self.array):
            raise errors.DeviceError(f"record_stream: expected a Tensor on a GPU, got one on {self.device}")
        weakref.finalize(backend.owner(self.array), stream.synchronize).atexit = False

    def cpu(self: Tensor, *, memory_format: MemoryFormat = None) -> Tensor:
        """Copy to the CPU, or return this Tensor if it is there."""
        return self.to(device="cpu", memory_format=memory_format)

    def cuda(
        self: Tensor, device: Device = None, non_blocking: Any = False, memory_format: MemoryFormat = None
    ) -> Tensor:
        """Copy to a GPU, or return this Tensor if it is there."""
        check_bool("cuda", non_blocking=non_blocking)
        where = backend.device("cuda" if device is None else device)
        return self.to(device=where, memory_format=memory_format)

    def __dlpack__(self: Tensor, *, stream: Any = None, **kwargs: Any) -> Any:
        if type(stream) not in (int, type(None)):
            raise errors.DtypeError(f"__dlpack__: stream must be int or None, not {type(stream).__name__}")
        if self.node is not None:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        return self.array.__dlpack__(stream=stream, **kwargs)

    def __dlpack_device__(self: Tensor) -> Any:
        return self.array.__dlpack_device__()
