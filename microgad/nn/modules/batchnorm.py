"""Batch normalization layers.

Input, weight and bias have one floating-point dtype (a float16 input goes with float32 parameters, too).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ...errors import ShapeError
from ...ops.creation import ones, tensor, zeros
from ...state.observer import Stopped
from ...tensor import Tensor
from ...type_aliases import Device, Dtype
from .. import functional as F
from .layer_helpers import add_parameters, check_ndim, layer_name
from .module import Module
from .normalization import _AffineNorm

if TYPE_CHECKING:  # lazy_layers.py sets them here
    from .lazy_layers import LazyBatchNorm1d as LazyBatchNorm1d
    from .lazy_layers import LazyBatchNorm2d as LazyBatchNorm2d
    from .lazy_layers import LazyBatchNorm3d as LazyBatchNorm3d


class _NormBase(_AffineNorm):
    """Base class of batch and instance normalization: affine parameters and running statistics."""

    _version = 2  # 2 added num_batches_tracked
    _dimensions: tuple[int, ...]

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Device = None,
        dtype: Dtype = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        shape = num_features if affine else None
        add_parameters(self, device, dtype, weight=shape, bias=shape if bias else None)
        track = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, device=device, dtype=dtype) if track else None)
        self.register_buffer("running_var", ones(num_features, device=device, dtype=dtype) if track else None)
        self.register_buffer("num_batches_tracked", tensor(0, device=device) if track else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Reset the running mean to 0, the variance to 1 and the number of batches to 0."""
        if self.track_running_stats:
            self.running_mean.zero_()  # type: ignore[union-attr]
            self.running_var.fill_(1)  # type: ignore[union-attr]
            self.num_batches_tracked.zero_()  # type: ignore[union-attr]

    def reset_parameters(self) -> None:
        """Reset weight to 1, bias to 0 and the running statistics."""
        self.reset_running_stats()
        super().reset_parameters()

    def _check_input_dim(self, input: Tensor) -> None:
        check_ndim(self, input, self._dimensions)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: dict[str, Any], *rest: Any) -> None:
        if local_metadata.get("version", 1) < 2 and self.num_batches_tracked is not None:
            state_dict.setdefault(f"{prefix}num_batches_tracked", self.num_batches_tracked)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class _BatchNorm(_NormBase):
    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        momentum = self.momentum
        counted = self.num_batches_tracked if self.training and self.track_running_stats else None
        if counted is not None and momentum is None:  # mean over all batches seen
            momentum = 1 / (counted.item() + 1)
        mean, var = self.running_mean, self.running_var
        use_batch_stats = True if self.training else mean is None and var is None  # a bool where programs set 1
        if self.training and not self.track_running_stats:
            mean = var = None
        momentum = 0.0 if momentum is None else momentum
        try:
            return F.batch_norm(input, mean, var, self.weight, self.bias, use_batch_stats, momentum, self.eps)
        except BaseException as error:  # a batch that raises doesn't count; one at which a checkpoint stops does
            counted = counted if isinstance(error, Stopped) else None
            raise
        finally:
            if counted is not None:
                counted.add_(1)


class BatchNorm1d(_BatchNorm):
    """Normalize each channel of (N, C) or (N, C, L) to mean 0 and variance 1, then apply weight (C) and bias (C).

    In training the batch's statistics are used, and running_mean and running_var (of the unbiased variance) move
    towards them by `momentum`; with momentum=None they are the mean over all batches. In evaluation the running
    statistics are used. Raises ValueError for other dimensions. RuntimeError is raised for another number of channels,
    for dtypes that differ, and in training for one value per channel. Source: torch.nn.BatchNorm1d; Ioffe, Szegedy
    (2015).

    >>> norm = nn.BatchNorm1d(1)
    >>> norm(torch.tensor([[1.0], [3.0]])), norm.running_mean
    (tensor([[-1.0000],
            [ 1.0000]], grad_fn=...), tensor([0.2000]))
    """

    _dimensions = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Normalize each channel of (N, C, H, W): see BatchNorm1d.

    Raises as BatchNorm1d does. Source: torch.nn.BatchNorm2d.

    >>> nn.BatchNorm2d(3)(torch.randn(2, 3, 4, 4)).shape
    torch.Size([2, 3, 4, 4])
    """

    _dimensions = (4,)


class BatchNorm3d(_BatchNorm):
    """Normalize each channel of (N, C, D, H, W): see BatchNorm1d.

    Raises as BatchNorm1d does. Source: torch.nn.BatchNorm3d.

    >>> nn.BatchNorm3d(3)(torch.randn(2, 3, 4, 4, 4)).shape
    torch.Size([2, 3, 4, 4, 4])
    """

    _dimensions = (5,)


class SyncBatchNorm(_BatchNorm):
    """Normalize each channel of (N, C, ...): BatchNorm for any number of dimensions.

    microgad runs in one process: nothing is synchronized, and process_group has no effect. Raises as BatchNorm1d does,
    ValueError for 0 or 1 dimensions. Source: torch.nn.SyncBatchNorm.

    >>> net = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))
    >>> net[1], net(torch.randn(4, 2)).shape
    (SyncBatchNorm(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True), torch.Size([4, 3]))
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Device = None,
        dtype: Dtype = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ShapeError(f"{layer_name(self)}: expected at least 2D input (got {input.ndim}D input)")
        if input.shape[1] == 0:
            raise ShapeError(f"{layer_name(self)}: number of input channels should be non-zero")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """Replace each BatchNorm in a module by a SyncBatchNorm with the same parameters and buffers."""
        converted = module
        if isinstance(module, _BatchNorm):
            converted = cls._like(module, process_group)
        for name, child in module.named_children():
            converted.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return converted

    @classmethod
    def _like(cls, norm: _BatchNorm, process_group: Any) -> Self:
        settings = norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
        made = cls(*settings, process_group, bias=norm.bias is not None)
        made._parameters.update(norm._parameters)
        made._buffers.update(norm._buffers)
        made.training = norm.training
        return made
