"""Laws of memory: a graph keeps what its derivatives read, and is freed after backward."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from ... import backend
from ...autograd.function import CustomNode
from ...function import AccumulateGrad, Function
from ...gradients import grad
from ...tensor import Tensor
from ..calls import nodes_behind, wanted
from .case import Case, that_require_grad

CTX_CYCLE = ": a result stored as an attribute of ctx is a reference cycle; ctx.save_for_backward keeps it without one"


def graph_freed(case: Case) -> None:
    """After backward, reference counting alone frees every node and what it kept: there is no reference cycle."""
    inputs = case.map_arrays(lambda a: a)
    traces = _run(case, inputs)
    alive = sorted({name for name, trace in traces if trace() is not None})
    if alive:
        hint = "" if not any(isinstance(trace(), CustomNode) for _, trace in traces) else CTX_CYCLE
        raise AssertionError(f"after backward these are not freed: {', '.join(alive)}{hint}")


def _run(case: Case, inputs: list[Any]) -> list[tuple[str, weakref.ref[Any]]]:
    """Run forward and backward. Return weak references to the nodes and to the results that they kept."""
    outs, seeds = that_require_grad(case.outputs(inputs), case.grad_outputs)
    traces: list[tuple[str, weakref.ref[Any]]] = []
    given = nodes_behind([x for x in inputs if isinstance(x, Tensor)])
    for node in nodes_behind(outs):
        if not isinstance(node, AccumulateGrad) and not any(node is other for other in given):
            name = type(node).__name__
            traces.append((f"the node of {name}", weakref.ref(node)))
            computed = node.kept[len(node.plan.inputs) :] if _has_plan(node) else ()
            traces += [(f"what {name} kept", weakref.ref(x)) for x in computed if backend.is_array(x)]
    if outs:
        grad(outs, wanted(inputs), [Tensor._wrap(s) for s in seeds], allow_unused=True)
    return traces


def kept(case: Case) -> None:
    """A node keeps no more values than its derivatives' signatures name, and no input or result as a setting."""
    _ = case.results
    for node, inputs, out in case.operations.seen:
        if not _has_plan(node):
            continue
        name, plan = type(node).__name__, node.plan
        declared = len(plan.inputs) + plan.out + len(plan.intermediates)
        if len(node.kept) > declared:
            raise AssertionError(f"{name} keeps {len(node.kept)} values, but its derivatives name {declared}")
        outs = out if isinstance(out, tuple) else (out,)
        values = [(f"input {i}", x.array) for i, x in enumerate(inputs) if isinstance(x, Tensor)]
        values += [("its result", y.array) for y in outs]
        for setting, held in vars(node).items():
            for what, value in values if backend.is_array(held) else ():
                if np.may_share_memory(held, value):
                    raise AssertionError(
                        f"{name} keeps {what}, {value.nbytes} bytes, as self.{setting}: no derivative names it"
                    )


def _has_plan(node: Function) -> bool:
    """Whether the node is of a Function whose derivatives' signatures say what is kept."""
    return not isinstance(node, CustomNode) and hasattr(node, "plan")
