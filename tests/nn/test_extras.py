"""Activation layers that PyTorch doesn't have: formulas, derivatives, large inputs and parameters per channel."""

import copy

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.nn import extras
from microgad.testing import gradcheck


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


LAYERS = {
    "bent identity": (nn.BentIdentity(), lambda x: (np.sqrt(x * x + 1) - 1) / 2 + x),
    "tanhExp": (nn.TanhExp(), lambda x: x * np.tanh(np.exp(x))),
    "swish": (nn.Swish(1.5), lambda x: x * sigmoid(1.5 * x)),
    "ACON-A": (nn.AconA(dtype=torch.float64), lambda x: x * sigmoid(x)),
    "ACON-B": (nn.AconB(dtype=torch.float64), lambda x: 0.75 * x * sigmoid(0.75 * x) + 0.25 * x),
    "ACON-C": (nn.AconC(dtype=torch.float64), lambda x: x * sigmoid(x)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_equal_their_formulas_and_have_derivatives(name):
    layer, formula = LAYERS[name]
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    np.testing.assert_allclose(layer(x).array, formula(x.array), rtol=1e-12)
    assert gradcheck(layer, (x,))
    (slope,) = torch.autograd.grad(layer(x).sum(), x, create_graph=True)
    assert slope.requires_grad


@pytest.mark.parametrize("name", LAYERS)
def test_large_inputs_give_finite_values_and_gradients(name):
    layer = copy.deepcopy(LAYERS[name][0]).float()
    x = torch.tensor([-1e30, -100.0, 100.0, 1e30], requires_grad=True)
    out = layer(x)
    out.sum().backward()
    assert out.isfinite().all()
    assert x.grad.isfinite().all()
    assert x.grad[-1].item() == pytest.approx(1.5 if name == "bent identity" else 1)


@pytest.mark.parametrize("cls", [nn.AconA, nn.AconB, nn.AconC])
def test_acon_layers_may_have_parameters_per_channel(cls):
    layer = cls(3)
    with torch.no_grad():
        layer.beta.copy_(torch.tensor([0.5, 1.0, 2.0]))
    x = torch.randn(2, 3, 4, 5)
    for c in range(3):
        single = cls()
        single.load_state_dict({name: p[c : c + 1] for name, p in layer.state_dict().items()})
        np.testing.assert_allclose(layer(x)[:, c].detach().array, single(x[:, c]).detach().array, rtol=1e-6)
    assert repr(layer) == f"{cls.__name__}(num_parameters=3)"
    layer(x).sum().backward()
    assert all(p.grad.shape == (3,) for p in layer.parameters())


def test_small_normal_is_normal_with_std_0_05():
    torch.manual_seed(0)
    found = extras.small_normal_(torch.empty(100))
    torch.manual_seed(0)
    assert torch.equal(found, nn.init.normal_(torch.empty(100), std=0.05))
