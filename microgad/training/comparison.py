"""Comparison: the runs of several variants, shown as a table, a CSV file or a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..nn import Module
from .history import History, Path, Row, write_csv


class Run(NamedTuple):
    """One variant, trained from one seed.

    >>> run = torch.training.Run("small", 0, torch.training.History(), nn.Linear(10, 5))
    >>> run.variant, run.seed
    ('small', 0)
    """

    variant: str
    seed: int
    history: History
    model: Module


class Comparison(list[Run]):
    """A list of the runs of several variants, one for each seed. `compare` returns it.

    >>> rows = [{"epoch": i, "seconds": 0.5, "loss": 1 / i, "held_out_loss": 1 / i} for i in (1, 2)]
    >>> run = torch.training.Run("small", 0, torch.training.History(rows), nn.Linear(10, 5))
    >>> print(torch.training.Comparison([run]).table())
    variant   best loss   at epoch   last loss   seconds/epoch   parameters
    ───────   ─────────   ────────   ─────────   ─────────────   ──────────
    small        0.5000          2      0.5000            0.50           55
    """

    def histories(self) -> dict[str, list[History]]:
        """Return the histories of each variant, one per seed."""
        names = dict.fromkeys(run.variant for run in self)
        return {name: [run.history for run in self if run.variant == name] for name in names}

    def table(self) -> str:
        """Return a table with a line for each variant: losses and accuracies on held-out data, times and parameters."""
        names = list(self.histories())
        rows = [_facts([run for run in self if run.variant == name]) for name in names]
        columns = [column for column in (rows[0] if rows else ()) if any(row[column] for row in rows)]
        lines = [["variant", *columns]]
        lines += [[name, *(row[column] for column in columns)] for name, row in zip(names, rows, strict=True)]
        widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
        lines.insert(1, ["─" * width for width in widths])
        shown = ["   ".join([name.ljust(widths[0]), *map(str.rjust, cells, widths[1:])]) for name, *cells in lines]
        if len(seeds := {run.seed for run in self}) > 1:
            shown.append(f"Losses and seconds are means over {len(seeds)} seeds; accuracy is over the answers of all.")
        return "\n".join(shown)

    def save(self, path: Path) -> None:
        """Write all rows of all histories to a CSV file, with the columns "variant" and "seed" in front."""
        write_csv(path, [{"variant": run.variant, "seed": run.seed, **row} for run in self for row in run.history])

    def plot(self, *paths: Path, title: str = "") -> Any:
        """Draw the loss curves of all variants in one figure, and save it to `paths`. See `plots.curves`."""
        from .plots import curves, write

        figure = curves(self.histories(), title)
        for path in paths:
            write(figure, path)
        return figure


def _facts(runs: Sequence[Run]) -> dict[str, str]:
    """Return a variant's cells by column, empty for what isn't known."""
    histories = [run.history for run in runs if run.history]
    last = [history[-1] for history in histories]
    names = ("best loss", "at epoch", "last loss", "best accuracy", "last accuracy", "seconds/epoch")
    facts = dict.fromkeys(names, "")
    if histories:
        facts["seconds/epoch"] = f"{_mean([_mean(history['seconds']) for history in histories]):.2f}"
    if histories and all(history.has("held_out_loss") for history in histories):
        best = [history.best("held_out_loss") for history in histories]
        facts["best loss"] = f"{_mean([row['held_out_loss'] for row in best]):.4f}"
        facts["at epoch"] = _span([row["epoch"] for row in best])
        facts["last loss"] = f"{_mean([row['held_out_loss'] for row in last]):.4f}"
    if histories and all(history.has("held_out_accuracy") for history in histories):
        best = [max(history, key=lambda row: row["held_out_accuracy"]) for history in histories]
        facts |= {"best accuracy": _accuracy(best), "last accuracy": _accuracy(last)}
    return facts | {"parameters": _span([sum(p.numel() for p in run.model.parameters()) for run in runs])}


def _accuracy(rows: Sequence[Row]) -> str:
    """Format the accuracy over all runs: "97.93 % (2938/3000)"."""
    total = sum(int(row["held_out_samples"]) for row in rows)
    right = sum(round(row["held_out_accuracy"] * row["held_out_samples"]) for row in rows)
    return f"{100 * right / total:.2f} % ({right}/{total})"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _span(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:,.0f}" if low == high else f"{low:,.0f}–{high:,.0f}"
