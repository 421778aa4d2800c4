"""What check_op and check_module report, and that they refuse to report what they haven't compared."""

import numpy as np
import pytest
from hypothesis import strategies as st

import microgad as torch
from microgad.errors import ArgumentError
from microgad.function import Function
from microgad.testing import GradcheckError, check_module, check_op
from microgad.testing.strategies import tensors

from .operations import Square

pytestmark = pytest.mark.usefixtures("no_shrinking")
EXAMPLES = 40


class Unnamed(Function):
    """x² y, in which only x has a derivative; without `grad_x` none has."""

    def forward(self, x, y):
        return x * x * y

    def vjp_x(self, grad, x, y):
        return grad * 2 * x * y


class Half(Unnamed):
    grad_x = Unnamed.vjp_x


@pytest.mark.parametrize(
    ("op", "inputs", "message"),
    [
        (Unnamed, (), "since no input is a floating-point Tensor that has a derivative"),
        (Square, (np.array([1, 2]),), "since no input is a floating-point Tensor"),
        (Square, (tensors(dtype=torch.int64),), "since no input is a floating-point Tensor"),
        (Square, (np.full(3, np.nan),), "since the results or their derivatives aren't finite"),
        (Square, (tensors((0,)),), "since the inputs have no elements"),
        (lambda x: x.argmax(), (tensors((3,)),), "since a result is torch.int64, which has no derivative"),
    ],
)
def test_a_check_that_compared_no_derivative_is_refused(op, inputs, message):
    with pytest.raises(ArgumentError, match=f"in none of .* examples a derivative was compared, {message}"):
        check_op(op, *inputs, examples=3)
    check_op(op, *inputs, examples=3, laws=["deterministic"])


def test_the_report_names_inputs_that_are_not_differentiated():
    assert "\n    not differentiated: y" in str(check_op(Half, examples=5))
    frozen = torch.nn.Linear(3, 2).requires_grad_(False)
    assert check_module(frozen, tensors((2, 3)), examples=5).constants == ("weight", "bias")
    assert check_op(Square, examples=5).constants == ()


class Norm(Function):
    def forward(self, x):
        return np.sqrt(np.sum(x * x))

    def grad_x(self, grad, x, out):
        return grad * x / out


class NanWhereSmooth(Function):
    """|x|^1.5, whose derivative at 0 is 0."""

    def forward(self, x):
        return np.abs(x) ** 1.5

    def grad_x(self, grad, x):
        return grad * 1.5 * np.abs(x) ** 1.5 / x


def test_nan_is_accepted_at_a_kink_only_and_reported():
    report = check_op(Norm, tensors((2,), elements=st.sampled_from([0.0, 1.5])), examples=EXAMPLES)
    assert report.undefined == "input 0 (2,) = [0.0, 0.0]"
    with pytest.raises(GradcheckError, match="analytical derivative is nan"):
        check_op(NanWhereSmooth, examples=EXAMPLES)
