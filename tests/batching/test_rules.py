"""Batching rules: each computes for the whole batch what its NumPy function computes sample by sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from microgad.batching import dispatch, indexing
from microgad.batching import fallback as fallback  # registers the rules
from microgad.batching.array import BatchedArray, Level
from microgad.batching.dispatch import RULES
from microgad.batching.per_slice import take_slice
from microgad.duck_arrays import Fallback, levels
from microgad.state.contexts import binding

N = 3  # samples in a batch


class Inputs:
    """Makes arguments: arrays that are batched, and arrays that all samples share."""

    def __init__(self) -> None:
        self.level, self.rng = Level(N, 0), np.random.default_rng(0)

    def own(self, *shape: int, axis: int = 0) -> BatchedArray:
        """A batch: each sample has its own array of this shape. `axis` is the position of the batch axis in memory."""
        whole = self.rng.normal(size=(*shape[:axis], N, *shape[axis:]))
        return BatchedArray(np.moveaxis(whole, axis, 0), self.level)

    def common(self, *shape: int) -> Any:
        return self.rng.normal(size=shape)

    def indices(self, n: int, *shape: int) -> BatchedArray:
        return BatchedArray(self.rng.integers(0, n, (N, *shape)), self.level)

    def square(self, n: int) -> BatchedArray:
        """A batch of symmetric positive definite matrices."""
        x = self.rng.normal(size=(N, n, n))
        return BatchedArray(x @ x.swapaxes(-1, -2) + n * np.eye(n), self.level)


CALLS: list[tuple[Any, Callable[[Inputs], Any]]] = []  # functions, and what makes their (args, kwargs)


def calls(function: Any, *arguments: Callable[[Inputs], Any]) -> None:
    """Add the function with each of these arguments to CALLS."""
    CALLS.extend((function, each) for each in arguments)


for _f in (np.sum, np.prod, np.mean, np.max, np.min, np.any, np.all, np.var, np.std, np.count_nonzero, np.nansum,
           np.nanmax, np.nanmin, np.nanmean):  # fmt: skip
    calls(_f, lambda m: ((m.own(4, 5),), {}), lambda m: ((m.own(4, 5, axis=1), -1), {}),
          lambda m: ((m.own(4, 5, 2), (0, -1)), {"keepdims": True}))  # fmt: skip
for _f in (np.argmax, np.argmin, np.cumsum, np.cumprod, np.median):
    calls(
        _f, lambda m: ((m.own(4, 5),), {}), lambda m: ((m.own(4, 5), 0), {}), lambda m: ((m.own(4, 5),), {"axis": -1})
    )
for _f in (np.sort, np.argsort):
    calls(_f, lambda m: ((m.own(4, 5),), {}), lambda m: ((m.own(4, 5), None), {}), lambda m: ((m.own(4, 5), 0), {}))
for _f in (np.partition, np.argpartition, np.repeat):
    calls(_f, lambda m: ((m.own(4, 5), 2, 0), {}), lambda m: ((m.own(4, 5), 2), {"axis": 1}))
calls(np.repeat, lambda m: ((m.own(4, 5), 2), {}), lambda m: ((m.own(4, 5), [1, 0, 2, 1]), {"axis": 0}))
calls(np.diff, lambda m: ((m.own(4, 5),), {}), lambda m: ((m.own(4, 5), 2, 0), {}))
calls(np.add.reduce, lambda m: ((m.own(4, 5),), {}), lambda m: ((m.own(4, 5), None), {}))
calls(np.maximum.accumulate, lambda m: ((m.own(4, 5),), {}), lambda m: ((m.own(4, 5), 1), {}))
calls(np.roll, lambda m: ((m.own(4, 5), 2), {}), lambda m: ((m.own(4, 5), 2, 1), {}),
      lambda m: ((m.own(4, 5), 0, 1), {}))  # fmt: skip
calls(np.reshape, lambda m: ((m.own(4, 5), (2, -1)), {}), lambda m: ((m.own(4, 5, axis=2), -1), {}))
calls(np.ravel, lambda m: ((m.own(4, 5),), {}))
for _f in (np.transpose, np.permute_dims):
    calls(_f, lambda m: ((m.own(4, 5),), {}), lambda m: ((m.own(4, 5, 2), (1, -1, 0)), {}))
calls(np.swapaxes, lambda m: ((m.own(4, 5, 2), 0, -1), {}))
calls(np.moveaxis, lambda m: ((m.own(4, 5, 2), 0, -1), {}), lambda m: ((m.own(4, 5, 2), (0, 1), (-1, 0)), {}))
calls(np.expand_dims, lambda m: ((m.own(4, 5), -1), {}), lambda m: ((m.own(4, 5), (0, -1)), {}))
calls(np.squeeze, lambda m: ((m.own(1, 4, 1),), {}), lambda m: ((m.own(1, 4, 1), -1), {}))
calls(np.broadcast_to, lambda m: ((m.own(5), (4, 5)), {}), lambda m: ((m.own(), (2,)), {}))
calls(np.broadcast_arrays, lambda m: ((m.own(5), m.common(4, 1)), {}))
calls(np.flip, lambda m: ((m.own(4, 5),), {}), lambda m: ((m.own(4, 5), 0), {}))
calls(np.diagonal, lambda m: ((m.own(4, 5),), {}), lambda m: ((m.own(4, 5, 2), 1, -1, 0), {}))
for _f in (np.split, np.array_split):
    calls(_f, lambda m: ((m.own(4, 6), 2), {}), lambda m: ((m.own(4, 6), [1, 4], -1), {}))
for _f in (np.real, np.imag, np.shape, np.ndim, np.size, np.copy, np.angle, np.i0, np.sinc, np.nan_to_num, np.round):
    calls(_f, lambda m: ((m.own(4, 5),), {}))
calls(np.size, lambda m: ((m.own(4, 5), 1), {}))
calls(
    np.concatenate,
    lambda m: (([m.own(4, 5), m.common(2, 5)],), {}),
    lambda m: (([m.common(4, 5), m.own(4, 2)], -1), {}),
)
calls(np.stack, lambda m: (([m.own(4, 5), m.common(4, 5)],), {}), lambda m: (([m.common(4), m.own(4)], -1), {}))
calls(np.clip, lambda m: ((m.own(4, 5), -0.5, m.own(5)), {}), lambda m: ((m.common(4, 5), m.own(), None), {}))
calls(
    np.where,
    lambda m: ((m.own(5) > 0, m.own(4, 5), m.common(4, 1)), {}),
    lambda m: ((m.own(4, 5) > 0, 1.0, m.own()), {}),
)
calls(np.isclose, lambda m: ((m.own(4, 5), m.common(5)), {"rtol": 0.5}))
calls(np.astype, lambda m: ((m.own(4, 5), np.float32), {}), lambda m: ((m.own(4, 5), np.float64), {}))
calls(np.pad, lambda m: ((m.own(4, 5), 1), {}), lambda m: ((m.own(4, 5), ((1, 0), (2, 1)), "reflect"), {}))
for _f in (np.tril, np.triu):
    calls(_f, lambda m: ((m.own(4, 5),), {}), lambda m: ((m.own(2, 4, 5), 1), {}))
for _f in (np.zeros_like, np.ones_like):
    calls(_f, lambda m: ((m.own(4, 5),), {}), lambda m: ((m.own(4, 5), np.int64), {"shape": (2,)}))
calls(np.full_like, lambda m: ((m.own(4, 5), 2.0), {}), lambda m: ((m.own(4, 5), m.own(5)), {"shape": (2, 5)}))
calls(np.can_cast, lambda m: ((m.own(4), np.float32), {}))
calls(np.result_type, lambda m: ((m.own(4), np.float32, 1), {}))
calls(
    np.take, lambda m: ((m.own(4, 5), np.array([[0, 3], [1, -1]]), 0), {}), lambda m: ((m.own(4, 5), np.array(7)), {})
)
calls(np.take, lambda m: ((m.own(4, 5), m.indices(4, 2, 2), 0), {}), lambda m: ((m.own(4, 5), m.indices(20, 3)), {}))
calls(np.take_along_axis, lambda m: ((m.own(4, 5), m.indices(5, 4, 2), 1), {}),
      lambda m: ((m.common(4, 5), m.indices(4, 2, 5), 0), {}))  # fmt: skip
calls(np.searchsorted, lambda m: ((np.arange(4.0), m.own(4, 5)), {"side": "right"}))
calls(np.matmul, lambda m: ((m.own(4, 5), m.own(5, 2)), {}), lambda m: ((m.own(5), m.own(5)), {}),
      lambda m: ((m.own(2, 4, 5), m.common(5, 3)), {}), lambda m: ((m.own(4, 5), m.common(5)), {}),
      lambda m: ((m.common(4, 5), m.own(5)), {}), lambda m: ((m.common(2, 4, 5), m.own(5, 3)), {}),
      lambda m: ((m.own(5), m.common(2, 5, 3)), {}), lambda m: ((m.own(5, axis=1), m.common(5, 3)), {}))  # fmt: skip
calls(np.dot, lambda m: ((m.own(5), m.common(5)), {}), lambda m: ((m.own(4, 5), m.own(5, 2)), {}))
calls(np.vecdot, lambda m: ((m.own(4, 5), m.common(5)), {}))
calls(np.einsum, lambda m: (("ij,kj->ki", m.own(4, 5), m.common(2, 5)), {}), lambda m: (("AZ->Z", m.own(4, 5)), {}),
      lambda m: (("...s,...s->...", m.own(2, 4, 5), m.own(2, 4, 5)), {}),
      lambda m: (("...ij, ...jk -> ...ik", m.own(2, 3, 4), m.common(2, 4, 5)), {}))  # fmt: skip
for _f in (np.linalg.cholesky, np.linalg.det, np.linalg.eigh, np.linalg.eigvalsh, np.linalg.inv, np.linalg.pinv,
           np.linalg.qr, np.linalg.slogdet, np.linalg.svd, np.linalg.eig, np.linalg.eigvals):  # fmt: skip
    calls(_f, lambda m: ((m.square(3),), {}))
calls(np.linalg.solve, lambda m: ((m.square(3), m.own(3, 2)), {}), lambda m: ((m.square(3), m.common(3, 2)), {}))
calls(
    np.linalg.norm, lambda m: ((m.own(4, 5),), {}), lambda m: ((m.own(4, 5), 1, -1), {}), lambda m: ((m.own(4), 3), {})
)
for _f in (np.fft.fft, np.fft.ifft, np.fft.rfft, np.fft.irfft, np.fft.hfft, np.fft.ihfft):
    calls(_f, lambda m: ((m.own(4, 5),), {}), lambda m: ((m.own(4, 5), 6, 0), {"norm": "ortho"}))
for _f in (np.fft.fftn, np.fft.ifftn, np.fft.rfftn, np.fft.irfftn):
    calls(_f, lambda m: ((m.own(4, 5),), {}), lambda m: ((m.own(4, 5, 2), (3, 4), (0, -1)), {}))
# Functions that write return None; their first argument is compared.
calls(np.copyto, lambda m: ((m.own(4, 5), m.own(5)), {}), lambda m: ((m.own(4, 5), m.common(4, 1)), {}))
calls(np.put_along_axis, lambda m: ((m.own(4, 5), m.indices(5, 4, 1), m.own(4, 1), 1), {}))


def name(function: Any) -> Any:
    return function.__name__ if isinstance(getattr(function, "__self__", None), np.ufunc) else function


def test_every_rule_is_tested() -> None:
    without_values = {np.empty_like, np.may_share_memory, np.shares_memory}  # tested below
    assert set(RULES) - without_values == {name(function) for function, _ in CALLS}


@pytest.mark.parametrize("samples", [N, 1])
@pytest.mark.parametrize(("function", "arguments"), CALLS, ids=lambda x: getattr(x, "__name__", "") if x else "")
def test_rules_equal_a_loop_over_samples(
    function: Any, arguments: Any, samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "N", samples)
    (args, kwargs), (same_args, _) = arguments(Inputs()), arguments(Inputs())
    level = next(x for x in flatten(args) if isinstance(x, BatchedArray)).level
    expected = [
        function(*take_slice(same_args, level_of(same_args), i), **take_slice(kwargs, level, i)) for i in range(N)
    ]
    if all(x is None for x in expected):
        expected = [take_slice(same_args[0], level_of(same_args), i) for i in range(N)]

    def no_loop(*_: Any) -> Any:
        raise AssertionError("no rule was used")

    for module in (dispatch, indexing):
        monkeypatch.setattr(module, "call_per_slice", no_loop)
    with binding(levels, (level,)):
        found = function(*args, **kwargs)
    assert_equals_samples(args[0] if found is None else found, expected)
    if isinstance(found, BatchedArray) and isinstance(expected[0], np.ndarray):  # a view only if NumPy's is one
        alone = take_slice(same_args, level_of(same_args), 0)
        for x, sample in zip(args, alone, strict=True):
            if isinstance(x, BatchedArray) and np.shares_memory(found, x):
                assert np.shares_memory(expected[0], sample)


@pytest.mark.parametrize(("function", "arguments"), [
    (np.einsum, lambda m: ("...i,...i->...", m.own(4), m.common(N, 4))), (np.linalg.norm, lambda m: (m.own(4, 5), 1)),
    (np.linalg.solve, lambda m: (m.square(3), m.own(3))), (np.dot, lambda m: (m.own(2, 3, 4), m.own(4))),
    (np.take, lambda m: (m.own(4, 3), m.indices(3, 2), 1)),
    (np.concatenate, lambda m: ((m.own(2, 2), m.common(3)), None)),
])  # fmt: skip
def test_calls_that_no_rule_covers_equal_a_loop_over_samples(function: Any, arguments: Any) -> None:
    args = arguments(Inputs())
    level = level_of(args)
    expected = [function(*take_slice(args, level, i)) for i in range(N)]
    with binding(levels, (level,)):
        assert_equals_samples(function(*args), expected)


def level_of(args: Any) -> Level:
    return next(x.level for x in flatten(args) if isinstance(x, BatchedArray))


def flatten(x: Any) -> list[Any]:
    return [leaf for part in x for leaf in flatten(part)] if isinstance(x, (tuple, list)) else [x]


def assert_equals_samples(found: Any, samples: list[Any]) -> None:
    if isinstance(found, (tuple, list)) and not isinstance(samples[0], tuple | list):
        raise AssertionError(f"several results where a sample has one: {samples[0]}")
    if isinstance(samples[0], (tuple, list)):
        assert type(found) is type(samples[0])
        for k, one in enumerate(found):
            assert_equals_samples(one, [each[k] for each in samples])
    elif isinstance(samples[0], (np.ndarray, np.generic)):
        if not isinstance(found, BatchedArray):  # a result that all samples share
            found = BatchedArray(np.stack([found] * N), Level(N, 0))
        assert (found.shape, found.dtype) == (samples[0].shape, samples[0].dtype)
        np.testing.assert_allclose(found.whole, np.stack(samples), rtol=1e-12, atol=1e-13)
    else:
        assert all(found == each for each in samples)


@pytest.mark.parametrize("function", [np.empty_like, np.zeros_like, np.ones_like])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_samples_of_a_new_array_lie_in_memory_as_numpy_lays_them_out(function: Any, axis: int) -> None:
    x = Inputs().own(4, 5, axis=axis)
    for of in (x, np.transpose(x)):
        one = take_slice(of, x.level, 1)
        assert function(of).strides == function(one).strides
        assert function(of, shape=(2, 3)).strides == function(one, shape=(2, 3)).strides


def test_samples_of_a_converted_array_lie_in_memory_as_pytorch_lays_them_out() -> None:
    expanded = np.broadcast_to(Inputs().own(5), (4, 5))
    assert expanded.astype(np.float32).strides == (20, 4)


@pytest.mark.parametrize("index", [
    0, -1, slice(1, 3), (slice(None), 0), (..., None, 1), (slice(None, None, -1), slice(1, None, 2)), None, (),
    [0, 2], (slice(None), [0, 2]), ([0, 1], [2, 0]), (0, slice(None), [1]), ([0, 1], slice(None), 0), np.array([0, 2]),
    np.array([True, False, True, False]), (slice(None), np.array([[0], [1]])),
], ids=str)  # fmt: skip
def test_indexing_a_batch_equals_indexing_samples(index: Any) -> None:
    x = Inputs().own(4, 3, 2)
    before = x.whole.copy()
    with binding(levels, (x.level,)):
        found = x[index]
        value = Inputs().own(*found.shape[-1:])
        np.testing.assert_array_equal(found.whole, np.stack([part[index] for part in before]))
        x[index] = BatchedArray(value.whole, x.level)
        more = BatchedArray(Inputs().own(*found.shape).whole, x.level)
        np.add.at(x, index, more)
    for sample, found_sample, own, own_more in zip(before, x.whole, value.whole, more.whole, strict=True):
        sample[index] = own
        np.add.at(sample, index, own_more)
        np.testing.assert_array_equal(found_sample, sample)


BATCHED_INDICES = {
    "one": lambda m: m.indices(4, 2),
    "two": lambda m: (m.indices(4, 2), m.indices(3, 2)),
    "one and a shared one": lambda m: (np.array([[0], [2]]), m.indices(3, 2)),
    "one and a number": lambda m: (m.indices(4, 2), 1),
    "one and a slice": lambda m: (slice(1, 3), m.indices(3, 2)),
    "a mask": lambda m: m.own(4, 3) < 10,
}


@pytest.mark.parametrize("name", BATCHED_INDICES)
def test_indices_may_be_batched(name: str) -> None:
    m = Inputs()
    x, index = m.own(4, 3), BATCHED_INDICES[name](m)
    with binding(levels, (m.level,)):
        parts = [take_slice(index, m.level, i) for i in range(N)]
        found = x[index]
        np.testing.assert_array_equal(found.whole, np.stack([x.whole[i][parts[i]] for i in range(N)]))
        expected, values = x.whole.copy(), m.own(*found.shape)
        for i in range(N):
            expected[i][parts[i]] = values.whole[i]
            np.add.at(expected[i], parts[i], values.whole[i])
        x[index] = values
        np.add.at(x, index, values)
        np.testing.assert_array_equal(x.whole, expected)
        x[index] = line = m.own(*found.shape[-1:])
    for i in range(N):
        expected[i][parts[i]] = line.whole[i]
    np.testing.assert_array_equal(x.whole, expected)


def test_a_batched_number_converts_to_a_python_number_if_samples_agree() -> None:
    m = Inputs()
    equal, different = BatchedArray(np.full(N, 2.0), m.level), BatchedArray(np.arange(3.0), m.level)
    with binding(levels, (m.level,)):
        assert (float(equal), int(equal), bool(equal), equal.item()) == (2.0, 2, True, 2.0)
        assert [5, 6, 7][BatchedArray(np.full(N, 1), m.level)] == 6
        assert np.isnan(BatchedArray(np.full(N, np.nan), m.level).item())
        for convert in (float, int, bool, np.asarray, repr):
            with pytest.raises(Fallback):
                convert(different)
    inner = Level(2, 1)
    with binding(levels, (m.level, inner)):
        assert BatchedArray(BatchedArray(np.full((N, 2), 3.0), m.level), inner).item() == 3
        for numbers in (np.arange(3.0)[:, None] + np.zeros(2), np.zeros((N, 1)) + np.arange(2.0)):
            with pytest.raises(Fallback):
                BatchedArray(BatchedArray(numbers, m.level), inner).item()


def test_batched_writes_to_shared_arrays_fall_back() -> None:
    m = Inputs()
    with binding(levels, (m.level,)):
        for write in (
            lambda: np.add(m.common(4), m.own(4), out=np.zeros(4)),
            lambda: np.copyto(np.zeros(4), m.own(4)),
            lambda: np.matmul(m.own(4, 4), m.own(4), out=np.zeros(4)),
            lambda: np.add.at(np.zeros(4), m.indices(4, 2), 1.0),
        ):
            with pytest.raises(Fallback):
                write()


def test_views_have_a_base_and_share_its_memory() -> None:
    m = Inputs()
    x = m.own(4, 6)
    for view in (x[1:], x.T, x.reshape(2, 12), x[:, 0], np.moveaxis(x, 0, 1), x.real, np.split(x, 2)[0], x[0][None]):
        assert view.base is x
        assert np.shares_memory(view, x)
        assert np.may_share_memory(x, view)
    for copy in (x + 0, x.copy(), np.empty_like(x), x.T.reshape(-1)):
        assert copy.base is None
        assert not np.shares_memory(copy, x)
    assert x.flags.c_contiguous
    assert not x.T.flags.c_contiguous
    assert (x.strides, x.nbytes, len(x), x.size) == ((48, 8), 192, 4, 24)


def test_ufuncs_may_have_several_results_and_where() -> None:
    m = Inputs()
    x, out, mask, shared = m.own(4, 5), m.own(4, 5), m.own(5) > 0, m.common(5)
    expected = np.where(mask.whole[:, None], x.whole + shared, out.whole)
    with binding(levels, (m.level,)):
        whole, rest = np.divmod(x, 0.5)
        assert np.add(x, shared, out=out, where=mask) is out
    np.testing.assert_array_equal(out.whole, expected)
    np.testing.assert_array_equal(
        (whole * 0.5 + rest).whole, np.divmod(x.whole, 0.5)[0] * 0.5 + np.divmod(x.whole, 0.5)[1]
    )


@pytest.mark.parametrize(
    ("shape", "value"), [((), 7.0), ((4,), 7.0), ((4, 3), np.float64(7)), ((), np.arange(3.0)), ((4,), np.arange(3.0))]
)
def test_a_batched_mask_selects_where_a_shared_value_is_written(
    shape: tuple[int, ...], value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "call_per_slice", None)
    m = Inputs()
    x, mask = m.own(4, 3), m.own(*shape) > 0
    expected = x.whole.copy()
    for part, own in zip(expected, mask.whole, strict=True):
        part[own] = value
    with binding(levels, (m.level,)):
        x[mask] = value
    np.testing.assert_array_equal(x.whole, expected)


def test_as_many_shared_values_as_a_batched_mask_selects_are_written_in_their_order() -> None:
    m = Inputs()
    x, mask = m.own(2, 2), BatchedArray(np.roll(np.eye(4, dtype=bool)[:N] | np.eye(4, dtype=bool)[3], 1), m.level)
    mask = mask.reshape(2, 2)
    expected = x.whole.copy()
    for part, own in zip(expected, mask.whole, strict=True):
        part[own] = [7.0, 8.0]
    with binding(levels, (m.level,)):
        x[mask] = np.array([7.0, 8.0])
    np.testing.assert_array_equal(x.whole, expected)
