"""Derivatives of mapped functions that aren't computed for all slices at once, in and around other transforms."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

import microgad as torch
from microgad.func import hessian, jacfwd, jacrev, jvp, vjp, vmap

EYE = torch.eye(3).double()
# Functions of a vector that fall back to one slice after another somewhere: forward, or in a derivative of some order.
OPERATIONS = {
    "a branch": lambda x: x.sin() if x[0] > 0 else x * x,
    "scatter": lambda x: torch.zeros(3).double().scatter(0, x.argsort(), x * x),
    "scatter_add": lambda x: x.scatter_add(0, (x > 0).long(), x * x),
    "index_put": lambda x: torch.zeros(3).double().index_put((x.argsort(),), x.cos()),
    "a mask": lambda x: x[x > 0].sum() * x,
    "max_pool1d": lambda x: torch.nn.functional.max_pool1d(x[None], 2, 1).flatten().sum() * x,
    "lgamma": lambda x: (x.abs() + 1).lgamma(),
    "matrix_exp": lambda x: torch.linalg.matrix_exp(torch.diag(x) + 0.1).sum(0),
    "cdist": lambda x: torch.cdist(x[:, None] * x, EYE).sum(0),
    "unfold": lambda x: x.unfold(0, 2, 1).prod(0).sum() * x,
    "kthvalue": lambda x: x.kthvalue(2)[0] * x,
    "in place": lambda x: x.clone().mul_(x).masked_fill_(x > 1, 0.5),
    "prod": lambda x: x * x.prod(),
    "svdvals": lambda x: torch.linalg.svdvals(torch.diag(x) + EYE.flip(0)),
}


def loop(f):
    """What vmap computes, one slice after another."""
    return lambda x: torch.stack([f(row) for row in x])


def over(mapped, f):
    """Map f over the rows of a matrix made of x, and sum the results: again a function of a vector."""
    return lambda x: mapped(f)(torch.stack([x, x.sin() + 0.1])).sum(0)


def to_vector(jacobian):
    """Reduce a Jacobian to a vector."""
    return jacobian.cos().reshape(-1, 3).sum(0)


TRANSFORMS = {
    "vmap": lambda mapped, f: over(mapped, f),
    "jvp": lambda mapped, f: lambda x: jvp(f, (x,), (x.cos(),))[1],
    "vjp": lambda mapped, f: lambda x: vjp(f, x)[1](x.cos())[0],
    "jacfwd": lambda mapped, f: lambda x: to_vector(jacfwd(f)(x)),
    "jacrev": lambda mapped, f: lambda x: to_vector(jacrev(f)(x)),
    "hessian": lambda mapped, f: lambda x: to_vector(hessian(lambda x: f(x).sin().sum())(x)),
}
STACKS = [s for n in (2, 3) for s in itertools.product(TRANSFORMS, repeat=n) if "vmap" in s]


@pytest.mark.parametrize("name", OPERATIONS)
def test_nested_transforms_equal_those_of_a_loop(name: str) -> None:
    chosen = random.Random(name)
    x = torch.tensor([0.3, -0.7, 1.2]).double()
    for stack in [("vmap", "jvp"), ("vmap", "vmap", "jacfwd"), *chosen.sample(STACKS, 4)]:
        found = []
        for mapped in (vmap, loop):
            f = OPERATIONS[name]
            for transform in stack:
                f = TRANSFORMS[transform](mapped, f)
            found.append(f(x).cpu().numpy())
        np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-9, err_msg=" of ".join(stack[::-1]))


class OfGradient(torch.autograd.Function):
    """x², with a backward that may need a number from the gradient, and reads an attribute of ctx."""

    generate_vmap_rule = True

    @staticmethod
    def forward(ctx, x, asks):
        ctx.save_for_backward(x)
        ctx.asks, ctx.count = asks, (x > 1).sum()
        return x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        asks = ctx.asks and (float(ctx.count) if ctx.asks == "ctx" else float(grad[0]))
        return grad * 2 * x * ctx.count + asks, None


@pytest.mark.parametrize("asks", ["ctx", "gradient"])
def test_a_backward_that_needs_numbers_works_inside_of_vmap_and_raises_after_it(asks: str) -> None:
    """Never is an attribute of ctx taken for that of one slice, nor does an internal exception escape."""
    x, v = torch.tensor([[3.0, 1, 2], [1, 3, 1]]), torch.tensor([[1.0, 2, 3], [0, 1, 1]])
    expected = torch.stack([vjp(lambda x: OfGradient.apply(x, asks), a)[1](b)[0] for a, b in zip(x, v, strict=True)])
    found = vmap(lambda x, v: vjp(lambda x: OfGradient.apply(x, asks), x)[1](v)[0])(x, v)
    np.testing.assert_array_equal(found.cpu().numpy(), expected.cpu().numpy())
    mapped = vmap(lambda x: OfGradient.apply(x, asks))
    for derive in (lambda: vjp(mapped, x)[1](v), lambda: hessian(lambda x: (mapped(x) * v).sum())(x)):
        with pytest.raises(RuntimeError, match="Take the derivative inside of it"):
            derive()


def test_a_hook_that_asks_a_meta_gradient_for_a_value_raises_that_error() -> None:
    x = torch.ones(2, device="meta", requires_grad=True)
    x.register_hook(lambda g: g.sum().item())
    with pytest.raises(NotImplementedError, match="no values"):
        x.sum().backward()


class Product(torch.Function):
    """x · w and x², of which the slices share the second where they share x."""

    def forward(self, x, w):
        return x * w, x * x

    def backward(self, grad, x, w):
        by_product, by_square = grad
        return by_product * w + 2 * x * by_square, by_product * x


def of_product(x, w):
    first, second = Product.apply(x, w)
    return first.sin() * second.cos()


def twice(x, w):
    return of_product(Product.apply(x, w)[1], w)


def normalized(x, w):
    out, mean, std = torch.native_batch_norm(x[:, None], w[:1], None, None, None, True, 0.1, 1e-5)
    return (out.sin() * std + mean.cos()).flatten()


@pytest.mark.parametrize("f", [of_product, twice, normalized])
def test_a_result_that_slices_share_counts_once_beside_results_of_each_slice(f) -> None:
    """Inside of the mapped function, it counts in each slice."""
    x, w = (torch.tensor(v).double() for v in ([0.3, -0.7, 1.2], [[0.5, 1, 2], [1.5, 3, -1]]))
    found = []
    for mapped in (vmap, loop):

        def total(x, mapped=mapped):
            pairs = mapped(lambda v: mapped(lambda u: f(x, u) * f(x, v).sum())(w).sum(0))(w)
            return pairs.sin().sum()

        inside = mapped(lambda v: vjp(lambda x: f(x, v), x)[1](v)[0])(w)
        found.append([vjp(total, x)[1](x.sum())[0], hessian(total)(x), inside])
    for ours, expected in zip(*found, strict=True):
        np.testing.assert_allclose(ours.cpu().numpy(), expected.cpu().numpy(), rtol=1e-9, atol=1e-12)


class Half(torch.Function):
    """x · w, but x where it is negative. The derivative for w is then None."""

    def forward(self, x, w):
        return x * w if bool((x > 0).all()) else x * 1

    def backward(self, grad, x, w):
        return (grad * w, grad * x) if bool((x > 0).all()) else (grad, None)


def test_slices_without_a_gradient_count_as_zero_beside_those_with_one() -> None:
    x, w = torch.tensor([[1.0, 2], [-1, -3], [2, 2]]), torch.tensor([[3.0, 4]] * 3, requires_grad=True)
    found = torch.autograd.grad(vmap(Half.apply)(x, w).sum(), w, create_graph=True)[0]
    np.testing.assert_array_equal(found.detach().cpu().numpy(), (x * (x > 0)).cpu().numpy())
