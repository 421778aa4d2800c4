"""Convolution and transposed convolution layers.

They take floating-point Tensors of the weight's dtype, with a batch (N, C, ...) or without (C, ...).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from ...errors import ArgumentError
from ...parameter import Parameter
from ...tensor import Tensor
from ...type_aliases import Device, Dtype
from .. import functional as F
from .. import init
from ..common_types import _size_1_t as _size_1_t
from ..common_types import _size_2_t as _size_2_t
from ..common_types import _size_3_t as _size_3_t
from .layer_helpers import Size, add_parameters, layer_name, to_tuple
from .module import Module
from .utils import _pair as _pair  # programs import these names, and the sizes above, from here, too
from .utils import _reverse_repeat_tuple as _reverse_repeat_tuple
from .utils import _single as _single
from .utils import _triple as _triple

if TYPE_CHECKING:  # lazy_layers.py sets them here
    from .lazy_layers import LazyConv1d as LazyConv1d
    from .lazy_layers import LazyConv2d as LazyConv2d
    from .lazy_layers import LazyConv3d as LazyConv3d
    from .lazy_layers import LazyConvTranspose1d as LazyConvTranspose1d
    from .lazy_layers import LazyConvTranspose2d as LazyConvTranspose2d
    from .lazy_layers import LazyConvTranspose3d as LazyConvTranspose3d

PaddingMode: TypeAlias = Literal["zeros", "reflect", "replicate", "circular"]

_PAD_MODES = get_args(PaddingMode)


class _ConvNd(Module):
    """Base class of convolutions and transposed convolutions, also of programs: kernel_size has all dimensions."""

    weight: Parameter
    bias: Parameter | None
    padding_mode: PaddingMode = "zeros"  # of modules that PyTorch has saved before version 1.1

    _spatial_dims: int
    _convolve: str  # its function in F, which is looked up at each call, because programs replace functions there

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sequence[int],
        stride: Size,
        padding: Size | str,
        dilation: Size,
        transposed: bool,
        output_padding: Size,
        groups: int,
        bias: bool,
        padding_mode: PaddingMode,
        device: Device = None,
        dtype: Dtype = None,
    ) -> None:
        super().__init__()
        n = len(kernel_size)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = tuple(kernel_size)
        self.stride: tuple[int, ...] = to_tuple(stride, n)
        self.padding: tuple[int, ...] | str = padding if isinstance(padding, str) else to_tuple(padding, n)
        self.dilation: tuple[int, ...] = to_tuple(dilation, n)
        self.transposed = transposed
        self.output_padding: tuple[int, ...] = to_tuple(output_padding, n)
        self.groups = groups
        self.padding_mode = padding_mode
        self._check_settings()
        self._reversed_padding_repeated_twice = self._pad_widths()  # programs set it, to pad one side
        add_parameters(self, device, dtype, weight=self._weight_shape(), bias=out_channels if bias else None)
        self.reset_parameters()

    def _size(self, size: Any) -> Any:
        """Return a size for each dimension of the layer, even if kernel_size has another number of them."""
        return size if isinstance(size, str) else to_tuple(size, self._spatial_dims)

    def _check_settings(self) -> None:
        if self.groups <= 0:
            raise ValueError(f"groups must be a positive integer, got {self.groups}")
        for name, channels in (("in_channels", self.in_channels), ("out_channels", self.out_channels)):
            if channels % self.groups:
                raise ValueError(f"{name} must be divisible by groups, but {channels} is not by {self.groups}")
        if isinstance(self.padding, str):
            if self.padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string {self.padding!r}, should be 'same' or 'valid'")
            if self.padding == "same" and any(stride != 1 for stride in self.stride):
                raise ValueError(f"padding='same' is not supported for strided convolutions, got stride {self.stride}")
        if self.padding_mode not in _PAD_MODES:
            raise ValueError(f"padding_mode must be one of {_PAD_MODES}, but got padding_mode={self.padding_mode!r}")

    def _weight_shape(self) -> tuple[int, ...]:
        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        return (first, second // self.groups, *self.kernel_size)

    def _pad_widths(self) -> Sequence[int]:
        """Return the padding in the order of `F.pad`: left, right, top, bottom."""
        if not isinstance(self.padding, str):
            return _reverse_repeat_tuple(self.padding, 2)
        widths = []
        for dilation, size in reversed(list(zip(self.dilation, self.kernel_size, strict=False))):
            total = dilation * (size - 1) if self.padding == "same" else 0
            widths += [total // 2, total - total // 2]
        return widths

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.fan_in_uniform_(self.weight, self.bias)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * len(self.padding):
            text += f", padding={self.padding}"
        if self.dilation != (1,) * len(self.dilation):
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * len(self.output_padding):
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Conv(_ConvNd):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        device: Device = None,
        dtype: Dtype = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, self._size(kernel_size), self._size(stride), self._size(padding),
            self._size(dilation), False, self._size(0), groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve with a given weight and bias: PyTorch's hook for subclasses that compute their weights."""
        padding: Size | str = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode), 0
        return getattr(F, self._convolve)(input, weight, bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(_Conv):
    """(N, in_channels, L) -> (N, out_channels, OL): see Conv2d. Raises as Conv2d does. Source: torch.nn.Conv1d.

    >>> nn.Conv1d(1, 10, kernel_size=3, padding="same")(torch.zeros(8, 1, 28)).shape
    torch.Size([8, 10, 28])
    """

    _spatial_dims, _convolve = 1, "conv1d"


class Conv2d(_Conv):
    """Cross-correlation: (N, in_channels, H, W) -> (N, out_channels, OH, OW), also without N.

    weight is (out_channels, in_channels/groups, KH, KW). Weight and bias start uniform in ±1/√fan_in, where fan_in is
    the number of inputs of an output. Raises ValueError for settings that don't fit together. RuntimeError is raised
    for inputs of other dimensions, channels or dtypes, and if the kernel is larger than the padded input.
    Source: torch.nn.Conv2d.

    >>> conv = nn.Conv2d(1, 10, kernel_size=3, padding=1)
    >>> conv, conv(torch.zeros(8, 1, 28, 28)).shape
    (Conv2d(1, 10, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1)), torch.Size([8, 10, 28, 28]))
    """

    _spatial_dims, _convolve = 2, "conv2d"


class Conv3d(_Conv):
    """(N, in_channels, D, H, W) -> (N, out_channels, OD, OH, OW): see Conv2d.

    Raises as Conv2d does. Source: torch.nn.Conv3d.

    >>> nn.Conv3d(1, 10, kernel_size=3, stride=2)(torch.zeros(1, 9, 9, 9)).shape
    torch.Size([10, 4, 4, 4])
    """

    _spatial_dims, _convolve = 3, "conv3d"


class _ConvTransposeNd(_ConvNd):
    def _output_padding(
        self,
        input: Tensor,
        output_size: Sequence[int] | None,
        stride: Sequence[int],
        padding: Sequence[Any],
        kernel_size: Sequence[int],
        num_spatial_dims: int,
        dilation: Sequence[int] | None = None,
    ) -> Sequence[int]:
        """Return the output_padding that gives the result this size. Subclasses of other programs call it, too."""
        if output_size is None:
            return self.output_padding
        n, name = num_spatial_dims, layer_name(self)
        batched = input.ndim == n + 2
        wanted = tuple(output_size)[2 if batched else 1 :] if len(output_size) == input.ndim else tuple(output_size)
        if len(wanted) != n:
            raise ArgumentError(
                f"{name}: for {input.ndim}D input, output_size must have {n} or {input.ndim} elements "
                f"(got {len(output_size)})"
            )
        sizes = tuple(input.shape)[-n:]
        settings = zip(sizes, stride, padding, dilation or (1,) * n, kernel_size, strict=True)
        least = [(size - 1) * s - 2 * p + d * (k - 1) + 1 for size, s, p, d, k in settings]
        most = [m + s - 1 for m, s in zip(least, stride, strict=True)]
        if any(not a <= w <= b for w, a, b in zip(wanted, least, most, strict=True)):
            raise ArgumentError(
                f"{name}: requested an output size of {wanted}, but valid sizes range from {least} to {most} "
                f"(for an input of {sizes})"
            )
        return [w - a for w, a in zip(wanted, least, strict=True)]


class _ConvTranspose(_ConvTransposeNd):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: PaddingMode = "zeros",
        device: Device = None,
        dtype: Dtype = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {self._get_name()}, got {padding_mode!r}')
        super().__init__(
            in_channels, out_channels, self._size(kernel_size), self._size(stride), self._size(padding),
            self._size(dilation), True, self._size(output_padding), groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        extra = self._output_padding(
            input, output_size, self.stride, self.padding, self.kernel_size, self._spatial_dims, self.dilation
        )
        settings = self.stride, self.padding, extra, self.groups, self.dilation
        return getattr(F, self._convolve)(input, self.weight, self.bias, *settings)


class ConvTranspose1d(_ConvTranspose):
    """(N, in_channels, L) -> (N, out_channels, OL): see ConvTranspose2d.

    Raises as ConvTranspose2d does. Source: torch.nn.ConvTranspose1d.

    >>> nn.ConvTranspose1d(2, 3, kernel_size=4, stride=2, padding=1)(torch.zeros(2, 7)).shape
    torch.Size([3, 14])
    """

    _spatial_dims, _convolve = 1, "conv_transpose1d"


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution, as in the gradient of Conv2d: (N, in_channels, H, W) -> (N, out_channels, OH, OW).

    weight is (in_channels, out_channels/groups, KH, KW). With a stride > 1 several output sizes are possible; `forward`
    takes an output_size to choose one. Raises ValueError for a padding_mode other than "zeros", RuntimeError for inputs
    of other dimensions, channels or dtypes, and for an output_size that isn't possible.
    Source: torch.nn.ConvTranspose2d.

    >>> up = nn.ConvTranspose2d(4, 1, kernel_size=3, stride=2, padding=1)
    >>> up(torch.zeros(8, 4, 7, 7)).shape, up(torch.zeros(8, 4, 7, 7), output_size=(14, 13)).shape
    (torch.Size([8, 1, 13, 13]), torch.Size([8, 1, 14, 13]))
    """

    _spatial_dims, _convolve = 2, "conv_transpose2d"


class ConvTranspose3d(_ConvTranspose):
    """(N, in_channels, D, H, W) -> (N, out_channels, OD, OH, OW): see ConvTranspose2d.

    Raises as ConvTranspose2d does. Source: torch.nn.ConvTranspose3d.

    >>> nn.ConvTranspose3d(2, 3, kernel_size=2, stride=2)(torch.zeros(2, 3, 4, 5)).shape
    torch.Size([3, 6, 8, 10])
    """

    _spatial_dims, _convolve = 3, "conv_transpose3d"
