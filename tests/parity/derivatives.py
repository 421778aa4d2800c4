"""Comparison of a function of both libraries: values, first derivatives and their derivatives."""

import numpy as np
import torch

import microgad

TOLERANCE = {"float32": 2e-4, "float64": 1e-11}


def same(mine, other, tolerance=0.0):
    other = other.detach().numpy(force=True)
    assert (mine.array.dtype, mine.array.shape) == (other.dtype, other.shape)
    np.testing.assert_allclose(mine.array, other, rtol=tolerance, atol=tolerance)


def same_gradients(mine, other, tolerance):
    """Assert that gradients are equal. One may be None and the other zeros if nothing depends on the input."""
    for x, y in zip(mine, other, strict=True):
        if x is None or y is None:
            assert all(z is None or not z.any() for z in (x, y))
        else:
            same(x, y, tolerance)


def check(mine, other, inputs, dtype, seed):
    """Assert that two functions have equal values, gradients, and gradients of <gradients, random numbers>."""
    values, second = [], []
    for library, function in ((microgad, mine), (torch, other)):
        rng = np.random.default_rng(seed)
        leaves = [library.tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True) for shape in inputs]
        out = function(*leaves)
        grad = library.tensor(rng.standard_normal(tuple(out.shape)).astype(dtype), requires_grad=True)
        values.append([out, *library.autograd.grad(out, leaves, grad, retain_graph=True)])
        first = library.autograd.grad(out, leaves, grad, create_graph=True)
        probes = [library.tensor(rng.standard_normal(shape).astype(dtype)) for shape in inputs]
        projection = sum((g * probe).sum() for g, probe in zip(first, probes, strict=True))
        second.append(library.autograd.grad(projection, [*leaves, grad], allow_unused=True))
    same_gradients(*values, TOLERANCE[dtype])
    same_gradients(*second, 10 * TOLERANCE[dtype])


def functional_pair(name, *args, **settings):
    """The function `name` of each library's nn.functional, with the same arguments after the Tensors."""

    def bind(library):
        return lambda *tensors: getattr(library.nn.functional, name)(*tensors, *args, **settings)

    return bind(microgad), bind(torch)
