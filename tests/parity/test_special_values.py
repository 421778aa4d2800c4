"""Results (with the sign of zeros) and gradients against PyTorch's at 0, infinities, NaN and norms below eps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import microgad

torch = pytest.importorskip("torch")

POINTS = [0.0, -0.0, 1, -1, 0.5, -0.5, 3, -3, 20.5, -100, math.inf, -math.inf, math.nan]
SHORT_VECTORS = [[1e-3, 2e-3], [0.0, 0.0], [1, 2], [-3, 4], [0.0, 1e-9]]


def weight(t: Any, x: Any, value: float) -> Any:
    return t.tensor([value], dtype=x.dtype)


CALLS: dict[str, Callable[..., Any]] = {  # functions of (library, x)
    "hardtanh": lambda t, x: t.nn.functional.hardtanh(x, -1, 0.5),
    "threshold": lambda t, x: t.nn.functional.threshold(x, 0.5, -2.0),
    "softplus": lambda t, x: t.nn.functional.softplus(x, 2.0, 5.0),
    "prelu of infinity": lambda t, x: t.nn.functional.prelu(x, weight(t, x, math.inf)),
    "prelu of NaN": lambda t, x: t.nn.functional.prelu(x, weight(t, x, math.nan)),
    "prelu of 0": lambda t, x: t.nn.functional.prelu(x, weight(t, x, 0)),
    "prelu of -1": lambda t, x: t.nn.functional.prelu(x, weight(t, x, -1)),
    "leaky_relu of -1": lambda t, x: t.nn.functional.leaky_relu(x, -1.0),
    "many under prelu of infinity": lambda t, x: t.nn.functional.prelu(x.repeat(500), weight(t, x, math.inf)),
    "clamp to NaN": lambda t, x: x.clamp(math.nan, 1),
    "clamp to zeros": lambda t, x: x.clamp(min=-0.0),
    "fmod 0": lambda t, x: x.fmod(0.0),
    "fmod infinity": lambda t, x: x.fmod(math.inf),
    "remainder 0": lambda t, x: x.remainder(0.0),
    "remainder -infinity": lambda t, x: x.remainder(-math.inf),
    "root": lambda t, x: x**0.5,
    "one over the root": lambda t, x: x**-0.5,
    "a power of 0": lambda t, x: 0.0**x,
    "a power of -0": lambda t, x: (-0.0) ** x,
    "a power of infinity": lambda t, x: math.inf**x,
    "a power of -1": lambda t, x: (-1.0) ** x,
    "to infinity": lambda t, x: x**math.inf,
    "multi_margin_loss": lambda t, x: t.nn.functional.multi_margin_loss(
        x[1:].reshape(4, 3), t.tensor([0, 1, 2, 1]), reduction="none"
    ),
    "multilabel_margin_loss": lambda t, x: t.nn.functional.multilabel_margin_loss(
        x[1:].reshape(4, 3), t.tensor([[0, -1, 0], [1, 2, -1], [2, -1, 0], [1, -1, 0]]), reduction="none"
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CALLS)
def test_results_and_gradients_at_special_values(name: str, dtype: str) -> None:
    theirs, ours = (results(t, CALLS[name], np.array(POINTS, dtype)) for t in (torch, microgad))
    for a, b in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(b, a, 1e-6 if dtype == "float32" else 1e-13)
    assert (np.signbit(theirs[0]) == np.signbit(ours[0]))[~np.isnan(theirs[0])].all()


def results(t: Any, function: Callable[..., Any], values: Any) -> list[Any]:
    x = t.tensor(values, requires_grad=True)
    y = function(t, x)
    weights = t.arange(1, y.numel() + 1, dtype=y.dtype).reshape(y.shape) % 3
    (grad,) = t.autograd.grad(y, x, weights)
    return [y.numpy(force=True), grad.numpy(force=True)]


@pytest.mark.parametrize(
    "function",
    [
        lambda t, x: t.nn.functional.cosine_similarity(x, t.ones_like(x)),
        lambda t, x: t.nn.functional.cosine_similarity(x, x.flip(0), eps=2.0),
        lambda t, x: t.nn.functional.cosine_embedding_loss(x, t.ones_like(x), t.ones(5)),
        lambda t, x: t.nn.functional.normalize(x, eps=2.0),
        lambda t, x: t.nn.functional.pairwise_distance(x, t.ones_like(x)),
    ],
)
def test_gradients_of_vectors_shorter_than_eps(function: Any) -> None:
    found = []
    for t in (torch, microgad):
        x = t.tensor(SHORT_VECTORS, dtype=t.float64, requires_grad=True)
        y = function(t, x)
        (grad,) = t.autograd.grad((y * t.arange(1, y.numel() + 1).reshape(y.shape)).sum(), x)
        found.append(grad.numpy(force=True))
    np.testing.assert_allclose(found[1], found[0], 1e-7, 1e-7 * np.abs(found[0]).max())


ROW = [0.0, -4.0, 2.0]  # among them a zero, and what functions cut off
FLAT: dict[str, Callable[..., Any]] = {  # functions of (library, x): of ROW and a row of zeros
    **{f"cdist {p}": lambda t, x, p=p: t.cdist(x, x, p=p) for p in (0.5, 1.0, 1.5, 2.0, 3.0, math.inf)},
    **{f"pdist {p}": lambda t, x, p=p: t.pdist(t.cat([x, x]), p=p) for p in (0.5, 1.0, 1.5, 2.0, 3.0, math.inf)},
    **{f"norm {p}": lambda t, x, p=p: x.norm(p, -1) for p in (0.5, 1.0, 1.5, 2.0, 3.0, math.inf, -math.inf)},
    "matrix_norm": lambda t, x: t.linalg.matrix_norm(x, 1),
    "dist": lambda t, x: t.dist(x, x * 1),
    "pairwise_distance": lambda t, x: t.nn.functional.pairwise_distance(x, x * 1, eps=0.0),
    "amax": lambda t, x: x.amax(-1),
    "amin": lambda t, x: x.amin(0),
    "aminmax": lambda t, x: t.aminmax(x).max,
    "max": lambda t, x: x.max(),
    "sinc": lambda t, x: x.sinc(),
    "hardswish": lambda t, x: t.nn.functional.hardswish(x),
    "many under hardswish": lambda t, x: t.nn.functional.hardswish(x.repeat(1000, 1)),
    "nan_to_num": lambda t, x: (x + t.tensor([math.inf, 0, math.nan], dtype=x.dtype)).nan_to_num(),
    "nansum": lambda t, x: (x + t.tensor([0, math.nan, 0], dtype=x.dtype)).nansum(-1),
    "nanmean": lambda t, x: (x + t.tensor([[0, math.nan, 0], [math.nan] * 3], dtype=x.dtype)).nanmean(-1),
    "pow": lambda t, x: x.abs() ** t.tensor([0.0, 1, 2], dtype=x.dtype),
    "xlogy": lambda t, x: t.xlogy(x, t.tensor([0.0, 1, 2], dtype=x.dtype)),
    "xlog1py": lambda t, x: t.special.xlog1py(x, t.tensor([-1.0, 1, 2], dtype=x.dtype)),
    "multi_margin_loss": lambda t, x: t.nn.functional.multi_margin_loss(x, t.tensor([2, 0]), reduction="none"),
    "saturated multi_margin_loss": lambda t, x: t.nn.functional.multi_margin_loss(
        x, t.tensor([2, 0]), margin=-1.0, reduction="none"
    ),
    "multilabel_margin_loss": lambda t, x: t.nn.functional.multilabel_margin_loss(
        x, t.tensor([[2, -1, -1], [0, 1, -1]]), reduction="none"
    ),
    "polar": lambda t, x: t.polar(x, x + 1).real,
    "imag": lambda t, x: t.complex(x, x).imag,
}

SPLIT = ["0.5", "hardswish", "multi_margin_loss", "multilabel_margin_loss"]  # their parts share an infinite gradient


@pytest.mark.parametrize("grad", [1.0, math.inf, math.nan])
@pytest.mark.parametrize("name", FLAT)
def test_infinite_gradients_where_the_slope_is_zero(name: str, grad: float) -> None:
    """Where the mathematics has 0 · ∞, PyTorch has NaN if it multiplies by a mask, 0 if it selects."""
    found = []
    for t, create_graph in ((torch, False), (microgad, False), (microgad, True)):
        x = t.tensor([ROW, [0.0, 0.0, 0.0]], dtype=t.float64, requires_grad=True)
        y = FLAT[name](t, x)
        (g,) = t.autograd.grad(y, x, t.full_like(y, grad), create_graph=create_graph)
        found.append(g.numpy(force=True))
    np.testing.assert_allclose(found[1], found[0], 1e-12)
    if grad == 1 or name.split()[-1] not in SPLIT:
        np.testing.assert_allclose(found[2], found[0], 1e-12)


@pytest.mark.parametrize("right", [False, True])
def test_searchsorted_and_bucketize_with_nan(right: bool) -> None:
    values = np.array([math.nan, math.inf, -math.inf, 0.0, -0.0, 1, 2, -1, 1.5])
    for edges in ([-1.0, 0, 1, math.inf, math.nan], [0.0, 1, math.nan, math.nan], [math.nan], [-1.0, 0, 1], []):
        theirs, ours = (
            [
                t.searchsorted(t.tensor(edges, dtype=t.float64), t.tensor(values), right=right).tolist(),
                t.bucketize(t.tensor(values).reshape(3, 3), t.tensor(edges, dtype=t.float64), right=right).tolist(),
                t.bucketize(math.inf, t.tensor(edges, dtype=t.float64), right=right).tolist(),
            ]
            for t in (torch, microgad)
        )
        assert ours == theirs


@pytest.mark.parametrize("upper", [False, True])
def test_cholesky_of_matrices_with_infinities_and_nan(upper: bool) -> None:
    """In float64: PyTorch's float32 kernel for small matrices makes NaN of what it divides by an infinite pivot."""
    random = np.random.RandomState(0)
    root = random.randn(60, 5, 5)
    matrices = root @ root.transpose(0, 2, 1) + np.eye(5)
    for x in matrices[2:]:
        i, j, k = random.randint(5, size=3)
        x[k, k] = math.inf
        x[i, j] = x[j, i] = random.choice([math.inf, -math.inf, math.nan, x[i, j]])
    matrices[0], matrices[1, 4, 4] = math.inf, math.inf
    (expected, infos), (found, info) = (
        t.linalg.cholesky_ex(t.tensor(matrices), upper=upper) for t in (torch, microgad)
    )
    assert info.tolist() == infos.tolist()
    assert 10 < (infos == 0).sum() < 50
    np.testing.assert_allclose(found.numpy(), expected.numpy(), 1e-7, 1e-12)
    for t in (torch, microgad):
        with pytest.raises(RuntimeError, match=r"\(Batch element 0\): .* minor of order 2 is not"):
            t.linalg.cholesky(t.tensor(matrices), upper=upper)


PRODUCTS: dict[str, Callable[..., Any]] = {  # of (library, column, row) with inner size 1
    "mm": lambda t, a, b: a[:, None] @ b[None],
    "bmm": lambda t, a, b: t.bmm(a[:, None].expand(2, -1, 1), b.expand(2, 1, -1)),
    "linear's weight": lambda t, a, b: grad_of(t, lambda w: t.nn.functional.linear(b[None], w), a, b, a[None]),
    "linear's input": lambda t, a, b: grad_of(t, lambda x: t.nn.functional.linear(x, b[None]), a, b, a[:, None]),
    "a vector's matrix": lambda t, a, b: grad_of(t, lambda w: a @ w, a, b, b),
}


def grad_of(t: Any, function: Callable[..., Any], a: Any, b: Any, grad: Any) -> Any:
    """The gradient by a matrix with a row for each element of a, a column for each of b."""
    x = t.ones(len(a), len(b), dtype=a.dtype, requires_grad=True)
    return t.autograd.grad(function(x), x, grad)[0]


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize(("n", "m"), [(1, 5), (5, 1), (2, 3), (5, 7), (11, 600)])
def test_products_of_a_column_and_a_row_have_torchs_signs_of_zero(name, n, m):
    numbers = np.random.default_rng(0).choice([0.0, -0.0, 1, -1, 2.5, -0.5], 1000).astype(np.float32)
    theirs, ours = (PRODUCTS[name](t, t.tensor(numbers[:n]), t.tensor(numbers[-m:])) for t in (torch, microgad))
    assert ours.numpy().tobytes() == theirs.numpy().tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softshrinks_zeros_have_pytorchs_signs(dtype: str) -> None:
    """Its loop takes 64 bytes at once, where a zero has no sign, and the rest singly."""
    x = np.random.default_rng(0).normal(0, 0.5, (3, 43)).astype(dtype)
    parts = [x[:, :n] for n in (1, 7, 8, 16, 24, 43)] + [x.reshape(-1)[:n] for n in (5, 16, 19, 64, 129)] + [x.T]
    for part in parts:
        theirs, ours = (t.nn.functional.softshrink(t.from_numpy(part)).numpy() for t in (torch, microgad))
        np.testing.assert_array_equal(theirs, ours)
        np.testing.assert_array_equal(np.signbit(theirs), np.signbit(ours))
