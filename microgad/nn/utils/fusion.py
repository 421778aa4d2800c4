"""Fusion of batch normalization in evaluation mode into the layer before it."""

from __future__ import annotations

import copy
import functools
from typing import Any, TypeVar

from ...ops.creation import ones_like, zeros_like
from ...ops.elementwise import rsqrt
from ...parameter import Parameter
from ...tensor import Tensor
from ..modules.module import Module

M = TypeVar("M", bound=Module)


def fuse_conv_bn_eval(conv: M, bn: Any, transpose: bool = False) -> M:
    """Return a convolution equivalent to `conv` followed by `bn`. Source: torch.nn.utils.fusion.fuse_conv_bn_eval.

    Raises AssertionError in training mode, and without running statistics.

    >>> conv, bn = nn.Conv2d(1, 2, 3).eval(), nn.BatchNorm2d(2).eval()
    >>> fused = nn.utils.fusion.fuse_conv_bn_eval(conv, bn)
    >>> x = torch.rand(1, 1, 4, 4)
    >>> torch.allclose(fused(x), bn(conv(x)), atol=1e-6)
    True
    """
    return _fuse(conv, bn, functools.partial(fuse_conv_bn_weights, transpose=transpose))


def fuse_conv_bn_weights(
    conv_w: Tensor, conv_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float, bn_w: Tensor | None,
    bn_b: Tensor | None, transpose: bool = False,
) -> tuple[Parameter, Parameter]:  # fmt: skip
    """Return weight and bias of the fused convolution. Source: torch.nn.utils.fusion.fuse_conv_bn_weights.

    >>> conv, bn = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, affine=False, eps=3.0)
    >>> weights = conv.weight, conv.bias, bn.running_mean, bn.running_var, bn.eps
    >>> w, b = nn.utils.fuse_conv_bn_weights(*weights, bn_w=None, bn_b=None)
    >>> torch.allclose(w, conv.weight / 2), torch.allclose(b, conv.bias / 2)
    (True, True)
    """
    bias = zeros_like(bn_rm) if conv_b is None else conv_b
    scale = rsqrt(bn_rv + bn_eps) * (ones_like(bn_rm) if bn_w is None else bn_w)
    shape = [1] * conv_w.ndim
    shape[1 if transpose else 0] = -1
    shift = (bias - bn_rm) * scale + (zeros_like(bn_rm) if bn_b is None else bn_b)
    weight = (conv_w * scale.reshape(shape)).to(conv_w.dtype)
    return (
        Parameter(weight.detach(), conv_w.requires_grad),
        Parameter(shift.detach().to(conv_w.dtype if conv_b is None else conv_b.dtype), bias.requires_grad),
    )


def fuse_linear_bn_eval(linear: M, bn: Any) -> M:
    """Return a linear layer equivalent to `linear` followed by `bn`.

    Raises AssertionError in training mode, without running statistics, and if sizes don't fit.
    Source: torch.nn.utils.fusion.fuse_linear_bn_eval.

    >>> linear, bn = nn.Linear(2, 3).eval(), nn.BatchNorm1d(3).eval()
    >>> x = torch.rand(4, 2)
    >>> torch.allclose(nn.utils.fusion.fuse_linear_bn_eval(linear, bn)(x), bn(linear(x)), atol=1e-6)
    True
    """
    if bn.num_features not in (linear.out_features, 1):
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got linear.out_features="
            f"{linear.out_features} and bn.num_features={bn.num_features}"
        )
    return _fuse(linear, bn, fuse_linear_bn_weights)


def fuse_linear_bn_weights(
    linear_w: Tensor, linear_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float, bn_w: Tensor, bn_b: Tensor
) -> tuple[Parameter, Parameter]:
    """Return weight and bias of the fused linear layer. Source: torch.nn.utils.fusion.fuse_linear_bn_weights.

    >>> linear, bn = nn.Linear(1, 2), nn.BatchNorm1d(2, eps=3.0)
    >>> w, b = nn.utils.fuse_linear_bn_weights(
    ...     linear.weight, linear.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    ... )
    >>> torch.allclose(w, linear.weight / 2), torch.allclose(b, linear.bias / 2)
    (True, True)
    """
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


def _fuse(layer: Any, bn: Any, fuse_weights: Any) -> Any:
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    fused = copy.deepcopy(layer)
    fused.weight, fused.bias = fuse_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused
