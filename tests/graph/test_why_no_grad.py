"""`why_no_grad`: where a gradient's path was cut, in planted faults, special cases and random programs."""

from __future__ import annotations

import math
import random

import pytest

import microgad as torch
from microgad import nn
from microgad.graph import why_no_grad

from .lost_gradients import FAULTS, facts_of, no_grad, recorded


def test_there_are_enough_faults():
    assert len(FAULTS) >= 30
    assert len({facts_of(case)[1:3] for case in FAULTS}) >= 20


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True:UserWarning")
@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case.__name__)
def test_the_operation_that_cuts_the_path_is_named(case):
    line, name, reason, parameter = facts_of(case)
    net, _, tape = recorded(case)
    cut = tape.why_no_grad(parameter)
    assert (cut.op.name, cut.reason) == (name, reason), cut.message
    assert cut.op.line.endswith(f"lost_gradients.py, line {line}"), cut.message
    assert cut
    assert str(cut).startswith(parameter)
    grad = net.get_parameter(parameter).grad
    assert grad is None if reason not in ("flat", "zeros") else not grad.any()
    loaded = torch.graph.Tape.from_json(tape.to_json())
    assert loaded.why_no_grad(parameter).message == cut.message


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True:UserWarning")
@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case.__name__)
def test_reasons_match_the_gradients_of_all_parameters(case):
    """A parameter with a gradient has a path, and one without has none."""
    net, _, tape = recorded(case)
    for name, parameter in net.named_parameters():
        cut = tape.why_no_grad(name)
        if parameter.grad is None:
            assert cut.reason not in ("flows", "flat", "zeros"), (name, cut.message)
        elif parameter.grad.any():
            assert cut.reason == "flows", (name, cut.message)


def test_a_frozen_parameter():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    net[0].weight.requires_grad_(False)
    with torch.record(source=True, params=net) as tape:
        net(torch.ones(1, 2)).sum()
    cut = tape.why_no_grad("0.weight")
    assert cut.reason == "frozen"
    assert cut.op.name == "0.weight"
    assert "doesn't require grad. It was read first by Linear (0)" in cut.message
    assert why_no_grad(net[0].weight, lambda: net(torch.ones(1, 2)).sum()).reason == "frozen"
    assert tape.why_no_grad("1.weight").reason == "flows"


def test_several_cuts_are_all_named():
    w = torch.ones(3, requires_grad=True)
    with torch.record(params={"w": w}) as tape:
        (w.detach() + w.round().argmax() + (w > 2)).sum()
    cut = tape.why_no_grad("w")
    assert cut.op.name == "Detach"
    assert [op.name for op in cut.others] == ["Argmax", "Greater"]
    assert cut.message.endswith("It ends at Argmax, Greater as well")


def test_a_cut_that_does_not_lead_to_the_loss_is_ignored():
    w = torch.ones(3, requires_grad=True)
    with torch.record(params={"w": w}) as tape:
        y = (w * 2).sum()
        w.detach().mean()
    assert not tape.why_no_grad("w", next(op for op in tape if op.name == "Sum"))
    assert not why_no_grad(w, y, tape)
    assert tape.why_no_grad("w").op.name == "Detach"


def test_paths_through_writes_to_views():
    """A value is written through one view and read through another, or through the base."""
    x, w = torch.rand(4, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    with torch.record(params={"w": w}) as through_view:
        y = x * 2
        y[1:].mul_(w)
        y.sum().backward()
    with torch.record(params={"w": w}) as through_base:
        y = x * 2
        part = y[1:]
        y.mul_(w)
        part.exp().sum().backward()
    with torch.record(params={"w": w}) as twice:
        y = x * 2
        first, second = y[:3], y[1:]
        first.mul_(w)
        second.add_(1)
        y.sum().backward()
    for tape in (through_view, through_base, twice):
        assert tape.why_no_grad("w").reason == "flows"
        assert not torch.graph.Tape.from_json(tape.to_json()).why_no_grad("w")
        assert len(tape.results) == 1
    assert twice["Add"][0].inputs[0].written == twice["Mul", 1].number
    with torch.record(params={"w": w}) as tape:
        y = x * 2
        y[1:].mul_(w.detach())
        y.sum().backward()
    assert tape.why_no_grad("w").op.name == "Detach"


def test_a_write_under_no_grad_is_no_cut():
    w = torch.ones(3, requires_grad=True)
    with torch.record(params={"w": w}) as tape:
        (w * 2).sum().backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
        loss = (w * 3).sum()
    assert not tape.why_no_grad("w"), tape.why_no_grad("w").message
    assert not why_no_grad(w, loss, tape)


def test_a_write_under_no_grad_into_a_result_is_no_cut():
    w = torch.ones(3, requires_grad=True)
    with torch.record(params={"w": w}) as tape:
        y = w * 2
        with torch.no_grad():
            y.mul_(3)
        y.sum()
    assert not tape.why_no_grad("w"), tape.why_no_grad("w").message


def test_the_loss_may_be_a_function():
    w = torch.ones(3, requires_grad=True)
    cut = why_no_grad(w, lambda: (w * 2).detach().sum())
    assert (cut.op.name, cut.reason) == ("Detach", "detached")
    middle = []

    def loss():
        middle.append(w * 2)
        return (middle[0] > 1).sum()

    assert why_no_grad(w, loss).op.name == "Greater"
    assert not why_no_grad(w, lambda: w.exp().sum())
    assert why_no_grad(w, lambda: torch.ones(2).sum()).reason == "unused"


def test_a_tensor_and_its_loss_without_a_tape():
    w, v = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    h = w * 2
    loss = (h.detach().exp() * v).sum()
    cut = why_no_grad(w, loss)
    assert (cut.reason, cut.op.name) == ("unknown", "Mul")
    assert "values without a graph come in at Mul. Give why_no_grad the loss as a function" in cut.message
    assert not why_no_grad(v, loss)
    assert "the loss doesn't require grad" in why_no_grad(w, w.detach().sum()).message
    assert "only leaves keep theirs" in why_no_grad(h, h.sum()).message
    h.retain_grad()
    assert "only leaves" not in why_no_grad(h, h.sum()).message
    assert why_no_grad(v, w.floor().sum()).reason == "unknown"
    assert why_no_grad(w, w.floor().sum()).reason == "flat"


def test_invalid_arguments_are_refused():
    w = torch.ones(3, requires_grad=True)
    with pytest.raises(TypeError, match="expected a Tensor, got float"):
        why_no_grad(math.pi, w.sum())
    with pytest.raises(TypeError, match="loss must be a Tensor, a function or a tape, got float"):
        why_no_grad(w, 2.0)
    with torch.record(params={"w": w}) as tape:
        w.sum()
    with pytest.raises(ValueError, match="loss must be an operation on the tape or its number, got 999999999"):
        tape.why_no_grad("w", 999999999)
    for unknown in ("v", "leaf", 999999999):
        with pytest.raises(ValueError, match=f"nothing on the tape is named or numbered {unknown!r}. .*: w$"):
            tape.why_no_grad(unknown)


def test_a_name_that_is_given_but_not_read_is_known():
    w, v = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    with torch.record(params={"w": w, "v": v}) as tape:
        w.sum()
    read = torch.graph.graph(w.sum(), params={"w": w, "v": v}).tape
    for each in (tape, torch.graph.Tape.from_json(tape.to_json()), read):
        for given in ("v", v):
            cut = each.why_no_grad(given)
            assert cut.reason == "unused"
            assert str(cut).endswith(" gets no gradient: no operation on the tape reads it")


def test_a_tensor_added_under_no_grad_is_cut_off():
    w, v = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    with torch.record(params={"w": w, "v": v}) as tape:
        with torch.no_grad():
            w += v
        (w * 3).sum()
    assert (tape.why_no_grad("v").op.name, tape.why_no_grad("v").reason) == ("Add", "no_grad")
    assert not tape.why_no_grad("w")


def test_of_several_operations_with_zero_gradients_the_first_is_named():
    w = torch.ones(3, requires_grad=True)
    with torch.record(stats=True, params={"w": w}) as tape:
        ((w - 5).relu() + (w - 9).sigmoid().clamp(0.5, 1)).sum().backward()
    cut = tape.why_no_grad("w")
    assert (cut.op.name, cut.reason) == ("Relu", "zeros")


def test_values_that_leave_as_numbers_and_return_are_cut_where_they_left():
    w = torch.ones(3, requires_grad=True)
    with torch.record(params={"w": w}) as tape:
        w.exp()
        size = (w * 2).sum().item()
        (torch.full((2,), size) * torch.ones(2, requires_grad=True)).sum()
    cut = tape.why_no_grad("w")
    assert (cut.op.name, cut.reason) == ("Sum", "left")
    v = torch.tensor(1.0, requires_grad=True)  # older than the number
    with torch.record(params={"w": w}) as tape:
        size = (w * 2).sum().item()
        ((v + torch.zeros(2)) * torch.tensor(size)).sum()
    assert "may have come back as the constant of shape (), of unknown origin, in Mul" in str(tape.why_no_grad("w"))


def test_a_tensor_may_be_given_in_place_of_its_name():
    net, loss, tape = recorded(no_grad)
    cut = tape.why_no_grad(net.stem.weight)
    assert (cut.op.name, cut.reason) == ("Linear", "no_grad")
    assert why_no_grad(net.stem.weight, tape).message == cut.message == tape.why_no_grad(net.stem.weight, loss).message
    assert why_no_grad(net.stem.weight, loss, tape).message == cut.message
    assert not tape.why_no_grad("head.weight", loss)


def test_the_default_loss_is_where_backward_started():
    w = torch.ones(3, requires_grad=True)
    with torch.record(params={"w": w}) as tape:
        loss = (w * 2).sum()
        loss.backward()
        (w.detach() > 1).float().mean()
    assert not tape.why_no_grad("w")
    assert tape.why_no_grad("w", tape.ops[-1]).reason == "detached"


def random_step(rng, pool):
    a, b = rng.choice(pool), rng.choice(pool)
    kind = rng.choice(
        ["add", "mul", "tanh", "tanh", "detach", "no_grad", "round", "gate", "index", "list", "copy", "where"]
    )
    if kind == "no_grad":
        with torch.no_grad():
            return a * 2
    if kind == "copy":
        c = a * 1
        return c.copy_(b)
    return {
        "add": lambda: a + b, "mul": lambda: a * b, "tanh": lambda: a.tanh(), "detach": lambda: a.detach() + b,
        "round": lambda: a.round(), "gate": lambda: (a > 0).float(), "index": lambda: b[a.argmax()] + b * 0.5,
        "list": lambda: torch.tensor(a.tolist()), "where": lambda: torch.where(a > b, a, b),
    }[kind]()  # fmt: skip


def test_reasons_match_the_gradients_in_random_programs(request):
    for seed in range(3000 if request.config.getoption("--thorough") else 150):
        rng = random.Random(seed)
        torch.manual_seed(seed)
        params = {f"p{i}": torch.randn(4, requires_grad=True) for i in range(3)}
        with torch.record(stats=True, params=params) as tape:
            pool = list(params.values())
            for _ in range(rng.randrange(2, 10)):
                pool.append(random_step(rng, pool))
            loss = (rng.choice(pool[3:]) + rng.choice(pool[3:])).sum()
            if loss.requires_grad:
                loss.backward()
        for name, p in params.items():
            cut = tape.why_no_grad(name)
            found = {"flows": "some", "flat": "zeros", "zeros": "zeros"}.get(cut.reason, "none")
            assert found == ("none" if p.grad is None else "some" if p.grad.any() else "zeros"), (seed, cut.message)
