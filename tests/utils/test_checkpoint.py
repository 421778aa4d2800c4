"""`checkpoint`: nothing is kept for backward, values are recomputed, and changes in between are errors."""

import functools
import gc

import pytest

import microgad as torch
import microgad.nn.functional as F
from microgad import errors
from microgad.utils import checkpoint as checkpoints

checkpoint = functools.partial(checkpoints.checkpoint, use_reentrant=False)


def f(x):
    return (x * x).tanh() * x


def nodes(y):
    """All nodes of the graph of a result."""
    seen, stack = {}, [y.node]
    while stack:
        node = stack.pop()
        if node is not None and node.number not in seen:
            seen[node.number] = node
            stack.extend(node.edges)
    return list(seen.values())


def test_nothing_is_kept_until_backward():
    x = torch.rand(5, dtype=torch.float64, requires_grad=True)
    y = checkpoint(f, x)
    assert not any(node.kept for node in nodes(y))
    expected = torch.autograd.grad(f(x).sum(), x)
    for _ in range(2):
        assert torch.equal(torch.autograd.grad(y.sum(), x, retain_graph=True)[0], expected[0])
    assert not any(node.kept for node in nodes(y))


@pytest.mark.parametrize("reentrant", [False, True])
def test_dropouts_noise_and_indices_are_released_too(reentrant):
    """They are settings of their nodes. A pass that retains the graph leaves those of one operation behind."""
    indices = torch.tensor([2, 0, 1])

    def call(x):
        return torch.nn.functional.dropout(torch.nn.functional.dropout(x)[indices])

    def held(y):
        return [name for node in nodes(y) for name in vars(node) if name in ("noise", "index")]

    x = torch.ones(3, requires_grad=True)
    y = checkpoint(call, x, use_reentrant=reentrant)
    assert not held(y)
    for _ in range(2):
        y.sum().backward(retain_graph=True)
        assert len(held(y)) == 1
    y.sum().backward()
    assert not held(y)
    assert torch.equal(x.grad[[2, 0, 1]], 3 * y)


@pytest.mark.parametrize(
    "second", [lambda x, w: x.sin().exp().sin(), lambda x, w: x.sin(), lambda x, w: w.sin().exp(), lambda x, w: w]
)
def test_reentrant_a_second_call_of_other_operations_or_operands_is_an_error(second):
    functions = [second, lambda x, w: x.sin().exp()]
    x, w = torch.ones(2, 2, requires_grad=True)
    y = checkpoint(lambda x: functions.pop()(x, w), x, use_reentrant=True)
    with pytest.raises(checkpoints.CheckpointError, match="recomputation"):
        y.sum().backward()


@pytest.mark.parametrize("reentrant", [False, True])
def test_every_kind_of_backward_works_with_settings_that_are_recomputed(reentrant):
    def call(x):
        return torch.nn.functional.dropout(x.sin())[torch.tensor([0, 2])] ** 3

    results = []
    for run in (call, lambda x: checkpoint(call, x, use_reentrant=reentrant)):
        torch.manual_seed(3)
        x = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
        y = run(x)
        y.grad_fn.register_hook(lambda *grads: None)
        (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        results.append([y, g, *torch.autograd.grad((g * g).sum(), x), torch.rand(2)])
    assert all(map(torch.allclose, *results))


def test_each_backward_pass_calls_the_function_once_more():
    calls = []
    x = torch.rand(5, requires_grad=True)
    y = checkpoint(lambda x: calls.append(1) or f(x), x)
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    assert len(calls) == 3


def test_checkpoints_nest():
    x = torch.rand(5, dtype=torch.float64, requires_grad=True)
    y = checkpoint(lambda x: checkpoint(f, x * 2) * checkpoint(f, x), x)
    expected = torch.autograd.grad((f(x * 2) * f(x)).sum(), x)
    assert torch.allclose(torch.autograd.grad(y.sum(), x)[0], expected[0])


@pytest.mark.parametrize("reentrant", [True, False])
def test_nested_checkpoints_repeat_their_draws_and_leave_the_random_stream_alone(reentrant):
    def results(call):
        torch.manual_seed(0)
        x = torch.linspace(1, 2, 12, requires_grad=True)
        inner = lambda x: F.dropout(x).sin()[torch.arange(12) % 5]  # noqa: E731
        y = call(lambda x: call(inner, F.dropout(x).exp()) * F.dropout(x), x)
        y.sum().backward()
        return y.tolist(), x.grad.tolist(), torch.rand(3).tolist()

    expected = results(lambda f, x: f(x))
    assert results(lambda f, x: checkpoint(f, x, use_reentrant=reentrant)) == expected


def test_without_gradients_the_function_is_called_once():
    calls = []
    with torch.no_grad():
        y = checkpoint(lambda x: calls.append(1) or f(x), torch.rand(3))
    assert not y.requires_grad
    assert calls == [1]


def test_a_recomputation_with_other_operations_is_an_error():
    turn = []

    def fickle(x):
        turn.append(1)
        return x.exp() * x if len(turn) == 1 else x.exp().tanh()

    x = torch.rand(3, requires_grad=True)
    with pytest.raises(errors.GraphError, match=r"Recomputed values .* \['Mul'.* in forward, \['Tanh'"):
        checkpoint(fickle, x).sum().backward()


@pytest.mark.parametrize("check", ["default", "none"])
def test_a_recomputation_may_only_lack_operations_that_keep_nothing(check):
    turn = []

    def fickle(x, more):
        turn.append(1)
        return (more(x) if len(turn) % 2 else x).exp()

    x = torch.rand(3, requires_grad=True)
    y = checkpoint(fickle, x, lambda x: x + 0, use_reentrant=False, determinism_check=check)
    (grad,) = torch.autograd.grad(y.sum(), x)
    assert torch.allclose(grad, x.exp())
    y = checkpoint(fickle, x, torch.sin, use_reentrant=False, determinism_check=check)
    with pytest.raises(errors.GraphError, match="2 operations keep something in forward"):
        y.sum().backward()


def test_the_result_of_a_checkpoint_may_be_written_to():
    """If an operation kept it, it is recomputed. Writes to results within the call and to its inputs are errors."""
    x, weight = torch.rand(2, 3, requires_grad=True), torch.rand(3)
    y = checkpoint(lambda x: (x * weight).tanh(), x, use_reentrant=False)
    before = y.detach().clone()
    y += x
    y[0] = 0
    y.sum().backward()
    expected = ((1 - before**2) * weight + 1) * torch.tensor([[0.0], [1.0]])
    assert torch.allclose(x.grad, expected)
    y = checkpoint(lambda x: x.tanh().mul_(2), x, use_reentrant=False)
    with pytest.raises(errors.GraphError, match="modified by an inplace"):
        y.sum().backward()
    y = checkpoint(lambda x: x * weight, x, use_reentrant=False)
    weight.add_(1)
    with pytest.raises(errors.GraphError, match="modified by an inplace"):
        y.sum().backward()


@pytest.mark.parametrize("function", [f, lambda z: (z * 2).tanh()])  # the second one keeps no argument
def test_a_write_to_an_argument_is_an_error(function):
    x = torch.rand(3, requires_grad=True)
    z = x * 1
    y = checkpoint(function, z)
    z.add_(1)
    with pytest.raises(errors.GraphError, match="modified by an inplace"):
        y.sum().backward()


def test_checkpoint_sequential():
    net, called = torch.nn.Sequential(*(torch.nn.Linear(4, 4) for _ in range(5))), []
    x = torch.rand(2, 4)
    y = checkpoints.checkpoint_sequential(net, 2, x, use_reentrant=False)
    assert torch.equal(y, net(x))
    for i, layer in enumerate(net):
        layer.register_forward_pre_hook(lambda *_, i=i: called.append(i))
    y.sum().backward()
    assert called == [0, 1]  # the last segment isn't computed again
    assert all(p.grad is not None for p in net.parameters())


def test_a_checkpoint_is_freed_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        x = torch.rand(3, requires_grad=True)
        y = checkpoint(f, x)
        y.sum().backward()
        del x, y
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_an_unknown_determinism_check_is_refused():
    with pytest.raises(ValueError, match="determinism_check"):
        checkpoint(f, torch.ones(2), determinism_check="strict")


def test_a_reentrant_checkpoint_takes_no_contexts_but_the_default_ones():
    x = torch.tensor([0.5], requires_grad=True)
    y = checkpoint(f, x, use_reentrant=True, context_fn=checkpoints.noop_context_fn)
    assert torch.equal(y, f(x))
    with pytest.raises(ValueError, match="only supported when use_reentrant=False"):
        checkpoint(f, x, use_reentrant=True, context_fn=lambda: (torch.no_grad(), torch.no_grad()))
