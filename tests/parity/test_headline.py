"""The README's experiment in both libraries from the same seed: weights, dropout masks, order of batches, losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import microgad
from microgad.datasets import MNIST

torch = pytest.importorskip("torch")


def experiment(library: Any, dropout: float, seed: int, steps: int) -> tuple[list[Any], list[float], list[Any]]:
    """Initial parameters, losses, and the targets in the order in which they came."""
    nn, F = library.nn, library.nn.functional
    data = MNIST.subset(train=True)
    x = library.from_numpy(data.data.numpy()[:, None].astype(np.float32) / np.float32(255))
    y = library.from_numpy(data.targets.numpy())
    data_module = __import__(f"{library.__name__}.utils.data", fromlist=["DataLoader"])
    library.manual_seed(seed)
    drop = [nn.Dropout(dropout)] if dropout else []
    net = nn.Sequential(
        nn.Conv2d(1, 10, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(1960, 100), nn.ReLU(), *drop, nn.Linear(100, 10),
    )  # fmt: skip
    start = [p.detach().numpy().copy() for p in net.parameters()]
    optimizer = library.optim.Adam(net.parameters())
    losses: list[float] = []
    order = []
    while len(losses) < steps:
        for batch, target in data_module.DataLoader(data_module.TensorDataset(x, y), batch_size=128, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(batch), target)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            order.append(target.numpy().copy())
            if len(losses) == steps:
                break
    return start, losses, order


@pytest.mark.parametrize(("dropout", "seed", "steps"), [(0.5, 2024, 50), (0.0, 0, 10)])  # an epoch: 47
def test_first_losses_are_torchs(dropout: float, seed: int, steps: int) -> None:
    theirs, ours = (experiment(library, dropout, seed, steps) for library in (torch, microgad))
    for a, b in zip(theirs[0], ours[0], strict=True):
        assert np.array_equal(a, b), "initial weights"
    for a, b in zip(theirs[2], ours[2], strict=True):
        assert np.array_equal(a, b), "order"
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-5)


def test_dropout_masks_are_torchs_bit_for_bit() -> None:
    masks = []
    for library in (torch, microgad):
        library.manual_seed(7)
        drop = library.nn.Dropout(0.5)
        masks.append([drop(library.ones(128, n)).numpy() for n in (100, 7, 1, 33)])
    for a, b in zip(*masks, strict=True):
        assert np.array_equal(a, b)
