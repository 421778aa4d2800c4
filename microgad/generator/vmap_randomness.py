"""The `randomness` of `torch.vmap`: draws inside it differ from slice to slice, are the same for all, or raise."""

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
from ..type_aliases import Array
from .fills import empty_like
from .stream import Generator, generator_or_default

F = TypeVar("F", bound=Callable[..., Any])
_variable: ContextVar[VmapDraws | None] = ContextVar("microgad vmap draws", default=None)


def randomness() -> str:
    """Return the `randomness` of the innermost vmap; "error" outside of any."""
    draws = _variable.get()
    return "error" if draws is None else draws.randomness


def shared_part(array: Array) -> Array:
    """Return an array like one slice of a new one, if the slices of the innermost vmap share a draw into it."""
    draws = _variable.get()
    return array if draws is None else draws.shared(array)


def resume_here() -> Callable[[], AbstractContextManager[None]]:
    """Note the current position of the draws, and return a context manager that resumes them there.

    A checkpoint uses it to recompute its function with the same draws.
    """
    draws = _variable.get()
    marks = [(d, d.slice, d.position) for d in _outwards(draws) if isinstance(d, SequentialDraws)]

    @contextmanager
    def block() -> Iterator[None]:
        current = [(d, d.slice, d.position) for d, *_ in marks]
        try:
            for d, *where in marks:
                d.slice, d.position = where
            with binding(_variable, draws):
                yield
        finally:
            for d, *where in current:
                d.slice, d.position = where

    return block


def _outwards(draws: VmapDraws | None) -> Iterator[VmapDraws]:
    """Iterate over nested vmaps' draws, from the innermost on."""
    while draws is not None:
        yield draws
        draws = draws.outer


class RandomnessError(GraphError):
    """A draw that the innermost vmap's `randomness` doesn't allow."""


class VmapDraws:
    """How draws are made inside a vmap, by its `randomness`: "different", "same" or "error"."""

    def __init__(self, randomness: str) -> None:
        self.randomness, self.outer = randomness, _variable.get()  # `outer`: of the enclosing vmap
        self.before: list[tuple[Generator, Any]] = []  # the generators drawn from, with their states before

    def undo(self) -> None:
        """Reset the generators that were drawn from to their states before the first draw."""
        for source, state in self.before:
            source.set_state(state)

    def active(self) -> AbstractContextManager[None]:
        """Return a context manager inside which draws are made this way."""
        return binding(_variable, self)

    def shared(self, array: Array) -> Array:
        """See `shared_part`."""
        return array

    def made(self, draw: Any, given: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Return the result of draw(*given) inside this vmap. Called with the draws of the enclosing vmap active."""
        raise NotImplementedError


class SequentialDraws(VmapDraws):
    """Draws of a vmap that computes its slices one after the other: the first slice makes each draw for all of them."""

    def __init__(self, randomness: str, count: int) -> None:
        super().__init__(randomness)
        self.count, self.slice, self.position = count, 0, 0  # `position`: the number of the next draw
        self.drawn: list[tuple[Any, list[Any]]] = []  # draws (count, *shape), with the values that they depended on

    def at(self, slice: int) -> AbstractContextManager[None]:
        """Return a context manager inside which the slice of this number is computed."""
        self.slice, self.position = slice, 0
        return self.active()

    def made(self, draw: Any, given: tuple[Any, ...], options: dict[str, Any]) -> Array:
        first = given[0]
        values = [x for x in (given if draw.reads else given[1:]) if _is_array(x)]
        if values and self.randomness == "different":  # slice after slice gives the same numbers as all at once
            return draw(*given, **options)
        if self.position == len(self.drawn):
            self.drawn.append((self._for_all_slices(draw, given, options), values))
        whole, known = self.drawn[self.position]
        self.position += 1
        if draw.fills and (first.shape, first.dtype) != (whole.shape[1:], whole.dtype):
            return draw(*given, **options)
        if not all(map(np.array_equal, values, known)):
            raise same_randomness_error()
        if not draw.fills:
            return whole[self.slice]
        first[...] = whole[self.slice]
        return first

    def _for_all_slices(self, draw: Any, given: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """Make a draw for all slices, (count, *shape)."""
        first, *rest = given
        if draw.by_axes:
            first = np.empty(first.shape, first.dtype)
        if self.randomness == "same":
            return np.stack([draw(first, *rest, **options)] * self.count)
        if not _is_array(first):
            return np.stack([draw(*given, **options) for _ in range(self.count)])
        return draw(empty_like(np.broadcast_to(first, (self.count, *first.shape))), *rest, **options)


def _is_array(x: Any) -> bool:
    return isinstance(x, (np.ndarray, DuckArray))


def same_randomness_error() -> RandomnessError:
    """Make the error for a draw with randomness="same" that depends on values which differ from slice to slice."""
    return RandomnessError(
        "vmap: randomness='same' can't be had of a draw by values of which each slice has its own: Vmap does not "
        "currently support same randomness with a batched tensor input"
    )


def _not_drawn(draw: Callable[..., Any], given: tuple[Any, ...], options: dict[str, Any]) -> Array:
    """Return the result of a draw on the device "meta", which has no values; the stream isn't advanced."""
    return without_values(draw(*as_zeros(given), **{**options, "generator": Generator()}), ())


def vmap_aware(draw: F, *, fills: bool = False, reads: bool = False, by_axes: bool = False, by_rows: bool = False) -> F:
    """Decorate a draw so that inside a vmap `VmapDraws.made` makes it.

    `fills` says that the draw writes into its first argument, `reads` that it depends on that argument's values, not
    only on its shape and dtype. By `by_axes` its numbers lie in the order of the axes, not of the memory, and by
    `by_rows` it takes at most a matrix, and draws one number after another only for rows alone.
    """

    @functools.wraps(draw)
    def drawn(*given: Any, **options: Any) -> Array:
        if given and isinstance(given[0], MetaArray):
            return _not_drawn(draw, given, options) if reads else given[0]
        source, draws = generator_or_default(options.get("generator")), _variable.get()
        if draws is None:
            source.lock.acquire()  # takes less than half of the time of a `with`
            try:
                return draw(*given, **options)
            finally:
                source.lock.release()
        if draws.randomness == "error":
            raise RandomnessError(
                "vmap: called random operation while in randomness error mode. Please either use the 'same' or "
                "'different' randomness flags on vmap or perform the randomness operation out of vmap"
            )
        with source.lock, binding(_variable, draws.outer):
            if all(source is not known for known, _ in draws.before):
                draws.before.append((source, source.snapshot()))
            return draws.made(drawn, given, options)

    vars(drawn).update(fills=fills, reads=reads, by_axes=by_axes, by_rows=by_rows)
    return drawn  # type: ignore[return-value]
