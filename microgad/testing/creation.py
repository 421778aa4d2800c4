"""make_tensor: make Tensors of uniform random numbers, of any dtype and memory layout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import dtypes
from ..dtypes.limits import finfo, iinfo
from ..errors.notices import warn
from ..ops.creation import empty
from ..ops.elementwise import view_as_real
from ..ops.random import randint
from ..tensor import Tensor


def make_tensor(
    *shape: Any,
    dtype: Any,
    device: Any,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Make a Tensor of uniform random numbers in [low, high), by default from -9 to 9.

    Bounds are clamped to the dtype's range. `exclude_zero` replaces 0 by the smallest normal number, in integers by 1.
    Raises ValueError if the range is empty. Source: torch.testing.make_tensor.

    >>> torch.testing.make_tensor((2, 3), dtype=torch.int64, device="cpu", low=0, high=1)
    tensor([[0, 0, 0],
            [0, 0, 0]])
    """
    sizes = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
    kind = dtypes.of(dtype)
    inexact = kind.is_floating_point or kind.is_complex
    if noncontiguous and memory_format is not None:
        raise ValueError(
            "The parameters `noncontiguous` and `memory_format` are mutually exclusive, "
            f"but got {noncontiguous=} and {memory_format=}"
        )
    if requires_grad and not inexact:
        raise ValueError(f"`requires_grad=True` is not supported for boolean and integral dtypes, but got dtype={kind}")
    gaps = noncontiguous and math.prod(sizes) > 1
    drawn = (*sizes[:-1], 2 * sizes[-1]) if gaps else sizes
    first, last = _bounds(kind, low, high)
    if inexact:
        made = empty(drawn, dtype=kind, device=device)
        parts = view_as_real(made) if kind.is_complex else made
        if last - first >= finfo(kind).max:  # the difference overflows
            parts.uniform_(first / 2, last / 2).mul_(2)
        else:
            parts.uniform_(first, last)
    else:
        made = randint(math.ceil(first), math.ceil(last), drawn, dtype=kind, device=device)
    if gaps:
        made = made[..., 1::2]
    elif memory_format is not None:
        made = made.clone(memory_format=memory_format)
    if exclude_zero:
        made[made == 0] = finfo(kind).tiny if inexact else 1
    return made.requires_grad_(requires_grad) if requires_grad else made


def _bounds(kind: Any, low: float | None, high: float | None) -> tuple[float, float]:
    """Return the bounds, by default the usual ones of the dtype, clamped to its range."""
    inexact = kind.is_floating_point or kind.is_complex
    if inexact:
        least, most, usual = finfo(kind).min, finfo(kind).max, (-9, 9)
    elif kind == dtypes.bool_:
        least, most, usual = 0, 2, (0, 2)
    else:
        # the end is exclusive, and has to be an int64 itself
        least, most, usual = iinfo(kind).min, min(iinfo(kind).max + 1, 2**63 - 1), (-9, 10)
    first, last = usual[0] if low is None else low, usual[1] if high is None else high
    if first != first or last != last:  # an int may be too large for math.isnan
        raise ValueError(f"`low` and `high` cannot be NaN, but got low={first} and high={last}")
    if first == last and inexact:
        warn(
            "Passing `low==high` to `torch.testing.make_tensor` for floating or complex types is deprecated: "
            "`torch.full` takes its place",
            FutureWarning,
        )
    elif first >= last:
        raise ValueError(f"`low` must be less than `high`, but got {first} >= {last}")
    elif last < least or first >= most:
        raise ValueError(
            f"The value interval specified by `low` and `high` is [{first}, {last}), "
            f"but {kind} only supports [{least}, {most})"
        )
    return min(max(first, least), most), min(max(last, least), most)
