"""Dropout. The public function draws the noise and makes it a setting of the node, so that a replay is the same."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .. import backend
from .. import generator as draws
from ..engine.transforms import transforms
from ..errors import ArgumentError, KindError, ShapeError
from ..errors.notices import warn
from ..function import Function
from ..state import composite
from ..type_aliases import Array, Tensor
from .support import layouts
from .support.spelling import tensors_only

ALPHA = 1.7580993408473766  # selu(x) approaches -ALPHA for x -> -∞


class Dropout(Function):
    """x · noise; the noise is 0 where a value is dropped, otherwise 1/(1 - p)."""

    symbol, node_name, elementwise = "dropout", "Mul", True

    def forward(self, x):
        return x * self.noise

    def grad_x(self, grad):
        return Dropout.apply(grad, noise=self.noise)


@tensors_only
def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set each value to 0 with probability p and scale the others by 1/(1 - p). Hinton et al. (2012).

    The draws are PyTorch's. Returns input itself if `training` is false, p is 0, or input is empty. Raises ValueError
    if p is not in [0, 1], RuntimeError for integers. Source: torch.nn.functional.dropout.

    >>> _ = torch.manual_seed(2024)
    >>> F.dropout(torch.ones(6))
    tensor([2., 0., 2., 0., 0., 2.])
    """
    return _dropout("dropout", input, p, training, inplace)


def _dropout(
    op: str, input: Tensor, p: float, training: bool, inplace: bool, by_channel: bool = False, alpha: bool = False
) -> Tensor:
    """Apply dropout, alpha dropout if `alpha`, to elements or channels, in place if `inplace`."""
    _check_probability(p)
    x = input.array
    if not training or p == 0 or x.size == 0:
        return input
    if p != 1 and x.dtype.kind != "f":
        raise KindError(f"{op}: input must be floating-point, but is {input.dtype}")
    if p != 1 and by_channel and x.ndim < 2:
        raise ShapeError(f"{op}: Feature dropout requires at least 2 dimensions in the input, got {x.ndim}")
    if inplace:
        input._check_writable(f"{op}_", True)
    drop = Dropout.apply_ if inplace else Dropout.apply
    if not alpha or p == 1:
        return drop(input, noise=noise_like(x, p, input.device, by_channel))
    # x where the mask is 1, -ALPHA where it is 0; then an affine map that restores mean 0 and variance 1.
    mask, scale = noise_like(x, p, input.device, by_channel, 1.0), 1 / math.sqrt((ALPHA * ALPHA * p + 1) * (1 - p))
    shift = ALPHA * scale
    scaled, added = drop(input, noise=mask * scale), input._wrap((mask + -1) * shift + shift * p)
    return scaled.add_(added) if inplace else scaled + added


def noise_like(x: Array, p: float, where: Any, by_channel: bool = False, scale: float | None = None) -> Array:
    """Draw `scale` with probability 1 - p, otherwise 0, for each element or each channel, as PyTorch does.

    The noise has the shape, dtype and memory order of the array x, whose values are not read, but in a function that
    torch.func transforms it is row-major, so the same values are dropped as in PyTorch; `where` is the array's device.
    `scale` is 1/(1 - p) by default, which preserves the mean; then nothing is drawn for p = 1. Raises ValueError if p
    is not in [0, 1].
    """
    _check_probability(p)
    if scale is None:
        if p == 1:
            return backend.to_device(layouts.zeros_like(x), where)
        scale = 1 / (1 - p) if x.dtype == np.float64 else _single_scale(p)
    if by_channel:  # drawn in the order of the axes, but with the memory order of x, which the result then has, too
        layout = np.empty((*x.shape[:2], *(1,) * (x.ndim - 2)), x.dtype)
        noise = layouts.match_strides(draws.dropout_noise(layout, 1 - p, scale), x)
    else:
        layout = draws.fills.empty_like(x) if backend.is_gpu(x) else x
        if transforms.get() and type(layout) is np.ndarray:
            layout = np.empty(layout.shape, layout.dtype)
        noise = draws.dropout_noise(layout, 1 - p, scale)
    return backend.to_device(noise, where)


@functools.lru_cache(maxsize=64)
def _single_scale(p: float) -> float:
    """Return 1/(1 - p) as float32 has it."""
    return float(np.float32(1) / np.float32(1 - p))


def _check_probability(p: float) -> None:
    if not 0 <= p <= 1:
        raise ArgumentError(f"dropout probability has to be between 0 and 1, but got {p}")


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Apply dropout to whole channels of (N, C, L) or (C, L). Source: torch.nn.functional.dropout1d.

    Raises RuntimeError for other dimensions.

    >>> _ = torch.manual_seed(2024)
    >>> F.dropout1d(torch.ones(2, 3))
    tensor([[2., 2., 2.],
            [0., 0., 0.]])
    """
    if input.ndim not in (2, 3):
        raise ShapeError(f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input")
    return _dropout_channels("dropout1d", input, p, training, inplace, input.ndim == 2)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Apply dropout to whole channels of (N, C, H, W), or of (N, C, L).

    Raises as dropout does, RuntimeError for less than two dimensions. Source: torch.nn.functional.dropout2d.

    >>> _ = torch.manual_seed(2024)
    >>> F.dropout2d(torch.ones(1, 2, 1, 2))
    tensor([[[[2., 2.]],
    <BLANKLINE>
             [[0., 0.]]]])
    """
    if input.ndim not in (3, 4):
        warn(f"dropout2d: Received a {input.ndim}-D input to dropout2d, which is deprecated")
    if input.ndim == 3:
        warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired "
            "- input is interpreted as shape (N, C, L), where C is the channel dim, as by dropout1d"
        )
    return _dropout_channels("dropout2d", input, p, training, inplace, False)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Apply dropout to whole channels of (N, C, D, H, W) or (C, D, H, W).

    Raises as dropout does. Source: torch.nn.functional.dropout3d.

    >>> _ = torch.manual_seed(2024)
    >>> F.dropout3d(torch.ones(2, 1, 1, 2)).flatten()
    tensor([2., 2., 0., 0.])
    """
    if input.ndim not in (4, 5):
        warn(f"dropout3d: Received a {input.ndim}-D input to dropout3d, which is deprecated")
    return _dropout_channels("dropout3d", input, p, training, inplace, input.ndim != 5)


def _dropout_channels(op: str, input: Tensor, p: float, training: bool, inplace: bool, unbatched: bool) -> Tensor:
    if not unbatched:
        return _dropout(op, input, p, training, inplace, by_channel=True)
    out = _dropout(op, input.unsqueeze(0), p, training, inplace, by_channel=True)
    return input if inplace else out.squeeze(0)


@tensors_only
def feature_dropout(input: Tensor, p: float, train: bool, inplace: bool = False) -> Tensor:
    """Apply dropout to whole channels of (N, C, ...).

    Raises as dropout does, RuntimeError for less than two dimensions. Source: torch.feature_dropout.

    >>> _ = torch.manual_seed(2024)
    >>> torch.feature_dropout(torch.ones(1, 2, 2), 0.5, True)
    tensor([[[2., 2.],
             [0., 0.]]])
    """
    return _dropout("feature_dropout", input, p, train, inplace, by_channel=True)


@tensors_only
@composite
def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Set each value to -1.7581 with probability p, then scale and shift all to preserve mean 0 and variance 1.

    For p = 1 all are 0. `training` is False by default; else the arguments and errors are those of dropout.
    Source: torch.alpha_dropout; Klambauer et al. (2017).

    >>> _ = torch.manual_seed(2024)
    >>> F.alpha_dropout(torch.ones(3), training=True)
    tensor([ 1.6656, -0.7792,  1.6656])
    """
    return _dropout("alpha_dropout", input, p, training, inplace, alpha=True)


@tensors_only
@composite
def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Apply alpha_dropout to whole channels of (N, C, ...).

    Raises as dropout does, RuntimeError for less than two dimensions. Source: torch.feature_alpha_dropout.

    >>> _ = torch.manual_seed(2024)
    >>> F.feature_alpha_dropout(torch.ones(1, 2, 2), training=True)
    tensor([[[ 1.6656,  1.6656],
             [-0.7792, -0.7792]]])
    """
    return _dropout("feature_alpha_dropout", input, p, training, inplace, by_channel=True, alpha=True)


def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """Apply dropout; return the result and a boolean Tensor that says which values were kept.

    Raises RuntimeError for integers. Source: torch.native_dropout.

    >>> _ = torch.manual_seed(2024)
    >>> torch.native_dropout(torch.ones(3), 0.5, True)
    (tensor([2., 0., 2.]), tensor([ True, False,  True]))
    """
    if train is False or not input.array.size:
        return input.clone(), input._wrap(np.ones_like(input.array, dtype=bool if input.array.size else None))
    if not input.dtype.is_floating_point:
        raise KindError(f"native_dropout: input must be floating-point, but is {input.dtype}")
    mask = draws.bernoulli_(draws.fills.empty_like(input.array, bool), 1 - p)
    mask = backend.to_device(mask, input.device)
    noise = mask * input.array.dtype.type(1 / (1 - p) if p < 1 else 0)
    return Dropout.apply(input, noise=noise), input._wrap(mask)
