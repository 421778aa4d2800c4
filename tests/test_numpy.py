"""Every public function of NumPy's, given Tensors: recorded and differentiable, or a TypeError that names it.

Never detached in silence, never a wrong gradient: of what is recorded, values are NumPy's own and derivatives agree
with numerical ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import dispatch
from microgad.testing import check_grads

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of functions that NumPy gives up

rng = np.random.default_rng(0)
SQUARE = np.array([[2.0, 0.5, -0.25], [0.5, 3.0, 0.75], [-0.25, 0.75, 1.5]])  # positive definite, distinct eigenvalues
OTHER = rng.permutation(9).reshape(3, 3) / 4 + 0.3
VECTOR = np.array([0.3, -1.2, 2.1])
MASK = OTHER > 1
# How functions are called: what is an array here is a Tensor that requires grad there.
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
# What takes other arguments.
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
# They look at one triangle, and give a derivative to both: held against what they make of a symmetric matrix.
SYMMETRIC = {np.linalg.cholesky, np.linalg.eigvalsh}
# Whose derivative is not held against differences here: no function of the values alone, or only up to a phase.
DATES = {np.busday_count, np.busday_offset, np.datetime_as_string, np.is_busday}
UNDERIVED = {
    np.linalg.eigvals,
    np.linalg.eigh,
    np.linalg.eig,
    np.linalg.svd,
    np.linalg.qr,
    np.linalg.lstsq,
    np.empty_like,
}


def public() -> Iterator[Any]:
    """The functions that dispatch, each once, but for those of dates."""
    seen = set(DATES)
    for module in (np, np.linalg, np.fft):
        for name in sorted(dir(module)):
            function = getattr(module, name)
            if not name.startswith("_") and hasattr(function, "_implementation") and function not in seen:
                seen.add(function)
                yield function


def tensors(x: Any, wanted: bool = True) -> Any:
    """Arguments with Tensors, that require grad if `wanted`, in place of floating-point arrays."""
    if isinstance(x, np.ndarray) and x.dtype == np.float64:
        return torch.tensor(x, requires_grad=wanted)
    if isinstance(x, np.ndarray) and x.dtype == bool and torch.get_default_device().type != "cpu":
        return torch.tensor(x)  # where a mask of NumPy's isn't
    return type(x)(tensors(part, wanted) for part in x) if isinstance(x, (tuple, list)) else x


def leaves(x: Any) -> list[Any]:
    if isinstance(x, (tuple, list)):
        return [leaf for part in x for leaf in leaves(part)]
    return [x]


def calls(function: Any) -> Iterator[tuple[tuple[Any, ...], dict[str, Any], Any]]:
    """Arguments that NumPy takes, with what it makes of them."""
    for args, kwargs in [CALLS[function]] if function in CALLS else PATTERNS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                copies = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
                yield args, kwargs, function(*copies, **kwargs)
            except Exception:  # not a way to call it
                continue


@pytest.mark.parametrize("function", list(public()), ids=lambda f: f"{f.__module__}.{f.__name__}")
def test_recorded_or_refused(function: Callable[..., Any]) -> None:
    ways = list(calls(function))
    assert ways, "say in CALLS how it is called"
    for args, kwargs, expected in ways:
        given = tensors(args)
        try:
            found = function(*given, **kwargs)
        except (TypeError, RuntimeError):  # of Tensors in a list, which NumPy doesn't look into, by `__array__`
            continue
        assert function in dispatch.FUNCTIONS or not any(isinstance(t, torch.Tensor) for t in leaves(given))
        if function is not np.empty_like:
            compare(found, expected)
        inputs = [t for t in leaves(given) if isinstance(t, torch.Tensor) and t.requires_grad]
        results = [y for y in leaves(found) if isinstance(y, torch.Tensor) and y.dtype.is_floating_point]
        if function not in UNDERIVED and any(y.requires_grad for y in results):
            differentiate(recall(function, given, kwargs), inputs)


def test_what_is_in_the_table_is_recorded_in_some_way() -> None:
    for function in dispatch.FUNCTIONS:
        if hasattr(function, "_implementation"):
            ways = [(tensors(args, wanted), kwargs) for args, kwargs, _ in calls(function) for wanted in (True, False)]
            assert any(succeeds(function, args, kwargs) for args, kwargs in ways), function.__name__


def succeeds(function: Any, args: Any, kwargs: Any) -> bool:
    try:
        function(*args, **kwargs)
    except (TypeError, RuntimeError):
        return False
    return True


@pytest.mark.parametrize("function", [f for f in public() if f not in dispatch.FUNCTIONS], ids=lambda f: f.__name__)
def test_what_is_not_names_itself(function: Any) -> None:
    with pytest.raises(TypeError, match=function.__name__):
        dispatch.function(function, (torch.ones(2, requires_grad=True),), {})


def differentiate(function: Any, inputs: Any) -> None:
    """Once and twice, against numerical derivatives, which are taken on the CPU."""
    if not inputs[0].is_cuda:
        check_grads(function, inputs, order=2, full=False)
        return
    once = pulled(leaves(function(*inputs)), inputs)
    assert any(g is not None for g in once)
    for g in (*once, *pulled([g for g in once if g is not None], inputs)):
        assert g is None or g.is_cuda


def pulled(outputs: Any, inputs: Any) -> Any:
    outputs = [y for y in outputs if isinstance(y, torch.Tensor) and y.requires_grad]
    ones = [torch.ones_like(y) for y in outputs]
    return torch.autograd.grad(outputs, inputs, ones, create_graph=True, allow_unused=True) if outputs else ()


def recall(function: Any, given: Any, kwargs: Any) -> Any:
    """The function of the Tensors among its arguments, to its floating-point results."""

    def call(*inputs: Any) -> Any:
        if function in SYMMETRIC:
            inputs = tuple((x + x.mT) / 2 for x in inputs)
        found = leaves(function(*exchanged(given, iter(inputs)), **kwargs))
        return tuple(y for y in found if isinstance(y, torch.Tensor) and y.dtype.is_floating_point)

    return call


def exchanged(x: Any, inputs: Iterator[Any]) -> Any:
    if isinstance(x, torch.Tensor):
        return next(inputs) if x.requires_grad else x
    return type(x)(exchanged(part, inputs) for part in x) if isinstance(x, (tuple, list)) else x


def compare(found: Any, expected: Any) -> None:
    ours, theirs = leaves(found), leaves(expected)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        values = a.detach().cpu().numpy() if isinstance(a, torch.Tensor) else a
        np.testing.assert_allclose(np.abs(values), np.abs(b), rtol=1e-10, atol=1e-10)
        if (
            isinstance(a, torch.Tensor) and a.array.dtype.kind != "c"
        ):  # PyTorch's eig is complex, NumPy's if it has to be
            assert a.array.dtype.kind == np.asarray(b).dtype.kind


def test_a_function_that_does_not_dispatch_meets_array() -> None:
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="requires grad"):
        np.asarray(x)


def ufuncs() -> Iterator[np.ufunc]:
    yield from sorted({f for f in vars(np).values() if isinstance(f, np.ufunc)}, key=lambda f: f.__name__)


@pytest.mark.parametrize("ufunc", list(ufuncs()), ids=lambda f: f.__name__)
def test_ufuncs(ufunc: np.ufunc) -> None:
    arrays = [np.array([0.3, 0.7, 0.45]), np.array([0.6, 0.2, 1.7])][: ufunc.nin]
    if ufunc is np.arccosh:
        arrays = [1 + arrays[0]]
    if ufunc.signature or ("dd->d" not in ufunc.types and "d->d" not in ufunc.types and "d->?" not in ufunc.types):
        arrays = [SQUARE, OTHER][: ufunc.nin]
    given = [torch.tensor(a, requires_grad=True) for a in arrays]
    if ufunc not in dispatch.UFUNCS:
        with pytest.raises(TypeError, match=ufunc.__name__):
            ufunc(*given)
        return
    try:
        expected = ufunc(*arrays)
    except TypeError:  # of integers alone, or of an exponent
        return
    found = ufunc(*given)
    compare(found, expected)
    if any(y.requires_grad for y in leaves(found)):
        differentiate(ufunc, given)


@pytest.mark.parametrize("method", ["reduce", "accumulate", "reduceat", "outer", "at"])
@pytest.mark.parametrize(
    "ufunc", [f for f in ufuncs() if f.nin == 2 and f.nout == 1 and not f.signature], ids=lambda f: f.__name__
)
def test_methods_of_ufuncs(ufunc: np.ufunc, method: str) -> None:
    args: dict[str, tuple[Any, ...]] = {
        "reduce": (SQUARE,), "accumulate": (VECTOR,), "reduceat": (VECTOR, [0, 2]), "outer": (VECTOR, VECTOR + 2),
        "at": (VECTOR.copy(), np.array([0, 2]), 1.5),
    }  # fmt: skip
    given = [torch.tensor(a) if isinstance(a, np.ndarray) and a.dtype == np.float64 else a for a in args[method]]
    try:
        with np.errstate(all="ignore"):
            expected = getattr(ufunc, method)(*args[method])
    except TypeError:
        return
    try:
        with np.errstate(all="ignore"):
            found = getattr(ufunc, method)(*given)
    except TypeError:
        with pytest.raises(TypeError, match=ufunc.__name__):
            getattr(ufunc, method)(*given)
        return
    compare(given[0] if method == "at" else found, args[method][0] if method == "at" else expected)


@pytest.mark.parametrize("given", ["float64", "f4", np.int32, torch.float16])
def test_dtypes_by_the_names_that_numpy_takes(given):
    x = torch.ones(2, 3)
    made = [
        np.zeros_like(x, given),
        np.full_like(x, 1, dtype=given),
        np.astype(x, given),
        np.stack([x], dtype=given, casting="unsafe"),
    ]
    assert all(y.dtype == np.dtype(given) for y in made)


OUTS: dict[str, Callable[..., Any]] = {
    "add": lambda x, out: np.add(x, 1, out=out),
    "add by place": lambda x, out: np.add(x, 1, out),
    "clip": lambda x, out: np.clip(x, 0, 1, out=out),
    "clip by place": lambda x, out: np.clip(x, 0, 1, out),
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
def test_out_is_written(name: str) -> None:
    x, out, expected = torch.tensor(SQUARE), torch.zeros(3, 3, dtype=torch.float64), np.zeros((3, 3))
    OUTS[name](SQUARE, expected)
    OUTS[name](x, out)
    compare(out, expected)
    with pytest.raises(TypeError, match="with out= is not recorded in a ndarray"):
        OUTS[name](x, np.zeros((3, 3)))
    with pytest.raises(RuntimeError, match="don't support automatic differentiation"):
        OUTS[name](tensors(SQUARE), out)
    with pytest.raises(RuntimeError):
        OUTS[name](x, torch.zeros(2, 2, dtype=torch.float64))


def test_what_a_call_says_that_is_not_recorded() -> None:
    with pytest.raises(TypeError, match=r"numpy\.sum: .*'where'"):
        np.sum(torch.tensor(SQUARE, requires_grad=True), where=MASK)


@pytest.mark.host("arrays of NumPy's, which such functions make")
def test_what_is_in_no_table_computes_on_arrays_where_no_gradient_is_lost() -> None:
    x, whole = torch.tensor(VECTOR), torch.tensor([3, 1, 3])
    for function, *args in (
        (np.convolve, x, x),
        (np.digitize, x, [0.0]),
        (np.interp, 0.5, np.arange(3), x),
        (np.intersect1d, whole, [3, 4]),
        (np.corrcoef, x, x),
        (np.geomspace, 1, whole[0], 3),
    ):
        expected = function(*(a.array if isinstance(a, torch.Tensor) else a for a in args))
        assert type(function(*args)) is type(expected)
        np.testing.assert_array_equal(function(*args), expected)
    values, places = np.unique(whole, return_index=True)
    assert (values.tolist(), places.tolist()) == ([1, 3], [1, 0])
    spaces = np.spacing(x)  # a ufunc gives Tensors
    compare(spaces, np.spacing(VECTOR))
    with pytest.raises(TypeError, match="nanargmax is not recorded"):  # what is written there, backward wouldn't notice
        np.nanargmax(x, out=torch.tensor(0))
    for function in (np.spacing, lambda x: np.convolve(x, x), lambda x: np.unique(x, return_index=True)):
        with pytest.raises(TypeError, match="is not recorded on Tensors"):
            function(x.requires_grad_())


@pytest.mark.parametrize(
    ("shape", "value", "wrap"), [((3, 3), 5.0, False), ((7, 2), 5.0, True), ((2, 4), [1, 2], False)]
)
def test_a_filled_diagonal_is_noticed_by_backward(shape, value, wrap) -> None:
    x, expected = torch.ones(*shape), np.ones(shape)
    y = torch.ones(*shape, requires_grad=True) * x
    np.fill_diagonal(x, value, wrap)
    np.fill_diagonal(expected, value, wrap)
    assert x.tolist() == expected.tolist()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.host("arrays of NumPy's beside Tensors")
def test_arrays_and_numbers_beside_tensors() -> None:
    x = torch.tensor(VECTOR)
    compare(np.heaviside(x, 0.5), np.heaviside(VECTOR, 0.5))
    compare(np.ldexp(x, np.array([1, 2, 0])), np.ldexp(VECTOR, np.array([1, 2, 0])))
    y, out = torch.tensor([1.0, np.nan]), torch.zeros(3, dtype=torch.float64)
    compare(np.add(VECTOR, 1, out=out), VECTOR + 1)
    for a, b in ((x, VECTOR), (VECTOR, x), (x, [1, 2]), (x, x + 1)):
        assert np.array_equal(a, b) is np.array_equal(np.asarray(a), np.asarray(b))
    assert [np.array_equal(y, y), np.array_equal(y, y, equal_nan=True)] == [False, True]


def test_the_sign_of_complex_numbers_has_a_slope() -> None:
    z = torch.tensor([3.0 + 4.0j, 1.0 - 2.0j], requires_grad=True)
    slopes = [torch.autograd.grad(f(z), z, torch.tensor([1.0, 1j]))[0] for f in (np.sign, torch.sgn)]
    assert slopes[0].tolist() == slopes[1].tolist() != [0, 0]


def test_casting_and_order_are_numpys() -> None:
    x, y = torch.ones(2, 3), torch.ones(2, 3, dtype=torch.float64)
    for join in (np.concatenate, np.stack, np.vstack, np.hstack):
        assert join((x, y), casting="safe").dtype == torch.float64
        with pytest.raises(TypeError, match=r"Cannot cast torch.float32 to torch.float64 according to the rule 'no'"):
            join((x.requires_grad_(), y), casting="no")
        with pytest.raises(TypeError, match=r"to torch.int64 according to the rule 'same_kind'"):
            join((x, x), dtype=np.int64)
        with pytest.raises(TypeError, match="according to the rule 'no'"):  # NumPy's own
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


def test_nans_are_one_value() -> None:
    values = np.array([[np.nan, 2.0], [np.nan, 1.0], [2.0, np.nan]])
    for options in ({}, {"return_inverse": True}, {"return_counts": True}, {"equal_nan": False, "return_counts": True}):
        compare(np.unique(torch.tensor(values), **options), np.unique(values, **options))
    compare(
        np.unique(torch.tensor(values), return_inverse=True, return_counts=True)[1:],
        np.unique(values, False, True, True)[1:],
    )


def test_dtypes_are_not_looked_over() -> None:
    assert np.corrcoef(torch.tensor(SQUARE), dtype=np.float32).dtype == torch.float32
    with pytest.raises(TypeError, match=r"numpy\.einsum: .*'dtype'"):
        np.einsum("ij->i", torch.tensor(SQUARE, requires_grad=True), dtype=np.float32)
