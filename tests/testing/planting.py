"""Derivatives with a fault in them: how one is planted, and what it does to the numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import microgad as torch
from microgad.testing.findings.finding import Finding

F = torch.nn.functional
rng = np.random.default_rng(7)


class Changed(torch.Function):
    """x, and on the way back what `change` makes of its gradient."""

    def forward(self, x):
        return x.copy()

    def grad_x(self, grad):
        return self.change(grad)


class Plant(NamedTuple):
    """A fault: `vjp(grad, *arrays)` in place of the derivative, or a change of the gradient of input or output."""

    said: str  # words of which one has to be in the sentence, separated by |
    f: Any  # on Tensors
    arrays: tuple
    wrt: int = 0
    vjp: Any = None
    at_input: Any = None
    at_output: Any = None
    order: int = 1


def numerical(f, arrays, wrt):
    """(x.size, y.size): central differences, extrapolated."""

    def value(x):
        return np.ravel(f(*arrays[:wrt], x, *arrays[wrt + 1 :]))

    x, rows = arrays[wrt], []
    for i in range(x.size):
        e = np.zeros(x.size)
        e[i] = 1e-3
        e = e.reshape(x.shape)
        coarse, fine = ((value(x + h * e) - value(x - h * e)) / (2e-3 * h) for h in (1, 0.5))
        rows.append((4 * fine - coarse) / 3)
    return np.stack(rows)


def analytical(plant, f):
    """(x.size, y.size): a backward pass for each element of the output."""
    x = torch.tensor(plant.arrays[plant.wrt], requires_grad=True)
    tensors = [torch.tensor(a) for a in plant.arrays]
    tensors[plant.wrt] = Changed.apply(x, change=plant.at_input) if plant.at_input else x
    y = f(*tensors)
    y = Changed.apply(y, change=plant.at_output) if plant.at_output else y
    columns = []
    for j in range(y.numel()):
        seed = np.zeros(y.numel())
        seed[j] = 1
        seed = seed.reshape(tuple(y.shape))
        if plant.vjp:
            columns.append(np.ravel(plant.vjp(seed, *plant.arrays)))
        elif not y.requires_grad:
            columns.append(np.zeros(x.numel()))
        else:
            (g,) = torch.autograd.grad(y, x, torch.tensor(seed), retain_graph=True, allow_unused=True)
            columns.append(np.zeros(x.numel()) if g is None else np.ravel(g.array))
    return np.stack(columns, 1), tuple(y.shape)


def find(plant):
    """The finding that a check would make of a planted fault."""
    f = plant.f
    if plant.order == 2:

        def f(*tensors):
            x = tensors[plant.wrt] if tensors[plant.wrt].requires_grad else tensors[plant.wrt].requires_grad_()
            (g,) = torch.autograd.grad(plant.f(*tensors[: plant.wrt], x, *tensors[plant.wrt + 1 :]).sum(), x,
                                       create_graph=True)  # fmt: skip
            return g

    n = numerical(lambda *arrays: f(*(torch.tensor(a) for a in arrays)).array, plant.arrays, plant.wrt)
    a, y_shape = analytical(plant, f)
    names = tuple(f"input {i}" for i in range(len(plant.arrays)))
    error = 1e-6 * (1 + np.abs(n))
    return Finding(
        "op", plant.order, 0, plant.wrt, names, plant.arrays[plant.wrt].shape, y_shape, n, a, error, plant.arrays
    )


def r(*shape, low=0.5, high=2.0):
    """Values away from 0 and from each other."""
    values = low + (high - low) * np.linspace(0, 1, int(np.prod(shape))) ** 1.3
    return rng.permutation(values).reshape(shape)


def mixed(*shape):
    """Values of both signs, away from 0."""
    x = r(*shape)
    return np.where(rng.permutation(x.size).reshape(shape) % 2 == 0, x, -x)


def elementwise(derivative):
    return lambda g, *arrays: g * derivative(*arrays)


def negated(g):
    return -g


def times(k):
    return lambda g: g * k


def first(axis, keep=True):
    """Of an axis only the first slice arrives."""

    def change(g):
        out = np.zeros(g.shape)
        at = (slice(None),) * axis + (slice(0, 1),)
        out[at] = np.asarray(getattr(g, "array", g))[at]
        return out

    return change


def sig(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    e = np.exp(x)
    return e / e.sum(axis, keepdims=True)


def conv(x, w):
    return F.conv2d(x, w)


def conv_by_x(g, x, w, rotated=True, transposed=False):
    """(N, O, P, Q), (O, C, K, L) -> (N, C, H, W), in loops."""
    w = w if rotated else w[:, :, ::-1, ::-1]
    w = w.swapaxes(2, 3) if transposed else w
    out = np.zeros_like(x)
    for p in range(g.shape[2]):
        for q in range(g.shape[3]):
            out[:, :, p : p + w.shape[2], q : q + w.shape[3]] += np.einsum("no,ockl->nckl", g[:, :, p, q], w)
    return out


def conv_by_w(g, x, w, last=False):
    out = np.zeros_like(w)
    for p in range(g.shape[2]):
        for q in range(g.shape[3]):
            term = np.einsum("no,nckl->ockl", g[:, :, p, q], x[:, :, p : p + w.shape[2], q : q + w.shape[3]])
            out = term if last and term.any() else out + term
    return out


def layer_norm(x):
    centred = x - x.mean(-1, True)
    return centred / torch.sqrt((centred * centred).mean(-1, True) + 1e-5)


def layer_norm_by_x(g, x, mean=True, variance=True, n=0):
    n = n or x.shape[-1]
    centred = x - x.mean(-1, keepdims=True)
    scale = 1 / np.sqrt(centred.var(-1, keepdims=True) + 1e-5)
    hat = centred * scale
    out = g.copy()
    if mean:
        out = out - g.sum(-1, keepdims=True) / n
    if variance:
        out = out - hat * (g * hat).sum(-1, keepdims=True) / n
    return out * scale


MASK = np.array([1.0, 0, 1, 1, 0, 1]) * 1.25
INDEX = np.array([0, 2, 2, 1, 2])


def dropped(x):
    return x * torch.tensor(MASK)


def scatter(g, x, first=False):
    out = np.zeros_like(x)
    order = slice(None, None, -1) if first else slice(None)
    at, g = INDEX[order], g[order]
    used = np.flatnonzero(np.any(g, axis=tuple(range(1, g.ndim))))
    for k in used:
        later = np.flatnonzero(at == at[k])[-1]
        if later == k:
            out[at[k]] = g[k]
    return out


def windows_first(g, x):
    out = np.zeros_like(x)
    out[:, :, ::2, ::2] = g
    return out


def windows_all(g, x):
    return np.repeat(np.repeat(g, 2, 2), 2, 3)


class Frozen(torch.Function):
    """x³, of whose derivative one factor x is off the graph."""

    def forward(self, x):
        return x * x * x

    def grad_x(self, grad, x):
        return grad * (3 * x * getattr(x, "array", x))


class AllFrozen(Frozen):
    def grad_x(self, grad, x):
        return grad * (3 * getattr(x, "array", x) ** 2)


class FrozenSum(torch.Function):
    """x² + x³, of whose derivative one term is off the graph."""

    def forward(self, x):
        return x * x + x * x * x

    def grad_x(self, grad, x):
        return grad * (2 * x + 3 * getattr(x, "array", x) ** 2)


class FrozenTanh(torch.Function):
    def forward(self, x):
        return np.tanh(x)

    def grad_x(self, grad, x):
        return grad * (1 - np.tanh(x) * np.tanh(getattr(x, "array", x)))


class Half(torch.Function):
    """A second derivative that is another function's: nothing of it fits."""

    def forward(self, x):
        return np.exp(x)

    def grad_x(self, grad, x):
        return grad * (np.exp(x) if not hasattr(x, "array") else np.exp(x.array) + np.sin(x) - np.sin(x.array))


relu, exp, tanh = torch.relu, torch.exp, torch.tanh
