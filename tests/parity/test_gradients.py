"""What backward and grad give, where it lies and whose it is: the same programs on both libraries."""

from __future__ import annotations

from typing import Any

import pytest

from .both import Programs, leaf

programs = Programs()


@pytest.mark.parametrize("name", programs)
def test_it_gives_the_same_or_raises_the_same(name: str) -> None:
    programs.check(name, in_words=False, warned_alike=False)


@programs
def gradients_lie_in_memory_as_their_leaves_do(t, nn):
    strides: list[Any] = []
    for x in (
        t.ones(3, 4).t(), t.ones(4, 6)[:, ::2].t(), t.ones(6, 4)[::2], t.ones(3, 4), t.ones(0, 4).t(), t.ones(()),
        t.ones(2, 3, 4, 5).to(memory_format=t.channels_last),
    ):  # fmt: skip
        for f in (t.exp, t.sum, lambda x: x + 1, lambda x: (x.T if x.ndim == 2 else x) * 3):
            x = x.detach().requires_grad_()
            f(x).sum().backward()
            strides.append([step for step, n in zip(x.grad.stride(), x.shape, strict=True) if n > 1 and x.numel()])
    return strides


@programs
def a_batch_of_gradients_frees_the_graph(t, nn):
    x = leaf(t, 3)
    y = x * x
    first = t.autograd.grad(y, x, t.eye(3).double(), retain_graph=True, is_grads_batched=True)
    second = t.autograd.grad(y, x, t.eye(3).double(), is_grads_batched=True)
    try:
        t.autograd.grad(y, x, t.ones(3).double())
    except RuntimeError:
        return first, second
    return "it is still there"


@programs
def a_batch_of_no_gradients(t, nn):
    x = leaf(t, 3)
    return t.autograd.grad(x * x, x, t.zeros(0, 3).double(), is_grads_batched=True)


@programs
def gradients_of_means_may_be_written_to(t, nn):
    x, found = leaf(t, 3, 4), []
    for f in (t.mean, lambda x: x.mean(0), lambda x: x.mean(1, keepdim=True), t.nanmean, lambda x: x.t().mean()):
        y = f(x)
        (g,) = t.autograd.grad(y, x, t.ones_like(y))
        found.append(g.mul_(2))
    seen = x.exp()
    seen.register_hook(lambda g: g.neg_())
    seen.mean().backward()
    return found, x.grad


@programs
def a_gradient_by_the_root_itself_lies_as_it_was_given(t, nn):
    x = leaf(t, 3, 4).t()
    (g,) = t.autograd.grad(x, x, t.ones_like(x))
    return g.stride()


@programs
def gradients_of_sums_are_written_where_one_number_shows_at_many_places(t, nn):
    x, found = leaf(t, 3, 4), []
    seen = x * 1
    seen.register_hook(lambda g: found.append(g))
    seen.sum(0).backward(t.ones(4).double())
    found += [t.autograd.grad(x.sum(1), x, t.ones(3).double())[0] for _ in range(2)]
    found[0][0] = 3
    found[1].zero_()
    found[2][:, 0].mul_(2)
    return found, [g.stride() for g in found]
