"""Complex gradients follow PyTorch's convention, grad · conj(f'). A complex step through backward is holomorphic."""

from __future__ import annotations

import numpy as np
import pytest

import microgad as torch
from microgad import state
from microgad.testing.numerical.complex_step import complex_step

Z, W = np.array([0.5 + 1.25j, -1.0 + 0.25j]), np.array([1.5 - 0.5j, 0.75 + 2j])


def gradients(f, *arrays):
    inputs = [torch.tensor(a, requires_grad=True) for a in arrays]
    return [g.cpu().numpy() for g in torch.autograd.grad(f(*inputs), inputs, torch.ones(2, dtype=torch.complex128))]


def test_the_gradient_of_a_product_is_the_other_factor_s_conjugate():
    a, b = gradients(lambda z, w: z * w, Z, W)
    np.testing.assert_allclose(a, W.conj())
    np.testing.assert_allclose(b, Z.conj())


def test_a_real_factor_has_a_real_gradient():
    z, r = gradients(lambda z, r: z * r, Z, np.array([2.0, 3.0]))
    np.testing.assert_allclose(z, [2, 3])
    assert r.dtype == np.float64
    np.testing.assert_allclose(r, Z.real)


def test_second_derivatives_are_conjugated_too():
    z = torch.tensor(Z, requires_grad=True)
    (g,) = torch.autograd.grad(z * z * z, z, torch.ones_like(z), create_graph=True)
    (h,) = torch.autograd.grad(g, z, torch.ones_like(z) * 1j)
    np.testing.assert_allclose(g.detach().cpu().numpy(), np.conj(3 * Z**2))
    np.testing.assert_allclose(h.cpu().numpy(), np.conj(1j * 6 * Z))


@pytest.mark.host("numerical derivatives are taken on the CPU")
@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid"])
def test_a_complex_step_differentiates_a_gradient(name):
    x = torch.tensor([0.5, -1.0], dtype=torch.float64, requires_grad=True)
    seed = torch.tensor([1.0, 2.0], dtype=torch.float64)

    def gradient():
        (g,) = torch.autograd.grad(getattr(torch, name)(x), x, seed)
        return g.array

    found = complex_step(gradient, [x], [np.ones(2)])
    (first,) = torch.autograd.grad(getattr(torch, name)(x), x, seed, create_graph=True)
    (expected,) = torch.autograd.grad(first, x, torch.ones_like(first))
    np.testing.assert_allclose(found, expected.cpu().numpy(), rtol=1e-12)
    assert not state.current().holomorphic


def test_the_backward_of_an_autograd_function_is_not_conjugated():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            return z * 2j

        @staticmethod
        def backward(ctx, grad):
            return grad * -2j

    (g,) = gradients(Double.apply, Z)
    np.testing.assert_allclose(g, -2j)


def test_the_conjugate_of_a_part_follows_writes_to_the_whole():
    x = torch.arange(5) * (1 + 1j)
    part, every_second = x[1:].conj(), x[1::2].conj()
    of_conjugate = part[1:].conj()
    x[3] = 7 - 2j
    assert part.tolist() == [1 - 1j, 2 - 2j, 7 + 2j, 4 - 4j]
    assert every_second.tolist() == [1 - 1j, 7 + 2j]
    assert of_conjugate.tolist() == [2 + 2j, 7 - 2j, 4 + 4j]
