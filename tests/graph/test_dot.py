"""The DOT source of a drawing: boxes, labels, edges, clusters and legend."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import graphviz
import numpy as np
import pytest

import microgad as torch
from microgad import state
from microgad.graph import Graph, Tape, graph
from microgad.graph.drawing.dot import is_view
from microgad.graph.drawing.styles import LIGHT
from microgad.graph.pages.page_data import page_data
from microgad.ops.linalg import Linear


class Drop(torch.Function):
    """Dropout with a given mask."""

    symbol = "dropout"

    def forward(self, x):
        return x * self.mask * self.scale

    def grad_x(self, grad):
        return Drop.apply(grad, mask=self.mask, scale=self.scale)


def network() -> tuple[torch.Tensor, dict[str, torch.Parameter]]:
    """features.0: Linear, features.1: Relu, head: Drop and Linear, then a mean outside of all."""
    p = {
        "features.0.weight": torch.Parameter(torch.ones(4, 3)),
        "features.0.bias": torch.Parameter(torch.ones(4)),
        "head.weight": torch.Parameter(torch.ones(2, 4)),
    }
    with state.scope(path="features.0"):
        h = Linear.apply(torch.ones(5, 3), p["features.0.weight"], p["features.0.bias"])
    with state.scope(path="features.1"):
        h = h.relu()
    with state.scope(path="head"):
        h = Drop.apply(h, mask=np.ones_like(h.array, bool), scale=2.0)
        h = Linear.apply(h, p["head.weight"], None)
    return h.mean(), p


def edges(drawn: Graph) -> list[tuple[str, str, str]]:
    """(tail, head with port, label) of each edge."""
    found = re.findall(r'^\t(\w+) -> ([\w:]+) \[label="([^"]*)"', drawn.source, re.MULTILINE)
    return [(tail, head, label.strip()) for tail, head, label in found]


def labels(drawn: Graph) -> dict[str, str]:
    """The text of each box's label."""
    found = re.findall(r"^\s*((?:op|source|result|module)\d+) \[label=<(.*?)>(?: \w+=|\])", drawn.source, re.MULTILINE)
    return {name: " ".join(re.sub(r"<[^>]*>|&#160;", " ", label).split()) for name, label in found}


def test_a_drawing_is_a_digraph_of_graphviz():
    assert isinstance(graph(network()[0]).dot, graphviz.Digraph)


def test_labels_and_edges_of_a_network():
    loss, p = network()
    drawn = graph(loss, params=p | {"loss": loss})
    words = labels(drawn)
    assert words == {
        "op0": "x weight bias Linear keeps 60 B",
        "op1": "Relu module features.1 out keeps 80 B",
        "op2": "dropout Drop scale 2 mask (5, 4) bool keeps 20 B",
        "op3": "x weight bias Linear keeps 80 B",
        "op4": "Mean",
        "source0": "features.0.weight",
        "source1": "features.0.bias",
        "source2": "head.weight",
        "source3": "input",
        "result0": f"loss {loss.item():.4g}",
    }
    assert sorted(edges(drawn)) == [
        ("op0", "op1", "(5, 4)"),
        ("op1", "op2", "(5, 4)"),
        ("op2", "op3:0:n", "(5, 4)"),
        ("op3", "op4", "(5, 2)"),
        ("op4", "result0", "scalar"),
        ("source0", "op0:1:n", "(4, 3)"),
        ("source1", "op0:2:n", "(4,)"),
        ("source2", "op3:1:n", "(2, 4)"),
        ("source3", "op0:0:n", "(5, 3)"),
    ]


def test_an_operation_with_a_setting_is_one_box():
    assert sum("Drop" in words for words in labels(graph(network()[0])).values()) == 1


def clusters(drawn: Graph) -> dict[str, list[str]]:
    """The labels of the clusters around each box, outer ones first."""
    opened: list[str] = []
    inside = {}
    for line in drawn.source.splitlines():
        if "subgraph cluster" in line:
            opened.append("")
        elif (found := re.search(r"label=<<B>([\w.]+)</B>", line)) and opened and not opened[-1]:
            opened[-1] = found[1]
        elif box := re.match(r"\s*((?:op|source)\d+) \[", line):
            inside[box[1]] = [*opened]
        elif line.strip() == "}" and opened:
            opened.pop()
    return inside


def test_modules_are_nested_clusters():
    loss, _parameters = network()
    inside = clusters(graph(loss))
    assert inside["op0"] == inside["source0"] == inside["source1"] == ["features", "features.0"]
    assert inside["op1"] == ["features", ""], "the box alone in features.1 has the path in itself"
    assert inside["op2"] == inside["op3"] == inside["source2"] == ["head"]
    assert inside["op4"] == inside["source3"] == []


def test_depth_closes_modules_and_counts_their_operations():
    loss, _parameters = network()
    drawn = graph(loss, depth=1)
    words = labels(drawn)
    assert words["module0"] == "features Linear, Relu 2 operations 16 parameters keeps 140 B"
    assert edges(drawn) == [
        ("source3", "module0", "(5, 3)"),
        ("module0", "module1", "(5, 4)"),
        ("module1", "op4", "(5, 2)"),
        ("op4", "result0", "scalar"),
    ]


def test_equal_edges_between_closed_modules_are_drawn_once():
    x = torch.ones(2, requires_grad=True)
    with state.scope(path="a"):
        y = x.exp()
    with state.scope(path="b"):
        z = y.log() + y.tanh() * y
    assert ("module0", "module1", "(2,)") in edges(graph(z, depth=1))


def test_a_square_has_two_edges():
    x = torch.ones(2, requires_grad=True)
    assert [edge[:2] for edge in edges(graph(x * x))][:2] == [("source0", "op0:0:n"), ("source0", "op0:1:n")]


def test_edges_show_dtypes_and_which_result_they_carry():
    class Halves(torch.Function):
        def forward(self, x):
            return x[:1], x[1:]

        def grad_x(self, grad):
            return np.concatenate(grad)

    x = torch.ones(3, requires_grad=True, dtype=torch.float64)
    _, b = Halves.apply(x)
    assert [label for _, _, label in edges(graph(b))] == ["(3,) float64", "[1] (2,) float64"]


@pytest.mark.parametrize(("blocks", "labelled"), [(10, True), (16, False)])
def test_edges_that_are_many_for_the_boxes_have_tooltips_for_labels(blocks, labelled):
    """As in densely connected models, whose layout would take Graphviz many times as long."""
    found = [torch.ones(2, 4, requires_grad=True)]
    for _ in range(blocks):
        found.append(torch.relu(torch.cat(found, 1)))
    drawn = graph(found[-1])
    count = blocks * (blocks + 1) // 2 + blocks + 1
    assert len(edges(drawn)) == (count if labelled else 0)
    assert len(re.findall(r'-> .*tooltip="\(2, \d+\)"', drawn.source)) == (0 if labelled else count)


def test_numbers_are_in_the_label_and_constants_have_dashed_edges():
    x = torch.ones(2, requires_grad=True)
    drawn = graph(x * 2.5 * torch.tensor([3.0, 4.0]))
    assert labels(drawn)["op0"] == "a b = 2.5 × Mul"
    assert re.search(r"source1 -> op1:1:n \[.*style=dashed", drawn.source)


def test_numbers_and_their_gradients_are_shown_where_they_are_known():
    x = torch.tensor(0.5, requires_grad=True)
    with torch.record(values=True, stats=True, params={"x": x}) as both:
        (x * x).exp().backward()
    with torch.record(params={"x": x}) as neither:
        (x * x).exp()
    shown = list(labels(both.draw(show_saved=False)).values())
    assert shown == ["x 0.5 grad 1.284", "a b × Mul 0.25 grad 1.284", "Exp 1.284 grad 1", "result"]
    assert list(labels(neither.draw(show_saved=False)).values())[:2] == ["x 0.5 grad 1.284", "a b × Mul"]
    assert labels(graph(x.exp(), params={"x": x}))["source0"] == "x 0.5 grad 1.284"


def test_a_single_operation_shows_the_module_or_function_around_it():
    model, x = torch.nn.Sequential(torch.nn.ReLU()), torch.ones(2, requires_grad=True)
    shown = labels(graph(torch.linalg.vector_norm(model(x)), params=model, show_saved=False))
    assert shown["op0"] == "Relu module 0"
    assert shown["op1"].endswith("function vector_norm()")


def test_a_chain_does_not_name_the_module_that_it_lies_in():
    class Wave(torch.nn.Module):
        def forward(self, x):
            return x.sin().cos().exp().tanh()

    source = graph(torch.nn.Sequential(Wave())(torch.ones(2, requires_grad=True)), fold=True).source
    assert "chain0 [label=<Sin&#160;·&#160;Cos&#160;·&#160;Exp&#160;·&#160;Tanh<BR/>" in source


def test_two_edges_from_a_step_to_later_ones_are_both_drawn():
    past = [torch.ones(4, requires_grad=True)]
    for i in range(16):
        past.append(past[-1] * past[max(i - 2, 0)])
    source = graph(past[-1], roll=True).source
    assert source.count("op0 -> op0") == 2
    assert "next" in source
    assert "3 times later" in source


def test_variables_are_shown_by_the_operations_that_computed_them():
    a = torch.tensor(2.0, requires_grad=True)
    b = a * a
    b.retain_grad()
    _ = c = also_c = b.exp().reshape(1)
    d = c.sum()
    d.backward()
    for tape in (graph(d, params=locals()).tape, Tape.from_json(graph(d, params=locals()).tape.to_json())):
        shown = ["a 2 grad 218.4", "a b × Mul b 4 grad 54.6", "Exp", "Reshape c", "Σ Sum", "d 54.6"]
        assert list(labels(tape.draw()).values()) == shown
    assert 'op2["Reshape<br/>c"]' in graph(d, params=locals()).mermaid
    assert also_c is c


def test_variables_are_shown_in_chains_tables_and_pages():
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    z = y.sin().cos()
    drawn = graph(z.sum(), params=locals(), fold=True)
    assert "Exp&#160;→&#160;<B>y</B>&#160;·&#160;Sin&#160;·&#160;Cos&#160;→&#160;<B>z</B><BR/>" in drawn.source
    assert "Exp → y<br/>Sin<br/>Cos → z" in drawn.mermaid
    rows = [line.split()[1:3] for line in str(drawn).splitlines()[:4]]
    assert rows == [["operation", "variable"], ["Exp", "y"], ["Sin", "(2,)"], ["Cos", "z"]]
    assert [op.get("variable") for op in page_data(drawn.tape)["ops"]] == ["y", None, "z", None]
    assert "variable" not in str(graph(z.sum()))


def test_of_several_names_the_first_is_shown():
    """A later one is often that of a loop, and one with an underscore a prompt's."""
    x = torch.tensor([2.0, 3.0], requires_grad=True)
    y = x.exp().sum()
    for each in (x, y):
        each.retain_grad()
    assert labels(graph(y, params={"_": y, **locals()}))["result0"] == "y 27.47"
    assert [source.name for source in graph(y, params=locals()).tape.sources] == ["x"]
    assert labels(graph(y, params={"_": y}))["result0"] == "_ 27.47"


def test_tensors_in_lists_have_their_places_as_names():
    weights, states = [torch.tensor(2.0, requires_grad=True) for _ in range(2)], []
    states.append(weights[0] * 3)
    states.append((states[-1] * weights[1], 1))
    last = states[1][0].exp()
    shown = labels(graph(last, params={"other": 3, **locals()}, show_saved=False))
    assert shown["source0"] == "weights[0] 2"
    assert shown["source1"] == "weights[1] 2"
    assert shown["op0"].endswith("Mul states[0] 6")
    assert shown["op1"].endswith("× Mul")
    first = weights[0]
    assert labels(graph(last, params=locals()))["source0"] == "first 2"


def test_a_result_shows_the_gradient_that_it_keeps():
    x = torch.tensor(2.0, requires_grad=True)
    y = x * 3
    y.retain_grad()
    (y * y).backward()
    for tape in (graph(y).tape, Tape.from_json(graph(y).tape.to_json())):
        assert labels(tape.draw())["result0"] == "result 6 grad 12"


def test_the_variables_that_are_results_of_one_operation_have_their_numbers():
    x = torch.ones(4, requires_grad=True)
    _, b, c = (x * 2).split([1, 1, 2])
    drawn = graph(b * c, params=locals())
    assert labels(drawn)["op1"] == "Split axis 0 [1] b, [2] c"
    assert '[label=" [2] (2,) "' in drawn.source
    assert '"Split<br/>axis 0<br/>[1] b, [2] c"' in drawn.mermaid
    assert "[1] b, [2] c" in str(drawn)


def test_a_second_result_is_no_residual_connection():
    a, b = torch.ones(4, requires_grad=True).exp().chunk(2)
    assert "residual" not in graph(a.sin() + b).source
    assert "residual" in graph(a.sin() + a).source


def arrows(drawn: Graph) -> list[str]:
    return [line.strip() for line in drawn.mermaid.splitlines() if "->" in line]


def test_the_rows_that_a_loop_reads_in_turn_are_one_edge():
    rows, h, w = torch.ones(5, 2), torch.zeros(2), torch.ones(2, 2, requires_grad=True)
    with torch.record() as tape:
        for row in rows:
            h = torch.tanh(w @ h + row)
    drawn = tape.draw(roll=True)
    assert [line for line in arrows(drawn) if line.startswith("op0 ")] == ['op0 -.->|"[0] … [4] (2,) ×5"| op2']
    with torch.record() as tape:
        first, second = (w @ h).split(1)
        for _ in range(4):
            h = torch.tanh(h * first - second)
    read = [line for line in arrows(tape.draw(roll=True)) if line.startswith("op1 ")]
    assert read == ['op1 -->|"[0] (1,) ×4"| op2', 'op1 -->|"[1] (1,) ×4"| op3']


def test_leaves_that_a_loop_makes_of_results_are_one_edge():
    w = torch.ones(3, 2, requires_grad=True)
    with torch.record() as tape:
        total = torch.zeros(())
        for row in torch.ones(5, 2):
            total = total + (w @ row.sin().requires_grad_()).sum()
    (edge,) = [line for line in arrows(tape.draw(roll=True)) if " source2" in line and "op" in line.split()[0]]
    assert edge == 'op1 -.->|"(2,) ×5"| source2'


def test_flops_are_shown_with_the_units_of_tables():
    drawn = graph(torch.nn.Linear(40, 30)(torch.ones(5, 40)).exp(), color="flops")
    shown = labels(drawn)
    assert "flops 12.2 k" in shown["op0"]
    assert "flops 150" in shown["op1"]
    assert "flops, logarithmic: 150 … 12.2 k" in caption(drawn)
    assert [op["flops"] for op in page_data(drawn.tape)["ops"]] == [12150, 150]


def test_mermaid_has_the_numbers_that_are_known():
    x = torch.tensor(2 - 0.1j, requires_grad=True)
    with torch.record(values=True, params=locals()) as tape:
        (x * 0.3).real.backward()
    lines = [line.strip() for line in tape.draw().mermaid.splitlines()]
    assert lines[1:4] == ['source0("x<br/>2-0.1j")', 'op0["× Mul<br/>b = 0.3<br/>0.6-0.03j"]', 'op1["Real<br/>0.6"]']


@pytest.mark.parametrize(("at", "shown"), [(0.0, "grad ±inf"), (-1.0, "grad nan"), (1j, "0+1j")])
def test_a_gradient_is_no_number_that_it_is_not(at, shown):
    x = torch.tensor(at, requires_grad=True)
    with np.errstate(all="ignore"):
        x.sqrt().real.backward()
    assert labels(graph(x.exp()))["source0"].endswith(shown)


def test_show_saved_false_hides_kept_arrays():
    source = graph(network()[0], show_saved=False).source
    assert "keeps" not in source
    assert "kept for backward</FONT>" not in source
    assert "#FFE0B0" not in source


def caption(drawn: Graph) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", drawn.source.splitlines()[1]).split())


def test_the_legend_has_only_the_kinds_that_are_drawn():
    loss, _parameters = network()
    kinds = "parameter constant (no gradient) operation kept for backward result"
    totals = "5 operations, 24 parameters in 3 arrays; 240 B kept for backward"
    assert f"{kinds} {totals}" in caption(graph(loss))
    assert f"= constant (no gradient) operation module result {totals}" in caption(graph(loss, depth=1))
    assert "= leaf (gets a gradient) operation result" in caption(graph(torch.ones(1, requires_grad=True) + 1.0))
    assert "no gradient ⇢" not in caption(graph(loss))
    with torch.record() as tape:
        torch.ones(1, requires_grad=True).exp().detach().sin()
    assert "no gradient ⇢ result" in caption(tape.draw())


@pytest.mark.parametrize(("rankdir", "side"), [("TB", "n"), ("BT", "s"), ("LR", "w"), ("RL", "e")])
def test_edges_enter_at_the_side_of_the_rankdir(rankdir, side):
    loss, _parameters = network()
    drawn = graph(loss, rankdir=rankdir)
    assert f"rankdir={rankdir}" in drawn.source
    assert ("op2", f"op3:0:{side}", "(5, 4)") in edges(drawn)
    assert (
        labels(drawn)["op3"]
        == {
            "TB": "x weight bias Linear keeps 80 B",
            "BT": "keeps 80 B Linear x weight bias",
            "LR": "x Linear weight bias keeps 80 B",
            "RL": "Linear x weight bias keeps 80 B",
        }[rankdir]
    )


def test_the_same_program_gives_the_same_source():
    assert graph(network()[0]).source == graph(network()[0]).source


def test_special_characters_in_names_are_drawn_verbatim():
    pytest.importorskip("pygraphviz")
    x = torch.ones(2, requires_grad=True)
    name = "<b>&\"'\\n \\N |{} é × %s [x]"
    with state.scope(path="<&>.0"):
        y = x.exp()
    svg = graph(y, params={name: x})._picture("svg").decode()
    texts = {
        node.text.replace("\u200b", "") for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("text")
    }
    assert {name, "<&>.0"} <= texts


def test_the_drawing_of_a_freed_graph_shows_no_kept_arrays():
    loss, _ = network()
    drawn = graph(loss)
    loss.backward()
    after = graph(loss)
    assert "keeps 60 B" in drawn.source
    assert "keeps" not in after.source.split("what was kept is freed")[1]
    assert {name: label for name, label in labels(after).items() if name.startswith("source")} == {
        name: label for name, label in labels(drawn).items() if name.startswith("source")
    }


def test_bad_options_say_what_is_allowed():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="rankdir must be one of TB, BT, LR, RL, got 'up'"):
        graph(x, rankdir="up")
    with pytest.raises(ValueError, match=r"depth must be 'auto', None or at least 1, .* got 0"):
        graph(x, depth=0)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x[0], lambda x: x[1:, ::2], lambda x: x[None, ..., -1], lambda x: x.select(0, 1),
        lambda x: x.narrow(0, 0, 1), lambda x: x[[0, 1]], lambda x: x[x > 0], lambda x: x[True],
        lambda x: x.reshape(-1), lambda x: x.t().reshape(-1), lambda x: x.t().flatten(), lambda x: np.reshape(x.T, -1),
        lambda x: x.repeat(2, 1), lambda x: x[:1].expand(3, 4).reshape(-1), lambda x: x.unbind()[1],
        lambda x: x.diagonal(), lambda x: x.t().clone(),
        lambda x: torch.autograd.grad((x.t().reshape(-1) ** 2).sum(), x, create_graph=True)[0],
    ],
)  # fmt: skip
def test_a_graph_read_from_its_nodes_has_the_views_that_a_recording_sees(f):
    with torch.record() as tape:
        y = f(torch.ones(3, 4, requires_grad=True))
    recorded = {op.number: is_view(op) for op in tape}
    read = {op.number: is_view(op) for op in graph(y).tape}
    assert read == {number: recorded[number] for number in read}


def test_the_scale_of_colors_is_one_cell_of_the_legend():
    x = torch.ones(4, requires_grad=True)
    with torch.record(stats=True) as tape:
        (x * 3).sum().backward()
    drawn = tape.draw(color="gradient")
    assert "gradient norm: 0 … 6 2 operations" in caption(drawn)
    assert f'BGCOLOR="#FFFFFF:{LIGHT.hot}"' in drawn.source


@pytest.mark.parametrize(
    ("color", "message"),
    [
        ("time", "the tape has no time: record it with time=True"),
        ("zeros", "the tape has no zeros: record it with stats=True"),
        ("nan", "the tape has no NaN or infinite: record it with stats=True"),
        ("gradient", "the tape has no gradient norm: record it with stats=True, and its backward pass, too"),
    ],
)
def test_a_color_by_what_was_not_recorded_raises_an_error_that_says_how_it_is(color, message):
    with torch.record() as tape:
        torch.ones(2, requires_grad=True).exp().sum().backward()
    with pytest.raises(RuntimeError, match=message):
        tape.draw(color=color)
