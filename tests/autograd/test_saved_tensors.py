"""Hooks on saved tensors, which pack values kept for backward into another form: packing, errors, memory."""

import gc
import weakref

import numpy as np
import pytest

import microgad as torch
from microgad import errors
from microgad.autograd.graph import (
    allow_mutation_on_saved_tensors,
    disable_saved_tensors_hooks,
    save_on_cpu,
    saved_tensors_hooks,
)


def test_each_saved_value_is_packed_once_and_unpacked_once():
    packed, unpacked = [], []
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with saved_tensors_hooks(lambda t: packed.append(t) or len(packed) - 1, lambda i: unpacked.append(i) or packed[i]):
        y = (x * x).exp().sum()
    assert [t.tolist() for t in packed] == [[1, 2], [1, 2], [pytest.approx(np.e), pytest.approx(np.e**4)]]
    y.backward()
    assert sorted(unpacked) == [0, 1, 2]
    assert x.grad.tolist() == pytest.approx([2 * np.e, 4 * np.e**4])


@pytest.mark.parametrize(
    "hooks", [lambda: saved_tensors_hooks(torch.clone, lambda t: t), allow_mutation_on_saved_tensors]
)
def test_a_write_to_a_value_whose_copy_was_saved_is_allowed(hooks):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with hooks():
        y = x * 1
        z = y.exp()
        total = (y * z).sum()
        y.zero_()
        z.zero_()
    total.backward()
    np.testing.assert_allclose(x.grad.cpu().numpy(), np.exp([1, 2]) * [2, 3], rtol=1e-6)


@pytest.mark.parametrize(
    "write",
    [
        lambda y: y.detach().zero_(),
        lambda y: y.view(2, 1).mul_(3),
        lambda y: y.data.add_(1),
        lambda y: y.detach().uniform_(),
        lambda y: torch.exp(y.detach(), out=y.detach()),
        lambda y: torch.optim.SGD([step_of(y)]).step(),
    ],
)
def test_only_what_is_written_to_is_copied(write):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with allow_mutation_on_saved_tensors():
        y, w = x * 1, x * 2
        z = (y.exp() * w).sum() + (y * y).sum()
        before = z.grad_fn.next_functions[0][0].next_functions[0][0].kept
        write(y)
    assert all(a is b for a, b in zip(z.grad_fn.next_functions[0][0].next_functions[0][0].kept, before, strict=True))
    z.backward()
    expected = 2 * np.exp([1, 2]) * [2, 3] + [2, 4]
    np.testing.assert_allclose(x.grad.cpu().numpy(), expected, rtol=1e-6)


def step_of(y):
    parameter = y.detach().requires_grad_()
    parameter.grad = torch.ones_like(parameter)
    return parameter


class Holder:
    def __init__(self, tensor):
        self.tensor = tensor


@pytest.mark.parametrize(
    ("pack", "unpack"),
    [
        (lambda t: t, lambda packed: packed),
        (lambda t: {"kept": [t.view(2)]}, lambda packed: packed["kept"][0]),
        (lambda t: (t.array, "an array"), lambda packed: torch.as_tensor(packed[0])),
        (Holder, lambda packed: packed.tensor),
    ],
    ids=["itself", "a view", "its array", "an object"],
)
def test_a_write_to_memory_that_the_packed_form_shares_raises_in_backward(pack, unpack):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with saved_tensors_hooks(pack, unpack):
        y = x * 1
        z = (y * y).sum()
    y.zero_()
    with pytest.raises(errors.GraphError, match="modified by an inplace"):
        z.backward()


def test_saved_values_are_unpacked_in_double_and_repeated_backward():
    x = torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True)
    with save_on_cpu():
        y = (x.sin() * x).sum()
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x, retain_graph=True)
    expected = 2 * np.cos(x.detach().cpu().numpy()) - x.detach().cpu().numpy() * np.sin(x.detach().cpu().numpy())
    np.testing.assert_allclose(h.cpu().numpy(), expected)
    assert torch.allclose(torch.autograd.grad(y, x)[0], g)
    with pytest.raises(errors.GraphError, match="second time"):
        y.backward()


def test_hooks_apply_only_inside_their_block():
    x = torch.tensor(1.0, requires_grad=True)
    hooks = saved_tensors_hooks(lambda t: None, lambda packed: torch.ones(5))
    with hooks:
        y = x * x
    z = x * x
    z.backward()
    with pytest.raises(errors.GraphError, match=r"unpack_hook: expected shape \(\) and dtype float32, got \(5,\)"):
        y.backward()


def test_an_unpacked_value_of_a_smaller_floating_dtype_is_converted():
    x = torch.tensor([0.1, 2.0], requires_grad=True)
    with saved_tensors_hooks(lambda t: t.half(), lambda packed: packed):
        y = (x.exp() * x).sum()
    (g,) = torch.autograd.grad(y, x)
    assert g.dtype is torch.float32
    assert torch.allclose(g, x.exp() * (1 + x), rtol=1e-3)
    with saved_tensors_hooks(lambda t: t, lambda packed: packed.long()):
        y = x.exp().sum()
    with pytest.raises(errors.GraphError, match=r"expected shape \(2,\) and dtype float32, got \(2,\) and int64"):
        y.backward()


def test_disable_saved_tensors_hooks_makes_hooks_raise():
    with disable_saved_tensors_hooks("no hooks"), pytest.raises(RuntimeError, match="no hooks"), save_on_cpu():
        pass
    with save_on_cpu():
        pass


@pytest.mark.usefixtures("no_garbage_collection")
def test_a_graph_with_packed_values_is_freed_without_the_collector():
    x = torch.ones(3, requires_grad=True)
    with save_on_cpu():
        y = (x * x).tanh()
    y.sum().backward()
    del y, x
    assert gc.collect() == 0


def test_hooks_can_be_registered_on_a_single_saved_value():
    x, w = (torch.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    y = x * w
    assert y.grad_fn._saved_self is x
    y.grad_fn._raw_saved_self.register_hooks(lambda t: t.tolist(), lambda values: torch.tensor(values) * 3)
    assert y.grad_fn._saved_self.device == x.device
    y.sum().backward()
    assert (x.grad.tolist(), w.grad.tolist()) == ([1, 2], [3, 6])


def test_a_saved_value_of_a_checkpointed_region_is_recomputed_and_takes_no_hooks():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = torch.utils.checkpoint.checkpoint(lambda x: x.exp().sin(), x, use_reentrant=False)
    assert y.grad_fn._saved_self.tolist() == x.exp().tolist()
    with pytest.raises(RuntimeError, match="has hooks already"):
        y.grad_fn._raw_saved_self.register_hooks(abs, abs)


def test_hooks_entered_in_an_unpack_hook_end_with_the_backward_pass():
    packed = []
    other = torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t)
    hooks = torch.autograd.graph.saved_tensors_hooks(
        lambda t: (packed.append(t), t)[1], lambda t: (hooks.__exit__(), other.__enter__(), t)[2]
    )
    x = torch.ones(2, requires_grad=True)
    with hooks:
        (x * x).sum().backward()
        assert x.grad.tolist() == [2, 2]
        assert len(packed) == 2
        y = x * x
        assert len(packed) == 4
    before, y = len(packed), x * x
    assert len(packed) == before
    assert type(y.grad_fn.kept) is list


@pytest.mark.parametrize("hooks", [lambda: saved_tensors_hooks(lambda t: (t, t[0]), lambda pair: pair[0]), save_on_cpu])
def test_a_graph_with_packed_results_holds_no_reference_to_itself(hooks):
    with hooks():
        y = torch.ones(2, requires_grad=True).exp().sum()
    node = weakref.ref(y.grad_fn.next_functions[0][0])
    gc.disable()
    try:
        del y
        assert node() is None
    finally:
        gc.enable()


def test_a_ctx_that_is_kept_without_the_results_raises_rather_than_have_saved_nothing():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            kept.append(ctx)
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    kept = []
    y = Double.apply(torch.ones(2, requires_grad=True))
    assert kept[0].saved_tensors[0].tolist() == [1, 1]
    del y
    for ask in (lambda: kept[0].saved_tensors, lambda: kept[0].next_functions):
        with pytest.raises(RuntimeError, match="gone with the results"):
            ask()
