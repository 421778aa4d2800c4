"""The checks detect faults: each fault, planted in an op, fails the check that is meant to find it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import microgad

from .checks import OpChecks, infos

exp, add, add_, split, permute = microgad.exp, microgad.add, microgad.Tensor.add_, microgad.split, microgad.permute


class TwiceTheGradient(microgad.Function):
    def forward(self, x):
        return np.exp(x)

    def grad_x(self, grad, out):
        return grad * out * 2


class NoSecondDerivative(microgad.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        out = x.exp()
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad):
        (out,) = ctx.saved_tensors
        return grad * out.detach().conj()


def wrong_on_noncontiguous_memory(x):
    return exp(x) if x.array.flags.c_contiguous else exp(x) * 2


def wrong_for_infinity(x):
    return microgad.clamp(exp(x), max=1e30)


def changes_its_argument(x):
    out = exp(x)
    if not x.requires_grad:
        x.array[...] = 0
    return out


def requires_no_grad(x):
    return exp(x.detach())


def ignores_out(*args, out=None, **kwargs):
    return add(*args, **kwargs)


def writes_to_out_but_returns_another_tensor(*args, out=None, **kwargs):
    result = add(*args, **kwargs)
    if out is not None:
        out.array[...] = result.array
    return result


@pytest.mark.parametrize(
    ("name", "where", "fault", "check"),
    [
        ("exp", microgad, lambda x: exp(x) * (1 + 1e-9), "forward float64"),
        ("exp", microgad, lambda x: exp(x) * (1 + 1e-4), "forward float32"),
        ("exp", microgad, lambda x: exp(x).to(microgad.float64), "forward float32"),
        ("exp", microgad, lambda x: exp(x)[None], "forward int64"),
        ("exp", microgad, lambda x: exp(x).array, "forward float64"),
        ("exp", microgad, lambda x: 1 / 0, "forward complex64"),
        ("exp", microgad, wrong_for_infinity, "forward float64 reference"),
        ("exp", microgad, wrong_on_noncontiguous_memory, "forward noncontiguous"),
        ("exp", microgad, changes_its_argument, "forward float64"),
        ("exp", microgad, requires_no_grad, "gradient float64"),
        ("exp", microgad, TwiceTheGradient.apply, "gradient complex128"),
        ("exp", microgad, TwiceTheGradient.apply, "gradient float64 noncontiguous"),
        ("exp", microgad, NoSecondDerivative.apply, "gradgrad float64"),
        ("exp", microgad, NoSecondDerivative.apply, "gradgrad complex128"),
        ("exp", microgad.Tensor, lambda x: exp(x) * 2, "method"),
        ("add", microgad.Tensor, lambda x, *args, **kwargs: x - args[0], "method"),
        ("add_", microgad.Tensor, lambda x, *args, **kwargs: add(x, *args, **kwargs), "in place"),
        ("add", microgad, ignores_out, "out"),
        ("add", microgad, writes_to_out_but_returns_another_tensor, "out"),
        ("split", microgad, lambda *args, **kwargs: list(split(*args, **kwargs)), "forward float64"),
        ("split", microgad, lambda *args, **kwargs: split(*args, **kwargs)[:1], "forward float64"),
        ("permute", microgad, lambda *args, **kwargs: permute(*args, **kwargs).clone(), "memory"),
        ("gather", microgad, lambda x, dim, index: x, "errors"),
    ],
)
def test_fault_fails_its_check(monkeypatch, name, where, fault, check):
    before, found = failures_before_and_after(monkeypatch, name, where, fault)
    assert check in found
    assert found[check] != before.get(check)  # an op that isn't done may fail the check anyway


def test_fault_fails_no_other_check(monkeypatch):
    """A right first derivative with a wrong second one fails only the checks of second derivatives."""
    before, found = failures_before_and_after(monkeypatch, "exp", microgad, NoSecondDerivative.apply)
    other = {"out", "out float32", "out int64", "no Tensor"}  # the replacement lacks exp's own handling of these
    assert {*found} - {*before} - other == {"gradgrad float64", "gradgrad complex128"}


def failures_before_and_after(monkeypatch, name, where, fault):
    """The failed checks of an op and their reasons, without the fault and with it."""
    before = failures_without_fault(name)
    monkeypatch.setattr(where, name, fault)
    return before, failures(name)


@cache
def failures_without_fault(name):
    return failures(name)


def failures(name):
    return {failure.check: failure.reason for failure in OpChecks(infos([name.rstrip("_")])[0]).failures()}
