"""`make_dot`, `draw_graph` and `draw_dot` take the arguments of torchviz, torchview and micrograd."""

from __future__ import annotations

import graphviz
import pytest

import microgad as torch
from microgad import nn
from microgad.graph import draw_dot, draw_graph, make_dot, summary
from microgad.graph.compat.layer_info import LayerInfo

from ..processes import run_module


def network() -> nn.Module:
    return nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), nn.Dropout(), nn.Linear(4, 1))


def test_make_dot_takes_torchviz_arguments():
    model = network()
    y = model(torch.ones(2, 3))
    drawn = make_dot(y.mean(), params=dict(model.named_parameters()), show_attrs=True, show_saved=True)
    assert isinstance(drawn, graphviz.Digraph)
    assert "<B>0.0.weight</B>" in drawn.source
    assert "keeps" in drawn.source
    assert "keeps" not in make_dot((y.mean(), y.sum())).source


def test_draw_graph_takes_torchview_arguments(tmp_path):
    pytest.importorskip("pygraphviz")
    model = network().train()
    drawn = draw_graph(
        model, input_size=(2, 3), depth=1, device="meta", roll=True, graph_dir="LR", save_graph=True, filename="net",
        directory=str(tmp_path),
    )  # fmt: skip
    assert model.training
    assert "rankdir=LR" in drawn.visual_graph.source
    assert (tmp_path / "net.png").read_bytes().startswith(b"\x89PNG")
    assert [box.title for box in drawn.graph.sketch.boxes if box.kind == "module"] == ["0", "2"]
    drawn.resize_graph(scale=2.0)
    assert 'size="24,24"' in drawn.visual_graph.source


def test_draw_graph_opens_modules_to_a_depth_and_frames_them_on_request():
    model = network()
    deep = draw_graph(model, torch.ones(2, 3))
    assert [box.title for box in deep.graph.sketch.boxes if box.kind == "module"] == ["0.0", "0.1", "2"]
    assert "subgraph" not in deep.visual_graph.source
    assert "subgraph" in draw_graph(model, [torch.ones(2, 3)], expand_nested=True).visual_graph.source
    assert "Dropout" in draw_graph(model, {"input": torch.ones(2, 3)}, mode="train").visual_graph.source
    open_ = draw_graph(model, torch.ones(2, 3), depth=float("inf"), hide_module_functions=False)
    assert not [box for box in open_.graph.sketch.boxes if box.kind == "module"]
    several = draw_graph(nn.Bilinear(2, 3, 1), input_size=[(4, 2), (4, 3)], dtypes=[torch.float32, torch.float32])
    assert "(4, 1)" in several.visual_graph.source


def test_draw_graph_names_missing_and_invalid_arguments():
    with pytest.raises(ValueError, match="input_data, or input_size"):
        draw_graph(network())
    with pytest.raises(ValueError, match="mode must be 'eval' or 'train', got 'test'"):
        draw_graph(network(), torch.ones(2, 3), mode="test")


def test_draw_dot_shows_numbers_and_gradients():
    a = torch.tensor(2.0, requires_grad=True)
    b = torch.tensor(-3.0, requires_grad=True)
    product = a * b
    product.retain_grad()
    y = (product + a).tanh()
    y.backward()
    drawn = draw_dot(y, format="png", rankdir="TB")
    assert f"<B>product</B><BR/>-6<BR/>grad {b.grad.item() / 2:.4g}" in draw_dot(y, params=locals()).source
    assert drawn.format == "png"
    assert f"<BR/>-3<BR/>grad {b.grad.item():.4g}" in drawn.source
    assert "rankdir=TB" in drawn.source


def test_programs_that_import_torchviz_and_torchview_run():
    program = """
import torch, torchviz, torchview
from torchviz import make_dot
from torchview import draw_graph
model = torch.nn.Linear(2, 1)
print(make_dot(model(torch.ones(1, 2)), dict(model.named_parameters())).source.count(" -> "))
print(type(torchview.draw_graph(model, input_size=(1, 2)).visual_graph).__name__)
"""
    done = run_module("microgad", "-c", program)
    assert done.stdout == "4\nDigraph\n", done.stderr


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_draw_graph_leaves_each_module_in_its_mode(mode):
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2).eval())
    draw_graph(model, input_size=(3, 2), mode=mode)
    assert [module.training for module in model.modules()] == [True, True, False]


def test_summary_counts_the_parameters_of_each_layer_a_few_times_however_deep_it_is(monkeypatch):
    counted, num_params = [], LayerInfo.num_params.fget

    def count(layer):
        counted.append(layer)
        assert len(counted) < 1000, "once more on each level makes 2 ** 60"
        return num_params(layer)

    monkeypatch.setattr(LayerInfo, "num_params", property(count))
    model = nn.Linear(2, 2)
    for _ in range(60):
        model = nn.Sequential(model)
    assert summary(model, (1, 2), depth=61, verbose=0).total_params == 6
    assert "└─Linear: 60-1" in str(summary(model, (1, 2), depth=61, verbose=0))
