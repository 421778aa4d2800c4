"""Kernels of elementwise operators and of the creation of tensors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ...ops import activation, creation, elementwise, fourier, random, special
from ...ops.movement import tril, triu
from ...tensor import Tensor
from ..graphs import OPERATORS, Node, inputs_only, operator
from ..tensors import kind_of

INPUTS_ONLY: dict[str, Callable[..., Any]] = {
    function.__name__.capitalize(): function
    for function in (
        elementwise.abs, elementwise.acos, elementwise.acosh, elementwise.add, elementwise.asin, elementwise.asinh,
        elementwise.atan, elementwise.atanh, elementwise.ceil, elementwise.cos, elementwise.cosh, special.erf,
        elementwise.exp, elementwise.floor, elementwise.log, activation.mish, elementwise.mul, elementwise.neg,
        elementwise.reciprocal, elementwise.relu, elementwise.round, elementwise.sigmoid, elementwise.sign,
        elementwise.sin, elementwise.sinh, activation.softplus, activation.softsign, elementwise.sqrt,
        elementwise.sub, elementwise.tan, elementwise.tanh, elementwise.where,
    )
} | {
    "And": elementwise.logical_and,
    "BitwiseAnd": elementwise.bitwise_and,
    "BitwiseNot": elementwise.bitwise_not,
    "BitwiseOr": elementwise.bitwise_or,
    "BitwiseXor": elementwise.bitwise_xor,
    "Equal": elementwise.eq,
    "Greater": elementwise.gt,
    "GreaterOrEqual": elementwise.ge,
    "HardSwish": activation.hardswish,
    "Identity": lambda x: x,
    "IsNaN": elementwise.isnan,
    "Less": elementwise.lt,
    "LessOrEqual": elementwise.le,
    "Max": lambda *inputs: functools.reduce(elementwise.maximum, inputs),
    "Mean": lambda *inputs: functools.reduce(elementwise.add, inputs) / len(inputs),
    "Min": lambda *inputs: functools.reduce(elementwise.minimum, inputs),
    "Not": elementwise.logical_not,
    "Or": elementwise.logical_or,
    "Sum": lambda *inputs: functools.reduce(elementwise.add, inputs),
    "Xor": elementwise.logical_xor,
}  # fmt: skip


OPERATORS.update({("", name): inputs_only(function) for name, function in INPUTS_ONLY.items()})


@operator("Div")
def div(node: Node, a: Tensor, b: Tensor) -> Any:
    return elementwise.div(a, b, rounding_mode=None if a.array.dtype.kind in "fc" else "trunc")


@operator("Mod")
def mod(node: Node, a: Tensor, b: Tensor) -> Any:
    return elementwise.fmod(a, b) if node.get("fmod") else elementwise.remainder(a, b)


@operator("Pow")
def pow_(node: Node, a: Tensor, b: Tensor) -> Any:
    return elementwise.pow(a, b).to(a.dtype)


@operator("BitShift")
def bit_shift(node: Node, a: Tensor, b: Tensor) -> Any:
    left = node.get("direction") == "LEFT"
    return (elementwise.bitwise_left_shift if left else elementwise.bitwise_right_shift)(a, b)


@operator("IsInf")
def isinf(node: Node, x: Tensor) -> Any:
    high, low = node.get("detect_positive", 1), node.get("detect_negative", 1)
    found = elementwise.isposinf(x) if high else creation.zeros_like(x, dtype=bool)
    return found | elementwise.isneginf(x) if low else found


@operator("Clip")
def clip(node: Node, x: Tensor, low: Any = None, high: Any = None) -> Any:
    low, high = node.get("min") if low is None else low, node.get("max") if high is None else high
    if isinstance(low, Tensor):
        x, low = elementwise.maximum(x, low), None
    if isinstance(high, Tensor):
        x, high = elementwise.minimum(x, high), None
    return x if low is None and high is None else elementwise.clamp(x, low, high)


@operator("Cast", "CastLike")
def cast(node: Node, x: Tensor, like: Tensor | None = None) -> Any:
    dtype = kind_of(node.get("to"), "the result of a Cast") if like is None else like.array.dtype
    return x != 0 if dtype.kind == "b" else x.to(dtype)


@operator("BitCast")
def bit_cast(node: Node, x: Tensor) -> Any:
    return creation.as_tensor(x.detach().array.view(kind_of(node.get("to"), "the result of a BitCast")))


ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "Elu": lambda node, x: activation.elu(x, node.get("alpha", 1.0)),
    "Celu": lambda node, x: activation.celu(x, node.get("alpha", 1.0)),
    "LeakyRelu": lambda node, x: activation.leaky_relu(x, node.get("alpha", 0.01)),
    "PRelu": lambda node, x, slope: elementwise.where(x < 0, x * slope, x),
    "ThresholdedRelu": lambda node, x: elementwise.where(x > node.get("alpha", 1.0), x, 0),
    "HardSigmoid": lambda node, x: elementwise.clamp(x * node.get("alpha", 0.2) + node.get("beta", 0.5), 0, 1),
    "Gelu": lambda node, x: activation.gelu(x, approximate=node.get("approximate", "none")),
}
OPERATORS.update({("", name): run for name, run in ACTIVATIONS.items()})


@operator("Selu")
def selu(node: Node, x: Tensor) -> Any:
    alpha, gamma = node.get("alpha", 1.6732631921768188), node.get("gamma", 1.0507010221481323)
    return activation.elu(x, alpha) * gamma


@operator("Swish")
def swish(node: Node, x: Tensor) -> Any:
    alpha = node.get("alpha", 1.0)
    return x * elementwise.sigmoid(x if alpha == 1 else x * alpha)


@operator("Shrink")
def shrink(node: Node, x: Tensor) -> Any:
    by, bias = node.get("lambd", 0.5), node.get("bias", 0.0)
    return elementwise.where(x < -by, x + bias, elementwise.where(x > by, x - bias, 0)).to(x.dtype)


@operator("Constant")
def constant(node: Node) -> Any:
    for name, kind in (("float", np.float32), ("floats", np.float32), ("int", np.int64), ("ints", np.int64)):
        if (value := node.get(f"value_{name}")) is not None:
            return creation.as_tensor(np.array(value, kind))
    value = node.get("value")
    if value is None:
        raise ValueError("it has no number: text and sparse tensors aren't supported")
    return value


@operator("ConstantOfShape")
def constant_of_shape(node: Node, shape: Tensor) -> Any:
    value = node.get("value")
    value = np.zeros(1, np.float32) if value is None else value.array
    return creation.full(shape.tolist(), value.reshape(-1)[0].item(), dtype=value.dtype)


@operator("Range")
def range_(node: Node, start: Tensor, limit: Tensor, delta: Tensor) -> Any:
    return creation.as_tensor(np.arange(start.item(), limit.item(), delta.item()).astype(start.array.dtype))


@operator("EyeLike")
def eye_like(node: Node, x: Tensor) -> Any:
    dtype = node.get("dtype")
    kind = x.array.dtype if dtype is None else kind_of(dtype, "the result of EyeLike")
    return creation.as_tensor(np.eye(x.shape[0], x.shape[1], node.get("k", 0), kind))


@operator("Trilu")
def trilu(node: Node, x: Tensor, k: Tensor | None = None) -> Any:
    return (triu if node.get("upper", 1) else tril)(x, 0 if k is None else k.item())


def _window(make: Callable[..., Any]) -> Callable[..., Any]:
    def run(node: Node, size: Tensor) -> Any:
        dtype = kind_of(node.get("output_datatype", 1), "a window")
        return make(size.item(), periodic=bool(node.get("periodic", 1)), dtype=np.float64).to(dtype)

    return run


operator("HannWindow")(_window(fourier.hann_window))
operator("BlackmanWindow")(_window(fourier.blackman_window))
operator("HammingWindow")(_window(functools.partial(fourier.hamming_window, alpha=25 / 46, beta=21 / 46)))


def _drawn(draw: Callable[..., Any]) -> Callable[..., Any]:
    def run(node: Node, like: Tensor | None = None) -> Any:
        shape = node.get("shape") if like is None else tuple(like.shape)
        dtype = node.get("dtype")
        kind = kind_of(dtype, "a draw") if dtype is not None else np.float32 if like is None else like.array.dtype
        return draw(node, shape).to(kind)

    return run


operator("RandomUniform", "RandomUniformLike")(
    _drawn(
        lambda node, shape: random.rand(shape) * (node.get("high", 1.0) - node.get("low", 0.0)) + node.get("low", 0.0)
    )
)
operator("RandomNormal", "RandomNormalLike")(
    _drawn(lambda node, shape: random.randn(shape) * node.get("scale", 1.0) + node.get("mean", 0.0))
)


@operator("Bernoulli")
def bernoulli(node: Node, x: Tensor) -> Any:
    dtype = node.get("dtype")
    return random.bernoulli(x).to(x.dtype if dtype is None else kind_of(dtype, "a draw"))


@operator("Multinomial")
def multinomial(node: Node, x: Tensor) -> Any:
    drawn = random.multinomial(elementwise.exp(x), node.get("sample_size", 1), True)
    return drawn.to(kind_of(node.get("dtype", 6), "a draw"))
