"""Lazy layers: they infer the size of their input from the first call or from a loaded state dict."""

import copy
import operator
import pickle

import numpy as np
import pytest

import microgad as torch
from microgad import nn

LAYERS = [
    (lambda: nn.LazyLinear(3), (4, 5), nn.Linear),
    (lambda: nn.LazyConv2d(3, 2, bias=False), (4, 5, 6, 6), nn.Conv2d),
    (lambda: nn.LazyConvTranspose1d(4, 2, groups=2), (4, 6, 6), nn.ConvTranspose1d),
    (lambda: nn.LazyBatchNorm1d(), (4, 5), nn.BatchNorm1d),
    (lambda: nn.LazyInstanceNorm2d(affine=False), (4, 5, 6, 6), nn.InstanceNorm2d),
]


def uninitialized(layer):
    return [name for name, p in [*layer.named_parameters(), *layer.named_buffers()] if nn.parameter.is_lazy(p)]


@pytest.mark.parametrize(("make", "shape", "cls"), LAYERS)
def test_a_lazy_layer_becomes_the_regular_layer_at_its_first_call(make, shape, cls):
    layer = make()
    assert uninitialized(layer)
    layer(torch.randn(shape))
    assert type(layer) is cls
    assert not uninitialized(layer)
    assert all(type(p) is nn.Parameter for p in layer.parameters())
    assert all(type(b) is torch.Tensor for b in layer.buffers())


@pytest.mark.parametrize(("make", "shape", "cls"), LAYERS)
@pytest.mark.parametrize("make_copy", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_of_lazy_layers_are_uninitialized(make, shape, cls, make_copy):
    layer = make().double()
    other = make_copy(layer)
    assert uninitialized(other) == uninitialized(layer)
    x = torch.randn(shape, dtype=torch.float64)
    assert other(x).dtype == torch.float64
    assert uninitialized(layer)


@pytest.mark.parametrize(("make", "shape", "cls"), LAYERS)
def test_state_dicts_of_lazy_layers_are_saved_and_loaded(make, shape, cls):
    trained, fresh, other = make(), make(), make()
    assert other.load_state_dict(fresh.state_dict()) == ([], [])  # both are uninitialized, so nothing is copied
    trained(torch.randn(shape))
    fresh.load_state_dict(trained.state_dict())
    assert not uninitialized(fresh)
    for name, value in trained.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], value)
    x = torch.randn(shape)
    assert torch.equal(fresh.eval()(x), trained.eval()(x))
    assert type(fresh) is cls
    with pytest.raises(ValueError, match="uninitialized parameter"):  # programs that count parameters catch it
        nn.LazyLinear(2).weight.numel()
    with pytest.raises(RuntimeError, match="shape of an uninitialized"):
        trained.load_state_dict(make().state_dict())


def test_lazy_layers_in_a_network_are_trained():
    net = nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    net(torch.randn(5, 1, 6, 6)).sum().backward()
    before = net[3].bias.detach().clone()
    optimizer.step()
    assert not torch.equal(net[3].bias, before)
    assert net[3].in_features == 4 * 4 * 4
    assert "3.weight" in net.state_dict()


def test_a_user_s_lazy_module_initializes_its_parameters():
    class Scale(nn.modules.lazy.LazyModuleMixin, nn.Module):
        def __init__(self):
            super().__init__()
            self.by = nn.UninitializedParameter()

        def initialize_parameters(self, x):
            if self.has_uninitialized_params():
                self.by.materialize(x.shape[-1:])
                nn.init.constant_(self.by, 2)

        def forward(self, x):
            return x * self.by

    layer = Scale()
    assert layer(torch.ones(2, 3)).tolist() == [[2] * 3] * 2
    assert layer.by.shape == (3,)
    assert torch.equal(layer(torch.ones(3)), layer.by)


def test_uninitialized_modules_and_wrong_inputs_raise():
    class Forgets(nn.modules.lazy.LazyModuleMixin, nn.Module):
        def __init__(self):
            super().__init__()
            self.by = nn.UninitializedParameter()

        def initialize_parameters(self, x):
            pass

    with pytest.raises(RuntimeError, match="module Forgets has not been fully initialized"):
        Forgets()(torch.ones(1))
    with pytest.raises(RuntimeError, match=r"LazyConv2d: expected 3D \(unbatched\) or 4D \(batched\) input"):
        nn.LazyConv2d(1, 1)(torch.ones(2, 2))
    with pytest.raises(ValueError, match="in_channels must be divisible by groups, but 3 is not by 2"):
        nn.LazyConv1d(2, 1, groups=2)(torch.ones(3, 4))
    with pytest.raises(NotImplementedError, match="initialize_parameters is not implemented"):
        nn.modules.lazy.LazyModuleMixin.initialize_parameters(nn.LazyLinear(1), torch.ones(1))


def test_a_failed_load_leaves_parameters_uninitialized():
    net = nn.Sequential(nn.LazyLinear(2), nn.Linear(2, 2))
    given = nn.Sequential(nn.Linear(3, 2), nn.Linear(3, 3)).state_dict()
    with pytest.raises(RuntimeError, match="size mismatch"):
        net.load_state_dict(given)
    assert uninitialized(net) == ["0.weight", "0.bias"]


def test_an_uninitialized_buffer_is_registered_by_assignment():
    module = nn.Module()
    module.kept = nn.UninitializedBuffer()
    module.scratch = nn.UninitializedBuffer(persistent=False)
    assert uninitialized(module) == ["kept", "scratch"]
    assert list(module.state_dict()) == ["kept"]
    module.kept.materialize((2,))
    assert type(module.kept) is torch.Tensor
    assert module.kept.shape == (2,)


@pytest.mark.parametrize(
    ("make", "loaded", "missing"),
    [
        (nn.LazyBatchNorm1d, {"weight", "bias"}, "running_mean, running_var"),
        (lambda: nn.LazyLinear(2), {"weight"}, "bias"),
    ],
)
def test_a_partly_loaded_lazy_layer_raises_at_its_first_call(make, loaded, missing):
    initialized, layer = make(), make()
    initialized(torch.randn(4, 2))
    layer.load_state_dict({name: x for name, x in initialized.state_dict().items() if name in loaded}, strict=False)
    with pytest.raises(RuntimeError, match=f"the loaded state lacks {missing}, but has other parameters"):
        layer(torch.randn(4, 2))


@pytest.mark.parametrize(("make", "bad", "good"), [(lambda: nn.LazyConv1d(4, 3, groups=2), (3, 8), (4, 8))])
def test_an_input_that_raises_does_not_determine_the_size(make, bad, good):
    layer = make()
    with pytest.raises(ValueError, match="in_channels must be divisible by groups"):
        layer(torch.zeros(bad))
    assert layer(torch.zeros(good)).shape == (4, 6)
    assert layer.in_channels == 4


@pytest.mark.parametrize(
    "use",
    [
        lambda p: p + 1, lambda p: p.sum(), nn.init.normal_, nn.init.zeros_, np.exp, lambda p: p == p, lambda p: p[...],
        torch.zeros_like, len, list, *map(operator.methodcaller, (
            "clone", "dim", "view", "tolist", "stride", "t", "reshape", "nelement", "squeeze", "is_contiguous", "numpy",
            "register_hook", "new_zeros", "storage",
        )),
    ],
)  # fmt: skip
def test_operations_on_uninitialized_parameters_raise(use):
    for p in (nn.UninitializedParameter(device="cpu"), nn.UninitializedBuffer(device="cpu")):
        with pytest.raises(ValueError, match="uninitialized parameter"):
            use(p)
        assert (p.size(), p.nbytes) == ((0,), 0)
