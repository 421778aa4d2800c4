"""Strategies of Tensors: by shape, dtype, elements and memory layout."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from types import NoneType
from typing import Any

from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from ... import dtypes
from ...errors import ArgumentError
from ...tensor import Tensor
from .layout import LAYOUTS, laid_out, layouts
from .shape import Shape, broadcastable_shapes, shapes
from .values import numbers


@st.composite
def tensors(
    draw: st.DrawFn,
    /,
    shape: int | Sequence[int] | st.SearchStrategy[Shape] | None = None,
    dtype: Any = dtypes.float64,
    elements: st.SearchStrategy[Any] | None = None,
    requires_grad: bool = False,
    layout: str | st.SearchStrategy[str] | None = None,
    unique: bool = False,
    scale: float | st.SearchStrategy[float] | None = None,
) -> Tensor:
    """Draw Tensors. `shape`, `layout` and `scale` may be strategies.

    `shape` is by default drawn from `shapes()`, `layout` from `layouts()`. Elements are by default `numbers()` for
    floating-point dtypes and for each part of complex ones, and any values for others. `unique` makes all
    values differ, which excludes the layout "broadcast". `scale` multiplies all elements; their default is then wider,
    so that nonzero magnitudes differ by a factor of up to 1000. float16 needs smaller scales than `scales()` draws.
    `torch.autograd.gradcheck` refuses the layout "broadcast": draw `layout="contiguous"` for it.

    Raises ValueError for a scale with a dtype that isn't floating-point, and for an unknown layout.

    >>> from hypothesis import find
    >>> s = torch.testing.strategies
    >>> find(s.tensors(), lambda x: x.ndim == 1 and x.sum() > 1)
    tensor([1.1250], dtype=torch.float64)
    >>> find(s.tensors((2,), torch.float32, scale=s.scales()), lambda x: x[1] > 1e6)
    tensor([      0., 1250000.])
    """
    kind = dtypes.of(dtype).dtype
    size = draw(shapes() if shape is None else shape) if isinstance(shape, (st.SearchStrategy, NoneType)) else shape
    size = (size,) if isinstance(size, int) else tuple(size)
    if scale is not None and kind.kind != "f":
        raise ArgumentError(f"tensors: a scale needs a floating-point dtype, got {dtypes.of(dtype)!r}")
    if elements is None:
        readable = numbers() if scale is None else numbers(-125, 125)
        elements = {"f": readable, "c": st.builds(complex, readable, readable)}.get(kind.kind)
        elements = arrays_of.from_dtype(kind) if elements is None else elements
    array = draw(_arrays(kind, size, elements, unique))
    if scale is not None:
        array *= draw(scale) if isinstance(scale, st.SearchStrategy) else scale
    if layout is None:
        layout = layouts() if not unique else st.sampled_from([name for name in LAYOUTS if name != "broadcast"])
    made: Tensor = Tensor._wrap(laid_out(array, layout if isinstance(layout, str) else draw(layout)))
    return made.requires_grad_(requires_grad)


@lru_cache(1000)  # hypothesis validates a strategy object only once
def _arrays(kind: Any, size: Shape, elements: Any, unique: bool) -> Any:
    return arrays_of.arrays(kind, size, elements=elements, fill=st.nothing(), unique=unique)


@st.composite
def broadcastable_tensors(
    draw: st.DrawFn,
    /,
    n: int,
    *,
    elements: Sequence[st.SearchStrategy[Any]] | None = None,
    min_side: int = 1,
    **options: Any,
) -> list[Tensor]:
    """Draw `n` Tensors that broadcast together. `elements` has a strategy for each, the rest are options of `tensors`.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.broadcastable_tensors(2), lambda pair: pair[0].ndim > pair[1].ndim)
    [tensor([0.], dtype=torch.float64), tensor(0., dtype=torch.float64)]
    """
    sizes = draw(broadcastable_shapes(n, min_side=min_side))
    chosen = elements or [numbers()] * n
    return [draw(tensors(size, elements=e, **options)) for size, e in zip(sizes, chosen, strict=True)]
