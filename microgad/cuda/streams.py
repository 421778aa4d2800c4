"""What waits for what on a GPU: streams and events, which are CuPy's, and the device in use, under PyTorch's names."""

from __future__ import annotations

from typing import Any

from .. import backend


def _cuda() -> Any:
    return backend._cupy().cuda


def index_of(where: Any) -> int:
    """The number of a GPU, -1 of what is no GPU; the one in use where none is given."""
    if isinstance(where, int):
        return where
    where = backend.device("cuda" if where is None else where)
    if where.type != "cuda":
        return -1
    return int(_cuda().runtime.getDevice()) if where.index is None else where.index


class Stream:
    """Work of a GPU in its order; `cupy_stream` is CuPy's. Raises RuntimeError without a GPU.

    Source: torch.cuda.Stream.
    """

    def __init__(self, device: Any = None, priority: int = 0, *, of: Any = None) -> None:
        if of is None:
            with _cuda().Device(index_of(device)):
                of = _cuda().Stream(non_blocking=True, priority=priority)
        self.cupy_stream = of

    @property
    def cuda_stream(self) -> int:
        """CUDA's own handle of it."""
        return int(self.cupy_stream.ptr)

    @property
    def device(self) -> backend.device:
        """The GPU that works on it."""
        there = self.cupy_stream.device_id
        return backend.device("cuda", index_of(None) if there < 0 else there)

    def query(self) -> bool:
        """Whether all of its work is done."""
        return bool(self.cupy_stream.done)

    def synchronize(self) -> None:
        """Wait for its work."""
        self.cupy_stream.synchronize()

    def record_event(self, event: Event | None = None) -> Event:
        """An event after the work that it has so far."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Let its further work wait for an event."""
        self.cupy_stream.wait_event(event.cupy_event)

    def wait_stream(self, stream: Stream) -> None:
        """Let its further work wait for the work that another one has so far."""
        self.wait_event(stream.record_event())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self.cupy_stream == other.cupy_stream

    def __hash__(self) -> int:
        return hash(self.cuda_stream)


class Event:
    """A place in a stream's work; `cupy_event` is CuPy's. Raises RuntimeError without a GPU.

    Source: torch.cuda.Event.

    >>> if torch.cuda.is_available():
    ...     start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    ...     start.record()
    ...     end.record()
    ...     torch.cuda.synchronize()
    ...     milliseconds = start.elapsed_time(end)
    """

    def __init__(self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False) -> None:
        self.cupy_event = _cuda().Event(blocking, not enable_timing, interprocess)

    def record(self, stream: Stream | None = None) -> None:
        """Stand after the work that a stream has so far, the current one where none is given."""
        (current_stream() if stream is None else stream).cupy_stream.record(self.cupy_event)

    def wait(self, stream: Stream | None = None) -> None:
        """Let the further work of a stream wait for this."""
        (current_stream() if stream is None else stream).wait_event(self)

    def query(self) -> bool:
        """Whether the work before it is done."""
        return bool(self.cupy_event.done)

    def synchronize(self) -> None:
        """Wait for the work before it."""
        self.cupy_event.synchronize()

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds from here to another event, both of which keep time."""
        return float(_cuda().get_elapsed_time(self.cupy_event, end_event.cupy_event))


def current_stream(device: Any = None) -> Stream:
    """The stream that work goes to. Source: torch.cuda.current_stream."""
    return Stream(of=_cuda().get_current_stream(index_of(device)))


def default_stream(device: Any = None) -> Stream:
    """The one that work goes to where no other is chosen. Source: torch.cuda.default_stream."""
    return Stream(of=_cuda().Stream.null)


def set_stream(stream: Stream | None) -> None:
    """Let work go to a stream from now on; None changes nothing. Source: torch.cuda.set_stream."""
    if stream is not None:
        stream.cupy_stream.use()


class StreamContext:
    """Let the work of a block go to a stream; None changes nothing. Source: torch.cuda.StreamContext.

    >>> with torch.cuda.stream(None):
    ...     torch.ones(1)
    tensor([1.])
    """

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream
        self._before: list[Stream] = []

    def __enter__(self) -> None:
        if self.stream is not None:
            self._before.append(current_stream())
            set_stream(self.stream)

    def __exit__(self, *raised: object) -> None:
        if self.stream is not None:
            set_stream(self._before.pop())


stream = StreamContext


class device:
    """Use a GPU for a block; a negative number, or what is no GPU, changes nothing. Source: torch.cuda.device.

    Raises RuntimeError at the block where there is no such GPU.

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
            _cuda().runtime.setDevice(self.idx)

    def __exit__(self, *raised: object) -> None:
        if self.idx >= 0:
            _cuda().runtime.setDevice(self.prev_idx)


class device_of(device):
    """Use the GPU of a Tensor for a block; of one on the CPU it changes nothing. Source: torch.cuda.device_of.

    >>> with torch.cuda.device_of(torch.ones(1)):
    ...     torch.ones(1)
    tensor([1.])
    """

    def __init__(self, obj: Any) -> None:
        super().__init__(obj.get_device())
