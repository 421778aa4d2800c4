"""Module paths: the names, from the outermost module on, under which operations are recorded."""

import copy
import sys
from collections import OrderedDict

import pytest

import microgad as torch
from microgad import nn
from microgad.nn.modules.module.paths import path_of


class PathModule(nn.Module):
    """Returns the path under which its operations are recorded."""

    def forward(self, x=None):
        return (torch.ones(1, requires_grad=True) * 2).node.path


def test_the_path_of_the_outermost_module_is_empty():
    assert PathModule()() == ""
    net = nn.Sequential(OrderedDict(block=nn.Sequential(PathModule())))
    assert net(None) == "block.0"
    assert net.block(None) == "block.0"
    assert net.block[0]() == "block.0"


def test_errors_name_the_module():
    net = nn.Sequential(OrderedDict(features=nn.Sequential(nn.Linear(4, 3))))
    with pytest.raises(RuntimeError, match=r"^Linear \(features.0\): "):
        net(torch.ones(2, 7))
    assert (torch.ones(1, requires_grad=True) * 2).node.path == ""  # the path is reset


def test_children_called_without_their_container_have_its_path():
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([PathModule(), PathModule()])
            self.heads = nn.ModuleDict({"a": PathModule()})
            self.stack = nn.Sequential(PathModule())

        def forward(self):
            return [layer() for layer in self.layers] + [self.heads["a"](), self.stack[0]()]

    expected = ["layers.0", "layers.1", "heads.a", "stack.0"]
    assert Loop()() == expected
    outer = nn.Module()
    outer.inner = Loop()
    assert outer.inner() == [f"inner.{path}" for path in expected]


def test_the_path_of_a_shared_module_is_that_of_its_call():
    class Block(nn.Module):
        def __init__(self, act):
            super().__init__()
            self.act = act

        def forward(self, _):
            paths.append(self.act())

    paths, act = [], PathModule()
    nn.Sequential(Block(act), Block(act))(None)
    assert paths == ["0.act", "1.act"]


def _renamed(parts):
    parts.last = parts.a
    del parts.a


def _removed(parts):
    parts.last = parts.a
    parts.a = None


def _replaced(parts):
    parts.last, parts.a = parts.a, nn.Identity()


@pytest.mark.parametrize("change", [lambda parts: parts.update({"c": parts["a"]}), _renamed, _removed, _replaced,
    lambda parts: parts.update({"c": parts["b"], "d": parts.pop("b")})])  # fmt: skip
def test_a_child_with_several_names_has_the_first_one(change):
    net = nn.Module()
    net.parts = nn.ModuleDict({"a": nn.Sequential(PathModule()), "b": PathModule()})
    change(net.parts)
    assert {path_of(module): module for module in net.modules()} == dict(net.named_modules())


def test_a_layer_is_recorded_and_edited_under_the_first_of_its_names():
    layer = nn.Linear(2, 2, bias=False)
    net = nn.Sequential(layer, nn.ReLU(), layer)
    with torch.record(params=net, replay=True) as tape:
        net(torch.ones(1, 2)).sum()
    assert [op.path for op in tape] == ["0", "1", "0", ""]
    assert tape.replay(edits={"0": 0.0})


def test_a_view_derived_again_after_a_write_has_the_path_of_the_write():
    class Written(nn.Module):
        def forward(self, x):
            y = x * 2
            view = y[0]
            y.mul_(3)
            return view

    view = nn.Sequential(Written())(torch.ones(2, requires_grad=True))
    assert view.node.path == "0"


def test_paths_with_a_common_prefix_are_not_confused():
    class Block(nn.Module):
        def __init__(self, act):
            super().__init__()
            self.act = act

        def forward(self, _):
            return self.act()

    act = PathModule()
    blocks = [Block(act) for _ in range(11)]
    net = nn.Sequential(*blocks)
    assert path_of(act) == "10.act"
    assert net[1](None) == "1.act"


def test_paths_follow_renamed_replaced_and_moved_modules():
    net = nn.Sequential(nn.ReLU(), PathModule())
    del net[0]
    assert net(None) == "0"
    net.insert(0, nn.Identity())
    assert net[1]() == "1"
    net[1] = new = PathModule()
    assert new() == "1"
    assert copy.deepcopy(net)(None) == "1"


def test_paths_follow_all_modules_above():
    inner = PathModule()
    net = nn.Sequential(inner)
    for path in ("0", "0.0", "0.0.0"):
        assert net(None) == inner() == path
        net = nn.Sequential(net)
    net.head = net[0]
    del net._modules["0"]
    other = nn.ModuleDict({"copied": copy.copy(net.head), "part": nn.Sequential(nn.Identity(), PathModule())[1:]})
    assert inner() == "copied.0.0.0"
    assert other.part[0]() == "part.1"
    other.part = net.head
    assert inner() == "part.0.0.0"


def test_a_shallow_copy_elsewhere_leaves_the_path_of_the_original():
    net = nn.Module()
    net.first = PathModule()
    net.second = copy.copy(net.first)
    net.third = copy.copy(net.first)
    assert [part() for part in net.children()] == ["first", "second", "third"]


def test_a_module_that_contains_itself_has_a_path():
    module = PathModule()
    module.again = module
    assert module() == "again"


def test_nested_models_are_built_in_linear_time_from_the_inside_out_too():
    def calls(depth):
        """The number of functions, also of builtins, that the program calls."""
        counted, net = [], PathModule()
        sys.setprofile(lambda frame, event, arg: counted.append(event))
        try:
            for _ in range(depth):
                net = nn.Sequential(net)
        finally:
            sys.setprofile(None)
        return len(counted)

    assert calls(80) < 2.1 * calls(40)


def test_an_unregistered_module_has_the_path_of_its_caller():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = Part()

        def forward(self):
            return self.part()

    class Part(nn.Module):
        def __init__(self):
            super().__init__()
            self.helpers = [nn.Sequential(PathModule())]  # a plain list registers nothing

        def forward(self):
            return self.helpers[0](None)

    assert Net()() == "part.0"


def test_the_path_is_reset_after_an_exception():
    class Fails(nn.Module):
        def forward(self, _):
            raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        nn.Sequential(Fails())(None)
    assert (torch.ones(1, requires_grad=True) * 2).node.path == ""
