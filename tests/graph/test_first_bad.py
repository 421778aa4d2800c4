"""`tape.first_bad`: planted faults. Each makes its first NaN or infinity in the line with the comment `# here`."""

from __future__ import annotations

import random

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.nn import functional as F

from .faulty_lines import faults_of, planted


class Net(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.stem, self.head, self.conv = nn.Linear(4, 8), nn.Linear(8, 3), nn.Conv2d(1, 2, 3)
        self.norm, self.embed, self.rnn = nn.LayerNorm(8), nn.Embedding(10, 8), nn.GRU(8, 8, batch_first=True)
        self.scale = nn.Parameter(torch.ones(8))
        self.faulty = forward

    def forward(self, x):
        return self.faulty(self, x)


def log_of_negative(net, x):
    h = net.stem(x) - 10
    return net.head(h.log())  # here Log forward NaN


def log_of_zero(net, x):
    h = net.stem(x).clamp(-1, 0).relu()
    h = h.log()  # here Log forward inf
    return net.head(h - h)


def negative_root(net, x):
    h = net.stem(x)
    h = (h - h.amax() - 1).sqrt()  # here Sqrt forward NaN
    return net.head(h)


def zero_by_zero(net, x):
    h = net.stem(x) * 0
    return net.head(h / h.sum())  # here Div forward NaN


def one_by_zero(net, x):
    h = 1 / (net.stem(x) * 0).abs()  # here Reciprocal forward inf
    return net.head(h)


def exponential(net, x):
    h = (net.stem(x).abs() + 1) * 1000
    h = h.exp()  # here Exp forward inf
    return net.head(h / h.sum(1, keepdim=True))


def naive_softmax(net, x):
    scores = net.head(net.stem(x)) * 1e4
    e = torch.exp(scores + 2000)  # here Exp forward inf
    return e / e.sum(1, keepdim=True)


def overflowing_power(net, x):
    return (net.head(net.stem(x)).abs() + 10) ** 100  # here Pow forward inf


def fractional_power(net, x):
    h = (net.stem(x) - 9) ** 0.5  # here Pow forward NaN
    return net.head(h)


def half_precision(net, x):
    h = (net.stem(x) + 300).half()
    h = h * h  # here Mul forward inf
    return net.head(h.float())


def cast_to_half(net, x):
    h = net.stem(x) * 1e6
    return net.head(h.half().float())  # here Cast forward inf


def accumulated(net, x):
    h = net.stem(x) + 3e38
    return h.sum() + net.head(h * 0).sum()  # here Sum forward inf


def too_large_a_product(net, x):
    h = net.stem(x) * 1e20 + 1e20
    h = h @ (h.T + 1e20)  # here MatMul forward inf
    return h - h


def normalized_by_hand(net, x):
    h = net.stem(x)[:, :1]
    h = (h - h.mean(1, keepdim=True)) / h.std(1, keepdim=True, unbiased=False)  # here Div forward NaN
    return h


def logarithm_near_one(net, x):
    h = net.stem(x)
    return net.head(torch.log1p(h - h.detach() - 2))  # here Log1p forward NaN


def arc_sine(net, x):
    return net.head((net.stem(x) + 5).asin())  # here Asin forward NaN


def inverse_tanh(net, x):
    h = net.stem(x) * 0 + 1
    return net.head(h.atanh())  # here Atanh forward inf


def logarithm_of_a_probability(net, x):
    p = F.softmax(net.head(net.stem(x)) * 1e6, 1)
    return -(p.log() * p)  # here Log forward inf


def nothing_to_attend_to(net, x):
    scores = net.head(net.stem(x)).masked_fill(torch.ones(4, 3, dtype=torch.bool), float("-inf"))
    return F.softmax(scores, 1)  # here Softmax forward NaN


def infinite_minus_infinite(net, x):
    mask = torch.full((4, 8), float("-inf"))
    return net.head(F.relu(net.stem(x) + mask - mask))  # here Sub forward NaN


def zero_times_infinite(net, x):
    h = net.stem(x).relu() * 0
    return net.head(h * torch.tensor(float("inf")))  # here Mul forward NaN


def mean_of_nothing(net, x):
    h = net.stem(x)
    return net.head(h) + h[:0].mean()  # here Mean forward NaN


def remainder(net, x):
    return net.head(torch.fmod(net.stem(x), 0.0))  # here Fmod forward NaN


def gamma(net, x):
    return net.head(torch.lgamma(net.stem(x) * 0))  # here Lgamma forward inf


def in_place(net, x):
    h = net.stem(x).detach()
    h -= h.amax() + 1
    h.log_()  # here Log forward NaN
    return net.head(h)


def norm_of_zero(net, x):
    h = net.stem(x) * 0
    return net.head(h.square().sum(1, keepdim=True).sqrt() + h)  # here Sqrt backward inf


def root_at_zero(net, x):
    h = net.stem(x).clamp(max=-5.0) + 5
    return net.head(torch.where(h > 0, h.sqrt(), h))  # here Sqrt backward NaN


def where_hides_the_log(net, x):
    h = (net.stem(x) * 0).relu()
    y = h.clamp(min=0).log1p() + torch.where(h > 1, h.pow(0.5), h)  # here Pow backward NaN
    return net.head(y)


def guarded_division(net, x):
    h = net.stem(x) * 0
    return net.head(torch.where(h == 0, 0.0, 1 / h))  # here Reciprocal forward inf


def absolute_power(net, x):
    h = net.norm(net.stem(x) * 0)
    return (h.abs() ** 0.3).sum()  # here Pow backward inf


def exponential_gradient(net, x):
    h = net.stem(x) * 0 + 44
    y = h.exp() * 1e19
    return net.head(y)  # here Linear backward inf


def scaled_and_back(net, x):
    h = net.head(net.stem(x)) * 1e-30
    h = h * 1e20  # here Mul backward inf
    return h * 1e20


def distance_to_itself(net, x):
    h = net.stem(x)
    gap = (h - h).square().sum(1)
    return gap.sqrt()  # here Sqrt backward inf


def two_infinities(net, x):
    h = (net.stem(x).abs() + 1) * 1000
    h = h.exp() - 1 / (h * 0)  # here Exp forward inf
    return net.head(h)


def infinite_in_the_last_part(net, x):
    h = torch.exp((net.stem(x).abs() + 1) * 1000 * torch.arange(8.0))  # here Exp forward inf
    first, *_, last = h.unbind(1)
    return first + (last - last)


def custom_backward(net, x):
    class Careless(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad / 0  # here Div forward inf

    return net.head(Careless.apply(net.stem(x)))


def arc_cosine_at_one(net, x):
    h = net.stem(x) * 0 + 1
    return net.head(h.acos())  # here Acos backward inf


FAULTS = faults_of(globals())


def recorded(case, **level):
    torch.manual_seed(0)
    net, x = Net(case), torch.rand(4, 4)
    with np.errstate(all="ignore"), torch.record(source=True, params=net, **level) as tape:
        net(x).sum().backward()
    return tape


def test_there_are_enough_faults():
    assert len(FAULTS) >= 30


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case.__name__)
def test_first_bad_names_the_operation_of_the_fault(case):
    line, (name, during, kind) = planted(case)
    tape = recorded(case, stats=True)
    bad = tape.first_bad()
    assert (bad.op.name, bad.during, bad.kind) == (name, during, kind), bad.message
    assert bad.op.line.endswith(f"test_first_bad.py, line {line}"), bad.message
    assert str(bad).startswith(("backward: " if during == "backward" else "") + name)
    assert torch.graph.Tape.from_json(tape.to_json()).first_bad().message == bad.message


def test_a_tape_with_values_but_no_stats_finds_faults_of_the_forward():
    assert recorded(log_of_negative, values=True).first_bad().op.name == "Log"
    assert recorded(root_at_zero, values=True).first_bad() is None
    with pytest.raises(RuntimeError, match="record it with stats=True"):
        recorded(log_of_negative).first_bad()


def test_the_message_has_the_range_of_the_input_and_the_line():
    with torch.record(stats=True, source=True) as tape, np.errstate(all="ignore"):
        (torch.tensor([3.0, -2.0]) - 1.0).log()
    message = str(tape.first_bad())
    assert "produced NaN from finite inputs: x (2,) from -3 to 2" in message
    assert message.startswith("Log at ")


def test_a_program_without_nan_has_no_first_bad():
    def sound(net, x):
        scores = net.head(net.stem(x)).masked_fill(torch.eye(4, 3, dtype=torch.bool), float("-inf"))
        return F.softmax(scores, 1)

    assert recorded(sound, stats=True).first_bad() is None
    with torch.record(stats=True) as tape:
        pass
    assert tape.first_bad() is None


def test_a_parameter_that_holds_nan_is_named():
    net = nn.Linear(2, 2)
    with torch.no_grad():
        net.weight[0, 0] = float("nan")
    with torch.record(stats=True, params=net) as tape:
        net(torch.ones(1, 2)).sum()
    bad = tape.first_bad()
    assert (bad.op.name, bad.during, bad.kind) == ("weight", "forward", "NaN")
    assert bad.message == "weight: held NaN before any operation; Linear read it first"


def test_an_infinite_input_is_reported_where_it_becomes_nan():
    with torch.record(stats=True) as tape:
        x = torch.tensor([float("inf"), 1.0])
        ((x * 2).exp() - x).sum()
    bad = tape.first_bad()
    assert (bad.op.name, bad.kind) == ("Sub", "NaN")
    assert "held inf before" in bad.message


def test_a_constant_that_holds_nan_is_named():
    with torch.record(stats=True) as tape:
        torch.tensor([1.0, float("nan")]).exp()
    assert str(tape.first_bad()) == "a constant of shape (2,): held NaN before any operation; Exp read it first"


def test_a_bad_gradient_counts_before_the_parameter_it_spoiled():
    w = torch.zeros(2, requires_grad=True)
    with torch.record(stats=True, params={"w": w}) as tape, np.errstate(all="ignore"):
        (w * 1).sqrt().sum().backward()
        w.data -= w.grad * 0
        (w * 2).sum().backward()
    bad = tape.first_bad()
    assert (bad.op.name, bad.during) == ("Sqrt", "backward")


def test_an_overflow_of_the_forward_counts_before_the_gradient_and_the_parameter_that_it_spoiled():
    w = torch.tensor([1.0], requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1e3)  # far too large
    with torch.record(stats=True, params={"w": w}) as tape, np.errstate(all="ignore"):
        for _ in range(5):
            optimizer.zero_grad()
            (w**4).sum().backward()
            optimizer.step()
    assert str(tape.first_bad()).startswith("Pow: produced inf from finite inputs: x (1,) from 2.558e+14")


def test_of_several_bad_backward_passes_the_first_counts():
    w = torch.tensor([4.0, 0.0], requires_grad=True)
    with torch.record(stats=True, params={"w": w}) as tape, np.errstate(all="ignore"):
        for scale in (1.0, 2.0, 3.0):
            (w * scale).sqrt().sum().backward()
    bad = tape.first_bad()
    assert (bad.op, bad.during) == (tape["Sqrt", 0], "backward")


def test_an_input_without_finite_values_has_no_range():
    x = torch.full((2,), float("nan"))
    with torch.record(stats=True) as tape:
        (x.reshape(1, 2) - float("inf")).log()
    assert repr(tape.sources[0].stats) == "<nothing finite; 2 NaN>"
    y = torch.ones(2, requires_grad=True)
    with torch.record(stats=True) as tape:
        (y * torch.full((2,), float("inf"))).sum().backward()
    assert "b (2,) with nothing finite" in tape.first_bad().message


def test_an_infinity_in_a_setting_is_not_bad():
    with torch.record(stats=True) as tape:
        F.pad(torch.ones(1, 4), (1, 1), value=float("-inf")).amax()
    assert tape.first_bad() is None


def test_of_two_bad_derivatives_the_one_that_backward_computes_first_counts():
    w = torch.zeros(2, requires_grad=True)
    with torch.record(stats=True) as tape, np.errstate(all="ignore"):
        ((w * 1).sqrt() + (w * 2).pow(0.5)).sum().backward()
    bad = tape.first_bad()
    assert (bad.op.name, bad.during, bad.input) == ("Pow", "backward", "x")


def test_a_nan_counts_before_an_infinity_that_leads_to_none():
    with torch.record(stats=True) as tape, np.errstate(all="ignore"):
        x = torch.tensor([0.0, -1.0])
        y = torch.where(x < 1, x, 1 / x)
        y.log().sum()
    assert tape.first_bad().op.name == "Log"


def test_nan_in_the_gradient_given_to_backward_is_named():
    w = torch.ones(2, requires_grad=True)
    with torch.record(stats=True) as tape:
        (w * 2).exp().backward(torch.tensor([1.0, float("nan")]))
    bad = tape.first_bad()
    assert (bad.op.name, bad.kind) == ("Exp", "NaN")
    assert bad.message == "backward: Exp: the gradient that the pass started with held NaN"


PLANTS = {
    "Log": lambda a: (a * 0 - 1).log(),
    "Div": lambda a: a / (a * 0),
    "Sqrt": lambda a: (-1 - a * a).sqrt(),
    "Exp": lambda a: (a * 0 + 1000).exp(),
    "Acos": lambda a: (a * a + 2).acos(),
    "Pow": lambda a: (a * 0).pow(-1.5),
    "Sqrt backward": lambda a: (a - a).sqrt(),
    "Pow backward": lambda a: (a * 0).pow(0.5),
    "Acos backward": lambda a: (a * 0 + 1).acos(),
}


def test_planted_faults_are_found_in_random_programs(request):
    """No other step of a program has the planted operation, so that its name is enough to compare."""
    for seed in range(3000 if request.config.getoption("--thorough") else 150):
        rng = random.Random(seed)
        torch.manual_seed(seed)
        plant = rng.choice(list(PLANTS))
        with np.errstate(all="ignore"), torch.record(stats=True) as tape:
            pool = [torch.randn(4, requires_grad=True) for _ in range(3)]
            steps = rng.randrange(1, 12)
            at = rng.randrange(steps)
            for i in range(steps):
                a, b = rng.choice(pool), rng.choice(pool)
                safe = (a + b, a * b.tanh(), a.sigmoid() - b)[rng.randrange(3)]
                pool.append(PLANTS[plant](a) if i == at else safe)
            sum(pool, torch.zeros(4)).sum().backward()
        bad = tape.first_bad()
        name, _, backward = plant.partition(" ")
        assert bad is not None, seed
        assert (bad.op.name, bad.during) == (name, backward or "forward"), (seed, bad.message)


def test_an_infinity_written_to_the_base_of_a_view_is_traced_to_the_write():
    with torch.record(stats=True) as tape:
        buffer = torch.full((3,), 1000.0)
        view = buffer[:2]
        buffer.exp_()
        view - view
    bad = tape.first_bad()
    assert (bad.op.name, bad.kind) == ("Exp", "inf")
    assert str(bad) == "Exp: produced inf from finite inputs: x (3,) from 1000 to 1000. It became NaN in Sub"


def test_the_range_of_an_input_is_that_after_the_last_write():
    with torch.record(stats=True) as tape:
        buffer = torch.full((3,), 1000.0)
        view = buffer[:2]
        buffer.mul_(-1)
        view.log()
    assert str(tape.first_bad()) == "Log: produced NaN from finite inputs: x (2,) from -1000 to -1000"


@pytest.mark.parametrize(
    ("after", "became"),
    [(lambda y: y.abs().sum(), ""), (lambda y: y.softmax(1).sum(), ". It became NaN in Softmax")],
    ids=["sum", "softmax"],
)
def test_an_infinite_parameter_is_named(after, became):
    model = torch.nn.Linear(3, 3)
    with torch.no_grad():
        model.weight[0, 0] = torch.inf
    with torch.record(stats=True, params=model) as tape, np.errstate(all="ignore"):
        after(model(torch.ones(5, 3)))
    found = tape.first_bad()
    assert found.op is tape["weight"]
    assert str(found) == f"weight: held inf before any operation; Linear read it first{became}"


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x.exp(), "Exp: produced inf from finite elements: x (2,) from 1000 to 1000"),
        (lambda x: x.exp().softmax(0), "Exp: produced inf from finite elements: x (2,) from 1000 to 1000. It became"),
        (lambda x: (x * 2 - 5).softmax(0), "None"),
    ],
    ids=["overflow", "nan", "none"],
)
def test_an_overflow_beside_the_infinity_of_a_mask_is_named(function, expected):
    with torch.record(stats=True) as tape, np.errstate(all="ignore"):
        function(torch.tensor([1000.0, -torch.inf]))
    assert str(tape.first_bad()).startswith(expected)
    assert str(torch.graph.Tape.from_json(tape.to_json()).first_bad()) == str(tape.first_bad())
