"""Which faults are planted: all that are written by hand, and a seeded choice of the generated ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import cache, partial

from .by_hand import by_hand
from .fault import Fault
from .operators import other_reads, rewrites
from .targets import derivatives, functions, helpers, methods
from .wrappers import of_broadcast, of_forward, wrapped

SEED = 3
THOROUGH = 600  # faults in all; more than twenty times as many can be generated

Source = Callable[[], Iterator[Fault]]


@cache
def sources() -> dict[str, list[Source]]:
    """For each place the generators of its faults, derivatives first. To run all of them takes seconds."""
    found: dict[str, list[Source]] = {}
    for derivative in derivatives():
        parts = [partial(wrapped, derivative), *([] if derivative.part else [partial(other_reads, derivative)])]
        found.setdefault(derivative.place, []).extend(parts)
    for function, entries in (*methods(), *helpers()):
        found.setdefault(function.__qualname__, []).append(partial(rewrites, function, entries))
    for cls in functions():
        found.setdefault(f"{cls.__name__}.forward", []).extend((partial(of_broadcast, cls), partial(of_forward, cls)))
    return found


@cache
def faults_at(place: str) -> list[Fault]:
    """All generated faults of a place."""
    return [fault for source in sources()[place] for fault in source()]


def every_fault() -> list[Fault]:
    """All faults, written by hand and generated."""
    return [*by_hand(), *(fault for place in sources() for fault in faults_at(place))]


def chosen(count: int = THOROUGH, seed: int = SEED) -> list[Fault]:
    """Choose `count` faults, with some of every kind and at least one for each derivative, sorted by place."""
    manual = list(by_hand())
    rng = random.Random(seed)
    rng.shuffle(manual)
    manual = manual[: max(1, count // 4)]
    return sorted(manual + _in_turn(rng, count - len(manual), seed), key=lambda fault: (fault.place, fault.name))


def _in_turn(rng: random.Random, count: int, seed: int) -> list[Fault]:
    """One fault of each derivative, then one of each other place, then a second of each, and so on."""
    first = {derivative.place for derivative in derivatives()}
    places = rng.sample(list(sources()), len(sources()))
    places.sort(key=lambda place: place not in first)
    taken: list[Fault] = []
    left: dict[str, list[Fault]] = {}
    while places and len(taken) < count:
        for place in places[: count - len(taken)]:
            if place not in left:
                faults = faults_at(place)
                left[place] = random.Random(f"{seed} {place}").sample(faults, len(faults))
            taken += left[place][:1]
            del left[place][:1]
        places = [place for place in places if left.get(place)]
    return taken
