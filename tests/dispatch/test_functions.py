"""All public NumPy functions that dispatch, called with Tensors: they are recorded, or raise an error that names them.

No function detaches silently. The values of recorded functions are NumPy's, and derivatives equal numerical ones.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import dispatch

from .arrays import MASK, OTHER, SQUARE, VECTOR, compare, differentiate, leaves, tensors, vjp_of_ones

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of deprecated NumPy functions

# Arguments to try. In the tests each array becomes a Tensor that requires grad.
PATTERNS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((SQUARE,), {}),
    ((SQUARE, OTHER), {}),
    ((VECTOR, VECTOR + 1.1), {}),
    ((SQUARE, 1), {}),
    ((SQUARE, 0, 1), {}),
    ((SQUARE, (3, 3)), {}),
    (([SQUARE, OTHER],), {}),
    ((SQUARE, 1, 0), {"axis": 0}),
]
# Arguments of functions that take none of these.
CALLS: dict[Any, tuple[tuple[Any, ...], dict[str, Any]]] = {
    np.clip: ((SQUARE, 0.1, 2.2), {}),
    np.pad: ((VECTOR, (1, 2)), {}),
    np.where: ((MASK, SQUARE, OTHER), {}),
    np.einsum: (("ij,kj->ik", SQUARE, OTHER), {}),
    np.einsum_path: (("ij,kj->ik", SQUARE, OTHER), {}),
    np.take_along_axis: ((SQUARE, np.array([[0, 2], [1, 1], [2, 0]]), 1), {}),
    np.compress: ((np.array([True, False, True]), SQUARE), {"axis": 0}),
    np.extract: ((MASK, SQUARE), {}),
    np.select: (([MASK, ~MASK], [SQUARE, OTHER]), {}),
    np.choose: ((np.array([0, 1, 0]), [VECTOR, VECTOR * 2]), {}),
    np.take: ((SQUARE, np.array([0, 2, 2])), {}),
    np.delete: ((SQUARE, 1, 0), {}),
    np.insert: ((VECTOR, 1, 5.0), {}),
    np.quantile: ((SQUARE, 0.3), {}),
    np.percentile: ((SQUARE, 30), {}),
    np.nanquantile: ((SQUARE, 0.3), {}),
    np.nanpercentile: ((SQUARE, 30), {}),
    np.astype: ((SQUARE, np.float64), {}),
    np.broadcast_to: ((VECTOR, (2, 3)), {}),
    np.reshape: ((SQUARE, (9,)), {}),
    np.moveaxis: ((SQUARE, 0, 1), {}),
    np.tensordot: ((SQUARE, OTHER), {"axes": 1}),
    np.cross: ((VECTOR, VECTOR[::-1].copy()), {}),
    np.interp: ((VECTOR, VECTOR, VECTOR), {}),
    np.linalg.tensorsolve: ((SQUARE, VECTOR), {}),
    np.linalg.tensorinv: ((SQUARE,), {"ind": 1}),
    np.linalg.solve: ((SQUARE, OTHER), {}),
    np.linalg.matrix_power: ((SQUARE, 3), {}),
    np.linalg.cross: ((VECTOR, VECTOR[::-1].copy()), {}),
    np.fft.hfft: ((VECTOR,), {}),
    np.histogram: ((SQUARE,), {}),
    np.searchsorted: ((np.sort(VECTOR), VECTOR), {}),
    np.apply_along_axis: ((np.sum, 0, SQUARE), {}),
    np.apply_over_axes: ((np.sum, SQUARE, [0]), {}),
    np.piecewise: ((VECTOR, [VECTOR > 0], [1.0]), {}),
    np.putmask: ((SQUARE, MASK, 0.0), {}),
    np.place: ((SQUARE, MASK, [0.0]), {}),
    np.put: ((SQUARE, [0], 0.0), {}),
    np.put_along_axis: ((SQUARE, np.array([[0], [1], [2]]), 0.0, 1), {}),
    np.fill_diagonal: ((SQUARE, 0.0), {}),
    np.copyto: ((SQUARE, OTHER), {}),
    np.bincount: ((np.array([0, 2, 1]),), {}),
    np.can_cast: ((np.float32, np.float64), {}),
    np.cumulative_prod: ((VECTOR,), {}),
    np.cumulative_sum: ((VECTOR,), {}),
    np.dsplit: ((SQUARE.reshape(1, 3, 3), 3), {}),
    np.gradient: ((SQUARE,), {}),
    np.isneginf: ((SQUARE,), {}),
    np.isposinf: ((SQUARE,), {}),
    np.packbits: ((MASK,), {}),
    np.unpackbits: ((MASK.astype(np.uint8),), {}),
    np.polyder: ((VECTOR,), {}),
    np.polyfit: ((VECTOR, VECTOR * 2, 1), {}),
    np.ravel_multi_index: ((([0, 1], [1, 2]), (3, 3)), {}),
    np.roots: ((VECTOR,), {}),
    np.save: ((BytesIO(), SQUARE), {}),
    np.savetxt: ((BytesIO(), SQUARE), {}),
    np.savez: ((BytesIO(), SQUARE), {}),
    np.savez_compressed: ((BytesIO(), SQUARE), {}),
    np.unravel_index: ((np.array([3, 5]), (3, 3)), {}),
    np.vander: ((VECTOR,), {}),
    np.unique: ((VECTOR,), {}),
    np.linalg.pinv: ((SQUARE,), {}),
    np.partition: ((VECTOR, 1), {}),
    np.trim_zeros: ((VECTOR,), {}),
    np.polyval: ((VECTOR, OTHER), {}),
    np.nanvar: ((np.array([[1.0, np.nan, 3.0], [0.5, 2.0, 4.0]]), 1), {}),
    np.nanstd: ((np.array([[1.0, np.nan, 3.0], [0.5, 2.0, 4.0]]), 1), {}),
    np.full_like: ((SQUARE, 2.5), {}),
    np.unwrap: ((VECTOR * 5,), {}),
    np.linalg.eig: ((SQUARE,), {}),
    np.empty_like: ((SQUARE,), {}),
}
# They read one triangle, but give both a gradient: differentiated at symmetric matrices.
SYMMETRIC = {np.linalg.cholesky, np.linalg.eigvalsh}
# Their derivatives aren't checked here: they are functions of more than the values, or unique only up to a phase.
DATES = {np.busday_count, np.busday_offset, np.datetime_as_string, np.is_busday}
NOT_DIFFERENTIATED = {
    np.linalg.eigvals,
    np.linalg.eigh,
    np.linalg.eig,
    np.linalg.svd,
    np.linalg.qr,
    np.linalg.lstsq,
    np.empty_like,
}


def public() -> Iterator[Any]:
    """All functions that dispatch, without those of dates."""
    seen = set(DATES)
    for module in (np, np.linalg, np.fft):
        for name in sorted(dir(module)):
            function = getattr(module, name)
            if not name.startswith("_") and hasattr(function, "_implementation") and function not in seen:
                seen.add(function)
                yield function


def calls(function: Any) -> Iterator[tuple[tuple[Any, ...], dict[str, Any], Any]]:
    """Arguments that the function takes, and NumPy's result."""
    for args, kwargs in [CALLS[function]] if function in CALLS else PATTERNS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                copies = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
                yield args, kwargs, function(*copies, **kwargs)
            except Exception:  # the function doesn't take these arguments
                continue


@pytest.mark.parametrize("function", list(public()), ids=lambda f: f"{f.__module__}.{f.__name__}")
def test_functions_are_recorded_or_raise(function: Callable[..., Any]) -> None:
    cases = list(calls(function))
    assert cases, "add arguments for it to CALLS"
    for args, kwargs, expected in cases:
        given = tensors(args)
        try:
            found = function(*given, **kwargs)
        except (TypeError, RuntimeError):  # for Tensors in lists, which NumPy converts by `__array__`
            continue
        assert function in dispatch.FUNCTIONS or not any(isinstance(t, torch.Tensor) for t in leaves(given))
        if function is not np.empty_like:
            compare(found, expected, up_to_a_phase=function in NOT_DIFFERENTIATED)
        inputs = [t for t in leaves(given) if isinstance(t, torch.Tensor) and t.requires_grad]
        results = [y for y in leaves(found) if isinstance(y, torch.Tensor) and y.dtype.is_floating_point]
        if function not in NOT_DIFFERENTIATED and any(y.requires_grad for y in results):
            differentiate(of_tensors(function, given, kwargs), inputs)


def arrays(x: Any) -> list[Any]:
    found = [0.0 if y is None else y for y in leaves(x)]  # a gradient that is None is 0
    return [y.detach().cpu().numpy() if isinstance(y, torch.Tensor) else y for y in found]


def in_lists(x: Any) -> Any:
    """A Tensor as nested lists of numbers, which are 0-d Tensors."""
    return [in_lists(part) for part in x] if x.ndim else x


# Further arguments that may be lists.
LISTS: dict[Any, tuple[Any, ...]] = {
    **dict.fromkeys((np.quantile, np.nanquantile), (SQUARE, np.array([0.3, 0.6]))),
    **dict.fromkeys((np.percentile, np.nanpercentile), (SQUARE, np.array([30.0, 60.0]))),
    np.average: (SQUARE, 1, VECTOR + 2),
    np.gradient: (VECTOR, np.array([0.0, 1.0, 3.0])),
    np.insert: (VECTOR, 1, VECTOR),
    np.full_like: (SQUARE, VECTOR),
    np.pad: (VECTOR, 1, "constant"),
}


@pytest.mark.parametrize("function", [*dispatch.FUNCTIONS, *dispatch.UFUNCS], ids=lambda f: f.__name__)
def test_tensors_in_lists_are_recorded_or_refused(function: Callable[..., Any]) -> None:
    for args, kwargs, _ in [*calls(function), *([(LISTS[function], {}, None)] if function in LISTS else [])]:
        given = [torch.tensor(x) if isinstance(x, np.ndarray) else x for x in tensors(args)]
        for i, x in enumerate(given):
            others = leaves([*given[:i], *given[i + 1 :]])
            if not getattr(x, "requires_grad", False) or not any(isinstance(y, torch.Tensor) for y in others):
                continue  # NumPy would not ask the Tensors
            found = None
            with contextlib.suppress(TypeError, RuntimeError):
                found = function(*given[:i], in_lists(x), *given[i + 1 :], **kwargs)
            if found is not None:
                expected = function(*given, **kwargs)
                compare(found, arrays(expected))
                compare(*[arrays(vjp_of_ones(leaves(y), [x])) for y in (found, expected)])


def as_integers(x: Any, kind: Any) -> Any:
    if isinstance(x, np.ndarray) and x.dtype == np.float64:
        return np.round(np.nan_to_num(x) * 40).astype(kind)
    return type(x)(as_integers(part, kind) for part in x) if isinstance(x, (tuple, list)) else x


def as_tensors(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return torch.tensor(x)
    return type(x)(as_tensors(part) for part in x) if isinstance(x, (tuple, list)) else x


# np.angle of int8 is float16, np.trapezoid adds integers in their own dtype, where they may overflow, and of the cases
# of np.empty_like and np.resize not all elements are defined.
OF_INTEGERS = [f for f in dispatch.FUNCTIONS if f not in {np.angle, np.trapezoid, np.empty_like, np.resize}]


@pytest.mark.parametrize("function", OF_INTEGERS, ids=lambda f: f.__name__)
def test_small_integers_are_computed_in_the_dtype_that_numpy_chooses(function: Callable[..., Any]) -> None:
    cases = [(args, kwargs) for args, kwargs, _ in calls(function)]
    for kind in (np.int8, np.uint8):
        for args, kwargs in cases:
            given = as_integers(args, kind)
            with warnings.catch_warnings(), contextlib.suppress(ValueError, TypeError):
                warnings.simplefilter("ignore")
                expected = [np.asarray(y) for y in leaves(function(*given, **kwargs))]
                for a, b in zip(leaves(function(*as_tensors(given), **kwargs)), expected, strict=True):
                    if isinstance(a, torch.Tensor):  # sums of uint8 are int64, as in PyTorch
                        compare(a, b.astype(np.int64) if b.dtype == np.uint64 else b)


def test_every_function_in_the_table_takes_tensors() -> None:
    for function in dispatch.FUNCTIONS:
        if hasattr(function, "_implementation"):
            cases = [(tensors(args, grad), kwargs) for args, kwargs, _ in calls(function) for grad in (True, False)]
            assert any(succeeds(function, args, kwargs) for args, kwargs in cases), function.__name__


def succeeds(function: Any, args: Any, kwargs: Any) -> bool:
    try:
        function(*args, **kwargs)
    except (TypeError, RuntimeError):
        return False
    return True


@pytest.mark.parametrize("function", [f for f in public() if f not in dispatch.FUNCTIONS], ids=lambda f: f.__name__)
def test_functions_that_are_not_recorded_are_named_in_the_error(function: Any) -> None:
    with pytest.raises(TypeError, match=function.__name__):
        dispatch.function(function, (torch.ones(2, requires_grad=True),), {})


def of_tensors(function: Any, given: Any, kwargs: Any) -> Any:
    """The function from the Tensors among its arguments to its floating-point results."""

    def call(*inputs: Any) -> Any:
        if function in SYMMETRIC:
            inputs = tuple((x + x.mT) / 2 for x in inputs)
        found = leaves(function(*with_inputs(given, iter(inputs)), **kwargs))
        return tuple(y for y in found if isinstance(y, torch.Tensor) and y.dtype.is_floating_point)

    return call


def with_inputs(x: Any, inputs: Iterator[Any]) -> Any:
    if isinstance(x, torch.Tensor):
        return next(inputs) if x.requires_grad else x
    return type(x)(with_inputs(part, inputs) for part in x) if isinstance(x, (tuple, list)) else x


def test_asarray_of_a_tensor_that_requires_grad_raises() -> None:
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="requires grad"):
        np.asarray(x)
