"""torch.autograd.profiler: measure the time of each operation in a block. For schedules see `microgad.profiler`."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from typing import Any, NoReturn

from .. import state
from ..function import Function
from ..grad_fn import torch_names
from ..lazy import define_getattr as _define_getattr
from ..tensor import Tensor
from .function_hooks import FunctionHook, OpenIntervals, new_bytes
from .profiler_util import DeviceType as DeviceType
from .profiler_util import EventList as EventList
from .profiler_util import FunctionEvent as FunctionEvent
from .profiler_util import FunctionEventAvg as FunctionEventAvg


class Recorder(FunctionHook):
    """A hook that records when each operation, derivative and `record_function` block begins and ends.

    Setting `active` switches it on and off. `flops(node, inputs, out)` estimates an operation's floating-point
    operations. Not in PyTorch.

    >>> from microgad.autograd.profiler import Recorder
    >>> with Recorder() as recorder:
    ...     y = torch.ones(2).exp() * 2
    >>> [event.name for event in recorder.events]
    ['aten::exp', 'aten::mul']
    """

    def __init__(
        self, shapes: bool = False, memory: bool = False, stack: bool = False,
        flops: Callable[[Function, Any, Any], int] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.shapes, self.memory, self.stack, self.flops = shapes, memory, stack, flops
        self.active = True
        self.events: list[FunctionEvent] = []
        self._running = OpenIntervals()

    def begin(self, node: Function, inputs: tuple[Any, ...], target: Any = None) -> None:
        """Start the event of an operation."""
        super().begin(node, inputs, target)
        event = self.start(type(node), torch_names.operator_name(type(node)))
        if event is not None and self.shapes:
            event.input_shapes = [list(x.shape) if isinstance(x, Tensor) else [] for x in inputs]

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        """Stop the event of an operation."""
        event = self.stop(type(node))
        super().forward(node, inputs, out)
        if event is None:
            return
        event.sequence_nr = getattr(node, "number", -1)
        if self.memory:
            event.self_cpu_memory_usage = new_bytes(inputs, out)
        if self.flops is not None:
            event.flops = self.flops(node, inputs, out)

    def begin_backward(self, node: Function, grad: Any) -> None:
        """Start the event of an operation's derivatives."""
        super().begin_backward(node, grad)
        event = self.start((type(node), "backward"), torch_names.backward_name(node))
        if event is not None:
            event.sequence_nr = node.number
            if self.shapes:
                grads = grad if type(grad) is tuple else (grad,)
                event.input_shapes = [[] if g is None else list(g.shape) for g in grads]

    def backward(self, node: Function, gradients: list[Any]) -> None:
        """Stop the event of an operation's derivatives."""
        event = self.stop((type(node), "backward"))
        super().backward(node, gradients)
        if event is not None and self.memory:
            arrays = [g.array if isinstance(g, Tensor) else g for g in gradients if g is not None]
            event.self_cpu_memory_usage = sum(g.nbytes for g in arrays if getattr(g, "base", None) is None)

    def start(self, key: Any, name: str) -> FunctionEvent | None:
        """Start an event, nested in the one that is running."""
        if not self.active:
            return None
        running = self._running.open
        event = FunctionEvent(len(self.events), name, time.perf_counter_ns(), running[-1][1] if running else None)
        event.thread = threading.get_ident()
        if self.stack:
            event.stack = _frames()
        self.events.append(event)
        self._running.begin(key, event)
        event.start = event.end = time.perf_counter_ns()
        return event

    def stop(self, key: Any) -> FunctionEvent | None:
        """Stop the innermost event with this key, and events inside of it that are still running."""
        now, running = time.perf_counter_ns(), self._running.open
        inside = [event for _, event in running]
        event = self._running.end(key)
        if isinstance(event, FunctionEvent):
            for other in inside[inside.index(event) :]:
                other.end = now
            return event
        return None

    def finish(self) -> EventList:
        """Stop all running events, and return the events recorded so far."""
        now = time.perf_counter_ns()
        for _, event in self._running.open:
            event.end = now
        self._running.open.clear()
        found = EventList(self.events, shapes=self.shapes, memory=self.memory, flops=self.flops is not None)
        self.events = []
        return found


def active_recorders() -> Iterator[Recorder]:
    """Return the recorders that are installed in this context."""
    return (observer for observer in state.observers() if isinstance(observer, Recorder))


class record_function(ContextDecorator):
    """Label a block or function in profiles. Without a profiler this does nothing.

    Source: torch.profiler.record_function.

    >>> with torch.profiler.profile() as prof:
    ...     with torch.profiler.record_function("double"):
    ...         _ = torch.ones(2) * 2
    >>> [event.name for event in prof.events()]
    ['double', 'aten::mul']
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name, self.args = name, args

    def __enter__(self) -> record_function:
        for recorder in active_recorders():
            event = recorder.start(self.name, self.name)
            if event is not None:
                event.is_user_annotation = True
        return self

    def __exit__(self, *_: object) -> None:
        for recorder in active_recorders():
            recorder.stop(self.name)


class profile:
    """Record how long each operation and its derivatives take in a block. Source: torch.autograd.profiler.profile.

    record_shapes adds the shapes of inputs, profile_memory the bytes of results, with_stack the call stacks. The time
    of a GPU isn't measured. Operations have PyTorch's names, as "aten::mul", or else the names of their classes,
    derivatives those of nodes, "MulBackward0".

    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.autograd.profiler.profile(record_shapes=True) as prof:
    ...     (x * x).sum().backward()
    >>> [(event.name, event.input_shapes) for event in prof.function_events][:2]
    [('aten::mul', [[2], [2]]), ('aten::sum', [[2]])]
    """

    def __init__(
        self, enabled: bool = True, *, use_cuda: bool = False, use_device: str | None = None,
        record_shapes: bool = False, with_flops: bool = False, profile_memory: bool = False, with_stack: bool = False,
        with_modules: bool = False, use_kineto: bool = False, use_cpu: bool = True, experimental_config: Any = None,
        acc_events: bool = False, custom_trace_id_callback: Callable[[], str] | None = None,
        post_processing_timeout_s: float | None = None, activity_filters: Any = None,
    ) -> None:  # fmt: skip
        self.enabled = enabled
        self.recorder = Recorder(record_shapes, profile_memory, with_stack)
        self.function_events: EventList | None = None

    def __enter__(self) -> profile:
        if self.enabled:
            if self.function_events is not None:
                raise RuntimeError("Profiler context manager is not reentrant")
            self.recorder.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self.enabled:
            self.recorder.__exit__(*error)
            self.function_events = self.recorder.finish()

    def _events(self) -> EventList:
        if self.function_events is None:
            raise RuntimeError("Profiler didn't finish running")
        return self.function_events

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """Sum events of the same name: see `EventList.key_averages`."""
        return self._events().key_averages(group_by_input_shape, group_by_stack_n)

    def total_average(self) -> FunctionEventAvg:
        """Sum all events."""
        return self._events().total_average()

    def table(self, *args: Any, **options: Any) -> str:
        """Format the events as a table: see `EventList.table`."""
        return self._events().table(*args, **options)

    def export_chrome_trace(self, path: str) -> None:
        """Write a trace file for chrome://tracing and Perfetto."""
        self._events().export_chrome_trace(path)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Write call stacks with their times."""
        self._events().export_stacks(path, metric)

    @property
    def self_cpu_time_total(self) -> float:
        """The total time in µs."""
        return self._events().self_cpu_time_total

    def __str__(self) -> str:
        return "<unfinished profiler_legacy.profile>" if self.function_events is None else str(self.function_events)


@contextmanager
def emit_nvtx(enabled: bool = True, record_shapes: bool = False) -> Iterator[None]:
    """Do nothing: operations aren't shown to NVIDIA's tools. Source: torch.autograd.profiler.emit_nvtx."""
    yield


emit_itt = emit_nvtx


def kineto_available() -> bool:
    """Return False: events are microgad's own. Source: torch.autograd.profiler.kineto_available.

    >>> torch.autograd.profiler.kineto_available()
    False
    """
    return False


def load_nvprof(path: str) -> NoReturn:
    """Raise NotImplementedError: NVIDIA's traces aren't read. Source: torch.autograd.profiler.load_nvprof."""
    raise NotImplementedError("load_nvprof: microgad doesn't read NVIDIA's traces")


def _frames() -> list[str]:
    """Return the call stack, innermost first, without microgad's own frames."""
    frame: Any = sys._getframe(2)
    found = []
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] != "microgad":
            found.append(f"{frame.f_code.co_filename}({frame.f_lineno}): {frame.f_code.co_name}")
        frame = frame.f_back
    return found


_define_getattr(globals())
