"""Faulty derivatives that take more than a line, for by_hand.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microgad.backend.axes import reduced_shape
from microgad.engine.queue import Queue
from microgad.function import Function, Tensor
from microgad.ops.elementwise import Select
from microgad.ops.normalization import FixedBatchNorm
from microgad.ops.normalization.channels import channel_size as _count
from microgad.ops.normalization.channels import column as _column
from microgad.ops.normalization.channels import flatten as _flat
from microgad.ops.reduction import Sum
from microgad.ops.window.conv import Conv2d
from microgad.ops.window.pool import AvgPool2d, MaxPoolScatter, divisor
from microgad.ops.window.unfold import Unfold

from .textbook_functions import Decay, sigmoid
from .wrappers import bare

_add = Queue.add


def after(cls: type[Function], name: str, change: Callable[[Any], Any]) -> Any:
    """A derivative with a changed result and the same signature, which names the values that it reads."""
    method = vars(cls)[name]
    names = ", ".join(method.__code__.co_varnames[: method.__code__.co_argcount])
    return eval(f"lambda {names}: change(method({names}))", {"change": change, "method": method})


def only(i: int, change: Callable[[Any], Any]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """A change of one of several gradients."""
    return lambda gradients: tuple(change(g) if i == k and g is not None else g for k, g in enumerate(gradients))


def frozen(x: Any) -> Any:
    """A Tensor is detached: the first derivative stays right, the second is wrong."""
    return Tensor._wrap(x.array) if isinstance(x, Tensor) else x


def flip_planes(g: Any) -> Any:
    return np.flip(g, (2, 3)) if isinstance(g, Tensor) else np.flip(g, (2, 3)).copy()


Sum_adjoint, FixedBatchNorm_grad_var = Sum.adjoint, FixedBatchNorm.grad_var


def rows_of(x: Any) -> Any:
    return x if x.ndim == 2 else x.reshape((-1, x.shape[-1]))


def smallest(self, grad, x):
    spread = Sum.transposed.apply(grad, x_shape=x.shape, **vars(self))
    return spread * (x == np.min(x, self.axis, keepdims=True))


def all_maxima(self, grad, x, out):
    shape = reduced_shape(x.shape, self.axis)
    return Select.apply(x == out.reshape(shape), np.broadcast_to(grad.reshape(shape), x.shape))


def overwritten(self, grad):
    out = np.zeros_like(grad, shape=self.x_shape)
    out[self.index] = grad
    return out


def gathered_once(self, grad):
    out = np.zeros_like(grad, shape=self.x_shape)
    np.put_along_axis(out, self.index, grad, self.axis)
    return out


def first_only(g, shape):
    """Undo broadcasting by the first gradient along an axis, in place of the sum."""
    g = g[(0,) * (g.ndim - len(shape))]
    return g[tuple(slice(0, 1) if n == 1 else slice(None) for n in shape)]


def averaged_back(g, shape):
    """Undo broadcasting by the mean, in place of the sum."""
    lead = g.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(i + lead for i, n in enumerate(shape) if n == 1 and g.shape[i + lead] != 1)
    return (np.mean(g, axes) if axes else g).reshape(shape)


def exchanged(self, grad, condition):
    return Select.apply(condition, grad)


def writes_to_grad(self, grad):
    return np.negative(grad, out=bare(grad))


def always_owned(node, i, g, create_graph):
    return g, True


def aliased_gradient(leaf, grad, owned, create_graph):
    leaf.tensor().grad = Tensor._wrap(grad)


def last_gradient(self, node, grad, owned):
    """Accumulate only the last gradient, in place of the sum."""
    _add(self, node, grad, owned)
    self.pending[self.positions.get(node.number, node.number)] = [node, grad, False]


def batch_norm(*, mean=True, variance=True, unbiased=False, weight_in=True, center=True):
    """BatchNorm's backward with a mistake."""

    def backward(self, grad, input, weight, mean_, inv_std):
        grad_out, grad_mean, grad_var = grad
        g, n = _flat(grad_out), _count(input) or 1
        centered = _flat(input) - mean_[:, None]
        grad_weight = np.einsum("ncp,ncp->c", g, centered if center else _flat(input)) * inv_std
        grad_bias = np.einsum("ncp->c", g)
        scale = inv_std if weight is None or not weight_in else inv_std * weight
        found = g * scale[:, None]
        if variance:
            found = found + centered * ((2 * grad_var - scale * grad_weight * inv_std) / (n - unbiased))[:, None]
        if mean:
            found = found + ((grad_mean - scale * grad_bias) / n)[:, None]
        gradients = found.reshape(input.shape), grad_weight, grad_bias
        return tuple(x if needed else None for x, needed in zip(gradients, self.needs, strict=True))

    source = "lambda self, grad, input, weight, mean, inv_std: backward(self, grad, input, weight, mean, inv_std)"
    return eval(source, {"backward": backward})


def unbiased_decomposition(self, input, weight, bias):
    axes = (0, *range(2, input.ndim))
    n = _count(bare(input))
    mean = np.mean(input, axes)
    centered = input - _column(mean, input)
    var = np.mean(centered * centered, axes)
    out = centered / _column(np.sqrt(var * (n / (n - 1)) + self.eps), input)
    if weight is not None:
        out = out * _column(weight, input)
    return (out if bias is None else out + _column(bias, input)), mean, var


def cross_entropy(*, weighted=True, mean=True, own=True):
    """CrossEntropy's derivative with a mistake."""

    def grad_input(self, grad, input, target, row_weights, divisor, peak, total):
        scale = grad / divisor if self.reduction == "mean" and mean else grad
        scale = np.broadcast_to(scale, target.shape)
        if row_weights is not None:
            target = np.where(target == self.ignore_index, 0, target)
            scale = np.where(row_weights != 0, (row_weights if weighted else 1.0) * scale, 0.0)
        out = np.swapaxes(input, 0, 1) - peak
        out = np.exp(out) * (scale / total)
        if own:
            np.put_along_axis(out, target[None], np.take_along_axis(out, target[None], 0) - scale[None], 0)
        return out.swapaxes(0, 1)

    return grad_input


def squared_error(scale):
    def grad_x(self, grad, x, y):
        return (x - y) * (grad * scale(self, x - y))

    return grad_x


def first_of_window(self, grad, winner):
    return MaxPoolScatter.apply(grad, winner=winner * 0, window=self.window)


def last_of_window(self, grad, winner):
    return MaxPoolScatter.apply(grad, winner=winner * 0 + winner.max(initial=0), window=self.window)


def average_without_divisor(self, grad):
    return AvgPool2d_adjoint(self, grad * divisor(self, grad))


AvgPool2d_adjoint = AvgPool2d.adjoint


def average_by_the_kernel(self, grad):
    kernel = self.window.kernel[0] * self.window.kernel[1]
    return AvgPool2d_adjoint(self, grad * divisor(self, grad) / kernel)


def indices_overwrite(self, x):
    """MaxPoolScatter with = for +=."""
    from microgad.ops.window.pool import winning_cells

    out = np.zeros_like(x, shape=(*x.shape[:2], *self.window.size), order="C")
    for images, cells in winning_cells(x, self.winner, self.window):
        out[images].reshape(-1)[cells] = x[images].reshape(-1)
    return out


def columns_overwrite(self, grad):
    """col2im with = for +=."""
    from microgad.ops.window.unfold import taps

    (kh, kw), (oh, ow) = self.window.kernel, self.window.out
    n, c = len(grad), grad.shape[1] // (kh * kw)
    x = np.zeros_like(grad, shape=(n, c, *self.window.size), order="C")
    columns = grad.reshape(n, c, kh * kw, oh, ow)
    for k, cells, (rows, positions) in taps(self.window, 0, oh):
        x[cells] = columns[..., k, rows, positions]
    return x


def transposed_kernel(self, grad):
    """col2im with a transposed kernel."""
    kh, kw = self.window.kernel
    n, rows, positions = grad.shape
    transposed = np.swapaxes(grad.reshape(n, -1, kw, kh, positions), 2, 3).reshape(n, rows, positions)
    return Unfold_adjoint(self, transposed)


Unfold_adjoint = Unfold.adjoint


def columns_flipped(self, grad):
    kh, kw = self.window.kernel
    n, rows, positions = grad.shape
    return Unfold_adjoint(self, np.flip(grad.reshape(n, -1, kh * kw, positions), 2).reshape(n, rows, positions))


def padded_off_by_one(self, grad):
    return grad[
        tuple(
            slice(max(low - 1, 0), n - high - (low > 0)) for n, (low, high) in zip(grad.shape, self.widths, strict=True)
        )
    ]


def ungrouped_weight(self, grad, weight):
    """The filters in reverse order, as if input and output channels were exchanged."""
    flipped = np.flip(weight, 0) if isinstance(weight, Tensor) else np.flip(weight, 0).copy()
    return Conv2d.apply(grad, flipped, None, window=self.window, groups=self.groups)


def frozen_weight(self, grad, weight):
    return Conv2d.apply(grad, frozen(weight), None, window=self.window, groups=self.groups)


def chunk_sizes(self, grad):
    lead, start, parts = (slice(None),) * self.axis, 0, []
    for size in self.sizes:
        parts.append(grad[(*lead, slice(start, start + size))])
        start += self.sizes[0]
    return tuple(parts)


def last_place(self, grad, x, a, out):
    return (Decay_grad_x(self, grad, a)[:-1] * out[1:]).sum(0)


Decay_grad_x = Decay.grad_x


def truncated(self, grad, a):
    rows = [grad[t] + (a * grad[t + 1] if t + 1 < len(grad) else 0) for t in range(len(grad))]
    return np.stack(rows) if rows else grad


def without_time(self, grad, a):
    return grad * 1


def forward_in_time(self, grad, a):
    earlier, rows = 0, []
    for t in range(len(grad)):
        earlier = grad[t] + a * earlier
        rows.append(earlier)
    return np.stack(rows) if rows else grad


def rnn(**parts):
    """RNNCell's backward with one of its expressions changed."""

    def backward(self, grad, x, h, w, u, out):
        known = {"np": np, "grad": grad, "x": x, "h": h, "w": w, "u": u, "out": out}
        z = known["z"] = eval(parts.get("z", "grad * (1 - out * out)"), known)
        del z
        usual = {"x": "np.matmul(z, w)", "h": "np.matmul(z, u)", "w": "np.matmul(z.T, x)", "u": "np.matmul(z.T, h)"}
        usual["b"] = "z.sum(0)"
        return tuple(eval(parts.get(f"by_{name}", source), known) for name, source in usual.items())

    return backward


def lstm(**parts):
    """LSTMGates's derivative with one of its expressions changed."""

    def grad_gates(self, grad, gates, c):
        n = gates.shape[1] // 4
        i, f, g = sigmoid(gates[:, :n]), sigmoid(gates[:, n : 2 * n]), np.tanh(gates[:, 2 * n : 3 * n])
        known = {"grad": grad, "i": i, "f": f, "g": g, "c": c}
        usual = {"i": "grad * g * i * (1 - i)", "f": "grad * c * f * (1 - f)", "g": "grad * i * (1 - g * g)"}
        order = parts.get("order", "ifg")
        return np.concatenate([*(eval(parts.get(f"by_{k}", usual[k]), known) for k in order), 0 * grad], 1)

    return grad_gates


def layer_norm(*, mean=True, variance=True, scale=True, n=0):
    def grad_x(self, grad, x, weight):
        hat, std = self.standard(x)
        g = grad * weight if scale else grad * 1
        share = 1 if not n else x.shape[1] / max(1, x.shape[1] - n)
        if mean:
            g_mean = np.mean(g, 1, keepdims=True)
        found = g - g_mean if mean else g
        return (found - hat * np.mean(g * hat, 1, keepdims=True) * share if variance else found) / std

    return grad_x


def windows_overwrite(self, grad):
    out = np.zeros_like(grad, shape=self.x_shape)
    for i in range(3):
        out[:, i : self.x_shape[1] - 2 + i] = grad[:, :, i]
    return out


def windows_reversed(self, grad):
    out = np.zeros_like(grad, shape=self.x_shape)
    for i in range(3):
        out[:, i : self.x_shape[1] - 2 + i] += grad[:, :, 2 - i]
    return out


def windows_short(self, grad):
    out = np.zeros_like(grad, shape=self.x_shape)
    for i in range(2):
        out[:, i : self.x_shape[1] - 2 + i] += grad[:, :, i]
    return out


def odd_elements(self, grad):
    out = np.zeros_like(grad, shape=self.x_shape)
    out[1::2] = grad[: len(out[1::2])]
    return out


def repeated(self, grad):
    return np.repeat(grad, 2, 0)[: self.x_shape[0]]


def window_first(self, grad, x):
    return np.stack((grad, 0 * grad), 2).reshape(x.shape)


def window_both(self, grad, x):
    return np.stack((grad, grad), 2).reshape(x.shape)


def window_ties(self, grad, x):
    first, second = x[:, ::2] >= x[:, 1::2], x[:, 1::2] >= x[:, ::2]
    return np.stack((np.where(first, grad, 0.0), np.where(second, grad, 0.0)), 2).reshape(x.shape)
