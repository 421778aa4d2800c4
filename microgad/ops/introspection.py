"""Functions that ask about a Tensor: its dtype, device, number of elements, and the like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import dtypes, function
from ..errors import DtypeError
from ..type_aliases import Tensor
from .creation.data import from_array
from .creation.scalars import as_scalar
from .support.spelling import tensors_only

if TYPE_CHECKING:
    from typing_extensions import TypeIs  # type checkers know it, installed or not


def is_tensor(obj: Any) -> TypeIs[Tensor]:
    """Whether obj is a Tensor. Source: torch.is_tensor.

    >>> torch.is_tensor(torch.tensor(1)), torch.is_tensor(1)
    (True, False)
    """
    return isinstance(obj, function.Tensor)


@tensors_only
def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is floating-point and real. Source: torch.is_floating_point.

    >>> torch.is_floating_point(torch.tensor(1.0))
    True
    """
    return input.is_floating_point()


@tensors_only
def is_complex(input: Tensor) -> bool:
    """Whether the dtype is complex. Source: torch.is_complex.

    >>> torch.is_complex(torch.tensor(1j))
    True
    """
    return input.is_complex()


@tensors_only
def is_signed(input: Tensor) -> bool:
    """Whether the dtype has negative numbers. Source: torch.is_signed.

    >>> torch.is_signed(torch.tensor(1)), torch.is_signed(torch.tensor(True))
    (True, False)
    """
    return input.dtype.is_signed


def result_type(*operands: Any, **named: Any) -> dtypes.dtype:
    """Return the dtype of the result of an operation on two Tensors or numbers. Source: torch.result_type.

    The keyword arguments are `tensor` and `other`, `scalar` and `tensor`, `scalar1` and `scalar2`, or, as PyTorch's
    documentation has them, `tensor1` and `tensor2`. Raises TypeError for others.

    >>> torch.result_type(torch.tensor([1, 2]), 1.0)
    torch.float32
    """
    kinds = (("tensor", "other"), ("scalar", "tensor"), ("scalar1", "scalar2"), ("tensor1", "tensor2"))
    if not any(set(kind[len(operands) :]) == set(named) for kind in kinds) or len(operands) > 2:
        raise TypeError(f"result_type() takes two operands; given are {len(operands)} by place and {sorted(named)}")
    operands += tuple(named.values())
    for x in operands:
        if not hasattr(x, "array") and not isinstance(x, (complex, float, int, np.generic)):
            raise DtypeError(f"result_type(): expected Tensors or numbers, got {type(x).__name__}")
    given = [as_scalar("result_type", "scalar", x) if isinstance(x, np.generic) else x for x in operands]
    return dtypes.of(dtypes.result_dtype([getattr(x, "array", x) for x in given]))


def is_nonzero(input: Tensor) -> bool:
    """Whether the value of a Tensor with one element is not zero. Source: torch.is_nonzero.

    Raises RuntimeError if there are more elements, or none.

    >>> torch.is_nonzero(torch.tensor([0.5]))
    True
    """
    return bool(input)


@tensors_only
def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether two Tensors have the same shape. Source: torch.is_same_size.

    >>> torch.is_same_size(torch.zeros(2), torch.ones(3))
    False
    """
    return input.shape == other.shape


def is_inference(input: Tensor) -> bool:
    """Whether the Tensor, or the base of this view, was made in `inference_mode`. Source: torch.is_inference.

    >>> torch.is_inference(torch.ones(1))
    False
    """
    return input.is_inference()


def is_distributed(input: Tensor) -> bool:
    """Return False, since no Tensor is distributed over devices. Source: torch.is_distributed.

    >>> torch.is_distributed(torch.ones(1))
    False
    """
    return False


@tensors_only
def get_device(input: Tensor) -> int:
    """Return the index of the Tensor's GPU, or -1 on the CPU. Source: torch.get_device.

    >>> torch.get_device(torch.ones(1)) >= -1
    True
    """
    return input.get_device()


@tensors_only
def numel(input: Tensor) -> int:
    """Return the number of elements. Source: torch.numel.

    >>> torch.numel(torch.zeros(2, 3))
    6
    """
    return input.numel()


def _shape_as_tensor(input: Tensor) -> Tensor:
    """Return the shape as a Tensor of int64 on the CPU. Source: torch._shape_as_tensor.

    >>> torch._shape_as_tensor(torch.zeros(2, 3))
    tensor([2, 3])
    """
    return from_array(np.array(input.shape, np.int64), "cpu")


def _is_all_true(self: Tensor) -> Tensor:
    """Return whether all values are true, as a Tensor. Source: torch._is_all_true.

    >>> torch._is_all_true(torch.tensor([True, False]))
    tensor(False)
    """
    return self.all()


def _is_any_true(self: Tensor) -> Tensor:
    """Return whether any value is true, as a Tensor. Source: torch._is_any_true.

    >>> torch._is_any_true(torch.tensor([True, False]))
    tensor(True)
    """
    return self.any()
