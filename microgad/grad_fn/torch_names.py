"""PyTorch's name for each node, as printed Tensors show it: "MulBackward0", "AddmmBackward0".

A Function says what PyTorch calls it: `operator`, of which the node's name is made, or another `node_name`. Where
PyTorch has several nodes for one Function of microgad, the settings and shapes decide (VARIANTS), or the public
function has set the name (function/naming.py). Where one operation of PyTorch is a composite here, the composite's
name, which is on the node's path, decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from ..function import AccumulateGrad, Output


def backward_name(node: Any) -> str:
    """The name of a node. Source: torch.autograd.graph.Node.name."""
    cls = type(node)
    if cls is Output and not hasattr(node, "torch_name"):  # one of several results of a Function
        return backward_name(node.edges[0])
    if cls is AccumulateGrad:
        return cls.__name__
    if hasattr(cls, "function") and not hasattr(node, "torch_name"):  # a user's autograd.Function
        return f"{cls.__name__}Backward"
    known = of_composite(getattr(node, "path", "")) or getattr(node, "torch_name", "")
    found = known or name_of(cls)
    return full_name(found if isinstance(found, str) else found(node))


def full_name(name: str) -> str:
    """A node's name with "Backward0" after it, if it has that in PyTorch."""
    return name if "Backward" in name or name in ("CopySlices", "NotImplemented") else f"{name}Backward0"


def name_of(cls: type) -> str | Callable[[Any], str]:
    """The name of an operation's nodes, or the function of the node that knows it."""
    return _name_of(cls) if key(cls) else cls.__name__


@cache
def _name_of(cls: type) -> str | Callable[[Any], str]:
    operator = operator_of(cls)
    found: str = declared(cls, "node_name") or (cls.__name__ if operator is None else camel(operator))
    return VARIANTS.get(cls.__name__, found)


def operator_name(cls: type) -> str:
    """PyTorch's profiler's name for an operation, for example "aten::relu"; the class's name if PyTorch has none."""
    operator = operator_of(cls)
    return cls.__name__ if operator is None else f"aten::{operator}"


def operator_of(cls: type) -> str | None:
    """PyTorch's name for an operation; None if it has none."""
    if not cls.__module__.startswith("microgad.ops."):
        return None
    found: str | None = declared(cls, "operator", "")
    return snake(cls.__name__) if found == "" else found


def declared(cls: type, name: str, default: Any = None) -> Any:
    """What a class of microgad says itself of its names in PyTorch. Subclasses, and a program's own, have others."""
    return vars(cls).get(name, default) if key(cls) else default


def key(cls: type) -> str:
    """An operation's key in the tables: its class's name, or "" for a program's own, of which they say nothing."""
    return cls.__name__ if cls.__module__.startswith("microgad.") else ""


@cache
def snake(name: str) -> str:
    """The name of a class in snake case: "AvgPool2d" is "avg_pool2d"."""
    return re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def camel(operator: str) -> str:
    """An operator's name as PyTorch makes that of its node: capital letters follow digits, too, as in "Log1P"."""
    return "".join(map(str.title, operator.split("_")))


def inputs_of(node: Any) -> list[int]:
    """The inputs of a node that appear in PyTorch's `next_functions`, in its order.

    Numbers and inputs without a derivative don't appear, except in operations with `all_edges` under their own name.
    """
    cls, given = type(node), getattr(node, "tensor_bits", -1)
    if hasattr(cls, "function"):
        return [i for i, device in enumerate(node.ctx._devices) if device is not None]
    if cls.all_edges and given & 1 and not getattr(node, "torch_name", ""):
        given = -1
    known = cls.variadic or cls.joint is not None or not any(cls.derivatives)
    last = len(node.edges) - 1
    order = (last, *range(last)) if cls.last_first else range(last + 1)
    return [i for i in order if given >> i & 1 and (known or cls.derivatives[i] is not None)]


def of_composite(path: str) -> Any:
    """The entry in COMPOSITES for the outermost composite on a path such as `features.0.std()`, or None."""
    if path.endswith(")"):
        for part in path.split("."):
            if part.endswith("()") and (found := COMPOSITES.get(part[:-2])):
                return found
    return None


def _shape(node: Any, i: int) -> tuple[int, ...] | None:
    """The shape of an input, where a gradient flows to it."""
    edge = node.edges[i] if i < len(node.edges) else None
    return None if edge is None else edge.shape


def _is_number(node: Any, i: int) -> bool:
    """Whether input i was a number."""
    return not getattr(node, "tensor_bits", -1) >> i & 1


def _matmul(node: Any) -> str:
    first, second = (len(_shape(node, i) or ()) for i in (0, 1))
    n = len(node.shape)
    if n == 1 and (first == 1 or second == 2):
        return "SqueezeBackward4"  # PyTorch makes the vector a matrix, and squeezes the product
    return "UnsafeView" if max(n, first, second) > 2 else ("Dot", "Mv", "Mm")[n]


def _linear(node: Any) -> str:
    if _is_number(node, 2):  # no bias
        return _matmul(node)
    return "Addmm" if len(node.shape) == 2 else "View"


def _cuts(index: Any, shape: tuple[int, ...]) -> list[Any]:
    """The parts of an index that select part of an axis or insert one, without index arrays."""
    parts = index if type(index) is tuple else (index,)
    axes = [0 if part is None or part is ... else part.ndim if _is_mask(part) else 1 for part in parts]
    cuts, axis = [], 0
    for part, n in zip(parts, axes, strict=True):
        if isinstance(part, slice):
            start, stop, step = part.start or 0, part.stop, part.step  # PyTorch doesn't resolve a negative start
            whole = start == 0 and step in (None, 1) and (stop is None or stop >= shape[axis])
        else:
            whole = part is ... or getattr(part, "ndim", 0) > 0
        if not whole:
            cuts.append(part)
        axis += len(shape) - sum(axes) if part is ... else n
    return cuts


def _is_mask(part: Any) -> bool:
    return hasattr(part, "dtype") and part.dtype.kind == "b"


def _get_item(node: Any) -> str:
    index = getattr(node, "index", None)  # gone after backward, where it was an array
    parts = index if type(index) is tuple else (index,)
    if index is None or any(hasattr(part, "dtype") for part in parts):
        return "Index"
    last = _cuts(index, node.x_shape)[-1:]
    if not last:
        return "Slice" if isinstance(parts[0], slice) and parts[1:] in ((), (...,)) else "Alias"
    return "Unsqueeze" if last[0] is None else "Select" if isinstance(last[0], int) else "Slice"


def _set_item(node: Any) -> str:
    index = getattr(node, "index", None)
    parts = index if type(index) is tuple else (index,)
    if index is not None and _cuts(index, node.shape):
        return "CopySlices"
    if index is None or any(hasattr(part, "dtype") for part in parts):
        return "IndexPut"
    return "torch::autograd::CopyBackwards" if _shape(node, 1) else "FillBackward3"


def _of_two(name: str) -> Callable[[Any], str]:
    """PyTorch numbers the overloads: 0 for a Tensor and a number, 1 for two Tensors."""
    return lambda node: f"{name}Backward{int(not _is_number(node, 1))}"


def _reduced(name: str) -> Callable[[Any], str]:
    """PyTorch numbers the overloads: 0 for a reduction of all elements, 1 for one along some axes."""
    return lambda node: f"{name}Backward{int(getattr(node, 'axis', None) is not None)}"


def _border(node: Any) -> str:
    kind = {"reflect": "Reflection", "edge": "Replication"}.get(node.mode)
    padded = max((len(node.widths) - i for i, width in enumerate(node.widths) if any(width)), default=0)
    return f"{kind}Pad{max(len(node.shape) - 2, padded)}D" if kind else "CopySlices"


def _dimensional(name: str) -> Callable[[Any], str]:
    """The name ends in 2D for planes and in 3D for volumes."""
    return lambda node: f"{name}{len(node.shape) - 2}D"


def _clamp(node: Any) -> str:
    """PyTorch numbers the overloads: 0 for bounds that are Tensors, 1 for numbers."""
    return f"ClampBackward{int(_is_number(node, 1) and _is_number(node, 2))}"


def _nll_loss(node: Any) -> str:
    return "NllLoss" if len(_shape(node, 0) or ()) < 3 else "NllLoss2D"


def _adaptive(dims: int) -> Callable[[Any], str]:
    """PyTorch computes an adaptive mean to size 1 as a plain mean."""
    return lambda node: f"AdaptiveAvgPool{dims}D" if max(node.shape[-dims:]) > 1 else "MeanBackward1"


def _stacked_slices(node: Any) -> str:
    """What `vmap` returns has the node that made all slices, unless they have to be repeated or moved."""
    (slices,) = node.edges
    if node.level not in getattr(slices.shape, "levels", ()):
        return "Expand"
    return "Permute" if node.dim else backward_name(slices)


# Functions for which PyTorch has several nodes. They are here, not in the classes, since they read the graph, which the
# bodies of operations never do, and only printing needs them.
VARIANTS: dict[str, Callable[[Any], str]] = {
    "Clamp": _clamp,
    "CopySign": lambda node: f"CopysignBackward{int(_is_number(node, 1))}",
    "CrossEntropy": _nll_loss,
    "Fmod": _of_two("Fmod"),
    "GetItem": _get_item,
    "Lerp": lambda node: f"LerpBackward{int(not _is_number(node, 2))}",
    "Linear": _linear,
    "MatMul": _matmul,
    "Mean": _reduced("Mean"),
    "Mv": lambda node: "Mv" if len(node.shape) == 1 else "UnsafeView",
    "NllLoss": _nll_loss,
    "NonConstantPad": _border,
    "PRelu": lambda node: "LeakyRelu" if _is_number(node, 1) else "PreluKernel",
    "Pow": lambda node: f"PowBackward{2 if _is_number(node, 0) else int(not _is_number(node, 1))}",
    "Prod": _reduced("Prod"),
    "Remainder": _of_two("Remainder"),
    "RemoveBatchDim": _stacked_slices,
    "Round": lambda node: f"RoundBackward{int(bool(node.decimals))}",
    "SetItem": _set_item,
    "Sum": _reduced("Sum"),
    "XLogY": lambda node: f"XlogyBackward{1 if _is_number(node, 0) else 2 * int(_is_number(node, 1))}",
}

COMPOSITES: dict[str, Any] = {  # composites of microgad that are one operation in PyTorch: name -> PyTorch's node
    "adaptive_avg_pool1d": "SqueezeBackward1", "adaptive_avg_pool2d": _adaptive(2),
    "adaptive_avg_pool3d": _adaptive(3), "adaptive_max_pool1d": "SqueezeBackward1",
    "affine_grid": "AffineGridGenerator", "cholesky": "LinalgCholeskyEx", "cholesky_ex": "LinalgCholeskyEx",
    "combinations": "Stack",
    "diag": lambda node: "DiagEmbed" if type(node).__name__ == "DiagEmbed" else "DiagonalBackward0_copy",
    "grid_sample": _dimensional("GridSampler"), "householder_product": "LinalgHouseholderProduct",
    "inner": lambda node: "View" if len(node.shape) > 1 else "Dot",
    "kron": "UnsafeView", "linalg_vander": "Cat", "lstsq": "LinalgLstsq", "lu": "LinalgLu", "lu_solve": "LinalgLuSolve",
    "max_unpool1d": "SqueezeBackward1", "multi_dot": "View", "nanquantile": "SqueezeBackward4",
    "pairwise_distance": "NormBackward1", "quantile": "SqueezeBackward4",
    "repeat_interleave": lambda node: "View" if type(node).__name__ == "RepeatInterleave" else "IndexSelect",
    "solve": "LinalgSolveEx", "solve_ex": "LinalgSolveEx", "tile": "Repeat", "trapezoid": "MulBackward1",
} | {name: camel(name) for name in (
    "adaptive_max_pool2d", "adaptive_max_pool3d", "addbmm", "addcdiv", "addcmul", "addmm", "addmv", "addr", "baddbmm",
    "block_diag", "channel_shuffle", "cholesky_inverse", "cholesky_solve", "conv_tbc", "deg2rad", "dist",
    "embedding_bag", "fractional_max_pool2d", "fractional_max_pool3d", "ldexp", "lu_unpack", "max_unpool2d",
    "max_unpool3d", "mvlgamma", "nansum", "ormqr", "pixel_shuffle", "pixel_unshuffle", "rad2deg", "renorm", "repeat",
    "soft_margin_loss", "triangular_solve",
)}  # fmt: skip
