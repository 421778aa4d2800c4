"""Strategy of pooling problems: an input, and a window that fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from ...tensor import Tensor
from .shape import Shape
from .tensor import tensors


@dataclass(frozen=True, eq=False)
class PoolProblem:
    """The arguments of a pooling: `max_pool2d(problem.x, **problem.settings)`.

    x is (N, C, *size) or (C, *size). The others have one int for each dimension of the kernel; stride may be None,
    which is kernel_size, and dilation is None where the pooling takes none.
    """

    x: Tensor
    kernel_size: Shape
    stride: Shape | None
    padding: Shape
    dilation: Shape | None
    ceil_mode: bool

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments after x that are not None, by name."""
        names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


@st.composite
def pool_problems(draw: st.DrawFn, /, dims: int = 2, *, dilated: bool = True, **options: Any) -> PoolProblem:
    """Draw valid problems for a pooling in 1, 2 or 3 dimensions, in which every window contains an element of x.

    `dilated=False` is for average pooling, which takes no dilation. Options are those of `tensors`, for x: with
    `unique=True` no two elements tie.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.pool_problems(1), lambda problem: problem.x.shape[-1] > 1)
    PoolProblem(x=tensor([[0., 0.]], dtype=torch.float64),
                kernel_size=(1,), stride=None, padding=(0,), dilation=(1,), ceil_mode=False)
    """
    most = 3 if dims < 3 else 2
    kernel = draw(st.tuples(*[st.integers(1, most)] * dims))
    stride = draw(st.none() | st.tuples(*[st.integers(1, 3)] * dims))
    padding = draw(st.tuples(*[st.integers(0, k // 2) for k in kernel]))
    steps = draw(st.tuples(*[st.integers(1, 2)] * dims)) if dilated else (1,) * dims
    # x has to fit the kernel, and to be as long as a dilation step, or a window could miss all of x.
    least = [max(d, (k - 1) * d + 1 - 2 * p) for k, d, p in zip(kernel, steps, padding, strict=True)]
    if dims == 3 and not dilated:  # PyTorch's avg_pool3d wants all of the kernel in x, whatever the padding
        least = [max(n, k) for n, k in zip(least, kernel, strict=True)]
    size = [n + draw(st.integers(0, most)) for n in least]
    lead = draw(st.tuples(st.integers(1, 2)) | st.tuples(st.integers(1, 2), st.integers(1, 2)))  # C, or N and C
    x = draw(tensors((*lead, *size), **options))
    return PoolProblem(x, kernel, stride, padding, steps if dilated else None, draw(st.booleans()))
