"""Convolution, transposed convolution, and the gradient of the weight: three Functions closed under differentiation.

The sum of y · weight · x over output positions and kernel taps is a trilinear form of y (N, O, OH, OW), weight
(O, C/groups, KH, KW) and x (N, C, H, W). Each Function is its derivative by one argument, so the derivatives of each
are the other two. The code takes 1 to 3 spatial dimensions, for each of which there are classes of their own name.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import DtypeError, KindError, ShapeError
from ...function import Function
from ...state import composite
from ...type_aliases import Array, Tensor
from ..linalg.common import check_halves
from ..reduction.sums import channel_sums
from ..support import layouts
from ..support.bare import bare
from ..support.spelling import tensors_only
from .conv_kernels import correlate, correlate_transposed, weight_gradient
from .geometry import Size, Window, cached_window, invalid, ntuple

LARGE_IMAGE = 20480  # elements of (N, C, D, H), beyond which PyTorch calls a library for one 3-D image


class Conv2d(Function):
    """Cross-correlation: (N, C, H, W), (O, C/groups, KH, KW), (O,) or None -> (N, O, OH, OW)."""

    symbol, node_name, native_half = "conv2d", "Convolution", "cuda"
    all_edges = True
    window: Window
    groups: int

    def forward(self, input, weight, bias):
        check("conv", input, weight, bias, self.window, len(weight))
        per_group = weight.shape[1]
        if input.shape[1] != per_group * self.groups:
            raise channels_error(f"groups={self.groups}", input, weight, per_group * self.groups)
        if len(weight) % self.groups:
            raise ShapeError(
                f"Given groups={self.groups}, expected weight to be divisible by {self.groups} at dimension 0, but got "
                f"weight of size [{[*weight.shape]}] instead"
            )
        self.window.check()
        out = correlate(input, weight, bias, self.window, self.groups)
        return layouts.in_format(out, channels_last(input, weight, self.groups))

    def backward(self, grad, input, weight):
        to_input, to_weight, to_bias = self.needs
        _, transposed, by_weight = BY_DIMS[len(self.window.kernel)]
        settings = {"window": self.window, "groups": self.groups}
        grad_input = transposed.apply(grad, weight, None, **settings) if to_input else None
        settings = {**settings, "channels_last": gradient_channels_last(input, weight, self.groups)}
        if to_weight and to_bias:
            return grad_input, *by_weight.apply(grad, input, affine=True, **settings)
        grad_weight = by_weight.apply(grad, input, affine=False, **settings) if to_weight else None
        return grad_input, grad_weight, channel_sums(grad) if to_bias else None


class ConvTranspose2d(Function):
    """The adjoint of Conv2d in its input: (N, O, OH, OW), (O, C/groups, KH, KW), (C,) or None -> (N, C, H, W)."""

    symbol, node_name, native_half = "conv_transpose2d", "Convolution", "cuda"
    all_edges = True
    window: Window
    groups: int

    def forward(self, input, weight, bias):
        filters = weight.shape[1] * self.groups if weight.ndim > 1 else 0
        check("conv_transpose", input, weight, bias, self.window, filters)
        if input.shape[1] != len(weight):
            raise channels_error("transposed=1", input, weight, len(weight))
        if len(weight) % self.groups:
            raise ShapeError(f"in_channels = {len(weight)} is not divisible by groups = {self.groups}")
        if min(self.window.kernel) < 1:
            raise ShapeError(f"the kernel must be at least 1 in each dimension, got {self.window.kernel}")
        if min(self.window.size) < 1:
            raise ShapeError(f"the output's size would be {self.window.size}: the padding takes all of it away")
        out = correlate_transposed(input, weight, bias, self.window, self.groups)
        return layouts.in_format(out, channels_last(input, weight, self.groups))

    def grad_input(self, grad, weight):
        return BY_DIMS[len(self.window.kernel)][0].apply(grad, weight, None, window=self.window, groups=self.groups)

    def grad_weight(self, grad, input, weight):
        layout = {"channels_last": gradient_channels_last(input, weight, self.groups)}
        settings = {"window": self.window, "groups": self.groups, **layout}
        return BY_DIMS[len(self.window.kernel)][2].apply(input, grad, affine=False, **settings)

    def grad_bias(self, grad):
        return channel_sums(grad)


class Conv2dWeight(Function):
    """The gradient of the weight: output gradient (N, O, OH, OW), input (N, C, H, W) -> (O, C/groups, KH, KW).

    If `affine`, the second result is the gradient of the bias, (O,). One pass for both takes a third less time. The
    convolution's input and weight, and not the output's gradient, say whether the result is in channels-last format.
    """

    symbol, operator, native_half = "conv2d_weight", None, "cuda"
    window: Window
    groups: int
    affine: bool
    channels_last = False

    def forward(self, y, x):
        weight, bias = weight_gradient(y, x, self.window, self.groups, self.affine, self.channels_last)
        weight = layouts.in_format(weight, self.channels_last)
        return (weight, bias) if self.affine else weight

    def grad_y(self, grad, x):
        weight, bias = grad if self.affine else (grad, None)
        return BY_DIMS[len(self.window.kernel)][0].apply(x, weight, bias, window=self.window, groups=self.groups)

    def grad_x(self, grad, y):
        weight = grad[0] if self.affine else grad
        return BY_DIMS[len(self.window.kernel)][1].apply(y, weight, None, window=self.window, groups=self.groups)


class Conv1d(Conv2d):
    """Conv2d in 1-D: (N, C, L), (O, C/groups, K), (O,) or None -> (N, O, OL)."""

    symbol, node_name = "conv1d", "Convolution"


class ConvTranspose1d(ConvTranspose2d):
    """ConvTranspose2d in 1-D: (N, O, OL), (O, C/groups, K), (C,) or None -> (N, C, L)."""

    symbol, node_name = "conv_transpose1d", "Convolution"


class Conv1dWeight(Conv2dWeight):
    """Conv2dWeight in 1-D: (N, O, OL), (N, C, L) -> (O, C/groups, K)."""

    symbol, operator = "conv1d_weight", None


class Conv3d(Conv2d):
    """Conv2d in 3-D: (N, C, D, H, W), (O, C/groups, KD, KH, KW), (O,) or None -> (N, O, OD, OH, OW)."""

    symbol, node_name = "conv3d", "Convolution"


class ConvTranspose3d(ConvTranspose2d):
    """ConvTranspose2d in 3-D: (N, O, OD, OH, OW), (O, C/groups, KD, KH, KW), (C,) or None -> (N, C, D, H, W)."""

    symbol, node_name = "conv_transpose3d", "Convolution"


class Conv3dWeight(Conv2dWeight):
    """Conv2dWeight in 3-D: (N, O, OD, OH, OW), (N, C, D, H, W) -> (O, C/groups, KD, KH, KW)."""

    symbol, operator = "conv3d_weight", None


BY_DIMS: dict[int, tuple[type[Conv2d], type[ConvTranspose2d], type[Conv2dWeight]]] = {
    1: (Conv1d, ConvTranspose1d, Conv1dWeight),
    2: (Conv2d, ConvTranspose2d, Conv2dWeight),
    3: (Conv3d, ConvTranspose3d, Conv3dWeight),
}


@tensors_only
def conv1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Size = 1, padding: Size | str = 0,
    dilation: Size = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Cross-correlate input (N, C, L) with O filters (O, C/groups, K) into (N, O, OL). The rest is as in conv2d.

    Source: torch.nn.functional.conv1d.

    >>> torch.nn.functional.conv1d(torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[[-1.0, 1.0]]]))
    tensor([[1., 2.]])
    """
    return _conv(1, input, weight, bias, (stride, padding, dilation, groups))


@tensors_only
def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Size = 1, padding: Size | str = 0,
    dilation: Size = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Cross-correlate input (N, C, H, W) with O filters (O, C/groups, KH, KW) into (N, O, OH, OW).

    `padding` is the number of zeros at each border, or "valid" (none) or "same" (the output has the input's size; this
    needs stride 1). An input (C, H, W), without a batch, gives (O, OH, OW). Raises RuntimeError if channels, dtypes or
    sizes do not fit. Source: torch.nn.functional.conv2d.

    >>> x = torch.arange(9.0).reshape(1, 1, 3, 3)
    >>> torch.nn.functional.conv2d(x, torch.ones(1, 1, 2, 2))
    tensor([[[[ 8., 12.],
              [20., 24.]]]])
    """
    return _conv(2, input, weight, bias, (stride, padding, dilation, groups))


@tensors_only
def conv3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Size = 1, padding: Size | str = 0,
    dilation: Size = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Cross-correlate input (N, C, D, H, W) with O filters (O, C/groups, KD, KH, KW) into (N, O, OD, OH, OW).

    The rest is as in conv2d. Source: torch.nn.functional.conv3d.

    >>> torch.nn.functional.conv3d(torch.ones(1, 2, 3, 3), torch.ones(1, 1, 2, 2, 2))
    tensor([[[[8., 8.],
              [8., 8.]]]])
    """
    return _conv(3, input, weight, bias, (stride, padding, dilation, groups))


@tensors_only
def conv_transpose1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Size = 1, padding: Size = 0,
    output_padding: Size = 0, groups: int = 1, dilation: Size = 1,
) -> Tensor:  # fmt: skip
    """Apply the adjoint of conv1d in its input: (N, C, L), (C, O/groups, K) -> (N, O, OL).

    The rest is as in conv_transpose2d. Source: torch.nn.functional.conv_transpose1d.

    >>> torch.nn.functional.conv_transpose1d(torch.tensor([[1.0, 2.0]]), torch.ones(1, 1, 2), stride=2)
    tensor([[1., 1., 2., 2.]])
    """
    return _conv_transpose(1, input, weight, bias, (stride, padding, output_padding, groups, dilation))


@tensors_only
def conv_transpose2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Size = 1, padding: Size = 0,
    output_padding: Size = 0, groups: int = 1, dilation: Size = 1,
) -> Tensor:  # fmt: skip
    """Apply the adjoint of conv2d in its input: (N, C, H, W), (C, O/groups, KH, KW) -> (N, O, OH, OW).

    OH = (H - 1) · stride - 2 · padding + dilation · (KH - 1) + output_padding + 1. Raises RuntimeError if channels,
    dtypes or sizes do not fit. Source: torch.nn.functional.conv_transpose2d.

    >>> x = torch.tensor([[[[1.0, 2.0]]]])
    >>> torch.nn.functional.conv_transpose2d(x, torch.ones(1, 1, 1, 2), stride=2)
    tensor([[[[1., 1., 2., 2.]]]])
    """
    return _conv_transpose(2, input, weight, bias, (stride, padding, output_padding, groups, dilation))


@tensors_only
def conv_transpose3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Size = 1, padding: Size = 0,
    output_padding: Size = 0, groups: int = 1, dilation: Size = 1,
) -> Tensor:  # fmt: skip
    """Apply the adjoint of conv3d in its input: (N, C, D, H, W), (C, O/groups, KD, KH, KW) -> (N, O, OD, OH, OW).

    The rest is as in conv_transpose2d. Source: torch.nn.functional.conv_transpose3d.

    >>> torch.nn.functional.conv_transpose3d(torch.ones(1, 1, 1, 2), torch.ones(1, 1, 1, 1, 2))
    tensor([[[[1., 2., 1.]]]])
    """
    return _conv_transpose(3, input, weight, bias, (stride, padding, output_padding, groups, dilation))


def convolution(
    input: Tensor, weight: Tensor, bias: Tensor | None, stride: Size, padding: Size, dilation: Size, transposed: bool,
    output_padding: Size, groups: int,
) -> Tensor:  # fmt: skip
    """Apply the one of conv1d to conv_transpose3d that weight's dimensions and `transposed` select.

    Source: torch.convolution.

    >>> torch.convolution(torch.ones(1, 1, 3), torch.ones(1, 1, 2), None, [1], [0], [1], False, [0], 1)
    tensor([[[2., 2.]]])
    """
    dims = weight.ndim - 2
    if dims not in BY_DIMS:
        raise invalid("convolution", f"weight must have 3 to 5 dimensions, got {weight.ndim}")
    if transposed:
        return _conv_transpose(dims, input, weight, bias, (stride, padding, output_padding, groups, dilation))
    return _conv(dims, input, weight, bias, (stride, padding, dilation, groups))


@composite
def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """Apply conv1d with the time axis first: (L, N, C), (K, C, O), (O,) -> (OL, N, O).

    Raises RuntimeError for other dimensions. Source: torch.nn.functional.conv_tbc.

    >>> torch.nn.functional.conv_tbc(torch.ones(3, 1, 1), torch.ones(2, 1, 1), torch.zeros(1)).flatten()
    tensor([2., 2.])
    """
    if input.ndim != 3 or weight.ndim != 3:
        raise invalid("conv_tbc", f"input and weight must have 3 dimensions, got {input.ndim} and {weight.ndim}")
    return conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad).permute(2, 0, 1).contiguous()


def _conv(dims: int, input: Any, weight: Any, bias: Any, settings: tuple[Any, ...]) -> Any:
    if input.ndim == dims + 1:
        return _conv(dims, input.unsqueeze(0), weight, bias, settings).squeeze(0)
    stride, padding, dilation, groups = settings
    op = BY_DIMS[dims][0]
    name = op.__name__
    check_halves(name, input, weight, bias)
    window = Window.sliding(name, dims, input.shape[2:], weight.shape[2:], stride, padding, dilation)
    return op.apply(input, weight, bias, window=window, groups=ntuple(name, "groups", groups, 1)[0])


def _conv_transpose(dims: int, input: Any, weight: Any, bias: Any, settings: tuple[Any, ...]) -> Any:
    if input.ndim == dims + 1:
        return _conv_transpose(dims, input.unsqueeze(0), weight, bias, settings).squeeze(0)
    stride, padding, output_padding, groups, dilation = settings
    op = BY_DIMS[dims][1]
    name = op.__name__
    check_halves(name, input, weight, bias)
    if isinstance(padding, str):
        raise invalid(name, f"padding must be an int or {dims} ints, not {padding!r}", DtypeError)
    window = Window.sliding(name, dims, (0,) * dims, weight.shape[2:], stride, padding, dilation)
    extra = ntuple(name, "output_padding", output_padding, dims, least=0)
    size = []
    edges = []
    for n, s, d, (p, _), span, e in zip(
        input.shape[2:], window.stride, window.dilation, window.padding, window.span, extra, strict=False
    ):
        if e >= max(s, d) and len(input) and input.device.type != "meta":  # PyTorch's own kernels check it
            raise invalid(
                name, f"output_padding must be smaller than stride or dilation, but it is {e}, they are {s} and {d}"
            )
        size.append((n - 1) * s - 2 * p + span + e)
        edges.append((p, p - e))  # no window reaches the cells of output_padding
    window = cached_window(tuple(size), window.kernel, window.stride, tuple(edges), window.dilation)
    return op.apply(input, weight, bias, window=window, groups=ntuple(name, "groups", groups, 1)[0])


def channels_last(input: Array, weight: Array, groups: int) -> bool:
    """Whether PyTorch convolves in channels-last format: if input or weight has it; in 1-D it looks at the weight only.

    In 3-D this holds only where PyTorch, on several threads, calls a library: in single precision, for several images
    or groups, a large kernel, or a large image.
    """
    x, w = bare(input), bare(weight)
    if x.ndim == 5:
        large = len(x) > 1 or groups > 1 or min(w.shape[-2:]) > 3 or math.prod(x.shape[:4]) > LARGE_IMAGE
        if not large or x.dtype not in (np.float32, np.complex64):
            return False
    return layouts.channels_last(x) or layouts.channels_last(layouts.lines_as_planes(w))


def gradient_channels_last(input: Array, weight: Array, groups: int) -> bool:
    """Whether the weight's gradient is in channels-last format: of complex numbers it never is."""
    return bare(input).dtype.kind != "c" and channels_last(input, weight, groups)


def check(op: str, input: Array, weight: Array, bias: Array | None, window: Window, out_channels: int) -> None:
    """Check what convolutions and transposed convolutions both require."""
    dims = len(window.stride)
    for name, x in (("input", input), ("weight", weight)):
        if x.ndim != dims + 2:
            expected = f"{dims + 1}D (unbatched) or {dims + 2}D (batched)" if x is input else f"{dims + 2}D"
            raise ShapeError(f"Expected {expected} {name} to {op}{dims}d, but got {name} of size: {[*x.shape]}")
    if 0 in input.shape[2:]:
        raise ShapeError(f"input may be empty in its batch or its channels alone, got {input.shape}")
    if not len(weight):
        raise ShapeError(f"weight must have at least 1 filter, but has shape {weight.shape}")
    if input.dtype.kind not in "fiuc":
        raise KindError(f"input must be of numbers, got {input.dtype}")
    for name, x in (("weight", weight), ("bias", bias)):
        if x is not None and x.dtype != input.dtype:
            raise DtypeError(f"Input type ({input.dtype}) and {name} type ({x.dtype}) should be the same")
    if bias is not None and bias.shape != (out_channels,):
        raise ShapeError(
            f"Given weight of size {[*weight.shape]}, expected bias to be 1-dimensional with {out_channels} elements, "
            f"but got bias of size {[*bias.shape]} instead"
        )


def channels_error(given: str, input: Array, weight: Array, expected: int) -> Exception:
    """Return the error for an input whose channels do not fit the weight, in PyTorch's words."""
    return ShapeError(
        f"Given {given}, weight of size {list(weight.shape)}, expected input{list(input.shape)} to have {expected} "
        f"channels, but got {input.shape[1]} channels instead"
    )
