"""Laws of a backward pass: shapes and memory of gradients, linearity, accumulation, the chain rule."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from ... import backend
from ...errors import FROM_FORWARD
from ...function import AccumulateGrad
from ...gradients import backward, grad
from ...tensor import Tensor
from ..calls import grad_arrays, nodes_behind, wanted
from .assertions import ROUNDINGS, inner_terms
from .case import Case, Evaluation, that_require_grad, vjp

A, B = 768.0, -1.5  # any two numbers: a large one shows what clips its incoming gradient
LINEAR = 2.0**-26  # relative to the gradient, in which much larger terms may cancel


def shapes(case: Case) -> None:
    """Backward runs, and each gradient has its input's shape, dtype and device."""
    for i, (x, g) in enumerate(zip(case.wanted, case.gradients, strict=True)):
        if g is not None:
            facts, expected = ((a.shape, a.dtype, backend.device_of(a)) for a in (g, x.array))
            if facts != expected:
                raise AssertionError(f"the gradient of {case.input_name(i)} has {facts}, its input {expected}")


def aliasing(case: Case) -> None:
    """Gradients are writable and share no memory: with another gradient, an input, an output, an array of a node."""
    inputs, outs, seeds = _backward(case)
    own = [(f"the gradient of {case.input_name(i)}", x.grad.array) for i, x in enumerate(inputs) if x.grad is not None]
    others = [(f"input {i}", x.array) for i, x in enumerate(case.inputs) if isinstance(x, Tensor)]
    others += [(f"output {k}", y.array) for k, y in enumerate(outs)]
    others += [(f"the incoming gradient of output {k}", s.array) for k, s in enumerate(seeds)]
    for node in nodes_behind(outs):
        if not isinstance(node, AccumulateGrad):
            held = [*node.kept, *vars(node).values()]
            others += [(f"an array that {type(node).__name__} holds", x) for x in held if backend.is_array(x)]
    for what, g in own:
        if not backend.is_gpu(g) and not g.flags.writeable:
            raise AssertionError(f"{what} is read-only")
    for (what, g), (whose, other) in [*combinations(own, 2), *((a, b) for a in own for b in others)]:
        if np.may_share_memory(g, other) and np.shares_memory(g, other):
            raise AssertionError(f"{what} shares memory with {whose}")


def _backward(case: Case) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Run `backward` into fresh leaves and keep the graph. Return leaves, outputs and incoming gradients."""
    inputs = case.map_arrays(lambda a: a)
    outs, seeds = that_require_grad(case.outputs(inputs), [Tensor._wrap(s) for s in case.grad_outputs])
    if outs:
        backward(outs, seeds, retain_graph=True)
    return wanted(inputs), outs, seeds


def accumulation(case: Case) -> None:
    """A second backward adds the same gradients to `.grad` again."""
    inputs, outs, seeds = _backward(case)
    once = [None if x.grad is None else x.grad.array.copy() for x in inputs]
    if outs:
        backward(outs, seeds, retain_graph=True)
    for i, (x, g) in enumerate(zip(inputs, once, strict=True)):
        if g is not None and x.grad is not None:
            case.same_gradient(i, x.grad.array, g + g, "after a second backward the gradient of")


def each_alone(case: Case) -> None:
    """An input's gradient doesn't depend on whether others require grad, which decides what is kept for backward."""
    for i in range(len(case.wanted)) if len(case.wanted) > 1 else ():
        inputs = [x.detach() if isinstance(x, Tensor) and x is not case.wanted[i] else x for x in case.inputs]
        (alone,) = vjp(case.outputs(inputs), [case.wanted[i]], case.grad_outputs)
        case.same_gradient(i, alone, case.gradients[i], "where no other input requires grad, the gradient of")


def repeated_input(case: Case) -> None:
    """A Tensor that is passed as two inputs gets the sum of their gradients, as if one of the two were its copy.

    Each example tries two inputs of the same shape and dtype. The function may refuse equal values.
    """
    indices = combinations(range(len(case.wanted)), 2)
    alike = [(i, j) for i, j in indices if _kind(case.wanted[i]) == _kind(case.wanted[j])]
    if not alike:
        return
    i, j = alike[int(case.rng.integers(len(alike)))]
    x, y = case.wanted[i], case.wanted[j]
    twice, copy = case.with_inputs([x if z is y else z for z in case.inputs]), x.clone()
    try:
        outs = twice.outputs([copy if z is y else z for z in case.inputs])
        expected = vjp(outs, twice.wanted, twice.grad_outputs)
    except FROM_FORWARD:
        return
    which = f"one Tensor as {case.input_name(i)} and as {case.input_name(j)}"
    twice.agrees(Evaluation([out.array for out in outs], twice.gradients), f"with a copy, not {which}")
    twice.same_gradients(twice.gradients, expected, f"with {which}, not a copy, the gradient of")


def _kind(x: Tensor) -> tuple[object, object]:
    return x.array.shape, x.array.dtype


def results_alone(case: Case) -> None:
    """A result gives the same gradients whether the others are unused or have gradients of zero."""
    outs, seeds = that_require_grad(case.outs, case.grad_outputs)
    for k in range(len(outs)) if len(outs) > 1 else ():
        expected = vjp(outs, case.wanted, [s if j == k else np.zeros_like(s) for j, s in enumerate(seeds)])
        found = [("of one result alone the gradient of", vjp(outs[k : k + 1], case.wanted, seeds[k : k + 1]))]
        if case.order > 1:
            incoming = Tensor._wrap(seeds[k]).requires_grad_()
            recorded = grad(outs[k], case.wanted, incoming, create_graph=True, allow_unused=True)
            what = "of one result alone, under create_graph, the gradient of"
            found.append((what, grad_arrays(recorded)))
        for what, gradients in found:
            for i, (g, h) in enumerate(zip(expected, gradients, strict=True)):
                case.same_gradient(i, np.zeros_like(g) if h is None and g is not None else h, g, what)


def linear_in_grad(case: Case) -> None:
    """Backward is linear in the incoming gradient: a·g + b·h gives a·backward(g) + b·backward(h).

    So the gradients of several results add up, each of which may be the only one that isn't zero.
    """
    others = [case.random_like(s) for s in case.grad_outputs]
    second = vjp(case.outs, case.wanted, others)
    both = vjp(case.outs, case.wanted, [A * g + B * h for g, h in zip(case.grad_outputs, others, strict=True)])
    for i, (g, h, sum_) in enumerate(zip(case.gradients, second, both, strict=True)):
        if g is not None:
            what = "of a sum of incoming gradients, the gradient of"
            case.same_gradient(i, sum_, A * g + B * h, what, A * max(LINEAR, 4 * ROUNDINGS * case.eps))
    alone = [
        vjp(case.outs, case.wanted, [s if j == k else np.zeros_like(s) for j, s in enumerate(case.grad_outputs)])
        for k in range(len(case.outs) if len(case.outs) > 1 else 0)
    ]
    for i, parts in enumerate(zip(*alone, strict=True)):
        if (g := case.gradients[i]) is not None:
            total = sum(part for part in parts if part is not None)
            total = np.where(np.isfinite(total), total, g)  # 0 · inf is NaN
            what = "of all results together, not of one at a time, the gradient of"
            case.same_gradient(i, g, total, what, max(LINEAR, 4 * ROUNDINGS * case.eps))


def adjoint(case: Case) -> None:
    """For a linear operation A, ⟨A x, y⟩ = ⟨x, Aᵀ y⟩."""
    if not case.linear:
        return
    pairs = [(y.array, s) for y, s in zip(case.outs, case.grad_outputs, strict=True)]
    back = [(x.array, g) for x, g in zip(case.wanted, case.gradients, strict=True) if g is not None]
    forward, backward = (sum(float(inner_terms(a, b).sum()) for a, b in part) for part in (pairs, back))
    terms = sum(float(np.abs(inner_terms(a, b)).sum()) for a, b in (*pairs, *back))
    if not abs(forward - backward) <= ROUNDINGS * case.eps * terms:
        raise AssertionError(
            f"⟨A x, y⟩ = {forward:.10g}, but ⟨x, Aᵀ y⟩ = {backward:.10g}, with x of the inputs' shapes"
        )


def chain_rule(case: Case) -> None:
    """Inside a composite the chain rule holds: with 2x - x for each input x, and 3y·s - 2y·s for each output y."""
    if case.draws:  # random draws may follow the order in memory
        return
    inputs = case.map_arrays(lambda a: a)
    through = {id(x): 2 * x - x for x in inputs if isinstance(x, Tensor) and x.requires_grad}
    outs = case.outputs([through.get(id(x), x) for x in inputs])
    outs, seeds = that_require_grad(outs, case.grad_outputs)
    if not outs:
        return
    weights = [Tensor._wrap(s) for s in seeds]
    losses = [(y * (3 * s) - (y + y) * s).sum() for y, s in zip(outs, weights, strict=True)]
    found = grad(losses, wanted(inputs), allow_unused=True)
    case.same_gradients(grad_arrays(found), case.gradients, "in a composite the gradient of", 4 * ROUNDINGS * case.eps)
