"""Losses of classes, of labels and of distances compared with their definitions, written out for each element."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import microgad as torch
import microgad.nn.functional as F


def reduced(losses: Any, reduction: str, divisor: Any = None) -> Any:
    losses = np.asarray(losses)
    return losses if reduction == "none" else losses.sum() / (divisor or losses.size if reduction == "mean" else 1)


def equal(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found.cpu().numpy(), expected, rtol=1e-9, atol=1e-12)


def log_softmax(x: Any) -> Any:
    return x - np.log(np.exp(x).sum(1, keepdims=True))


reductions = pytest.mark.parametrize("reduction", ["none", "sum", "mean"])


@reductions
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_cross_entropy_of_images(rng, smoothing, weighted, reduction):
    x, target = rng.normal(size=(2, 3, 4)), rng.integers(0, 3, (2, 4))
    target[0, 1] = target[1, 3] = ignored = 1
    w = np.array([0.5, 2.0, 3.0]) if weighted else np.ones(3)
    options = {"weight": torch.tensor(w) if weighted else None, "label_smoothing": smoothing, "reduction": reduction}
    losses, divisor = np.zeros((2, 4)), 0.0
    for n, i in np.ndindex(2, 4):
        if target[n, i] != ignored:
            wanted = np.full(3, smoothing / 3)
            wanted[target[n, i]] += 1 - smoothing
            losses[n, i] = -(w * wanted * log_softmax(x)[n, :, i]).sum()
            divisor += w[target[n, i]]
    found = F.cross_entropy(torch.tensor(x), torch.tensor(target), ignore_index=ignored, **options)
    equal(found, reduced(losses, reduction, divisor))
    shares = rng.dirichlet(np.ones(3), (2, 4)).transpose(0, 2, 1)
    smoothed = shares * (1 - smoothing) + smoothing / 3
    losses = -(w[:, None] * smoothed * log_softmax(x)).sum(1)
    equal(F.cross_entropy(torch.tensor(x), torch.tensor(shares), **options), reduced(losses, reduction))


@reductions
def test_linear_cross_entropy_is_the_cross_entropy_of_linear(reduction):
    x, w, b = torch.randn(4, 5).double(), torch.randn(3, 5).double(), torch.randn(3).double()
    options = {"weight": torch.rand(3).double(), "ignore_index": 1, "label_smoothing": 0.2, "reduction": reduction}
    target = torch.tensor([0, 1, 2, 0])
    found = F.linear_cross_entropy(x, w, target, linear_bias=b, **options)
    equal(found, F.cross_entropy(F.linear(x, w, b), target, **options).numpy(force=True))


@reductions
def test_losses_of_margins(rng, reduction):
    x, y, t, margin = *rng.normal(size=(2, 6)), np.array([1, -1, 1, -1, 1, -1]), 0.3
    X, Y, T = map(torch.tensor, (x, y, t))
    options: dict[str, Any] = {"margin": margin, "reduction": reduction}
    equal(F.margin_ranking_loss(X, Y, T, **options), reduced(np.maximum(0, -t * (x - y) + margin), reduction))
    t[0] = 0  # neither: both parts count
    losses = np.where(t != -1, x, 0) + np.where(t != 1, np.maximum(0, margin - x), 0)
    equal(F.hinge_embedding_loss(X, torch.tensor(t), **options), reduced(losses, reduction))
    a, b = rng.normal(size=(2, 6, 3))
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    losses = np.where(t == 1, 1 - cosine, np.where(t == -1, np.maximum(0, cosine - margin), 0))
    found = F.cosine_embedding_loss(torch.tensor(a), torch.tensor(b), torch.tensor(t), **options)
    np.testing.assert_allclose(found.cpu().numpy(), reduced(losses, reduction), rtol=1e-6)


@reductions
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("p", [1, 2, 3])
def test_triplet_margin_loss(rng, p, swap, reduction):
    a, b, c = rng.normal(size=(3, 8, 4))
    near, far, other = (np.linalg.norm(x - y + 0.1, p, axis=1) for x, y in ((a, b), (a, c), (b, c)))
    losses = np.maximum(0, near - (np.minimum(far, other) if swap else far) + 0.7)
    given, options = map(torch.tensor, (a, b, c)), {"margin": 0.7, "p": p, "eps": 0.1, "swap": swap}
    equal(F.triplet_margin_loss(*given, reduction=reduction, **options), reduced(losses, reduction))


@reductions
def test_losses_of_several_labels(rng, reduction):
    x, t, w = rng.normal(size=(3, 4)), rng.integers(0, 2, (3, 4)).astype(float), rng.uniform(1, 2, 4)
    losses = np.where(t == 1, np.log1p(np.exp(-x)), np.log1p(np.exp(x)))
    X, T, W = map(torch.tensor, (x, t, w))
    equal(F.multilabel_soft_margin_loss(X, T, W, reduction=reduction), reduced((losses * w).mean(1), reduction))
    equal(F.binary_cross_entropy_with_logits(X, T, W, reduction=reduction), reduced(losses * w, reduction))
    found = F.binary_cross_entropy_with_logits(X, T, W, reduction=reduction, pos_weight=torch.tensor(2 * w))
    equal(found, reduced(losses * w * np.where(t == 1, 2 * w, 1), reduction))
    equal(F.binary_cross_entropy(X.sigmoid(), T, W, reduction=reduction), reduced(losses * w, reduction))
    labels = np.array([[3, 1, -1, 0], [-1, 2, 2, 2], [0, 0, 2, 1]])  # what follows -1 doesn't count
    losses = np.zeros(3)
    for n, own in enumerate(([3, 1], [], [0, 0, 2, 1])):
        others = [c for c in range(4) if c not in own]
        losses[n] = sum(max(0, 1 - x[n, i] + x[n, j]) for i in own for j in others) / 4
    equal(F.multilabel_margin_loss(X, torch.tensor(labels), reduction=reduction), reduced(losses, reduction))


def test_a_target_of_more_dimensions_is_summed_over_the_dimension_that_is_the_input_s_last(rng):
    """As in PyTorch."""
    x, t = rng.normal(size=3), rng.integers(0, 2, (2, 3)).astype(float)
    losses = np.where(t == 1, np.log1p(np.exp(-x)), np.log1p(np.exp(x))).sum(0) / 3
    equal(F.multilabel_soft_margin_loss(torch.tensor(x), torch.tensor(t), reduction="none"), losses)
