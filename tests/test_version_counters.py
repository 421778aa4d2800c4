"""Writes through `.data` between forward and backward: they raise in backward if they may touch a kept value."""

from __future__ import annotations

import weakref

import pytest

import microgad as torch


def kept(rows: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A scratch of four columns, a leaf, and their product, which keeps the first two columns."""
    scratch, w = torch.ones(rows, 4), torch.ones(rows, 1, requires_grad=True)
    return scratch, w, (scratch[:, :2] * w).sum()


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.data.__setitem__((..., 2), 7.0),
        lambda x: x.data[:, 2:].fill_(7.0),
        lambda x: x.data[:, 2].add_(torch.ones(len(x))),
        lambda x: x.data[0].__setitem__(slice(2, None), 7.0),
        lambda x: x[0].data.__setitem__(3, 7.0),
    ],
)
def test_a_write_beside_the_kept_elements_is_allowed(write) -> None:
    scratch, w, y = kept()
    write(scratch)
    assert (scratch > 1).any()
    y.backward()
    assert w.grad.tolist() == [[2], [2]]


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.data.__setitem__((..., 1), 7.0),
        lambda x: x.data.fill_(7.0),
        lambda x: x.data.__setitem__(x == 3, 7.0),  # which elements a mask writes isn't known
        lambda x: x.data[:, 1:].mul_(2.0),
        lambda x: x[:, 2:].fill_(7.0),  # raises in PyTorch, too
        lambda x: (x.data[:, 2].fill_(7.0), x[:, 3].fill_(7.0)),
        lambda x: (x[:, 3].fill_(7.0), x.data[:, 2].fill_(7.0)),
    ],
)
def test_a_write_that_may_touch_kept_elements_raises(write) -> None:
    scratch, _, y = kept()
    write(scratch)
    with pytest.raises(
        RuntimeError, match=r"Mul: one of the variables needed .* at version [12], but version 0 was kept"
    ):
        y.backward()


def test_only_the_last_of_many_writes_are_remembered() -> None:
    scratch, _, y = kept()
    for _ in range(1000):
        scratch.data[:, 3].add_(1.0)
    assert len(scratch._version_counter) < 100
    with pytest.raises(RuntimeError, match="at version 1000"):
        y.backward()


def test_any_write_raises_if_a_hook_packed_the_kept_value() -> None:
    scratch, w = torch.ones(2, 4), torch.ones(2, 1, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: x):
        y = (scratch[:, :2] * w).sum()
    scratch.data[:, 1] = 7.0
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        y.backward()


def test_the_record_of_a_write_does_not_keep_its_memory_alive() -> None:
    p = torch.nn.Parameter(torch.ones(1000))
    p.data.normal_()
    memory = weakref.ref(p.array)
    p.data = torch.ones(1000)
    assert memory() is None


def test_the_error_names_the_value_that_was_written_to() -> None:
    x, y = torch.ones(2, requires_grad=True), torch.ones(2)
    out, product = x.exp(), x * y
    out.add_(1)
    y.add_(1)
    with pytest.raises(RuntimeError, match=r"^Exp: one of the variables .* its result \(2,\) is at version 1"):
        out.sum().backward()
    with pytest.raises(RuntimeError, match=r"^Mul: one of the variables .* b \(2,\) is at version 1"):
        product.sum().backward()


def test_a_view_may_get_other_data() -> None:
    x, w = torch.tensor([1.0, -2.0], requires_grad=True), torch.ones(2, 1, requires_grad=True)
    y = x.exp()
    view, version = y.view(2, 1), y._version
    view.data = view.data.sign()  # what y's node keeps stays as it is
    assert y._version == version
    (view * w).sum().backward()
    assert x.grad is not None
    assert w.grad is not None
    assert (x.grad.tolist(), w.grad.tolist()) == (y.tolist(), [[1], [1]])


def test_a_result_that_its_node_keeps_may_get_other_data() -> None:
    x, w = torch.tensor([1.0, -2.0], requires_grad=True), torch.ones(2, requires_grad=True)
    y = x.relu()
    z, kept = y * 3, y.detach() * w
    y.data = torch.tensor([5.0, 5.0])
    (z + y * w).sum().backward(retain_graph=True)
    assert x.grad is not None
    assert w.grad is not None
    assert (x.grad.tolist(), w.grad.tolist()) == ([4, 0], [5, 5])
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        kept.sum().backward()  # PyTorch's w.grad is right here, but not where y itself is kept
    with torch.no_grad():
        y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation: its result"):
        z.sum().backward()


def test_the_result_of_relu6_in_place_may_be_overwritten() -> None:
    x = torch.tensor([-1.0, 0.5, 7.0], requires_grad=True)
    y = torch.nn.functional.relu6(x * 1, inplace=True)
    y.mul_(2)
    y.sum().backward()
    assert x.grad.tolist() == [0, 2, 0]


def test_after_an_operation_in_place_the_second_pass_notices_a_write_to_the_other_operand_alone() -> None:
    leaf, weight, seed = (torch.tensor([x, 3.0], requires_grad=True) for x in (2.0, 5.0, 1.0))
    x, y = leaf * 1, weight * 1
    x.mul_(y)  # its node keeps a copy of x from before the write, and y itself
    by_x, by_y = torch.autograd.grad(x, (leaf, weight), seed, create_graph=True)
    x.add_(1)
    y.add_(1)
    assert torch.autograd.grad(by_y.sum(), seed, retain_graph=True)[0].tolist() == [2, 3]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(by_x.sum(), seed)
