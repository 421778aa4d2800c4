"""Fault: one deliberate mistake in the library, and the likely mistake that microgad.testing should name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .plant import Plant


@dataclass(frozen=True)
class Fault:
    """A fault, which the context manager of `plant` puts into the library; `entries` are the property tests for it."""

    kind: str
    place: str  # the method or function that is broken
    what: str
    plant: Plant
    entries: tuple[Any, ...]
    cls: Any = None  # the Function whose own method is broken
    pattern: str = ""  # regular expression for the likely mistake; empty if the fault is of no named kind

    @property
    def name(self) -> str:
        return f"{self.kind}: {self.place}: {self.what}"
