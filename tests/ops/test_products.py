"""Products of matrices, and linear layers."""

import numpy as np
import pytest

import microgad as torch
from microgad.nn import functional as F


@pytest.mark.parametrize(
    ("x", "bias"), [((1, 2), (2, 3)), ((2,), (2, 3)), ((2,), (1, 3)), ((3, 1, 2), (4, 1)), ((4, 2), (3, 1))]
)
def test_linear_with_a_bias_that_enlarges_the_result_raises(x, bias):
    with pytest.raises(RuntimeError, match=r"linear: input of shape .* can't be expanded"):
        torch.nn.functional.linear(torch.ones(x), torch.ones(3, 2), torch.ones(bias))


def test_linear_broadcasts_its_bias():
    x, weight = torch.ones(4, 2), torch.ones(3, 2)
    for bias in (torch.ones(()), torch.ones(1), torch.ones(1, 3), torch.ones(4, 1)):
        assert torch.nn.functional.linear(x, weight, bias).tolist() == [[3.0] * 3] * 4


SHAPES = [
    ((5, 1), (1, 3)), ((2, 1), (1, 1000)), ((1, 1), (1, 9)), ((9, 1), (1, 1)), ((0, 1), (1, 4)),
    ((3, 5, 1), (3, 1, 20)), ((3, 5, 1), (3, 1, 3)), ((5, 1), (3, 1, 17)), ((2, 1, 5, 1), (3, 1, 17)),
    ((3, 0, 1), (3, 1, 20)), ((1, 1), (1, 600)), ((600, 1), (1, 1)), ((600, 1), (1, 2)), ((800, 1), (1, 3)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.int64])
@pytest.mark.parametrize(("of_a", "of_b"), SHAPES)
def test_products_of_columns_and_rows_equal_those_of_numpy(rng, of_a, of_b, dtype):
    special = np.array([0, -0.0, 1, -1, 2.5, 1e-30, 3] + [np.nan, np.inf, -np.inf, 3e38] * (dtype != np.int64))
    a, b = (rng.choice(special, shape).astype(dtype) for shape in (of_a, of_b))
    with np.errstate(all="ignore"):
        expected = np.matmul(a, b)
    for x in (torch.tensor(a), torch.tensor(a.swapaxes(-1, -2).copy()).mT):
        y = torch.matmul(x, torch.tensor(b))
        assert y.is_contiguous()
        np.testing.assert_array_equal(y.cpu().numpy(), expected)


@pytest.mark.parametrize("rows", [2, 4, 5, 16, 32, 64, 65])
@pytest.mark.parametrize(("k", "m"), [(520, 700), (300, 4000), (130, 80)])
def test_few_rows_times_a_large_matrix(rng, rows, k, m):
    """BLAS would copy the matrix, so they are computed row by row or by columns."""
    a, b = rng.normal(size=(rows, k)).astype("f4"), rng.normal(size=(k, m)).astype("f4")
    exact = a.astype("f8") @ b.astype("f8")
    x = torch.tensor(a, requires_grad=True)
    for y in (torch.tensor(b), torch.tensor(b.T.copy()).T):
        z = x @ y
        assert z.is_contiguous()
        np.testing.assert_allclose(z.detach().cpu().numpy(), exact, rtol=1e-4, atol=1e-3)
        (grad,) = torch.autograd.grad(z, x, torch.tensor(exact, dtype=torch.float32))
        np.testing.assert_allclose(grad.cpu().numpy(), exact @ b.T.astype("f8"), rtol=1e-4, atol=0.1)


@pytest.mark.parametrize("n", [1, 2, 16])
@pytest.mark.parametrize("batch", [(20, 16, 1), (2, 3, 16, 2), (5, 1, 1), (3, 16, 1), (0, 16, 1), (2, 3, 4)])
def test_one_matrix_times_a_batch(rng, n, batch):
    a, b = rng.normal(size=(n, batch[-2])), rng.normal(size=batch)
    x, y = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    out = x @ y
    assert out.is_contiguous()
    np.testing.assert_allclose(out.detach().cpu().numpy(), np.matmul(a, b), atol=1e-12)
    weights = rng.normal(size=out.shape)
    grads = torch.autograd.grad(out, (x, y), torch.tensor(weights), create_graph=True)
    expected = (weights @ b.swapaxes(-1, -2)).reshape(-1, *a.shape).sum(0), a.T @ weights
    for found, exact in zip(grads, expected, strict=True):
        np.testing.assert_allclose(found.detach().cpu().numpy(), exact, atol=1e-12)
    (again,) = torch.autograd.grad((grads[0] * x.detach()).sum(), y)  # bilinear: the gradient of `y` once more
    np.testing.assert_allclose(again.cpu().numpy(), expected[1], atol=1e-12)


@pytest.mark.parametrize("weight", [(4, 3), (3,)])
def test_linear_of_transposed_matrices_equals_that_of_a_copy(weight):
    """Each of them is multiplied where it lies."""
    x = torch.rand(2, 3, 20, dtype=torch.float64, requires_grad=True)
    w = torch.rand(weight, dtype=torch.float64, requires_grad=True)
    y, copied = (torch.nn.functional.linear(z, w) for z in (x.mT, x.mT.contiguous()))
    torch.testing.assert_close(y, copied)
    assert y.stride() == copied.stride()
    for ours, expected in zip(*(torch.autograd.grad(z.sin().sum(), (x, w)) for z in (y, copied)), strict=True):
        torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("dtype", ["int64", "int32", "int8", "uint8"])
@pytest.mark.parametrize("size", [5, 10_000, 2**26, 2**62])
def test_products_of_integers_are_exact_and_wrap(rng, dtype, size):
    info = np.iinfo(dtype)
    a, b = (rng.integers(max(-size, info.min), min(size, info.max), (3, 40, 40)).astype(dtype) for _ in range(2))
    found = torch.tensor(a) @ torch.tensor(b)
    assert found.array.dtype == dtype
    np.testing.assert_array_equal(found.cpu().array, np.matmul(a, b))


@pytest.mark.parametrize(
    "product",
    [
        torch.mv,
        lambda A, x: torch.dot(x, x),
        lambda A, x: torch.nn.functional.linear(x, A),
        lambda A, x: torch.einsum("ij,j->i", A, x),
        lambda A, x: torch.tensordot(A, A, 1),
    ],
)
def test_products_of_booleans_raise(product):
    """NumPy's would give whether any pair of factors is true."""
    with pytest.raises(NotImplementedError, match="not implemented for bool"):
        product(torch.ones(3, 3, dtype=torch.bool), torch.ones(3, dtype=torch.bool))


def test_vecdot_takes_float16():
    x = torch.ones(3, dtype=torch.half)
    assert torch.linalg.vecdot(x, x).tolist() == 3


def test_dsmm_is_the_product_of_two_matrices(rng):
    a, b = rng.standard_normal((3, 4)), rng.standard_normal((4, 2))
    np.testing.assert_allclose(torch.dsmm(torch.tensor(a), torch.tensor(b)).cpu().numpy(), a @ b, atol=1e-14)
    with pytest.raises(RuntimeError, match="mat2 must be a 2D tensor"):
        torch.dsmm(torch.ones(2, 2), torch.ones(2))


def test_addr_computes_in_the_dtype_of_all_three() -> None:
    bytes_, vector = torch.full((2, 2), 250, dtype=torch.uint8), torch.tensor([1, 2])
    assert torch.addr(bytes_, vector, vector, beta=3, alpha=2).tolist() == [[752, 754], [754, 758]]
    scalar = torch.tensor(0.1, dtype=torch.float64)  # it is expanded first, so that it counts as others do
    made = torch.addr(scalar, torch.ones(2), torch.ones(2))
    assert (made.dtype, made[0, 0].item()) == (torch.float64, 1.1)


@pytest.mark.parametrize(
    ("product", "arguments"),
    [
        (lambda x, y: x @ y, "matmul: .* got torch.float64 and torch.float32 for input and other"),
        (F.linear, "linear: .* got torch.float64 and torch.float32 for input and weight"),
        (lambda x, y: F.linear(x, x, y[0]), "linear: .* got torch.float64 and torch.float32 for input and bias"),
    ],
)
def test_operands_of_two_dtypes_are_named_with_what_to_do(product, arguments):
    with pytest.raises(RuntimeError, match=arguments + r": convert one, as by input\.to\(torch\.float32\)"):
        product(torch.ones(2, 2, dtype=torch.float64), torch.ones(2, 2))
