"""NumPy's ufuncs and their methods, called with Tensors: they equal NumPy and are recorded, or raise."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import dispatch

from .arrays import OTHER, SQUARE, VECTOR, compare, differentiate, leaves

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of deprecated NumPy functions


def ufuncs() -> Iterator[np.ufunc]:
    yield from sorted({f for f in vars(np).values() if isinstance(f, np.ufunc)}, key=lambda f: f.__name__)


FLOATS, INTEGERS = [np.array([0.3, 0.7, 0.45]), np.array([0.6, 0.2, 1.7])], [np.array([6, 4, 9]), np.array([3, 2, 6])]
# Each ufunc is called with the first that it takes.
ARGUMENTS = (FLOATS, [1 + FLOATS[0]], [SQUARE, OTHER], [FLOATS[0], INTEGERS[1]], INTEGERS)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("ufunc", list(ufuncs()), ids=lambda f: f.__name__)
def test_ufuncs_equal_numpy_and_have_derivatives_or_raise(ufunc: np.ufunc) -> None:
    if ufunc not in dispatch.UFUNCS:
        with pytest.raises(TypeError, match=ufunc.__name__):
            ufunc(*[torch.tensor(a, requires_grad=True) for a in FLOATS[: ufunc.nin]])
        return
    arrays, expected = numpy_call(ufunc)
    given = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    found = ufunc(*given)
    compare(found, expected)
    if any(y.requires_grad for y in leaves(found)):
        differentiate(ufunc, given)


def numpy_call(ufunc: np.ufunc) -> tuple[list[Any], Any]:
    """Arguments that the ufunc takes, and NumPy's result."""
    for arrays in ARGUMENTS:
        with contextlib.suppress(TypeError, ValueError, RuntimeWarning):
            return arrays[: ufunc.nin], ufunc(*arrays[: ufunc.nin])
    raise AssertionError(f"add arguments for {ufunc.__name__} to ARGUMENTS")


OTHERS = (2, -1, 300, 0.5, True, [1, 2, 3], [0.5, 2.0, 3.0], np.array([1, 2, 3], np.int32))
# Of integers PyTorch's reciprocal is a fraction, and its vecdot takes single numbers.
OF_INTEGERS = [f for f in ufuncs() if f in dispatch.UFUNCS and f.signature is None and f is not np.reciprocal]


@pytest.mark.parametrize("ufunc", OF_INTEGERS, ids=lambda f: f.__name__)
def test_integers_have_the_values_and_dtypes_of_numpy(ufunc: np.ufunc) -> None:
    kinds, others = (np.int8, np.uint8, np.int64, bool), OTHERS
    if torch.ones(1).is_cuda:  # where no NumPy array is an operand, and CuPy rounds no booleans
        kinds, others = kinds[:3], [x for x in OTHERS if np.ndim(x) == 0]
    for kind in kinds:
        array = np.array([3, 1, 2], kind)
        pairs = [(array, x) for x in others] + [(x, array) for x in others if type(x) is not np.ndarray]
        for operands in pairs if ufunc.nin == 2 else [(array,)]:
            given = [torch.tensor(x) if x is array else x for x in operands]
            with np.errstate(all="ignore"):
                try:
                    expected = ufunc(*operands)
                except OverflowError:
                    with pytest.raises(OverflowError):
                        ufunc(*given)
                except (TypeError, ValueError):
                    continue
                else:
                    if np.half not in [np.asarray(y).dtype for y in leaves(expected)]:
                        compare(ufunc(*given), expected)
                        outs = tuple(torch.tensor(np.zeros_like(y)) for y in leaves(expected))
                        compare(ufunc(*given, out=outs), expected)


# The methods that are recorded, and of which ufuncs.
METHODS = {
    "reduce": {"add", "multiply", "maximum", "minimum", "logaddexp", "logical_and", "logical_or"},
    "accumulate": {"add", "multiply", "maximum", "minimum", "logaddexp"},
    "at": {"add", "subtract", "multiply", "maximum", "minimum"},
}


@pytest.mark.parametrize("method", ["reduce", "accumulate", "reduceat", "outer", "at"])
@pytest.mark.parametrize(
    "ufunc", [f for f in ufuncs() if f.nin == 2 and f.nout == 1 and not f.signature], ids=lambda f: f.__name__
)
def test_methods_of_ufuncs_equal_numpy_or_raise_where_a_gradient_would_be_lost(ufunc: np.ufunc, method: str) -> None:
    args: dict[str, tuple[Any, ...]] = {
        "reduce": (SQUARE,), "accumulate": (VECTOR,), "reduceat": (VECTOR, [0, 2]), "outer": (VECTOR, VECTOR + 2),
        "at": (VECTOR.copy(), np.array([0, 2]), 1.5),
    }  # fmt: skip
    given = [torch.tensor(a) if isinstance(a, np.ndarray) and a.dtype == np.float64 else a for a in args[method]]
    if ufunc.__name__ not in METHODS.get(method, ()):
        if method != "at" and torch.get_default_device().type == "cpu":
            with contextlib.suppress(TypeError, ValueError), np.errstate(all="ignore"):  # some have no such method
                compare(getattr(ufunc, method)(*given), getattr(ufunc, method)(*args[method]))
        with pytest.raises(TypeError, match=ufunc.__name__):
            getattr(ufunc, method)(*[x.requires_grad_() if isinstance(x, torch.Tensor) else x for x in given])
        return
    expected, found = getattr(ufunc, method)(*args[method]), getattr(ufunc, method)(*given)
    compare(given[0] if method == "at" else found, args[method][0] if method == "at" else expected)


def test_subtract_at_takes_lists() -> None:
    x, y = torch.tensor(VECTOR), VECTOR.copy()
    for target in (x, y):
        np.subtract.at(target, [0, 0], [1.0, 2.0])
    compare(x, y)


@pytest.mark.host("NumPy arrays beside Tensors")
@pytest.mark.parametrize("requires_grad", [False, True])
def test_a_tensor_equals_no_strings_and_dates(requires_grad: bool) -> None:
    x = torch.ones(2, requires_grad=requires_grad)
    for other in np.str_("a"), np.datetime64("2020"), np.array(["a", "b"]), np.array(["2020"], "M8"):
        assert [x == other, other == x, x != other, other != x] == [False, False, True, True]
