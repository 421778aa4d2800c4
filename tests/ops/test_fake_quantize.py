"""Fake quantization: rounding to the steps of a quantized dtype, straight-through gradients and errors."""

import re

import pytest

import microgad as torch

per_tensor, per_channel = torch.fake_quantize_per_tensor_affine, torch.fake_quantize_per_channel_affine


def test_the_gradient_is_passed_through_inside_of_the_range():
    x = torch.tensor([-0.3, -0.2, 0.04, 0.26, 0.5, 9.0, torch.nan], requires_grad=True)
    y = per_tensor(x, 0.1, 2, 0, 7)
    y.backward(torch.arange(1.0, 8.0))
    assert torch.allclose(y, torch.tensor([-0.2, -0.2, 0.0, 0.3, 0.5, 0.5, -0.2]))
    assert x.grad.tolist() == [0, 2, 3, 4, 5, 0, 0]
    assert repr(y).endswith("grad_fn=<FakeQuantizePerTensorAffineCachemaskBackward0>)")


def test_each_channel_has_its_own_scale_and_zero_point():
    x = torch.full((2, 3), 0.3, dtype=torch.float16)
    y = per_channel(x, torch.tensor([1.0, 0.5, 0.25]), torch.tensor([0.0, 0.5, 0.0]), 1, 0, 15)
    assert y.tolist() == [[0.0, 0.25, 0.25]] * 2
    assert y.dtype == torch.float16
    y = per_channel(torch.tensor([2.1]).double(), torch.tensor([0.7]), torch.zeros(1), 0, 0, 15)  # not in float32
    assert y.item() == 3 * torch.tensor(0.7).item()


def test_a_scale_of_one_element_does_not_change_the_shape():
    assert per_tensor(torch.tensor(0.55), torch.tensor([0.1]), torch.tensor([0]), 0, 7).shape == ()


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda x: per_tensor(x, 0.1, 9, 0, 7), RuntimeError, "`zero_point` must be between `quant_min`"),
        (lambda x: per_tensor(x, 0.1, 0, 7, 0), RuntimeError, "`quant_min` should be less than"),
        (lambda x: per_tensor(x.int(), 0.1, 0, 0, 7), NotImplementedError, "not implemented for torch.int32"),
        (lambda x: per_tensor(x, torch.ones(1, requires_grad=True), 0, 0, 7), RuntimeError, "'scale'"),
        (
            lambda x: per_channel(x, torch.ones(3).double(), torch.zeros(3), 1, 0, 7),
            RuntimeError,
            "scale must be Float",
        ),
        (lambda x: per_channel(x, torch.ones(3), torch.zeros(3).long(), 1, 0, 7), RuntimeError, "must be Int32, Float"),
        (lambda x: per_channel(x, torch.ones(3), torch.zeros(2), 1, 0, 7), RuntimeError, "must be alike"),
        (lambda x: per_channel(x, torch.ones(3), torch.zeros(3), 2, 0, 7), IndexError, "axis 2 is out of range"),
        (lambda x: per_channel(x, torch.ones(3), torch.zeros(3), 0, 0, 7), RuntimeError, "3 scales don't fit axis 0"),
        (
            lambda x: per_channel(x, torch.ones(3), torch.ones(3).int() * 9, 1, 0, 7),
            RuntimeError,
            "`zero_point` must be",
        ),
    ],
)
def test_wrong_ranges_dtypes_and_shapes_raise(call, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        call(torch.ones(2, 3))
