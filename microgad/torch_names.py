"""What PyTorch calls the node of an operation, as printed Tensors show it: "MulBackward0", "AddmmBackward0".

Most have the operation's own name. Where PyTorch has several names for what is one operation here, the name follows
from the settings and the shapes; where it has one for a composite of others, that of the last of them stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def backward_name(node: Any) -> str:
    """The name of a node. Source: torch.autograd.graph.Node.name."""
    cls = type(node)
    if cls.__name__ == "Output":  # one of several results: what made it has the name
        return backward_name(node.edges[0])
    if cls.__name__ == "Leaf":
        return "AccumulateGrad"
    if hasattr(cls, "function"):  # a user's autograd.Function
        return f"{cls.__name__}Backward"
    found = NAMES.get(cls.__name__, cls.__name__)
    name = found if isinstance(found, str) else found(node)
    return name if "Backward" in name or name == "CopySlices" else f"{name}Backward0"


def _shape(node: Any, i: int) -> tuple[int, ...] | None:
    """The shape of an input, where a gradient flows to it."""
    edge = node.edges[i] if i < len(node.edges) else None
    return None if edge is None else edge.shape


def _is_number(node: Any, i: int) -> bool:
    """Whether input i was a number, as far as that is still known."""
    places = node.plan.inputs
    return i in places and bool(node.kept) and not hasattr(node.kept[places.index(i)], "dtype")


def _matmul(node: Any) -> str:
    return ("Dot", "Mv", "Mm", "UnsafeView")[min(len(node.shape), 3)]


def _linear(node: Any) -> str:
    biased = len(node.edges) > 2 and node.edges[2] is not None
    n = len(node.shape)
    if n > 2:
        return "View" if biased else "UnsafeView"
    if n == 2:
        return "Addmm" if biased else "Mm"
    return "View" if biased else "Mv"


def _reshape(node: Any) -> str:
    before, after = _shape(node, 0) or (), node.shape
    if [n for n in before if n != 1] == [n for n in after if n != 1] and before != after:
        if len(after) == len(before) + 1:
            return "Unsqueeze"
        if len(after) < len(before):
            return f"SqueezeBackward{int(len(after) == len(before) - 1)}"
    return "View"


def _permute(node: Any) -> str:
    moved = [i for i, axis in enumerate(node.order) if i != axis]
    return "Transpose" if len(moved) == 2 else "Permute"


def _get_item(node: Any) -> str:
    index = getattr(node, "index", None)  # gone after backward, where it was an array
    parts = index if type(index) is tuple else (index,)
    if all(part is None or part is Ellipsis or isinstance(part, (int, slice)) for part in parts) and index is not None:
        last = [part for part in parts if part is not Ellipsis][-1:]
        if last and last[0] is None:
            return "Unsqueeze"
        return "Select" if last and isinstance(last[0], int) else "Slice"
    return "Index"


def _of_two(name: str) -> Callable[[Any], str]:
    """Of two Tensors, or of one and a number: which is known where a gradient flows to the second."""
    return lambda node: f"{name}Backward{int(_shape(node, 1) is not None)}"


def _reduced(name: str) -> Callable[[Any], str]:
    """Of all elements, or along some axes."""
    return lambda node: f"{name}Backward{int(getattr(node, 'axis', None) is not None)}"


NAMES: dict[str, Any] = {  # a name, or a function of the node
    "AddItem": "IndexAdd", "Attention": "ScaledDotProductFlashAttentionForCpu", "AvgPool1d": "SqueezeBackward1",
    "AvgPool2d": "AvgPool2D", "AvgPool3d": "AvgPool3D", "BatchNorm": "NativeBatchNorm", "Cast": "ToCopy",
    "Cholesky": "LinalgCholeskyEx", "Clamp": "ClampBackward1",
    "CrossEntropy": lambda node: "NllLoss" if len(_shape(node, 0) or ()) < 3 else "NllLoss2D", "Det": "LinalgDet",
    "Div": lambda node: "Mul" if _is_number(node, 0) else "Div", "Dropout": "Mul", "Fft": "FftC2C",
    "FixedBatchNorm": "NativeBatchNorm", "Fold": "Col2Im", "GetItem": _get_item, "GroupNorm": "NativeGroupNorm",
    "Ifft": "FftC2C", "Inv": "LinalgInvEx", "Irfft": "FftC2R", "LayerNorm": "NativeLayerNorm", "Linear": _linear,
    "Log1p": "Log1P", "LogSumExp": "Logsumexp", "MatMul": _matmul, "Max": "MaxBackward1",
    "MaxPool2d": "MaxPool2DWithIndices", "Mean": _reduced("Mean"), "Min": "MinBackward1", "Pad": "ConstantPadNd",
    "Permute": _permute, "PRelu": lambda node: "LeakyRelu" if _is_number(node, 1) else "PreluKernel",
    "Pow": lambda node: f"PowBackward{2 if _is_number(node, 0) else int(not _is_number(node, 1))}", "Reshape": _reshape,
    "Imag": "Select", "Real": "Select", "RegionWrite": "CopySlices", "Rfft": "FftR2C",
    "SetItem": lambda node: "IndexPut" if _get_item(node) == "Index" else "CopySlices", "Solve": "LinalgSolveEx",
    "SquaredError": "MseLoss", "Sum": _reduced("Sum"), "Unfold": "Im2Col",
    "VectorNorm": "LinalgVectorNorm",
    "CopySign": "Copysign", "Cross": "LinalgCross", "Fmod": _of_two("Fmod"), "GeluTanh": "Gelu",
    "LogAddExp": "Logaddexp", "LogAddExp2": "Logaddexp2", "LUFactor": "LinalgLuFactorEx",
    "MatrixExp": "LinalgMatrixExp", "NextAfter": "Nextafter", "Pinv": "LinalgPinv", "QR": "LinalgQr",
    "Remainder": _of_two("Remainder"), "Round": lambda node: f"RoundBackward{int(bool(node.decimals))}",
    "RRelu": "RreluWithNoise", "SingularValues": "LinalgSvd", "SVD": "LinalgSvd", "TruncDiv": "DivBackward2",
} | {f"{name}{n}d": "Convolution" for name in ("Conv", "ConvTranspose") for n in (1, 2, 3)}  # fmt: skip
