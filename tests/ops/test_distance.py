"""Distances between rows, and what is made of them: similarities and norms."""

import math

import numpy as np
import pytest

import microgad as torch
from microgad.ops import distance


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_cosine_similarity_needs_one_floating_point_input():
    x = torch.tensor([[3, 4]])
    found = torch.cosine_similarity(x, torch.tensor([[3.0, 4.0]]))
    assert (found.dtype, found.tolist()) == (torch.float32, [1.0])
    with pytest.raises(RuntimeError, match="floating-point"):
        torch.cosine_similarity(x, x)


def test_renorm_to_an_infinite_norm_is_the_identity():
    x = torch.tensor([[3.0, 4.0], [0.0, 1.0]], requires_grad=True)
    y = torch.renorm(x, 2, 0, math.inf)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert y.tolist() == x.tolist()
    assert gradient.tolist() == [[1.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("p", [1.5, 2, 3])
def test_roots_of_distances_from_a_row_to_itself_have_finite_gradients(p, create_graph):
    x = torch.tensor([[0.0, 0.0], [2.0, 1.0], [3.0, -1.0]], requires_grad=True)
    others = torch.pdist(x, p).sqrt().sum()
    (expected,) = torch.autograd.grad(others, x)
    for distances in (2 * torch.pdist(torch.cat([x, x.detach()]), p), torch.cdist(x, x, p)):
        (grad,) = torch.autograd.grad(distances.sqrt().sum(), x, create_graph=create_graph)
        assert torch.isfinite(grad).all()
    torch.testing.assert_close(grad, 2 * expected)


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, math.inf])
@pytest.mark.parametrize("lead", [(100,), (1,), (4, 1)])
def test_distances_in_many_batches_have_the_gradients_of_few(rng, monkeypatch, p, lead):
    a, b = rng.normal(size=(*lead, 4, 3)).astype(np.float32), rng.normal(size=(100, 5, 3)).astype(np.float32)
    a.flat[1], a.flat[7], b.flat[4] = math.nan, math.inf, -math.inf
    a.flat[-3:] = b[-1, -1]
    x, y = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    out = torch.cdist(x, y, p)
    weight = torch.tensor(rng.normal(size=out.shape).astype(np.float32))
    found = []
    for many in (1, 10**9):
        monkeypatch.setattr(distance, "MANY_BATCHES", many)
        found.append(torch.autograd.grad(out, (x, y), weight, retain_graph=True))
    for few, many in zip(*found, strict=True):
        torch.testing.assert_close(few, many, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("p", [0.5, 1.0, 1.5, 2.0, 3.0, math.inf])
@pytest.mark.parametrize("block", [1 << 15, 60, 1], ids=["one block", "blocks of rows", "rows"])
def test_distances_of_the_rows_of_a_matrix_have_the_gradients_of_their_decomposition(rng, monkeypatch, p, block):
    """Some pairs of rows agree in elements, one is equal, and one is so close that a product would lose its digits."""
    monkeypatch.setattr(distance, "BLOCK", block)
    a = rng.integers(0, 3, (9, 3)) + 0.0
    a[3], a[5] = a[1], a[4] + [1e-3, 2e-3, -3e-3]
    x = torch.tensor(a, requires_grad=True)
    out = torch.pdist(x, p)
    first, second = np.triu_indices(9, 1)
    np.testing.assert_allclose(out.detach().array, np.linalg.norm(a[first] - a[second], p, 1), 1e-9)
    weight = torch.tensor(rng.normal(size=out.shape))
    (found,) = torch.autograd.grad(out, x, weight, retain_graph=True)
    (expected,) = torch.autograd.grad(out, x, weight, create_graph=True)
    np.testing.assert_allclose(found.array, expected.detach().array, 1e-9, 1e-9)
