"""What repeats in a row: the twelve blocks of a transformer, the fifty steps of a recurrent layer."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from .module_tree import ModuleCall
from .tape import Op, Source

LONGEST, TRIES = 400, 50  # members of what is looked for, and places where it may come again
_PLACES = {"index", "start", "x_shape"}  # settings that tell one step from the next


class StructureIds:
    """Gives operations and calls numbers: equal ones to those that do the same to the same shapes."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._calls: dict[ModuleCall, int] = {}

    def id_of(self, member: Op | ModuleCall) -> int:
        """The number of an operation or of a call with all that is in it."""
        if isinstance(member, ModuleCall):
            known = self._calls.get(member)
            if known is None:
                inside = tuple((getattr(x, "parts", ("",))[-1], self.id_of(x)) for x in member.members)
                known = self._calls[member] = self._of((inside, tuple((s.kind, s.shape) for s in member.sources)))
            return known
        settings = {name: x for name, x in member.settings.items() if name not in _PLACES}
        return self._of((member.name, repr(settings), tuple(member.shapes), tuple(x.shape for x in member.inputs)))

    def _of(self, key: Any) -> int:
        return self._numbers.setdefault(key, len(self._numbers))


def find_runs(numbers: Sequence[int], calls: Sequence[bool]) -> Iterator[tuple[int, int, int, int]]:
    """(start, length, times, rest) of what makes up a row of numbers; what doesn't repeat is once, and 1 long.

    Of what repeats in two ways, the one that covers most. A call twice in a row is a repetition, other things from
    three times on. `rest` is how much of it comes once more, where that is half of it at least.

    >>> from microgad.graph.repeats import find_runs
    >>> list(find_runs([7, 1, 2, 1, 2, 1, 2, 1, 9], [False] * 9))
    [(0, 1, 1, 0), (1, 2, 3, 1), (8, 1, 1, 0)]
    """
    places: dict[int, list[int]] = {}
    for i, number in enumerate(numbers):
        places.setdefault(number, []).append(i)
    i = 0
    while i < len(numbers):
        same = places[numbers[i]]
        k = bisect_right(same, i)
        length, times, rest = _repeated(numbers, i, same[k : k + TRIES], 2 if calls[i] else 3)
        yield i, length, times, rest
        i += length * times + rest


def _repeated(numbers: Sequence[int], i: int, places: Sequence[int], alone: int) -> tuple[int, int, int]:
    """(length, times, rest) of what starts at i and comes again at one of some places; what is `alone` so often."""
    n, covered, best = len(numbers), 0, (1, 1, 0)
    for end in places:
        length = end - i
        if length > LONGEST or i + 2 * length > n:
            break
        while end < n and numbers[end] == numbers[end - length]:
            end += 1
        times, rest = divmod(end - i, length)
        longer = (times - 1) * length > covered and times >= (alone if length == 1 else 3)
        if longer:
            covered, best = (times - 1) * length, (length, times, rest if 2 * rest >= length else 0)
        if end == n or (longer and end - i > 4 * length):
            break  # a longer period of the same row covers no more
    return best


def ops_in(members: Sequence[Op | ModuleCall]) -> Iterator[Op]:
    """The operations in members of a call, and in calls inside them, in order."""
    return (member for member in _all(members) if isinstance(member, Op))


def sources_in(members: Sequence[Op | ModuleCall]) -> Iterator[Source]:
    """The sources that calls among members are the home of, and calls inside them, in order."""
    return (source for member in _all(members) if isinstance(member, ModuleCall) for source in member.sources)


def _all(members: Sequence[Op | ModuleCall]) -> Iterator[Op | ModuleCall]:
    """All members, also those of calls inside; each call comes before what is in it."""
    stack = list(reversed(members))
    while stack:
        member = stack.pop()
        yield member
        if isinstance(member, ModuleCall):
            stack += reversed(member.members)
