"""2-D convolution, its transpose, and its weight's derivative: bilinear, and closed under differentiation.

Between x (N, C, H, W), weight (O, C/groups, KH, KW) and y (N, O, OH, OW) there is one trilinear form: the sum over all
places and taps of y · weight · x. Each of the three Functions is its derivative for one of the three, so each one's
derivatives are the other two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ...errors import DtypeError, ShapeError, plural
from ...function import Function, LinearMap
from .geometry import Size, Window, pair, refusal
from .unfold import add_columns, blocks, padded, windows

if TYPE_CHECKING:
    from ...tensor import Tensor


class Conv2d(Function):
    """(N, C, H, W), (O, C/groups, KH, KW), (O,) or None -> (N, O, OH, OW): cross-correlation."""

    symbol = "conv2d"
    window: Window
    groups: int

    def forward(self, input, weight, bias):
        check(input, weight, bias, self.groups, len(weight))
        per_group = weight.shape[1]
        if input.shape[1] != per_group * self.groups:
            groups = f" and groups = {self.groups}" if self.groups > 1 else ""
            channels = plural(input.shape[1], "channel")
            raise ShapeError(f"input has {channels}, but weight has in_channels/groups = {per_group}{groups}")
        if len(weight) % self.groups:
            raise ShapeError(
                f"weight has {plural(len(weight), 'filter')}, which groups = {self.groups} does not divide"
            )
        self.window.check()
        return correlate(input, weight, bias, self.window, self.groups)

    def backward(self, grad, input, weight):
        to_input, to_weight, to_bias = self.needs
        settings = {"window": self.window, "groups": self.groups}
        grad_input = ConvTranspose2d.apply(grad, weight, None, **settings) if to_input else None
        if to_weight and to_bias:
            return grad_input, *Conv2dWeight.apply(grad, input, affine=True, **settings)
        grad_weight = Conv2dWeight.apply(grad, input, affine=False, **settings) if to_weight else None
        return grad_input, grad_weight, ChannelSum.apply(grad) if to_bias else None


class ConvTranspose2d(Function):
    """(N, O, OH, OW), (O, C/groups, KH, KW), (C,) or None -> (N, C, H, W): the adjoint of Conv2d in its input."""

    symbol = "conv_transpose2d"
    window: Window
    groups: int

    def forward(self, input, weight, bias):
        check(input, weight, bias, self.groups, weight.shape[1] * self.groups)
        if input.shape[1] != len(weight):
            raise ShapeError(
                f"input has {plural(input.shape[1], 'channel')}, but weight has in_channels = {len(weight)}"
            )
        if len(weight) % self.groups:
            raise ShapeError(f"in_channels = {len(weight)} is not divisible by groups = {self.groups}")
        if min(self.window.kernel) < 1:
            raise ShapeError(f"the kernel must be at least (1, 1), got {self.window.kernel}")
        if min(self.window.size) < 1:
            raise ShapeError(f"the output's size would be {self.window.size}: the padding takes all of it away")
        return transpose(input, weight, bias, self.window, self.groups)

    def grad_input(self, grad, weight):
        return Conv2d.apply(grad, weight, None, window=self.window, groups=self.groups)

    def grad_weight(self, grad, input):
        return Conv2dWeight.apply(input, grad, affine=False, window=self.window, groups=self.groups)

    def grad_bias(self, grad):
        return ChannelSum.apply(grad)


class Conv2dWeight(Function):
    """(N, O, OH, OW), (N, C, H, W) -> (O, C/groups, KH, KW): what each tap of a weight brings together.

    If `affine`, also what a bias brings, (O,): in one pass over y, which takes a third less time than two.
    """

    symbol = "conv2d_weight"
    window: Window
    groups: int
    affine: bool

    def forward(self, y, x):
        return correlate_taps(y, x, self.window, self.groups, self.affine)

    def grad_y(self, grad, x):
        weight, bias = grad if self.affine else (grad, None)
        return Conv2d.apply(x, weight, bias, window=self.window, groups=self.groups)

    def grad_x(self, grad, y):
        weight = grad[0] if self.affine else grad
        return ConvTranspose2d.apply(y, weight, None, window=self.window, groups=self.groups)


class ChannelSum(LinearMap):
    """(N, C, H, W) -> (C,): the sum for each channel, by a matrix product, which is three times as fast as np.sum."""

    symbol = "Σ"

    def forward(self, x):
        n, c, h, w = x.shape
        return (x.reshape(n * c, h * w) @ np.ones_like(x, shape=h * w)).reshape(n, c).sum(0)

    def adjoint(self, grad):
        return np.broadcast_to(grad.reshape(-1, 1, 1), self.x_shape)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlate (N, C, H, W) with O filters (O, C/groups, KH, KW): (N, O, OH, OW).

    `padding` is of zeros: ints, "valid" (none) or "same" (the output has the input's size; stride 1 only). Without a
    batch, (C, H, W) gives (O, OH, OW). Raises RuntimeError where channels, dtypes or sizes do not fit. Source:
    torch.nn.functional.conv2d.

    >>> x = torch.arange(9.0).reshape(1, 1, 3, 3)
    >>> torch.nn.functional.conv2d(x, torch.ones(1, 1, 2, 2))
    tensor([[[[ 8., 12.],
              [20., 24.]]]])
    """
    if input.ndim == 3:
        return conv2d(input.unsqueeze(0), weight, bias, stride, padding, dilation, groups).squeeze(0)
    window = Window.sliding("Conv2d", input.shape[2:], weight.shape[2:], stride, padding, dilation)
    return Conv2d.apply(input, weight, bias, window=window, groups=positive("Conv2d", groups))


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """The adjoint of conv2d in its input, (N, C, H, W), (C, O/groups, KH, KW) -> (N, O, OH, OW).

    OH = (H - 1) · stride - 2 · padding + dilation · (KH - 1) + output_padding + 1. Source:
    torch.nn.functional.conv_transpose2d. Raises RuntimeError where channels, dtypes or sizes do not fit.

    >>> x = torch.tensor([[[[1.0, 2.0]]]])
    >>> torch.nn.functional.conv_transpose2d(x, torch.ones(1, 1, 1, 2), stride=2)
    tensor([[[[1., 1., 2., 2.]]]])
    """
    if input.ndim == 3:
        batch = conv_transpose2d(input.unsqueeze(0), weight, bias, stride, padding, output_padding, groups, dilation)
        return batch.squeeze(0)
    op = "ConvTranspose2d"
    window = Window.sliding(op, (0, 0), weight.shape[2:], stride, padding, dilation)
    extra = pair(op, "output_padding", output_padding, least=0)
    size: Any = []
    edges: Any = []
    for i, n in enumerate(input.shape[2:4]):
        s, d, (p, _), e = window.stride[i], window.dilation[i], window.padding[i], extra[i]
        if e >= max(s, d):
            raise refusal(
                op, f"output_padding must be smaller than stride or dilation, but it is {e}, they are {s} and {d}"
            )
        size.append((n - 1) * s - 2 * p + window.span[i] + e)
        edges.append((p, p - e))  # no window reaches the cells of output_padding
    window = window._replace(size=tuple(size), padding=tuple(edges))
    return ConvTranspose2d.apply(input, weight, bias, window=window, groups=positive(op, groups))


def check(input: Any, weight: Any, bias: Any, groups: int, out_channels: int) -> None:
    """What a convolution and its transpose ask of their arguments alike."""
    if input.ndim != 4 or weight.ndim != 4:
        raise ShapeError(
            f"input must be (N, C, H, W) or (C, H, W) and weight have 4 dimensions, got {input.ndim} and {weight.ndim}"
        )
    if 0 in input.shape[2:]:
        raise ShapeError(f"input may be empty in its batch or its channels alone, got {input.shape}")
    if input.dtype.kind not in "fiu":
        raise DtypeError(f"input must be of real numbers, got {input.dtype}")
    for name, x in (("weight", weight), ("bias", bias)):
        if x is not None and x.dtype != input.dtype:
            raise DtypeError(f"input and {name} must have one dtype, got {input.dtype} and {x.dtype}")
    if bias is not None and bias.shape != (out_channels,):
        raise ShapeError(f"bias must have shape ({out_channels},), one for each output channel, got {bias.shape}")


def positive(op: str, groups: int) -> int:
    """`groups`, refused where it isn't at least 1."""
    return pair(op, "groups", groups)[0]


# The kernels, on bare arrays. Channels come in groups: x is (N, G, C/G, H, W), weight (G, O/G, C/G, KH, KW).


def correlate(x: Any, weight: Any, bias: Any, window: Window, groups: int) -> Any:
    """x, weight, bias -> y."""
    n, o = len(x), len(weight)
    y = np.empty_like(x, shape=(n, groups, o // groups, *window.out), order="C")
    weight = weight.reshape(groups, o // groups, *weight.shape[1:])
    bias = None if bias is None else bias.reshape(groups, o // groups, 1)
    tall = window.kernel[0] >= 5 and window.dilation[0] == 1
    strategy = by_rows if tall and weight[0].nbytes <= 1 << 18 else by_columns
    strategy(x, weight, bias, window, y)
    return y.reshape(n, o, *window.out)


def by_columns(x: Any, weight: Any, bias: Any, window: Window, y: Any) -> None:
    """im2col, a block at a time: the weight's matrix times all windows' columns. The bias is a weight of ones."""
    g, o, c, kh, kw = weight.shape
    (oh, ow), matrix, affine = window.out, weight.reshape(g, o, c * kh * kw), bias is not None
    if affine:
        matrix = np.concatenate((matrix, bias), 2)
    flat = y.reshape(len(x), g, o, oh * ow)
    for images, places, columns in column_blocks(x, window, g, affine):
        np.matmul(matrix, columns, out=flat[images, :, :, places])


def by_rows(x: Any, weight: Any, bias: Any, window: Window, y: Any) -> None:
    """Columns over KW only, row by row of x: KH rows lie together, so they are one matrix without another copy.

    KH times less to copy than im2col, but a product for each row of y, and BLAS packs the weight's matrix for each: it
    pays where the kernel is tall and that matrix small.
    """
    g, o, c, kh, kw = weight.shape
    (sh, sw), dw, (oh, ow), (height, _) = window.stride, window.dilation[1], window.out, window.padded
    matrix = np.transpose(weight, (0, 1, 3, 2, 4)).reshape(g, 1, o, kh * c * kw)
    plane = padded(x, window)
    for images, _ in blocks(x, 1, x.shape[1] * kw * height * ow):
        taps = sliding_window_view(plane[images], window.span[1], axis=3)[..., ::sw, ::dw]  # (n, C, H, OW, KW)
        n = len(taps)
        lines = np.transpose(taps.reshape(n, g, c, height, ow, kw), (0, 1, 3, 2, 5, 4)).copy()  # (n, G, H, C/G, KW, OW)
        stacked = np.moveaxis(sliding_window_view(lines, kh, axis=2)[:, :, ::sh], -1, 3)  # (n, G, OH, KH, C/G, KW, OW)
        out = np.transpose(y[images], (0, 1, 3, 2, 4))  # (n, G, OH, O/G, OW)
        np.matmul(matrix, stacked.reshape(n, g, oh, kh * c * kw, ow), out=out)
        if bias is not None:
            out += bias[:, None]


def transpose(y: Any, weight: Any, bias: Any, window: Window, groups: int) -> Any:
    """y, weight, bias -> x."""
    n, o, c, (kh, kw), y = len(y), len(weight) // groups, weight.shape[1], window.kernel, contiguous(y)
    weight = weight.reshape(groups, o, c, kh, kw)
    if window.stride == (1, 1) and o <= 2 * c * kh:
        turned = np.transpose(np.flip(weight, (3, 4)), (0, 2, 1, 3, 4)).copy()  # (G, C/G, O/G, KH, KW)
        return correlate(y, turned.reshape(groups * c, o, kh, kw), bias, window.turned(), groups)
    matrix = np.swapaxes(weight.reshape(groups, o, c * kh * kw), 1, 2)
    oh, ow = window.out
    flat = y.reshape(n, groups, o, oh * ow)
    x = np.zeros_like(y, shape=(n, groups, c, *window.size), order="C")
    for images, rows in blocks(y, oh, groups * c * kh * kw * ow // 4):  # larger ones: each tap is added by itself
        columns = matrix @ flat[images, :, :, rows.start * ow : rows.stop * ow]
        columns = columns.reshape(len(columns), groups, c, kh * kw, rows.stop - rows.start, ow)
        add_columns(columns, x[images], window, rows.start)
    x = x.reshape(n, groups * c, *window.size)
    if bias is not None:
        x += bias.reshape(-1, 1, 1)
    return x


def correlate_taps(y: Any, x: Any, window: Window, groups: int, affine: bool = False) -> Any:
    """y, x -> weight; if affine -> weight, bias."""
    o, c, (kh, kw), (oh, ow) = y.shape[1] // groups, x.shape[1] // groups, window.kernel, window.out
    flat, k = contiguous(y).reshape(len(y), groups, o, oh * ow), c * kh * kw
    matrix = np.zeros_like(x, shape=(groups, o, k + affine), order="C")
    for images, places, columns in column_blocks(x, window, groups, affine):
        matrix += (flat[images, :, :, places] @ np.swapaxes(columns, 2, 3)).sum(0)
    weight = matrix[:, :, :k].reshape(groups * o, c, kh, kw)
    return (weight, matrix[:, :, k].reshape(groups * o)) if affine else weight


def contiguous(x: Any) -> Any:
    """x, copied where its strides would keep it from BLAS: the gradient of a sum has stride 0."""
    return x if x.flags.c_contiguous else x.copy()


def column_blocks(x: Any, window: Window, groups: int, affine: bool) -> Iterator[tuple[slice, slice, Any]]:
    """im2col a block at a time: which images, which of the OH·OW places, columns (n, G, C/G·KH·KW, places).

    If affine, a row of ones follows in each matrix. Else, of a 1 x 1 kernel, the columns are x itself.
    """
    taps = windows(padded(x, window), window)
    n, c, kh, kw, oh, ow = taps.shape
    k, taps = c // groups * kh * kw, taps.reshape(n, groups, c // groups, kh, kw, oh, ow)
    for images, rows in blocks(x, oh, c * kh * kw * ow):
        block, places = taps[images, ..., rows, :], slice(rows.start * ow, rows.stop * ow)
        if affine:
            columns = np.empty_like(x, shape=(len(block), groups, k + 1, places.stop - places.start), order="C")
            columns[:, :, :k].reshape(block.shape)[...] = block
            columns[:, :, k] = 1
        else:
            columns = block.reshape(len(block), groups, k, places.stop - places.start)
        yield images, places, columns
