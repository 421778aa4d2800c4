"""torch.profiler: measure the time of a program's operations, always or in the active steps of a schedule."""

from __future__ import annotations

import enum
import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from .autograd import profiler as profiler
from .autograd.profiler import Recorder
from .autograd.profiler import kineto_available as kineto_available
from .autograd.profiler import record_function as record_function
from .autograd.profiler_util import EventList
from .grad_fn.torch_names import key as _key
from .graph.flops import flops as _flops
from .lazy import define_getattr as _define_getattr
from .tensor import Tensor


class ProfilerActivity(enum.Enum):
    """What to profile. Only the CPU is supported; others are ignored. Source: torch.profiler.ProfilerActivity.

    >>> torch.profiler.ProfilerActivity.CPU in torch.profiler.supported_activities()
    True
    """

    CPU, XPU, MTIA, CUDA, HPU, PrivateUse1 = range(6)


class ProfilerAction(enum.Enum):
    """What to do in a step. Source: torch.profiler.ProfilerAction.

    >>> torch.profiler.schedule(wait=1, warmup=0, active=1)(0) is torch.profiler.ProfilerAction.NONE
    True
    """

    NONE, WARMUP, RECORD, RECORD_AND_SAVE = range(4)


Schedule = Callable[[int], ProfilerAction]
_RECORDING = ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE


def supported_activities() -> set[ProfilerActivity]:
    """Return the CPU as the only activity. Source: torch.profiler.supported_activities.

    >>> torch.profiler.supported_activities()
    {<ProfilerActivity.CPU: 0>}
    """
    return {ProfilerActivity.CPU}


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Schedule:
    """Return a schedule of cycles: `wait` steps, then `warmup` steps, then `active` recorded steps.

    There are `repeat` cycles, without limit if it is 0. The first `skip_first` steps come before the first cycle, which
    doesn't wait if skip_first_wait isn't 0. Raises AssertionError for negative numbers, and if no step is active.

    Source: torch.profiler.schedule.

    >>> steps = torch.profiler.schedule(wait=1, warmup=1, active=2, repeat=1)
    >>> [steps(i).name for i in range(5)]
    ['NONE', 'WARMUP', 'RECORD', 'RECORD_AND_SAVE', 'NONE']
    """
    numbers = {"wait": wait, "warmup": warmup, "active": active, "repeat": repeat, "skip_first": skip_first}
    if min(numbers.values()) < 0 or active < 1:
        raise AssertionError(f"Invalid profiler schedule arguments: {numbers}: active must be > 0, the others >= 0")

    def action(step: int) -> ProfilerAction:
        if step < skip_first:
            return ProfilerAction.NONE
        cycle, at = divmod(step - skip_first + (wait if skip_first_wait else 0), wait + warmup + active)
        if (repeat and cycle >= repeat) or at < wait:
            return ProfilerAction.NONE
        if at < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if at == wait + warmup + active - 1 else ProfilerAction.RECORD

    return action


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False, use_python_export: bool = False
) -> Callable[[profile], None]:
    """Return an `on_trace_ready` function that writes each trace to a new file in a folder.

    It raises RuntimeError if the folder can't be created. Source: torch.profiler.tensorboard_trace_handler.

    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with torch.profiler.profile(on_trace_ready=torch.profiler.tensorboard_trace_handler(folder, "w")):
    ...         y = torch.ones(2).exp()
    ...     [name[-14:] for name in os.listdir(folder)]
    ['.pt.trace.json']
    """

    def write(prof: profile) -> None:
        try:
            os.makedirs(dir_name, exist_ok=True)
        except OSError as error:
            raise RuntimeError(f"Can't create directory: {dir_name}") from error
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        name = f"{worker}.{time.time_ns()}.pt.trace.json{'.gz' if use_gzip else ''}"
        prof.export_chrome_trace(os.path.join(dir_name, name))

    return write


class profile:
    """Measure in a `with` block how long each operation and its derivatives take. Source: torch.profiler.profile.

    With a `schedule`, the program calls `step()` at the end of each step, and only active steps are recorded.
    `on_trace_ready(prof)` is called after each cycle, or without a schedule at the end. record_shapes records the
    shapes of inputs, profile_memory the bytes of results, with_flops additions and multiplications, and with_stack the
    calling lines. Time on a GPU isn't measured.

    >>> model, x = nn.Linear(4, 2), torch.ones(3, 4)
    >>> with torch.profiler.profile(record_shapes=True) as prof:
    ...     model(x).sum().backward()
    >>> averages = prof.key_averages(group_by_input_shape=True)
    >>> [(event.key, event.count) for event in averages if not event.key.endswith("Backward0")]
    [('aten::linear', 1), ('aten::sum', 1)]
    >>> averages.table(sort_by="cpu_time_total", row_limit=3).splitlines()[1].split()[:4]
    ['Name', 'Self', 'CPU', '%']
    """

    def __init__(
        self, *, activities: Iterable[ProfilerActivity] | None = None, schedule: Schedule | None = None,
        on_trace_ready: Callable[..., Any] | None = None, record_shapes: bool = False, profile_memory: bool = False,
        with_stack: bool = False, with_flops: bool = False, with_modules: bool = False,
        experimental_config: Any = None, execution_trace_observer: Any = None, acc_events: bool = False,
        use_cuda: bool | None = None, custom_trace_id_callback: Callable[[], str] | None = None,
        post_processing_timeout_s: float | None = None,
    ) -> None:  # fmt: skip
        self.record_shapes, self.profile_memory, self.with_stack = record_shapes, profile_memory, with_stack
        self.with_flops, self.with_modules, self.acc_events = with_flops, with_modules, acc_events
        self.record_steps = schedule is not None
        self.schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self.on_trace_ready = on_trace_ready
        self.step_num = 0
        self.current_action = self.schedule(0)
        self._recorder = Recorder(record_shapes, profile_memory, with_stack, _flops_of if with_flops else None)
        self._recorder.active = False
        self._found: EventList | None = None
        self._metadata: dict[str, Any] = {}

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start profiling."""
        self._recorder.__enter__()
        self._begin_step()

    def stop(self) -> None:
        """Stop profiling, and make the results available."""
        try:
            if self._recorder.active:
                self._end_cycle()
        finally:
            self._recorder.__exit__()

    def step(self) -> None:
        """End a step of the schedule, and begin the next."""
        self._recorder.stop(f"ProfilerStep#{self.step_num}")
        self.step_num += 1
        before, self.current_action = self.current_action, self.schedule(self.step_num)
        recording = self._recorder.active
        if recording and (before is ProfilerAction.RECORD_AND_SAVE or self.current_action not in _RECORDING):
            self._end_cycle()
        self._begin_step()

    def _begin_step(self) -> None:
        if self.current_action in _RECORDING:
            if not self._recorder.active and not self.acc_events:
                self._found = None
            self._recorder.active = True
            if self.record_steps:
                name = f"ProfilerStep#{self.step_num}"
                event = self._recorder.start(name, name)
                assert event is not None
                event.is_user_annotation = True
                event.name = event.key = "ProfilerStep*"  # all steps are one row of a table

    def _end_cycle(self) -> None:
        found, self._recorder.active = self._recorder.finish(), False
        if self._found is not None:
            found[:0] = self._found
        self._found = found
        if self.on_trace_ready is not None:
            self.on_trace_ready(self)

    def events(self) -> EventList:
        """Return the recorded events. Raises AssertionError if there are no results yet."""
        if self._found is None:
            raise AssertionError("profile: nothing is recorded yet; results are there after the block, or a cycle")
        return self._found

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """Return averages over the events of each name: see `EventList.key_averages`."""
        return self.events().key_averages(group_by_input_shape, group_by_stack_n)

    def export_chrome_trace(self, path: str) -> None:
        """Write a trace for chrome://tracing and Perfetto. A path that ends in .gz is compressed."""
        self.events().export_chrome_trace(path, self._metadata)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Write call stacks with their times in µs. Needs with_stack."""
        self.events().export_stacks(path, metric)

    def export_memory_timeline(self, path: str, device: str | None = None) -> NoReturn:
        """Raise NotImplementedError, because freed memory isn't recorded. Source: torch.profiler."""
        raise NotImplementedError("export_memory_timeline: microgad notes the bytes of results, not when they go")

    def toggle_collection_dynamic(self, enable: bool, activities: Iterable[ProfilerActivity]) -> None:
        """Turn recording on or off."""
        self._recorder.active = enable

    def add_metadata(self, key: str, value: str) -> None:
        """Add a string to the metadata of the trace."""
        self._metadata[key] = value

    def add_metadata_json(self, key: str, value: str) -> None:
        """Add JSON to the metadata of the trace."""
        self._metadata[key] = json.loads(value)

    preset_metadata_json = add_metadata_json


def _flops_of(node: Any, inputs: tuple[Any, ...], out: Any) -> int:
    """Return how many additions and multiplications an operation has, or 0 if that isn't known."""
    shapes = [x.shape if isinstance(x, Tensor) else None for x in inputs]
    outs = out if type(out) is tuple else (out,)
    cls = type(node)
    return _flops(cls.__name__ if _key(cls) else "", shapes, [y.shape for y in outs], vars(node)) or 0


_define_getattr(globals())
