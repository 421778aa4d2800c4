"""Find what repeats in a row, such as the twelve blocks of a transformer or the fifty steps of a recurrent layer."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from .module_tree import Member, ModuleCall
from .tape import Op, Source

MAX_PERIOD, MAX_TRIES = 400, 50  # members of a repeated part, and positions that are tried for its second occurrence
_POSITIONS = {"index", "start", "x_shape"}  # settings that differ from step to step, and are ignored


class StructureIds:
    """Assigns the same id to operations, and to calls, that do the same on the same shapes."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._calls: dict[ModuleCall, int] = {}

    def id_of(self, member: Member) -> int:
        """Return the id of an operation, or of a call with all that is in it."""
        if isinstance(member, ModuleCall):
            known = self._calls.get(member)
            if known is None:
                inside = tuple((getattr(x, "parts", ("",))[-1], self.id_of(x)) for x in member.members)
                known = self._calls[member] = self._of((inside, tuple((s.kind, s.shape) for s in member.sources)))
            return known
        settings = {name: x for name, x in member.settings.items() if name not in _POSITIONS}
        return self._of((member.name, repr(settings), tuple(member.shapes), tuple(x.shape for x in member.inputs)))

    def _of(self, key: Any) -> int:
        return self._numbers.setdefault(key, len(self._numbers))


def find_runs(ids: Sequence[int], calls: Sequence[bool]) -> Iterator[tuple[int, int, int, int]]:
    """Split a sequence of ids into runs: tuples (start, length, times, rest) of a part that repeats.

    A member that doesn't repeat is a run of length 1, once. Among several possible periods, the one that covers most is
    chosen. One call must occur twice in a row to count as a repetition (`calls` says which ids are calls), anything
    else three times. `rest` is the length of a last, incomplete repetition, if at least half of it is there.

    >>> from microgad.graph.repeats import find_runs
    >>> list(find_runs([7, 1, 2, 1, 2, 1, 2, 1, 9], [False] * 9))
    [(0, 1, 1, 0), (1, 2, 3, 1), (8, 1, 1, 0)]
    """
    places: dict[int, list[int]] = {}
    for i, number in enumerate(ids):
        places.setdefault(number, []).append(i)
    i = 0
    while i < len(ids):
        same = places[ids[i]]
        k = bisect_right(same, i)
        length, times, rest = _run_at(ids, i, same[k : k + MAX_TRIES], 2 if calls[i] else 3)
        yield i, length, times, rest
        i += length * times + rest


def _run_at(ids: Sequence[int], i: int, places: Sequence[int], least: int) -> tuple[int, int, int]:
    """Return (length, times, rest) of the run that starts at i. Its second occurrence starts at one of `places`.

    A part of length 1 must occur at least `least` times, a longer one three times.
    """
    n, covered, best = len(ids), 0, (1, 1, 0)
    for end in places:
        length = end - i
        if length > MAX_PERIOD or i + 2 * length > n:
            break
        while end < n and ids[end] == ids[end - length]:
            end += 1
        times, rest = divmod(end - i, length)
        longer = (times - 1) * length > covered and times >= (least if length == 1 else 3)
        if longer:
            covered, best = (times - 1) * length, (length, times, rest if 2 * rest >= length else 0)
        if end == n or (longer and end - i > 4 * length):
            break  # a longer period of the same run covers no more
    return best


def ops_in(members: Sequence[Member]) -> Iterator[Op]:
    """Iterate over the operations among members of a call, and inside calls among them, in order."""
    return (member for member in _all(members) if isinstance(member, Op))


def sources_in(members: Sequence[Member]) -> Iterator[Source]:
    """Iterate over the sources that belong to calls among members of a call, and to calls inside them, in order."""
    return (source for member in _all(members) if isinstance(member, ModuleCall) for source in member.sources)


def _all(members: Sequence[Member]) -> Iterator[Member]:
    """Iterate over members, and over those of calls inside. A call comes before its members."""
    stack = list(reversed(members))
    while stack:
        member = stack.pop()
        yield member
        if isinstance(member, ModuleCall):
            stack += reversed(member.members)
