"""Kernels of recurrent layers: by microgad's fused layers for standard settings, else step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...ops import creation, elementwise, linalg, movement
from ...ops.indexing import getitem
from ...ops.recurrent import Gru, Lstm, Rnn
from ...tensor import Tensor
from ..graphs import OPERATORS, Node, operator
from .movement import reverse_sequences

Function = Callable[[Tensor], Tensor]
OPERATOR_ACTIVATIONS = {
    "Relu", "Tanh", "Sigmoid", "Softsign", "Softplus", "LeakyRelu", "ThresholdedRelu", "HardSigmoid", "Elu",
}  # fmt: skip
WITH_BETA = {"Affine", "ScaledTanh", "HardSigmoid"}
WITH_ALPHA = {*WITH_BETA, "LeakyRelu", "ThresholdedRelu", "Elu"}


def activation_functions(node: Node, defaults: list[str]) -> list[Function]:
    """Return the activation functions of all directions; the defaults are those of one."""
    alphas, betas = iter(node.get("activation_alpha", [])), iter(node.get("activation_beta", []))
    return [
        _activation(
            name, next(alphas, None) if name in WITH_ALPHA else None, next(betas, None) if name in WITH_BETA else None
        )
        for name in node.get("activations", defaults * 2)
    ]


def _activation(name: str, alpha: float | None, beta: float | None) -> Function:
    attributes = {key: value for key, value in (("alpha", alpha), ("beta", beta)) if value is not None}
    if name == "Affine":
        return lambda x: x * attributes.get("alpha", 1.0) + attributes.get("beta", 0.0)
    if name == "ScaledTanh":
        return lambda x: elementwise.tanh(x * attributes.get("beta", 1.0)) * attributes.get("alpha", 1.0)
    if name not in OPERATOR_ACTIVATIONS:
        raise ValueError(f"it has no activation {name!r}")
    run = OPERATORS["", name]
    node = Node(name, "", run, attributes, [], [], 1)
    return lambda x: run(node, x)


def run_directions(node: Node, x: Tensor, states: int, inputs: tuple[Any, ...], one: Callable[..., Any]) -> Any:
    """Run all directions: return Y (T, D, B, H) and each final state (D, B, H)."""
    given: list[Any] = [*inputs, *[None] * (4 + states - len(inputs))]
    w, r, bias, lengths, *first = given
    if node.get("layout"):
        x = movement.transpose(x, 0, 1)
        first = [None if s is None else movement.transpose(s, 0, 1) for s in first]
    hidden, batch = node.get("hidden_size", r.shape[-1]), x.shape[1]
    ways = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[node.get("direction", "forward")]
    found = []
    for d, backwards in enumerate(ways):
        b = None if bias is None else movement.chunk(getitem(bias, d), 2)
        start = [creation.zeros(batch, hidden, dtype=x.dtype) if s is None else getitem(s, d) for s in first[:states]]
        extra = [None if part is None else getitem(part, d) for part in first[states:]]
        if x.shape[0]:
            found.append(one(d, backwards, x, getitem(w, d), getitem(r, d), b, lengths, start, *extra))
        else:
            found.append((creation.zeros(0, batch, hidden, dtype=x.dtype), *start))
    out, *last = ([part[i] for part in found] for i in range(1 + states))
    results = [movement.stack(out, 1), *map(movement.stack, last)]
    if node.get("layout"):
        results = [movement.permute(results[0], (2, 0, 1, 3)), *(movement.transpose(s, 0, 1) for s in results[1:])]
    return tuple(results)


def run_steps(x: Tensor, backwards: bool, lengths: Any, start: list[Tensor], step: Callable[..., Any]) -> Any:
    """Apply step(x, *states) at each time. The states of sequences that have ended are kept."""
    states, rows = start, []
    size = np.full(x.shape[1], x.shape[0]) if lengths is None else lengths.array
    x = reverse_sequences(x, size) if backwards else x
    for t in range(x.shape[0]):
        new = step(getitem(x, t), *states)
        if lengths is None:
            row, states = new[0], new
        else:
            running = creation.as_tensor((t < size)[:, None])
            row = elementwise.where(running, new[0], 0)
            states = [elementwise.where(running, a, b) for a, b in zip(new, states, strict=True)]
        rows.append(row)
    out = movement.stack(rows)
    return reverse_sequences(out, size) if backwards else out, *states


def matches_fused(node: Node, lengths: Any, activations: list[str]) -> bool:
    """Whether microgad's fused layer, which has these activations, can compute the layer."""
    others = ("clip", "input_forget", "activation_alpha", "activation_beta")
    same = node.get("activations", activations) in (activations, activations * 2)
    return lengths is None and same and not any(map(node.get, others))


def _reordered(order: list[int], w: Tensor, r: Tensor, b: Any) -> list[Any]:
    """Reorder the gates of weights and of biases, which may be None."""
    split = [None if x is None else movement.chunk(x, len(order)) for x in (w, r, *(b or (None, None)))]
    return [None if parts is None else movement.cat([parts[i] for i in order]) for parts in split]


def _linear(x: Tensor, h: Tensor, w: Tensor, r: Tensor, b: Any) -> Tensor:
    total = linalg.linear(x, w) + linalg.linear(h, r)
    return total if b is None else total + (b[0] + b[1])


def _clipped(node: Node) -> Function:
    bound = node.get("clip")
    return (lambda x: elementwise.clamp(x, -bound, bound)) if bound else (lambda x: x)


@operator("LSTM")
def lstm(node: Node, x: Tensor, *inputs: Any) -> Any:
    inputs = (*inputs, *(None,) * (7 - len(inputs)))
    activations = ["Sigmoid", "Tanh", "Tanh"]
    acts, clip = activation_functions(node, activations), _clipped(node)

    def one(d: int, backwards: bool, x: Any, w: Any, r: Any, b: Any, lengths: Any, start: Any, peep: Any = None) -> Any:
        if peep is None and matches_fused(node, lengths, activations):
            sizes, weights = (x.shape[1],) * x.shape[0], _reordered([0, 2, 3, 1], w, r, b)
            return Lstm.apply(x, *start, *weights, None, batch_sizes=sizes, reverse=backwards)
        f, g, h_ = acts[3 * d : 3 * d + 3]
        pi, po, pf = (None,) * 3 if peep is None else movement.chunk(peep, 3)

        def step(now: Tensor, h: Tensor, c: Tensor) -> Any:
            i, o, forget, cell = movement.chunk(_linear(now, h, w, r, b), 4, -1)
            i = f(clip(i if pi is None else i + pi * c))
            forget = 1 - i if node.get("input_forget") else f(clip(forget if pf is None else forget + pf * c))
            c = forget * c + i * g(clip(cell))
            o = f(clip(o if po is None else o + po * c))
            return [o * h_(c), c]

        return run_steps(x, backwards, lengths, start, step)

    return run_directions(node, x, 2, inputs, one)


@operator("GRU")
def gru(node: Node, x: Tensor, *inputs: Any) -> Any:
    activations = ["Sigmoid", "Tanh"]
    acts, clip, after = activation_functions(node, activations), _clipped(node), node.get("linear_before_reset")

    def one(d: int, backwards: bool, x: Any, w: Any, r: Any, b: Any, lengths: Any, start: Any) -> Any:
        if after and matches_fused(node, lengths, activations):
            sizes, weights = (x.shape[1],) * x.shape[0], _reordered([1, 0, 2], w, r, b)
            return Gru.apply(x, *start, *weights, batch_sizes=sizes, reverse=backwards)
        f, g = acts[2 * d : 2 * d + 2]
        ws, rs = movement.chunk(w, 3), movement.chunk(r, 3)
        bs = [movement.chunk(part, 3) for part in b] if b is not None else None

        def term(x: Tensor, weights: Any, k: int, which: int) -> Tensor:
            made = linalg.linear(x, weights[k])
            return made if bs is None else made + bs[which][k]

        def step(now: Tensor, h: Tensor) -> Any:
            z = f(clip(term(now, ws, 0, 0) + term(h, rs, 0, 1)))
            reset = f(clip(term(now, ws, 1, 0) + term(h, rs, 1, 1)))
            read = reset * term(h, rs, 2, 1) if after else term(reset * h, rs, 2, 1)
            return [(1 - z) * g(clip(term(now, ws, 2, 0) + read)) + z * h]

        return run_steps(x, backwards, lengths, start, step)

    return run_directions(node, x, 1, inputs, one)


@operator("RNN")
def rnn(node: Node, x: Tensor, *inputs: Any) -> Any:
    acts = activation_functions(node, ["Tanh"])
    names, clip = node.get("activations", ["Tanh"]), _clipped(node)

    def one(d: int, backwards: bool, x: Any, w: Any, r: Any, b: Any, lengths: Any, start: Any) -> Any:
        name = names[d] if d < len(names) else names[-1]
        if matches_fused(node, lengths, names) and set(names) <= {"Tanh", "Relu"}:
            sizes = (x.shape[1],) * x.shape[0]
            biases = (None, None) if b is None else b
            return Rnn.apply(x, *start, w, r, *biases, batch_sizes=sizes, reverse=backwards, relu=name == "Relu")
        return run_steps(x, backwards, lengths, start, lambda now, h: [acts[d](clip(_linear(now, h, w, r, b)))])

    return run_directions(node, x, 1, inputs, one)
