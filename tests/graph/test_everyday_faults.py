"""Common mistakes, one a line: `why_no_grad` names what cut a gradient's path, `first_bad` what made the first NaN."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.nn import functional as F
from microgad.utils.checkpoint import checkpoint


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.gate, self.scale = nn.Parameter(torch.zeros(8)), nn.Parameter(torch.tensor(1.0))
        self.embed, self.rnn, self.unused = nn.Embedding(5, 8), nn.GRU(4, 8, batch_first=True), nn.Linear(2, 2)

    def hidden(self):
        return self.b(self.a(torch.rand(6, 4)))

    def forward(self):
        return self.c(self.hidden())


class NoGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return None


class Zeros(NoGradient):
    @staticmethod
    def backward(ctx, grad):
        return grad * 0


class Poison(NoGradient):
    @staticmethod
    def forward(ctx, x):
        return x * math.nan


@torch.no_grad()
def encoded(net):
    return net.a(torch.rand(6, 4))


@torch.inference_mode()
def inferred(net):
    return net.a(torch.rand(6, 4))


def frozen(net):
    net.a.requires_grad_(False)
    return net()


def in_place(change):
    def loss(net):
        h = net.hidden()
        change(h)
        return net.c(h).sum() + net.scale

    return loss


def with_scale(net, x):
    """A loss of which at least net.scale gets a gradient."""
    return (x * net.scale).sum()


NO, YES = torch.zeros(6, 3, dtype=torch.bool), torch.ones(6, 3, dtype=torch.bool)
CUTS = {
    "a teacher": (lambda n: n.c(n.b(n.a(torch.rand(6, 4)).detach())), "a.weight", "Detach", "detached"),
    "data": (lambda n: n.c(n.b(n.a(torch.rand(6, 4)).data) + 0), "a.weight", "Detach", "detached"),
    "by way of NumPy": (
        lambda n: n.c(n.b(torch.from_numpy(np.tanh(n.a(torch.rand(6, 4)).detach().numpy())))),
        "a.weight", "Detach", "left"),
    "a stack by NumPy": (
        lambda n: n.c(torch.from_numpy(np.stack([n.hidden().detach().numpy()] * 2))), "b.weight", "Detach", "detached"),
    "a list of numbers": (
        lambda n: n.c(torch.tensor([x.item() for x in n.hidden().mean(0)])), "b.weight", "Unbind", "left"),
    "losses as numbers": (lambda n: torch.tensor(n().sum().item()) * n.scale, "a.weight", "Sum", "left"),
    "a decorator": (lambda n: n.c(n.b(encoded(n).relu())), "a.weight", "Linear", "no_grad"),
    "inference mode": (lambda n: n.c(n.b(inferred(n).clone())), "a.weight", "Linear", "no_grad"),
    "frozen": (frozen, "a.weight", None, "frozen"),
    "int": (lambda n: n.c(n.hidden().int().float()), "b.weight", "Cast", "integer"),
    "bytes": (lambda n: with_scale(n, n().mul(255).to(torch.uint8)), "c.weight", "Cast", "integer"),
    "accuracy": (lambda n: with_scale(n, (n().argmax(1) == 1).float()), "c.weight", "Argmax", "integer"),
    "counts": (lambda n: torch.count_nonzero(n()) * n.scale, "c.weight", "CountNonzero", "integer"),
    "a threshold": (lambda n: with_scale(n, (n() > 0).float()), "c.weight", "Greater", "comparison"),
    "one hot": (lambda n: with_scale(n, F.one_hot(n().argmax(1), 3)), "c.weight", "Argmax", "integer"),
    "ranks": (lambda n: with_scale(n, n().argsort(1)), "c.weight", "Detach", "left"),
    "a mask of nothing": (lambda n: torch.where(NO, n(), torch.ones(6, 3)) + n.scale, "c.weight", "Where", "zeros"),
    "all masked": (lambda n: n().masked_fill(YES, 0) + n.scale, "c.weight", "SetItem", "zeros"),
    "a dead unit": (lambda n: n.c((n.hidden() - 1e4).relu()), "b.weight", "Relu", "zeros"),
    "clamped": (lambda n: n.c((n.hidden() + 100).clamp(0, 1)), "b.weight", "Clamp", "zeros"),
    "saturated": (lambda n: n.c(torch.tanh(n.hidden() * 0 + 1e4)), "b.weight", "Tanh", "zeros"),
    "another maximum": (lambda n: torch.maximum(n(), torch.full((6, 3), 1e6)).sum(), "c.weight", "Maximum", "zeros"),
    "all ignored": (
        lambda n: F.cross_entropy(n(), torch.full((6,), -100), reduction="sum"), "c.weight", "CrossEntropy", "zeros"),
    "all dropped": (lambda n: n.c(F.dropout(n.hidden(), 1.0)), "b.weight", "Dropout", "zeros"),
    "a gate of zeros": (lambda n: n.c(n.hidden() * n.gate), "b.weight", "Mul", "zeros"),
    "rounded": (lambda n: n.c((n.hidden() * 8).round() / 8), "b.weight", "Round", "flat"),
    "signs": (lambda n: n.c(n.hidden().sign()), "b.weight", "Sign", "flat"),
    "truncated": (lambda n: n.c(n.hidden().trunc()), "b.weight", "Trunc", "flat"),
    "whole quotients": (
        lambda n: n.c(n.hidden().div(0.1, rounding_mode="floor")), "b.weight", "FloorDiv", "flat"),
    "overwritten": (in_place(lambda h: h.__setitem__(slice(None), 1.0)), "b.weight", "SetItem", "flat"),
    "zeroed": (in_place(lambda h: h.zero_()), "b.weight", "SetItem", "flat"),
    "copied over": (in_place(lambda h: h.copy_(torch.ones(6, 8))), "b.weight", "SetItem", "flat"),
    "drawn over": (in_place(lambda h: h.normal_()), "b.weight", "SetItem", "flat"),
    "taken off": (in_place(lambda h: h.detach_()), "b.weight", "Linear", "taken off"),
    "a leaf again": (in_place(lambda h: h.detach_().requires_grad_()), "b.weight", "Linear", "taken off"),
    "unused": (lambda n: n(), "unused.weight", None, "unused"),
    "the wrong loss": (lambda n: (n(), n.scale * 2)[1], "c.weight", "Linear", "unused"),
    "a copy of the model": (lambda n: copy.deepcopy(n)(), "a.weight", "Detach", "left"),
    "a table": (lambda n: n.c(n.embed(torch.tensor([0, 1])).detach()), "embed.weight", "Detach", "detached"),
    "a state": (lambda n: n.c(n.rnn(torch.rand(2, 3, 4))[1].detach()), "rnn.weight_hh_l0", "Detach", "detached"),
    "a function gives None": (lambda n: n.c(NoGradient.apply(n.hidden())), "b.weight", "NoGradient", "nothing"),
    "a function gives zeros": (lambda n: n.c(Zeros.apply(n.hidden())), "b.weight", "Zeros", "zeros"),
    "in a checkpoint": (
        lambda n: n.c(checkpoint(lambda x: n.b(n.a(x).detach()), torch.rand(6, 4), use_reentrant=False)),
        "a.weight", "Detach", "detached"),
}  # fmt: skip


@pytest.mark.parametrize("fault", CUTS)
def test_why_no_grad_names_the_cut(fault):
    torch.manual_seed(0)
    loss, parameter, op, reason = CUTS[fault]
    net = Net()
    with torch.record(source=True, stats=True, params=net) as tape:
        y = loss(net).sum()
        if y.requires_grad:
            y.backward()
    cut = tape.why_no_grad(parameter)
    assert cut.reason == reason, cut.message
    assert op is None or cut.op.name == op, cut.message
    grad = net.get_parameter(parameter).grad
    assert grad is None or not grad.any()


def zero(net):
    return net.hidden() * 0


def with_nan_weight(net):
    with torch.no_grad():
        net.b.weight.copy_(torch.full((8, 8), math.nan))
    return net()


def with_nan_target(net):
    return F.mse_loss(net(), torch.full((6, 3), math.nan))


def large_steps(net):
    """The first step makes weights so large that the second overflows."""
    optimizer = torch.optim.SGD(net.parameters(), 1e20)
    for _ in range(4):
        optimizer.zero_grad()
        loss = net.c(net.hidden().relu()).pow(2).mean()
        loss.backward()
        optimizer.step()
    return loss


NON_FINITE = {
    "log of 0": (lambda n: n.c(zero(n).log()), "Log", "forward", "inf"),
    "0 / 0": (lambda n: n.c(zero(n) / zero(n)), "Div", "forward", "NaN"),
    "scaled to [0, 1]": (lambda n: (h := zero(n)) / (h.max() - h.min()), "Div", "forward", "NaN"),
    "a mean of what is masked": (
        lambda n: (n() * NO).sum() / NO.sum() * n.scale, "Div", "forward", "NaN"),
    "overflow": (lambda n: n.c((zero(n) + 100).exp()), "Exp", "forward", "inf"),
    "a logistic function by hand": (lambda n: (e := (zero(n) + 100).exp()) / (1 + e), "Exp", "forward", "inf"),
    "in place": (lambda n: n.c((zero(n) + 1000).exp_()), "Exp", "forward", "inf"),
    "inf - inf": (lambda n: (e := (zero(n) + 100).exp()) - e, "Exp", "forward", "inf"),
    "nothing but -inf": (lambda n: n().masked_fill(YES, -math.inf).softmax(1), "Softmax", "forward", "NaN"),
    "a variance of one": (lambda n: n.hidden()[:1].var(0), "Var", "forward", "NaN"),
    "a mean of none": (lambda n: n.hidden()[:0].mean() * n.scale, "Mean", "forward", "NaN"),
    "half": (lambda n: ((zero(n) + 300).half() ** 2).float(), "Pow", "forward", "inf"),
    "a cast": (lambda n: (zero(n) + 1e6).half().float(), "Cast", "forward", "inf"),
    "a sum in half": (lambda n: (n.hidden().half() * 0 + 30000).sum().float(), "Sum", "forward", "inf"),
    "0 to the -1": (lambda n: zero(n) ** -1, "Pow", "forward", "inf"),
    "a negative number to the 1.5": (lambda n: (-1 - n.hidden().abs()) ** 1.5, "Pow", "forward", "NaN"),
    "beyond 1": (lambda n: torch.acos(zero(n) + 1.0001), "Acos", "forward", "NaN"),
    "by 0": (lambda n: n.hidden() % 0, "Remainder", "forward", "NaN"),
    "a product": (lambda n: (zero(n) + 1e10).prod(1), "Prod", "forward", "inf"),
    "a matrix product": (lambda n: (h := zero(n) + 1e25) @ h.T, "MatMul", "forward", "inf"),
    "log of a determinant": (lambda n: torch.logdet(torch.zeros(3, 3) * n().sum()), "SLogDet", "forward", "inf"),
    "an own function": (lambda n: n.c(Poison.apply(n.hidden())), "Poison", "forward", "NaN"),
    "a target": (with_nan_target, None, "forward", "NaN"),
    "a weight": (with_nan_weight, None, "forward", "NaN"),
    "large steps": (large_steps, "Linear", "forward", "inf"),
    "root of 0": (lambda n: zero(n).sqrt(), "Sqrt", "backward", "inf"),
    "the slope of 0 to the 0.3": (lambda n: zero(n) ** 0.3, "Pow", "backward", "inf"),
    "a norm by hand": (
        lambda n: (h := zero(n)) / ((h * h).sum(1, keepdim=True).sqrt() + 1e-8), "Sqrt", "backward", "NaN"),
    "the slope at 1": (lambda n: torch.acos(zero(n) + 1), "Acos", "backward", "inf"),
    "chosen too late": (lambda n: torch.where((h := zero(n)) > 0, h.sqrt(), h), "Sqrt", "backward", "NaN"),
    "entropy": (lambda n: torch.special.entr(zero(n)), "Entr", "backward", "inf"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
@pytest.mark.parametrize("fault", NON_FINITE)
def test_first_bad_names_the_operation(fault):
    torch.manual_seed(0)
    loss, op, during, kind = NON_FINITE[fault]
    net = Net()
    with np.errstate(all="ignore"), torch.record(source=True, stats=True, params=net) as tape:
        y = loss(net).sum()
        if loss is not large_steps:
            y.backward()
    bad = tape.first_bad()
    assert (bad.during, bad.kind) == (during, kind), bad.message
    assert bad.op.name == op or (op is None and bad.op.kind == "constant"), bad.message
