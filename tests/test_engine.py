"""The backward pass: accumulation of gradients, sharing and freeing of memory, hooks, deep graphs and errors."""

from __future__ import annotations

import copy
import gc
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import Function, backend, errors, nn
from microgad.engine import leaves, node_hooks, paths


def test_gradients_accumulate_in_place_over_calls() -> None:
    x = torch.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    first = x.grad
    (x * 4).sum().backward()
    assert x.grad is first
    assert first.tolist() == [7.0, 7.0]


def test_a_derivative_that_returns_a_bare_array_raises_under_create_graph() -> None:
    class Bare(Function):
        def forward(self, x):
            return x * 2

        def grad_x(self, grad):
            return np.full(grad.shape, 2.0, np.float32)

    x = torch.ones(1, requires_grad=True)
    with pytest.raises(RuntimeError, match="Bare: its derivative for x returned a bare ndarray under create_graph"):
        torch.autograd.grad(Bare.apply(x), x, create_graph=True)


@pytest.mark.parametrize("read", [float, int, torch.Tensor.item, np.asarray], ids=["float", "int", "item", "asarray"])
def test_reading_a_value_in_a_derivative_raises_under_create_graph(read: object) -> None:
    class Reads(Function):
        def forward(self, x):
            return x * x

        def grad_x(self, grad, x):
            return grad * (2 * read(x))

    x = torch.tensor(3.0, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"would be lost|requires grad"):
        torch.autograd.grad(Reads.apply(x), x, create_graph=True)


def test_backward_of_a_non_scalar_raises() -> None:
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar outputs"):
        torch.ones(2, requires_grad=True).mul(2).backward()


def test_backward_of_a_tensor_that_does_not_require_grad_raises() -> None:
    with pytest.raises(RuntimeError, match=r"does not require grad and .* grad_fn: .* was cut, as by detach"):
        torch.ones(1).backward()


def test_unused_inputs_raise_or_get_none_or_zeros() -> None:
    x, y = torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph"):
        torch.autograd.grad(x.sum(), (x, y))
    assert torch.autograd.grad(x.sum(), (x, y), allow_unused=True)[1] is None
    assert torch.autograd.grad(x.sum(), (x, y), materialize_grads=True)[1].tolist() == [0.0, 0.0, 0.0]


def test_grad_takes_several_outputs_and_intermediate_inputs() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    z = y * 3
    gy, gx = torch.autograd.grad((z.sum(), y.sum()), (y, x))
    assert gy.tolist() == [4.0, 4.0]
    assert gx.tolist() == [8.0, 16.0]
    assert x.grad is None


def test_backward_with_inputs_gives_no_gradient_to_other_leaves() -> None:
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    (x * y).sum().backward(inputs=[x])
    assert x.grad is not None
    assert y.grad is None


@pytest.mark.host("a subclass of ndarray")
@pytest.mark.parametrize("create_graph", [False, True])
def test_threads_that_accumulate_into_one_leaf_lose_no_gradient(create_graph: bool) -> None:
    class Slow(np.ndarray):
        def __add__(self, other: Any) -> Any:
            total = np.asarray(self) + other
            time.sleep(0.02)
            return total

        def __iadd__(self, other: Any) -> Any:
            self[...] = self + other
            return self

    x = torch.zeros(2, requires_grad=True)
    x.grad = torch.zeros(2)
    x.grad.array = np.zeros(2, np.float32).view(Slow)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: (x * 1).sum().backward(create_graph=create_graph), range(8)))
    assert x.grad.tolist() == [8.0, 8.0]


@pytest.mark.host("the graph is the same, and so many nodes take long")
@pytest.mark.usefixtures("no_garbage_collection")
def test_a_chain_of_many_nodes_runs_backward_and_is_freed(pytestconfig: pytest.Config) -> None:
    n = 1_000_000 if pytestconfig.getoption("--thorough") else 100_000
    x = torch.ones(1, requires_grad=True)
    y = x
    for _ in range(n):
        y = y + 1.0
    weak = weakref.ref(y.node)
    assert y.item() == n + 1
    y.backward()
    del y
    assert x.grad is not None
    assert x.grad.item() == 1.0
    assert weak() is None


@pytest.mark.usefixtures("no_garbage_collection")
def test_a_training_step_leaves_nothing_for_the_garbage_collector() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(27, 3),
    )
    optimizer = torch.optim.Adam(net.parameters())
    data, target = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])

    def step() -> None:
        optimizer.zero_grad()
        h = net(data)
        h[:, 0].mul_(2)
        nn.functional.cross_entropy(h, target).backward()
        (g,) = torch.autograd.grad(
            (net(data) ** 2).sum(), data_grad := data.clone().requires_grad_(), allow_unused=True
        )
        assert g is None
        del data_grad
        optimizer.step()

    step()
    gc.collect()
    step()
    assert gc.collect() == 0


@pytest.mark.usefixtures("no_garbage_collection")
def test_results_marked_and_saved_in_a_context_are_freed_without_the_garbage_collector() -> None:
    class Written(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.mark_dirty(x.mul_(2))
            out, more = x * 2, x + 1
            ctx.mark_non_differentiable(out)
            ctx.save_for_backward(out, more)
            ctx.save_for_forward(x, more)
            return x, out, more

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            return 2 * grads[0] + 2 * grads[2]

        @staticmethod
        def jvp(ctx: Any, tangent: Any) -> Any:
            return tangent, None, tangent

    x = torch.ones(3, requires_grad=True)
    results = Written.apply(x * 1)
    weak = [weakref.ref(y) for y in results]
    del results
    assert [ref() for ref in weak] == [None] * 3


@pytest.mark.usefixtures("no_garbage_collection")
def test_double_backward_leaves_nothing_for_the_garbage_collector() -> None:
    x = torch.rand(4, 3, requires_grad=True)
    y = nn.functional.log_softmax(x.tanh() @ torch.rand(3, 3), 1)
    (g,) = torch.autograd.grad((y * y).sum(), x, create_graph=True)
    (g * g).sum().backward()
    del x, y, g
    assert gc.collect() == 0


def test_a_decomposition_looks_for_leaves_only_in_its_own_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its backward pass ends at the inputs of the decomposition and doesn't walk the graph before them."""
    visited = []

    def reachable(roots: Any, oldest: float) -> Any:
        visited.append(len(found := paths.reachable(roots, oldest)))
        return found

    x, weight = torch.ones(2, 3, requires_grad=True), torch.ones(3, requires_grad=True)
    monkeypatch.setattr(node_hooks, "calling", weakref.WeakSet([weight.node]))
    monkeypatch.setattr(leaves, "reachable", reachable)
    h = x
    for _ in range(20):
        h = nn.functional.layer_norm(h, (3,), weight)
    torch.autograd.grad(h.sum(), x, create_graph=True)
    assert len(visited) == 21
    assert max(visited[1:]) < 20


def test_multi_grad_hooks_keep_neither_gradients_nor_the_graph_alive() -> None:
    for mode in ("all", "any"):
        a, b, seen = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True), []
        torch.autograd.graph.register_multi_grad_hook((a, b), lambda grads, seen=seen: seen.append(1), mode=mode)
        references = []
        for x in (a, b):
            x.register_hook(lambda grad, references=references: references.append(weakref.ref(grad)))
        for calls in (1, 2):
            y = (a * b).sum()
            references.append(weakref.ref(y.node))
            y.backward()
            del y
            assert len(seen) == calls
            assert [ref() for ref in references] == [None] * len(references)
        references = [weakref.ref(a), weakref.ref(b)]
        del a, b, x
        assert [ref() for ref in references] == [None, None]  # there is no reference cycle


def test_multi_grad_hooks_run_once_if_another_hook_enters_a_function_hook() -> None:
    from microgad.autograd.function_hooks import CountHook

    def count(grad: torch.Tensor) -> None:
        with CountHook():
            pass

    a, b, seen = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True), []
    a.register_hook(count)
    torch.autograd.graph.register_multi_grad_hook((a, b), seen.append)
    (a * b).sum().backward()
    assert [[g.tolist() for g in grads] for grads in seen] == [[[1, 1], [1, 1]]]


def test_tensor_hooks_see_or_replace_gradients_until_they_are_removed() -> None:
    x = torch.ones(2, requires_grad=True)
    y = x * 3
    seen: list[list[float]] = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    handle = x.register_hook(lambda g: g * 10)
    y.retain_grad()
    y.sum().backward(retain_graph=True)
    assert seen == [[1.0, 1.0]]
    assert x.grad is not None
    assert y.grad is not None
    assert (x.grad.tolist(), y.grad.tolist()) == ([30.0, 30.0], [1.0, 1.0])
    handle.remove()
    y.sum().backward()
    assert x.grad.tolist() == [33.0, 33.0]


def test_a_retained_gradient_includes_the_hooks_effect_and_accumulates() -> None:
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: g * 3)
    y.retain_grad()
    y.register_hook(lambda g: g + 1)
    y.sum().backward(retain_graph=True)
    assert y.grad is not None
    assert y.grad.tolist() == [4.0, 4.0]
    y.sum().backward(create_graph=True)
    assert y.grad.tolist() == [8.0, 8.0]


def test_hooks_of_a_leaf_survive_freezing_and_unfreezing() -> None:
    x, seen = torch.ones(2, requires_grad=True), []
    x.register_hook(lambda grad: seen.append("tensor"))
    handle = x.register_hook(lambda grad: grad * 2)
    for freeze in (lambda: x.requires_grad_(False), x.detach_):
        freeze()
        assert not (x * 3).requires_grad
        assert copy.deepcopy(x).requires_grad_().exp().sum().backward() is None  # the copy has no hooks
        x.requires_grad_()
        (x * 3).sum().backward()
    assert (seen, x.grad.tolist()) == (["tensor", "tensor"], [12, 12])
    x.requires_grad_(False).requires_grad_()
    handle.remove()
    x.grad = None
    x.sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_a_hook_may_keep_the_gradient() -> None:
    x = torch.ones(2, requires_grad=True)
    kept: list[torch.Tensor] = []
    x.register_hook(kept.append)
    (x * 3).sum().backward()
    assert x.grad is not None
    x.grad.zero_()
    assert kept[0].tolist() == [3.0, 3.0]


def test_post_accumulate_grad_hooks_see_the_accumulated_gradient() -> None:
    x = torch.ones(2, requires_grad=True)
    seen: list[list[float]] = []
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.tolist()))
    (x * 3).sum().backward()
    assert seen == [[3.0, 3.0]]


def test_gradients_have_the_dtypes_of_their_inputs() -> None:
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, dtype=torch.float64, requires_grad=True)
    out = x * y
    assert out.dtype == torch.float64
    out.sum().backward()
    assert x.grad is not None
    assert y.grad is not None
    assert (x.grad.dtype, y.grad.dtype) == (torch.float32, torch.float64)


def test_a_failed_backward_changes_no_gradient() -> None:
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    z = (x * x).sum() + (y.exp() * 2).sum()
    y.data = torch.zeros(2)
    w = y * 1
    h = w.exp()
    h.mul_(2)
    with pytest.raises(errors.GraphError):
        (h.sum() + z).backward()
    assert x.grad is y.grad is None  # gradients are given to leaves after all other nodes


@pytest.mark.usefixtures("no_garbage_collection")
def test_an_autograd_function_with_ctx_has_a_second_derivative_and_frees_its_values() -> None:
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            out = x * x * x
            ctx.save_for_backward(x, out)
            return out

        @staticmethod
        def backward(ctx, grad):
            x, _ = ctx.saved_tensors
            assert isinstance(grad, torch.Tensor)
            return grad * 3 * x * x

    x = torch.tensor(2.0, requires_grad=True)
    y = Cube.apply(x)
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    (gg,) = torch.autograd.grad(g, x)
    assert (g.item(), gg.item()) == (12.0, 12.0)
    y = Cube.apply(x)
    y.backward()
    with pytest.raises(RuntimeError, match="Cube: Trying to backward through the graph a second time"):
        y.backward()
    del y, g, gg
    assert gc.collect() == 0


def test_gradients_that_a_derivative_returns_unchanged_are_copied_for_leaves() -> None:
    class Both(Function):
        def forward(self, a, b):
            return a * 1, b * 1

        def backward(self, grad):
            return grad

    a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    seeds = torch.ones(2), torch.ones(2)
    torch.autograd.backward(Both.apply(a, b), seeds)
    assert a.grad is not None
    assert b.grad is not None
    assert not np.shares_memory(a.grad.array, seeds[0].array)
    assert not np.shares_memory(b.grad.array, seeds[1].array)


def test_the_sum_of_two_gradients_without_dimensions_is_an_array():
    x = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    (0.5 * x * (1 + x)).backward()
    assert backend.is_array(x.grad.array)
    x.grad.fill_(3.0)
    assert x.grad.item() == 3


def test_second_derivatives_add_up_over_both_results_of_one_operation() -> None:
    """The derivative of eigh reads both results, which adds further paths to the graph."""
    w = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64, requires_grad=True)

    def f(w: torch.Tensor) -> torch.Tensor:
        values, vectors = torch.linalg.eigh(w)
        return (values * values).sum() + (vectors * vectors).sum(0).prod() * values[0]

    assert torch.autograd.gradgradcheck(lambda w: f((w + w.mT) / 2), (w,))


def test_is_grads_batched_needs_a_gradient_for_each_output() -> None:
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(errors.ArgumentError, match="is_grads_batched needs a gradient for each"):
        torch.autograd.grad(x * 2, x, is_grads_batched=True)
    with pytest.raises(errors.ShapeError, match=r"^If `is_grads_batched=True`, we interpret"):
        torch.autograd.grad(x * 2, x, torch.ones(2), is_grads_batched=True)
    assert torch.autograd.grad(x * 2, x, torch.eye(2), is_grads_batched=True)[0].tolist() == [[2, 0], [0, 2]]


def test_saved_values_are_unpacked_again_after_a_derivative_failed() -> None:
    unpacked: list[Any] = []

    class Failing(torch.Function):
        def forward(self, x: Any) -> Any:
            return x * 1

        def grad_x(self, grad: Any, x: Any) -> Any:
            if len(unpacked) == 1:
                raise ZeroDivisionError
            return grad * x

    x = torch.tensor(3.0, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: unpacked.append(t) or t):
        y = Failing.apply(x)
    with pytest.raises(ZeroDivisionError):
        y.backward(retain_graph=True)
    y.backward()
    assert len(unpacked) == 2
    assert x.grad == 3


def test_a_hook_on_a_leaf_s_node_keeps_no_gradient_alive_that_grad_returned() -> None:
    x = torch.ones(2, requires_grad=True)
    handle = (x * 1).grad_fn.next_functions[0][0].register_hook(lambda inputs, outputs: None)
    references: list[Any] = []
    x.register_hook(lambda grad: references.append(weakref.ref(grad)))
    for _ in range(2):
        torch.autograd.grad((x * 2).sum(), x)
    assert references[0]() is None
    handle.remove()


def test_multi_grad_hooks_get_none_for_gradients_that_the_pass_does_not_compute() -> None:
    a, b = torch.tensor(1.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    found: list[Any] = []
    with torch.autograd.graph.register_multi_grad_hook((a, b), found.append):
        torch.autograd.grad(a * b, a)
        (a * b).backward(inputs=[b])
        (a * b).backward()
    (a * b).backward()
    assert found == [[2, None], [None, 1], [2, 1]]
