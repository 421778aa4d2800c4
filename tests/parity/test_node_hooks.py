"""Hooks of graph nodes, and the order in which hooks are called: programs that both libraries run."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

import microgad

from .side_by_side import checked_programs, leaf, submodule

programs, test_program_behaves_as_in_torch = checked_programs(messages=False, warning_classes=False)


@programs
def hooks_of_nodes(t, nn):
    seen: list[Any] = []
    x, w = leaf(t, 3), leaf(t, 3, seed=2)
    y = x * w
    z = y.sum()
    before = y.grad_fn.register_prehook(lambda outputs: seen.append(outputs) or (outputs[0] * 2,))
    after = y.grad_fn.register_hook(lambda inputs, outputs: seen.append((inputs, outputs)))
    z.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 10,))
    z.backward(retain_graph=True)
    before.remove()
    after.remove()
    z.backward()
    (t.ones(3).double() * w).grad_fn.register_hook(lambda inputs, outputs: seen.append(inputs))
    return seen, x.grad, w.grad


@programs
def hooks_of_nodes_with_complex_and_higher_derivatives(t, nn):
    seen: list[Any] = []
    c = t.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    d = c * (2 - 1j)
    d.grad_fn.register_hook(lambda inputs, outputs: seen.append((inputs[0], outputs)))
    d.abs().sum().backward()
    a = t.tensor(2.0, requires_grad=True)
    b = a**3
    b.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 2,))
    (first,) = t.autograd.grad(b, a, create_graph=True)
    layer = nn.BatchNorm1d(2)
    y = layer(t.arange(8.0).reshape(4, 2))
    y.grad_fn.register_hook(lambda inputs, outputs: seen.append([g.clone() for g in inputs if g is not None]))
    y.square().sum().backward()
    return seen, c.grad, first.detach(), t.autograd.grad(first, a)


@programs
def hooks_of_leaf_nodes(t, nn):
    seen: list[Any] = []
    x = leaf(t, 3)
    node = x.expand_as(x).grad_fn.next_functions[0][0]
    node.register_prehook(lambda outputs: (outputs[0] * 2,))
    handle = node.register_hook(lambda inputs, outputs: seen.append((inputs, outputs[0].clone(), x.grad.clone())))
    for _ in range(2):
        (x * 3).sum().backward()
    handle.remove()
    (x * 3).sum().backward()
    return seen, x.grad


@programs
def hook_of_a_node_returns_too_few_gradients(t, nn):
    y = leaf(t, 3) * leaf(t, 3)
    y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0],))
    y.sum().backward()


@programs
def hooks_of_nodes_see_gradients_in_the_shape_and_dtype_of_the_input(t, nn):
    seen: list[Any] = []
    x, w, half = t.ones(3, 1, requires_grad=True), leaf(t, 4), t.ones(2, dtype=t.float16, requires_grad=True)
    for y in (x * w, half.exp(), half * 2):
        y.grad_fn.register_prehook(lambda outputs: seen.append(outputs[0].clone()))
        y.grad_fn.register_hook(lambda inputs, outputs: seen.append([g.clone() for g in inputs if g is not None]))
        y.sum().backward()
    return seen, x.grad, w.grad, half.grad


@programs
def prehook_of_a_node_returns_none(t, nn):
    x = leaf(t, 3)
    y = x * 2
    y.grad_fn.register_prehook(lambda outputs: (None,))
    (y + x).sum().backward()
    return x.grad


@programs
def hooks_of_nodes_see_none_for_unused_results(t, nn):
    class Twice(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, first, second):
            return (first if second is None else second) * 2

    seen: list[Any] = []
    for results in (lambda x: x.split(1), lambda x: x.unbind(), Twice.apply, lambda x: x.reshape(1, 2).max(1)):
        for x in (leaf(t, 2), t.ones(2, dtype=t.float16, requires_grad=True)):
            first = results(x)[0]
            first.grad_fn.register_prehook(lambda outputs: seen.append(outputs))
            first.grad_fn.register_hook(lambda inputs, outputs: seen.append((inputs, outputs)))
            first.sum().backward()
            seen.append(x.grad)
    return seen


@programs
def hooks_see_none_for_unused_complex_results(t, nn):
    class Both(nn.Module):
        def forward(self, x):
            return x * 2j, x * 3j

    seen: list[Any] = []
    layer = Both()
    layer.register_full_backward_hook(lambda layer, inputs, outputs: seen.append((inputs, outputs)))
    x = t.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    first = x.split(1)[0]
    first.grad_fn.register_hook(lambda inputs, outputs: seen.append((inputs, outputs)))
    (first.abs().sum() + layer(x)[0].abs().sum()).backward()
    return seen, x.grad


@programs
def prehook_of_a_node_with_several_results_returns_none(t, nn):
    found = []
    for drop_gradients in (lambda outputs: (None, outputs[1]), lambda outputs: (None, None)):
        x = leaf(t, 4)
        first, second = x.split(2)
        first.grad_fn.register_prehook(drop_gradients)
        (first * second).sum().backward()
        found.append(x.grad)
    return found


for case, hook in {
    "nothing": lambda inputs, outputs: (),
    "a gradient": lambda inputs, outputs: (outputs[0],),
    "no tuple": lambda inputs, outputs: False,
}.items():

    @programs
    def hook_of_leaf_node_returns(t, nn, hook=hook):
        x = leaf(t, 3)
        y = x * 2  # PyTorch's leaf node lives as long as y
        y.grad_fn.next_functions[0][0].register_hook(hook)
        y.sum().backward()
        return x.grad

    programs[f"hook of a leaf node returns {case}"] = programs.pop("hook_of_leaf_node_returns")


@programs
def hooks_of_leaf_nodes_run_only_if_the_gradient_is_accumulated(t, nn):
    seen: list[Any] = []
    x = leaf(t, 3)
    y = x * 2
    node = y.grad_fn.next_functions[0][0]
    node.register_hook(lambda inputs, outputs: seen.append(outputs[0].clone()))
    node.register_prehook(lambda outputs: (outputs[0] * 5,))
    x.register_hook(lambda grad: grad + 1)
    from_grad = t.autograd.grad(y.sum(), x, retain_graph=True)
    y.sum().backward(inputs=[x], retain_graph=True)
    y.sum().backward()
    return from_grad, seen, x.grad


@programs
def prehook_of_a_leaf_node_returns_none(t, nn):
    x = leaf(t, 3)
    y = x * 2
    y.sum().backward(retain_graph=True)
    y.grad_fn.next_functions[0][0].register_prehook(lambda outputs: (None,))
    y.sum().backward()
    return x.grad


for case, hook in {
    "a gradient for a constant": lambda inputs, outputs: (inputs[0], outputs[0]),
    "another shape": lambda inputs, outputs: (inputs[0][:1], None),
    "another dtype": lambda inputs, outputs: (inputs[0].float(), None),
    "no tensor": lambda inputs, outputs: (3, None),
    "no tuple": lambda inputs, outputs: inputs[0],
}.items():

    @programs
    def hook_of_node_returns(t, nn, hook=hook):
        y = leaf(t, 3) * t.ones(3).double()
        y.grad_fn.register_hook(hook)
        y.sum().backward()

    programs[f"hook of a node returns {case}"] = programs.pop("hook_of_node_returns")


def test_hooks_of_nodes_create_no_reference_cycle():
    while gc.collect():  # what PyTorch's Functions leave takes more than one pass
        pass
    gc.disable()
    try:
        x = leaf(microgad, 3)
        y = x * 2
        y.grad_fn.register_hook(lambda inputs, outputs: None)
        node = weakref.ref(y.grad_fn)
        y.sum().backward()
        del y
        assert node() is None
        del x
        assert gc.collect() == 0
    finally:
        gc.enable()


# Programs whose hooks write to `log`, which shows their order.


def log_parameter_hooks(net, log):
    """Log the calls of hooks on all parameters."""
    for name, parameter in net.named_parameters():
        parameter.register_hook(lambda grad, name=name: log.append(f"hook {name}"))
        parameter.register_post_accumulate_grad_hook(lambda parameter, name=name: log.append(f"added {name}"))


def log_module_hooks(net, log):
    """Log the calls of backward hooks on all modules, and which gradients are None."""
    for name, module in net.named_modules():
        module.register_full_backward_pre_hook(
            lambda module, grads, name=name: log.append(("before", name, [g is None for g in grads]))
        )
        module.register_full_backward_hook(
            lambda module, grads, _, name=name: log.append(("after", name, [g is None for g in grads]))
        )


@programs
def order_of_leaf_and_module_hooks(t, nn):
    log: list[Any] = []
    for net, input in (
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)), t.ones(3, 2)),
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 1)), t.ones(3, 1, 4, 4)),
    ):
        log_module_hooks(net, log)
        log_parameter_hooks(net, log)
        net(input).sum().backward()
        net(input.requires_grad_()).sum().backward()
    return log


@programs
def order_of_hooks_of_a_layer_that_is_used_twice(t, nn):
    log: list[Any] = []
    layer = nn.Linear(2, 2)
    log_module_hooks(layer, log)
    log_parameter_hooks(layer, log)
    layer(t.tanh(layer(t.ones(1, 2, requires_grad=True)))).sum().backward()
    return log


@programs
def order_of_leaf_hooks_in_a_formula(t, nn):
    log: list[Any] = []
    leaves = {name: leaf(t, 2) for name in "abcdef"}
    for name, x in leaves.items():
        x.register_post_accumulate_grad_hook(lambda x, name=name: log.append(f"added {name}"))
        x.register_hook(lambda grad, name=name: log.append(name))
    a, b, c, d, e, f = leaves.values()
    total = ((a * b + c) * (d + e) * f).sum()
    t.autograd.grad(total, [e, a], retain_graph=True)
    log.append("|")
    (total + (a * a).sum()).backward()
    return log, [x.grad for x in leaves.values()]


@programs
def order_of_hooks_at_a_leaf_node(t, nn):
    log: list[Any] = []
    x = leaf(t, 2)
    node = (x * 2).grad_fn.next_functions[0][0]
    node.register_hook(lambda inputs, outputs: log.append(("hook", x.grad is None)))
    node.register_prehook(lambda grads: log.append(("prehook", x.grad is None)) or (grads[0] * 3,))
    x.register_hook(lambda grad: log.append(("of the Tensor", x.grad is None)) or grad * 5)
    x.register_post_accumulate_grad_hook(lambda x: log.append(("added", x.grad)))
    (x * 2).sum().backward()
    return log


@programs
def order_of_multi_grad_hooks(t, nn):
    log: list[Any] = []
    tensors = {name: leaf(t, 2) for name in "abc"}
    a, b, c = tensors.values()
    graph = submodule(t, "autograd.graph")
    graph.register_multi_grad_hook((a, b, c), lambda grads: log.append([g is not None for g in grads]))
    graph.register_multi_grad_hook((a, b, c), lambda grad: log.append("any"), mode="any")
    for name, x in tensors.items():
        x.register_hook(lambda grad, name=name: log.append(name))
        x.register_post_accumulate_grad_hook(lambda x, name=name: log.append(f"added {name}"))
    (a * b).sum().backward()
    (a * b * c).sum().backward()
    return log


@programs
def callbacks_queued_for_the_end_of_backward(t, nn):
    log: list[Any] = []
    x = leaf(t, 2)
    queue = t.autograd.Variable._execution_engine.queue_callback

    def hook(grad):
        log.append("hook")
        queue(lambda: log.append(("end", x.grad is None)))

    y = x * 2
    y.register_hook(hook)
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda *_: queue(lambda: log.append("end of the layer's")))
    x.register_post_accumulate_grad_hook(lambda x: log.append("added"))
    layer(y).sum().backward()
    with pytest.raises(RuntimeError, match="during backward"):
        queue(print)
    return log


@programs
def calling_nodes_by_hand(t, nn):
    x, w = leaf(t, 3), leaf(t, 3, seed=2)
    y, ones = (x * w).sin(), t.ones(3, dtype=t.float64)
    product = y.grad_fn.next_functions[0][0]
    handle = product.register_hook(lambda *_: pytest.fail("a node that is called calls no hooks"))
    first = product(y.grad_fn(ones))
    handle.remove()
    second = t.autograd.grad(first[0].sum(), w, retain_graph=True)
    for (leaf_node, _), g in zip(product.next_functions, first, strict=True):
        assert [leaf_node(g), leaf_node(None), leaf_node(g)] == [(), (), ()]
    with t.no_grad():
        constant = product(ones)
    z = t.complex(leaf(t, 3), leaf(t, 3, seed=2))
    squared = (z * z).grad_fn(ones + 0j)
    one = leaf(t, 4).split(2)[0].grad_fn(ones[:2], None)
    for wrong in (lambda: product(), lambda: product(ones, ones), lambda: product(1)):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(RuntimeError):
        product(ones[:2])
    return first, second, x.grad, w.grad, constant, one, product(None), squared


@programs
def unused_result_of_a_module(t, nn):
    class Two(nn.Module):
        def forward(self, x, y):
            return x * 2, y * 3

    log: list[Any] = []
    net = Two()
    log_module_hooks(net, log)
    x, y = leaf(t, 2), leaf(t, 2)
    net(x, y)[1].sum().backward()
    return log, x.grad, y.grad


def test_post_accumulate_hooks_run_before_the_next_gradient_is_computed():
    """Hooks that step and drop the gradient keep at most one gradient, as optimizers in backward need."""
    net = microgad.nn.Sequential(*[microgad.nn.Linear(4, 4) for _ in range(5)])
    gradient_counts = []

    def step(parameter):
        gradient_counts.append(sum(p.grad is not None for p in net.parameters()))
        parameter.grad = None

    for parameter in net.parameters():
        parameter.register_post_accumulate_grad_hook(step)
    net(microgad.ones(2, 4)).sum().backward()
    assert gradient_counts == [1] * 10


@programs
def a_hook_sees_the_gradients_that_are_complete(t, nn):
    a, b, seen = leaf(t, 2), leaf(t, 2, seed=1), []

    def see(*_):
        seen.append([x.grad if x.grad is None else x.grad.clone() for x in (a, b)])

    class Seeing(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            see()
            return grad

    for loss in (a * 2) * b, Seeing.apply(a * 2) * b:
        hooked = loss.grad_fn.next_functions[0][0]
        hooked.register_hook(see)
        loss.sum().backward()
    first = a * 3
    first.register_hook(see)
    (first * b).sum().backward()
    return seen, a.grad, b.grad


@programs
def a_module_s_hook_updates_its_parameters_and_frees_their_gradients(t, nn):
    net, losses = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)), []

    def update(module, grad_input, grad_output):
        with t.no_grad():
            for p in module.parameters():
                p.sub_(p.grad * 0.1)
                p.grad = None

    for module in net:
        module.register_full_backward_hook(update)
    x = leaf(t, 4, 2)
    for _ in range(3):
        loss = net(x).pow(2).mean()
        loss.backward()
        losses.append(loss.item())
    return losses


@programs
def what_was_complete_before_a_hook_raised_is_kept(t, nn):
    a, b = leaf(t, 2), leaf(t, 2, seed=1)
    h = a * 2

    def refuse(grad):
        raise ValueError("no")

    h.register_hook(refuse)
    try:
        (h * b).sum().backward()
    except ValueError as error:
        return str(error), a.grad, b.grad


@programs
def gradients_of_hooked_results(t, nn):
    """Before the hooks, if the pass goes on from there to another input; after them, if it ends there."""
    x, found = leaf(t, 2), []
    h = x * 2
    h.register_hook(lambda grad: grad * 10)
    first, rest = (h * x).split(1)
    first.register_hook(lambda grad: grad * 7)
    loss = (first * 3 + rest).sum() + h.sum()
    for inputs in [x, h], [h], [h, first], [first, x], [x], [first, rest]:
        found += t.autograd.grad(loss, inputs, retain_graph=True)
    g, k = t.autograd.grad((h**3).sum(), [h, x], create_graph=True)
    return found, t.autograd.grad((g + k).sum(), [x, h])


@programs
def hooks_before_the_accumulation_in_a_leaf_that_is_gone(t, nn):
    x, seen = leaf(t, 2), []
    y = (x * 3).sum()
    ((node, _), _) = y.grad_fn.next_functions[0][0].next_functions
    node.register_prehook(seen.extend)
    del x
    node.register_prehook(seen.extend)
    y.backward()
    return seen


@programs
def hooks_of_writes_of_numbers(t, nn):
    """A number that is assigned is an input without a gradient, one of masked_fill_ and its kin is none."""
    seen, mask = [], t.tensor([True, False, True])
    for write in (
        *(lambda y, i=i: y.__setitem__(i, 1.5) for i in (mask, t.tensor([0, 1]), 0, slice(1), ...)),
        *(lambda y: y.masked_fill_(mask, 1.5), lambda y: y.index_fill_(0, t.tensor([0]), 2.0), lambda y: y.zero_()),
    ):
        y = leaf(t, 3) * 1
        write(y)
        y.grad_fn.register_hook(lambda inputs, outputs: seen.append((inputs, outputs)))
        y.sum().backward()
        seen.append((y.grad_fn.name(), [node and node.name() for node, _ in y.grad_fn.next_functions]))
    return seen
