"""How much an operation computes: additions and multiplications, by its shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .tape import Op, Shape

Rule = Callable[[list[Shape], list[Shape]], int]


def flops_of(op: Op) -> int | None:
    """Additions and multiplications; None where they aren't known.

    A product of matrices is 2·M·N·K, as is customary; moving values costs nothing; of all else each element of the
    largest array that is read or made counts once.
    """
    inputs = [x.shape or () for x in op.inputs]
    rule = RULES.get(op.name)
    if rule is not None:
        return rule(inputs, op.shapes)
    if op.name == "Contract":
        return _contraction(inputs, op.settings.get("labels", ()))
    if op.name.removesuffix("Adjoint") in MOVES:
        return 0
    return max(map(math.prod, (*op.shapes, *inputs)), default=0)


def _matmul(inputs: list[Shape], outputs: list[Shape]) -> int:
    return 2 * math.prod(outputs[0]) * (inputs[0][-1] if inputs[0] else 1)


def _dot(inputs: list[Shape], outputs: list[Shape]) -> int:
    return 2 * math.prod(inputs[0])


def _contraction(inputs: list[Shape], labels: Sequence[Sequence[object]]) -> int:
    """Of two arrays, each of whose axes has a label: a product for all sizes of all of them."""
    sizes = {
        label: n for part, shape in zip(labels, inputs, strict=False) for label, n in zip(part, shape, strict=True)
    }
    return 2 * math.prod(sizes.values())


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


def _recurrent(states: int) -> Rule:
    """Each step of each sequence is multiplied by all weights, after the input and the states; biases are added."""

    def count(inputs: list[Shape], outputs: list[Shape]) -> int:
        weights = inputs[1 + states :]
        return math.prod(inputs[0][:-1]) * sum(math.prod(w) * (2 if len(w) == 2 else 1) for w in weights if w)

    return count


def _attention(inputs: list[Shape], outputs: list[Shape]) -> int:
    query, key = inputs[0], inputs[1]
    scores = math.prod(query[:-1]) * key[-2]
    return 2 * scores * (query[-1] + outputs[0][-1]) + 5 * scores


RULES: dict[str, Rule] = {
    "MatMul": _matmul, "Dot": _dot, "Linear": _linear, "Attention": _attention,
    "Rnn": _recurrent(1), "Gru": _recurrent(1), "Lstm": _recurrent(2),
}  # fmt: skip
for _dims in (1, 2, 3):
    RULES |= {
        f"Conv{_dims}d": _convolution, f"ConvTranspose{_dims}d": _transposed, f"Conv{_dims}dWeight": _convolution_weight
    }  # fmt: skip
MOVES = frozenset(
    (
        "Reshape", "Permute", "Expand", "Clone", "Cast", "Transfer", "Cat", "Stack", "Flip", "Roll", "Rot90",
        "Windows", "BlockDiag", "RepeatInterleave", "AsStrided", "Diagonal", "DiagEmbed", "Tril", "Triu", "Split",
        "Unbind", "Pad", "Border",
        "GetItem", "SetItem", "Clear", "BoxMax", "Gather", "Rows", "Embedding", "Pick", "Unfold", "Fold", "ViewAsReal",
        "ViewAsComplex", "Detach", "Flat", "Identity", "RegionWrite", "RegionClear", "Region",
    )
)  # fmt: skip
