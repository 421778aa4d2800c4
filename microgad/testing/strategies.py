"""hypothesis strategies for Tensors, shapes, axes and memory layouts. The only import of hypothesis in the package.

Everything shrinks to small, readable examples: few dimensions, sides of 1, zeros and multiples of 1/8, contiguous.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from .. import dtypes
from ..tensor import Tensor

Shape = tuple[int, ...]

LAYOUTS = ("contiguous", "fortran", "gapped", "reversed", "broadcast", "read_only")


def shapes(*, min_dims: int = 0, max_dims: int = 3, min_side: int = 1, max_side: int = 4) -> st.SearchStrategy[Shape]:
    """Shapes: `max_dims` and `max_side` are included; `min_side=0` lets arrays be empty.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.shapes(), lambda shape: len(shape) > 1)
    (1, 1)
    """
    return arrays_of.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


def broadcastable_shapes(
    n: int, *, min_dims: int = 0, max_dims: int = 3, min_side: int = 1, max_side: int = 4
) -> st.SearchStrategy[tuple[Shape, ...]]:
    """`n` shapes that broadcast together, by axes of size 1 and by missing ones.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.broadcastable_shapes(2), lambda pair: len(pair[1]) > len(pair[0]))
    ((), (1,))
    """
    together = arrays_of.mutually_broadcastable_shapes(
        num_shapes=n, min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side
    )
    return together.map(lambda drawn: drawn.input_shapes)


def axes(ndim: int, *, several: bool = True, all: bool = True) -> st.SearchStrategy[Any]:
    """What `dim` can be for `ndim` dimensions: an int from either end, a tuple (if `several`), None (if `all`).

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.axes(3), lambda dim: isinstance(dim, tuple) and len(dim) == 2)
    (0, 1)
    """
    chosen: list[st.SearchStrategy[Any]] = [st.none()] if all else []
    if ndim:
        one = st.integers(0, ndim - 1).flatmap(lambda axis: st.sampled_from((axis, axis - ndim)))
        chosen.append(one)
        if several:
            chosen.append(st.lists(one, min_size=1, max_size=ndim, unique_by=lambda axis: axis % ndim).map(tuple))
    return st.one_of(chosen)


def layouts() -> st.SearchStrategy[str]:
    """Names of ways in which values can lie in memory, for `laid_out`.

    contiguous (the simplest), fortran, gapped (every second element), reversed (negative strides), broadcast (stride
    0), read_only.
    """
    return st.sampled_from(LAYOUTS)


def laid_out(x: Any, layout: str) -> Any:
    """The array in a layout. "broadcast" repeats the first slice along the last axis; the others keep every value.

    >>> torch.testing.strategies.laid_out(np.zeros((2, 3)), "reversed").strides
    (-24, -8)
    """
    if layout == "fortran":
        return x.copy("F")
    if layout == "gapped":
        wide = np.empty_like(x, shape=tuple(2 * n for n in x.shape))
        view = wide[(*(slice(None, None, 2),) * x.ndim, ...)]
        view[...] = x
        return view
    if layout == "reversed" and x.ndim:
        return np.flip(np.flip(x).copy())
    if layout == "broadcast" and x.ndim and x.size:
        return np.broadcast_to(x[..., :1].copy(), x.shape)
    if layout == "read_only":
        x = x.copy()
        x.flags.writeable = False
    return x


def numbers(
    low: float = -3, high: float = 3, *, away_from: Sequence[float] = (), by: float = 0.1
) -> st.SearchStrategy[float]:
    """Multiples of 1/8 from `low` to `high`, none nearer than `by` to the points of `away_from` (a function's kinks).

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.numbers(away_from=[0]), lambda x: x < 0)
    -0.125
    """
    eighths = st.integers(math.ceil(8 * low), math.floor(8 * high)).map(lambda n: n / 8)
    return eighths.filter(lambda x: all(abs(x - kink) >= by for kink in away_from)) if away_from else eighths


@st.composite
def tensors(
    draw: st.DrawFn,
    /,
    shape: Shape | st.SearchStrategy[Shape] | None = None,
    dtype: Any = dtypes.float64,
    elements: st.SearchStrategy[Any] | None = None,
    requires_grad: bool = False,
    layout: str | st.SearchStrategy[str] | None = None,
    unique: bool = False,
) -> Tensor:
    """Tensors of a shape (any of `shapes()` by default), a dtype, and elements (`numbers()`, or what the dtype holds).

    `layout` is one of `layouts()`, any of them by default; `unique` makes all values differ, which leaves out
    "broadcast" (ties are then the caller's to make). `shape` and `layout` may be strategies.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.tensors(), lambda x: x.ndim == 1 and x.sum() > 1)
    tensor([1.1250], dtype=torch.float64)
    """
    kind = dtypes.of(dtype).dtype
    size = draw(shapes() if shape is None else shape) if not isinstance(shape, tuple) else shape
    if elements is None:
        elements = numbers() if kind.kind == "f" else arrays_of.from_dtype(kind)
    array = draw(arrays_of.arrays(kind, size, elements=elements, fill=st.nothing(), unique=unique))
    if layout is None:
        layout = layouts() if not unique else st.sampled_from([name for name in LAYOUTS if name != "broadcast"])
    made: Tensor = Tensor._made(laid_out(array, layout if isinstance(layout, str) else draw(layout)))
    return made.requires_grad_(requires_grad)


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
    """`n` Tensors that broadcast together: `elements` for each, other options as `tensors` has them.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.broadcastable_tensors(2), lambda pair: pair[0].ndim > pair[1].ndim)
    [tensor([0.], dtype=torch.float64), tensor(0., dtype=torch.float64)]
    """
    sizes = draw(broadcastable_shapes(n, min_side=min_side))
    chosen = elements or [numbers()] * n
    return [draw(tensors(size, elements=e, **options)) for size, e in zip(sizes, chosen, strict=True)]
