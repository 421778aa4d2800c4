"""Faults written by hand: the classic mistakes of each kind of layer, in the library and in textbook Functions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from microgad.backend.axes import reduced_shape, reduction_size
from microgad.engine import derivatives, single, walk
from microgad.engine.queue import Queue
from microgad.nn.modules.module.hooks import BackwardHookFunction
from microgad.ops.dropout import Dropout
from microgad.ops.elementwise import (
    Abs,
    Add,
    Clamp,
    Cos,
    Div,
    Exp,
    Log,
    Maximum,
    Minimum,
    Mul,
    Neg,
    Pow,
    Relu,
    Select,
    Sigmoid,
    Sin,
    Sqrt,
    Sub,
    Tanh,
    Where,
)
from microgad.ops.indexing import Gather, GetItem, SetItem
from microgad.ops.linalg import Linear, MatMul
from microgad.ops.loss import BinaryCrossEntropy, BinaryCrossEntropyWithLogits, CrossEntropy, LogSigmoid, SquaredError
from microgad.ops.movement import Cat, Expand, Flip, Pad, Permute, Stack
from microgad.ops.normalization import BatchNorm, FixedBatchNorm
from microgad.ops.normalization.channels import column as _column
from microgad.ops.reduction import Amax, Mean, Sum
from microgad.ops.softmax import LogSoftmax, LogSumExp, Softmax, sum_along
from microgad.ops.window.conv import Conv2d, Conv2dWeight, ConvTranspose2d
from microgad.ops.window.pool import AvgPool2d, MaxPool2d, MaxPoolScatter
from microgad.ops.window.unfold import Fold, Unfold, im2col
from microgad.view_writes.regions import RegionRead, RegionWrite

from .fault import Fault
from .faulty_derivatives import (
    Decay_grad_x,
    FixedBatchNorm_grad_var,
    Sum_adjoint,
    after,
    aliased_gradient,
    all_maxima,
    always_owned,
    average_by_the_kernel,
    average_without_divisor,
    averaged_back,
    batch_norm,
    chunk_sizes,
    columns_flipped,
    columns_overwrite,
    cross_entropy,
    exchanged,
    first_of_window,
    first_only,
    flip_planes,
    forward_in_time,
    frozen,
    frozen_weight,
    gathered_once,
    indices_overwrite,
    last_gradient,
    last_of_window,
    last_place,
    layer_norm,
    lstm,
    odd_elements,
    only,
    overwritten,
    padded_off_by_one,
    repeated,
    rnn,
    rows_of,
    smallest,
    squared_error,
    transposed_kernel,
    truncated,
    unbiased_decomposition,
    ungrouped_weight,
    window_both,
    window_first,
    window_ties,
    windows_overwrite,
    windows_reversed,
    windows_short,
    without_time,
    writes_to_grad,
)
from .plant import replaced
from .targets import entries_of
from .textbook_functions import (
    TEXTBOOK,
    Decay,
    EveryOther,
    LayerNorm,
    LSTMGates,
    Masked,
    MeanLoss,
    RNNCell,
    RowSoftmax,
    Similar,
    WindowMax,
    Windows,
    sigmoid,
)

# target, attribute, what is wrong, the body, and for named kinds the pattern of the likely mistake
Line = tuple[Any, str, str, Any]
NAMED: list[tuple[Any, str, str, Any, str]] = [
    (Add, "grad_b", "sign", lambda self, grad: -grad, "a sign"),
    (Sub, "grad_b", "sign", lambda self, grad: grad, "a sign"),
    (Cos, "grad_x", "sign", lambda self, grad, x: grad * np.sin(x), "a sign"),
    (ConvTranspose2d, "grad_bias", "sign", after(ConvTranspose2d, "grad_bias", lambda g: -g), "a sign"),
    (RegionWrite, "grad_value", "sign", after(RegionWrite, "grad_value", lambda g: -g), "a sign"),
    (Mul, "grad_b", "factor 2", lambda self, grad, a: 2 * grad * a, "a factor"),
    (Sqrt, "grad_x", "1/2 missing", lambda self, grad, out: grad / out, "a factor"),
    (RegionRead, "adjoint", "factor 2", after(RegionRead, "adjoint", lambda g: g * 2), ""),
    (Expand, "adjoint", "half", after(Expand, "adjoint", lambda g: g / 2), "a factor"),
    (Sum, "adjoint", "a hundredth more", after(Sum, "adjoint", lambda g: g * 1.01), "a factor"),
    (SquaredError, "grad_x", "2 missing", squared_error(lambda self, d: 1 / self._count(d)), "a factor"),
    (Mean, "adjoint", "1/N missing", Sum.adjoint, "1/N"),
    (
        Mean,
        "adjoint",
        "1/N of all axes",
        lambda self, grad: Sum_adjoint(self, grad) / max(1, math.prod(self.x_shape)),
        "1/N",
    ),
    (
        Mean,
        "adjoint",
        "1/(N - 1)",
        lambda self, grad: Sum_adjoint(self, grad) / max(1, reduction_size(self.x_shape, self.axis) - 1),
        "1/N|1/.N",
    ),
    (SquaredError, "grad_x", "1/N missing", squared_error(lambda self, d: 2), "1/N"),
    (CrossEntropy, "grad_input", "1/N missing", cross_entropy(mean=False), "1/N"),
    (AvgPool2d, "adjoint", "1/N missing", average_without_divisor, "1/N|a factor"),
    (MeanLoss, "grad_x", "1/N missing", lambda self, grad, x, y: grad * 2 * (x - y), "1/N"),
    (
        MeanLoss,
        "grad_y",
        "1/N of all elements",
        lambda self, grad, x, y: grad * 2 * (y - x) / (x.shape[0] * x.shape[1] or 1),
        "1/N",
    ),
    (derivatives, "sum_to", "the first only", first_only, "a missing sum|shape"),
    (derivatives, "sum_to", "a mean for the sum", averaged_back, "a missing sum|1/N"),
    (Linear, "grad_bias", "the first row only", lambda self, grad: rows_of(grad)[:1].sum(0), "a missing sum"),
    (
        Linear,
        "grad_bias",
        "a mean for the sum",
        lambda self, grad: rows_of(grad).sum(0) / max(1, rows_of(grad).shape[0]),
        "a missing sum|1/N",
    ),
    (LayerNorm, "grad_bias", "the first row only", lambda self, grad: grad[:1].sum(0), "a missing sum"),
    (
        LayerNorm,
        "grad_weight",
        "the last row only",
        lambda self, grad, x: (grad * self.standard(x)[0])[-1:].sum(0),
        "a missing sum",
    ),
    (RNNCell, "backward", "bias: the first row only", rnn(by_b="z[:1].sum(0)"), "a missing sum"),
    (MatMul, "grad_a", "not transposed", lambda self, grad, b: np.matmul(grad, b), "transposed"),
    (MatMul, "grad_b", "order exchanged", lambda self, grad, a: np.matmul(grad, np.swapaxes(a, -1, -2)), "transposed"),
    (MatMul, "grad_b", "not transposed", lambda self, grad, a: np.matmul(a, grad), "transposed"),
    (
        Linear,
        "grad_x",
        "weight transposed",
        lambda self, grad, weight: np.matmul(rows_of(grad), weight.T).reshape(grad.shape),
        "transposed",
    ),
    (Linear, "grad_weight", "transposed", lambda self, grad, x: np.matmul(rows_of(x).T, rows_of(grad)), "transposed"),
    (Permute, "adjoint", "no inverse", Permute.forward, "transposed"),
    (Similar, "grad_a", "einsum transposed", lambda self, grad, b: np.matmul(np.swapaxes(grad, 1, 2), b), "transposed"),
    (Similar, "grad_b", "einsum transposed", lambda self, grad, a: np.matmul(grad, a), "transposed"),
    (RNNCell, "backward", "U transposed", rnn(by_h="np.matmul(z, u.T)"), "transposed"),
    (RNNCell, "backward", "gradient of U transposed", rnn(by_u="np.matmul(h.T, z)"), "transposed"),
    (
        Conv2d,
        "backward",
        "kernel transposed",
        after(Conv2d, "backward", only(1, lambda g: np.swapaxes(g, 2, 3))),
        "transposed",
    ),
    (
        Conv2d,
        "backward",
        "channels exchanged",
        after(Conv2d, "backward", only(1, lambda g: np.swapaxes(g, 0, 1))),
        "transposed",
    ),
    (Conv2d, "backward", "kernel rotated", after(Conv2d, "backward", only(1, flip_planes)), "flipped|transposed"),
    (Flip, "adjoint", "not flipped", lambda self, grad: grad, "flipped"),
    (
        Dropout,
        "grad_x",
        "mask twice",
        lambda self, grad: Dropout.apply(Dropout.apply(grad, noise=self.noise), noise=self.noise),
        "mask applied twice",
    ),
    (
        Dropout,
        "grad_x",
        "scale missing",
        lambda self, grad: Dropout.apply(grad, noise=(self.noise != 0).astype(self.noise.dtype)),
        "a factor",
    ),
    (
        Dropout,
        "grad_x",
        "mask missing",
        lambda self, grad: Dropout.apply(grad, noise=np.full_like(self.noise, self.noise.max(initial=0))),
        "a mask missing|no influence",
    ),
    (
        Masked,
        "grad_x",
        "mask and scale twice",
        lambda self, grad: grad * self.mask * self.scale * self.mask * self.scale,
        "mask applied twice",
    ),
    (Masked, "grad_x", "scale missing", lambda self, grad: grad * self.mask, "a factor"),
    (Masked, "grad_x", "mask missing", lambda self, grad: grad * self.scale, "a mask missing|no influence"),
    (Relu, "grad_x", "mask missing", lambda self, grad: grad, "a mask missing|no influence"),
    (
        Relu,
        "grad_x",
        "mask inverted",
        lambda self, grad, x: Select.apply(x < 0, grad),
        "a mask inverted|nothing arrives",
    ),
    (Where, "grad_b", "mask inverted", exchanged, "a mask inverted|nothing arrives"),
    (Exp, "grad_x", "of the input", lambda self, grad, x: grad * x, "the wrong function"),
    (Sigmoid, "grad_x", "tanh's", lambda self, grad, out: grad * (1 - out * out), "the wrong function"),
    (GetItem, "adjoint", "= for +=", overwritten, "overwritten|a missing sum"),
    (Gather, "adjoint", "= for +=", gathered_once, "overwritten|a missing sum"),
    (Windows, "adjoint", "= for +=", windows_overwrite, "overwritten|a missing sum"),
    (Softmax, "grad_x", "diagonal only", lambda self, grad, out: grad * out * (1 - out), "off-diagonal"),
    (RowSoftmax, "grad_x", "diagonal only", lambda self, grad, out: grad * out * (1 - out), "off-diagonal"),
]

OTHERS: list[Line] = [
    # arithmetic
    (Mul, "grad_a", "operands exchanged", lambda self, grad, a: grad * a),
    (Mul, "grad_a", "second derivative only", lambda self, grad, b: grad * frozen(b)),
    (Div, "grad_b", "1/b missing", lambda self, grad, out: -grad * out),
    (Div, "grad_b", "b² for -b²", lambda self, grad, a, b: grad * a / (b * b)),
    (Div, "grad_a", "second derivative only", lambda self, grad, b: grad / frozen(b)),
    (Pow, "grad_x", "exponent off by one", lambda self, grad, x, p: grad * (p * x**p)),
    (Pow, "grad_x", "p missing", lambda self, grad, x, p: grad * x ** (p - 1)),
    (Pow, "grad_p", "log missing", lambda self, grad, out: grad * out),
    (Pow, "grad_p", "log of p", lambda self, grad, x, p, out: grad * out * np.log(np.abs(p) + 1)),
    (Abs, "grad_x", "|grad|", lambda self, grad, x: np.absolute(grad) * np.sign(x)),
    (Abs, "grad_x", "sign missing", lambda self, grad: grad),
    (Neg, "grad_x", "writes into the gradient", writes_to_grad),
    # elementwise
    (Exp, "forward", "writes into its input", lambda self, x: np.exp(x, out=x)),
    (Sin, "forward", "float64", lambda self, x: np.sin(x) * np.ones((), np.float64)),
    (Sin, "grad_x", "sin for cos", lambda self, grad, x: grad * np.sin(x)),
    (Log, "grad_x", "× for ÷", lambda self, grad, x: grad * x),
    (Log, "grad_x", "1/out", lambda self, grad, out: grad / out),
    (Sqrt, "grad_x", "of the input", lambda self, grad, x: grad / (2 * x)),
    (Tanh, "grad_x", "of the input", lambda self, grad, x: grad * (1 - x * x)),
    (Tanh, "grad_x", "square missing", lambda self, grad, out: grad * (1 - out)),
    (Tanh, "grad_x", "second derivative only", lambda self, grad, out: grad * (1 - frozen(out) * frozen(out))),
    (Sigmoid, "grad_x", "of the input", lambda self, grad, x: grad * (x * (1 - x))),
    (Sigmoid, "grad_x", "1 - out missing", lambda self, grad, out: grad * out),
    (Relu, "grad_x", "as a leaky one", lambda self, grad, x: Select.apply(x > 0, grad) + 0.01 * grad),
    (LogSigmoid, "grad_x", "of x", lambda self, grad, x: grad * Sigmoid.apply(x)),
    (LogSigmoid, "grad_x", "sign inside", lambda self, grad, x: grad * (1 - Sigmoid.apply(-x))),
    # selection
    (Maximum, "grad_a", "the loser", lambda self, grad, a, b: Select.apply(a < b, grad)),
    (Maximum, "grad_a", "ties: both in full", lambda self, grad, a, b: Select.apply(a >= b, grad)),
    (Minimum, "grad_b", "as the maximum's", lambda self, grad, a, b: Select.apply(b > a, grad)),
    (Clamp, "grad_x", "as if within", lambda self, grad: grad),
    (
        Clamp,
        "grad_x",
        "low forgotten",
        lambda self, grad, x, low, high: grad if high is None else Select.apply(x <= high, grad),
    ),
    (Clamp, "grad_low", "the other side", lambda self, grad, x, low, high: Select.apply(x > low, grad)),
    (Where, "grad_a", "everywhere", lambda self, grad: grad),
    # reductions and moves
    (Amax, "grad_x", "the smallest", smallest),
    (Amax, "grad_x", "ties: all in full", all_maxima),
    (Flip, "adjoint", "all axes", lambda self, grad: np.flip(grad).copy()),
    (Expand, "adjoint", "a mean for the sum", after(Expand, "adjoint", lambda g: g / 3)),
    (Cat, "grad_inputs", "backwards", after(Cat, "grad_inputs", lambda parts: tuple(np.flip(g) for g in parts))),
    (Cat, "grad_inputs", "steps of the first", chunk_sizes),
    (Cat, "grad_inputs", "order of the parts", after(Cat, "grad_inputs", lambda parts: parts[::-1])),
    (Stack, "grad_inputs", "order of the parts", after(Stack, "grad_inputs", lambda parts: parts[::-1])),
    (Stack, "grad_inputs", "axis 0", lambda self, grad: tuple(grad[i] for i in range(grad.shape[0]))),
    (Pad, "grad_x", "backwards", after(Pad, "grad_x", np.flip)),
    (Pad, "grad_x", "off by one", padded_off_by_one),
    (SetItem, "grad_x", "as if not written", lambda self, grad: grad),
    (SetItem, "grad_value", "lost values too", lambda self, grad: grad[self.index]),
    (RegionWrite, "grad_base", "as if not written", lambda self, grad: grad),
    # products
    (MatMul, "grad_b", "second derivative only", lambda self, grad, a: np.matmul(np.swapaxes(frozen(a), -1, -2), grad)),
    (Linear, "grad_bias", "backwards", after(Linear, "grad_bias", np.flip)),
    (Linear, "grad_weight", "the first row only", lambda self, grad, x: np.matmul(rows_of(grad)[:1].T, rows_of(x)[:1])),
    # windows
    (Conv2d, "backward", "bias: the first image", after(Conv2d, "backward", only(2, lambda g: g * 0.5))),
    (
        Conv2d,
        "backward",
        "input for weight",
        after(Conv2d, "backward", lambda g: (g[0], None if g[1] is None else g[1] * 0, g[2])),
    ),
    (ConvTranspose2d, "grad_input", "filters reversed", ungrouped_weight),
    (ConvTranspose2d, "grad_input", "second derivative only", frozen_weight),
    (Conv2dWeight, "grad_y", "sign", after(Conv2dWeight, "grad_y", lambda g: -g)),
    (Unfold, "adjoint", "col2im: = for +=", columns_overwrite),
    (Unfold, "adjoint", "col2im: kernel transposed", transposed_kernel),
    (Unfold, "adjoint", "col2im: kernel rotated", columns_flipped),
    (Fold, "adjoint", "im2col: kernel rotated", lambda self, grad: np.flip(im2col(grad, self.window), 1).copy()),
    (MaxPool2d, "grad_input", "the first of each window", first_of_window),
    (MaxPool2d, "grad_input", "the last of each window", last_of_window),
    (MaxPoolScatter, "forward", "= for +=", indices_overwrite),
    (AvgPool2d, "adjoint", "border cells count in full", average_by_the_kernel),
    # norms
    (BatchNorm, "backward", "term of the mean missing", batch_norm(mean=False)),
    (BatchNorm, "backward", "term of the variance missing", batch_norm(variance=False)),
    (BatchNorm, "backward", "both terms missing", batch_norm(mean=False, variance=False)),
    (BatchNorm, "backward", "N - 1 for N", batch_norm(unbiased=True)),
    (BatchNorm, "backward", "weight forgotten", batch_norm(weight_in=False)),
    (BatchNorm, "backward", "weight: not centered", batch_norm(center=False)),
    (BatchNorm, "decomposition", "unbiased variance", unbiased_decomposition),
    (FixedBatchNorm, "grad_mean", "sign", after(FixedBatchNorm, "grad_mean", lambda g: -g)),
    (
        FixedBatchNorm,
        "grad_input",
        "weight forgotten",
        lambda self, grad, var: grad * _column(self._scale(var, None), grad),
    ),
    (
        FixedBatchNorm,
        "grad_var",
        "power -1/2",
        lambda self, grad, input, mean, var, weight: (
            FixedBatchNorm_grad_var(self, grad, input, mean, var, weight) * (var + self.eps)
        ),
    ),
    (LayerNorm, "grad_x", "term of the mean missing", layer_norm(mean=False)),
    (LayerNorm, "grad_x", "term of the variance missing", layer_norm(variance=False)),
    (LayerNorm, "grad_x", "both terms missing", layer_norm(mean=False, variance=False)),
    (LayerNorm, "grad_x", "N - 1 for N", layer_norm(n=1)),
    (LayerNorm, "grad_x", "weight forgotten", layer_norm(scale=False)),
    (
        LayerNorm,
        "grad_weight",
        "not normalized",
        lambda self, grad, x: (grad * (x - np.mean(x, 1, keepdims=True))).sum(0),
    ),
    # softmax and losses
    (Softmax, "grad_x", "sum missing", lambda self, grad, out: grad * out),
    (Softmax, "grad_x", "sum of the gradient alone", lambda self, grad, out: (grad - sum_along(grad, self.axis)) * out),
    (LogSoftmax, "grad_x", "softmax missing", lambda self, grad, out: grad - sum_along(grad, self.axis)),
    (LogSoftmax, "grad_x", "sum missing", lambda self, grad, out: grad - np.exp(out) * grad),
    (
        LogSumExp,
        "grad_x",
        "not normalized",
        lambda self, grad, x: grad.reshape(reduced_shape(x.shape, self.axis)) * np.exp(x),
    ),
    (CrossEntropy, "grad_input", "weight ignored", cross_entropy(weighted=False)),
    (CrossEntropy, "grad_input", "own class forgotten", cross_entropy(own=False)),
    (BinaryCrossEntropy, "grad_x", "1 - x missing", lambda self, grad, x, target: grad * (x - target) / x),
    (BinaryCrossEntropy, "grad_x", "denominator missing", lambda self, grad, x, target: grad * (x - target)),
    (
        BinaryCrossEntropyWithLogits,
        "grad_x",
        "weight of the positive forgotten",
        lambda self, grad, x, t, p: grad * (Sigmoid.apply(x) - t),
    ),
    (BinaryCrossEntropyWithLogits, "grad_t", "weight of the positive forgotten", lambda self, grad, x, p: -grad * x),
    (BinaryCrossEntropyWithLogits, "grad_p", "of -x", lambda self, grad, x, t: -grad * t * LogSigmoid.apply(-x)),
    (RowSoftmax, "grad_x", "sum missing", lambda self, grad, out: grad * out),
    # recurrent cells
    (RNNCell, "backward", "tanh forgotten", rnn(z="grad * 1")),
    (RNNCell, "backward", "square missing", rnn(z="grad * (1 - out)")),
    (RNNCell, "backward", "state for input", rnn(by_u="np.matmul(z.T, z * 0 + 1) * h.sum()")),
    (RNNCell, "backward", "state detached", rnn(by_h="z * 0")),
    (LSTMGates, "grad_gates", "sigmoid of i forgotten", lstm(by_i="grad * g * i")),
    (LSTMGates, "grad_gates", "tanh of g forgotten", lstm(by_g="grad * i")),
    (LSTMGates, "grad_gates", "gates in another order", lstm(order="fig")),
    (LSTMGates, "grad_gates", "c forgotten", lstm(by_f="grad * f * (1 - f)")),
    (
        LSTMGates,
        "grad_c",
        "input gate for forget gate",
        lambda self, grad, gates: grad * sigmoid(gates[:, : gates.shape[1] // 4]),
    ),
    (Decay, "grad_x", "truncated after a step", truncated),
    (Decay, "grad_x", "no way through time", without_time),
    (Decay, "grad_x", "forward in time", forward_in_time),
    (
        Decay,
        "grad_a",
        "state of the same step",
        lambda self, grad, x, a, out: (Decay_grad_x(self, grad, a)[1:] * out[1:]).sum(0),
    ),
    (Decay, "grad_a", "without the way through time", lambda self, grad, x, a, out: (grad[1:] * out[:-1]).sum(0)),
    (Decay, "grad_a", "shifted the wrong way", last_place),
    # textbook windows
    (Windows, "adjoint", "taps reversed", windows_reversed),
    (Windows, "adjoint", "a tap forgotten", windows_short),
    (EveryOther, "adjoint", "the odd ones", odd_elements),
    (EveryOther, "adjoint", "repeated", repeated),
    (WindowMax, "grad_x", "the first of each window", window_first),
    (WindowMax, "grad_x", "all of each window", window_both),
    (WindowMax, "grad_x", "ties: all in full", window_ties),
    (Masked, "grad_x", "mask on the wrong side", lambda self, grad: grad * (1 - self.mask) * self.scale),
    # the engine
    *((engine, "fit_to_input", "a gradient for two", always_owned) for engine in (walk, single)),
    *((engine, "accumulate", "a gradient is the caller's", aliased_gradient) for engine in (walk, single)),
    (Queue, "add", "the last gradient, not the sum", last_gradient),
    (
        BackwardHookFunction,
        "grad_inputs",
        "sign",
        after(BackwardHookFunction, "grad_inputs", lambda parts: tuple(None if g is None else -g for g in parts)),
    ),
]

ENGINE_CLASSES = {"sum_to": (Add, Mul, MatMul), "fit_to_input": (Add,), "accumulate": (Add,), "add": (Mul, Cat)}


def by_hand() -> Iterator[Fault]:
    """All faults of both tables."""
    for target, name, what, body, pattern in [*NAMED, *((*line, "") for line in OTHERS)]:
        if target in (derivatives, walk, single, Queue):
            entries: Any = entries_of(*ENGINE_CLASSES[name])
        elif target in TEXTBOOK:
            entries = (TEXTBOOK[target],)
        else:
            entries = entries_of({MaxPoolScatter: MaxPool2d}.get(target, target))
        place = f"{target.__name__.rpartition('.')[2]}.{name}"
        yield Fault("by hand", place, what, replaced(target, **{name: body}), entries, pattern=pattern)
