"""torch.cuda's streams, events and current device.

Without a GPU the context managers do nothing and the rest raises. With GPUs, the tests compare the calls that a fake of
CuPy receives.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

import microgad as torch


class FakeStream:
    """A stream like CuPy's, which notes the calls that it receives. `current` is the current stream."""

    ptr, device_id, done = 7, 1, True
    current: Any = None

    def __init__(self, non_blocking: bool = False, priority: int = 0) -> None:
        self.calls: list[Any] = [(non_blocking, priority)]

    def record(self, event: Any) -> None:
        self.calls.append(("record", event))
        event.stream = self

    def wait_event(self, event: Any) -> None:
        self.calls.append(("wait", event))

    def synchronize(self) -> None:
        self.calls.append("synchronize")

    def use(self) -> None:
        FakeStream.current = self


class FakeEvent:
    """An event like CuPy's, which notes the calls that it receives."""

    done = False
    stream: Any = None

    def __init__(self, block: bool, disable_timing: bool, interprocess: bool) -> None:
        self.calls: list[Any] = [block, disable_timing, interprocess]

    def synchronize(self) -> None:
        self.calls.append("synchronize")


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The indices of the GPUs that were made current, in order. GPU 0 is current at the start."""
    used = [0]
    properties = {"name": b"One", "totalGlobalMem": 8, "multiProcessorCount": 3, "major": 9, "minor": 0}
    runtime = SimpleNamespace(
        getDevice=lambda: used[-1], setDevice=used.append, getDeviceProperties=lambda i: properties | {"number": i}
    )
    FakeStream.null = FakeStream.current = FakeStream()
    cuda = SimpleNamespace(
        runtime=runtime, Device=lambda i: nullcontext(i), Stream=FakeStream, Event=FakeEvent,
        get_current_stream=lambda i: FakeStream.current, get_elapsed_time=lambda a, b: 1.5,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=cuda, ndarray=SimpleNamespace))
    return used


def test_contexts_of_devices_and_streams_do_nothing_without_a_gpu() -> None:
    x = torch.ones(1, device="cpu")
    with torch.cuda.device(-1), torch.cuda.device_of(x), torch.cuda.stream(None):
        assert (x + 1).item() == 2


def test_devices_that_are_no_gpu_raise() -> None:
    torch.cuda.set_device(-1)
    for call in (torch.cuda.device, torch.cuda.set_device):
        with pytest.raises(ValueError, match="Expected a cuda device, but got: cpu"):
            call("cpu")
    for where in ("cuda", torch.device("cuda"), None):
        with pytest.raises(ValueError, match=r"with a specified index or an integer, but got:(cuda|None)"):
            torch.cuda.set_device(where)


def test_without_cupy_streams_events_and_devices_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.ones(1, device="cpu")
    monkeypatch.setitem(sys.modules, "cupy", None)
    for call in (
        torch.cuda.Stream, torch.cuda.Event, torch.cuda.current_stream, torch.cuda.default_stream,
        torch.cuda.device(0).__enter__, torch.cuda.get_device_properties, torch.cuda.current_device,
        x.cuda,
    ):  # fmt: skip
        for expected in (RuntimeError, AssertionError):  # the classes that PyTorch raises, built with and without CUDA
            with pytest.raises(expected, match="needs CuPy"):
                call()


def test_a_device_context_changes_the_current_device_and_restores_it(gpus: list[int]) -> None:
    with torch.cuda.device(1):
        assert torch.cuda.current_device() == 1
        with torch.cuda.device("cuda:0"):
            assert torch.cuda.current_device() == 0
    assert gpus == [0, 1, 0, 1, 0]
    found = torch.cuda.get_device_properties("cuda:1")
    assert (found.name, found.total_memory, found.multi_processor_count, found.number) == ("One", 8, 3, 1)


@pytest.mark.usefixtures("gpus")
def test_a_stream_context_changes_the_current_stream_and_restores_it() -> None:
    own = torch.cuda.Stream(priority=-1)
    assert own.cupy_stream.calls == [(True, -1)]
    assert torch.cuda.current_stream() == torch.cuda.default_stream() != own
    with torch.cuda.stream(own):
        assert torch.cuda.current_stream() == own
        torch.cuda.current_stream().synchronize()
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
    assert own.cupy_stream.calls[1:] == ["synchronize"]
    assert (own.query(), own.cuda_stream, own.device) == (True, 7, torch.device("cuda", 1))
    with own as entered:
        assert entered is own is not torch.cuda.default_stream()
        assert torch.cuda.current_stream() == own
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
    assert repr(own) == "<torch.cuda.Stream device=cuda:1 cuda_stream=0x7>"
    torch.cuda.set_stream(own)
    assert torch.cuda.current_stream() == own


@pytest.mark.usefixtures("gpus")
def test_an_event_is_made_on_the_gpu_that_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    monkeypatch.setattr(sys.modules["cupy"].cuda, "Device", lambda i: nullcontext(made.append(i)))
    assert torch.Event(device="cuda:1", enable_timing=True).cupy_event.calls == [False, False, False]
    torch.Event()
    assert made == [1, 0]


@pytest.mark.usefixtures("gpus")
def test_events_are_recorded_on_streams_and_waited_for() -> None:
    first, second = torch.cuda.Stream(), torch.cuda.Stream()
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(True, blocking=True)
    assert (start.cupy_event.calls, end.cupy_event.calls) == ([False, False, False], [True, False, False])
    start.record()
    assert start.cupy_event.stream is FakeStream.null
    end.record(first)
    assert end.cupy_event.stream is first.cupy_stream
    end.wait(second)
    end.synchronize()
    assert second.cupy_stream.calls[1:] == [("wait", end.cupy_event)]
    assert (start.query(), start.elapsed_time(end), end.cupy_event.calls[3:]) == (False, 1.5, ["synchronize"])
    second.wait_stream(first)
    assert second.cupy_stream.calls[-1] == ("wait", first.cupy_stream.calls[-1][1])
