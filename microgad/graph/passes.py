"""BackwardPass: where a backward pass met the world outside of the tape, so that it can be gone through again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(slots=True)
class BoundaryPoint:
    """A place in the graph: a result of an Op, or a Source."""

    source: int  # number of the Op or Source
    index: int  # which of its results
    written: bool  # whether that had been written to in the meantime
    role: Literal["start", "hook", "end"]
    gradient: Any = None  # what the pass started with there, or what hooks made of the gradient


@dataclass(slots=True)
class BackwardPass:
    """One backward pass: where it started, what hooks changed, and where it ended."""

    place: int  # how many operations were on the tape
    bounded: bool  # whether it went to its ends alone, as `grad` does, and not to all leaves
    points: list[BoundaryPoint]
