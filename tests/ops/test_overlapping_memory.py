"""Operands and indices that overlap the memory an operation writes to: they are read before the write."""

from __future__ import annotations

import pytest

import microgad as torch

WRITES = {
    "index_add": lambda x, i, y: x.index_add_(0, i, y), "index_copy": lambda x, i, y: x.index_copy_(0, i, y),
    "index_put": lambda x, i, y: x.index_put_((i,), y, accumulate=True), "x[i] = y": lambda x, i, y: _assign(x, i, y),
    "x[mask] = y": lambda x, i, y: _assign(x, y > 0, y.reshape(-1)[: int((y > 0).sum())]),
    "masked_scatter": lambda x, i, y: x.masked_scatter_(y > 0, y),
    "index_reduce": lambda x, i, y: x.index_reduce_(0, i, y, "amax", include_self=False),
    "mean": lambda x, i, y: x.scatter_reduce_(0, i.reshape(-1, 1).expand(y.shape), y, "mean", include_self=False),
}  # fmt: skip


def _assign(x, index, value):
    x[index] = value


@pytest.mark.parametrize("shift", [0, 3])
@pytest.mark.parametrize("shape", [(6, 1), (4, 600), (600, 40)])
@pytest.mark.parametrize("name", WRITES)
def test_an_overlapping_operand_is_read_before_the_write(rng, name, shape, shift):
    n, memory = shape[0] * shape[1], torch.tensor(rng.integers(-4, 5, 25_000).astype(float))
    index = torch.tensor(rng.integers(0, shape[0], shape[0]))
    expected = memory[:n].reshape(shape).clone()
    x, y = memory[:n].reshape(shape), memory[shift : n + shift].reshape(shape)
    WRITES[name](expected, index, y.clone())
    WRITES[name](x, index, y)
    assert torch.equal(x, expected)


def test_an_index_that_is_also_written_to_is_read_before_the_write():
    x = torch.tensor([1, 2, 0, 1])
    assert x.clone().scatter_reduce_(0, x, torch.arange(4), "prod", include_self=False).tolist() == [2, 0, 1, 1]
    assert x.scatter_reduce_(0, x, torch.arange(4), "prod", include_self=False).tolist() == [2, 0, 1, 1]


@pytest.mark.host("on a GPU elements that share memory are written to in any order")
def test_elements_that_share_memory_are_written_to_once():
    index, values = torch.tensor([[1], [0], [0], [0]]), torch.tensor([[5.0], [6.0], [7.0], [8.0]])
    for write, expected in (
        (lambda x: x.put_(torch.tensor([1]), torch.tensor([5.0])), [0, 5, 0, 0]),
        (lambda x: x.put_(torch.tensor([1]), torch.tensor([5.0]), accumulate=True), [0, 5, 0, 0]),
        (lambda x: x.scatter_(1, index, values), [0, 6, 7, 8]),
        (lambda x: x.scatter_add_(1, index, values), [0, 11, 7, 8]),
    ):
        memory = torch.zeros(7)
        write(memory.as_strided((4, 4), (1, 1)))
        assert memory.tolist() == [*expected, 0, 0, 0]


def test_an_empty_out_overlaps_nothing():
    x = torch.arange(6)
    assert torch.take(x, torch.tensor([5, 4]), out=x[:0]).tolist() == [5, 4]
    assert torch.masked_select(x, x > 3, out=x[:0]).tolist() == [4, 5]
    with pytest.raises(RuntimeError, match="unsupported operation"):
        torch.take(x, torch.tensor([5, 4]), out=x[4:])


def test_a_write_of_a_tensor_to_itself_has_the_right_gradient():
    leaf = torch.ones(4, requires_grad=True)
    x = leaf * torch.arange(4.0)
    x.index_add_(0, torch.tensor([1, 2, 3, 3]), x)
    (x * x).sum().backward()  # the sum of the squares of 0, 1 + 0, 2 + 1, 3 + 2 + 3
    assert leaf.grad.tolist() == [0, 1 * (2 + 6), 2 * (6 + 16), 3 * (16 + 16)]
