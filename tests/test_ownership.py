"""The memory of gradients: leaves share no array, and take over a gradient that nobody else has. Classes are freed."""

from __future__ import annotations

import cProfile
import gc
import math
import sys
import weakref
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import Function
from microgad.autograd.function_hooks import FunctionHook
from microgad.engine import ownership


def test_gradients_that_grad_returns_share_no_memory() -> None:
    p, q = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    a, b = torch.autograd.grad((p + q).sum(), (p, q))
    assert not np.shares_memory(a.array, b.array)


def test_a_fresh_gradient_is_taken_over_without_a_copy() -> None:
    ids = []

    class Double(Function):
        def forward(self, x):
            return x * 2

        def grad_x(self, grad):
            fresh = grad * 2
            ids.append(id(fresh))
            return fresh

    x = torch.ones(3, requires_grad=True)
    Double.apply(x).sum().backward()
    assert x.grad is not None
    assert id(x.grad.array) == ids[0]


def test_a_constant_that_a_derivative_returns_is_never_written_to() -> None:
    c = torch.ones(3)

    class Arrays(Function):
        def forward(self, x):
            return x * 1

        def grad_x(self, grad):
            return c.array

    class Tensors(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            return c

    for op in (Arrays, Tensors):
        x = torch.zeros(3, requires_grad=True)
        for _ in range(2):
            op.apply(x).sum().backward()  # accumulates in the leaf
        h = x * 1
        (op.apply(h) + op.apply(h) + op.apply(h)).sum().backward()  # accumulates at an intermediate result
        assert x.grad.tolist() == [5, 5, 5]
        assert c.tolist() == [1, 1, 1]


def test_the_reference_count_of_a_sole_array_is_right_under_a_tracer() -> None:
    def trace(frame: Any, event: str, argument: Any) -> Any:
        assert frame.f_locals is not None  # which makes the frame hold references
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        assert ownership._sole() == ownership.SOLE
    finally:
        sys.settrace(before)


def test_measuring_the_reference_count_does_not_stop_a_profiler() -> None:
    with cProfile.Profile() as profile:
        assert ownership._sole() == ownership.SOLE
        math.hypot(3, 4)
    assert any("hypot" in str(entry.code) for entry in profile.getstats())


def test_leaves_share_no_gradient_under_create_graph() -> None:
    p, q, seed = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True), torch.ones(2)
    (p + q).backward(seed, create_graph=True)
    with torch.no_grad():
        p.grad.mul_(5)
    assert (p.grad.tolist(), q.grad.tolist(), seed.tolist()) == ([5, 5], [1, 1], [1, 1])


def test_a_gradient_has_the_strides_of_a_dense_leaf_or_is_contiguous() -> None:
    for x, stride in ((torch.ones(4, 3).t(), (1, 3)), (torch.ones(4, 6)[:, ::2].t(), (4, 1))):
        for f in (torch.exp, torch.sum):
            leaf = x.detach().requires_grad_()
            f(leaf).sum().backward()
            assert leaf.grad is not None
            assert leaf.grad.stride() == stride


def test_a_retained_gradient_does_not_share_the_seed_under_create_graph() -> None:
    y, seed = torch.ones(2, requires_grad=True) * 2, torch.ones(2, requires_grad=True)
    y.retain_grad()
    y.backward(seed, create_graph=True)
    with torch.no_grad():
        y.grad.mul_(5)
    assert (y.grad.tolist(), seed.tolist()) == ([5, 5], [1, 1])


def test_gradients_that_a_function_hook_keeps_are_not_written_to() -> None:
    class Keeping(FunctionHook):
        def backward(self, node: Any, gradients: Any) -> None:
            super().backward(node, gradients)
            kept.extend(gradients)

    kept: list[Any] = []
    x = torch.ones(2, requires_grad=True)
    with Keeping():
        (x * 2 + x * 3 + x * 4).sum().backward()
    assert x.grad.tolist() == [9, 9]
    assert sorted(g.tolist() for g in kept if g is not None)[-3:] == [[2, 2], [3, 3], [4, 4]]


def test_a_broadcast_gradient_of_chosen_inputs_can_be_written_to() -> None:
    x = torch.ones(2, requires_grad=True)
    x.sum().backward(inputs=[x])
    x.sum().backward(inputs=[x])
    x.grad.mul_(2)
    assert x.grad.tolist() == [4, 4]


def test_a_result_that_a_derivative_reads_gets_gradients_and_runs_hooks() -> None:
    """Under create_graph the second derivative reaches the result through the derivative that read it."""

    class Both(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            a = x.exp()
            ctx.save_for_backward(a)
            return a, x * 3

        @staticmethod
        def backward(ctx, ga, gb):
            return ga * ctx.saved_tensors[0] + gb * 3

    x, seen = torch.tensor([0.0, 0.0], requires_grad=True), []
    a, b = Both.apply(x)
    (g,) = torch.autograd.grad((a + b).sum(), x, create_graph=True)
    a.register_hook(lambda grad: seen.append(grad.tolist()))
    by_a, by_b, by_x = torch.autograd.grad(g.sum(), [a, b, x], allow_unused=True)
    assert (by_a.tolist(), by_b, by_x.tolist(), seen) == ([1, 1], None, [1, 1], [[1, 1]])

    w = torch.tensor([[2.0, 0.5], [0.5, 1.0]], requires_grad=True)
    values, vectors = torch.linalg.eigh(w)
    (g,) = torch.autograd.grad((vectors**3).sum(), w, create_graph=True)
    assert None not in torch.autograd.grad((g * g).sum(), [values, vectors])


def test_a_gradient_edge_stands_for_one_of_several_results() -> None:
    x = torch.ones(4, requires_grad=True)
    a, b = (x * 2).split(2)
    edge = torch.autograd.graph.get_gradient_edge(b)
    assert (edge.node, edge.output_nr, b.output_nr, edge.node.name()) == (b.grad_fn, 1, 1, "SplitBackward0")
    for at in (edge, torch.autograd.graph.GradientEdge(b.grad_fn, b.output_nr)):
        assert torch.autograd.grad((a * a * b).sum(), at)[0].tolist() == [4, 4]
        assert torch.autograd.grad(at, x, torch.ones(2), retain_graph=True)[0].tolist() == [0, 0, 2, 2]


@pytest.mark.host("CuPy's arrays don't know other views of their memory")
@pytest.mark.parametrize("kept", [False, True], ids=["alone", "kept"])
def test_a_reshaped_fresh_gradient_is_taken_over_unless_the_derivative_keeps_it(kept: bool) -> None:
    made, addresses = [], []

    class Reshape(Function):
        def forward(self, x):
            return x.reshape(6) * 1

        def grad_x(self, grad):
            fresh = grad * 2
            addresses.append(fresh.ctypes.data)
            made.extend([fresh] * kept)
            return fresh.reshape(2, 3)

    x = torch.ones(2, 3, requires_grad=True)
    Reshape.apply(x).sum().backward()
    assert (x.grad.data_ptr() == addresses[0]) is not kept
    (g,) = torch.autograd.grad(Reshape.apply(x).sum(), x)
    assert (g.data_ptr() == addresses[1]) is not kept


@pytest.mark.host("CuPy's arrays don't know other views of their memory")
def test_a_permuted_fresh_gradient_is_taken_over():
    """As the gradients of weights in channels_last are."""
    weight = torch.ones(6, 4, 3, 3).contiguous(memory_format=torch.channels_last).requires_grad_()
    out = torch.nn.functional.conv2d(torch.ones(2, 4, 5, 5), weight)
    out.sum().backward()
    assert weight.grad.stride() == weight.stride()
    assert weight.grad.array.base is not None  # a copy would have none


@pytest.mark.host("CuPy's arrays don't know other views of their memory")
@pytest.mark.parametrize(("shape", "steps"), [((2, 4), (7, 0)), ((2, 2, 2), (3, 3, 1)), ((3, 3), (4, 0))])
def test_a_gradient_whose_elements_share_memory_is_not_added_to_in_place(shape, steps):
    """Even if it is as large as its memory."""

    class Strided(Function):
        def forward(self, x):
            return x * 1

        def grad_x(self, grad):
            return np.ndarray(shape, float, np.arange(float(grad.size)), strides=[8 * step for step in steps])

    x = torch.ones(shape, requires_grad=True, dtype=torch.float64)
    z, other = x * 1, np.arange(100.0, 100 + x.numel()).reshape(shape)
    (g,) = torch.autograd.grad((z * torch.tensor(other)).sum() + Strided.apply(z).sum(), x)  # `other` is added to it
    expected = np.ndarray(shape, float, np.arange(float(x.numel())), strides=[8 * step for step in steps]) + other
    assert g.tolist() == expected.tolist()


@pytest.mark.parametrize("view", [lambda g: np.broadcast_to(g * 1, (2, 3)), lambda g: np.repeat(g, 4, 0)[::4]])
def test_a_gradient_that_repeats_elements_or_is_part_of_an_array_is_copied(view) -> None:
    class Spread(Function):
        def forward(self, x):
            return x.sum(0) if x.shape[0] == 2 else x * 1

        def grad_x(self, grad):
            return view(grad)

    rows = view(np.ones(3)).shape
    x = torch.ones(rows, requires_grad=True)
    Spread.apply(x).backward(torch.tensor([1.0, 2.0, 3.0][: rows[-1]]))
    x.grad[0] = 7.0
    assert x.grad.array.base is None
    assert x.grad.tolist()[1:] == ([[1.0, 2.0, 3.0]] if len(rows) == 2 else [2.0, 3.0])


def test_a_value_kept_for_backward_is_never_given_to_a_leaf() -> None:
    class Keep(Function):
        def forward(self, x, y):
            return x * y

        def grad_x(self, grad, y):
            return y

    x, y = torch.ones(3, requires_grad=True), torch.full((3,), 2.0)
    Keep.apply(x, y).sum().backward()
    assert x.grad is not None
    assert x.grad.array is not y.array


def test_broadcast_gradients_may_be_written_to() -> None:
    x = torch.ones(2, 3, requires_grad=True)
    (g,) = torch.autograd.grad(x.mean(1).sum(), x)
    assert g.mul_(6).tolist() == [[2.0] * 3] * 2
    y = x * 1
    y.register_hook(lambda g: g.clamp_(max=0.25))
    y.mean(0).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[0.25] * 3] * 2

    net = torch.nn.Identity()
    net.register_full_backward_pre_hook(lambda module, grads: (grads[0].mul_(6),))
    (g,) = torch.autograd.grad(net(x).mean(), x)
    assert g.tolist() == [[1.0] * 3] * 2

    one = torch.ones(1, 1, requires_grad=True)
    assert torch.autograd.grad(one.sum(), one)[0].mul_(2).item() == 2

    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
            return grad.mul_(2)

    z = Doubled.apply(x)
    assert z.grad_fn is not None
    z.grad_fn.register_prehook(lambda grads: (grads[0].mul_(3),))
    (g,) = torch.autograd.grad(z.mean(), x)
    assert g.tolist() == [[1.0] * 3] * 2


def test_classes_that_a_program_makes_are_freed() -> None:
    def use_new_classes() -> list[Any]:
        class Kind(torch.Tensor): ...

        class Other: ...

        (torch.ones(2).as_subclass(Kind) + 1).sum()
        with pytest.raises(TypeError):
            torch.add(torch.ones(2), Other())
        return [weakref.ref(Kind), weakref.ref(Other)]

    references = use_new_classes()
    gc.collect()
    assert [reference() for reference in references] == [None, None]
