"""Count the additions and multiplications (flops) of an operation from its shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .tape import Op, Shape

Rule = Callable[[Sequence[Shape], Sequence[Shape]], int | None]


def flops_of(op: Op) -> int | None:
    """Return the number of additions and multiplications of an operation, or None if it isn't known.

    A matrix product counts 2·M·N·K, as is customary. Moving values costs nothing. Any other operation counts one for
    each element of its largest input or result. Not in PyTorch.

    >>> tape = torch.trace(nn.Linear(3, 2), torch.ones(5, 3))
    >>> flops_of(tape.ops[0])
    70
    """
    return flops("" if op.own else op.name, [x.shape for x in op.inputs], op.shapes, op.settings)


def flops(
    name: str, inputs: Sequence[Shape | None], outputs: Sequence[Shape], settings: Mapping[str, Any]
) -> int | None:
    """Return the flops of microgad's operation of this name, from its shapes; a program's own has the name ""."""
    shapes = [x or () for x in inputs]  # () also if the shape isn't known, as of an input that wasn't kept
    if (rule := RULES.get(name)) is not None:
        return rule(shapes, outputs)
    if name == "Contract":
        return _contraction([*shapes, *outputs], settings.get("labels", ()))
    if name.removesuffix("Adjoint") in MOVES:
        return 0
    return max(map(math.prod, (*outputs, *shapes)), default=0)


def _products(count: int, inner: Shape, bias: Sequence[Shape] = ()) -> int | None:
    """Return the flops of `count` sums of products of shape `inner`, plus a bias if any; None if `inner` is ()."""
    return 2 * count * math.prod(inner) + (count if any(bias) else 0) if inner else None


def _matmul(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int | None:
    a, b = inputs
    return _products(math.prod(outputs[0]), a[-1:] or b[-2:][:1])


def _dot(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int | None:
    return _products(1, inputs[0] or inputs[1])


def _contraction(shapes: Sequence[Shape], labels: Sequence[Sequence[object]]) -> int | None:
    """Return the flops of an einsum of two arrays: two for each combination of indices of all labels."""
    pairs = zip(labels, shapes, strict=False)
    sizes = {label: n for part, shape in pairs for label, n in zip(part, shape, strict=False)}
    return 2 * math.prod(sizes.values()) if all(label in sizes for part in labels for label in part) else None


def _linear(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int | None:
    return _products(math.prod(outputs[0]), inputs[1][-1:] or inputs[0][-1:], inputs[2:])


def _convolution(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int | None:
    return _products(math.prod(outputs[0]), inputs[1][1:], inputs[2:])  # C/groups · KH · KW


def _transposed(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int | None:
    found = _products(math.prod(inputs[0]), inputs[1][1:]) if inputs[0] else None
    return None if found is None else found + (math.prod(outputs[0]) if any(inputs[2:]) else 0)


def _convolution_weight(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int | None:
    return _products(math.prod(inputs[0]), outputs[0][1:]) if inputs[0] else None


def _recurrent(states: int) -> Rule:
    """Make the rule of a recurrent layer, whose inputs are the sequence, `states` initial states, and the weights.

    In each step of each sequence all weight matrices are multiplied, and biases added.
    """

    def count(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int | None:
        weights = inputs[1 + states :]
        each = sum(math.prod(w) * (2 if len(w) == 2 else 1) for w in weights if w)
        return math.prod(outputs[0][:-1]) * each if all(weights[:2]) else None

    return count


def _attention(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int | None:
    key, out = inputs[1], outputs[0]
    return math.prod(out[:-1]) * key[-2] * (2 * (key[-1] + out[-1]) + 5) if key else None


RULES: dict[str, Rule] = {
    "MatMul": _matmul, "Mv": _matmul, "Dot": _dot, "Linear": _linear, "Attention": _attention,
    "Rnn": _recurrent(1), "Gru": _recurrent(1), "Lstm": _recurrent(2),
}  # fmt: skip
for _dims in (1, 2, 3):
    RULES |= {
        f"Conv{_dims}d": _convolution, f"ConvTranspose{_dims}d": _transposed, f"Conv{_dims}dWeight": _convolution_weight
    }  # fmt: skip
MOVES = frozenset(
    (
        "Reshape", "Permute", "Expand", "Clone", "Cast", "Transfer", "Cat", "Stack", "Flip", "Roll", "Rot90",
        "SlidingWindows", "BlockDiag", "RepeatInterleave", "AsStrided", "Diagonal", "DiagEmbed", "Tril", "Triu",
        "Split", "Unbind", "Pad", "NonConstantPad", "Shuffle", "GatherCells", "MaxPoolScatter", "GetItem", "SetItem",
        "ClearItem", "BoxMax", "Gather", "IndexSelect", "TakeRows", "Embedding", "Pick", "Unfold",
        "Fold", "ViewAsReal", "ViewAsComplex", "Real", "Imag", "Detach", "Flat", "Identity", "RegionWrite",
        "RegionClear", "RegionRead",
    )
)  # fmt: skip
