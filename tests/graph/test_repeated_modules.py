"""Drawings of the modules of a ModuleList that a loop calls, with operations between them."""

from __future__ import annotations

import pytest

import microgad as torch
from microgad import nn
from microgad.models import mobilenet_v2


class Residual(nn.Module):
    """Modules of a list, each of which adds to what it reads."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        layers = [nn.Linear(2, 2) for _ in names]
        self.layers = nn.ModuleList(layers) if names[0] == "0" else nn.ModuleDict(dict(zip(names, layers, strict=True)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers.children():
            x = layer(x) + x
        return x


@pytest.fixture
def drawn(request) -> torch.graph.Graph:
    model = Residual(request.param)
    return model(torch.ones(1, 2, requires_grad=True)).graph(params=model, roll=True)


@pytest.mark.parametrize("drawn", [["0", "1", "2", "3"]], indirect=True)
def test_they_are_drawn_once_with_the_range_of_their_names(drawn):
    (frame,) = [item for item in drawn.sketch.items if not hasattr(item, "kind")]
    assert (frame.title, frame.times) == ("", 4)
    assert [item.title for item in frame.items] == ["layers.0 … 3", ""]
    lines = [line.strip() for line in drawn.mermaid.splitlines()]
    assert 'source0("weight")' in lines
    assert 'source0 -->|"(2, 2)"| op0' in lines, "each has a weight of its own"


def test_many_modules_side_by_side_are_drawn_once():
    def boxes(heads: int) -> list[int]:
        layers, x = nn.ModuleList([nn.Linear(2, 2) for _ in range(heads)]), torch.ones(1, 2)
        drawn = torch.cat([layer(x) for layer in layers]).graph(params=layers)
        once = 'op0 -->|"(1, 2) ×12"| op12' in drawn.mermaid and "inputs[0] … inputs[11]<" in drawn.source
        assert once == (heads == 12), "one edge for all arguments of Cat"
        return [box.times for box in drawn.sketch.boxes if box.kind == "op" and box.ops[0].name == "Linear"]

    assert boxes(4) == [1] * 4
    assert boxes(12) == [1], "in a frame of 12"


@pytest.mark.parametrize("drawn", [["key", "query", "value"]], indirect=True)
def test_modules_with_names_of_their_own_are_drawn_each(drawn):
    titles = [item.title for item in drawn.sketch.items if not hasattr(item, "kind")]
    assert titles == ["layers.key", "layers.query", "layers.value"]


def test_a_chain_in_a_repeated_module_shows_the_range_of_its_names():
    layers, x = nn.ModuleList([nn.Sequential(nn.Linear(2, 2), nn.Tanh()) for _ in range(4)]), torch.ones(1, 2)
    x.requires_grad_()
    for layer in layers:
        x = layer(x) + x
    source = x.graph(params=layers, roll=True, fold=True, leaves=True).source
    assert "<B>0.0 … 3.0</B>&#160;Linear" in source


def test_convolutions_that_differ_in_dilation_are_drawn_once_with_its_range():
    layers = [nn.Conv1d(1, 1, 3, padding=2**i, dilation=2**i) for i in range(4)]
    drawn = nn.Sequential(*layers)(torch.ones(1, 1, 9, requires_grad=True)).graph(roll=True)
    assert drawn.sketch.rolls == [4]
    assert "kernel 3" in drawn.source
    assert "padding 1 … 8<" in drawn.source
    assert "dilation 1 … 8<" in drawn.source, "of the first it is the default"


def test_the_blocks_of_a_deep_network_are_shown_with_how_often_they_repeat():
    net = mobilenet_v2()
    titles = [box.title for box in net(torch.ones(2, 3, 32, 32)).graph(params=net).sketch.boxes]
    assert {"features.0", "features.5 … 6", "features.8 … 10", "classifier.1"} <= {*titles}
