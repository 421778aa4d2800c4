"""The LDL factorization of symmetric and Hermitian matrices: solutions, pivots of two rows, derivatives and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import microgad as torch


def symmetric(n: int, dtype: str, hermitian: bool, lead: tuple[int, ...] = ()) -> Any:
    """A symmetric or Hermitian matrix whose diagonal is zero, so that there are pivots of two rows."""
    rng = np.random.default_rng(n)
    x = rng.normal(size=(*lead, n, n)) + 1j * rng.normal(size=(*lead, n, n))
    x = x.astype(dtype) if dtype.startswith("c") else x.real.astype(dtype)
    x = x + (x.conj() if hermitian else x).swapaxes(-1, -2)
    return torch.tensor(x * (1 - np.eye(n, dtype=dtype)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("hermitian", [False, True])
@pytest.mark.parametrize("n", [2, 3, 8, 40])
def test_ldl_solve_solves_with_the_factors(n: int, hermitian: bool, dtype: str) -> None:
    a = symmetric(n, dtype, hermitian, (3,))
    b = torch.ones(n, 2, dtype=a.dtype)
    factors, pivots, info = torch.linalg.ldl_factor_ex(a, hermitian=hermitian)
    assert factors.dtype == a.dtype
    assert (pivots < 0).any()
    assert not info.any()
    x = torch.linalg.ldl_solve(factors, pivots, b, hermitian=hermitian)
    torch.testing.assert_close(a @ x, b.expand_as(x), rtol=0, atol=1e4 * torch.finfo(a.dtype).eps)


def plain_ldl(a: Any, hermitian: bool) -> tuple[Any, list[int]]:
    """Factor a matrix (n, n) by Bunch and Kaufman's method, one pivot after another, each of which updates the rest."""
    a, pivots, k = np.array(a), [], 0
    alpha = (1 + 17**0.5) / 8

    def size(x: Any) -> Any:
        return abs(x.real) + abs(x.imag)

    while k < len(a):
        rest, rows, place = a[k:, k:], 1, 0
        if hermitian:
            np.fill_diagonal(rest, np.diagonal(rest).real)
        if len(rest) > 1:
            far = 1 + int(size(rest[1:, 0]).argmax())
            corner, most = size(rest[0, 0]), size(rest[far, 0])
            beside = size(np.delete(rest[far], far)).max()
            if corner < alpha * most and corner * beside < alpha * most**2:
                rows, place = (1, far) if size(rest[far, far]) >= alpha * beside else (2, far)
        pair = [rows - 1, place]
        rest[pair] = rest[pair[::-1]]
        rest[:, pair] = rest[:, pair[::-1]]
        below = rest[rows:, :rows].copy()
        rest[rows:, :rows] = below @ np.linalg.inv(rest[:rows, :rows])
        rest[rows:, rows:] -= rest[rows:, :rows] @ (below.conj() if hermitian else below).T
        pivots += [k + place + 1] if rows == 1 else [-(k + place + 1)] * 2
        k += rows
    return np.tril(a), pivots


@pytest.mark.parametrize("hermitian", [False, True])
@pytest.mark.parametrize("n", [2, 31, 33, 65, 100])
def test_factors_by_panels_are_those_of_the_plain_method(n: int, hermitian: bool) -> None:
    a = symmetric(n, "complex128", hermitian) + torch.diag(torch.arange(n) % 3 * 2.0)
    factors, pivots, _ = torch.linalg.ldl_factor_ex(a, hermitian=hermitian)
    expected, expected_pivots = plain_ldl(a.cpu().numpy(), hermitian)
    assert pivots.tolist() == expected_pivots
    np.testing.assert_allclose(factors.cpu().numpy(), expected, rtol=1e-9, atol=1e-10)


def test_factors_of_a_singular_matrix_do_not_depend_on_how_its_symmetric_entries_are_rounded() -> None:
    a = torch.zeros(8, 8, dtype=torch.float64)
    for i, j, value in (
        *((3, 0, -1), (3, 1, 2), (4, 3, -1), (4, 4, -1), (5, 1, -2), (5, 2, 1), (5, 3, -1)),
        *((5, 5, 3), (6, 0, -1), (6, 2, 1), (6, 5, 1), (6, 6, 1), (7, 3, -1), (7, 5, -1)),
    ):
        a[i, j] = value
    assert torch.linalg.ldl_factor_ex(a).LD.isfinite().all()


def test_only_the_lower_triangle_is_read() -> None:
    a = symmetric(5, "complex128", hermitian=True)
    changed = torch.tril(a) + 3j * torch.eye(5) + torch.triu(torch.ones(5, 5), 1)
    for found, expected in zip(*(torch.linalg.ldl_factor(x, hermitian=True) for x in (changed, a)), strict=True):
        torch.testing.assert_close(found, expected)


def test_a_singular_matrix_raises_and_is_reported_in_info() -> None:
    a = torch.stack([torch.eye(3), torch.diag(torch.tensor([1.0, 0.0, 0.0]))])
    assert torch.linalg.ldl_factor_ex(a).info.tolist() == [0, 2]
    with pytest.raises(torch.linalg.LinAlgError, match="row 2 of D is zero"):
        torch.linalg.ldl_factor(a)


def test_ldl_solve_has_derivatives() -> None:
    a = symmetric(4, "float64", hermitian=False, lead=(2,))
    factors, pivots = torch.linalg.ldl_factor(a)
    b = torch.ones(4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda f, b: torch.linalg.ldl_solve(torch.tril(f), pivots, b), (factors.requires_grad_(), b)
    )


def test_ldl_solve_has_derivatives_for_hermitian_factors() -> None:
    a = symmetric(3, "complex128", hermitian=True, lead=(2,)) + torch.diag(torch.tensor([0.0, 0.0, 9.0]))
    factors, pivots = torch.linalg.ldl_factor(a, hermitian=True)
    assert len(set((pivots[0] < 0).tolist())) == 2  # blocks of one and of two rows
    b = torch.ones(3, 2, dtype=torch.complex128, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda f, b: torch.linalg.ldl_solve(f, pivots, b, hermitian=True), (factors.requires_grad_(), b)
    )


def test_ldl_solve_divides_by_a_zero_of_d_as_lapack_does() -> None:
    factors, pivots = torch.tensor([[0.0, 0.0], [1.0, 2.0]]), torch.tensor([1, 2], dtype=torch.int32)
    x = torch.linalg.ldl_solve(factors, pivots, torch.tensor([[1.0], [2.0]]))
    assert x.flatten().tolist() == [float("inf"), 0.5]


def test_ldl_solve_of_blocks_whose_determinant_overflows() -> None:
    factors, pivots = torch.tensor([[1e30, 0.0], [1e38, 2.0]]), torch.tensor([-2, -2], dtype=torch.int32)
    x = torch.linalg.ldl_solve(factors, pivots, torch.tensor([[1.0], [2.0]]))
    torch.testing.assert_close(x, torch.tensor([[2e-38], [1e-38]]), rtol=1e-5, atol=0)


@pytest.mark.parametrize("shape", [(0, 3, 3), (2, 0, 0)])
def test_empty_matrices_and_batches(shape: tuple[int, ...]) -> None:
    factors, pivots = torch.linalg.ldl_factor(torch.zeros(shape))
    assert (factors.shape, pivots.shape) == (shape, shape[:-1])
    assert torch.linalg.ldl_solve(factors, pivots, torch.zeros(shape)).shape == shape


@pytest.mark.parametrize(
    ("pivots", "message"), [([0, 1], "must be 1 to 2"), ([1, 3], "must be 1 to 2"), ([1, -2], "last")]
)
def test_wrong_pivots_raise(pivots: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=f"ldl_solve: .*{message}"):
        torch.linalg.ldl_solve(torch.eye(2), torch.tensor(pivots), torch.ones(2, 1))


def test_backward_through_ldl_factors_raises() -> None:
    a = symmetric(3, "float64", hermitian=False).requires_grad_()
    factors, pivots = torch.linalg.ldl_factor(a)
    assert factors.requires_grad
    assert not pivots.requires_grad
    with pytest.raises(RuntimeError, match="derivative for 'ldl_factor' is not implemented"):
        factors.sum().backward()
