"""Forward mode under no_grad, in dual levels and transforms, compared with PyTorch's."""

from __future__ import annotations

from .side_by_side import checked_programs, flags, leaf, randn, submodule

programs, test_program_behaves_as_in_torch = checked_programs(messages=False, warning_classes=False)


@programs
def forward_mode_under_no_grad(t, nn):
    forward = submodule(t, "autograd.forward_ad")
    with t.no_grad(), forward.dual_level():
        return forward.unpack_dual(forward.make_dual(randn(t, 3), t.ones(3).double()) ** 2).tangent


def partly_under_no_grad(t, w):
    """Functions of a Tensor that compute with its tangent under no_grad."""

    def written(x):
        y = x.clone()
        with t.no_grad():
            y.add_(x * w)
            y[1:].mul_(3)
        return y * x

    def parts(x):
        with t.set_grad_enabled(False):
            z = x.view(3, 1).t() * 2
            first, *others = (x * x).split(1)
            largest = x.max(0).values
        return z * largest + t.cat([*others, first])

    @t.no_grad()
    def constants(x):
        with t.enable_grad():
            y = (w * 2).detach()
        return (w * 2).requires_grad, y * x

    return written, parts, lambda x: constants(x)[1] * x, t.no_grad()(lambda x: x * w)


@programs
def tangents_under_no_grad_in_a_level(t, nn):
    forward, x, w, found = submodule(t, "autograd.forward_ad"), leaf(t, 3), leaf(t, 3, seed=3), []
    for f in partly_under_no_grad(t, w):
        for primal in (x.detach(), x * 1):
            with forward.dual_level():
                y = f(forward.make_dual(primal, randn(t, 3, seed=2)))
                found += y, forward.unpack_dual(y).tangent, flags(y)
                if y.requires_grad:
                    found += t.autograd.grad(y.sum(), (x, w), retain_graph=True, allow_unused=True)
    return found


@programs
def tangents_under_no_grad_in_transforms(t, nn):
    func, x, w = t.func, randn(t, 3), leaf(t, 3, seed=3)
    v, found = randn(t, 3, seed=2), []
    for f in partly_under_no_grad(t, w):
        scalar = func.grad(lambda x, f=f: (f(x.clone()) * x).sum())
        found += *func.jvp(f, (x,), (v,)), func.jacfwd(f)(x), func.linearize(f, x)[1](v), func.jvp(scalar, (x,), (v,))
        found += func.jvp(lambda x, f=f: func.jvp(f, (x,), (v,))[1], (x,), (v,))
        found += func.vmap(lambda x, f=f: func.jvp(f, (x,), (x,)))(t.stack([x, v]))
    return found
