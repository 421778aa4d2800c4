"""History: what a training run measured, a row an epoch. Plain data."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from typing import overload

Row = dict[str, float]
Path = str | os.PathLike[str]
SETS = {"train": "training", "validation": "validation", "held_out": "held-out"}  # of data, in columns and in words


class History(list[Row]):
    """Rows of numbers by name, one for each epoch; a name gives a column. `fit` says what its rows have.

    >>> history = History([{"epoch": 1, "held_out_error": 0.5}, {"epoch": 2, "held_out_error": 0.25}])
    >>> history["held_out_error"], history[-1]["epoch"], history.best("held_out_error")["epoch"]
    ([0.5, 0.25], 2, 2)
    """

    stopped: str | None = None  # why the run ended before its last epoch; a file doesn't have it

    @overload  # type: ignore[override]
    def __getitem__(self, key: str) -> list[float]: ...
    @overload
    def __getitem__(self, key: int) -> Row: ...
    def __getitem__(self, key: str | int) -> list[float] | Row:
        """A row by its place, a column by its name. Raises KeyError for a name that a row doesn't have."""
        return [row[key] for row in self] if isinstance(key, str) else super().__getitem__(key)

    def has(self, column: str) -> bool:
        """Whether there are rows, and all of them have this column."""
        return bool(self) and all(column in row for row in self)

    def best(self, column: str) -> Row:
        """The row in which a column is lowest, the first of them. Raises ValueError where there are no rows."""
        return min(self, key=lambda row: row[column])

    def save(self, path: Path) -> None:
        """Write a CSV file with a line of names; `read` gives the same numbers again.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     History([{"epoch": 1, "loss": 0.1}]).save(f"{folder}/history.csv")
        ...     History.read(f"{folder}/history.csv")
        [{'epoch': 1, 'loss': 0.1}]
        """
        write_csv(path, self)

    @classmethod
    def read(cls, path: Path) -> History:
        """The history in a CSV file. Raises ValueError, naming file and line, for what isn't a number."""
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restkey="")
            rows = cls()
            for record in reader:
                try:
                    rows.append({name: _number(text) for name, text in record.items() if text})
                except (TypeError, ValueError):
                    raise ValueError(
                        f"History: {os.fspath(path)}, line {reader.line_num}: expected a number for each of "
                        f"{', '.join(reader.fieldnames or ())}, got {', '.join(map(str, record.values()))}"
                    ) from None
        return rows


def write_csv(path: Path, rows: Iterable[dict[str, object]] | Iterable[Row]) -> None:
    """Write rows to a CSV file, with a line of all their names; floats so that they come back bit for bit."""
    rows = [dict(row) for row in rows]
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)
