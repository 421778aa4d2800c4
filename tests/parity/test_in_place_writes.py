"""In-place writes between forward and backward: nodes save the same values as PyTorch's, or detect the write."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import microgad

from .side_by_side import check, leaf

FACTORS = [[1.0, -2.0, 0.5], [3.0, 0.25, -1.0], [2.0, 1.0, 4.0]]

# Operations on x (3, 3) and integers i (2, 3), which are valid row indices.
OPERATIONS: dict[str, Callable[..., Any]] = {
    "hardtanh": lambda t, x, i: t.nn.functional.hardtanh(x),
    "relu6": lambda t, x, i: t.nn.functional.relu6(x),
    "hardsigmoid": lambda t, x, i: t.nn.functional.hardsigmoid(x),
    "hardsigmoid, in place": lambda t, x, i: t.nn.functional.hardsigmoid(x, inplace=True),
    "logsigmoid": lambda t, x, i: t.nn.functional.logsigmoid(x),
    "erfinv": lambda t, x, i: t.erfinv(x),
    "erfinv, in place": lambda t, x, i: x.erfinv_(),
    "a number over x": lambda t, x, i: 3 / x,
    "one over x": lambda t, x, i: 1 / x,
    "x over a number": lambda t, x, i: x / 3,
    "x over itself": lambda t, x, i: x / (x + 1),
    "svdvals": lambda t, x, i: t.linalg.svdvals(x),
    "eigvalsh": lambda t, x, i: t.linalg.eigvalsh(x),
    "nuclear norm": lambda t, x, i: t.linalg.matrix_norm(x, "nuc"),
    "norm": lambda t, x, i: t.linalg.matrix_norm(x, 2),
    "cond": lambda t, x, i: t.linalg.cond(x),
    "embedding": lambda t, x, i: t.nn.functional.embedding(i, x),
    "embedding, padded": lambda t, x, i: t.nn.functional.embedding(i, x, padding_idx=1),
}


@pytest.mark.parametrize("written", ["input", "result"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_writes_raise_in_backward_where_torch_does(name, written):
    def program(t, nn):
        x, i = leaf(t, 3, 3), t.tensor([[0, 2, 1], [2, 2, 0]])
        y = x * 1
        out = OPERATIONS[name](t, y, i)
        (y if written == "input" else out).detach().mul_(2)
        factors = t.tensor(FACTORS, dtype=t.float64)
        factors = factors[: out.shape[-1]] if out.ndim == 3 else factors[0] if out.ndim == 1 else factors
        return t.autograd.grad((out * (factors if out.ndim else 1)).sum(), x)

    slack = 1000 if "hardsigmoid" in name else 1  # torch's derivative is the float32 nearest to 1/6
    check(program, slack, messages=False)


def test_relu6_in_place_saves_only_a_mask():
    def program(t, nn):
        x = leaf(t, 3, 3)
        y = x * 9
        out = nn.functional.relu6(y, inplace=True)
        return out is y, t.autograd.grad((out * out).sum(), x)

    check(program)
    y = leaf(microgad, 3, 3) * 9
    assert [kept.dtype for kept in microgad.nn.functional.relu6(y, inplace=True).grad_fn.kept] == [bool]


INDEXING: dict[str, Callable[..., Any]] = {
    "embedding": lambda t, x, i: t.nn.functional.embedding(i, x.reshape(9, 1)),
    "embedding_bag": lambda t, x, i: t.nn.functional.embedding_bag(i, x.reshape(9, 1), mode="sum"),
    "max_unpool1d": lambda t, x, i: t.nn.functional.max_unpool1d(x[:2], i, 2),
    "gather": lambda t, x, i: x.gather(0, i),
    "index": lambda t, x, i: x[i],
    "index_select": lambda t, x, i: x.index_select(0, i[0]),
    "take": lambda t, x, i: x.take(i),
    "scatter": lambda t, x, i: t.zeros(3, 3, dtype=t.float64).scatter(0, i, x),
}


@pytest.mark.parametrize("name", INDEXING)
def test_writes_to_an_index_do_not_change_gradients(name):
    """PyTorch raises; here the gradient uses the indices of the forward."""
    t = microgad

    def gradient(written):
        x, i = leaf(t, 3, 3), t.tensor([[0, 2, 1], [2, 1, 0]])
        out = INDEXING[name](t, x, i)
        if written:
            i.fill_(0)
        (grad,) = t.autograd.grad((out * t.arange(1.0, out.numel() + 1).reshape(out.shape)).sum(), x)
        return grad.tolist()

    assert gradient(written=True) == gradient(written=False)


@pytest.mark.parametrize("number", [3, 0.1, 1, 2j])
def test_number_divided_by_tensor_has_torchs_last_bits(number):
    def program(t, nn):
        x = t.arange(1, 200) / 7
        out = number / x
        return out.real.view(t.int32), (number / leaf(t, 3)).grad_fn.name(), (number / t.arange(1, 5)).dtype

    check(program)


# Writes through views of y (3, 3) that reach beyond the view that they are made from, or that overlap themselves.
VIEWS: dict[str, Callable[[Any, Any], Any]] = {
    "beyond a view": lambda t, y: y[:2].as_strided((2,), (1,), 7).mul_(2),
    "beyond a part of a view": lambda t, y: y[:2].as_strided((2, 2), (2, 1), 5)[1].tanh_(),
    "beyond a view, by a value of the base": lambda t, y: y[0].as_strided((2,), (1,), 4).mul_(y.sum().exp()),
    "beyond a view, twice": lambda t, y: (
        y.t()[1].as_strided((2, 2), (3, 1), 1).mul_(2).as_strided((3,), (1,), 0).exp_()
    ),
    "beyond a view, a row": lambda t, y: operator.setitem(y[1].as_strided((3, 3), (3, 1), 0), 0, y[2].exp()),
    "a row of an expanded view": lambda t, y: y[0].expand(4, 3)[1].mul_(3),
    "an element of an expanded view": lambda t, y: operator.setitem(y[0].expand(4, 3), (1, 2), y[1, 1] * 2),
    "a single column of an expanded view": lambda t, y: y[:, :1].expand(3, 4)[:, 1:2].add_(1).exp_(),
    "an expanded view": lambda t, y: y.detach()[0].expand(4, 3).fill_(7),
    "an expanded view, with 0": lambda t, y: y.detach().expand(2, 3, 3).transpose(0, 1).zero_(),
    "two rows of an expanded view": lambda t, y: y.detach()[0].expand(4, 3)[:2].fill_(7),
    "an expanded view, in brackets": lambda t, y: operator.setitem(y.detach()[0].expand(4, 3), t.tensor([1]), 7.0),
    "an expanded view, by a mask": lambda t, y: (
        y.detach()[:, :1].expand(3, 4).masked_fill_(t.tensor([[True], [False], [True]]), t.tensor(7.0))
    ),
    "an expanded view, by an index": lambda t, y: y.detach()[0].expand(4, 3).index_fill_(1, t.tensor([0, 2]), 7),
    "an expanded view, by indices": lambda t, y: (
        y.detach()[0].expand(4, 3).index_put_((t.tensor([1, 1]), t.tensor([0, 2])), t.tensor([7.0]).double())
    ),
    "an expanded view, by a sum": lambda t, y: y[0].expand(4, 3).add_(1),
    "rows of an expanded view, by a sum": lambda t, y: y[0].expand(4, 3)[1:].add_(1),
    "rows of an expanded view": lambda t, y: operator.setitem(y[0].expand(4, 3), slice(2), 1.0),
    "an expanded view, by values": lambda t, y: y[0].expand(4, 3).copy_(t.ones(4, 3)),
    "an expanded view, at random": lambda t, y: y[0].expand(4, 3).uniform_(),
}


@pytest.mark.parametrize("requires_grad", [True, False])
@pytest.mark.parametrize("name", VIEWS)
def test_write_through_a_view_reaches_all_views_of_the_memory(name, requires_grad):
    def program(t, nn):
        x = leaf(t, 3, 3)
        y = x * 1 if requires_grad else x.detach() * 1
        row, rows = y[2], y[0].expand(4, 3)
        VIEWS[name](t, y)
        observed = (y * 2).sum() + (row**3).sum() + (rows * t.arange(12.0, dtype=t.float64).reshape(4, 3)).sum()
        return y, row, rows, t.autograd.grad(observed, x) if requires_grad else observed

    check(program, messages=False)


def test_hooked_leaf_and_write_beyond_a_view():
    """A hooked leaf and the node that such a write reads both get a number between others, and not the same one."""

    def program(t, nn):
        x, w, seen = leaf(t, 3, 3), leaf(t, 2), []
        w.register_hook(seen.append)
        y = x * 1
        observed = y[:2].as_strided((2,), (1,), 7)
        observed.mul_(w * 2)  # w is the first input of the node after the view's
        (y * y).sum().backward()
        return x.grad, w.grad, seen

    check(program)


def test_write_to_an_expanded_tensor_has_torchs_message():
    def program(t, nn):
        t.ones(3).expand(2, 3).add_(1)

    with pytest.raises(RuntimeError) as theirs:
        program(torch, None)
    with pytest.raises(RuntimeError, match=re.escape(str(theirs.value))):
        program(microgad, None)


BY_INDEX: dict[str, Callable[[Any, Any, Any], Any]] = {
    "scatter_, a number": lambda t, x, i: x.scatter_(0, i, 7.0),
    "scatter_, one value": lambda t, x, i: x.scatter_(0, i[:1], t.ones(1)),
    "scatter_, no value": lambda t, x, i: x.scatter_(0, i[:0], 7.0),
    "scatter_, added": lambda t, x, i: x.scatter_(0, i[:1], 7.0, reduce="add"),
    "scatter_add_": lambda t, x, i: x.scatter_add_(0, i[:1], t.ones(1)),
    "scatter_reduce_": lambda t, x, i: x.scatter_reduce_(0, i[:1], t.ones(1), "amax"),
    "put_, one value": lambda t, x, i: x.put_(i[:1], t.ones(1)),
    "put_, no value": lambda t, x, i: x.put_(i[:0], t.ones(0)),
    "index_copy_, one value": lambda t, x, i: x.index_copy_(0, i[:1], t.ones(1)),
    "masked_scatter_, one value": lambda t, x, i: x.masked_scatter_(i == 0, t.ones(1)),
    "index_fill_": lambda t, x, i: x.index_fill_(0, i, 7.0),
    "masked_fill_": lambda t, x, i: x.masked_fill_(i[:1] == 0, 7.0),
    "index_put_, one value": lambda t, x, i: x.index_put_((i,), t.ones(1)),
    "assignment": lambda t, x, i: operator.setitem(x, i, 7.0),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", BY_INDEX)
def test_writes_by_index_to_an_expanded_tensor(name):
    """PyTorch still allows some to write one value."""

    def program(t, nn):
        x = t.zeros(1).expand(3)
        BY_INDEX[name](t, x, t.tensor([0, 1]))
        return x

    check(program, messages=False)


def test_custom_function_writes_beyond_a_view():
    def program(t, nn):
        class Twice(t.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.mark_dirty(x)
                return x.mul_(2)

            @staticmethod
            def backward(ctx, grad):
                return grad * 2

        x = leaf(t, 3, 3)
        y = x * 1
        Twice.apply(y[:2].as_strided((2,), (1,), 7))
        return y, t.autograd.grad((y * y).sum(), x)

    check(program)


def test_gradient_of_fill_on_an_expanded_view():
    """PyTorch raises in backward."""
    x = leaf(microgad, 3)
    y = x * 1
    y.expand(2, 3)[:, 1:].fill_(7)
    assert y[1:].tolist() == [7, 7]
    assert microgad.autograd.grad(y.sum(), x)[0].tolist() == [1, 0, 0]


@pytest.mark.filterwarnings("ignore:Use of writes by index or mask")
def test_gradient_of_masked_fill_on_an_expanded_view():
    """PyTorch raises in backward."""
    x, value = leaf(microgad, 3), microgad.tensor(7.0, dtype=microgad.float64, requires_grad=True)
    y = x * 1
    rows = y.expand(2, 3)
    rows.masked_fill_(microgad.tensor([[True, False, False], [False, False, True]]), value)
    assert rows[:, ::2].tolist() == [[7, 7], [7, 7]]
    of_x, of_value = microgad.autograd.grad((rows * rows).sum() + (y * y * y).sum(), (x, value))
    assert of_value.item() == 4 * 2 * 7 + 2 * 3 * 7**2
    assert of_x.tolist() == [0, 2 * 2 * x[1].item() + 3 * x[1].item() ** 2, 0]


def test_views_of_a_base_that_is_detached_in_place():
    """After a further write, PyTorch has no gradient for the view; here backward raises, as saved values changed."""

    def program(t, nn):
        x = leaf(t, 4)
        y = x * 2
        view, whole = y[:2], y[:]
        y.detach_()
        return (
            view,
            repr(view),
            t.autograd.grad((view * view).sum(), x, retain_graph=True),
            y.requires_grad,
            whole.requires_grad,
        )

    check(program)
    x = leaf(microgad, 4)
    y = x * 2
    view = y[:2]
    y.detach_().fill_(3)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        view.sum().backward()


def test_views_that_are_read_after_a_write_and_after_their_base_was_detached_belong_to_the_new_leaf():
    def program(t, nn):
        x = leaf(t, 4)
        y = x * 2
        view, other = y[:2], y[1:]
        view.retain_grad()
        y.mul_(3)
        y.detach_().requires_grad_()
        ((view * view).sum() + other.sum()).backward()
        return view, view.grad, y.grad, x.grad

    check(program)
    x = leaf(microgad, 4)
    y = x * 2
    view = y[:2]
    view.retain_grad()
    y.mul_(3).detach_()
    assert not view.requires_grad  # in PyTorch it does, to no avail: its gradient reaches nothing


def test_leaf_with_requires_grad_switched_off_and_on_stays_the_graphs_leaf():
    def program(t, nn):
        x, y = leaf(t, 4), leaf(t, 4)
        view, double = x[:2], y * 2
        x.requires_grad_(False).fill_(3)
        y.detach_()
        x.requires_grad_(), y.requires_grad_()
        return t.autograd.grad((view * view).sum() + double.sum(), (x, y))

    check(program)


# Writes to a view v (2, 3) with positive values that has hooks.
TO_HOOKED_VIEWS: dict[str, Callable[[Any, Any], Any]] = {
    "mul_": lambda t, v: v.mul_(2),
    "addcdiv_": lambda t, v: v.addcdiv_(t.ones(2, 3).double(), t.full((2, 3), 2.0).double()),
    "addcmul_": lambda t, v: v.addcmul_(t.ones(2, 3).double(), t.full((2, 3), 2.0).double()),
    "addmm_": lambda t, v: v.addmm_(t.ones(2, 2).double(), t.ones(2, 3).double()),
    "addr_": lambda t, v: v.addr_(t.ones(2).double(), t.ones(3).double()),
    "clamp_max_": lambda t, v: v.clamp_max_(0.5),
    "clamp_min_": lambda t, v: v.clamp_min_(0.5),
    "cumprod_": lambda t, v: v.cumprod_(0),
    "cumsum_": lambda t, v: v.cumsum_(1),
    "deg2rad_": lambda t, v: v.deg2rad_(),
    "float_power_": lambda t, v: v.float_power_(3),
    "ldexp_": lambda t, v: v.ldexp_(t.tensor([1, 2, 3])),
    "logit_": lambda t, v: v.logit_(),
    "mvlgamma_": lambda t, v: v.mvlgamma_(1),
    "nan_to_num_": lambda t, v: v.nan_to_num_(),
    "renorm_": lambda t, v: v.renorm_(2, 0, 0.5),
    "square_": lambda t, v: v.square_(),
    "dropout1d, in place": lambda t, v: t.nn.functional.dropout1d(v, inplace=True),
}

HOOKS: dict[str, Callable[[Any], Any]] = {
    "on the gradient": lambda v: v.register_hook(lambda grad: grad * 10),
    "before the node": lambda v: v.grad_fn.register_prehook(lambda grads: (grads[0] * 10,)),
    "after the node": lambda v: v.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 10,)),
}


def hooks_of_a_view_do_not_see_what_is_computed_after_a_write(write: Any, hook: Any, show: Any = lambda v: v) -> None:
    def program(t, nn):
        x = t.linspace(0.1, 0.9, 9).double().requires_grad_()
        base = (x * 1).view(3, 3)
        v = base[:2]
        earlier = (v * 3).sum()
        hook(v)
        write(t, show(v))
        return v, t.autograd.grad(earlier + (base * t.arange(9).view(3, 3)).sum() + (v * v).sum(), x)

    check(program)


@pytest.mark.parametrize("name", TO_HOOKED_VIEWS)
def test_writes_to_a_hooked_view(name):
    hooks_of_a_view_do_not_see_what_is_computed_after_a_write(TO_HOOKED_VIEWS[name], HOOKS["on the gradient"])


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("name", ["mul_", "square_"])
def test_writes_to_a_view_of_a_hooked_view(name, hook):
    write = TO_HOOKED_VIEWS[name]
    for show in (lambda v: v, lambda v: v.view(2, 3), lambda v: v[:1]):
        hooks_of_a_view_do_not_see_what_is_computed_after_a_write(write, HOOKS[hook], show)


@pytest.mark.parametrize("rows", [slice(4, None), slice(3, None), slice(0, 2)], ids=str)
def test_gradient_of_a_base_after_a_write_to_another_part_of_it(rows):
    def program(t, nn):
        x = leaf(t, 4, 2)
        base = x * 1
        view = base[2:].view(4)
        base.retain_grad()
        base[rows].mul_(2)
        (view * view).sum().backward()
        return base.grad, x.grad

    check(program)


@pytest.mark.parametrize("hook", HOOKS)
def test_hooks_of_a_view_do_not_see_what_is_computed_after_a_write_to_another_part(hook):
    def program(t, nn):
        x = leaf(t, 4)
        base = x * 1
        view = base[:2]
        earlier, node = (view * 3).sum(), view.grad_fn
        HOOKS[hook](view)
        base[2:].mul_(2)
        grads = t.autograd.grad(earlier + (view * view).sum() + (base * base).sum(), x)
        return grads, view.grad_fn is node, view

    check(program)


@pytest.mark.parametrize("read", [True, False])
def test_retained_gradient_is_that_after_a_write_once_the_view_is_read(read):
    def program(t, nn):
        x = leaf(t, 4)
        base = x * 1
        view = base[:2]
        view.retain_grad()
        loss = (view * 5).sum()
        base.mul_(2)
        if read:
            loss = loss + (view * 7).sum()
        (loss + base.sum()).backward()
        return view.grad, x.grad

    check(program)


def test_views_of_a_base_whose_data_was_replaced():
    def program(t, nn):
        x = leaf(t, 4)
        base = x * 1
        view = base[:2]
        base.data = t.zeros(4).double()
        base.mul_(2)
        return view, t.autograd.grad(view.sum() + base.sum(), x)

    check(program)


def test_write_to_no_element_leaves_the_views_of_a_base():
    def program(t, nn):
        x = leaf(t, 3)
        base = x * 2
        view, earlier = base[None], base.sum()
        base[3:].mul_(2)
        return t.autograd.grad(view.sum() + base.sum() + earlier, base, allow_unused=True), base._version

    check(program)


@pytest.mark.parametrize("requires_grad", [True, False])
def test_factories_set_requires_grad_of_out(requires_grad):
    """PyTorch switches it off, too."""

    def program(t, nn):
        found = []
        for make in (t.zeros, t.ones, t.eye, t.rand, lambda n, **to: t.full((n,), 0.5, **to), t.arange, t.randperm):
            x = leaf(t, 2)
            with t.no_grad():
                make(2, out=x, dtype=x.dtype, requires_grad=requires_grad)
            found.append(x.requires_grad)
        return found

    check(program)


def test_smaller_result_is_written_into_the_memory_of_a_leaf_s_view():
    def program(t, nn):
        x = leaf(t, 3)
        alias, view = x.detach(), x.view(3)
        with t.no_grad():
            t.add(t.ones(1).double(), 1, out=view)
        return x, alias, view.detach()

    check(program)


@pytest.mark.parametrize("name", ["logical_not_", "logical_and_", "logical_or_", "logical_xor_"])
def test_logical_operations_overwrite_a_leaf(name):
    def program(t, nn):
        x = t.tensor([1.0, 0.0, 2.0], requires_grad=True)
        y = x * x
        written = getattr(x, name)(*() if "not" in name else (t.tensor([1.0, 1.0, 0.0]),))
        assert written is x
        (x * 3).sum().backward()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()
        return x.is_leaf, x.requires_grad, x, x.grad

    check(program)


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
def test_assignments_of_arrays_make_new_tensors():
    for t in (torch, microgad):
        x = y = t.zeros(2)
        n = t.zeros(2, dtype=t.int64)
        x += np.array([1.0, 2.0])
        n -= np.array([0.5, 1.0])
        assert (x.dtype, n.dtype, y.tolist()) == (t.float64, t.float64, [0, 0])
        assert (x.tolist(), n.tolist()) == ([1, 2], [-0.5, -1])
        w = leaf = t.zeros(2, requires_grad=True)
        with pytest.raises(RuntimeError):
            w += np.ones(2)
        with t.no_grad():
            w += np.ones(2)
        assert (w.requires_grad, leaf.tolist()) == (False, [0, 0])
