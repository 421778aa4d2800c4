"""Hooks, saved tensors, checkpoints, and writes or changed flags before backward: programs run by both libraries."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from typing import Any

import pytest
import torch

import microgad

from .side_by_side import checked_programs, leaf, submodule

programs, test_program_behaves_as_in_torch = checked_programs(messages=False, warning_classes=False)


@programs
def hook_dictionaries_of_a_tensor(t, nn):
    x = leaf(t, 3)
    y = x * 2
    seen = [x._backward_hooks, y._backward_hooks, x._post_accumulate_grad_hooks, t.ones(1)._backward_hooks]
    first, second = x.register_hook(lambda g: g * 2), x.register_post_accumulate_grad_hook(lambda p: None)
    seen += [list(x._backward_hooks) == [first.id], list(x._post_accumulate_grad_hooks) == [second.id]]
    x._backward_hooks.clear()
    y.sum().backward()
    second.remove()
    return seen, x.grad, list(x._backward_hooks), list(x._post_accumulate_grad_hooks)


@programs
def hooks_of_several_results_run_in_the_order_of_registration(t, nn):
    seen = []
    x = leaf(t, 3, 2)
    results = (x * 2).unbind()
    for i in (1, 0, 2):
        results[i].register_hook(lambda grad, i=i: seen.append((i, grad)))
        results[i].register_hook(lambda grad, i=i: None if grad is None else grad * i)
    (results[0] + results[2] * 2).sum().backward(retain_graph=True)
    return t.autograd.grad((results[0] * results[1]).sum(), x), x.grad, seen


@programs
def unused_result_with_hooks_on_all_gradients(t, nn):
    seen = []
    a, b = (leaf(t, 2, 3) * 2).unbind()
    t.autograd.graph.register_multi_grad_hook([b, a], seen.append)
    t.autograd.graph.register_multi_grad_hook([b], seen.append)
    a.sum().backward()
    return seen


@programs
def handles_of_a_programs_own_hooks(t, nn):
    RemovableHandle = submodule(t, "utils.hooks").RemovableHandle
    hooks, options, more = OrderedDict(), OrderedDict(), OrderedDict()
    first = RemovableHandle(hooks)
    others = [RemovableHandle(hooks, extra_dict=options), RemovableHandle(hooks, extra_dict=[options, more])]
    for place, handle in enumerate((first, *others)):
        hooks[handle.id], options[handle.id], more[handle.id] = place, -place, place * 10
    seen = [list(d.values()) for d in (hooks, options, more)]
    for handle in (first, *others):
        handle.remove()
        handle.remove()
        seen += [list(d.values()) for d in (hooks, options, more)]
    with RemovableHandle(hooks) as handle:
        hooks[handle.id] = "hook"
    return seen, list(hooks), isinstance(leaf(t, 3).register_hook(print), RemovableHandle)


@programs
def leaf_without_requires_grad_at_backward_gets_no_gradient(t, nn):
    x, y, z = (leaf(t, 3, seed=i) for i in range(3))
    loss = (x * y * z).sum()
    x.requires_grad_(False)
    y.detach_()
    loss.backward()
    return x.grad, y.grad, z.grad


@programs
def a_gradient_with_a_graph_keeps_it(t, nn):
    seen: list[Any] = []
    x = leaf(t, 3)
    (x**3).sum().backward(create_graph=True)
    first = x.grad
    first.register_hook(lambda g: seen.append(g.clone()))
    first.sum().backward(retain_graph=True)
    assert x.grad.requires_grad
    return seen, x.grad.detach(), t.autograd.grad(x.grad.sum(), x)


@programs
def hook_order_after_assigning_data_of_the_same_shape(t, nn):
    seen: list[str] = []
    x, y = leaf(t, 3, 3), leaf(t, 3, 3)
    x.register_post_accumulate_grad_hook(lambda p: seen.append("x"))
    before = (x * 3).sum()
    x.data = t.zeros(3, 3).double()
    with t.no_grad():
        x.t_()
    middle = y * 2
    middle.register_hook(lambda g: seen.append("middle"))
    (middle * x).sum().backward()
    return seen, t.autograd.grad(before, x), x.grad, y.grad


@programs
def a_hooked_leaf_of_another_shape(t, nn):
    seen: list[str] = []
    x, y = leaf(t, 2, 3), leaf(t, 3, 2)
    x.register_post_accumulate_grad_hook(lambda p: seen.append("x"))
    with t.no_grad():
        x.t_()
    middle = y * 2
    middle.register_hook(lambda g: seen.append("middle"))
    (middle * x).sum().backward()
    return seen, x.grad, y.grad


@programs
def data_of_another_shape(t, nn):
    y = leaf(t, 4, 4) * 2
    y.data = t.ones(3).double()
    (y * 2).sum().backward()


@programs
def retain_grad_after_a_write(t, nn):
    x = leaf(t, 4)
    y, z = x * 2, x * 3
    view = z[1:]
    seen: list[Any] = []
    for kept in (y, z, view):
        kept.retain_grad()
    for kept in (y, z):
        kept.register_hook(lambda g: seen.append(g.clone()))
    y.mul_(3)
    view.mul_(t.arange(1.0, 4).double())
    (y * y + z * z).sum().backward()
    return [(kept.retains_grad, kept.grad) for kept in (y, z)], view.retains_grad, x.grad, seen


@programs
def a_hooked_leaf_with_other_data(t, nn):
    x, y = leaf(t, 2), leaf(t, 2)
    seen: list[str] = []
    y.register_hook(lambda g: seen.append("y"))
    y.data = t.ones(2).double()
    made = x * 1
    made.register_hook(lambda g: seen.append("made"))
    (made * y).sum().backward()
    return seen


for case, hook in {
    "no tensor": lambda g: 3,
    "another shape": lambda g: g[:2],
    "another dtype": lambda g: g.float(),
}.items():

    @programs
    def change_gradient_in_hook(t, nn, hook=hook):
        x = leaf(t, 3)
        x.register_hook(hook)
        (x * 2).sum().backward()

    programs[f"a hook returns {case}"] = programs.pop("change_gradient_in_hook")


@programs
def post_accumulate_hook_that_returns_a_tensor(t, nn):
    x = leaf(t, 3)
    x.register_post_accumulate_grad_hook(lambda x: x.grad)
    (x * 2).sum().backward()


@programs
def post_accumulate_hook_that_updates_the_leaf(t, nn):
    x = leaf(t, 3)
    x.register_post_accumulate_grad_hook(lambda x: x.add_(x.grad, alpha=-0.1))
    (x * 2).sum().backward()
    return x


@programs
def multi_grad_hook_with_missing_gradients(t, nn):
    seen: list[Any] = []
    a, b, c = (leaf(t, 2, seed=i) for i in range(3))
    inner = a * 2
    handle = submodule(t, "autograd.graph").register_multi_grad_hook([a, b, c, inner], seen.append)
    (inner * b).sum().backward()
    (a * c).sum().backward(retain_graph=True)
    b.sum().backward()
    handle.remove()
    (a * b).sum().backward()
    return [[None if g is None else g.clone() for g in grads] for grads in seen]


@programs
def mark_dirty_increases_the_version(t, nn):
    class Double(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    x, y = leaf(t, 3) * 1, t.ones(3)
    Double.apply(x)
    Double.apply(y)
    return x._version, y._version


@programs
def saved_tensors_hooks_pack_what_a_custom_function_saves(t, nn):
    log: list[str] = []

    class Exp(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            out = x.exp()
            ctx.save_for_backward(x, None, out)
            return out

        @staticmethod
        def backward(ctx, grad):
            _, none, out = ctx.saved_tensors
            assert none is None
            return grad * out

    def pack(x):
        log.append("pack")
        return x.detach().numpy().copy()

    def unpack(array):
        log.append("unpack")
        return t.from_numpy(array)

    x = leaf(t, 3)
    with submodule(t, "autograd.graph").saved_tensors_hooks(pack, unpack):
        y = Exp.apply(x)
    y.sum().backward()
    return log, x.grad


@programs
def saved_tensors_hooks_get_the_argument_itself(t, nn):
    seen: list[Any] = []

    class Times(t.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w, x * w)
            return x * w

        @staticmethod
        def backward(ctx, grad):
            x, w, _ = ctx.saved_tensors
            return grad * w, grad * x

    def pack(tensor):
        seen.append(next((name for name, x in tensors.items() if x is tensor), "a result"))
        return tensor.detach()

    w = nn.Parameter(t.ones(3).double())
    tensors = {"w": w, "x": leaf(t, 3) * 2, "c": t.ones(3).double()}
    with submodule(t, "autograd.graph").saved_tensors_hooks(pack, lambda tensor: tensor):
        y = Times.apply(tensors["x"], w) + tensors["x"] * w * tensors["c"]
        y = y.exp() * 1
        y.mul_(tensors["x"])
    return sorted(seen), t.autograd.grad((y * tensors["c"]).sum(), w)


@programs
def innermost_saved_tensors_hooks_pack(t, nn):
    log: list[str] = []

    def hooks(name):
        return submodule(t, "autograd.graph").saved_tensors_hooks(lambda x: (log.append(name), x)[1], lambda x: x)

    x = leaf(t, 3)
    with hooks("outer"):
        y = x.sin()
        with hooks("inner"):
            y = y.exp()
        y = y.sin()
    y.sum().backward()
    return log, x.grad


for case, (pack, unpack) in {
    "packing writes": (lambda x: x.mul_(2), lambda x: x),
    "unpacking gives no tensor": (lambda x: x, lambda x: 3),
}.items():

    @programs
    def pack_and_unpack(t, nn, pack=pack, unpack=unpack):
        x = leaf(t, 3)
        with submodule(t, "autograd.graph").saved_tensors_hooks(pack, unpack):
            y = x.sin()
        y.sum().backward()

    programs[case] = programs.pop("pack_and_unpack")


@programs
def active_saved_tensors_hooks_can_not_be_disabled(t, nn):
    graph = submodule(t, "autograd.graph")
    with graph.saved_tensors_hooks(lambda x: x, lambda x: x), graph.disable_saved_tensors_hooks("no"):
        pass


@programs
def checkpoint_with_context_fn(t, nn):
    log: list[str] = []

    @contextlib.contextmanager
    def context(name):
        log.append(name)
        yield
        log.append(name)

    x = leaf(t, 3)
    y = submodule(t, "utils.checkpoint").checkpoint(
        lambda x: x.sin().exp(),
        x,
        use_reentrant=False,
        context_fn=lambda: (context("first"), context("again")),
        debug=False,
        early_stop=False,
    )
    y.sum().backward()
    return log, x.grad


@programs
def checkpoint_that_runs_more_operations_when_recomputed(t, nn):
    calls: list[int] = []

    def call(x):
        calls.append(1)
        return x.sin() if len(calls) == 1 else x.sin().exp().sin()

    x = leaf(t, 3)
    submodule(t, "utils.checkpoint").checkpoint(call, x, use_reentrant=False).sum().backward()
    return x.grad


@pytest.mark.parametrize("library", [microgad, torch])
@pytest.mark.parametrize(
    ("first", "again"), [(lambda x: x.sin().exp(), lambda x: x.sin()), (lambda x: x.sin(), lambda x: x[:2].sin())]
)
def test_checkpoint_that_saves_other_tensors_when_recomputed_raises(library, first, again):
    checkpoint = submodule(library, "utils.checkpoint")
    calls = [again, first]
    y = checkpoint.checkpoint(lambda x: calls.pop()(x * 1).sum(), leaf(library, 3), use_reentrant=False)
    with pytest.raises(checkpoint.CheckpointError):
        y.backward()


@programs
def unique_values(t, nn):
    x, y = leaf(t, 3), leaf(t, 3, 2)
    found = [*t.unique(x, return_counts=True), t.unique(y, dim=0), t.unique(x[[0, 0, 1]]), t.unique_consecutive(x)]
    return [f.detach() for f in found], [f.requires_grad for f in found]


def test_gradient_of_unique_goes_to_the_first_occurrence():
    x = microgad.tensor([3.0, 1.0, 3.0, 2.0], requires_grad=True)
    (microgad.unique(x) * microgad.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [3.0, 1.0, 0.0, 2.0]


@programs
def views_made_under_no_grad_have_requires_grad_of_their_base(t, nn):
    x = leaf(t, 2, 3)
    with t.no_grad():
        views = [x[0], x.t(), x.view(-1), x.detach()[0], x.view(t.int64)]
        printed = repr(views[0]), repr((views[0] * 2).sum())
    late = t.ones(3)
    shown = late[:2]
    late.requires_grad_()
    before = [y.requires_grad for y in (*views, shown)]
    x.requires_grad_(False)
    return printed, before, [y.requires_grad for y in views]


@programs
def numpy_of_a_view_made_under_no_grad(t, nn):
    x = leaf(t, 2, 3)
    with t.no_grad():
        view = x[0]
        view.numpy()
    view.numpy()


@programs
def base_transposed_in_place_leaves_its_views_unchanged(t, nn):
    x = t.arange(4.0).reshape(2, 2).clone()
    with t.no_grad():
        row = x[0]
    other = x[1]
    other.requires_grad_()
    x.t_()
    (other * row).sum().backward()
    return row.requires_grad, other.grad


@programs
def backward_inputs_that_are_not_leaves(t, nn):
    x, w = leaf(t, 3), leaf(t, 3)
    y = x * 2
    z = (y * y).sum()
    z.backward(inputs=[y, x, x, w], retain_graph=True)
    z.backward(inputs=(tensor for tensor in [y]))
    return x.grad, y.grad, w.grad, y.retains_grad


@programs
def hooks_of_a_view_see_the_gradients_of_what_was_computed_before_it_was_written_to(t, nn):
    x, seen = leaf(t, 3), []
    for read_before in (False, True):
        base = x.clone()
        view, other = base[1:], base[:2]
        view.register_hook(lambda grad: seen.append(("before", grad)))
        other.register_hook(lambda grad: seen.append(("other", grad)))
        result = view.sum() * 5 if read_before else 0
        view.mul_(2)
        view.register_hook(lambda grad: seen.append(("after", grad)))
        (result + (view * 3).sum() + other.sum() + base.sum()).backward()
    return seen, x.grad


@programs
def hook_dictionary_that_is_replaced(t, nn):
    seen, hooks = [], OrderedDict()
    x = leaf(t, 3)
    x.register_hook(lambda grad: seen.append("lost"))
    x._backward_hooks = None
    lost = x._backward_hooks
    x._backward_hooks = hooks
    hooks[0] = lambda grad: grad * 2
    t.ones(2)._backward_hooks = OrderedDict()
    x.sum().backward()
    return lost, x._backward_hooks is hooks, seen, x.grad


@programs
def saved_tensors_by_their_old_name(t, nn):
    class Square(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_variables
            return 2 * grad * x

    x = leaf(t, 3)
    Square.apply(x).sum().backward()
    return x.grad


@programs
def a_post_accumulate_hook_that_returns_a_number(t, nn):
    x = leaf(t, 2)
    x.register_post_accumulate_grad_hook(lambda x: 3)
    x.sum().backward()
