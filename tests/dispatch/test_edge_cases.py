"""Edge cases in which NumPy differs from PyTorch: NumPy functions follow NumPy for Tensors as well."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad.testing import check_grads

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


def as_given(a: Any, array: Any) -> Any:
    """The array, as a Tensor if a is one."""
    return torch.tensor(array) if isinstance(a, torch.Tensor) else array


@pytest.mark.host("NumPy arrays beside Tensors")
def test_a_mask_says_where_insert_inserts() -> None:
    """As in newer NumPy; older versions took its elements for indices."""
    x = torch.tensor(VECTOR)
    np.testing.assert_equal(np.insert(x, np.array([True, False, True]), 7.0).array, [7.0, 0.3, -1.2, 7.0, 2.1])


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
        *(
            (f, np.array(2.5))
            for f in (
                np.cumulative_sum,
                lambda a: np.cumulative_prod(a, axis=-1, include_initial=True),
                lambda a: np.take(a, 0, axis=0),
                lambda a: np.compress([True], a, axis=-1),
            )
        ),
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
        *((lambda a, x=x: np.trapezoid(a, as_given(a, x)), SINGLE) for x in (np.array([0, 1, 3], np.int8), SQUARE[0])),
        (lambda a: np.trapezoid(a, as_given(a, np.array([0.0, 0.5, 3.0], np.float32))), np.array([3, 1, 2])),
        (lambda a: np.trapezoid(a, as_given(a, SQUARE)), VECTOR),
        (lambda a: np.trapezoid(np.stack([a[:2], a[1:]]), as_given(a, SQUARE[:2]), axis=0), SQUARE),
        (lambda a: np.logical_and(a, 2) | np.logical_xor(np.float32(0), a), SINGLE),
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
        (np.sign, np.array([NAN, -0.0, -2.0])),
        (lambda a: np.heaviside(a, 0.5), np.array([NAN, -0.0, -2.0])),
        (np.angle, np.array([-0.0, 0.0, -2.0, NAN])),
        (lambda a: np.angle(a, deg=True), SINGLE),
        (lambda a: np.logaddexp(a, True), SINGLE),
        (lambda a: np.where(a > 0, 1 / 3, 0.0), SINGLE),
        (lambda a: np.where(a > 0, a, 1 / 3), SINGLE),
        (lambda a: np.where(a > 0, np.array(2), 1 / 3), SINGLE),
        *((lambda a, c=c: np.where(c, a, a * 2), VECTOR) for c in (np.True_, False, [True, False, True])),
        (lambda a: np.select([a > 1, a > 0], [1 / 3, a[0]]), VECTOR),
        (lambda a: np.select([a > 1, a < 0], [a[0], 1.0]), VECTOR),
        (lambda a: np.select([a > 1, a < 0], [as_given(a, SINGLE), 1.0]), VECTOR),
        (lambda a: applied(np.subtract.at, a, [0, 0], as_given(a, np.array(1, np.uint8))), np.array([3, 1])),
        (np.logaddexp.reduce, np.array([3, 1])),
        (lambda a: np.clip(a, -1, 5), np.array([1, 250], np.uint8)),
        (lambda a: np.clip(a, 0.5, 5), np.array([1, 250], np.uint8)),
        (lambda a: np.gradient(a, as_given(a, np.array([3, 2, 5], np.uint8) * 1.0)), VECTOR),
        (lambda a: np.gradient(a, as_given(a, np.array([1, 2, 5]))), SINGLE),
        (lambda a: np.clip(as_given(a, VECTOR), a, None), VECTOR[::-1].copy()),
        (lambda a: np.average(a, weights=as_given(a, np.array([3, 1], np.uint8))), np.array([100, 200], np.uint8)),
        (lambda a: np.polyval(a, 3), np.array([100, 10], np.int8)),
        (lambda a: np.searchsorted([0.1, 0.2, 0.3], a, side="right"), np.array([0.1, 0.2, 0.3])),
        (lambda a: np.searchsorted(a, [16777218.0, 16777219.0]), np.array([16777217, 16777219])),
        (lambda a: np.insert(a, slice(1, 3), 7.0), VECTOR),
        (lambda a: np.roll(a, (1, 2)), SQUARE),
        (np.tril, VECTOR),
        (lambda a: np.triu(a, 1), VECTOR),
        (lambda a: np.diff(a, n=0, append=a[:1]), VECTOR),
        (np.median, np.zeros(0)),
        (np.meshgrid, SQUARE),
        (lambda a: np.full_like(a, as_given(a, VECTOR)), SQUARE),
        (lambda a: np.cumsum(a[0], axis=0), VECTOR),
        (np.any, np.array([2, 0], np.uint8)),
        (lambda a: np.linalg.svd(a, hermitian=True)[1], np.array([[1.0, 5.0], [2.0, 3.0]])),
        (lambda a: np.linalg.lstsq(a, a[:, 0])[3], SQUARE),
    ],
)
def test_edge_cases_equal_numpy(call: Any, array: Any, requires_grad: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = call(array)
    compare(call(torch.tensor(array, requires_grad=requires_grad and array.dtype.kind in "fc")), expected)


def test_derivatives_are_numpy_s() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]], dtype=torch.float64, requires_grad=True)
    check_grads(lambda a: np.linalg.lstsq(a, a[:, 0])[3], [x], order=2, full=False)
    equal = torch.ones(2, requires_grad=True)
    for spread in (np.std, np.nanstd):
        assert torch.autograd.grad(spread(equal), equal)[0].tolist() == [0, 0]
    z = torch.zeros(2)
    assert torch.func.jvp(lambda z: np.logaddexp(z, False), (z,), (z + 1,))[1].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    "call",
    [
        lambda a: np.take(a, as_given(a, np.array([1.9]))),
        lambda a: np.put_along_axis(a.copy() if isinstance(a, np.ndarray) else a, as_given(a, VECTOR), 9.0, 0),
        lambda a: np.take_along_axis(a, as_given(a, VECTOR), 0),
        lambda a: np.repeat(a, as_given(a, VECTOR)),
        lambda a: np.partition(a, 1.5),
        lambda a: np.ldexp(a, 0.5),
        lambda a: np.average(a, weights=as_given(a, SQUARE)),
    ],
)
def test_numbers_that_numpy_refuses_raise(call: Any) -> None:
    for x in (VECTOR, torch.tensor(VECTOR), torch.tensor(VECTOR, requires_grad=True)):
        with pytest.raises((TypeError, IndexError)):
            call(x)


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


@pytest.mark.parametrize(
    "call",
    [
        lambda a: np.take(a, 0, axis=3),
        lambda a: np.compress([True, False], a, axis=-3),
        lambda a: np.squeeze(a, 2),
        lambda a: np.pad(a, {5: (1, 1)}),
    ],
)
def test_the_error_of_a_wrong_axis_says_which_ones_there_are(call: Any) -> None:
    with pytest.raises(IndexError, match=r"expected to be in range of \[-2, 1\], but got"):
        call(torch.tensor(SQUARE, requires_grad=True))
