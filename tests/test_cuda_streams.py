"""Streams, events and the GPU in use: without a GPU as in PyTorch, with one as a stand-in for CuPy is told."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

import microgad as torch


class FakeStream:
    """What CuPy's has, and the one that is in use."""

    ptr, device_id, done = 7, 1, True
    current: Any = None

    def __init__(self, non_blocking: bool = False, priority: int = 0) -> None:
        self.told: list[Any] = [(non_blocking, priority)]

    def record(self, event: Any) -> None:
        self.told.append(("record", event))
        event.stream = self

    def wait_event(self, event: Any) -> None:
        self.told.append(("wait", event))

    def synchronize(self) -> None:
        self.told.append("synchronize")

    def use(self) -> None:
        FakeStream.current = self


class FakeEvent:
    done = False
    stream: Any = None

    def __init__(self, block: bool, disable_timing: bool, interprocess: bool) -> None:
        self.told: list[Any] = [block, disable_timing, interprocess]

    def synchronize(self) -> None:
        self.told.append("synchronize")


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the GPUs that were put in use, the first of two at the start."""
    used = [0]
    facts = {"name": b"One", "totalGlobalMem": 8, "multiProcessorCount": 3, "major": 9, "minor": 0}
    runtime = SimpleNamespace(
        getDevice=lambda: used[-1], setDevice=used.append, getDeviceProperties=lambda i: facts | {"number": i}
    )
    FakeStream.null = FakeStream.current = FakeStream()  # type: ignore[attr-defined]
    cuda = SimpleNamespace(
        runtime=runtime, Device=lambda i: nullcontext(i), Stream=FakeStream, Event=FakeEvent,
        get_current_stream=lambda i: FakeStream.current, get_elapsed_time=lambda a, b: 1.5,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=cuda, ndarray=SimpleNamespace))
    return used


def test_without_a_gpu() -> None:
    x = torch.ones(1, device="cpu")
    with torch.cuda.device(-1), torch.cuda.device("cpu"), torch.cuda.device_of(x), torch.cuda.stream(None):
        assert (x + 1).item() == 2


def test_without_cupy_they_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.ones(1, device="cpu")
    monkeypatch.setitem(sys.modules, "cupy", None)
    for call in (
        torch.cuda.Stream, torch.cuda.Event, torch.cuda.current_stream, torch.cuda.default_stream,
        torch.cuda.device(0).__enter__, torch.cuda.get_device_properties, torch.cuda.current_device,
        x.cuda,
    ):  # fmt: skip
        for expected in (RuntimeError, AssertionError):  # PyTorch's, built for GPUs and not
            with pytest.raises(expected, match="needs CuPy"):
                call()


def test_the_gpu_in_use(gpus: list[int]) -> None:
    with torch.cuda.device(1):
        assert torch.cuda.current_device() == 1
        with torch.cuda.device("cuda:0"):
            assert torch.cuda.current_device() == 0
    assert gpus == [0, 1, 0, 1, 0]
    facts = torch.cuda.get_device_properties("cuda:1")
    assert (facts.name, facts.total_memory, facts.multi_processor_count, facts.number) == ("One", 8, 3, 1)


@pytest.mark.usefixtures("gpus")
def test_work_goes_to_the_stream_of_a_block() -> None:
    own = torch.cuda.Stream(priority=-1)
    assert own.cupy_stream.told == [(True, -1)]
    assert torch.cuda.current_stream() == torch.cuda.default_stream() != own
    with torch.cuda.stream(own):
        assert torch.cuda.current_stream() == own
        torch.cuda.current_stream().synchronize()
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
    assert own.cupy_stream.told[1:] == ["synchronize"]
    assert (own.query(), own.cuda_stream, own.device) == (True, 7, torch.device("cuda", 1))
    torch.cuda.set_stream(own)
    assert torch.cuda.current_stream() == own


@pytest.mark.usefixtures("gpus")
def test_streams_wait_for_events() -> None:
    first, second = torch.cuda.Stream(), torch.cuda.Stream()
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(True, blocking=True)
    assert (start.cupy_event.told, end.cupy_event.told) == ([False, False, False], [True, False, False])
    start.record()
    assert start.cupy_event.stream is FakeStream.null  # type: ignore[attr-defined]
    end.record(first)
    assert end.cupy_event.stream is first.cupy_stream
    end.wait(second)
    end.synchronize()
    assert second.cupy_stream.told[1:] == [("wait", end.cupy_event)]
    assert (start.query(), start.elapsed_time(end), end.cupy_event.told[3:]) == (False, 1.5, ["synchronize"])
    second.wait_stream(first)
    assert second.cupy_stream.told[-1] == ("wait", first.cupy_stream.told[-1][1])
