"""Faults that are small, or in one part of what a law checks, and how errors name the worst entry."""

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.testing import GradcheckError, check_module, check_op
from microgad.testing.laws import derivatives
from microgad.testing.laws.assertions import assert_agree, assert_equal

from .operations import Product, Square, bare, broken

pytestmark = pytest.mark.usefixtures("no_shrinking")
X = torch.tensor([1.5, -0.7, 2.2], dtype=torch.float64)


class HoldsItsResult(Square):
    held = []

    def forward(self, x):
        self.held.append(np.exp(x))
        return self.held[-1]

    def grad_x(self, grad, out):
        return grad * out


def with_a_setting(self, x):
    vars(self)["hidden"] = x * x
    return self.hidden


def draws(self, grad, x):
    return 2 * grad * x + 0 * torch.rand(()).item()


FAULTS = {  # the law, the operation, and what the error says
    "a slightly asymmetric second derivative": (
        "symmetry",
        broken(Product, grad_a=lambda self, grad, b: grad * (0.9999 * b + 0.0001 * bare(b))),
        "the second derivative along u, then w",
    ),
    "rounded values in float32": (
        "float32",
        broken(forward=lambda self, x: x * x * (1.001 if x.dtype == np.float32 else 1)),
        "in float32: output 0 differs in 3 of 3 entries",
    ),
    "a derivative that draws": ("deterministic", broken(grad_x=draws), "backward makes random draws of its own"),
    "a result held elsewhere": ("graph_freed", HoldsItsResult, "not freed: what HoldsItsResult kept"),
    "a result as a setting": ("kept", broken(forward=with_a_setting), "keeps its result, 24 bytes, as self.hidden"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_law_finds_a_faint_fault(fault):
    law, op, message = FAULTS[fault]
    inputs = [X, X.flip(0)] if issubclass(op, Product) else [X]
    with pytest.raises(AssertionError, match=message):
        check_op(op, *inputs, laws=[law], examples=2)


@pytest.mark.usefixtures("thorough")
def test_at_large_and_small_inputs_a_derivative_must_agree_over_some_step(monkeypatch):
    with pytest.raises(GradcheckError, match="`magnitudes`") as wrong:
        check_op(broken(grad_x=lambda self, grad, x: 2.1 * grad * x), laws=["magnitudes"], examples=2)

    def disagrees(*args):  # over relative steps
        raise wrong.value

    monkeypatch.setattr(derivatives, "found_kink", disagrees)
    check_op(Square, laws=["magnitudes"], examples=2)


def test_a_reference_is_compared_to_nearly_all_digits():
    check_op(Square, X, reference=np.square, laws=["reference"], examples=1)
    with pytest.raises(AssertionError, match="output 0 differs in 3 of 3 entries"):
        check_op(Square, X, reference=lambda x: x * x * (1 + 1e-7), laws=["reference"], examples=1)


def test_the_worst_entry_is_named_with_enough_digits():
    one, nan = np.array([1.0, 2.0, 3.0]), np.array([1.0, np.nan, 9.0])
    with pytest.raises(AssertionError, match=r"y differs in 2 of 3 entries, most at \[1\]: nan in place of 2 "):
        assert_agree(nan, one, 0.0, "y")
    with pytest.raises(AssertionError, match=r"at \[0\]: 1\.0000000000000002 in place of 1 "):
        assert_agree(np.nextafter(one[:1], 2), one[:1], 0.0, "y")
    with pytest.raises(AssertionError, match="y is int32, expected int64"):
        assert_equal(np.ones(2, np.int32), np.ones(2, np.int64), "y")


class LooksAhead(nn.Module):
    """Depends on later positions in a way that has no gradient."""

    def forward(self, x):
        return x + x.detach().flip(1)


class DividesByRows(nn.Module):
    """Depends on how many rows there are, and not on what is in them."""

    def forward(self, x):
        return x / len(x)


class HoldsPlainTensors(nn.Module):
    """Of two Tensors that are no buffers, the first can't be changed: it would be out of bounds."""

    def __init__(self):
        super().__init__()
        self.index, self.factor = torch.zeros(1, dtype=torch.int64), torch.ones(1)

    def forward(self, x):
        return x[torch.where(self.index < 0, 9, self.index)] * self.factor.to(x.dtype)


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return x * 2


class Linked(nn.Module):
    """Its copies read their original's weight, too."""

    def __init__(self):
        super().__init__()
        self.weight, self.linked = nn.Parameter(torch.ones(2)), []

    def __deepcopy__(self, memo):
        other = type(self)().train(self.training)
        other.weight = nn.Parameter(self.weight.detach().clone())
        other.linked = [self.weight, *self.linked]
        return other

    def forward(self, x):
        return x * self.weight + sum(0 * w.to(x.dtype) for w in self.linked)


MODULES = {
    "a leak without gradient": (LooksAhead, "causal", {"causal": 1}, "with later ones changed"),
    "the number of rows": (DividesByRows, "samples", {"independent": "samples"}, "row 0 alone"),
    "the second of two plain Tensors": (HoldsPlainTensors, "registered", {}, "the results depend on factor"),
    "a buffer that changes in eval mode": (Counts, "modes", {}, "in eval mode a call changes a buffer"),
    "copies linked by a gradient": (Linked, "deepcopy", {}, "gives the original's parameters gradients"),
}


@pytest.mark.parametrize("fault", MODULES)
def test_a_law_of_modules_finds_a_faint_fault(fault):
    module, law, declared, message = MODULES[fault]
    inputs = torch.tensor([[1.0, 2.0], [3.0, 5.0]], dtype=torch.float64)
    with pytest.raises(AssertionError, match=message):
        check_module(module(), inputs, laws=[law], examples=1, **declared)
