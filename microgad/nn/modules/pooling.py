"""Pooling layers: maximum, average, Lp, fractional and adaptive pooling, and unpooling.

A layer has the name of its function, which it looks up in F at each call, because programs replace functions there.
Inputs are floating-point, with a batch (N, C, ...) or without (C, ...); maxima and means of windows take integers, too.
Other dimensions, and windows that don't fit into the input, raise RuntimeError.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import ArgumentError
from ...tensor import Tensor
from .. import functional as F
from .layer_helpers import Size, settings_repr, to_tuple
from .module import Module


class _MaxPoolNd(Module):
    """Base class of max pooling; `stride` is kernel_size by default."""

    _pool: str

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        return getattr(F, self._pool)(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )

    extra_repr = settings_repr("kernel_size stride padding dilation ceil_mode")


class MaxPool1d(_MaxPoolNd):
    """The maximum of each window: (N, C, L) or (C, L) -> (..., OL).

    Raises as MaxPool2d does. Source: torch.nn.MaxPool1d.

    >>> nn.MaxPool1d(2)(torch.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[3., 2.]])
    """

    _pool = "max_pool1d"


class MaxPool2d(_MaxPoolNd):
    """The maximum of each window: (N, C, H, W) -> (N, C, OH, OW). `stride` is kernel_size by default.

    With return_indices, also return their indices in the flattened (H, W) plane. Also without N. Raises RuntimeError
    for other dimensions, for windows that don't fit into the input, and for padding of more than half a window.
    Source: torch.nn.MaxPool2d.

    >>> nn.MaxPool2d(2)(torch.arange(16.0).reshape(1, 1, 4, 4))
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """

    _pool = "max_pool2d"


class MaxPool3d(_MaxPoolNd):
    """The maximum of each window: (N, C, D, H, W) -> (N, C, OD, OH, OW).

    Raises as MaxPool2d does. Source: torch.nn.MaxPool3d.

    >>> nn.MaxPool3d(2)(torch.arange(8.0).reshape(1, 1, 2, 2, 2)).flatten()
    tensor([7.])
    """

    _pool = "max_pool3d"


class _MaxUnpoolNd(Module):
    extra_repr = settings_repr("kernel_size stride padding")


class _MaxUnpool(_MaxUnpoolNd):
    _unpool: str
    _spatial_dims: int

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        super().__init__()
        self.kernel_size = to_tuple(kernel_size, self._spatial_dims)
        self.stride = to_tuple(kernel_size if stride is None else stride, self._spatial_dims)
        self.padding = to_tuple(padding, self._spatial_dims)

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return getattr(F, self._unpool)(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool1d(_MaxUnpool):
    """Put MaxPool1d's values back at their indices, with zeros elsewhere.

    Values and indices (N, C, L), int64. Raises RuntimeError if they differ in shape, and for indices out of range.
    Source: torch.nn.MaxUnpool1d.

    >>> values, indices = nn.MaxPool1d(2, return_indices=True)(torch.tensor([[1.0, 3.0, 2.0, 0.0]]))
    >>> nn.MaxUnpool1d(2)(values, indices)
    tensor([[0., 3., 2., 0.]])
    """

    _unpool, _spatial_dims = "max_unpool1d", 1


class MaxUnpool2d(_MaxUnpool):
    """Put MaxPool2d's values back at their indices, with zeros elsewhere.

    `forward` takes an output_size, as several sizes may pool to the same one. Values and indices (N, C, H, W), int64.
    Raises RuntimeError if they differ in shape, and for indices out of range. Source: torch.nn.MaxUnpool2d.

    >>> values, indices = nn.MaxPool2d(2, return_indices=True)(torch.arange(4.0).reshape(1, 2, 2))
    >>> nn.MaxUnpool2d(2)(values, indices)
    tensor([[[0., 0.],
             [0., 3.]]])
    """

    _unpool, _spatial_dims = "max_unpool2d", 2


class MaxUnpool3d(_MaxUnpool):
    """Put MaxPool3d's values back at their indices, with zeros elsewhere.

    Values and indices (N, C, D, H, W), int64; raises as MaxUnpool2d does. Source: torch.nn.MaxUnpool3d.

    >>> values, indices = nn.MaxPool3d(2, return_indices=True)(torch.arange(8.0).reshape(1, 2, 2, 2))
    >>> nn.MaxUnpool3d(2)(values, indices).flatten()
    tensor([0., 0., 0., 0., 0., 0., 0., 7.])
    """

    _unpool, _spatial_dims = "max_unpool3d", 3


class _AvgPoolNd(Module):
    extra_repr = settings_repr("kernel_size stride padding")


class _AvgPool(_AvgPoolNd):
    _pool: str

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        settings = self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override
        return getattr(F, self._pool)(input, self.kernel_size, self.stride, *settings)


class AvgPool1d(_AvgPool):
    """The mean of each window: (N, C, L) or (C, L) -> (..., OL). `stride` is kernel_size by default.

    Raises as MaxPool2d does. Source: torch.nn.AvgPool1d.

    >>> nn.AvgPool1d(2)(torch.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[2., 1.]])
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        stride = to_tuple(kernel_size if stride is None else stride, 1)
        super().__init__(to_tuple(kernel_size, 1), stride, to_tuple(padding, 1), ceil_mode, count_include_pad)

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class AvgPool2d(_AvgPool):
    """The mean of each window: (N, C, H, W) -> (N, C, OH, OW). `stride` is kernel_size by default.

    Also without N. Raises as MaxPool2d does. Source: torch.nn.AvgPool2d.

    >>> nn.AvgPool2d(2)(torch.arange(16.0).reshape(1, 1, 4, 4))
    tensor([[[[ 2.5000,  4.5000],
              [10.5000, 12.5000]]]])
    """

    _pool = "avg_pool2d"


class AvgPool3d(_AvgPool):
    """The mean of each window: (N, C, D, H, W) -> (N, C, OD, OH, OW).

    Raises as MaxPool2d does. Source: torch.nn.AvgPool3d.

    >>> nn.AvgPool3d(2)(torch.arange(8.0).reshape(1, 1, 2, 2, 2)).flatten()
    tensor([3.5000])
    """

    _pool = "avg_pool3d"


class _LPPoolNd(Module):
    _pool: str

    def __init__(
        self, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return getattr(F, self._pool)(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    extra_repr = settings_repr("norm_type kernel_size stride ceil_mode")


class LPPool1d(_LPPoolNd):
    """(Σ xᵖ)^(1/p) of each window, with p = norm_type: (N, C, L) or (C, L) -> (..., OL).

    Raises as AvgPool1d does. Source: torch.nn.LPPool1d.

    >>> nn.LPPool1d(2, 2)(torch.tensor([[3.0, 4.0]]))
    tensor([[5.]])
    """

    _pool = "lp_pool1d"


class LPPool2d(_LPPoolNd):
    """(Σ xᵖ)^(1/p) of each window, with p = norm_type: (N, C, H, W) -> (N, C, OH, OW).

    Raises as AvgPool2d does. Source: torch.nn.LPPool2d.

    >>> nn.LPPool2d(1, 2)(torch.ones(1, 2, 2))
    tensor([[[4.]]])
    """

    _pool = "lp_pool2d"


class LPPool3d(_LPPoolNd):
    """(Σ xᵖ)^(1/p) of each window: (N, C, D, H, W) -> (N, C, OD, OH, OW).

    Raises as AvgPool3d does. Source: torch.nn.LPPool3d.

    >>> nn.LPPool3d(1, 2)(torch.ones(1, 2, 2, 2))
    tensor([[[[8.]]]])
    """

    _pool = "lp_pool3d"


class _FractionalMaxPool(Module):
    _pool: str
    _spatial_dims: int

    def __init__(
        self,
        kernel_size: Size,
        output_size: Size | None = None,
        output_ratio: float | Sequence[float] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = to_tuple(kernel_size, self._spatial_dims)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else to_tuple(output_size, self._spatial_dims)
        self.output_ratio = None if output_ratio is None else to_tuple(output_ratio, self._spatial_dims)
        if (output_size is None) == (output_ratio is None):
            raise ArgumentError(f"{self._get_name()} requires either output_size or output_ratio, and only one of them")
        if self.output_ratio is not None and not all(0 < ratio < 1 for ratio in self.output_ratio):
            raise ArgumentError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Tensor) -> Any:
        return getattr(F, self._pool)(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples
        )


class FractionalMaxPool2d(_FractionalMaxPool):
    """The maximum of each of (OH, OW) randomly placed windows: (N, C, H, W) -> (N, C, OH, OW).

    The result's size is output_size, or output_ratio times the input's. Raises ValueError unless exactly one of them is
    given, and for a ratio outside of (0, 1); RuntimeError for windows that don't fit.
    Source: torch.nn.FractionalMaxPool2d; Graham (2014).

    >>> nn.FractionalMaxPool2d(2, output_ratio=0.5)(torch.zeros(1, 8, 6)).shape
    torch.Size([1, 4, 3])
    """

    _pool, _spatial_dims = "fractional_max_pool2d", 2


class FractionalMaxPool3d(_FractionalMaxPool):
    """FractionalMaxPool2d for (N, C, D, H, W) -> (N, C, OD, OH, OW).

    Raises as FractionalMaxPool2d does. Source: torch.nn.FractionalMaxPool3d.

    >>> nn.FractionalMaxPool3d(2, output_size=3)(torch.zeros(1, 8, 6, 7)).shape
    torch.Size([1, 3, 3, 3])
    """

    _pool, _spatial_dims = "fractional_max_pool3d", 3


class _AdaptiveAvgPoolNd(Module):
    _pool: str

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return getattr(F, self._pool)(input, self.output_size)

    extra_repr = settings_repr("output_size")


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """The means of output_size windows: (..., L) -> (..., output_size).

    Raises as AdaptiveAvgPool2d does. Source: torch.nn.AdaptiveAvgPool1d.

    >>> nn.AdaptiveAvgPool1d(2)(torch.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[2., 1.]])
    """

    _pool = "adaptive_avg_pool1d"


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """The means of output_size windows: (..., H, W) -> (..., *output_size).

    In output_size None keeps a dimension, and a single number applies to both. Raises RuntimeError for integers, other
    dimensions and empty planes. Source: torch.nn.AdaptiveAvgPool2d.

    >>> nn.AdaptiveAvgPool2d(1)(torch.arange(4.0).reshape(1, 2, 2))
    tensor([[[1.5000]]])
    """

    _pool = "adaptive_avg_pool2d"


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """AdaptiveAvgPool2d for (..., D, H, W) -> (..., *output_size).

    Raises as AdaptiveAvgPool2d does. Source: torch.nn.AdaptiveAvgPool3d.

    >>> nn.AdaptiveAvgPool3d((1, None, 2))(torch.zeros(1, 4, 4, 4)).shape
    torch.Size([1, 1, 4, 2])
    """

    _pool = "adaptive_avg_pool3d"


class _AdaptiveMaxPoolNd(Module):
    _pool: str

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return getattr(F, self._pool)(input, self.output_size, self.return_indices)

    extra_repr = settings_repr("output_size")


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """The maxima of output_size windows: (..., L) -> (..., output_size).

    Raises as AdaptiveAvgPool2d does. Source: torch.nn.AdaptiveMaxPool1d.

    >>> nn.AdaptiveMaxPool1d(2)(torch.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[3., 2.]])
    """

    _pool = "adaptive_max_pool1d"


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """The maxima of output_size windows, and with return_indices their indices: (..., H, W) -> (..., *output_size).

    The indices are int64. Raises as AdaptiveAvgPool2d does. Source: torch.nn.AdaptiveMaxPool2d.

    >>> nn.AdaptiveMaxPool2d(1)(torch.arange(4.0).reshape(1, 2, 2))
    tensor([[[3.]]])
    """

    _pool = "adaptive_max_pool2d"


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """AdaptiveMaxPool2d for (..., D, H, W) -> (..., *output_size).

    Raises as AdaptiveAvgPool2d does. Source: torch.nn.AdaptiveMaxPool3d.

    >>> nn.AdaptiveMaxPool3d(2)(torch.zeros(1, 4, 4, 4)).shape
    torch.Size([1, 2, 2, 2])
    """

    _pool = "adaptive_max_pool3d"
