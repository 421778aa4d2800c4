"""What `record(replay=True)` keeps so that a tape can be run again: how to repeat operations and backward passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(slots=True)
class Recipe:
    """How to repeat one operation: its Function and its settings, with drawn masks and indices among them.

    `digests` has a hash of each result. `gradients` has, for each backward pass, a hash of each input's gradient.
    """

    function: type[Any]
    settings: dict[str, Any]
    in_place: bool
    grad_enabled: bool  # whether gradients were enabled when the operation was recorded
    digests: list[str]
    gradients: list[list[str | None]]
    hooked: bool = False  # whether its node had hooks, which may change the gradients of its inputs
    random: Any = None  # the default generator's state before the call, where an autograd.Function drew from it


@dataclass(slots=True)
class BoundaryPoint:
    """A result of an Op, or a Source, at which a backward pass met something that isn't on the tape.

    A pass starts and ends there, or hooks change the gradient. A leaf's `.grad` is fresh, and no sum with that of an
    earlier pass, if it was cleared in between. Its hooks may change `.grad` itself, after accumulation.
    """

    source: int  # number of the Op or Source
    index: int  # which result of the Op
    written: bool  # whether an in-place write had changed the result before the pass
    role: Literal["start", "hook", "end", "fresh", "after"]
    gradient: Any = None  # of a start, the gradient it was given; of a hook, the gradient it returned


@dataclass(slots=True)
class BackwardPass:
    """One backward pass: where it started, what hooks changed, and where it ended."""

    place: int  # number of operations on the tape when it started
    bounded: bool  # whether it ended at given points, as `autograd.grad` does, or at all leaves
    points: list[BoundaryPoint]
