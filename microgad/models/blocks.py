"""Building blocks of networks, under their names in torchvision.ops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import nn
from ..errors import ArgumentError
from ..nn import Module
from ..nn.modules.layer_helpers import settings_repr
from ..ops import creation
from ..tensor import Tensor

Layer = Callable[..., Module]


def make_divisible(v: float, divisor: int, min_value: int | None = None) -> int:
    """Return the multiple of divisor nearest to v, but at least 0.9 v and min_value (by default divisor)."""
    found = max(min_value or divisor, int(v + divisor / 2) // divisor * divisor)
    return found + divisor if found < 0.9 * v else found


class ConvNormActivation(nn.Sequential):
    """A convolution, by default of the same size, a normalization and an activation; the last two may be None.

    Source: torchvision.ops.misc.ConvNormActivation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any = 3,
        stride: Any = 1,
        padding: Any = None,
        groups: int = 1,
        norm_layer: Layer | None = nn.BatchNorm2d,
        activation_layer: Layer | None = nn.ReLU,
        dilation: Any = 1,
        inplace: bool | None = True,
        bias: bool | None = None,
        conv_layer: Layer = nn.Conv2d,
    ) -> None:
        if padding is None:
            padding = _same_padding(kernel_size, dilation)
        bias = norm_layer is None if bias is None else bias
        options = {"dilation": dilation, "groups": groups, "bias": bias}
        layers = [conv_layer(in_channels, out_channels, kernel_size, stride, padding, **options)]
        if norm_layer is not None:
            layers.append(norm_layer(out_channels))
        if activation_layer is not None:
            layers.append(activation_layer(**_inplace_option(inplace)))
        super().__init__(*layers)
        self.out_channels = out_channels


def _same_padding(kernel_size: Any, dilation: Any) -> Any:
    """Return the padding that keeps the size, for numbers or one number for each dimension."""
    if isinstance(kernel_size, int) and isinstance(dilation, int):
        return (kernel_size - 1) // 2 * dilation
    n = len(kernel_size) if isinstance(kernel_size, Sequence) else len(dilation)
    sizes, dilations = ((x,) * n if isinstance(x, int) else tuple(x) for x in (kernel_size, dilation))
    return tuple((k - 1) // 2 * d for k, d in zip(sizes, dilations, strict=True))


def _inplace_option(inplace: bool | None) -> dict[str, bool]:
    return {} if inplace is None else {"inplace": inplace}


class Conv2dNormActivation(ConvNormActivation):
    """(N, in, H, W) -> (N, out, H, W): convolution, normalization, activation; either of the last two may be None.

    Source: torchvision.ops.Conv2dNormActivation.

    >>> from microgad.models.blocks import Conv2dNormActivation
    >>> [type(layer).__name__ for layer in Conv2dNormActivation(3, 8)]
    ['Conv2d', 'BatchNorm2d', 'ReLU']
    """


class Conv3dNormActivation(ConvNormActivation):
    """(N, in, D, H, W) -> (N, out, D, H, W): the 3-d version of Conv2dNormActivation.

    Source: torchvision.ops.Conv3dNormActivation.

    >>> from microgad.models.blocks import Conv3dNormActivation
    >>> [type(layer).__name__ for layer in Conv3dNormActivation(3, 8, activation_layer=None)]
    ['Conv3d', 'BatchNorm3d']
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any = 3,
        stride: Any = 1,
        padding: Any = None,
        groups: int = 1,
        norm_layer: Layer | None = nn.BatchNorm3d,
        activation_layer: Layer | None = nn.ReLU,
        dilation: Any = 1,
        inplace: bool | None = True,
        bias: bool | None = None,
    ) -> None:
        how = (kernel_size, stride, padding, groups, norm_layer, activation_layer, dilation, inplace, bias, nn.Conv3d)
        super().__init__(in_channels, out_channels, *how)


class SqueezeExcitation(Module):
    """Scale each channel by a factor that a small network computes from the means of all channels.

    Source: torchvision.ops.SqueezeExcitation.

    >>> from microgad.models.blocks import SqueezeExcitation
    >>> SqueezeExcitation(8, 2)(torch.zeros(1, 8, 4, 4)).shape
    torch.Size([1, 8, 4, 4])
    """

    def __init__(
        self,
        input_channels: int,
        squeeze_channels: int,
        activation: Layer = nn.ReLU,
        scale_activation: Layer = nn.Sigmoid,
    ) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation = activation()
        self.scale_activation = scale_activation()

    def forward(self, input: Tensor) -> Tensor:
        scale = self.scale_activation(self.fc2(self.activation(self.fc1(self.avgpool(input)))))
        return scale * input


class MLP(nn.Sequential):
    """Linear layers of sizes hidden_channels, with dropout; all but the last have a normalization and an activation.

    Source: torchvision.ops.MLP.

    >>> from microgad.models.blocks import MLP
    >>> MLP(4, [8, 2])(torch.zeros(3, 4)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: Sequence[int],
        norm_layer: Layer | None = None,
        activation_layer: Layer = nn.ReLU,
        inplace: bool | None = None,
        bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        layers: list[Module] = []
        for i, channels in enumerate(hidden_channels):
            layers.append(nn.Linear(in_channels, channels, bias=bias))
            if i < len(hidden_channels) - 1:
                if norm_layer is not None:
                    layers.append(norm_layer(channels))
                layers.append(activation_layer(**_inplace_option(inplace)))
            layers.append(nn.Dropout(dropout, **_inplace_option(inplace)))
            in_channels = channels
        super().__init__(*layers)


class Permute(Module):
    """Permute the dimensions. Source: torchvision.ops.Permute.

    >>> from microgad.models.blocks import Permute
    >>> Permute([0, 2, 1])(torch.zeros(1, 2, 3)).shape
    torch.Size([1, 3, 2])
    """

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(*self.dims)


def stochastic_depth(input: Tensor, p: float, mode: str, training: bool = True) -> Tensor:
    """Zero each row (or the whole batch) with probability p, and scale the rest by 1 / (1 - p).

    Raises ValueError for an invalid p or mode. Source: torchvision.ops.stochastic_depth.

    >>> from microgad.models.blocks import stochastic_depth
    >>> stochastic_depth(torch.ones(2, 3), 0.5, "row", training=False).sum()
    tensor(6.)
    """
    if not 0.0 <= p <= 1.0:
        raise ArgumentError(f"drop probability has to be between 0 and 1, but got {p}")
    if mode not in ("batch", "row"):
        raise ArgumentError(f"mode has to be either 'batch' or 'row', but got {mode}")
    if not training or p == 0.0:
        return input
    shape = [input.shape[0] if mode == "row" else 1] + [1] * (input.ndim - 1)
    noise = creation.empty(shape, dtype=input.dtype, device=input.device).bernoulli_(1.0 - p)
    return input * (noise.div_(1.0 - p) if p < 1.0 else noise)


class StochasticDepth(Module):
    """stochastic_depth in training mode, else the identity. Source: torchvision.ops.StochasticDepth.

    >>> from microgad.models.blocks import StochasticDepth
    >>> StochasticDepth(0.1, "row")
    StochasticDepth(p=0.1, mode=row)
    """

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p, self.mode = p, mode

    def forward(self, input: Tensor) -> Tensor:
        return stochastic_depth(input, self.p, self.mode, self.training)

    extra_repr = settings_repr("p mode")


class FrozenBatchNorm2d(Module):
    """(N, C, H, W) -> (N, C, H, W): BatchNorm2d with fixed statistics and weights.

    Source: torchvision.ops.FrozenBatchNorm2d.

    >>> from microgad.models.blocks import FrozenBatchNorm2d
    >>> FrozenBatchNorm2d(3)
    FrozenBatchNorm2d(3, eps=1e-05)
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        for name, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
            self.register_buffer(name, creation.full((num_features,), float(value)))

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        state_dict.pop(f"{prefix}num_batches_tracked", None)  # from the state of a BatchNorm2d
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def forward(self, x: Tensor) -> Tensor:
        mean, var, weight, bias = (
            t.reshape(1, -1, 1, 1) for t in (self.running_mean, self.running_var, self.weight, self.bias)
        )
        scale = weight * (var + self.eps).rsqrt()
        return x * scale + (bias - mean * scale)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, eps={self.eps}"
