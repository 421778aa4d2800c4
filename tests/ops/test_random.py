"""The parameters of random functions: Tensors and NumPy scalars, infinite values and errors."""

from __future__ import annotations

import numpy as np
import pytest

import microgad as torch


@pytest.mark.parametrize(
    ("fill", "parameters"),
    [
        ("uniform_", (1, 2)), ("normal_", (1, 2)), ("log_normal_", (0, 0.5)), ("exponential_", (2,)),
        ("cauchy_", (1, 2)), ("geometric_", (0.25,)), ("bernoulli_", (0.25,)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("number", [torch.tensor, np.float32])
def test_parameters_may_be_tensors_without_dimensions_and_numpy_scalars(fill, parameters, number):
    x = torch.empty(20)
    torch.manual_seed(0)
    expected = getattr(x, fill)(*parameters).tolist()
    torch.manual_seed(0)
    given = parameters if fill == "bernoulli_" and number is torch.tensor else map(number, parameters)
    assert getattr(x, fill)(*given).tolist() == expected


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64])
def test_draws_into_nothing_check_parameters_but_no_dtype(dtype):
    x = torch.empty(0, dtype=dtype)
    assert x.exponential_() is x.log_normal_() is x.geometric_(0.5) is x.bernoulli_() is x
    for fill, wrong in (("exponential_", (-1,)), ("log_normal_", (0, -1)), ("geometric_", (2,)), ("bernoulli_", (2,))):
        with pytest.raises(RuntimeError):
            getattr(x, fill)(*wrong)


def test_a_parameter_that_requires_grad_raises_and_draws_nothing():
    torch.manual_seed(0)
    with pytest.raises(TypeError, match=r"'mean'.* must be float"):
        torch.empty(3).normal_(torch.tensor(1.0, requires_grad=True))
    drawn = torch.rand(2)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(2), drawn)


def test_bernoulli_takes_one_probability_as_tensor_or_scalar():
    x = torch.empty(20)
    torch.manual_seed(0)
    expected = torch.bernoulli(x, 0.25).tolist()
    for p in (torch.tensor(0.25), np.float32(0.25)):
        torch.manual_seed(0)
        assert torch.bernoulli(x, p).tolist() == expected
    with pytest.raises(TypeError):
        torch.bernoulli(x, torch.full((20,), 0.25))


def test_draws_with_infinite_parameters_terminate():
    inf, nan = float("inf"), float("nan")
    rates = torch.poisson(torch.tensor([inf, 0.0]))
    assert rates.tolist() == [inf, 0]
    found = torch.binomial(torch.tensor([inf, nan]), torch.tensor([0.5, 0.5])).tolist()
    np.testing.assert_array_equal(found, [inf, nan])


def test_multinomial_samples_with_equal_quotients_are_in_pytorchs_order():
    torch.manual_seed(25)
    samples = torch.multinomial(torch.ones(40, dtype=torch.float16), 30)
    assert samples[19:21].tolist() == [34, 12]  # what PyTorch 2.13 returns
