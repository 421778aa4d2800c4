"""PyTorch's interface of a graph's nodes, `tensor.grad_fn`: names, edges, hooks, and attributes for what a node keeps.

The engine needs none of it. `ATTRIBUTES` is all that Function, the class of the nodes, is given here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..function import AccumulateGrad, Function, naming
from ..lazy import LazyModule
from . import interface

if TYPE_CHECKING:
    from . import saved_settings, saved_values, torch_names
else:
    saved_settings = LazyModule("microgad.grad_fn.saved_settings")
    saved_values = LazyModule("microgad.grad_fn.saved_values")
    torch_names = LazyModule("microgad.grad_fn.torch_names")

# PyTorch's names of what nodes keep, `grad_fn._saved_self` and `grad_fn._raw_saved_self`, and of settings. Each is a
# property of Function: a `__getattr__` would slow down every attribute access of nodes.
NAMES = (
    "A", "L", "bias", "condition", "exponent", "input", "inverse", "key", "mat1", "mat2", "max", "min",
    "negative_slope", "other", "query", "result", "self", "target", "tensor", "value", "vec", "weight", "x1", "x2",
)  # fmt: skip
SETTINGS = (
    "alpha", "beta", "correction", "diagonal", "dilation", "dim", "dim0", "dim1", "dim2", "dimension", "dims", "eps",
    "groups", "ignore_index", "keepdim", "kernel_size", "max_val", "min_val", "normalized_shape", "offset", "ord",
    "padding", "reduction", "self_sym_sizes", "shifts", "size", "step", "stride", "threshold",
)  # fmt: skip


def _value(name: str) -> property:
    return property(lambda node: saved_values.read(node, name))


def _raw_value(name: str) -> property:
    return property(lambda node: saved_values.raw(node, name))


def _setting(name: str) -> property:
    return property(lambda node: saved_settings.read(node, name))


def _dir(node: Function) -> list[str]:
    """Return the names of a node's attributes, without saved values and settings that it doesn't have."""
    lacking = [name for name in NAMES if not saved_values.has(node, name)]
    hidden = {f"{lead}_{name}" for name in lacking for lead in ("_saved", "_raw_saved")}
    hidden.update(f"_saved_{name}" for name in set(SETTINGS).difference(saved_settings.settings_of(node)))
    return [name for name in object.__dir__(node) if name not in hidden]


ATTRIBUTES: dict[str, Any] = {
    "__call__": interface.call_node,
    "__dir__": _dir,
    "_sequence_nr": interface.sequence_number,
    "metadata": property(interface.metadata),
    "next_functions": property(interface.next_functions),
    "register_hook": interface.register_hook,
    "register_prehook": interface.register_prehook,
    **{f"_saved_{name}": _value(name) for name in NAMES},
    **{f"_raw_saved_{name}": _raw_value(name) for name in NAMES},
    **{f"_saved_{name}": _setting(name) for name in SETTINGS},
}
for name, attribute in ATTRIBUTES.items():
    setattr(Function, name, attribute)
AccumulateGrad.variable = property(interface.variable)  # type: ignore[attr-defined]
naming.backward_name = torch_names.backward_name
