"""Linear algebra: solving, factorizations, decompositions, norms. Matrices are kept away from singular ones."""

import math

import numpy as np
from hypothesis import strategies as st

import microgad as torch
from microgad.ops import linalg as ops
from microgad.testing.strategies import axes, numbers, shapes, tensors

from .registry import checks, computes

leads = st.sampled_from([(), (2,), (1, 2)])
sides = st.integers(1, 3)


def square(draw, lead=None):
    n = draw(sides)
    return draw(tensors((*(draw(leads) if lead is None else lead), n, n), requires_grad=True))


def regular(x):
    """A matrix with a dominant diagonal of distinct values, made of any matrix."""
    n = x.shape[-1]
    return 0.1 * x + torch.diag(torch.tensor([(-1) ** i * (i + 2.0) for i in range(n)], dtype=x.dtype, device=x.device))


def definite(x):
    """A positive definite matrix, made of any matrix."""
    n = x.shape[-1]
    return x @ x.transpose(-2, -1) + torch.diag(torch.arange(n, dtype=x.dtype, device=x.device) + 2)


def rectangular(draw, lead=None):
    n, m = draw(sides), draw(sides)
    return draw(tensors((*(draw(leads) if lead is None else lead), n, m), requires_grad=True))


def full_rank(x):
    """A matrix with distinct singular values, made of any matrix."""
    n, m = x.shape[-2:]
    return 0.1 * x + torch.diag(torch.arange(max(n, m), dtype=x.dtype, device=x.device) + 2)[:n, :m]


@checks(ops.Inv)
def test_inv(draw):
    function = draw(st.sampled_from([torch.linalg.inv, np.linalg.inv, lambda x: torch.linalg.inv_ex(x).inverse]))
    return lambda x: function(regular(x)), square(draw)


@checks(ops.Solve)
def test_solve(draw):
    """Also with leading axes that broadcast, and for vectors."""
    x = square(draw)
    n = x.shape[-1]
    left = draw(st.booleans())
    b = draw(tensors((*draw(leads), *((n, 4) if left else (4, n))), requires_grad=True))
    if draw(st.booleans()):
        return lambda x, b: torch.linalg.solve(regular(x), b), x, draw(tensors((n,), requires_grad=True))
    return lambda x, b: torch.linalg.solve(regular(x), b, left=left), x, b


@checks(ops.SolveTriangular)
def test_solve_triangular(draw):
    x = square(draw)
    n = x.shape[-1]
    left, upper, unit = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    b = draw(tensors((*draw(leads), *((n, 4) if left else (4, n))), requires_grad=True))
    options = {"upper": upper, "left": left, "unitriangular": unit}
    return lambda x, b: torch.linalg.solve_triangular(regular(x), b, **options), x, b


@checks(ops.SolveTriangular)
def test_solve_with_a_cholesky_factor(draw):
    x = square(draw)
    b, upper = draw(tensors((x.shape[-1], 2), requires_grad=True)), draw(st.booleans())
    triangle = torch.triu if upper else torch.tril
    if draw(st.booleans()):
        return lambda x: torch.cholesky_inverse(triangle(regular(x)), upper), x
    return lambda x, b: torch.cholesky_solve(b, triangle(regular(x)), upper), x, b


@checks(ops.Det)
def test_det(draw):
    n = draw(st.integers(0, 3))
    x = draw(tensors((*draw(leads), n, n), requires_grad=True))
    return lambda x: torch.det(regular(x)) if n else torch.det(x), x


@checks(ops.SLogDet)
def test_slogdet(draw):
    if draw(st.booleans()):
        return lambda x: torch.logdet(definite(x)), square(draw)
    return lambda x: torch.linalg.slogdet(regular(x)).logabsdet, square(draw)


@checks(ops.Cholesky)
def test_cholesky(draw):
    upper = draw(st.booleans())
    return lambda x: torch.linalg.cholesky(definite(x), upper=upper), square(draw)


@checks(ops.QR)
def test_qr(draw):
    x = rectangular(draw)
    complete = draw(st.booleans())

    def factors(x):
        wide = x.shape[-2] <= x.shape[-1]
        q, r = torch.linalg.qr(full_rank(x), "complete" if complete and wide else "reduced")
        signs = torch.sign(torch.diagonal(r, 0, -2, -1)).detach()  # they change at zeros below the diagonal
        return q * signs[..., None, :], r * signs[..., None]

    return factors, x


@checks(ops.LUFactor)
def test_lu(draw):
    x = rectangular(draw)
    if x.shape[-2] != x.shape[-1] or draw(st.booleans()):
        return lambda x: tuple(torch.linalg.lu(full_rank(x)))[1:], x
    return lambda x: torch.linalg.lu_factor(regular(x)).LU, x


@checks(ops.LUFactor)
def test_lu_of_cyclically_permuted_rows(draw):
    """The permutation of pivoting is not its own inverse; wide and tall matrices too."""
    n, m = draw(st.sampled_from([(3, 3), (3, 4), (4, 3), (3, 5), (4, 2)]))
    x = draw(tensors((*draw(st.sampled_from([(), (2,)])), n, m), elements=numbers(away_from=[0]), requires_grad=True))
    return lambda x: tuple(torch.linalg.lu(torch.roll(full_rank(x), 1, -2)))[1:], x


@checks(ops.LUFactor, ops.SolveTriangular)
def test_lu_solve(draw):
    x = square(draw)
    n, left, adjoint = x.shape[-1], draw(st.booleans()), draw(st.booleans())
    b = draw(tensors((n, 2) if left else (2, n), requires_grad=True))

    def solved(x, b):
        factors = torch.linalg.lu_factor(torch.flip(regular(x), (-2,)))
        return torch.linalg.lu_solve(*factors, b, left=left, adjoint=adjoint)

    return solved, x, b


@checks(ops.SolveTriangular)
def test_householder_product(draw):
    x = draw(tensors((*draw(leads), 3, 2), requires_grad=True))
    if draw(st.booleans()):
        tau = draw(tensors((*x.shape[:-2], draw(st.integers(0, 2))), elements=numbers(-1, 1), requires_grad=True))
        return torch.linalg.householder_product, x, tau
    tau = draw(tensors((*x.shape[:-2], 2), elements=numbers(-1, 1), requires_grad=True))
    left, transpose = draw(st.booleans()), draw(st.booleans())
    c = draw(tensors((*x.shape[:-2], *((3, 2) if left else (2, 3))), requires_grad=True))
    return lambda x, tau, c: torch.ormqr(x, tau, c, left, transpose), x, tau, c


@checks(ops.Eigh)
def test_eigh(draw):
    triangle = draw(st.sampled_from(["L", "U"]))

    def projections(x):
        w, v = torch.linalg.eigh(regular(x + x.transpose(-2, -1)), triangle)
        return w, v[..., None, :, :] * v[..., :, None, :]  # independent of the signs of eigenvectors

    return projections, square(draw)


@checks(ops.Eigh)
def test_eigvalsh(draw):
    function = draw(st.sampled_from([torch.linalg.eigvalsh, np.linalg.eigvalsh]))
    return lambda x: function(regular(x + x.transpose(-2, -1))), square(draw)


@checks(ops.Eig, float32=False)
def test_eig(draw):
    def of_real_eigenvalues(x):
        # Not diagonal, as LAPACK's order of eigenvalues changes there.
        w, v = torch.linalg.eig(regular(x) + 0.033 * (1 - torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)))
        return torch.real(w * w), torch.real(v * v)

    return of_real_eigenvalues, square(draw)


@checks(ops.SVD)
def test_svd(draw):
    full = draw(st.booleans())

    def triples(x):
        u, s, vh = torch.linalg.svd(full_rank(x), full_matrices=full)
        k = s.shape[-1]
        return s, u[..., None, :k] * vh.transpose(-2, -1)[..., None, :, :k]  # independent of the signs

    return triples, rectangular(draw)


@checks(ops.SVD)
def test_svdvals(draw):
    return lambda x: torch.linalg.svdvals(full_rank(x)), rectangular(draw)


@checks(ops.Pinv)
def test_pinv(draw):
    if draw(st.booleans()):
        return lambda x: torch.linalg.pinv(regular(x + x.transpose(-2, -1)), hermitian=True), square(draw)
    return lambda x: torch.linalg.pinv(full_rank(x)), rectangular(draw)


@checks(ops.Pinv)
def test_pinv_of_low_rank(draw):
    """The derivative is that among matrices of the same rank, which the inputs keep."""
    n, m = draw(st.integers(2, 3)), draw(st.integers(2, 3))
    a, b = draw(tensors((n, 1), requires_grad=True)), draw(tensors((1, m), requires_grad=True))
    return lambda a, b: torch.linalg.pinv(full_rank(a) @ full_rank(b), atol=1e-3), a, b


@checks(ops.Pinv)
def test_lstsq(draw):
    x = rectangular(draw)
    b = draw(tensors((*x.shape[:-1], 2), requires_grad=True))
    driver = draw(st.sampled_from(["gelsy", "gelsd"]))
    results = 2 if driver == "gelsd" and x.shape[-2] > x.shape[-1] else 1
    return lambda x, b: tuple(torch.linalg.lstsq(full_rank(x), b, driver=driver))[:results], x, b


@checks(ops.MatrixExp)
def test_matrix_exp(draw):
    """Also with norms so large that the matrix is scaled and squared."""
    scale = draw(st.sampled_from([0.2, 4.0]))
    return lambda x: torch.linalg.matrix_exp(scale * x) * math.exp(-9 * scale), square(draw)


@checks(ops.VectorNorm)
def test_vector_norm(draw):
    """Inputs are away from 0, where it has kinks."""
    p = draw(st.sampled_from([2, 1, 0, 0.5, 1.5, 3, -1, math.inf, -math.inf]))
    elements = numbers(away_from=[0])
    x = draw(tensors(draw(shapes()), elements=elements, unique=math.isinf(p), requires_grad=True))
    dim = draw(axes(x.ndim))
    if math.isinf(p):
        return lambda x: torch.linalg.vector_norm(x * x, p, dim), x
    return lambda x: torch.linalg.vector_norm(x, p, dim), x


@checks(ops.SVD, ops.VectorNorm)
def test_matrix_norms(draw):
    x = rectangular(draw)
    p = draw(st.sampled_from(["fro", "nuc", 2, -2]))
    return lambda x: torch.linalg.norm(full_rank(x), p, (-2, -1), keepdim=True), x


eigenvalues = computes(
    ops.Eigenvalues,
    lambda x: torch.linalg.eigvals(torch.triu(x)),
    lambda x: np.linalg.eigvals(np.triu(x)),
    st.tuples(tensors((2, 3, 3))),
)
singular_values = computes(
    ops.SingularValues,
    torch.linalg.svdvals,
    lambda x: np.linalg.svd(x, compute_uv=False),
    st.tuples(tensors((2, 3, 2))),
)
symmetric_eigenvalues = computes(
    ops.EigenvaluesH, torch.linalg.eigvalsh, np.linalg.eigvalsh, st.tuples(tensors((2, 3, 3)))
)
rank = computes(ops.Rank, torch.linalg.matrix_rank, np.linalg.matrix_rank, st.tuples(tensors((2, 3, 2))))


def reflections(x):
    h, tau = np.linalg.qr(x, "raw")
    return h.T, tau


geqrf = computes(ops.Geqrf, torch.geqrf, reflections, st.tuples(tensors((3, 2))))


def solved_by_ldl(x):
    """The solution for matrices that have pivots of one and of two rows."""
    a = (
        x
        + x.swapaxes(-1, -2)
        + torch.tensor([[0.0, 20.0, 0.0], [20.0, 0.0, 0.0], [0.0, 0.0, -20.0]], dtype=x.dtype, device=x.device)
    )
    return torch.linalg.ldl_solve(*torch.linalg.ldl_factor(a), x)


def solved_by_numpy(x):
    return np.linalg.solve(x + x.swapaxes(-1, -2) + np.array([[0, 20, 0], [20, 0, 0], [0, 0, -20]]), x)


ldl = computes(ops.LDLFactor, solved_by_ldl, solved_by_numpy, st.tuples(tensors((2, 3, 3))))


def test_values_of_functions_without_a_derivative():
    for entry in (eigenvalues, singular_values, symmetric_eigenvalues, rank, geqrf, ldl):
        entry.run()


def test_lobpcg_solves_the_generalized_problem_of_hermitian_matrices():
    a, b = (torch.randn(5, 5, dtype=torch.complex128) for _ in range(2))
    a, b = a + a.mH, b @ b.mH + torch.eye(5)
    expected = np.sort(np.linalg.eigvals(np.linalg.solve(b.numpy(), a.numpy())).real)
    for largest, which in ((True, expected[:-3:-1]), (False, expected[:2])):
        values, vectors = torch.lobpcg(a, 2, b, largest=largest)
        np.testing.assert_allclose(values.numpy(), which, atol=1e-12)
        np.testing.assert_allclose((a @ vectors).numpy(), (b @ vectors * values).numpy(), atol=1e-12)
        np.testing.assert_allclose((vectors.mH @ b @ vectors).numpy(), np.eye(2), atol=1e-12)
