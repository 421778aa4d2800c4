"""FlopCounterMode in cases where PyTorch gives no count to compare with."""

from __future__ import annotations

import pytest

import microgad as torch
from microgad import nn, operators
from microgad.utils.checkpoint import checkpoint
from microgad.utils.flop_counter import FlopCounterMode


@pytest.fixture
def layer(device):
    return nn.Linear(3, 4).to(device)


def test_checkpoints_and_saved_tensor_hooks_do_not_change_the_count(layer, device):
    """A product of 2 · 2 · 3 · 4 = 48 flops, and one for each of two gradients."""
    for wrapped in (layer, lambda x: checkpoint(layer, x, use_reentrant=False)):
        x = torch.ones(2, 3, device=device, requires_grad=True)
        with FlopCounterMode(display=False) as counter:
            wrapped(x).sum().backward()
        assert counter.get_total_flops() == 3 * 48
    with FlopCounterMode(display=False) as counter, torch.autograd.graph.save_on_cpu():
        layer(torch.ones(2, 3, device=device)).sum().backward()
    assert counter.get_total_flops() == 2 * 48


def test_second_derivatives_are_counted(device):
    a, b = (torch.ones(*n, device=device, requires_grad=True) for n in ((2, 3), (3, 4)))
    with FlopCounterMode(display=False) as counter:
        out = (a @ b).square().sum()
        first = torch.autograd.grad(out, (a, b), create_graph=True)
        assert counter.get_total_flops() == 3 * 48
        (first[0].sum() + first[1].sum()).backward()
    assert counter.get_total_flops() == (3 + 4 + 2) * 48  # each of three products has two derivatives


def test_the_derivatives_of_a_convolution_count_as_convolution_backward(device):
    conv, x = nn.Conv1d(2, 3, 3).to(device), torch.ones(1, 2, 5, device=device, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        torch.autograd.grad(conv(x).square().sum(), (x, conv.weight), create_graph=True)
    flops = 2 * (3 * 3) * (2 * 3)
    counts = {str(op): n for op, n in counter.get_flop_counts()["Global"].items()}
    assert counts == {"aten.convolution": flops, "aten.convolution_backward": 2 * flops}


def test_attention_counts_its_matrix_products(device):
    q, k, v = (torch.ones(2, n, 4, device=device, requires_grad=True) for n in (3, 5, 5))
    with FlopCounterMode(display=False) as counter:
        torch.nn.functional.scaled_dot_product_attention(q, k, v).sum().backward()
    assert counter.get_total_flops() == 6 * (2 * 2 * 3 * 4 * 5)
    mask, constants = torch.zeros(3, 5, device=device, requires_grad=True), [x.detach() for x in (q, k, v)]
    with FlopCounterMode(display=False) as counter:
        torch.nn.functional.scaled_dot_product_attention(*constants, mask).sum().backward()
    assert counter.get_total_flops() == 3 * (2 * 2 * 3 * 4 * 5)


def test_operations_are_counted_under_their_names_in_torch_ops(layer, device):
    with FlopCounterMode(display=False) as counter:
        layer(torch.ones(2, 3, device=device))
    assert counter.get_flop_counts()["Linear"] == {operators.aten.addmm: 48}  # torch.ops.aten.addmm of a program


def test_an_autograd_function_counts_the_operations_that_it_calls():
    class Linear(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x @ torch.ones(3, 4)

        @staticmethod
        def backward(ctx, grad):
            return grad @ torch.ones(4, 3)

    with FlopCounterMode(display=False) as counter:
        Linear.apply(torch.ones(2, 3, requires_grad=True)).sum().backward()
    assert counter.get_total_flops() == 2 * 48


def test_the_count_starts_again_with_each_block(layer, capsys, device):
    counter = FlopCounterMode()
    for _ in range(2):
        with counter:
            layer(torch.ones(2, 3, device=device))
    layer(torch.ones(2, 3, device=device))
    assert counter.get_total_flops() == 48
    expected = """\
Module           FLOP    % Total
-------------  ------  ---------
Linear             48    100.00%
 - aten.addmm      48    100.00%
"""
    assert capsys.readouterr().out == 2 * expected


def test_tables_without_operations_and_with_operations_outside_of_modules(device):
    with FlopCounterMode(display=False) as counter:
        pass
    assert counter.get_table().splitlines()[2] == "Global         0         0%"
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5)).to(device)
    with FlopCounterMode(display=False) as counter:
        model(torch.ones(2, 3, device=device))
        _ = torch.ones(20, 20, device=device) @ torch.ones(20, 20, device=device)
    assert [line.split("  ")[0] for line in counter.get_table(depth=1).splitlines()[2:]] == [
        "Global", " - aten.addmm", " - aten.mm", " Sequential", "",
    ]  # fmt: skip
    assert " Sequential.1 " in counter.get_table()
    assert counter.get_table().splitlines()[2].split() == ["Global", "16.128K", "100.00%"]


def test_deprecated_and_unsupported_arguments():
    with pytest.warns(UserWarning, match="mods argument is not needed"):
        FlopCounterMode(nn.Linear(1, 1))
    with pytest.raises(NotImplementedError, match="custom_mapping"):
        FlopCounterMode(custom_mapping={"mine": lambda *shapes, out_shape=None: 1})
