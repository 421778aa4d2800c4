"""A Function that breaks a rule raises an error that names the class and the rule, mostly when it is defined."""

from __future__ import annotations

import functools
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import Function, errors


def define(**members: Any) -> Any:
    return type("Op", (Function,), members)


def double(self, x):
    return x * 2


def grad_x(self, grad):
    return grad * 2


def total(self, *xs):
    return sum(xs)


BY_POSITION = r"Op: forward's parameters are inputs, which apply is given by position.* but {0} has a default or is "
BY_POSITION += r"keyword-only. A setting, as in apply\(x, {0}=...\), is read as self.{0}; a class attribute is its"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"forward": lambda self, x, *, factor=2.0: x * factor}, BY_POSITION.format("factor")),
        ({"forward": lambda self, x, *, factor: x * factor}, BY_POSITION.format("factor")),
        ({"forward": lambda self, *inputs, factor: sum(inputs) * factor}, BY_POSITION.format("factor")),
        ({"forward": lambda self, x, y, k=2: x * y * k}, BY_POSITION.format("k")),
        ({"forward": lambda self, x, **settings: x}, BY_POSITION.format("settings")),
        ({"forward": lambda self, *inputs, **settings: inputs[0]}, BY_POSITION.format("settings")),
        ({"forward": lambda x: x * 2, "grad_x": grad_x}, r"Op: forward\(x\) has no input: its parameters are self"),
        (
            {"forward": lambda x, y: x * y, "grad_x": lambda self, grad, y: grad * y},
            "Op.grad_x is no derivative: forward's inputs are y; x, its first parameter, is the node, named self",
        ),
        *[
            ({"forward": double, name: grad_x}, f"Op.{name} is no derivative: .*, and the derivative by x is called")
            for name in ("grad_X", "gradx", "grad", "Grad_x", "gradient_x")
        ],
        ({"forward": staticmethod(double)}, r"Op: forward is a method.* with ctx, is autograd.Function"),
        ({"forward": double, "grad_x": grad_x, "backward": grad_x}, "Op has both backward.* and grad_x: leave out one"),
        (
            {"forward": lambda self, *x: x[0], "grad_x": grad_x, "backward": grad_x},
            "Op has both backward.* and grad_x: leave out one",
        ),
        ({"forward": np.sin}, r"Op.forward is a ufunc, .* write a method, def forward\(self, ...\)"),
        ({"forward": double, "grad_x": np.cos}, "Op.grad_x is a ufunc, whose parameters can't be read"),
        ({"forward": double, "grad_x": lambda self, grad, *, x: grad}, "reads is given by position, not by keyword"),
        ({"forward": double, "grad_x": lambda self, grad, **k: grad}, "reads is given by position, not by keyword"),
        ({"forward": double, "grad_x": lambda self, grad, *rest: grad}, r"\*rest is none of forward's inputs, x: name"),
        ({"forward": double, "decomposition": lambda self, **k: 2}, "reads is given by position, not by keyword"),
        ({"forward": total, "grad_xs": lambda self, grad, xs: xs}, r"reads xs: write \*xs, as in forward"),
        (
            {"forward": lambda self, k, *xs: k * total(self, *xs), "grad_xs": lambda self, grad, k: grad},
            r"Op: beside \*xs there are other inputs \(k, xs\), so all gradients come from one backward\(self, grad",
        ),
        ({"forward": double, "grad_x": lambda self: 2}, "Op.<lambda>: the parameters are self, then the gradient"),
        ({"forward": double, "grad_x": lambda self, x: 2 * x}, "the parameters are self, then the gradient, grad"),
    ],
)
def test_wrong_methods_are_refused_when_the_class_is_defined(members: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.FunctionError, match=message):
        define(**members)


def test_inputs_in_another_number_than_forward_has_are_counted() -> None:
    op = define(forward=lambda self, x, y: x * y, grad_x=lambda self, grad, y: grad * y, grad_y=grad_x)
    x = torch.ones(2, requires_grad=True)
    for inputs in (), (x,), (x, x, x):
        with pytest.raises(errors.KindError, match=f"^Op: expected 2 inputs by position, x, y, got {len(inputs)}$"):
            op.apply(*inputs)
    with pytest.raises(errors.KindError, match="expected 2 inputs by position, x, y, got 0"):
        op.apply(x=x, y=x)
    with pytest.raises(errors.DtypeError, match="Op: y is an input, and inputs are given by position"):
        op.apply(x, y=x)


@pytest.mark.parametrize("missing", ["y", ""])
def test_a_missing_derivative_is_named(missing: str) -> None:
    members = {"grad_x": lambda self, grad, y: grad * y} if missing else {}
    x = torch.ones(2, requires_grad=True)
    message = "Op has no derivative for its input y; write grad_y, or detach it"
    with pytest.raises(RuntimeError, match=message if missing else "Op has no derivative; write grad_x, or detach its"):
        define(forward=lambda self, x, y: x * y, **members).apply(x, x)


@pytest.mark.parametrize(
    ("given", "said"),
    [(lambda g: (g,), "1 gradient"), (lambda g: g, "one ndarray"), (lambda g: [g] * 3, "3 gradients")],
)
def test_another_number_of_gradients_than_of_inputs_is_counted(given: Any, said: str) -> None:
    x = torch.ones(2, requires_grad=True)
    joint = lambda self, grad: given(grad)  # noqa: E731
    for forward, name, inputs in (
        (total, "grad_xs", r"xs\[0\], xs\[1\]"),
        (lambda self, x, y: x * y, "backward", "x, y"),
    ):
        out = define(forward=forward, **{name: joint}).apply(x, x)
        message = f"Op: {name} returned {said}, not a tuple with one gradient for each input: {inputs}"
        with pytest.raises(errors.ShapeError, match=message):
            out.sum().backward()


def test_inputs_may_precede_several_others() -> None:
    def backward(self, grad, k, *xs):
        return sum(grad * x for x in xs), *(grad * k for _ in xs)

    op = define(forward=lambda self, k, *xs: k * total(self, *xs), backward=backward)
    k, a, b = (torch.tensor([float(i), 2.0], dtype=torch.float64, requires_grad=True) for i in range(1, 4))
    assert torch.autograd.gradcheck(op.apply, (k, a, b))
    assert torch.autograd.gradgradcheck(op.apply, (k, a, b))
    two = torch.tensor(2.0)
    (first,) = torch.autograd.grad(op.apply(two, a, b).sum(), a)
    assert first.tolist() == [2, 2]
    assert op.apply(two, a, b).tolist() == [10, 8]


def test_helpers_of_derivatives_may_have_their_names() -> None:
    def both(self, grad, x):
        return grad * self.gradient(x)

    for members in {"grad_x": both}, {"backward": lambda self, grad, x: (both(self, grad, x),)}:
        op = define(forward=double, gradient=lambda self, x: np.full_like(x, 2), gradx=double, grads=double, **members)
        x = torch.tensor(1.0, requires_grad=True)
        assert torch.autograd.grad(op.apply(x), x)[0].item() == 2
    define(forward=lambda self, x, index: x[index], grad_x=lambda self, grad, index: grad, gradient=double)
    define(forward=double, gradual=double, graduate=double, gradscale=double)


def test_a_derivative_beside_an_inherited_backward_is_refused() -> None:
    """It would be ignored. The reverse, a backward in place of inherited derivatives, is not."""
    base = define(forward=double, backward=lambda self, grad: (grad * 2,))
    with pytest.raises(errors.FunctionError, match="Later has both backward"):
        type("Later", (base,), {"grad_x": grad_x})
    later = type("Later", (define(forward=double, grad_x=grad_x),), {"backward": lambda self, grad: (grad * 5,)})
    x = torch.tensor(1.0, requires_grad=True)
    assert torch.autograd.grad(later.apply(x), x)[0].item() == 5


@pytest.mark.parametrize("name", ["number", "shape", "dtype", "path", "kept", "hooks", "edges", "plan", "name"])
@pytest.mark.parametrize("requires_grad", [True, False])
def test_settings_named_as_a_node_s_own_attributes_are_refused(name: str, requires_grad: bool) -> None:
    """A derivative would read the node's own: its position on the tape in place of the setting `number`."""
    op = define(forward=double, grad_x=lambda self, grad: grad * getattr(self, name))
    x = torch.ones(2, requires_grad=requires_grad)
    op.apply(x)
    for value in (3, (3,)):
        with pytest.raises(errors.FunctionError, match=f"Op: a setting can't be called {name}"):
            op.apply(x, **{name: value})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("result", [None, (None, np.ones(2)), (np.ones(2), None)])
def test_a_forward_that_returns_none_is_refused(dtype: Any, result: Any) -> None:
    op = define(forward=lambda self, x: result, grad_x=grad_x)
    for requires_grad in (True, False):
        with pytest.raises(errors.FunctionError, match="Op: forward returned None, not an array"):
            op.apply(torch.ones(2, dtype=dtype, requires_grad=requires_grad))


@pytest.mark.parametrize("result", ["text", [np.ones(2), np.ones(2)], {"y": np.ones(2)}, (np.ones(2), "text")])
def test_a_forward_that_returns_no_array_is_refused(result: Any) -> None:
    with pytest.raises(errors.FunctionError, match=r"Op: forward returned a (str|list|dict), not an array"):
        define(forward=lambda self, x: result, grad_x=grad_x).apply(torch.ones(2, requires_grad=True))


def test_an_operation_without_forward_says_so() -> None:
    with pytest.raises(errors.FunctionError, match=r"Op: Op has no forward \(input\[0\] \(2,\)\)"):
        define(grad_x=grad_x).apply(torch.ones(2, requires_grad=True))


def by_method(self, x):
    return self.exp(x) ** 2


def by_inner_function(self, x):
    def keep() -> None:
        self.kept_exp = np.exp(x)

    keep()
    return self.kept_exp**2


def exp(self, x):
    self.kept_exp = np.exp(x)
    return self.kept_exp


@functools.wraps(exp)
def decorated(self, x):
    return exp(self, x) ** 2


def counting(self, x):
    self.kept_exp = x
    self.kept_exp += 1
    return x * 2


def with_others(self, x):
    self.kept_exp, log.last = x * 2, x
    return x * 2


@pytest.mark.parametrize("forward", [exp, by_method, by_inner_function, decorated, counting, with_others])
def test_what_forward_keeps_for_no_derivative_is_refused(forward: Any) -> None:
    """A derivative that read it would have a silently wrong derivative itself."""
    with pytest.raises(errors.FunctionError, match=r"Op: forward sets self\.kept_exp, but no derivative names"):
        define(forward=forward, exp=exp, grad_x=lambda self, grad: grad * 2 * self.kept_exp**2)


log = SimpleNamespace(calls=0, last=None)


def test_forward_may_set_attributes_of_other_objects() -> None:
    """Such as a count of its calls, or a value to look at when debugging."""

    def forward(self, x):
        log.calls += 1
        log.last = seen = SimpleNamespace()
        seen.x = type(self).largest = x
        self.log.steps = self.log.steps + 1
        self.log.steps += 1
        out = x * 2
        out.flags.writeable = False
        return out

    op = define(forward=forward, grad_x=lambda self, grad: grad * 2)
    x, log.steps = torch.ones(2, requires_grad=True), 0
    assert torch.autograd.grad(op.apply(x, log=log).sum(), x)[0].tolist() == [2, 2]
    assert (log.calls, log.steps, log.last.x.tolist(), op.largest.tolist()) == (1, 2, [1, 1], [1, 1])


@pytest.mark.parametrize("forward", [double, lambda self, x: vars(self).update(mask=True) or x * 2])
def test_a_constant_that_forward_does_not_compute_is_named(forward: Any) -> None:
    op = define(forward=forward, grad_x=lambda self, grad, mask: grad * mask, constants=("mask",))
    with pytest.raises(errors.FunctionError, match="Op: a derivative reads mask, but forward sets no array"):
        op.apply(torch.ones(2, requires_grad=True))


@pytest.mark.parametrize("value", [2.0, "text", [1.0, 2.0], None])
def test_a_derivative_that_returns_no_array_is_named(value: Any) -> None:
    out = define(forward=double, grad_x=lambda self, grad: value).apply(torch.ones(2, requires_grad=True))
    returned = re.escape(f"Op: its derivative for x returned {value!r}, a {type(value).__name__}, instead of an array")
    with pytest.raises(errors.FunctionError, match=returned):
        out.sum().backward(retain_graph=True)
    with pytest.raises(errors.FunctionError, match=returned), torch.no_grad():
        out.grad_fn(torch.ones(2))


def test_an_instance_is_not_called() -> None:
    with pytest.raises(errors.FunctionError, match=r"Op: an operation is called by Op.apply\(x, ...\), not by its"):
        define(forward=double, grad_x=grad_x)()(torch.ones(2))
