"""Functions of complex numbers that are composed of real inputs, with real results; and of complex matrices."""

import functools

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

import microgad as torch
from microgad.engine.complex import Conjugation
from microgad.ops import elementwise as ops
from microgad.testing.strategies import broadcastable_tensors, numbers, tensors

from .registry import checks


@checks(ops.Conj, Conjugation, ops.Real, ops.Imag, float32=False)
def test_parts_and_conjugates(draw):
    x, y = draw(broadcastable_tensors(2, requires_grad=True))
    conjugate = draw(st.sampled_from([torch.conj, Conjugation.apply]))

    def parts(x, y):
        z = x * (1 + 2j) + y * y * 1j
        w = conjugate(z) * z * z
        return torch.real(w) + torch.imag(w * 3j) * torch.imag(z)

    return parts, x, y


@checks(ops.Complex, ops.Polar, ops.ViewAsReal)
def test_complex_numbers_from_two_real_tensors(draw):
    x, y = draw(broadcastable_tensors(2, requires_grad=True))
    function = draw(st.sampled_from([torch.complex, lambda x, y: torch.polar(1 + x * x, y)]))  # of abs > 0
    return lambda x, y: torch.view_as_real(function(x, y) * (2 - 1j)), x, y


@checks(ops.ViewAsComplex, ops.ViewAsReal)
def test_pairs_as_complex_numbers(draw):
    x = draw(tensors(draw(st.sampled_from([(2,), (3, 2), (2, 0, 2)])), requires_grad=True, layout="contiguous"))

    def squared(x):
        z = torch.view_as_complex(x.contiguous())
        return torch.view_as_real(z * z * 1j)

    return squared, x


# Inputs are away from branch cuts: x and y are between 1/4 and 1, and the number is rotated off the axes.
HOLOMORPHIC = [
    *(torch.exp, torch.exp2, torch.expm1, torch.log, torch.log2, torch.log10, torch.log1p, torch.sqrt, torch.rsqrt),
    *(torch.reciprocal, torch.sin, torch.cos, torch.tan, torch.asin, torch.acos, torch.atan, torch.sinc),
    *(torch.sinh, torch.cosh, torch.tanh, torch.asinh, torch.acosh, torch.atanh, torch.sigmoid, torch.square),
]
COMPOSED = {
    "power": lambda z: z**3.5,
    "exponential": lambda z: 2**z,
    "quotient": lambda z: z / (z + 1j),
    "power_of_itself": lambda z: torch.pow(z, z),
    "complex_power": lambda z: z ** (1 + 1j),
    "logaddexp": lambda z: torch.logaddexp(z, z * z),
    "lerp": lambda z: torch.lerp(z, z * z, z),
}
NOT_HOLOMORPHIC = {
    "abs": torch.abs,
    "angle": torch.angle,
    "sgn": torch.sgn,
    "where": lambda z: torch.where(torch.real(z) > 0.5, z, torch.conj(z)),
}
quarter = numbers(0.25, 1)


def real_function(function, x, y):
    w = function(torch.complex(x, y) * (0.6 + 0.3j))
    return torch.real(w) + 3 * torch.imag(w) if w.is_complex() else w  # with 2, x would cancel in conj(z)


def example_of(name, function):
    def example(draw):
        x, y = draw(broadcastable_tensors(2, elements=[quarter, quarter], requires_grad=True))
        return functools.partial(real_function, function), x, y

    example.__name__ = f"complex_{name}"
    return example


CLASSES = {"abs": (ops.Abs, ops.Sgn), "angle": (ops.Angle,), "sgn": (ops.Sgn,)}
TESTS = [
    checks(ops.Complex, *CLASSES.get(name, ()), float32=False)(example_of(name, function))
    for name, function in ({f.__name__: f for f in HOLOMORPHIC} | COMPOSED | NOT_HOLOMORPHIC).items()
]


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.__name__)
def test_derivatives(test):
    """Fewer examples than usual are drawn: no input is near a limit between formulas, so a wrong one shows in any."""
    recorded = test.entry.check(max_examples=settings().max_examples * 2 // 5)
    assert recorded >= {*test.entry.classes}


@checks(ops.Angle)
def test_angle_of_real_numbers(draw):
    return draw(st.sampled_from([torch.angle, np.angle])), draw(
        tensors(elements=numbers(away_from=[0]), requires_grad=True)
    )


def test_the_derivatives_of_abs_sgn_and_angle_at_zero_are_zero():
    for function in (torch.abs, torch.sgn, torch.angle):
        z = torch.zeros(2, dtype=torch.complex64, requires_grad=True)
        y = function(z)
        (g,) = torch.autograd.grad(y, z, torch.ones_like(y))
        assert g.tolist() == [0, 0]


def test_writes_to_views_of_real_and_imaginary_parts_change_the_tensor():
    z = torch.tensor([1 + 2j, 3 + 4j])
    z.real = torch.tensor([5.0, 6.0])
    z.imag[0] = 7
    torch.view_as_real(z)[1, 1] = 8
    assert z.tolist() == [5 + 7j, 6 + 8j]
    torch.view_as_complex(torch.view_as_real(z))[0] = 0
    assert z.tolist() == [0, 6 + 8j]


def hermitian(a):
    return a @ a.mH + 2 * torch.eye(3)


OF_COMPLEX_MATRICES = {
    "cholesky": lambda a: torch.linalg.cholesky(hermitian(a)),
    "cholesky, upper": lambda a: torch.linalg.cholesky(hermitian(a), upper=True),
    "cholesky_solve": lambda a: torch.cholesky_solve(a, torch.linalg.cholesky(hermitian(a))),
    "cholesky_solve, upper": lambda a: torch.cholesky_solve(a, torch.linalg.cholesky(hermitian(a), upper=True), True),
    "solve_triangular": lambda a: torch.linalg.solve_triangular(a.triu(), a, upper=True),
    "solve_triangular, right": lambda a: torch.linalg.solve_triangular(
        a.tril(), a, upper=False, left=False, unitriangular=True
    ),
    "eigh": lambda a: (lambda w, v: (w, (v * w.sin()) @ v.mH, v.abs()))(*torch.linalg.eigh(hermitian(a))),
    "eig": lambda a: (lambda w, v: (w, (v * w.sin()) @ torch.linalg.inv(v), v.abs()))(*torch.linalg.eig(a)),
    "svd": lambda a: (lambda u, s, vh: (s, (u * s.sin()) @ vh, u.abs()))(*torch.linalg.svd(a)),
    "svd of a wide matrix": lambda a: (lambda u, s, vh: (u @ vh, vh.abs()))(*torch.linalg.svd(a[:2], False)),
    "pinv of a wide matrix": lambda a: torch.linalg.pinv(a[:2]),
    "pinv of a tall matrix": lambda a: torch.linalg.pinv(a[:, :2]),
    "pinv of rank 1": lambda a: torch.linalg.pinv(a[:, :1] @ a[:1], rtol=1e-5),
    "lstsq": lambda a: torch.linalg.lstsq(a[:, :2], a[:, 2:], driver="gels")[:2],
    "svd of a tall matrix": lambda a: (lambda u, s, vh: (u @ vh, u.abs()))(*torch.linalg.svd(a[:, :2], False)),
}


@pytest.mark.parametrize("name", OF_COMPLEX_MATRICES)
def test_derivatives_of_complex_matrices_agree_with_differences(name):
    rng = np.random.default_rng(0)
    a = torch.tensor(rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3)), requires_grad=True)
    assert torch.autograd.gradcheck(OF_COMPLEX_MATRICES[name], (a,))


@pytest.mark.parametrize("shape", [(5, 3), (3, 5)])
def test_low_rank_svd_of_full_rank_is_the_svd(shape):
    a = torch.randn(shape, dtype=torch.float64)
    u, s, v = torch.svd_lowrank(a, 3)
    assert (u.shape, v.shape) == ((shape[0], 3), (shape[1], 3))
    np.testing.assert_allclose(((u * s) @ v.mT).numpy(force=True), a.numpy(force=True), atol=1e-9)


def test_solutions_by_complex_factors_solve_their_systems():
    rng = np.random.default_rng(0)
    a, b = (torch.tensor(rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))) for _ in range(2))
    for upper in (False, True):
        x = torch.cholesky_solve(b, torch.linalg.cholesky(hermitian(a), upper=upper), upper)
        np.testing.assert_allclose((hermitian(a) @ x).array, b.array, 1e-9)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(hermitian(a), upper=upper), upper)
        np.testing.assert_allclose((hermitian(a) @ inverse).array, np.eye(3), 1e-9, 1e-9)
        half = a.triu(1) if upper else a.tril(-1)
        x = torch.triangular_solve(b, a, upper, unitriangular=True).solution
        np.testing.assert_allclose(((half + torch.eye(3)) @ x).array, b.array, 1e-9)
        x = torch.linalg.solve_triangular(a, b, upper=upper, left=False, unitriangular=True)
        np.testing.assert_allclose((x @ (half + torch.eye(3))).array, b.array, 1e-9)
    x, residuals, *_ = torch.linalg.lstsq(a[:, :1], b[:, 0], driver="gels")
    assert x.shape == (1,)
    np.testing.assert_allclose(residuals.item(), (abs(a[:, :1] @ x - b[:, 0]) ** 2).sum().item(), 1e-9)
    rolled = torch.roll(a + 5 * torch.eye(3), 1, 0)  # its pivots exchange rows in a cycle
    for adjoint in (False, True):
        factor = rolled.mH if adjoint else rolled
        for left in (False, True):
            x = torch.linalg.lu_solve(*torch.linalg.lu_factor(rolled), b, left=left, adjoint=adjoint)
            np.testing.assert_allclose((factor @ x if left else x @ factor).array, b.array, 1e-9)
