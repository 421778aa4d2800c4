"""assert_close and assert_allclose: compare values, also nested ones, up to tolerances, in PyTorch's words."""

from __future__ import annotations

import cmath
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import backend
from ..dtypes import complex64, complex128, dtype, float16, float32, float64, int64, promote_types, uint64
from ..errors.notices import warn
from ..ops.creation import as_tensor, tensor
from ..ops.elementwise import isclose
from ..tensor import Tensor

# Relative and absolute tolerances; other dtypes must be equal.
_TOLERANCES: dict[dtype, tuple[float, float]] = {
    float16: (1e-3, 1e-5),
    float32: (1.3e-6, 1e-5),
    float64: (1e-7, 1e-7),
    complex64: (1.3e-6, 1e-5),
    complex128: (1e-7, 1e-7),
}
_OLD_TOLERANCES = {float16: (1e-3, 1e-3), float32: (1e-4, 1e-5), float64: (1e-5, 1e-8)}
_NUMBERS = (int, float, complex, np.number)
_BOOLEANS = (bool, np.bool_)


class _Different(Exception):
    """Raised for a difference, before its place in the nested values is added."""


class _Incomparable(Exception):
    """Raised for types that can't be compared, before their place is added."""


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise AssertionError unless |actual - expected| <= atol + rtol · |expected|, with equal shape, device and dtype.

    The arguments are Tensors, arrays, numbers, None, or sequences and mappings of them, compared item by item. Default
    tolerances depend on the dtype: rtol 1.3e-6 and atol 1e-5 for float32, 1e-7 both for float64, 0 for integers. Of
    Tensors on the meta device there are no values to compare. Raises TypeError for types that can't be compared, and
    ValueError if only one tolerance is given. Source: torch.testing.assert_close.

    >>> torch.testing.assert_close(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.5]))
    Traceback (most recent call last):
    AssertionError: Tensor-likes are not close!
    <BLANKLINE>
    Mismatched elements: 1 / 2 (50.0%)
    Greatest absolute difference: 0.5 at index (1,) (up to 1e-05 allowed)
    Greatest relative difference: 0.20000000298023224 at index (1,) (up to 1.3e-06 allowed)
    """
    __tracebackhide__ = True
    if (rtol is None) != (atol is None):
        missing = "rtol" if rtol is None else "atol"
        raise ValueError(f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}.")
    given = None if rtol is None or atol is None else (rtol, atol)
    rules = _Rules(allow_subclasses, given, equal_nan, check_device, check_dtype, check_stride)
    message = rules.difference(actual, expected, "")
    if message is not None:
        raise AssertionError(msg(message) if callable(msg) else msg or message)


def assert_allclose(
    actual: Any, expected: Any, rtol: float | None = None, atol: float | None = None, equal_nan: bool = True,
    msg: str = "",
) -> None:  # fmt: skip
    """Deprecated form of `assert_close`: dtypes may differ, arguments may be lists, default tolerances are wider.

    Source: torch.testing.assert_allclose.

    >>> torch.testing.assert_allclose(torch.tensor([1.0]), [1.00005])
    """
    warn("torch.testing.assert_allclose is deprecated: torch.testing.assert_close takes its place", FutureWarning)
    actual = actual if isinstance(actual, Tensor) else tensor(actual)
    expected = expected if isinstance(expected, Tensor) else tensor(expected, dtype=actual.dtype)
    if rtol is None and atol is None:
        known = [_OLD_TOLERANCES.get(x.dtype, (0.0, 0.0)) for x in (actual, expected)]
        rtol, atol = (max(each) for each in zip(*known, strict=True))
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False, msg=msg or None)


class _Rules(NamedTuple):
    subclasses: bool
    tolerances: tuple[float, float] | None
    equal_nan: bool
    device: bool
    dtype: bool
    stride: bool

    def difference(self, actual: Any, expected: Any, place: str) -> str | None:
        """Return the message of the first difference, None if there is none."""
        try:
            if isinstance(actual, Mapping) and isinstance(expected, Mapping):
                self._keys(actual, expected)
                items = [(f"[{key!r}]", actual[key], expected[key]) for key in expected]
            elif _is_sequence(actual) and _is_sequence(expected):
                if len(actual) != len(expected):
                    raise _Different(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}")
                items = [(f"[{i}]", *pair) for i, pair in enumerate(zip(actual, expected, strict=True))]
            else:
                self._leaf(actual, expected)
                return None
        except (_Different, _Incomparable) as error:
            message = f"{error}\n\nThe failure occurred for item {place}" if place else str(error)
            if isinstance(error, _Incomparable):
                raise TypeError(message) from None
            return message
        found = (self.difference(a, b, place + name) for name, a, b in items)
        return next((message for message in found if message is not None), None)

    def _keys(self, actual: Mapping[Any, Any], expected: Mapping[Any, Any]) -> None:
        missing, more = (sorted(a.keys() - b.keys(), key=str) for a, b in ((expected, actual), (actual, expected)))
        if missing or more:
            raise _Different(
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {missing}\nAdditional keys in the actual mapping: {more}"
            )

    def _leaf(self, actual: Any, expected: Any) -> None:
        if actual is None or expected is None:
            if actual is not expected:
                raise _Different(f"None mismatch: {actual} is not {expected}")
        elif isinstance(actual, _BOOLEANS) and isinstance(expected, _BOOLEANS):
            if bool(actual) is not bool(expected):
                raise _Different(f"Booleans mismatch: {bool(actual)} is not {bool(expected)}")
        elif isinstance(actual, _NUMBERS) and isinstance(expected, _NUMBERS):
            self._numbers(*(x.item() if isinstance(x, np.number) else x for x in (actual, expected)))
        else:
            self._tensors(actual, expected)

    def _numbers(self, actual: Any, expected: Any) -> None:
        kinds = type(actual), type(expected)
        if self.dtype and kinds[0] is not kinds[1]:
            raise _Different(f"The (d)types do not match: {kinds[0]} != {kinds[1]}.")
        loose = float in kinds or complex in kinds
        rtol, atol = self.tolerances or ((1e-7, 1e-7) if loose else (0, 0))
        off = abs(actual - expected) if actual != expected else 0
        nans = self.equal_nan and cmath.isnan(actual) and cmath.isnan(expected)
        if nans or actual == expected or (cmath.isfinite(off) and off <= atol + rtol * abs(expected)):
            return
        raise _Different(_numbers_message(actual, expected, rtol, atol))

    def _tensors(self, actual: Any, expected: Any) -> None:
        kinds = type(actual), type(expected)
        related = isinstance(actual, kinds[1]) or isinstance(expected, kinds[0])
        if not (related if self.subclasses else kinds[0] is kinds[1]) or not isinstance(actual, (Tensor, np.ndarray)):
            raise _Incomparable(f"No comparison pair was able to handle inputs of type {kinds[0]} and {kinds[1]}.")
        a, b = (as_tensor(x).detach() for x in (actual, expected))
        facts = [
            ("shape", True, a.shape, b.shape),
            ("device", self.device, a.device, b.device),
            ("dtype", self.dtype, a.dtype, b.dtype),
            ("stride()", self.stride, a.stride(), b.stride()),
        ]
        for name, checked, mine, other in facts:
            if checked and mine != other:
                raise _Different(f"The values for attribute '{name}' do not match: {mine} != {other}.")
        if a.is_meta or b.is_meta:  # there are no values to compare
            return
        rtol, atol = self.tolerances or tuple(map(max, *(_TOLERANCES.get(x.dtype, (0, 0)) for x in (a, b))))
        # uint64 counts as int64 here, as in PyTorch: no wider type holds it together with signed integers.
        common = promote_types(*(int64 if x.dtype == uint64 else x.dtype for x in (a, b)))
        a, b = (as_tensor(backend.to_numpy(x.array)).to(common) for x in (a, b))
        matches = isclose(a, b, rtol=rtol, atol=atol, equal_nan=self.equal_nan)
        if not matches.all():
            raise _Different(_tensors_message(a, b, matches, rtol, atol))


def _is_sequence(x: Any) -> bool:
    return isinstance(x, Sequence) and not isinstance(x, (str, bytes))


def _allowed(tolerance: float, exact: bool) -> str:
    return "" if exact else f" (up to {tolerance} allowed)"


def _numbers_message(actual: Any, expected: Any, rtol: float, atol: float) -> str:
    exact = rtol == atol == 0
    off = abs(actual - expected)
    relative = off / abs(expected) if expected != 0 else float("inf")
    return (
        f"Scalars are not {'equal' if exact else 'close'}!\n\nExpected {expected} but got {actual}.\n"
        f"Absolute difference: {off}{_allowed(atol, exact)}\nRelative difference: {relative}{_allowed(rtol, exact)}"
    )


def _tensors_message(actual: Tensor, expected: Tensor, matches: Tensor, rtol: float, atol: float) -> str:
    a, b, same = (backend.to_numpy(x.array) for x in (actual, expected, matches))
    if a.ndim == 0:
        return _numbers_message(a.item(), b.item(), rtol, atol)
    exact = rtol == atol == 0
    floating = a.dtype.kind in "fc"
    with np.errstate(all="ignore"):
        if floating:
            off = np.abs(a - b)
            relative = off / np.abs(b)
        else:  # as integers, which can be subtracted, and divided in the default dtype
            a, b = a.astype(np.int64), b.astype(np.int64)
            off = np.abs(a - b)
            relative = off.astype(np.float32) / np.abs(b).astype(np.float32)
    off, relative = (np.where(same, 0, x) for x in (off, relative))
    missed = int((~same).sum())
    lines = [
        f"Tensor-likes are not {'equal' if exact else 'close'}!\n",
        f"Mismatched elements: {missed} / {a.size} ({missed / a.size:.1%})",
    ]
    for name, values, tolerance in (("absolute", off, atol), ("relative", relative, rtol)):
        index = tuple(map(int, np.unravel_index(values.argmax(), values.shape)))
        lines.append(f"Greatest {name} difference: {values[index].item()} at index {index}{_allowed(tolerance, exact)}")
    return "\n".join(lines)
