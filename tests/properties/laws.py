"""What holds for every operation, whatever it computes: one example at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import microgad as torch
from microgad import state
from microgad.autograd.custom import _Custom
from microgad.function import Function, Leaf, Output
from microgad.testing import gradcheck, gradgradcheck

STEP, ATOL, RTOL = 1e-3, 1e-7, 1e-6  # extrapolated differences of this step are good to about 1e-9


def obeys_laws(function: Callable[..., Any], inputs: Sequence[Any], *, float32: bool = True) -> set[type[Function]]:
    """Hold every law against one example; gives the classes of the nodes that were recorded on the way.

    `float32=False` leaves out that float32 inputs give float32 results.
    """
    torch.manual_seed(0)
    saved = torch.get_rng_state()

    def call(*args: Any) -> list[Any]:
        torch.set_rng_state(saved)  # the same draws each time
        out = function(*args)
        return [y for y in (out if isinstance(out, (tuple, list)) else (out,)) if y.is_floating_point()]

    before = [x.array.copy() if isinstance(x, torch.Tensor) else x for x in inputs]
    wanted = list({id(x): x for x in inputs if isinstance(x, torch.Tensor) and x.requires_grad}.values())
    outs = call(*inputs)
    draws = not torch.equal(torch.get_rng_state(), saved)
    rng = np.random.default_rng(1)
    grads = [torch.tensor(np.asarray(rng.uniform(-1, 1, y.shape)), dtype=y.dtype) for y in outs]
    recorded = classes_behind(outs)

    if not draws:  # draws follow the order of values in memory
        layout_does_not_matter(call, inputs, outs)
    first = gradients_are_our_own(outs, wanted, inputs, grads)
    each_input_alone_has_the_same_gradient(call, inputs, wanted, grads, first)
    recorded |= recording_changes_no_gradient(call, inputs, wanted, grads, first)
    for x, old in zip(inputs, before, strict=True):
        if isinstance(x, torch.Tensor):
            np.testing.assert_array_equal(x.array, old, "an input was changed")
    if float32:
        stays_float32(call, inputs, outs, same_values=not draws)
    torch.set_rng_state(saved)
    gradcheck(function, inputs, eps=STEP, atol=ATOL, rtol=RTOL)
    torch.set_rng_state(saved)
    gradgradcheck(function, inputs, eps=STEP, atol=ATOL, rtol=RTOL)
    return recorded


def layout_does_not_matter(call: Callable[..., Any], inputs: Sequence[Any], outs: Sequence[Any]) -> None:
    copies = [replaced(x, lambda a: np.array(a, order="C")) for x in inputs]
    for y, z in zip(outs, call(*copies), strict=True):
        assert y.array.shape == z.array.shape
        assert y.array.dtype == z.array.dtype
        np.testing.assert_allclose(y.array, z.array, 1e-12, 1e-12, err_msg="contiguous inputs give another result")


def gradients_are_our_own(
    outs: Sequence[Any], wanted: Sequence[Any], inputs: Sequence[Any], grads: Sequence[Any]
) -> list[Any]:
    """backward gives writable gradients of the inputs' shapes and dtypes that share memory with nothing; it adds up."""
    others = [x.array for x in (*inputs, *outs, *grads) if isinstance(x, torch.Tensor)]
    kept = [g.array.copy() for g in grads]
    outs, grads = that_require_grad(outs, grads)
    torch.autograd.backward(outs, grads, retain_graph=True)
    first = [None if x.grad is None else x.grad.array for x in wanted]
    for i, (x, g) in enumerate(zip(wanted, first, strict=True)):
        if g is not None:
            assert g.shape == x.array.shape
            assert g.dtype == x.array.dtype
            assert g.flags.writeable
            for other in (*others, *(h for h in first[:i] if h is not None)):
                assert g is not other
                assert not np.shares_memory(g, other), "a gradient shares memory"
    once = [None if g is None else g.copy() for g in first]
    torch.autograd.backward(outs, grads, retain_graph=True)
    for x, g in zip(wanted, once, strict=True):
        if g is not None:
            np.testing.assert_array_equal(x.grad.array, g + g, "a second backward doesn't add the same again")
        x.grad = None
    for g, old in zip(grads, kept, strict=True):
        np.testing.assert_array_equal(g.array, old, "the incoming gradient was changed")
    return once


def each_input_alone_has_the_same_gradient(
    call: Callable[..., Any], inputs: Sequence[Any], wanted: Sequence[Any], grads: Sequence[Any], first: Sequence[Any]
) -> None:
    """What is kept depends on which inputs want a gradient: the gradients don't."""
    if len(wanted) < 2:
        return
    for x, g in zip(wanted, first, strict=True):
        outs = call(*[y.detach() if isinstance(y, torch.Tensor) and y is not x else y for y in inputs])
        outs, seeds = that_require_grad(outs, grads)
        (alone,) = torch.autograd.grad(outs, x, seeds, allow_unused=True)
        assert (alone is None) == (g is None)
        if g is not None:
            np.testing.assert_allclose(alone.array, g, 1e-12, 1e-12, err_msg="alone it has another gradient")


def recording_changes_no_gradient(
    call: Callable[..., Any], inputs: Sequence[Any], wanted: Sequence[Any], grads: Sequence[Any], first: Sequence[Any]
) -> set[type[Function]]:
    """Under create_graph the gradients are the same; gives the classes in their graphs, and in those of theirs."""
    outs, seeds = that_require_grad(call(*inputs), [g.clone().requires_grad_() for g in grads])
    found = torch.autograd.grad(outs, wanted, seeds, create_graph=True, allow_unused=True)
    for g, plain in zip(found, first, strict=True):
        assert (g is None) == (plain is None)
        if g is not None:
            assert g.array.dtype == plain.dtype
            np.testing.assert_allclose(g.array, plain, 1e-10, 1e-10, err_msg="create_graph gives another gradient")
    once = [g for g in found if g is not None and g.requires_grad]
    ones = [torch.ones_like(g).requires_grad_() for g in once]
    twice = torch.autograd.grad(once, [*wanted, *seeds], ones, create_graph=True, allow_unused=True)
    return classes_behind([*once, *(g for g in twice if g is not None)])


def stays_float32(call: Callable[..., Any], inputs: Sequence[Any], outs: Sequence[Any], same_values: bool) -> None:
    halved = [replaced(x, lambda a: a.astype(np.float32) if a.dtype == np.float64 else a) for x in inputs]
    results = call(*halved)
    for y, z in zip(outs, results, strict=True):
        assert y.array.dtype != np.float64 or z.array.dtype == np.float32, f"float32 became {z.dtype}"
        if same_values:
            np.testing.assert_allclose(z.array, y.array, 1e-3, 1e-3 * float(np.abs(y.array).max(initial=1)))
    wanted = [x for x in halved if isinstance(x, torch.Tensor) and x.requires_grad]
    results, seeds = that_require_grad(results, [torch.ones_like(y) for y in results])
    for x, g in zip(wanted, torch.autograd.grad(results, wanted, seeds, allow_unused=True), strict=True):
        assert g is None or g.array.dtype == x.array.dtype


def computes_as(
    function: Callable[..., Any], reference: Callable[..., Any], inputs: Sequence[Any]
) -> set[type[Function]]:
    """The law of a Function without derivative: the values are the reference's. Gives the classes that were called."""
    before = [x.array.copy() if isinstance(x, torch.Tensor) else x for x in inputs]
    calls = Calls()
    with state.scope(observer=calls):
        out = function(*inputs)
    expected = np.asarray(reference(*before))
    assert out.array.dtype == expected.dtype
    assert not out.requires_grad
    np.testing.assert_array_equal(out.array, expected, strict=True)
    for x, old in zip(inputs, before, strict=True):
        if isinstance(x, torch.Tensor):
            np.testing.assert_array_equal(x.array, old, "an input was changed")
    return calls.classes


class Calls:
    """Notes which operations are called."""

    def __init__(self) -> None:
        self.classes: set[type[Function]] = set()

    def forward(self, node: Function, inputs: Any, out: Any) -> None:
        self.classes.add(type(node))

    def backward(self, node: Function, gradients: Any) -> None:
        pass


def that_require_grad(outs: Sequence[Any], grads: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Outputs on the graph, with their gradients."""
    chosen = [(y, g) for y, g in zip(outs, grads, strict=True) if y.requires_grad]
    return [y for y, _ in chosen], [g for _, g in chosen]


def classes_behind(tensors: Sequence[Any]) -> set[type[Function]]:
    """The classes of the operations in the graphs of some Tensors."""
    classes: set[type[Function]] = set()
    seen, stack = set(), [t.node for t in tensors]
    while stack:
        node = stack.pop()
        if node is not None and node.number not in seen:
            seen.add(node.number)
            # each autograd.Function has a subclass of its own
            classes.add(_Custom if isinstance(node, _Custom) else type(node))
            stack.extend(node.edges)
    return classes - {Leaf, Output}


def replaced(x: Any, change: Callable[[Any], Any]) -> Any:
    """A Tensor with another array, requiring grad if it did; anything else as it is."""
    return torch.Tensor._made(change(x.array)).requires_grad_(x.requires_grad) if isinstance(x, torch.Tensor) else x
