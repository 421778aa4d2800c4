"""`tape.to_networkx` and `tape.to_pandas`."""

from __future__ import annotations

import sys

import pytest

import microgad as torch
from microgad import nn

from ..processes import output_of


@pytest.fixture
def tape():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    with torch.record(stats=True, time=True, params=model) as tape:
        model(torch.ones(4, 2)).sum().backward()
    return tape


def test_the_networkx_graph_has_operations_and_edges(tape):
    networkx = pytest.importorskip("networkx")
    graph = tape.to_networkx()
    assert networkx.is_directed_acyclic_graph(graph)
    assert [graph.nodes[op.number]["name"] for op in tape] == ["Linear", "Relu", "Linear", "Sum"]
    assert graph.in_degree(tape.op(0).number) == 3
    assert networkx.has_path(graph, tape["0.weight"].number, tape.op(-1).number)
    assert not networkx.has_path(graph, tape["2.weight"].number, tape.op(0).number)


def test_an_operation_that_reads_one_result_twice_has_two_edges():
    pytest.importorskip("networkx")
    x = torch.ones(2)
    with torch.record() as tape:
        x = x.exp()
        x * x
    assert tape.to_networkx().number_of_edges(tape.op(0).number, tape.op(1).number) == 2


def test_the_pandas_table_has_all_recorded_columns(tape):
    pytest.importorskip("pandas")
    table = tape.to_pandas()
    assert table["name"].tolist() == ["Linear", "Relu", "Linear", "Sum"]
    assert table.loc[tape.op(0).number, "flops"] == tape.op(0).flops
    assert table["path"].tolist() == ["0", "1", "2", ""]
    assert table["mean"].tolist() == [op.stats[0].mean for op in tape]
    assert table["gradient_norm"].iloc[0] == tape.op(0).gradients[0].norm
    assert table["seconds"].min() > 0


@pytest.mark.parametrize("package", ["networkx", "pandas"])
def test_a_missing_package_is_named_with_what_installs_it(tape, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"^to_{package} needs {package}: pip install 'microgad\[tables\]'$"):
        getattr(tape, f"to_{package}")()


def test_networkx_and_pandas_are_imported_only_when_needed():
    code = (
        "import sys, microgad as torch; torch.trace(torch.exp, torch.ones(1))\n"
        "print({'pandas', 'networkx'} & {*sys.modules})"
    )
    assert output_of(code) == "set()\n"
