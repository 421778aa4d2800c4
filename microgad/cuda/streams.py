"""CUDA streams, events and the current device under PyTorch's names, by CuPy."""

from __future__ import annotations

from typing import Any

from .. import backend
from ..errors import ArgumentError


def _cuda() -> Any:
    return backend._cupy().cuda


def index_of(where: Any, numbered: bool = False) -> int:
    """Return the number of a GPU, by default the current one unless it has to be given.

    Raises ValueError for a device that isn't a GPU.
    """
    if isinstance(where, int):
        return where
    place = backend.device("cuda" if where is None else where)
    if place.type != "cuda":
        raise ArgumentError(f"Expected a cuda device, but got: {place}")
    if place.index is None and numbered:
        raise ArgumentError(f"Expected a torch.device with a specified index or an integer, but got:{where}")
    _cuda()  # raises without CuPy
    return backend.current_gpu.get() if place.index is None else place.index


def use(index: int) -> None:
    """Make a GPU the current one."""
    _cuda().runtime.setDevice(index)
    backend.current_gpu.set(index)


class Stream:
    """A queue of work for a GPU; `cupy_stream` is CuPy's object. Raises RuntimeError without a GPU.

    Source: torch.cuda.Stream.

    >>> if torch.cuda.is_available():
    ...     stream = torch.cuda.Stream()
    ...     with torch.cuda.stream(stream):
    ...         x = torch.ones(2, device="cuda")
    ...     stream.synchronize()
    """

    def __init__(self, device: Any = None, priority: int = 0, *, of: Any = None) -> None:
        if of is None:
            with _cuda().Device(index_of(device)):
                of = _cuda().Stream(non_blocking=True, priority=priority)
        self.cupy_stream = of
        self._before: list[Stream] = []

    def __enter__(self) -> Stream:
        self._before.append(current_stream())
        set_stream(self)
        return self

    def __exit__(self, *raised: object) -> None:
        set_stream(self._before.pop())

    @property
    def cuda_stream(self) -> int:
        """CUDA's handle of the stream."""
        return int(self.cupy_stream.ptr)

    @property
    def device(self) -> backend.device:
        """The GPU that the stream belongs to."""
        there = self.cupy_stream.device_id
        return backend.device("cuda", index_of(None) if there < 0 else there)

    def query(self) -> bool:
        """Whether all work in the stream is done."""
        return bool(self.cupy_stream.done)

    def synchronize(self) -> None:
        """Wait until all work in the stream is done."""
        self.cupy_stream.synchronize()

    def record_event(self, event: Event | None = None) -> Event:
        """Record an event after the present work of the stream, and return it."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Make later work in the stream wait for an event."""
        self.cupy_stream.wait_event(event.cupy_event)

    def wait_stream(self, stream: Stream) -> None:
        """Make later work in the stream wait for the present work of another stream."""
        self.wait_event(stream.record_event())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self.cupy_stream == other.cupy_stream

    def __hash__(self) -> int:
        return hash(self.cuda_stream)

    def __repr__(self) -> str:
        return f"<torch.cuda.Stream device={self.device} cuda_stream={self.cuda_stream:#x}>"


class Event:
    """A marker in a stream's work; `cupy_event` is CuPy's object. Raises RuntimeError without a GPU.

    The GPU is the current one, or `device`, which torch.Event takes. Source: torch.cuda.Event.

    >>> if torch.cuda.is_available():
    ...     start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    ...     start.record()
    ...     end.record()
    ...     torch.cuda.synchronize()
    ...     milliseconds = start.elapsed_time(end)
    """

    def __init__(
        self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False, *, device: Any = None
    ) -> None:
        with _cuda().Device(index_of(device)):
            self.cupy_event = _cuda().Event(blocking, not enable_timing, interprocess)

    def record(self, stream: Stream | None = None) -> None:
        """Place the event after the present work of a stream, by default the current one."""
        (current_stream() if stream is None else stream).cupy_stream.record(self.cupy_event)

    def wait(self, stream: Stream | None = None) -> None:
        """Make later work of a stream, by default the current one, wait for this event."""
        (current_stream() if stream is None else stream).wait_event(self)

    def query(self) -> bool:
        """Whether the work before the event is done."""
        return bool(self.cupy_event.done)

    def synchronize(self) -> None:
        """Wait until the work before the event is done."""
        self.cupy_event.synchronize()

    def elapsed_time(self, end_event: Event) -> float:
        """Return the milliseconds from this event to another. Both need enable_timing."""
        return float(_cuda().get_elapsed_time(self.cupy_event, end_event.cupy_event))


def current_stream(device: Any = None) -> Stream:
    """Return the stream that work is put into at present.

    Raises RuntimeError without a GPU. Source: torch.cuda.current_stream.

    >>> if torch.cuda.is_available():
    ...     torch.cuda.current_stream().synchronize()
    """
    return Stream(of=_cuda().get_current_stream(index_of(device)))


def default_stream(device: Any = None) -> Stream:
    """Return the stream that work is put into by default.

    Raises RuntimeError without a GPU. Source: torch.cuda.default_stream.

    >>> if torch.cuda.is_available():
    ...     assert torch.cuda.default_stream() == torch.cuda.current_stream()
    """
    return Stream(of=_cuda().Stream.null)


def set_stream(stream: Stream | None) -> None:
    """Make a stream the current one; None changes nothing. Source: torch.cuda.set_stream.

    >>> torch.cuda.set_stream(None)
    """
    if stream is not None:
        stream.cupy_stream.use()


class StreamContext:
    """Make a stream the current one in a block; None changes nothing. Source: torch.cuda.StreamContext.

    >>> with torch.cuda.stream(None):
    ...     torch.ones(1)
    tensor([1.])
    """

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        if self.stream is not None:
            self.stream.__enter__()

    def __exit__(self, *raised: object) -> None:
        if self.stream is not None:
            self.stream.__exit__()


stream = StreamContext


class device:
    """Make a GPU the current one in a block; a negative number changes nothing.

    Raises ValueError for another device. Entering the block raises RuntimeError if there is no such GPU.
    Source: torch.cuda.device.

    >>> with torch.cuda.device(-1):
    ...     torch.ones(1)
    tensor([1.])
    """

    def __init__(self, device: Any) -> None:
        self.idx = index_of(device)
        self.prev_idx = -1

    def __enter__(self) -> None:
        if self.idx >= 0:
            self.prev_idx = index_of(None)
            use(self.idx)

    def __exit__(self, *raised: object) -> None:
        if self.idx >= 0:
            use(self.prev_idx)


class device_of(device):
    """Make a Tensor's GPU the current one in a block; one on the CPU changes nothing. Source: torch.cuda.device_of.

    >>> with torch.cuda.device_of(torch.ones(1)):
    ...     torch.ones(1)
    tensor([1.])
    """

    def __init__(self, obj: Any) -> None:
        super().__init__(obj.get_device())
