"""Comparisons and logical operations have no derivative: their values are compared with Python's, one by one."""

import math
import operator

import numpy as np
import pytest
from hypothesis import strategies as st

import microgad as torch
from microgad.ops import elementwise as ops
from microgad.testing.strategies import broadcastable_tensors, tensors

from .registry import computes

NUMBERS = st.sampled_from([0.0, -0.0, 1.0, -1.5, math.inf, -math.inf, math.nan])
FLOATS = broadcastable_tensors(2, elements=[NUMBERS, NUMBERS], requires_grad=True)
ONE_FLOAT = tensors(elements=NUMBERS, requires_grad=True).map(lambda x: (x,))
INTEGERS = st.sampled_from([torch.int64, torch.uint8, torch.bool]).flatmap(
    lambda dtype: broadcastable_tensors(2, elements=[None, None], dtype=dtype)
)


def mapped(function, result=bool):
    """Apply a Python function of numbers to the elements of arrays."""

    def on_arrays(*arrays):
        arrays = np.broadcast_arrays(*arrays)
        dtype = arrays[0].dtype if result is None else result
        values = [function(*(x.item() for x in row)) for row in zip(*(np.array(a).flat for a in arrays), strict=True)]
        return np.array(values, dtype=dtype).reshape(arrays[0].shape)

    return on_arrays


def inverted(x):
    return not x if isinstance(x, bool) else ~x & 0xFF if x >= 0 else ~x


BINARY = {
    ops.Equal: (torch.eq, operator.eq),
    ops.NotEqual: (torch.ne, operator.ne),
    ops.Less: (torch.lt, operator.lt),
    ops.LessEqual: (torch.le, operator.le),
    ops.Greater: (torch.gt, operator.gt),
    ops.GreaterEqual: (torch.ge, operator.ge),
    ops.LogicalAnd: (torch.logical_and, lambda a, b: bool(a) and bool(b)),
    ops.LogicalOr: (torch.logical_or, lambda a, b: bool(a) or bool(b)),
    ops.LogicalXor: (torch.logical_xor, lambda a, b: bool(a) != bool(b)),
}
BITWISE = {
    ops.BitwiseAnd: (torch.bitwise_and, operator.and_),
    ops.BitwiseOr: (torch.bitwise_or, operator.or_),
    ops.BitwiseXor: (torch.bitwise_xor, operator.xor),
}
SHIFTS = broadcastable_tensors(2, elements=[st.integers(-300, 300), st.integers(0, 9)], dtype=torch.int64)
UNARY = {
    ops.IsPosInf: (torch.isposinf, lambda x: x == math.inf),
    ops.IsNegInf: (torch.isneginf, lambda x: x == -math.inf),
    ops.IsReal: (torch.isreal, lambda x: True),
    ops.SignBit: (torch.signbit, lambda x: math.copysign(1, x) < 0),
    ops.LogicalNot: (torch.logical_not, operator.not_),
    ops.IsNaN: (torch.isnan, math.isnan),
    ops.IsInf: (torch.isinf, math.isinf),
    ops.IsFinite: (torch.isfinite, math.isfinite),
}
ENTRIES = [
    *(computes(cls, function, mapped(reference), FLOATS) for cls, (function, reference) in BINARY.items()),
    *(computes(cls, function, mapped(reference, None), INTEGERS) for cls, (function, reference) in BITWISE.items()),
    *(computes(cls, function, mapped(reference), ONE_FLOAT) for cls, (function, reference) in UNARY.items()),
    computes(ops.LeftShift, torch.bitwise_left_shift, mapped(operator.lshift, None), SHIFTS),
    computes(ops.RightShift, torch.bitwise_right_shift, mapped(operator.rshift, None), SHIFTS),
    computes(ops.IsClose, torch.isclose, mapped(lambda a, b: math.isclose(a, b, rel_tol=0)), FLOATS),
    computes(ops.IsIn, torch.isin, lambda a, b: np.array([x in b for x in a.flat], bool).reshape(a.shape), INTEGERS),
    computes(
        ops.BitwiseNot,
        torch.bitwise_not,
        mapped(inverted, None),
        st.sampled_from([torch.uint8, torch.bool]).flatmap(lambda dtype: tensors(dtype=dtype)).map(lambda x: (x,)),
    ),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_values_agree_with_python(entry):
    entry.run()


def test_the_tolerance_of_isclose_is_relative_to_the_second_operand():
    a, b = torch.tensor([1.0, math.nan, math.inf]), torch.tensor([1.1, math.nan, math.inf])
    assert torch.isclose(a, b, rtol=0.0909).tolist() == [False, False, True]
    assert torch.isclose(a, b, rtol=0.091, equal_nan=True).tolist() == [True, True, True]
    assert torch.isclose(torch.tensor([True]), torch.tensor([False])).tolist() == [False]


@pytest.mark.parametrize("compare", [torch.lt, torch.le, torch.gt, torch.ge])
def test_complex_numbers_have_no_order(compare):
    with pytest.raises(RuntimeError, match="complex64"):
        compare(torch.tensor([1j]), torch.tensor([2j]))
