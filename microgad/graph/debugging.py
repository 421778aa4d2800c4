"""The environment variable MICROGAD_DEBUG, which prints a program's operations or what they cost."""

from __future__ import annotations

import atexit
import sys
from collections import Counter
from typing import Any

from ..autograd.function_hooks import FunctionHook, PrintHook, TimeHook, new_bytes
from ..errors import ArgumentError
from ..function import Function
from .queries.tables import Table
from .text import size


class CostHook(TimeHook):
    """Counts the calls of each kind of operation, their seconds, and the bytes of their results that aren't views.

    >>> with CostHook() as costs:
    ...     y = torch.ones(4) * 2 + 1
    >>> costs.calls["Mul"], costs.bytes["Add"]
    (1, 16)
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        """Count an operation."""
        super().forward(node, inputs, out)
        name = type(node).__name__
        self.calls[name] += 1
        self.bytes[name] += new_bytes(inputs, out)

    def table(self, width: int | None = None) -> Table:
        """Return the totals as a table, the slowest operations first."""
        names = {*self.calls, *self.backward_seconds}
        both = {name: self.seconds[name] + self.backward_seconds[name] for name in names}
        rows = []
        for name in sorted(names, key=lambda name: -both[name]):
            times = [f"{1e3 * x[name]:.3f}" for x in (self.seconds, self.backward_seconds)]
            share = f"{100 * both[name] / (self.total or 1):.1f} %"
            rows.append([name, f"{self.calls[name]:,}", *times, share, size(self.bytes[name])])
        footer = f"{self.calls.total():,} operations, {1e3 * self.total:.3f} ms, {size(self.bytes.total())} of results"
        columns = ["operation", "calls", "ms", "backward ms", "share", "results"]
        return Table(columns, rows, 1, footer, width)


def start(wanted: str) -> FunctionHook:
    """Start what MICROGAD_DEBUG asks for: "1" prints a table to stderr at exit, "print" each operation as it runs.

    Only operations of the thread that imports microgad are counted. Raises ValueError for any other value.
    """
    if wanted == "print":
        return PrintHook(sys.stderr).__enter__()
    if wanted != "1":
        raise ArgumentError(
            f'MICROGAD_DEBUG must be "1" for a table at the end, or "print" for each operation, got {wanted!r}'
        )
    hook = CostHook().__enter__()
    atexit.register(lambda: print(hook.table(), file=sys.stderr))
    return hook
