"""What a node keeps for backward: as Tensors, for create_graph, and its release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import backend, errors, function
from ..errors.wording import FREED
from ..function import SIMPLE, Function, Packed
from ..function.plan import Plan
from . import versions


def as_tensors(node: Function, kept: list[Any]) -> list[Any]:
    """A node's kept values as Tensors that are connected to the graph, for create_graph. Constants stay bare arrays.

    They have the version counters of the Tensors that were kept: what is recorded now fails if one is overwritten.
    """
    if not kept:
        return kept
    made, plan, given = function.Tensor._wrap, node.plan, getattr(node, "tensor_bits", -1)
    counters = iter(node.versions[::2])  # none where hooks have packed copies
    tensors = [
        made(x, node.edges[i], next(counters, None) if given >> i & 1 else None) if backend.is_array(x) else x
        for i, x in zip(plan.inputs, kept, strict=False)
    ]
    if plan.out and type(out := kept[len(tensors)]) is tuple:
        tensors.append(tuple(made(x, node.result(i), next(counters, None)) for i, x in enumerate(out)))
    elif plan.out:
        tensors.append(made(out, node, next(counters, None)))
    return [*tensors, *kept[len(tensors) :]]


def read(node: Function, plan: Plan) -> Any:
    """The values that a node keeps, checked: none is freed or overwritten."""
    if node.calls_back:  # a program's backward reads, checks and unpacks them itself
        return ()
    kept, counters = node.kept, node.versions
    if kept is None:
        raise errors.GraphError(f"{errors.place(type(node).__name__, node.path)}: {FREED}")
    for i in range(0, len(counters), 2):
        if counters[i][0] != counters[i + 1]:
            versions.check(node, counters[i], counters[i + 1])
    if type(kept) is list or not isinstance(kept, Packed):
        return kept
    return kept.unpack() if plan.fills else ()  # between a node's hooks it is read anew, and is unpacked once


def free(node: Function) -> None:
    """Release a node's kept values and the arrays among its settings.

    Edges, shapes and constants that are numbers stay, for drawing the graph. A node that keeps nothing but numbers
    loses them only if they are Tensors in PyTorch, which wraps the number of a program's `x * 2`.
    """
    if node.kept or isinstance(node.kept, Packed):
        numbers = versions.numbers(node) if None in node.edges else ()
        if not numbers or None in numbers or _wraps_numbers(node):
            node.kept_numbers, node.kept, node.versions = numbers, None, ()
    if node.may_hold_arrays or node.intermediates:
        for name, value in vars(node).items():
            if _holds_arrays(value) and not _only_pass_gradients(node.plan.derivatives):
                node.__dict__ = {n: x for n, x in vars(node).items() if n != name}  # views may share it: see `view_of`
                node.kept = None


def _only_pass_gradients(derivatives: tuple[tuple[int, Callable[..., Any], tuple[int, ...]], ...]) -> bool:
    """Whether these derivatives read nothing, such as the index of `index_add`: there is nothing to release."""
    return bool(derivatives) and not any(f.__code__.co_names for _, f, _ in derivatives)


def _wraps_numbers(node: Function) -> bool:
    """Whether PyTorch makes Tensors of numbers among a node's inputs. In its own composites numbers are settings."""
    return node.all_edges and not node.path.endswith(")") and not getattr(node, "torch_name", "")


def _holds_arrays(value: Any) -> bool:
    """Whether a setting is an array, or a tuple with one. Shapes, which many operations have, are told apart first."""
    if type(value) is tuple:
        return not SIMPLE.issuperset(map(type, value)) and any(map(backend.is_array, value))
    return type(value) not in SIMPLE and backend.is_array(value)
