"""Python's numbers beside Tensors: out of an integer dtype's range they wrap where PyTorch's do, or are refused."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from .op_db.compare import same

torch = pytest.importorskip("torch")
import microgad  # noqa: E402

# t is the library, F its nn.functional; b, s and i are vectors of uint8, int8 and int32, m a mask.
OUT_OF_RANGE = """
    b + 300
    b - 300
    300 - b
    b * -1
    b.add_(300)
    b.mul_(-1)
    b // 300
    300 // b
    b % 300
    -1 % b
    b & 300
    b | -1
    b << 300
    s + 300
    s * 1000
    i + 2**40
    i * 2**40
    t.tensor([1]) + 2**63
    t.tensor([1]) + 2**64
    t.tensor(200, dtype=t.uint8) + 300
    b == 456
    b < 300
    b > -1
    300 > b
    i < 2**40
    b ** 300
    300 ** b
    b.add(b, alpha=300)
    b.add(b, alpha=-1)
    t.tensor([1]).add(s, alpha=300)
    b.sub_(b, alpha=300)
    t.addcmul(b, b, b, value=300)
    t.addcmul(b, b, b, value=-1)
    t.addmm(b[None], b[None, :1], b[None], alpha=300)
    t.addmm(b[None], b[None, :1], b[None], beta=-1)
    b.index_add(0, t.tensor([0, 1]), b, alpha=300)
    b.index_add(0, t.tensor([0, 1]), b, alpha=-1)
    b.clamp(-1, 300)
    b.clamp(min=-1)
    s.clamp(-500, 500)
    t.where(m, b, 300)
    t.where(m, 2**40, i)
    t.where(m, b, -1)
    F.threshold(b, 3, 300)
    F.hardtanh(s, -300, 300)
    F.pad(b, (1, 1), value=300)
    F.pad(b, (1, 1), value=7.5)
    t.tensor([2**64])
    t.tensor(-2**63 - 1)
"""


def outcome(t: Any, call: str) -> Any:
    """What a call gives, or the error that it raises."""
    values = {
        "t": t,
        "F": t.nn.functional,
        "b": t.tensor([200, 3], dtype=t.uint8),
        "s": t.tensor([100, -3], dtype=t.int8),
        "i": t.tensor([5, -5], dtype=t.int32),
        "m": t.tensor([True, False]),
        "np": np,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return eval(call, values)
        except Exception as error:
            return error


def lines(calls: str) -> list[str]:
    return [line.strip() for line in calls.strip().splitlines()]


@pytest.mark.parametrize("call", lines(OUT_OF_RANGE))
def test_a_number_beside_a_tensor(call):
    theirs, ours = outcome(torch, call), outcome(microgad, call)
    if isinstance(theirs, Exception):
        assert isinstance(ours, type(theirs)), ours
        return
    if isinstance(ours, Exception):
        raise ours
    same(theirs, ours)
