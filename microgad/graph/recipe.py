"""Recipe: all that it takes to do a recorded operation again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Recipe:
    """An operation's Function and its settings as they were, drawn masks and indices among them.

    `digests` are of its results' bytes, one each, and `gradients` of what it gave its inputs, pass by pass.
    """

    function: type[Any]
    settings: dict[str, Any]
    in_place: bool
    grad_enabled: bool  # as it was then
    digests: list[str]
    gradients: list[list[str | None]]
    hooked: bool = False  # whether hooks of its node stood between its derivatives and its inputs
    random: Any = None  # the default generator's state before, where an autograd.Function has drawn
