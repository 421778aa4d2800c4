"""Strategy of convolution problems: an input, a weight, a bias, and settings that fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from ...tensor import Tensor
from .shape import Shape
from .tensor import tensors


@dataclass(frozen=True, eq=False)
class ConvProblem:
    """The arguments of a convolution: `conv2d(*problem.operands, **problem.settings)`.

    x is (N, C, *size) or (C, *size), weight (O, C/groups, *kernel), bias (O,) or None. stride, padding and dilation
    have one int for each dimension of the kernel; padding may also be "same" or "valid".
    """

    x: Tensor
    weight: Tensor
    bias: Tensor | None
    stride: Shape
    padding: Shape | str
    dilation: Shape
    groups: int

    @property
    def operands(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """x, weight, bias."""
        return self.x, self.weight, self.bias

    @property
    def settings(self) -> dict[str, Any]:
        """The other arguments, by name."""
        return {name: getattr(self, name) for name in ("stride", "padding", "dilation", "groups")}


@st.composite
def conv_problems(draw: st.DrawFn, /, dims: int = 2, **options: Any) -> ConvProblem:
    """Draw valid problems for a convolution in 1, 2 or 3 dimensions. Options are those of `tensors`, for all operands.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.conv_problems(1), lambda problem: problem.groups > 1)
    ConvProblem(x=tensor([[0.],
            [0.]], dtype=torch.float64), weight=tensor([[[0.]],
            [[0.]]], dtype=torch.float64), bias=None, stride=(1,), padding=(0,), dilation=(1,), groups=2)
    """
    most, room = (3, 2) if dims < 3 else (2, 1)  # in 3 dimensions few elements, since each one is drawn
    kernel = _sides(draw, dims, 1, most)
    dilation = _sides(draw, dims, 1, 2)
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    padding: Any = draw(st.just("ints") | st.sampled_from(["same", "valid"]))
    if padding == "ints":
        padding = _sides(draw, dims, 0, 2)
        least = [max(1, n - 2 * p) for n, p in zip(span, padding, strict=True)]
    else:
        least = [1] * dims if padding == "same" else span
    stride = (1,) * dims if padding == "same" else _sides(draw, dims, 1, 3)
    size = [n + draw(st.integers(0, room)) for n in least]
    groups, c, o = _sides(draw, 3, 1, 2)
    batch = draw(st.just(()) | st.tuples(st.integers(1, 2)))
    x = draw(tensors((*batch, c * groups, *size), **options))
    weight = draw(tensors((o * groups, c, *kernel), **options))
    bias = draw(st.none() | tensors((o * groups,), **options))
    return ConvProblem(x, weight, bias, stride, padding, dilation, groups)


def _sides(draw: st.DrawFn, n: int, least: int, most: int) -> Shape:
    return draw(st.tuples(*[st.integers(least, most)] * n))
