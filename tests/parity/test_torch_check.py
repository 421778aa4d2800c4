"""torch._check and its variants raise PyTorch's errors."""

from __future__ import annotations

from typing import Any

import pytest

import microgad

torch = pytest.importorskip("torch")


def result_or_error(call: Any, lib: Any) -> Any:
    try:
        return call(lib)
    except Exception as error:
        return type(error), str(error).partition(" (Could")[0].partition(".")[0].partition(":")[0]


@pytest.mark.filterwarnings("ignore:_check_is_size")
@pytest.mark.parametrize(
    "call",
    [
        lambda t: t._check(True, lambda: 1 / 0),
        lambda t: t._check(False),
        lambda t: t._check(False, lambda: "said"),
        lambda t: t._check(False, "said"),
        lambda t: t._check(1),
        lambda t: t._check(t.tensor(True)).__name__,
        lambda t: t._check_index(False),
        lambda t: t._check_value(False, lambda: 3),
        lambda t: t._check_type(False),
        lambda t: t._check_not_implemented(False),
        lambda t: t._check_with(KeyError, False, lambda: "said"),
        lambda t: t._check_is_size(0),
        lambda t: t._check_is_size(-1),
        lambda t: t._check_is_size(3, max=2),
        lambda t: t._check_tensor_all(t.tensor([True, True])),
        lambda t: t._check_tensor_all(t.tensor([True, False]), lambda: "said"),
        lambda t: t._check_tensor_all(True),
        lambda t: t._check_tensor_all(t.ones(2)),
        lambda t: t._check_tensor_all_with(KeyError, t.tensor(False)),
    ],
)
def test_check_raises_torchs_error(call):
    assert result_or_error(call, microgad) == result_or_error(call, torch)
