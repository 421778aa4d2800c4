"""The command `python -m microgad.graph` and the variable MICROGAD_DEBUG, in processes of their own."""

from __future__ import annotations

import os

import pytest

import microgad as torch
from microgad.graph import Tape
from microgad.graph.__main__ import main
from microgad.graph.debugging import CostHook
from microgad.graph.recording.first_backward import backward_subgraph

from ..processes import run as run_python
from ..processes import run_module

PROGRAM = """
import sys, torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
for _ in range(3):
    x = torch.randn(5, 4)
    x = (x - x.mean()) / x.std()
    loss = nn.functional.cross_entropy(net(x), torch.zeros(5, dtype=torch.long))
    loss.backward()
    if "--twice" in sys.argv:
        (g,) = torch.autograd.grad(net(x).exp().sum(), net[0].weight, create_graph=True)
        g.square().sum().backward()
print("ended", *sys.argv[1:])
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


def run(folder, *arguments):
    return run_module("microgad.graph", *arguments, folder=folder)


@pytest.fixture
def read(folder, monkeypatch, capsys):
    """A function that runs the command in this process, which is quicker, if it runs no program."""
    monkeypatch.chdir(folder)

    def read(*arguments):
        try:
            code = main(arguments)
        except SystemExit as error:  # of argparse
            code = error.code
        return code, *capsys.readouterr()

    return read


@pytest.mark.parametrize("name", ["net.html", "net.json", "net.dot", "net.mmd"])
def test_the_command_writes_the_graph_of_the_first_backward(folder, name):
    ran = run(folder, "program.py", "a", "--out", name, "--other", "--", "--out", "b")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "ended a --other --out b\n"
    assert ran.stderr.startswith(f"{name}: <Tape: 4 operations, 58 parameters in 4 arrays")
    written = (folder / name).read_text()
    assert "CrossEntropy" in written
    assert "Var" not in written.replace("Variable", "") or name == "net.html"


def test_the_tape_has_lines_and_gradients_of_the_first_step_only(folder):
    assert run(folder, "--out", "net.json", "program.py", "--twice").returncode == 0
    tape = Tape.from_json(folder / "net.json")
    assert [op.name for op in tape] == ["Linear", "Relu", "Linear", "CrossEntropy"]
    assert all("program.py, line 9" in op.line for op in tape)
    assert all(op.gradients and op.stats and op.backward_seconds for op in tape)
    assert {source.name for source in tape.sources if source.kind == "parameter"} == {
        "0.weight", "0.bias", "2.weight", "2.bias"
    }  # fmt: skip
    assert {x.source for op in tape for x in op.inputs if x.source is not None} <= {
        *(op.number for op in tape), *(source.number for source in tape.sources)
    }  # fmt: skip
    assert tape.results[0].source == tape.ops[-1].number


def test_table_tree_memory_and_summary_print_text(folder, read):
    assert "Linear" in run(folder, "program.py").stdout
    by = run(folder, "table", "--sort", "flops", "--by", "op", "program.py").stdout.splitlines()
    assert by[1].split()[:2] == ["Linear", "2"]
    run(folder, "--out", "net.json", "program.py")
    tree = run(folder, "tree", "net.json").stdout
    assert "└─ Linear" in tree
    assert "held for backward" in read("memory", "net.json")[1]
    run(folder, "--out", "net.npz", "program.py")
    assert read("tree", "net.npz")[1].splitlines()[0] == tree.splitlines()[0]
    assert read("diff", "net.npz", "net.json")[0] == 0
    summary = read("summary", "net.json")[1]
    assert tree.strip() in summary
    assert "held for backward" in summary


def test_diff_compares_two_files(folder, read):
    run(folder, "--out", "a.json", "program.py")
    (folder / "program.py").write_text(PROGRAM.replace("nn.ReLU", "nn.Tanh"))
    run(folder, "--out", "b.json", "program.py")
    assert read("diff", "a.json", "a.json")[:2] == (0, "no difference in 4 operations\n")
    other = run(folder, "diff", "a.json", "b.json")
    assert other.returncode == 1
    assert f"Relu (1) at {folder / 'program.py'}, line 9: isn't in the other" in other.stdout


def test_a_program_without_a_backward_pass(folder):
    (folder / "program.py").write_text("import torch\ntorch.ones(3).exp().sum()\n")
    ran = run(folder, "table", "program.py")
    assert ran.returncode == 0
    assert [line.split()[0] for line in ran.stdout.splitlines()[1:3]] == ["Exp", "Σ"]


def test_a_program_that_computes_nothing(folder):
    (folder / "program.py").write_text("import torch\n")
    ran = run(folder, "program.py", "--out", "net.dot")
    assert ran.returncode == 0, ran.stderr
    assert "0 operations" in (folder / "net.dot").read_text()


def test_an_error_of_the_program_is_reported_as_by_python(folder):
    (folder / "program.py").write_text(
        "import torch\nx = torch.ones(3, requires_grad=True)\nx.exp().sum().backward()\n1 / 0\n"
    )
    ran = run(folder, "program.py")
    assert ran.returncode == 1
    assert "Exp" in ran.stdout
    assert ran.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_the_operation_at_which_backward_fails_is_marked(folder):
    lines = "import torch", "y = torch.ones(3, requires_grad=True).exp()", "y.add_(1)", "y.sum().backward()"
    (folder / "program.py").write_text("\n".join(lines))
    ran = run(folder, "program.py", "--out", "net.dot")
    assert (ran.returncode, "modified by an inplace operation" in ran.stderr) == (1, True)
    marked = [line for line in (folder / "net.dot").read_text().splitlines() if 'CELLBORDER="2"' in line]
    assert [("Exp" in line) for line in marked] == [True]


@pytest.mark.parametrize(("program", "code"), [("1 / 0", 1), ("def f(:", 1), ("raise SystemExit(3)", 3)])
def test_a_program_that_fails_before_it_computes_anything_leaves_the_file_alone(folder, program, code):
    (folder / "program.py").write_text(f"import torch\n{program}\n")
    (folder / "net.dot").write_text("before")
    ran = run(folder, "program.py", "--out", "net.dot")
    assert ran.returncode == code
    assert (folder / "net.dot").read_text() == "before"


def test_an_unwritable_output_file_is_reported_after_the_program(folder):
    ran = run(folder, "program.py", "--out", "nowhere/net.json")
    assert ran.stdout == "ended\n"
    assert ran.returncode == 2
    assert ran.stderr.startswith("python -m microgad.graph: [Errno 2]")


def test_invalid_arguments_and_files_are_refused(folder, read):
    code, _, said = read("--out", "net.doc", "program.py")
    assert (code, "the suffix must be one of .html" in said) == (2, True)
    (folder / "x.json").write_text("{}")
    ran = run(folder, "table", "x.json")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("python -m microgad.graph: from_json")
    assert read("table", "none.json")[0] == 2
    code, _, said = read("net.svg")
    assert (code, said.count("\n"), "net.svg holds no tape" in said) == (2, 1, True)
    ran = run(folder, "none.py", "--out", "none.dot")
    assert (ran.returncode, ran.stderr.count("\n"), (folder / "none.dot").exists()) == (2, 1, False)


CODE = """
import microgad as torch
x = torch.ones(2, 2, requires_grad=True)
(x * x + 1).exp().sum().backward()
print("end")
"""


def python(**environment):
    return run_python("-c", CODE, env=os.environ | environment)


def test_debug_prints_a_table_when_the_program_ends():
    ran = python(MICROGAD_DEBUG="1")
    assert (ran.returncode, ran.stdout) == (0, "end\n")
    lines = ran.stderr.splitlines()
    assert lines[0].split() == ["operation", "calls", "ms", "backward", "ms", "share", "results"]
    assert {line.split()[0] for line in lines[1:-1]} == {"Mul", "Add", "Exp", "Sum"}
    assert lines[-1].startswith("4 operations, ")
    assert lines[-1].endswith("52 B of results")


def test_bytes_of_results_count_new_memory_only():
    x = torch.ones(2, 3)
    with CostHook() as costs:
        torch.nn.functional.linear(x, torch.ones(4, 3))
        x.exp().reshape(6).add_(1)
    assert dict(costs.bytes) == {"Linear": 32, "Exp": 24, "Reshape": 0, "Add": 0}


def test_debug_prints_each_operation():
    lines = python(MICROGAD_DEBUG="print").stderr.splitlines()
    assert lines[0] == "Mul: float32 (2, 2), float32 (2, 2) -> float32 (2, 2)"
    assert lines[-1].startswith("Mul backward")


def test_debug_refuses_other_values_and_is_off_when_empty():
    assert 'MICROGAD_DEBUG must be "1"' in python(MICROGAD_DEBUG="yes").stderr
    ran = python(MICROGAD_DEBUG="")
    assert (ran.stdout, ran.stderr) == ("end\n", "")


@pytest.mark.parametrize("requires_grad", [False, True])
def test_a_write_to_a_base_is_in_the_backward_subgraph_if_it_has_a_gradient(requires_grad):
    w = torch.ones(3, requires_grad=True)
    with torch.record() as tape:
        base = torch.zeros(3)
        view = base[:2]
        base.add_(w if requires_grad else 1.0)
        (view * w[:2]).sum().backward()
    subgraph = backward_subgraph(tape, [(tape.op(-1).number, 0)])
    assert [op.name for op in subgraph] == ["Add"] * requires_grad + ["GetItem", "Mul", "Sum"]
    assert subgraph["Mul"][0].inputs[0].written == (subgraph["Add"][0].number if requires_grad else None)
    assert len(Tape.from_json(subgraph.to_json())) == len(subgraph)
