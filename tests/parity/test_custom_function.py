"""torch.autograd.Function: what forward may return, and backward may receive, in both libraries."""

from __future__ import annotations

from typing import Any

import pytest

from .side_by_side import checked_programs, function, leaf, randn

programs, test_program_behaves_as_in_torch = checked_programs(messages=False)


def twice(ctx: Any, x: Any) -> Any:
    return x * 2


@programs
def outputs_that_are_no_tensors(t, nn):
    def backward(ctx, a, text, number, nothing, b):
        assert (text, number, nothing) == (None, None, None)
        return a * 2 + b * 3

    f = function(t, forward=lambda ctx, x: (x * 2, "text", 3, None, x * 3), backward=backward)
    x = leaf(t, 3)
    a, *others, b = f.apply(x)
    (a * b).sum().backward()
    return others, x.grad


@programs
def next_functions_of_tensor_arguments(t, nn):
    Scale = function(t, forward=lambda ctx, by, x, name, offset, y: x * by + y, backward=lambda ctx, g: (None,) * 5)
    x, y = t.ones(2, requires_grad=True), t.ones(2, requires_grad=True) * 2
    node = Scale.apply(3.0, x, "name", t.ones(2), y).grad_fn
    return [(i, next_node and next_node.name().rpartition("::")[2]) for next_node, i in node.next_functions]


@programs
def list_of_tensors_is_no_output(t, nn):
    f = function(t, forward=lambda ctx, x: [x * 2, x * 3], backward=lambda ctx, grad: None)
    return [y.requires_grad for y in f.apply(leaf(t, 3))]


@programs
def keyword_arguments(t, nn):
    f = function(t, forward=lambda ctx, x, k=2: x * k, backward=lambda ctx, grad: (grad * 5, None))
    x = leaf(t, 3)
    y = f.apply(x, k=3)
    y.sum().backward()
    return y.detach(), x.grad


@programs
def keyword_arguments_and_defaults_with_setup_context(t, nn):
    def setup_context(ctx, inputs, output):
        ctx.factor, ctx.count = inputs[1] * inputs[2], len(inputs)

    f = function(
        t,
        forward=lambda x, j=2, k=7: x * j * k,
        setup_context=setup_context,
        backward=lambda ctx, grad: (grad * ctx.factor, *(None,) * (ctx.count - 1)),
    )
    x = leaf(t, 3)
    f.apply(x, k=3).sum().backward()
    f.apply(x).sum().backward()
    return x.grad


@programs
def vjp_as_alias_of_backward(t, nn):
    x = leaf(t, 3)
    function(t, forward=twice, vjp=lambda ctx, grad: grad * 2).apply(x).sum().backward()
    return x.grad


@programs
def both_backward_and_vjp(t, nn):
    both = function(t, forward=twice, backward=lambda ctx, grad: grad * 2, vjp=lambda ctx, grad: grad * 2)
    both.apply(leaf(t, 3)).sum().backward()


@programs
def grad_fn_has_the_attributes_of_ctx(t, nn):
    def forward(ctx, x):
        ctx.factor = 5
        out = x.exp()
        ctx.save_for_backward(x, None, out)
        return out

    node = function(t, forward=forward, backward=lambda ctx, grad: grad).apply(leaf(t, 3)).grad_fn
    saved = node.saved_tensors
    assert not hasattr(node, "other")
    return node.factor, [None if x is None else (x.detach(), x.requires_grad) for x in saved]


@programs
def saved_tensors_are_freed_by_backward(t, nn):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    y = function(t, forward=forward, backward=lambda ctx, grad: grad).apply(leaf(t, 3))
    y.sum().backward()
    return y.grad_fn.saved_tensors


@programs
def what_backward_writes_to_is_not_read_again(t, nn):
    def forward(ctx, x):
        ctx.save_for_backward(x * 3)
        return x * 2

    def backward(ctx, grad):
        (factor,) = ctx.saved_tensors
        return grad * factor.add_(1)

    x = leaf(t, 2)
    y = function(t, forward=forward, backward=backward).apply(x)
    first = t.autograd.grad(y.sum(), x, retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        t.autograd.grad(y.sum(), x)
    return first


@programs
def saving_a_number_raises(t, nn):
    def forward(ctx, x):
        ctx.save_for_backward(x, 3)
        return x * 2

    function(t, forward=forward, backward=lambda ctx, grad: grad).apply(leaf(t, 3))


@programs
def dirty_argument_must_be_returned(t, nn):
    def forward(ctx, x):
        ctx.mark_dirty(x)
        x.mul_(2)
        return x + 1

    function(t, forward=forward, backward=lambda ctx, grad: grad).apply(leaf(t, 3) * 1)


@programs
def result_marked_as_dirty_warns(t, nn):
    def forward(ctx, x):
        result = x * 2
        ctx.mark_dirty(result)
        return result

    return function(t, forward=forward, backward=lambda ctx, grad: grad * 2).apply(leaf(t, 3) * 1)


for case, gradients in {
    "a gradient too many": lambda grad: (grad, grad),
    "none too many": lambda grad: (grad, None),
    "a gradient that is a number": lambda grad: 3.0,
}.items():

    @programs
    def return_gradients(t, nn, gradients=gradients):
        x = leaf(t, 3)
        function(t, forward=twice, backward=lambda ctx, grad: gradients(grad)).apply(x).sum().backward()
        return x.grad

    programs[case] = programs.pop("return_gradients")


@programs
def gradient_for_a_number(t, nn):
    f = function(t, forward=lambda ctx, x, k: x * k, backward=lambda ctx, grad: (grad, grad))
    f.apply(leaf(t, 3), 2).sum().backward()


@programs
def ctx_has_the_attributes_of_the_node(t, nn):
    seen = []

    def backward(ctx, grad):
        seen.append((ctx.name(), ctx.metadata, [i for _, i in ctx.next_functions], hasattr(ctx, "others")))
        return grad * 2

    function(t, forward=twice, backward=backward).apply(leaf(t, 3)).sum().backward()
    return seen


@programs
def backward_with_empty_inputs(t, nn):
    leaf(t, 3).sum().backward(inputs=[])


def identity(t: Any, constant: bool = False) -> Any:
    """A Function that returns its argument."""

    def forward(ctx, x):
        if constant:
            ctx.mark_non_differentiable(x)
        return x

    return function(t, forward=forward, backward=lambda ctx, grad: grad)


@programs
def returned_argument_is_a_view(t, nn):
    x = leaf(t, 3)
    y = identity(t).apply(x)
    (y * y).sum().backward()
    return x.grad, y.is_leaf, y._base is x


@programs
def returned_argument_without_grad(t, nn):
    x = t.ones(3)
    y = identity(t).apply(x)
    y += 1
    return x, x._version, y is x


@programs
def returned_argument_marked_non_differentiable(t, nn):
    y = identity(t, constant=True).apply(leaf(t, 3))
    return y.requires_grad


@programs
def write_to_a_returned_argument(t, nn):
    identity(t).apply(leaf(t, 3) * 1).mul_(2)


@programs
def saved_tensors_are_the_arguments_themselves(t, nn):
    """Saved arguments are the same objects, with the attributes that a training loop has set on them."""
    found = []

    def forward(ctx, x, w):
        between = x * 2
        ctx.save_for_backward(x, w, between)
        return between * w

    def backward(ctx, grad):
        x, w, between = ctx.saved_tensors
        found.append((x is inner, w is weight, type(w).__name__, w.name_of_mine, w.grad.clone(), between))
        with t.no_grad():
            w.grad += 1
        return grad * w * 2, grad * between

    inner, weight = leaf(t, 3) * 2, nn.Parameter(randn(t, 3, seed=2))
    weight.name_of_mine, weight.grad = "mine", t.ones(3).double()
    y = function(t, forward=forward, backward=backward).apply(inner, weight)
    y.sum().backward(retain_graph=True)
    other = t.autograd.grad(y.sum(), weight, create_graph=True)
    return found, weight.grad, other


@programs
def float16_gradients(t, nn):
    """backward and a module's hooks take gradients in float16, so that they may multiply them by float16 weights."""
    seen = []

    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w

    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        return grad @ w.t(), x.t() @ grad

    module = nn.Tanh()
    module.register_full_backward_hook(lambda module, grad_input, grad_output: seen.extend(grad_input + grad_output))
    x, w = (t.ones(2, 2, dtype=t.float16, requires_grad=True) for _ in range(2))
    product = function(t, forward=forward, backward=backward)
    for create_graph in (False, True):
        y = module(product.apply(x, w)).sum()
        seen.extend(t.autograd.grad(y, (x, w), create_graph=create_graph))
    return [g.detach() for g in seen]


@programs
def prehook_of_outputs_that_are_no_tensors(t, nn):
    """Hooks on the node see None where the output is no Tensor."""
    seen = []

    def prehook(grads):
        seen.append(grads)
        return grads[0] * 2, None, grads[2] * 3

    f = function(t, forward=lambda ctx, x: (x * 2, "text", x * 3), backward=lambda ctx, a, text, b: a * 2 + b * 3)
    x = leaf(t, 3)
    a, _, b = f.apply(x)
    a.grad_fn.register_prehook(prehook)
    a.grad_fn.register_hook(lambda inputs, outputs: seen.append((inputs, outputs)))
    (a + b).sum().backward()
    return seen, x.grad


@programs
def undefined_gradients_of_outputs_that_are_not_differentiable(t, nn):
    seen = []

    def forward(ctx, x, materialize):
        a, b, c = x * 2, x * 3, x * 4
        ctx.mark_non_differentiable(b)
        ctx._materialize_non_diff_grads = materialize
        return a, b, c

    def backward(ctx, *grads):
        seen.append(grads)
        return grads[0] * 2, None

    f, x = function(t, forward=forward, backward=backward), leaf(t, 3)
    for materialize in (True, False):
        f.apply(x, materialize)[0].sum().backward()
    return seen, x.grad


@programs
def hooks_on_saved_tensors_of_a_node(t, nn):
    log = []

    def forward(ctx, x, y):
        ctx.save_for_backward(x, None, y)
        return x * y

    def backward(ctx, grad):
        x, _, y = ctx.saved_tensors
        return grad * y, grad * x

    def note(name):
        return lambda x: (log.append((name, x.detach())), x)[1]

    x, y = leaf(t, 3), leaf(t, 3, seed=2)
    out = function(t, forward=forward, backward=backward).apply(x, y)
    saved = out.grad_fn._raw_saved_tensors
    saved[0].register_hooks(note("pack"), note("unpack"))
    for i, hooks in enumerate([(note("pack"), note("unpack"))] * 2):
        with pytest.raises(RuntimeError):  # it has hooks already, and None takes none
            saved[i].register_hooks(*hooks)
    with pytest.raises(TypeError):
        saved[2].register_hooks(1, 2)
    out.sum().backward()
    with pytest.raises(RuntimeError, match="freed"):
        _ = out.grad_fn._raw_saved_tensors
    return len(saved), log, x.grad, y.grad


@programs
def saved_tensors_after_backward(t, nn):
    """A ctx that the program has kept still has the saved Tensors, as long as the graph does."""
    kept = []

    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    def backward(ctx, grad):
        kept.append(ctx)
        return grad * 2 * ctx.saved_tensors[0]

    x = leaf(t, 3)
    out = function(t, forward=forward, backward=backward).apply(x)
    out.sum().backward(retain_graph=True)
    before = [s.detach() for s in kept[0].saved_tensors]
    out.sum().backward()
    with pytest.raises(RuntimeError, match="freed"):
        _ = kept[0].saved_tensors
    return before


@programs
def saved_tensors_that_backward_does_not_read(t, nn):
    read = [False]

    def forward(ctx, x, statistic):
        ctx.save_for_backward(statistic)
        return x * 2

    def backward(ctx, g):
        if read[0]:
            try:
                return g * ctx.saved_tensors[0], None
            except RuntimeError:
                unpacked.append("refused")
        return g * 2, None

    unpacked: list[str] = []
    x, statistic = leaf(t, 3), t.zeros(3)
    f = function(t, forward=forward, backward=backward)
    with t.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: unpacked.append("unpacked") or x):
        out = f.apply(x, statistic)
    f.apply(x, statistic).sum().backward()
    statistic += 1
    out.sum().backward()
    out.sum().backward()
    read[0] = True
    out.sum().backward()
    return x.grad, unpacked


@programs
def a_complex_gradient_of_a_real_argument(t, nn):
    x = leaf(t, 3)
    function(t, forward=twice, backward=lambda ctx, g: g * (1 + 2j)).apply(x).sum().backward()


@programs
def the_base_class_has_no_forward(t, nn):
    t.autograd.Function.apply(t.ones(1))
