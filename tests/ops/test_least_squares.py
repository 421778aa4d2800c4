"""Least-squares solutions and pseudo-inverses: ranks, scales, drivers, and what they compute."""

import numpy as np
import pytest

import microgad as torch

real_and_complex = pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])


@real_and_complex
@pytest.mark.parametrize("scale", [1, 1e-200, 1e200])
@pytest.mark.parametrize("ranks", [(5, 5), (5, 4), (3, 2), (0, 0)])
@pytest.mark.parametrize(("rows", "columns"), [(5, 5), (5, 7), (7, 5)])
def test_lstsq_and_pinv_of_any_rank_and_scale(dtype, scale, ranks, rows, columns):
    A = torch.stack([torch.randn(rows, r, dtype=dtype) @ torch.randn(r, columns, dtype=dtype) for r in ranks])
    A = scale * A
    expected = np.linalg.pinv(A.array, rtol=7 * np.finfo(np.float64).eps)
    np.testing.assert_allclose(torch.linalg.pinv(A).array * scale, expected * scale, rtol=1e-9, atol=1e-11)
    B = torch.randn(2, rows, 2, dtype=dtype)
    for driver in ("gelsy", "gelsd"):
        solution, _, found, _ = torch.linalg.lstsq(A, B, driver=driver)
        assert tuple(found.tolist()) == ranks
        np.testing.assert_allclose(solution.array * scale, expected * scale @ B.array, rtol=1e-9, atol=1e-10)


def test_rtol_decides_which_singular_values_count():
    diagonal = lambda s: torch.diag(torch.tensor([1.0, s], dtype=torch.float64))  # noqa: E731
    for rtol, s, rank in ((1e-3, 0.9e-3, 1), (1e-3, 1.1e-3, 2), (1e-3, 0.1, 2), (1e-20, 1e-18, 2), (1e-20, 0.0, 1)):
        assert int(torch.linalg.lstsq(diagonal(s), torch.ones(2, 1, dtype=torch.float64), rcond=rtol).rank) == rank
        np.testing.assert_allclose(torch.linalg.pinv(diagonal(s), rtol=rtol)[1, 1].item(), 1 / s if rank > 1 else 0)


@pytest.mark.parametrize(("rows", "columns"), [(40, 40), (40, 60), (60, 40)])
def test_full_rank_is_seen_without_an_svd_by_norms_that_are_near_the_greatest_singular_value(
    monkeypatch, rows, columns
):
    monkeypatch.setattr(np.linalg, "svd", None)
    A = torch.eye(rows, columns)
    solution, _, rank, _ = torch.linalg.lstsq(A, A, rcond=0.03)
    assert int(rank) == 40
    np.testing.assert_array_equal(solution.array, torch.diag(torch.arange(columns) < 40).array)


@real_and_complex
def test_zero_residuals_of_lstsq_have_a_second_derivative(dtype):
    b = torch.zeros(2, 1, dtype=dtype, requires_grad=True)
    residuals = torch.linalg.lstsq(torch.zeros(2, 0, dtype=dtype), b, driver="gelsd").residuals
    (grad,) = torch.autograd.grad(residuals.sum(), b, create_graph=True)
    (second,) = torch.autograd.grad(grad.sum().real, b)
    assert second.tolist() == [[2], [2]]


@pytest.mark.parametrize("extra_rows", [0, 1])
def test_lstsq_with_gels_raises_for_a_rank_deficient_matrix(extra_rows):
    matrix = torch.diag(torch.tensor([1.0, 0.0]))
    matrix = torch.cat([matrix, torch.zeros(extra_rows, 2)])
    with pytest.raises(torch.linalg.LinAlgError, match="does not have full rank"):
        torch.linalg.lstsq(matrix, torch.ones(2 + extra_rows, 1), driver="gels")
    assert torch.linalg.lstsq(matrix, torch.ones(2 + extra_rows, 1)).solution.flatten().tolist() == [1, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_driver_of_full_rank_refuses_rows_that_are_sums_of_others_up_to_rounding(dtype):
    rows = torch.arange(1.0, 10, dtype=dtype).reshape(3, 3)
    for matrix in (torch.ones(3, 2, dtype=dtype), torch.tensor([[1, 2], [2, 4]], dtype=dtype), rows, rows[:2] * 0 + 1):
        with pytest.raises(torch.linalg.LinAlgError, match="does not have full rank"):
            torch.linalg.lstsq(matrix, matrix[:, :1], driver="gels")
    powers = torch.linalg.vander(torch.linspace(0, 10, 20, dtype=dtype), N=8)
    assert torch.linalg.lstsq(powers, powers[:, :1], driver="gels").solution.isfinite().all()
    assert not torch.linalg.lstsq(0 * powers, powers[:, :1], driver="gels").solution.any()
