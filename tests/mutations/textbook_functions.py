"""Functions that users write and the library lacks, in which by_hand.py plants the classic mistakes.

Their derivatives are right, and written as in a textbook.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from microgad.errors import ShapeError
from microgad.function import Function
from microgad.function.linear_map import LinearMap
from microgad.testing.laws import op
from microgad.testing.laws.case import Case
from microgad.testing.laws.runner import check_laws
from microgad.testing.strategies import numbers, tensors

small = st.integers(1, 3)


class TextbookEntry:
    """The property test of such a Function, with the attributes of registry.Entry that are used here."""

    def __init__(self, cls: type[Function], example: Callable[..., Any]) -> None:
        self.name, self.classes = cls.__name__, (cls,)
        self.examples = st.composite(lambda draw: Case(cls.__name__, *example(draw)))()

    def check(self, **options: Any) -> None:
        @settings(**options)
        @given(self.examples)
        def every_example_obeys(case: Case) -> None:
            check_laws(case, op.LAWS)

        every_example_obeys()


TEXTBOOK: dict[type[Function], TextbookEntry] = {}


def example_of(cls: type[Function]) -> Callable[[Callable[..., Any]], None]:
    def register(example: Callable[..., Any]) -> None:
        TEXTBOOK[cls] = TextbookEntry(cls, example)

    return register


class LayerNorm(Function):
    """(N, D), (D,), (D,): rows normalized, scaled and shifted."""

    eps = 0.3

    def forward(self, x, weight, bias):
        if 0 in x.shape:
            raise ShapeError(f"x has shape {x.shape}, but a mean needs something")
        centered = x - np.mean(x, 1, keepdims=True)
        return centered / np.sqrt(np.mean(centered * centered, 1, keepdims=True) + self.eps) * weight + bias

    def grad_x(self, grad, x, weight):
        hat, std = self.standard(x)
        g = grad * weight
        return (g - np.mean(g, 1, keepdims=True) - hat * np.mean(g * hat, 1, keepdims=True)) / std

    def grad_weight(self, grad, x):
        return (grad * self.standard(x)[0]).sum(0)

    def grad_bias(self, grad):
        return grad.sum(0)

    def standard(self, x):
        centered = x - np.mean(x, 1, keepdims=True)
        std = np.sqrt(np.mean(centered * centered, 1, keepdims=True) + self.eps)
        return centered / std, std


@example_of(LayerNorm)
def layer_norm(draw):
    x = draw(tensors((draw(small), draw(st.integers(2, 4))), requires_grad=True))
    weight, bias = (draw(tensors((x.shape[1],), requires_grad=True)) for _ in range(2))
    return LayerNorm.apply, (x, weight, bias)


class RNNCell(Function):
    """(N, I), (N, H), (H, I), (H, H), (H,): tanh(x Wᵀ + h Uᵀ + b)."""

    def forward(self, x, h, w, u, b):
        return np.tanh(np.matmul(x, w.T) + np.matmul(h, u.T) + b)

    def backward(self, grad, x, h, w, u, out):
        z = grad * (1 - out * out)
        return np.matmul(z, w), np.matmul(z, u), np.matmul(z.T, x), np.matmul(z.T, h), z.sum(0)


@example_of(RNNCell)
def rnn_cell(draw):
    n, i, h = draw(small), draw(small), draw(small)
    shapes = (n, i), (n, h), (h, i), (h, h), (h,)
    return RNNCell.apply, tuple(draw(tensors(shape, elements=numbers(-1, 1), requires_grad=True)) for shape in shapes)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class LSTMGates(Function):
    """(N, 4H), (N, H): from the gates' inputs and the cell c the next cell, f · c + i · g."""

    def forward(self, gates, c):
        if gates.shape[1] != 4 * c.shape[1]:
            raise ShapeError(f"gates has {gates.shape[1]} columns, not four times the {c.shape[1]} of c")
        i, f, g, _ = np.split(gates, 4, 1)
        return sigmoid(f) * c + sigmoid(i) * np.tanh(g)

    def grad_gates(self, grad, gates, c):
        n = gates.shape[1] // 4
        i, f, g = sigmoid(gates[:, :n]), sigmoid(gates[:, n : 2 * n]), np.tanh(gates[:, 2 * n : 3 * n])
        parts = grad * g * i * (1 - i), grad * c * f * (1 - f), grad * i * (1 - g * g), 0 * grad
        return np.concatenate(parts, 1)

    def grad_c(self, grad, gates):
        n = gates.shape[1] // 4
        return grad * sigmoid(gates[:, n : 2 * n])


@example_of(LSTMGates)
def lstm_gates(draw):
    n, h = draw(small), draw(small)
    return LSTMGates.apply, tuple(draw(tensors(shape, requires_grad=True)) for shape in ((n, 4 * h), (n, h)))


class Decay(Function):
    """(T, N), (N,): hₜ = a · hₜ₋₁ + xₜ, a recurrence over time."""

    def forward(self, x, a):
        rows = []
        for t in range(len(x)):
            rows.append(x[t] + a * rows[-1] if rows else x[t] * 1)
        return np.stack(rows) if rows else x * 1

    def grad_x(self, grad, a):
        later, rows = 0, []
        for t in range(len(grad) - 1, -1, -1):
            later = grad[t] + a * later
            rows.append(later)
        return np.stack(rows[::-1]) if rows else grad

    def grad_a(self, grad, x, a, out):
        by_x = Decay.grad_x(self, grad, a)
        return (by_x[1:] * out[:-1]).sum(0)


@example_of(Decay)
def decay(draw):
    t, n = draw(st.integers(1, 4)), draw(small)
    return Decay.apply, (draw(tensors((t, n), requires_grad=True)), draw(tensors((n,), requires_grad=True)))


class Windows(LinearMap):
    """(N, L) -> (N, L - 2, 3): im2col in one dimension."""

    def forward(self, x):
        return np.stack([x[:, i : x.shape[1] - 2 + i] for i in range(3)], 2)

    def adjoint(self, grad):
        out = np.zeros_like(grad, shape=self.x_shape)
        for i in range(3):
            out[:, i : self.x_shape[1] - 2 + i] += grad[:, :, i]
        return out


@example_of(Windows)
def windows(draw):
    return Windows.apply, (draw(tensors((draw(small), draw(st.integers(3, 6))), requires_grad=True)),)


class EveryOther(LinearMap):
    """x[::2] along the first axis."""

    def forward(self, x):
        return x[::2].copy()

    def adjoint(self, grad):
        out = np.zeros_like(grad, shape=self.x_shape)
        out[::2] = grad
        return out


@example_of(EveryOther)
def every_other(draw):
    return EveryOther.apply, (draw(tensors((draw(st.integers(1, 5)), draw(small)), requires_grad=True)),)


class Similar(Function):
    """(B, I, K), (B, J, K) -> (B, I, J): a bᵀ."""

    def forward(self, a, b):
        return np.matmul(a, np.swapaxes(b, 1, 2))

    def grad_a(self, grad, b):
        return np.matmul(grad, b)

    def grad_b(self, grad, a):
        return np.matmul(np.swapaxes(grad, 1, 2), a)


@example_of(Similar)
def similar(draw):
    b, i, j, k = draw(small), draw(small), draw(small), draw(small)
    return Similar.apply, (draw(tensors((b, i, k), requires_grad=True)), draw(tensors((b, j, k), requires_grad=True)))


class RowSoftmax(Function):
    """(N, C): eˣ / Σ eˣ."""

    def forward(self, x):
        e = np.exp(x - np.max(x, 1, keepdims=True))
        return e / np.sum(e, 1, keepdims=True)

    def grad_x(self, grad, out):
        return out * (grad - np.sum(grad * out, 1, keepdims=True))


@example_of(RowSoftmax)
def row_softmax(draw):
    return RowSoftmax.apply, (draw(tensors((draw(small), draw(small)), requires_grad=True)),)


class MeanLoss(Function):
    """(N, C), (N, C): the mean over rows of the squared distance."""

    def forward(self, x, y):
        return ((x - y) * (x - y)).sum() / max(1, len(x))

    def grad_x(self, grad, x, y):
        return grad * 2 * (x - y) / max(1, len(x))

    def grad_y(self, grad, x, y):
        return grad * 2 * (y - x) / max(1, len(x))


@example_of(MeanLoss)
def mean_loss(draw):
    shape = draw(small), draw(small)
    return MeanLoss.apply, tuple(draw(tensors(shape, requires_grad=True)) for _ in range(2))


class Masked(Function):
    """x · mask · scale."""

    def forward(self, x):
        return x * self.mask * self.scale

    def grad_x(self, grad):
        return grad * self.mask * self.scale


@example_of(Masked)
def masked(draw):
    x = draw(tensors((draw(small), draw(small)), requires_grad=True))
    mask = np.asarray(draw(tensors(tuple(x.shape), elements=st.sampled_from([0.0, 1.0]))).array)
    scale = draw(st.sampled_from([2.0, 1.25]))
    settings = {"scale": scale}

    def function(x):
        kept = mask if x.array.shape == mask.shape else np.ones(x.array.shape)
        return Masked.apply(x, mask=kept.astype(x.array.dtype), **settings)

    return function, (x,)


class WindowMax(Function):
    """(N, 2L) -> (N, L): the larger of each two neighbors, at a tie the first."""

    def forward(self, x):
        return np.maximum(x[:, ::2], x[:, 1::2])

    def grad_x(self, grad, x):
        first = x[:, ::2] >= x[:, 1::2]
        parts = np.where(first, grad, 0.0), np.where(first, 0.0, grad)
        return np.stack(parts, 2).reshape(x.shape)


@example_of(WindowMax)
def window_max(draw):
    return WindowMax.apply, (draw(tensors((draw(small), 2 * draw(small)), requires_grad=True)),)
