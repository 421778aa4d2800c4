"""torch.utils.benchmark: measure how long statements take, by Python's timeit, and compare them in tables."""

from __future__ import annotations

import math
import sys
import textwrap
import timeit
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
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
    def significant_figures(self) -> int:
        """How many figures of the median are significant, 1 to 4: an estimate by the interquartile times."""
        times = sorted(self.times)
        middle = times[len(times) // 4 : -(-3 * len(times) // 4)]
        interval = max(1.645 * float(np.std(middle)) / math.sqrt(len(middle)), 25e-9)
        return min(max(math.floor(math.log10(self.median / interval)), 1), 4)

    @staticmethod
    def merge(measurements: Iterable[Measurement]) -> list[Measurement]:
        """Merge the measurements that have the same `task_spec`. Their times become those of one run.

        >>> from microgad.utils.benchmark import Measurement, TaskSpec
        >>> Measurement.merge([Measurement(n, [6.0], TaskSpec("x", "pass")) for n in (2, 3)])[0].times
        [3.0, 2.0]
        """
        times: dict[TaskSpec, list[float]] = {}
        for m in measurements:
            times.setdefault(m.task_spec, []).extend(m.times)
        return [Measurement(1, found, spec) for spec, found in times.items()]

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

    def repeat(self, repeat: int = -1, number: int = -1) -> None:
        """Raise NotImplementedError, as in PyTorch: there is `blocked_autorange`."""
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def autorange(self, callback: Callable[[int, float], Any] | None = None) -> None:
        """Raise NotImplementedError, as in PyTorch: there is `blocked_autorange`."""
        self.repeat()

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


class _Row(NamedTuple):
    """What the measurements in a row of a table have in common."""

    threads: int
    env: str
    name: str


class Compare:
    """Formats measurements as a table, with a row for each sub-label and a column for each description.

    Source: torch.utils.benchmark.Compare.

    >>> from microgad.utils.benchmark import Measurement, TaskSpec
    >>> spec = TaskSpec("x + 1", "pass", label="add", sub_label="small", description="new")
    >>> print(torch.utils.benchmark.Compare([Measurement(1, [2e-6], spec)]))
    [------ add ------]
                 |  new
    1 threads: --------
          small  |  2.0
    <BLANKLINE>
    Times are in microseconds (us).
    <BLANKLINE>
    """

    _units = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}

    def __init__(self, results: Sequence[Measurement]) -> None:
        self._results: list[Measurement] = []
        self._trims = self._marks_spread = False
        self._colors: str | None = None
        self.extend_results(results)

    def extend_results(self, results: Sequence[Measurement]) -> None:
        """Add measurements. Those of the same statement and labels are merged in the table."""
        if wrong := [m for m in results if not isinstance(m, Measurement)]:
            raise ValueError(f"Expected an instance of `Measurement`, got {type(wrong[0])} instead.")
        self._results.extend(results)

    def trim_significant_figures(self) -> None:
        """Show only the significant figures of each time: see `Measurement.significant_figures`."""
        self._trims = True

    def colorize(self, rowwise: bool = False) -> None:
        """Color the times by how they compare with the best one of their column and thread count, or of their row."""
        self._colors = "rows" if rowwise else "columns"

    def highlight_warnings(self) -> None:
        """Show the interquartile range, in percent of the median, of times that vary much."""
        self._marks_spread = True

    def print(self) -> None:
        """Print the table."""
        print(self)

    def __str__(self) -> str:
        merged = Measurement.merge(self._results)
        labels = dict.fromkeys(m.label for m in merged)
        return "\n".join(self._table(label or "", [m for m in merged if m.label == label]) for label in labels)

    def _table(self, label: str, results: list[Measurement]) -> str:
        unit, scale = select_unit(min(m.median for m in results))
        cells = {(_Row(m.num_threads, m.env or "", m.as_row_name), m.description or ""): m for m in results}
        columns = list(dict.fromkeys(column for _, column in cells))
        rows = sorted(dict.fromkeys(row for row, _ in cells), key=lambda row: (row.threads, row.env))
        with_env = len({row.env for row in rows}) > 1
        room = max(len(row.env) for row in rows) + 4 if with_env else 4
        pairs = pairwise([_Row(0, "", ""), *rows])
        envs = [f"({row.env})" if with_env and row[:2] != before[:2] else "" for before, row in pairs]
        shown = [["", *(f"  {env:<{room}}{row.name}" for env, row in zip(envs, rows, strict=True))]]
        shown += [[column, *self._column([cells.get((row, column)) for row in rows], scale)] for column in columns]
        widths = [max(map(len, texts)) for texts in shown]
        lines = ["  |  ".join(texts[0].center(width) for texts, width in zip(shown, widths, strict=True))]
        title = f" {label} ".center(len(lines[0]) - 2, "-")
        for i, row in enumerate(rows):
            if not i or row.threads != rows[i - 1].threads:
                lines.append(f"{row.threads} threads: ".ljust(len(lines[0]), "-"))
            line = [shown[0][i + 1].ljust(widths[0])]
            for column, texts, width in zip(columns, shown[1:], widths[1:], strict=True):
                text, m = texts[i + 1].center(width), cells.get((row, column))
                if self._colors and m is not None:
                    own = row if self._colors == "rows" else (row.threads, column)
                    peers = [x.median for (r, c), x in cells.items() if own in (r, (r.threads, c))]
                    text = _colored(text, m.median, min(peers))
                line.append(text)
            lines.append("  |  ".join(line))
        note = "(! XX%) Measurement has high variance, where XX is the IQR / median * 100.\n"
        noted = self._marks_spread and any(m.has_warnings for m in results)
        return "\n".join([f"[{title}]", *lines, "", f"Times are in {self._units[unit]} ({unit}).", note * noted])

    def _column(self, column: list[Measurement | None], scale: float) -> list[str]:
        """The texts of a column's cells, all of the same length."""
        found = [(m, math.ceil(math.log10(m.median / scale))) for m in column if m is not None]
        decimals = min(max(m.significant_figures - digits, 0) for m, digits in found) if self._trims else 1
        length = max(digits for _, digits in found) + decimals + (decimals > 0)
        room = 7 if self._marks_spread and any(m.has_warnings for m, _ in found) else 0
        texts = []
        for m in column:
            if m is None:
                texts.append(" " * len(f"{1:>{length}.{decimals}f}{'':{room}}"))
                continue
            time, spread = m.median / scale, f" (! {m.iqr / m.median * 100:.0f}%)" if room and m.has_warnings else ""
            if self._trims:
                time = round(time, m.significant_figures - math.ceil(math.log10(time)))
            texts.append(f"{time:>{length}.{decimals}f}{spread:>{room}}")
        return texts


def _colored(text: str, time: float, best: float) -> str:
    """The text in PyTorch's colors: light green for the best time, blue, none, light red, red."""
    if time <= max(best * 1.01, best + 100e-9):
        color = "\033[92m\033[1m"
    elif time <= best * 1.1:
        color = "\033[34m\033[1m"
    elif time >= best * 5:
        color = "\033[31m\033[1m"
    elif time >= best * 2:
        color = "\033[2m\033[91m"
    else:
        return text
    return f"{color}{text}\033[0m\033[0m"
