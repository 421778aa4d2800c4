"""nn.init: bounds, moments and errors. tests/parity/test_nn.py compares the draws with PyTorch's."""

import math

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.nn import init

RANDOM = {
    "uniform_": (-2, 3),
    "normal_": (1, 2),
    "trunc_normal_": (),
    "xavier_uniform_": (),
    "xavier_normal_": (),
    "kaiming_uniform_": (),
    "kaiming_normal_": (),
    "orthogonal_": (),
    "sparse_": (0.3,),
}
CONSTANT = {"constant_": (4,), "ones_": (), "zeros_": (), "eye_": ()}


@pytest.mark.parametrize("name", RANDOM | CONSTANT)
def test_initializers_write_in_place_without_recording_and_take_a_generator(name):
    args = (RANDOM | CONSTANT)[name]
    weight = nn.Parameter(torch.full((6, 5), math.nan))
    version = weight._version
    assert getattr(init, name)(weight, *args) is weight
    assert not weight.isnan().any()
    assert weight.is_leaf
    assert weight.requires_grad
    assert weight._version > version
    if name in RANDOM:
        again = torch.empty(6, 5)
        torch.manual_seed(7)
        getattr(init, name)(weight, *args)
        torch.manual_seed(7)
        getattr(init, name)(again, *args)
        assert torch.equal(weight, again)
        if name != "sparse_":
            getattr(init, name)(weight, *args, generator=torch.Generator().manual_seed(7))
            assert torch.equal(weight, again)


def test_calculate_gain():
    assert [init.calculate_gain(name) for name in ("linear", "conv2d", "conv_transpose3d", "sigmoid")] == [1, 1, 1, 1]
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("leaky_relu") == math.sqrt(2 / (1 + 0.01**2))
    assert init.calculate_gain("leaky_relu", 3) == math.sqrt(0.2)
    assert init.calculate_gain("selu") == 0.75
    for args in (("gelu",), ("leaky_relu", True), ("leaky_relu", "0.1")):
        with pytest.raises(ValueError, match=r"Unsupported|not a valid number"):
            init.calculate_gain(*args)


@pytest.mark.parametrize(
    ("name", "args", "bound"),
    [
        ("xavier_uniform_", (2.0,), 2 * math.sqrt(6 / (4 * 9 + 7 * 9))),
        ("kaiming_uniform_", (0, "fan_in", "relu"), math.sqrt(6 / (4 * 9))),
        ("kaiming_uniform_", (0, "FAN_OUT", "linear"), math.sqrt(3 / (7 * 9))),
        ("kaiming_uniform_", (math.sqrt(5),), 1 / math.sqrt(4 * 9)),
    ],
)
def test_bounds_of_uniform_initializers(name, args, bound):
    weight = getattr(init, name)(torch.empty(7, 4, 3, 3, dtype=torch.float64), *args).array
    assert bound * 0.97 < np.abs(weight).max() <= bound


@pytest.mark.parametrize(
    ("name", "args", "std"),
    [
        ("xavier_normal_", (2.0,), 2 * math.sqrt(2 / 700)),
        ("kaiming_normal_", (0, "fan_in", "relu"), math.sqrt(2 / 300)),
        ("kaiming_normal_", (1, "fan_out"), math.sqrt(1 / 400)),
    ],
)
def test_standard_deviations_of_normal_initializers(name, args, std):
    torch.manual_seed(0)
    weight = getattr(init, name)(torch.empty(400, 300), *args).array
    assert weight.std().item() == pytest.approx(std, rel=0.02)
    assert weight.mean().item() == pytest.approx(0, abs=std / 50)


@pytest.mark.parametrize(("mean", "std", "a", "b"), [(0, 1, -2, 2), (0, 1, -0.1, 0.1), (3, 1, 0, 2), (0, 2, 1, 5)])
def test_trunc_normal_has_its_bounds_and_mean(mean, std, a, b):
    torch.manual_seed(0)
    values = init.trunc_normal_(torch.empty(20000), mean, std, a, b).array
    assert a <= values.min() < values.max() <= b
    grid = np.linspace(a, b, 10001)
    density = np.exp(-0.5 * ((grid - mean) / std) ** 2)
    assert values.mean().item() == pytest.approx((grid * density).sum() / density.sum(), abs=0.02 * std)


def test_trunc_normal_warns_if_the_mean_is_far_outside_of_its_bounds():
    with pytest.warns(UserWarning, match="more than 2 std"):
        init.trunc_normal_(torch.empty(10), mean=9, std=3)


def test_eye_is_the_identity_and_dirac_preserves_channels():
    assert init.eye_(torch.empty(3, 2)).tolist() == [[1, 0], [0, 1], [0, 0]]
    x = torch.randn(2, 4, 5, 5)
    weight = init.dirac_(torch.empty(4, 4, 3, 3))
    assert torch.equal(nn.functional.conv2d(x, weight, padding=1), x)
    grouped = init.dirac_(torch.empty(4, 2, 3, 3), groups=2)
    assert torch.equal(nn.functional.conv2d(x, grouped, padding=1, groups=2), x)
    assert init.dirac_(torch.empty(1, 2, 3)).tolist() == [[[0, 1, 0], [0, 0, 0]]]
    assert init.dirac_(torch.empty(1, 1, 1, 1, 3)).sum().item() == 1
    assert init.dirac_(torch.empty(4, 3, 1), groups=2).flatten(1).tolist() == [[1, 0, 0], [0, 1, 0]] * 2


def test_the_default_bounds_are_by_the_number_of_inputs():
    for layer in (torch.nn.Linear(100, 400), torch.nn.Conv1d(20, 400, 5)):
        for x in layer.parameters():
            assert 0.095 < x.abs().max().item() <= 0.1


def test_orthogonal_matrices_are_reflections_as_often_as_not():
    signs = [init.orthogonal_(torch.empty(1, 1)).item() for _ in range(40)]
    assert 10 < signs.count(1) < 30
    assert {*signs} == {-1, 1}


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 2, 3), (4, 4)])
def test_orthogonal_initializes_orthogonal_rows_or_columns(shape):
    weight = init.orthogonal_(torch.empty(*shape, dtype=torch.float64), gain=3).array.reshape(shape[0], -1)
    product = weight @ weight.T if weight.shape[0] <= weight.shape[1] else weight.T @ weight
    np.testing.assert_allclose(product, 9 * np.eye(len(product)), atol=1e-12)


def test_sparse_zeroes_a_fraction_of_each_column():
    weight = init.sparse_(torch.empty(10, 4), 0.25, std=3)
    assert (weight == 0).sum(0).tolist() == [3, 3, 3, 3]


@pytest.mark.parametrize(
    ("name", "shape", "args", "message"),
    [
        ("xavier_uniform_", (3,), (), "fewer than 2 dimensions"),
        ("kaiming_normal_", (3,), (), "fewer than 2 dimensions"),
        ("kaiming_uniform_", (3, 2), (0, "fan"), "Mode fan not supported"),
        ("eye_", (3,), (), "2 dimensions"),
        ("dirac_", (3, 2), (), "3, 4, or 5 dimensions"),
        ("dirac_", (3, 2, 1), (2,), "dim 0 must be divisible by groups, but 3 is not by 2"),
        ("orthogonal_", (3,), (), "2 or more dimensions"),
        ("sparse_", (3,), (0.1,), "2 dimensions"),
        ("normal_", (3,), (0, -1), "std >= 0"),
        ("uniform_", (3,), (1, 0), "found from=1 > to=0"),
    ],
)
def test_errors_leave_tensor_and_generator_alone(name, shape, args, message):
    tensor, state = torch.zeros(shape), torch.get_rng_state()
    with pytest.raises((ValueError, RuntimeError), match=message):
        getattr(init, name)(tensor, *args)
    assert not tensor.any()
    assert torch.equal(torch.get_rng_state(), state)


def test_initializers_of_empty_tensors_warn_or_do_nothing():
    for name in ("kaiming_uniform_", "kaiming_normal_"):
        with pytest.warns(UserWarning, match="zero-element"):
            getattr(init, name)(torch.empty(0, 3))
    assert init.orthogonal_(torch.empty(0, 3)).shape == (0, 3)
