"""Division: true, rounded, and what it leaves; common divisors and multiples."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import backend, dtypes
from ...dtypes.halves import convert
from ...dtypes.number_kinds import HALF, by_forward, wide
from ...errors import ArgumentError
from ...function import Function
from ...stand_ins import Operand, Tensor
from ..blocks import in_blocks
from ..out import into
from .comparison import non_differentiable
from .operands import require_one_tensor, require_tensor, require_tensors, wrap_scalars


class Div(Function):
    """a / b, broadcast; integers give the default floating dtype."""

    symbol, numpy, promote = "÷", np.true_divide, dtypes.promote_floating
    exact = True

    def forward(self, a, b):
        return a / b

    def grad_a(self, grad, b):
        return grad / b

    def grad_b(self, grad, a, b):
        return -grad * (a / b) / b


def div(input: Operand, other: Operand, *, rounding_mode: str | None = None, out: Tensor | None = None) -> Tensor:
    """input / other, broadcast; integers give floating-point numbers. Source: torch.div.

    rounding_mode "trunc" rounds towards 0 and "floor" down; both keep integers, and have the derivative 0.

    >>> torch.div(torch.tensor([1, 2]), 4)
    tensor([0.2500, 0.5000])
    >>> torch.div(torch.tensor([-7, 7]), 2, rounding_mode="trunc")
    tensor([-3,  3])
    """
    if rounding_mode is None:
        result: Tensor = Div.apply(*wrap_scalars(input, other))
        return result if out is None else into(out, result)
    return into(out, div_class(rounding_mode).apply(*wrap_scalars(input, other)))


def div_class(rounding_mode: str | None) -> type[Function]:
    """The division that rounds so. Raises RuntimeError where there is none."""
    if rounding_mode not in (None, "trunc", "floor"):
        raise ArgumentError(
            f"div: expected rounding_mode to be one of None, 'trunc', or 'floor', but found {rounding_mode!r}"
        )
    return Div if rounding_mode is None else FloorDiv if rounding_mode == "floor" else TruncDiv


_REAL = dtypes.only("iuf").__func__


def _divisible(arrays: Any) -> Any:
    """Promotion of integer division, which the CPU refuses by zero; a GPU is not asked, which would have to wait."""
    arrays = _REAL(arrays)
    whole = all(getattr(x, "dtype", np.dtype(type(x))).kind in "biu" for x in arrays)
    nothing = any(getattr(x, "size", 1) == 0 for x in arrays)
    if whole and not nothing and not backend.is_gpu(arrays[1]) and not np.all(arrays[1]):
        raise ArgumentError("ZeroDivisionError: integers can't be divided by zero")
    return arrays


class RoundedDiv(Function):
    """a / b rounded to whole numbers, broadcast: constant but for its jumps."""

    promote = staticmethod(_divisible)
    exact = narrow = True
    write = by_forward

    def grad_a(self, grad):
        return np.zeros_like(grad)

    def grad_b(self, grad):
        return np.zeros_like(grad)


def _of_halves(quotient: Any) -> Any:
    """Between arrays of float16 each step is rounded to it, as in PyTorch; what one divides is computed in float32."""

    def forward(self, a, b):
        if np.result_type(a, b) == HALF and np.size(b) == 1:
            return convert(quotient(self, wide(a), wide(b)), HALF)
        return quotient(self, a, b)

    return forward


class FloorDiv(RoundedDiv):
    """a / b rounded down, broadcast."""

    symbol, numpy = "⌊÷⌋", np.floor_divide

    @_of_halves
    def forward(self, a, b):
        def whole(a: Any, b: Any, quotients: Any) -> Any:
            return np.floor(quotients, out=quotients)

        if np.result_type(a, b) == HALF:
            return _floor_by_steps(a, b)
        return _by_quotients(np.floor_divide, a, b, f=whole, d=lambda *given: _floored(*given)[0])


def _rounded(x: Any) -> Any:
    """Numbers rounded to float16, as float32: NumPy's own steps in float16 take thrice as long."""
    return wide(convert(x, HALF)) if hasattr(x, "dtype") else float(HALF.type(x))


def _floor_by_steps(a: Any, b: Any) -> Any:
    """What is left of a / b rounded down where each step is rounded to float16: PyTorch's way from the rest."""
    a, b = _rounded(a), _rounded(b)
    ratio, rest = _rounded(a / b), np.fmod(a, b)
    whole = _rounded(_rounded(a - rest) / b)
    whole = _rounded(whole - ((rest != 0) & ((b < 0) != (rest < 0))))
    down = np.floor(whole)
    down = down + (_rounded(whole - down) > 0.5)
    return convert(np.where(b == 0, ratio, np.where(whole == 0, ratio * 0, down)), HALF)


def _by_quotients(plain: Any, a: Any, b: Any, many: int = 5000, **formulas: Any) -> Any:
    """plain(a, b); of many numbers of float32 ("f") or float64 ("d") formula(a, b, a / b) in float64.

    NumPy's own functions take 5 to 10 times as long: they find the rest first, number by number. Of that PyTorch makes
    the quotient, in float32, so that from 2²² on it isn't always the whole part of a / b.
    """
    kind = np.result_type(a, b).char
    if kind not in formulas or max(np.size(a), np.size(b)) < many or backend.is_gpu(a):
        return plain(a, b)

    def block(a: Any, b: Any) -> Any:
        wide, by = a.astype(np.float64, copy=False), b.astype(np.float64, copy=False)
        quotients = wide / by
        largest = max(quotients.max(), -quotients.min())
        return formulas[kind](wide, by, quotients) if largest < 1 << 22 else plain(a, b)

    return in_blocks(block, a, b)


def _floored(a: Any, b: Any, quotients: Any) -> tuple[Any, Any]:
    """⌊a / b⌋ and a - b · ⌊a / b⌋ of float64 numbers: exact, though a quotient may be rounded up to a whole number.

    That has 22 bits, and either half of b no more than 27, so that their products are exact: where they are in range.
    """
    sizes = abs(b)
    if not (sizes.min() > 1e-280 and sizes.max() < 1e280):
        return np.floor_divide(a, b), _remainder(a, b)
    whole = np.floor(quotients, out=quotients)
    product = b * whole
    stretched = b * (2.0**27 + 1)
    high = stretched - (stretched - b)
    lost = high * whole
    lost -= product
    lost += np.subtract(b, high, out=high) * whole
    rest = np.subtract(a, product, out=product)
    rest -= lost
    beyond = (rest < 0) != (b < 0)
    beyond &= rest != 0
    if beyond.any():
        whole[beyond] -= 1
        rest[beyond] += b[beyond]
    return whole, _signed(rest, a)


def _signed(rest: Any, a: Any) -> Any:
    """The rest; what is 0 has a's sign."""
    zero = rest == 0
    if zero.any():
        rest[zero] = np.copysign(0, a[zero])
    return rest


class TruncDiv(RoundedDiv):
    """a / b rounded towards 0, broadcast."""

    symbol, elementwise = "trunc(÷)", True

    @_of_halves
    def forward(self, a, b):
        if np.result_type(a, b).kind == "f":
            return np.trunc(a / b)
        return (a - np.fmod(a, b)) // b


def floor_divide(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input / other rounded down, broadcast; the derivative is 0. Source: torch.floor_divide.

    >>> torch.floor_divide(torch.tensor([-7, 7]), 2)
    tensor([-4,  3])
    """
    return into(out, FloorDiv.apply(*wrap_scalars(input, other)))


class Remainder(Function):
    """a - b · ⌊a / b⌋: what division leaves, with the sign of b."""

    symbol, numpy, promote, write = "mod", np.remainder, staticmethod(_divisible), by_forward

    def forward(self, a, b):
        def rest(a: Any, b: Any, quotients: Any) -> Any:
            return _signed(a - b * np.floor(quotients, out=quotients), a)

        return _by_quotients(_remainder, a, b, f=rest, d=lambda *given: _floored(*given)[1])

    def grad_a(self, grad):
        return grad

    def grad_b(self, grad, a, b):
        return -grad * FloorDiv.apply(a, b)


def _remainder(a: Any, b: Any) -> Any:
    out = np.remainder(a, b)
    return np.where(out == 0, np.copysign(out, a), out) if out.dtype.kind == "f" else out  # as `_signed`


def remainder(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input modulo other, with the sign of other, as Python's %. Source: torch.remainder.

    >>> torch.remainder(torch.tensor([-3.0, 5.5]), 2)
    tensor([1.0000, 1.5000])
    """
    return into(out, Remainder.apply(*require_one_tensor("remainder", input, other)))


class Fmod(Function):
    """a - b · trunc(a / b): what division leaves, with the sign of a."""

    symbol, numpy, promote = "fmod", np.fmod, staticmethod(_divisible)

    def forward(self, a, b):
        def rest(a: Any, b: Any, quotients: Any) -> Any:
            return _signed(a - b * np.trunc(quotients, out=quotients), a)

        return _by_quotients(np.fmod, a, b, 1 << 15, f=rest)

    def grad_a(self, grad):
        return grad

    def grad_b(self, grad, a, b):
        return -grad * np.trunc(a / b)


def fmod(input: Tensor, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input modulo other, with the sign of input, as C's fmod. Source: torch.fmod.

    >>> torch.fmod(torch.tensor([-3.0, 5.5]), 2)
    tensor([-1.0000,  1.5000])
    """
    return into(out, Fmod.apply(require_tensor("fmod", input), other))


Gcd: type[Function] = non_differentiable("Gcd", "gcd", np.gcd, "iu", __name__)
Lcm: type[Function] = non_differentiable("Lcm", "lcm", np.lcm, "iu", __name__)


def gcd(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The greatest common divisor of integers, broadcast. Source: torch.gcd.

    >>> torch.gcd(torch.tensor([12, 5]), torch.tensor([18, 10]))
    tensor([6, 5])
    """
    return into(out, Gcd.apply(*require_tensors("gcd", input, other)))


def lcm(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The least common multiple of integers, broadcast. Source: torch.lcm.

    >>> torch.lcm(torch.tensor([4, 5]), torch.tensor([6, 10]))
    tensor([12, 10])
    """
    return into(out, Lcm.apply(*require_tensors("lcm", input, other)))


divide, true_divide = div, div
