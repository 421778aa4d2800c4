"""Conversion of a module's parameters and buffers to another device, dtype or memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self, overload

from .... import backend, dtypes, state
from ....backend import memory_formats
from ....errors import DtypeError, UnsupportedError
from ....errors.notices import warn
from ....methods.conversion import destination
from ....ops.creation import empty_like
from ....parameter import Parameter
from ....tensor import Tensor
from ...parameter import is_lazy

if TYPE_CHECKING:
    from ....type_aliases import Device, Dtype, GivenDtype, MemoryFormat
    from . import Module


class FutureFlags:
    """The settings of torch.__future__: `overwrite` makes conversion create new Parameters, unless `swap` is set."""

    overwrite = swap = False


class ModuleConversion:
    """The part of Module that converts its parameters and buffers, and those of all modules below."""

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]

    if TYPE_CHECKING:

        def children(self) -> Iterator[Module]: ...

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Convert parameters, gradients and buffers by `fn`.

        Parameters stay the same objects, unless `overwrite` is set, or they go to the device "meta" or come from there.
        """
        for module in self.children() if recurse else ():
            module._apply(fn)
        with state.scope(grad_enabled=False):
            if FutureFlags.overwrite and not FutureFlags.swap:
                self._parameters.update({k: _new_parameter(p) for k, p in self._parameters.items() if p is not None})
            for name, p in self._parameters.items():
                if p is None:
                    continue
                converted = fn(p)
                if converted is not p:
                    if converted.is_meta != p.is_meta and not FutureFlags.swap:
                        p = self._parameters[name] = _new_parameter(p)
                    p.data = converted
                if p.grad is not None and (converted := fn(p.grad)) is not p.grad:
                    p.grad.data = converted
            for name, buffer in self._buffers.items():
                if buffer is None:
                    continue
                if is_lazy(buffer):
                    buffer.data = fn(buffer)
                else:
                    self._buffers[name] = fn(buffer)
        return self

    @overload
    def to(self, dtype: GivenDtype, non_blocking: bool = False, *, memory_format: MemoryFormat = None) -> Self: ...
    @overload
    def to(
        self, device: Device = None, dtype: Dtype = None, non_blocking: bool = False, *,
        memory_format: MemoryFormat = None,
    ) -> Self: ...  # fmt: skip
    @overload
    def to(self, tensor: Tensor, non_blocking: bool = False, *, memory_format: MemoryFormat = None) -> Self: ...
    def to(
        self, *args: Any, device: Device = None, dtype: Dtype = None, tensor: Tensor | None = None,
        non_blocking: bool = False, copy: bool = False, memory_format: MemoryFormat = None,
    ) -> Self:  # fmt: skip
        """Move to a device, convert to a floating-point dtype, or both: `to(device)`, `to(dtype)`, `to(tensor)`.

        Integer Tensors keep their dtype. memory_format applies to Tensors of four or five dimensions. A module is
        converted in place, so copy=True raises RuntimeError.

        >>> nn.Linear(2, 1).to(torch.float64).weight.dtype
        torch.float64
        """
        device, dtype, _, copy = destination(args if tensor is None else (tensor, *args), device, dtype, copy=copy)
        if copy:
            raise UnsupportedError(".to() does not accept copy argument")
        kind = None if dtype is None else dtypes.of(dtype)
        if kind is not None and not (kind.is_floating_point or kind.is_complex):
            raise DtypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={kind}"
            )
        if kind is not None and kind.is_complex:
            warn("Complex modules are a new feature, and some might not work as expected with complex parameters")
        if device is not None:
            device = backend.device(device)  # raises for an unknown device, even if there is nothing to move
        if memory_format is not None:
            memory_formats.check("to", memory_format)

        def convert(t: Tensor) -> Tensor:
            if t.is_meta and device is not None and device.type != "meta":
                raise UnsupportedError(
                    "Cannot copy out of meta tensor; no data! Please use torch.nn.Module.to_empty() instead of "
                    "torch.nn.Module.to() when moving module from meta to a different device."
                )
            floating = t.array.dtype.kind in "fc"
            converted = t.to(device=device, dtype=kind if floating else None)
            return converted.to(memory_format=memory_format) if t.ndim in (4, 5) else converted

        return self._apply(convert)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Move to a device without copying values, which become arbitrary. With recurse=False, only this module."""
        return self._apply(lambda t: empty_like(t, device=device), recurse)

    def share_memory(self) -> Self:
        """Move parameters and buffers to shared memory: see `Tensor.share_memory_`."""
        return self._apply(lambda t: t.share_memory_())

    def _replicate_for_data_parallel(self) -> Self:
        """Return a copy without parameters, which whoever replicates sets; buffers and children are those of `self`."""
        replica = object.__new__(type(self))
        vars(replica).update(vars(self), _parameters={}, _is_replica=True)
        vars(replica).update({name: dict(vars(self)[name]) for name in ("_buffers", "_modules")})
        return replica

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: there is no compiler."""

    def cpu(self) -> Self:
        """Move to the CPU."""
        return self._apply(lambda t: t.cpu())

    def cuda(self, device: Device = None) -> Self:
        """Move to a GPU."""
        return self._apply(lambda t: t.cuda(device))

    def type(self, dst_type: Any) -> Self:
        """Convert all parameters and buffers, integer ones too, to a dtype or a type such as torch.FloatTensor."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self) -> Self:
        """Convert floating-point parameters and buffers to float32."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self) -> Self:
        """Convert floating-point parameters and buffers to float64."""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self) -> Self:
        """Convert floating-point parameters and buffers to float16."""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)


def _new_parameter(parameter: Parameter) -> Parameter:
    """Return a new Parameter on the same memory, with a new gradient on the memory of the old one."""
    if is_lazy(parameter):
        return parameter
    other = Parameter(parameter.detach(), parameter.requires_grad)
    if parameter.grad is not None:
        other.grad = parameter.grad.detach().requires_grad_(parameter.grad.requires_grad)
    return other
