"""The attributes `grad_fn._saved_self` and `grad_fn._raw_saved_self`, PyTorch's names of what a node keeps.

Each name is a property of Function: a `__getattr__` would slow down every attribute access of nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..function import Function
from ..lazy import LazyModule

if TYPE_CHECKING:
    from . import saved_settings, saved_values
else:
    saved_settings = LazyModule("microgad.methods.saved_settings")
    saved_values = LazyModule("microgad.methods.saved_values")

NAMES = (
    "A", "L", "bias", "condition", "exponent", "input", "inverse", "key", "mat1", "mat2", "max", "min",
    "negative_slope", "other", "query", "result", "self", "target", "tensor", "value", "weight", "x1", "x2",
)  # fmt: skip
SETTINGS = (
    "alpha", "beta", "correction", "diagonal", "dilation", "dim", "dim0", "dim1", "dim2", "dimension", "dims", "eps",
    "groups", "ignore_index", "keepdim", "kernel_size", "max_val", "min_val", "normalized_shape", "offset", "ord",
    "padding", "reduction", "self_sym_sizes", "shifts", "size", "step", "stride", "threshold",
)  # fmt: skip


def _dir(node: Function) -> list[str]:
    """Return the names of a node's attributes, without saved values and settings that it doesn't have."""
    lacking = [name for name in NAMES if not saved_values.has(node, name)]
    hidden = {f"{lead}_{name}" for name in lacking for lead in ("_saved", "_raw_saved")}
    hidden.update(f"_saved_{name}" for name in set(SETTINGS).difference(saved_settings.settings_of(node)))
    return [name for name in object.__dir__(node) if name not in hidden]


for name in NAMES:
    setattr(Function, f"_saved_{name}", property(lambda node, name=name: saved_values.read(node, name)))
    setattr(Function, f"_raw_saved_{name}", property(lambda node, name=name: saved_values.raw(node, name)))
for name in SETTINGS:
    setattr(Function, f"_saved_{name}", property(lambda node, name=name: saved_settings.read(node, name)))
Function.__dir__ = _dir  # type: ignore[method-assign, assignment]
