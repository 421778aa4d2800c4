"""Operations that choose between values: maximum, minimum, clamp, relu, where."""

from __future__ import annotations

from typing import Any, overload

import numpy as np

from ... import backend, dtypes, function
from ...engine.transforms import transposes_tangent
from ...errors import ArgumentError, DtypeError
from ...errors.notices import once
from ...function import Function
from ...function.half import unless_converted
from ...function.naming import with_torch_name
from ...state import observed
from ...state.links import NO_LINKS
from ...type_aliases import Array, Operand, Tensor
from ..creation.scalars import checked_scalar
from ..support import fast_numpy, layouts
from ..support.blocks import arithmetic
from ..support.out import apply_into, into
from ..support.spelling import tensors_only
from .operands import require_tensor, require_tensors
from .selection_kernels import fast_maximum, fast_minimum, fast_select, fast_where


class Maximum(Function):
    """The larger of a and b, broadcast; at a tie each takes half of the gradient."""

    symbol, numpy, promote = "max", np.maximum, dtypes.only("biuf")

    def forward(self, a, b):
        return np.maximum(a, b)

    @staticmethod
    def large(a, b):
        number = _number(b, a)
        return arithmetic(np.maximum, a, b) if number is b else fast_maximum(number, a)

    def grad_a(self, grad, a, b):
        return _winner_gradient(grad, a < b, a == b)

    def grad_b(self, grad, a, b):
        return _winner_gradient(grad, b < a, a == b)


def maximum(input: Tensor, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The larger of input and other, broadcast; at a tie each takes half of the gradient.

    Raises RuntimeError if the shapes don't broadcast, and for complex numbers. Source: torch.maximum.

    >>> torch.maximum(torch.tensor([1.0, 4.0]), torch.tensor([3.0, 2.0]))
    tensor([3., 4.])
    """
    return apply_into(out, Maximum, *require_tensors("maximum", input, other))


class Minimum(Function):
    """The smaller of a and b, broadcast; at a tie each takes half of the gradient."""

    symbol, numpy, promote = "min", np.minimum, dtypes.only("biuf")

    def forward(self, a, b):
        return np.minimum(a, b)

    @staticmethod
    def large(a, b):
        number = _number(b, a)
        return arithmetic(np.minimum, a, b) if number is b else fast_minimum(number, a)

    grad_a, grad_b = Maximum.grad_b, Maximum.grad_a  # the loser of the maximum wins the minimum


def minimum(input: Tensor, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The smaller of input and other, broadcast; at a tie each takes half of the gradient.

    Raises RuntimeError if the shapes don't broadcast, and for complex numbers. Source: torch.minimum.

    >>> torch.minimum(torch.tensor([1.0, 4.0]), torch.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    return apply_into(out, Minimum, *require_tensors("minimum", input, other))


def _winner_gradient(grad: Array, lost: Array, tie: Array) -> Array:
    """The gradient, half of it at a tie, and 0 where the operand lost."""
    return Select.apply(np.logical_not(lost), Where.apply(tie, 0.5 * grad, grad))


class Fmax(Function):
    """The larger of a and b, broadcast, ignoring NaN if the other is a number; at a tie a takes the gradient."""

    symbol, numpy, promote = "fmax", np.fmax, dtypes.only("biuf")

    def forward(self, a, b):
        return np.fmax(a, b)

    def grad_a(self, grad, a, b):
        return layouts.in_rows(Select.apply((a >= b) | (b != b), grad))

    def grad_b(self, grad, a, b):
        return layouts.in_rows(Select.apply(np.logical_not((a >= b) | (b != b)), grad))


def fmax(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The larger of input and other, broadcast; if one is NaN, the other one.

    Raises RuntimeError if the shapes don't broadcast, and for complex numbers. Source: torch.fmax.

    >>> torch.fmax(torch.tensor([1.0, float("nan")]), torch.tensor([3.0, 2.0]))
    tensor([3., 2.])
    """
    return apply_into(out, Fmax, *require_tensors("fmax", input, other))


class Fmin(Function):
    """The smaller of a and b, broadcast, ignoring NaN if the other is a number; at a tie a takes the gradient."""

    symbol, numpy, promote = "fmin", np.fmin, dtypes.only("biuf")

    def forward(self, a, b):
        return np.fmin(a, b)

    def grad_a(self, grad, a, b):
        return layouts.in_rows(Select.apply((a <= b) | (b != b), grad))

    def grad_b(self, grad, a, b):
        return layouts.in_rows(Select.apply(np.logical_not((a <= b) | (b != b)), grad))


def fmin(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The smaller of input and other, broadcast; if one is NaN, the other one.

    Raises RuntimeError if the shapes don't broadcast, and for complex numbers. Source: torch.fmin.

    >>> torch.fmin(torch.tensor([1.0, float("nan")]), torch.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    return apply_into(out, Fmin, *require_tensors("fmin", input, other))


def _promote_bounds(arrays: list[Array | float | None]) -> list[Array | float | None]:
    """Promote the operands. Raises RuntimeError for a bound that would wrap or become infinite in the common dtype."""
    x, low, high = arrays
    small = all(b is None or (type(b) in (int, float) and -1e38 < b < 1e38) for b in (low, high))
    if small and getattr(x, "dtype", None) == np.float32:
        return arrays
    dtype = dtypes.result_dtype(arrays)
    return [checked_scalar("bound", x, dtype) if type(x) in (int, float) else x for x in dtypes.cast(arrays, dtype)]


class Clamp(Function):
    """x clipped to [low, high], either of which may be None. On the bounds x takes the gradient."""

    symbol, promote, elementwise = "clamp", dtypes.only("biuf", _promote_bounds), True
    saved_names = {"min": "low", "max": "high"}

    def forward(self, x, low, high):
        low, high = _number(low, x), _number(high, x)
        if high is None:
            return fast_maximum(low, x)
        if low is None:
            return fast_minimum(high, x)
        if isinstance(low, (int, float)) or isinstance(high, (int, float)):
            return _clipped(x, low, high)
        out = np.maximum(x, low)  # these two take a third of the time of x.clip
        return np.minimum(out, high, out=out if out.ndim and out.shape == high.shape else None)

    @unless_converted
    def write(self, out, x, low, high):
        if high is None:
            fast_maximum(low, x, out)
        elif low is None:
            fast_minimum(high, x, out)
        else:
            _clipped(x, low, high, out)

    def grad_x(self, grad, x, low, high):
        if low is None:
            return Select.apply(x <= high, grad)
        return Select.apply(x >= low if high is None else (x >= low) & (x <= high), grad)

    def grad_low(self, grad, x, low, high):
        return Select.apply((x < low) if high is None else (x < low) & (low < high), grad)

    def grad_high(self, grad, x, low, high):
        if low is None:
            return Select.apply(x > high, grad)
        return Select.apply((x > high) | (low > high) | ((low == high) & (x < high)), grad)


def clamp(
    input: Tensor, min: Operand | None = None, max: Operand | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Clip input to the interval [min, max].

    The bounds are numbers or Tensors that broadcast, and one of them may be None. Beside a number, a 0-dimensional
    Tensor counts as a number, too; other Tensors may stand there as well, which PyTorch doesn't take. Raises
    RuntimeError without bounds. Source: torch.clamp.

    >>> torch.clamp(torch.tensor([-2.0, 0.5, 3.0]), min=0, max=1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    input = require_tensor("clamp", input)
    if min is None and max is None:
        raise ArgumentError("clamp: At least one of 'min' or 'max' must not be None")
    below, above = isinstance(min, function.Tensor), isinstance(max, function.Tensor)
    if below is not above and min is not None and max is not None:
        min, max = (_as_number(x) if isinstance(x, function.Tensor) else x for x in (min, max))
    return apply_into(out, Clamp, input, min, max, exact="" if below or above else "clamp")


def _as_number(x: Tensor) -> Operand:
    """The number in a 0-dimensional Tensor that wants no gradient; other Tensors unchanged."""
    return x if x.ndim or x.node is not None else x.item()


def clamp_min(input: Tensor, min: Operand, *, out: Tensor | None = None) -> Tensor:
    """The larger of input and min.

    Raises RuntimeError if the shapes don't broadcast, and for complex numbers. Source: torch.clamp_min.

    >>> torch.clamp_min(torch.tensor([-2.0, 0.5]), 0)
    tensor([0.0000, 0.5000])
    """
    result = Clamp.apply(require_tensor("clamp_min", input), min, None)
    return into(out, with_torch_name(f"ClampMinBackward{int(hasattr(min, 'array'))}", result), operands=(input, min))


def clamp_max(input: Tensor, max: Operand, *, out: Tensor | None = None) -> Tensor:
    """The smaller of input and max.

    Raises RuntimeError if the shapes don't broadcast, and for complex numbers. Source: torch.clamp_max.

    >>> torch.clamp_max(torch.tensor([0.5, 3.0]), 1)
    tensor([0.5000, 1.0000])
    """
    result = Clamp.apply(require_tensor("clamp_max", input), None, max)
    return into(out, with_torch_name(f"ClampMaxBackward{int(hasattr(max, 'array'))}", result), operands=(input, max))


class RaisedCopy(Function):
    """The larger of x and `low`. Gradients pass as through a copy, also where x is smaller; tangents don't.

    PyTorch raises a copy in place under no_grad: backward doesn't see that, but forward mode does.
    """

    symbol, operator, promote, elementwise, constants = "max", "clone", dtypes.only("f", list), True, ("larger",)

    def forward(self, x):
        self.larger = x >= self.low
        return fast_maximum(self.low, x)

    def grad_x(self, grad, larger):
        return Select.apply(larger, grad) if transposes_tangent() else grad


class Flat(Function):
    """g, a derivative that is constant in x: its own derivative by x is 0, not absent, as in PyTorch."""

    symbol, operator, may_share = "flat", None, True

    @classmethod
    def apply(cls, g: Any, x: Any) -> Any:
        """As Function's, but not as a view of g, which a program that writes to the gradient has never seen."""
        flat = super().apply(g if g._links.base is None else np.copy(g), x)
        if flat.node is not None:
            flat._links = NO_LINKS
        return flat

    def forward(self, g, x):
        return g

    def grad_g(self, grad):
        return grad

    def grad_x(self, grad):
        return layouts.zeros_like(grad)


class Relu(Function):
    """max(x, 0)."""

    symbol, promote, zero_link, elementwise = "relu", dtypes.only("iuf", list), Flat, True

    def forward(self, x):
        return fast_maximum(0, x)

    @unless_converted
    def write(self, out, x):
        fast_maximum(0, x, out)

    def grad_x(self, grad, out):
        return Select.apply(out != 0, grad)  # where x is NaN the gradient passes, as in PyTorch


def relu(input: Tensor) -> Tensor:
    """max(input, 0); the derivative at 0 is 0. Source: torch.relu.

    >>> torch.relu(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return Relu.apply(input)


class NanToNum(Function):
    """x with numbers in place of NaN, ∞ and -∞, where the gradient is 0."""

    symbol, numpy = "nan_to_num", np.nan_to_num

    def forward(self, x):
        if not backend.is_gpu(x) and np.isfinite(x).all():
            return x.copy(layouts.copy_order(x))
        return np.nan_to_num(x, nan=self.nan, posinf=self.posinf, neginf=self.neginf)

    def grad_x(self, grad, x):
        return grad * np.isfinite(x)


@tensors_only
def nan_to_num(
    input: Tensor, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None = None, *,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Replace NaN, ∞ and -∞ by numbers, by default 0 and the dtype's limits. Source: torch.nan_to_num.

    >>> torch.nan_to_num(torch.tensor([float("nan"), float("inf"), 1.0]), posinf=9)
    tensor([0., 9., 1.])
    """
    if input.array.dtype.kind in "fc":  # the limits of float16, though it is computed in float32
        info = np.finfo(input.array.dtype)
        posinf = float(info.max) if posinf is None else posinf
        neginf = float(info.min) if neginf is None else neginf
    result = NanToNum.apply(input, nan=0.0 if nan is None else nan, posinf=posinf, neginf=neginf)
    return into(out, result, exact="nan_to_num")


def _number(bound: Array | float | None, x: Array) -> Array | float | None:
    """The number that a bound of no dimensions is, if that makes clipping a large x faster; else the bound itself."""
    if type(bound) is np.ndarray and bound.ndim == 0 and x.size >= 5000 and bound.dtype is x.dtype:
        return bound.item() if x.dtype.kind in "iuf" else bound
    return bound


def _clipped(x: Array, low: Array | float, high: Array | float, out: Array | None = None) -> Array:
    """x.clip(low, high), in which CuPy takes no notice of a bound of NaN."""
    if (type(low) is float and low != low) or (type(high) is float and high != high):
        return np.minimum(np.maximum(x, low), high, out=out)
    return x.clip(low, high, out=out)


class Where(Function):
    """a where the condition holds, b elsewhere; broadcast."""

    symbol, numpy, elementwise, native_half = "where", np.where, True, True
    all_edges = True

    @staticmethod
    def promote(arrays):
        condition, *values = arrays
        if hasattr(condition, "dtype") and condition.dtype != bool:
            if condition.dtype != np.uint8:
                raise DtypeError(f"expected condition to be a boolean tensor, but got dtype {condition.dtype}")
            condition = condition.astype(bool)
        if not any(hasattr(x, "dtype") for x in values):
            values[0] = backend.like(values[0], condition, dtypes.result_dtype(values))
        for x, other in (values, values[::-1]):
            if type(x) is int and hasattr(other, "dtype") and other.dtype.kind in "iu":
                checked_scalar("operand", x, other.dtype)
        return [condition, *dtypes.promote(values)]

    def forward(self, condition, a, b):
        return fast_where(condition, a, b)

    def grad_a(self, grad, condition):
        return Select.apply(condition, grad)

    def grad_b(self, grad, condition):
        return Select.apply(np.logical_not(condition), grad)


@overload
def where(condition: Tensor) -> tuple[Tensor, ...]: ...
@overload
def where(condition: Tensor, input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
@tensors_only
def where(
    condition: Tensor, input: Operand | None = None, other: Operand | None = None, *, out: Tensor | None = None
) -> Any:
    """input where the boolean condition holds, other elsewhere; all three broadcast.

    With the condition alone, return the indices where it holds, as `nonzero(condition, as_tuple=True)` does. Raises
    TypeError if only one of input and other is given, RuntimeError if the shapes don't broadcast. Source: torch.where.

    >>> x = torch.tensor([-1.0, 2.0])
    >>> torch.where(x > 0, x, 0.0)
    tensor([0., 2.])
    >>> torch.where(x > 0)
    (tensor([1]),)
    """
    if input is None or other is None:
        if input is not other:
            missing = "input" if input is None else "other"
            raise TypeError(f"where(): argument '{missing}' must be Tensor or Number, not NoneType")
        return indices_where(condition)
    if isinstance(condition, function.Tensor) and condition.array.dtype == np.uint8:
        once("where received a uint8 condition tensor, which is deprecated: use a boolean condition instead")
    return apply_into(out, Where, condition, input, other, exact="where")


@observed
def indices_where(condition: Any) -> tuple[Tensor, ...]:
    """Return the indices where a condition holds, one Tensor for each dim."""
    indices = fast_numpy.nonzero(np.atleast_1d(condition.array))
    return tuple(function.Tensor._wrap(layouts.contiguous(i)) for i in indices)


class Select(Function):
    """x where the mask holds, and 0 elsewhere, even where x is infinite: a product with the mask would be NaN."""

    symbol, operator, native_half = "select", "where", True

    def forward(self, mask, x):
        return fast_select(mask, x)

    def grad_x(self, grad, mask):
        return Select.apply(mask, grad)


def finite_at(mask: Array, grad: Array) -> Array:
    """grad, and 0 where the mask holds and grad isn't finite: a slope of 0 there must not make NaN of it.

    Other gradients pass, since the slope may have a derivative there.
    """
    if type(grad) is np.ndarray and np.isfinite(grad).all():
        return grad
    return Select.apply(np.logical_not(mask) | np.isfinite(grad), grad)


clip = clamp
