"""The backward pass: a walk over the tape from the newest node to the oldest. It knows no particular operation."""

from __future__ import annotations

from collections.abc import Container, Sequence
from math import inf
from typing import Any

from numpy import ndarray

from .. import backend, function, state
from ..backend.copies import copied
from ..duck_arrays import DuckArray, Fallback
from ..function import AccumulateGrad, Function, Output
from ..function.plan import Plan
from ..state import State
from ..state.derivative_path import derivative_path
from ..type_aliases import Array
from . import leaves, node_hooks, paths, results
from .backward_pass import BackwardPass, reported
from .derivatives import derivatives, fit_to_input
from .hooks import LAST
from .identity import Identity
from .kept_values import as_tensors, free, read
from .leaves import accumulate
from .queue import Queue
from .single import run_single

Edges = Sequence[Function | None]


def run(
    roots: Sequence[Function],
    seeds: Sequence[Array | None],
    targets: Sequence[Function] | None = None,
    retain_graph: bool = False,
    create_graph: bool = False,
    through: bool = False,
    given: Container[int] = (),
) -> dict[int, Array]:
    """Run a backward pass from the nodes `roots` with the gradients `seeds`: Tensors under create_graph, else arrays.

    Without targets, the gradients are accumulated in the leaves' `.grad`. With targets, nothing is stored: only the
    nodes on a path to a target are visited, and the targets' gradients are returned by node number. They are nobody
    else's arrays, but for those whose ids are in `given`. `through` says whether the operations of targets are visited
    as well: their hooks and custom backward run, and they are freed.

    A gradient may be None, PyTorch's undefined Tensor: the walk goes on, and what depends on it alone is None too,
    except that hooks and custom Functions are called.
    """
    oldest, routes, outer = 0, None, state.current()
    plain = outer.observer is None and not (create_graph or through)
    if plain and (single := run_single(roots, seeds, targets, retain_graph, given)) is not None:
        return single
    ends = {node.number for node in targets or ()}
    passed = {paths.producer(node)[0].number for node in targets or ()} if through else set()
    if targets is not None:
        oldest = min(ends | passed, default=0)
        routes = paths.routes(roots, ends, oldest, passed)
    queue = Queue(leaves.positions(roots, oldest) if node_hooks.calling else {}, create_graph)
    for node, seed in zip(roots, seeds, strict=True):
        if routes is None or node.number in routes:
            queue.add(node, seed, False)
    found: dict[int, Any] = {}
    observer = outer.observer
    if observer is not None:
        observer.start_backward(roots, seeds, targets)
    if outer.fine is not None or outer.deriving:
        outer = state.changed(deriving=False, fine=None)
    # A signal may interrupt the program anywhere: the state is changed last, so that it is always restored.
    backward_pass, inner = BackwardPass(roots, routes), outer.recording(create_graph)
    token = state.variable.set(inner.at(derivative_path(outer.path, 0, outer.path), True) if create_graph else inner)
    try:
        while queue.heap:
            node, grad, owned = queue.pop()
            kind, taken = type(node), grad
            if type(grad) is not ndarray and backend.is_gpu(grad):  # CuPy computes on its current GPU, not on grad's
                backend.follow(backend.device_of(grad))
            if node.hooks and (kind is not Output or node.number in ends):
                grad, owned = node_hooks.run_hooks(node, grad, stop=LAST if kind is AccumulateGrad else inf), False
                if not (node.number in ends and routes[node.number]):  # type: ignore[index]
                    taken = grad  # of a target from which the pass goes on PyTorch takes the gradient before its hooks
            if node.number in ends and taken is not None:
                found[node.number] = taken if owned or create_graph or id(taken) in given else copied(taken)
            if kind is AccumulateGrad:
                if routes is None:
                    accumulate(node, grad, owned, create_graph)
                continue
            if kind is Output:
                parent = node.edges[0]
                if routes is None or parent.number in routes:
                    queue.add_part(parent, node.index, grad)
                continue
            if type(grad) is list:  # a node with several results, of which some may be unused
                grad = results.gathered(node, node.plan, results.run_hooks(node, grad, ends))
            onward = node.edges if routes is None else routes[node.number]
            if not onward:
                continue
            if node.number not in passed or any(onward) or node.calls_back or hasattr(node.plan, "own"):  # has hooks
                for i, g in enumerate(_gradients(node, grad, onward, create_graph, outer)):
                    edge = onward[i]
                    if edge is not None:
                        g, owned = (g, False) if g is None or create_graph else fit_to_input(node, i, g, False)
                        queue.add(edge, g, owned)
            else:
                read(node, node.plan)  # it raises if these values are freed or overwritten
            if not retain_graph:
                free(node)
    except Exception as error:
        raise reported(error, node, observer, create_graph)  # noqa: B904 - it is this error, or has it as its cause
    finally:
        state.variable.reset(token)
        backward_pass.close()
    if observer is not None:
        observer.end_backward(found)
    backward_pass.run_callbacks()
    return found


def _gradients(node: Function, grad: Any, onward: Edges, create_graph: bool, outer: State) -> list[Any]:
    """Compute the gradients of a node's inputs, recorded under create_graph, and show them to the observer."""
    observer = None if grad is None else outer.observer
    if observer is not None:
        observer.begin_backward(node, grad)
    if create_graph:
        path = derivative_path(node.path, node.number, outer.path, type(node).__name__)
        inner = state.variable.set(State(True, path, outer.observer, True, outer.holomorphic))
    try:
        gradients = derive(node, grad, onward, create_graph)
    except Fallback as fallback:
        gradients = fallback.derivatives(node, grad, onward, derive, create_graph)
    finally:
        if create_graph:
            state.variable.reset(inner)
    if observer is not None:
        observer.backward(node, list(gradients))  # it may keep them: its references prevent writes in place
    return gradients


def derive(node: Function, grad: Any, onward: Edges, create_graph: bool, plan: Plan | None = None) -> list[Any]:
    """Compute the gradients of a node's inputs. Where `onward` has None in place of an edge, it may be None, too."""
    plan = plan or node.plan  # another plan is the node's own, without its hooks
    kept = read(node, plan)
    if create_graph:
        kept = as_tensors(node, kept)
        if plan.decomposition is not None and grad is not None:
            return _by_decomposition(node, plan, kept, grad, onward)
    return derivatives(node, plan, kept, grad, onward, create_graph)


def _by_decomposition(node: Function, plan: Plan, kept: list[Any], grad: Any, onward: Sequence[Any]) -> list[Any]:
    """Differentiate the node's decomposition, which gives derivatives of every order.

    Its inputs go through fresh Identity nodes, and the derivatives are taken with respect to those: so they are partial
    derivatives even where one Tensor is two inputs, or one input depends on another.
    """
    decomposition, positions = plan.decomposition  # type: ignore[misc]
    starts: dict[int, Any] = {}
    for j, i in enumerate(plan.inputs):
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
