"""Strategy of programs of operations, views, in-place writes and backward passes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..programs.program import CHOSEN, Draft, Program, Step
from .shape import Shape

NUMBERS = (2.0, -1.0, 0.5)
SHAPES = ((), (2,), (1,), (2, 2), (3,), (2, 3), (1, 2), (3, 1), (3, 3))


# A step is drawn by few choices, since hypothesis shrinks a list of steps by deleting a few choices at a time.
def steps(kinds: Iterable[str]) -> st.SearchStrategy[Step]:
    """Draw steps of some kinds: see `microgad.testing.programs.program.Step`."""
    drawn = st.tuples(st.sampled_from(list(kinds)), st.integers(0, 3 * 64 - 1))
    return drawn.map(lambda drawn: Step(drawn[0], drawn[1] % 8, drawn[1] // 8 % 8, NUMBERS[drawn[1] // 64]))


def leaf_steps() -> st.SearchStrategy[Step]:
    """Draw steps that make new tensors, of at most 3 x 3 elements; most of them require grad."""
    choices = [(shape, flag) for flag in (True, True, False) for shape in SHAPES]
    drawn = st.tuples(st.sampled_from(choices), st.sampled_from((1.0, 2.0, 0.0, -1.0, 0.5, -0.5)))
    return drawn.map(lambda drawn: Step("leaf", data=_increasing(drawn[1], drawn[0][0]), flag=drawn[0][1]))


def _increasing(start: float, shape: Shape) -> Any:
    return (start + 0.5 * np.arange(math.prod(shape)).reshape(shape)).tolist()


def programs(*, max_length: int = 20) -> st.SearchStrategy[Program]:
    """Draw programs of up to about `max_length` instructions, which every engine must run without an error.

    `str` of one gives Python to paste and run; `microgad.testing.programs.program.execute` runs it in a library. All
    tensors are float64, of at most 18 elements, and all values and derivatives stay below 1000.

    >>> from hypothesis import find
    >>> print(find(torch.testing.strategies.programs(), lambda program: ".backward(" in str(program)))
    import microgad as torch
    <BLANKLINE>
    t0 = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    t0.sum().backward()
    """
    more = st.lists(leaf_steps() | steps(CHOSEN) | steps(CHOSEN), max_size=max_length - 1)
    return st.tuples(leaf_steps(), more).map(lambda drawn: build_program([drawn[0], *drawn[1]]))


def build_program(steps: Iterable[Step]) -> Program:
    """Return the program of the steps, without instructions that may be refused, overlap or go out of bounds."""
    draft = Draft()
    for step in steps:
        instruction = draft.instruction(step)
        if instruction is None or draft.overlaps(instruction):
            continue
        if draft.add(instruction) == "doubtful":
            draft.take_back()
    return draft.program
