"""Show the progress of a run: a bar with the remaining time on a terminal, a line per epoch elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from ..utils.progress_bar import bar
from .history import SETS, Row


class Progress:
    """Shows the progress of one run after another, with `label` in front.

    On a terminal, if tqdm is installed, a bar counts all batches of all epochs, with the mean loss so far and the last
    held-out loss. Otherwise a line is printed for each epoch. `file` is standard output by default.

    >>> import io
    >>> progress = torch.training.Progress("net", io.StringIO())
    >>> progress.start(epochs=2, batches=10)
    >>> progress.epoch({"epoch": 1, "seconds": 0.5, "loss": 0.25, "held_out_loss": 0.2, "held_out_accuracy": 0.95})
    >>> print(progress.file.getvalue(), end="")
    net   epoch 1/2   loss 0.2500   held-out 0.2000 ( 95.00 %)   0.5 s, 0:00 left
    """

    def __init__(self, label: str = "", file: TextIO | None = None) -> None:
        self.label = label
        self.file = sys.stdout if file is None else file
        self._bar: Any = None

    def start(self, epochs: int, batches: int, done: int = 0) -> None:
        """Begin a run of `epochs` epochs with `batches` batches each. The first `done` epochs are done already."""
        self.epochs, self.done, self._held_out = epochs, done, ""
        self._started, self._first = time.perf_counter(), done
        if self.file.isatty():
            name, total = f"{self.label}  " if self.label else "", epochs * batches or None
            self._bar = bar(total, self.file, initial=done * batches, desc=name)

    def batch(self, loss: float) -> None:
        """Note the end of a batch. `loss` is the mean over the epoch so far."""
        if self._bar is not None:
            self._describe(self.done + 1, loss)
            self._bar.update()

    def epoch(self, row: Row) -> None:
        """Note the end of an epoch, and show its `row` of the history."""
        self.done = int(row["epoch"])
        self._held_out = f", held-out {row['held_out_loss']:.4f}" if "held_out_loss" in row else ""
        if self._bar is not None:
            self._describe(self.done, row["loss"])
            return
        spent = time.perf_counter() - self._started
        left = spent / max(self.done - self._first, 1) * (self.epochs - self.done)
        parts = [self.label, f"epoch {self.done:{len(str(self.epochs))}}/{self.epochs}", f"loss {row['loss']:.4f}"]
        for name, shown in SETS.items():
            if f"{name}_loss" in row:
                accuracy = row.get(f"{name}_accuracy")
                percent = "" if accuracy is None else f" ({100 * accuracy:6.2f} %)"
                parts.append(f"{shown} {row[f'{name}_loss']:.4f}{percent}")
        parts.append(f"{row['seconds']:.1f} s, {clock(left)} left")
        self.say("   ".join(part for part in parts if part))

    def _describe(self, epoch: int, loss: float) -> None:
        self._bar.set_postfix_str(f"epoch {epoch}/{self.epochs}, loss {loss:.4f}{self._held_out}", refresh=False)

    def say(self, text: str) -> None:
        """Print a line of text, above the bar if there is one."""
        if self._bar is not None:
            self._bar.clear()
        print(text, file=self.file, flush=True)

    def close(self) -> None:
        """End the run, whether it is finished or interrupted."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Silent(Progress):
    """Shows nothing."""

    def start(self, epochs: int, batches: int, done: int = 0) -> None:
        """Do nothing."""

    def batch(self, loss: float) -> None:
        """Do nothing."""

    def epoch(self, row: Row) -> None:
        """Do nothing."""

    def say(self, text: str) -> None:
        """Do nothing."""


def as_progress(progress: Progress | bool) -> Progress:
    """Return a Progress for `fit`'s argument: the given one, a new one for True, or a silent one for False."""
    return progress if isinstance(progress, Progress) else Progress() if progress else Silent()


def clock(seconds: float) -> str:
    """Format a time as minutes and seconds, with hours if there are any.

    >>> clock(75), clock(3675)
    ('1:15', '1:01:15')
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
