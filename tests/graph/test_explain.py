"""`explain`: how a Tensor was computed, and the values of its derivatives, in words."""

from __future__ import annotations

import pytest

import microgad as torch
from microgad import nn
from microgad.graph import explain
from microgad.nn import functional as F


def lines(tensor, params=None):
    return [line.strip() for line in explain(tensor, params).splitlines()]


def test_explain_a_product():
    x, y = torch.tensor([2.0, 3.0], requires_grad=True), torch.tensor(4.0, requires_grad=True)
    assert lines(x * y, {"x": x, "y": y}) == [
        "[ 8., 12.] is the result of × Mul: a · b, broadcast",
        "a: (2,), leaf x",
        "b: scalar, leaf y, 4",
        "forward: a * b",
        "gradient of a: grad * b",
        "gradient of b: grad * a",
        "keeps a, b: 0 B of additional memory",
        "where its gradient is 1 everywhere,",
        "a gets [4., 4.]",
        "b gets 5.",
    ]


def test_explain_an_operation_that_reads_one_tensor_twice():
    x = torch.tensor([2.0, 3.0], requires_grad=True)
    assert lines(x * x)[-2:] == ["a gets [2., 3.]", "b gets [2., 3.]"]


def test_explain_a_layer():
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Conv1d(2, 4, 3, padding=1))
    y = net[2](net[1](net[0](torch.ones(5, 3))).T[None])
    text = lines(y, net)
    assert text[0].startswith("float32 (1, 4, 5) from ")
    assert text[1] == "settings: kernel 3, padding 1"
    linear = net[0](torch.ones(5, 3))
    text = lines(linear, net)
    assert " in 0" in text[0]
    assert "weight: (2, 3), parameter 0.weight" in text
    assert text[-1] == "bias gets [5., 5.]"
    assert text[-2] == "weight gets [[5., 5., 5.], [5., 5., 5.]]"


def test_explain_one_of_several_results():
    first, second = torch.tensor([1.0, 2.0], requires_grad=True).unbind()
    assert lines(second)[0].startswith("2. is result 1 of Unbind: ")
    assert lines(second)[-1] == "x gets [0., 1.]"
    assert lines(first)[-1] == "x gets [1., 0.]"


def test_a_prompt_shows_the_explanation_as_it_is_printed():
    for x in (torch.ones(2), torch.ones(2, requires_grad=True).exp()):
        assert repr(explain(x)) == str(explain(x)) == "\n".join(explain(x).splitlines())


def test_explain_leaves():
    x = torch.tensor([2.0], requires_grad=True)
    assert lines(x) == ["[2.] is a leaf that wants a gradient, and has none yet"]
    (x * 3).sum().backward()
    assert lines(x) == ["[2.] is a leaf that wants a gradient; it has [3.]"]
    assert "without a graph" in explain(x.detach())


def test_explain_after_backward_and_after_an_in_place_write():
    x = torch.tensor([2.0], requires_grad=True)
    y = x.exp()
    y.sum().backward()
    assert "backward has let go of what it kept" in explain(y)
    h = x * 1
    y = h * h
    h += 1
    assert "can't be computed: Mul: one of the variables needed" in explain(y)


def test_explain_runs_no_hooks_and_records_nothing():
    x = torch.tensor([2.0, 3.0], requires_grad=True)
    seen = []
    x.register_hook(seen.append)
    y = x.exp()
    y.register_hook(seen.append)
    with torch.record() as tape:
        explain(y)
    assert not seen
    assert not tape.ops
    assert x.grad is None
    y.sum().backward()
    assert len(seen) == 2


@pytest.mark.parametrize(
    "f",
    [torch.sin, torch.sort, torch.cumsum, F.softmax, torch.fft.fft, torch.linalg.norm, F.gelu, F.layer_norm],
    ids=lambda f: f.__name__,
)
def test_explain_various_functions(f):
    x = torch.randn(3, 3, requires_grad=True)
    if f in (torch.cumsum, F.softmax):
        y = f(x, 1)
    else:
        y = f(x, (3,)) if f is F.layer_norm else f(x)
    y = y[0] if isinstance(y, tuple) else y
    text = explain(y)
    assert "gets " in text
    assert "forward:" in text


def test_explain_reads_the_operation_itself_where_a_program_has_one_of_the_same_name():
    class Log10(torch.Function):
        """Something else."""

        def forward(self, x):
            return x * 42

        def grad_x(self, grad):
            return grad * 42

    x = torch.ones(2, requires_grad=True)
    assert "gradient of x: grad / (x * LOG_10)" in lines(x.log10())
    assert "gradient of x: grad * 42" in lines(Log10.apply(x))


def test_explain_shows_what_an_autograd_function_of_the_program_computes():
    class Exp(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 42

        @staticmethod
        def backward(ctx, g):
            return g * 42

    text = lines(Exp.apply(torch.ones(2, requires_grad=True)))
    assert [line for line in text if "42" in line] == [
        "[42., 42.] is the result of Exp", "forward: x * 42", "gradient of x: g * 42", "x gets [42., 42.]",
    ]  # fmt: skip


def test_explain_refuses_numbers():
    with pytest.raises(TypeError, match="expected a Tensor, got int"):
        explain(3)


def test_explain_runs_no_hooks_of_nodes():
    seen = []
    y = torch.ones(2, requires_grad=True) * 3
    y.grad_fn.register_hook(lambda inputs, outputs: seen.append("after"))
    y.grad_fn.register_prehook(lambda outputs: seen.append("before"))
    assert "a gets [3., 3.]" in explain(y)
    assert not seen
    y.sum().backward()
    assert seen == ["before", "after"]


def test_an_input_that_was_not_kept_is_described_as_possibly_none():
    assert "b: None, or what no derivative reads" in lines(torch.ones(2, requires_grad=True) + torch.ones(2))


def test_a_constant_that_backward_has_freed_has_no_shape():
    x, target = torch.zeros(2, 3, requires_grad=True), torch.tensor([0, 2])
    loss = F.cross_entropy(x, target)
    assert "\n  target: (2,) int64, constant target\n" in explain(loss)
    loss.backward()
    assert "\n  target: constant target\n" in explain(loss)


def test_variables_that_operations_computed_have_their_names():
    x = torch.ones(4, requires_grad=True)
    first, second = (x * 2).chunk(2)
    square = first * first
    assert "\n  x: (2,), square from × Mul\n" in explain(square.sum(), locals())
    assert "\n  a: (2,), [0] first, [1] second from Split\n" in explain(square, locals())
    assert second.shape == (2,)


def test_the_formulas_of_complex_gradients_are_said_to_be_of_conjugates():
    z = torch.tensor(1 + 2j, requires_grad=True)
    said = "since these are complex: the conjugate of that, for the conjugate of grad"
    assert said in explain(z * z)
    assert "a gets 1.-2.j" in explain(z * z)
    assert said not in explain(z.real * z.imag)
    assert said not in explain(z.real.exp())
    assert said not in explain(z.reshape(1))  # whose gradient moves values alone


def test_the_values_of_up_to_six_elements_are_shown():
    x = torch.arange(7.0, requires_grad=True)
    assert lines(x[:6].exp())[-1] == "x gets [  1.      ,   2.718282,   7.389056,  20.085537,  54.59815 , 148.41316 ]"
    assert lines(x.exp())[-1] == "x gets float32 (7,) from 1 to 403.4"
