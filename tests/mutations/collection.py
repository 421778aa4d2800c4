"""Which faults are planted: all of those by hand, and a seeded choice of those that a program makes."""

from __future__ import annotations

import random

from .by_hand import by_hand
from .fault import Fault
from .operators import rewrites
from .wrappers import wrapped

SEED = 3
THOROUGH = 600  # faults in all; a program makes more than seven times as many


def every_fault() -> list[Fault]:
    """All that can be planted."""
    return [*by_hand(), *rewrites(), *wrapped()]


def chosen(count: int = THOROUGH) -> list[Fault]:
    """`count` faults, of every kind and place some, those of one place one after the other."""
    faults = every_fault()
    by = [fault for fault in faults if fault.kind == "by hand"]
    rest = [fault for fault in faults if fault.kind != "by hand"]
    rng = random.Random(SEED)
    rng.shuffle(by)
    rng.shuffle(rest)
    share = min(len(by), max(1, count // 4))
    return sorted(by[:share] + _in_turn(rest)[: count - share], key=lambda fault: (fault.place, fault.name))


def _in_turn(faults: list[Fault]) -> list[Fault]:
    """One of each place, then another of each, ..."""
    turns: dict[str, int] = {}
    numbered = []
    for fault in faults:
        turns[fault.place] = turn = turns.get(fault.place, 0) + 1
        numbered.append((turn, fault))
    return [fault for _, fault in sorted(numbered, key=lambda pair: pair[0])]
