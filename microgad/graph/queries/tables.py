"""Tables of what operations cost, and the tree of modules, as text that fits a terminal."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...errors import ArgumentError, GraphError
from ...errors.own_arguments import checked
from ..flops import flops_of
from ..module_tree import Member, ModuleCall, ModuleTree
from ..repeats import ops_in
from ..tape import Op, Tape, total
from ..text import on_one_line, results, size, summary, title, with_unit

MIN_WIDTH = 12  # characters that a column has at least when it is shortened to fit the line


class Table:
    """A table of text. `print` shows it, and so does `rich.print` if rich is installed."""

    def __init__(
        self, columns: Sequence[str], rows: list[list[str]], left: int, footer: str, width: int | None
    ) -> None:
        self.columns, self.footer, self.width = list(columns), footer, width
        self.rows = [[on_one_line(cell) for cell in row] for row in rows]
        self.left = left  # number of left-aligned columns, which are text; the others are numbers

    def __str__(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        room = self.width or shutil.get_terminal_size((100, 0)).columns
        while sum(widths) + 2 * (len(widths) - 1) > room:
            widest = max(range(self.left), key=lambda i: widths[i])
            if widths[widest] <= MIN_WIDTH:
                break
            widths[widest] -= 1
        shown = ["  ".join(self._cell(x, i, widths[i]) for i, x in enumerate(line)).rstrip() for line in lines]
        return "\n".join([*shown, self.footer])

    __repr__ = __str__

    def _cell(self, text: str, i: int, width: int) -> str:
        if len(text) > width:
            half = (width - 1) // 2
            text = f"{text[: width - 1 - half]}…{text[len(text) - half :]}"
        return f"{text:<{width}}" if i < self.left else f"{text:>{width}}"

    def __rich__(self) -> Any:
        from rich.table import Table as Rich

        made = Rich(caption=self.footer)
        for i, column in enumerate(self.columns):
            made.add_column(column, justify="left" if i < self.left else "right")
        for row in self.rows:
            made.add_row(*(cell.replace("[", r"\[") for cell in row))
        return made


def flops(ops: list[Op]) -> int:
    """Return the additions and multiplications of operations, as far as they are known."""
    return sum((flops_of(op) if op.flops is None else op.flops) or 0 for op in ops)


_COSTS: dict[str, Callable[[list[Op]], float]] = {
    "bytes": total,
    "flops": flops,
    "time": lambda ops: sum((op.seconds or 0) + (op.backward_seconds or 0) for op in ops),
    "calls": len,
}


@checked
def table(
    tape: Tape, sort: str | None = None, by: str | None = None, rows: int = 60, depth: int | None = None,
    width: int | None = None,
) -> Table:  # fmt: skip
    """Return a table of what operations cost: see `Tape.table`."""
    if by not in (None, "module", "op"):
        raise ArgumentError(f'table: by must be "module", "op" or None, got {by!r}')
    if sort is not None and sort not in _COSTS:
        raise ArgumentError(f"table: sort must be one of {', '.join(_COSTS)} or None, got {sort!r}")
    timed = any(op.seconds is not None for op in tape)
    if sort == "time" and not timed and tape.ops:
        raise GraphError("table: the tape has no times: record it with time=True")
    groups: dict[Any, list[Op]] = {}
    for i, op in enumerate(tape):
        key = i if by is None else op.name if by == "op" else module_of(op, depth)
        groups.setdefault(key, []).append(op)
    items = list(groups.items())
    if sort is not None:
        items.sort(key=lambda item: _COSTS[sort](item[1]), reverse=True)
    heads = {None: ["operation", "module", "result"], "op": ["operation"], "module": ["module"]}[by]
    columns = [*heads, *(["calls"] if by else []), "kept", "flops"]
    columns += ["ms", "backward ms", "share"] if timed else []
    whole = _COSTS["time"](tape.ops)
    lines = []
    for key, ops in items[:rows]:
        calls = [f"{len(ops):,}"] if by else []
        times = _times(ops, whole) if timed else []
        words = [key] if by else [title(ops[0]), (mark(ops[0]) + ops[0].path).rstrip(), results(ops[0])]
        lines.append([*words, *calls, size(total(ops)), with_unit(flops(ops)), *times])
    more = f"... {len(items) - rows:,} more ...\n" if len(items) > rows else ""
    footer = f"{more}{summary(tape)}, {with_unit(flops(tape.ops))} flops"
    if timed:
        footer += f", {1e3 * whole:.3f} ms"
    return Table(columns, lines, len(heads), footer, width)


def _times(ops: list[Op], whole: float) -> list[str]:
    """Return the cells for the forward time, the backward time, and their share of the total."""
    forward, backward = sum(op.seconds or 0 for op in ops), sum(op.backward_seconds or 0 for op in ops)
    share = 100 * (forward + backward) / whole if whole else 0
    return [f"{1e3 * forward:.3f}", f"{1e3 * backward:.3f}", f"{share:.1f} %"]


def module_of(op: Op, depth: int | None = None) -> str:
    """Return the path of an operation's module, down to level `depth`, without parts like "addmm()": "features.0".

    Of an operation in a derivative it is "∂ features.0".
    """
    parts = [part for part in op.path.split(".") if not part.endswith(")")]
    return mark(op) + (".".join(parts[:depth]) or "(outside)")


def mark(op: Op) -> str:
    """Return "∂ " for an operation in a derivative, which create_graph recorded, else nothing."""
    return "∂ " if op.derives is not None else ""


@checked
def tree(tape: Tape, depth: int | None = None, rows: int = 200, width: int | None = None) -> Table:
    """Return the tree of modules and operations: see `Tape.tree`."""
    lines: list[list[str]] = []
    seen = 0
    readers = _readers(tape)
    stack: list[tuple[Member, str, str]] = _below(ModuleTree(tape, depth).root, "")
    while stack:
        member, prefix, under = stack.pop()
        seen += 1
        if len(lines) < rows:
            inside = list(ops_in([member]))
            name = title(member) if isinstance(member, Op) else f"{member.parts[-1]}:"
            shown = results(_result_of(inside, readers))
            lines.append([prefix + name, shown, size(total(inside)), with_unit(flops(inside))])
        if isinstance(member, ModuleCall) and (depth is None or len(member.parts) < depth):
            stack += _below(member, under)
    more = f"... {seen - rows:,} more ...\n" if seen > rows else ""
    return Table(["operation", "result", "kept", "flops"], lines, 2, more + summary(tape), width)


def _readers(tape: Tape) -> dict[int | None, list[float]]:
    """Return for each operation the numbers of those that read its results; an output of the graph is read last."""
    found: dict[int | None, list[float]] = {}
    for op in tape:
        for x in op.inputs:
            found.setdefault(x.origin, []).append(op.number)
    for output in tape.results:
        found.setdefault(output.origin, []).append(sys.maxsize)
    return found


def _result_of(ops: Sequence[Op], readers: Mapping[int | None, Sequence[float]]) -> Op:
    """Return the operation whose result is the first to be read after all of `ops`; if none is, the last one."""
    end = ops[-1].number
    return min(reversed(ops), key=lambda op: next((n for n in readers.get(op.number, ()) if n > end), math.inf))


def _below(call: ModuleCall, under: str) -> list[tuple[Member, str, str]]:
    """Return the members of a call in reverse order, each with the prefixes of its own line and of the lines below."""
    last = len(call.members) - 1
    if not call.parts:
        return [(member, "", "") for member in reversed(call.members)]
    found: list[tuple[Member, str, str]] = []
    for i, member in enumerate(call.members):
        found.append((member, under + ("└─ " if i == last else "├─ "), under + ("   " if i == last else "│  ")))
    return found[::-1]
