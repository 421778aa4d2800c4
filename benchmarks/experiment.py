"""The headline experiment, written once for both libraries: `library` is torch or microgad."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def network(library: Any, dropout: float) -> Any:
    """conv 10@3x3 -> ReLU -> max pool 2 -> linear 100 -> ReLU -> dropout -> linear 10: 197,210 parameters."""
    nn = library.nn
    drop = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(
        nn.Conv2d(1, 10, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(1960, 100),
        nn.ReLU(),
        *drop,
        nn.Linear(100, 10),
    )


def images(train: bool, root: str | Path | None = None) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Load MNIST from a folder, or the subset in the package: (N, 1, 28, 28) float32 in [0, 1] and (N,) int64."""
    from microgad.datasets import MNIST

    data = MNIST.subset(train=train) if root is None else MNIST(root, train=train)
    return data.data.numpy()[:, None].astype(np.float32) / np.float32(255), data.targets.numpy()


def step(library: Any, net: Any, optimizer: Any, x: Any, y: Any) -> float:
    """Make one training step and return its loss."""
    optimizer.zero_grad()
    loss = library.nn.functional.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    return float(loss.item())
