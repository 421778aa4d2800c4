"""Reductions, scans and normalizations of the elements that a mask keeps, under torch.masked's names.

`mask` is broadcast to the shape of `input`, may not have more dimensions, and keeps what isn't 0 in it; None keeps all.
What it leaves out is filled with the number that changes nothing: 0 in a sum, -∞ in a maximum, for integers the least
there is. Over a slice that is left out whole this number is the result, and of a mean, a variance or a median NaN.
Raises IndexError where the mask has more dimensions, RuntimeError where it doesn't broadcast; apart from that every
function takes the dtypes, and raises the errors, of the function of `torch` that has its name.

MaskedTensor, a prototype, is a name alone: libraries ask whether a Tensor is one; here none is, and none can be made.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from . import dtypes
from .dtypes import limits
from .errors import ArgumentError, CallError, DimError, KindError, UnsupportedError
from .lazy import define_getattr as _define_getattr
from .ops import reduction
from .ops import softmax as _softmax
from .ops.creation import ones
from .ops.elementwise import clamp, sqrt, where
from .ops.elementwise import logaddexp as _logaddexp
from .ops.linalg import vector_norm
from .ops.movement import broadcast_to
from .ops.reduction.axes import axes
from .state import composite

if TYPE_CHECKING:
    from .ops.reduction.axes import Dim
    from .tensor import Tensor
    from .type_aliases import Dtype

__all__ = [
    "MaskedTensor", "amax", "amin", "argmax", "argmin", "as_masked_tensor", "cumprod", "cumsum", "is_masked_tensor",
    "log_softmax", "logaddexp", "logsumexp", "masked_tensor", "mean", "median", "norm", "normalize", "prod", "softmax",
    "softmin", "std", "sum", "var",
]  # fmt: skip


def _expanded_mask(input: Tensor, mask: Tensor | None) -> Tensor:
    """The mask, as booleans of the input's shape, which take no memory where it repeats itself."""
    if mask is None:
        return broadcast_to(ones((), dtype=dtypes.bool_, device=input.device), input.shape)
    if mask.ndim > input.ndim:
        raise DimError(f"mask: may not have more dimensions than input, got {tuple(mask.shape)}, {tuple(input.shape)}")
    return broadcast_to(mask.to(dtypes.bool_), input.shape)


def _fill_masked(input: Tensor, mask: Tensor | None, value: float) -> Tensor:
    """The input, with `value` where the mask leaves out; of integers ±∞ is the largest or the least that there is."""
    whole = not (input.is_floating_point() or input.is_complex())
    if mask is None:
        return input
    if whole and math.isinf(value):
        if input.dtype == dtypes.bool_:
            raise KindError("torch.masked: booleans have no least or largest number to be filled with; convert input")
        value = limits.iinfo(input.dtype).max if value > 0 else limits.iinfo(input.dtype).min
    return where(_expanded_mask(input, mask), input, value)


@composite
def sum(
    input: Tensor, dim: Dim = None, *, keepdim: bool | None = False, dtype: Dtype = None, mask: Tensor | None = None
) -> Tensor:
    """The sum over dim, one, several or all, of what is kept; of nothing it is 0. Source: torch.masked.sum.

    >>> torch.masked.sum(torch.tensor([[1, 2], [3, 4]]), 1, mask=torch.tensor([True, False]))
    tensor([1, 3])
    """
    return reduction.sum(_fill_masked(input, mask, 0), dim, bool(keepdim), dtype=dtype)


@composite
def prod(
    input: Tensor, dim: Dim = None, *, keepdim: bool | None = False, dtype: Dtype = None, mask: Tensor | None = None
) -> Tensor:
    """The product over dim, one, several or all, of what is kept; of nothing it is 1. Source: torch.masked.prod.

    >>> torch.masked.prod(torch.tensor([[1, 2], [3, 4]]), mask=torch.tensor([[True, False], [True, True]]))
    tensor(12)
    """
    x, axis = _fill_masked(input, mask, 1), axes(dim, input.ndim, "masked.prod")
    for one in sorted(axis, reverse=True) if isinstance(axis, tuple) else [axis]:
        x = reduction.prod(x, one, bool(keepdim), dtype=dtype)
    return x


@composite
def amax(
    input: Tensor, dim: Dim = None, *, keepdim: bool | None = False, dtype: Dtype = None, mask: Tensor | None = None
) -> Tensor:
    """The largest over dim, one, several or all, of what is kept. Source: torch.masked.amax.

    >>> torch.masked.amax(torch.tensor([[1.0, 5.0], [3.0, 4.0]]), 1, mask=torch.tensor([[True, False], [False, False]]))
    tensor([1., -inf])
    """
    return reduction.amax(_fill_masked(input, mask, -math.inf), dim, bool(keepdim)).to(dtype or input.dtype)


@composite
def amin(
    input: Tensor, dim: Dim = None, *, keepdim: bool | None = False, dtype: Dtype = None, mask: Tensor | None = None
) -> Tensor:
    """The least over dim, one, several or all, of what is kept. Source: torch.masked.amin.

    >>> torch.masked.amin(torch.tensor([[1.0, 5.0], [3.0, 4.0]]), 1, mask=torch.tensor([[True, False], [False, False]]))
    tensor([1., inf])
    """
    return reduction.amin(_fill_masked(input, mask, math.inf), dim, bool(keepdim)).to(dtype or input.dtype)


@composite
def argmax(
    input: Tensor, dim: int | None = None, *, keepdim: bool | None = False, dtype: Dtype = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Where along dim, or in the flattened input, the largest that is kept is. Source: torch.masked.argmax.

    The index is a number of the input's dtype, as in PyTorch.

    >>> torch.masked.argmax(torch.tensor([1.0, 5.0, 3.0]), 0, mask=torch.tensor([True, False, True]))
    tensor(2.)
    """
    return reduction.argmax(_fill_masked(input, mask, -math.inf), dim, bool(keepdim)).to(dtype or input.dtype)


@composite
def argmin(
    input: Tensor, dim: int | None = None, *, keepdim: bool | None = False, dtype: Dtype = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Where along dim, or in the flattened input, the least that is kept is. Source: torch.masked.argmin.

    The index is a number of the input's dtype, as in PyTorch.

    >>> torch.masked.argmin(torch.tensor([1.0, 5.0, 3.0]), 0, mask=torch.tensor([True, False, True]))
    tensor(0.)
    """
    return reduction.argmin(_fill_masked(input, mask, math.inf), dim, bool(keepdim)).to(dtype or input.dtype)


@composite
def mean(
    input: Tensor, dim: Dim = None, *, keepdim: bool | None = False, dtype: Dtype = None, mask: Tensor | None = None
) -> Tensor:
    """The mean over dim, one, several or all, of what is kept. Source: torch.masked.mean.

    Raises ValueError where the result would be of integers.

    >>> torch.masked.mean(torch.tensor([[1.0, 5.0], [3.0, 4.0]]), 1, mask=torch.tensor([[True, True], [False, False]]))
    tensor([3., nan])
    """
    of = dtypes.of(dtype or input.dtype)
    if not (of.is_floating_point or of.is_complex):
        raise ArgumentError(f"masked.mean: the result must be floating-point or complex, got {of}; give dtype=")
    return sum(input, dim, keepdim=keepdim, dtype=dtype, mask=mask) / _count(input, mask, dim, keepdim)


def _count(input: Tensor, mask: Tensor | None, dim: Dim, keepdim: bool | None) -> Tensor:
    return reduction.sum(_expanded_mask(input, mask), dim, bool(keepdim))


@composite
def median(
    input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: Dtype = None, mask: Tensor | None = None
) -> Tensor:
    """The median along dim, the lower of two, of what is kept and not NaN. Source: torch.masked.median.

    Of integers it is converted to dtype; ValueError where there is none.

    >>> torch.masked.median(torch.tensor([1.0, 5.0, 3.0]), mask=torch.tensor([False, True, True]))
    tensor(3.)
    """
    exact = not input.is_floating_point()
    x = input.to(dtypes.float32) if exact else input
    found = reduction.nanmedian(_fill_masked(x, mask, math.nan), dim, keepdim).values
    if not exact:
        return found
    if found.isnan().any():
        raise ArgumentError(f"masked.median: a slice of input, {input.dtype}, is left out whole: NaN is its median")
    return found.to(dtype or input.dtype)


@composite
def logsumexp(
    input: Tensor, dim: Dim = None, *, keepdim: bool | None = False, dtype: Dtype = None, mask: Tensor | None = None
) -> Tensor:
    """log Σ exp(input) over dim, one, several or all, of what is kept. Source: torch.masked.logsumexp.

    >>> torch.masked.logsumexp(torch.zeros(2, 2), 1, mask=torch.tensor([[True, False], [False, False]]))
    tensor([0., -inf])
    """
    return _softmax.logsumexp(_fill_masked(input, mask, -math.inf), dim, bool(keepdim)).to(dtype or input.dtype)


@composite
def logaddexp(
    input: Tensor, other: Tensor, *, dtype: Dtype = None, input_mask: Tensor | None = None,
    other_mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """log(exp(input) + exp(other)), of each what its mask keeps. Source: torch.masked.logaddexp.

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
    """The vector norm over dim, one, several or all, of what is kept. Source: torch.masked.norm.

    ord is any that `linalg.vector_norm` takes.

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
    """The variance over dim, one, several or all, of what is kept. Source: torch.masked.var.

    It is Σ |x - mean|² by how many there are less the correction, which is 1, or 0 if not unbiased; to say both raises
    AssertionError. Integers give float32.

    >>> torch.masked.var(torch.tensor([1.0, 5.0, 9.0]), 0, mask=torch.tensor([True, True, False]))
    tensor(8.)
    """
    if unbiased is not None and correction is not None:
        raise CallError("masked.var: Only one of unbiased and correction may be given")
    less = float(correction if correction is not None else unbiased is not False)
    of = dtypes.of(dtype or input.dtype)
    of = of if of.is_floating_point or of.is_complex else dtypes.float32
    centre = sum(input, dim, keepdim=True, dtype=of, mask=mask) / _count(input, mask, dim, True)
    apart = _fill_masked(input - centre, mask, 0)
    total = reduction.sum(apart * apart.conj(), dim, bool(keepdim), dtype=of)
    found = total / clamp(_count(input, mask, dim, keepdim).to(of.to_real()) - less, min=0)
    return found if dtype is None else found.to(dtype)


def std(
    input: Tensor, dim: Dim = None, unbiased: bool | None = None, *, correction: int | None = None,
    keepdim: bool | None = False, dtype: Dtype = None, mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The square root of `var`, whose arguments it takes. Source: torch.masked.std.

    >>> torch.masked.std(torch.tensor([1.0, 3.0, 9.0]), 0, False, mask=torch.tensor([True, True, False]))
    tensor(1.)
    """
    return sqrt(var(input, dim, unbiased, correction=correction, keepdim=keepdim, dtype=dtype, mask=mask))


@composite
def cumsum(input: Tensor, dim: int, *, dtype: Dtype = None, mask: Tensor | None = None) -> Tensor:
    """The running sum along dim of what is kept, in the input's dtype. Source: torch.masked.cumsum.

    >>> torch.masked.cumsum(torch.tensor([1.0, 5.0, 3.0]), 0, mask=torch.tensor([True, False, True]))
    tensor([1., 1., 4.])
    """
    return reduction.cumsum(_fill_masked(input, mask, 0), dim, dtype=dtype or input.dtype)


@composite
def cumprod(input: Tensor, dim: int, *, dtype: Dtype = None, mask: Tensor | None = None) -> Tensor:
    """The running product along dim of what is kept, in the input's dtype. Source: torch.masked.cumprod.

    >>> torch.masked.cumprod(torch.tensor([1.0, 5.0, 3.0]), 0, mask=torch.tensor([True, False, True]))
    tensor([1., 1., 3.])
    """
    return reduction.cumprod(_fill_masked(input, mask, 1), dim, dtype=dtype or input.dtype)


@composite
def softmax(input: Tensor, dim: int, *, dtype: Dtype = None, mask: Tensor | None = None) -> Tensor:
    """exp(x) / Σ exp(x) along dim, of what is kept. Source: torch.masked.softmax.

    >>> torch.masked.softmax(torch.tensor([1.0, 5.0, 3.0]), 0, mask=torch.tensor([True, False, True]))
    tensor([0.1192, 0.0000, 0.8808])
    """
    return _softmax.softmax(_fill_masked(input, mask, -math.inf), dim, dtype=dtype)


@composite
def log_softmax(input: Tensor, dim: int, *, dtype: Dtype = None, mask: Tensor | None = None) -> Tensor:
    """x - log Σ exp(x) along dim, of what is kept. Source: torch.masked.log_softmax.

    >>> torch.masked.log_softmax(torch.tensor([1.0, 5.0, 3.0]), 0, mask=torch.tensor([True, False, True]))
    tensor([-2.1269,    -inf, -0.1269])
    """
    return _softmax.log_softmax(_fill_masked(input, mask, -math.inf), dim, dtype=dtype)


@composite
def softmin(input: Tensor, dim: int, *, dtype: Dtype = None, mask: Tensor | None = None) -> Tensor:
    """exp(-x) / Σ exp(-x) along dim, of what is kept. Source: torch.masked.softmin.

    >>> torch.masked.softmin(torch.tensor([1.0, 5.0, 3.0]), 0, mask=torch.tensor([True, False, True]))
    tensor([0.8808, 0.0000, 0.1192])
    """
    return _softmax.softmin(_fill_masked(input, mask, math.inf), dim, dtype=dtype)


@composite
def normalize(
    input: Tensor, ord: float, dim: int, *, eps: float = 1e-12, dtype: Dtype = None, mask: Tensor | None = None
) -> Tensor:
    """What is kept over its `norm` along dim, or over eps where that is larger. Source: torch.masked.normalize.

    >>> torch.masked.normalize(torch.tensor([3.0, 9.0, 4.0]), 2, 0, mask=torch.tensor([True, False, True]))
    tensor([0.6000, 0.0000, 0.8000])
    """
    size = norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    return _fill_masked(input, mask, 0) / clamp(size, min=eps)


class MaskedTensor:
    """There are none.

    >>> isinstance(torch.ones(2), torch.masked.MaskedTensor)
    False
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        raise UnsupportedError(
            "MaskedTensor is a prototype, which microgad lacks: torch.masked's functions take a Tensor and a mask"
        )


masked_tensor = as_masked_tensor = MaskedTensor


def is_masked_tensor(obj: Any) -> bool:
    """Whether it is one, which none is."""
    return isinstance(obj, MaskedTensor)


_define_getattr(globals())
