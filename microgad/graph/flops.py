"""How much an operation computes: additions and multiplications, by its shapes."""

from __future__ import annotations

import math
from collections.abc import Callable

from .tape import Op, Shape


def flops_of(op: Op) -> int | None:
    """Additions and multiplications; None where they aren't known.

    A product of matrices is 2·M·N·K, as is customary; moving values costs nothing; of all else each element of the
    largest array that is read or made counts once.
    """
    rule = RULES.get(op.name)
    if rule is not None:
        return rule([x.shape or () for x in op.inputs], op.shapes)
    if op.name.removesuffix("Adjoint") in MOVES:
        return 0
    return max((math.prod(shape) for shape in (*op.shapes, *(x.shape or () for x in op.inputs))), default=0)


def _matmul(inputs: list[Shape], outputs: list[Shape]) -> int:
    return 2 * math.prod(outputs[0]) * (inputs[0][-1] if inputs[0] else 1)


def _linear(inputs: list[Shape], outputs: list[Shape]) -> int:
    n = math.prod(outputs[0])
    return 2 * n * inputs[0][-1] + (n if len(inputs) > 2 and inputs[2] else 0)


def _convolution(inputs: list[Shape], outputs: list[Shape]) -> int:
    n = math.prod(outputs[0])  # each takes C/groups · KH · KW products
    return 2 * n * math.prod(inputs[1][1:]) + (n if len(inputs) > 2 and inputs[2] else 0)


def _transposed(inputs: list[Shape], outputs: list[Shape]) -> int:
    bias = math.prod(outputs[0]) if len(inputs) > 2 and inputs[2] else 0
    return 2 * math.prod(inputs[0]) * math.prod(inputs[1][1:]) + bias


def _convolution_weight(inputs: list[Shape], outputs: list[Shape]) -> int:
    grad = math.prod(inputs[0])
    return 2 * grad * math.prod(outputs[0][1:])


def _attention(inputs: list[Shape], outputs: list[Shape]) -> int:
    query, key = inputs[0], inputs[1]
    scores = math.prod(query[:-1]) * key[-2]
    return 2 * scores * (query[-1] + outputs[0][-1]) + 5 * scores


RULES: dict[str, Callable[[list[Shape], list[Shape]], int]] = {
    "MatMul": _matmul,
    "Linear": _linear,
    "Conv2d": _convolution,
    "ConvTranspose2d": _transposed,
    "Conv2dWeight": _convolution_weight,
    "Attention": _attention,
}
MOVES = frozenset(
    (
        "Reshape", "Permute", "Expand", "Clone", "Cast", "Transfer", "Cat", "Stack", "Flip", "Roll", "Rot90",
        "Windows", "BlockDiag", "RepeatInterleave", "AsStrided", "Diagonal", "DiagEmbed", "Tril", "Triu", "Split",
        "Unbind", "Pad", "Border",
        "GetItem", "SetItem", "Clear", "BoxMax", "Gather", "Rows", "Embedding", "Pick", "Unfold", "Fold", "ViewAsReal",
        "ViewAsComplex", "Detach", "Flat", "Identity", "RegionWrite", "RegionClear", "Region",
    )
)  # fmt: skip
