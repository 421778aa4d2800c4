"""Dynamic axes: how the numbers in a recorded model depend on sizes that aren't known before a run.

A model is run once for each dynamic axis with another size, and once more with all sizes changed. A number that
differs between the runs is fitted by an affine function of the sizes or by a multiple of their product. The last run
verifies the fit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..pytree import tree_leaves
from .recording import Constant, Recording, Step, Value


@dataclass(frozen=True, slots=True)
class Dim:
    """A number that depends on sizes: Σ terms · sizes + offset, or, if `product`, offset · Π of the sizes in terms."""

    terms: tuple[tuple[str, Fraction], ...]
    offset: Fraction
    product: bool = False

    def at(self, sizes: dict[str, int]) -> Fraction:
        """Return the number for given sizes."""
        if self.product:
            return self.offset * math.prod(sizes[name] for name, _ in self.terms)
        return sum((sizes[name] * factor for name, factor in self.terms), self.offset)


def at_size_one(n: Any) -> Any:
    """Return a size with all dynamic axes of size 1."""
    return n.at({name: 1 for name, _ in n.terms}) if isinstance(n, Dim) else n


@dataclass(frozen=True, slots=True)
class GeneratedArray:
    """An array of dynamic `shape`, filled with `value` or, with an `axis`, value + step · i along this axis."""

    shape: tuple[Any, ...]
    dtype: np.dtype[Any]
    value: Any
    axis: int | None = None
    step: Any = 0


@dataclass(frozen=True, slots=True)
class Varying:
    """A value that differs between runs in a way that can't be expressed. Using it is an error."""

    shown: str


def flatten_setting(setting: Any) -> Iterator[Any]:
    """Yield the values in nested tuples, lists, dicts and slices of a setting."""
    for x in tree_leaves(setting):
        yield from (x.start, x.stop, x.step) if isinstance(x, slice) else (x,)


def fit_dim(numbers: Sequence[Any], points: Sequence[dict[str, int]]) -> Any:
    """Return the Dim with these numbers at these points (the first run, one for each axis, the last), or Varying."""
    if any(isinstance(n, bool) or not isinstance(n, (int, float)) or not math.isfinite(n) for n in numbers):
        return Varying(f"{numbers[0]!r} or {numbers[-1]!r}")
    if not points:
        return Varying(f"{numbers[0]}, and {numbers[-1]} for other values")
    first = points[0]
    of_axes = list(zip(first, numbers[1:-1], points[1:-1], strict=True))
    moved = [(name, n, point) for name, n, point in of_axes if n != numbers[0]]
    exact = [Fraction(n) for n in numbers]
    affine = tuple((name, (Fraction(n) - exact[0]) / (point[name] - first[name])) for name, n, point in moved)
    found = [Dim(affine, exact[0] - sum(first[name] * factor for name, factor in affine))]
    whole = math.prod(first[name] for name, *_ in moved)
    if whole:
        found.append(Dim(tuple((name, Fraction(1)) for name, *_ in moved), exact[0] / whole, True))
    for dim in found:
        if all(dim.at(point) == n for point, n in zip(points, exact, strict=True)):
            return dim
    return Varying(f"{numbers[0]}, and {numbers[-1]} for other sizes")


def merge(values: Sequence[Any], points: Sequence[dict[str, int]]) -> Any:
    """Merge the values of several runs into one, in which Dims, GeneratedArrays and Varyings stand for what differs."""
    first = values[0]
    if any(type(x) is not type(first) for x in values):
        return Varying(f"a {type(first).__name__} or something else")
    if isinstance(first, Constant):
        return _merge_arrays(values, points)
    if isinstance(first, Value):
        if len({x.number for x in values}) > 1:
            return Varying("the results of different steps")
        shapes = [merge([getattr(x, name) for x in values], points) for name in ("shape", "spread")]
        return Value(first.number, *shapes)
    if isinstance(first, (tuple, list)):
        if len({len(x) for x in values}) > 1:
            return Varying(f"{len(first)} or {len(values[-1])} of them")
        parts = [merge(part, points) for part in zip(*values, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
    if isinstance(first, dict):
        if len({tuple(x) for x in values}) > 1:
            return Varying("different names")
        return {name: merge([x[name] for x in values], points) for name in first}
    if isinstance(first, slice):
        return slice(*(merge([getattr(x, end) for x in values], points) for end in ("start", "stop", "step")))
    try:
        if all(x == first or (x != x and first != first) for x in values):
            return first
    except ValueError:
        pass
    return fit_dim(values, points)


def _merge_arrays(values: Sequence[Constant], points: Sequence[dict[str, int]]) -> Any:
    arrays = [x.array for x in values]
    first = arrays[0]
    if all(x is first for x in arrays):
        return values[0]
    if len({x.ndim for x in arrays}) > 1 or len({x.dtype for x in arrays}) > 1:
        return Varying("arrays of different dimensions")
    if all(x.shape == first.shape and np.array_equal(x, first, equal_nan=x.dtype.kind == "f") for x in arrays):
        return values[0]
    if first.ndim == 0:
        return fit_dim([x.item() for x in arrays], points)
    shape = tuple(merge([x.shape for x in arrays], points))
    filled = [x for x in arrays if x.size]
    known = filled and not any(isinstance(n, Varying) for n in shape)
    return (_fit_generated(filled, shape) if known else None) or Varying(f"an array {first.shape}")


def _fit_generated(arrays: Sequence[Any], shape: tuple[Any, ...]) -> GeneratedArray | None:
    """Return the GeneratedArray of the arrays, if they are constant or have equal steps along an axis, else None."""
    dtype, corner = arrays[0].dtype, arrays[0].flat[0]
    if all((x == corner).all() or (corner != corner and (x != x).all()) for x in arrays):
        return GeneratedArray(shape, dtype, corner)
    for axis in range(len(shape) if dtype.kind != "b" else 0):
        lines = [np.moveaxis(x, axis, -1) for x in arrays]
        step = next((line.flat[1] - line.flat[0] for line in lines if line.shape[-1] > 1), None)
        if step is not None and all(
            (line == (corner + step * np.arange(line.shape[-1])).astype(dtype)).all() for line in lines
        ):
            return GeneratedArray(shape, dtype, corner, axis, step)
    return None


def merge_recordings(recordings: Sequence[Recording], points: Sequence[dict[str, int]]) -> list[Step]:
    """Merge the steps of several runs of a model into one list."""
    first = recordings[0]
    for other in recordings[1:]:
        both = zip(first.steps, other.steps, strict=False)
        differing = [f"other steps: {b.where} instead of {a.where}" for a, b in both if a.function is not b.function]
        if len(first.steps) != len(other.steps):
            differing.append(f"{len(other.steps)} steps instead of {len(first.steps)}")
        if differing:
            raise UnsupportedError(
                "onnx.export: for other sizes of the dynamic axes, or other values, the model takes "
                f"{differing[0]}. An ONNX file holds the steps of one run"
            )
    if len(recordings) == 1:
        return [replace(step, settings=dict(step.settings), inputs=list(step.inputs)) for step in first.steps]
    return [_merge_step([r.steps[i] for r in recordings], points) for i in range(len(first.steps))]


def _merge_step(steps: Sequence[Step], points: Sequence[dict[str, int]]) -> Step:
    first = steps[0]
    settings, inputs, shapes = (
        merge([getattr(step, name) for step in steps], points) for name in ("settings", "inputs", "shapes")
    )
    if isinstance(inputs, Varying):
        inputs = (inputs,)
    return Step(first.function, first.path, settings, list(inputs), first.dtypes, first.outputs, shapes, first.kinds)
