"""Sequential, ModuleList, ModuleDict and the containers of parameters: contents, changes, names, paths and errors."""

from collections import OrderedDict

import pytest

import microgad as torch
from microgad import nn
from microgad.nn.modules import container
from microgad.nn.modules.module.paths import path_of, set_place


def relus(count):
    return [nn.ReLU() for _ in range(count)]


def contains_exactly(holder, modules):
    """Assert that the children are these, and that their names and paths are their indices. Returns True."""
    assert list(holder) == list(modules)
    assert list(holder._modules) == [str(i) for i in range(len(modules))]
    assert [path_of(m) for m in holder] == [str(i) for i in range(len(modules))]
    return True


def test_sequential_calls_its_modules_in_order():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU())
    x = torch.randn(2, 2, 2)
    assert torch.equal(net(x), net[2](net[1](net[0](x))))
    assert torch.equal(nn.Sequential()(x), x)


def test_sequential_of_named_modules():
    net = nn.Sequential(OrderedDict(fc=nn.Linear(2, 2), act=nn.ReLU()))
    assert [name for name, _ in net.named_children()] == ["fc", "act"]
    assert net[-1] is net.act
    net[0] = nn.Identity()
    assert isinstance(net.fc, nn.Identity)
    assert [name for name, _ in net[1:].named_children()] == ["act"]


@pytest.mark.parametrize("cls", [nn.Sequential, nn.ModuleList])
def test_lists_of_modules_are_indexed_and_sliced(cls):
    a, b, c, d = modules = relus(4)
    net = cls(*modules) if cls is nn.Sequential else cls(modules)
    assert contains_exactly(net, modules)
    assert len(net) == 4
    assert (net[0], net[-1]) == (a, d)
    assert isinstance(net[1:3], cls)
    assert list(net[1:3]) == [b, c]
    assert list(net[1:3]._modules) == (["1", "2"] if cls is nn.Sequential else ["0", "1"])
    assert contains_exactly(net, modules)  # slicing changes no name
    for i in (4, -5):
        with pytest.raises(IndexError, match=f"index {i} is out of range"):
            net[i]
    with pytest.raises(TypeError):
        net["0"]


def test_inserting_into_a_slice_renumbers_its_modules():
    part = nn.Sequential(*relus(4))[2:]
    part.insert(1, nn.Tanh())
    assert list(part._modules) == ["0", "1", "2"]
    assert isinstance(part[1], nn.Tanh)


@pytest.mark.parametrize("cls", [nn.Sequential, nn.ModuleList])
def test_lists_of_modules_are_changed_in_place(cls):
    a, b, c, d, e, f = modules = relus(6)
    net = cls()
    assert net.append(a) is net
    net.extend(**{"sequential" if cls is nn.Sequential else "modules": modules[1:3]})
    assert contains_exactly(net, [a, b, c])
    net.insert(index=1, module=d)  # under PyTorch's parameter names
    assert contains_exactly(net, [a, d, b, c])
    net.insert(-1, e)
    assert contains_exactly(net, [a, d, b, e, c])
    net.insert(5, f)
    assert contains_exactly(net, [a, d, b, e, c, f])
    net[0] = g = nn.ReLU()
    assert contains_exactly(net, [g, d, b, e, c, f])
    del net[1]
    assert contains_exactly(net, [g, b, e, c, f])
    del net[::2]
    assert contains_exactly(net, [b, c])
    assert net.pop(key=0) is b
    assert contains_exactly(net, [c])
    with pytest.raises(IndexError, match="Index out of range: 3"):
        net.insert(3, a)
    with pytest.raises(AssertionError, match=r"should be of type: .*Module"):
        net.insert(0, 3)
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        net.append(3)
    with pytest.raises(TypeError, match=f"{cls.__name__}.extend should be called with an iterable, but got int"):
        net.extend(3)
    assert contains_exactly(net, [c])


def test_a_container_extended_by_itself():
    a, b = relus(2)
    assert list(nn.ModuleList([a, b]).extend(nn.ModuleList([a]))) == [a, b, a]
    net = nn.ModuleList([a, b])
    assert list(net.extend(net)) == [a, b, a, b]


def test_a_list_with_a_gap_in_its_names_is_extended_by_all_modules():
    a, b, c, d, e = relus(5)
    net = nn.ModuleList([a, b])
    net.add_module("3", c)
    net.extend([d, e])
    assert list(net) == [a, b, d, e]  # the one at 3 is replaced, as in PyTorch


def test_arithmetic_on_sequentials():
    a, b = relus(2)
    net = nn.Sequential(a)
    assert list(net + nn.Sequential(b)) == [a, b]
    assert list(net * 3) == list(3 * net) == [a, a, a]
    net += nn.Sequential(b)
    assert list(net) == [a, b]
    net *= 2
    assert list(net) == [a, b, a, b]
    assert list(net._modules) == ["0", "1", "2", "3"]
    with pytest.raises(ValueError, match="only objects of Sequential class, but <class 'list'> is given"):
        net.__add__([a])
    with pytest.raises(ValueError, match="Non-positive multiplication factor 0"):
        net * 0
    with pytest.raises(TypeError, match="unsupported operand"):
        net * 1.5


def test_arithmetic_on_lists():
    a, b = relus(2)
    net = nn.ModuleList([a])
    assert list(net + nn.ModuleList([b])) == [a, b]
    net += [b]
    assert list(net) == [a, b]


def test_module_list_prints_equal_neighbors_once():
    net = nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Sequential(nn.Tanh()), nn.ReLU()])
    assert repr(net) == ("ModuleList(\n  (0-1): 2 x ReLU()\n  (2): Sequential(\n    (0): Tanh()\n  )\n  (3): ReLU()\n)")
    assert repr(nn.ModuleList()) == "ModuleList()"


def test_module_dict_behaves_as_a_dict():
    a, b, c = relus(3)
    net = nn.ModuleDict({"a": a, "b": b})
    assert (list(net), list(net.keys()), list(net.values()), list(net.items())) == (
        ["a", "b"], ["a", "b"], [a, b], [("a", a), ("b", b)]
    )  # fmt: skip
    assert "a" in net
    assert "forward" not in net
    assert len(net) == 2
    net["c"] = c
    assert net["c"] is c
    assert net.c is c
    del net["a"]
    assert net.pop("b") is b
    assert list(net) == ["c"]
    net.update([("a", a), ["b", b]])
    net.update(nn.ModuleDict({"c": a}))
    assert dict(net.items()) == {"c": a, "a": a, "b": b}
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        net["d"] = 3
    with pytest.raises(KeyError, match="attribute 'keys' already exists"):
        net["keys"] = a
    with pytest.raises(TypeError, match="an iterable of key/value pairs, but got int"):
        net.update(3)
    with pytest.raises(ValueError, match="element #1 has length 3; 2 is required"):
        net.update([("e", a), ("f", b, c)])
    assert "e" not in net
    net.clear()
    assert len(net) == 0


def test_a_parameter_dict_does_not_contain_a_rejected_parameter():
    params = nn.ParameterDict()
    with pytest.raises(KeyError, match="attribute 'items' already exists"):
        params["items"] = torch.zeros(1)
    assert list(params) == []


def test_a_parameter_list_does_not_contain_a_rejected_parameter():
    params = nn.ParameterList([torch.zeros(1)])
    with pytest.raises(RuntimeError, match="floating point"):
        params.append(torch.tensor([1]))
    assert len(list(params)) == len(params) == 1


def test_the_union_of_dict_and_parameter_dict_has_the_left_type():
    left, right = {"a": torch.zeros(1)}, nn.ParameterDict({"b": torch.zeros(2)})
    assert type(left | right) is dict
    assert list(left | right) == ["a", "b"]
    assert list(left) == ["a"]
    assert type(right | left) is nn.ParameterDict


@pytest.mark.parametrize("cls", [nn.Sequential, nn.ModuleList])
def test_only_modules_whose_index_changes_get_a_new_path(cls, monkeypatch):
    net, moved = cls(), []
    net.extend(relus(4))
    monkeypatch.setattr(container, "set_place", lambda *child: moved.append(child[-1]) or set_place(*child))
    net.pop(-1)
    assert moved == []
    del net[1]
    assert moved == ["1"]
    net.insert(1, nn.ReLU())
    assert moved == ["1", "1", "2"]
    assert [path_of(module) for module in net] == ["0", "1", "2"]


def test_parameters_of_contained_modules_are_registered():
    net = nn.ModuleDict({"list": nn.ModuleList([nn.Linear(1, 1)])})
    assert [name for name, _ in net.named_parameters()] == ["list.0.weight", "list.0.bias"]
    with pytest.raises(NotImplementedError, match="ModuleDict"):
        net(torch.ones(1))


def test_no_item_can_be_popped_from_an_empty_parameter_dict():
    with pytest.raises(KeyError, match="dictionary is empty"):
        nn.ParameterDict().popitem()
