"""Edge cases in which NumPy differs from PyTorch: NumPy functions follow NumPy for Tensors as well."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import microgad as torch

SQUARE = np.array([[2.0, 0.5, -0.25], [0.5, 3.0, 0.75], [-0.25, 0.75, 1.5]])
VECTOR = np.array([0.3, -1.2, 2.1])
SINGLE = VECTOR.astype(np.float32)
INF, NAN = np.inf, np.nan


def compare(found: Any, expected: Any) -> None:
    for a, b in zip(*(x if isinstance(x, tuple) else (x,) for x in (found, expected)), strict=True):
        values = a.detach().cpu().numpy()
        assert values.dtype == np.asarray(b).dtype
        np.testing.assert_allclose(values, b, rtol=1e-3 if values.dtype == np.half else 1e-10, atol=1e-10)


def applied(function: Any, a: Any, *args: Any) -> Any:
    """A copy of a, after the function wrote to it."""
    b = a * 1
    function(b, *args)
    return b


@pytest.mark.parametrize("requires_grad", [True, False])
@pytest.mark.parametrize(
    ("call", "array"),
    [
        *(
            (lambda a, f=f: f(a, axis=()), SQUARE)
            for f in (np.sum, np.mean, np.max, np.nanmax, np.var, np.ptp, np.count_nonzero, np.nanmean, np.add.reduce)
        ),
        (lambda a: np.sum(a, axis=(), keepdims=True), SQUARE),
        (lambda a: np.nanvar(a, ddof=4), VECTOR),
        (lambda a: np.nanvar(a), VECTOR + 1j * VECTOR[::-1]),
        (lambda a: np.cumulative_sum(a, include_initial=True), np.array([INF, 1.0])),
        (lambda a: np.cumulative_prod(a, include_initial=True), np.array([2, 3])),
        (lambda a: np.cumulative_sum(a, include_initial=True), np.zeros(0)),
        (np.median, np.array([1.0, INF])),
        (np.nanmedian, np.array([INF, INF, NAN])),
        (lambda a: np.average(a, weights=[1.0, 2.0]), np.array([INF, 1.0])),
        (np.modf, np.array([INF, -INF, -0.5, -0.0, NAN])),
        (np.nanmax, np.array([2**60 + 1, 3])),
        (lambda a: np.clip(a, None, None), VECTOR),
        (lambda a: np.insert(a, torch.tensor([0, 2]) if isinstance(a, torch.Tensor) else [0, 2], 9.0), VECTOR),
        (lambda a: np.average(a, weights=[0.1, 0.2, 0.4]), VECTOR),
        (lambda a: np.dot(a, 0.1), VECTOR),
        (lambda a: np.append(a, [0.1]), VECTOR),
        (lambda a: np.insert(a, 1, 0.1), VECTOR),
        (lambda a: np.diff(a, prepend=0.1), VECTOR),
        (lambda a: applied(np.put, a, [0, 1], 0.1), VECTOR),
        (lambda a: applied(np.copyto, a, 0.1), VECTOR),
        (lambda a: np.inner(a, [0.1, 0.2, 0.4]), VECTOR),
        (lambda a: np.trapezoid(a, np.array([0.0, 1.0, 3.0])), VECTOR),
        (lambda a: np.expand_dims(np.reshape(a, np.int64(9)), np.int64(0)), SQUARE),
        (lambda a: np.isin(a, [0.3, 5.0]), VECTOR),
        (lambda a: np.isclose(a, [0.3, 5.0, 2.1]), VECTOR),
        (lambda a: np.maximum(a, [0.1, 0.2, 4.0]), VECTOR),
        (lambda a: np.subtract((0.1, 0.2, 4.0), a), VECTOR),
        (lambda a: np.heaviside(a, 0.5), SINGLE),
        (lambda a: np.outer(a, 0.1), SINGLE),
        (lambda a: np.ediff1d(a, to_end=[0.1]), SINGLE),
        (lambda a: np.nanvar(a), VECTOR.astype(np.half)),
        (lambda a: np.ravel(a.swapaxes(0, 2), "K"), np.arange(12.0).reshape(2, 3, 2)),
        (lambda a: np.ravel(a.swapaxes(0, 2), "A"), np.arange(12.0).reshape(2, 3, 2)),
    ],
)
def test_edge_cases_equal_numpy(call: Any, array: Any, requires_grad: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = call(array)
    compare(call(torch.tensor(array, requires_grad=requires_grad and array.dtype.kind in "fc")), expected)


@pytest.mark.parametrize(
    "call",
    [
        lambda a: np.expand_dims(a, 7),
        lambda a: np.expand_dims(a, (0, 0)),
        lambda a: np.insert(a, 0, 1.0, axis=5),
        lambda a: np.delete(a, 0, axis=5),
        lambda a: np.rollaxis(a, 5),
        lambda a: np.prod(a, axis=(0, 5)),
        lambda a: np.prod(a, axis=(1, 1)),
        lambda a: np.cumulative_sum(a),
    ],
)
def test_wrong_axes_raise(call: Any) -> None:
    with pytest.raises((ValueError, IndexError)):
        call(SQUARE)
    with pytest.raises((ValueError, IndexError)):
        call(torch.tensor(SQUARE, requires_grad=True))
