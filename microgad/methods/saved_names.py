"""PyTorch's names of what a node keeps for backward: `grad_fn._saved_self`, and `_raw_saved_self` for hooks on it.

They are written down, and are no `__getattr__`, which would slow down every look at a node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..function import Function
from ..lazy import Room

if TYPE_CHECKING:
    from . import saved_values
else:
    saved_values = Room("microgad.methods.saved_values")

NAMES = (
    "A", "L", "bias", "condition", "exponent", "input", "inverse", "key", "mat1", "mat2", "max", "min",
    "negative_slope", "other", "query", "result", "self", "target", "tensor", "value", "weight",
)  # fmt: skip


def _properties(name: str) -> tuple[property, property]:
    return property(lambda node: saved_values.read(node, name)), property(lambda node: saved_values.raw(node, name))


def _dir(node: Function) -> list[str]:
    """Names of its attributes; of these, those that it has."""
    lacking = [name for name in NAMES if not saved_values.has(node, name)]
    hidden = {f"{lead}_{name}" for name in lacking for lead in ("_saved", "_raw_saved")}
    return [name for name in object.__dir__(node) if name not in hidden]


for name in NAMES:
    saved, raw = _properties(name)
    setattr(Function, f"_saved_{name}", saved)
    setattr(Function, f"_raw_saved_{name}", raw)
Function.__dir__ = _dir  # type: ignore[method-assign, assignment]
