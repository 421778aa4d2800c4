"""The module path of operations in a recorded backward pass, which knows whose derivative they belong to."""

from __future__ import annotations

from typing import Any


class DerivativePath(str):
    """A module's path that nodes take over as they take any other, which knows the node that is differentiated.

    `of` is its number, and `node` its path, which may be another DerivativePath, and its name. Between the derivatives
    of a pass, where gradients are summed and hooks run, `of` is 0.
    """

    __slots__ = ("node", "of")
    of: int
    node: tuple[str, str]

    def __add__(self, other: str) -> DerivativePath:
        return derivative_path(str(self) + other, 0, self)


def derivative_path(path: str, of: int, around: Any, name: str = "") -> DerivativePath:
    """Return a DerivativePath of the node `of`, but in a pass inside a derivative (`around`) that of the outer one."""
    made = DerivativePath(path)
    outer = getattr(around, "of", 0)
    made.of, made.node = (outer, around.node) if outer else (of, (path, name))
    return made
