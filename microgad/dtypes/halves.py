"""float32 to float16 and back, in integer arithmetic on their bits: NumPy converts a number at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

_HALF, _SINGLE = np.dtype("float16"), np.dtype("float32")
_FEW = 1 << 13  # elements, which NumPy converts as fast
_PIECE = 1 << 16  # what stays in the cache, and what one inf or NaN leaves to NumPy


def convert(x: Any, to: Any, order: Any = "K") -> Any:
    """`x.astype(to, order)`, the same bits.

    >>> convert(np.full(10000, 1 / 3, np.float32), np.dtype("float16"))[-1]
    np.float16(0.3333)
    """
    way = None
    if type(x) is np.ndarray and x.size > _FEW:
        way = _to_half if to == _HALF and x.dtype == _SINGLE else None
        way = _to_single if to == _SINGLE and x.dtype == _HALF else way
    if way is None or not (x.flags.c_contiguous or (order == "K" and x.flags.f_contiguous)):
        return x.astype(to, order)
    out = np.empty_like(x, to)
    source, target = x.reshape(-1, order="A"), out.reshape(-1, order="A")
    for i in range(0, x.size, _PIECE):
        way(source[i : i + _PIECE], target[i : i + _PIECE])
    return out


def _to_half(x: Any, out: Any) -> None:
    """To |x|, at least 2ᵉ, is added 2ᵉ⁺¹³, so that it is rounded, half to even, to a multiple of 2ᵉ⁻¹⁰.

    How many of these there are stands in the sum's last bits, to which is added (e + 14)·2¹⁰, float16's exponent. Below
    2⁻¹⁴ float16 has equal steps: there e is -14.
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


def _to_single(x: Any, out: Any) -> None:
    """float16's bits, moved to where float32 has them, are the number by 2⁻¹¹²: exponents count from -15 and -127."""
    bits = out.view(np.int32)
    np.copyto(bits, x.view(np.int16))
    bits <<= 13
    bits &= ~0x70000000  # copies of the sign
    out *= 2.0**112
    if not (out.max() < 65536 and out.min() > -65536):  # inf or NaN
        out[...] = x
