"""ONNX files as modules: ONNX's own node tests, and exported models give their results and gradients after loading."""

from __future__ import annotations

import re
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import nn

package = pytest.importorskip("onnx")

from onnx import AttributeProto, TensorProto, helper, numpy_helper  # noqa: E402

from microgad import onnx  # noqa: E402
from microgad.onnx.graphs import OPERATORS, NodeError  # noqa: E402
from microgad.onnx.writer import Writer  # noqa: E402
from microgad.ops.support.bare import tensors_in  # noqa: E402

from . import nodes  # noqa: E402
from .export_cases import FUNCTIONS, LAYERS, LOSSES, Call  # noqa: E402


def test_onnx_node_tests() -> None:
    """All supported cases pass, and nodes.md lists them."""
    found, failures = [], []
    for case, why, failure in nodes.run_all():
        found.append((case.name, why))
        failures += [f"{case.name}: {failure}"] if failure else []
    assert not failures, "\n".join(failures)
    recorded = nodes.TABLE.read_text()
    if package.__version__ in recorded:
        assert nodes.table(found) == recorded, "stale: run python -m tests.onnx.nodes"


def model_of(make: Any, inputs: dict[str, Any], outputs: list[str], opset: int = 18, **constants: Any) -> Any:
    """A model of the nodes `make`, with float32 inputs of given shapes."""
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    initializers = [numpy_helper.from_array(np.asarray(x), name) for name, x in constants.items()]
    graph = helper.make_graph(make, "g", infos, results, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


@pytest.mark.parametrize("name", [*LAYERS, *LOSSES])
def test_exported_layers_load_with_their_results_and_gradients(name: str) -> None:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, args = (LAYERS | LOSSES)[name]()
        loaded = onnx.load(onnx.export(model, args).SerializeToString())
    model.eval()
    own, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    # Files don't tell parameters from buffers.
    other = {key: x for key, x in loaded.named_parameters() if key not in buffers}
    for key, parameter in other.items():
        assert own[key].shape == parameter.shape

    def results_and_gradients(module: Any, parameters: dict[str, Any]) -> Any:
        inputs = [x.clone().requires_grad_() if x.dtype.is_floating_point else x for x in args]
        out = tensors_in(module(*(x.clone() for x in inputs)))  # the model may write to its inputs
        torch.manual_seed(1)
        reals = [y for y in out if y.dtype.is_floating_point and y.requires_grad]
        total = sum((y * torch.rand(y.shape)).sum() for y in reals)
        expected = [x for x in inputs if x.requires_grad] + [parameters[key] for key in sorted(other)]
        grads = torch.autograd.grad(total, expected, allow_unused=True) if reals and expected else ()
        return out, grads

    (a, grad_a), (b, grad_b) = results_and_gradients(model, own), results_and_gradients(loaded, other)
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x.detach().numpy(), y.detach().numpy(), rtol=1e-4, atol=1e-5)
    for x, y in zip(grad_a, grad_b, strict=True):
        assert (x is None) == (y is None) or not np.any((y if x is None else x).numpy())
        if x is not None and y is not None:
            np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_exported_functions_load_with_their_results(name: str) -> None:
    torch.manual_seed(0)
    function, args = FUNCTIONS[name]
    loaded = onnx.load(onnx.export(Call(function), args))
    expected = tensors_in(function(*(x.clone() for x in args)))
    for x, y in zip(expected, tensors_in(loaded(*args)), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-4, atol=1e-5)


def test_loaded_model_trains_and_its_state_dict_loads_into_the_original() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 16, 2))
    x, y = torch.rand(4, 1, 6, 6), torch.tensor([0, 1, 1, 0])
    loaded = onnx.load(onnx.export(net, x, dynamic_axes={"input": {0: "n"}}))
    optimizer = torch.optim.SGD(loaded.parameters(), lr=0.5)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(loaded(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    missing = net.load_state_dict(loaded.state_dict(), strict=False)
    assert not missing.missing_keys
    assert not missing.unexpected_keys
    np.testing.assert_allclose(net.eval()(x).detach().numpy(), loaded(x).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_call_arguments_and_errors() -> None:
    model = onnx.load(model_of([helper.make_node("Sub", ["a", "b"], ["c"])], {"a": [2], "b": [2]}, ["c"]))
    a, b = torch.tensor([3.0, 4.0]), np.array([1.0, 1.0], np.float32)
    assert model(b=b, a=a).tolist() == model(a, b).tolist() == [2, 3]
    with pytest.raises(ValueError, match="takes the inputs a, b: b is missing"):
        model(a)
    with pytest.raises(ValueError, match="takes 2 inputs"):
        model(a, b, a)
    with pytest.raises(NodeError, match="Sub: "):
        model(a, torch.ones(3))


def test_operators_of_older_opsets_give_the_same() -> None:
    x = torch.arange(6.0).reshape(1, 2, 3)
    cases: list[tuple[Any, int, Any]] = [
        (helper.make_node("Squeeze", ["x"], ["y"], axes=[0]), 11, x.squeeze(0)),
        (helper.make_node("Unsqueeze", ["x"], ["y"], axes=[0, 4]), 11, x[None, ..., None]),
        (helper.make_node("Clip", ["x"], ["y"], min=1.0, max=3.0), 7, x.clamp(1, 3)),
        (helper.make_node("Slice", ["x"], ["y"], axes=[2], starts=[1], ends=[3]), 7, x[..., 1:3]),
        (helper.make_node("Pad", ["x"], ["y"], pads=[0, 0, 1, 0, 0, 2], value=5.0), 7,
         nn.functional.pad(x, (1, 2), value=5.0)),
        (helper.make_node("ReduceSum", ["x"], ["y"], axes=[1], keepdims=0), 11, x.sum(1)),
        (helper.make_node("Softmax", ["x"], ["y"], axis=1), 11, x.flatten(1).softmax(1).reshape(x.shape)),
        (helper.make_node("Softmax", ["x"], ["y"]), 11, x.flatten(1).softmax(1).reshape(x.shape)),
        (helper.make_node("Split", ["x"], ["y", "z"], axis=1, split=[1, 1]), 11, x[:, :1]),
        (helper.make_node("TopK", ["x"], ["y", "z"], k=2), 9, x.topk(2).values),
        (helper.make_node("Dropout", ["x"], ["y"], ratio=0.3), 7, x),
        (helper.make_node("Upsample", ["x"], ["y"], scales=[1.0, 1.0, 2.0]), 7, x.repeat_interleave(2, 2)),
    ]  # fmt: skip
    for node, opset, expected in cases:
        model = onnx.load(model_of([node], {"x": [1, 2, 3]}, ["y"], opset))
        assert (
            model(x).tolist() == pytest.approx(expected.tolist())
            if expected.ndim == 1
            else np.allclose(model(x), expected)
        )


@pytest.mark.parametrize(
    ("mode", "scale", "expected"),
    [("nearest", 0.6, [1, 3]), ("nearest", 1.5, [1, 1, 2, 3, 3, 4]),
     ("linear", 0.6, [1, 8 / 3]), ("linear", 1.5, [1, 5 / 3, 7 / 3, 3, 11 / 3, 4])],
)  # fmt: skip
def test_before_opset_11_resize_begins_at_the_first_cell(mode: str, scale: float, expected: list[float]) -> None:
    """As onnxruntime has it: nearest takes the cell before, or the one after where it makes less of them."""
    node = helper.make_node("Resize", ["x", "scales"], ["y"], mode=mode)
    model = onnx.load(model_of([node], {"x": [1, 1, 4]}, ["y"], 10, scales=np.float32([1, 1, scale])))
    assert model(torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])).flatten().tolist() == pytest.approx(expected)


def test_functions_of_a_model_are_called() -> None:
    inner = helper.make_function(
        "mine", "Twice", ["x"], ["y"],
        [helper.make_node("Constant", [], ["two"], value=numpy_helper.from_array(np.float32(2))),
         helper.make_node("Mul", ["x", "two"], ["y"])],
        [helper.make_opsetid("", 18)],
    )  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node("Twice", [a], [b], domain="mine") for a, b in ("xh", "hy")],
        "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("mine", 1)]
    model = helper.make_model(graph, functions=[inner], opset_imports=opsets)
    assert onnx.load(model)(torch.ones(1)).tolist() == [4]


@pytest.mark.parametrize("domain", ["mine", "ai.onnx"])
def test_functions_of_one_name_are_told_apart_by_their_overload(domain: str) -> None:
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("mine", 1)]
    functions = [
        helper.make_function(
            domain, "Mine", ["x"], ["y"], [helper.make_node(kind, ["x"], ["y"])], opsets, overload=kind
        )
        for kind in ("Neg", "Exp")
    ]
    nodes = [helper.make_node("Mine", ["x"], [kind], domain=domain, overload=kind) for kind in ("Neg", "Exp")]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info(kind, TensorProto.FLOAT, [1]) for kind in ("Neg", "Exp")],
    )  # fmt: skip
    model = onnx.load(helper.make_model(graph, functions=functions, opset_imports=opsets))
    assert [y.item() for y in model(torch.zeros(1))] == [0, 1]


def test_function_attributes_are_passed_to_nested_graphs() -> None:
    leaky = helper.make_node("LeakyRelu", ["x"], ["y"])
    leaky.attribute.append(AttributeProto(name="alpha", ref_attr_name="slope", type=AttributeProto.FLOAT))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "yz"]
    branches = {
        "then_branch": helper.make_graph([leaky], "then", [], ends[:1]),
        "else_branch": helper.make_graph([helper.make_node("Neg", ["x"], ["z"])], "else", [], ends[1:]),
    }
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("mine", 1)]
    inner = helper.make_function(
        "mine", "Either", ["x", "c"], ["o"], [helper.make_node("If", ["c"], ["o"], **branches)], opsets[:1], ["slope"]
    )
    inputs = [("x", TensorProto.FLOAT, [2]), ("c", TensorProto.BOOL, [])]
    graph = helper.make_graph(
        [helper.make_node("Either", ["x", "c"], [b], domain="mine", slope=s) for b, s in (("a", 0.5), ("b", 2.0))],
        "g", [helper.make_tensor_value_info(*info) for info in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "ab"],
    )  # fmt: skip
    model = onnx.load(helper.make_model(graph, functions=[inner], opset_imports=opsets))
    x = torch.tensor([-1.0, 2.0])
    assert [y.tolist() for y in model(x, torch.tensor(True))] == [[-0.5, 2.0], [-2.0, 2.0]]
    assert [y.tolist() for y in model(x, torch.tensor(False))] == [[1.0, -2.0]] * 2


def test_concurrent_calls_of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """A nested graph reads the outer values of its own run."""
    barrier = threading.Barrier(2, timeout=20)

    def meet(node: Any, x: Any) -> Any:
        barrier.wait()
        return x

    monkeypatch.setitem(OPERATORS, ("mine", "Meet"), meet)
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, []) for name in ("t", "s")]
    body = helper.make_graph(
        [helper.make_node("Meet", ["t"], ["m"], domain="mine"), helper.make_node("Mul", ["m", "y"], ["s"])],
        "body", info[:1], info[1:],
    )  # fmt: skip
    made = [helper.make_node("Neg", ["x"], ["y"]), helper.make_node("Scan", ["z"], ["o"], body=body, num_scan_inputs=1)]
    model = onnx.load(model_of(made, {"x": [], "z": [3]}, ["o"]))
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(model, torch.tensor(x), torch.arange(3.0)) for x in (-1.0, -2.0)]
        assert [x.result().tolist() for x in found] == [[0, 1, 2], [0, 2, 4]]


def test_initializer_names_that_are_no_attribute_names() -> None:
    names = ["forward", "training", "a", "a.b", "a..c", "x/y", ".".join("d" * 100), "weight", "_graph"]
    made = [helper.make_node("Sum", ["x", *names], ["y"])]
    initializers = {name: np.ones(2, np.float32) for name in names}
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "y")]
    tensors = [numpy_helper.from_array(x, name) for name, x in initializers.items()]
    model = onnx.load(helper.make_model(helper.make_graph(made, "g", infos[:1], infos[1:], tensors)))
    assert model(torch.ones(2)).tolist() == [10, 10]
    assert len(list(model.parameters())) == len(names)


def test_unsupported_operators_are_named() -> None:
    nodes_ = [
        helper.make_node("ImageDecoder", ["x"], ["y"], "eye"),
        helper.make_node("Odd", ["y"], ["z"], domain="their.own"),
    ]
    with pytest.raises(NotImplementedError, match=re.escape("ImageDecoder (node 'eye'), their.own.Odd")):
        onnx.load(model_of(nodes_, {"x": [1]}, ["z"]))


def test_gradient_through_a_loop() -> None:
    body = helper.make_graph(
        [helper.make_node("Mul", ["v", "w"], ["v2"]), helper.make_node("Identity", ["on"], ["on2"])], "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []),
         helper.make_tensor_value_info("on", TensorProto.BOOL, []),
         helper.make_tensor_value_info("v", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("on2", TensorProto.BOOL, []),
         helper.make_tensor_value_info("v2", TensorProto.FLOAT, [1])],
    )  # fmt: skip
    made = [helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)]
    model = onnx.load(model_of(made, {"x": [1]}, ["y"], n=np.array(3), w=np.array([2.0], np.float32)))
    model(torch.tensor([5.0])).backward()
    assert model.w.grad.tolist() == [60]


def test_long_graphs_load_in_linear_time() -> None:
    count = 10_000
    made = [helper.make_node("Neg", [f"x{i}"], [f"x{i + 1}"]) for i in range(count)]
    model = model_of(made, {"x0": [1]}, [f"x{count}"])
    started = time.process_time()
    loaded = onnx.load(model)
    assert time.process_time() - started < 3  # takes 0.4 s; quadratic time would be 9 s
    assert loaded(torch.ones(1)).tolist() == [1]
    writer, started = Writer(18), time.process_time()
    names = {writer.named(name) for name in ("/Add", "/Add_7") for _ in range(count)}
    assert time.process_time() - started < 1  # takes 0.02 s; quadratic time would be 15 s
    assert len(names) == 2 * count


def _node_on(kind: str, *inputs: Any, **attributes: Any) -> Any:
    """The results of one node, loaded in opset 19 unless it is given."""
    opset, outputs = attributes.pop("opset", 19), attributes.pop("outputs", ["y"])
    arrays = {f"x{i}": np.asarray(x) for i, x in enumerate(inputs)}
    node = helper.make_node(kind, list(arrays), outputs, **attributes)
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
        for name, x in arrays.items()
    ]
    graph = helper.make_graph([node], "g", infos, [helper.make_empty_tensor_value_info(name) for name in outputs])
    model = onnx.load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]))
    return model(*map(torch.as_tensor, arrays.values()))


def test_nodes_on_empty_batches() -> None:
    x = np.zeros((0, 3), np.float32)
    assert _node_on("Softmax", x, axis=1, opset=11).shape == (0, 3)
    for mode in ("constant", "edge", "reflect", "wrap"):
        assert _node_on("Pad", x, np.array([0, 1, 0, 2]), mode=mode).shape == (0, 6), mode
    assert _node_on("CumSum", x, np.array(0), exclusive=1).shape == (0, 3)
    for kind, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):  # no steps leave the initial states, which are 0
        weights = [np.ones((1, 2 * gates, n), np.float32) for n in (3, 2)]
        outs, last = _node_on(kind, x[:, None], *weights, hidden_size=2, outputs=["y", "last"])
        assert outs.shape == (0, 1, 1, 2)
        assert last.tolist() == [[[0, 0]]], kind
    assert _node_on("Col2Im", x[:, None].repeat(4, 1), np.array([2, 4]), np.array([2, 2])).shape == (0, 1, 2, 4)
    assert _node_on("ScatterND", x.T, np.array([[1]]), x.T[:1], reduction="max").shape == (3, 0)
    rows = np.zeros((0, 5, 4), np.float32)
    assert _node_on("Attention", rows, rows, rows, q_num_heads=2, kv_num_heads=2, opset=23).shape == rows.shape


def test_zeros_of_nodes_do_not_come_of_infinity_times_zero() -> None:
    x = np.array([-np.inf, 0.25, 2], np.float32)
    assert _node_on("CumSum", x[::-1] * -1, np.array(0), exclusive=1).tolist() == [0, -2, -2.25]
    assert _node_on("CumProd", -x, np.array(0), exclusive=1, opset=26).tolist() == [1, np.inf, -np.inf]
    assert _node_on("ThresholdedRelu", x).tolist() == [0, 0, 2]
    assert _node_on("Shrink", -x, lambd=0.5).tolist() == [np.inf, 0, -2]
    assert _node_on("Shrink", np.array([-1, 0, 1])).tolist() == [-1, 0, 1]


def test_edge_cases_as_onnxruntime_has_them() -> None:
    """Negative steps from before the start, zeros quantized, and negative padding: of more than there is, wrapped."""
    x = np.arange(6, dtype=np.float32)
    assert _node_on("Slice", x, *map(np.array, ([-10], [-20], [0], [-1]))).tolist() == [0]
    assert _node_on("Slice", x[:0], *map(np.array, ([-10], [-20], [0], [-1]))).tolist() == []
    assert [_node_on("Pad", x, np.array([-7, n])).tolist() for n in (1, 8)] == [[], [0] * 7]
    assert _node_on("Pad", x, np.array([2, -3]), mode="wrap").tolist() == [1, 2, 0, 1, 2]
    quantized = _node_on("DynamicQuantizeLinear", x[:1], outputs=["y", "scale", "zero"])
    assert [y.tolist() for y in quantized] == [[0], 1, 0]


def test_windows_of_an_even_size_and_thresholds() -> None:
    """LRN's window reaches farther to later channels. A score equal to NonMaxSuppression's threshold is too low."""
    x = np.array([1, 2, 3], np.float32).reshape(1, 3, 1)
    found = _node_on("LRN", x, size=2, alpha=2.0, beta=1.0, bias=0.0)
    np.testing.assert_allclose(found.flatten().tolist(), [1 / 5, 2 / 13, 3 / 9], rtol=1e-6)
    boxes, scores = np.array([[[0, 0, 1, 1], [2, 2, 3, 3]]], np.float32), np.array([[[0.5, 0.75]]], np.float32)
    most, overlap, least = np.array([9]), np.array([0.5], np.float32), np.array([0.5], np.float32)
    assert _node_on("NonMaxSuppression", boxes, scores, most, overlap, least).tolist() == [[0, 0, 1]]


def test_zero_points_of_rows_and_columns() -> None:
    a, b = np.array([[5, 7, 9], [1, 2, 3]], np.uint8), np.array([[1, 2], [3, 4], [5, 6]], np.uint8)
    rows, columns = np.array([5, 1], np.uint8), np.array([1, 2], np.uint8)
    assert _node_on("MatMulInteger", a, b, rows, columns).tolist() == [[20, 20], [10, 10]]


def test_nodes_with_settings_that_no_test_of_onnx_has() -> None:
    """Unique in the order of appearance, factors of groups, masks shorter than the keys, axes, norms of integers."""
    parts = _node_on("Unique", np.array([2, 3, 1, 2]), sorted=0, outputs=["y", "first", "inverse", "counts"])
    assert [y.tolist() for y in parts] == [[2, 3, 1], [0, 1, 2], [0, 1, 2, 0], [2, 1, 1]]
    x = np.array([1, 3, 5, 9], np.float32).reshape(1, 4, 1)
    factors = np.array([1, 3], np.float32)
    found = _node_on("GroupNormalization", x, factors, factors - 1, num_groups=2, epsilon=0.0, opset=18)
    np.testing.assert_allclose(found.flatten().tolist(), [-1, 1, -1, 5], rtol=1e-6)
    rows, mask = np.random.default_rng(0).random((1, 1, 3, 2), np.float32), np.array([[0, 1]] * 3, np.float32)
    expected = _node_on("Attention", rows, rows[:, :, :2], rows[:, :, :2], mask, opset=23)
    assert torch.equal(_node_on("Attention", rows, rows, rows, mask, opset=23), expected)
    assert _node_on("MeanVarianceNormalization", x[:, :2], axes=[1, 2]).flatten().tolist() == [-1, 1]
    assert _node_on("ReduceL2", np.array([[3, 4], [30_000_001, 0]]), np.array([1]), keepdims=0).tolist() == [
        5,
        30_000_001,
    ]
