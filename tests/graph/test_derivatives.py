"""Tapes, drawings, pages and tables tell the operations of derivatives, by create_graph, from those of the program."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

import microgad as torch
from microgad import nn
from microgad.graph import Tape
from microgad.graph.module_tree import ModuleTree
from microgad.graph.pages.page_data import page_data


def penalty(**options: bool) -> Tape:
    """A gradient penalty: the operations of the derivative are between those of the network and of the penalty."""
    net, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)), torch.ones(2, 3, requires_grad=True)
    with torch.record(params=net, **options) as tape:
        (g,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
        (g**2).sum().backward()
    return tape


def second() -> Tape:
    """The second derivative of x·sin(x), which has three products in the first one."""
    x = torch.tensor(2.0, requires_grad=True)
    with torch.record() as tape:
        (g,) = torch.autograd.grad(x.sin() * x, x, create_graph=True)
        torch.autograd.grad(g, x, create_graph=True)
    return tape


def derived(tape: Tape) -> list[str]:
    """The operation whose derivative each one belongs to; "?" if it is not on the tape."""
    return ["" if op.derives is None else getattr(tape.find(op.derives), "name", "?") for op in tape]


@pytest.mark.parametrize("replay", [False, True])
def test_an_operation_of_a_derivative_knows_which_operation_that_is_of(replay):
    tape = penalty(replay=replay)
    assert derived(tape) == [""] * 4 + ["Sum", "Linear"] + ["Tanh"] * 3 + ["Linear"] + [""] * 2
    assert tape.ops[5].derives == tape.ops[2].number
    assert tape.ops[9].derives == tape.ops[0].number


def test_a_derivative_by_decomposition_belongs_to_the_operation_and_a_sum_of_gradients_to_none():
    x = torch.ones(2, requires_grad=True)
    with torch.record() as tape:
        torch.autograd.grad((nn.functional.gelu(x) * x).sum(), x, create_graph=True)
        x.exp()
    assert derived(tape)[:3] == [""] * 3
    assert set(derived(tape)[3:-2]) == {"Sum", "Mul", "Gelu"}
    assert "Add" in [op.name for op in tape.ops[3:-2]]  # a sum in the decomposition
    assert (tape.ops[-2].name, tape.ops[-2].derives) == ("Add", tape.ops[-2].number)
    assert derived(tape)[-1] == ""
    assert "(sum)" in str(tape).splitlines()[-3]
    assert page_data(tape)["ops"][-2]["derives"] is None
    assert ModuleTree(tape).call_of[tape.ops[-2].number].path == ""


def test_the_result_of_a_decomposition_is_no_result_of_the_tape():
    x = torch.ones(2, 3, requires_grad=True)
    with torch.record() as tape:
        (g,) = torch.autograd.grad(nn.functional.layer_norm(x, (3,)).sum(), x, create_graph=True)
        (g**2).sum()
    assert [tape[result.source].name for result in tape.results] == ["Sum", "Sum"]


def test_a_derivative_records_no_reshape_to_the_same_shape():
    x, bias = torch.ones(2, 3, requires_grad=True), torch.ones(3, requires_grad=True)
    net = nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 1))
    with torch.record(params=net) as tape:
        torch.autograd.grad(net(x + bias).sum(), [x, bias, *net.parameters()], create_graph=True)
    names = {op.name for op in tape if op.inputs[0].shape == op.shapes[0]}
    assert "Mul" in names
    assert not names & {"Reshape", "ReshapeAdjoint"}


def test_a_gradient_that_is_summed_over_broadcast_axes_belongs_to_the_module_of_the_operation():
    class Shift(nn.Module):
        def forward(self, x):
            return torch.ones(2, 3) * x

    net, x = nn.Sequential(Shift()), torch.ones(3, requires_grad=True)
    with torch.record(params=net) as tape:
        torch.autograd.grad(net(x).sum(), x, create_graph=True)
    assert [call.path for call in ModuleTree(tape).calls] == ["0", "∂ Sum", "∂ 0", "∂ 0.Mul"]
    assert tape.ops[-1].path == "0"
    assert derived(tape)[-1] == "Mul"


def test_what_a_hook_computes_in_a_pass_is_the_programs_own_and_the_leafs_copy_is_the_passs():
    x = torch.ones(2, requires_grad=True)
    with torch.record() as tape:
        y = x.exp()
        y.register_hook(lambda grad: grad.sin())
        y.sum().backward(create_graph=True)
    assert [op.name for op in tape] == ["Exp", "Sum", "SumAdjoint", "Sin", "Mul", "Clone"]
    assert derived(tape) == ["", "", "Sum", "", "Exp", "Clone"]


@pytest.mark.parametrize("recorded", [False, True])
def test_the_graph_of_a_tensor_tells_derivatives_without_a_recording(recorded):
    """Also those of what isn't on the tape, here of the sum; and those by decomposition."""
    net, x = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.Tanh()), torch.ones(2, 3, requires_grad=True)
    with torch.record() if recorded else nullcontext():
        (g,) = torch.autograd.grad((net(x) ** 2).sum(), x, create_graph=True)
        loss = (g**2).sum()
    drawn = loss.graph(params=net)
    assert derived(drawn.tape)[:3] == ["", "", ""]
    assert derived(drawn.tape)[-2:] == ["", ""]
    assert {"Tanh", "LayerNorm", "Linear"} <= set(derived(drawn.tape)[3:-2])
    assert "" not in derived(drawn.tape)[3:-2]
    assert "∂ 1" in drawn.source
    assert all(type(op.path) is str for op in drawn.tape)


def test_derivatives_in_the_derivative_of_a_programs_function_belong_to_it():
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return torch.autograd.grad(x**3, x, grad, create_graph=True)

    x = torch.tensor(2.0, requires_grad=True)
    (g,) = torch.autograd.grad(Cube.apply(x), x, create_graph=True)
    tape = (g + x).graph().tape
    assert [op.name for op in tape] == ["Pow", "Mul", "Mul", "Add"]
    assert [op.derives is None for op in tape] == [False, False, False, True]


def test_after_a_failed_pass_operations_are_the_programs_again():
    x = torch.ones(2, requires_grad=True)

    def fail(grad):
        raise ValueError("no")

    with torch.record() as tape:
        y = x.exp()
        y.register_hook(fail)
        with pytest.raises(ValueError, match="no"):
            torch.autograd.grad(y.sum(), x, create_graph=True)
        x.sin()
    assert derived(tape) == ["", "", "Sum", ""]


def test_the_derivatives_of_a_forward_that_is_not_on_the_tape_have_its_names():
    net, x = nn.Sequential(nn.Tanh()), torch.ones(2, requires_grad=True)
    y = net(x).sum()
    with torch.record() as tape:
        torch.autograd.grad(y, x, create_graph=True)
    assert all(op.derives is not None and tape.find(op.derives) is None for op in tape)
    assert [call.path for call in ModuleTree(tape).calls] == ["∂ Sum", "∂ 0", "∂ 0.Tanh"]
    assert "derivative of" in str(tape)
    assert "∂ 0" in tape.draw().source
    x = torch.tensor(2.0, requires_grad=True)
    (first,) = torch.autograd.grad(x.exp() * x, x, create_graph=True)
    (second,) = torch.autograd.grad(first, x, create_graph=True)
    for tape in (second.graph().tape, Tape.from_json(second.graph().tape.to_json())):
        unknown = {op.derived for op in tape if op.derives is not None and not tape.find(op.derives)}
        assert unknown == {"Mul", "∂Mul"}  # no path leads from the second derivative to the product
        assert {call.path for call in ModuleTree(tape).calls} == {"∂ Mul", "∂² Mul", "∂ Exp"}
        assert "∂Mul" in str(tape)


def test_derivatives_are_calls_of_their_own():
    calls = ModuleTree(penalty()).calls
    last = [call.path for call in calls if not any(member in calls for member in call.members)]
    assert last == ["0", "1", "2", "∂ Sum", "∂ 2.Linear", "∂ 1.Tanh", "∂ 0.Linear"]
    assert [call.derivative for call in calls].count(True) == 7
    assert [call.path for call in ModuleTree(second()).calls] == [
        "∂ Mul", "∂ Sin", "∂² Mul", "∂² Cos", "∂² Mul", "∂² Mul", "∂ Sin",
    ]  # fmt: skip


def test_a_parameter_that_a_derivative_reads_too_is_drawn_in_its_module():
    tape = penalty()
    assert ModuleTree(tape).home_of[tape["2.weight"].number].path == "2"


def test_drawings_tint_derivatives_and_explain_the_tint():
    drawn = penalty().draw()
    assert "<B>∂ 1.Tanh</B>" in drawn.source
    assert drawn.source.count("rounded,filled,dashed") == 2  # the frame and the constant seed
    assert "by create_graph" in drawn.source
    assert 'subgraph cluster7["∂ 1.Tanh"]' in drawn.mermaid
    assert "class op4,op5,op6,op7,op8,op9 derivative" in drawn.mermaid
    alone = torch.ones(2, requires_grad=True).exp().graph()
    assert "create_graph" not in alone.source
    assert "derivative" not in alone.mermaid


def test_a_sum_of_gradients_is_no_residual_connection():
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    (g,) = torch.autograd.grad(y.sin() + y, x, x.exp(), create_graph=True)
    assert "Add" in [op.name for op in g.graph().tape if op.derives is not None]
    assert "residual" not in g.graph().source


def test_derivatives_are_closed_by_a_pattern_as_modules_are():
    boxes = penalty().draw(collapse="∂*").sketch.boxes
    assert [box.title for box in boxes if box.kind == "module"] == ["∂ Sum", "∂ 2", "∂ 1", "∂ 0"]


def test_where_several_operations_have_the_same_name_lines_lead_to_their_derivatives():
    drawn = penalty().draw()
    assert "its derivative" in drawn.source
    lines = [line.split(" [")[0].strip() for line in drawn.source.splitlines() if "style=dotted" in line]
    assert lines == ["op3 -> op4"]  # of the two sums
    x = torch.ones(2, requires_grad=True)
    with torch.record() as tape:
        torch.autograd.grad(x.exp().sum(), x, create_graph=True)
    assert "its derivative" not in tape.draw().source


def test_a_chain_has_operations_of_a_derivative_or_of_the_program_but_not_both():
    x = torch.ones(3, requires_grad=True)
    with torch.record() as tape:
        (g,) = torch.autograd.grad(x.exp().sum(), x, create_graph=True)
        g.sin().cos().tanh().exp()
    sketch = tape.draw(fold=True, depth=1).sketch
    kinds = [{op.derives is None for op in box.ops} for box in sketch.boxes if box.ops]
    assert all(len(kind) == 1 for kind in kinds)


def test_tables_pages_and_files_tell_derivatives():
    tape = penalty()
    lines = str(tape).splitlines()
    assert "derivative of" in lines[0]
    assert "2 Linear" in lines[6]
    assert "1 Tanh" in lines[8]
    assert "derivative of" not in str(torch.trace(torch.exp, torch.ones(2)))
    data = page_data(tape)
    assert [op.get("derives") for op in data["ops"]] == [None] * 4 + [3, 2, 1, 1, 1, 0] + [None] * 2
    labels = [group["label"] for group in data["groups"] if group.get("derivative")]
    assert labels == ["∂ 1.Tanh"]
    assert "∂ 1:" in str(tape.tree())
    again = Tape.from_json(tape.to_json())
    assert [op.derives for op in again] == [op.derives for op in tape]


def test_checkpoints_are_suggested_for_modules_and_not_for_their_derivatives():
    net = nn.Sequential(*(nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Tanh()) for _ in range(4)))
    x = torch.ones(64, 64, requires_grad=True)
    with torch.record(params=net) as tape:
        (g,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
        (g**2).sum()
    found = tape.memory().checkpoints
    assert not any(path.startswith("∂") for checkpoint in found for path in checkpoint.paths)


def test_tables_and_memory_count_derivatives_apart_from_the_modules_whose_they_are():
    tape = penalty()
    rows = tape.table(by="module").rows
    assert [row[:2] for row in rows] == [
        ["0", "1"], ["1", "1"], ["2", "1"], ["(outside)", "3"], ["∂ (outside)", "1"], ["∂ 2", "1"], ["∂ 1", "3"],
        ["∂ 0", "1"],
    ]  # fmt: skip
    assert [row[1] for row in tape.table().rows][4:7] == ["∂", "∂ 2", "∂ 1"]
    assert "∂ 1 " in str(tape.memory()).splitlines()[-1]


def test_an_edge_without_gradient_leads_to_a_leaf_that_the_program_made_of_a_result():
    net = nn.Sequential(nn.Linear(3, 1))
    with torch.record(params=net) as tape:
        between = torch.ones(2, 3).lerp(torch.zeros(2, 3), 0.5).requires_grad_()
        (g,) = torch.autograd.grad(net(between).sum(), between, create_graph=True)
        g.norm()
    (leaf,) = [source for source in tape.sources if source.kind == "leaf"]
    assert leaf.made_by == tape.ops[0].number
    assert tape.ops[0].number not in [result.source for result in tape.results]
    place = tape.sources.index(leaf)
    assert f'op0 -.->|"(2, 3)"| source{place}' in tape.draw().mermaid
    assert len(Tape.from_json(tape.to_json()).draw().sketch.edges()) == len(tape.draw().sketch.edges())


def test_the_legend_has_no_module_for_closed_derivatives_alone():
    x, net = torch.ones(1, requires_grad=True), nn.Sequential(nn.Sequential(nn.Linear(1, 1), nn.Tanh()))
    (first,) = torch.autograd.grad(x.exp() * x, x, create_graph=True)
    closed = first.graph(depth=1)
    assert [box.title for box in closed.sketch.boxes if box.kind == "module"] == ["∂ Mul", "∂ Exp"]
    assert ">module</FONT>" not in closed.source
    assert ">module</FONT>" in net(x).graph(depth=1).source
