"""All ways to test a derivative, without configuration."""

from __future__ import annotations

import numpy as np
import pytest
from activations import Bent, Slip, Softplus, Swish, softsign, softsign_vjp
from hypothesis import given
from hypothesis import strategies as st

import microgad as torch
from microgad import nn
from microgad.testing import check_grads, check_module, check_op
from microgad.testing import strategies as s


def test_softplus() -> None:
    check_op(Softplus, s.tensors(), reference=lambda x: np.log(1 + np.exp(x)))


def test_bent() -> None:
    check_op(Bent, s.tensors())


def test_softsign() -> None:
    check_op(softsign, s.tensors(), vjp=softsign_vjp, order=1)


def test_swish() -> None:
    check_module(lambda: Swish(3), s.tensors((2, 3)), independent="samples")


@given(st.from_type(nn.Linear))
def test_swish_after_any_layer(layer: nn.Linear) -> None:
    net = nn.Sequential(layer, Swish(layer.out_features)).double()
    x = torch.ones(2, layer.in_features, dtype=torch.float64, requires_grad=True)
    check_grads(net, [x])


@pytest.mark.gradcheck(order=2)
def test_one_example(rng: np.random.Generator) -> object:
    return Softplus, rng.normal(size=(2, 3))


@pytest.mark.gradcheck
@given(s.broadcastable_tensors(2, elements=[s.numbers(), s.numbers(0.5, 3)]))
def test_many_examples(pair: list[torch.Tensor]) -> object:
    return lambda x, y: Softplus.apply(x) / y, *pair


@pytest.mark.gradcheck
def test_slip() -> object:
    return lambda x: Slip.apply(Softplus.apply(x)).sum(), np.array([0.5, -1.0])


@given(s.tensors(scale=s.scales()))
def test_softplus_stays_finite(strict_numerics: None, x: torch.Tensor) -> None:
    assert np.isfinite(Softplus.apply(x).numpy()).all()


def test_a_step_of_training(device: torch.device) -> None:
    net = nn.Sequential(nn.Linear(2, 3), Swish(3)).to(device)
    net(torch.ones(4, 2, device=device)).sum().backward()
    assert all(p.grad is not None and p.grad.device == device for p in net.parameters())
