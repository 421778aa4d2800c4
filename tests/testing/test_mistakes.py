"""Faults are planted in derivatives, one at a time, and have to be recognised by what they do to the numbers."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

import microgad as torch
from microgad.testing.findings.finding import Finding
from microgad.testing.findings.mistakes import MISTAKES, likely_mistake

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

PLANTS = {
    # a sign
    "add: sign": Plant("sign", lambda a, b: a + b, (r(2, 3), r(3)), 1, at_input=negated),
    "sub: sign": Plant("sign", lambda a, b: a - b, (r(2, 3), r(2, 3)), 1, vjp=lambda g, a, b: g),
    "cos: sign": Plant("sign", torch.cos, (r(4),), vjp=elementwise(np.sin)),
    "matmul: sign": Plant("sign", torch.matmul, (r(2, 3), r(3, 4)), at_input=negated),
    "conv2d: sign": Plant("sign", conv, (r(1, 2, 4, 4), r(2, 2, 2, 2)), 1, at_input=negated),
    "softmax: sign": Plant("sign", lambda x: F.softmax(x, -1), (r(2, 3),), at_output=negated),
    "scalar: sign": Plant("sign", exp, (np.array(0.7),), at_input=negated),
    "abs: |grad|": Plant("sign", torch.abs, (mixed(6),), vjp=lambda g, x: np.abs(g)),
    "abs, cubed: sign": Plant("sign", lambda x: torch.abs(x) ** 3, (mixed(6),), vjp=elementwise(lambda x: 3 * x * x)),
    # a constant factor
    "mul: factor 2": Plant("factor", lambda a, b: a * b, (r(2, 3), r(2, 3)), at_input=times(2)),
    "x²: factor 1/2": Plant("factor.*1/2", lambda x: x * x, (r(5),), vjp=elementwise(lambda x: x)),
    "sqrt: 1/2 missing": Plant("factor.* 2 ×", torch.sqrt, (r(4),), vjp=elementwise(lambda x: 1 / np.sqrt(x))),
    "expand: half": Plant("factor", lambda x: x.expand(3, 4), (r(1, 4),), at_input=times(0.5)),
    "conv2d: factor 2": Plant("factor", conv, (r(1, 1, 4, 4), r(2, 1, 2, 2)), at_input=times(2)),
    "max_pool2d: factor 3": Plant("factor.* 3 ×", lambda x: F.max_pool2d(x, 2), (r(1, 1, 4, 4),), at_input=times(3)),
    "sum: factor 1.01": Plant("factor.*1.01", lambda x: x.sum(0), (r(3, 4),), at_input=times(1.01)),
    "tanh: factor -2": Plant("factor.*-2", tanh, (r(4),), at_input=times(-2)),
    "cat: factor 1/2": Plant("factor", lambda a, b: torch.cat([a, b]), (r(2, 3), r(1, 3)), at_input=times(0.5)),
    # nothing arrives
    "detach": Plant("nothing arrives", lambda x: x.detach() * x.detach(), (r(3),), vjp=lambda g, x: 0 * x),
    "matmul: detached": Plant("nothing arrives", torch.matmul, (r(2, 3), r(3, 2)), 1, at_input=times(0)),
    "layer_norm: zeros": Plant("nothing arrives", layer_norm, (r(2, 3),), at_output=times(0)),
    "sign: straight through": Plant("no influence", torch.sign, (np.array([0.3, 1.2, 2.8]),), vjp=lambda g, x: g),
    # missing sums
    "add: only the first": Plant("missing sum", lambda a, b: a + b, (r(4, 3), r(3)), 1, vjp=lambda g, a, b: g[0]),
    "mul: only the first": Plant("missing sum", lambda a, b: a * b, (r(4, 3), r(3)), 1, vjp=lambda g, a, b: (g * a)[0]),
    "mul: only the last": Plant("missing sum", lambda a, b: a * b, (r(4, 3), r(3)), 1, vjp=lambda g, a, b: (g * a)[-1]),
    "add: last column": Plant("missing sum", lambda a, b: a + b, (r(4, 3), r(4, 1)), 1, vjp=lambda g, a, b: g[:, -1]),
    "div: two axes, the first": Plant(
        "missing sum", lambda a, b: a / b, (r(2, 3, 4), r(4)), 1, vjp=lambda g, a, b: (-g * a / b**2)[0, 0]
    ),
    "linear: bias of the first": Plant(
        "missing sum", F.linear, (r(3, 2), r(4, 2), r(4)), 2, vjp=lambda g, x, w, b: g[0]
    ),
    "linear: mean over the batch": Plant(
        "missing sum|1/N", F.linear, (r(3, 2), r(4, 2), r(4)), 2, vjp=lambda g, x, w, b: g.mean(0)
    ),
    "linear: weight, mean over the batch": Plant(
        "missing sum|1/N", F.linear, (r(5, 2), r(4, 2), r(4)), 1, vjp=lambda g, x, w, b: g.T @ x / 5
    ),
    "conv2d: bias without the batch": Plant(
        "missing sum", F.conv2d, (r(2, 1, 3, 3), r(2, 1, 2, 2), r(2)), 2, vjp=lambda g, x, w, b: g[0].sum((1, 2))
    ),
    "conv2d: bias averaged": Plant(
        "missing sum|1/N", F.conv2d, (r(2, 1, 3, 3), r(3, 1, 2, 2), r(3)), 2, vjp=lambda g, x, w, b: g.mean((0, 2, 3))
    ),
    "add: sum over the wrong axis": Plant(
        "wrong axis", lambda a, b: a + b, (r(3, 3), r(3)), 1, vjp=lambda g, a, b: g.sum(1)
    ),
    "expand: only the first": Plant("missing sum", lambda x: x.expand(3, 4), (r(1, 4),), vjp=lambda g, x: g[:1]),
    "scalar: only the first": Plant(
        "missing sum", lambda a, b: a * b, (r(3), np.array(2.0)), 1, vjp=lambda g, a, b: (g * a)[0]
    ),
    "scalar: mean": Plant(
        "missing sum|1/N", lambda a, b: a + b, (r(3), np.array(2.0)), 1, vjp=lambda g, a, b: g.mean()
    ),
    "summed though not broadcast": Plant(
        "summed too much", lambda a, b: a * b, (r(4, 3), r(4, 3)), vjp=lambda g, a, b: (g * b).sum(0) + 0 * a
    ),
    "sum: not expanded": Plant("slices lost", lambda x: x.sum(0), (r(4, 3),), at_input=first(0)),
    "embedding: = for +=": Plant("overwritten", lambda x: x[torch.tensor(INDEX)], (r(3, 2),), vjp=scatter),
    "embedding: the first wins": Plant(
        "overwritten", lambda x: x[torch.tensor(INDEX)], (r(3),), vjp=lambda g, x: scatter(g, x, True)
    ),
    "conv2d: col2im overwrites": Plant(
        "overwritten|missing sum|terms",
        lambda x: x[torch.tensor(np.arange(4)[:, None] + np.arange(3))],
        (r(6),),
        vjp=lambda g, x: np.array([g[min(i, 3), i - min(i, 3)] for i in range(6)]),
    ),
    # transposed, flipped, rolled
    "permute: no inverse": Plant(
        "transposed", lambda x: x.permute(1, 2, 0), (r(3, 3, 3),), vjp=lambda g, x: g.transpose(1, 2, 0)
    ),
    "t: reshape": Plant("transposed", lambda x: x.T, (r(2, 3),), vjp=lambda g, x: g.reshape(2, 3)),
    "matmul: b not transposed": Plant("transposed", torch.matmul, (r(2, 3), r(3, 3)), vjp=lambda g, a, b: g @ b),
    "matmul: order exchanged": Plant("transposed", torch.matmul, (r(3, 3), r(3, 3)), 1, vjp=lambda g, a, b: g @ a.T),
    "matmul: result transposed": Plant(
        "transposed", torch.matmul, (r(3, 3), r(3, 3)), 1, vjp=lambda g, a, b: (a.T @ g).T
    ),
    "linear: weight transposed": Plant("transposed", F.linear, (r(2, 3), r(3, 3)), 1, vjp=lambda g, x, w: x.T @ g),
    "conv2d: channels exchanged": Plant(
        "transposed", conv, (r(1, 2, 3, 3), r(2, 2, 2, 2)), 1, at_input=lambda g: np.swapaxes(g, 0, 1)
    ),
    "conv2d: kernel transposed": Plant(
        "transposed", conv, (r(1, 1, 4, 4), r(1, 1, 3, 3)), vjp=lambda g, x, w: conv_by_x(g, x, w, transposed=True)
    ),
    "conv2d: kernel not rotated": Plant(
        "flipped.*kernel", conv, (r(1, 1, 4, 4), r(1, 1, 2, 2)), vjp=lambda g, x, w: conv_by_x(g, x, w, rotated=False)
    ),
    "conv2d: weight flipped": Plant(
        "flipped", conv, (r(1, 1, 4, 4), r(2, 1, 3, 3)), 1, at_input=lambda g: np.flip(g, (2, 3))
    ),
    "flip: not flipped": Plant("flipped", lambda x: torch.flip(x, [1]), (r(2, 4),), vjp=lambda g, x: g),
    "linear: bias backwards": Plant("flipped", F.linear, (r(2, 3), r(4, 3), r(4)), 2, at_input=np.flip),
    "cat: backwards": Plant(
        "flipped", lambda a, b: torch.cat([a, b]), (r(3, 2), r(1, 2)), at_input=lambda g: np.flip(g, 0)
    ),
    "roll: the wrong way": Plant(
        "rolled", lambda x: torch.cat([x[-1:], x[:-1]]), (r(5),), vjp=lambda g, x: np.roll(g, 1)
    ),
    "pad: off by one": Plant("rolled", lambda x: F.pad(x, (2, 2)), (r(5),), vjp=lambda g, x: g[1:6]),
    "pad2d: off by one": Plant(
        "rolled", lambda x: F.pad(x, (1, 1, 1, 1)), (r(1, 1, 3, 4),), vjp=lambda g, x: g[:, :, 1:-1, :-2]
    ),
    "slice: off by one": Plant("rolled", lambda x: x[1:4], (r(6),), vjp=lambda g, x: np.concatenate([g, np.zeros(3)])),
    "cumsum: exclusive": Plant(
        "rolled",
        lambda x: torch.tensor(np.tril(np.ones((5, 5)))) @ x,
        (r(5),),
        vjp=lambda g, x: np.append(np.cumsum(g[::-1])[::-1][1:], 0),
    ),
    "max_pool2d: first of the window": Plant(
        "wrong places", lambda x: F.max_pool2d(x, 2), (r(1, 1, 4, 4),), vjp=windows_first
    ),
    "repeat: as tile": Plant(
        "wrong places|transposed",
        lambda x: x[:, None].expand(4, 3).reshape(12),
        (r(4),),
        vjp=lambda g, x: g.reshape(3, 4).sum(0),
    ),
    # 1/N
    "mean: 1/N missing": Plant("1/N", lambda x: x.mean(), (r(3, 4),), vjp=lambda g, x: g + 0 * x),
    "mean of an axis: 1/N missing": Plant("1/N", lambda x: x.mean(1), (r(2, 5),), at_input=times(5)),
    "sum: 1/N too much": Plant("1/N", lambda x: x.sum(), (r(3, 5),), at_input=times(1 / 15)),
    "sum of an axis: 1/N too much": Plant("1/N", lambda x: x.sum(0), (r(5, 2),), at_input=times(1 / 5)),
    "avg_pool2d: 1/N missing": Plant("factor", lambda x: F.avg_pool2d(x, 2), (r(1, 1, 4, 4),), at_input=times(4)),
    "mse: 1/N missing": Plant("1/N", lambda x, y: F.mse_loss(x, y), (r(3, 3), r(3, 3)), at_input=times(9)),
    "attention: 1/√d missing": Plant(
        "1/√N", lambda q, k: q @ k.T / np.sqrt(5), (r(2, 5), r(3, 5)), vjp=lambda g, q, k: g @ k
    ),
    "var: N for N - 1": Plant("1/N", lambda x: x.var(), (r(5),), at_input=times(4 / 5)),
    # masks
    "relu: no mask": Plant("mask missing", relu, (mixed(6),), vjp=lambda g, x: g),
    "relu: inverted": Plant("mask inverted", relu, (mixed(6),), vjp=elementwise(lambda x: x < 0)),
    "relu of a product: no mask": Plant(
        "mask missing", lambda x, w: relu(x * w), (mixed(6), r(6)), vjp=elementwise(lambda x, w: w)
    ),
    "leaky_relu: inverted": Plant(
        "mask inverted",
        lambda x: relu(x) - 0.1 * relu(-x),
        (mixed(6),),
        vjp=elementwise(lambda x: np.where(x > 0, 0.1, 1)),
    ),
    "clamp: no mask": Plant("mask missing", lambda x: torch.clamp(x, 0.8, 1.5), (r(3, 3),), vjp=lambda g, x: g),
    "where: exchanged": Plant(
        "mask inverted",
        lambda a, b: torch.where(torch.tensor(MASK > 0), a, b),
        (r(6), r(6)),
        1,
        vjp=lambda g, a, b: g * (MASK > 0),
    ),
    "maximum: the loser": Plant(
        "mask inverted",
        torch.maximum,
        (np.array([1.0, 2, 3]), np.array([2.0, 1, 1])),
        vjp=elementwise(lambda a, b: a < b),
    ),
    "max_pool2d: to all": Plant("mask missing", lambda x: F.max_pool2d(x, 2), (r(1, 1, 4, 4),), vjp=windows_all),
    "dropout: no mask": Plant("mask missing", dropped, (r(6),), vjp=lambda g, x: g * 1.25),
    "dropout: neither mask nor scale": Plant("mask missing", dropped, (r(6),), vjp=lambda g, x: g),
    "dropout: inverted": Plant("mask inverted", dropped, (r(6),), vjp=lambda g, x: g * (1.25 - MASK)),
    "dropout: twice": Plant("mask applied twice", dropped, (r(6),), vjp=lambda g, x: g * MASK * MASK),
    "dropout: twice, of rows": Plant(
        "mask applied twice", lambda x: x * torch.tensor(2 * (MASK[:3, None] > 0)), (r(3, 2),), at_output=times(2)
    ),
    "dropout: scale missing": Plant("mask's scale", dropped, (r(6),), vjp=lambda g, x: g * (MASK > 0)),
    "masked_fill: no mask": Plant(
        "mask missing", lambda x: torch.where(torch.tensor(MASK > 0), 0.0, x), (r(6),), vjp=lambda g, x: g
    ),
    # ties
    "relu: at 0": Plant(
        "ties", lambda x: relu(x) + 0.5 * x, (np.array([-1.0, 0, 2, 0]),), vjp=elementwise(lambda x: 0.5 + (x >= 0))
    ),
    "maximum: at equal values": Plant(
        "ties", torch.maximum, (np.array([1.0, 2, 3]), np.array([1.0, 1, 4])), vjp=elementwise(lambda a, b: a >= b)
    ),
    "amax: to all winners": Plant(
        "ties",
        lambda x: torch.amax(x, 1),
        (np.array([[1.0, 3, 3], [2, 1, 5]]),),
        vjp=lambda g, x: g[:, None] * (x == x.max(1, keepdims=True)),
    ),
    "clamp: at the bound": Plant(
        "ties",
        lambda x, low: torch.clamp(x, 1.0),
        (np.array([1.0, 2, 0.5]), np.array(1.0)),
        vjp=elementwise(lambda x, low: x >= 1),
    ),
    # the wrong formula
    "exp: of the input": Plant("exp", exp, (r(5),), vjp=elementwise(lambda x: x)),
    "exp: x too much": Plant(
        "factor input 0 is too|input 0 is too much", exp, (r(5),), vjp=elementwise(lambda x: x * np.exp(x))
    ),
    "log: × for ÷": Plant("input 0² is too much|wrong function", torch.log, (r(5),), vjp=elementwise(lambda x: x)),
    "log: of out": Plant(
        "with out in its place", torch.log, (r(5, low=1.5),), vjp=elementwise(lambda x: 1 / np.log(x))
    ),
    "tanh: of the input": Plant(
        "in terms of out, but with input 0", tanh, (r(5),), vjp=elementwise(lambda x: 1 - x * x)
    ),
    "sigmoid: of the input": Plant(
        "in terms of out, but with input 0", torch.sigmoid, (r(5),), vjp=elementwise(lambda x: x * (1 - x))
    ),
    "sigmoid: tanh's": Plant("tanh", torch.sigmoid, (r(5),), vjp=elementwise(lambda x: 1 - sig(x) ** 2)),
    "sqrt: of the input": Plant("with input 0 in its place", torch.sqrt, (r(5),), vjp=elementwise(lambda x: 0.5 / x)),
    "sin: of out": Plant("with out in its place", torch.sin, (r(5),), vjp=elementwise(lambda x: np.cos(np.sin(x)))),
    "softplus: tanh's": Plant(
        "of tanh", lambda x: torch.log(1 + exp(x)), (r(5),), vjp=elementwise(lambda x: 1 - np.tanh(x) ** 2)
    ),
    "pow: exponent off by one": Plant(
        "input 0 is too much", lambda x: x**4, (r(5),), vjp=elementwise(lambda x: 4 * x**4)
    ),
    "div: 1/b missing": Plant(
        "input 1 is too much", lambda a, b: a / b, (r(2, 3), r(2, 3)), 1, vjp=elementwise(lambda a, b: -a / b)
    ),
    "mul: operands exchanged": Plant(
        "stands where", lambda a, b: a * b, (r(2, 3), r(2, 3)), vjp=elementwise(lambda a, b: a)
    ),
    "mul: operand missing": Plant("input 1 is missing", lambda a, b: a * b, (r(2, 3), r(3)), vjp=lambda g, a, b: g),
    "pow: log missing": Plant(
        "log.input 0. is missing", torch.pow, (r(4, low=1.2), r(4)), 1, vjp=elementwise(lambda a, b: a**b)
    ),
    "layer_norm: weight missing": Plant(
        "input 1 is missing",
        lambda x, w: layer_norm(x) * w,
        (r(2, 4), r(4)),
        vjp=lambda g, x, w: layer_norm_by_x(g, x),
    ),
    "tanh: plus one": Plant("offset", lambda x: tanh(x), (r(5),), vjp=elementwise(lambda x: 2 - np.tanh(x) ** 2)),
    "matmul: eps added": Plant(
        "offset", torch.matmul, (r(2, 3), r(3, 4)), vjp=lambda g, a, b: g @ b.T + 0.01 * (g @ np.ones_like(b).T)
    ),
    # off-diagonal terms
    "softmax: diagonal": Plant(
        "off-diagonal", lambda x: F.softmax(x, -1), (r(2, 3),), vjp=lambda g, x: g * softmax(x) * (1 - softmax(x))
    ),
    "softmax: sum not subtracted": Plant(
        "off-diagonal", lambda x: F.softmax(x, -1), (r(2, 3),), vjp=elementwise(softmax)
    ),
    "log_softmax: diagonal": Plant("off-diagonal", lambda x: F.log_softmax(x, -1), (r(2, 4),), vjp=lambda g, x: g),
    "layer_norm: statistics constant": Plant(
        "off-diagonal", layer_norm, (r(2, 4),), vjp=lambda g, x: layer_norm_by_x(g, x, mean=False, variance=False)
    ),
    "layer_norm: mean constant": Plant(
        "through the mean", layer_norm, (r(2, 4),), vjp=lambda g, x: layer_norm_by_x(g, x, mean=False)
    ),
    "layer_norm: variance constant": Plant(
        "through the variance", layer_norm, (r(2, 4),), vjp=lambda g, x: layer_norm_by_x(g, x, variance=False)
    ),
    # parts
    "slice: the border counted twice": Plant(
        "factor along an axis", torch.matmul, (r(3, 2), r(2, 4)), at_input=lambda g: g * np.array([[1], [2], [1]])
    ),
    "cumsum: two terms": Plant(
        "terms lost",
        lambda x: torch.tensor(np.tril(np.ones((5, 5)))) @ x,
        (r(5),),
        vjp=lambda g, x: g + np.append(g[1:], 0),
    ),
    "elu: relu's": Plant(
        "one branch",
        lambda x: relu(x) + exp(-relu(-x)) - 1,
        (mixed(6),),
        vjp=elementwise(lambda x: np.where(x > 0, 1, 0.3 + x)),
    ),
    "square: at 0": Plant(
        "isn't finite.*where input 0 is 0",
        lambda x: x * x,
        (np.array([0.0, 1, 2]),),
        vjp=elementwise(lambda x: np.where(x == 0, np.nan, 2 * x)),
    ),
    # right at first sight
    "x³: half off the graph": Plant("first derivative", Frozen.apply, (r(3),), order=2),
    "x³: off the graph": Plant("nothing arrives.*off the graph", AllFrozen.apply, (r(3),), order=2),
    "x² + x³: a term off the graph": Plant("off the graph", FrozenSum.apply, (r(3),), order=2),
    "tanh: off the graph": Plant("off the graph", FrozenTanh.apply, (r(3),), order=2),
    "exp: another second derivative": Plant("off the graph", Half.apply, (r(3),), order=2),
}


@pytest.mark.parametrize("name", PLANTS)
def test_recognises(name):
    plant = PLANTS[name]
    assert re.search(plant.said, likely_mistake(find(plant)) or "")


def test_every_line_of_the_table_is_needed():
    with np.errstate(all="ignore"):
        said = [likely_mistake(find(plant)) or "" for plant in PLANTS.values()]
    assert {name for name, _ in MISTAKES} == {sentence.split(":")[0] for sentence in said} | {"float32"}


OPS = {
    "exp": (exp, r(2, 3)),
    "tanh": (tanh, r(3, 3)),
    "sigmoid": (torch.sigmoid, r(4)),
    "log": (torch.log, r(3, 2)),
    "sqrt": (torch.sqrt, r(5)),
    "mul": (lambda a, b: a * b, r(3, 4), r(3, 4)),
    "mul, broadcast": (lambda a, b: a * b, r(3, 1), r(3, 4)),
    "div": (lambda a, b: b / a, r(4), r(3, 4)),
    "matmul": (torch.matmul, r(3, 3), r(3, 4)),
    "matmul, batch": (torch.matmul, r(3, 2), r(2, 2, 4)),
    "linear": (lambda w, x: F.linear(x, w), r(4, 3), r(5, 3)),
    "conv2d": (conv, r(1, 2, 4, 4), r(3, 2, 2, 2)),
    "conv2d, weight": (lambda w, x: conv(x, w), r(2, 2, 3, 3), r(2, 2, 5, 4)),
    "conv2d, bias": (lambda b, x, w: F.conv2d(x, w, b), r(3), r(2, 1, 4, 4), r(3, 1, 2, 2)),
    "sum": (lambda x: x.sum(0), r(3, 5)),
    "mean": (lambda x: x.mean((0, 2)), r(2, 3, 2)),
    "softmax": (lambda x: F.softmax(x, -1), r(3, 3)),
    "layer_norm": (layer_norm, r(2, 5)),
    "relu": (relu, mixed(3, 4)),
    "dropout": (dropped, r(6)),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), r(1, 1, 4, 4)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 2), r(1, 2, 4, 2)),
    "permute": (lambda x: x.permute(1, 0), r(3, 3)),
    "pad": (lambda x: F.pad(x, (1, 2)), r(2, 4)),
    "cat": (lambda a, b: torch.cat([a, b]), r(3), r(2)),
    "getitem": (lambda x: x[1:], r(4, 2)),
}


def faults(x):
    """(what has to be said, change of the gradient) of faults that any derivative may have."""
    size = float(x.size)
    yield "sign", negated
    yield "factor", times(2)
    yield "factor", times(0.5)
    yield "factor", times(0.7)
    yield "nothing arrives", times(0)
    yield "1/N|factor", times(1 / size)
    yield "1/N|factor", times(x.shape[0])
    yield "offset|factor", lambda g: g + 0.3 * (g != 0)
    for axis in range(x.ndim):
        yield "flipped", lambda g, axis=axis: np.flip(g, axis)
        yield "rolled|flipped", lambda g, axis=axis: np.roll(g, 1, axis)
        yield "missing sum|slices lost|mask", first(axis)
        yield "summed too much|factor", lambda g, axis=axis: g.sum(axis, keepdims=True) + 0 * g
    for axes in itertools.combinations([axis for axis in range(x.ndim) if x.shape[axis] > 1], 2):
        if x.shape[axes[0]] == x.shape[axes[1]]:
            yield "transposed", lambda g, axes=axes: np.swapaxes(g, *axes)


def test_the_share_that_is_recognised_among_faults_made_by_a_program():
    right, wrong = 0, []
    for name, (f, *arrays) in OPS.items():
        for said, change in faults(arrays[0]):
            finding = find(Plant(said, f, tuple(arrays), at_input=change))
            if finding.excess().any():
                sentence = likely_mistake(finding) or "nothing"
                right += bool(re.search(said, sentence))
                if not re.search(said, sentence):
                    wrong.append(f"{name}: {said} is taken for {sentence}")
    share = right / (right + len(wrong))
    print(f"{right} of {right + len(wrong)} = {share:.1%}", *wrong, sep="\n")
    assert right > 200
    assert share > 0.95


def planted(change, error=1e-9, x=None, **fields):
    """A finding of x ↦ w x (4,) whose derivative was changed."""
    w = np.array([0.5, -1.5, 2.0, 3.0])
    finding = Finding("f", 1, 0, 0, ("x",), (4,), (4,), np.diag(w), change(np.diag(w)), np.full((4, 4), error), (x,))
    return replace(finding, **fields)


def test_float32():
    assert likely_mistake(planted(lambda n: np.float32(n / 3).astype(float) * 3)).startswith("float32")
    assert likely_mistake(planted(lambda n: n * 1.01)).startswith("a factor")


def test_the_sentence():
    finding = planted(lambda n: -n)
    assert likely_mistake(finding) == "a sign: the analytical derivative is -1 × the numerical one"
    assert likely_mistake(replace(finding, order=2)) == (
        "a sign: the analytical derivative is -1 × the numerical one. It is right in the first derivative: something "
        "may have been taken off the graph"
    )


def test_right_or_empty_derivatives_are_no_mistake():
    empty = np.zeros((0, 3))
    assert likely_mistake(planted(lambda n: n)) is None
    assert likely_mistake(Finding("f", 1, 0, 0, ("x",), (0,), (3,), empty, empty, empty, (np.zeros(0),))) is None


@pytest.mark.parametrize("size", [1e-30, 1e-8, 1.0, 1e30])
def test_any_scale_and_noise_within_the_tolerance(size):
    noise = 1e-6 * size * rng.uniform(-1, 1, (4, 4))
    n = size * np.diag([0.5, -1.5, 2.0, 3.0])
    for said, a in (
        ("a sign", -n),
        ("a factor", 2 * n),
        ("flipped|rolled", np.flip(n, 0)),
        ("slices", n * [[1], [0], [0], [0]]),
    ):
        sentence = likely_mistake(planted(lambda n, a=a: a, 2e-6 * size, numerical=n + noise))
        assert re.match(said, sentence)


def test_entries_that_are_not_numbers_are_left_out():
    n = np.diag([0.5, -1.5, 2.0, 3.0])
    n[1, 1] = np.nan
    n[2, 3] = np.inf
    assert likely_mistake(planted(lambda n: -n, numerical=n)).startswith("a sign")
    unknown = np.where(np.eye(4)[::-1] > 0, np.inf, 1e-9)
    assert likely_mistake(planted(lambda n: np.where(np.isinf(unknown), 7.0, 2 * n), error=unknown)).startswith(
        "a factor"
    )


def test_a_nan_or_infinite_gradient_is_told():
    for bad in (np.nan, np.inf, -np.inf):
        said = likely_mistake(planted(lambda n, bad=bad: np.where(n == 2, bad, n)))
        assert (
            said == f"a number that isn't finite: the analytical derivative is {bad} where the numerical one is finite"
        )


@pytest.mark.parametrize(
    "shapes", [((), ()), ((3,), (3,)), ((2, 2), (2, 2)), ((1, 3), (2, 3)), ((2, 3), ()), ((3, 2), (2,))]
)
def test_nothing_is_said_of_garbage(shapes):
    for seed in range(20):
        random = np.random.default_rng(seed)
        sizes = [int(np.prod(shape)) for shape in shapes]
        n, a = random.standard_normal((2, *sizes))
        if seed % 2 and shapes[0] == shapes[1]:
            n, a = n * np.eye(*sizes), a * np.eye(*sizes)
        finding = Finding(
            "f", 1, 0, 0, ("x",), *shapes, n, a, 1e-6 * (1 + abs(n)), (random.standard_normal(shapes[0]),)
        )
        said = likely_mistake(finding)
        assert said is None
        assert likely_mistake(replace(finding, order=2)) == (
            "off the graph: a term is missing or wrong. It is right in the first derivative: something may have been "
            "taken off the graph"
        )


def test_one_wrong_entry_is_not_explained_by_a_rule_for_all():
    n = rng.standard_normal((6, 4))
    a = n.copy()
    a[2, 1] += 0.5
    finding = Finding("f", 1, 0, 0, ("x",), (2, 3), (4,), n, a, np.full(n.shape, 1e-6), (rng.standard_normal((2, 3)),))
    assert likely_mistake(finding) is None


def test_arguments_may_be_anything():
    x = np.array([-0.5, 1.5, 2.0, 3.0])
    arguments = ("text", None, [1, 2], np.array(["a"]), x, torch.float32, 2, np.array([True]), np.ones((7, 7)))
    wrong = {"numerical": np.diag(np.exp(x)), "arguments": arguments}
    said = "the wrong function: it is exp's in terms of out, but with input 4 in its place"
    assert likely_mistake(planted(lambda n: np.diag(x), names=("input 4",), **wrong)) == said
    assert likely_mistake(planted(lambda n: np.diag(x), names=("grad_outputs[0]",), **wrong)) is None
