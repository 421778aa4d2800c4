"""Broken ONNX files: models whose nodes, tensors, attributes and functions were changed."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

from onnx import AttributeProto, GraphProto, ModelProto, TensorProto

import microgad
from microgad import nn

KINDS = [
    "Add", "MatMul", "Gemm", "Conv", "Relu", "Reshape", "Constant", "If", "Loop", "Scan", "Identity", "Cast", "Gather",
    "Concat", "ConstantOfShape", "Expand", "Tile", "Range", "Split", "LSTM", "Own", "", "Nothing", "Pad", "Resize",
]  # fmt: skip
NUMBERS = [0, 1, 2, 3, 7, 16, 64, 127, 255, 65536, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1, -1, -2, -(2**63)]
NAMES = ["", "x", "weight", "input", "../x", "/etc/passwd", "a.b.c", "." * 50, "a." * 40, "forward", "__class__", "é"]


@cache
def seeds() -> list[bytes]:
    images = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    nets = [
        (nn.Linear(2, 1), microgad.ones(1, 2)),
        (images, microgad.ones(1, 1, 4, 4)),
        (nn.Sequential(nn.Embedding(5, 4), nn.LayerNorm(4), nn.GELU()), microgad.arange(3).reshape(1, 3)),
    ]
    return [microgad.onnx.export(net.eval(), x).SerializeToString() for net, x in nets]


def graph(rng: Random) -> bytes:
    """An ONNX model with some of its parts changed."""
    model = ModelProto()
    model.ParseFromString(rng.choice(seeds()))
    for _ in range(rng.choice([1, 1, 2, 3])):
        rng.choice([_node, _node, _node, _attribute, _attribute, _tensor, _tensor, _tensor, _model])(model, rng)
    return model.SerializeToString()


def _node(model: Any, rng: Random) -> None:
    nodes = model.graph.node
    if not nodes:
        return
    node, kind = rng.choice(nodes), rng.randrange(7)
    names = [*(name for other in nodes for name in (*other.input, *other.output)), *NAMES]
    if kind == 0:
        node.op_type = rng.choice(KINDS)
    elif kind == 1 and node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice(names)
    elif kind == 2 and node.output:
        node.output[rng.randrange(len(node.output))] = rng.choice(names)
    elif kind == 3:
        nodes.add().CopyFrom(node)
    elif kind == 4:
        nodes.remove(node)
    elif kind == 5:
        node.domain = rng.choice(["", "ai.onnx", "ai.onnx.ml", "com.example", "x" * 1000])
    else:
        node.input.extend(rng.choices(names, k=rng.choice([1, 50])))


def _attribute(model: Any, rng: Random) -> None:
    if not model.graph.node:
        return
    node = rng.choice(model.graph.node)
    there = list(node.attribute)
    attribute = rng.choice(there) if there and rng.random() < 0.7 else node.attribute.add()
    kind = rng.randrange(7)
    if kind == 0:
        attribute.name = rng.choice(
            ["axis", "pads", "strides", "group", "to", "value", "perm", "then_branch", "body", "x"]
        )
    elif kind == 1:
        attribute.type = rng.choice(AttributeProto.AttributeType.values())
    elif kind == 2:
        attribute.i, attribute.type = rng.choice(NUMBERS), AttributeProto.INT
    elif kind == 3:
        numbers = [rng.choice(NUMBERS) for _ in range(rng.choice([0, 1, 2, 4, 100]))]
        attribute.type = AttributeProto.INTS
        del attribute.ints[:]
        attribute.ints.extend(numbers)
    elif kind == 4:
        attribute.type = AttributeProto.TENSOR
        attribute.t.CopyFrom(_changed(TensorProto(dims=[2], data_type=1, raw_data=bytes(8)), rng))
    elif kind == 5:
        attribute.s, attribute.type = rng.choice(NAMES).encode(), AttributeProto.STRING
    else:
        inner = GraphProto()
        inner.CopyFrom(model.graph)
        attribute.type = AttributeProto.GRAPH
        attribute.g.CopyFrom(inner)


def _tensor(model: Any, rng: Random) -> None:
    if model.graph.initializer:
        _changed(rng.choice(model.graph.initializer), rng)


def _changed(tensor: Any, rng: Random) -> Any:
    kind = rng.randrange(7)
    if kind == 0:
        tensor.dims.append(rng.choice(NUMBERS))
    elif kind == 1 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(NUMBERS)
    elif kind == 2:
        tensor.data_type = rng.choice([*TensorProto.DataType.values(), 99, -1])
    elif kind == 3:
        tensor.raw_data = tensor.raw_data[: rng.randrange(len(tensor.raw_data) + 1)] + bytes(rng.choice([0, 1, 8]))
    elif kind == 4:
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", rng.choice(NAMES)), ("offset", str(rng.choice(NUMBERS))), ("length", "x")):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
    elif kind == 5:
        tensor.name = rng.choice(NAMES)
    else:
        tensor.ClearField("raw_data")
        tensor.float_data.extend([1.0] * rng.choice([0, 1, 100]))
        tensor.dims.extend([1] * rng.choice([0, 70]))
    return tensor


def _model(model: Any, rng: Random) -> None:
    kind = rng.randrange(6)
    if kind == 0:
        model.opset_import[0].version = rng.choice([*NUMBERS, 7, 13, 21])
    elif kind == 1:
        model.graph.ClearField(rng.choice(["output", "input", "initializer", "node"]))
    elif kind == 2:
        function = model.functions.add()  # a function that calls itself
        function.name, function.domain = "Own", rng.choice(["", "own"])
        function.input.extend(["x"])
        function.output.extend(["y"])
        node = function.node.add()
        node.op_type, node.domain = "Own", function.domain
        node.input.extend(["x"])
        node.output.extend(["y"])
        model.graph.node.add().CopyFrom(node)
    elif kind == 3:
        model.graph.initializer.add().CopyFrom(rng.choice(list(model.graph.initializer) or [TensorProto()]))
    elif kind == 4:
        model.graph.output.add().name = rng.choice(NAMES)
    else:
        model.graph.sparse_initializer.add()
