"""A second backward through the same graph: what raises, and what passes because nothing that it needs was freed."""

from __future__ import annotations

import pytest

import microgad as torch
from microgad import nn


def test_a_second_backward_through_freed_values_raises() -> None:
    x = torch.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(
        RuntimeError, match=r"Mul: Trying to backward through the graph a second time.*retain_graph=True"
    ):
        y.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 2.0]


def test_a_second_backward_through_a_freed_dropout_mask_raises() -> None:
    x = torch.ones(100, requires_grad=True)
    y = nn.functional.dropout(x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="Dropout: Trying to backward through the graph a second time"):
        y.backward()


def test_a_second_backward_passes_where_nothing_but_numbers_is_kept() -> None:
    x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    for y in torch.lerp(x, x, 0.3), torch.add(x, x, alpha=2), x.deg2rad(), torch.trapezoid(x, dx=0.5):
        first, second = (torch.autograd.grad(y.sum(), x)[0] for _ in range(2))
        assert first.tolist() == second.tolist()
    for y in x * 2, x / 2:  # PyTorch keeps a Tensor of the number
        y.sum().backward()
        with pytest.raises(RuntimeError, match="a second time"):
            y.sum().backward()


def test_a_second_backward_passes_through_what_does_not_depend_on_its_inputs_values() -> None:
    x = torch.full((2, 2), 0.5, requires_grad=True)
    for y in 2 * (torch.bernoulli(x), torch.poisson(x), torch.normal(x, 1.0), torch.normal(1.0, x), x.matrix_power(0)):
        y.sum().backward()
    assert not x.grad.any()


def test_a_second_backward_passes_where_no_derivative_reads_what_was_freed() -> None:
    x, index, source = torch.zeros(3, requires_grad=True), torch.tensor([0, 0]), torch.ones(2)
    for y in (x.index_add(0, index, source), x.scatter_add(0, index, source)):
        y.sum().backward()
        y.sum().backward()
    assert x.grad.tolist() == [4, 4, 4]
    y = torch.zeros(3).index_add(0, index, torch.ones(2, requires_grad=True)).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        y.backward()


def test_retain_graph_allows_a_second_backward() -> None:
    x = torch.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [4.0, 4.0]
