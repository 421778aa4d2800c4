"""Draws of many slices at once: `torch.vmap` draws for all slices in one, where a loop over them asks for one each."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..contexts import holding
from .fills import empty_like

if TYPE_CHECKING:
    from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])
_variable: ContextVar[Lanes | None] = ContextVar("microgad lanes", default=None)


def sharing(lanes: Lanes | None) -> AbstractContextManager[None]:
    """A block whose draws are parts of those of these lanes, or, with None, its own."""
    return holding(_variable, lanes)


class Lanes:
    """As many slices: the k-th draw that one of them makes is its part of a draw for all, made when the first asks."""

    def __init__(self, count: int) -> None:
        self.count, self.lane, self.place = count, 0, 0
        self.drawn: list[tuple[NDArray[Any], bool]] = []  # (count, *shape), and whether it was filled as a destination
        self.outer = _variable.get()

    def at(self, lane: int) -> AbstractContextManager[None]:
        """For a block that is the slice of this number."""
        self.lane, self.place = lane, 0
        return sharing(self)

    def part(self, draw: Callable[..., Any], first: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """What this slice gets of its next draw; one that isn't of the others' shape is its own."""
        if self.place == len(self.drawn):
            with sharing(self.outer):
                self.drawn.append(self._whole(draw, first, args, options))
        whole, filled = self.drawn[self.place]
        self.place += 1
        if isinstance(first, np.ndarray) and (first.shape, first.dtype) != (whole.shape[1:], whole.dtype):
            with sharing(self.outer):
                return draw(first, *args, **options)
        if not filled:
            return whole[self.lane]
        first[...] = whole[self.lane]
        return first

    def _whole(
        self, draw: Callable[..., Any], first: Any, args: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[NDArray[Any], bool]:
        if not isinstance(first, np.ndarray):
            return np.stack([draw(first, *args, **options) for _ in range(self.count)]), False
        place = empty_like(np.broadcast_to(first, (self.count, *first.shape)))
        whole = draw(place, *args, **options)
        return whole, whole is place


def by_lanes(draw: F) -> F:
    """A draw whose values hang on no slice's own, as those by an array of probabilities do."""

    @functools.wraps(draw)
    def drawn(first: Any, *args: Any, **options: Any) -> Any:
        lanes = _variable.get()
        if lanes is None or any(isinstance(x, np.ndarray) for x in args):
            return draw(first, *args, **options)
        return lanes.part(drawn, first, args, options)

    return drawn  # type: ignore[return-value]
