"""`ModuleTree`: the nested calls of modules on a tape, and the module that each source belongs to."""

from __future__ import annotations

import microgad as torch
from microgad import state
from microgad.graph import graph
from microgad.graph.module_tree import ModuleCall, ModuleTree
from microgad.graph.tape import Op


def names_in(call: ModuleCall) -> list:
    """A call's members, as nested lists of names."""
    return [member.name if isinstance(member, Op) else {member.path: names_in(member)} for member in call.members]


def at(path: str, tensor: torch.Tensor, op: str, *args) -> torch.Tensor:
    """Call a Tensor's method as if within the module of that path."""
    with state.scope(path=path):
        return getattr(tensor, op)(*args)


def test_calls_nest_as_the_paths_do():
    x = torch.ones(2, requires_grad=True)
    y = at("net.0", x, "exp")
    y = at("net", y, "tanh")
    y = at("net.1.act", y, "log")
    y = at("", y, "sum")
    found = ModuleTree(graph(y).tape)
    assert names_in(found.root) == [{"net": [{"net.0": ["Exp"]}, "Tanh", {"net.1": [{"net.1.act": ["Log"]}]}]}, "Sum"]
    assert names_in(ModuleTree(graph(y).tape, 1).root) == [{"net": ["Exp", "Tanh", "Log"]}, "Sum"]


def test_a_module_called_twice_is_two_calls():
    x = torch.ones(2, requires_grad=True)
    y = at("shared", at("", at("shared", x, "exp"), "tanh"), "exp")
    assert names_in(ModuleTree(graph(y).tape).root) == [{"shared": ["Exp"]}, "Tanh", {"shared": ["Exp"]}]


def test_modules_whose_names_begin_alike_are_not_nested():
    x = torch.ones(2, requires_grad=True)
    y = at("net.1", at("net.10", x, "exp"), "exp")
    y = at("net.10", y, "exp")
    nested = [{"net.10": ["Exp"]}, {"net.1": ["Exp"]}, {"net.10": ["Exp"]}]
    assert names_in(ModuleTree(graph(y).tape).root) == [{"net": nested}]


def homes(y, params, depth=None) -> dict[str, str]:
    """The path of the module that each source belongs to, by the source's name."""
    tape = graph(y, params=params).tape
    modules = ModuleTree(tape, depth)
    return {source.name: modules.home_of[source.number].path for source in tape.sources}


def test_a_parameter_belongs_to_its_module_and_an_input_to_none():
    w, x = torch.Parameter(torch.ones(2)), torch.ones(2)
    y = at("net.0", x, "mul", w)
    assert homes(y, {"net.0.w": w, "x": x}) == {"net.0.w": "net.0", "x": ""}
    assert homes(y, {"net.0.w": w, "x": x}, depth=1) == {"net.0.w": "net", "x": ""}
    assert homes(y, {"w": w, "x": x}) == {"w": "", "x": ""}
    assert homes(y, {"x": x}) == {"": "net.0", "x": ""}


def test_a_shared_parameter_belongs_to_the_module_in_its_name():
    w = torch.Parameter(torch.ones(2))
    y = at("net.b", at("net.a", w, "exp"), "mul", w)
    assert homes(y, {"net.w": w}) == {"net.w": "net"}
    assert homes(y, {"net.a.w": w}) == {"net.a.w": "net.a"}
    assert homes(y, {"net.b.w": w}) == {"net.b.w": "net.b"}


def test_a_parameter_that_is_also_read_outside_belongs_to_its_module():
    w = torch.Parameter(torch.ones(2))
    y = at("net.a", w, "exp") * w
    assert homes(y, {"net.a.w": w}) == {"net.a.w": "net.a"}


def test_a_parameter_read_only_by_a_function_that_its_module_calls_is_at_home_in_that_call():
    w = torch.Parameter(torch.ones(2))
    inside = at("net.f().g()", w, "exp")
    assert homes(inside, {"net.w": w}) == {"net.w": "net.f().g()"}
    assert homes(inside * at("net.h()", w, "exp"), {"net.w": w}) == {"net.w": "net"}
    assert homes(at("net.a.f()", w, "exp"), {"net.w": w}) == {"net.w": "net"}
    assert homes(at("f()", w, "exp"), {"w": w}) == {"w": ""}
