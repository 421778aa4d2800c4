"""Variable and other names of early PyTorch, the nodes of a graph, formatting, and engine callbacks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import microgad as torch
from microgad import nn
from microgad.autograd import Variable


def test_a_variable_is_a_tensor_on_the_same_memory_without_history() -> None:
    data = torch.ones(2)
    x = Variable(data, requires_grad=True)
    data[0] = 5.0
    assert type(x) is torch.Tensor
    assert x.tolist() == [5.0, 1.0]
    assert not data.requires_grad
    assert Variable(x * 2).is_leaf
    assert not Variable(nn.Parameter(data)).requires_grad
    assert isinstance(x, Variable)
    assert not isinstance(1.0, Variable)
    assert Variable().numel() == 0
    with pytest.warns(UserWarning, match="volatile was removed"):
        Variable(data, volatile=True)
    with pytest.raises(TypeError, match="has to be a tensor, but got list"):
        Variable([1.0])
    with pytest.raises(RuntimeError, match="floating point"):
        Variable(torch.tensor([1]), requires_grad=True)


def test_next_functions_lead_from_a_result_to_its_leaves() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    top, low = (x * 3).split(1)
    node = (top.exp() + low).grad_fn
    assert node.name() == "AddBackward0"
    assert repr(node).startswith("<AddBackward0 object at 0x")
    (exp, _), (split, which) = node.next_functions
    assert (exp.name(), which) == ("ExpBackward0", 1)
    assert exp.next_functions == ((split, 0),)
    ((mul, _),) = split.next_functions
    (leaf, _), (none, _) = mul.next_functions
    assert leaf.name() == "torch::autograd::AccumulateGrad"
    assert repr(leaf).startswith("<AccumulateGrad object at 0x")
    assert type(leaf).__name__ == leaf.__class__.__qualname__ == "AccumulateGrad"
    assert leaf.variable is x
    assert none is None
    assert leaf.next_functions == ()
    del x, low
    assert not hasattr(leaf, "variable")
    for ask in (lambda: leaf.variable, lambda: leaf.register_hook(print)):
        with pytest.raises(RuntimeError, match="the leaf Tensor was deleted"):
            ask()


@pytest.mark.parametrize("name", ["Output", "AccumulateGrad"])
def test_an_operation_may_have_the_name_of_a_class_of_the_engine(name: str) -> None:
    cls = type(name, (torch.Function,), {"forward": lambda self, x: x + 1, "grad_x": lambda self, grad: grad})
    y = cls.apply(torch.ones(1, requires_grad=True).exp())
    assert y.grad_fn.name() == f"{name}Backward0"


def test_an_operation_may_have_an_attribute_name() -> None:
    cls = type(
        "Named", (torch.Function,), {"name": "mine", "forward": lambda self, x: x + 1, "grad_x": lambda self, g: g}
    )
    x = torch.ones(1, requires_grad=True)
    assert repr(cls.apply(x).grad_fn).startswith("<NamedBackward0 object")
    assert repr(cls.apply(x)).endswith("grad_fn=<NamedBackward0>)")
    y = cls.apply(x)
    y.backward()
    with pytest.raises(TypeError, match="NamedBackward0: expected 1 arguments"):
        y.grad_fn()


@pytest.mark.parametrize("make", [lambda: torch.tensor(1.5), lambda: torch.tensor(1.5, requires_grad=True) * 1])
def test_a_tensor_without_dimensions_is_formatted_as_a_number(make: Callable[[], torch.Tensor]) -> None:
    x = make()
    assert (f"{x}", f"{x:.2f}", f"{x:>6}") == ("1.5", "1.50", "   1.5")
    assert f"{nn.Parameter(x.detach())}".startswith("Parameter containing")
    with pytest.raises(TypeError):
        f"{x[None]:.2f}"


def test_the_data_of_a_lazy_parameter_is_an_empty_tensor() -> None:
    layer = nn.LazyLinear(2)
    assert layer.weight.data.normal_(0, 0.01).numel() == 0
    assert layer(torch.ones(1, 3)).shape == (1, 2)
    assert nn.GRU(1, 1, 2)._flat_weights_names[:5] == [
        "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_ih_l1",
    ]  # fmt: skip


def test_private_grad_can_be_assigned_and_step_counts_may_have_a_dimension() -> None:
    p = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([p], lr=0.1)
    state = optimizer.state[p]
    state["step"], state["exp_avg"], state["exp_avg_sq"] = torch.zeros(1), torch.zeros(2), torch.zeros(2)
    p._grad = torch.ones(2)
    assert p.grad is p._grad
    optimizer.step()
    assert p.tolist() == pytest.approx([0.9, 0.9])
    assert state["step"].tolist() == [1.0]


def test_a_callback_at_the_end_of_backward_may_queue_another():
    queue, called = Variable._execution_engine.queue_callback, []
    x = torch.ones(2, requires_grad=True)
    x.register_hook(lambda grad: queue(lambda: queue(lambda: called.append(x.grad.tolist()))))
    (x * 2).sum().backward()
    assert called == [[2, 2]]


def test_a_walk_goes_on_where_a_custom_function_gives_no_gradient() -> None:
    class Stop(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return None

    class Shifted(Stop):
        @staticmethod
        def backward(ctx, grad):
            return grad + 3

    x = torch.ones(2, requires_grad=True)
    seen: list[object] = []
    y = Shifted.apply(x) * 2
    y.register_hook(seen.append)
    Stop.apply(y).sum().backward()
    assert seen == [None]
    assert x.grad.tolist() == [3.0, 3.0]


def test_a_hook_is_removed_also_after_data_of_another_shape_was_assigned() -> None:
    x = torch.ones(2, requires_grad=True)
    seen: list[torch.Tensor] = []
    handle = x.register_hook(seen.append)
    x.data = torch.ones(3)
    handle.remove()
    x.sum().backward()
    assert seen == []
