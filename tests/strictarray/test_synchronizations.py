"""Synchronizations: operations wait for the GPU at most once, to check that their arguments are in range."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad.nn import functional as F

from . import installed, transfers

# They wait for the check that all indices are in range, or that all values are probabilities. PyTorch's kernels abort
# the program later; with CuPy, indices would wrap and the loss would be silently wrong.
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


def synchronizations(operation: Callable[..., Any]) -> int:
    """How many numbers are read in forward and backward."""
    x, p = torch.randn(6, 5, requires_grad=True), torch.rand(6, 5, requires_grad=True)
    im, w = torch.randn(2, 3, 8, 8, requires_grad=True), torch.randn(5, 4, requires_grad=True)
    i = torch.tensor([0, 1, 2, 3, 4, 0])
    transfers.clear()
    operation(x, p, i, im, w).sum().backward()
    return transfers.total()


@pytest.mark.parametrize("name", ONCE)
def test_operations_that_check_ranges_synchronize_once(name: str) -> None:
    assert synchronizations(ONCE[name]) == 1


@pytest.mark.parametrize("name", NEVER)
def test_other_operations_never_synchronize(name: str) -> None:
    assert synchronizations(NEVER[name]) == 0


POOLS: dict[str, Callable[[torch.Tensor], Any]] = {
    "no overlap": lambda x: F.max_pool2d(x, 2, return_indices=True),
    "overlapping": lambda x: F.max_pool2d(x, 3, 1, 1, return_indices=True),
    "dilated": lambda x: F.max_pool2d(x, 2, 1, 0, 2, return_indices=True),
    "many taps": lambda x: F.max_pool2d(x, 4, return_indices=True),
    "three dimensions": lambda x: F.max_pool3d(x, 2, return_indices=True),
    "adaptive": lambda x: F.adaptive_max_pool2d(x, 3, return_indices=True),
}


@pytest.mark.parametrize("name", POOLS)
def test_max_pooling_selects_among_nans_and_equal_values_as_on_the_cpu(name: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.choice([0.0, 1.0, 2.0, np.nan], (2, 3, 8, 8), p=[0.3, 0.3, 0.3, 0.1])
    on_gpu, on_cpu = (POOLS[name](torch.tensor(values, device=device)) for device in ("cuda", "cpu"))
    for a, b in zip(on_gpu, on_cpu, strict=True):
        np.testing.assert_array_equal(a.cpu().numpy(), b.numpy())


def test_arguments_out_of_range_raise_on_the_gpu_as_well() -> None:
    x, p = torch.randn(2, 3), torch.rand(2, 3)
    with pytest.raises(IndexError, match="Target 3 is out of bounds"):
        F.cross_entropy(x, torch.tensor([0, 3]))
    with pytest.raises(IndexError, match="weight has 3 rows, indices are -1 to 0"):
        F.embedding(torch.tensor([0, -1]), x.T)
    for given in ((p + 1, p), (p, p - 1), (p * torch.nan, p)):
        with pytest.raises(RuntimeError, match=f"elements of {'target' if given[0] is p else 'input'} should be"):
            F.binary_cross_entropy(*given)
