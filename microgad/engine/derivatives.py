"""The gradients of a node's inputs, by its derivatives, and how they fit the inputs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from sys import getrefcount
from typing import Any

import numpy as np
from numpy import ndarray

from .. import backend, errors, function
from ..dtypes.conversions import operand
from ..duck_arrays import DuckArray
from ..fast_reductions import sum_to
from ..function import Function, rules
from ..function.naming import node_name
from ..function.plan import Plan, argument, needed
from ..type_aliases import Array
from .complex import conjugate_back, conjugates, for_derivatives
from .ownership import SOLE, alone

_FLOAT32 = np.dtype("float32")  # the most common dtype: `is` is faster than asking for the kind


def derivatives(
    node: Function, plan: Plan, kept: Sequence[Any], grad: Any, onward: Sequence[Function | None], create_graph: bool
) -> list[Any]:
    """Call a node's derivatives with the values that they read, and the gradient of its result.

    They are written for real numbers and holomorphic functions: grad · f'. PyTorch's convention for complex numbers,
    the direction of steepest ascent, is grad · conj(f') = conj(conj(grad) · f').
    """
    if node.dtype is not _FLOAT32:
        grad, kept = for_derivatives(node, grad, kept)
    gradients: list[Any] = [None] * len(onward)
    if plan.joint is not None and (grad is not None or node.calls_back or not plan.fills):
        derivative, positions = plan.joint
        token = needed.set(tuple([edge is not None for edge in onward]))
        try:
            result = derivative(node, grad, *[kept[j] for j in positions])
        finally:
            needed.reset(token)
        gradients = list(result) if type(result) in (tuple, list) else [result]
        if len(gradients) != len(onward):
            raise rules.miscounted(node, result)
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
            if edge is not None and plan.joint is None and grad is not None:
                raise rules.no_array(node, argument(node, i), g)
            continue
        if edge.dtype is not _FLOAT32 and edge.dtype.kind == "c" and conjugates(node):
            g = gradients[i] = conjugate_back(g)
        if create_graph:
            gradients[i] = fit_to_input(node, i, _on_graph(node, i, g), True)[0]
    return gradients


def _on_graph(node: Function, i: int, grad: Array) -> Any:
    """Check that a gradient is recorded, and connect it to what it depends on with slope zero."""
    if not isinstance(grad, function.Tensor):
        raise errors.GraphError(
            f"{_name(node)}: its derivative for {argument(node, i)} returned a bare {type(grad).__name__} under "
            "create_graph: somewhere in it the gradient was taken off the graph"
        )
    if node.zero_link is None:
        return grad
    return node.zero_link.apply(grad, function.Tensor._wrap(grad.array, node if node.plan.out else node.edges[i]))


def fit_to_input(node: Function, i: int, g: Array, create_graph: bool) -> tuple[Any, bool]:
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


@lru_cache(maxsize=1024)
def stretches(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Whether an array of shape `shape` broadcasts to the shape `to`."""
    return len(shape) <= len(to) and all(n in (1, m) for n, m in zip(shape[::-1], to[::-1], strict=False))


def _name(node: Function) -> str:
    return errors.place(type(node).__name__, node.path)
