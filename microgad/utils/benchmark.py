"""torch.utils.benchmark: measure how long statements take, by Python's timeit, and compare them in tables."""

from __future__ import annotations

import sys
import textwrap
import timeit
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np


class TaskSpec(NamedTuple):
    """The statement that is measured, and its labels in tables. Source: torch.utils.benchmark.TaskSpec."""

    stmt: str
    setup: str
    global_setup: str = ""
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    env: str | None = None
    num_threads: int = 1

    @property
    def title(self) -> str:
        """The label with the sub-label, or the statement if there is no label."""
        if self.label is not None:
            return self.label + (f": {self.sub_label}" if self.sub_label else "")
        return self.stmt if "\n" not in self.stmt else f"stmt:\n{textwrap.indent(self.stmt, '  ')}"


class Measurement:
    """The times of a statement: `raw_times` are in seconds, each for `number_per_run` runs.

    Source: torch.utils.benchmark.Measurement.

    >>> from microgad.utils.benchmark import Measurement, TaskSpec
    >>> m = Measurement(2, [1.0, 2.0, 6.0], TaskSpec("x + 1", "pass"))
    >>> m.median, m.mean, m.iqr
    (1.0, 1.5, 1.25)
    """

    def __init__(
        self,
        number_per_run: int,
        raw_times: Sequence[float],
        task_spec: TaskSpec,
        metadata: dict[Any, Any] | None = None,
    ) -> None:
        self.number_per_run = number_per_run
        self.raw_times = list(raw_times)
        self.task_spec = task_spec
        self.metadata = metadata

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "task_spec":
            raise AttributeError(name)
        return getattr(self.task_spec, name)

    @property
    def times(self) -> list[float]:
        """Seconds per run."""
        return [t / self.number_per_run for t in self.raw_times]

    @property
    def median(self) -> float:
        """The median of seconds per run."""
        return float(np.median(self.times))

    @property
    def mean(self) -> float:
        """The mean of seconds per run."""
        return float(np.mean(self.times))

    @property
    def iqr(self) -> float:
        """The interquartile range of seconds per run."""
        low, high = self._quartiles()
        return high - low

    def _quartiles(self) -> tuple[float, float]:
        low, high = np.quantile(self.times, (0.25, 0.75)).tolist()
        return low, high

    @property
    def has_warnings(self) -> bool:
        """Whether the interquartile range is a tenth of the median or more."""
        return not self.meets_confidence()

    def meets_confidence(self, threshold: float = 0.1) -> bool:
        """Whether the interquartile range is below `threshold` times the median."""
        return self.iqr / self.median < threshold

    @property
    def as_row_name(self) -> str:
        """The name of the measurement's row in tables."""
        return self.sub_label or self.stmt or "[Unknown]"

    def __repr__(self) -> str:
        unit, scale = select_unit(self.median)
        lines = [f"<{type(self).__module__}.{type(self).__name__} object at {id(self):#x}>", self.title]
        lines += [self.description] if self.description else []
        lines += [f"setup: {self.setup}"] if self.setup not in ("", "pass") else []
        count, plural = len(self.times), "s" if self.num_threads > 1 else ""
        if count == 1:
            lines.append(f"  {self.median / scale:.2f} {unit}")
        else:
            low, high = self._quartiles()
            lines.append(f"  Median: {self.median / scale:.2f} {unit}")
            lines.append(f"  IQR:    {self.iqr / scale:.2f} {unit} ({low / scale:.2f} to {high / scale:.2f})")
        lines.append(
            f"  {count} measurement{'s' * (count > 1)}, {self.number_per_run} runs {'per measurement' * (count > 1)}, "
            f"{self.num_threads} thread{plural}"
        )
        if count > 1 and self.has_warnings:
            lines.append(f"  WARNING: Interquartile range is {self.iqr / self.median:.1%} of the median measurement.")
        return "\n".join(lines)


def select_unit(t: float) -> tuple[str, float]:
    """Return the unit that fits a time in seconds, and the unit's seconds. Source: torch.utils.benchmark.select_unit.

    >>> torch.utils.benchmark.select_unit(0.002)
    ('ms', 0.001)
    """
    return next(((unit, s) for unit, s in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)) if t >= s), ("ns", 1e-9))


class Timer:
    """Measures the time of a statement, which can use `globals` and `torch`. Source: torch.utils.benchmark.Timer.

    num_threads only goes into the results: the number of threads is that of NumPy's BLAS.

    >>> timer = torch.utils.benchmark.Timer("x + 1", globals={"x": torch.ones(3)})
    >>> timer.timeit(10).number_per_run
    10
    """

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = perf_counter,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: Any = "python",
    ) -> None:
        if not str(getattr(language, "value", language)).lower().startswith("py"):
            raise NotImplementedError(f"Timer: language must be Python, but is {language}")
        if global_setup:
            raise ValueError(f"global_setup is C++ only, got `{global_setup}`: move it to `setup`")
        stmt, setup = (textwrap.dedent(code).strip() for code in (stmt, setup))
        self._spec = TaskSpec(stmt, setup, "", label, sub_label, description, env, num_threads)
        seen = {"torch": sys.modules["microgad"], **(globals or {})}
        self._run = timeit.Timer(stmt, setup, timer, seen).timeit

    def _measured(self, number: int, times: Sequence[float]) -> Measurement:
        return Measurement(number, times, self._spec)

    def timeit(self, number: int = 1_000_000) -> Measurement:
        """Time `number` runs together, after some runs to warm up."""
        self._run(max(number // 100, 2))
        return self._measured(number, [self._run(number)])

    def _block(self, min_run_time: float) -> int:
        """Return how many runs take a thousandth of min_run_time or more: then the timer's own time is negligible."""
        self._run(2)
        number = 1
        while self._run(number) < min_run_time / 1000 and number < 10**9:
            number *= 10
        return number

    def blocked_autorange(
        self, callback: Callable[[int, float], Any] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Time blocks of runs until min_run_time is over."""
        number = self._block(min_run_time)
        times: list[float] = []
        while sum(times) < min_run_time or not times:
            times.append(self._run(number))
            if callback is not None:
                callback(number, times[-1])
        return self._measured(number, times)

    def adaptive_autorange(
        self,
        threshold: float = 0.1,
        *,
        min_run_time: float = 0.01,
        max_run_time: float = 10.0,
        callback: Callable[[int, float], Any] | None = None,
    ) -> Measurement:
        """Time blocks of runs until their interquartile range is below threshold · median, or max_run_time is over."""
        number = self._block(0.05)
        times: list[float] = []
        while sum(times) < max_run_time:
            times.append(self._run(number))
            if callback is not None:
                callback(number, times[-1])
            enough = len(times) > 3 and sum(times) > min_run_time
            if enough and len(times) % 3 == 0 and self._measured(number, times).meets_confidence(threshold):
                break
        return self._measured(number, times)


class Compare:
    """Formats measurements as a table, with a row for each sub-label and a column for each description.

    Source: torch.utils.benchmark.Compare.

    >>> from microgad.utils.benchmark import Measurement, TaskSpec
    >>> spec = TaskSpec("x + 1", "pass", label="add", sub_label="small", description="float32")
    >>> print(torch.utils.benchmark.Compare([Measurement(1, [2e-6], spec)]))
    [-------- add --------]
               |  float32
    1 threads: ------------
      small    |  2.0
    <BLANKLINE>
    Times are in microseconds (us).
    """

    _units = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}

    def __init__(self, results: Sequence[Measurement]) -> None:
        self._results = list(results)

    def extend_results(self, results: Sequence[Measurement]) -> None:
        """Add measurements."""
        self._results.extend(results)

    def print(self) -> None:
        """Print the table."""
        print(self)

    def __str__(self) -> str:
        labels = dict.fromkeys(m.label or m.stmt for m in self._results)
        return "\n\n".join(self._table([m for m in self._results if (m.label or m.stmt) == label]) for label in labels)

    def _table(self, results: list[Measurement]) -> str:
        unit, scale = select_unit(min(m.median for m in results))
        columns = list(dict.fromkeys(m.description or "" for m in results))
        cells: dict[Any, str] = {}
        for m in results:
            cells[m.num_threads, m.as_row_name, m.description or ""] = f"{m.median / scale:.1f}"
        first = max(len("1 threads: "), *(len(m.as_row_name) + 4 for m in results))
        widths = [max(len(c), *(len(v) for key, v in cells.items() if key[2] == c)) for c in columns]

        def line(start: str, values: Sequence[str]) -> str:
            body = "".join(f"|  {v:<{w}}  " for v, w in zip(values, widths, strict=True))
            return f"{start:<{first}}{body}".rstrip()

        head = line("", columns)
        title = f" {results[0].label or results[0].stmt} "
        lines = [f"[{title:-^{max(len(head), len(title) + 2)}}]", head]
        for threads in dict.fromkeys(m.num_threads for m in results):
            lines.append(f"{threads} threads: ".ljust(first) + "-" * (len(head) - first + 2))
            names = dict.fromkeys(m.as_row_name for m in results if m.num_threads == threads)
            lines += [line(f"  {name}", [cells.get((threads, name, c), "") for c in columns]) for name in names]
        return "\n".join([*lines, "", f"Times are in {self._units[unit]} ({unit})."])
