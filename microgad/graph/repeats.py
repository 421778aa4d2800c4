"""Find what repeats in a row, such as the twelve blocks of a transformer or the fifty steps of a recurrent layer."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .module_tree import Member, ModuleCall
from .tape import Op, Source

MAX_PERIOD, MAX_TRIES = 400, 50  # members of a repeated part, and positions that are tried for its second occurrence
MAX_LAG = 8  # times after which a repetition may read what an earlier one made
# Settings that may differ from step to step; a label shows the range.
_VARYING = {"index", "start", "x_shape", "dilation", "padding"}


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
                # The only one is like another of the same ModuleList, say.
                names = [getattr(x, "parts", ("",))[-1] for x in member.members]
                names = ["0"] if len(names) == 1 and names[0].isdigit() else names
                inside = tuple(zip(names, map(self.id_of, member.members), strict=True))
                known = self._calls[member] = self._of((inside, tuple(map(kind_of, member.sources))))
            return known
        settings = {name: x for name, x in flat_settings(member.settings).items() if name not in _VARYING}
        does = member.name, repr(settings), member.in_place, member.recorded
        read = tuple((x.shape, x.dtype) for x in member.inputs)
        return self._of((does, tuple(member.shapes), tuple(member.dtypes), read))

    def _of(self, key: Any) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def runs_among(self, members: Sequence[Member]) -> Iterator[tuple[int, int, int, int]]:
        """Split operations and calls into runs: see `find_runs`."""
        return find_runs([self.id_of(x) for x in members], [isinstance(x, ModuleCall) for x in members])


def flat_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without groups, such as those of a convolution's window."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= value if isinstance(value, dict) else {name: value}
    return found


def find_runs(ids: Sequence[int], calls: Sequence[bool]) -> Iterator[tuple[int, int, int, int]]:
    """Split a sequence of ids into runs: tuples (start, end, length, times) of a part of this length that repeats.

    A member that doesn't repeat is a run of length 1, once. Among several possible periods, the one that covers most is
    chosen. One call must occur twice in a row to count as a repetition (`calls` says which ids are calls), anything
    else three times. A run ends with a further, incomplete repetition if at least half of that is there.

    >>> from microgad.graph.repeats import find_runs
    >>> list(find_runs([7, 1, 2, 1, 2, 1, 2, 1, 9], [False] * 9))
    [(0, 1, 1, 1), (1, 8, 2, 3), (8, 9, 1, 1)]
    """
    places: dict[int, list[int]] = {}
    for i, number in enumerate(ids):
        places.setdefault(number, []).append(i)
    i = 0
    while i < len(ids):
        same = places[ids[i]]
        k = bisect_right(same, i)
        length, times, rest = _run_at(ids, i, same[k : k + MAX_TRIES], 2 if calls[i] else 3)
        end = i + length * times + rest
        yield i, end, length, times
        i = end


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


class Read(NamedTuple):
    """What an operation in a repetition reads, as far as it must be alike in all repetitions of a run."""

    what: Hashable
    back: int | None = None  # what another repetition made: how many times before; 0 for its own
    at: int = 0  # which result, or repetition, of something outside; it changes from time to time by equal steps
    own: int | None = None  # number of a Source that no other repetition reads
    alone: bool = False  # and nothing else on the tape


def reads(
    repetitions: Sequence[Sequence[Op]],
    source: Callable[[int], Source | None],
    uses: Counter[int | None],
    outside: Callable[[int, int], tuple[Hashable, int]],
) -> list[list[Read | None]]:
    """Return what the operations of each repetition read, in order, in terms that don't depend on the repetition.

    `source(number)` is the Source of that number, `uses` has the numbers of readers on the tape, and
    `outside(number, index)` describes a result of an operation that isn't in the run as `what` and `at`.
    """
    places = {op.number: (k, i) for k, ops in enumerate(repetitions) for i, op in enumerate(ops)}
    slots = [[(n, x.index) for op in ops for x in op.inputs for n in (x.source, x.written)] for ops in repetitions]
    readers: dict[tuple[int | None, int], Counter[int]] = {}  # of what isn't made in the run: how often each reads it
    for k, row in enumerate(slots):
        for slot in row:
            if slot[0] not in places:
                readers.setdefault(slot, Counter())[k] += 1

    def described(k: int, place: int, number: int | None, index: int, first: dict[int, int]) -> Read | None:
        if number is None:
            return None
        if number in places:
            j, i = places[number]
            return Read((i, index), k - j)
        if len(readers[number, index]) > 1:
            return Read((number, index))
        if (x := source(number)) is None:
            what, at = outside(number, index)
            return Read(what, at=at)
        alone = uses[number] == readers[number, index][k]
        return Read((first.setdefault(number, place), kind_of(x)), own=number, alone=alone)

    found = []
    for k, row in enumerate(slots):
        first: dict[int, int] = {}  # number of a Source -> where it is read first
        found.append([described(k, place, *slot, first) for place, slot in enumerate(row)])
    return found


def split_run(repetitions: Sequence[Sequence[Read | None]]) -> Iterator[tuple[int, int]]:
    """Split a run into (start, end) where all repetitions read alike.

    The first ones may read from outside what later ones read from the repetitions before them.
    """
    start = 0
    while start < len(repetitions):
        end, steps, initial = start + 1, dict[int, int](), dict[int, int]()
        for k in range(start + 1, len(repetitions)):
            pairs = enumerate(zip(repetitions[k - 1], repetitions[k], strict=False))
            if not all(_alike(a, b, k - start, i, steps, initial) for i, (a, b) in pairs):
                break
            if all(k - start >= known for known in initial.values()):
                end = k + 1
            elif k - start > 2 * MAX_LAG:
                break
        yield start, end
        start = end


def _alike(a: Read | None, b: Read | None, k: int, i: int, steps: dict[int, int], initial: dict[int, int]) -> bool:
    """Whether repetition k of a run may read b as input i if the one before reads a.

    `steps` has the changes of `at`. `initial` has the inputs whose initial values come from outside, with the
    repetition from which on this is certain: as many read the run itself.
    """
    if a is None or b is None:
        return a is b
    if b.back is not None and b.back <= k:
        if a.back is not None and a.back <= k - 1:
            return a == b
        initial[i] = 2 * k - 1
        return b.back == k  # the first time that it can
    if a.back is not None and a.back <= k - 1:
        return False
    if a.what != b.what or steps.setdefault(i, b.at - a.at) != b.at - a.at:
        initial[i] = 3 * MAX_LAG  # a value that is never reached
    return True


def kind_of(source: Source) -> Hashable:
    """Return what sources must have in common to be drawn as one box."""
    return source.kind, source.shape, source.dtype, "." in source.name


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


def where_different(a: ModuleCall, b: Any) -> tuple[ModuleCall, ModuleCall]:
    """Return two calls, or the only ones inside them, that are of different modules. If none are, return one twice."""
    while a.path == b.path and len(a.members) == 1 and isinstance(inner := a.members[0], ModuleCall):
        a, b = inner, b.members[0]
    return (a, b) if a.path != b.path else (a, a)


def last_name(first: tuple[str, ...], last: tuple[str, ...]) -> str:
    """Return the part of the last module's path that differs from the first one's: the 11 of "blocks.0 … 11"."""
    return last[-1] if first[:-1] == last[:-1] else ".".join(last)
