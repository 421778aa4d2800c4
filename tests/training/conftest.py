"""A small training problem for all tests of microgad.training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import microgad as torch
from microgad import nn
from microgad.utils.data import DataLoader, TensorDataset

Problem = dict[str, Any]


def problem(seed: int = 0, p: float = 0.2, batch_size: int = 16, samples: int = 50) -> Problem:
    """`fit`'s arguments: 3 classes, dropout and batch normalization, Adam and Eve, and a last batch of 2."""
    torch.manual_seed(123)
    x = torch.randn(samples, 4)
    target = (x[:, :3]).argmax(1)
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(p), nn.Linear(8, 3))
    adam = torch.optim.Adam(model[0].parameters(), lr=0.01)
    eve = torch.optim.Eve([*model[1].parameters(), *model[4].parameters()], lr=0.01)
    return {
        "model": model,
        "data": DataLoader(TensorDataset(x, target), batch_size=batch_size, shuffle=True),
        "optimizer": [adam, eve],
        "loss": nn.functional.cross_entropy,
        "epochs": 4,
        "held_out": (x[:20], target[:20]),
        "train_loss": True,
        "progress": False,
    }


@pytest.fixture(name="problem")
def _problem() -> Callable[..., Problem]:
    return problem


def state(given: Problem) -> list[Any]:
    """Every number that a run changes: parameters, buffers, states of optimizers, and the random state."""
    found = [tensor.tolist() for tensor in given["model"].state_dict().values()]
    optimizers = given["optimizer"] if isinstance(given["optimizer"], list) else [given["optimizer"]]
    for optimizer in optimizers:
        saved = optimizer.state_dict()
        for entry in saved["state"].values():
            found += [value.tolist() for value in entry.values()]
        found += [{k: v for k, v in group.items() if k != "params"} for group in saved["param_groups"]]
    return [*found, torch.get_rng_state().tolist()]


@pytest.fixture(name="state")
def _state() -> Callable[[Problem], list[Any]]:
    return state


def numbers(history: Any) -> list[dict[str, float]]:
    """The rows of a history without the elapsed seconds."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


@pytest.fixture(name="numbers")
def _numbers() -> Callable[[Any], list[dict[str, float]]]:
    return numbers
