"""Warnings point to the line of the user's program that caused them, and appear as often as PyTorch's."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import microgad
from microgad.errors import notices

torch = pytest.importorskip("torch")
from .side_by_side import submodule  # noqa: E402

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
    "complex module": lambda t, F: t.nn.Linear(1, 1).to(t.complex64),
    "grid_sample": lambda t, F: F.grid_sample(t.ones(1, 1, 2, 2), t.zeros(1, 2, 2, 2)),
    "affine_grid": lambda t, F: F.affine_grid(t.ones(1, 2, 3), (1, 1, 3, 3)),
    "affine_grid of one row": lambda t, F: F.affine_grid(t.ones(1, 2, 3), (1, 1, 1, 3), True),
    "arange": lambda t, F: t.arange(3.0, out=t.empty(2, 2)),
    "where": lambda t, F: t.where(t.ones(1, dtype=t.uint8), 1.0, 2.0),
    "index": lambda t, F: t.ones(2, 2)[[slice(1), 0]],
    "mask": lambda t, F: t.ones(2)[t.ones(2, dtype=t.uint8)],
    "index_reduce": lambda t, F: t.ones(2).index_reduce(0, t.tensor([0]), t.ones(1), "prod"),
    "scatter": lambda t, F: t.zeros(1).scatter(0, t.tensor([0]), t.ones(1), reduce="add"),
    "from_numpy": lambda t, F: t.from_numpy(np.broadcast_to(1.0, 3)),
    "embedding_bag": lambda t, F: F.embedding_bag(t.ones(2, 3), t.tensor([[0]])),
    "conv1d": lambda t, F: F.conv1d(t.ones(1, 1, 5), t.ones(1, 1, 4), padding="same"),
    "conv2d": lambda t, F: F.conv2d(t.ones(1, 1, 5, 5), t.ones(1, 1, 3, 2), padding="same", dilation=(1, 3)),
    "frobenius_norm": lambda t, F: t.frobenius_norm(t.ones(2, 2), (0, 1)),
    "nuclear_norm": lambda t, F: t.nuclear_norm(t.ones(2, 2)),
    "searchsorted of boundaries": lambda t, F: t.searchsorted(t.ones(2, 3).t(), t.ones(3, 1)),
    "searchsorted of values": lambda t, F: t.searchsorted(t.ones(3, 2), t.ones(2, 3).t()),
    "searchsorted with a sorter": lambda t, F: t.searchsorted(
        t.ones(3, 2), t.ones(3, 1), sorter=t.tensor([[0] * 3, [1] * 3]).t()
    ),
    "lu_solve": lambda t, F: t.lu_solve(t.ones(1, 1), *t.linalg.lu_factor(t.ones(1, 1))),
}
# Calls whose warnings point into PyTorch's own code there.
CALLS_WARNING_IN_TORCH: dict[str, Callable[[Any, Any], Any]] = {
    "checkpoint": lambda t, F: submodule(t, "utils.checkpoint").checkpoint(t.exp, t.ones(3, requires_grad=True)),
    "workers": lambda t, F: t.utils.data.DataLoader([1], num_workers=9999),
    "pin_memory": lambda t, F: next(iter(t.utils.data.DataLoader([1], pin_memory=True))),
    "storage": lambda t, F: t.ones(1).storage(),
    "legacy storage": lambda t, F: t.FloatStorage(2),
    "sdp_kernel": lambda t, F: t.backends.cuda.sdp_kernel(),
    "custom_fwd": lambda t, F: submodule(t, "cuda.amp").custom_fwd(max),
    "custom_bwd": lambda t, F: submodule(t, "cuda.amp").custom_bwd(max),
    "NLLLoss2d": lambda t, F: t.nn.NLLLoss2d(),
    "step": lambda t, F: t.optim.lr_scheduler.StepLR(t.optim.SGD([t.ones(1)], 0.1), 1).step(),
}


@pytest.mark.parametrize("name", CALLS)
def test_warning_points_to_the_calling_line(name: str) -> None:
    for t in (torch, microgad):
        warning = get_warning(CALLS[name], t)
        assert (warning.category, warning.filename) == (UserWarning, __file__), t.__name__


@pytest.mark.parametrize("name", ["grid_sample", "affine_grid"])
def test_warning_has_torchs_words(name: str) -> None:
    theirs, ours = (str(get_warning(CALLS[name], t).message) for t in (torch, microgad))
    assert ours == theirs


@pytest.mark.parametrize("name", CALLS_WARNING_IN_TORCH)
def test_warning_has_torchs_class_and_points_to_the_calling_line(name: str) -> None:
    theirs, ours = (get_warning(CALLS_WARNING_IN_TORCH[name], t) for t in (torch, microgad))
    assert (ours.category, ours.filename) == (theirs.category, __file__)


@pytest.mark.parametrize("name", ["index", "mask", "std", "grid_sample"])
def test_repeated_calls_warn_as_often_as_in_torch(name: str) -> None:
    def count(t: Any) -> int:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            for _ in range(3):
                CALLS[name](t, t.nn.functional)
        return len(found)

    assert count(microgad) == count(torch)


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.zeros(3, out=t.empty(2, 2)),
        lambda t: t.eye(3, out=t.empty(2, 2)),
        lambda t: t.nn.functional.conv1d(t.ones(1, 1, 5), t.ones(1, 1, 4), padding="same", dilation=2),
        lambda t: t.searchsorted(t.ones(3, 2), t.ones(6, 2)[::2].contiguous()),
        lambda t: t.linspace(0, 1, 3, out=t.empty(2, 2)),
        lambda t: t.kl_div(t.ones(3), t.ones(3), 1),
        lambda t: t.rand(3, out=t.empty(2, 2)),
        lambda t: t.randn_like(t.zeros(3, dtype=t.complex64), dtype=t.float64),
    ],
)
def test_call_does_not_warn(call: Callable[[Any], Any]) -> None:
    torch.set_warn_always(True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        theirs, ours = (call(t) for t in (torch, microgad))
    assert ours.shape == theirs.shape
    torch.set_warn_always(False)


def get_warning(call: Callable[[Any, Any], Any], t: Any) -> warnings.WarningMessage:
    """The only warning of a call."""
    torch.set_warn_always(True)  # PyTorch would not repeat a warning of an earlier test
    torch.storage._warn_typed_storage_removal.__dict__.pop("has_warned", None)
    notices.heard.clear()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call(t, t.nn.functional)
    torch.set_warn_always(False)
    (warning,) = found
    return warning
