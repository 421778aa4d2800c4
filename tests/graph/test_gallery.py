"""The drawings of examples/gallery: the committed files are up to date, and show what they are there for."""

from __future__ import annotations

import importlib.util
import re
import runpy
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import SimpleNamespace

import pytest

import microgad as torch
from microgad.graph import Graph
from microgad.graph.drawing.fitting import MAX_BOXES, MAX_HEIGHT, height
from microgad.graph.drawing.sketch import Frame

FOLDER = Path(__file__).parents[2] / "examples" / "gallery"
_spec = importlib.util.spec_from_file_location("gallery_models", FOLDER / "models.py")
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
MODELS = _module.MODELS


def test_the_script_takes_names_of_models_or_none(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "models", SimpleNamespace(MODELS={}))  # so that it draws nothing
    monkeypatch.setattr(sys, "argv", ["make.py"])
    runpy.run_path(str(FOLDER / "make.py"), run_name="__main__")
    monkeypatch.setattr(sys, "argv", ["make.py", "lennet"])
    with pytest.raises(SystemExit):
        runpy.run_path(str(FOLDER / "make.py"), run_name="__main__")
    assert "no model is called lennet" in capsys.readouterr().err


def drawn(name: str) -> Graph:
    torch.manual_seed(0)
    model, batch = (make() for make in MODELS[name])
    return model(*batch).graph(params=model)


def structure(mermaid: str) -> str:
    """Mermaid text without the results' values, whose last digits depend on the machine."""
    return re.sub(r'(result\d+\(\["[^<"]*)<br/>[^"]*', r"\1", mermaid)


@pytest.mark.parametrize("name", MODELS)
def test_the_committed_mermaid_file_is_up_to_date(name):
    graph = drawn(name)
    committed = (FOLDER / f"{name}.mmd").read_text(encoding="utf-8")
    assert structure(graph.mermaid) == structure(committed), "run examples/gallery/make.py, and look at the picture"
    assert len(graph.sketch.boxes) <= MAX_BOXES
    assert height(graph.sketch) <= MAX_HEIGHT


@pytest.mark.parametrize("name", MODELS)
def test_the_committed_svg_file_is_small_and_has_all_boxes(name):
    text = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert len(text) < 100_000
    nodes = [g for g in ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}g") if g.get("class") == "node"]
    sketch = drawn(name).sketch
    assert len(nodes) == len(sketch.boxes) + len(sketch.results)


def frames(graph: Graph) -> dict[str, int]:
    """The titles of the frames, each with its number of repetitions."""
    found, stack = {}, list(graph.sketch.items)
    while stack:
        item = stack.pop()
        if isinstance(item, Frame):
            found[item.title] = item.times
            stack += item.items
    return found


def test_a_gpt_shows_one_block_twelve_times_and_the_tied_weight():
    graph = drawn("gpt")
    assert frames(graph) == {"blocks": 1, "blocks.0 … 11": 12, "attention": 1, "mlp": 1}
    assert "tokens.weight (100, 48)" in graph.source
    assert len(graph.sketch.residual_edges(graph.sketch.edges())) == 2, "those around attention and mlp"


def test_an_lstm_shows_one_step_fifty_times():
    graph = drawn("lstm")
    assert frames(graph) == {"": 50}
    titles = {box.title: box.uses for box in graph.sketch.boxes if box.kind == "parameter"}
    assert titles == {"gates.weight": 50, "gates.bias": 50}
    assert sum(bool(edge.later) for edge in graph.sketch.edges()) == 2


def test_a_resnet_shows_its_layers_with_repeated_blocks_once():
    boxes = {box.title: box.times for box in drawn("resnet50").sketch.boxes if box.title.startswith("layer")}
    assert boxes == {
        "layer1.0": 1, "layer1.1 … 2": 2, "layer2.0": 1, "layer2.1 … 3": 3,
        "layer3.0": 1, "layer3.1 … 5": 5, "layer4.0": 1, "layer4.1 … 2": 2,
    }  # fmt: skip


def test_a_u_net_shows_its_two_skip_connections():
    sketch = drawn("unet").sketch
    skip = sketch.residual_edges(sketch.edges())
    assert sorted(edge.head.ops[0].name for edge in skip) == ["Cat", "Cat"]
