"""Fault: one mistake that is made in the library on purpose, and what the kit has to say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .plant import Plant


@dataclass(frozen=True)
class Fault:
    """A fault, whose plant breaks the library while it lasts. `entries` are the property tests that meet it."""

    kind: str
    place: str  # the method or function that is broken
    what: str
    plant: Plant
    entries: tuple[Any, ...]
    cls: Any = None  # the Function whose own method is broken
    says: str = ""  # words that the likely mistake has to have, separated by |; none where it isn't of a named kind

    @property
    def name(self) -> str:
        return f"{self.kind}: {self.place}: {self.what}"
