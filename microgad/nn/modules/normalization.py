"""Normalization layers that are independent of the batch: layer, RMS, group and local response norm."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

from ...errors import ShapeError
from ...ops.movement import cat
from ...parameter import Parameter
from ...tensor import Tensor
from ...type_aliases import Device, Dtype
from .. import functional as F
from .. import init
from .layer_helpers import add_parameters, format_settings, layer_name, to_tuple
from .module import Module

_shape_t = int | Sequence[int]  # PyTorch's name, for annotations in derived layers


class _AffineNorm(Module):
    """Base class of normalizations with an optional learned weight and bias."""

    weight: Parameter  # may be None, but is a Parameter to type checkers, as in PyTorch
    bias: Parameter  # may be None, but is a Parameter to type checkers, as in PyTorch

    def reset_parameters(self) -> None:
        """Reset weight to 1 and bias to 0."""
        for name, fill in (("weight", init.ones_), ("bias", init.zeros_)):
            parameter = self._parameters.get(name)
            if parameter is not None:
                fill(parameter)


class LayerNorm(_AffineNorm):
    """Normalize over the last dimensions, normalized_shape, to mean 0 and variance 1; apply weight and bias.

    (..., *normalized_shape) -> the same. Raises RuntimeError for other sizes, and unless input and weight have one
    floating-point dtype. Source: torch.nn.LayerNorm; Ba et al. (2016).

    >>> nn.LayerNorm(2)(torch.tensor([[1.0, 3.0]]))
    tensor([[-1.0000,  1.0000]], grad_fn=...)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Device = None,
        dtype: Dtype = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        shape = self.normalized_shape if elementwise_affine else None
        add_parameters(self, device, dtype, weight=shape, bias=shape if bias else None)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        affine, bias = self.elementwise_affine, self.bias is not None
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={affine}, bias={bias}"


class RMSNorm(_AffineNorm):
    """Divide by the root mean square over the last dimensions, normalized_shape, and multiply by weight.

    With eps=None it is the dtype's machine epsilon. (..., *normalized_shape) -> the same. Raises RuntimeError for other
    sizes. Source: torch.nn.RMSNorm; Zhang, Sennrich (2019).

    >>> nn.RMSNorm(2)(torch.tensor([[1.0, 7.0]]))
    tensor([[0.2000, 1.4000]], grad_fn=...)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Device = None,
        dtype: Dtype = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        add_parameters(self, device, dtype, weight=self.normalized_shape if elementwise_affine else None)
        self.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(_AffineNorm):
    """Normalize each group of channels of (N, C, ...) to mean 0 and variance 1; apply weight (C) and bias (C).

    Raises ValueError unless num_groups divides num_channels. RuntimeError is raised for another number of channels and
    for less than two dimensions. Source: torch.nn.GroupNorm; Wu, He (2018).

    >>> nn.GroupNorm(2, 4)(torch.tensor([[1.0, 3.0, 5.0, 9.0]]))
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]], grad_fn=...)
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Device = None,
        dtype: Dtype = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        shape = num_channels if affine else None
        add_parameters(self, device, dtype, weight=shape, bias=shape if bias else None)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        text = f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"
        return f"{text}, bias={self.bias is not None}"


class _ResponseNorm(Module):
    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def extra_repr(self) -> str:
        return f"{self.size}, {format_settings(self, 'alpha beta k')}"


class LocalResponseNorm(_ResponseNorm):
    """Divide each value of (N, C, ...) by (k + alpha · mean square of the `size` channels around it)^beta.

    Raises ValueError for less than three dimensions. Source: torch.nn.LocalResponseNorm; Krizhevsky et al. (2012).

    >>> nn.LocalResponseNorm(1, alpha=1.0, beta=0.5, k=0.0)(torch.tensor([[[-3.0], [2.0]]])).flatten()
    tensor([-1.,  1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)


class CrossMapLRN2d(_ResponseNorm):
    """LocalResponseNorm of (N, C, H, W) as in Torch7, with PyTorch's quirk: all windows include channel 0.

    The gradient is exact; PyTorch's is not. Raises ValueError for another number of dimensions.
    Source: torch.nn.CrossMapLRN2d.

    >>> nn.CrossMapLRN2d(1, alpha=1.0, beta=0.5, k=0)(torch.tensor([-3.0, 4.0]).reshape(1, 2, 1, 1)).flatten()
    tensor([-1.0000,  0.8000])
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:  # repr shows k=1
        super().__init__(size, alpha, beta, k)

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim != 4:
            raise ShapeError(f"{layer_name(self)}: expected input to be 4D, got {input.ndim}D instead")
        squares, reach = input * input, int((self.size - 1) / 2 + 1)
        sums = []
        for c in range(input.shape[1]):
            first = max(0, c - reach + 1)
            window = squares[:, first : c + reach].sum(1, keepdim=True)
            sums.append(window + squares[:, :1] if first > 0 else window)
        return input * (cat(sums, 1) * (self.alpha / self.size) + self.k) ** -self.beta


def _shape(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    return tuple(map(index, to_tuple(normalized_shape, 1)))
