"""What a call of a module returns, for type checkers: they read it from the annotation of `forward`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

R_co = TypeVar("R_co", covariant=True)


class Computes(Protocol[R_co]):
    """A module whose `forward` returns an R_co."""

    @property
    def forward(self) -> Callable[..., R_co]: ...


class Unknown:
    """What nothing returns, unless it may return anything: Any."""
