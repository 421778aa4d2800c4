"""Lazy linear, convolution and normalization layers, which infer their input size from the first input.

Before the first call, the shape of a parameter raises RuntimeError. The first call raises what the layer of known size
raises.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from ...errors import GraphError, ShapeError, place
from ...ops.creation import tensor
from ...tensor import Tensor
from ...type_aliases import Device, Dtype
from ..parameter import UninitializedBuffer, UninitializedParameter, is_lazy
from . import batchnorm, conv, instancenorm
from .layer_helpers import Size
from .lazy import LazyModuleMixin
from .linear import Linear
from .module.paths import path_of


class _LazyLayer(LazyModuleMixin):
    """Base class of lazy layers: the first input determines one size, which the parameters' shapes depend on."""

    _size_attribute: ClassVar[str]  # name of the attribute that holds the size, 0 until it is known

    def _infer_size(self, input: Tensor) -> int:
        raise NotImplementedError

    def _parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        raise NotImplementedError

    def _add_uninitialized(self, weight: bool, bias: bool, device: Any, dtype: Any) -> None:
        """Add an uninitialized weight, bias, or both."""
        for name, wanted in (("weight", weight), ("bias", bias)):
            if wanted:
                setattr(self, name, UninitializedParameter(device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        """Draw new initial values, once the shapes are known."""
        if not self.has_uninitialized_params() and getattr(self, self._size_attribute) != 0:
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Set shapes and initial values. Raises RuntimeError if a state_dict gave shapes to some parameters only."""
        if self.has_uninitialized_params() or getattr(self, self._size_attribute) == 0:
            setattr(self, self._size_attribute, self._infer_size(input))
        shapes = self._parameter_shapes()
        own = {name: x for name in shapes if (x := getattr(self, name)) is not None}
        lazy = [name for name in own if is_lazy(own[name])]
        if lazy and len(lazy) < len(own):
            where = place(self._get_name(), path_of(self))
            raise GraphError(
                f"{where}: the loaded state lacks {', '.join(lazy)}, but has other parameters: load all of them"
            )
        for name in lazy:
            own[name].materialize(shapes[name])
        if lazy:
            self.reset_parameters()


class LazyLinear(_LazyLayer, Linear):
    """A Linear whose in_features is the last dimension of its first input. Source: torch.nn.LazyLinear.

    >>> layer = nn.LazyLinear(3)
    >>> layer(torch.zeros(1, 2)).shape, layer
    (torch.Size([1, 3]), Linear(in_features=2, out_features=3, bias=True))
    """

    cls_to_become = Linear
    _size_attribute = "in_features"

    def __init__(self, out_features: int, bias: bool = True, device: Device = None, dtype: Dtype = None) -> None:
        super().__init__(0, 0, False)
        self.out_features = out_features
        self._add_uninitialized(True, bias, device, dtype)

    def _infer_size(self, input: Tensor) -> int:
        return int(input.shape[-1])

    def _parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.out_features, self.in_features), "bias": (self.out_features,)}


class _LazyConv(_LazyLayer, conv._ConvNd):
    _size_attribute = "in_channels"

    def _infer_size(self, input: Tensor) -> int:
        n = self._spatial_dims
        if input.ndim not in (n + 1, n + 2):
            where = place(self._get_name(), path_of(self))
            raise ShapeError(
                f"{where}: expected {n + 1}D (unbatched) or {n + 2}D (batched) input, but got input of size "
                f"{tuple(input.shape)}"
            )
        return int(input.shape[input.ndim - n - 1])

    def _parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        self._check_settings()
        return {"weight": self._weight_shape(), "bias": (self.out_channels,)}


class _LazyConvNd(_LazyConv, conv._Conv):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: conv.PaddingMode = "zeros",
        device: Device = None,
        dtype: Dtype = None,
    ) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode)
        self.out_channels = out_channels
        self._add_uninitialized(True, bias, device, dtype)


class LazyConv1d(_LazyConvNd, conv.Conv1d):
    """A Conv1d whose in_channels are its first input's. Source: torch.nn.LazyConv1d.

    >>> nn.LazyConv1d(10, 3)(torch.zeros(8, 2, 28)).shape
    torch.Size([8, 10, 26])
    """

    cls_to_become = conv.Conv1d


class LazyConv2d(_LazyConvNd, conv.Conv2d):
    """A Conv2d whose in_channels are its first input's. Source: torch.nn.LazyConv2d.

    >>> layer = nn.LazyConv2d(10, 3)
    >>> layer(torch.zeros(8, 2, 28, 28)).shape, layer
    (torch.Size([8, 10, 26, 26]), Conv2d(2, 10, kernel_size=(3, 3), stride=(1, 1)))
    """

    cls_to_become = conv.Conv2d


class LazyConv3d(_LazyConvNd, conv.Conv3d):
    """A Conv3d whose in_channels are its first input's. Source: torch.nn.LazyConv3d.

    >>> nn.LazyConv3d(4, 3)(torch.zeros(2, 5, 5, 5)).shape
    torch.Size([4, 3, 3, 3])
    """

    cls_to_become = conv.Conv3d


class _LazyConvTransposeNd(_LazyConv, conv._ConvTranspose):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: conv.PaddingMode = "zeros",
        device: Device = None,
        dtype: Dtype = None,
    ) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation, padding_mode)
        self.out_channels = out_channels
        self._add_uninitialized(True, bias, device, dtype)


class LazyConvTranspose1d(_LazyConvTransposeNd, conv.ConvTranspose1d):
    """A ConvTranspose1d whose in_channels are its first input's. Source: torch.nn.LazyConvTranspose1d.

    >>> nn.LazyConvTranspose1d(3, 2, stride=2)(torch.zeros(8, 2, 7)).shape
    torch.Size([8, 3, 14])
    """

    cls_to_become = conv.ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTransposeNd, conv.ConvTranspose2d):
    """A ConvTranspose2d whose in_channels are its first input's. Source: torch.nn.LazyConvTranspose2d.

    >>> nn.LazyConvTranspose2d(3, 2, stride=2)(torch.zeros(2, 7, 7)).shape
    torch.Size([3, 14, 14])
    """

    cls_to_become = conv.ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTransposeNd, conv.ConvTranspose3d):
    """A ConvTranspose3d whose in_channels are its first input's. Source: torch.nn.LazyConvTranspose3d.

    >>> nn.LazyConvTranspose3d(3, 2, stride=2)(torch.zeros(2, 2, 2, 2)).shape
    torch.Size([3, 4, 4, 4])
    """

    cls_to_become = conv.ConvTranspose3d


class _LazyNorm(_LazyLayer, batchnorm._NormBase):
    _size_attribute = "num_features"

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Device = None,
        dtype: Dtype = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False, device, dtype)
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._add_uninitialized(affine, affine and bias, device, dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = tensor(0, device=device)

    def _infer_size(self, input: Tensor) -> int:
        return int(input.shape[1])

    def _parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (self.num_features,))


class LazyBatchNorm1d(_LazyNorm, batchnorm.BatchNorm1d):
    """A BatchNorm1d whose num_features is the size of its first input's dimension 1. Source: torch.nn.LazyBatchNorm1d.

    >>> nn.LazyBatchNorm1d()(torch.randn(4, 2)).shape
    torch.Size([4, 2])
    """

    cls_to_become = batchnorm.BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, batchnorm.BatchNorm2d):
    """A BatchNorm2d whose num_features is the size of its first input's dimension 1. Source: torch.nn.LazyBatchNorm2d.

    >>> layer = nn.LazyBatchNorm2d()
    >>> layer(torch.randn(4, 2, 3, 3)).shape, layer.num_features
    (torch.Size([4, 2, 3, 3]), 2)
    """

    cls_to_become = batchnorm.BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, batchnorm.BatchNorm3d):
    """A BatchNorm3d whose num_features is the size of its first input's dimension 1. Source: torch.nn.LazyBatchNorm3d.

    >>> nn.LazyBatchNorm3d()(torch.randn(4, 2, 3, 3, 3)).shape
    torch.Size([4, 2, 3, 3, 3])
    """

    cls_to_become = batchnorm.BatchNorm3d


class LazyInstanceNorm1d(_LazyNorm, instancenorm.InstanceNorm1d):
    """An InstanceNorm1d whose num_features is the size of its first input's dimension 1.

    Source: torch.nn.LazyInstanceNorm1d.

    >>> nn.LazyInstanceNorm1d()(torch.randn(4, 2, 5)).shape
    torch.Size([4, 2, 5])
    """

    cls_to_become = instancenorm.InstanceNorm1d


class LazyInstanceNorm2d(_LazyNorm, instancenorm.InstanceNorm2d):
    """An InstanceNorm2d whose num_features is the size of its first input's dimension 1.

    Source: torch.nn.LazyInstanceNorm2d.

    >>> nn.LazyInstanceNorm2d()(torch.randn(4, 2, 5, 5)).shape
    torch.Size([4, 2, 5, 5])
    """

    cls_to_become = instancenorm.InstanceNorm2d


class LazyInstanceNorm3d(_LazyNorm, instancenorm.InstanceNorm3d):
    """An InstanceNorm3d whose num_features is the size of its first input's dimension 1.

    Source: torch.nn.LazyInstanceNorm3d.

    >>> nn.LazyInstanceNorm3d()(torch.randn(4, 2, 5, 5, 5)).shape
    torch.Size([4, 2, 5, 5, 5])
    """

    cls_to_become = instancenorm.InstanceNorm3d


for _layer in [kind for kind in globals().values() if isinstance(kind, type) and issubclass(kind, _LazyLayer)]:
    # PyTorch has a lazy layer in the module of the layer that it becomes. There pickle looks for it.
    if _layer.cls_to_become is not None:
        setattr(sys.modules[_layer.cls_to_become.__module__], _layer.__name__, _layer)
