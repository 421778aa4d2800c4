"""Activation functions: piecewise ones, smooth ones, and some that PyTorch doesn't have."""

# isort: skip_file
from .piecewise import (
    Hardshrink, Hardsigmoid, Hardswish, Hardtanh, PRelu, RRelu, Softshrink, Threshold, hardshrink, hardsigmoid,
    hardswish, hardtanh, hardtanh_, leaky_relu, leaky_relu_, prelu, relu6, rrelu, rrelu_, softshrink, threshold,
    threshold_,
)  # fmt: skip
from .smooth import (
    Elu, Gelu, GeluTanh, Glu, LogSigmoid, Mish, Silu, Softplus, celu, celu_, elu, elu_, gelu, glu, logsigmoid, mish,
    selu, selu_, silu, softplus, softsign, tanhshrink,
)  # fmt: skip
from .extras import acon_a, acon_b, acon_c, bent_identity, swish, tanhexp
