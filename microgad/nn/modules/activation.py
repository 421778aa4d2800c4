"""Activation layers, most of which apply a function to each element; Softmax and its relatives are in softmax.py.

They return Tensors of the input's shape and dtype, which is floating-point; other dtypes raise RuntimeError. ReLU,
ReLU6, Hardtanh and Threshold take integers, too, and Sigmoid, Tanh, Softsign and Tanhshrink make them floating-point.
With `inplace` the input is overwritten, which raises RuntimeError for a leaf that requires grad.
"""

from __future__ import annotations

from ...errors.notices import warn
from ...parameter import Parameter
from ...tensor import Tensor
from ...type_aliases import Device, Dtype
from .. import functional as F
from .. import init as initial
from ..attention import MultiheadAttention as MultiheadAttention
from .layer_helpers import add_parameters, settings_repr
from .linear import NonDynamicallyQuantizableLinear as NonDynamicallyQuantizableLinear
from .module import Module
from .softmax import LogSoftmax as LogSoftmax
from .softmax import Softmax as Softmax
from .softmax import Softmax2d as Softmax2d
from .softmax import Softmin as Softmin


class _InplaceActivation(Module):
    """Base class of activations with the option `inplace`, which overwrites the input."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    extra_repr = settings_repr("inplace")


class ReLU(_InplaceActivation):
    """max(x, 0), of any shape; in place if inplace.

    Takes floats and integers; raises RuntimeError for booleans and complex numbers, and in place for a leaf that
    requires grad. Source: torch.nn.ReLU.

    >>> nn.ReLU()(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input, self.inplace)


class Tanh(Module):
    """The hyperbolic tangent, of any shape. Integers become floating-point. Source: torch.nn.Tanh.

    >>> nn.Tanh()(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ), of any shape. Integers become floating-point. Source: torch.nn.Sigmoid.

    >>> nn.Sigmoid()(torch.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class LogSigmoid(Module):
    """The logarithm of Sigmoid, without overflow.

    It has the shape of x. Raises RuntimeError for integers. Source: torch.nn.LogSigmoid.

    >>> nn.LogSigmoid()(torch.tensor([0.0, 200.0]))
    tensor([-0.6931,  0.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class Softsign(Module):
    """x / (1 + |x|), of any shape. Integers become floating-point. Source: torch.nn.Softsign.

    >>> nn.Softsign()(torch.tensor([-1.0, 3.0]))
    tensor([-0.5000,  0.7500])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


class Tanhshrink(Module):
    """x - tanh(x), of any shape. Integers become floating-point. Source: torch.nn.Tanhshrink.

    >>> nn.Tanhshrink()(torch.tensor([0.0, 2.0]))
    tensor([0.0000, 1.0360])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)


class Hardsigmoid(_InplaceActivation):
    """x/6 + 1/2 clamped to [0, 1], of any shape.

    Raises RuntimeError for integers. Source: torch.nn.Hardsigmoid; Courbariaux et al. (2015).

    >>> nn.Hardsigmoid()(torch.tensor([-4.0, 0.0, 4.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.hardsigmoid(input, self.inplace)

    extra_repr = Module.extra_repr


class Hardswish(_InplaceActivation):
    """x · Hardsigmoid(x), of any shape.

    Raises RuntimeError for integers. Source: torch.nn.Hardswish; Howard et al. (2019).

    >>> nn.Hardswish()(torch.tensor([-4.0, 3.0]))
    tensor([-0.,  3.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.hardswish(input, self.inplace)

    extra_repr = Module.extra_repr


class SiLU(_InplaceActivation):
    """x · sigmoid(x), of any shape, also called swish.

    Raises RuntimeError for integers. Source: torch.nn.SiLU; Elfwing et al. (2017).

    >>> nn.SiLU()(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7311])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input, self.inplace)


class Mish(_InplaceActivation):
    """x · tanh(softplus(x)), of any shape. Raises RuntimeError for integers. Source: torch.nn.Mish; Misra (2019).

    >>> nn.Mish()(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8651])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input, self.inplace)


class SELU(_InplaceActivation):
    """ELU scaled so that deep nets keep mean 0 and variance 1, of any shape.

    Raises RuntimeError for integers. Source: torch.nn.SELU; Klambauer et al. (2017).

    >>> nn.SELU()(torch.tensor([-1.0, 1.0]))
    tensor([-1.1113,  1.0507])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input, self.inplace)


class _AlphaActivation(Module):
    """Base class of activations with a parameter alpha."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    extra_repr = settings_repr("alpha inplace")


class ELU(_AlphaActivation):
    """x, or alpha · (eˣ - 1) where x is negative, of any shape.

    Raises RuntimeError for integers. Source: torch.nn.ELU; Clevert et al. (2015).

    >>> nn.ELU()(torch.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha, self.inplace)


class CELU(_AlphaActivation):
    """x, or alpha · (e^(x/alpha) - 1) where x is negative, of any shape.

    Raises RuntimeError for integers and for alpha = 0. Source: torch.nn.CELU; Barron (2017).

    >>> nn.CELU(2.0)(torch.tensor([-1.0, 2.0]))
    tensor([-0.7869,  2.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.celu(input, self.alpha, self.inplace)


class LeakyReLU(Module):
    """x, or negative_slope · x where x is negative, of any shape.

    Raises RuntimeError for integers. Source: torch.nn.LeakyReLU.

    >>> nn.LeakyReLU(0.1)(torch.tensor([-1.0, 2.0]))
    tensor([-0.1000,  2.0000])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    extra_repr = settings_repr("negative_slope inplace")


class RReLU(Module):
    """LeakyReLU with slopes drawn from [lower, upper] per element in training, and their mean in evaluation.

    Raises RuntimeError for integers and if lower > upper. Source: torch.nn.RReLU; Xu et al. (2015).

    >>> nn.RReLU(0.1, 0.3).eval()(torch.tensor([-1.0, 2.0]))
    tensor([-0.2000,  2.0000])
    """

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    extra_repr = settings_repr("lower upper inplace")


class PReLU(Module):
    """LeakyReLU with a learned slope: weight (1), or one per channel.

    (N, C, ...) -> the same. Raises RuntimeError for another number of channels or another dtype than weight's.
    Source: torch.nn.PReLU; He et al. (2015).

    >>> nn.PReLU()(torch.tensor([-1.0, 2.0]))
    tensor([-0.2500,  2.0000], grad_fn=...)
    """

    weight: Parameter

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Device = None, dtype: Dtype = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        add_parameters(self, device, dtype, weight=num_parameters)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set every slope to `init`."""
        initial.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    extra_repr = settings_repr("num_parameters")


class Threshold(Module):
    """x, or value where x is not above threshold, of any shape. Takes integers, too. Source: torch.nn.Threshold.

    >>> nn.Threshold(1.0, 20.0)(torch.tensor([1.0, 2.0]))
    tensor([20.,  2.])
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.threshold(input, self.threshold, self.value, self.inplace)

    extra_repr = settings_repr("threshold value inplace")


class Hardtanh(Module):
    """x clamped to [min_val, max_val], of any shape; min_value and max_value are deprecated names.

    Takes integers, too. Raises AssertionError unless min_val < max_val. Source: torch.nn.Hardtanh.

    >>> nn.Hardtanh()(torch.tensor([-3.0, 0.5]))
    tensor([-1.0000,  0.5000])
    """

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("min", min_value), ("max", max_value)):
            if value is not None:
                message = f"keyword argument `{name}_value` is deprecated and renamed to `{name}_val`"
                warn(message, FutureWarning)
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        self.inplace = inplace
        if self.max_val <= self.min_val:
            raise AssertionError(f"max_val ({self.max_val}) must be greater than min_val ({self.min_val})")

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    extra_repr = settings_repr("min_val max_val inplace")


class ReLU6(Hardtanh):
    """x clamped to [0, 6], of any shape. Takes integers, too. Source: torch.nn.ReLU6; Krizhevsky (2010).

    >>> nn.ReLU6()(torch.tensor([-1.0, 8.0]))
    tensor([0., 6.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    extra_repr = settings_repr("inplace")


class Softplus(Module):
    """log(1 + e^(beta·x)) / beta, of any shape; x where beta · x is above threshold.

    Raises RuntimeError for integers. Source: torch.nn.Softplus.

    >>> nn.Softplus()(torch.tensor([0.0, 50.0]))
    tensor([ 0.6931, 50.0000])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)

    extra_repr = settings_repr("beta threshold")


class _Shrink(Module):
    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def extra_repr(self) -> str:
        return str(self.lambd)


class Hardshrink(_Shrink):
    """x, or 0 where |x| is not above lambd, of any shape.

    Raises RuntimeError for integers. Source: torch.nn.Hardshrink.

    >>> nn.Hardshrink()(torch.tensor([-2.0, 0.4]))
    tensor([-2.,  0.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.hardshrink(input, self.lambd)


class Softshrink(_Shrink):
    """x moved towards 0 by lambd, or 0 where |x| <= lambd, of any shape.

    Raises RuntimeError for integers and for a negative lambd. Source: torch.nn.Softshrink.

    >>> nn.Softshrink()(torch.tensor([-2.0, 0.4]))
    tensor([-1.5000,  0.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softshrink(input, self.lambd)


class GELU(Module):
    """x · Φ(x), of any shape, with the normal distribution function Φ, or with approximate="tanh" an approximation.

    Raises RuntimeError for integers and for another `approximate`. Source: torch.nn.GELU; Hendrycks, Gimpel (2016).

    >>> nn.GELU()(torch.tensor([-1.0, 1.0]))
    tensor([-0.1587,  0.8413])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class GLU(Module):
    """a · sigmoid(b), with a and b the halves of the input along `dim`.

    (..., 2n, ...) -> (..., n, ...). Raises RuntimeError for integers and for an odd size. Source: torch.nn.GLU; Dauphin
    et al. (2016).

    >>> nn.GLU()(torch.tensor([4.0, 0.0]))
    tensor([2.])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)

    extra_repr = settings_repr("dim")


def _is_make_fx_tracing() -> bool:
    """Return False. Copies of MultiheadAttention ask this and the two questions below."""
    return False


def _check_arg_device(x: Tensor | None) -> bool:
    """Whether a kernel takes x, if there is one: it needs values."""
    return x is None or not x.is_meta


def _arg_requires_grad(x: Tensor | None) -> bool:
    """Whether x is there and requires grad."""
    return x is not None and x.requires_grad
