"""Nodes that are no operations: those of the engine, and of autograd.Function."""

import numpy as np

import microgad as torch
from microgad.autograd.function import CustomNode
from microgad.engine import Identity
from microgad.testing.strategies import tensors

from .registry import checks


class Gauss(torch.Function):
    """x · exp(-x²), whose derivative reads an intermediate of forward; so it has a decomposition."""

    def forward(self, x):
        self.bell = np.exp(-x * x)
        return x * self.bell

    def grad_x(self, grad, x, bell):
        return grad * bell * (1 - 2 * x * x)

    def decomposition(self, x):
        return x * np.exp(-x * x)


class Product(torch.autograd.Function):
    """a · b and a + b."""

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return a * b, a + b

    @staticmethod
    def backward(ctx, by_product, by_sum):
        a, b = ctx.saved_tensors
        return by_product * b + by_sum, by_product * a + by_sum


@checks(Identity)
def test_decomposition(draw):
    return Gauss.apply, draw(tensors(requires_grad=True))


@checks(CustomNode)
def test_autograd_function(draw):
    x = draw(tensors(requires_grad=True))
    return Product.apply, x, draw(tensors(tuple(x.shape), requires_grad=True))


@checks(CustomNode)
def test_autograd_function_of_one_tensor_twice(draw):
    return lambda x: Product.apply(x, x), draw(tensors(requires_grad=True))
