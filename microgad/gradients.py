"""`backward` and `grad`: they check their arguments, run the engine, and return or store gradients as Tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextvars import ContextVar
from operator import index
from typing import Any

import numpy as np

from . import engine, errors, function, state
from .duck_arrays import called_again, check_write
from .engine.leaves import accumulate
from .engine.paths import node_at
from .function import AccumulateGrad, Function
from .lazy import LazyModule

mapping, gradient_errors = LazyModule("microgad.batching.vmap"), LazyModule("microgad.errors.gradients")
_FLAGS = (bool, type(None))  # types of `allow_unused` that need no check
# The level of forward mode, if one is entered: then gradients of dual Tensors are recorded, so that they get tangents.
dual_level: ContextVar[Any] = ContextVar("level", default=None)


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of `tensors` to `.grad` of the leaves that they depend on. Source: torch.autograd.backward.

    With `inputs`, which needn't be leaves and may be a dict, only their gradients are added. Raises RuntimeError if a
    tensor isn't a scalar and `grad_tensors` has no gradient for it, if it doesn't require grad, and if values that were
    saved for backward have been freed or overwritten.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> torch.autograd.backward((x * x).sum())
    >>> x.grad
    tensor([2., 4.])
    """
    check_write(None)  # under vmap each slice adds its own gradient
    tensors = _sequence(tensors)
    if (level := dual_level.get()) is not None:
        level.check_roots(tensors)
    given = grad_tensors if grad_variables is None else gradient_errors.old_gradients(grad_tensors, grad_variables)
    create_graph = index(create_graph) != 0
    roots, seeds, _ = _check_gradients(tensors, given, create_graph)
    retain = _retains(create_graph if retain_graph is None else retain_graph, level)
    if inputs is None:
        engine.run(roots, seeds, None, retain, create_graph)
        return
    wanted = _sequence(inputs.values() if type(inputs) is dict else inputs)
    targets = dict.fromkeys(_node_of(x, "backward", i) for i, x in enumerate(wanted))
    if not targets:
        raise errors.ArgumentError("`inputs` argument to `backward()` cannot be empty.")
    for x in wanted:
        if isinstance(x, function.Tensor):
            x.retain_grad()  # does nothing for leaves
    found = engine.run(roots, seeds, list(targets), retain, create_graph, through=True)
    for target in targets:
        if isinstance(target, AccumulateGrad) and (g := found.get(target.number)) is not None:
            accumulate(target, g, not create_graph and 0 not in g.strides, create_graph)  # stride 0: copied


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> Any:
    """Return the gradients of the sum of `outputs` with respect to `inputs`, without storing them in `.grad`.

    They are a tuple, or a dict with the keys of `inputs` if that is one. A Tensor of `grad_outputs` that arrives at an
    input as it was given is that input's gradient itself, not a copy.

    An input that the outputs don't depend on raises RuntimeError; with allow_unused its gradient is None, with
    materialize_grads zeros. With is_grads_batched each of `grad_outputs` has a batch axis in front, and so have the
    gradients; the slices are computed at once if possible. Source: torch.autograd.grad.

    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> (first,) = torch.autograd.grad(x**3, x, create_graph=True)
    >>> torch.autograd.grad(first, x)
    (tensor(18.),)
    """
    if type(inputs) is dict:
        given = grad_outputs, retain_graph, create_graph, only_inputs, allow_unused, is_grads_batched, materialize_grads
        return dict(zip(inputs, grad(outputs, tuple(inputs.values()), *given), strict=True))
    outputs, inputs, level = _sequence(outputs), _sequence(inputs), dual_level.get()
    create_graph = index(create_graph) != 0
    if not (only_inputs and inputs and materialize_grads is False and type(allow_unused) in _FLAGS):
        gradient_errors.check_grad(inputs, only_inputs, materialize_grads, allow_unused)
    if level is not None and not create_graph and level.reaches(outputs, grad_outputs):
        recorded = True, True, only_inputs, allow_unused, is_grads_batched, materialize_grads
        return tuple(map(level.constant, grad(outputs, inputs, grad_outputs, *recorded)))
    if is_grads_batched:
        options = retain_graph, create_graph, allow_unused, materialize_grads
        return tuple(mapping.batched_grad(grad, outputs, inputs, grad_outputs, *options))
    roots, seeds, by_array = _check_gradients(outputs, grad_outputs, create_graph)
    targets = [_node_of(x, "grad", i) for i, x in enumerate(inputs)]
    retain = _retains(create_graph if retain_graph is None else retain_graph, level)
    found = engine.run(roots, seeds, targets, retain, create_graph, False, by_array)
    results: list[Any] = []
    for i, target in enumerate(targets):
        g = found.get(target.number)
        if g is None and materialize_grads:
            zeros = np.zeros_like(inputs[i].array, shape=target.shape, dtype=target.dtype)
            g = function.Tensor._wrap(zeros).requires_grad_(create_graph)
        elif g is None and not allow_unused:
            raise gradient_errors.unused(i, target.shape)
        elif g is not None and not create_graph:
            g = by_array[id(g)] if id(g) in by_array else function.Tensor._wrap(g)  # one may arrive as it was given
        results.append(g)
    return tuple(results)


def _retains(wanted: Any, level: Any) -> bool:
    """Whether a backward pass keeps the graph: also where vmap goes through it again, or forward mode needs it."""
    return index(wanted) != 0 or called_again.get() or bool(level and level.duals)


def _sequence(tensors: Any) -> tuple[Any, ...]:
    one = isinstance(tensors, function.Tensor) or (type(tensors) not in (list, tuple) and hasattr(tensors, "node"))
    return (tensors,) if one else tuple(tensors)  # one may be a GradientEdge


def _node_of(tensor: Any, op: str, i: int) -> Any:
    if (node := node_at(tensor)) is None and not getattr(tensor, "requires_grad", False):
        raise gradient_errors.no_node(op, i, tensor)
    return AccumulateGrad(tensor) if node is None else node  # on a view made under no_grad nothing depends


def _check_gradients(
    tensors: Sequence[Any], grads: Any, create_graph: bool
) -> tuple[list[Function], list[Any], dict[int, Any]]:
    """Return the nodes of `tensors`, the gradients at them, and by id of its array the Tensor that each is."""
    grads = [None] * len(tensors) if grads is None else _sequence(grads)
    if len(grads) < len(tensors):  # PyTorch ignores those for which there is no tensor
        raise gradient_errors.gradient_count(tensors, grads)
    roots, seeds, by_array = [], [], {}
    for i, tensor in enumerate(tensors):
        if (node := node_at(tensor)) is None:
            raise gradient_errors.no_root(i, tensor)
        g, shape, dtype = grads[i], node.shape, node.dtype
        if g is None:
            if math.prod(shape) != 1 or (dtype.kind == "c" and not state.current().holomorphic):
                raise gradient_errors.no_gradient(i, shape, dtype)
            g = function.Tensor._wrap(np.ones_like(tensor.array, shape=shape, dtype=dtype))
        elif not isinstance(g, function.Tensor) or g.array.shape != shape:
            raise gradient_errors.unfit_gradient(i, g, shape, dtype)
        if not type(tensor.array) is np.ndarray is type(g.array):
            gradient_errors.check_device(g, tensor, i)
        if g.array.dtype is not dtype and g.array.dtype != dtype:
            if (g.array.dtype.kind == "c") != (dtype.kind == "c") and not state.current().holomorphic:
                raise gradient_errors.unfit_gradient(i, g, shape, dtype)
            g = np.astype(g, dtype)
        roots.append(node)
        seeds.append(g if create_graph else g.array)
        by_array[id(g.array)] = g
    return roots, seeds, by_array
