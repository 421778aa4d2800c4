"""Buffer, and the uninitialized parameters and buffers of lazy layers; Parameter itself is in ../parameter.py."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..lazy import LazyObject
from ..ops.creation import empty
from ..parameter import MarkedMeta
from ..parameter import Parameter as Parameter
from ..tensor import Tensor
from ..type_aliases import Array, Device, Dtype

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]


class Buffer(Tensor, metaclass=MarkedMeta):
    """A Tensor that becomes a buffer, state that isn't learned, when it is assigned to an attribute of a module.

    It has the class of `data`, and is only marked. With persistent=False it stays out of `state_dict`. Source:
    torch.nn.Buffer.

    >>> layer = nn.Identity()
    >>> layer.steps = nn.Buffer(torch.tensor(0))
    >>> layer.state_dict()["steps"]
    tensor(0)
    """

    persistent: bool
    _mark = "_is_buffer"

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Any:
        source = empty(0) if data is None else data
        self = source.detach()
        vars(self).update(_is_buffer=True, persistent=persistent)
        return self.requires_grad_(source.requires_grad)


def _refuse(*args: Any, **kwargs: Any) -> Any:
    raise ShapeError(
        "Attempted to use an uninitialized parameter or buffer, which has neither values nor a shape. Call `forward` "
        "to initialize the parameters before accessing their attributes"
    )


class _NoValues(np.ndarray[Any, Any]):
    """The array of an uninitialized Tensor: it can be converted to a dtype or device, but not read."""

    __array_ufunc__ = __array_function__ = __getitem__ = _refuse


# The public methods that an uninitialized Tensor has; all others raise. PyTorch's list, and what modules call.
_KEPT = """
    size copy_ is_complex is_floating_point half float double char short int long cuda cpu to get_device requires_grad_
    is_inference
""".split()  # noqa: SIM905


class _Uninitialized(Tensor):
    """A Tensor without a shape, which can only be converted to a dtype or device, and be materialized."""

    cls_to_become: ClassVar[type[Tensor]]
    nbytes = 0
    _check_writable = __len__ = __iter__ = __array__ = __contains__ = _refuse
    vars().update(
        {
            name: _refuse
            for kind in Tensor.__mro__
            for name, value in vars(kind).items()  # not by getattr, which would load the modules of some methods
            if (callable(value) or isinstance(value, LazyObject)) and name not in _KEPT and name[0] != "_"
        }
    )

    @classmethod
    def _wrap(cls, array: Array, node: Any = None, version: Any = None) -> Any:
        return super()._wrap(array.view(_NoValues) if isinstance(array, np.ndarray) else array, node, version)

    def materialize(self, shape: Any, device: Device = None, dtype: Dtype = None) -> None:
        """Turn this Tensor into an instance of `cls_to_become` with this shape and uninitialized values."""
        dtype = dtype or self.array.dtype
        self.data = empty(shape, device=self.device if device is None else device, dtype=dtype)
        self.__class__ = self.cls_to_become  # type: ignore[assignment]

    @property
    def shape(self) -> Any:
        raise ShapeError(
            "Can't access the shape of an uninitialized parameter or buffer. Call `forward` to initialize the "
            "parameters before accessing their attributes"
        )

    @property
    def data(self) -> Tensor:
        """An empty Tensor. Filling it in place, as programs do with weights, has no effect."""
        return empty(0, device=self.device, dtype=self.dtype)

    @data.setter
    def data(self, value: Tensor) -> None:
        Tensor.data.__set__(self, value)  # type: ignore[attr-defined]

    def size(self, dim: int | None = None) -> Any:
        """Return the size that PyTorch gives: that of an empty Tensor."""
        return self.data.size(dim)

    def share_memory_(self) -> Any:
        raise ShapeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize the parameters "
            "before calling `module.share_memory()`."
        )

    def detach(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        made = memo[id(self)] = type(self)(self.requires_grad, self.device, self.dtype)
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (self.requires_grad, None, self.dtype)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(_Uninitialized, Parameter):
    """A Parameter without a shape. Source: torch.nn.parameter.UninitializedParameter.

    >>> p = nn.UninitializedParameter()
    >>> p.materialize((2, 3))
    >>> type(p).__name__, p.shape
    ('Parameter', torch.Size([2, 3]))
    """

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Device = None, dtype: Dtype = None) -> Any:
        return Parameter.__new__(cls, empty(0, device=device, dtype=dtype), requires_grad)


class UninitializedBuffer(_Uninitialized, Buffer):
    """A buffer without a shape. Source: torch.nn.parameter.UninitializedBuffer.

    >>> b = nn.UninitializedBuffer()
    >>> b.materialize((2, 3))
    >>> type(b).__name__, b.shape
    ('Tensor', torch.Size([2, 3]))
    """

    cls_to_become = Tensor

    def __new__(
        cls, requires_grad: bool = False, device: Device = None, dtype: Dtype = None, persistent: bool = True
    ) -> Any:
        self = cls._wrap(empty(0, device=device, dtype=dtype).array)
        vars(self).update(_is_buffer=True, persistent=persistent)
        return self.requires_grad_(requires_grad)


def is_lazy(param: Any) -> bool:
    """Whether `param` is an uninitialized parameter or buffer."""
    return isinstance(param, _Uninitialized)
