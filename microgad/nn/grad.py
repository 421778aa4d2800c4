"""torch.nn.grad: gradients of convolutions with respect to input and weight, as functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import gradients, state
from ..ops.creation import zeros
from ..ops.support.bare import is_recorded
from ..ops.window import conv1d, conv2d, conv3d
from ..tensor import Tensor


def _conv_gradient(
    conv: Callable[..., Tensor], input: Tensor, weight: Tensor, grad_output: Tensor, at: int, *settings: Any
) -> Any:
    """Return the gradient of a convolution with respect to its input (at=0) or its weight (at=1).

    A convolution is bilinear, so that this gradient doesn't depend on the value of that argument.
    """
    wanted = (input, weight)[at]
    graph = is_recorded(*(x for x in (input, weight, grad_output) if x is not wanted))
    with state.scope(grad_enabled=True):
        result = conv(input, weight, None, *settings)
        return gradients.grad(result, wanted, grad_output, create_graph=graph)[0]


def _make_input_gradient(conv: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def gradient(
        input_size: Sequence[int], weight: Tensor, grad_output: Tensor, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1,
    ) -> Tensor:  # fmt: skip
        input = zeros(*input_size, dtype=weight.dtype, device=weight.device, requires_grad=True)
        return _conv_gradient(conv, input, weight, grad_output, 0, stride, padding, dilation, groups)

    gradient.__name__ = gradient.__qualname__ = name = f"{conv.__name__}_input"
    gradient.__doc__ = f"The gradient of {conv.__name__} with respect to its input. Source: torch.nn.grad.{name}."
    return gradient


def _make_weight_gradient(conv: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def gradient(
        input: Tensor, weight_size: Sequence[int], grad_output: Tensor, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1,
    ) -> Tensor:  # fmt: skip
        weight = zeros(*weight_size, dtype=input.dtype, device=input.device, requires_grad=True)
        return _conv_gradient(conv, input, weight, grad_output, 1, stride, padding, dilation, groups)

    gradient.__name__ = gradient.__qualname__ = name = f"{conv.__name__}_weight"
    gradient.__doc__ = f"The gradient of {conv.__name__} with respect to its weight. Source: torch.nn.grad.{name}."
    return gradient


conv1d_input, conv2d_input, conv3d_input = map(_make_input_gradient, (conv1d, conv2d, conv3d))
conv1d_weight, conv2d_weight, conv3d_weight = map(_make_weight_gradient, (conv1d, conv2d, conv3d))
