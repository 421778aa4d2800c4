"""Linear algebra: properties of factorizations, block algorithms, singular matrices, derivatives and errors."""

import weakref

import numpy as np
import pytest

import microgad as torch
from microgad.ops.linalg import factorizations, lu_factors, triangular


def randn(*shape, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    return torch.tensor((x + 1j * rng.standard_normal(shape) if dtype == "complex128" else x).astype(dtype))


def assert_close(x, y, tolerance=1e-10):
    np.testing.assert_allclose(x.array, y.array if isinstance(y, torch.Tensor) else y, tolerance, tolerance)


real_and_complex = pytest.mark.parametrize("dtype", ["float64", "complex128"])


@real_and_complex
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("shape", [(4, 4), (2, 5, 3), (6, 4), (3, 5), (2, 3, 7), (0, 3), (2, 0, 2)])
@pytest.mark.parametrize("rows", [7, 1])
def test_the_product_of_svd_s_factors_is_the_matrix(dtype, full, shape, rows):
    A = randn(*shape, dtype=dtype)[..., :rows, :].expand(shape)
    U, S, Vh = torch.linalg.svd(A, full_matrices=full)
    k = min(shape[-2:])
    assert S.dtype == torch.float64
    assert (U.shape[-1], Vh.shape[-2]) == (shape[-2:] if full else (k, k))
    assert_close(U[..., :k] * S[..., None, :] @ Vh[..., :k, :], A)
    for vectors in (U.mH @ U, Vh @ Vh.mH):
        assert_close(vectors, np.broadcast_to(np.eye(vectors.shape[-1]), vectors.shape))


@real_and_complex
def test_svd_of_infinite_matrices_terminates(dtype):
    """LAPACK's loops forever on [[∞, 1, 2], [1, 2, 3], [1, 1, 1]]."""
    A = torch.stack([torch.full((3, 3), np.inf), torch.eye(3)]).to(getattr(torch, dtype))
    parts = *torch.linalg.svd(A), torch.linalg.pinv(A), torch.linalg.lstsq(A, A).solution, torch.linalg.svdvals(A)
    assert all(x[0].isnan().all() and x[1].isfinite().all() for x in parts)
    assert (parts[0].dtype, parts[1].dtype) == (A.dtype, torch.float64)
    assert torch.linalg.matrix_rank(A).tolist() == [0, 3]
    A[0] = torch.tensor([[np.inf, 1, 2], [1, 2, 3], [1, 1, 1]])
    assert torch.linalg.svd(A, full_matrices=False).S.isnan().tolist() == [[True] * 3, [False] * 3]


@pytest.mark.parametrize("shape", [(6, 4), (4, 9)])
@pytest.mark.parametrize("scale", [0.5 * np.finfo(np.float64).max, 100 * np.finfo(np.float64).smallest_subnormal])
def test_svd_at_the_limits_of_the_dtype(shape, scale):
    x = np.random.default_rng(0).uniform(-1, 1, shape) * scale
    U, S, _ = torch.linalg.svd(torch.tensor(x), full_matrices=False)
    np.testing.assert_array_equal(S.cpu().numpy(), np.linalg.svd(x, False)[1])
    np.testing.assert_allclose((U.mT @ U).cpu().numpy(), np.eye(4), atol=1e-14)


@real_and_complex
@pytest.mark.parametrize("function", ["svd", "svdvals", "matrix_rank", "pinv", "cond"])
@pytest.mark.parametrize("diagonal", [1, np.inf])
def test_singular_values_of_nan_raise_in_pytorch_s_words(diagonal, function, dtype):
    A = torch.tensor([[diagonal, np.nan], [np.nan, diagonal]], dtype=getattr(torch, dtype))
    with pytest.raises(torch.linalg.LinAlgError, match="the input matrix contained non-finite values"):
        getattr(torch.linalg, function)(A)


@real_and_complex
def test_eigenvectors_are_multiplied_by_their_eigenvalues(dtype):
    A = randn(2, 4, 4, dtype=dtype)
    w, V = torch.linalg.eig(A)
    assert w.is_complex()
    assert_close(A.to(torch.complex128) @ V, V * w[..., None, :])
    np.testing.assert_allclose(np.sort_complex(torch.linalg.eigvals(A).array), np.sort_complex(w.array))
    H = A + A.mH
    w, V = torch.linalg.eigh(H)
    assert_close(H @ V, V * w[..., None, :])
    assert_close(torch.linalg.eigvalsh(H, "U"), w)
    H.requires_grad_()
    (grad,) = torch.autograd.grad((abs(torch.linalg.eigh(H).eigenvectors) ** 3).sum(), H)
    assert_close(grad, grad.mH)


@real_and_complex
@pytest.mark.parametrize("shape", [(90, 90), (2, 50, 70), (70, 50), (3, 0), (0, 3)])
def test_the_product_of_lu_factors_is_the_matrix(dtype, shape):
    A = randn(*shape, dtype=dtype)
    P, L, U = torch.linalg.lu(A)
    assert_close(P @ L @ U, A)
    assert (abs(L.array) <= 1.5).all()  # the largest pivots, by |re| + |im|
    assert shape[-1] > lu_factors.PANEL or 0 in shape


def test_torch_lu_gives_the_factors_of_a_singular_matrix():
    factors, pivots = torch.lu(torch.ones(2, 2))
    assert (factors.tolist(), pivots.tolist()) == ([[1, 1], [1, 0]], [1, 2])
    assert torch.lu(torch.ones(2, 2), get_infos=True).info.item() == 2


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("left", [True, False])
def test_solve_triangular_in_blocks(upper, left):
    n = 2 * triangular.BLOCK + 3
    A, B = randn(n, n) / n + 2 * torch.eye(n, dtype=torch.float64), randn(2, *((n, 3) if left else (3, n)))
    X = torch.linalg.solve_triangular(A, B, upper=upper, left=left)
    T = torch.triu(A) if upper else torch.tril(A)
    assert_close(T @ X if left else X @ T, B)


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("upper", [True, False])
def test_solve_triangular_of_many_small_matrices_equals_one_by_one(upper, unit):
    count, n = triangular.MANY * 5, 5
    A, B = randn(count, n, n) / n + 2 * torch.eye(n, dtype=torch.float64), randn(count, n, 2)
    X = torch.linalg.solve_triangular(A, B, upper=upper, unitriangular=unit)
    one_by_one = [
        torch.linalg.solve_triangular(a, b, upper=upper, unitriangular=unit) for a, b in zip(A, B, strict=True)
    ]
    assert_close(X, torch.stack(one_by_one))


@real_and_complex
@pytest.mark.parametrize("shape", [(40, 40), (70, 35), (35, 70), (5, 0)])
def test_lu_of_one_matrix_equals_that_of_a_batch(dtype, shape):
    A = randn(*shape, dtype=dtype)
    results = lu_factors.lu_factorize(A.array), lu_factors.lu_factorize(torch.stack([A, A]).array)
    for one, many in zip(*results, strict=True):
        np.testing.assert_allclose(one, many[1], 1e-10, 1e-10)


def test_solve_triangular_reads_one_triangle_only():
    A = torch.tensor([[2.0, float("nan")], [1.0, 4.0]])
    assert_close(torch.linalg.solve_triangular(A, torch.ones(2, 1), upper=False), [[0.5], [0.125]])


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize(("n", "columns"), [(3, 1), (16, 40), (triangular.BLOCK + 1, 2)])  # LAPACK, inverse, blocks
def test_infinity_and_nan_reach_only_the_rows_that_are_solved_afterwards(n, columns, upper):
    A, B = randn(n, n) / n + 2 * torch.eye(n, dtype=torch.float64), randn(n, columns)
    expected = torch.linalg.solve_triangular(A, B, upper=upper)
    before = slice(n // 2 + 1, None) if upper else slice(n // 2)
    for bad in (torch.inf, torch.nan):
        B[n // 2, 0] = bad
        found = torch.linalg.solve_triangular(A, B, upper=upper)
        assert_close(found[before], expected[before])
        assert_close(found[:, 1:], expected[:, 1:])
        assert not found[n // 2, 0].isfinite()


def test_solve_triangular_gives_positive_strides():
    X = torch.linalg.solve_triangular(torch.eye(3), torch.ones(3, 2), upper=False)
    assert X.stride() == (1, 3)  # PyTorch and users of DLPack don't support negative strides


def test_solve_triangular_with_a_zero_diagonal_gives_inf_and_nan():
    X = torch.linalg.solve_triangular(torch.zeros(2, 2), torch.ones(2, 1), upper=True)
    np.testing.assert_array_equal(X.array, [[np.nan], [np.inf]])


def test_householder_products_give_q():
    A = randn(2, 5, 3, dtype="complex128")
    a, tau = torch.geqrf(A)
    Q = torch.linalg.householder_product(a, tau)
    assert_close(Q @ torch.triu(a[..., :3, :]), A)
    C = randn(2, 5, 2, dtype="complex128", seed=1)
    assert_close(torch.ormqr(a, tau, C, transpose=True)[..., :3, :], Q.mH @ C)


def test_singular_matrices_raise_or_are_reported_in_info():
    S = torch.tensor([[[1.0, 2.0], [2.0, 4.0]], [[2.0, 0.0], [0.0, 1.0]]])
    with pytest.raises(torch.linalg.LinAlgError, match=r"[Ss]ingular"):
        torch.linalg.inv(S)
    with pytest.raises(RuntimeError, match="Solve"):
        torch.linalg.solve(S, torch.ones(2, 2))
    with pytest.raises(np.linalg.LinAlgError, match=r"U\[2,2\] is zero"):
        torch.linalg.lu_factor(S)
    inverse, info = torch.linalg.inv_ex(S)
    assert info.tolist() == [2, 0]
    assert info.dtype == torch.int32
    assert_close(inverse[1], [[0.5, 0.0], [0.0, 1.0]])
    for B in (torch.ones(2, 2), torch.ones(2, 1), torch.ones(3, 2, 2, 1)):
        X, info = torch.linalg.solve_ex(S, B)
        assert info.tolist() == [2, 0]
        infinite = torch.isinf(X)
        assert infinite[..., 0, :, :].all() if B.ndim > 2 else infinite[0].all()
        assert infinite.sum() == X.numel() / 2
    assert torch.linalg.cond(S, 1).tolist()[0] == float("inf")


def test_cholesky_reports_the_first_minor_that_is_not_positive_definite():
    A = torch.stack([torch.diag(torch.tensor([1.0, 2.0, -3.0, 4.0])), torch.eye(4)])
    L, info = torch.linalg.cholesky_ex(A)
    assert info.tolist() == [3, 0]
    assert_close(L[1], np.eye(4))
    assert_close(L[0], np.diag(np.sqrt([1, 2, 9, 16], dtype="f4") * [1, 1, -1, 1]))  # as LAPACK leaves it
    message = r"linalg.cholesky: \(Batch element 0\): .* \(the leading minor of order 3 is not positive-definite\)"
    with pytest.raises(torch.linalg.LinAlgError, match=message):
        torch.linalg.cholesky(A)
    with pytest.raises(torch.linalg.LinAlgError, match="The factorization could not be completed"):
        torch.linalg.cholesky(A[0])


@real_and_complex
def test_the_sign_of_slogdet_has_a_gradient_if_it_is_complex(dtype):
    A = randn(2, 3, 3, 2 if dtype == "complex128" else 1).requires_grad_()

    def sign_and_log(A):
        sign, log = torch.linalg.slogdet(torch.view_as_complex(A) if dtype == "complex128" else A[..., 0])
        return torch.view_as_real(sign) if sign.is_complex() else sign, log

    (grad,) = torch.autograd.grad(sign_and_log(A)[0].sum(), A)
    assert bool(grad.any()) == (dtype == "complex128")
    for results in (lambda A: sign_and_log(A)[0], lambda A: sign_and_log(A)[1], sign_and_log):
        assert torch.autograd.gradcheck(results, A)


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_derivatives_of_the_determinant_of_singular_matrices(rank):
    """Compared with cofactors that are computed one by one."""
    n = 3
    A = (randn(n, rank, seed=rank) @ randn(rank, n, seed=rank + 9)).requires_grad_()
    minors = [[torch.det(A[[k for k in range(n) if k != i]][:, [k for k in range(n) if k != j]]) for j in range(n)]
              for i in range(n)]  # fmt: skip
    cofactors = torch.stack([torch.stack([(-1) ** (i + j) * minors[i][j] for j in range(n)]) for i in range(n)])
    (grad,) = torch.autograd.grad(torch.det(A), A, create_graph=True)
    assert_close(grad, cofactors.detach())
    weights = randn(n, n, seed=20)
    (second,) = torch.autograd.grad((grad * weights).sum(), A)
    (expected,) = torch.autograd.grad((cofactors * weights).sum(), A)
    assert_close(second, expected, 1e-8)


def test_a_loss_that_depends_on_the_phase_of_vectors_raises():
    A = randn(3, 3, dtype="complex128").requires_grad_()
    for vectors in (torch.linalg.eig(A).eigenvectors, torch.linalg.eigh(A).eigenvectors, torch.linalg.svd(A).U):
        with pytest.raises(RuntimeError, match="ill-defined"):
            vectors.real.sum().backward()


def values_and_product(name, A):
    """The eigenvalues or singular values of A, and A, made of them and the vectors."""
    if name == "svd":
        U, S, Vh = torch.linalg.svd(A)
        return S, U * S @ Vh
    w, V = getattr(torch.linalg, name)(A)
    return w.real, ((V * w) @ torch.linalg.inv(V)).real


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", ["eigh", "eig", "svd"])
@pytest.mark.parametrize("diagonal", [[1.0, 1, 1], [2, 2, 1], [0, 0, 0]])
def test_where_values_coincide_they_have_derivatives_but_vectors_have_none(name, diagonal, create_graph):
    A = torch.diag(torch.tensor(diagonal, dtype=torch.float64)).requires_grad_()
    (grad,) = torch.autograd.grad(values_and_product(name, A)[0].sum(), A, create_graph=create_graph)
    assert_close(grad, np.eye(3))
    (grad,) = torch.autograd.grad((values_and_product(name, A)[1] * randn(3, 3)).sum(), A, create_graph=create_graph)
    assert grad.isnan().any()  # 0 / 0: it would be wrong with 0 for it


def test_mixed_dtypes_and_inverses_of_integers_raise():
    a, b = torch.ones(2, 2), torch.ones(2, 2, dtype=torch.float64)
    for product in (torch.matmul, torch.mm, torch.inner, torch.tensordot, lambda a, b: torch.einsum("ij,jk", a, b)):
        with pytest.raises(RuntimeError, match="same dtype"):
            product(a, b)
    assert np.matmul(a, b).dtype == torch.float64  # numpy.matmul promotes
    with pytest.raises(RuntimeError, match=r"linalg\.inv: Expected a floating point"):
        torch.linalg.inv(torch.ones(2, 2, dtype=torch.int64))
    assert (torch.ones(2, 2, dtype=torch.int64) @ torch.ones(2, 2, dtype=torch.int64)).tolist() == [[2, 2], [2, 2]]


def test_addmm_with_beta_0_ignores_its_input():
    bad = torch.full((2, 2), float("nan"), requires_grad=True)
    result = torch.addmm(bad, torch.eye(2), torch.eye(2), beta=0)
    assert_close(result, np.eye(2))
    (grad,) = torch.autograd.grad(result.sum(), bad)
    assert_close(grad, np.zeros((2, 2)))


NUMPY = {
    np.dot: [(2, 3), (3, 4)], np.vdot: [(2, 3), (2, 3)], np.inner: [(2, 3), (4, 3)], np.outer: [(2, 3), (2,)],
    np.tensordot: [(2, 3, 4), (3, 4, 2)], np.cross: [(2, 3), (3,)], np.vander: [(3,)], np.linalg.norm: [(2, 3, 2)],
    np.linalg.cond: [(3, 3)], np.linalg.inv: [(2, 3, 3)], np.linalg.pinv: [(3, 2)], np.linalg.det: [(2, 3, 3)],
    np.linalg.slogdet: [(3, 3)], np.linalg.solve: [(2, 3, 3), (3, 2)], np.linalg.tensorinv: [(2, 3, 6)],
    np.linalg.tensorsolve: [(2, 3, 6), (2, 3)], np.linalg.qr: [(3, 2)], np.linalg.svd: [(3, 2)],
    np.linalg.eigvalsh: [(3, 3)], np.linalg.matrix_rank: [(3, 2)], np.linalg.vector_norm: [(2, 3)],
    np.linalg.matrix_norm: [(2, 3)], np.linalg.outer: [(2,), (3,)], np.linalg.vecdot: [(2, 3), (3,)],
    np.linalg.cross: [(2, 3), (2, 3)], np.linalg.matmul: [(2, 3), (3, 2)], np.linalg.svdvals: [(3, 2)],
    np.linalg.tensordot: [(2, 3, 4), (3, 4, 2)], np.vecdot: [(2, 3), (3,)],
    np.matmul: [(2, 3), (2, 3, 2)],
}  # fmt: skip
if hasattr(np, "matvec"):  # since NumPy 2.2
    NUMPY |= {np.matvec: [(4, 2, 3), (3,)], np.vecmat: [(2,), (4, 2, 3)]}


@real_and_complex
@pytest.mark.parametrize("function", NUMPY, ids=lambda f: f.__name__)
def test_numpy_functions_of_tensors_equal_numpy(function, dtype):
    arguments = [randn(*shape, dtype=dtype, seed=i) for i, shape in enumerate(NUMPY[function])]
    found, expected = function(*arguments), function(*(x.array for x in arguments))
    pairs = zip(found, expected, strict=True) if isinstance(expected, tuple) else [(found, expected)]
    for x, y in pairs:
        assert_close(x, y)


def test_numpy_dot_of_batches_of_matrices():
    a, b = randn(2, 3, 4), randn(5, 4, 2)
    assert_close(np.dot(a, b), np.dot(a.array, b.array))
    assert_close(np.dot(a, b[:, :, 0].mT), np.dot(a.array, b.array[:, :, 0].mT))


@real_and_complex
@pytest.mark.parametrize("p", [float("inf"), float("-inf")])
def test_equal_magnitudes_share_the_gradient_of_an_infinity_norm(p, dtype):
    x = torch.tensor([1.0, -1.0], dtype=getattr(torch, dtype), requires_grad=True)
    torch.linalg.vector_norm(x, p).backward()
    assert_close(x.grad, [0.5, -0.5])


def test_a_bilinear_layer_without_outputs():
    assert torch.nn.functional.bilinear(torch.ones(2, 3), torch.ones(2, 4), torch.ones(0, 3, 4)).shape == (2, 0)


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize(
    "call",
    [
        lambda x: torch.linalg.multi_dot([x, x, x]),
        lambda x: torch.func.vmap(torch.trace)(x[None]),
        lambda x: torch.func.grad(lambda tree: (tree["x"] * 2).sum())({"x": x}),
    ],
)
def test_operands_are_freed_without_the_garbage_collector(call):
    x = torch.ones(2, 2)
    alive = weakref.ref(x)
    call(x)
    del x
    assert alive() is None


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_cholesky_ex_gives_the_columns_before_the_failure(upper, dtype):
    A = torch.tensor([[4.0, 2, 1, 3], [2, 3, 1, 2], [1, 1, -1, 2], [3, 2, 2, 5]]).to(dtype)
    if dtype.is_complex:
        A[0, 2], A[2, 0] = 1 + 2j, 1 - 2j
    A = torch.stack([torch.eye(4).to(dtype), A]).requires_grad_()
    L, info = torch.linalg.cholesky_ex(A, upper=upper)
    assert (L.dtype, info.tolist()) == (dtype, [0, 3])
    factor = (L[1].mH if upper else L[1]).detach()
    assert_close(factor[:, :2] @ factor[:2, :2].mH, A[1, :, :2].detach())
    assert factor[2, 2].real < 0
    L.sum().abs().backward()
    assert (A.grad[0].isfinite().all().item(), A.grad[1].isnan().any().item()) == (True, True)


def test_a_matrix_with_nan_is_not_positive_definite():
    A = torch.eye(3)
    A[2, 1] = torch.nan
    with pytest.raises(torch.linalg.LinAlgError, match="minor of order 3 is not"):
        torch.linalg.cholesky(A)
    assert torch.linalg.cholesky_ex(torch.stack([A, torch.eye(3), -A])).info.tolist() == [3, 0, 1]


def test_infinity_over_infinity_is_no_entry_of_a_cholesky_factor():
    A = torch.full((2, 2), torch.inf)
    with pytest.raises(torch.linalg.LinAlgError, match="minor of order 2 is not"):
        torch.linalg.cholesky(A)
    L, info = torch.linalg.cholesky_ex(torch.stack([A, torch.diag(torch.tensor([4.0, torch.inf]))]))
    assert info.tolist() == [2, 0]
    assert (L[0, 1].isnan().tolist(), L[1].tolist()) == ([True, True], [[2, 0], [0, torch.inf]])


def test_the_first_minor_that_is_not_positive_definite_is_found_by_bisection(monkeypatch):
    sizes = []
    definite = factorizations._is_definite
    monkeypatch.setattr(factorizations, "_is_definite", lambda x: sizes.append(len(x)) or definite(x))
    A = torch.eye(100)
    A[70, 70] = -1
    assert torch.linalg.cholesky_ex(A).info.item() == 71
    assert len(sizes) < 10


@pytest.mark.parametrize("pivots", [[0, 2], [3, 2]])
def test_pivots_out_of_range_raise(pivots):
    pivots = torch.tensor(pivots, dtype=torch.int32)
    with pytest.raises(RuntimeError, match="between 1 and the 2 rows"):
        torch.lu_unpack(torch.eye(2), pivots)
    with pytest.raises(RuntimeError, match="between 1 and the 2 rows"):
        torch.linalg.lu_solve(torch.eye(2), pivots, torch.ones(2, 1))


@pytest.mark.parametrize(
    ("lu", "pivots", "message"),
    [
        (torch.ones(3), [1], "2 or more dimensions"),
        (torch.eye(3), 1, r"must have 3 elements .* has shape \(\)"),
        (torch.ones(2, 3), [1, 2, 3], "must have 2 elements"),
    ],
)
def test_lu_unpack_of_pivots_of_another_matrix_raises(lu, pivots, message):
    with pytest.raises(RuntimeError, match=message):
        torch.lu_unpack(lu, torch.tensor(pivots, dtype=torch.int32))


def test_a_dimension_out_of_range_in_tensorsolve_raises():
    with pytest.raises(IndexError, match="out of range"):
        torch.linalg.tensorsolve(torch.eye(4).reshape(2, 2, 4), torch.ones(2, 2), dims=(5,))


@pytest.mark.host("a GPU isn't synchronized for the check")
def test_cholesky_inverse_of_a_zero_diagonal_raises():
    with pytest.raises(torch.linalg.LinAlgError, match="diagonal element 2 is zero"):
        torch.cholesky_inverse(torch.diag(torch.tensor([1.0, 0.0, 2.0])))


@pytest.mark.parametrize("n", [0, 1, 3])
def test_powers_of_integers_are_int64_however_many(n):
    assert torch.vander(torch.tensor([2, 3], dtype=torch.int8), n).dtype is torch.int64


def test_lobpcg_and_its_gradient_read_both_triangles():
    x = torch.tensor([[2.0, 0.5, 0.1], [0.5, 1.0, 0.2], [0.1, 0.2, 3.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: torch.lobpcg(x, k=1)[0], x)


def test_eigenvalues_of_nan_raise_in_pytorch_s_words():
    for call in (torch.linalg.eigh, torch.linalg.eigvalsh):
        with pytest.raises(torch.linalg.LinAlgError, match=r"The algorithm failed to converge .* repeated eigenvalues"):
            call(torch.full((3, 3), torch.nan))
    with pytest.raises(RuntimeError, match="input tensor should not contain infs or NaNs"):
        torch.linalg.eig(torch.full((3, 3), torch.nan))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_derivative_of_matrix_exp_is_exact_for_large_gradients(dtype):
    x = torch.tensor([[0.1, 1.0], [-1.0, 0.5]], dtype=dtype, requires_grad=True)
    y = torch.linalg.matrix_exp(x)
    weights = torch.tensor([[1.0, -2.0], [3.0, 0.75]], dtype=dtype)
    small, large = (torch.autograd.grad(y, x, weights * c, create_graph=True)[0] for c in (1, 2.0**30))
    assert torch.allclose(large / 2.0**30, small, rtol=4 * torch.finfo(dtype).eps, atol=0)
    small, large = (torch.autograd.grad(g, x, weights)[0] for g in (small, large))
    assert torch.allclose(large / 2.0**30, small, rtol=4 * torch.finfo(dtype).eps, atol=0)
