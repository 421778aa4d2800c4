"""NumPy functions of Tensors follow NumPy's rules for dtypes, `out=`, casting, orders and mixed arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import lazy

from .arrays import MASK, SQUARE, VECTOR, compare, tensors

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of deprecated NumPy functions


@pytest.mark.parametrize("dtype", ["float64", "f4", np.int32, torch.float16])
def test_dtypes_may_have_any_name_that_numpy_takes(dtype):
    x = torch.ones(2, 3)
    results = [
        np.zeros_like(x, dtype),
        np.full_like(x, 1, dtype=dtype),
        np.astype(x, dtype),
        np.stack([x], dtype=dtype, casting="unsafe"),
    ]
    assert all(y.dtype == np.dtype(dtype) for y in results)


OUTS: dict[str, Callable[..., Any]] = {
    "add": lambda x, out: np.add(x, 1, out=out),
    "add, positional": lambda x, out: np.add(x, 1, out),
    "clip": lambda x, out: np.clip(x, 0, 1, out=out),
    "clip, positional": lambda x, out: np.clip(x, 0, 1, out),
    "round": lambda x, out: np.round(x, 1, out=out),
    "fix": lambda x, out: np.fix(x, out=out),
    "dot": lambda x, out: np.dot(x, x, out),
    "einsum": lambda x, out: np.einsum("ij->ji", x, out=out),
    "cumsum": lambda x, out: np.cumsum(x, 0, None, out),
    "reduce": lambda x, out: np.add.reduce(x, 0, None, out[0]),
    "median": lambda x, out: np.median(x, 0, out=out[0]),
    "quantile": lambda x, out: np.quantile(x, 0.3, 0, out=out[0]),
    "std": lambda x, out: np.std(x, 0, out=out[0]),
    "multi_dot": lambda x, out: np.linalg.multi_dot([x, x], out=out),
    "concatenate": lambda x, out: np.concatenate([x[:1], x[1:]], out=out),
    "take": lambda x, out: np.take(x, [2, 0, 1], 0, out=out),
}


@pytest.mark.parametrize("name", OUTS)
def test_out_may_be_a_tensor_or_an_array_unless_a_gradient_would_be_lost(name: str) -> None:
    x, out, expected = torch.tensor(SQUARE), torch.zeros(3, 3, dtype=torch.float64), np.zeros((3, 3))
    OUTS[name](SQUARE, expected)
    OUTS[name](x, out)
    compare(out, expected)
    if not x.is_cuda:
        array = np.zeros((3, 3))
        OUTS[name](x, array)
        np.testing.assert_array_equal(array, expected)
    with pytest.raises(TypeError, match="with out= is not recorded in a ndarray"):
        OUTS[name](tensors(SQUARE), np.zeros((3, 3)))
    with pytest.raises(RuntimeError, match="don't support automatic differentiation"):
        OUTS[name](tensors(SQUARE), out)
    with pytest.raises(RuntimeError):
        OUTS[name](x, torch.zeros(2, 2, dtype=torch.float64))


def test_unsupported_arguments_raise() -> None:
    with pytest.raises(TypeError, match=r"numpy\.sum: .*'where'"):
        np.sum(torch.tensor(SQUARE, requires_grad=True), where=MASK)
    for function in (np.copyto, np.full_like):
        with pytest.raises(TypeError, match=r"numpy\.copyto: is recorded of Tensors, not of .* arrays$"):
            function(np.zeros(3), tensors(VECTOR))


@pytest.mark.host("NumPy arrays beside Tensors")
@pytest.mark.parametrize(
    "call",
    [
        lambda x, a, i: np.add.at(a, i, x),
        lambda x, a, i: np.maximum.at(a, i, x),
        lambda x, a, i: np.add(a, x, out=a),
        lambda x, a, i: np.divmod(a, x, out=(a, None))[1],
        lambda x, a, i: a.sum(where=x > 0),
        lambda x, a, i: np.multiply.outer(x, x),
        lambda x, a, i: np.add.reduceat(x, [0, 2]),
        lambda x, a, i: np.multiply(x, x, dtype=np.float32, casting="same_kind"),
        lambda x, a, i: np.subtract(x, x, where=x > 0, out=a),
        lambda x, a, i: np.matmul(x[None], x[:, None], axes=[(0, 1), (0, 1), (0, 1)]),
        lambda x, a, i: np.float_power(x, np.array([2, 3, 2])),
        lambda x, a, i: np.hypot(i, i),
        lambda x, a, i: np.array([None, 0.3, None]) == x,
        lambda x, a, i: x != np.array([None, 0.3, None]),
    ],
)
def test_methods_and_keywords_of_ufuncs_compute_on_arrays_if_no_gradient_is_lost(call: Callable[..., Any]) -> None:
    indices, outs = np.array([0, 1, 0]), (np.arange(3.0), np.arange(3.0))
    found = call(torch.tensor(VECTOR), outs[0], torch.tensor(indices))
    expected = call(VECTOR, outs[1], indices)
    if expected is not None:
        compare(found, expected)
    np.testing.assert_array_equal(*outs)


@pytest.mark.host("NumPy arrays beside Tensors")
def test_arrays_of_objects_beside_a_tensor_that_requires_grad_raise() -> None:
    with pytest.raises(TypeError, match=r"there is no tensor of dtype .*object"):
        np.array([None]) == tensors(VECTOR)  # noqa: B015


@pytest.mark.parametrize(
    "function",
    [
        lambda a: np.diff(a, prepend=0.5),
        lambda a: np.diff(a, append=[1.5, 2.5]),
        lambda a: np.diff(a.astype(np.uint8) if isinstance(a, np.ndarray) else a.byte(), prepend=0.0, append=1),
        lambda a: np.diff(np.astype(a, np.float32), prepend=np.float64(0.1)),
        lambda a: np.ediff1d(np.astype(a, np.float32), 1, 0.1),
    ],
)
def test_differences_promote_the_ends(function: Callable[..., Any]) -> None:
    integers = np.array([3, 1, 7])
    compare(function(torch.tensor(integers)), function(integers))


@pytest.mark.parametrize("end", ["to_begin", "to_end"])
def test_ediff1d_rejects_ends_that_would_be_truncated(end: str) -> None:
    for integers in (np.array([3, 1, 7]), torch.tensor([3, 1, 7])):
        with pytest.raises(TypeError, match=f"dtype of `{end}` must be compatible with input `ary`"):
            np.ediff1d(integers, **{end: [1.5]})


@pytest.mark.parametrize(
    ("by_axis", "widths"), [({1: (1, 2)}, [(0, 0), (1, 2)]), ({0: 1, -1: (2, 0)}, [(1, 1), (2, 0)]), ({}, 0)]
)
def test_pad_takes_widths_by_axis(by_axis: dict[int, Any], widths: Any) -> None:
    compare(np.pad(tensors(SQUARE), by_axis), np.pad(SQUARE, widths))


@pytest.mark.host("NumPy arrays, which such functions create")
def test_unknown_functions_compute_on_arrays_unless_a_tensor_requires_grad() -> None:
    x, integers = torch.tensor(VECTOR), torch.tensor([3, 1, 3])
    for function, *args in (
        (np.convolve, x, x),
        (np.digitize, x, [0.0]),
        (np.interp, 0.5, np.arange(3), x),
        (np.intersect1d, integers, [3, 4]),
        (np.corrcoef, x, x),
        (np.geomspace, 1, integers[0], 3),
    ):
        expected = function(*(a.array if isinstance(a, torch.Tensor) else a for a in args))
        assert type(function(*args)) is type(expected)
        np.testing.assert_array_equal(function(*args), expected)
    with torch.no_grad():
        np.testing.assert_array_equal(np.convolve(tensors(VECTOR), x), np.convolve(VECTOR, VECTOR))
    values, indices = np.unique(integers, return_index=True)
    assert (values.tolist(), indices.tolist()) == ([1, 3], [1, 0])
    spacing = np.spacing(x)  # ufuncs return Tensors
    compare(spacing, np.spacing(VECTOR))
    with pytest.raises(TypeError, match="nanargmax is not recorded"):  # backward wouldn't notice the write
        np.nanargmax(x, out=torch.tensor(0))
    x.requires_grad_()
    with torch.no_grad():
        view = x[:]
    for function in (np.spacing, lambda x: np.convolve(x, x), lambda x: np.unique(x, return_index=True)):
        for each in (x, view):
            with pytest.raises(TypeError, match="is not recorded on Tensors"):
                function(each)


@pytest.mark.parametrize(
    ("shape", "value", "wrap"), [((3, 3), 5.0, False), ((7, 2), 5.0, True), ((2, 4), [1, 2], False)]
)
def test_fill_diagonal_of_a_kept_value_raises_in_backward(shape, value, wrap) -> None:
    x, expected = torch.ones(*shape), np.ones(shape)
    y = torch.ones(*shape, requires_grad=True) * x
    np.fill_diagonal(x, value, wrap)
    np.fill_diagonal(expected, value, wrap)
    assert x.tolist() == expected.tolist()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.host("NumPy arrays beside Tensors")
def test_arrays_and_numbers_may_be_mixed_with_tensors() -> None:
    x = torch.tensor(VECTOR)
    compare(np.heaviside(x, 0.5), np.heaviside(VECTOR, 0.5))
    compare(np.ldexp(x, np.array([1, 2, 0])), np.ldexp(VECTOR, np.array([1, 2, 0])))
    y, out = torch.tensor([1.0, np.nan]), torch.zeros(3, dtype=torch.float64)
    compare(np.add(VECTOR, 1, out=out), VECTOR + 1)
    compare(np.fabs(VECTOR, out=out), np.fabs(VECTOR))
    compare(np.add(np.arange(3), x.float(), out=out), np.arange(3) + VECTOR.astype(np.float32))
    with pytest.raises(TypeError, match="with where= is not recorded"):
        np.add(x, 1, out=out, where=[True, False, True])
    for a, b in ((x, VECTOR), (VECTOR, x), (x, [1, 2]), (x, x + 1)):
        assert np.array_equal(a, b) is np.array_equal(np.asarray(a), np.asarray(b))
    assert [np.array_equal(y, y), np.array_equal(y, y, equal_nan=True)] == [False, True]


@pytest.mark.host("NumPy arrays beside Tensors")
def test_numpy_chooses_the_dtype_of_a_tensor_and_an_array_unless_a_gradient_is_recorded() -> None:
    array = np.array([1, 2])
    for x, dtype in ((torch.ones(2), torch.float64), (torch.ones(2, requires_grad=True), torch.float32)):
        made = x * array, array * x, np.add(x, array), x - np.array(0.5)
        assert [(y.dtype, y.requires_grad) for y in made] == [(dtype, x.requires_grad)] * 4
    assert np.add.reduceat(torch.ones(3), np.array([0, 2])).tolist() == [2, 1]
    by_counts = np.float32([1, 3]) / torch.tensor([2, 4])  # PyTorch multiplies by the reciprocals
    assert (by_counts.dtype, by_counts.tolist()) == (torch.float32, [0.5, 0.75])


def test_the_sign_of_complex_numbers_has_pytorch_s_derivative() -> None:
    z = torch.tensor([3.0 + 4.0j, 1.0 - 2.0j], requires_grad=True)
    slopes = [torch.autograd.grad(f(z), z, torch.tensor([1.0, 1j]))[0] for f in (np.sign, torch.sgn)]
    assert slopes[0].tolist() == slopes[1].tolist() != [0, 0]


def test_casting_and_order_follow_numpy() -> None:
    x, y = torch.ones(2, 3), torch.ones(2, 3, dtype=torch.float64)
    for join in (np.concatenate, np.stack, np.vstack, np.hstack):
        assert join((x, y), casting="safe").dtype == torch.float64
        with pytest.raises(TypeError, match=r"Cannot cast torch.float32 to torch.float64 according to the rule 'no'"):
            join((x.requires_grad_(), y), casting="no")
        with pytest.raises(TypeError, match=r"to torch.int64 according to the rule 'same_kind'"):
            join((x, x), dtype=np.int64)
        with pytest.raises(TypeError, match="according to the rule 'no'"):  # raised by NumPy
            join((x.detach_(), y), casting="no")
        assert join((x, x), dtype=np.int64, casting="unsafe").dtype == torch.int64
    for like in (np.zeros_like, np.ones_like, np.empty_like, lambda a, **options: np.full_like(a, 2.5, **options)):
        assert [like(x, order=order).stride() for order in "CFKA"] == [(3, 1), (1, 2), (3, 1), (3, 1)]
        assert [like(x.T, order=order).stride() for order in "CFKA"] == [(2, 1), (1, 3), (1, 3), (1, 3)]
    assert np.full_like(x, 2, dtype=np.int64, order="F", shape=(2, 2)).tolist() == [[2, 2], [2, 2]]
    assert [t.item() for t in np.unravel_index(torch.tensor(4), (2, 3), order="F")] == [0, 2]
    for sort in (np.sort, np.argsort, lambda a, **options: np.partition(a, 1, **options)):
        with pytest.raises(ValueError, match="order where the array has no fields"):
            sort(x, order="name")


def test_nan_to_num_in_place() -> None:
    y = torch.tensor([1.0, np.nan])
    np.nan_to_num(y, copy=False)
    assert y.tolist() == [1.0, 0.0]


def test_unique_treats_nans_as_equal_as_numpy_does() -> None:
    values = np.array([[np.nan, 2.0], [np.nan, 1.0], [2.0, np.nan]])
    for options in ({}, {"return_inverse": True}, {"return_counts": True}, {"equal_nan": False, "return_counts": True}):
        compare(np.unique(torch.tensor(values), **options), np.unique(values, **options))
    compare(
        np.unique(torch.tensor(values), return_inverse=True, return_counts=True)[1:],
        np.unique(values, False, True, True)[1:],
    )


def test_dtype_arguments_are_not_ignored() -> None:
    assert np.corrcoef(torch.tensor(SQUARE), dtype=np.float32).dtype == torch.float32
    with pytest.raises(TypeError, match=r"numpy\.einsum: .*'dtype'"):
        np.einsum("ij->i", torch.tensor(SQUARE, requires_grad=True), dtype=np.float32)


@pytest.mark.parametrize("as_torch", [True, False])
def test_clip_takes_integers_beyond_the_dtype(as_torch: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "running_as_torch", as_torch)
    x = torch.tensor([1, 250], dtype=torch.uint8)
    assert [np.clip(x, *bounds).tolist() for bounds in ((-1, 5), (2, 300), (-1, None))] == [[1, 5], [2, 250], [1, 250]]
    with pytest.raises(OverflowError):
        np.clip(x, 300, None)
