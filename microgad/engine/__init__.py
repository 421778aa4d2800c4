"""The backward pass: a walk over the tape from the newest node to the oldest. It knows no particular operation."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from math import inf
from sys import getrefcount
from typing import Any

import numpy as np
from numpy import ndarray

from .. import backend, errors, function, state
from ..backend.memory_layout import copied
from ..dtypes.conversions import operand
from ..duck_arrays import DuckArray, Fallback
from ..errors.wording import FREED
from ..fast_reductions import sum_to
from ..function import AccumulateGrad, Function, Output, rules
from ..function.naming import node_name
from ..function.plan import argument
from ..state import State
from . import leaves, node_hooks, paths, results, versions
from .backward_pass import BackwardPass, reported
from .complex import conjugate_back, conjugates, for_derivatives
from .hooks import LAST
from .kept_values import as_tensors, free
from .leaves import accumulate, total
from .ownership import SOLE, alone

_FLOAT32 = np.dtype("float32")  # the most common dtype: `is` is faster than asking for the kind

# [node, its gradient so far, whether the engine owns that array, so that it may add to it in place]
Pending = list[Any]


def run(
    roots: Sequence[Function],
    seeds: Sequence[Any],
    targets: Sequence[Function] | None = None,
    retain_graph: bool = False,
    create_graph: bool = False,
) -> dict[int, Any]:
    """Run a backward pass from the nodes `roots` with the gradients `seeds`: Tensors under create_graph, else arrays.

    Without targets, the gradients are accumulated in the leaves' `.grad`. With targets, nothing is stored: only the
    nodes on a path to a target are visited, and the targets' gradients are returned by node number.

    A gradient may be None, PyTorch's undefined Tensor: the walk goes on, and what depends on it alone is None too,
    except that hooks and custom Functions are called.
    """
    heap: list[float] = []  # negated positions, so that the newest node comes first
    pending: dict[float, Pending] = {}
    found: dict[int, Any] = {}
    ends = frozenset([node.number for node in targets or ()])
    oldest = min(ends, default=0)
    routes = None if targets is None else paths.routes(roots, ends, oldest)
    positions = leaves.positions(roots, oldest) if node_hooks.calling else {}
    for node, seed in zip(roots, seeds, strict=True):
        if routes is None or node.number in routes:
            if (position := positions.get(node.number, node.number)) in pending:
                _add(pending[position], seed, create_graph)
            else:
                heappush(heap, -position)
                pending[position] = [node, seed, False]

    outer = state.current()
    observer = outer.observer
    if observer is not None:
        observer.start_backward(roots, seeds, targets)
    if outer.fine is not None or outer.deriving:
        outer = state.changed(deriving=False, fine=None)
    running = outer.recording(create_graph)
    token, backward_pass = state.variable.set(running), BackwardPass(roots, routes)
    try:
        while heap:
            node, grad, owned = pending.pop(-heappop(heap))
            kind = type(node)
            taken = grad
            if type(grad) is not ndarray and backend.is_gpu(grad):  # CuPy computes on its current GPU, not on grad's
                backend.follow(backend.device_of(grad))
            if node.hooks and (kind is not Output or node.number in ends):
                grad, owned = node_hooks.run_hooks(node, grad, stop=LAST if kind is AccumulateGrad else inf), False
                if not (node.number in ends and routes[node.number]):  # type: ignore[index]
                    taken = grad  # of a target from which the pass goes on PyTorch takes the gradient before its hooks
            if node.number in ends and taken is not None:
                found[node.number] = taken if owned or create_graph else copied(taken)
            if kind is AccumulateGrad:
                if routes is None:
                    accumulate(node, grad, owned, create_graph)
                continue
            edges = node.edges
            if kind is Output:
                parent = edges[0]
                if routes is None or parent.number in routes:
                    _gather(heap, pending, parent, node.index, grad)
                continue
            if type(grad) is list:  # a node with several results, of which some may be unused
                grad = results.gathered(node, results.run_hooks(node, grad, ends))
            onward = edges if routes is None else routes[node.number]
            if not onward:
                continue
            if observer is not None and grad is not None:
                observer.begin_backward(node, grad)
            if create_graph:
                inner = state.variable.set(State(True, node.path, observer, True, outer.holomorphic))
            try:
                gradients = derive(node, grad, onward, create_graph)
            except Fallback as fallback:
                gradients = fallback.derivatives(node, grad, onward, derive, create_graph)
            finally:
                if create_graph:
                    state.variable.reset(inner)
            if observer is not None and grad is not None:
                observer.backward(node, list(gradients))  # it may keep them: its references prevent writes in place
            for i, g in enumerate(gradients):
                edge = onward[i]
                if edge is not None:
                    g, owned = (None, False) if g is None else _fit_to_input(node, i, g, create_graph)
                    position = positions.get(edge.number, edge.number) if positions else edge.number
                    if position not in pending:
                        heappush(heap, -position)
                        pending[position] = [edge, g, owned]
                    elif g is not None:
                        _add(pending[position], g, create_graph)
            if not retain_graph:
                free(node)
    except Exception as error:
        raise reported(error, node, observer, create_graph)  # noqa: B904 - it is this error, or has it as its cause
    finally:
        state.variable.reset(token)
        backward_pass.close()
    backward_pass.run_callbacks()
    return found


def _add(waiting: Pending, grad: Any, create_graph: bool) -> None:
    if waiting[2] and not create_graph and not isinstance(grad, DuckArray):  # vmap's slices may share the array
        waiting[1] += grad
    else:
        waiting[1:] = total(waiting[1], grad), True


def derive(node: Function, grad: Any, onward: Sequence[Function | None], create_graph: bool) -> list[Any]:
    """Compute the gradients of a node's inputs; those whose entry in `onward` is None aren't needed, and may be None.

    Derivatives are written for real numbers and holomorphic functions: grad · f'. PyTorch's convention for complex
    numbers, the direction of steepest ascent, is grad · conj(f') = conj(conj(grad) · f').
    """
    kept: Any = () if node.calls_back else node.kept  # a program's backward reads, checks and unpacks them itself
    if kept is None:
        raise errors.GraphError(f"{_name(node)}: {FREED}")
    versions_kept = node.versions
    for i in range(0, len(versions_kept), 2):
        if versions_kept[i][0] != versions_kept[i + 1] and not node.calls_back:
            versions.check(node, versions_kept[i], versions_kept[i + 1])
    plan = node.plan
    if plan.keeps and type(kept) is not list:
        kept = kept.unpack()
    if create_graph:
        kept = as_tensors(node, kept)
        if plan.decomposition is not None and grad is not None:
            return _derive_by_decomposition(node, kept, grad, onward)
    gradients: list[Any] = [None] * len(onward)
    if node.dtype is not _FLOAT32:
        grad, kept = for_derivatives(node, grad, kept)
    if plan.joint is not None and (grad is not None or node.calls_back or not plan.fills):
        derivative, positions = plan.joint
        node.needs = tuple(edge is not None for edge in onward)
        result = derivative(node, grad, *[kept[j] for j in positions])
        gradients = list(result) if type(result) in (tuple, list) else [result]
        if len(gradients) != len(onward):
            raise errors.ShapeError(f"{_name(node)}: backward gave {len(gradients)} gradients for {len(onward)} inputs")
    elif grad is not None:
        for i, derivative, positions in plan.derivatives:
            if onward[i] is not None:
                # f(*values) costs as much as the product of two small arrays, so the common cases avoid it.
                if not positions:
                    gradients[i] = derivative(node, grad)
                elif len(positions) == 1:
                    gradients[i] = derivative(node, grad, kept[positions[0]])
                else:
                    gradients[i] = derivative(node, grad, *[kept[j] for j in positions])
    for i, edge in enumerate(onward):
        g = gradients[i]
        if edge is None or g is None:
            continue
        if edge.dtype is not _FLOAT32 and edge.dtype.kind == "c" and conjugates(node):
            g = gradients[i] = conjugate_back(g)
        if create_graph:
            if not isinstance(g, function.Tensor):
                raise errors.GraphError(
                    f"{_name(node)}: its derivative for {argument(node, i)} returned a bare {type(g).__name__} "
                    "under create_graph: somewhere in it the gradient was taken off the graph"
                )
            if node.zero_link is not None:
                gradients[i] = node.zero_link.apply(g, function.Tensor._wrap(g.array, node if plan.out else edge))
    return gradients


def _fit_to_input(node: Function, i: int, g: Any, create_graph: bool) -> tuple[Any, bool]:
    """Convert a gradient to its input's shape and dtype; also tell whether the engine alone refers to the array."""
    edge = node.edges[i]
    try:
        unlike = g.shape != edge.shape
    except AttributeError:
        raise rules.no_array(node, argument(node, i), g) from None
    if unlike:
        if not stretches(edge.shape, g.shape) or (g.shape != node.shape and not node.broadcasts):
            raise errors.ShapeError(
                f"{_name(node)}: its derivative for {argument(node, i)} has shape {tuple(g.shape)}, but the "
                f"input's shape is {edge.shape}: Function {node_name(node)} returned an invalid gradient at index {i} "
                f"- got {[*g.shape]} but expected shape compatible with {[*edge.shape]}"
            )
        g = sum_to(g, edge.shape)
    if create_graph:
        if isinstance(g.array, DuckArray):
            g = g.array.gradient_for(g, edge)
        if g.array.dtype.kind == "c" and edge.dtype.kind != "c":
            g = np.real(g)
        return (g if g.array.dtype == edge.dtype else np.astype(g, edge.dtype)), False
    if type(g) is not ndarray:
        g = g.gradient_for(g, edge) if isinstance(g, DuckArray) else backend.as_array(g)
    if g.dtype is not edge.dtype and g.dtype != edge.dtype:
        g = operand(g.real if g.dtype.kind == "c" and edge.dtype.kind != "c" else g, edge.dtype)
    # The incoming gradient, kept values, settings, user's constants and other inputs' gradients have more references.
    owned = getrefcount(g) <= SOLE and (g.base is None or alone(g))
    return g, owned


def stretches(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Whether an array of shape `shape` broadcasts to the shape `to`."""
    return len(shape) <= len(to) and all(n in (1, m) for n, m in zip(shape[::-1], to[::-1], strict=False))


def _gather(heap: list[float], pending: dict[float, Pending], parent: Function, index: int, grad: Any) -> None:
    """Store the gradient of result `index` of a node with several results."""
    waiting = pending.get(parent.number)
    if waiting is None:
        heappush(heap, -parent.number)
        waiting = pending[parent.number] = [parent, [None] * len(parent.shape), False]
    held = waiting[1][index]  # another Output of the same result has contributed: see Function.result
    waiting[1][index] = held if grad is None else grad if held is None else total(held, grad)


def _derive_by_decomposition(node: Function, kept: list[Any], grad: Any, onward: Sequence[Any]) -> list[Any]:
    """Differentiate the node's decomposition, which gives derivatives of every order.

    Its inputs go through fresh Identity nodes, and the derivatives are taken with respect to those: so they are partial
    derivatives even where one Tensor is two inputs, or one input depends on another.
    """
    decomposition, positions = node.plan.decomposition  # type: ignore[misc]
    starts: dict[int, Any] = {}
    for j, i in enumerate(node.plan.inputs):
        if isinstance(kept[j], function.Tensor) and node.edges[i] is not None:
            kept[j] = starts[i] = Identity.apply(kept[j])
    out = decomposition(node, *[kept[j] for j in positions])
    outs, grads = (out, grad) if type(out) is tuple else ((out,), (grad,))
    wanted = [i for i in starts if onward[i] is not None]
    pairs = [(y.node, g) for y, g in zip(outs, grads, strict=True) if y.node is not None and g is not None]
    seeds = [g.array.gradient_for(g, y) if isinstance(g.array, DuckArray) else g for y, g in pairs]
    found = run([y for y, _ in pairs], seeds, [starts[i].node for i in wanted], retain_graph=True, create_graph=True)
    gradients: list[Any] = [None] * len(onward)
    for i in wanted:
        g = found.get(starts[i].node.number)
        gradients[i] = g if g is None or node.zero_link is None else node.zero_link.apply(g, starts[i])
    return gradients


class Identity(Function):
    """A new node with the same values."""

    may_share = True

    def forward(self, x: Any) -> Any:
        return x

    def grad_x(self, grad: Any) -> Any:
        return grad


def _name(node: Function) -> str:
    return errors.place(type(node).__name__, node.path)
