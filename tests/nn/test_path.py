"""The path that a module's operations are recorded under."""

import copy
from collections import OrderedDict

import pytest

import microgad as torch
from microgad import nn


class Where(nn.Module):
    """Gives the path that its operations are recorded under."""

    def forward(self, x=None):
        return (torch.ones(1, requires_grad=True) * 2).node.path


def test_the_outermost_module_adds_nothing():
    assert Where()() == ""
    net = nn.Sequential(OrderedDict(block=nn.Sequential(Where())))
    assert net(None) == "block.0"
    assert net.block(None) == "block.0"
    assert net.block[0]() == "block.0"


def test_errors_name_the_module():
    net = nn.Sequential(OrderedDict(features=nn.Sequential(nn.Linear(4, 3))))
    with pytest.raises(RuntimeError, match=r"^Linear \(features.0\): "):
        net(torch.ones(2, 7))
    assert (torch.ones(1, requires_grad=True) * 2).node.path == ""  # the path is left again


def test_children_that_are_called_past_their_parent():
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([Where(), Where()])
            self.heads = nn.ModuleDict({"a": Where()})
            self.stack = nn.Sequential(Where())

        def forward(self):
            return [layer() for layer in self.layers] + [self.heads["a"](), self.stack[0]()]

    expected = ["layers.0", "layers.1", "heads.a", "stack.0"]
    assert Loop()() == expected
    outer = nn.Module()
    outer.inner = Loop()
    assert outer.inner() == [f"inner.{path}" for path in expected]


def test_a_shared_module_stands_where_it_is_called():
    class Block(nn.Module):
        def __init__(self, act):
            super().__init__()
            self.act = act

        def forward(self, _):
            paths.append(self.act())

    paths, act = [], Where()
    nn.Sequential(Block(act), Block(act))(None)
    assert paths == ["0.act", "1.act"]


def test_names_that_begin_alike_are_no_relatives():
    class Block(nn.Module):
        def __init__(self, act):
            super().__init__()
            self.act = act

        def forward(self, _):
            return self.act()

    act = Where()
    blocks = [Block(act) for _ in range(11)]
    net = nn.Sequential(*blocks)
    assert act._path == "10.act"
    assert net[1](None) == "1.act"


def test_renamed_replaced_and_moved_modules():
    net = nn.Sequential(nn.ReLU(), Where())
    del net[0]
    assert net(None) == "0"
    net.insert(0, nn.Identity())
    assert net[1]() == "1"
    net[1] = new = Where()
    assert new() == "1"
    assert copy.deepcopy(net)(None) == "1"


def test_a_helper_that_is_not_registered_works_under_its_caller():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = Part()

        def forward(self):
            return self.part()

    class Part(nn.Module):
        def __init__(self):
            super().__init__()
            self.helpers = [nn.Sequential(Where())]  # a plain list

        def forward(self):
            return self.helpers[0](None)

    assert Net()() == "part.0"


def test_the_path_is_left_after_an_exception():
    class Fails(nn.Module):
        def forward(self, _):
            raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        nn.Sequential(Fails())(None)
    assert (torch.ones(1, requires_grad=True) * 2).node.path == ""
