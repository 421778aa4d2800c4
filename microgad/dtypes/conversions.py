"""Conversions that NumPy does slowly or not at all: to float16 and back, by the bits, and of odd numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend.arrays import Array
from ..backend.axis_order import order_by, outermost_first
from ..backend.copies import in_axis_order

_PYTHON: tuple[Any, ...] = int, float, bool, complex
_LONG = {np.longdouble: float, np.clongdouble: complex}  # the item() of which is the same
_HALF, _SINGLE = np.dtype("float16"), np.dtype("float32")
_FEW = 1 << 13  # elements up to which NumPy is as fast
_PIECE = 1 << 16  # elements of a block, which stays in the cache; a block with an inf or NaN is left to NumPy


def convert(x: Array, to: Any, order: Any = "K") -> Array:
    """`x.astype(to, order)`, the same bits; float64 becomes float16 by way of float32, rounded twice as in PyTorch.

    >>> convert(np.full(10000, 1 / 3, np.float32), np.dtype("float16"))[-1]
    np.float16(0.3333)
    """
    if to == _HALF and x.dtype == np.float64:
        x = x.astype(_SINGLE, order)
    way = _way(x.dtype, to) if type(x) is np.ndarray and x.size > _FEW else None
    if way is None:
        return x.astype(to, order)
    if not x.flags.c_contiguous:
        if order == "C":
            return convert(x.copy("C"), to)
        if x.flags.f_contiguous:
            return convert(x.T, to).T
        return in_axis_order(lambda rows: convert(rows, to, "C"), x, outermost_first(x.strides))
    out = np.empty_like(x, to)
    source, target = x.reshape(-1), out.reshape(-1)
    for i in range(0, x.size, _PIECE):
        way(source[i : i + _PIECE], target[i : i + _PIECE])
    return out


def _way(source: Any, to: Any) -> Any:
    """Return the function that converts an array faster than NumPy, if there is one."""
    if to == _SINGLE:
        return _to_single if source == _HALF else None
    if to != _HALF:
        return None
    if source == _SINGLE:
        return _to_half
    return _bools_to_half if source.kind == "b" else _integers_to_half if source.kind in "iu" else None


def _integers_to_half(x: Array, out: Array) -> None:
    _to_half(x.astype(_SINGLE), out)  # exact up to 2²⁴; from 65520 on, all become inf


def _bools_to_half(x: Array, out: Array) -> None:
    np.multiply(x.view(np.uint8), 0x3C00, out=out.view(np.uint16), dtype=np.uint16)  # the bits of 1.0


def _to_half(x: Array, out: Array) -> None:
    """Round x to float16 by adding 2ᵉ⁺¹³ to |x|, where 2ᵉ ≤ |x| < 2ᵉ⁺¹.

    float32's own rounding, half to even, then leaves a multiple of 2ᵉ⁻¹⁰, which is float16's precision. The sum's last
    bits hold which multiple it is, and float16's exponent, (e + 14)·2¹⁰, is added to them. Below 2⁻¹⁴, where float16 is
    subnormal, e is -14.
    """
    size = np.abs(x)
    if not size.max() < 65520:  # inf, what becomes inf, or NaN
        out[...] = x
        return
    exponent = np.clip(size, 2.0**-14, 65520).view(np.int32)
    exponent &= 0x7F800000  # (e + 127)·2²³
    size += (exponent + ((13 << 23) + (15 << 10))).view(np.float32)  # modulo 2¹⁶ 15·2¹⁰ is (14 - 127)·2¹⁰
    exponent >>= 13
    exponent += size.view(np.int32)
    sign = x.view(np.int32) >> 16
    sign &= 0x8000
    exponent |= sign
    np.copyto(out.view(np.uint16), exponent, casting="unsafe")


def _to_single(x: Array, out: Array) -> None:
    """Move float16's bits to float32's places. The exponents' biases, 15 and 127, differ by 112: hence 2¹¹²."""
    bits = out.view(np.int32)
    np.copyto(bits, x.view(np.int16))
    bits <<= 13
    bits &= ~0x70000000  # copies of the sign
    out *= 2.0**112
    if not (out.max() < 65536 and out.min() > -65536):  # inf or NaN
        out[...] = x


def plain(x: Any) -> Any:
    """A number that NumPy doesn't take for Python's, of a subclass of int, float or complex or a longdouble, as one.

    Anything else is returned as it is.

    >>> class Half(float): ...
    >>> plain(Half(0.5)), plain(np.longdouble(2))
    (0.5, 2.0)
    """
    if type(x) in _PYTHON or hasattr(x, "dtype"):
        return _LONG[type(x)](x) if type(x) in _LONG else x
    return next((kind(x) for kind in _PYTHON if isinstance(x, kind)), x)


def operand(x: Any, to: Any) -> Any:
    """An array of another dtype converted to `to`, with the axis order of a copy; a number as `plain` returns it."""
    if not hasattr(x, "dtype"):
        return plain(x)
    if 0 not in x.strides:
        return convert(x, to)
    return in_axis_order(lambda rows: convert(rows, to, "C"), x, order_by(x.shape, x.strides))
