"""GPUs: what a program asks before it uses one, with no CuPy and with one that stands in for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest

import microgad as torch


def stand_in(count: Callable[[], int]) -> SimpleNamespace:
    runtime = SimpleNamespace(getDeviceCount=count)
    return SimpleNamespace(cuda=SimpleNamespace(runtime=runtime), ndarray=SimpleNamespace)


def no_driver() -> int:
    raise RuntimeError("cudaErrorInsufficientDriver")


def test_without_cupy_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert not torch.cuda.is_available()
    assert torch.cuda.device_count() == 0


@pytest.mark.parametrize("count", [0, 2])
def test_cupy_says_how_many_there_are(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", stand_in(lambda: count))
    assert torch.cuda.device_count() == count
    assert torch.cuda.is_available() == (count > 0)


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", stand_in(no_driver))
    assert not torch.cuda.is_available()
