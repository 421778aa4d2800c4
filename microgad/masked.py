"""torch.masked: reductions, scans and normalizations of the elements that a mask selects.

An element is selected where `mask` is nonzero; None selects all. The mask is broadcast to the shape of `input`, and may
not have more dimensions. Masked-out elements are filled with the neutral element of the operation: 0 in a sum, -∞ in a
maximum, or the least integer of an integer dtype. A slice without selected elements has the neutral element as result;
its mean, variance and median are NaN. A mask of more dimensions raises IndexError, one that doesn't broadcast
RuntimeError. Apart from that each function takes the dtypes, and raises the errors, of torch's function of its name.

MaskedTensor, a prototype in PyTorch, exists only so that libraries can ask whether a Tensor is one; none can be made.
"""

from __future__ import annotations

import math
import sys
from typing import Any

from . import dtypes
from .dtypes import limits
from .errors import ArgumentError, CallError, DimError, KindError, UnsupportedError
from .lazy import define_getattr as _define_getattr
from .ops.creation import ones
from .ops.elementwise import clamp, sqrt, where
from .ops.elementwise import logaddexp as _logaddexp
from .ops.linalg import vector_norm
from .ops.movement import broadcast_to
from .ops.reduction.axes import Dim, axes
from .state import composite
from .type_aliases import Dtype, Tensor

__all__ = [
    "MaskedTensor", "amax", "amin", "argmax", "argmin", "as_masked_tensor", "cumprod", "cumsum", "is_masked_tensor",
    "log_softmax", "logaddexp", "logsumexp", "masked_tensor", "mean", "median", "norm", "normalize", "prod", "softmax",
    "softmin", "std", "sum", "var",
]  # fmt: skip


def _expanded_mask(input: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mask as booleans, broadcast to the input's shape without a copy."""
    if mask is None:
        return broadcast_to(ones((), dtype=dtypes.bool_, device=input.device), input.shape)
    if mask.ndim > input.ndim:
        raise DimError(f"mask: may not have more dimensions than input, got {tuple(mask.shape)}, {tuple(input.shape)}")
    return broadcast_to(mask.to(dtypes.bool_), input.shape)


def _fill_masked(input: Tensor, mask: Tensor | None, value: float) -> Tensor:
    """Fill masked-out elements with `value`; for integers ±∞ stands for the largest or smallest number of the dtype."""
    integer = not (input.is_floating_point() or input.is_complex())
    if mask is None:
        return input
    if integer and math.isinf(value):
        if input.dtype == dtypes.bool_:
            raise KindError("torch.masked: booleans have no least or largest number to be filled with; convert input")
        value = limits.iinfo(input.dtype).max if value > 0 else limits.iinfo(input.dtype).min
    return where(_expanded_mask(input, mask), input, value)


@composite
def sum(
    input: Tensor, dim: Dim = None, *, keepdim: bool | None = False, dtype: Dtype = None, mask: Tensor | None = None
) -> Tensor:
    """Sum selected elements over dim: one dimension, several or all; no elements give 0.

    Raises IndexError for a dim out of range. Source: torch.masked.sum.

    >>> torch.masked.sum(torch.tensor([[1, 2], [3, 4]]), 1, mask=torch.tensor([True, False]))
    tensor([1, 3])
    """
    return _fill_masked(input, mask, 0).sum(dim, bool(keepdim), dtype=dtype)


@composite
def prod(
    input: Tensor, dim: Dim = None, *, keepdim: bool | None = False, dtype: Dtype = None, mask: Tensor | None = None
) -> Tensor:
    """Multiply selected elements over dim, one, several or all; no elements give 1.

    Raises IndexError for a dim out of range. Source: torch.masked.prod.

    >>> torch.masked.prod(torch.tensor([[1, 2], [3, 4]]), mask=torch.tensor([[True, False], [True, True]]))
    tensor(12)
    """
    x, axis = _fill_masked(input, mask, 1), axes(dim, input.ndim, "masked.prod")
    if axis is None:
        whole = x.prod(dtype=dtype)
        return whole.reshape([1] * x.ndim) if keepdim else whole
    for one in sorted(axis, reverse=True) if isinstance(axis, tuple) else [axis]:
        x = x.prod(one, bool(keepdim), dtype=dtype)
    return x


@composite
def amax(
    input: Tensor, dim: Dim = None, *, keepdim: bool | None = False, dtype: Dtype = None, mask: Tensor | None = None
) -> Tensor:
    """Return the largest selected element over dim, one, several or all.

    Raises RuntimeError for booleans with a mask, IndexError for a dim out of range. Source: torch.masked.amax.

    >>> torch.masked.amax(torch.tensor([[1.0, 5.0], [3.0, 4.0]]), 1, mask=torch.tensor([[True, False], [False, False]]))
    tensor([1., -inf])
    """
    return _fill_masked(input, mask, -math.inf).amax(dim, bool(keepdim)).to(dtype or input.dtype)


@composite
def amin(
    input: Tensor, dim: Dim = None, *, keepdim: bool | None = False, dtype: Dtype = None, mask: Tensor | None = None
) -> Tensor:
    """Return the smallest selected element over dim, one, several or all.

    Raises RuntimeError for booleans with a mask, IndexError for a dim out of range. Source: torch.masked.amin.

    >>> torch.masked.amin(torch.tensor([[1.0, 5.0], [3.0, 4.0]]), 1, mask=torch.tensor([[True, False], [False, False]]))
    tensor([1., inf])
    """
    return _fill_masked(input, mask, math.inf).amin(dim, bool(keepdim)).to(dtype or input.dtype)


@composite
def argmax(
    input: Tensor, dim: int | None = None, *, keepdim: bool | None = False, dtype: Dtype = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return the index of the largest selected element along dim; None flattens input.

    As in PyTorch the index has the input's dtype. Raises RuntimeError for booleans with a mask, IndexError for a dim
    out of range. Source: torch.masked.argmax.

    >>> torch.masked.argmax(torch.tensor([1.0, 5.0, 3.0]), 0, mask=torch.tensor([True, False, True]))
    tensor(2.)
    """
    return _fill_masked(input, mask, -math.inf).argmax(dim, bool(keepdim)).to(dtype or input.dtype)


@composite
def argmin(
    input: Tensor, dim: int | None = None, *, keepdim: bool | None = False, dtype: Dtype = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return the index of the smallest selected element along dim; None flattens input.

    As in PyTorch the index has the input's dtype. Raises RuntimeError for booleans with a mask, IndexError for a dim
    out of range. Source: torch.masked.argmin.

    >>> torch.masked.argmin(torch.tensor([1.0, 5.0, 3.0]), 0, mask=torch.tensor([True, False, True]))
    tensor(0.)
    """
    return _fill_masked(input, mask, math.inf).argmin(dim, bool(keepdim)).to(dtype or input.dtype)


@composite
def mean(
    input: Tensor, dim: Dim = None, *, keepdim: bool | None = False, dtype: Dtype = None, mask: Tensor | None = None
) -> Tensor:
    """Return the mean of selected elements over dim, one, several or all. Source: torch.masked.mean.

    Raises ValueError if the result's dtype is neither floating-point nor complex.

    >>> torch.masked.mean(torch.tensor([[1.0, 5.0], [3.0, 4.0]]), 1, mask=torch.tensor([[True, True], [False, False]]))
    tensor([3., nan])
    """
    of = dtypes.of(dtype or input.dtype)
    if not (of.is_floating_point or of.is_complex):
        raise ArgumentError(f"masked.mean: the result must be floating-point or complex, got {of}; give dtype=")
    return sum(input, dim, keepdim=keepdim, dtype=dtype, mask=mask) / _count(input, mask, dim, keepdim)


def _count(input: Tensor, mask: Tensor | None, dim: Dim, keepdim: bool | None) -> Tensor:
    return _expanded_mask(input, mask).sum(dim, bool(keepdim))


@composite
def median(
    input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: Dtype = None, mask: Tensor | None = None
) -> Tensor:
    """Return the median along dim, the lower of two, of selected elements that aren't NaN.

    Integers are computed in float32, and the result is converted to dtype. A slice of integers without selected
    elements raises ValueError. Raises IndexError for a dim out of range. Source: torch.masked.median.

    >>> torch.masked.median(torch.tensor([1.0, 5.0, 3.0]), mask=torch.tensor([False, True, True]))
    tensor(3.)
    """
    exact = not input.is_floating_point()
    x = input.to(dtypes.float32) if exact else input
    found = _fill_masked(x, mask, math.nan).nanmedian(dim, keepdim).values
    if not exact:
        return found
    if found.isnan().any():
        raise ArgumentError(f"masked.median: a slice of input, {input.dtype}, is left out whole: NaN is its median")
    return found.to(dtype or input.dtype)


@composite
def logsumexp(
    input: Tensor, dim: Dim = None, *, keepdim: bool | None = False, dtype: Dtype = None, mask: Tensor | None = None
) -> Tensor:
    """Compute log Σ exp(input) of selected elements over dim, one, several or all.

    Raises RuntimeError for booleans with a mask, IndexError for a dim out of range. Source: torch.masked.logsumexp.

    >>> torch.masked.logsumexp(torch.zeros(2, 2), 1, mask=torch.tensor([[True, False], [False, False]]))
    tensor([0., -inf])
    """
    every = tuple(range(input.ndim)) if dim is None else dim
    return _fill_masked(input, mask, -math.inf).logsumexp(every, bool(keepdim)).to(dtype or input.dtype)


@composite
def logaddexp(
    input: Tensor, other: Tensor, *, dtype: Dtype = None, input_mask: Tensor | None = None,
    other_mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Compute log(exp(input) + exp(other)), each with a mask of its own.

    Raises RuntimeError for booleans with a mask. Source: torch.masked.logaddexp.

    >>> input, other = torch.tensor([0.0, 0.0]), torch.tensor([0.0, 3.0])
    >>> torch.masked.logaddexp(input, other, other_mask=torch.tensor([True, False]))
    tensor([0.6931, 0.0000])
    """
    x, y = _fill_masked(input, input_mask, -math.inf), _fill_masked(other, other_mask, -math.inf)
    return _logaddexp(x, y).to(dtype or input.dtype)


@composite
def norm(
    input: Tensor, ord: float | None = 2.0, dim: Dim = None, *, keepdim: bool | None = False, dtype: Dtype = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Compute the vector norm of selected elements over dim, one, several or all.

    `ord` is any order that `linalg.vector_norm` takes. Raises RuntimeError for integers, IndexError for a dim out of
    range. Source: torch.masked.norm.

    >>> torch.masked.norm(torch.tensor([3.0, 4.0, 9.0]), 2, 0, mask=torch.tensor([True, True, False]))
    tensor(5.)
    """
    x = _fill_masked(input, mask, math.inf if ord == -math.inf else 0)
    return vector_norm(x, ord, dim, bool(keepdim), dtype=dtype or input.dtype)  # type: ignore[arg-type]


@composite
def var(
    input: Tensor, dim: Dim = None, unbiased: bool | None = None, *, correction: float | None = None,
    keepdim: bool | None = False, dtype: Dtype = None, mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Compute the variance of selected elements over dim, one, several or all. Source: torch.masked.var.

    It is Σ |x - mean|² / (n - correction) for n selected elements. The correction is 1 by default, and 0 with
    unbiased=False; giving both arguments raises AssertionError, booleans RuntimeError. Integers give float32.

    >>> torch.masked.var(torch.tensor([1.0, 5.0, 9.0]), 0, mask=torch.tensor([True, True, False]))
    tensor(8.)
    """
    if unbiased is not None and correction is not None:
        raise CallError("masked.var: Only one of unbiased and correction may be given")
    delta = float(correction if correction is not None else unbiased is not False)
    of = dtypes.of(dtype or input.dtype)
    of = of if of.is_floating_point or of.is_complex else dtypes.float32
    center = sum(input, dim, keepdim=True, dtype=of, mask=mask) / _count(input, mask, dim, True)
    deviation = _fill_masked(input - center, mask, 0)
    total = (deviation * deviation.conj()).sum(dim, bool(keepdim), dtype=of)
    found = total / clamp(_count(input, mask, dim, keepdim).to(of.to_real()) - delta, min=0)
    return found if dtype is None else found.to(dtype)


def std(
    input: Tensor, dim: Dim = None, unbiased: bool | None = None, *, correction: int | None = None,
    keepdim: bool | None = False, dtype: Dtype = None, mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Compute the standard deviation, the square root of `var`. Source: torch.masked.std.

    >>> torch.masked.std(torch.tensor([1.0, 3.0, 9.0]), 0, False, mask=torch.tensor([True, True, False]))
    tensor(1.)
    """
    return sqrt(var(input, dim, unbiased, correction=correction, keepdim=keepdim, dtype=dtype, mask=mask))


@composite
def cumsum(input: Tensor, dim: int, *, dtype: Dtype = None, mask: Tensor | None = None) -> Tensor:
    """Compute the cumulative sum of selected elements along dim, in their dtype.

    Raises IndexError for a dim out of range. Source: torch.masked.cumsum.

    >>> torch.masked.cumsum(torch.tensor([1.0, 5.0, 3.0]), 0, mask=torch.tensor([True, False, True]))
    tensor([1., 1., 4.])
    """
    return _fill_masked(input, mask, 0).cumsum(dim, dtype=dtype or input.dtype)


@composite
def cumprod(input: Tensor, dim: int, *, dtype: Dtype = None, mask: Tensor | None = None) -> Tensor:
    """Compute the cumulative product of selected elements along dim, in their dtype.

    Raises IndexError for a dim out of range. Source: torch.masked.cumprod.

    >>> torch.masked.cumprod(torch.tensor([1.0, 5.0, 3.0]), 0, mask=torch.tensor([True, False, True]))
    tensor([1., 1., 3.])
    """
    return _fill_masked(input, mask, 1).cumprod(dim, dtype=dtype or input.dtype)


@composite
def softmax(input: Tensor, dim: int, *, dtype: Dtype = None, mask: Tensor | None = None) -> Tensor:
    """Compute exp(x) / Σ exp(x) along dim, of selected elements.

    Raises RuntimeError for booleans with a mask, IndexError for a dim out of range. Source: torch.masked.softmax.

    >>> torch.masked.softmax(torch.tensor([1.0, 5.0, 3.0]), 0, mask=torch.tensor([True, False, True]))
    tensor([0.1192, 0.0000, 0.8808])
    """
    return _fill_masked(input, mask, -math.inf).softmax(dim, dtype=dtype)


@composite
def log_softmax(input: Tensor, dim: int, *, dtype: Dtype = None, mask: Tensor | None = None) -> Tensor:
    """Compute x - log Σ exp(x) along dim, of selected elements.

    Raises RuntimeError for booleans with a mask, IndexError for a dim out of range. Source: torch.masked.log_softmax.

    >>> torch.masked.log_softmax(torch.tensor([1.0, 5.0, 3.0]), 0, mask=torch.tensor([True, False, True]))
    tensor([-2.1269,    -inf, -0.1269])
    """
    return _fill_masked(input, mask, -math.inf).log_softmax(dim, dtype=dtype)


@composite
def softmin(input: Tensor, dim: int, *, dtype: Dtype = None, mask: Tensor | None = None) -> Tensor:
    """Compute exp(-x) / Σ exp(-x) along dim, of selected elements.

    Raises RuntimeError for booleans with a mask, IndexError for a dim out of range. Source: torch.masked.softmin.

    >>> torch.masked.softmin(torch.tensor([1.0, 5.0, 3.0]), 0, mask=torch.tensor([True, False, True]))
    tensor([0.8808, 0.0000, 0.1192])
    """
    return (-_fill_masked(input, mask, math.inf)).softmax(dim, dtype=dtype)


@composite
def normalize(
    input: Tensor, ord: float, dim: int, *, eps: float = 1e-12, dtype: Dtype = None, mask: Tensor | None = None
) -> Tensor:
    """Divide selected elements by their `norm` along dim, or by eps if that is larger.

    Raises RuntimeError for integers, IndexError for a dim out of range. Source: torch.masked.normalize.

    >>> torch.masked.normalize(torch.tensor([3.0, 9.0, 4.0]), 2, 0, mask=torch.tensor([True, False, True]))
    tensor([0.6000, 0.0000, 0.8000])
    """
    size = norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    return _fill_masked(input, mask, 0) / clamp(size, min=eps)


class MaskedTensor:
    """A placeholder for PyTorch's prototype class: it has no instances, and making one raises NotImplementedError.

    Source: torch.masked.MaskedTensor.

    >>> isinstance(torch.ones(2), torch.masked.MaskedTensor)
    False
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        raise UnsupportedError(
            "MaskedTensor is a prototype, which microgad lacks: torch.masked's functions take a Tensor and a mask"
        )


masked_tensor = as_masked_tensor = MaskedTensor


def is_masked_tensor(obj: Any) -> bool:
    """Return False: no object is a MaskedTensor. Source: torch.masked.is_masked_tensor.

    >>> torch.masked.is_masked_tensor(torch.ones(2))
    False
    """
    return isinstance(obj, MaskedTensor)


# PyTorch defines the functions in torch.masked._ops, where the examples in its docs call them.
_ops = sys.modules[__name__]
_define_getattr(globals())
