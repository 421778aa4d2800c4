"""The data of the HTML page, and that its file loads and runs nothing from outside.

test_page_browser.py tests the page in a browser.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad as torch
from microgad.graph import Tape, formula
from microgad.graph.pages.page import LARGEST, page
from microgad.graph.pages.page_data import MANY, WIDEST, ops_with_gradient, page_data, source_line
from microgad.graph.tape import Input, Op, Result, Source

F = torch.nn.functional


def op(number: int, sources: list[int], path: str = "", name: str = "Mul") -> Op:
    inputs = [Input(f"x{i}", n, 0, (2,), "float32") for i, n in enumerate(sources)]
    return Op(number, name, "", path, {}, inputs, [(2,)], ["float32"], [], False)


def leaf(number: int, kind: str = "leaf", name: str = "") -> Source:
    return Source(number, kind, name, (2,), "float32")


def chain(paths: list[str]) -> Tape:
    """Each operation reads the one before and the parameter w."""
    ops = [op(i, [i - 1 if i else -1, -2], path) for i, path in enumerate(paths)]
    return Tape(ops, [leaf(-1), leaf(-2, "parameter", "w")], [Result(len(ops) - 1, 0, "", (2,), "float32")])


def items(data: dict, group: int = 0) -> list:
    """A group's items: operations by label or index, groups as pairs of label and items."""
    found = []
    for item in data["groups"][group]["items"]:
        if item < 0:
            found.append((data["groups"][-1 - item]["label"], items(data, -1 - item)))
        else:
            found.append(data["ops"][item].get("label", item))
    return found


class Parts(HTMLParser):
    """A parsed page: its tags, scripts, content security policy and data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.inside: dict[int, str] = {}
        self.feed(text)
        self.scripts = [self.inside[i] for i, (tag, _) in enumerate(self.tags) if tag == "script"]
        (policy,) = [a["content"] for tag, a in self.tags if tag == "meta" and "http-equiv" in a]
        self.policy: str = policy

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open = True

    def handle_data(self, data):
        if self.tags and self.open:
            last = len(self.tags) - 1
            self.inside[last] = self.inside.get(last, "") + data

    def handle_endtag(self, tag):
        self.open = False

    @property
    def data(self) -> dict:
        return json.loads(self.scripts[0])


def test_calls_of_modules_with_several_operations_are_groups():
    data = page_data(chain(["", "a.0", "a.0", "a.1", "b.c.d", "b.c.d", "e.f", ""]))
    assert items(data) == [0, ("a", [("a.0", [1, 2]), "a.1"]), ("b.c.d", [4, 5]), "e.f", 7]
    assert [(g["low"], g["high"]) for g in data["groups"]] == [(0, 8), (1, 4), (1, 3), (4, 6)]


def test_each_call_of_a_module_is_its_own_group():
    data = page_data(chain(["a", "a", "b", "a", "a"]))
    assert [(g["label"], g["call"]) for g in data["groups"][1:]] == [("a", 0), ("a", 1)]


@given(st.lists(st.sampled_from(["", "a", "a.0", "a.1", "b", "b.c.d", "b.c", "e.0.1"]), max_size=300), st.data())
def test_every_operation_is_in_one_group_and_no_group_is_too_wide(paths, drawn):
    runs = [path for path in paths for _ in range(drawn.draw(st.sampled_from([1, 1, 2, 70]), label="times"))][:2000]
    data = page_data(chain(runs))
    seen: list[int] = []
    todo = [0]
    while todo:
        group = data["groups"][todo.pop()]
        assert len(group["items"]) <= WIDEST
        inner = []
        for item in group["items"]:
            low, high = (item, item + 1) if item >= 0 else [data["groups"][-1 - item][end] for end in ("low", "high")]
            inner += range(low, high)
            if item >= 0:
                seen.append(item)
            else:
                todo.append(-1 - item)
        assert inner == list(range(group["low"], group["high"]))
    assert sorted(seen) == list(range(len(runs)))


def test_a_long_group_is_split_into_parts_labeled_by_their_ends():
    data = page_data(chain([f"m.{i}" for i in range(3 * WIDEST)]))
    parts = [data["groups"][-1 - item] for item in data["groups"][1]["items"]]
    assert [part["label"] for part in parts] == ["m.0 … m.31", "m.32 … m.63", "m.64 … m.95"]


def test_parts_with_the_same_ends_are_labeled_by_their_positions():
    tape = chain([""] * 70)
    assert [group["label"] for group in page_data(tape)["groups"][1:]] == [
        "Mul, 24 times",
        "Mul, 24 times",
        "Mul, 22 times",
    ]
    for i in (5, 9, 16, 30, 41, 60):
        tape.ops[i].name = "Add"
    assert page_data(tape)["groups"][1]["label"] == "Mul … Mul (1–24)"


def test_steps_of_a_recurrent_layer_are_groups():
    cell, steps = torch.nn.RNNCell(2, 2), 70
    with torch.record(params=cell) as tape:
        h = torch.zeros(1, 2)
        for x in torch.ones(steps, 1, 2):
            h = (cell(x, h) * 2).exp()
        h.sum()
    data = page_data(tape)
    (run,) = [group for group in data["groups"] if "×" in group["label"]]
    parts = [data["groups"][-1 - item] for item in run["items"]]
    assert [part["label"] for part in parts] == ["time 1 … time 24", "time 25 … time 48", "time 49 … time 70"]
    first, *_ = [data["groups"][-1 - item] for item in parts[0]["items"]]
    assert first["label"] == "time 1"
    assert [tape.op(item).name for item in first["items"]][-2:] == ["Mul", "Exp"]


def test_inputs_are_boxes_unless_they_are_parameters_or_read_by_many():
    w, x, c = leaf(-1, "parameter", "w"), leaf(-2, "leaf", "x"), leaf(-3, "constant", "c")
    often = leaf(-4, "constant", "often")
    ops = [op(0, [-2, -1]), op(1, [0, -3]), *(op(i, [i - 1, -4]) for i in range(2, MANY + 4))]
    data = page_data(Tape(ops, [w, x, c, often], [Result(len(ops) - 1, 0, "y", (2,), "float32")]))
    assert [source["home"] for source in data["sources"]] == [None, 0, 0, None]
    assert data["ops"][-1]["results"] == ["y"]


def test_running_statistics_and_parameters_are_no_boxes():
    norm = torch.nn.BatchNorm1d(2)
    with torch.record(params=norm) as tape:
        norm(torch.randn(3, 2)).sum().backward()
    homes = {s["name"]: s["home"] for s in page_data(tape)["sources"]}
    assert homes["running_mean"] is None
    assert homes["weight"] is None
    assert homes["input"] == 0


def test_an_input_is_in_the_part_that_reads_it():
    ops = [op(i, [i - 1] if i else [-1]) for i in range(100)]
    ops[60].inputs.append(Input("b", -5, 0, (2,), "float32"))
    data = page_data(Tape(ops, [leaf(-1), leaf(-5)], [Result(99, 0, "", (2,), "float32")]))
    part = data["groups"][data["sources"][1]["home"]]
    assert part["low"] <= 60 < part["high"]
    assert part["high"] - part["low"] <= WIDEST


def test_a_leaf_made_of_a_result_is_a_box_beside_its_maker_or_in_its_readers():
    class Net(torch.nn.Module):
        def forward(self, x):
            y = (x * 2).detach().requires_grad_()
            return y.sin() + y

    with torch.record() as tape:
        Net()(torch.ones(2)).sum()
        torch.nn.Sequential(Net())(torch.ones(2)).detach().requires_grad_().exp()
    data = page_data(tape)
    found = [(source["home"], source["made_by"]) for source in data["sources"] if source["kind"] == "leaf"]
    names = [(home, tape.op(place).name) for home, place in found]
    assert names == [(0, "Detach"), (None, "Detach"), (0, "Detach")]


def test_operations_with_gradient_are_those_of_the_backward_pass_or_of_a_possible_one():
    x, w = torch.ones(3), torch.nn.Parameter(torch.ones(3))
    with torch.record() as tape:
        (x.exp() * w).sum()
        (w * 2).argmax()
    assert [tape.op(i).name for i in sorted(ops_with_gradient(tape))] == ["Mul", "Sum"]
    with torch.record(time=True) as tape:
        a = w * 2
        (a * 3).detach()
        a.sum().backward()
    assert [tape.op(i).name for i in sorted(ops_with_gradient(tape))] == ["Mul", "Sum"]


def test_the_data_has_everything_recorded_of_an_operation():
    layer = torch.nn.Linear(3, 2)
    with torch.record(stats=True, time=True, source=True, params=layer) as tape:
        layer(torch.ones(4, 3)).sum().backward()
    data = page_data(tape, "a layer")
    linear, _ = data["ops"]
    assert linear["title"] == "Linear"
    assert linear["shapes"] == ["4×2"]
    assert linear["dtypes"] == ["float32"]
    assert [(x["name"], x["is"]) for x in linear["inputs"]] == [("x", "(4, 3)"), ("weight", "(2, 3)"), ("bias", "(2,)")]
    assert linear["seconds"] > 0
    assert linear["backward"] > 0
    assert linear["flops"] == 56
    assert linear["gradients"][0]["min"] == 1
    assert len(linear["stats"][0]["counts"]) > 0
    assert "layer(torch.ones(4, 3)).sum().backward()" in data["lines"][linear["line"]]
    assert data["formulas"]["Linear"]["derivatives"].keys() == {"x", "weight", "bias"}
    assert {s["name"]: "gradients" in s for s in data["sources"]} == {"weight": True, "bias": True, "constant": False}


def test_nan_is_a_string_in_the_data():
    with torch.record(stats=True) as tape:
        (torch.ones(2) * float("nan") * float("inf")).sum()
    data = Parts(page(tape)).data
    assert data["ops"][0]["inputs"][1]["value"] == "nan"
    assert data["ops"][0]["stats"][0]["nans"] == 2


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{data}}<!--"


def test_names_and_settings_are_never_markup():
    ops = [op(0, [-1], HOSTILE), op(1, [0], HOSTILE, HOSTILE)]
    ops[0].settings = {HOSTILE: HOSTILE}
    ops[0].line = f"{HOSTILE}:3"
    tape = Tape(ops, [leaf(-1, "leaf", HOSTILE)], [Result(1, 0, HOSTILE, (2,), "float32")])
    text = page(tape, title=HOSTILE)
    parts = Parts(text)
    assert [tag for tag, _ in parts.tags].count("script") == 3
    assert "img" not in [tag for tag, _ in parts.tags]
    assert parts.data["ops"][1]["name"] == HOSTILE
    assert parts.data["title"] == HOSTILE


def test_the_policy_allows_no_requests_and_only_the_pages_own_scripts():
    parts = Parts(page(chain(["a", "b"])))
    assert not [(tag, a) for tag, a in parts.tags if "src" in a or "href" in a or any(k.startswith("on") for k in a)]
    rules = dict(rule.strip().split(" ", 1) for rule in parts.policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'none'"
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in parts.scripts[1:]]
    assert rules["script-src"].split() == hashes
    assert "Permission is hereby granted" in parts.scripts[1], "the library's license goes with it"


def test_the_script_never_inserts_markup():
    parts = Parts(page(chain(["a"])))
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", parts.scripts[2]
    )


@pytest.mark.host("the length of a text")
def test_the_page_of_resnet50_is_less_than_two_megabytes(tmp_path):
    from microgad.models import resnet50

    model = resnet50()
    with torch.record(stats=True, time=True, source=True, params=model) as tape:
        F.cross_entropy(model(torch.randn(2, 3, 32, 32)), torch.tensor([1, 2])).backward()
    tape.page(tmp_path / "net.html")
    assert 100_000 < (tmp_path / "net.html").stat().st_size < 2_000_000


def test_steps_must_be_of_the_same_operations():
    one, other = chain(["a", "b"]), chain(["a"])
    assert len(page_data(one, steps=[chain(["a", "b"])])["steps"]) == 2
    with pytest.raises(ValueError, match=r"steps\[1\] has other operations"):
        one.page(steps=[one, other])
    with pytest.raises(ValueError, match=r"expected a path that ends with .html, got 'net.svg'"):
        one.page("net.svg")


def test_too_many_operations_are_refused():
    tape = Tape([op(0, [])] * (LARGEST + 1), [], [])
    with pytest.raises(ValueError, match="200,001 operations are more than a browser holds"):
        tape.page()


def test_an_empty_tape_has_a_page():
    assert Parts(page(Tape([], [], []))).data["ops"] == []


@pytest.mark.parametrize("line", ["", "nowhere", "x:y", "/no/such/file.py, line 3", ":", "a.py:"])
def test_the_source_of_an_unknown_line_is_empty(line):
    assert source_line(line) == ""


def test_formulas_are_the_source_of_the_derivatives():
    assert formula("Mul").derivatives == {"a": "grad * b", "b": "grad * a"}
    assert formula("Mul").forward == "a * b"
    assert "" in formula("Sum").derivatives, "a linear operation has one derivative, its adjoint"
    assert formula("Linear").derivatives.keys() == {"x", "weight", "bias"}
    assert formula("Conv2d").derivatives.keys() == {""}, "one derivative serves all inputs"
    assert formula("no such thing") is None


def test_a_formula_is_that_of_the_operation_on_the_tape():
    class Softplus(torch.Function):
        """Mine."""

        def forward(self, x):
            return x * 42

        def grad_x(self, grad):
            return grad * 42

    x = torch.ones(2, requires_grad=True)
    for function, says in ((Softplus.apply, "Mine."), (torch.nn.functional.softplus, "log(1 + e")):
        with torch.record() as tape:
            function(x)
        assert page_data(tape)["formulas"]["Softplus"]["says"].startswith(says)


def test_a_function_without_source_has_no_formula():
    space = {"torch": torch, "__name__": "typed"}
    exec("class Typed(torch.Function):\n def forward(self, x): return x\n def grad_x(self, grad): return grad", space)
    assert formula("Typed") is None


def test_inputs_of_more_than_many_steps_are_no_boxes():
    ops = [op(i, [i - 1, -2 - i]) for i in range(MANY + 1)]
    few = page_data(Tape(ops[:MANY], [leaf(-2 - i) for i in range(MANY)], [Result(MANY - 1, 0, "", (2,), "float32")]))
    more = page_data(Tape(ops, [leaf(-2 - i) for i in range(MANY + 1)], [Result(MANY, 0, "", (2,), "float32")]))
    assert [source["home"] for source in few["sources"]] == [0] * MANY
    assert [source["home"] for source in more["sources"]] == [None] * (MANY + 1)


@pytest.mark.host("the time for a tape without arrays")
def test_page_data_of_long_tapes_is_computed_quickly():
    tape = Tape([op(i, [i - 1]) for i in range(30_000)], [leaf(-1)], [])
    started = time.process_time()
    assert len(page_data(tape)["ops"]) == 30_000
    assert time.process_time() - started < 5  # takes 1 s; a quadratic search took 30 s


def test_the_first_nan_or_infinity_of_each_step_is_the_one_that_first_bad_finds():
    def step(x: float) -> Tape:
        with torch.record(stats=True) as tape:
            torch.tensor([x, 1.0]).exp().masked_fill(torch.tensor([False, True]), -torch.inf).softmax(0)
        return tape

    data = page_data(step(0.0), steps=[step(1000.0)])
    assert data["bad"] is None, "an infinity that a mask puts in is none"
    assert [one["bad"] for one in data["steps"]] == [None, 0], "exp(1000)"
    assert page_data(chain(["a"]))["bad"] is None, "no values are recorded"
    with torch.record(stats=True) as tape:
        torch.tensor([torch.nan]) * 2
    assert page_data(tape)["bad"] == -1, "a source"
