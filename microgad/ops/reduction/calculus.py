"""Numerical integrals by the trapezoidal rule, and numerical derivatives by finite differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import function
from ...backend.axes import at_axis
from ...errors import ArgumentError, DtypeError, ShapeError
from ...state import composite
from ...type_aliases import Tensor
from ..indexing import GetItem
from ..movement import cat
from ..movement.dims import wrap_dim, wrap_dims
from ..support.spelling import numpy_spelling
from .axes import Dim
from .scans import cumsum
from .sums import sum


def _trapezoid_terms(op: str, y: Tensor, x: Tensor | None, dx: Any, dim: int) -> tuple[Tensor, Any, int]:
    """Return the sums of neighbors along an axis, the distances between them, and the axis."""
    if y.array.dtype.kind == "b" or (x is not None and x.array.dtype.kind == "b"):
        raise DtypeError(f"{op}: received a bool input, but bool is not supported")
    axis = wrap_dim(dim, y.ndim, op)
    if x is not None and dx is not None:
        raise DtypeError(f"{op}: give x or dx, not both")
    if x is None:
        return _all_but_first(y, axis) + _all_but_last(y, axis), 1 if dx is None else dx, axis
    if x.ndim == 1:
        if x.shape[0] != y.shape[axis]:
            raise ShapeError(f"{op}: There must be one `x` value for each sample point: {x.shape[0]}, {y.shape[axis]}")
        x = x.reshape([-1 if i == axis else 1 for i in range(y.ndim)])
    elif x.ndim < y.ndim:
        x = x.reshape((1,) * (y.ndim - x.ndim) + tuple(x.shape))
    return _all_but_first(y, axis) + _all_but_last(y, axis), _all_but_first(x, axis) - _all_but_last(x, axis), axis


def _slice(x: Tensor, axis: int, part: slice | int) -> Tensor:
    return GetItem.apply(x, index=at_axis(axis, part, ...))


def _all_but_first(x: Tensor, axis: int) -> Tensor:
    return _slice(x, axis, slice(1, None))


def _all_but_last(x: Tensor, axis: int) -> Tensor:
    return _slice(x, axis, slice(0, -1))


@numpy_spelling
@composite
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1) -> Tensor:
    """Return the integral of y along dim by the trapezoidal rule; y is sampled at points x, or dx (1 by default) apart.

    Raises IndexError for a dim out of range, RuntimeError for booleans. Source: torch.trapezoid.

    >>> torch.trapezoid(torch.tensor([1.0, 5.0, 10.0]), torch.tensor([1.0, 3.0, 6.0]))
    tensor(28.5000)
    """
    axis = wrap_dim(dim, y.ndim, "trapezoid")
    if y.ndim and not y.shape[axis]:
        return sum(y, axis, dtype=y.dtype)
    if x is None and y.ndim and y.array.dtype.kind != "b":
        area = sum(y, axis) - (_slice(y, axis, 0) + _slice(y, axis, -1)) / 2
        return area if dx is None else area * dx
    heights, widths, axis = _trapezoid_terms("trapezoid", y, x, dx, dim)
    return sum(heights * widths, axis) / 2


trapz = trapezoid


@numpy_spelling
@composite
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1) -> Tensor:
    """Return the integral up to each point after the first: see `trapezoid`.

    Raises IndexError for a dim out of range, RuntimeError for booleans. Source: torch.cumulative_trapezoid.

    >>> torch.cumulative_trapezoid(torch.tensor([1.0, 5.0, 10.0]))
    tensor([ 3.0000, 10.5000])
    """
    heights, widths, axis = _trapezoid_terms("cumulative_trapezoid", y, x, dx, dim)
    return cumsum(heights * (widths / 2), axis) if x is None else cumsum(heights * widths, axis) / 2


@numpy_spelling
@composite
def gradient(input: Tensor, *, spacing: Any = 1, dim: Dim = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """Return the derivatives along dims (all by default) from central differences. Source: torch.gradient.

    spacing is one distance, or for each dim a distance or the coordinates along it. edge_order (1 or 2) is the order of
    the one-sided differences at both ends. Raises IndexError for a dim out of range, RuntimeError for booleans.

    >>> torch.gradient(torch.tensor([1.0, 4.0, 9.0]), spacing=2.0)
    (tensor([1.5000, 2.0000, 2.5000]),)
    """
    if input.array.dtype.kind == "u":
        raise DtypeError(f"gradient: does not support {input.dtype} input")
    over = tuple(range(input.ndim)) if dim is None else wrap_dims(dim, input.ndim, "gradient", wrap_scalar=False)
    several = isinstance(spacing, Sequence)
    if getattr(spacing, "ndim", 0):
        raise DtypeError("gradient(): argument 'spacing' must be a number, or numbers or Tensors for each dim")
    if several and len(spacing) != len(over):
        raise ArgumentError(
            "gradient expected spacing to be unspecified, a scalar, or a list of length equal to 'self.dim() = "
            f"{input.ndim}', since dim argument was not given, but got a list of length {len(spacing)}"
            if dim is None
            else "gradient expected spacing to be unspecified, a scalar or it's spacing and dim arguments to have the "
            f"same length, but got a spacing argument of length {len(spacing)} and a dim argument of length {len(over)}"
        )
    if edge_order not in (1, 2):
        raise ArgumentError(f"gradient: only supports edge_order=1 and edge_order=2, got {edge_order}")
    for i in over:
        if input.shape[i] < edge_order + 1:
            raise ShapeError(
                f"gradient: expected each dimension size to be at least edge_order+1 = {edge_order + 1}, got "
                f"{input.shape[i]} in dimension {i}"
            )
    steps = spacing if several else [1 if spacing is None else spacing] * len(over)
    return tuple(_derivative(input, i, step, edge_order) for i, step in zip(over, steps, strict=True))


def _derivative(f: Tensor, axis: int, spacing: Any, edge_order: int) -> Tensor:
    """Differentiate f along one axis; spacing is a distance or a 1-d Tensor of coordinates."""
    n = f.shape[axis]

    def at(start: int, stop: int) -> Tensor:
        return _slice(f, axis, slice(start, stop))

    if isinstance(spacing, function.Tensor) and spacing.ndim:
        if spacing.ndim != 1 or spacing.shape[0] != n:
            raise ShapeError(f"gradient: expected {n} coordinates along dimension {axis}, got {tuple(spacing.shape)}")
        gaps = (spacing[1:] - spacing[:-1]).reshape([-1 if i == axis else 1 for i in range(f.ndim)])
        h = [_slice(gaps, axis, slice(i, i + 1)) for i in (0, 1, n - 3, n - 2) if 0 <= i < n - 1]
        left, right = _all_but_last(gaps, axis), _all_but_first(gaps, axis)
        middle = (
            at(2, n) * (left / (right * (left + right)))
            + at(1, n - 1) * ((right - left) / (left * right))
            - at(0, n - 2) * (right / (left * (left + right)))
        )
    else:
        h = [spacing] * 4
        middle = (at(2, n) - at(0, n - 2)) / (2 * spacing)
    if edge_order == 1:
        return cat([(at(1, 2) - at(0, 1)) / h[0], middle, (at(n - 1, n) - at(n - 2, n - 1)) / h[-1]], axis)
    first = _one_sided_derivative(at(0, 1), at(1, 2), at(2, 3), h[0], h[1])
    last = _one_sided_derivative(at(n - 1, n), at(n - 2, n - 1), at(n - 3, n - 2), h[-1], h[-2])
    return cat([first, middle, -last], axis)


def _one_sided_derivative(f0: Tensor, f1: Tensor, f2: Tensor, a: Any, b: Any) -> Tensor:
    """Return the derivative at the first of three points of the parabola through them; a and b are their distances."""
    return f1 * ((a + b) / (a * b)) - f0 * ((2 * a + b) / (a * (a + b))) - f2 * (a / (b * (a + b)))
