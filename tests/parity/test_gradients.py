"""Gradients from backward and grad: their strides, whether they may be written to, and what their pass visits."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

import microgad

from .side_by_side import checked_programs, leaf

programs, test_program_behaves_as_in_torch = checked_programs(messages=False, warning_classes=False)


@programs
def gradients_have_the_strides_of_their_leaves(t, nn):
    strides: list[Any] = []
    for x in (
        t.ones(3, 4).t(), t.ones(4, 6)[:, ::2].t(), t.ones(6, 4)[::2], t.ones(3, 4), t.ones(0, 4).t(), t.ones(()),
        t.ones(2, 3, 4, 5).to(memory_format=t.channels_last),
    ):  # fmt: skip
        for f, create_graph in itertools.product(
            (t.exp, t.sum, lambda x: x + 1, lambda x: (x.T if x.ndim == 2 else x).clone() * 3), (False, True)
        ):
            x = x.detach().requires_grad_()
            y = f(x)
            y.backward(t.ones(y.shape, dtype=y.dtype), create_graph=create_graph)
            strides.append([step for step, n in zip(x.grad.stride(), x.shape, strict=True) if n > 1 and x.numel()])
    return strides


@programs
def retained_gradients_are_contiguous(t, nn):
    strides = []
    for x in (t.ones(3, 4).t(), t.ones(2, 3, 4, 5).to(memory_format=t.channels_last), t.ones(3, 1).expand(3, 4)):
        for f, create_graph in itertools.product((t.exp, lambda y: y.transpose(0, 1).contiguous() * 2), (False, True)):
            y = x.detach().requires_grad_() * 2
            y.retain_grad()
            for _ in range(2):
                f(y).sum().backward(retain_graph=True, create_graph=create_graph)
                strides.append(y.grad.stride())
    return strides


@programs
def recorded_gradients_may_be_written_to(t, nn):
    F, found = nn.functional, []
    for f in (
        F.relu, F.hardtanh, F.leaky_relu, lambda x: F.max_pool2d(x, 2), lambda x: F.avg_pool2d(x, 2),
        lambda x: F.adaptive_avg_pool2d(x, 2), lambda x: F.pad(x, (1, -1)), lambda x: x.prod(1),
        lambda x: F.nll_loss(x, t.zeros(1, 4, 4, dtype=t.long), reduction="none"),
    ):  # fmt: skip
        x = leaf(t, 1, 2, 4, 4)
        y = f(x)
        given = t.ones_like(y).requires_grad_()
        for write in (
            lambda g: g.mul_(2),
            lambda g: g.clamp_(-1, 1),
            lambda g: g[0].add_(1),
            lambda g: g.view(-1).sin_(),
        ):
            (g,) = t.autograd.grad(y, x, given * 1, create_graph=True)
            write(g)
            found += [
                g,
                *t.autograd.grad((g * g).sum() + (x + given.sum()).sum(), [x, given], retain_graph=True),
                given,
            ]
    return found


@programs
def gradient_of_a_sampling_grid_is_contiguous(t, nn):
    grid = leaf(t, 2, 4, 5, 2)
    y = nn.functional.grid_sample(leaf(t, 2, 3, 6, 6).detach(), grid, align_corners=False)
    return [t.autograd.grad(y.sum(), grid, create_graph=create_graph)[0].stride() for create_graph in (True, False)]


@programs
def gradients_that_arrive_unchanged_are_those_given(t, nn):
    x, z, given = leaf(t, 3), leaf(t, 3, seed=2), t.ones(3).double()
    found = t.autograd.grad(t.cat([x + z, x * 2]).split(3), [x, z], [given, given * 0], allow_unused=True)
    same = t.autograd.grad([x + z, z.clone()], [x, z], [given, given * 2])
    alone = t.autograd.grad(x + z, [x, z], given)
    alone[0].add_(1)
    of_number = t.autograd.grad(x.sum() + z.sum(), [x, z])
    (x + z).backward(given)
    (x + z).backward(given, inputs=[x])
    x.grad.mul_(5)
    _, pull = t.func.vjp(lambda a: a + 1, x.detach())
    return found, [g is given for g in (*found, *same, *alone, *pull(given), x.grad, z.grad)], given, of_number, x.grad


@programs
def batched_grad_outputs_free_the_graph(t, nn):
    x = leaf(t, 3)
    y = x * x
    first = t.autograd.grad(y, x, t.eye(3).double(), retain_graph=True, is_grads_batched=True)
    second = t.autograd.grad(y, x, t.eye(3).double(), is_grads_batched=True)
    try:
        t.autograd.grad(y, x, t.ones(3).double())
    except RuntimeError:
        return first, second
    return "the graph was not freed"


@programs
def backward_goes_through_the_nodes_of_inputs(t, nn):
    seen: list[Any] = []

    class Double(t.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a * 2, b * 2

        @staticmethod
        def backward(ctx, *grads):
            seen.append((ctx.needs_input_grad, grads))
            return grads[0] * 2, grads[1] * 2

    x, w = leaf(t, 3), leaf(t, 3, seed=2)
    y = x.exp()
    y.grad_fn.register_hook(lambda inputs, outputs: seen.append((inputs, outputs)))
    (y * y).sum().backward(inputs=[y])
    z, _ = Double.apply(x, w)
    (z * z).sum().backward(inputs=[z])
    with pytest.raises(RuntimeError, match="a second time"):  # what exp kept is freed
        (y * w).sum().backward()
    u = w.exp()
    u.sum().backward(inputs=[u])
    with pytest.raises(RuntimeError, match="a second time"):
        u.sum().backward(inputs=[u])
    u = w.exp()
    with t.no_grad():
        u.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        u.sum().backward(inputs=[u])
    return seen, y.grad, z.grad, x.grad


@programs
def batched_grad_outputs_take_one_pass(t, nn):
    x, calls, seeds = leaf(t, 2), [], t.eye(2).double()
    y = x * 2
    y.register_hook(lambda g: calls.append(g.shape))
    parts = y.exp().unbind()
    found = [t.autograd.grad(y.exp(), x, seeds, is_grads_batched=True, retain_graph=True)]
    found += [t.autograd.grad(parts, y, (seeds[0], seeds[1]), is_grads_batched=True)]
    y.sum().backward()  # what lies before y isn't freed
    with pytest.raises(RuntimeError, match="second time"):
        parts[0].backward()
    return found, x.grad, calls


@programs
def zeros_of_inputs_without_gradients_have_no_batch(t, nn):
    x, unused, found = leaf(t, 3), leaf(t, 2), []
    for options in {"allow_unused": True}, {"materialize_grads": True}:
        for create_graph in (False, True):
            found += t.autograd.grad(
                x * x, (unused, x), t.eye(3).double(), None, create_graph, is_grads_batched=True, **options
            )
    return found, [g is not None and g.requires_grad for g in found]


@programs
def empty_batch_of_grad_outputs(t, nn):
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
def gradient_by_the_root_keeps_the_strides_of_grad_outputs(t, nn):
    x = leaf(t, 3, 4).t()
    (g,) = t.autograd.grad(x, x, t.ones_like(x))
    return g.stride()


@programs
def expanded_gradients_of_sums_may_be_written_to(t, nn):
    x, found = leaf(t, 3, 4), []
    seen = x * 1
    seen.register_hook(lambda g: found.append(g))
    seen.sum(0).backward(t.ones(4).double())
    found += [t.autograd.grad(x.sum(1), x, t.ones(3).double())[0] for _ in range(2)]
    found[0][0] = 3
    found[1].zero_()
    found[2][:, 0].mul_(2)
    return found, [g.stride() for g in found]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_and_quotients_bit_for_bit(dtype):
    rng = np.random.default_rng(0)
    x, y, z = rng.normal(size=(3, 40, 7)).astype(dtype)

    def found(t):
        a, b = (t.tensor(array, requires_grad=True) for array in (x, y))
        value = t.addcdiv(a, a, b, value=-0.3)
        return [value, *t.autograd.grad(a / b, b, t.tensor(z)), *t.autograd.grad(a.prod(1), a, t.tensor(z[:, 0]))]

    for mine, other in zip(found(microgad), found(torch), strict=True):
        assert np.array_equal(mine.numpy(force=True), other.numpy(force=True))


@programs
def a_grad_that_cannot_be_added_to(t, nn):
    def expanded():
        x = leaf(t, 2, 2)
        x.grad = t.zeros(1).double().expand(2, 2)
        (x * x).sum().backward()

    def of_another_shape():
        x = nn.Parameter(t.ones(2, 3))
        x.sum().backward()
        x.data = t.ones(4)
        (x * 2).sum().backward()

    found: list[Any] = []
    for attempt in (expanded, of_another_shape):
        with pytest.raises(RuntimeError) as raised:
            attempt()
        found.append("single memory location" in str(raised.value))
    return found


def kept_by_a_penalty(t, x):
    penalty = (x.grad**2).sum()
    (x**2).sum().backward()
    penalty.backward()  # raises: the gradient that it kept has changed


def added_to_in_place(t, x):
    held = x.grad
    doubled, view = (held * 2).sum(), held[:1]
    (x**2).sum().backward()
    (x * 3).sum().backward(inputs=[x])
    second = t.autograd.grad(held.sum(), x, retain_graph=True)
    doubled.backward()
    return held is x.grad, held, view, second, held.requires_grad


def added_to_on_the_graph(t, x):
    held = x.grad
    (x**2).sum().backward(create_graph=True)
    return held is x.grad, held, x.grad


for function in kept_by_a_penalty, added_to_in_place, added_to_on_the_graph:

    def program(t, nn, function=function):
        x = leaf(t, 3)
        (x**3).sum().backward(create_graph=True)
        return function(t, x)

    programs[f"gradient_of_create_graph_{function.__name__}"] = program


@programs
def printed_zeros_of_complex_gradients(t, nn):
    def printed(f):
        x = t.tensor([1 + 0j, 2, 3 - 1j], requires_grad=True)
        f(x).real.sum().backward()
        return repr(x.grad), repr(t.autograd.grad(f(x).real.sum(), x, create_graph=True)[0].detach())

    functions = [lambda x: x * 2, lambda x: x.abs(), lambda x: x.exp(), t.fft.fft, lambda x: t.outer(x, x) @ x]
    functions += [t.sin, t.tanh, t.sigmoid, t.square, lambda x: x * x, lambda x: x**3, lambda x: 1 - x, lambda x: -x]
    return [printed(f) for f in functions]


@programs
def zeros_of_complex_gradients_that_are_only_moved(t, nn):
    x = t.ones(2, 2, dtype=t.complex64, requires_grad=True)
    functions = [lambda x: x.reshape(4), t.t, lambda x: x[:1], t.clone, t.sum, lambda x: x.expand(1, 2, 2)]
    given = [t.full(f(x).shape, complex(1, -0.0)) for f in functions]
    return [repr(t.autograd.grad(f(x), x, g)[0]) for f, g in zip(functions, given, strict=True)]


@programs
def printed_zeros_of_second_complex_derivatives(t, nn):
    def printed(f):
        x = t.tensor([[1 + 0j, 2], [3, 4]], requires_grad=True)
        y = f(x)
        v = t.ones_like(y).requires_grad_()
        (g,) = t.autograd.grad(y, x, v, create_graph=True)
        return repr(g.detach()), repr(t.autograd.grad(g, [x, v], t.ones_like(g), allow_unused=True))

    functions = [t.tril, t.diag_embed, lambda x: x * 2, lambda x: x * x, t.conj, lambda x: x.conj() * x, t.fft.fft]
    functions += [lambda x: nn.functional.pad(x, (1, 1)), lambda x: x @ x, t.sum, lambda x: -x, t.abs]
    return [printed(f) for f in functions]


@programs
def printed_zeros_of_complex_tangents(t, nn):
    x = t.tensor([1.0, 2, 3, 4])
    functions = [lambda x: x.to(t.complex64), t.fft.fft, t.fft.ifft, t.fft.ihfft, lambda x: t.complex(x, x * 0) * 2]
    return [repr(t.func.jvp(f, (x,), (x,))) for f in functions]


@programs
def a_complex_gradient_of_another_precision(t, nn):
    x = t.ones(3, dtype=t.complex64, requires_grad=True)
    (x * x).backward(t.ones(3, dtype=t.complex128))
    return x.grad.real


@programs
def a_second_pass_is_refused_where_a_tensor_was_kept(t, nn):
    x, m, v = leaf(t, 3, 3), t.ones(3, 3).double(), t.ones(3).double()
    passed = []
    for f in (
        lambda: x * 2, lambda: x / 2, lambda: x + 2, lambda: x * x, lambda: t.lerp(x, x, 0.3), lambda: x.mean(),
        lambda: t.lerp(x, x, m), lambda: t.add(x, x, alpha=2), lambda: t.sub(x, 3, alpha=2), lambda: x.rad2deg(),
        lambda: t.rsub(x, x, alpha=2), lambda: x.deg2rad(), lambda: t.addmm(x, m, m, beta=0.5, alpha=3),
        lambda: t.addmm(x, x, m, beta=0.5), lambda: t.addmv(x[0], m, v, beta=0.5), lambda: t.addr(x, v, v, beta=0.5),
        lambda: t.trapezoid(x, dx=0.5), lambda: t.cumulative_trapezoid(x, dx=0.5), lambda: t.gradient(x[0])[0],
        lambda: t.addcmul(x, m, m, value=2), lambda: t.addcmul(m, x, m, value=2), lambda: t.exp(x),
        lambda: nn.functional.leaky_relu(x), lambda: nn.functional.cross_entropy(x, m, label_smoothing=0.1),
    ):  # fmt: skip
        loss = f().sum()
        loss.backward()
        try:
            loss.backward()
        except RuntimeError as error:
            passed.append(str(error).partition("Trying")[2][:40])
        else:
            passed.append("passes")
    return passed, x.grad
