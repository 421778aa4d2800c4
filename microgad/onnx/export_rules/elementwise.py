"""Rules of elementwise operations: ONNX's own operator if there is one, else the formula."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...ops import activation, creation, elementwise, special
from ..recording import Step
from ..writer import BOOL, Symbol, Writer, rule

# All but one of these operators have the name of the Function in ONNX.
UNARY: dict[Any, str] = {
    cls: cls.__name__
    for cls in (
        elementwise.Abs, elementwise.Acos, elementwise.Acosh, elementwise.Asin, elementwise.Asinh, elementwise.Atan,
        elementwise.Atanh, elementwise.Ceil, elementwise.Cos, elementwise.Cosh, elementwise.Exp, elementwise.Floor,
        elementwise.Log, elementwise.Neg, elementwise.Reciprocal, elementwise.Relu, elementwise.Sigmoid,
        elementwise.Sign, elementwise.Sin, elementwise.Sinh, elementwise.Sqrt, elementwise.Tan, elementwise.Tanh,
        special.Erf,
    )
} | {activation.Hardswish: "HardSwish"}  # fmt: skip
BINARY: dict[Any, str] = {
    elementwise.Add: "Add",
    elementwise.Sub: "Sub",
    elementwise.Mul: "Mul",
    elementwise.Div: "Div",
    elementwise.Maximum: "Max",
    elementwise.Minimum: "Min",
    elementwise.Pow: "Pow",
}
OF_BOOLEANS: dict[Any, str] = BINARY | {
    elementwise.Add: "Or",
    elementwise.Mul: "And",
    elementwise.Maximum: "Or",
    elementwise.Minimum: "And",
}
COMPARED: dict[Any, str] = {
    elementwise.Equal: "Equal",
    elementwise.Less: "Less",
    elementwise.LessEqual: "LessOrEqual",
    elementwise.Greater: "Greater",
    elementwise.GreaterEqual: "GreaterOrEqual",
}
LOGICAL: dict[Any, str] = {
    elementwise.LogicalAnd: "And",
    elementwise.LogicalOr: "Or",
    elementwise.LogicalXor: "Xor",
}
BITS: dict[Any, tuple[str, str]] = {  # the operators for integers and for booleans
    elementwise.BitwiseAnd: ("BitwiseAnd", "And"),
    elementwise.BitwiseOr: ("BitwiseOr", "Or"),
    elementwise.BitwiseXor: ("BitwiseXor", "Xor"),
}

SPECIAL: dict[Any, tuple[str, dict[str, Any]]] = {  # for floats; False for other dtypes
    elementwise.IsNaN: ("IsNaN", {}),
    elementwise.IsInf: ("IsInf", {}),
    elementwise.IsPosInf: ("IsInf", {"detect_negative": 0}),
    elementwise.IsNegInf: ("IsInf", {"detect_positive": 0}),
}


def computed_dtype(step: Step) -> np.dtype[Any]:
    """Return the dtype in which the operation computed."""
    arrays = [dtype for dtype in step.dtypes if dtype is not None]
    numbers = [x for x, dtype in zip(step.inputs, step.dtypes, strict=True) if dtype is None and x is not None]
    return np.result_type(*arrays, *[x for x in numbers if isinstance(x, (bool, int, float))])


def operand(w: Writer, step: Step) -> Symbol:
    """Return the only operand."""
    return w.of(step.inputs[0], step.dtypes[0])


def operands(w: Writer, step: Step) -> list[Any]:
    """Return all operands in the result's dtype, None for omitted ones."""
    return [None if x is None else w.of(x, step.kinds[0]) for x in step.inputs]


def operand_pair(w: Writer, step: Step, dtype: Any = None) -> list[Symbol]:
    """Return both operands in one dtype."""
    return [w.of(x, dtype or computed_dtype(step)) for x in step.inputs]


@rule(*UNARY)
def unary(w: Writer, step: Step) -> Any:
    x = operand(w, step)
    rounds = step.function in (elementwise.Ceil, elementwise.Floor)
    return x if x.dtype == BOOL or (rounds and x.dtype.kind != "f") else w.op(UNARY[step.function], x)


@rule(*BINARY)
def binary(w: Writer, step: Step) -> Any:
    names = OF_BOOLEANS if step.kinds[0] == BOOL else BINARY
    return w.op(names[step.function], *operands(w, step))


@rule(*COMPARED)
def compared(w: Writer, step: Step) -> Any:
    kind = computed_dtype(step)
    kind = np.dtype(np.int64) if kind == BOOL and step.function is not elementwise.Equal else kind
    return w.op(COMPARED[step.function], *operand_pair(w, step, kind))


@rule(elementwise.NotEqual)
def not_equal(w: Writer, step: Step) -> Any:
    return w.op("Not", w.op("Equal", *operand_pair(w, step)))


@rule(*LOGICAL)
def logical(w: Writer, step: Step) -> Any:
    return w.op(LOGICAL[step.function], *operand_pair(w, step, BOOL))


@rule(elementwise.LogicalNot)
def logical_not(w: Writer, step: Step) -> Any:
    return w.op("Not", w.of(step.inputs[0], BOOL))


@rule(*BITS)
def bits(w: Writer, step: Step) -> Any:
    return w.op(BITS[step.function][computed_dtype(step) == BOOL], *operand_pair(w, step))


@rule(elementwise.BitwiseNot)
def bitwise_not(w: Writer, step: Step) -> Any:
    x = operand(w, step)
    return w.op("Not" if x.dtype == BOOL else "BitwiseNot", x)


@rule(*SPECIAL)
def special_number(w: Writer, step: Step) -> Any:
    x, (kind, which) = operand(w, step), SPECIAL[step.function]
    return w.op(kind, x, **which) if x.dtype.kind == "f" else w.op("Not", x.same(x))


@rule(elementwise.IsFinite)
def isfinite(w: Writer, step: Step) -> Any:
    x = operand(w, step)
    return (x - x).same(0) if x.dtype.kind == "f" else x.same(x)


def gelu(w: Writer, x: Symbol) -> Any:
    return w.op("Gelu", x) if w.opset >= 20 else x * (w.op("Erf", x * math.sqrt(0.5)) + 1) * 0.5


def gelu_tanh(w: Writer, x: Symbol) -> Any:
    if w.opset >= 20:
        return w.op("Gelu", x, approximate="tanh")
    return x * (w.op("Tanh", (x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)) + 1) * 0.5


FORMULAS: dict[Any, Callable[[Writer, Symbol], Any]] = {
    elementwise.Exp2: lambda w, x: w.op("Exp", x * math.log(2)),
    elementwise.Expm1: lambda w, x: w.op("Exp", x) - 1,
    elementwise.Log1p: lambda w, x: w.op("Log", x + 1),
    elementwise.Log2: lambda w, x: w.op("Log", x) * (1 / math.log(2)),
    elementwise.Log10: lambda w, x: w.op("Log", x) * (1 / math.log(10)),
    elementwise.Rsqrt: lambda w, x: w.op("Reciprocal", w.op("Sqrt", x)),
    elementwise.Frac: lambda w, x: x - truncate(w, x),
    special.Erfc: lambda w, x: 1 - w.op("Erf", x),
    activation.Hardsigmoid: lambda w, x: w.op("HardSigmoid", x, alpha=1 / 6, beta=0.5),
    activation.Silu: lambda w, x: x * w.op("Sigmoid", x),
    activation.Gelu: gelu,
    activation.GeluTanh: gelu_tanh,
    activation.Mish: lambda w, x: w.op("Mish", x) if w.opset >= 18 else x * w.op("Tanh", w.op("Softplus", x)),
    activation.LogSigmoid: lambda w, x: -w.op("Softplus", -x),
}


@rule(*FORMULAS)
def by_formula(w: Writer, step: Step) -> Any:
    return FORMULAS[step.function](w, operand(w, step))


@rule(elementwise.Ldexp)
def ldexp(w: Writer, step: Step) -> Any:
    x, n = operands(w, step)
    return x * w.op("Pow", w.constant(2, x.dtype), n)


@rule(elementwise.Hypot)
def hypot(w: Writer, step: Step) -> Any:
    a, b = operand_pair(w, step)
    return w.op("Sqrt", a * a + b * b)


@rule(elementwise.Logit)
def logit(w: Writer, step: Step) -> Any:
    x, eps = operand(w, step), step.settings["eps"]
    if eps is not None:
        x = clip(w, x, eps, 1 - eps)
    return w.op("Log", x / (1 - x))


@rule(elementwise.LogAddExp, elementwise.LogAddExp2)
def logaddexp(w: Writer, step: Step) -> Any:
    a, b = operand_pair(w, step)
    unit = 1.0 if step.function is elementwise.LogAddExp else math.log(2)
    apart = w.op("Max", a, b) + w.op("Softplus", w.op("Abs", a - b) * -unit) * (1 / unit)
    return w.op("Where", a.same(b), a + math.log(2) / unit, apart)  # the difference of two infinities is NaN


@rule(elementwise.XLogY)
def xlogy(w: Writer, step: Step) -> Any:
    x, y = operands(w, step)
    nothing = w.op("And", x.same(0), y.same(y))  # NaN gives NaN
    return w.op("Where", nothing, w.constant(0, x.dtype), x * w.op("Log", y))


@rule(elementwise.Lerp)
def lerp(w: Writer, step: Step) -> Any:
    a, b, weight = operands(w, step)
    return a + weight * (b - a)


def truncate(w: Writer, x: Symbol) -> Symbol:
    """Round x towards zero."""
    return w.op("Sign", x) * w.op("Floor", w.op("Abs", x))


@rule(elementwise.Trunc)
def trunc(w: Writer, step: Step) -> Any:
    x = operand(w, step)
    return truncate(w, x) if x.dtype.kind == "f" else x


@rule(elementwise.Round)
def round_(w: Writer, step: Step) -> Any:
    x, decimals = operand(w, step), step.settings["decimals"]
    if x.dtype.kind != "f":
        return x
    return w.op("Round", x) if not decimals else w.op("Round", x * 10.0**decimals) / 10.0**decimals


def quotient_too_large(w: Writer, rest: Symbol, b: Symbol) -> Symbol:
    """Return where the remainder's sign differs from the divisor's: there the quotient is one too large."""
    return w.op("And", w.op("Not", rest.same(0)), w.op("Xor", rest < 0, b < 0))


@rule(elementwise.FloorDiv, elementwise.FloorDivide)
def floor_div(w: Writer, step: Step) -> Any:
    a, b = operand_pair(w, step)
    if a.dtype.kind != "f":
        quotient = a / b
        return quotient - w.cast(quotient_too_large(w, a - quotient * b, b), a.dtype)
    rest = w.op("Mod", a, b, fmod=1)  # exact, unlike a / b: 1 // 0.1 is 9
    quotient = w.op("Round", (a - rest) / b - w.cast(quotient_too_large(w, rest, b), a.dtype))
    return w.op("Where", b.same(0), a / b, quotient)


@rule(elementwise.TruncDiv)
def trunc_div(w: Writer, step: Step) -> Any:
    a, b = operand_pair(w, step)
    quotient = a / b
    return quotient if a.dtype.kind != "f" else truncate(w, quotient)


@rule(elementwise.Remainder)
def remainder(w: Writer, step: Step) -> Any:
    a, b = operand_pair(w, step)
    if a.dtype.kind != "f":
        return w.op("Mod", a, b)
    rest = w.op("Mod", a, b, fmod=1)
    return w.op("Where", quotient_too_large(w, rest, b), rest + b, rest)


@rule(elementwise.Fmod)
def fmod(w: Writer, step: Step) -> Any:
    return w.op("Mod", *operand_pair(w, step), fmod=1)


def clip(w: Writer, x: Symbol, low: Any, high: Any) -> Symbol:
    """Clip x to bounds, which may be None."""
    ends = [None if end is None else w.constant(end, x.dtype) for end in (low, high)]
    return w.op("Clip", x, *ends)


@rule(elementwise.Clamp)
def clamp(w: Writer, step: Step) -> Any:
    x, low, high = operands(w, step)
    x = x if low is None else w.op("Max", x, low)
    return x if high is None else w.op("Min", x, high)


@rule(elementwise.RaisedCopy)
def raised_copy(w: Writer, step: Step) -> Any:
    x = operand(w, step)
    return w.op("Max", x, w.constant(step.settings["low"], x.dtype))


@rule(elementwise.Where)
def where(w: Writer, step: Step) -> Any:
    condition, a, b = step.inputs
    return w.op("Where", w.of(condition, BOOL), *(w.of(x, step.kinds[0]) for x in (a, b)))


@rule(elementwise.Select)
def select(w: Writer, step: Step) -> Any:
    mask, x = step.inputs
    x = w.of(x, step.kinds[0])
    return w.op("Where", w.of(mask, BOOL), x, w.constant(0, x.dtype))


@rule(elementwise.NanToNum)
def nan_to_num(w: Writer, step: Step) -> Any:
    x = operand(w, step)
    nan, high, low = (step.settings[name] for name in ("nan", "posinf", "neginf"))
    x = w.op("Where", w.op("IsNaN", x), w.constant(nan, x.dtype), x)
    x = w.op("Where", x.same(math.inf), w.constant(high, x.dtype), x)
    return w.op("Where", x.same(-math.inf), w.constant(low, x.dtype), x)


@rule(creation.Fill)
def fill(w: Writer, step: Step) -> Any:
    x, value = step.inputs
    return w.op("Expand", w.of(value, step.kinds[0]), w.ints(w.shape_of(x)))


@rule(activation.PRelu)
def prelu(w: Writer, step: Step) -> Any:
    x, slope = step.inputs
    if isinstance(slope, (int, float)):
        return w.op("LeakyRelu", w.of(x, step.kinds[0]), alpha=float(slope))
    return w.op("PRelu", w.of(x, step.kinds[0]), w.of(slope, step.kinds[0]))


@rule(activation.Hardtanh)
def hardtanh(w: Writer, step: Step) -> Any:
    return clip(w, operand(w, step), step.settings["low"], step.settings["high"])


@rule(activation.Softshrink)
def softshrink(w: Writer, step: Step) -> Any:
    bound = float(step.settings["bound"])
    return w.op("Shrink", operand(w, step), lambd=bound, bias=bound)


@rule(activation.Hardshrink)
def hardshrink(w: Writer, step: Step) -> Any:
    return w.op("Shrink", operand(w, step), lambd=float(step.settings["bound"]))


@rule(activation.Threshold)
def threshold(w: Writer, step: Step) -> Any:
    x, bound, value = operand(w, step), step.settings["bound"], step.settings["value"]
    low = w.op("LessOrEqual", x, w.constant(bound, x.dtype))
    return w.op("Where", low, w.constant(value, x.dtype), x)


@rule(activation.Elu)
def elu(w: Writer, step: Step) -> Any:
    x, (size, rate, scale) = operand(w, step), (float(step.settings.get(name, 1)) for name in ("size", "rate", "scale"))
    if rate == 1:
        y = w.op("Elu", x, alpha=size / scale)
        return y if scale == 1 else y * scale
    return w.op("Max", x, w.constant(0, x.dtype)) * scale + (w.op("Exp", clip(w, x, None, 0) * rate) - 1) * size


@rule(activation.Softplus)
def softplus(w: Writer, step: Step) -> Any:
    x, beta, threshold = operand(w, step), step.settings["beta"], step.settings["threshold"]
    y = x if beta == 1 else x * beta
    out = w.op("Softplus", y) if beta == 1 else w.op("Softplus", y) / beta
    return w.op("Where", y > threshold, x, out)
