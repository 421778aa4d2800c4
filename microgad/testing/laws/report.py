"""Report: what check_op and check_module return."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """Result of a check that found nothing wrong: how many examples were drawn, and which laws they obeyed.

    >>> print(Report("Relu", 25, ("unchanged", "layout"), ("Relu", "Select"), (17, 2)))
    Relu: 25 examples obey 2 laws
        laws: unchanged, layout
        recorded: Relu, Select
        largest input: (17, 2)
    """

    op: str
    examples: int
    laws: tuple[str, ...]
    classes: tuple[str, ...]  # names of the Functions in the graphs of the results and of their gradients
    largest: tuple[int, ...] = ()  # the shape of the largest input
    not_checked: tuple[str, ...] = ()  # laws by which some examples couldn't be checked, with the reason
    constants: tuple[str, ...] = ()  # names of floating-point inputs that weren't differentiated
    undefined: str = ""  # the smallest example with a gradient of NaN, which is accepted at kinks

    def __str__(self) -> str:
        return "\n    ".join(
            [
                f"{self.op}: {self.examples} examples obey {len(self.laws)} laws",
                f"laws: {', '.join(self.laws)}",
                f"recorded: {', '.join(self.classes) or 'nothing'}",
                f"largest input: {self.largest}",
                *(f"not checked: {reason}" for reason in self.not_checked),
                *([f"not differentiated: {', '.join(self.constants)}"] if self.constants else ()),
                *([f"gradient of NaN, accepted at kinks: {self.undefined}"] if self.undefined else ()),
            ]
        )

    __repr__ = __str__
