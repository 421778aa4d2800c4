"""Comparison of a function of both libraries: values, first derivatives and their derivatives."""

import numpy as np
import torch

import microgad

TOLERANCE = {"float32": 2e-4, "float64": 1e-11}


def same(mine, other, tolerance=0.0):
    other = other.detach().numpy()
    assert mine.array.dtype == other.dtype
    assert mine.array.shape == other.shape
    np.testing.assert_allclose(mine.array, other, rtol=tolerance, atol=tolerance)


def check(mine, other, inputs, dtype, seed):
    """Assert that two functions have equal values, gradients, and gradients of <gradients, random numbers>."""
    rng, tolerance = np.random.default_rng(seed), TOLERANCE[dtype]
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in inputs]
    a = [microgad.tensor(x, requires_grad=True) for x in arrays]
    b = [torch.tensor(x, requires_grad=True) for x in arrays]
    out_a, out_b = mine(*a), other(*b)
    same(out_a, out_b, tolerance)
    upstream = rng.standard_normal(tuple(out_b.shape)).astype(dtype)
    up_a, up_b = microgad.tensor(upstream, requires_grad=True), torch.tensor(upstream, requires_grad=True)
    for x, y in zip(
        microgad.autograd.grad(out_a, a, up_a, retain_graph=True),
        torch.autograd.grad(out_b, b, up_b, retain_graph=True),
        strict=True,
    ):
        same(x, y, tolerance)
    grads_a = microgad.autograd.grad(out_a, a, up_a, create_graph=True)
    grads_b = torch.autograd.grad(out_b, b, up_b, create_graph=True)
    probes = [rng.standard_normal(x.shape).astype(dtype) for x in arrays]
    projection_a = sum((g * microgad.tensor(v)).sum() for g, v in zip(grads_a, probes, strict=True))
    projection_b = sum((g * torch.tensor(v)).sum() for g, v in zip(grads_b, probes, strict=True))
    second_a = microgad.autograd.grad(projection_a, [*a, up_a], allow_unused=True)
    second_b = torch.autograd.grad(projection_b, [*b, up_b], allow_unused=True)
    for x, y in zip(second_a, second_b, strict=True):
        if x is None or y is None:  # one may have None and the other zeros if nothing depends on the input
            assert all(z is None or not z.any() for z in (x, y))
        else:
            same(x, y, 10 * tolerance)


def functional_pair(name, *args, **settings):
    """The function `name` of each library's nn.functional, with the same arguments after the Tensors."""

    def bind(library):
        return lambda *tensors: getattr(library.nn.functional, name)(*tensors, *args, **settings)

    return bind(microgad), bind(torch)
