"""torch.autograd.Function: jvp, and forward mode without it, in both libraries."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .side_by_side import checked_programs, function, leaf, randn, submodule

programs, test_program_behaves_as_in_torch = checked_programs(messages=False)


def forward_mode(t: Any) -> Any:
    """The module autograd.forward_ad, without the deprecation warning of PyTorch's own scripting."""
    warnings.filterwarnings("ignore", "`torch.jit.script`", DeprecationWarning)
    return submodule(t, "autograd.forward_ad")


@programs
def jvp_without_backward(t, nn):
    def forward(ctx, x):
        ctx.out = x.exp()
        return ctx.out

    def jvp(ctx, tangent):
        out = tangent * ctx.out
        del ctx.out
        return out

    forward_ad = forward_mode(t)
    with forward_ad.dual_level():
        x = forward_ad.make_dual(leaf(t, 3), randn(t, 3, seed=2))
        return forward_ad.unpack_dual(function(t, forward=forward, jvp=jvp).apply(x)).tangent


@programs
def jvp_of_two_inputs_with_save_for_forward(t, nn):
    def forward(ctx, x, y, k):
        ctx.save_for_forward(x, y)
        ctx.k = k
        return x * y * k, x + y

    def jvp(ctx, tangent_x, tangent_y, k):
        x, y = ctx.saved_tensors
        return (tangent_x * y + tangent_y * x) * ctx.k, tangent_x + tangent_y

    forward_ad = forward_mode(t)
    with forward_ad.dual_level():
        x, y = (forward_ad.make_dual(randn(t, 3, seed=i), randn(t, 3, seed=i + 2)) for i in range(2))
        product, total = function(t, forward=forward, jvp=jvp).apply(x, y, 2)
        return [forward_ad.unpack_dual(z).tangent for z in (product, total, product.sin() + total)]


def numpy_exp(t, **methods):
    """A Function for exp whose forward and backward are computed by NumPy."""

    def forward(ctx, x):
        out = t.from_numpy(np.exp(x.detach().numpy()))
        ctx.save_for_backward(out)
        ctx.save_for_forward(x.detach(), out)
        return out

    def backward(ctx, grad):
        return t.from_numpy(grad.detach().numpy() * ctx.saved_tensors[0].detach().numpy())

    return function(t, forward=forward, backward=backward, **methods)


@programs
def forward_mode_uses_jvp(t, nn):
    """Also if backward isn't differentiable or deliberately gives another derivative."""
    exp = numpy_exp(t, jvp=lambda ctx, tangent: tangent * ctx.saved_tensors[1])
    once = t.autograd.function.once_differentiable(lambda ctx, grad: grad)
    sign = function(t, forward=lambda ctx, x: x.sign(), backward=once, jvp=lambda ctx, tangent: tangent * 0)
    forward_ad, x = forward_mode(t), leaf(t, 3)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x.detach(), randn(t, 3, seed=2))
        found = [forward_ad.unpack_dual(f(dual)).tangent for f in (lambda x: exp.apply(x).sin() * x, sign.apply)]
    (exp.apply(x) + sign.apply(x)).sum().backward()
    return found, x.grad


@programs
def gradients_of_jvp_results(t, nn):
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        ctx.save_for_forward(y, x)
        return x * y, x**3, x > 0

    def backward(ctx, grad_product, grad_cube, _):
        x, y = ctx.saved_tensors
        return grad_product * y + grad_cube * 3 * x**2, grad_product * x

    def jvp(ctx, tangent_x, tangent_y):
        y, x = ctx.saved_tensors
        return tangent_x * y + tangent_y * x, tangent_x * 3 * x**2, None

    f, forward_ad = function(t, forward=forward, backward=backward, jvp=jvp), forward_mode(t)
    x, y = leaf(t, 3), leaf(t, 3, seed=2)
    with forward_ad.dual_level():
        results = f.apply(forward_ad.make_dual(x, randn(t, 3, seed=3)), y)
        tangents = [forward_ad.unpack_dual(z).tangent for z in (results[0], results[0] * results[1].sin())]
        gradients = t.autograd.grad(sum(tangents).sum(), (x, y))
    return tangents, gradients, forward_ad.unpack_dual(results[2]).tangent


@programs
def jvp_arguments_without_tangent(t, nn):
    received = []

    def tangents(materialize):
        def forward(ctx, x, y, k):
            ctx.set_materialize_grads(materialize)
            return x * 2

        def jvp(ctx, *along):
            received.append(along)
            return along[0] * 2

        return function(t, forward=forward, backward=lambda ctx, grad: (grad * 2, None, None), jvp=jvp)

    forward_ad = forward_mode(t)
    with forward_ad.dual_level():
        x = forward_ad.make_dual(randn(t, 3), randn(t, 3, seed=2))
        found = [forward_ad.unpack_dual(tangents(m).apply(x, randn(t, 2), 3)).tangent for m in (True, False)]
    return found, received


@programs
def jvp_of_in_place_forward(t, nn):
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)

    f = function(t, forward=forward, backward=lambda ctx, g: g * 2, jvp=lambda ctx, tangent: tangent.mul_(2))
    forward_ad = forward_mode(t)
    with forward_ad.dual_level():
        x = f.apply(forward_ad.make_dual(randn(t, 3), randn(t, 3, seed=2)) * 1)
        return [forward_ad.unpack_dual(x) for _ in range(2)]


@programs
def forward_mode_through_a_numpy_backward(t, nn):
    """Without jvp, forward mode would find 0: backward isn't recorded."""
    forward_ad = forward_mode(t)
    with forward_ad.dual_level():
        x = forward_ad.make_dual(randn(t, 3), randn(t, 3, seed=2))
        return forward_ad.unpack_dual(numpy_exp(t).apply(x)).tangent


@programs
def forward_mode_prefers_jvp_to_backward(t, nn):
    def save(ctx, inputs, output):
        ctx.save_for_backward(output)
        ctx.save_for_forward(*inputs)

    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0], None

    def jvp(ctx, tangent, k):
        (x, y) = ctx.saved_tensors
        return 10 * tangent * y * x.exp()

    doubled = function(t, forward=lambda x, y: x.exp() * y, setup_context=save, backward=backward, jvp=jvp)
    forward_ad, x, y = forward_mode(t), leaf(t, 3), randn(t, 3, seed=2)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, randn(t, 3, seed=1))
        tangent = forward_ad.unpack_dual(doubled.apply(dual, y)).tangent
    doubled.apply(x, y).sum().backward()
    pushed = t.func.jvp(lambda x: doubled.apply(x, y).sin(), (x.detach(),), (y,))
    return [tangent, x.grad, *pushed, *t.autograd.functional.jvp(lambda x: doubled.apply(x, y), x.detach(), y)]


@programs
def jvp_that_calls_its_function_and_writes_to_tangents(t, nn):
    class Flipped(t.autograd.Function):
        @staticmethod
        def forward(x):
            return x.flip(0)

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def backward(ctx, grad):
            return Flipped.apply(grad)

        @staticmethod
        def jvp(ctx, tangent):
            return Flipped.apply(tangent.mul_(2))

    forward_ad = forward_mode(t)
    with forward_ad.dual_level():
        x = forward_ad.make_dual(randn(t, 3), randn(t, 3, seed=1))
        return forward_ad.unpack_dual(Flipped.apply(x)).tangent


@programs
def jvp_of_the_base_class_means_none(t, nn):
    x = leaf(t, 3)
    double = function(t, forward=lambda ctx, x: x * 2, backward=lambda ctx, grad: grad * 2, jvp=t.autograd.Function.jvp)
    double.apply(x).sum().backward()
    return x.grad


@programs
def jvp_reads_what_is_saved_for_forward_alone(t, nn):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    def jvp(ctx, tangent):
        return tangent * (len(ctx.saved_tensors) + 2)

    double = function(t, forward=forward, backward=lambda ctx, grad: grad * 2, jvp=jvp)
    with t.autograd.forward_ad.dual_level():
        dual = t.autograd.forward_ad.make_dual(randn(t, 3), t.ones(3).double())
        return t.autograd.forward_ad.unpack_dual(double.apply(dual))
