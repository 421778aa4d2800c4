"""Planted faults: each program loses a gradient at the operation of the line that says `# here`."""

from __future__ import annotations

import inspect
import math
import random

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.graph import why_no_grad


class Net(nn.Module):
    """Layers to lose a gradient between; `forward` is the fault."""

    def __init__(self, forward):
        super().__init__()
        self.stem, self.conv = nn.Linear(4, 16), nn.Conv2d(1, 3, 3)
        self.norm, self.drop = nn.LayerNorm(16), nn.Dropout(0.5)
        self.head, self.other = nn.Linear(16, 3), nn.Linear(16, 3)
        self.embed, self.rnn = nn.Embedding(10, 16), nn.LSTM(16, 16, batch_first=True)
        self.scale = nn.Parameter(torch.ones(16))
        self.faulty = forward

    def forward(self, x):
        return self.faulty(self, x)


def detach(net, x):
    h = net.stem(x).relu()
    return net.head(h.detach())  # here Detach detached stem.weight


def data(net, x):
    h = net.stem(x)
    h = net.norm(h.data)  # here Detach detached stem.bias
    return net.head(h)


def no_grad(net, x):
    with torch.no_grad():
        h = net.stem(x)  # here Linear no_grad stem.weight
    return net.head(h.tanh())


def inference_mode(net, x):
    with torch.inference_mode():
        h = net.norm(x @ torch.ones(4, 16))  # here LayerNorm no_grad norm.weight
    return net.head(h)


def set_grad_enabled(net, x):
    h = net.stem(x)
    with torch.set_grad_enabled(False):
        h = h * net.scale  # here Mul no_grad scale
    return net.head(h)


def gradients_switched_on_too_late(net, x):
    with torch.no_grad():
        h = net.stem(x)  # here Linear no_grad stem.weight
        h = h.relu()
    return net.head(h.requires_grad_())


def embedding_without_grad(net, x):
    tokens = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        vectors = net.embed(tokens)  # here Embedding no_grad embed.weight
    return net.head(vectors.mean(1))


def frozen_recurrence(net, x):
    h, _ = net.rnn(net.stem(x)[:, None])
    h = h.clone().detach()  # here Detach detached rnn.weight_ih_l0
    return net.head(h[:, -1])


def long_cast(net, x):
    h = net.stem(x)
    return net.head(h.long().float())  # here Cast integer stem.weight


def to_int32(net, x):
    h = net.stem(x) * 10
    h = h.to(torch.int32)  # here Cast integer stem.bias
    return net.head(h / 10)


def bytes_of_a_picture(net, x):
    picture = net.conv(x.reshape(-1, 1, 4, 4))
    quantized = (picture * 255).to(torch.uint8)  # here Cast integer conv.weight
    return quantized.float() / 255


def comparison(net, x):
    h = net.stem(x)
    gate = h > 0  # here Greater comparison stem.weight
    return net.head(gate.float())


def hard_gate(net, x):
    gate = net.scale >= 0.5  # here GreaterEqual comparison scale
    return net.head(net.stem(x) * gate)


def accuracy(net, x):
    scores = net.head(net.stem(x))
    best = scores.argmax(1)  # here Argmax integer head.weight
    return (best - 1).float()


def where_decides(net, x):
    h = net.stem(x)
    return net.other(torch.where(h < 0, 0.0, 1.0))  # here Less comparison stem.weight


def equality(net, x):
    scores = net.head(net.stem(x))
    right = scores == scores.amax(1, keepdim=True)  # here Equal comparison head.bias
    return right.float()


def boolean(net, x):
    h = net.stem(x).bool()  # here Cast integer stem.weight
    return net.head(h.float())


def isnan(net, x):
    h = torch.isnan(net.stem(x))  # here IsNaN comparison stem.weight
    return net.head(h.float())


def numpy_round_trip(net, x):
    h = net.stem(x).detach().numpy()  # here Detach left stem.weight
    return net.head(torch.from_numpy(np.maximum(h, 0)))


def item(net, x):
    size = net.scale.norm()  # here VectorNorm left scale
    factor = torch.tensor(size.item())
    return net.head(net.stem(x) * factor)


def tolist(net, x):
    h = net.stem(x)  # here Linear left stem.weight
    return net.head(torch.tensor(h.tolist()))


def python_number(net, x):
    largest = net.scale.exp().max()  # here Max left scale
    return net.head(net.stem(x) * torch.full((16,), float(largest)))


def unused_result(net, x):
    h = net.stem(x)
    net.other(h)  # here Linear unused other.weight
    return net.head(h)


def forgotten_residual(net, x):
    h = net.stem(x)
    net.drop(h * net.scale)  # here Dropout unused scale
    return net.head(h)


def detached_in_place(net, x):
    h = net.stem(x)  # here Linear taken off stem.weight
    h.detach_()
    return net.head(h)


def an_index(net, x):
    scores = net.head(net.stem(x))
    best = scores.argmax(1)  # here Argmax integer head.weight
    return net.other.weight[best]


def a_mask(net, x):
    mask = net.scale > 2  # here Greater comparison scale
    return net.head(net.stem(x).masked_fill(mask, 0.0))


def a_new_parameter(net, x):
    h = net.scale.exp()  # here Exp left scale
    return net.head(net.stem(x) * nn.Parameter(torch.tensor(h.tolist())))


def made_a_leaf(net, x):
    h = net.stem(x).exp()  # here Exp taken off stem.weight
    return net.head(h.detach_().requires_grad_())


def rounding(net, x):
    h = net.stem(x)
    return net.head(h.round())  # here Round flat stem.weight


def sign(net, x):
    return net.head(torch.sign(net.stem(x) * net.scale))  # here Sign flat scale


def floor(net, x):
    h = torch.floor(net.stem(x) * 4) / 4  # here Floor flat stem.bias
    return net.head(h)


def floor_division(net, x):
    return net.head(net.stem(x) // 0.5)  # here FloorDiv flat stem.weight


def zeroed(net, x):
    h = net.stem(x) * 1
    h.zero_()  # here SetItem flat stem.weight
    return net.head(h)


def overwritten(net, x):
    h = net.stem(x) * 1
    h[:] = x.repeat(1, 4)  # here SetItem flat stem.weight
    return net.head(h)


def copied_over(net, x):
    h = net.stem(x) * 1
    h.copy_(torch.ones(len(x), 16))  # here SetItem flat stem.weight
    return net.head(h)


def dead_relu(net, x):
    h = net.stem(x) - 1000.0
    return net.head(h.relu())  # here Relu zeros stem.weight


def times_zero(net, x):
    h = net.stem(x)
    h = h * 0.0  # here Mul zeros stem.bias
    return net.head(h)


def saturated(net, x):
    h = (net.stem(x) + 1000).sigmoid()  # here Sigmoid zeros stem.weight
    return net.head(h)


def clamped(net, x):
    h = net.stem(x) + 50
    h = h.clamp(-1, 1)  # here Clamp zeros stem.weight
    return net.head(h)


class Forgetful(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return None


def backward_of_none(net, x):
    h = Forgetful.apply(net.stem(x))  # here Forgetful nothing stem.weight
    return net.head(h)


FAULTS = [
    case for case in list(vars().values())
    if inspect.isfunction(case) and case.__module__ == __name__ and "# here " in inspect.getsource(case)
]  # fmt: skip


def planted(case):
    lines, first = inspect.getsourcelines(case)
    (at,) = (i for i, line in enumerate(lines) if "# here " in line)
    *words, name = lines[at].partition("# here ")[2].split()
    return first + at, words[0], " ".join(words[1:]), name


def recorded(case, stats=True):
    torch.manual_seed(0)
    net = Net(case)
    x = torch.rand(4, 4)
    if case is bytes_of_a_picture:
        x = torch.rand(4, 16)
    with torch.record(source=True, stats=stats, params=net) as tape:
        loss = net(x).square().sum()
        if loss.requires_grad:
            loss.backward()
    return net, loss, tape


def test_there_are_enough_faults():
    assert len(FAULTS) >= 30
    assert len({planted(case)[1:3] for case in FAULTS}) >= 20


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True:UserWarning")
@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case.__name__)
def test_names_the_operation_that_cuts_the_path(case):
    line, name, reason, parameter = planted(case)
    net, _, tape = recorded(case)
    cut = tape.why_no_grad(parameter)
    assert (cut.op.name, cut.reason) == (name, reason), cut.said
    assert cut.op.line.endswith(f"test_why_no_grad.py, line {line}"), cut.said
    assert cut
    assert str(cut).startswith(parameter)
    grad = net.get_parameter(parameter).grad
    assert grad is None if reason not in ("flat", "zeros") else not grad.any()
    loss = torch.graph.Tape.from_json(tape.to_json())
    assert loss.why_no_grad(parameter).said == cut.said


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True:UserWarning")
@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case.__name__)
def test_other_parameters_are_not_accused(case):
    """What got a gradient has a path; what got none has none."""
    net, _, tape = recorded(case)
    for name, parameter in net.named_parameters():
        cut = tape.why_no_grad(name)
        if parameter.grad is None:
            assert cut.reason not in ("flows", "flat", "zeros"), (name, cut.said)
        elif parameter.grad.any():
            assert cut.reason == "flows", (name, cut.said)


def test_of_a_frozen_parameter():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    net[0].weight.requires_grad_(False)
    with torch.record(source=True, params=net) as tape:
        net(torch.ones(1, 2)).sum()
    cut = tape.why_no_grad("0.weight")
    assert cut.reason == "frozen"
    assert cut.op.name == "0.weight"
    assert "doesn't require grad. It was read first by Linear (0)" in cut.said
    assert why_no_grad(net[0].weight, lambda: net(torch.ones(1, 2)).sum()).reason == "frozen"
    assert tape.why_no_grad("1.weight").reason == "flows"


def test_several_cuts_are_all_named():
    w = torch.ones(3, requires_grad=True)
    with torch.record(params={"w": w}) as tape:
        (w.detach() + w.round().argmax() + (w > 2)).sum()
    cut = tape.why_no_grad("w")
    assert cut.op.name == "Detach"
    assert [op.name for op in cut.others] == ["Argmax", "Greater"]
    assert cut.said.endswith("It ends at Argmax, Greater as well")


def test_a_cut_beside_the_path_does_not_count():
    w = torch.ones(3, requires_grad=True)
    with torch.record(params={"w": w}) as tape:
        y = (w * 2).sum()
        w.detach().mean()
    assert not tape.why_no_grad("w", next(op for op in tape if op.name == "Sum"))
    assert not why_no_grad(w, y, tape)
    assert tape.why_no_grad("w").op.name == "Detach"


def test_a_path_through_memory():
    """What is written through one view is read through another, or through the whole."""
    x, w = torch.rand(4, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    with torch.record(params={"w": w}) as through_a_part:
        y = x * 2
        y[1:].mul_(w)
        y.sum().backward()
    with torch.record(params={"w": w}) as through_the_whole:
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
    for tape in (through_a_part, through_the_whole, twice):
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
    assert not tape.why_no_grad("w"), tape.why_no_grad("w").said
    assert not why_no_grad(w, loss, tape)


def test_a_tensor_and_a_function():
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


def test_by_the_nodes_alone():
    w, v = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    h = w * 2
    loss = (h.detach().exp() * v).sum()
    cut = why_no_grad(w, loss)
    assert (cut.reason, cut.op.name) == ("unknown", "Mul")
    assert "values without a graph come in at Mul. Give why_no_grad the loss as a function" in cut.said
    assert not why_no_grad(v, loss)
    assert "the loss doesn't require grad" in why_no_grad(w, w.detach().sum()).said
    assert "only leaves keep theirs" in why_no_grad(h, h.sum()).said
    h.retain_grad()
    assert "only leaves" not in why_no_grad(h, h.sum()).said
    assert why_no_grad(v, w.floor().sum()).reason == "unknown"
    assert why_no_grad(w, w.floor().sum()).reason == "flat"


def test_what_it_refuses():
    w = torch.ones(3, requires_grad=True)
    with pytest.raises(TypeError, match="expected a Tensor, got float"):
        why_no_grad(math.pi, w.sum())
    with pytest.raises(TypeError, match="loss must be a Tensor, a function or a tape, got float"):
        why_no_grad(w, 2.0)
    with torch.record(params={"w": w}) as tape:
        w.sum()
    with pytest.raises(ValueError, match="loss must be an operation on the tape or its number, got 999999999"):
        tape.why_no_grad("w", 999999999)
    assert tape.why_no_grad("v").said == "v gets no gradient: no operation on the tape reads it"


def test_what_is_added_under_no_grad_is_cut_off():
    w, v = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    with torch.record(params={"w": w, "v": v}) as tape:
        with torch.no_grad():
            w += v
        (w * 3).sum()
    assert (tape.why_no_grad("v").op.name, tape.why_no_grad("v").reason) == ("Add", "no_grad")
    assert not tape.why_no_grad("w")


def test_of_several_that_give_zeros_the_first():
    w = torch.ones(3, requires_grad=True)
    with torch.record(stats=True, params={"w": w}) as tape:
        ((w - 5).relu() + (w - 9).sigmoid().clamp(0.5, 1)).sum().backward()
    cut = tape.why_no_grad("w")
    assert (cut.op.name, cut.reason) == ("Relu", "zeros")


def test_values_left_at_the_operation_before_they_came_back():
    w = torch.ones(3, requires_grad=True)
    with torch.record(params={"w": w}) as tape:
        w.exp()
        size = (w * 2).sum().item()
        (torch.full((2,), size) * torch.ones(2, requires_grad=True)).sum()
    cut = tape.why_no_grad("w")
    assert (cut.op.name, cut.reason) == ("Sum", "left")


def test_a_tensor_on_a_tape():
    net, loss, tape = recorded(no_grad)
    cut = tape.why_no_grad(net.stem.weight)
    assert (cut.op.name, cut.reason) == ("Linear", "no_grad")
    assert why_no_grad(net.stem.weight, tape).said == cut.said == tape.why_no_grad(net.stem.weight, loss).said
    assert why_no_grad(net.stem.weight, loss, tape).said == cut.said
    assert not tape.why_no_grad("head.weight", loss)


def test_the_loss_is_where_backward_started():
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


def test_on_random_programs_it_says_what_the_gradients_are(request):
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
            assert found == ("none" if p.grad is None else "some" if p.grad.any() else "zeros"), (seed, cut.said)
