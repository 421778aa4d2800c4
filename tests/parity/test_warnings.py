"""Where a warning points to: the line of the program, which Python shows, and tells once for each."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

import microgad

torch = pytest.importorskip("torch")

CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "mse_loss": lambda t, F: F.mse_loss(t.ones(3), t.ones(3, 1)),
    "l1_loss": lambda t, F: F.l1_loss(t.ones(3), t.ones(3, 1)),
    "smooth_l1_loss": lambda t, F: F.smooth_l1_loss(t.ones(3), t.ones(3, 1)),
    "huber_loss": lambda t, F: F.huber_loss(t.ones(3), t.ones(3, 1)),
    "kl_div": lambda t, F: F.kl_div(t.ones(3), t.ones(3)),
    "std": lambda t, F: t.ones(1).std(),
    "var": lambda t, F: t.ones(1).var(),
    "new_tensor": lambda t, F: t.ones(1).new_tensor(t.ones(1)),
    "tensor": lambda t, F: t.tensor(t.ones(1)),
    "gumbel_softmax": lambda t, F: F.gumbel_softmax(t.ones(3), eps=1e-3),
    "softmax": lambda t, F: F.softmax(t.ones(3)),
    "grid_sample": lambda t, F: F.grid_sample(t.ones(1, 1, 2, 2), t.zeros(1, 2, 2, 2)),
    "affine_grid": lambda t, F: F.affine_grid(t.ones(1, 2, 3), (1, 1, 3, 3)),
}


@pytest.mark.parametrize("name", CALLS)
def test_it_is_the_program_s(name: str) -> None:
    for t in (torch, microgad):
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            CALLS[name](t, t.nn.functional)
        (warning,) = warned
        assert (warning.category, warning.filename) == (UserWarning, __file__), t.__name__
