"""Report: what check_op and check_module return."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """Result of a check that found nothing wrong: how many examples were drawn, and which laws they obeyed.

    >>> print(Report("Relu", 25, ("unchanged", "layout"), ("Relu", "Select")))
    Relu: 25 examples obey 2 laws
        laws: unchanged, layout
        recorded: Relu, Select
    """

    op: str
    examples: int
    laws: tuple[str, ...]
    classes: tuple[str, ...]  # names of the Functions in the graphs of the results and of their gradients

    def __str__(self) -> str:
        return (
            f"{self.op}: {self.examples} examples obey {len(self.laws)} laws\n"
            f"    laws: {', '.join(self.laws)}\n"
            f"    recorded: {', '.join(self.classes) or 'nothing'}"
        )

    __repr__ = __str__
