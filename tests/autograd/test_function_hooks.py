"""Function hooks: they are called for every operation of a block, in forward and backward."""

import io
import itertools

import pytest

import microgad as torch
from microgad import nn
from microgad.autograd.function_hooks import CountHook, FunctionHook, PrintHook, TimeHook


class Log(FunctionHook):
    def __init__(self):
        super().__init__()
        self.seen = []

    def begin(self, node, inputs, target=None):
        super().begin(node, inputs, target)
        self.seen.append(("begin", type(node).__name__, target is not None))

    def forward(self, node, inputs, out):
        super().forward(node, inputs, out)
        self.seen.append(("end", type(node).__name__))

    def begin_backward(self, node, grad):
        super().begin_backward(node, grad)
        self.seen.append(("begin backward", type(node).__name__))

    def backward(self, node, gradients):
        super().backward(node, gradients)
        self.seen.append(("end backward", type(node).__name__))


def test_hooks_are_called_at_begin_and_end_of_every_operation():
    x = torch.ones(2, requires_grad=True)
    with Log() as log:
        y = x * 3
        y.mul_(2)
        y.sum().backward()
    assert log.seen == [
        ("begin", "Mul", False), ("end", "Mul"), ("begin", "Mul", True), ("end", "Mul"), ("begin", "Sum", False),
        ("end", "Sum"), ("begin backward", "Sum"), ("end backward", "Sum"), ("begin backward", "Mul"),
        ("end backward", "Mul"), ("begin backward", "Mul"), ("end backward", "Mul"),
    ]  # fmt: skip
    x.exp()
    assert len(log.seen) == 12


def test_hooks_nest_and_one_entered_twice_is_called_once():
    outer, inner = CountHook(), CountHook()
    with outer, inner, inner:
        torch.ones(2).exp()
    with outer:
        torch.ones(2).exp()
    assert (outer.calls["Exp"], inner.calls["Exp"]) == (2, 1)


def test_hooks_may_be_exited_in_the_order_in_which_they_were_entered():
    hooks = [CountHook(), CountHook(), CountHook()]
    for hook in hooks:
        hook.__enter__()
    for i in (1, 0, 2):  # first the one in the middle
        hooks[i].__exit__()
        torch.ones(2).exp()
    assert [hook.calls["Exp"] for hook in hooks] == [1, 0, 2]


def test_an_error_in_a_hook_is_raised_by_the_operation():
    class Raising(FunctionHook):
        def begin(self, node, inputs, target=None):
            raise ValueError(type(node).__name__)

    with Raising(), pytest.raises(ValueError, match="Exp"):
        torch.ones(2).exp()
    torch.ones(2).exp()


def test_hooks_are_called_for_double_backward_and_autograd_functions():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    x = torch.ones(2, requires_grad=True)
    with TimeHook() as times, CountHook() as counts:
        (grad,) = torch.autograd.grad((Double.apply(x) ** 3).sum(), x, create_graph=True)
        grad.sum().backward()
    assert counts.backward_calls["Double"] >= 2
    assert times.seconds["Double"] > 0
    assert not times._running.open


def test_an_autograd_function_with_a_result_that_is_no_tensor_is_counted_once():
    class Both(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, 3

        @staticmethod
        def backward(ctx, grad, _):
            return grad * 2

    for x in (torch.ones(2), torch.ones(2, requires_grad=True)):
        with CountHook() as counts:
            Both.apply(x)
        assert counts.calls["Both"] == 1


def test_an_operation_that_raises_is_not_timed():
    with TimeHook() as times:
        for _ in range(3):
            with pytest.raises(RuntimeError):
                torch.ones(2) @ torch.ones(3)
        torch.ones(2).exp()
    assert list(times.seconds) == ["Exp"]


def test_the_time_of_operations_inside_of_an_operation_is_theirs(monkeypatch):
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.square() * x

        @staticmethod
        def backward(ctx, grad):
            return grad.exp()

    monkeypatch.setattr("time.perf_counter", itertools.count().__next__)  # each look at the clock takes a second
    with TimeHook() as times:
        Cube.apply(torch.ones(2, requires_grad=True)).sum().backward()
    assert times.seconds == {"Pow": 1, "Mul": 1, "Cube": 5 - 2, "Sum": 1, "Exp": 1}
    assert times.backward_seconds == {"Sum": 1, "Cube": 3 - 1}


def test_print_hook_names_operations_modules_dtypes_and_shapes():
    model, file = nn.Sequential(nn.Linear(2, 3), nn.ReLU()), io.StringIO()
    with PrintHook(file):
        model(torch.ones(1, 2)).sum().backward()
    lines = file.getvalue().splitlines()
    assert lines[0] == "Linear (0): float32 (1, 2), float32 (3, 2), float32 (3,) -> float32 (1, 3)"
    assert lines[-1].startswith("Linear backward (0): float32 (1, 3) -> None, float32 (3, 2)")
