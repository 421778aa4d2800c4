"""Other dtypes, other devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend, dtypes
from .. import function as core
from ..ops import movement

if TYPE_CHECKING:
    from ..tensor import Tensor


class Conversion:
    """Methods that convert."""

    __slots__ = ()

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
