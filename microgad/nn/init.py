"""torch.nn.init: initializers, which fill a Tensor in place and record nothing.

After `manual_seed` they draw the values that PyTorch draws. They return the Tensor. Raise ValueError for a number of
dimensions that they can't fill, and RuntimeError where they draw into a Tensor of integers.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np

from .. import state
from ..errors.notices import warn
from ..generator import Generator
from ..ops.creation import empty_like
from ..ops.elementwise import where
from ..ops.random import randperm
from ..type_aliases import Tensor
from .deprecation import deprecated_alias

__all__ = [
    "calculate_gain", "constant", "constant_", "dirac", "dirac_", "eye", "eye_", "kaiming_normal", "kaiming_normal_",
    "kaiming_uniform", "kaiming_uniform_", "normal", "normal_", "ones_", "orthogonal", "orthogonal_", "sparse",
    "sparse_", "trunc_normal_", "uniform", "uniform_", "xavier_normal", "xavier_normal_", "xavier_uniform",
    "xavier_uniform_", "zeros_",
]  # fmt: skip

FanMode: TypeAlias = Literal["fan_in", "fan_out"]
Nonlinearity: TypeAlias = Literal[
    "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid",
    "tanh", "relu", "leaky_relu", "selu",
]  # fmt: skip

_GAINS: dict[str, float] = {"sigmoid": 1, "tanh": 5 / 3, "relu": math.sqrt(2.0), "selu": 3 / 4, "linear": 1}
_GAINS |= {f"conv{transpose}{n}d": 1 for transpose in ("", "_transpose") for n in (1, 2, 3)}


def calculate_gain(nonlinearity: Nonlinearity, param: float | None = None) -> float:
    """Return the recommended gain of a nonlinearity; `param` is the slope of leaky_relu, 0.01 by default.

    Raises ValueError for an unknown nonlinearity. Source: torch.nn.init.calculate_gain.

    >>> nn.init.calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if isinstance(nonlinearity, str) and nonlinearity in _GAINS:
        return _GAINS[nonlinearity]
    if nonlinearity != "leaky_relu":
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}; known are {', '.join(_GAINS)}, leaky_relu")
    if isinstance(param, bool) or not isinstance(param, (int, float, type(None))):
        raise ValueError(f"negative_slope {param} not a valid number")
    slope = 0.01 if param is None else param
    return math.sqrt(2.0 / (1 + slope**2))


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with uniform numbers in [a, b).

    Of any shape. Raises RuntimeError if a > b, and for integers. Source: torch.nn.init.uniform_.

    >>> _ = torch.manual_seed(2024)
    >>> nn.init.uniform_(torch.empty(1), -2, 5)
    tensor([1.7220])
    """
    with state.scope(grad_enabled=False):
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers of a given mean and standard deviation.

    Of any shape. Raises RuntimeError if std is negative, and for integers. Source: torch.nn.init.normal_.

    >>> _ = torch.manual_seed(2024)
    >>> nn.init.normal_(torch.empty(3))
    tensor([-0.0404,  1.7260, -0.8140])
    """
    with state.scope(grad_enabled=False):
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with normal numbers, redrawn until they are within [a, b].

    Of any shape. Raises RuntimeError if a > b, and for integers. Source: torch.nn.init.trunc_normal_.

    >>> nn.init.trunc_normal_(torch.empty(100), std=5.0).abs().max() <= 2
    tensor(True)
    """
    if tensor.is_meta:
        return tensor
    if mean < a - 2 * std or mean > b + 2 * std:
        warn("trunc_normal_: mean is more than 2 std from [a, b]; the distribution may be off")
    with state.scope(grad_enabled=False):
        inside = (math.erf((b - mean) / std / math.sqrt(2)) - math.erf((a - mean) / std / math.sqrt(2))) / 2
        draw = _trunc_normal_by_normals if inside > 0.3 else _trunc_normal_by_uniforms
        return tensor.copy_(draw(tensor, mean, std, a, b, generator))


def _trunc_normal_by_normals(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None
) -> Tensor:
    """Draw normal numbers for the whole shape until each place has got one inside [a, b]."""
    values = tensor.normal_(mean, std, generator=generator)
    while (outside := (values < a) | (values > b)).any():
        values = where(outside, empty_like(tensor).normal_(mean, std, generator=generator), values)
    return values


def _trunc_normal_by_uniforms(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None
) -> Tensor:
    """Draw uniform numbers, and accept them by rejection sampling: few normal numbers would be inside [a, b]."""
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2

    def rejected(candidates: Tensor) -> Tensor:
        log_density = candidates.sub(mean).div(std).pow(2).mul(-0.5).sub(peak)
        return empty_like(tensor).uniform_(generator=generator).log() > log_density

    values = tensor.uniform_(a, b, generator=generator)
    pending = rejected(values)
    while pending.any():
        candidates = empty_like(tensor).uniform_(a, b, generator=generator)
        values = where(pending, candidates, values)
        pending = pending & rejected(candidates)
    return values


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value. Of any shape and dtype. Source: torch.nn.init.constant_.

    >>> nn.init.constant_(torch.empty(2), 0.3)
    tensor([0.3000, 0.3000])
    """
    with state.scope(grad_enabled=False):
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones. Of any shape and dtype. Source: torch.nn.init.ones_.

    >>> nn.init.ones_(torch.empty(2))
    tensor([1., 1.])
    """
    return constant_(tensor, 1)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros. Of any shape and dtype. Source: torch.nn.init.zeros_.

    >>> nn.init.zeros_(torch.empty(2))
    tensor([0., 0.])
    """
    return constant_(tensor, 0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with ones on the diagonal and zeros elsewhere.

    Raises ValueError unless it is (m, n). Source: torch.nn.init.eye_.

    >>> nn.init.eye_(torch.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    if tensor.ndim != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, got shape {tuple(tensor.shape)}")
    diagonal = list(range(min(tensor.shape)))
    with state.scope(grad_enabled=False):
        tensor.zero_()[diagonal, diagonal] = 1
    return tensor


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a convolution's weight (O, C, K...) so that each group passes on as many input channels as it can.

    Raises ValueError unless it has 3, 4 or 5 dimensions, and `groups` divides O. Source: torch.nn.init.dirac_.

    >>> nn.init.dirac_(torch.empty(1, 1, 3))
    tensor([[[0., 1., 0.]]])
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"Only tensors with 3, 4, or 5 dimensions are supported, got shape {tuple(tensor.shape)}")
    out_channels, in_channels, *kernel = tensor.shape
    if out_channels % groups:
        raise ValueError(f"dim 0 must be divisible by groups, but {out_channels} is not by {groups}")
    per_group = out_channels // groups
    middle = [size // 2 for size in kernel]
    with state.scope(grad_enabled=False):
        tensor.zero_()
        for group in range(groups):
            for channel in range(min(per_group, in_channels)):
                tensor[(group * per_group + channel, channel, *middle)] = 1
    return tensor


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """Return fan_in and fan_out of a weight (O, C, K...): C · ∏ K and O · ∏ K."""
    if tensor.ndim < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions, got shape "
            f"{tuple(tensor.shape)}"
        )
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill a weight (O, C, K...) with uniform numbers in ±gain · √(6 / (fan_in + fan_out)).

    Raises ValueError for fewer than two dimensions. Source: torch.nn.init.xavier_uniform_; Glorot and Bengio (2010).

    >>> nn.init.xavier_uniform_(torch.empty(3, 3)).abs().max() <= 1
    tensor(True)
    """
    bound = math.sqrt(3.0) * _xavier_std(tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers of standard deviation gain · √(2 / (fan_in + fan_out)): see `xavier_uniform_`.

    Raises ValueError for fewer than two dimensions. Source: torch.nn.init.xavier_normal_.

    >>> _ = torch.manual_seed(0)
    >>> nn.init.xavier_normal_(torch.empty(1, 3))
    tensor([[ 1.0896, -0.2075, -1.5406]])
    """
    return normal_(tensor, 0.0, _xavier_std(tensor, gain), generator)


def _xavier_std(tensor: Tensor, gain: float) -> float:
    return gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor)))


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: FanMode = "fan_in",
    nonlinearity: Nonlinearity = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill a weight (O, C, K...) with uniform numbers in ±gain · √(3 / fan), where `mode` chooses the fan.

    The gain is calculate_gain(nonlinearity, a). Raises ValueError for fewer than two dimensions, an unknown mode or
    nonlinearity. Source: torch.nn.init.kaiming_uniform_; He et al. (2015).

    >>> nn.init.kaiming_uniform_(torch.empty(3, 6), nonlinearity="relu").abs().max() <= 1
    tensor(True)
    """
    if 0 in tensor.shape:
        return _nothing_to_draw(tensor)
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: FanMode = "fan_in",
    nonlinearity: Nonlinearity = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with normal numbers of standard deviation gain / √fan: see `kaiming_uniform_`.

    Raises ValueError as that does. Source: torch.nn.init.kaiming_normal_.

    >>> _ = torch.manual_seed(0)
    >>> nn.init.kaiming_normal_(torch.empty(1, 3))
    tensor([[ 1.2582, -0.2396, -1.7790]])
    """
    if 0 in tensor.shape:
        return _nothing_to_draw(tensor)
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: FanMode, nonlinearity: Nonlinearity) -> float:
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _calculate_correct_fan(tensor: Tensor, mode: FanMode) -> int:
    modes = ("fan_in", "fan_out")
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode} not supported, please use one of {modes}")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]


def _nothing_to_draw(tensor: Tensor) -> Tensor:
    warn("Initializing zero-element tensors is a no-op")
    return tensor


def fan_in_uniform_(weight: Tensor, bias: Tensor | None) -> None:
    """Initialize a linear or convolution layer: weight and bias uniform in ±1/√fan_in, rounded as PyTorch does it."""
    kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        fan_in, _ = _calculate_fan_in_and_fan_out(weight)
        bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
        uniform_(bias, -bound, bound)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with a matrix whose rows or columns, whichever are fewer, are orthonormal, times `gain`.

    Dimensions after the first count as one. Raises ValueError for fewer than two dimensions.
    Source: torch.nn.init.orthogonal_; Saxe et al. (2013).

    >>> w = nn.init.orthogonal_(torch.empty(2, 3))
    >>> torch.allclose(w @ w.T, torch.eye(2), atol=1e-6)
    True
    """
    if tensor.ndim < 2:
        raise ValueError(f"Only tensors with 2 or more dimensions are supported, got shape {tuple(tensor.shape)}")
    if tensor.numel() == 0 or tensor.is_meta:
        return tensor
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    drawn = tensor.new_zeros(rows, columns).normal_(generator=generator).array
    q, r = np.linalg.qr(drawn.T if rows < columns else drawn)
    q = q * np.sign(np.diagonal(r))  # makes QR unique, hence q uniform over orthogonal matrices: Mezzadri (2007)
    with state.scope(grad_enabled=False):
        return tensor.copy_(tensor.new_tensor((q.T if rows < columns else q).reshape(tensor.shape)).mul_(gain))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Fill a matrix with normal numbers, and set a fraction `sparsity` of each column to zero.

    As in PyTorch, the positions of the zeros are drawn from the default generator, even if another is given. Raises
    ValueError unless it is (m, n). Source: torch.nn.init.sparse_; Martens (2010).

    >>> (nn.init.sparse_(torch.empty(4, 3), sparsity=0.5) == 0).sum(0)
    tensor([2, 2, 2])
    """
    if tensor.ndim != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, got shape {tuple(tensor.shape)}")
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    with state.scope(grad_enabled=False):
        tensor.normal_(0, std, generator=generator)
        for column in range(columns):
            tensor[randperm(rows)[:zeros], column] = 0
    return tensor


uniform = deprecated_alias(uniform_, "nn.init")
normal = deprecated_alias(normal_, "nn.init")
constant = deprecated_alias(constant_, "nn.init")
eye = deprecated_alias(eye_, "nn.init")
dirac = deprecated_alias(dirac_, "nn.init")
xavier_uniform = deprecated_alias(xavier_uniform_, "nn.init")
xavier_normal = deprecated_alias(xavier_normal_, "nn.init")
kaiming_uniform = deprecated_alias(kaiming_uniform_, "nn.init")
kaiming_normal = deprecated_alias(kaiming_normal_, "nn.init")
orthogonal = deprecated_alias(orthogonal_, "nn.init")
sparse = deprecated_alias(sparse_, "nn.init")

_no_grad_uniform_, _no_grad_normal_, _no_grad_trunc_normal_ = uniform_, normal_, trunc_normal_  # libraries import these
_no_grad_fill_, _no_grad_zero_ = constant_, zeros_
