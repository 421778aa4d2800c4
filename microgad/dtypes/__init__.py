"""PyTorch's dtypes and type promotion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend.arrays import Array
from ..errors import ArgumentError, DtypeError, KindError
from ..state import current
from .conversions import convert, operand, plain

# Categories order PyTorch's promotion: 0-d tensors and numbers change others' dtype only by a higher category.
_BOOL, _INTEGER, _FLOATING, _COMPLEX = range(4)
_CATEGORY = {
    "b": _BOOL,
    "i": _INTEGER,
    "u": _INTEGER,
    "f": _FLOATING,
    "c": _COMPLEX,
    "V": _FLOATING,  # a dtype that NumPy lacks: see unsupported.py
}


class dtype:
    """PyTorch's dtype objects; NumPy takes them wherever it takes a dtype, and they equal NumPy's own.

    Source: torch.dtype.

    >>> import microgad, numpy
    >>> microgad.float32, microgad.float32 == numpy.float32, numpy.zeros(2, microgad.float16).dtype
    (torch.float32, True, dtype('float16'))
    """

    __slots__ = ("dtype", "name")

    def __init__(self, name: str) -> None:
        self.name: str = name
        self.dtype: np.dtype[Any] = np.dtype(name)  # the attribute by which NumPy accepts this object as a dtype

    @property
    def is_floating_point(self) -> bool:
        """Whether values are real floating-point numbers."""
        return self.dtype.kind == "f"

    @property
    def is_complex(self) -> bool:
        """Whether values are complex numbers."""
        return self.dtype.kind == "c"

    @property
    def is_signed(self) -> bool:
        """Whether values can be negative."""
        return self.dtype.kind in "ifc"

    def to_complex(self) -> dtype:
        """The complex dtype of the same precision."""
        return of(np.result_type(self.dtype, np.complex64))

    def to_real(self) -> dtype:
        """The real dtype of the same precision."""
        return of(np.finfo(self.dtype).dtype) if self.is_complex else self

    @property
    def itemsize(self) -> int:
        """Bytes of one value."""
        return self.dtype.itemsize

    def __repr__(self) -> str:
        return f"torch.{self.name}"  # PyTorch's words, so that a program prints the same after the swap of its import

    def __eq__(self, other: object) -> bool:
        if isinstance(other, dtype):
            return self.dtype == other.dtype
        try:
            # np.dtype takes None for float64, and an array for its dtype.
            given = other is not None and not hasattr(type(other), "__array__")
            return given and self.dtype == np.dtype(other)  # type: ignore[call-overload]
        except TypeError:
            return False

    def __hash__(self) -> int:
        return hash(self.dtype)

    def __reduce__(self) -> str | tuple[Any, ...]:
        return self.name if type(self).__module__ == "torch" else (of, (self.dtype,))  # as PyTorch: torch.float32


float16, float32, float64 = dtype("float16"), dtype("float32"), dtype("float64")
complex64, complex128 = dtype("complex64"), dtype("complex128")
int8, int16, int32, int64 = dtype("int8"), dtype("int16"), dtype("int32"), dtype("int64")
uint8, uint16, uint32, uint64 = dtype("uint8"), dtype("uint16"), dtype("uint32"), dtype("uint64")
bool_ = dtype("bool")

_ALL = (
    float16, float32, float64, complex64, complex128, int8, int16, int32, int64, uint8, uint16, uint32, uint64, bool_,
)  # fmt: skip
_BY_NUMPY = {d.dtype: d for d in _ALL}
known = _BY_NUMPY.get  # the microgad dtype of a NumPy dtype, None where there is none
_PYTHON = {bool: _BOOL, int: _INTEGER, float: _FLOATING, complex: _COMPLEX}
# Python scalars that NumPy treats as PyTorch does.
_REAL = frozenset((float, int, bool, type(None)))  # they leave the dtype of floating-point numbers as it is
# They leave the dtype of arrays of this kind as it is. Ints that it can't hold are wrapped around; each integer dtype
# holds 0 to 127.
_WEAK_WITH = {"f": (float, int, bool), "i": (int, bool), "u": (int, bool)}
_default = float32


def of(numpy_dtype: Any) -> dtype:
    """The microgad dtype of a NumPy dtype or a Python type. Anything else raises TypeError, as in PyTorch."""
    if isinstance(numpy_dtype, dtype):
        return numpy_dtype
    found = _BY_NUMPY.get(np.dtype(numpy_dtype)) if isinstance(numpy_dtype, (type, np.dtype)) else None
    if found is None:
        raise DtypeError(f"there is no tensor of dtype {numpy_dtype!r}; the dtypes are {', '.join(map(repr, _ALL))}")
    return found


def learn(numpy_dtype: np.dtype[Any], called: dtype) -> None:
    """Let arrays of `numpy_dtype` have the microgad dtype `called`."""
    _BY_NUMPY[numpy_dtype] = called


def get_default_dtype() -> dtype:
    """The dtype of new floating-point tensors: float32 unless `set_default_dtype` changed it.

    Source: torch.get_default_dtype.

    >>> torch.get_default_dtype()
    torch.float32
    """
    return _default


def set_default_dtype(d: dtype) -> None:
    """Set the dtype of new floating-point tensors. Raises TypeError for other kinds. Source: torch.set_default_dtype.

    >>> torch.set_default_dtype(torch.float64)
    >>> torch.ones(1)
    tensor([1.])
    >>> torch.set_default_dtype(torch.float32)
    """
    global _default
    if of(d).dtype.kind != "f":
        raise DtypeError(f"only floating-point types are supported as the default type, got {d!r}")
    _default = of(d)


def default_for(category: Any) -> np.dtype[Any]:
    """The NumPy dtype of a Python scalar of a category, where no Tensor decides."""
    if category == _COMPLEX:
        return np.dtype(np.complex128 if _default is float64 else np.complex64)
    return (bool_, int64, _default)[category].dtype


def of_number(x: complex) -> np.dtype[Any]:
    """The NumPy dtype of a Python number, where no Tensor decides."""
    return default_for(_PYTHON[type(plain(x))])


def _category(x: Array | complex) -> Any:
    return _CATEGORY.get(x.dtype.kind, _COMPLEX) if hasattr(x, "dtype") else _PYTHON[type(plain(x))]


def result_dtype(arrays: list[Any]) -> np.dtype[Any]:
    """PyTorch's promotion: arrays with dimensions, then 0-d arrays, then Python scalars; each later group counts only
    if its category is higher. Source: torch.result_type.
    """
    if type(arrays[0]) is np.ndarray and arrays[0].dtype.kind == "f" and _REAL.issuperset(map(type, arrays[1:])):
        return arrays[0].dtype
    if len(kinds := {getattr(x, "dtype", None) for x in arrays}) == 1 and (kind := kinds.pop()) is not None:
        return kind
    if current().deriving:  # a derivative is plain NumPy, where 0-d arrays count as others do
        return np.result_type(*[getattr(x, "dtype", x) for x in arrays if x is not None])
    groups: tuple[list[Any], ...] = ([], [], [])
    for x in arrays:
        if x is not None:
            groups[2 if not hasattr(x, "dtype") else 1 if x.ndim == 0 else 0].append(x)
    result: np.dtype[Any] | None = None
    for group in groups:
        higher = [x for x in group if result is None or _category(x) > _CATEGORY[result.kind]]
        if not higher:
            continue
        dtypes = [default_for(max(map(_category, higher)))] if group is groups[2] else [x.dtype for x in higher]
        promoted = _join(dtypes)
        if result is not None and promoted.kind == "c" and result.kind == "f":
            promoted = np.result_type(np.complex64, result)
        result = promoted
    assert result is not None
    return result


def _join(dtypes: list[np.dtype[Any]]) -> np.dtype[Any]:
    """NumPy's promotion, except that integers don't widen floats, as in PyTorch: int64 and float16 give float16."""
    top = max(_CATEGORY[d.kind if d.kind in _CATEGORY else of(d).dtype.kind] for d in dtypes)  # of() raises DtypeError
    if top >= _FLOATING:
        dtypes = [d for d in dtypes if _CATEGORY[d.kind] >= _FLOATING]
    joined = np.result_type(*dtypes)
    if top == _INTEGER and joined.kind == "f":  # uint64 beside a signed dtype
        raise ArgumentError(f"there is no integer dtype to which {' and '.join(map(str, dtypes))} could be promoted")
    return joined


def _promotion(cast: Callable[[list[Any], np.dtype[Any]], list[Any]]) -> Callable[[list[Any]], list[Any]]:
    """Make a promotion of operands that uses `cast` where their dtypes differ, so that no other case pays for it."""

    def promote(arrays: list[Any]) -> list[Any]:
        if len(arrays) == 1:
            return arrays
        if len(arrays) == 2:
            a, b = arrays
            if type(a) is np.ndarray:
                if type(b) is np.ndarray:
                    if a.dtype is b.dtype:
                        return arrays
                elif type(b) in _WEAK_WITH.get(a.dtype.kind, ()):
                    return arrays if a.dtype.kind == "f" or 0 <= b < 128 else [a, wrapped(b, a.dtype)]
            elif type(b) is np.ndarray and type(a) in _WEAK_WITH.get(b.dtype.kind, ()):
                return arrays if b.dtype.kind == "f" or 0 <= a < 128 else [wrapped(a, b.dtype), b]
            if a is None or b is None:
                raise DtypeError("expected a Tensor, an array or a number, got None")
        kind = result_dtype(arrays)
        return [wrapped(x, kind) if type(x) is int and kind.kind in "iu" else x for x in cast(arrays, kind)]

    return promote


def wrapped(number: int, to: np.dtype[Any]) -> int:
    """Wrap a number around to the range of an integer dtype, as PyTorch does where NumPy raises."""
    if not -(2**63) <= number < 2**64:
        raise OverflowError(f"int too big to convert: {number}")
    bits = 8 * to.itemsize
    low = -1 << (bits - 1) if to.kind == "i" else 0
    return (number - low) % (1 << bits) + low


def _floating(promote: Callable[[list[Any]], list[Any]]) -> Callable[[list[Any]], list[Any]]:
    def promote_floating(arrays: list[Any]) -> list[Any]:
        if len(arrays) == 1 and type(arrays[0]) is np.ndarray and arrays[0].dtype.kind == "f":
            return arrays
        promoted = promote(arrays)
        for x in promoted:
            if hasattr(x, "dtype") and x.dtype.kind not in "fc":
                to = float64 if current().deriving else _default  # a derivative is plain NumPy
                return cast(arrays, to.dtype)  # not `promoted`: there a number may have wrapped
        return promoted

    return promote_floating


def cast(arrays: list[Any], to: np.dtype[Any]) -> list[Any]:
    """Convert the arrays of another dtype to `to`, keeping their layout; expanded ones become row-major."""
    odd = [x.dtype != to if hasattr(x, "dtype") else type(x) not in _PYTHON for x in arrays]
    return [operand(x, to) if o else x for x, o in zip(arrays, odd, strict=True)]


def _cast_exactly(arrays: list[Array | complex], to: np.dtype[Any]) -> list[Array | complex]:
    """As `cast`, but a 0-d second operand beside float16 becomes float32: PyTorch computes with its unrounded value."""
    if to == np.float16 and type(arrays[0]) is type(arrays[-1]) is np.ndarray and arrays[-1].ndim == 0:
        return [*cast(arrays[:-1], to), convert(arrays[-1], np.dtype(np.float32))]
    return cast(arrays, to)


# Operands of an elementwise operation, brought to PyTorch's common dtype (untouched where NumPy agrees).
# `_floating`: then integers and booleans become the default floating dtype, for division, exp and so on.
# `_exactly`: for products and quotients, see `_cast_exactly`.
promote, promote_exactly = _promotion(cast), _promotion(_cast_exactly)
promote_floating, promote_floating_exactly = _floating(promote), _floating(promote_exactly)


def only(kinds: str, promotion: Callable[[list[Any]], list[Any]] = promote) -> Callable[[list[Any]], list[Any]]:
    """A promotion that accepts only common dtypes of these NumPy kinds: b(ool), i(nt), u(int), f(loat), c(omplex)."""

    def checked(arrays: list[Any]) -> list[Any]:
        promoted = promotion(arrays)
        for x in promoted:
            if hasattr(x, "dtype"):
                if x.dtype.kind not in kinds:
                    raise KindError(f"not implemented for {x.dtype}")
                break
        return promoted

    return checked


def promote_types(type1: Any, type2: Any) -> dtype:
    """The smallest dtype to which both can be promoted.

    Raises RuntimeError for other objects. Source: torch.promote_types.

    >>> torch.promote_types(torch.int64, torch.float16)
    torch.float16
    """
    return of(_join([of(type1).dtype, of(type2).dtype]))


def can_cast(from_: Any, to: Any) -> bool:
    """Whether PyTorch's promotion allows a cast: not to a lower category (complex, float, int, bool).

    Source: torch.can_cast.

    >>> torch.can_cast(torch.double, torch.float), torch.can_cast(torch.float, torch.int)
    (True, False)
    """
    return _CATEGORY[of(from_).dtype.kind] <= _CATEGORY[of(to).dtype.kind]
