"""Comparison and logic have no derivative: their values are held against Python's, number by number."""

import math
import operator

import numpy as np
import pytest
from hypothesis import strategies as st

import microgad as torch
from microgad.ops import comparison as ops
from microgad.testing.strategies import broadcastable_tensors, tensors

from .registry import computes

NUMBERS = st.sampled_from([0.0, -0.0, 1.0, -1.5, math.inf, -math.inf, math.nan])
FLOATS = broadcastable_tensors(2, elements=[NUMBERS, NUMBERS], requires_grad=True)
ONE_FLOAT = tensors(elements=NUMBERS, requires_grad=True).map(lambda x: (x,))
INTEGERS = st.sampled_from([torch.int64, torch.uint8, torch.bool]).flatmap(
    lambda dtype: broadcastable_tensors(2, elements=[None, None], dtype=dtype)
)


def pythons(function, result=bool):
    """A Python function of numbers, applied to arrays."""

    def on_arrays(*arrays):
        arrays = np.broadcast_arrays(*arrays)
        dtype = arrays[0].dtype if result is None else result
        values = [function(*(x.item() for x in row)) for row in zip(*(np.array(a).flat for a in arrays), strict=True)]
        return np.array(values, dtype=dtype).reshape(arrays[0].shape)

    return on_arrays


def inverted(x):
    return not x if isinstance(x, bool) else ~x & 0xFF if x >= 0 else ~x


TWO = {
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
BITS = {
    ops.BitwiseAnd: (torch.bitwise_and, operator.and_),
    ops.BitwiseOr: (torch.bitwise_or, operator.or_),
    ops.BitwiseXor: (torch.bitwise_xor, operator.xor),
}
ONE = {
    ops.LogicalNot: (torch.logical_not, operator.not_),
    ops.IsNaN: (torch.isnan, math.isnan),
    ops.IsInf: (torch.isinf, math.isinf),
    ops.IsFinite: (torch.isfinite, math.isfinite),
}
ENTRIES = [
    *(computes(cls, function, pythons(reference), FLOATS) for cls, (function, reference) in TWO.items()),
    *(computes(cls, function, pythons(reference, None), INTEGERS) for cls, (function, reference) in BITS.items()),
    *(computes(cls, function, pythons(reference), ONE_FLOAT) for cls, (function, reference) in ONE.items()),
    computes(
        ops.BitwiseNot,
        torch.bitwise_not,
        pythons(inverted, None),
        st.sampled_from([torch.uint8, torch.bool]).flatmap(lambda dtype: tensors(dtype=dtype)).map(lambda x: (x,)),
    ),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_values(entry):
    entry.run()
