"""The table of a graph, and the titles, sizes and settings that it shares with drawings."""

from __future__ import annotations

import functools

import pytest

import microgad as torch
from microgad import nn, state
from microgad.graph import graph, text
from microgad.graph.recording.node_reader import plain_setting
from microgad.graph.tape import Op, Tape
from microgad.nn import functional as F
from microgad.ops.window import conv, pool


def test_a_table_has_a_line_for_each_operation():
    x = torch.ones(256, 2, requires_grad=True, dtype=torch.float64)
    with state.scope(path="net.0"):
        y = x.exp()
    assert str(graph(y.sum(), params={"x": x})).splitlines() == [
        "#  operation  module  result            keeps    bytes",
        "0  Exp        net.0   (256, 2) float64  out    4.0 KiB",
        "1  Σ Sum              scalar float64",
        "2 operations, 1 leaf; 4.0 KiB kept for backward",
    ]


def test_a_long_table_leaves_out_its_middle():
    y = torch.ones(2, requires_grad=True)
    for _ in range(1000):
        y = y + 1.0
    lines = str(graph(y)).splitlines()
    assert len(lines) == 1 + 60 + 1 + 1
    assert lines[31] == "... 940 more ..."
    assert [lines[i].split()[0] for i in (1, 30, 32, 61)] == ["0", "29", "970", "999"]


def test_the_table_of_a_freed_graph_says_so():
    x = torch.ones(2, requires_grad=True)
    y = x.exp().sum()
    y.backward()
    assert "freed" in str(graph(y)).splitlines()[1]
    assert str(graph(y)).endswith("2 operations, 1 leaf; what was kept is freed")


def test_repr_is_one_line():
    w = torch.Parameter(torch.ones(3))
    assert repr(graph(w * 2.0)) == "<Graph: 1 operation, 3 parameters in 1 array; 0 B kept for backward>"


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1 << 20, "1.0 MiB"),
        (1023 * 1024, "1.0 MiB"),
        (5 << 40, "5,120.0 GiB"),
    ],
)
def test_sizes_are_written_in_binary_units(count, expected):
    assert text.size(count) == expected


def last(tensor) -> Op:
    return graph(tensor).tape.ops[-1]


def test_settings_that_differ_from_their_defaults_are_written():
    x = torch.ones(1, 2, 8, 8, requires_grad=True)
    w = torch.ones(4, 2, 3, 3, requires_grad=True)
    assert text.settings(last(conv.conv2d(x, w))) == ["kernel 3"]
    strided = conv.conv2d(x, w, stride=(1, 2), padding=1, dilation=2)
    assert text.settings(last(strided)) == ["kernel 3", "stride (1, 2)", "padding 1", "dilation 2"]
    assert text.settings(last(pool.max_pool2d(x, 2))) == ["kernel 2", "stride 2"]
    assert text.settings(last(x.sum((0, 2), keepdim=True))) == ["axis (0, 2)", "keepdims"]
    attended = torch.nn.functional.scaled_dot_product_attention(x, x, x)
    assert text.settings(last(attended)) == ["scale 0.3536"]
    assert text.settings(last(x.sum())) == []
    assert text.settings(last(x[0, :, 1:3])) == ["[0, :, 1:3]"]
    assert text.settings(last(x[..., None])) == ["[..., None]"]
    assert text.settings(last(x[0, [0, 1]])) == ["[0, int64 (2,)]"]
    assert text.settings(last(x.reshape(2, 64))) == []
    assert text.settings(last(x.clone())) == text.settings(last(torch.cat([x, x]).double().tril())) == []
    assert text.settings(last(torch.cat([x, x], 1))) == ["axis 1"]
    assert text.settings(last(x.permute(1, 0, 2, 3))) == ["order (1, 0, 2, 3)"]
    assert text.settings(last(torch.einsum("ijkl,mjkl->im", x, x))) == ["ijkl,mjkl → im"]
    assert text.settings(graph(nn.GRUCell(8, 3)(x[0, 0])).tape["Gru", 0]) == []
    written = x.clone()
    written[0].mul_(2)
    assert text.settings(last(written)) == ["GetItem"]


def test_settings_are_plain_data_that_is_the_same_in_every_run():
    x = torch.ones(1, 1, 6, 6, requires_grad=True)
    resized = nn.functional.interpolate(x, 4, mode="bilinear", align_corners=True)
    assert last(resized).settings["matrix"]["cells"] == "int64 (2, 4)"
    mapped = torch.func.vmap(torch.exp)(x)
    assert last(mapped).settings == {"level": "of 1 slices", "dim": 0}
    assert plain_setting((object(), nn.functional.relu, str)) == ("object", "relu", "str")
    assert plain_setting(functools.partial(nn.functional.relu, 1)) == "functools.partial(<function relu>, 1)"
    assert plain_setting({"b", "a", "c"}) == ("a", "b", "c")


@pytest.mark.parametrize("name", ["max", "min", "median", "nanmedian", "kthvalue", "mode", "sort", "topk"])
def test_what_picks_elements_is_named_after_its_function(name):
    x = torch.rand(3, 4, requires_grad=True)
    more = (2,) if name in ("kthvalue", "topk") else ()
    y = getattr(x, name)(*more, dim=1)[0]
    assert text.title(last(y)) == f"{name} Pick"
    assert f"{name} Pick" in graph(y).source


@pytest.mark.parametrize(
    ("title", "function"),
    [
        ("leaky_relu PRelu", lambda x: F.leaky_relu(x, 0.2)),
        ("PRelu", lambda x: F.prelu(x, torch.tensor([0.2]))),
        ("relu6 Hardtanh", F.relu6),
        ("relu6 Hardtanh", lambda x: F.relu6(x * 1, inplace=True)),
        ("Hardtanh", F.hardtanh),
        ("celu Elu", F.celu),
        ("selu Elu", F.selu),
        ("Elu", F.elu),
        ("masked_fill SetItem", lambda x: x.masked_fill(x > 0, -torch.inf)),
        ("[ ]= SetItem", lambda x: x.index_fill(0, torch.tensor([1]), 2)),
    ],
)
def test_operations_that_are_several_functions_are_named_after_them(title, function):
    y = function(torch.tensor([1.0, -2.0], requires_grad=True))
    assert text.title(last(y)) == title


def test_a_matrix_times_a_vector_reads_no_weight():
    x = torch.ones(3, requires_grad=True)
    op = last(torch.ones(2, 3) @ x)
    assert (text.title(op), [given.name for given in op.inputs]) == ("@ Mv", ["a", "b"])


def test_what_computes_nothing_is_called_after_what_it_is_for():
    net = torch.nn.Linear(2, 2)
    net.register_full_backward_hook(lambda *_: None)
    with torch.record() as tape:
        net(torch.ones(1, 2, requires_grad=True))
        torch.func.grad(torch.sum)(torch.ones(2, requires_grad=True))
    assert [text.title(op) for op in tape][:4] == ["backward hook", "Linear", "backward hook", "argument of torch.func"]
    assert text.settings(tape.ops[0]) == []


def test_long_settings_are_cut():
    x = torch.ones(*[1] * 20, requires_grad=True)
    (setting,) = text.settings(last(x.permute(*range(20))))
    assert len(setting) == 40
    assert setting.endswith("…")


@pytest.mark.parametrize(
    ("name", "symbol", "expected"),
    [("Mul", "×", "× Mul"), ("Conv2d", "conv2d", "Conv2d"), ("MaxPool2d", "max_pool2d", "MaxPool2d"),
     ("Mine", "", "Mine"), ("SumAdjoint", "", "Sumᵀ")],
)  # fmt: skip
def test_titles_of_operations(name, symbol, expected):
    assert text.title(Op(0, name, symbol, "", {}, [], [()], ["float32"], [], False)) == expected


def test_a_line_break_in_a_name_is_escaped():
    net = nn.Module()
    net.add_module("a\nb", nn.Linear(2, 1))
    with torch.record(params=net) as tape:
        net.get_submodule("a\nb")(torch.ones(1, 2)).sum().backward()
    for shown in (text.table(tape), tape.table(), tape.table(by="module"), tape.tree()):
        assert r"a\nb" in str(shown)
        assert "a\nb" not in str(shown)


def test_the_table_counts_what_one_of_two_backward_passes_freed():
    x = torch.ones(4, requires_grad=True)
    y = x.exp()
    left, right = y.sin(), y.cos()
    left.sum().backward()
    assert str(graph(left, right)).endswith("3 operations, 1 leaf; 16 B kept for backward, the rest is freed")


def test_results_of_queries_have_readable_reprs():
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    with torch.record(replay=True, stats=True, params={"x": x}) as tape:
        (x.log() * 0).sum().backward()
    other = torch.trace(lambda x: x.exp().sum(), torch.ones(2))
    memory, diff, bad = tape.memory(), tape.diff(other), tape.first_bad()
    for result in (memory, *memory.checkpoints, diff, *diff.differences, bad, tape.why_no_grad("x")):
        assert repr(result) == str(result)
    assert repr(tape.replay()) == f"<Replay of {tape!r}>"
    program = tape.program()
    assert repr(program) == f"<Program: {len(program.text.splitlines())} lines>"


def test_why_no_grad_of_a_leaf_with_a_gradient_says_whether_a_backward_pass_gave_it():
    for recorded, expected in ((False, "nothing cuts the path from x"), (True, "x gets a gradient: the recorded")):
        x = torch.ones(2, requires_grad=True)
        with torch.record(params={"x": x}) as tape:
            loss = (x * 3).sum()
            if recorded:
                loss.backward()
        assert str(tape.why_no_grad("x")).startswith(expected)
        assert not tape.why_no_grad("x")


def test_why_no_grad_on_an_empty_tape():
    with torch.record(params={"w": torch.ones(2)}) as tape:
        pass
    assert str(tape.why_no_grad("w")) == "w gets no gradient: no operation on the tape reads it"
    leaf = graph(torch.ones(2, requires_grad=True)).tape
    assert str(leaf.why_no_grad(leaf.sources[0])).startswith("the leaf of shape (2,) gets no gradient: no operation")


@pytest.mark.parametrize("named", [True, False])
def test_the_gradient_that_a_step_by_hand_reads_is_called_after_its_leaf(named):
    w = torch.ones(2, requires_grad=True)
    with torch.record(replay=True, params={"w": w} if named else None) as tape:
        (w * w).sum().backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
    assert tape.verify()
    for same in (tape, Tape.from_json(tape.to_json())):
        assert [text.called(source) for source in same.sources] == (["w", "w.grad"] if named else ["leaf", "leaf.grad"])


def test_a_leaf_with_two_values_counts_once():
    w = torch.ones(2, requires_grad=True)
    with torch.record() as tape:
        w * 2
        w.data = torch.zeros(2)
        w * 3
    assert [source.version for source in tape.sources] == [1, 2]
    assert str(tape).splitlines()[-1].startswith("2 operations, 1 leaf; ")
