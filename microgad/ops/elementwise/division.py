"""Division with and without rounding, remainders, and greatest common divisors."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ... import backend, dtypes
from ...dtypes.conversions import convert
from ...errors import ArgumentError, DtypeError, GraphError
from ...function import Function
from ...function.half import HALF, by_forward, wide
from ...type_aliases import Array, Operand, Tensor
from ..support import fast_numpy, layouts
from ..support.blocks import by_rows, in_blocks
from ..support.out import apply_into
from .comparison import non_differentiable
from .operands import require_one_tensor, require_tensor, require_tensors, wrap_scalars


class Div(Function):
    """a / b, broadcast; integers give the default floating dtype."""

    symbol, numpy, promote = "÷", np.true_divide, dtypes.promote_floating_exactly
    all_edges, large = True, by_rows(np.true_divide)
    exact_scalars = True

    def forward(self, a, b):
        return a / b

    def grad_a(self, grad, b):
        return grad / b

    def grad_b(self, grad, a, b):
        return -grad * (a / b / b)


def div(input: Operand, other: Operand, *, rounding_mode: str | None = None, out: Tensor | None = None) -> Tensor:
    """input / other, broadcast; integers give floating-point numbers. Source: torch.div.

    rounding_mode "trunc" rounds towards 0, and "floor" rounds down. Both keep integers, and their derivative is 0.
    Raises RuntimeError if the shapes don't broadcast.

    >>> torch.div(torch.tensor([1, 2]), 4)
    tensor([0.2500, 0.5000])
    >>> torch.div(torch.tensor([-7, 7]), 2, rounding_mode="trunc")
    tensor([-3,  3])
    """
    return apply_into(out, div_class(rounding_mode), *wrap_scalars(input, other))


def div_class(rounding_mode: str | None) -> type[Function]:
    """Return the Function for a rounding mode of `div`. Raises RuntimeError for an unknown mode."""
    if not isinstance(rounding_mode, (str, type(None))):
        raise DtypeError(f"div(): argument 'rounding_mode' must be str, not {type(rounding_mode).__name__}")
    if rounding_mode not in (None, "trunc", "floor"):
        raise ArgumentError(
            f"div: expected rounding_mode to be one of None, 'trunc', or 'floor', but found {rounding_mode!r}"
        )
    return Div if rounding_mode is None else FloorDiv if rounding_mode == "floor" else TruncDiv


_INTEGER = {"b", "i", "u", int, bool}  # kinds of arrays and types of numbers
_REAL, _REAL_EXACTLY = (dtypes.only("iuf", by) for by in (dtypes.promote, dtypes.promote_exactly))


def _promote_division(arrays: Any, promote: Any = _REAL) -> Any:
    """Promote the operands. Raises RuntimeError for integers divided by zero, unless they are on a GPU.

    Divisors on a GPU aren't checked, because that would mean waiting for the GPU.
    """
    arrays = promote(arrays)
    if all((x.dtype.kind if hasattr(x, "dtype") else type(x)) in _INTEGER for x in arrays):
        divisor = arrays[1]
        nonzero = divisor if type(divisor) is int else backend.is_gpu(divisor) or np.all(divisor)
        if not nonzero and all(np.size(x) for x in arrays):
            raise ArgumentError("ZeroDivisionError: integers can't be divided by zero")
    return arrays


class RoundedDiv(Function):
    """a / b rounded to whole numbers, broadcast. It is piecewise constant, so its derivatives are 0."""

    promote = staticmethod(partial(_promote_division, promote=_REAL_EXACTLY))
    exact_scalars = native_half = True
    write = by_forward

    def grad_a(self, grad):
        return layouts.zeros_like(grad)

    def grad_b(self, grad):
        return layouts.zeros_like(grad)


def _float32_for_one_divisor(forward: Any) -> Any:
    """Decorate `forward` so that float16 divided by a single number is computed in float32 and rounded once.

    PyTorch does the same. It rounds each step of a division of two float16 arrays.
    """

    def widened(self, a, b):
        if np.size(b) == 1 and HALF in (getattr(x, "dtype", None) for x in (a, b)):
            return convert(forward(self, wide(a), wide(b)), HALF)
        return forward(self, a, b)

    return widened


class FloorDiv(RoundedDiv):
    """a / b rounded down, broadcast."""

    symbol, operator, node_name, numpy = "⌊÷⌋", "div", "DivBackward2", np.floor_divide

    @_float32_for_one_divisor
    def forward(self, a, b):
        def floor(a: Array, b: Array, quotient: Array) -> Array:
            return np.floor(quotient, out=quotient)

        if np.result_type(a, b) == HALF:
            return convert(_floor_from_remainder(_float16(a), _float16(b), _float16), HALF)
        return _from_quotient(_floor_divide, a, b, f=floor, d=lambda *given: _floor_and_remainder(*given)[0])


class FloorDivide(FloorDiv):
    """a / b rounded down, as `floor_divide` and `//` compute it: PyTorch defines no derivative of these."""

    node_name = "NotImplemented"

    def grad_a(self, grad):
        raise GraphError(
            "derivative for aten::floor_divide is not implemented: it is 0 where it exists. "
            "div(a, b, rounding_mode='floor') has gradients of zeros"
        )

    grad_b = grad_a


def _float16(x: Array) -> Array:
    """Round to float16, but return float32, in which NumPy computes three times as fast."""
    return wide(convert(x, HALF)) if hasattr(x, "dtype") else float(HALF.type(x))


def _floor_divide(a: Array | float, b: Array | float) -> Array:
    """np.floor_divide, also on a GPU exact where a / b is rounded up to a whole number."""
    return _floor_from_remainder(a, b) if _is_rounded_by_cupy(a, b) else np.floor_divide(a, b)


def _is_rounded_by_cupy(a: Any, b: Any, kinds: str = "f") -> bool:
    """Whether these are floating-point numbers on a GPU, whose quotients CuPy rounds before it takes their floor."""
    return (backend.is_gpu(a) or backend.is_gpu(b)) and np.result_type(a, b).kind in kinds


def _floor_from_remainder(a: Any, b: Any, rounded: Any = lambda x: x) -> Array:
    """⌊a / b⌋ as PyTorch computes it, from the exact remainder. `rounded` rounds the result of each step."""
    ratio, mod = rounded(a / b), np.fmod(a, b)
    div = rounded(rounded(a - mod) / b)
    div = rounded(div - ((mod != 0) & ((b < 0) != (mod < 0))))
    floor = np.floor(div)
    floor = floor + (rounded(div - floor) > 0.5)
    return np.where(np.isnan(mod) & (b == 0), ratio, np.where(div == 0, ratio * 0, floor))


def _from_quotient(ufunc: Any, a: Array | float, b: Array | float, large: int = 5000, **formulas: Any) -> Array:
    """ufunc(a, b), which for large arrays is computed as formula(a, b, a / b) in float64.

    `formulas` has one for float32 ("f") and may have one for float64 ("d"). NumPy's ufuncs take 5 to 10 times as long,
    because they compute an exact remainder number by number. They are used for quotients from 2²² on: there PyTorch's
    float32 quotient, which is derived from the remainder, isn't always the whole part of a / b.
    """
    char = np.result_type(a, b).char
    if char not in formulas or fast_numpy.result_size(a, b) < large or backend.is_gpu(a) or backend.is_gpu(b):
        return ufunc(a, b)

    def block(a: Array, b: Array) -> Array:
        dividend, divisor = np.asarray(a, np.float64), np.asarray(b, np.float64)
        quotient = dividend / divisor
        largest = max(quotient.max(), -quotient.min())
        return formulas[char](dividend, divisor, quotient) if largest < 1 << 22 else ufunc(a, b)

    if char == "f" and type(b) in (int, float):  # which needn't be repeated for each number of a
        number = np.full((), b, np.float32)
        return in_blocks(lambda a: block(a, number), a)
    return in_blocks(block, a, b)


def _floor_and_remainder(a: Array, b: Array, quotient: Array) -> tuple[Array, Array]:
    """⌊a / b⌋ and a - b · ⌊a / b⌋ of float64 numbers, exact for |a / b| < 2²².

    The floor has at most 22 bits, and each half of b (Veltkamp's splitting) 27, so their products are exact unless they
    leave the range. A quotient that was rounded up to a whole number leaves a remainder of the wrong sign; both
    are corrected then.
    """
    sizes = abs(b)
    if not (sizes.min() > 1e-280 and sizes.max() < 1e280):
        return np.floor_divide(a, b), _remainder(a, b)
    floor = np.floor(quotient, out=quotient)
    product = b * floor
    stretched = b * (2.0**27 + 1)
    high = stretched - (stretched - b)
    error = high * floor  # b · floor - product, exactly
    error -= product
    error += np.subtract(b, high, out=high) * floor
    mod = np.subtract(a, product, out=product)
    mod -= error
    rounded_up = (mod < 0) != (b < 0)
    rounded_up &= mod != 0
    if rounded_up.any():
        floor[rounded_up] -= 1
        mod[rounded_up] += b[rounded_up]
    return floor, _with_sign_of_zero(mod, a)


def _with_sign_of_zero(mod: Array, a: Array) -> Array:
    """Give zeros of the remainder the sign of a, as PyTorch does."""
    zero = mod == 0
    if zero.any():
        mod[zero] = np.copysign(0, a[zero])
    return mod


class TruncDiv(RoundedDiv):
    """a / b rounded towards 0, broadcast."""

    symbol, operator, node_name, elementwise = "trunc(÷)", "div", "DivBackward2", True

    @_float32_for_one_divisor
    def forward(self, a, b):
        if np.result_type(a, b).kind == "f":
            return np.trunc(a / b)
        return (a - _fmod(a, b)) // b


def floor_divide(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input / other rounded down, broadcast; unlike `div` with rounding_mode="floor" it has no derivative.

    Raises RuntimeError if the shapes don't broadcast, for booleans and complex numbers, and in backward.
    Source: torch.floor_divide.

    >>> torch.floor_divide(torch.tensor([-7, 7]), 2)
    tensor([-4,  3])
    """
    return apply_into(out, FloorDivide, *wrap_scalars(input, other))


class Remainder(Function):
    """a - b · ⌊a / b⌋, the remainder with the sign of b."""

    symbol, numpy, promote, write = "mod", np.remainder, staticmethod(_promote_division), by_forward

    def forward(self, a, b):
        def mod(a: Array, b: Array, quotient: Array) -> Array:
            return _with_sign_of_zero(a - b * np.floor(quotient, out=quotient), a)

        return _from_quotient(_remainder, a, b, f=mod, d=lambda *given: _floor_and_remainder(*given)[1])

    def grad_a(self, grad):
        return grad

    def grad_b(self, grad, a, b):
        return -grad * FloorDiv.apply(a, b)


def _remainder(a: Any, b: Any) -> Array:
    if _is_rounded_by_cupy(a, b):
        out = np.fmod(a, b)
        out = np.where((out != 0) & ((b < 0) != (out < 0)), out + b, out)
    else:
        out = np.remainder(a, b)
    return np.where(out == 0, np.copysign(out, a), out) if out.dtype.kind == "f" else out  # as `_with_sign_of_zero`


def remainder(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input modulo other, with the sign of other, as Python's %.

    Raises RuntimeError if the shapes don't broadcast, and for booleans and complex numbers. Source: torch.remainder.

    >>> torch.remainder(torch.tensor([-3.0, 5.5]), 2)
    tensor([1.0000, 1.5000])
    """
    return apply_into(out, Remainder, *require_one_tensor("remainder", input, other))


class Fmod(Function):
    """a - b · trunc(a / b), the remainder with the sign of a."""

    symbol, numpy, promote = "fmod", np.fmod, staticmethod(_promote_division)

    def forward(self, a, b):
        def mod(a: Any, b: Any, quotient: Any) -> Any:
            return _with_sign_of_zero(a - b * np.trunc(quotient, out=quotient), a)

        return _from_quotient(_fmod, a, b, 1 << 15, f=mod)

    def write(self, out, a, b):
        (by_forward if backend.is_gpu(out) else Function.write)(self, out, a, b)  # CuPy's own isn't exact: see `_fmod`

    def grad_a(self, grad):
        return grad

    def grad_b(self, grad, a, b):
        return -grad * TruncDiv.apply(a, b)


def _fmod(a: Any, b: Any) -> Array:
    if not _is_rounded_by_cupy(a, b, "iu"):  # CuPy computes that of integers in float64
        return np.fmod(a, b)
    mod = np.remainder(a, b)
    return np.where((mod != 0) & ((a < 0) != (b < 0)), mod - b, mod)


def fmod(input: Tensor, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input modulo other, with the sign of input, as C's fmod.

    Raises RuntimeError if the shapes don't broadcast, and for booleans and complex numbers. Source: torch.fmod.

    >>> torch.fmod(torch.tensor([-3.0, 5.5]), 2)
    tensor([-1.0000,  1.5000])
    """
    return apply_into(out, Fmod, require_tensor("fmod", input), other)


Gcd: type[Function] = non_differentiable("Gcd", "gcd", np.gcd, "iu", __name__)


class Lcm(Function):
    """The least common multiple of a and b, broadcast. Where 32 or 64 bits overflow, it isn't negative, as in C."""

    symbol, numpy, promote, write = "lcm", np.lcm, dtypes.only("iu"), by_forward

    def forward(self, a, b):
        out = np.lcm(a, b)
        return np.absolute(out) if out.itemsize >= 4 else out


def gcd(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The greatest common divisor of integers, broadcast.

    Raises RuntimeError if the shapes don't broadcast, and for other dtypes. Source: torch.gcd.

    >>> torch.gcd(torch.tensor([12, 5]), torch.tensor([18, 10]))
    tensor([6, 5])
    """
    return apply_into(out, Gcd, *require_tensors("gcd", input, other))


def lcm(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The least common multiple of integers, broadcast.

    Raises RuntimeError if the shapes don't broadcast, and for other dtypes. Source: torch.lcm.

    >>> torch.lcm(torch.tensor([4, 5]), torch.tensor([6, 10]))
    tensor([12, 10])
    """
    return apply_into(out, Lcm, *require_tensors("lcm", input, other))


divide, true_divide = div, div
