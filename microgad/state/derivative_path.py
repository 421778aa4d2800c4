"""The module path of operations in a recorded backward pass, which knows whose derivative they belong to."""

from __future__ import annotations


class DerivativePath(str):
    """A module's path that nodes take over as they take any other. `of` is the number of the node differentiated.

    Between the derivatives of a pass, where gradients are summed and hooks run, it is 0.
    """

    __slots__ = ("of",)
    of: int

    def __add__(self, other: str) -> DerivativePath:
        return derivative_path(str(self) + other, 0, self)


def derivative_path(path: str, of: int, around: str) -> DerivativePath:
    """Return a DerivativePath of the node `of`, but in a pass inside a derivative (`around`) that of the outer one."""
    made = DerivativePath(path)
    made.of = getattr(around, "of", 0) or of
    return made
