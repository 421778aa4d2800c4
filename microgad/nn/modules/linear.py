"""Linear, Bilinear, Identity, Flatten and Unflatten layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...parameter import Parameter
from ...tensor import Tensor
from ...type_aliases import Device, Dtype
from .. import functional as F
from .. import init
from .layer_helpers import add_parameters, format_settings, settings_repr
from .module import Module

if TYPE_CHECKING:  # lazy_layers.py sets them here
    from .lazy_layers import LazyLinear as LazyLinear


class Linear(Module):
    """x weightᵀ + bias: (..., in_features) -> (..., out_features), with weight (out_features, in_features).

    Weight and bias start uniform in ±1/√in_features. Raises RuntimeError for another last size or another dtype than
    weight's. Source: torch.nn.Linear.

    >>> _ = torch.manual_seed(0)
    >>> nn.Linear(2, 1).weight
    Parameter containing:
    tensor([[-0.0053,  0.3793]], requires_grad=True)
    """

    weight: Parameter
    bias: Parameter  # may be None, but is a Parameter to type checkers, as in PyTorch

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Device = None, dtype: Dtype = None
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        add_parameters(self, device, dtype, weight=(out_features, in_features), bias=out_features if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.fan_in_uniform_(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class NonDynamicallyQuantizableLinear(Linear):
    """A Linear under the name that PyTorch gives to the output projection of MultiheadAttention.

    (..., in_features) -> (..., out_features). Source: torch.nn.modules.linear.

    >>> nn.MultiheadAttention(4, 2).out_proj
    NonDynamicallyQuantizableLinear(in_features=4, out_features=4, bias=True)
    """


class Bilinear(Module):
    """x1ᵀ W x2 + bias, for each matrix W of weight: (..., in1_features), (..., in2_features) -> (..., out_features).

    weight is (out_features, in1_features, in2_features). Weight and bias start uniform in ±1/√in1_features. Raises
    ValueError for in1_features < 1, RuntimeError for other sizes or dtypes. Source: torch.nn.Bilinear.

    >>> nn.Bilinear(2, 3, 4)(torch.ones(5, 2), torch.ones(5, 3)).shape
    torch.Size([5, 4])
    """

    weight: Parameter
    bias: Parameter  # may be None, but is a Parameter to type checkers, as in PyTorch

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Device = None,
        dtype: Dtype = None,
    ) -> None:
        super().__init__()
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        shape = out_features, in1_features, in2_features
        add_parameters(self, device, dtype, weight=shape, bias=out_features if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        if self.in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got (in1_features={self.in1_features})")
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{format_settings(self, 'in1_features in2_features out_features')}, bias={self.bias is not None}"


class Identity(Module):
    """Return the input. The constructor ignores its arguments.

    It may be of any shape and dtype. Source: torch.nn.Identity.

    >>> nn.Identity()(torch.tensor([1.0]))
    tensor([1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input


class Flatten(Module):
    """Merge the dimensions from start_dim to end_dim: (N, ...) -> (N, features).

    Raises IndexError for a dimension out of range, RuntimeError if start_dim comes after end_dim.
    Source: torch.nn.Flatten.

    >>> nn.Flatten()(torch.zeros(2, 3, 4)).shape
    torch.Size([2, 12])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)

    extra_repr = settings_repr("start_dim end_dim")


class Unflatten(Module):
    """Split dimension `dim` into unflattened_size, one entry of which may be -1.

    (..., n, ...) -> (..., *unflattened_size, ...). Raises TypeError unless unflattened_size has integers, RuntimeError
    if they don't multiply up to n. Source: torch.nn.Unflatten.

    >>> nn.Unflatten(1, (3, -1))(torch.zeros(2, 12)).shape
    torch.Size([2, 3, 4])
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        if not isinstance(unflattened_size, (tuple, list)):
            kind = type(unflattened_size).__name__
            raise TypeError(f"unflattened_size must be a tuple of ints, but found type {kind}")
        for i, n in enumerate(unflattened_size):
            if not isinstance(n, int):
                kind = type(n).__name__
                raise TypeError(f"unflattened_size must be tuple of ints, but found element of type {kind} at pos {i}")
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    extra_repr = settings_repr("dim unflattened_size")
