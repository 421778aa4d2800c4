"""Batch normalization, by the batch's statistics in training and by running ones in evaluation; instance norm."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ... import backend
from ...errors import ArgumentError, DtypeError, ShapeError
from ...function import Function
from ...function.half import HALF
from ...function.naming import with_torch_name
from ...state import composite
from ...state.observer import Stopped
from ...type_aliases import Array, Tensor
from ..linalg.common import check_halves
from ..reduction.sums import channel_sums
from ..support import layouts
from ..support.blocks import batch_blocks, unbuffered_runs
from ..support.spelling import tensors_only
from .channels import (
    LONG_RUN,
    channel_size,
    check_channels,
    column,
    flatten,
    from_places,
    in_rows_of_channels,
    is_mixed_half,
    per_channel,
    places,
    size_rule,
    sum_by_channel,
)
from .group import GroupNorm, apply_norm

SMALL = 1 << 16  # elements for which repeating the channels' values takes longer than short loops


def _is_in_rows(x: Array) -> bool:
    """Whether x is dense with many channels last, or large, (N, C), with far fewer channels than rows."""
    if in_rows_of_channels(x):
        return True
    large = type(x) is np.ndarray and x.ndim == 2 and x.size > SMALL and x.flags.c_contiguous
    return large and 1 < x.shape[1] < len(x) / 3


def _rows(x: Array, like: Array) -> Array:
    """Flatten (N, C, ...) to (N, C, P), or by `places` to (n, k · C, 1) if `like` is in rows."""
    if not _is_in_rows(like):
        return flatten(x)
    return places(x, 1, LONG_RUN if x.size > SMALL else 1)[0][..., None]


def _unflattened(rows: Array, like: Array) -> Array:
    """Undo `_rows`: a view."""
    return from_places(rows, like) if _is_in_rows(like) else rows.reshape(like.shape)


def _unbuffered(x: Array) -> AbstractContextManager[None]:
    """Return the context for arithmetic of `_rows` with the channels' values: see `blocks.unbuffered`."""
    return unbuffered_runs(x.shape[1] if type(x) is np.ndarray and x.shape[2] == 1 and x.size > SMALL else 0)


def _sums(a: Array, b: Array | None = None) -> Array:
    """Sum a, or a · b, over everything but the channels: bare (N, C, P) -> (C)."""
    if a.shape[2] != 1:
        return np.einsum("ncp->c", a) if b is None else np.einsum("ncp,ncp->c", a, b)
    return sum_by_channel(a[..., 0], None if b is None else b[..., 0])


def _of_channels(sums: Array, c: int) -> Array:
    """Sum those of k places side by side: (k · C) -> (C)."""
    return sums if len(sums) == c else sums.reshape(-1, c).sum(0)


class BatchNorm(Function):
    """Batch normalization in training, (N, C, ...), weight (C), bias (C) -> (N, C, ...).

    The other results are each channel's mean and biased variance, (C).
    """

    symbol, node_name = "batch norm", "NativeBatchNorm"
    all_edges = True

    def forward(self, input, weight, bias):
        check_channels(input, weight=weight, bias=bias)
        count = channel_size(input)
        if count == 1:
            raise ShapeError(f"Expected more than 1 value per channel when training, got input size {input.shape}")
        count = count or 1
        x, c = _rows(input, input), input.shape[1]
        centered = np.empty_like(x, order="C")
        with _unbuffered(x):
            mean = _of_channels(_sums(x), c) / count
            np.subtract(x, per_channel(mean, x), out=centered)
            # The rounding error of the mean (the corrected two-pass algorithm; Chan, Golub and LeVeque, 1983).
            rest = _of_channels(_sums(centered), c) / count
            var = _of_channels(_sums(centered, centered), c) / count - rest * rest
            std = np.sqrt(var + self.eps)
            self.mean = np.where(np.isinf(mean), mean, mean + rest)
            self.inv_std = np.where(std == 0, 0, 1 / std)  # a constant channel gives 0 even if eps is 0
            scale = self.inv_std if weight is None else self.inv_std * weight
            centered *= per_channel(scale, x)
            centered += per_channel(-rest * scale if bias is None else bias - rest * scale, x)
        out = _unflattened(centered, input)
        return layouts.match_memory_format(out, layouts.normalize_channels_last(input)), self.mean, var

    def backward(self, grad, input, weight, mean, inv_std):
        grad_out, grad_mean, grad_var = grad
        x, g, count = _rows(input, input), _rows(grad_out, input), channel_size(input) or 1
        centered, products = np.empty_like(x, order="C"), backend.zeros(x.shape[1:2], x)
        parts = list(batch_blocks(x, x.shape[1] or 1, x.shape[2]))
        shift = per_channel(mean, x)
        with _unbuffered(x):
            for part in parts:
                channels = part[1]
                np.subtract(x[part], shift[channels], out=centered[part])
                products[channels] += _sums(g[part], centered[part])
            grad_weight, grad_bias = _of_channels(products, len(mean)) * inv_std, _of_channels(_sums(g), len(mean))
            scale = inv_std if weight is None else inv_std * weight
            factor = per_channel((2 * grad_var - scale * grad_weight * inv_std) / count, x)
            shift, scale = per_channel((grad_mean - scale * grad_bias) / count, x), per_channel(scale, x)
            for part in parts:
                out, channels = centered[part], part[1]
                out *= factor[channels]
                out += shift[channels]
                out += g[part] * scale[channels]
        in_rows = input.ndim > 3 and layouts.dense_channels_last(input)  # PyTorch's gradient of (N, C, L) is contiguous
        grad_input = layouts.in_format(_unflattened(centered, input), in_rows)
        gradients = (grad_input, grad_weight, grad_bias)
        return tuple(x if needed else None for x, needed in zip(gradients, self.needs, strict=True))

    def decomposition(self, input, weight, bias):
        axes, count = (0, *range(2, input.ndim)), channel_size(input) or 1
        mean = np.sum(input, axes) / count
        centered = input - column(mean, input)
        var = np.sum(centered * centered, axes) / count
        out = centered / column(np.sqrt(var + self.eps), input)
        if weight is not None:
            out = out * column(weight, input)
        if bias is not None:
            out = out + column(bias, input)
        return out, mean, var


class FixedBatchNorm(Function):
    """Normalization by a given mean and variance: (N, C, ...), mean, var, weight, bias (C) -> (N, C, ...)."""

    symbol, operator, node_name = "batch norm", "batch_norm", "NativeBatchNorm"
    all_edges = True

    def forward(self, input, mean, var, weight, bias):
        check_channels(input, running_mean=mean, running_var=var, weight=weight, bias=bias)
        scale = self._scale(var, weight)
        x = _rows(input, input)
        with _unbuffered(x):
            out = x * per_channel(scale, x)
            out += per_channel(-mean * scale if bias is None else bias - mean * scale, x)
        return layouts.match_memory_format(_unflattened(out, input), layouts.normalize_channels_last(input))

    def grad_input(self, grad, var, weight):
        return grad * column(self._scale(var, weight), grad)

    def grad_mean(self, grad, var, weight):
        return -channel_sums(grad) * self._scale(var, weight)

    def grad_var(self, grad, input, mean, var, weight):
        centered = channel_sums(grad * (input - column(mean, input)))
        return centered * self._scale(var, weight) * (-0.5 / (var + self.eps))

    def grad_weight(self, grad, input, mean, var):
        return channel_sums(grad * (input - column(mean, input))) / np.sqrt(var + self.eps)

    def grad_bias(self, grad):
        return channel_sums(grad)

    def _scale(self, var: Array, weight: Array | None) -> Array:
        return (1 if weight is None else weight) / np.sqrt(var + self.eps)


@tensors_only
def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
    bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Return (input - mean) / sqrt(var + eps) · weight + bias for each channel. Ioffe and Szegedy (2015).

    input is (N, C, ...), the others are (C), all of one floating-point dtype, or the others float32 and input float16.
    In training, mean and variance are the batch's, and the running ones move towards them by the fraction `momentum`
    (towards the unbiased variance). In evaluation, mean and variance are the running ones.

    Raises RuntimeError if sizes or dtypes do not fit or running statistics are missing, ValueError in training with one
    value per channel. Source: torch.nn.functional.batch_norm.

    >>> x = torch.tensor([[1.0], [3.0]])
    >>> mean, var = torch.zeros(1), torch.ones(1)
    >>> F.batch_norm(x, mean, var, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    >>> mean, var
    (tensor([0.2000]), tensor([1.1000]))
    """
    if eps <= 0 if training else eps < 0:
        rule = "positive during training" if training else "non-negative"
        raise ArgumentError(f"batch_norm: eps must be {rule}, but got {eps}")
    checked = training and input.array.dtype.kind == "f" and input.array.dtype != HALF
    for name, running in (("running_mean", running_mean), ("running_var", running_var)):
        if checked and running is not None and running.array.dtype != input.array.dtype:
            raise DtypeError(f"batch_norm: {name} must have input's dtype, {input.dtype}, but has {running.dtype}")
    return _batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def _batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None, bias: Tensor | None,
    training: bool, momentum: float, eps: float,
) -> Tensor:  # fmt: skip
    """Apply batch_norm without a check of eps."""
    if (running_mean is None) is not (running_var is None):
        raise ArgumentError("batch_norm: running_mean and running_var must either both be None or neither be None")
    if input.array.ndim == 1 and not input.array.size:
        return input.clone()
    if is_mixed_half(input, running_mean, running_var, weight, bias):
        settings = weight, bias, training, momentum, eps
        return _batch_norm(input.float(), running_mean, running_var, *settings).to(input.dtype)
    check_halves("batch_norm", input, weight, bias, running_mean, running_var)
    if not training:
        if running_mean is None:
            raise ArgumentError("batch_norm: running_mean must be defined in evaluation mode")
        return FixedBatchNorm.apply(input, running_mean, running_var, weight, bias, eps=eps)
    for name, running in (("running_mean", running_mean), ("running_var", running_var)):
        if running is not None and running.array.shape != input.array.shape[1:2]:
            raise ShapeError(f"batch_norm: {size_rule(input, name, running)}")
    try:
        out, mean, var = BatchNorm.apply(input, weight, bias, eps=eps)
    except Stopped as stopped:  # the running statistics are a part of the operation
        _track(running_mean, running_var, momentum, input, *stopped.results[1:])
        raise
    _track(running_mean, running_var, momentum, input, mean, var)
    return out


def _track(running_mean: Any, running_var: Any, momentum: float, input: Tensor, mean: Tensor, var: Tensor) -> None:
    """Move running statistics, if there are any, towards those of a batch."""
    count = channel_size(input.array)
    if running_mean is not None and running_var is not None and count:
        running_mean.add_((mean.array - running_mean.array) * momentum)
        running_var.add_((var.array * (count / (count - 1)) - running_var.array) * momentum)


@composite
def instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None, weight: Tensor | None = None,
    bias: Tensor | None = None, use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Normalize each channel of each instance of the batch by itself. Source: torch.nn.functional.instance_norm.

    input is (N, C, ...), the others are (C). Running statistics move towards the instances' statistics, averaged over
    the batch. If use_input_stats is false, they replace the input's; otherwise ValueError is raised if a channel of an
    instance has one value. Ulyanov et al. (2016).

    >>> F.instance_norm(torch.tensor([[[1.0, 3.0], [0.0, 4.0]]]))
    tensor([[[-1.0000,  1.0000],
             [-1.0000,  1.0000]]])
    """
    if use_input_stats and math.prod(input.shape[2:]) == 1:
        raise ShapeError(f"Expected more than 1 spatial element when training, got input size {input.shape}")
    if not use_input_stats and (running_mean is None or running_var is None):
        raise ArgumentError("Expected running_mean and running_var to be defined when use_input_stats is false")
    if input.ndim < 2:
        raise ShapeError(f"instance_norm: input must be (N, C, ...), but has shape {tuple(input.shape)}")
    n, c, *rest = input.array.shape
    for name, x in {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}.items():
        if x is not None and tuple(x.shape) != (c,):
            raise ShapeError(f"instance_norm: {size_rule(input.array, name, x)}")
    if use_input_stats and running_mean is running_var is None and eps > 0:  # then each channel is a group
        x, view = input.contiguous(), (n, c, math.prod(rest))
        out = apply_norm("instance_norm", GroupNorm, x, weight, bias, rows=n * c, view=view, affine=(c,), eps=eps)
        return with_torch_name("View", out)
    mean, var, scale, shift = (None if x is None else x.repeat(n) for x in (running_mean, running_var, weight, bias))
    x = input.contiguous().reshape(1, n * c, *input.shape[2:])
    out = _batch_norm(x, mean, var, scale, shift, use_input_stats, momentum, eps).reshape(input.shape)
    if use_input_stats:
        for running, moved in ((running_mean, mean), (running_var, var)):
            if running is not None and moved is not None:
                running.copy_(moved.detach().reshape(n, c).mean(0))
    return out
