"""History: the measurements of a training run, one row per epoch, as plain data."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from typing import overload

Row = dict[str, float]
Path = str | os.PathLike[str]
SETS = {"train": "training", "validation": "validation", "held_out": "held-out"}  # prefix of columns -> shown name
RENAMED = {f"{name}_error": f"{name}_loss" for name in SETS}  # columns of older files -> their names


class History(list[Row]):
    """A list of rows, one per epoch, which are dicts of numbers. `history[name]` is a column. See `fit` for the names.

    >>> history = torch.training.History([{"epoch": 1, "held_out_loss": 0.5}, {"epoch": 2, "held_out_loss": 0.25}])
    >>> history["held_out_loss"], history[-1]["epoch"], history.best("held_out_loss")["epoch"]
    ([0.5, 0.25], 2, 2)
    """

    stopped: str | None = None  # why the run ended early; it isn't saved

    @overload  # type: ignore[override]
    def __getitem__(self, key: str) -> list[float]: ...
    @overload
    def __getitem__(self, key: int) -> Row: ...
    def __getitem__(self, key: str | int) -> list[float] | Row:
        """Return a row by its index, or a column by its name. Raises KeyError if a row doesn't have that name."""
        return [row[key] for row in self] if isinstance(key, str) else super().__getitem__(key)

    def has(self, column: str) -> bool:
        """Whether there are rows and all of them have this column."""
        return bool(self) and all(column in row for row in self)

    def best(self, column: str) -> Row:
        """Return the first row in which a column is lowest. Raises ValueError if there are no rows."""
        return min(self, key=lambda row: row[column])

    def save(self, path: Path) -> None:
        """Write a CSV file with a header. `read` returns exactly the same numbers.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.training.History([{"epoch": 1, "loss": 0.1}]).save(f"{folder}/history.csv")
        ...     torch.training.History.read(f"{folder}/history.csv")
        [{'epoch': 1, 'loss': 0.1}]
        """
        write_csv(path, self)

    @classmethod
    def read(cls, path: Path) -> History:
        """Read a CSV file. Raises ValueError with the line number if an entry isn't a number."""
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restkey="")
            rows = cls()
            for record in reader:
                try:
                    rows.append({RENAMED.get(name, name): _number(text) for name, text in record.items() if text})
                except (TypeError, ValueError):
                    raise ValueError(
                        f"History: {os.fspath(path)}, line {reader.line_num}: expected a number for each of "
                        f"{', '.join(reader.fieldnames or ())}, got {', '.join(map(str, record.values()))}"
                    ) from None
        return rows


def write_csv(path: Path, rows: Iterable[dict[str, object]] | Iterable[Row]) -> None:
    """Write rows to a CSV file with a header of all their names. Floats are written exactly."""
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
