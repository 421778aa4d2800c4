"""Operations in bare NumPy calls, without a graph or checks: the lower limit of time for NumPy on a machine.

Each function returns its result and a function from the gradient of the result to those of the inputs, or None if only
the forward pass is compared. Only the shapes of ops.py are handled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = np.ndarray[Any, Any]
Result = tuple[Array, Callable[[Array], Any] | None]

COLUMNS = 1 << 22  # bytes of im2col that are made at a time


def forward_only(call: Callable[..., Array]) -> Callable[..., Result]:
    return lambda *arrays: (call(*arrays), None)


linear = forward_only(lambda x, w: x @ w.T)
scores = forward_only(lambda q, k: q @ k.swapaxes(2, 3))
tanh = forward_only(np.tanh)


def pointwise_conv(x: Array, w: Array) -> Result:
    n, c, h, wide = x.shape
    flat, matrix = x.reshape(n, c, h * wide), w.reshape(len(w), c)

    def backward(grad: Array) -> Any:
        grad = grad.reshape(n, len(w), h * wide)
        return matrix.T @ grad, (grad @ flat.swapaxes(1, 2)).sum(0)

    return (matrix @ flat).reshape(n, len(w), h, wide), backward


def conv(stride: int, padding: int) -> Callable[[Array, Array], Result]:
    """im2col for a few images at a time; the backward pass recomputes the columns."""

    def forward(x: Array, w: Array) -> Result:
        (n, c, h, wide), (o, _, k, _) = x.shape, w.shape
        size = (n, c, h + 2 * padding, wide + 2 * padding)
        padded, matrix = np.zeros(size, x.dtype), w.reshape(o, c * k * k)
        padded[:, :, padding : padding + h, padding : padding + wide] = x
        taps = sliding_window_view(padded, (k, k), (2, 3))[:, :, ::stride, ::stride].transpose(0, 1, 4, 5, 2, 3)
        oh, ow = taps.shape[4:]
        step = max(1, COLUMNS // (c * k * k * oh * ow * 4))
        out = np.empty((n, o, oh * ow), x.dtype)

        def columns(i: int) -> Array:  # (n, C·KH·KW, OH·OW)
            return np.ascontiguousarray(taps[i : i + step]).reshape(-1, c * k * k, oh * ow)

        for i in range(0, n, step):
            np.matmul(matrix, columns(i), out=out[i : i + step])

        def backward(grad: Array) -> Any:
            grad, grad_w, grad_x = grad.reshape(n, o, oh * ow), np.zeros_like(matrix), np.zeros(size, x.dtype)
            for i in range(0, n, step):
                grad_w += (grad[i : i + step] @ columns(i).swapaxes(1, 2)).sum(0)
                cells = (matrix.T @ grad[i : i + step]).reshape(-1, c, k, k, oh, ow)
                for a in range(k):
                    for b in range(k):
                        rows, places = slice(a, a + stride * oh, stride), slice(b, b + stride * ow, stride)
                        grad_x[i : i + step, :, rows, places] += cells[:, :, a, b]
            return grad_x[:, :, padding : padding + h, padding : padding + wide], grad_w

        return out.reshape(n, o, oh, ow), backward

    return forward


def conv_by_lines(x: Array, w: Array) -> Result:
    """3 x 3 convolution with padding 1: columns over KW only, and a product for each row of the kernel (MEC)."""
    (n, c, h, wide), o = x.shape, len(w)
    out, product = np.empty((n, o, h * wide), x.dtype), np.empty((o, h * wide), x.dtype)
    lines = np.zeros((c, 3, h + 2, wide), x.dtype)
    flat, matrices = lines.reshape(c * 3, (h + 2) * wide), [w[:, :, i].reshape(o, c * 3) for i in range(3)]
    for i in range(n):
        lines[:, 0, 1:-1, 1:], lines[:, 1, 1:-1], lines[:, 2, 1:-1, :-1] = x[i, :, :, :-1], x[i], x[i, :, :, 1:]
        np.matmul(matrices[0], flat[:, : h * wide], out=out[i])
        for row in (1, 2):
            out[i] += np.matmul(matrices[row], flat[:, row * wide : (row + h) * wide], out=product)
    return out.reshape(n, o, h, wide), None


def max_pool(x: Array) -> Result:
    n, c, h, w = x.shape
    flat = x.reshape(-1)
    pairs = np.maximum(flat[0::2], flat[1::2]).reshape(n, c, h // 2, 2, w // 2)
    upper, lower = pairs[:, :, :, 0], pairs[:, :, :, 1]

    def backward(grad: Array) -> Any:
        rows, out = np.empty_like(pairs), np.empty_like(flat)
        np.multiply(grad, upper >= lower, out=rows[:, :, :, 0])
        np.subtract(grad, rows[:, :, :, 0], out=rows[:, :, :, 1])
        np.multiply(rows.reshape(-1), flat[0::2] >= flat[1::2], out=out[0::2])
        np.subtract(rows.reshape(-1), out[0::2], out=out[1::2])
        return out.reshape(x.shape)

    return np.maximum(upper, lower), backward


def avg_pool(x: Array) -> Result:
    n, c, h, w = x.shape
    pairs = x.reshape(n, c, h // 2, 2, w)
    rows = (pairs[:, :, :, 0] + pairs[:, :, :, 1]).reshape(-1)
    out = rows[0::2] + rows[1::2]
    out *= 0.25

    def backward(grad: Array) -> Any:
        grad, wide = grad * np.float32(0.25), np.empty((n, c, h // 2, w // 2, 2), x.dtype)
        wide[..., 0] = wide[..., 1] = grad
        whole, lines = np.empty_like(pairs), wide.reshape(n, c, h // 2, w)
        whole[:, :, :, 0] = whole[:, :, :, 1] = lines
        return whole

    return out.reshape(n, c, h // 2, w // 2), backward


def softmax(x: Array) -> Result:
    exps = np.exp(x)
    total = exps @ np.ones(x.shape[1], x.dtype)
    before = np.setbufsize(256)  # otherwise NumPy first copies operands that are broadcast along a row
    exps /= total[:, None]
    np.setbufsize(before)

    def backward(grad: Array) -> Any:
        total = np.vecdot(grad, exps)[:, None]
        before = np.setbufsize(256)
        grad = grad - total
        np.setbufsize(before)
        grad *= exps
        return grad

    return exps, backward


def cross_entropy(x: Array, labels: Array) -> Result:
    rows, ones = np.arange(len(x)), np.ones(x.shape[1], x.dtype)
    exps = np.exp(x)
    total = exps @ ones
    loss = (np.log(total) - x[rows, labels]).mean()

    def backward(grad: Array) -> Any:
        before = np.setbufsize(256)
        share = exps * (grad / len(x) / total)[:, None]
        np.setbufsize(before)
        share[rows, labels] -= grad / len(x)
        return share

    return loss, backward


def batch_norm(x: Array, weight: Array, bias: Array) -> Result:
    n, c, h, w = x.shape
    places, count, ones = h * w, np.float32(n * h * w), np.ones(h * w, x.dtype)
    flat = x.reshape(n, c, places)
    mean = (flat @ ones).sum(0) / count
    out, squares = np.empty_like(flat), np.zeros(c, x.dtype)
    for i in range(0, n, 4):
        centered = np.subtract(flat[i : i + 4], mean[:, None], out=out[i : i + 4])
        squares += np.vecdot(centered, centered).sum(0)
    inverse = 1 / np.sqrt(squares / count + np.float32(1e-5))
    scale = weight * inverse
    shift = bias - mean * scale
    for i in range(0, n, 4):
        np.multiply(flat[i : i + 4], scale[:, None], out=out[i : i + 4])
        out[i : i + 4] += shift[:, None]

    def backward(grad: Array) -> Any:
        grad = grad.reshape(flat.shape)
        grad_bias = (grad @ ones).sum(0)
        grad_weight = (np.vecdot(grad, flat).sum(0) - mean * grad_bias) * inverse
        slope = -scale * grad_weight * inverse / count
        level = -scale * grad_bias / count - slope * mean
        grad_x, product = np.empty_like(flat), np.empty_like(flat[:4])
        for i in range(0, n, 4):
            np.multiply(grad[i : i + 4], scale[:, None], out=grad_x[i : i + 4])
            np.multiply(flat[i : i + 4], slope[:, None], out=product)
            product += level[:, None]
            grad_x[i : i + 4] += product
        return grad_x.reshape(x.shape), grad_weight, grad_bias

    return out.reshape(x.shape), backward


def logistic(x: Array) -> Array:
    out = np.negative(x)
    np.exp(out, out=out)
    out += 1
    return np.divide(1, out, out=out)


def sigmoid(x: Array) -> Result:
    out = logistic(x)

    def backward(grad: Array) -> Any:
        product = 1 - out
        product *= out
        product *= grad
        return product

    return out, backward


def silu(x: Array) -> Result:
    share = logistic(x)

    def backward(grad: Array) -> Any:
        slope = 1 - share
        slope *= x
        slope += 1
        slope *= share
        slope *= grad
        return slope

    return x * share, backward


def gelu_tanh(x: Array) -> Result:
    linear, cubic = np.float32(0.7978845608), np.float32(0.7978845608 * 0.044715)
    squares = x * x
    inner = cubic * squares
    inner += linear
    inner *= x
    np.tanh(inner, out=inner)
    out = inner + 1
    out *= x
    out *= 0.5

    def backward(grad: Array) -> Any:
        slope = x * x
        slope *= 3 * cubic
        slope += linear
        slope *= x
        slope *= 1 - inner * inner
        slope += inner
        slope += 1
        slope *= 0.5
        slope *= grad
        return slope

    return out, backward


def optimizer_step(update: Callable[..., None], moments: int) -> Callable[..., Result]:
    """A step with constant gradients: update(parameter, gradient, *moments, scratch) for each parameter."""
    made: list[list[Array]] = []

    def call(*parameters: Array) -> Result:
        if not made:
            made.extend([p.copy(), *(np.zeros_like(p) for _ in range(moments)), np.empty_like(p)] for p in parameters)
        for p, arrays in zip(parameters, made, strict=True):
            update(p, *arrays)
        return parameters[0], None

    return call


def sgd(p: Array, grad: Array, buffer: Array, a: Array) -> None:
    buffer *= 0.9
    buffer += grad
    p -= np.multiply(buffer, 0.1, out=a)


def adam(p: Array, grad: Array, m: Array, v: Array, a: Array) -> None:
    np.subtract(grad, m, out=a)
    a *= 0.1
    m += a
    v *= 0.999
    np.multiply(grad, 0.001, out=a)
    a *= grad
    v += a
    np.sqrt(v, out=a)
    a += 1e-8
    np.divide(m, a, out=a)
    a *= 1e-3
    p -= a


def adamw(p: Array, *arrays: Array) -> None:
    p *= 1 - 1e-5
    adam(p, *arrays)
