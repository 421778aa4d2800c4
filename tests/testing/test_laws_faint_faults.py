"""`check_op`: faults that are small, or in one part of what a law checks, and how errors name the worst entry."""

import numpy as np
import pytest

import microgad as torch
from microgad.testing import check_op
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
