"""Instance normalization layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ShapeError
from ...errors.notices import warn
from ...tensor import Tensor
from ...type_aliases import Device, Dtype
from .. import functional as F
from .batchnorm import _NormBase
from .layer_helpers import layer_name

if TYPE_CHECKING:  # lazy_layers.py sets them here
    from .lazy_layers import LazyInstanceNorm1d as LazyInstanceNorm1d
    from .lazy_layers import LazyInstanceNorm2d as LazyInstanceNorm2d
    from .lazy_layers import LazyInstanceNorm3d as LazyInstanceNorm3d


class _InstanceNorm(_NormBase):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Device = None,
        dtype: Dtype = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        dim = input.ndim - self._get_no_batch_dim()
        if input.shape[dim] != self.num_features:
            if self.affine:
                expected = f"expected input's size at dim={dim} to match num_features ({self.num_features})"
                raise ShapeError(f"{layer_name(self)}: {expected}, but got: {input.shape[dim]}.")
            warn(
                f"input's size at dim={dim} does not match num_features. You can silence this warning by not passing "
                "in num_features, which is not used because affine=False"
            )
        return self._apply_instance_norm(input) if dim else self._apply_instance_norm(input.unsqueeze(0)).squeeze(0)

    def _get_no_batch_dim(self) -> int:
        """Return the number of dimensions of a single example: subclasses of other programs say it here."""
        return self._dimensions[0]

    def _apply_instance_norm(self, input: Tensor) -> Tensor:
        use_input_stats = self.training or not self.track_running_stats
        momentum = 0.0 if self.momentum is None else self.momentum
        parameters = self.running_mean, self.running_var, self.weight, self.bias
        return F.instance_norm(input, *parameters, use_input_stats, momentum, self.eps)


class InstanceNorm1d(_InstanceNorm):
    """Normalize each channel of each example of (N, C, L) or (C, L) to mean 0 and variance 1.

    With `affine`, weight (C) and bias (C) are applied. With `track_running_stats`, running statistics are used in
    evaluation. Raises ValueError for other dimensions, for another number of channels with `affine`, and in training
    for a single value per channel. Source: torch.nn.InstanceNorm1d; Ulyanov et al. (2016).

    >>> nn.InstanceNorm1d(1)(torch.tensor([[1.0, 3.0]]))
    tensor([[-1.0000,  1.0000]])
    """

    _dimensions = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Normalize each channel of each example of (N, C, H, W) or (C, H, W): see InstanceNorm1d.

    Raises as InstanceNorm1d does. Source: torch.nn.InstanceNorm2d.

    >>> nn.InstanceNorm2d(3)(torch.randn(2, 3, 4, 4)).shape
    torch.Size([2, 3, 4, 4])
    """

    _dimensions = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Normalize each channel of each example of (N, C, D, H, W) or (C, D, H, W): see InstanceNorm1d.

    Raises as InstanceNorm1d does. Source: torch.nn.InstanceNorm3d.

    >>> nn.InstanceNorm3d(3)(torch.randn(2, 3, 4, 4, 4)).shape
    torch.Size([2, 3, 4, 4, 4])
    """

    _dimensions = (4, 5)
