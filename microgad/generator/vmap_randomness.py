"""Draws of slices: `torch.vmap` makes one for all of them, of which each has its part, or which they have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

from ..backend.meta import MetaArray, as_zeros, without_values
from ..duck_arrays import DuckArray
from ..errors import GraphError
from ..state.contexts import binding
from .fills import empty_like
from .stream import Generator, generator_or_default

F = TypeVar("F", bound=Callable[..., Any])
_variable: ContextVar[VmapDraws | None] = ContextVar("microgad draws of slices", default=None)


def randomness() -> str:
    """The innermost mapping's `randomness`; "error" outside of any."""
    draws = _variable.get()
    return "error" if draws is None else draws.randomness


def resume_here() -> Callable[[], AbstractContextManager[None]]:
    """Note where draws stand: gives a block in which they go on from here, for a checkpoint that computes again."""
    draws = _variable.get()
    marks = [(lanes, lanes.lane, lanes.place) for lanes in _outwards(draws) if isinstance(lanes, SequentialDraws)]

    @contextmanager
    def block() -> Iterator[None]:
        since = [(lanes, lanes.lane, lanes.place) for lanes, *_ in marks]
        try:
            for lanes, *place in marks:
                lanes.lane, lanes.place = place
            with binding(_variable, draws):
                yield
        finally:
            for lanes, *place in since:
                lanes.lane, lanes.place = place

    return block


def _outwards(draws: VmapDraws | None) -> Iterator[VmapDraws]:
    while draws is not None:
        yield draws
        draws = draws.outer


class VmapDraws:
    """How draws are made inside of a mapping, by its `randomness`: "different", "same" or "error"."""

    def __init__(self, randomness: str) -> None:
        self.randomness, self.outer = randomness, _variable.get()  # of the mapping that this one is in
        self.before: list[tuple[Generator, Any]] = []  # where the generators were that it drew from

    def undo(self) -> None:
        """Put the generators that were drawn from back to where they stood."""
        for source, then in self.before:
            source.set_state(then)

    def active(self) -> AbstractContextManager[None]:
        """A block in which draws are made this way."""
        return binding(_variable, self)

    def made(self, draw: Callable[..., Any], reads: bool, given: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """The result of draw(*given) in this mapping; called with the draws of the mapping outside in force."""
        raise NotImplementedError


class SequentialDraws(VmapDraws):
    """Draws of slices that are computed one after another: each is made for all of them when the first slice asks."""

    def __init__(self, randomness: str, count: int) -> None:
        super().__init__(randomness)
        self.count, self.lane, self.place = count, 0, 0
        self.drawn: list[tuple[Any, list[Any]]] = []  # (count, *shape), and the values by which it was drawn

    def at(self, lane: int) -> AbstractContextManager[None]:
        """For a block that is the slice of this number."""
        self.lane, self.place = lane, 0
        return self.active()

    def made(self, draw: Callable[..., Any], reads: bool, given: tuple[Any, ...], options: dict[str, Any]) -> Any:
        first, fills = given[0], draw.__name__.endswith("_")
        values = [x for x in (given if reads else given[1:]) if _is_array(x)]
        if values and self.randomness == "different":  # which come in turn also where all are drawn at once
            return draw(*given, **options)
        if self.place == len(self.drawn):
            self.drawn.append((self._of_all(draw, given, options), values))
        whole, by = self.drawn[self.place]
        self.place += 1
        if fills and (first.shape, first.dtype) != (whole.shape[1:], whole.dtype):
            return draw(*given, **options)
        if not all(map(np.array_equal, values, by)):
            raise same_randomness_error()
        if not fills:
            return whole[self.lane]
        first[...] = whole[self.lane]
        return first

    def _of_all(self, draw: Callable[..., Any], given: tuple[Any, ...], options: dict[str, Any]) -> Any:
        first, *rest = given
        if self.randomness == "same":
            return np.stack([draw(*given, **options)] * self.count)
        if not _is_array(first):
            return np.stack([draw(*given, **options) for _ in range(self.count)])
        return draw(empty_like(np.broadcast_to(first, (self.count, *first.shape))), *rest, **options)


def _is_array(x: Any) -> bool:
    return isinstance(x, (np.ndarray, DuckArray))


def same_randomness_error() -> GraphError:
    """The error for a draw with randomness="same" that reads values which differ from slice to slice."""
    return GraphError(
        "vmap: randomness='same' can't be had of a draw by values of which each slice has its own: Vmap does not "
        "currently support same randomness with a batched tensor input"
    )


def _not_drawn(draw: Callable[..., Any], reads: bool, given: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """What would have been drawn where there are no values: no number is taken from the stream."""
    if not reads:
        return given[0]
    return without_values(draw(*as_zeros(given), **{**options, "generator": Generator()}), ())


def vmap_aware(draw: F, reads: bool = False) -> F:
    """Decorate a draw so that in a mapping `Draws.made` makes it. `reads`: its first argument's values matter, too."""

    @functools.wraps(draw)
    def drawn(*given: Any, **options: Any) -> Any:
        if given and isinstance(given[0], MetaArray):
            return _not_drawn(draw, reads, given, options)
        draws = _variable.get()
        if draws is None:
            return draw(*given, **options)
        if draws.randomness == "error":
            raise GraphError(
                "vmap: called random operation while in randomness error mode. Please either use the 'same' or "
                "'different' randomness flags on vmap or perform the randomness operation out of vmap"
            )
        source = generator_or_default(options.get("generator"))
        if all(source is not known for known, _ in draws.before):
            draws.before.append((source, source.snapshot()))
        with binding(_variable, draws.outer):
            return draws.made(drawn, reads, given, options)

    return drawn  # type: ignore[return-value]
