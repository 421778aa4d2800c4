"""A node's settings under PyTorch's names, as `grad_fn._saved_dim`, which torchviz shows.

>>> y = torch.ones(2, 3, requires_grad=True).sum(1)
>>> y.grad_fn._saved_dim, y.grad_fn._saved_keepdim, y.grad_fn._saved_self_sym_sizes
((1,), False, (2, 3))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..engine.paths import producer
from ..function import Function
from ..function.naming import node_name
from . import torch_names

Settings = Mapping[str, str | Callable[[Any], Any]]  # PyTorch's name -> the node's attribute, or a function of the node
REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


def _several(value: Any) -> Any:
    return value if isinstance(value, tuple) else (value,)


def _sizes(node: Any) -> tuple[int, ...]:
    return tuple(node.x_shape if "x_shape" in vars(node) else node.edges[0].shape)


def _where_differs(i: int) -> Callable[[Any], int]:
    """Make a function that returns the first (i = 0) or second (i = 1) of the two axes that a node exchanged."""
    return lambda node: ([axis for axis, old in enumerate(node.order) if axis != old] or (0, 0))[i]


def _pooling(node: Any) -> Any:
    """Return the window of a pooling. For an input without a batch dimension it is that of an earlier node."""
    while "window" not in vars(node):
        node = node.edges[0]
    return node.window


def _pads(window: Any) -> tuple[int, ...]:
    return tuple(before for before, _ in window.padding)


SIZES: Settings = {"self_sym_sizes": _sizes}
AXIS: Settings = {"dim": "axis"}
REDUCED: Settings = {"dim": lambda node: _several(node.axis), "keepdim": "keepdims"}
REDUCTION: Settings = {"reduction": lambda node: REDUCTIONS[node.reduction]}
CONVOLUTION: Settings = {
    "stride": lambda node: tuple(node.window.stride), "padding": lambda node: _pads(node.window),
    "dilation": lambda node: tuple(node.window.dilation), "groups": "groups",
}  # fmt: skip
POOL: Settings = {
    "kernel_size": lambda node: tuple(_pooling(node).kernel), "padding": lambda node: _pads(_pooling(node)),
}  # fmt: skip
# By PyTorch's names of nodes, of which several Functions may have one and a Function several, without "Backward0"; a
# full name stands for one of several variants.
SETTINGS: dict[str, Settings] = {
    "Amax": REDUCED, "Amin": REDUCED, "AvgPool2D": POOL, "Cat": AXIS, "Convolution": CONVOLUTION, "Cumprod": AXIS,
    "Cumsum": AXIS, "Elu": {"alpha": "size"}, "Expand": SIZES, "Flip": {"dims": "axis"},
    "Diagonal": {"offset": "offset", "dim1": lambda node: node.axes[0], "dim2": lambda node: node.axes[1], **SIZES},
    "Gather": AXIS, "Hardtanh": {"min_val": "low", "max_val": "high"}, "Index": SIZES,
    "LinalgVectorNorm": {"ord": "p", **REDUCED}, "LogSoftmax": AXIS, "Logsumexp": REDUCED,
    "MaxPool2DWithIndices": {"dilation": lambda node: tuple(_pooling(node).dilation), **POOL}, "MeanBackward0": SIZES,
    "MeanBackward1": {**REDUCED, **SIZES}, "MseLoss": REDUCTION,
    "NativeLayerNorm": {"normalized_shape": "affine"}, "NativeGroupNorm": {"eps": "eps"},
    "NllLoss": {"ignore_index": lambda node: node.ignore_index % 2**64, **REDUCTION},
    "Permute": {"dims": "order"}, "ProdBackward1": {**AXIS, "keepdim": "keepdims"},
    "Roll": {"shifts": "shifts", "dims": "axis"}, "Select": SIZES, "Slice": SIZES,
    "Softmax": AXIS, "Softplus": {"beta": "beta", "threshold": "threshold"}, "Stack": AXIS,
    "SumBackward0": SIZES, "SumBackward1": {**REDUCED, **SIZES}, "Threshold": {"threshold": "bound"},
    "Transpose": {"dim0": _where_differs(0), "dim1": _where_differs(1)}, "Tril": {"diagonal": "k"},
    "Triu": {"diagonal": "k"},
    "UnfoldBackward0": {"dimension": "axis", "size": "size", "step": "step", **SIZES},
    "Var": {"correction": "correction", **REDUCED}, "View": SIZES,
}  # fmt: skip


def settings_of(node: Function) -> Settings:
    """Return the settings that a node has; none if it is a part of one PyTorch operation that is several here."""
    node = producer(node)[0]
    if torch_names.of_composite(node.path) is not None or torch_names.key(type(node)) in ("", "SetItem"):
        return {}
    name = node_name(node)
    return SETTINGS.get(name) or SETTINGS.get(name.partition("Backward")[0], {})


def read(node: Function, name: str) -> Any:
    """Return a setting by its name. Raises AttributeError if the node has no setting of that name."""
    found = settings_of(node).get(name)
    if found is None:
        raise AttributeError(f"{node_name(node)!r} object has no attribute '_saved_{name}'")
    node = producer(node)[0]
    return getattr(node, found) if isinstance(found, str) else found(node)
