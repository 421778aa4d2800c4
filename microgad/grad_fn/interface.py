"""PyTorch's interface of graph nodes: `next_functions`, calling a node, hooks on it, and its metadata."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from .. import engine, errors, function, state
from ..engine import node_hooks, transforms
from ..engine.complex import conjugate, conjugates
from ..engine.hooks import RemovableHandle
from ..engine.leaves import accumulate
from ..engine.paths import producer
from ..engine.results import gathered
from ..function import AccumulateGrad, Function, rules
from ..function.half import HALF
from ..function.naming import node_name
from ..function.plan import Plan
from ..lazy import LazyModule

if TYPE_CHECKING:
    from ..errors import gradients as gradient_errors
    from . import torch_names
else:
    gradient_errors = LazyModule("microgad.errors.gradients")
    torch_names = LazyModule("microgad.grad_fn.torch_names")


def next_functions(node: Function) -> tuple[tuple[Function | None, int], ...]:
    """Return (node, index of its result) for each input; the node is None for inputs that don't require grad.

    Source: torch.autograd.graph.Node.next_functions.

    >>> x = torch.tensor(2.0, requires_grad=True)
    >>> (x.exp() * 3).grad_fn.next_functions[0][0].name()
    'ExpBackward0'
    """
    edges = [node.edges[i] for i in torch_names.inputs_of(node)]
    return tuple(map(producer, edges))


class HookedPlan(Plan):
    """A node's plan with hooks before and after its derivatives. The engine runs it as any other plan."""

    __slots__ = ("after", "before", "own")
    fills = False  # hooks are given None for missing gradients, not zeros

    def __init__(self, own: Plan) -> None:
        for name in Plan.__slots__:
            setattr(self, name, getattr(own, name))
        self.own = own
        self.before: dict[int, Any] = {}
        self.after: dict[int, Any] = {}
        self.derivatives, self.decomposition, self.joint = (), None, (backward_with_hooks, ())
        self.keeps = False  # the wrapper itself reads no kept values


def backward_with_hooks(node: Function, grad: Any) -> tuple[Any, ...]:
    """Return the gradients of a node's inputs: its joint derivative, with pre-hooks and hooks around it.

    The engine's conjugation of complex gradients is undone for the hooks, which see PyTorch's convention.
    """
    plan: Any = node.plan
    grads, dtypes = (grad, node.dtype) if type(grad) is tuple else ((grad,), [node.dtype])
    recorded = state.current().grad_enabled
    grads = _tensors(_conjugated(node, [_narrow(g, dtype) for g, dtype in zip(grads, dtypes, strict=True)], dtypes))
    places, count = getattr(node, "output_places", (range(len(grads)), len(grads)))
    known = dict(zip(places, grads, strict=True))
    grads = tuple(map(known.get, range(count)))
    before, after = list(plan.before.values()), list(plan.after.values())
    if transforms.computing_jvp.get():
        before, after = [], []
    with state.scope(deriving=False):  # hooks are written for PyTorch, and may read values
        for hook in before:
            grads = _checked_replacement(hook(grads), grads, "prehook")
    of_tensors = tuple(grads[i] for i in places)
    onward = [edge if need else None for edge, need in zip(node.edges, node.needs, strict=True)]
    results = derivatives_alone(node, of_tensors if recorded else _arrays(of_tensors), onward, recorded)
    inputs = torch_names.inputs_of(node)
    seen = tuple(results[i] for i in inputs)
    with state.scope(deriving=False):
        for hook in after:
            seen = _checked_replacement(hook(seen, grads), seen, "hook")
    known = dict(zip(inputs, seen, strict=True))
    results = tuple(map(known.get, range(len(results))))
    results = _conjugated(node, results, [edge and edge.dtype for edge in node.edges])
    return results if recorded else _arrays(results)


def derivatives_alone(
    node: Function, grads: Sequence[Any], onward: Sequence[Function | None], recorded: bool
) -> tuple[Any, ...]:
    """Return the gradients of a node's inputs, without its hooks."""
    plan = getattr(node.plan, "own", node.plan)
    given = gathered(node, plan, grads) if type(node.shape) is list else grads[0]
    found = engine.derive(node, given, onward, recorded, plan)
    fit = [
        None if g is None or edge is None else engine.fit_to_input(node, i, g, recorded)[0]
        for i, (g, edge) in enumerate(zip(found, node.edges, strict=True))
    ]
    return _tensors(fit)


def call_node(node: Function, *grads: Any) -> Any:
    """Return the gradients of a node's inputs, given those of its results: one step of backward, without hooks.

    The result is a Tensor, or for several inputs a tuple, with None for inputs without a gradient. A leaf's node adds
    the gradient to `.grad`. Raises TypeError unless there is a Tensor or None for each result.
    Source: torch.autograd.graph.Node.

    >>> x, y = torch.tensor(3.0, requires_grad=True), torch.tensor(5.0, requires_grad=True)
    >>> (x * y).grad_fn(torch.tensor(2.0))
    (tensor(10., grad_fn=<MulBackward0>), tensor(6., grad_fn=<MulBackward0>))
    """
    node = producer(node)[0]
    if not hasattr(node, "number"):
        raise rules.not_applied(type(node))
    given = _check_output_grads(node, grads)
    recorded = state.current().grad_enabled
    if not recorded:
        given = [g if g is None else g.array for g in given]
    results: tuple[Any, ...] = ()
    if isinstance(node, AccumulateGrad):
        accumulate(node, given[0], False, recorded)
    else:
        with state.scope(deriving=recorded):
            results = derivatives_alone(node, given, node.edges, recorded)
    results = tuple(results[i] for i in torch_names.inputs_of(node)) if results else ()
    return results[0] if len(results) == 1 else results


def _check_output_grads(node: Function, grads: tuple[Any, ...]) -> list[Any]:
    """Check the gradients of a node's results, and insert None for integer results. Raises TypeError for a misfit."""
    shapes, dtypes = (node.shape, node.dtype) if type(node.shape) is list else ([node.shape], [node.dtype])
    places = [i for i, dtype in enumerate(dtypes) if dtype.kind in "fc"]
    if len(grads) != len(places):
        raise TypeError(f"{node_name(node)}: expected {len(places)} arguments, got {len(grads)} instead")
    given: list[Any] = [None] * len(dtypes)
    for i, g in zip(places, grads, strict=True):
        if g is not None and not isinstance(g, function.Tensor):
            raise TypeError(f"{node_name(node)}: expected a Tensor, but got {type(g).__name__}")
        if g is not None and (g.shape, g.array.dtype) != (shapes[i], dtypes[i]):
            raise gradient_errors.unfit_gradient(i, g, shapes[i], dtypes[i])
        given[i] = g
    return given


class LeafGoneError(errors.GraphError, AttributeError):
    """The Tensor of a leaf's node was deleted. As an AttributeError, `hasattr(node, "variable")` is then False."""


def variable(leaf: AccumulateGrad) -> Any:
    """Return the Tensor of a leaf's node. Source: torch.autograd.graph.AccumulateGrad.variable.

    Unlike PyTorch's, a graph keeps no leaf that the program has let go of: then RuntimeError is raised.

    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> x.exp().grad_fn.next_functions[0][0].variable is x
    True
    """
    tensor = leaf.tensor()
    if tensor is None:
        raise LeafGoneError("AccumulateGrad: the leaf Tensor was deleted, and gets no gradient; hold a reference to it")
    return tensor


class LeafHandle(RemovableHandle):
    """The handle of a hook on a leaf's node, which is called when the gradient has been accumulated."""

    def __init__(self, leaf: AccumulateGrad, fn: Callable[..., Any]) -> None:
        grads: list[Any] = []

        def call(tensor: Any) -> None:
            _checked_replacement(fn((), (grads.pop(),)), (), "hook")

        super().__init__(variable(leaf)._accumulation_hooks(), call, last=1)
        self.first = node_hooks.add_hook(leaf, grads.append, last=2)

    def remove(self) -> None:
        """Remove the hook; a second call does nothing."""
        self.first.remove()
        super().remove()


def register_hook(node: Function, fn: Callable[..., Any]) -> RemovableHandle:
    """Call fn(grad_inputs, grad_outputs) after each backward through a node; a tuple it returns replaces grad_inputs.

    For a leaf's node the hook is called when the gradient has been accumulated, and grad_inputs is empty.
    Source: torch.autograd.graph.Node.register_hook.

    >>> y = torch.tensor(3.0, requires_grad=True).exp()
    >>> handle = y.grad_fn.register_hook(lambda inputs, outputs: print(inputs, outputs))
    >>> y.backward()
    (tensor(20.0855),) (tensor(1.),)
    """
    if isinstance(node, AccumulateGrad):
        return LeafHandle(node, fn)
    return RemovableHandle(_hooked(node).after, node_hooks.at_level_of(node, fn))


def register_prehook(node: Function, fn: Callable[..., Any]) -> RemovableHandle:
    """Call fn(grad_outputs) before each backward through a node; if it returns a tuple, that replaces grad_outputs.

    Source: torch.autograd.graph.Node.register_prehook.
    """
    if isinstance(node, AccumulateGrad):

        def call(grad: Any) -> Any:
            (changed,) = _checked_replacement(fn((grad,)), (grad,), "prehook")
            return np.zeros_like(grad) if changed is None and grad is not None else changed  # None means unchanged

        return node_hooks.add_hook(node, call, last=1)
    return RemovableHandle(_hooked(node).before, node_hooks.at_level_of(node, fn))


_metadata: WeakKeyDictionary[Function, dict[Any, Any]] = WeakKeyDictionary()


def metadata(node: Function) -> dict[Any, Any]:
    """Return a dict in which programs keep notes about a node. Source: torch.autograd.graph.Node.metadata.

    >>> y = torch.tensor(3.0, requires_grad=True).exp()
    >>> y.grad_fn.metadata["from"] = "an example"
    >>> y.grad_fn.metadata
    {'from': 'an example'}
    """
    return _metadata.setdefault(node, {})


def _hooked(node: Function) -> HookedPlan:
    node = producer(node)[0]
    if not isinstance(node.plan, HookedPlan):
        node.plan = HookedPlan(node.plan)
        node_hooks.calling.add(node)
    return node.plan


def _conjugated(node: Function, grads: Sequence[Any], dtypes: Sequence[Any]) -> tuple[Any, ...]:
    """Conjugate complex gradients if the engine does so for this node."""
    if not conjugates(node):
        return tuple(grads)
    return tuple(conjugate(g) if d is not None and d.kind == "c" else g for g, d in zip(grads, dtypes, strict=True))


def _narrow(grad: Any, dtype: Any) -> Any:
    """Convert a gradient that was widened to float32 for derivatives back to float16."""
    return grad.astype(HALF) if grad is not None and dtype == HALF and grad.dtype != HALF else grad


def _arrays(grads: Sequence[Any]) -> tuple[Any, ...]:
    """Copy gradients to arrays that the engine may write to: hooks may have kept the Tensors."""
    return tuple(None if g is None else g.array.copy() for g in grads)


def _tensors(grads: Sequence[Any]) -> tuple[Any, ...]:
    """Wrap gradients in Tensors, as hooks get them."""
    return tuple(g if g is None or isinstance(g, function.Tensor) else function.Tensor._wrap(g) for g in grads)


def _checked_replacement(changed: Any, grads: tuple[Any, ...], what: str) -> tuple[Any, ...]:
    """Return a hook's result in place of gradients, checked, or these if it is None."""
    if changed is None:
        return grads
    if not isinstance(changed, tuple):
        raise TypeError(f"expected tuple, but {what} returned '{type(changed).__name__}'")
    if len(changed) != len(grads):
        raise errors.ArgumentError(f"{what}: returned {len(changed)} gradients in place of {len(grads)}")
    for new, old in zip(changed, grads, strict=True):
        if new is None:
            continue
        if not isinstance(new, function.Tensor):
            raise TypeError(f"expected Tensors, but {what} returned '{type(new).__name__}'")
        if old is None:
            raise errors.GraphError("can't replace a None gradient with a non-None value")
        if (new.shape, new.dtype) != (old.shape, old.dtype):
            was = f"{old.dtype} of shape {tuple(old.shape)}"
            raise errors.ArgumentError(f"{what}: can't replace a gradient, {was}, by {new!r:.60}")
    return changed


def sequence_number(node: Function) -> int:
    """Return the number of a node in the order of creation. Source: torch.autograd.graph.Node._sequence_nr."""
    return node.number
