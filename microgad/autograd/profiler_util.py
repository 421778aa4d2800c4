"""A profiler's events, their averages, tables and traces. Source: torch.autograd.profiler_util."""

from __future__ import annotations

import enum
import gzip
import json
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

_UNITS = {"s": 1e6, "ms": 1e3, "us": 1.0}


class DeviceType(enum.Enum):
    """The kinds of devices that events may be of. microgad's are all of the CPU. Source: torch.autograd.DeviceType.

    >>> torch.autograd.DeviceType.CPU.value
    0
    """

    CPU, CUDA, HIP, XLA, XPU, MPS, Meta, HPU, MTIA, PrivateUse1 = 0, 1, 6, 9, 12, 13, 14, 15, 19, 20


class Interval(NamedTuple):
    """When an event began and ended, in µs. Source: torch.autograd.profiler_util.Interval."""

    start: float
    end: float

    def elapsed_us(self) -> float:
        """How long it took.

        >>> Interval(1.5, 4.0).elapsed_us()
        2.5
        """
        return self.end - self.start


class TimedEvent:
    """Times and bytes of one event, or the sums of several. A GPU's times and bytes aren't measured, and are 0."""

    key: str
    count: int
    cpu_time_total: float  # µs, with nested events
    self_cpu_time_total: float  # µs, without nested events
    cpu_memory_usage: int  # bytes of new memory that results hold, with nested events
    self_cpu_memory_usage: int
    input_shapes: Any
    stack: list[str]
    flops: int
    is_user_annotation: bool
    cpu_parent: FunctionEvent | None = None
    device_type = DeviceType.CPU
    use_device: str | None = None
    node_id = -1
    is_async = is_remote = is_legacy = False

    @property
    def cpu_time(self) -> float:
        """µs per call."""
        return self.cpu_time_total / self.count if self.count else 0.0

    def __getattr__(self, name: str) -> Any:
        for ending, value in (("_total_str", "_total"), ("_time_str", "_time")):
            if name.endswith(ending) and not name.startswith("_"):
                return as_time(getattr(self, name.removesuffix(ending) + value))
        if name.removeprefix("self_").startswith(("cuda_", "device_", "xpu_", "privateuse1_")) and name.endswith(
            ("_total", "_time", "_usage")
        ):
            return 0
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)


class FunctionEvent(TimedEvent):
    """One operation, derivative, or block of `record_function`, with its time.

    Source: torch.autograd.profiler_util.FunctionEvent.
    """

    count = 1
    kernels: tuple[Any, ...] = ()  # those of a GPU

    def __init__(self, id: int, name: str, start: int, parent: FunctionEvent | None = None) -> None:
        self.id = id
        self.name = self.key = self.trace_name = name
        self.start = self.end = start  # ns
        self.cpu_parent = parent
        self.cpu_children: list[FunctionEvent] = []
        self.thread = 0
        self.input_shapes: Any = []
        self.stack: list[str] = []
        self.flops = 0
        self.self_cpu_memory_usage = 0
        self.is_user_annotation = False
        self.sequence_nr = -1  # the number of the operation's node
        if parent is not None:
            parent.cpu_children.append(self)

    @property
    def time_range(self) -> Interval:
        """When it began and ended, in µs of a clock that has no date."""
        return Interval(self.start / 1e3, self.end / 1e3)

    @property
    def cpu_time_total(self) -> float:  # type: ignore[override]
        """µs, with nested events."""
        return (self.end - self.start) / 1e3

    @property
    def self_cpu_time_total(self) -> float:  # type: ignore[override]
        """µs, without nested events."""
        return self.cpu_time_total - sum(child.cpu_time_total for child in self.cpu_children)

    @property
    def cpu_memory_usage(self) -> int:  # type: ignore[override]
        """Bytes of the arrays that its results hold, with nested events."""
        return self.self_cpu_memory_usage + sum(child.cpu_memory_usage for child in self.cpu_children)

    def __repr__(self) -> str:
        return f"<FunctionEvent id={self.id} name={self.name} cpu_time={as_time(self.cpu_time_total)}>"


class FunctionEventAvg(TimedEvent):
    """The sum of events of one name. Source: torch.autograd.profiler_util.FunctionEventAvg."""

    def __init__(self, events: Iterable[FunctionEvent] = ()) -> None:
        self.key, self.input_shapes, self.stack, self.is_user_annotation = "", [], [], False
        self.count = self.cpu_memory_usage = self.self_cpu_memory_usage = self.flops = 0
        self.cpu_time_total = self.self_cpu_time_total = 0.0
        for event in events:
            self.add(event)

    def add(self, other: FunctionEvent | FunctionEventAvg) -> FunctionEventAvg:
        """Add an event, or another sum."""
        if not self.count:
            self.key, self.input_shapes, self.stack = other.key, other.input_shapes, other.stack
            self.is_user_annotation = other.is_user_annotation
        self.count += other.count
        self.cpu_time_total += other.cpu_time_total
        self.self_cpu_time_total += other.self_cpu_time_total
        self.cpu_memory_usage += other.cpu_memory_usage
        self.self_cpu_memory_usage += other.self_cpu_memory_usage
        self.flops += other.flops
        return self

    __iadd__ = add

    def __repr__(self) -> str:
        times = f"self_cpu_time={as_time(self.self_cpu_time_total)} cpu_time={as_time(self.cpu_time)}"
        return f"<FunctionEventAvg key={self.key} {times} count={self.count}>"


class EventList(list[Any]):
    """A list of events, or of sums of events. Source: torch.autograd.profiler_util.EventList.

    >>> with torch.autograd.profiler.profile() as profile:
    ...     y = torch.ones(2).exp()
    >>> [event.name for event in profile.function_events]
    ['aten::exp']
    """

    def __init__(self, events: Iterable[Any] = (), *, shapes: bool = False, memory: bool = False, flops: bool = False):
        super().__init__(events)
        self._shapes, self._memory, self._flops = shapes, memory, flops

    def _like(self, events: Iterable[Any]) -> EventList:
        return EventList(events, shapes=self._shapes, memory=self._memory, flops=self._flops)

    @property
    def self_cpu_time_total(self) -> float:
        """The total time in µs."""
        return float(sum(event.self_cpu_time_total for event in self))

    def key_averages(
        self, group_by_input_shapes: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """Sum events of the same name and, if asked for, of the same input shapes and innermost stack frames."""
        groups: dict[Any, FunctionEventAvg] = {}
        for event in self:
            shapes = str(event.input_shapes) if group_by_input_shapes else ""
            key = event.key, shapes, *event.stack[:group_by_stack_n]
            groups.setdefault(key, FunctionEventAvg()).add(event)
        for average in groups.values():
            average.stack = average.stack[:group_by_stack_n]
            if not group_by_input_shapes:
                average.input_shapes = ""
        return self._like(groups.values())

    def total_average(self) -> FunctionEventAvg:
        """Sum all events."""
        total = FunctionEventAvg(self)
        total.key = "Total"
        return total

    def table(
        self, sort_by: str | None = None, row_limit: int = 100, max_src_column_width: int = 75,
        max_name_column_width: int = 55, max_shapes_column_width: int = 80, header: str | None = None,
        top_level_events_only: bool = False, time_unit: str | None = None,
    ) -> str:  # fmt: skip
        """Format the events as a table of at most `row_limit` rows (-1: all).

        `sort_by` is an attribute of events, such as "cpu_time_total"; the largest comes first. Raises AttributeError
        for an unknown one.
        """
        events = list(self)
        if sort_by is not None:
            events.sort(key=lambda event: getattr(event, sort_by), reverse=True)
        if top_level_events_only:
            events = [event for event in events if getattr(event, "cpu_parent", None) is None]
        events = events[: len(events) if row_limit < 0 else row_limit]
        widest = max_name_column_width, max_shapes_column_width, max_src_column_width
        columns = self._columns(events, time_unit, *widest)
        widths = [max(12, *map(len, [name, *cells])) for name, cells in columns.items()]
        rule = "  ".join("-" * width for width in widths) + "  "
        rows = [columns, *zip(*columns.values(), strict=True)]
        lines = ["  ".join(f"{cell:>{n}}" for cell, n in zip(row, widths, strict=True)) + "  " for row in rows]
        top = ["=" * len(rule), header] if header is not None else []
        last = f"Self CPU time total: {as_time(self.self_cpu_time_total, time_unit)}"
        return "\n".join([*top, rule, lines[0], rule, *lines[1:], rule, last, ""])

    def _columns(
        self, events: list[Any], time_unit: str | None, name_width: int, shapes_width: int, source_width: int
    ) -> dict[str, list[str]]:
        total = self.self_cpu_time_total

        def part(us: float) -> str:
            return f"{100 * us / total if total else 0:.2f}%"

        columns: dict[str, list[str]] = {
            "Name": [_clip(event.key, name_width) for event in events],
            "Self CPU %": [part(event.self_cpu_time_total) for event in events],
            "Self CPU": [as_time(event.self_cpu_time_total, time_unit) for event in events],
            "CPU total %": [part(event.cpu_time_total) for event in events],
            "CPU total": [as_time(event.cpu_time_total, time_unit) for event in events],
            "CPU time avg": [as_time(event.cpu_time, time_unit) for event in events],
        }
        if self._memory:
            columns["CPU Mem"] = [as_bytes(event.cpu_memory_usage) for event in events]
            columns["Self CPU Mem"] = [as_bytes(event.self_cpu_memory_usage) for event in events]
        columns["# of Calls"] = [str(event.count) for event in events]
        if self._shapes and any(event.input_shapes for event in events):
            columns["Input Shapes"] = [_clip(str(event.input_shapes), shapes_width) for event in events]
        if any(event.stack for event in events):
            columns["Source Location"] = [_clip(e.stack[0] if e.stack else "", source_width) for e in events]
        if self._flops:
            columns["Total FLOPs"] = [str(event.flops or "--") for event in events]
        return columns

    def export_chrome_trace(self, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Write a trace file for chrome://tracing and Perfetto, compressed if the path ends in .gz."""
        process = os.getpid()
        events = [
            {
                "ph": "X", "cat": "user_annotation" if event.is_user_annotation else "cpu_op", "name": event.trace_name,
                "pid": process, "tid": event.thread, "ts": event.start / 1e3, "dur": event.cpu_time_total,
                "args": {
                    "External id": event.id, "Input Dims": event.input_shapes, "Call stack": ";".join(event.stack),
                },
            }
            for event in self
        ]  # fmt: skip
        trace = {"schemaVersion": 1, "displayTimeUnit": "ms", "traceName": path, "traceEvents": events}
        with gzip.open(path, "wt") if str(path).endswith(".gz") else open(path, "w", encoding="utf-8") as file:
            json.dump({**trace, **(metadata or {})}, file)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Write call stacks with their µs, as flame graph tools read them. Raises ValueError for an unknown metric."""
        known = self.supported_export_stacks_metrics()
        if metric not in known:
            raise ValueError(f"metric should be one of: {known}")
        with open(path, "w", encoding="utf-8") as file:
            for event in self:
                us = int(getattr(event, metric))
                if event.stack and us:
                    frames = [frame.replace(" ", "_").replace(";", "_") for frame in reversed(event.stack)]
                    file.write(f"{';'.join(frames)} {us}\n")

    def supported_export_stacks_metrics(self) -> list[str]:
        """Return the metrics that `export_stacks` accepts."""
        return ["self_cpu_time_total", "self_cuda_time_total", "self_xpu_time_total", "self_privateuse1_time_total"]

    def __str__(self) -> str:
        return self.table()


def as_time(us: float, unit: str | None = None) -> str:
    """Format microseconds, in the given unit or one that fits.

    >>> as_time(1234.5), as_time(1234.5, "us")
    ('1.234ms', '1234.500us')
    """
    unit = unit or ("s" if us >= 1e6 else "ms" if us >= 1e3 else "us")
    return f"{us / _UNITS[unit]:.3f}{unit}"


def as_bytes(count: int) -> str:
    """Format a number of bytes.

    >>> as_bytes(400), as_bytes(1200)
    ('400 B', '1.17 KB')
    """
    for power, unit in ((3, "GB"), (2, "MB"), (1, "KB")):
        if abs(count) >= 1024**power:
            return f"{count / 1024**power:.2f} {unit}"
    return f"{count} B"


def _clip(text: str, width: int) -> str:
    return text if len(text) <= width or width < 4 else f"{text[: width - 3]}..."
