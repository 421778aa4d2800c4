"""functional_call: it replaces parameters and buffers for one call and restores the module."""

from types import MappingProxyType

import pytest

import microgad as torch
from microgad import errors
from microgad.func import functional_call


def test_parameters_are_restored_also_after_an_error():
    layer = torch.nn.Linear(2, 1)
    weight = layer.weight
    with pytest.raises(RuntimeError, match="Linear"):
        functional_call(layer, {"weight": torch.ones(1, 3)}, (torch.ones(2),))
    assert layer.weight is weight


def test_shared_parameters_are_replaced_together_unless_tie_weights_is_false():
    net = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2, bias=False))
    net[1].weight = net[0].weight
    given = {"0.weight": torch.eye(2) * 2}
    assert functional_call(net, given, torch.ones(2)).tolist() == [4, 4]
    untied = functional_call(net, given, torch.ones(2), tie_weights=False)
    assert torch.equal(untied, net[1](torch.full((2,), 2.0)))
    layer = torch.nn.Linear(2, 2, bias=False)
    twice = torch.nn.Sequential(layer, layer)  # a shared module has both names
    given = dict.fromkeys(("0.weight", "1.weight"), torch.eye(2) * 2)
    assert functional_call(twice, given, torch.ones(2), strict=True).tolist() == [4, 4]


def test_updates_of_buffers_are_written_to_the_dict():
    net = torch.nn.BatchNorm1d(2)
    given = {"running_mean": torch.zeros(2)}
    functional_call(net, given, torch.ones(4, 2))
    assert given["running_mean"].tolist() == pytest.approx([0.1, 0.1])
    assert net.running_mean.tolist() == [0, 0]


def test_unknown_missing_and_duplicate_names_raise():
    layer = torch.nn.Linear(2, 1)
    given = {**dict(layer.named_parameters()), "weigth": torch.ones(1, 2)}
    with pytest.raises(errors.GraphError, match=r"reparametrizing for Linear:\n\tUnexpected key\(s\): 'weigth'\."):
        functional_call(layer, given, torch.ones(2), strict=True)
    with pytest.raises(AttributeError, match="absent"):
        functional_call(layer, {"absent.weight": torch.ones(1, 2)}, torch.ones(2))
    with pytest.raises(TypeError, match="attribute `in_features`: 2 is not an instance of"):
        functional_call(layer, {"in_features": torch.ones(1)}, torch.ones(2))
    with pytest.raises(errors.GraphError, match=r"\n\tMissing key\(s\): 'bias'\."):
        functional_call(layer, {"weight": torch.ones(1, 2)}, torch.ones(2), strict=True)
    with pytest.raises(TypeError, match=r"1\.0 is not an instance of torch.Tensor"):
        functional_call(layer, {"weight": 1.0}, torch.ones(2))
    with pytest.raises(errors.ArgumentError, match=r"\['weight'\] appeared in multiple dictionaries"):
        functional_call(layer, ({"weight": layer.weight}, {"weight": layer.weight}), torch.ones(2))


def test_attributes_that_are_plain_tensors_or_new_are_set_for_the_call():
    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.tensor(2.0)

        def forward(self, x):
            return x * self.scale + getattr(self, "shift", 0.0)

    net = torch.nn.Sequential(Scaled())
    given = {"0.scale": torch.tensor(3.0), "0.shift": torch.tensor(1.0)}
    assert functional_call(net, given, torch.ones(1)).tolist() == [4]
    assert net(torch.ones(1)).tolist() == [2]
    assert not hasattr(net[0], "shift")


class Counter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("n", torch.tensor(0))

    def forward(self, x):
        self.n = self.n + 1
        return self.n * x


def test_a_replaced_buffer_is_replaced_in_the_dict():
    net, given = Counter(), {"n": torch.tensor(5)}
    assert functional_call(net, given, 2).item() == 12
    assert given["n"].item() == 6
    assert net.n.item() == 0


def test_a_read_only_dict_raises_and_restores_the_module():
    net = Counter()
    with pytest.raises(TypeError, match="item assignment"):
        functional_call(net, MappingProxyType({"n": torch.tensor(5)}), 2)
    assert net.n.item() == 0


def test_replacing_a_property_raises():
    layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 1))
    with pytest.raises(errors.ArgumentError, match="weight is a property"):
        functional_call(layer, {"weight": torch.ones(1, 2)}, torch.ones(2))


def test_a_bias_that_is_none_need_not_be_given():
    layer = torch.nn.Linear(2, 1, bias=False)
    weight = torch.tensor([[1.0, 2.0]])
    assert functional_call(layer, {"weight": weight}, torch.ones(2), strict=True).tolist() == [3]


def test_replacing_a_submodule_by_a_tensor_raises():
    net = torch.nn.Sequential(torch.nn.Linear(2, 1))
    with pytest.raises(TypeError, match="attribute `0`: Linear"):
        functional_call(net, {"0": torch.ones(2)}, torch.ones(2))
    assert "0" not in vars(net)


def test_attributes_that_are_none_can_be_replaced():
    class Scaled(torch.nn.Module):
        scale = None

        def __init__(self):
            super().__init__()
            self.shift = None

        def forward(self, x):
            return (x if self.scale is None else x * self.scale) + (0 if self.shift is None else self.shift)

    net, given = Scaled(), {"scale": torch.tensor(2.0), "shift": torch.tensor(1.0)}
    assert functional_call(net, given, torch.tensor(3.0)).item() == 7
    assert net(torch.tensor(3.0)).item() == 3
