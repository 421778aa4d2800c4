"""The HTML report of wrong gradients, and which operations it marks as wrong."""

from __future__ import annotations

import re

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.testing import GradcheckError, check_grads
from microgad.testing.findings.fault_localization import CallTrace
from microgad.testing.findings.html_report import ENTRIES, WRONG, drawing, example, facts, numbers, page


class Square(torch.Function):
    """Its derivative lacks a factor of 2."""

    def forward(self, x):
        return x * x

    def grad_x(self, grad, x):
        return grad * x


class Cube(torch.Function):
    """Its second derivative is wrong."""

    def forward(self, x):
        return x * x * x

    def grad_x(self, grad, x):
        return grad * 3 * Square.apply(x)


class CtxSquare(torch.autograd.Function):
    """Square as an autograd.Function, with the same mistake."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * x


def vector(*shape: int) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(0).uniform(0.5, 2, shape or (2,)), requires_grad=True)


def error_of(f, *inputs, **options) -> GradcheckError:
    with pytest.raises(GradcheckError) as caught:
        check_grads(f, inputs, **options)
    return caught.value


def names(nodes) -> list[str]:
    return [type(node).__name__ for node in nodes]


def test_operations_that_are_wrong_by_themselves_are_faulty():
    net = nn.Sequential(nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout())
    net.double()
    trace = CallTrace(lambda x: Square.apply(net(x)), [vector(2, 1, 5, 5)])
    assert len(trace.calls) >= 7
    assert names(trace.faulty(order=1)) == ["Square"]
    assert names(CallTrace(lambda x: Square.apply(x) + Square.apply(x.exp()), [vector()]).faulty(1)) == ["Square"] * 2
    assert CallTrace(net, [vector(2, 1, 5, 5)]).faulty(order=2) == []


def test_an_operation_whose_second_derivative_is_wrong_is_faulty_at_order_2():
    trace = CallTrace(Cube.apply, [vector()])
    assert trace.faulty(order=1) == []
    assert names(trace.faulty(order=2)) == ["Cube"]


def test_an_unchecked_operation_is_marked_if_all_others_are_right():
    trace = CallTrace(lambda x: CtxSquare.apply(x.exp()).sum(), [vector()])
    assert trace.faulty(order=1) == []
    assert names(trace.unchecked()) == ["CtxSquare"]
    html = drawing(CtxSquare.apply, [vector()], 1)
    assert "Marked: <b>CtxSquare</b>, since the derivatives of all others are right" in html


def test_a_detached_value_is_a_mistake_between_operations():
    html = drawing(lambda x: x * x.detach(), [vector()], 1)
    assert "Each operation's derivative is right by itself, so that the mistake is between them." in html
    assert "No output has a graph" in drawing(lambda x: x.detach() * 2, [vector()], 1)


def test_the_drawing_marks_the_wrong_operation_and_numbers_the_inputs(monkeypatch):
    pytest.importorskip("pygraphviz")
    html = drawing(lambda k, x: Square.apply(x.exp()) * k, [2.0, vector()], 1)
    assert html.startswith("<figure><svg")
    assert "input 1" in html
    assert "input 0" not in html
    boxes = re.findall(r'<g id="node\d+".*?(?=<g id="(?:node|edge)|</svg>)', html, re.DOTALL)
    assert [re.search('xlink:title="(.*?)"', box)[1] for box in boxes if WRONG.lower() in box.lower()] == ["Square"]


@pytest.fixture
def no_graphviz(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "pygraphviz", None)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_without_graphviz_the_dot_source_is_shown(no_graphviz):
    html = drawing(Square.apply, [vector()], 1)
    assert html.startswith("<figure><pre>digraph")
    assert WRONG in html


def test_a_wrong_operation_of_a_loop_that_is_drawn_once_is_marked_in_its_box(no_graphviz):
    def loop(x):
        for _ in range(40):
            x = Square.apply(x.sin()) + x.cos()
        return x

    html = drawing(loop, [vector()], 1)
    boxes = {name: WRONG in rest for name, rest in re.findall(r"^\t+(op\d+) \[(.*)", html, re.MULTILINE)}
    assert len(boxes) == 4
    assert sum(boxes.values()) == 1


def test_an_example_has_numbers_likely_mistake_and_code():
    error = error_of(Square, vector(3))
    html = example("test_it.py::test_<square>", error)
    assert "test_it.py::test_&lt;square&gt;" in html
    assert "is wrong in 3 of 9 entries." in html
    assert '<p class="mistake">It looks like a factor' in html
    assert "check_grads(" in html
    assert "<figure>" in html
    worst = facts(error.finding)
    assert float(worst["numerical"]) == pytest.approx(2 * float(worst["analytical"]), rel=1e-4)
    assert (worst["op"], worst["input"], worst["order"]) == ("Square", "input 0, x", "1")


def test_the_table_lists_wrong_entries_worst_first():
    x = vector(4)
    rows = re.findall("<td>(.*?)</td>" * 6, numbers(error_of(Square, x).finding))
    assert len(rows) == 4
    differences = [float(row[4]) for row in rows]
    assert differences == sorted(differences, reverse=True)
    assert all(row[0] == row[1] for row in rows)
    assert numbers(error_of(Square, vector(20)).finding).count("<tr>") == ENTRIES + 1


def test_an_error_without_a_finding_is_shown_as_text():
    error = error_of(torch.relu, torch.zeros(1, dtype=torch.float64, requires_grad=True), kinks="fail")
    assert error.finding is None
    assert "sits on a kink" in example("test_it", error)


def test_a_graph_that_cannot_be_drawn_does_not_hide_the_error():
    error = error_of(Square, vector())

    def fails(x):
        raise ZeroDivisionError("<twice>")

    error.call = fails, error.call[1]
    html = example("test_it", error)
    assert "The graph can't be drawn: ZeroDivisionError: &lt;twice&gt;" in html
    assert "is wrong in 2 of 4 entries" in html


def test_the_page_is_self_contained():
    html = page([example("test_it", error_of(Square, vector()))])
    assert html.startswith("<!DOCTYPE html>")
    assert html.count("<section>") == 1
    assert not re.search(r'(src|href)="http|@import|<script', html)
