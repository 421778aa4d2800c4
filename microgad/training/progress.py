"""How a run is doing: a bar with the time left on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from ..utils.progress_bar import bar
from .history import SETS, Row


class Progress:
    """Shows the runs that it is given to, one after the other. `label` comes before everything.

    On a terminal, where tqdm is installed, a bar goes through all batches of all epochs, with the running loss and the
    last held-out error; anywhere else each epoch gets a line. `file` is standard output by default.

    >>> import io
    >>> progress = Progress("net", io.StringIO())
    >>> progress.start(epochs=2, batches=10)
    >>> progress.epoch({"epoch": 1, "seconds": 0.5, "loss": 0.25, "held_out_error": 0.2, "held_out_accuracy": 0.95})
    >>> print(progress.file.getvalue(), end="")
    net   epoch 1/2   loss 0.2500   held-out 0.2000 ( 95.00 %)   0.5 s, 0:00 left
    """

    def __init__(self, label: str = "", file: TextIO | None = None) -> None:
        self.label = label
        self.file = sys.stdout if file is None else file
        self._bar: Any = None

    def start(self, epochs: int, batches: int, done: int = 0) -> None:
        """A run of so many epochs begins, or goes on after those that are done; each has so many batches."""
        self.epochs, self.done, self._held_out = epochs, done, ""
        self._started, self._first = time.perf_counter(), done
        if self.file.isatty():
            name, total = f"{self.label}  " if self.label else "", epochs * batches or None
            self._bar = bar(total, self.file, initial=done * batches, desc=name)

    def batch(self, loss: float) -> None:
        """A batch is done; `loss` is the mean over the epoch so far."""
        if self._bar is not None:
            self._describe(self.done + 1, loss)
            self._bar.update()

    def epoch(self, row: Row) -> None:
        """An epoch is done; `row` is what was measured."""
        self.done = int(row["epoch"])
        self._held_out = f", held-out {row['held_out_error']:.4f}" if "held_out_error" in row else ""
        if self._bar is not None:
            self._describe(self.done, row["loss"])
            return
        spent = time.perf_counter() - self._started
        left = spent / max(self.done - self._first, 1) * (self.epochs - self.done)
        parts = [self.label, f"epoch {self.done:{len(str(self.epochs))}}/{self.epochs}", f"loss {row['loss']:.4f}"]
        for name, shown in SETS.items():
            if f"{name}_error" in row:
                accuracy = row.get(f"{name}_accuracy")
                percent = "" if accuracy is None else f" ({100 * accuracy:6.2f} %)"
                parts.append(f"{shown} {row[f'{name}_error']:.4f}{percent}")
        parts.append(f"{row['seconds']:.1f} s, {clock(left)} left")
        self.say("   ".join(part for part in parts if part))

    def _describe(self, epoch: int, loss: float) -> None:
        self._bar.set_postfix_str(f"epoch {epoch}/{self.epochs}, loss {loss:.4f}{self._held_out}", refresh=False)

    def say(self, text: str) -> None:
        """A line of its own, above the bar if there is one."""
        if self._bar is not None:
            self._bar.clear()
        print(text, file=self.file, flush=True)

    def close(self) -> None:
        """The run is over, in one way or another."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Silent(Progress):
    """Shows nothing."""

    def start(self, epochs: int, batches: int, done: int = 0) -> None:
        """Nothing."""

    def batch(self, loss: float) -> None:
        """Nothing."""

    def epoch(self, row: Row) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""


def as_progress(progress: Progress | bool) -> Progress:
    """What shows a run: what was given, or by default one that does, or doesn't."""
    return progress if isinstance(progress, Progress) else Progress() if progress else Silent()


def clock(seconds: float) -> str:
    """Time as minutes and seconds, with hours if there are any.

    >>> clock(75), clock(3675)
    ('1:15', '1:01:15')
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
