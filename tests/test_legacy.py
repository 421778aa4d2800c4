"""Tensor types such as torch.FloatTensor, which PyTorch had before dtypes."""

from __future__ import annotations

import pytest

import microgad as torch


def test_tensor_types_have_the_methods_of_tensors() -> None:
    x = torch.ones(2)
    assert torch.FloatTensor.add(x, x).tolist() == [2, 2]
    with pytest.raises(AttributeError, match="'LongTensor' has no attribute 'ad'"):
        torch.LongTensor.ad  # noqa: B018


def test_tensor_types_have_a_device() -> None:
    x = torch.tensor([1.5, 2.0])
    kind = torch.cuda.FloatTensor if x.is_cuda else torch.FloatTensor
    assert isinstance(x, kind)
    assert not isinstance(x, torch.FloatTensor if x.is_cuda else torch.cuda.FloatTensor)
    assert (repr(torch.cuda.FloatTensor), torch.cuda.LongTensor.is_cuda) == ("<class 'torch.cuda.FloatTensor'>", True)
    for cpu_type in (torch.LongTensor, "torch.LongTensor"):
        moved = x.type(cpu_type)
        assert (moved.device, moved.tolist()) == (torch.device("cpu"), [1, 2])
    assert x.type(torch.float64).device == x.type("torch.cuda.FloatTensor" if x.is_cuda else kind).device == x.device
    assert torch.ones(2, device="cpu").type_as(x).device == x.device
    for wrong in ("torch.cpu.FloatTensor", "cuda.FloatTensor", "FloatTensor", "torch.cuda.Tensor"):
        with pytest.raises(ValueError, match="invalid type"):
            x.type(wrong)
    if not torch.cuda.is_available():
        for call in (lambda: torch.cuda.FloatTensor(2), lambda: x.type("torch.cuda.FloatTensor")):
            with pytest.raises(RuntimeError, match="needs CuPy"):
                call()
    torch.set_default_tensor_type(torch.DoubleTensor)
    assert (torch.ones(1).dtype, torch.ones(1).device) == (torch.float64, torch.device("cpu"))
    torch.set_default_tensor_type("torch.cuda.FloatTensor" if x.is_cuda else "torch.FloatTensor")
    assert (torch.ones(1).dtype, torch.ones(1).device) == (torch.float32, x.device)


@pytest.mark.host("attributes of Tensors on the CPU")
def test_tensor_types_create_check_and_convert() -> None:
    assert torch.FloatTensor([1, 2]).dtype is torch.float32
    assert torch.LongTensor(2, 3).shape == (2, 3)
    x = torch.ones(2)
    assert isinstance(x, torch.FloatTensor)
    assert not isinstance(x, torch.LongTensor)
    assert x.type(torch.LongTensor).dtype is torch.int64
    assert x.new(3).shape == (3,)
    assert x.new([3.0]).tolist() == [3]
    assert x.new(torch.Size([2, 3])).shape == torch.FloatTensor(torch.Size([2, 3])).shape == (2, 3)
    leaf = torch.ones(2, requires_grad=True)
    for make in (torch.Tensor, torch.FloatTensor, x.new):
        leaf.grad = None
        alias = make(leaf)
        assert alias.data_ptr() == leaf.data_ptr()
        (alias * 3).sum().backward()
        assert leaf.grad.tolist() == [3, 3]
    with pytest.raises(TypeError, match=r"expected a Tensor of torch\.float64, got one"):
        torch.DoubleTensor(leaf)
    with pytest.raises(TypeError, match="invalid type object"):
        torch.set_default_tensor_type("torch.NoTensor")
