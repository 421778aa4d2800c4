"""Drawings: which modules are open, what is folded or drawn once, their options, and the DOT and Mermaid text."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable

import numpy as np
import pytest

import microgad as torch
from microgad import nn, state
from microgad.graph import Graph, graph
from microgad.graph.drawing import render
from microgad.graph.drawing.fitting import MAX_BOXES
from microgad.graph.drawing.sketch import Frame
from microgad.graph.drawing.styles import LIGHT, SCALES, ColorMap
from microgad.graph.drawing.svg_titles import move_titles


def nested() -> tuple[torch.Tensor, nn.Module]:
    """A result of three modules of the same structure, 0, 1 and 2, each a Linear and a Tanh."""
    model = nn.Sequential(*(nn.Sequential(nn.Linear(2, 2), nn.Tanh()) for _ in range(3)))
    return model(torch.ones(1, 2)).sum(), model


def chain(length: int) -> torch.Tensor:
    x = torch.ones(2, requires_grad=True)
    for i in range(length):
        x = [x.exp, x.tanh, x.sigmoid][i * i % 3]()
    return x


def titles(drawn: Graph) -> list[str]:
    return [box.title for box in drawn.sketch.boxes if box.kind == "module"]


def test_collapse_and_expand_name_modules_or_patterns():
    y, model = nested()
    assert titles(graph(y, params=model, depth=None, collapse=["1"])) == ["1"]
    assert titles(graph(y, params=model, depth=None, collapse=["?.0"])) == ["0.0", "1.0", "2.0"]
    assert titles(graph(y, params=model, depth=1)) == ["0", "1", "2"]
    assert titles(graph(y, params=model, depth=1, expand="1")) == ["0", "1.0", "1.1", "2"]
    assert titles(graph(y, params=model, depth=1, expand=["2.1"])) == ["0", "1", "2.0"]


def test_a_frame_that_holds_only_another_is_not_drawn():
    x, layers = torch.ones(1, 2), nn.ModuleDict({"list": nn.ModuleList([nested()[1] for _ in range(2)])})
    with torch.record(params=layers) as tape:
        for layer in layers["list"]:
            x = layer(x) + x
    drawn = tape.draw(depth=None)
    frames = [item for item in drawn.sketch.items if isinstance(item, Frame)]
    assert [frame.title for frame in frames] == ["list.0", "list.1"]
    assert [item.title for item in frames[0].items] == ["list.0.0", "list.0.1", "list.0.2"]
    assert re.findall(r'fillcolor="(#\w+)" font.*label=<<B>list', drawn.source)[:2] == [*LIGHT.frames[::-1]]


def test_repeated_modules_are_drawn_once_with_their_count():
    y, model = nested()
    drawn = graph(y, params=model, roll=True)
    (frame,) = [item for item in drawn.sketch.items if isinstance(item, Frame)]
    assert (frame.title, frame.times) == ("0 … 2", 3)
    assert "×3" in drawn.source
    (again,) = [edge for edge in drawn.sketch.edges() if edge.later]
    assert (again.tail.ops[0].name, again.head.ops[0].name) == ("Tanh", "Linear")
    (box,) = [box for box in graph(y, params=model, roll=True, depth=1).sketch.boxes if box.kind == "module"]
    assert (box.title, box.times) == ("0 … 2", 3)


def test_operations_are_drawn_once_only_if_each_repetition_feeds_the_next():
    x = torch.ones(2, requires_grad=True)
    parallel = [x.exp().tanh() for _ in range(4)]
    joined = (parallel[0] + parallel[1]) * (parallel[2] - parallel[3])
    assert not any(isinstance(item, Frame) for item in graph(joined, roll=True).sketch.items)
    for _ in range(4):
        x = x.exp().tanh()
    (frame,) = [item for item in graph(x, roll=True).sketch.items if isinstance(item, Frame)]
    assert frame.times == 4


def test_operations_that_occur_only_twice_are_not_rolled_up():
    x = torch.ones(2, requires_grad=True)
    assert not any(isinstance(item, Frame) for item in graph(x.exp().tanh().exp().tanh(), roll=True).sketch.items)


def test_results_of_the_repetitions_are_one_box():
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    with torch.record(params=model) as tape:
        for i in range(40):
            model(torch.ones(1, 2) * i).sum()
    drawn = tape.draw()
    assert [(box.title, box.times) for box in drawn.sketch.results] == [("result", 40)]
    assert "scalar ×40" in drawn.source
    assert "result ×40" in drawn.mermaid
    assert len(tape.draw(roll=False, depth=None).sketch.results) == 40


def test_inputs_of_the_repetitions_are_one_box_and_a_shared_input_is_another():
    h = torch.ones(2, requires_grad=True)
    steps = [torch.ones(2, requires_grad=True) for _ in range(4)]
    for step in steps:
        h = (h * step).tanh()
    drawn = graph(h + steps[1], params={f"step{i}": step for i, step in enumerate(steps)}, roll=True)
    leaves = {box.title for box in drawn.sketch.boxes if box.kind == "leaf"}
    assert leaves == {"leaf", "step0 … step3", "step1"}
    assert 'source1("step0 … step3 ×3")' in drawn.mermaid


def rolled(steps: int, step: Callable[[int, list[torch.Tensor]], torch.Tensor], **params: torch.Tensor) -> Graph:
    """The drawing of some steps, each of which is given its number and the results so far."""
    past = [torch.ones(4, requires_grad=True).sin()]
    for i in range(steps):
        past.append(step(i, past))
    return graph(past[-1].sum(), params=params, roll=True, fold=False)


def test_a_step_that_reads_another_source_is_drawn_apart():
    w, v = torch.ones(4, requires_grad=True), torch.ones(4, requires_grad=True)
    for other in (v, v.detach().clone()):
        drawn = rolled(20, lambda i, past, other=other: past[-1] * (other if i == 10 else w), w=w, v=v)
        boxes = [(box.ops[0].name, box.times) for box in drawn.sketch.boxes if box.kind == "op"]
        assert boxes == [("Sin", 1), ("Mul", 10), ("Mul", 1), ("Mul", 9), ("Sum", 1)]
        titles = {box.title for box in drawn.sketch.boxes if box.sources}
        assert titles == {"leaf", "w", "v" if other is v else "constant"}


@pytest.mark.parametrize(
    ("step", "label"),
    [
        (lambda i, x: x * (i + 2.0), "b = 2 … 71"),
        (lambda i, x: x * torch.tensor(i + 2.0), "2 … 71"),
        (lambda i, x: x ** (2 + i / 100), "p = 2 … 2.69"),
        (lambda i, x: nn.functional.leaky_relu(x, 0.1 * (i + 1)), "slope = 0.1 … 7"),
        (lambda i, x: x.clamp(-i - 1.0, 5), "low = -1 … -70"),
        (lambda i, x: x + torch.full((70, 4), 2.0, requires_grad=True)[i], "[0] … [69]"),
    ],
)
def test_what_differs_between_steps_drawn_as_one_is_shown_as_a_range(step, label):
    drawn = rolled(70, lambda i, past: step(i, past[-1]))
    assert "×70" in drawn.source
    assert label in drawn.source


def test_steps_of_other_dtypes_are_drawn_apart():
    def step(i: int, past: list[torch.Tensor]) -> torch.Tensor:
        return past[-1].double().sin() if i == 10 else past[-1].sin()

    drawn = rolled(20, step)
    assert [(box.ops[0].dtypes, box.times) for box in drawn.sketch.boxes if box.times > 1] == [
        (["float32"], 11), (["float64"], 10)
    ]  # fmt: skip


def later(drawn: Graph) -> list[str]:
    return [line.strip() for line in drawn.mermaid.splitlines() if ("next" in line or "later" in line)]


def test_edges_to_later_steps_say_how_much_later():
    def wired(at: Callable[[int], int]) -> Graph:
        return rolled(16, lambda i, past: past[-1].tanh() + past[at(i)])

    assert later(wired(lambda i: 0)) == ['op2 -.->|"next"| op1']
    assert later(wired(lambda i: max(i - 2, 0))) == ['op2 -.->|"next"| op1', 'op2 -.->|"3 times later"| op2']
    assert "3 times later" in wired(lambda i: max(i - 2, 0)).source
    assert later(wired(lambda i: i if i % 2 else 0)) == [], "it is drawn step by step"
    halves = wired(lambda i: i // 2)
    assert all("next" in line for line in later(halves))
    assert max(box.times for box in halves.sketch.boxes) == 1


def test_edges_between_two_loops_say_which_step_they_come_from():
    def drawn(read: Callable[[list[torch.Tensor]], list[torch.Tensor]]) -> str:
        x, past = torch.ones(4, requires_grad=True), [torch.ones(4, requires_grad=True)]
        for _ in range(12):
            past.append((past[-1] * x).tanh())
        y = x
        for other in read(past[1:]):
            y = (y + other).sin()
        return graph((y + past[-1]).sum(), roll=True).mermaid

    assert "reverse" not in drawn(lambda past: past)
    assert '|"(4,) in reverse"|' in drawn(lambda past: past[::-1])
    assert '|"(4,) ×12 of time 4"|' in drawn(lambda past: [past[3]] * 12)


def test_marked_operations_stand_out():
    x = torch.ones(2, requires_grad=True)
    tape = x.exp().tanh().graph().tape
    assert "marked" not in tape.draw().source
    marked = tape.draw(mark=[tape.ops[1].number]).source
    assert re.search(r'op1 \[label=<<TABLE BORDER="0" CELLBORDER="2"', marked)
    assert "marked" in marked
    for mark in ([tape.ops[1]], np.array([tape.ops[1].number])):
        assert tape.draw(mark=mark).source == marked
    chain = x.exp().tanh().sigmoid().graph().tape
    assert "penwidth=3" in chain.draw(mark=[chain.ops[1].number], fold=True).source


def test_a_chain_is_folded_up_to_a_result_with_two_readers():
    x = torch.ones(2, requires_grad=True)
    a = x.exp().tanh().sigmoid().log()
    kinds = [(box.kind, [op.name for op in box.ops]) for box in graph(a, fold=True).sketch.boxes]
    assert sorted(kinds) == [("chain", ["Exp", "Tanh", "Sigmoid", "Log"]), ("leaf", [])]
    b = x.exp().tanh()
    c = b.sigmoid() * b
    assert {box.kind for box in graph(c, fold=True).sketch.boxes} == {"leaf", "op"}


def test_a_long_tape_has_at_most_max_boxes():
    drawn = graph(chain(500))
    assert len(drawn.sketch.boxes) <= MAX_BOXES
    x = torch.ones(2, requires_grad=True)
    past = [x]
    rng = random.Random(0)
    for _ in range(300):
        a, b = rng.choice(past[-3:]), rng.choice(past[-3:])
        past.append(rng.choice([a.exp, a.tanh, a.sin, lambda a=a, b=b: a * b, lambda a=a, b=b: a + b])())
    y = sum(past[-3:])
    drawn = graph(y)
    assert {box.kind for box in drawn.sketch.boxes} == {"part"}
    assert sum(len(box.ops) for box in drawn.sketch.boxes) == len(drawn.tape) > 200
    assert len(graph(y, depth=None).sketch.boxes) > len(drawn.tape)


def test_twenty_thousand_nodes_are_drawn_in_seconds_or_the_error_says_how():
    y = chain(20_000)
    started = time.process_time()
    assert len(graph(y).sketch.boxes) <= MAX_BOXES
    drawn = graph(y, depth=None)
    with pytest.raises(RuntimeError, match=r"20,001 boxes .*at most 1,000\)\. With depth='auto' it is \d+; .*page"):
        drawn.save("net.svg")
    assert drawn.source.count(" -> ") == 20_001
    assert time.process_time() - started < 30


def test_deeply_nested_modules_are_drawn_without_recursion():
    x = torch.ones(2, requires_grad=True)
    with state.scope(path=".".join("a" * 300)):
        y = x.exp().exp()
    assert "Exp" in graph(y).source


def test_residual_edges_are_marked():
    x = torch.ones(2, requires_grad=True)
    h = x.exp()
    drawn = graph(h + h.tanh())
    (edge,) = drawn.sketch.residual_edges(drawn.sketch.edges())
    assert (edge.tail.ops[0].name, edge.head.ops[0].name, edge.argument) == ("Exp", "Add", 0)
    assert "residual" in drawn.source
    assert re.search(f'-> {edge.head.name}:0:n .* color="{LIGHT.residual}"', drawn.source)
    d = h.tanh()
    for y in (d, torch.stack([d, d * 2]), d - d.exp(), d + d.mean(), d * d.exp(), d.sum() + d.sum().exp()):
        assert "residual" not in graph(y).source
    assert "residual" in graph(torch.cat([d, d.exp()])).source
    with torch.record() as tape:
        y = h * 2
        y[0].mul_(3)  # what it wrote is no path beside that of the base
        y.add(h)
    assert "residual" not in tape.draw().source


def test_a_closed_module_has_a_residual_edge_only_if_it_adds_or_concatenates_what_it_reads():
    x = torch.ones(2, requires_grad=True)
    for join, residual in ((torch.add, True), (lambda *xs: torch.cat(xs), True), (torch.mul, False)):
        h = x.exp()
        deep = h.sin().tanh()
        with state.scope(path="up"):
            y = join(deep, h).sigmoid()
        assert ("residual" in graph(y, depth=1).source) is residual


def test_shared_parameters_views_and_buffers_are_shown_as_such():
    w = torch.Parameter(torch.ones(2, 2))
    source = graph((w @ w.T).sum(), params={"w": w}).source
    assert "used 2×" in source
    assert "view, of the same memory" in source
    model = nn.BatchNorm1d(2).eval()
    with torch.record(params=model) as tape:
        model(torch.ones(3, 2))
    assert {box.title for box in tape.draw().sketch.boxes if box.kind == "buffer"} <= {"running_mean", "running_var"}


def test_a_write_through_a_view_has_an_edge_to_the_reader_of_its_base():
    x = torch.rand(4, requires_grad=True)
    with torch.record() as tape:
        y = x * 2
        y[1:].mul_(3)
        y.exp()
    assert [line.strip() for line in tape.draw().mermaid.splitlines() if "->" in line][1:] == [
        'op0 -->|"(4,)"| op1', 'op1 -->|"(3,)"| op2', 'op0 -->|"(4,)"| op3', 'op2 -.->|"has written"| op3',
        'op3 -->|"(4,)"| result0',
    ]  # fmt: skip


def test_a_parameter_shared_by_closed_modules_is_named_on_its_edge():
    w = torch.Parameter(torch.ones(2))
    with state.scope(path="a"):
        y = w.exp()
    with state.scope(path="b"):
        y = y * w
    drawn = graph(y, params={"a.w": w}, depth=1)
    assert '[label=" a.w (2,) "' in drawn.source


@pytest.mark.parametrize("color", SCALES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_boxes_are_colored_by_what_was_recorded(color, theme):
    x = torch.tensor([0.0, 1.0, torch.nan], requires_grad=True)
    with torch.record(time=True, stats=True) as tape:
        (x * 2).relu().sum().backward()
    drawn = tape.draw(color=color, theme=theme)
    scale = SCALES[color]
    values = [scale.value(box) for box in drawn.sketch.boxes if box.kind == "op"]
    assert all(value is not None for value in values)
    assert scale.label in drawn.source


def deep_net(layers):
    """A deep network of sigmoids, whose gradients vanish, with statistics; layer 8 makes NaN."""
    model = nn.Sequential(*[layer for _ in range(layers) for layer in (nn.Linear(4, 4), nn.Sigmoid())], nn.Linear(4, 1))
    with torch.no_grad():
        model[8].weight[0] = torch.nan
    with torch.record(stats=True, params=model) as tape:
        model(torch.ones(2, 4)).sum()
    return tape


def test_colors_of_what_repeats_show_the_range_over_all_repetitions():
    tape = deep_net(12)
    drawn = tape.draw(color="nan", mark=[tape["8", 0].number, tape["10", 0].number])
    assert "×12" in drawn.source
    assert "NaN or infinite 0 … 8" in drawn.source
    assert "marked: 8 … 10" in drawn.source
    fills = dict(re.findall(r"<B>([\w …]+)</B>.*?fillcolor=\"(#\w+)\"", drawn.source.replace("\n", "")))
    assert fills["0 … 22"] == LIGHT.hot


def test_colors_of_values_that_differ_a_lot_are_logarithmic():
    colors = ColorMap(SCALES["gradient"], [0.0, 1e-10, 1e-5, 1.0])
    assert [round(colors(x), 2) for x in (0.0, 1e-10, 1e-5, 1.0)] == [0.0, 0.06, 0.53, 1.0]
    assert not ColorMap(SCALES["zeros"], [0.001, 1.0]).logarithmic


def test_the_backward_pass_drawn_beside_has_the_same_edges_reversed():
    w = torch.Parameter(torch.ones(2))
    drawn = graph((torch.ones(2) * w).sum(), params={"w": w}, beside=True)
    backward = re.findall(r"back_(\w+) -> back_(\w+) .*dir=back", drawn.source)
    assert backward == [("source0", "op0"), ("op0", "op1"), ("op1", "result0")]
    assert "∂ w" in drawn.source
    assert "op0 -> back_op0" in drawn.source, "it reads what the product kept"
    assert "back_source1" not in drawn.source, "a constant gets no gradient"


def test_the_backward_pass_drawn_beside_ends_where_gradients_do():
    w = torch.ones(2, requires_grad=True)
    with torch.record(params={"w": w}) as tape:
        ((w * 3).detach() * 2).sum() + w.sum()
    drawn = tape.draw(beside=True).source
    assert re.findall(r"back_(\w+) -> back_(\w+) ", drawn) == [("source0", "op4"), ("op4", "op5"), ("op5", "result0")]
    assert set(re.findall(r"back_(\w+) \[", drawn)) == {"source0", "op4", "op5", "result0"}


def test_a_view_that_is_read_after_a_write_has_edges_from_its_base_and_the_write():
    with torch.record() as tape:
        base = torch.zeros(2, 3)
        view = base[0]
        base.add_(1)
        view * 2
    drawn = tape.draw()
    edges = {(e.tail.name, e.head.name): drawn.sketch.edge_label(e) for e in drawn.sketch.edges()}
    assert edges["op0", "op2"] == "(3,)"
    assert edges["op1", "op2"] == "has written"
    assert re.search(r"op1 \[.*in place.*\]", drawn.source)
    assert 'op1 -.->|"has written"| op2' in drawn.mermaid


def test_constants_that_batch_norm_creates_are_no_inputs_of_the_model():
    model, x = nn.Sequential(nn.BatchNorm1d(2), nn.ReLU()), torch.rand(3, 2)
    with torch.record(params=model) as tape:
        model(x)
    assert [s.name for s in tape.sources if s.kind == "constant" and s.shape == (2,)] == [
        "0.running_mean", "", "0.running_var", ""
    ]  # fmt: skip
    assert [box.title for box in tape.draw(depth=1).sketch.boxes] == ["0", "1", "input"]


def test_mermaid_has_the_boxes_frames_and_edges():
    y, model = nested()
    lines = graph(y, params=model, depth=2, roll=True).mermaid.splitlines()
    assert lines[0] == "flowchart TB"
    assert '  subgraph cluster0["0 … 2 ×3"]' in lines
    assert sum(line.strip() == "end" for line in lines) == 1
    assert any("-.->" in line and '"next"' in line for line in lines)


def test_mermaid_numbers_the_results_of_an_operation():
    a, b = (torch.rand(4, requires_grad=True) * 1).chunk(2)
    drawn = (b - a).graph().mermaid
    assert '|"[1] (2,)"|' in drawn
    assert '|"[0] (2,)"|' in drawn


def test_mermaid_escapes_its_special_characters(tmp_path):
    x = torch.ones(1, requires_grad=True)
    drawn = graph(x.exp(), params={'a"b<c>#d': x})
    assert 'source0("a#34;b#60;c#62;#35;d")' in drawn.mermaid
    drawn.save(tmp_path / "net.mmd")
    assert (tmp_path / "net.mmd").read_text(encoding="utf-8") == drawn.mermaid


def test_a_layout_that_takes_too_long_is_stopped(monkeypatch, tmp_path):
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(render, "TIMEOUT", 0.2)
    with pytest.raises(RuntimeError, match=r"2 boxes: Graphviz did not finish in 0.2 seconds"):
        graph(torch.ones(1, requires_grad=True).exp()).save(tmp_path / "net.svg")


def test_titles_move_to_where_no_edge_is():
    def svg(y: float) -> str:
        return (
            '<svg><g id="c" class="cluster"><path d="M0,0C0,0 200,0 200,0 200,0 200,50 200,50"/>'
            f'<text text-anchor="start" x="8" y="12" font-size="10.00">block</text></g>'
            f'<!-- e --><g id="e" class="edge"><path d="M20,{y}C20,{y + 5} 20,{y + 10} 20,{y + 20}"/></g></svg>'
        )

    assert move_titles(svg(40)) == svg(40)
    (x,) = re.findall(r'x="([\d.]+)" y="12"', move_titles(svg(0)))
    assert float(x) > 21


def test_mermaid_shows_numbers_and_cuts_long_chains():
    x = torch.ones(4, requires_grad=True)
    assert 'op0["xᵖ Pow<br/>p = 2' in graph(x**2 * 3).mermaid
    y = x
    for i in range(70):
        y = torch.roll(y, i + 1, 0).exp() * 1.5
    (box,) = re.findall(r'chain0\["(.*)"\]', graph(y, roll=False, fold=True).mermaid)
    assert box.startswith("Roll shifts (1,), axis (0,)<br/>Exp<br/>× Mul b = 1.5<br/>… 205 more operations …<br/>")


def test_bad_options_say_what_is_allowed():
    y = torch.ones(2, requires_grad=True).exp()
    with pytest.raises(ValueError, match="theme must be one of light, dark, got 'blue'"):
        graph(y, theme="blue")
    with pytest.raises(
        ValueError, match="color must be one of None, time, bytes, flops, gradient, zeros, nan, got 'heat'"
    ):
        graph(y, color="heat")
    for limit in (0, -3):
        with pytest.raises(ValueError, match=f"limit must be at least 1, a number of boxes, got {limit}"):
            graph(y, limit=limit)
    with pytest.raises(ValueError, match="mark must hold numbers of what is on the tape, not 99"):
        y.graph().tape.draw(mark=[y.graph().tape.ops[0].number, 99])


@pytest.mark.parametrize(("steps", "times"), [(3, [1, 1, 1]), (7, [7])])
def test_steps_that_share_parameters_are_drawn_once_when_they_are_many(steps, times):
    cell, h = nn.RNNCell(3, 4), torch.zeros(2, 4)
    for _ in range(steps):
        h = cell(torch.rand(2, 3), h)
    drawn = graph(h.sum(), params=cell)
    assert [box.times for box in drawn.sketch.boxes if box.kind == "op"] == [*times, 1]
    assert ('op0 -.->|"next"| op0' in drawn.mermaid) is (steps == 7), "each step reads what the one before gave"
    whole = graph(h.sum(), params=cell, roll=False).sketch.boxes
    assert sum(box.kind == "op" for box in whole) == steps + 1


def test_repeated_boxes_show_whether_each_reads_what_the_one_before_gave():
    y, model = nested()
    assert later(graph(y, params=model, roll=True, depth=1)) == ['module0 -.->|"next"| module0']
    with torch.record(params=model) as tape:
        torch.stack([layer(torch.ones(1, 2)) for layer in model])
    assert later(tape.draw(roll=True, depth=1)) == []
    loop = rolled(9, lambda i, past: (2 * past[-1]).tanh().exp()).tape
    assert later(loop.draw(roll=True, fold=True)) == ['chain1 -.->|"next"| chain1']
    x, h, cell = torch.ones(5, 1, 2), torch.zeros(2, 1, 3).unbind(), nn.LSTMCell(2, 3)
    for step in x:
        h = cell(step, h)
    assert later(graph(h[0], params=cell, roll=True)) == ['op0 -.->|"next"| op0'], "one arrow for both states"


def test_edges_along_which_no_gradient_flows_are_dashed():
    used, off, unrecorded, frozen = (nn.Linear(2, 2) for _ in range(4))
    frozen.requires_grad_(False)
    net = nn.ModuleDict({"used": used, "off": off, "unrecorded": unrecorded, "frozen": frozen})
    x = torch.ones(1, 2)
    with torch.record(params=net) as tape:
        with torch.no_grad():
            y = unrecorded(x)
        (used(x) + off(x).detach() + y + frozen(x)).sum()
    edges = tape.draw().sketch.edges()
    tails = {edge.tail.title or edge.tail.ops[0].name for edge in edges if edge.dashed and edge.head.ops}
    assert tails >= {"unrecorded.weight", "frozen.weight", "Detach"}
    assert not {"off.weight", "used.weight"} & tails
