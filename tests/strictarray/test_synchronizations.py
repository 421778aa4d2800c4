"""How often an operation waits for the GPU: for a number that decides whether an argument is refused, and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad.nn import functional as F

from . import installed, transfers

# What is waited for: that all indices are classes or rows, that all of two inputs are probabilities. PyTorch leaves it
# to the GPU, which ends the program later; CuPy's indexing would wrap, and the loss be wrong without a word.
ONCE: dict[str, Callable[..., Any]] = {
    "cross_entropy": lambda x, p, i, im, w: F.cross_entropy(x, i),
    "cross_entropy weighted": lambda x, p, i, im, w: F.cross_entropy(x, i, p.detach()[0]),
    "cross_entropy smoothed": lambda x, p, i, im, w: F.cross_entropy(x, i, label_smoothing=0.1),
    "nll_loss": lambda x, p, i, im, w: F.nll_loss(x, i),
    "embedding": lambda x, p, i, im, w: F.embedding(i, w),
    "embedding padded": lambda x, p, i, im, w: F.embedding(i, w, padding_idx=0),
    "binary_cross_entropy": lambda x, p, i, im, w: F.binary_cross_entropy(p, p.detach()),
    "multi_margin_loss": lambda x, p, i, im, w: F.multi_margin_loss(x, i),
}
NEVER: dict[str, Callable[..., Any]] = {
    "max_pool1d": lambda x, p, i, im, w: F.max_pool1d(im[0], 2),
    "max_pool2d": lambda x, p, i, im, w: F.max_pool2d(im, 2),
    "max_pool2d overlapping": lambda x, p, i, im, w: F.max_pool2d(im, 3, 1, 1),
    "max_pool2d of many taps": lambda x, p, i, im, w: F.max_pool2d(im, 4, return_indices=True)[0],
    "max_pool3d": lambda x, p, i, im, w: F.max_pool3d(im, 2),
    "adaptive_max_pool2d": lambda x, p, i, im, w: F.adaptive_max_pool2d(im, 3),
    "fractional_max_pool2d": lambda x, p, i, im, w: F.fractional_max_pool2d(im, 2, 3),
    "cross_entropy of probabilities": lambda x, p, i, im, w: F.cross_entropy(x, p.detach()),
    "binary_cross_entropy_with_logits": lambda x, p, i, im, w: F.binary_cross_entropy_with_logits(x, p.detach()),
    "mse_loss": lambda x, p, i, im, w: F.mse_loss(x, p.detach()),
    "softmax": lambda x, p, i, im, w: F.softmax(x, 1),
    "dropout": lambda x, p, i, im, w: F.dropout(x),
    "batch_norm": lambda x, p, i, im, w: F.batch_norm(im, None, None, training=True),
    "layer_norm": lambda x, p, i, im, w: F.layer_norm(x, (5,)),
    "conv2d": lambda x, p, i, im, w: F.conv2d(im, im[:, :, :3, :3]),
    "attention": lambda x, p, i, im, w: F.scaled_dot_product_attention(x, x, x, is_causal=True),
}


@pytest.fixture(autouse=True)
def gpu() -> Iterator[None]:
    with installed(), torch.device("cuda"):
        yield


def waited(operation: Callable[..., Any]) -> int:
    """How many numbers were read, forward and backward."""
    x, p = torch.randn(6, 5, requires_grad=True), torch.rand(6, 5, requires_grad=True)
    im, w = torch.randn(2, 3, 8, 8, requires_grad=True), torch.randn(5, 4, requires_grad=True)
    i = torch.tensor([0, 1, 2, 3, 4, 0])
    transfers.clear()
    operation(x, p, i, im, w).sum().backward()
    return transfers.total()


@pytest.mark.parametrize("name", ONCE)
def test_one_number_is_waited_for(name: str) -> None:
    assert waited(ONCE[name]) == 1


@pytest.mark.parametrize("name", NEVER)
def test_nothing_is_waited_for(name: str) -> None:
    assert waited(NEVER[name]) == 0


POOLS: dict[str, Callable[[torch.Tensor], Any]] = {
    "tiles": lambda x: F.max_pool2d(x, 2, return_indices=True),
    "overlapping": lambda x: F.max_pool2d(x, 3, 1, 1, return_indices=True),
    "dilated": lambda x: F.max_pool2d(x, 2, 1, 0, 2, return_indices=True),
    "many taps": lambda x: F.max_pool2d(x, 4, return_indices=True),
    "volumes": lambda x: F.max_pool3d(x, 2, return_indices=True),
    "boxes": lambda x: F.adaptive_max_pool2d(x, 3, return_indices=True),
}


@pytest.mark.parametrize("name", POOLS)
def test_of_nans_the_last_wins_and_of_equals_the_first_as_on_the_cpu(name: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.choice([0.0, 1.0, 2.0, np.nan], (2, 3, 8, 8), p=[0.3, 0.3, 0.3, 0.1])
    there, here = (POOLS[name](torch.tensor(values, device=device)) for device in ("cuda", "cpu"))
    for a, b in zip(there, here, strict=True):
        np.testing.assert_array_equal(a.cpu().numpy(), b.numpy())


def test_what_is_refused_is_refused_there_too() -> None:
    x, p = torch.randn(2, 3), torch.rand(2, 3)
    with pytest.raises(IndexError, match="Target 3 is out of bounds"):
        F.cross_entropy(x, torch.tensor([0, 3]))
    with pytest.raises(IndexError, match="weight has 3 rows, indices are -1 to 0"):
        F.embedding(torch.tensor([0, -1]), x.T)
    for given in ((p + 1, p), (p, p - 1), (p * torch.nan, p)):
        with pytest.raises(RuntimeError, match=f"elements of {'target' if given[0] is p else 'input'} should be"):
            F.binary_cross_entropy(*given)
