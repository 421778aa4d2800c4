"""`tape.memory()`: what is held for backward, the peak, and what checkpoints save, against measured memory."""

from __future__ import annotations

import tracemalloc

import pytest

import microgad as torch
from microgad import nn
from microgad.graph import Tape
from microgad.utils.checkpoint import checkpoint


class Net(nn.Module):
    def __init__(self, blocks=8, n=32):
        super().__init__()
        self.blocks = nn.ModuleList(
            [nn.Sequential(nn.Linear(n, 4 * n), nn.GELU(), nn.Linear(4 * n, n), nn.Tanh()) for _ in range(blocks)]
        )
        self.head = nn.Linear(n, 10)
        self.checkpointed = False

    def forward(self, x):
        for block in self.blocks:
            x = x + (checkpoint(block, x, use_reentrant=False) if self.checkpointed else block(x))
        return self.head(x)


def recorded(net, x):
    with torch.record(params=net) as tape:
        net(x).square().sum().backward()
    return tape


def measured(net, x):
    """Bytes held after the forward pass, and the peak of the backward pass without parameters' gradients."""
    for _ in range(2):
        net.zero_grad()
        for p in net.parameters():
            p.requires_grad_(True)
        before = tracemalloc.get_traced_memory()[0]
        loss = net(x).square().sum()
        held = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.reset_peak()
        torch.autograd.grad(loss, [x])
        peak = tracemalloc.get_traced_memory()[1] - before
        del loss
    return held, peak


def test_memory_is_as_measured_by_tracemalloc():
    net, x = Net(), torch.randn(256, 32, requires_grad=True)
    memory = recorded(net, x).memory()
    net.zero_grad()
    tracemalloc.start()
    try:
        held, _ = measured(net, x)
        net.checkpointed = True
        held_checkpointed, _ = measured(net, x)
    finally:
        tracemalloc.stop()
    assert memory.held == pytest.approx(held, rel=0.05)
    best = memory.checkpoints[0]
    assert best.paths == tuple(f"blocks.{i}" for i in range(8))
    block = sum(memory.by_module[f"blocks.0.{i}"] for i in (1, 2, 3) if f"blocks.0.{i}" in memory.by_module)
    assert held_checkpointed < best.peak < held_checkpointed + 2.5 * block
    assert best.peak < memory.peak / 3


def test_the_peak_of_a_small_graph_computed_by_hand():
    x = torch.ones(256, requires_grad=True)
    memory = (x.exp() * x.sin()).sum().graph().tape.memory()
    assert memory.held == 2 * 1024
    assert memory.peak == 5 * 1024  # both results, the gradient of the product, and those of its factors
    assert memory.at.name == "Mul"
    assert memory.by_op == {"Exp": 1024, "Mul": 2048}
    assert not memory.checkpoints


@pytest.mark.parametrize(("blocks", "peak"), [((2, 2), 5), ((4, 2), 6)])
def test_the_peak_with_checkpoints_computed_by_hand(blocks, peak):
    """In the last block also the first one's result is held, and everywhere the block's results and two gradients."""
    net = nn.Sequential(*(nn.Sequential(*(nn.Tanh() for _ in range(n))) for n in blocks))
    memory = net(torch.ones(256, requires_grad=True)).graph(params=net).tape.memory()
    assert {found.paths: found.peak for found in memory.checkpoints}["0", "1"] == peak * 1024


def test_memory_that_two_operations_keep_is_let_go_once():
    x = torch.ones(1024, requires_grad=True)
    y = x.expand(64, 1024).sum(0).exp()
    memory = (y * y).sum().graph().tape.memory()
    assert (memory.peak, memory.at.name) == (65 * 4096, "Sum")  # when nothing but gradients is held


def test_what_reads_a_result_without_grad_holds_no_gradient():
    x = torch.ones(256, requires_grad=True)
    with torch.record() as tape:
        y = x.exp()
        (y * 2).sum()
        y.detach().mean()
    memory = tape.memory()
    assert (memory.peak, memory.at.name) == (3 * 1024, "Mul")


def test_the_operations_that_keep_most_come_first():
    net, x = nn.Sequential(nn.Linear(4, 100), nn.Tanh(), nn.Linear(100, 2)), torch.randn(50, 4)
    memory = recorded(net, x).memory()
    assert [op.path for op in memory.largest[:2]] == ["1", "2"]
    assert memory.by_module["1"] == 50 * 100 * 4
    assert "19.5 KiB: Tanh in 1 keeps out" in str(memory)


def test_the_flops_of_a_checkpoint_are_those_it_recomputes():
    net, x = Net(3), torch.randn(16, 32)
    memory = recorded(net, x).memory()
    for found in memory.checkpoints:
        assert found.peak < memory.peak
        if len(found.paths) == 1 and found.paths[0] in ("blocks.0", "blocks.1", "blocks.2"):
            assert found.extra_flops == pytest.approx(2 * 2 * 16 * 32 * 128, rel=0.1)
    costs = [(found.peak, found.extra_flops) for found in memory.checkpoints]
    assert costs == sorted(costs)


def test_a_checkpoint_around_everything_saves_nothing():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Net(4)

        def forward(self, x):
            return self.net(x)

    memory = recorded(Outer(), torch.randn(64, 32)).memory()
    assert ("net",) not in [found.paths for found in memory.checkpoints if found.peak < memory.peak * 0.9]
    assert memory.checkpoints[0].paths == tuple(f"net.blocks.{i}" for i in range(4))


def test_an_empty_tape_holds_nothing():
    with torch.record() as tape:
        pass
    assert str(tape.memory()) == "0 B held for backward; 0 B at most, with gradients"


def test_integer_results_have_no_gradients_to_hold():
    x = torch.ones(1000, requires_grad=True)
    with torch.record() as tape:
        mantissa, _ = x.frexp()
        mantissa.sum().backward()
    assert "int32" in tape["Frexp"][0].dtypes
    peak, kept = tape.memory().peak, tape.bytes
    assert peak - kept == 4000 + 4


def test_frozen_parameters_and_buffers_are_not_counted_since_they_live_in_any_case():
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4).requires_grad_(False), nn.BatchNorm1d(4).eval())
    net[2].requires_grad_(False)
    x = torch.ones(2, 4)
    with torch.record(params=net) as tape:
        y = net(x).sum()
    assert tape.memory().held == x.nbytes  # Linear keeps x; what follows reads only parameters and buffers
    with torch.record() as unnamed:
        net[:2](x).sum()
    assert unnamed.memory().held == x.nbytes
    assert y.graph(params=net).tape.memory().held == x.nbytes


def test_a_checkpoint_in_the_program_holds_only_its_inputs():
    net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh())
    x = torch.ones(2, 4, requires_grad=True)
    with torch.record(params=net) as plain:
        net(x.exp()).sum()
    with torch.record(params=net) as tape:
        checkpoint(net, x.exp(), use_reentrant=False).sum().backward()
    assert plain.memory().held == 3 * x.nbytes  # exp's and tanh's results, each once
    assert tape.memory().held == x.nbytes
    assert [kept.name for op in tape if op.name != "Exp" for kept in op.kept] == ["checkpoint's argument"]
    read = checkpoint(net, x.exp() + 0, use_reentrant=False).sum().graph(params=net)
    assert read.tape.memory().held == 2 * x.nbytes  # exp's result, and the checkpoint's argument
    for found in (read.tape, tape):
        assert [op.name for op in found if op.recomputed] == ["Linear", "Tanh", "Linear", "Tanh"]
    assert read.source.count("recomputed in backward") == 4
    assert Tape.from_json(tape.to_json()).ops[1].recomputed


@pytest.mark.parametrize(
    ("pack", "unpack", "held"),
    [
        (lambda x: x, lambda x: x, 32),
        (lambda x: (x.clone(), "copy"), lambda packed: packed[0], 32),
        (lambda x: x.half(), lambda x: x.float(), 16),
        (lambda x: x.tolist(), torch.tensor, 0),
    ],
)
def test_what_hooks_have_packed_counts_in_its_packed_form(pack, unpack, held):
    x = torch.ones(8, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = x.exp() * 3
    op, times = y.graph().tape
    assert ([kept.name for kept in op.kept], op.bytes) == (["out"] if held else [], held)
    assert times.inputs[1].value == 3


def test_a_number_that_a_hook_returns_for_a_tensor_is_no_operand():
    packed = []
    x, c = torch.ones(8, requires_grad=True), torch.ones(8)

    def number_of(tensor):
        packed.append(tensor)
        return len(packed)

    with torch.autograd.graph.saved_tensors_hooks(number_of, lambda number: packed[number - 1]):
        y = (x * c * 3).sum()
    assert [op.inputs[1].value for op in y.graph().tape if op.name == "Mul"] == [None, 3]
    y.backward()
    assert [op.inputs[1].value for op in y.graph().tape if op.name == "Mul"] == [None, 3]
