"""Malformed files raise one class of error, which names the file, and allocate no more memory than they hold."""

from __future__ import annotations

import os
import random
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import nn

pytest.importorskip("onnx")

from onnx import ModelProto, TensorProto, helper, numpy_helper

from microgad import onnx

FLOAT = TensorProto.FLOAT


def model(**changes: Any) -> Any:
    """x + w, where w is a TensorProto with some fields changed."""
    w = numpy_helper.from_array(np.ones(4, np.float32), "w")
    for name, value in changes.items():
        if isinstance(value, (list, dict)):
            del getattr(w, name)[:]
            if name == "external_data":
                for key, text in value.items():
                    entry = w.external_data.add()
                    entry.key, entry.value = key, text
            else:
                getattr(w, name).extend(value)
        else:
            setattr(w, name, value)
    if "external_data" in changes:
        w.ClearField("raw_data")
    infos = [helper.make_tensor_value_info(name, FLOAT, [4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", infos[:1], infos[1:], [w])
    return helper.make_model(graph)


def assert_file_error(path: Path, proto: Any, match: str) -> None:
    """Assert that loading the file raises a FileError that names it, and allocates less than a megabyte."""
    path.write_bytes(proto if isinstance(proto, bytes) else proto.SerializeToString())
    load = onnx.load  # imports modules, whose memory shouldn't count
    tracemalloc.start()
    try:
        with pytest.raises(onnx.FileError, match=match) as caught:
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"dims": [2**40]}, "needs 4398046511104 bytes, but has 16"),
        ({"dims": [2**62, 2**62]}, "but has 16"),
        ({"dims": [-1]}, "impossible shape"),
        ({"dims": [1] * 1000}, "impossible shape"),
        ({"dims": [3]}, "needs 12 bytes, but has 16"),
        ({"data_type": 16}, "of dtype bfloat16"),
        ({"data_type": 99}, "of dtype number 99"),
        ({"data_type": 0}, "of dtype undefined"),
        ({"data_type": 8}, "of dtype string"),
        ({"name": ""}, "without a name"),
        ({"name": "other"}, "reads 'w', which no earlier node computes"),
    ],
)
def test_malformed_tensors_raise_a_file_error(tmp_path: Path, changes: Any, match: str) -> None:
    assert_file_error(tmp_path / "model.onnx", model(**changes), match)


@pytest.mark.parametrize(
    "location",
    [
        "../secret.bin",
        "/etc/passwd",
        "sub/../../secret.bin",
        "link.bin",
        "",
        ".",
        "nothing.bin",
        "a\0b",
        "..\\secret.bin",
    ],
)
def test_external_data_outside_of_the_folder(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    proto = model(external_data={"location": location}, data_location=TensorProto.EXTERNAL)
    assert_file_error(folder / "model.onnx", proto, "another file")


@pytest.mark.parametrize(
    "entries",
    [
        {"offset": "-4"},
        {"offset": "8"},
        {"length": "4"},
        {"length": "99999999999"},
        {"offset": "x"},
        {"offset": "1" * 5000},
    ],
)
def test_invalid_ranges_of_external_data(tmp_path: Path, entries: dict[str, str]) -> None:
    (tmp_path / "data.bin").write_bytes(bytes(16))
    proto = model(external_data={"location": "data.bin", **entries}, data_location=TensorProto.EXTERNAL)
    assert_file_error(tmp_path / "model.onnx", proto, r"another file|data\.bin")


def test_external_data_is_read_only_beside_a_file(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"1234" + np.arange(4, dtype="<f4").tobytes())
    proto = model(external_data={"location": "data.bin", "offset": "4"}, data_location=TensorProto.EXTERNAL)
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    assert onnx.load(path)(torch.ones(4)).tolist() == [1, 2, 3, 4]
    with pytest.raises(onnx.FileError, match="load it by its path"):
        onnx.load(proto.SerializeToString())


def test_malformed_graphs_raise_a_file_error(tmp_path: Path) -> None:
    infos = [helper.make_tensor_value_info(name, FLOAT, [1]) for name in ("x", "y")]

    def graph(*nodes: Any, inputs: Any = infos[:1], outputs: Any = infos[1:]) -> Any:
        return helper.make_model(helper.make_graph(list(nodes), "g", inputs, outputs))

    node, path = helper.make_node, tmp_path / "model.onnx"
    assert_file_error(path, b"", "not an ONNX file")
    assert_file_error(path, b"not an onnx file at all", "not an ONNX file")
    assert_file_error(path, ModelProto(), "no graph")
    assert_file_error(path, graph(node("Relu", ["h"], ["y"]), node("Relu", ["x"], ["h"])), "no earlier node computes")
    assert_file_error(path, graph(node("Relu", ["x"], ["x"])), "exists already")
    assert_file_error(path, graph(node("Relu", ["x"], ["z"])), "computed by any node")
    deep = b""
    for _ in range(10_000):  # a graph in an attribute of a node of a graph in ...
        for tag in (0x32, 0x2A, 0x0A):
            deep = bytes([tag]) + _varint(len(deep)) + deep
    assert_file_error(path, b"\x3a" + _varint(len(deep)) + deep, "not an ONNX file")


def _varint(n: int) -> bytes:
    """A number as protobuf encodes it."""
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def test_nested_functions_are_read_once(tmp_path: Path) -> None:
    """Each function calls the next twice; they are read once each, not at each call."""
    node, opsets = helper.make_node, [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)]
    info = [helper.make_tensor_value_info(name, FLOAT, [1]) for name in ("x", "y")]

    def function(i: int, to: int) -> Any:
        calls = [node(f"f{to}", ["x"], ["h"], domain="f"), node(f"f{to}", ["h"], ["y"], domain="f")]
        body = calls if to else [node("Relu", ["x"], ["y"])]
        return helper.make_function("f", f"f{i}", ["x"], ["y"], body, opsets)

    graph = helper.make_graph([node("f1", ["x"], ["y"], domain="f")], "g", info[:1], info[1:])
    chain = [function(i, (i + 1) % 30) for i in range(1, 30)]
    onnx.load(helper.make_model(graph, functions=chain, opset_imports=opsets))
    recursive = [function(1, 2), function(2, 1)]
    model = helper.make_model(graph, functions=recursive, opset_imports=opsets)
    assert_file_error(tmp_path / "m.onnx", model, "calls itself")


def loads(content: bytes) -> bool:
    """Whether `load` gives a module; otherwise it raises one of its two documented errors."""
    try:
        onnx.load(content)
    except (onnx.FileError, onnx.UnsupportedError):
        return False
    return True


def test_mutated_files_load_or_raise_documented_errors(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """With changed, removed and repeated bytes."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2), nn.LSTM(2, 2))
    data = onnx.export(net, torch.rand(1, 1, 4, 4)).SerializeToString()
    draw = random.Random(0)
    count = 30_000 if pytestconfig.getoption("--thorough") else 2000
    loaded = 0
    for _ in range(count):
        bad = bytearray(data)
        for _ in range(draw.choice((1, 1, 2, 5))):
            at, how = draw.randrange(len(bad)), draw.randrange(4)
            if how == 0:
                bad[at] = draw.randrange(256)
            elif how == 1:
                del bad[at : at + draw.choice((1, 2, 10, 1000))]
            elif how == 2:
                bad[at:at] = bad[at : at + draw.choice((1, 2, 10, 100))]
            else:
                bad[at : at + 1] = bytes([bad[at] ^ (1 << draw.randrange(8))])
            if not bad:
                break
        loaded += loads(bytes(bad))
    assert 0 < loaded < count


def fields(message: Any) -> Any:
    """Yield (message, field) for every field in a message, recursively."""
    for field, value in message.ListFields():
        yield message, field
        parts = value if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else [value]
        for part in parts:
            if hasattr(part, "ListFields"):
                yield from fields(part)


def test_mutated_fields_load_or_raise_documented_errors(pytestconfig: pytest.Config) -> None:
    """The same for well-formed messages with other numbers and names, and removed or repeated parts."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.GroupNorm(1, 2), nn.Flatten(), nn.Linear(8, 2), nn.LSTM(2, 2))
    proto = onnx.export(net, torch.rand(1, 1, 4, 4), dynamic_axes={"input": [0]})
    draw = random.Random(0)
    numbers = (0, 1, -1, 2, 31, 2**31 - 1, -(2**31), 2**62, -(2**62))
    count = 5000 if pytestconfig.getoption("--thorough") else 500
    texts = ["", "input", "0.weight", "a.b", "/Loop", "Loop", "If", "forward", "x" * 1000]
    loaded = 0
    for _ in range(count):
        bad = ModelProto()
        bad.CopyFrom(proto)
        for _ in range(draw.choice((1, 1, 3))):
            message, field = draw.choice(list(fields(bad)))
            value = getattr(message, field.name)
            try:
                if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
                    at = draw.randrange(len(value)) if len(value) else 0
                    how = draw.randrange(3)
                    if how == 0:
                        del value[at]
                    elif how == 1:
                        value.append(value[at])
                    elif not hasattr(value[at], "ListFields"):
                        value[at] = draw.choice(texts if isinstance(value[at], str) else numbers)
                elif isinstance(value, (int, float)):
                    setattr(message, field.name, draw.choice(numbers))
                elif isinstance(value, str):
                    setattr(message, field.name, draw.choice(texts))
                elif isinstance(value, bytes):
                    setattr(message, field.name, value[: draw.randrange(len(value) + 1)])
                else:
                    message.ClearField(field.name)
            except (ValueError, TypeError, IndexError):
                continue  # the field doesn't take the number
        loaded += loads(bad.SerializeToString())
    assert 0 < loaded < count


def test_truncated_files_load_or_raise_documented_errors() -> None:
    data = onnx.export(nn.Linear(2, 2), torch.rand(1, 2)).SerializeToString()
    assert 0 < sum(loads(data[:end]) for end in range(len(data))) < len(data)


def test_a_missing_file_raises_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        onnx.load(tmp_path / "nothing.onnx")
    with pytest.raises(OSError, match=r"directory|Permission"):
        onnx.load(tmp_path)
    assert os.listdir(tmp_path) == []
