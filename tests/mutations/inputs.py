"""Ten thousand inputs of a property test, and all results for one of them, to compare faulty code with intact code."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings

import microgad as torch
from microgad import gradients
from microgad.function import AccumulateGrad, Tensor
from microgad.testing.strategies import LAYOUTS, laid_out

INPUTS = 10_000  # for each fault
STRUCTURES = 400  # examples of the property test, whose values and layouts are then changed
FEW = 20  # structures that are tried first, since most faults show on these

Values = Callable[[Any, np.random.Generator], Any]
VALUES: dict[str, Values] = {
    "as drawn": lambda x, rng: x,
    "smaller": lambda x, rng: x * rng.uniform(0.3, 1, x.shape),
    "in another order": lambda x, rng: rng.permutation(x.flatten()).reshape(x.shape),
    "nearby": lambda x, rng: x * rng.uniform(0.9, 1.1, x.shape),
    "ties": lambda x, rng: rng.choice(x.reshape(-1)[:2], x.shape) if x.size else x,
    "zeros": lambda x, rng: x * rng.integers(0, 2, x.shape),
    "normal": lambda x, rng: rng.standard_normal(x.shape),
    "positive": lambda x, rng: rng.uniform(0.05, 0.95, x.shape),
    "whole numbers": lambda x, rng: np.round(x),
    "in float32": lambda x, rng: x.astype(np.float32),
    "nothing along an axis": lambda x, rng: x,  # see `Pool.inputs`
    "a hundred times as large": lambda x, rng: x * 100,
}


class Outcome(NamedTuple):
    """Facts that must be equal, and numbers that must agree up to rounding."""

    facts: tuple[Any, ...]
    numbers: list[Any]
    first: int  # how many of the numbers are values and first derivatives
    failed: str


class Pool:
    """The inputs of one property test."""

    def __init__(self, entry: Any, structures: int = STRUCTURES) -> None:
        self.cases: list[Any] = []

        @seed(0)
        @settings(
            max_examples=structures, database=None, phases=[Phase.generate], deadline=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(entry.examples)
        def collect(case: Any) -> None:
            self.cases.append(case)

        collect()
        self.known: dict[int, Outcome] = {}

    def inputs(self, k: int) -> tuple[Any, list[Any]]:
        """The function of a case, and new Tensors with changed values and layouts, for the number k."""
        kind, case = list(VALUES)[k % len(VALUES)], self.cases[k // len(VALUES) % len(self.cases)]
        rng = np.random.default_rng(k)
        lengths = sorted({n for x in case.inputs if isinstance(x, Tensor) for n in x.array.shape if n})
        emptied = rng.choice(lengths) if lengths and kind == "nothing along an axis" else -1
        replaced: dict[int, Any] = {}
        for x in case.inputs:
            if isinstance(x, Tensor) and id(x) not in replaced:
                array = x.array
                if array.dtype.kind == "f":
                    array = np.asarray(VALUES[kind](array, rng))
                array = array[(..., *(slice(0, 0) if n == emptied else slice(None) for n in array.shape))]
                array = laid_out(array.copy(), LAYOUTS[rng.integers(len(LAYOUTS))])  # a fault may write into it
                replaced[id(x)] = Tensor._wrap(array).requires_grad_(x.requires_grad)
        return case.function, [replaced.get(id(x), x) for x in case.inputs]

    def intact(self, k: int) -> Outcome:
        """The outcome for the intact code."""
        if k not in self.known:
            self.known[k] = outcome(*self.inputs(k), k)
        return self.known[k]


pool = lru_cache(maxsize=12)(Pool)


def outcome(function: Any, inputs: Sequence[Any], k: int) -> Outcome:
    """Values, gradients, second derivatives, and all else that the laws are about."""
    facts: list[Any] = []
    numbers: list[Any] = []
    first, failed = 0, ""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            first = _evaluate(function, inputs, np.random.default_rng(k), facts, numbers, k % 4 == 0)
        except Exception as error:
            failed = type(error).__name__
    return Outcome(tuple(facts), numbers, first or len(numbers), failed)


def _evaluate(
    function: Any, inputs: Sequence[Any], rng: np.random.Generator, facts: list[Any], numbers: list[Any], alone: bool
) -> int:
    def call(inputs: Sequence[Any]) -> list[Any]:
        torch.manual_seed(0)
        found = function(*inputs)
        found = found if isinstance(found, (tuple, list)) else (found,)
        return [y for y in found if isinstance(y, Tensor) and y.array.dtype.kind == "f"]

    wanted = list({id(x): x for x in inputs if isinstance(x, Tensor) and x.requires_grad}.values())
    tensors = [x for x in inputs if isinstance(x, Tensor)]
    before = [x.array.copy() for x in tensors]
    all_outs = call(inputs)
    numbers += [y.array for y in all_outs]
    facts.append([(y.array.shape, y.array.dtype) for y in all_outs])
    outs = [y for y in all_outs if y.requires_grad]
    if not outs:
        return 0
    layout = LAYOUTS[rng.integers(len(LAYOUTS))]
    seeds = [laid_out(rng.uniform(-1, 1, y.array.shape).astype(y.array.dtype), layout) for y in outs]
    held = [s.copy() for s in seeds]
    facts.append(("held", _held_bytes(outs)))
    found = _grad(outs, wanted, seeds)
    again = _grad(outs, wanted, seeds)
    numbers += [*found, *again]
    facts += [g.dtype for g in found if g is not None]
    if alone and len(wanted) > 1:
        for x in wanted:
            others = [y.detach() if isinstance(y, Tensor) and y is not x else y for y in inputs]
            ys = call(others)
            pairs = [(y, s) for y, s in zip(ys, _for_all(all_outs, outs, seeds), strict=True) if y.requires_grad]
            numbers += _grad([y for y, _ in pairs], [x], [s for _, s in pairs]) if pairs else [None]
    gradients.backward(outs, [Tensor._wrap(s) for s in seeds], retain_graph=True)
    facts.append(_memory(wanted, [*tensors, *outs], seeds))
    facts.append([bool(x.array.tobytes() == old.tobytes()) for x, old in zip(tensors, before, strict=True)])
    facts.append([bool((s == old).all()) for s, old in zip(seeds, held, strict=True)])
    first = len(numbers)
    incoming = [Tensor._wrap(s.copy()).requires_grad_() for s in held]
    once = gradients.grad(outs, wanted, incoming, create_graph=True, allow_unused=True)
    numbers += [None if g is None else g.array for g in once]
    once = [g for g in once if g is not None and g.requires_grad]
    weights = [Tensor._wrap(rng.uniform(-1, 1, g.array.shape).astype(g.array.dtype)) for g in once]
    targets = [*wanted, *incoming]
    twice = gradients.grad(once, targets, weights, allow_unused=True) if once else [None] * len(targets)
    numbers += [None if g is None else g.array for g in twice]
    return first


def _grad(outs: list[Any], wanted: list[Any], seeds: list[Any]) -> list[Any]:
    found = gradients.grad(outs, wanted, [Tensor._wrap(s) for s in seeds], retain_graph=True, allow_unused=True)
    return [None if g is None else g.array.copy() for g in found]


def _for_all(all_outs: list[Any], outs: list[Any], seeds: list[Any]) -> list[Any]:
    return [next((s for y, s in zip(outs, seeds, strict=True) if y is z), None) for z in all_outs]


def _memory(wanted: list[Any], others: list[Any], seeds: list[Any]) -> list[Any]:
    """For each leaf's gradient, whether it is writable, and whether it shares memory with anything else."""
    facts, own = [], [x.grad.array for x in wanted if x.grad is not None]
    arrays = [x.array for x in others] + seeds
    for i, g in enumerate(own):
        facts.append((g.flags.writeable, any(np.shares_memory(g, a) for a in (*arrays, *own[:i]))))
    for x in wanted:
        x.grad = None
    return facts


def _held_bytes(outs: list[Any]) -> int:
    """The bytes of arrays that nodes hold besides those that the signatures of their derivatives name."""
    seen: dict[int, Any] = {}
    total, stack = 0, [y.node for y in outs]
    while stack:
        node = stack.pop()
        if node is not None and node.number not in seen:
            seen[node.number] = node
            stack.extend(node.edges)
            if not isinstance(node, AccumulateGrad):
                total += sum(x.nbytes for x in vars(node).values() if isinstance(x, np.ndarray))
    return total
