"""The tape of a graph: the operations, sources and kept arrays that it describes, and that it keeps no memory alive."""

from __future__ import annotations

import dataclasses
import time
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad as torch
from microgad import state
from microgad.graph import graph
from microgad.graph.tape import Op, Tape
from microgad.utils.checkpoint import checkpoint


class SinCos(torch.Function):
    """Two results."""

    def forward(self, x):
        return np.sin(x), np.cos(x)

    def grad_x(self, grad, out):
        return grad[0] * out[1] - grad[1] * out[0]


class Masked(torch.Function):
    """An operation with an array as a setting, which it keeps for backward, as dropout does."""

    def forward(self, x):
        return x * self.mask * self.scale

    def grad_x(self, grad):
        return Masked.apply(grad, mask=self.mask, scale=self.scale)


def leaf(*shape: int, **options) -> torch.Tensor:
    return torch.ones(*shape, requires_grad=True, **options)


def tape(*tensors, params=None) -> Tape:
    return graph(*tensors, params=params).tape


def test_operations_come_oldest_first_with_symbol_shape_and_inputs():
    x, y = leaf(3, 1), leaf(4)
    found = tape((x * y).exp().sum(0))
    assert [(op.name, op.symbol, op.shapes) for op in found] == [
        ("Mul", "×", [(3, 4)]),
        ("Exp", "exp", [(3, 4)]),
        ("Sum", "Σ", [(4,)]),
    ]
    mul, exp, _ = found.ops
    assert [(i.name, i.source, i.shape, i.dtype) for i in mul.inputs] == [
        ("a", x.node.number, (3, 1), "float32"),
        ("b", y.node.number, (4,), "float32"),
    ]
    assert found[exp.inputs[0].source] is mul
    assert found.results[0].source == found.ops[-1].number
    assert found.ops[-1].settings["axis"] == 0


def test_kept_arrays_have_role_bytes_and_owner():
    x, w = leaf(2, 3), leaf(3, 4)
    product = (x * 1.0) @ w
    _, matmul, exp = tape(product.exp())
    a, b = matmul.kept
    assert (a.name, a.role, a.shape, a.bytes, a.leaf) == ("a", "input", (2, 3), 24, None)
    assert (b.name, b.role, b.shape, b.bytes, b.leaf) == ("b", "input", (3, 4), 48, w.node.number)
    assert matmul.bytes == 24, "the leaf's memory is there anyway"
    assert [(k.name, k.role, k.bytes) for k in exp.kept] == [("out", "output", 32)]


def test_an_array_kept_by_two_operations_counts_once():
    h = leaf(8) * 1.0
    found = tape(h.exp().log(), h.tanh() * h)  # log and exp keep one array, and so do the two inputs of the last
    assert sum(op.bytes for op in found) == 4 * 32 + 32
    assert found.bytes == 3 * 32


def test_a_kept_view_counts_as_the_memory_that_it_holds():
    big = torch.ones(100, 10) * leaf(1)
    assert tape(big[:2].log()).ops[-1].kept[0].bytes == 4000
    wide = (leaf(1) * 2.0).expand(1000)
    assert tape(wide.log()).ops[-1].kept[0].bytes == 4
    thirds = (leaf(6) * 2.0).chunk(3)  # disjoint parts of one array, as attention's query, key and value are
    found = tape(*(part.log() for part in thirds))
    assert (found.bytes, found.memory().held) == (24, 24)


def test_settings_that_are_arrays_are_kept_arrays():
    mask = np.array([True, False, True])
    (op,) = tape(Masked.apply(leaf(3), mask=mask, scale=2.0))
    assert op.settings == {"mask": "bool (3,)", "scale": 2.0}
    assert [(k.name, k.role, k.shape, k.dtype, k.bytes) for k in op.kept] == [("mask", "setting", (3,), "bool", 3)]
    (op,) = tape(leaf(4)[torch.tensor([0, 2])])
    assert [(k.name, k.bytes) for k in op.kept] == [("index[0]", 16)]


def test_constants_are_sources_only_if_they_are_kept():
    x, c = leaf(3), torch.full((3,), 2.0)
    found = tape((x * c) * c + c)
    (source,) = [s for s in found.sources if s.kind == "constant"]  # one array, one source
    assert (source.shape, source.dtype, source.number) == ((3,), "float32", -1)
    first, second, add = found
    assert first.inputs[1].source == second.inputs[1].source == -1
    assert (add.inputs[1].source, add.inputs[1].shape) == (None, None)


def test_values_of_python_numbers_and_scalars_are_recorded():
    x = torch.tensor(3.0, requires_grad=True)
    found = tape(x * 2.5)
    (op,) = found
    assert (op.inputs[1].source, op.inputs[1].value) == (None, 2.5)
    assert found.sources[0].value == 3.0
    assert found.results[0].value == 7.5


def test_numbers_are_known_after_backward_and_in_a_checkpoint():
    x = torch.ones(3, requires_grad=True)
    y = (x**2 * 0.1).sum()
    y.backward()
    shared = checkpoint(lambda x: (2 ** (x**2 * 0.1)).sum(), x, use_reentrant=False)
    before = tape(shared)
    shared.backward()
    for found in (tape(y), before, tape(shared)):
        assert [op.inputs[1].value for op in found.ops[:2]] == [2, 0.1]
        assert [source.kind for source in found.sources] == ["leaf"]
    assert "p = 2" in graph(y).source


def test_an_operation_with_several_results_is_one_entry():
    s, c = SinCos.apply(leaf(5))
    found = tape(s + c, c)
    assert [op.name for op in found] == ["SinCos", "Add"]
    assert [(i.source, i.index) for i in found.ops[1].inputs] == [(found.ops[0].number, 0), (found.ops[0].number, 1)]
    assert found.ops[0].shapes == [(5,), (5,)]
    assert (found.results[1].source, found.results[1].index) == (found.ops[0].number, 1)
    assert [k.name for k in found.ops[0].kept] == ["out[0]", "out[1]"]


def test_an_autograd_function_has_its_name_and_what_it_saved():
    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, k):
            out = x * k
            ctx.save_for_backward(x, None, out)
            return out

        @staticmethod
        def backward(ctx, grad):
            return grad, None

    (op,) = tape(Scaled.apply(leaf(3), 2.0))
    assert (op.name, op.settings, [i.name for i in op.inputs]) == ("Scaled", {}, ["x", "k"])
    assert [(k.name, k.role, k.bytes) for k in op.kept] == [
        ("saved[0]", "intermediate", 12),
        ("saved[2]", "output", 12),
    ]


def test_inputs_of_an_autograd_function_have_the_names_of_its_forward():
    class Sum(torch.autograd.Function):
        @staticmethod
        def forward(first, *others):
            return first + sum(others)

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def backward(ctx, grad):
            return grad, grad.new_zeros(7), grad

    y = Sum.apply(leaf(3), leaf(3), leaf(3))
    (op,) = tape(y)
    assert [i.name for i in op.inputs] == ["first", "others[0]", "others[1]"]
    with pytest.raises(RuntimeError, match=r"Sum: its derivative for others\[0\] has shape \(7,\)"):
        y.sum().backward()


def test_sources_are_named_by_params_by_the_tensor_or_by_the_argument():
    x, y = torch.ones(2), leaf(2)
    y.name = "y"
    w, b = torch.Parameter(torch.ones(4, 2)), torch.Parameter(torch.ones(4))
    with state.scope(path="net.0"):
        from microgad.ops.linalg import Linear

        out = Linear.apply(x * y, w, b)
    found = {s.number: s for s in tape(out).sources}
    assert found[w.node.number].name == "net.0.weight"
    assert found[b.node.number].name == "net.0.bias"
    assert found[y.node.number].name == "y"
    assert found[w.node.number].kind == "parameter"
    assert found[y.node.number].kind == "leaf"
    mine = locals()
    named = tape(out, params=mine)
    assert {s.name for s in named.sources} == {"x", "y", "w", "b"}
    assert named.results[0].name == "out"


def test_the_input_of_a_layer_is_called_input():
    x, w = leaf(1, 1, 3, 3), torch.Parameter(torch.ones(1, 1, 2, 2))
    with state.scope(path="net.0"):
        kept = tape(torch.nn.functional.conv2d(x, w))
        constant = tape(torch.nn.functional.conv2d(torch.ones(1, 1, 3, 3), w))
    assert {s.name for s in kept.sources} == {"input", "net.0.weight"}
    assert {s.name for s in constant.sources} == {"input", "net.0.weight"}


@pytest.mark.parametrize(("layer", "states"), [(torch.nn.LSTM, ["hx", "cx"]), (torch.nn.GRU, ["hx"])])
def test_zero_initial_states_are_not_called_input(layer, states):
    model = layer(3, 4)
    names = [s.name for s in tape(model(torch.ones(5, 2, 3))[0], params=model).sources if s.kind == "constant"]
    assert sorted(names) == sorted(["input", *states])


def test_layers_name_their_parameters_and_dropout_is_one_operation():
    nn = torch.nn
    body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    model = nn.Sequential(body, nn.Sequential(nn.Linear(18, 4), nn.Dropout()))
    out = model(torch.randn(5, 1, 8, 8))
    found = tape(out)
    assert {s.name for s in found.sources} == {"input", *dict(model.named_parameters())}
    assert [(op.name, op.path) for op in found] == [
        ("Conv2d", "0.0"), ("Relu", "0.1"), ("MaxPool2d", "0.2"), ("Reshape", "0.3"),
        ("Linear", "1.0"), ("Dropout", "1.1"),
    ]  # fmt: skip
    assert {s.name: s.kind for s in tape(out, params=model).sources} == {s.name: s.kind for s in found.sources}


def test_params_may_be_a_module():
    w, frozen = torch.Parameter(torch.ones(2)), torch.ones(2)

    class Net:
        def named_parameters(self):
            return iter([("w", w)])

        def named_buffers(self):
            return iter([("scale", frozen)])

    assert {(s.kind, s.name) for s in tape(w * frozen, params=Net()).sources} == {
        ("parameter", "w"),
        ("constant", "scale"),
    }


def test_after_backward_kept_arrays_are_freed_and_the_rest_remains():
    x = leaf(3)
    y = (x * torch.full((3,), 2.0)).exp()
    before = tape(y)
    y.backward(torch.ones(3))
    after = tape(y)
    assert [op.freed for op in after] == [True, True]
    assert after.bytes == 0
    for a, b in zip(before, after, strict=True):
        assert (a.name, a.number, a.shapes, a.path) == (b.name, b.number, b.shapes, b.path)
    (constant,) = [s for s in after.sources if s.kind == "constant"]  # its array is freed, so its shape is unknown
    assert (constant.shape, constant.dtype) == (None, None)


def test_gradients_of_first_and_second_order_have_graphs():
    x = leaf(3)
    (first,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
    for gradient in (first, second):
        found = tape(gradient)
        assert len(found) > 1
        assert x.node.number in {i.source for op in found for i in op.inputs}


def test_writes_in_place_through_views_are_on_the_tape():
    base = leaf(4) * 1.0
    view = base[1:3]
    view.mul_(2.0)
    names = [op.name for op in tape(base)]
    assert names == ["Mul", "GetItem", "Mul", "RegionWrite"]
    region = tape(base).ops[-1]
    assert [i.name for i in region.inputs] == ["base", "value"]


@pytest.mark.host("as many nodes, whatever their arrays are")
def test_a_chain_of_30_000_operations_is_read_without_recursion():
    x = torch.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(30_000):
        y = y + x
    assert len(tape(y)) == 30_000


@pytest.mark.host("as many nodes, whatever their arrays are")
def test_20_000_operations_are_read_in_well_under_a_second():
    x = leaf(3)
    y = x
    for _ in range(10_000):
        y = (y * 1.001).tanh()
    started = time.process_time()
    found = tape(y)
    assert time.process_time() - started < 1.0
    assert len(found) == 20_000


def test_a_tape_holds_no_array_and_no_node():
    x = leaf(1000)
    y = ((x * torch.ones(1000)).exp() * 2.0).sum()
    watched = [weakref.ref(thing) for thing in (x, x.array, y.array, y.node, y.node.edges[0])]
    found = tape(y, params={"x": x})
    del x, y
    assert [ref() for ref in watched] == [None] * 5
    assert found.sources[0].name == "x"
    for record in (*found.ops, *found.sources, *found.results):
        assert_plain(dataclasses.asdict(record))


def assert_plain(value) -> None:
    if isinstance(value, dict):
        for x in value.values():
            assert_plain(x)
    elif isinstance(value, (list, tuple)):
        for x in value:
            assert_plain(x)
    else:
        assert value is None or type(value) in (int, float, str, bool), type(value)


def test_a_leaf_whose_tensor_was_deleted_has_no_name():
    x = leaf(2)
    x.name = "x"
    y = x.exp()
    del x
    (source,) = tape(y).sources
    assert (source.kind, source.name, source.shape) == ("leaf", "", (2,))


def test_a_leaf_alone_is_a_graph():
    x = leaf(2)
    found = tape(x)
    assert (len(found), found.results[0].source) == (0, x.node.number)


def test_tensors_without_a_graph_are_an_error_that_says_why():
    with pytest.raises(
        RuntimeError, match=r"Tensor 1 of shape \(2,\) has no graph: nothing that led to it requires grad"
    ):
        graph(leaf(1), torch.ones(2))
    with pytest.raises(TypeError, match="argument 0 is of type ndarray"):
        graph(np.ones(2))
    with pytest.raises(RuntimeError, match="at least one Tensor"):
        graph()
    with pytest.raises(TypeError, match="params must be a module or a dict of names to Tensors, got list"):
        graph(leaf(1), params=[leaf(1)])


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "mul", "tanh", "sincos", "number"]), st.integers(0), st.integers(0)),
        max_size=30,
    )
)
def test_the_tape_of_a_random_program_matches_its_nodes(program):
    tensors = [leaf(2), leaf(2), torch.ones(2)]
    for name, i, j in program:
        a, b = tensors[i % len(tensors)], tensors[j % len(tensors)]
        if name == "sincos":
            tensors += SinCos.apply(a)
        else:
            tensors.append({"add": a + b, "mul": a * b, "tanh": a.tanh(), "number": a * 2.0}[name])
    last = [t for t in tensors if t.node is not None][-3:]
    found = tape(*last)

    reached = {}

    def walk(node):
        if node is not None and node.number not in reached:
            reached[node.number] = node
            for edge in node.edges:
                walk(edge)

    for t in last:
        walk(t.node)
    nodes = {n: node for n, node in reached.items() if type(node).__name__ not in ("AccumulateGrad", "Output")}
    assert [op.number for op in found] == sorted(nodes)
    for op in found:
        node = nodes[op.number]
        assert op.name == type(node).__name__
        for x, edge in zip(op.inputs, node.edges, strict=True):
            if edge is None:
                assert x.source is None or x.source < 0
                continue
            assert x.shape == edge.shape
            assert x.source == (edge.edges[0].number if type(edge).__name__ == "Output" else edge.number) < op.number
            source = found[x.source]
            assert x.shape == (source.shapes[x.index] if isinstance(source, Op) else source.shape)


def test_a_tensor_gives_its_graph():
    x = leaf(2)
    found = (x * 2.0).graph(params={"x": x}, depth=1)
    assert found.tape.sources[0].name == "x"
