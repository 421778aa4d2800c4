"""Plant a fault in a derivative, and compute the Finding that a check of it would report."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import microgad as torch
from microgad.testing.findings.finding import Finding

F = torch.nn.functional
rng = np.random.default_rng(7)


class Changed(torch.Function):
    """The identity, whose gradient is passed through the function `change`."""

    def forward(self, x):
        return x.copy()

    def grad_x(self, grad):
        return self.change(grad)


class Fault(NamedTuple):
    """A fault: a wrong `vjp(grad, *arrays)`, or a change of the gradient of the input or the output."""

    pattern: str  # regular expression for the expected sentence
    f: Any  # a function of Tensors, whose derivative is right
    arrays: tuple
    wrt: int = 0
    vjp: Any = None
    at_input: Any = None
    at_output: Any = None
    order: int = 1


def numerical(f, arrays, wrt):
    """The matrix (x.size, y.size) of derivatives, by extrapolated central differences."""

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


def analytical(fault, f):
    """The faulty matrix (x.size, y.size), by a backward pass for each element of y, and the shape of y."""
    x = torch.tensor(fault.arrays[fault.wrt], requires_grad=True)
    tensors = [torch.tensor(a) for a in fault.arrays]
    tensors[fault.wrt] = Changed.apply(x, change=fault.at_input) if fault.at_input else x
    y = f(*tensors)
    y = Changed.apply(y, change=fault.at_output) if fault.at_output else y
    columns = []
    for j in range(y.numel()):
        seed = np.zeros(y.numel())
        seed[j] = 1
        seed = seed.reshape(tuple(y.shape))
        if fault.vjp:
            columns.append(np.ravel(fault.vjp(seed, *fault.arrays)))
        elif not y.requires_grad:
            columns.append(np.zeros(x.numel()))
        else:
            (g,) = torch.autograd.grad(y, x, torch.tensor(seed), retain_graph=True, allow_unused=True)
            columns.append(np.zeros(x.numel()) if g is None else np.ravel(g.array))
    return np.stack(columns, 1), tuple(y.shape)


def find(fault):
    """The Finding that a check of a planted fault would report."""
    f = fault.f
    if fault.order == 2:

        def f(*tensors):
            x = tensors[fault.wrt] if tensors[fault.wrt].requires_grad else tensors[fault.wrt].requires_grad_()
            (g,) = torch.autograd.grad(fault.f(*tensors[: fault.wrt], x, *tensors[fault.wrt + 1 :]).sum(), x,
                                       create_graph=True)  # fmt: skip
            return g

    n = numerical(lambda *arrays: f(*(torch.tensor(a) for a in arrays)).array, fault.arrays, fault.wrt)
    a, y_shape = analytical(fault, f)
    names = tuple(f"input {i}" for i in range(len(fault.arrays)))
    error = 1e-6 * (1 + np.abs(n))
    return Finding(
        "op", fault.order, 0, fault.wrt, names, fault.arrays[fault.wrt].shape, y_shape, n, a, error, fault.arrays
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
    """A change of the gradient that sets all but the first index of an axis to 0."""

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
    """The derivative of conv for x, in loops; wrong unless the kernel is rotated and not transposed."""
    w = w if rotated else w[:, :, ::-1, ::-1]
    w = w.swapaxes(2, 3) if transposed else w
    out = np.zeros_like(x)
    for p in range(g.shape[2]):
        for q in range(g.shape[3]):
            out[:, :, p : p + w.shape[2], q : q + w.shape[3]] += np.einsum("no,ockl->nckl", g[:, :, p, q], w)
    return out


def layer_norm(x):
    centered = x - x.mean(-1, True)
    return centered / torch.sqrt((centered * centered).mean(-1, True) + 1e-5)


def layer_norm_by_x(g, x, mean=True, variance=True):
    """The derivative of layer_norm; wrong if mean or variance are taken for constants."""
    n = x.shape[-1]
    centered = x - x.mean(-1, keepdims=True)
    scale = 1 / np.sqrt(centered.var(-1, keepdims=True) + 1e-5)
    hat = centered * scale
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
    """The derivative of x[INDEX], where the last (or first) of repeated indices overwrites the others."""
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
    """x³, whose derivative detaches one factor x."""

    def forward(self, x):
        return x * x * x

    def grad_x(self, grad, x):
        return grad * (3 * x * getattr(x, "array", x))


class AllFrozen(Frozen):
    def grad_x(self, grad, x):
        return grad * (3 * getattr(x, "array", x) ** 2)


class FrozenSum(torch.Function):
    """x² + x³, whose derivative detaches one term."""

    def forward(self, x):
        return x * x + x * x * x

    def grad_x(self, grad, x):
        return grad * (2 * x + 3 * getattr(x, "array", x) ** 2)


class FrozenTanh(torch.Function):
    def forward(self, x):
        return np.tanh(x)

    def grad_x(self, grad, x):
        return grad * (1 - np.tanh(x) * np.tanh(getattr(x, "array", x)))


class WrongSecondDerivative(torch.Function):
    """exp, whose second derivative is that of another function."""

    def forward(self, x):
        return np.exp(x)

    def grad_x(self, grad, x):
        return grad * (np.exp(x) if not hasattr(x, "array") else np.exp(x.array) + np.sin(x) - np.sin(x.array))


relu, exp, tanh = torch.relu, torch.exp, torch.tanh
