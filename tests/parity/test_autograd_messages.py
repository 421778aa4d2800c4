"""Programs that misuse autograd: the error of microgad contains PyTorch's whole message, which programs match on."""

from __future__ import annotations

from typing import Any

import pytest

import microgad

from .side_by_side import Programs, message, outcome

torch = pytest.importorskip("torch")
programs = Programs()


@pytest.mark.parametrize("name", programs)
def test_error_contains_torchs_message(name: str) -> None:
    (theirs, _), (ours, _) = (outcome(programs[name], t) for t in (torch, microgad))
    assert isinstance(ours, type(theirs)), ours
    assert message(theirs) in message(ours)


def function(t: Any, **methods: Any) -> Any:
    """A custom Function with these static methods."""
    return type("Custom", (t.autograd.Function,), {name: staticmethod(f) for name, f in methods.items()})


def saving(t: Any, x: Any) -> Any:
    """The result of a custom Function that saves its argument."""

    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clone()

    return function(t, forward=forward, backward=lambda ctx, grad: grad * ctx.saved_tensors[0]).apply(x)


def leaf(t: Any) -> Any:
    return t.ones(2, requires_grad=True)


@programs
def requires_grad_of_a_result(t, nn):
    leaf(t).exp().requires_grad = True


@programs
def no_requires_grad_of_a_result(t, nn):
    leaf(t).exp().requires_grad_(False)


@programs
def second_backward(t, nn):
    y = leaf(t).exp()
    y.sum().backward()
    y.sum().backward()


@programs
def second_backward_through_a_custom_function(t, nn):
    y = saving(t, leaf(t))
    y.sum().backward()
    y.sum().backward()


@programs
def a_custom_function_that_saves_a_number(t, nn):
    def forward(ctx, x):
        ctx.save_for_backward(x, 3)
        return x.clone()

    saves_a_number = function(t, forward=forward, backward=lambda ctx, grad: grad)
    with t.no_grad():
        saves_a_number.apply(leaf(t))  # nothing is saved where nothing is recorded
    saves_a_number.apply(leaf(t))


@programs
def gradient_by_a_name(t, nn):
    t.autograd.grad(leaf(t).sum(), ["x"])


@programs
def gradients_of_an_empty_dict(t, nn):
    t.autograd.grad(leaf(t).sum(), {})


@programs
def saved_value_after_backward(t, nn):
    y = leaf(t).exp()
    y.sum().backward()
    _ = y.grad_fn._saved_result


@programs
def saved_tensors_after_backward(t, nn):
    y = saving(t, leaf(t))
    y.sum().backward()
    _ = y.grad_fn.saved_tensors


@programs
def write_to_a_no_grad_view(t, nn):
    with t.no_grad():
        view = (leaf(t) * 1)[:1]
    view.requires_grad_().mul_(2)


@programs
def write_to_a_no_grad_view_of_a_leaf(t, nn):
    x = leaf(t)
    with t.no_grad():
        view = x[:]
    view.zero_()


@programs
def function_without_forward(t, nn):
    function(t, backward=lambda ctx, grad: grad).apply(leaf(t))


@programs
def function_without_backward(t, nn):
    function(t, forward=lambda ctx, x: x.clone()).apply(leaf(t)).sum().backward()


@programs
def function_with_backward_and_vjp(t, nn):
    double = function(t, forward=lambda ctx, x: x * 2, backward=lambda ctx, g: g * 2, vjp=lambda ctx, g: g * 2)
    double.apply(leaf(t)).sum().backward()


@programs
def function_loses_what_it_marks_as_dirty(t, nn):
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2) + 1

    function(t, forward=forward, backward=lambda ctx, grad: grad).apply(leaf(t) * 1)


@programs
def numpy_of_what_requires_grad(t, nn):
    leaf(t).numpy()


@programs
def integers_as_data_of_a_leaf(t, nn):
    leaf(t).data = t.ones(2, dtype=t.int64)


@programs
def number_as_data(t, nn):
    leaf(t).data = 2


@programs
def post_accumulate_grad_hook_on_a_result(t, nn):
    leaf(t).exp().register_post_accumulate_grad_hook(print)


@programs
def unpack_hook_gives_a_number(t, nn):
    with t.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: 1):
        y = leaf(t).exp()
    y.sum().backward()


@programs
def mode_of_multi_grad_hook(t, nn):
    t.autograd.graph.register_multi_grad_hook((leaf(t),), print, mode="some")


@programs
def multi_grad_hook_on_a_constant(t, nn):
    x = leaf(t)
    t.autograd.graph.register_multi_grad_hook((x, x.detach()), print, mode="any")
    t.autograd.graph.register_multi_grad_hook((x, x.detach()), print)


@programs
def gradcheck_of_an_expanded_input(t, nn):
    t.autograd.gradcheck(t.mul, (t.ones(2), leaf(t)[:1].expand(3)), raise_exception=False)


@programs
def gradgradcheck_of_an_expanded_input(t, nn):
    t.autograd.gradgradcheck(t.exp, leaf(t)[:1].expand(3), raise_exception=False)


@programs
def materialize_grads_without_allow_unused(t, nn):
    x = leaf(t)
    t.autograd.grad(x.sum(), x, materialize_grads=True, allow_unused=False)


@programs
def complex_gradient_of_a_real_result(t, nn):
    leaf(t).exp().backward(t.ones(2, dtype=t.complex64))


@programs
def gradient_of_another_shape_than_its_argument(t, nn):
    function(t, forward=lambda ctx, x: x * 2, backward=lambda ctx, grad: t.ones(10)).apply(leaf(t)).sum().backward()


def make_dual(t: Any, *given: Any) -> None:
    with t.autograd.forward_ad.dual_level():
        t.autograd.forward_ad.make_dual(*given)


programs["integers as primal"] = lambda t, nn: make_dual(t, t.ones(2, dtype=t.int64), t.ones(2))
programs["integers as tangent"] = lambda t, nn: make_dual(t, t.ones(2), t.ones(2, dtype=t.int64))
programs["tangent of another shape"] = lambda t, nn: make_dual(t, t.ones(2), t.ones(3))
programs["dual outside of a level"] = lambda t, nn: t.autograd.forward_ad.make_dual(t.ones(2), t.ones(2))

FUNCTIONAL_CALLS = {
    "an input that is a number": lambda f, x: f.hvp(lambda x, y: x.sum(), (x, 2), (x, x)),
    "inputs that are a number": lambda f, x: f.jacobian(lambda x: x, 2),
    "inputs of a hessian": lambda f, x: f.hessian(lambda x: x.sum(), (x, 2)),
    "an output that is a number": lambda f, x: f.jacobian(lambda x: (x, 2), x),
    "outputs that are a number": lambda f, x: f.vjp(lambda x: 2, x, x),
    "several outputs": lambda f, x: f.vhp(lambda x: (x.sum(), x.sum()), x, x),
    "an output of two elements": lambda f, x: f.hvp(lambda x: x, x, x),
    "no v for two elements": lambda f, x: f.vjp(lambda x: x, x),
    "no v for two elements in": lambda f, x: f.jvp(lambda x: x, x),
    "v that is a number": lambda f, x: f.jvp(lambda x: x, x, 2),
    "two v": lambda f, x: f.jvp(lambda x: x, x, (x, x)),
    "one v for two": lambda f, x: f.jvp(lambda x, y: x, (x, x), x),
    "v of another size": lambda f, x: f.vjp(lambda x: x, x, x[:1]),
    "v of another size for two": lambda f, x: f.jvp(lambda x, y: x, (x, x), (x, x[:1])),
    "strict, of a constant": lambda f, x: f.vjp(lambda x: x.detach(), x, x, strict=True),
    "strict, independent of an input": lambda f, x: f.vjp(lambda x, y: x, (x, x), x, strict=True),
    "strict, along an input without effect": lambda f, x: f.jvp(lambda x, y: x, (x, x), (x, x), strict=True),
    "strict, of a constant, twice": lambda f, x: f.vhp(lambda x, y: x.sum(), (x, x), (x, x), strict=True),
    "strict, of a linear function": lambda f, x: f.hvp(lambda x: x.sum(), x, x, strict=True),
}
for case, call in FUNCTIONAL_CALLS.items():
    programs[f"functional: {case}"] = lambda t, nn, call=call: call(t.autograd.functional, t.ones(2))


@programs
def call_of_an_instance_of_a_custom_function(t, nn):
    class Legacy(t.autograd.Function):
        def forward(self, x):
            return x

    Legacy()(leaf(t))
