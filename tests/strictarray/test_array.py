"""The stand-in for CuPy raises where CuPy does, and counts copies to the host."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from microgad import backend
from microgad.ops import embedding

from . import callers, installed, ndarray, transfers
from .modules import asarray

HOST = np.array([1.0, -2.0, 3.0])


@pytest.fixture(autouse=True)
def stand_in() -> Iterator[None]:
    with installed():
        yield


@pytest.fixture
def x() -> Any:
    return asarray(HOST)


CONVERSIONS: list[Callable[[Any], Any]] = [
    np.asarray, np.array, np.ascontiguousarray, lambda x: np.zeros(3) + np.asarray(x), lambda x: np.add.at(HOST, 0, x),
    lambda x: np.full(2, x), lambda x: HOST.__setitem__(slice(None), x), lambda x: np.testing.assert_array_equal(x, 1),
]  # fmt: skip


@pytest.mark.parametrize("convert", CONVERSIONS)
def test_arrays_are_not_converted_to_numpy_implicitly(x: Any, convert: Callable[[Any], Any]) -> None:
    before = transfers.total()
    with pytest.raises(TypeError, match=r"Implicit conversion|Unsupported type"):
        convert(x)
    assert transfers.total() == before


MIXED_CALLS: list[Callable[[Any], Any]] = [
    lambda x: x + HOST, lambda x: HOST + x, lambda x: x * HOST, lambda x: np.maximum(x, HOST), lambda x: x @ HOST,
    lambda x: x.__iadd__(HOST), lambda x: np.add(x, x, out=HOST), lambda x: np.where(HOST > 0, x, 0.0),
    lambda x: np.concatenate([x, HOST]), lambda x: np.take(HOST, x.astype(int)), lambda x: np.add.at(HOST, x > 0, x),
    lambda x: x.__setitem__(slice(None), HOST), lambda x: np.add(x, np.array(1.0)), lambda x: x + [1.0],  # noqa: RUF005
    lambda x: x > HOST, lambda x: x.dot(HOST), lambda x: x.searchsorted(HOST),
]  # fmt: skip


@pytest.mark.parametrize("mix", MIXED_CALLS)
def test_mixing_with_numpy_arrays_raises(x: Any, mix: Callable[[Any], Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        mix(x)


def test_indices_and_what_is_written_at_them_may_be_numpy_s(x: Any) -> None:
    at, mask = np.array([2, 0]), HOST > 0
    for y in (x[at], x.take(at), np.take(x, at), np.take_along_axis(x, at, 0), x[mask][::-1]):
        assert (type(y), y.tolist()) == (ndarray, [3.0, 1.0])
    x[at] = at
    x[0] = np.array(5.0)
    backend.add_at(x, at, at)
    np.add.at(x, at, at)
    assert x.tolist() == [5.0, -2.0, 6.0]
    x[mask] = 7.0
    assert x.tolist() == [7.0, -2.0, 7.0]


def test_numbers_may_be_mixed_with_arrays(x: Any) -> None:
    for y in (x + 1, 2.0 * x, np.float64(2) * x, x - np.float64(1), np.power(x, 2), -x, x == 1):
        assert type(y) is ndarray
        assert y.shape == (3,)


REDUCTIONS: list[Callable[[Any], Any]] = [
    np.sum, np.max, np.mean, np.argmax, np.prod, np.linalg.norm, np.add.reduce, lambda x: x.sum(), lambda x: x[0],
    lambda x: x @ x, np.any, np.median, lambda x: np.cumsum(x)[-1],
]  # fmt: skip


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_reductions_give_arrays_without_dimensions(x: Any, reduce: Callable[[Any], Any]) -> None:
    y = reduce(x)
    assert type(y) is ndarray
    assert y.shape == ()
    assert type(y.item()) in (float, int, bool)


UNSUPPORTED: list[Callable[[Any], Any]] = [
    lambda x: np.maximum.reduce(x), lambda x: np.maximum.accumulate(x), lambda x: np.logaddexp.reduce(x),
    lambda x: np.multiply.at(x, asarray(np.array([0])), 2.0), lambda x: np.add.at(x, (slice(2),), 1.0),
    lambda x: np.add.at(x, [0], 1.0), lambda x: x.sum(where=x > 0), lambda x: x.max(initial=0),
    lambda x: np.sum(x, where=x > 0), lambda x: np.max(x, initial=0.0), lambda x: np.add(x, 1, where=x > 0),
    lambda x: np.vecdot(x, x), lambda x: np.unstack(x), lambda x: np.insert(x, 0, 1.0), lambda x: np.block([x, x]),
    lambda x: np.linalg.vector_norm(x), lambda x: np.linalg.multi_dot([x, x]), lambda x: np.spacing(x),
    lambda x: np.sort(x, stable=True), lambda x: np.sum(x, None, None, None, False, 0.0), lambda x: x.setflags(),
    lambda x: np.may_share_memory(x, 2), lambda x: np.isin(x, 2.0), lambda x: np.where(True, x, 0.0),
    lambda x: np.lexsort((x, x)), lambda x: np.divmod(x, x, out=(x, x)), lambda x: x.item(0),
    lambda x: x.flags.writeable, lambda x: x.ctypes, lambda x: x.__array_interface__, lambda x: x.dumped,
]  # fmt: skip


@pytest.mark.parametrize("call", UNSUPPORTED)
def test_functions_methods_and_arguments_that_cupy_lacks_raise(x: Any, call: Callable[[Any], Any]) -> None:
    with pytest.raises((TypeError, ValueError, NotImplementedError, AttributeError)):
        call(x)


def test_dtypes_without_a_loop_in_cupy_raise(x: Any) -> None:
    for call in (lambda: np.bitwise_and(x, x), lambda: x << 1, lambda: np.gcd(x, x), lambda: np.logaddexp(x + 1j, x)):
        with pytest.raises(TypeError, match="Wrong type"):
            call()


@pytest.mark.parametrize("dtype", ["complex64", "int8", "bool"])
def test_dtypes_without_atomic_operations_raise(dtype: str) -> None:
    target, at = asarray(np.ones(3, dtype)), asarray(np.array([0, 0]))
    for call in (lambda: backend.at(np.add, target, at, 1), lambda: np.add.at(target, at, 1)):
        with pytest.raises(TypeError, match=rf"cupy\.add\.at doesn't support {dtype}"):
            call()


def test_integers_to_negative_powers_truncate() -> None:
    x = asarray(np.array([-2, -1, 1, 3]))
    assert (x ** asarray(np.array(-3))).tolist() == [0, -1, 1, 0]
    x **= asarray(np.array([2, -2, -1, -1]))
    assert x.tolist() == [4, 1, 1, 0]
    assert (asarray(np.array([2], "int8")) ** 3).dtype == np.int8


def test_quotients_are_rounded_before_their_floor_is_taken() -> None:
    one, tenth, large = asarray(np.array(1.0)), asarray(np.array(0.1)), asarray(np.array(2**53 + 1))
    assert ((one // tenth).item(), (one % tenth).item()) == (10.0, 0.0)
    assert np.isnan((one % math.inf).get())
    assert np.fmod(large, 2).item() == 0


def test_eigenvalues_are_complex_and_results_have_no_names() -> None:
    one = asarray(np.eye(2))
    assert np.linalg.eigvals(one).dtype == np.linalg.eig(one)[1].dtype == complex
    assert type(np.linalg.eigh(one)) is type(np.linalg.slogdet(one)) is tuple


def test_linear_algebra_raises_only_if_errstate_asks_for_it() -> None:
    zeros, b = asarray(np.zeros((2, 2))), asarray(np.ones((3, 2, 1)))
    assert np.isnan(np.linalg.inv(zeros).get()).all()
    with backend.checked(zeros), pytest.raises(np.linalg.LinAlgError):
        np.linalg.inv(zeros)
    with pytest.raises(ValueError, match="b must have"):
        np.linalg.solve(zeros, b)


def test_an_index_out_of_range_wraps(x: Any) -> None:
    at = asarray(np.array([3, -4, 7]))
    assert x[at].tolist() == [1.0, 3.0, -2.0]
    assert np.take(x, at).tolist() == [1.0, 3.0, -2.0]
    x[asarray(np.array([4]))] = 9.0
    assert x.tolist() == [1.0, 9.0, 3.0]
    with pytest.raises(IndexError):
        x[3]


def test_an_index_may_have_one_mask() -> None:
    m = asarray(np.ones((2, 2)))
    yes = asarray(np.array([True, False]))
    assert m[yes].shape == (1, 2)
    with pytest.raises(ValueError, match="one boolean array"):
        m[yes, yes]


def test_copies_to_the_host_are_counted(x: Any) -> None:
    transfers.clear()
    x.get()
    x.tolist()
    float(x[0])
    bool(x[1] > 0)
    x[2].item()
    assert transfers == {"get": 1, "tolist": 1, "item": 3}


def test_views_have_their_owner_as_base(x: Any) -> None:
    assert x.base is None
    assert x[1:].base is x[::-1].reshape(3)[:2].base is x
    assert backend.owner(x[1:][1:]) is x
    assert x.copy().base is x[asarray(np.array(1))].base is None
    x[0][...] = 7.0
    assert (x[0].base, x.tolist()) == (x, [7.0, *HOST.tolist()[1:]])
    assert x.data.ptr + x.itemsize == x[1:].data.ptr
    np.diagonal(square := asarray(np.ones((2, 2))))[...] = 5.0
    assert square.tolist() == [[5.0, 1.0], [1.0, 5.0]]


def test_results_are_in_c_order_unless_a_function_takes_an_order() -> None:
    x = asarray(np.arange(6.0).reshape(2, 3)).T
    for y in (x + 1, -x, x.clip(0, 2), np.clip(x, 0, 2), np.where(x > 0, x, 0.0), np.concatenate([x, x]), x.copy()):
        assert y.flags.c_contiguous
    assert np.sum(x[:, :, None], 2).flags.c_contiguous
    for y in (x.T.T, x.astype("f4"), x.copy("K"), np.copy(x), np.zeros_like(x), np.roll(x, 1, 0), np.add(x, 1, out=x)):
        assert y.flags.f_contiguous


def test_strided_views_have_no_base_but_may_get_one(x: Any) -> None:
    cupy: Any = sys.modules["cupy"]
    y = cupy.lib.stride_tricks.as_strided(x, (2, 2), (8, 8))
    assert (y.base, y.tolist()) == (None, [[1.0, -2.0], [-2.0, 3.0]])
    y = np.broadcast_to(x[0], (2, 2))
    y._set_shape_and_strides((2, 2), (8, 8), True, True)
    y[0, 0] = 5.0
    assert (y.base, y.tolist(), x.tolist()) == (x, [[5.0, -2.0], [-2.0, 3.0]], [5.0, -2.0, 3.0])


@pytest.mark.parametrize("make", [np.empty_like, np.zeros_like, np.ones_like, lambda x, **k: np.full_like(x, 1, **k)])
def test_a_shape_without_axes_or_elements_is_ignored(x: Any, make: Callable[..., Any]) -> None:
    for given, made in {(): (3,), 0: (3,), (0,): (0,), 2: (2,), None: (3,)}.items():
        assert make(x, shape=given).shape == made


def test_scans_leave_their_axis_innermost_in_memory() -> None:
    x = asarray(np.ones((2, 3, 4)))
    for y in (np.cumsum(x, 1), x.cumprod(1), np.add.accumulate(x, axis=1)):
        assert y.strides == (96, 8, 24)
    assert np.cumsum(x, -1).flags.c_contiguous
    assert x.cumsum().shape == (24,)


def test_copies_of_permuted_arrays_are_in_c_order() -> None:
    x = np.ones((2, 3, 4))
    assert asarray(x.transpose(0, 2, 1)).flags.c_contiguous
    assert asarray(x.T).flags.f_contiguous
    assert asarray(x).T.get().flags.c_contiguous


def test_astype_without_a_copy_returns_a_view_itself(x: Any) -> None:
    part = x[1:]
    assert part.astype(float, copy=False) is part
    assert part.astype(float) is not part


def test_a_fetch_in_an_operation_without_a_reason_raises(x: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(x: Any) -> Any:
        return backend.to_numpy(x)

    monkeypatch.setattr(fetch, "__code__", fetch.__code__.replace(co_filename=embedding.__file__))
    with pytest.raises(AssertionError, match=r"ops/embedding.py:.*fetch fetches an array from the device \(get\)"):
        fetch(x)
    monkeypatch.setattr(callers, "ALLOWED", {"ops/embedding.py": "it may"})
    assert fetch(x).tolist() == HOST.tolist()


def test_tests_that_run_on_the_device_may_read_values(x: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(x: Any) -> Any:
        np.testing.assert_array_equal(x, HOST)
        return x + HOST

    monkeypatch.setattr(read, "__code__", read.__code__.replace(co_filename=f"{callers.TESTS}/test_something.py"))
    monkeypatch.setattr(callers, "tests_may_read", False)
    with pytest.raises(TypeError):
        read(x)
    monkeypatch.setattr(callers, "tests_may_read", True)
    assert type(read(x)) is np.ndarray


def test_objects_with_numpy_s_protocols_are_called(x: Any) -> None:
    class Other:
        def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> str:
            return ufunc.__name__

        def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> str:
            return func.__name__

    assert (x + Other(), np.where(x > 0, x, Other())) == ("add", "where")


def test_no_warning_of_nan_and_infinity(x: Any) -> None:
    with np.errstate(all="raise"):
        assert (x / 0.0).tolist() == [math.inf, -math.inf, math.inf]
        assert math.isnan(np.sqrt(x)[1])
        assert math.isnan((x / 0.0).sum())
