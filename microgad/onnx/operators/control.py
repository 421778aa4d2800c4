"""Kernels of control flow, sequences (lists of Tensors) and optional values (None)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...ops import creation, movement
from ...ops.indexing import getitem
from ...tensor import Tensor
from ..graphs import Node, inputs_only, operator
from ..tensors import kind_of

NO_LIMIT = np.iinfo(np.int64).max


def _run_body(node: Node, given: list[Any]) -> Any:
    """Run the body of a node on its inputs."""
    body = node.get("body")
    return body.run(dict(zip(body.inputs, given, strict=True)), node.scope)


@operator("If")
def if_(node: Node, condition: Tensor) -> Any:
    graph = node.get("then_branch" if condition.item() else "else_branch")
    return tuple(graph.run({}, node.scope))


@operator("Loop")
def loop(node: Node, most: Tensor | None = None, going: Tensor | None = None, *states: Any) -> Any:
    limit, on = NO_LIMIT if most is None else most.item(), True if going is None else bool(going.item())
    carried = list(states)
    rows: list[list[Any]] = [[] for _ in range(len(node.get("body").outputs) - 1 - len(states))]
    turn = 0
    while on and turn < limit:
        given = [creation.as_tensor(np.array(turn, np.int64)), creation.as_tensor(np.array(on)), *carried]
        now, *made = _run_body(node, given)
        carried, on, turn = made[: len(states)], bool(now.item()), turn + 1
        for row, x in zip(rows, made[len(states) :], strict=True):
            row.append(x)
    return (*carried, *(movement.stack(row) if row else creation.zeros(0) for row in rows))


@operator("Scan")
def scan(node: Node, *inputs: Any) -> Any:
    count = node.get("num_scan_inputs")
    if node.opset < 9:  # the inputs have a batch axis, and the first one holds lengths
        return _scan_of_batch(node, *inputs[1:])
    states, given = list(inputs[: len(inputs) - count]), inputs[len(inputs) - count :]
    results = len(node.get("body").outputs) - len(states)
    ways = node.get("scan_input_directions", [0] * count), node.get("scan_output_directions", [0] * results)
    axes = node.get("scan_input_axes", [0] * count), node.get("scan_output_axes", [0] * results)
    lines = [movement.movedim(x, axis, 0) for x, axis in zip(given, axes[0], strict=True)]
    steps = lines[0].shape[0]
    rows: list[list[Any]] = [[] for _ in range(results)]
    for t in range(steps):
        now = [getitem(x, steps - 1 - t if back else t) for x, back in zip(lines, ways[0], strict=True)]
        made = _run_body(node, [*states, *now])
        states = made[: len(states)]
        for row, x in zip(rows, made[len(states) :], strict=True):
            row.append(x)
    out = [movement.stack(row[::-1] if back else row) for row, back in zip(rows, ways[1], strict=True)]
    return (*states, *(movement.movedim(x, 0, axis) for x, axis in zip(out, axes[1], strict=True)))


def _scan_of_batch(node: Node, *inputs: Any) -> Any:
    one = replace(node, opset=9)
    found = [scan(one, *(getitem(x, i) for x in inputs)) for i in range(inputs[0].shape[0])]
    return tuple(movement.stack(parts) for parts in zip(*found, strict=True))


@operator("SequenceEmpty")
def sequence_empty(node: Node) -> Any:
    kind_of(node.get("dtype", 1), "a sequence")
    return []


@operator("SequenceInsert")
def sequence_insert(node: Node, x: list[Any], new: Tensor, place: Tensor | None = None) -> Any:
    at = len(x) if place is None else place.item()
    at = at + len(x) if at < 0 else at
    return [*x[:at], new, *x[at:]]


@operator("SequenceErase")
def sequence_erase(node: Node, x: list[Any], place: Tensor | None = None) -> Any:
    at = (-1 if place is None else place.item()) % len(x)
    return [*x[:at], *x[at + 1 :]]


operator("SequenceConstruct")(inputs_only(lambda *inputs: list(inputs)))
operator("SequenceAt")(inputs_only(lambda x, place: x[place.item()]))
operator("SequenceLength")(inputs_only(lambda x: creation.as_tensor(np.array(len(x), np.int64))))
operator("Optional", "OptionalGetElement")(inputs_only(lambda x=None: x))
operator("OptionalHasElement")(inputs_only(lambda x=None: creation.as_tensor(np.array(x is not None))))


@operator("SplitToSequence")
def split_to_sequence(node: Node, x: Tensor, sizes: Tensor | None = None) -> Any:
    axis = node.get("axis", 0)
    if sizes is None:
        parts = movement.split(x, 1, axis)
        return list(parts) if node.get("keepdims", 1) else [movement.squeeze(part, axis) for part in parts]
    return list(movement.split(x, sizes.item() if sizes.ndim == 0 else sizes.tolist(), axis))


@operator("ConcatFromSequence")
def concat_from_sequence(node: Node, x: list[Any]) -> Any:
    return (movement.stack if node.get("new_axis") else movement.cat)(x, node.get("axis"))


@operator("SequenceMap")
def sequence_map(node: Node, *inputs: Any) -> Any:
    turns = range(len(inputs[0]))
    found = [_run_body(node, [x[i] if isinstance(x, list) else x for x in inputs]) for i in turns]
    return tuple([row[i] for row in found] for i in range(len(node.get("body").outputs)))
