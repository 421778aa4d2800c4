"""Backward passes in which a custom Function returns None for an input: PyTorch goes on with an undefined gradient."""

from __future__ import annotations

from typing import Any

from .side_by_side import checked_programs, function, leaf, submodule

programs, test_program_behaves_as_in_torch = checked_programs(messages=False)


def stop(t: Any, x: Any) -> Any:
    return function(t, forward=lambda ctx, x: x.clone(), backward=lambda ctx, grad: None).apply(x)


def twice(t: Any, x: Any, log: list[Any], materialize: bool = True) -> Any:
    def forward(ctx, x):
        ctx.set_materialize_grads(materialize)
        return x * 2

    def backward(ctx, grad):
        log.append(grad)
        return grad if grad is None else grad * 2

    return function(t, forward=forward, backward=backward).apply(x)


@programs
def function_before_it_gets_zeros(t, nn):
    x, log = leaf(t, 3), []
    stop(t, twice(t, x, log) * 3).sum().backward()
    return x.grad, log


@programs
def function_before_it_gets_none(t, nn):
    x, log = leaf(t, 3), []
    stop(t, twice(t, x, log, materialize=False)).sum().backward()
    return x.grad, log


@programs
def create_graph(t, nn):
    x, log = leaf(t, 3), []
    y = twice(t, x, log)
    grads = t.autograd.grad((y * y * 3 + stop(t, y)).sum(), [x, y], create_graph=True)
    return grads, log


@programs
def decomposed_operation(t, nn):
    x = leaf(t, 3, 2)
    y = nn.BatchNorm1d(2).double()(x)
    return t.autograd.grad(stop(t, y).sum(), x, create_graph=True, allow_unused=True)


@programs
def defined_gradient_comes_later(t, nn):
    x, log = leaf(t, 3), []
    y = twice(t, x, log)
    (y + stop(t, y)).sum().backward()
    return x.grad, log


@programs
def defined_gradient_of_a_hooked_leaf(t, nn):
    x, log = leaf(t, 3), []
    x.register_hook(log.append)
    (stop(t, x).sum() + x.sum()).backward()
    return x.grad, log


@programs
def unused_results(t, nn):
    x, log = leaf(t, 3), []

    def backward(ctx, a, b):
        log.append((a, b))
        return a + b

    f = function(t, forward=lambda ctx, x: (x * 2, x * 3), backward=backward)
    a, _ = f.apply(x.sort()[0])
    stop(t, a).sum().backward()
    return x.grad, log


@programs
def hooks_of_tensors(t, nn):
    x, log = leaf(t, 3), []
    y = x * 3
    y.retain_grad()
    for tensor in (x, y):
        tensor.register_hook(log.append)
    x.register_post_accumulate_grad_hook(lambda x: log.append(x.grad))
    stop(t, y).sum().backward()
    return x.grad, y.grad, log


@programs
def hooks_of_nodes(t, nn):
    x, log = leaf(t, 3), []
    y = x.sort()[0]
    z = twice(t, y, log)
    end = x.view_as(x).grad_fn.next_functions[0][0]
    for node in (y.grad_fn, z.grad_fn, end):
        node.register_prehook(log.append)
        node.register_hook(lambda *grads: log.append(grads))
    stop(t, z).sum().backward()
    return x.grad, log


@programs
def hook_returns_a_gradient(t, nn):
    y = leaf(t, 3) * 2
    y.register_hook(lambda grad: t.ones(3))
    stop(t, y).sum().backward()


@programs
def prehook_returns_a_gradient(t, nn):
    y = leaf(t, 3) * 2
    y.grad_fn.register_prehook(lambda grads: (t.ones(3),))
    stop(t, y).sum().backward()


@programs
def hooks_of_modules(t, nn):
    module, x, log = nn.Linear(3, 2).double(), leaf(t, 3), []
    module.register_full_backward_hook(lambda module, inputs, outputs: log.append((inputs, outputs)))
    module.register_full_backward_pre_hook(lambda module, outputs: log.append(outputs))
    stop(t, module(x)).sum().backward()
    return x.grad, module.weight.grad, log


@programs
def freed_node_is_reached(t, nn):
    y = leaf(t, 3).exp()
    y.sum().backward()
    stop(t, y).sum().backward()


@programs
def checkpointed_block(t, nn):
    x, log = leaf(t, 3), []
    y = submodule(t, "utils.checkpoint").checkpoint(lambda x: twice(t, x, log), x * 1, use_reentrant=True)
    stop(t, y).sum().backward()
    return x.grad, log


@programs
def node_is_called_with_none(t, nn):
    x = leaf(t, 3)
    return (x * x).grad_fn(None), (x * 2).grad_fn(None), x.sort()[0].grad_fn(None)
