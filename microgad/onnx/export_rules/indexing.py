"""Rules of indexing: reading and writing at indices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...ops import embedding, indexing
from ...ops.indexing.indexed_reduction import MulItem
from ...ops.window.fractional_pool import BoxMax
from ...view_writes import regions
from ..dynamic_axes import GeneratedArray, Varying
from ..recording import Constant, Step, Value
from ..writer import BOOL, INT64, Symbol, Writer, rule
from .elementwise import operand
from .movement import LAST, sliced, squeezed, unsqueezed

ARRAYS = (Value, Constant, GeneratedArray, Varying)
ALL = slice(None)
COMBINED: dict[Any, str] = {indexing.AddItem: "add", MulItem: "mul"}  # writes that combine values with the old ones


def expand_index(index: Any, ndim: int) -> list[Any]:
    """Expand an index to all axes, with `...` replaced by slices."""
    items = list(index if isinstance(index, tuple) else (index,))
    used = sum(1 for x in items if x is not None and x is not ...)
    where = next((i for i, x in enumerate(items) if x is ...), len(items))
    rest = [x for x in items if x is not ...]
    return [*rest[:where], *[ALL] * (ndim - used), *rest[where:]]


def _slice_of(w: Writer, item: Any, axis: int) -> tuple[Any, ...]:
    """Return start, stop, axis and step of a number or slice."""
    if isinstance(item, slice):
        start, stop = 0 if item.start is None else item.start, LAST if item.stop is None else item.stop
        return start, stop, axis, 1 if item.step is None else w.static(item.step)
    return item, LAST if item == -1 else item + 1 if isinstance(item, int) else w.static(item), axis, 1


@rule(indexing.GetItem)
def getitem(w: Writer, step: Step) -> Any:
    return _read(w, operand(w, step), len(w.shape_of(step.inputs[0])), step.settings["index"])


def _read(w: Writer, x: Symbol, ndim: int, index: Any) -> Any:
    """Return x[index]; an index that is one array, not a tuple, is one into the flattened x."""
    if isinstance(index, ARRAYS):
        return w.op("Gather", w.op("Reshape", x, w.ints([-1])), w.of(index, INT64), axis=0)
    index = index if isinstance(index, tuple) else (index,)
    if _has_mask(w, index):
        return _read_mask(w, x, index)
    cuts: list[tuple[Any, ...]] = []  # start, stop, axis, step
    gone: list[int] = []
    new: list[int] = []
    arrays: list[tuple[int, Any]] = []
    axis = 0
    for item in expand_index(index, ndim):
        place = axis - len(gone) + len(new)  # the axis in the result
        if item is None:
            new.append(place)
            continue
        if isinstance(item, ARRAYS):
            arrays.append((place, item))
        elif item != ALL:
            cuts.append(_slice_of(w, item, axis))
            gone += [] if isinstance(item, slice) else [axis]
        axis += 1
    if cuts:
        starts, stops, axes, steps = zip(*cuts, strict=True)
        x = sliced(w, x, starts, stops, axes, None if set(steps) == {1} else steps)
    if gone:
        x = squeezed(w, x, *gone)
    if new:
        x = unsqueezed(w, x, *new)
    return _index_arrays(w, x, arrays, ndim - len(gone) + len(new)) if arrays else x


def _index_arrays(w: Writer, x: Symbol, arrays: list[Any], ndim: int) -> Any:
    """Index x with broadcast arrays of indices along some of its axes."""
    if len(arrays) == 1:
        axis, index = arrays[0]
        return w.op("Gather", x, w.of(index, INT64), axis=axis)
    axes = [axis for axis, _ in arrays]
    dims = max(len(w.shape_of(index)) for _, index in arrays)
    rest = [i for i in range(ndim) if i not in axes]
    parts = [w.of(index, INT64) for _, index in arrays]
    total = parts[0]
    for part in parts[1:]:
        total = total + part * 0  # broadcast
    parts = [part + total * 0 for part in parts]
    where = w.op("Concat", *(unsqueezed(w, part, dims) for part in parts), axis=dims)
    taken = w.op("GatherND", w.op("Transpose", x, perm=axes + rest), where)
    first = axes[0]
    if axes != list(range(first, first + len(axes))) or not first:
        return taken
    before, after = list(range(dims, dims + first)), list(range(dims + first, dims + len(rest)))
    return w.op("Transpose", taken, perm=[*before, *range(dims), *after])


def _has_mask(w: Writer, index: tuple[Any, ...]) -> bool:
    return any(isinstance(item, ARRAYS) and w.of(item).dtype == BOOL for item in index)


def _require_single_mask(w: Writer, index: tuple[Any, ...]) -> None:
    first, *rest = index
    if not isinstance(first, ARRAYS) or any(item is not ... and item != ALL for item in rest):
        raise w.unsupported("a mask must come first, and alone, in an index")


def _read_mask(w: Writer, x: Symbol, index: tuple[Any, ...]) -> Any:
    _require_single_mask(w, index)
    if not w.shape_of(index[0]):
        raise w.unsupported("ONNX has no index that is True or False")
    where = w.op("Transpose", w.op("NonZero", w.of(index[0])), perm=[1, 0])
    return w.op("GatherND", x, where)


@rule(indexing.SetItem, indexing.AddItem, MulItem)
def setitem(w: Writer, step: Step) -> Any:
    return _write_at_index(w, step, step.settings["index"])


@rule(regions.RegionWrite)
def region_write(w: Writer, step: Step) -> Any:
    chain, base = step.settings["chain"], step.inputs[0]
    if len(chain) == 1 and chain[0][0] is indexing.GetItem:
        return _write_at_index(w, step, chain[0][1]["index"])
    sizes = w.static(w.shape_of(base))
    places = np.arange(math.prod(sizes)).reshape(sizes)
    for cls, settings in w.static(chain):
        places = cls.apply(places, **settings)
    return _write_at_positions(w, step, w.constant(places, INT64))


def _write_at_positions(w: Writer, step: Step, places: Symbol) -> Any:
    """Write the second input, broadcast to their shape, at positions in the flattened first one."""
    base, value = step.inputs
    x = w.of(base, step.kinds[0])
    parts = x, places, w.op("Expand", w.of(value, x.dtype), w.op("Shape", places))
    lines = [w.op("Reshape", part, w.ints([-1])) for part in parts]
    return w.reshaped(w.op("ScatterElements", *lines, axis=0, reduction=COMBINED.get(step.function)), w.shape_of(base))


def _write_at_index(w: Writer, step: Step, index: Any) -> Any:
    """Write the second input at an index of the first: at a mask, along one axis, or at positions."""
    base, value = step.inputs
    x, sizes = w.of(base, step.kinds[0]), w.shape_of(base)
    if isinstance(index, ARRAYS):
        return _write_at_positions(w, step, w.of(index, INT64))
    index = index if isinstance(index, tuple) else (index,)
    if _has_mask(w, index):
        if step.function in COMBINED:
            raise w.unsupported("values can't be added to or multiplied with those at a mask")
        return _write_at_mask(w, x, sizes, value, index)
    found = tuple(item.array if isinstance(item, Constant) else item for item in index)
    if all(isinstance(n, int) for n in sizes) and not any(isinstance(item, ARRAYS) for item in found):
        places = np.arange(math.prod(sizes)).reshape(sizes)[w.static(found)]
        return _write_at_positions(w, step, w.constant(places, INT64))
    items = expand_index(index, len(sizes))
    cut = [i for i, item in enumerate(items) if item != ALL]
    if len(cut) == 1 and _is_stretch(items[cut[0]]) and step.function not in COMBINED:
        return _write_along_axis(w, x, len(sizes), value, cut[0], items[cut[0]])
    numbers = w.op("Range", w.number(0, INT64), w.op("Size", x), w.number(1, INT64))
    return _write_at_positions(w, step, _read(w, w.op("Reshape", numbers, w.op("Shape", x)), len(sizes), index))


def _is_stretch(item: Any) -> bool:
    """Whether an item of an index is a number or selects consecutive ones."""
    return isinstance(item, int) or (isinstance(item, slice) and item.step in (None, 1))


def _write_at_mask(w: Writer, x: Symbol, sizes: Any, value: Any, index: tuple[Any, ...]) -> Any:
    """Write one number where a mask holds; the mask may lack the last axes of x."""
    _require_single_mask(w, index)
    if len(w.shape_of(value)):
        raise w.unsupported("only a single number can be written through a mask")
    last = range(len(w.shape_of(index[0])), len(sizes))
    mask = unsqueezed(w, w.of(index[0]), *last) if last else w.of(index[0])
    return w.op("Where", mask, w.of(value, x.dtype), x)


def _write_along_axis(w: Writer, x: Symbol, ndim: int, value: Any, axis: int, item: Any) -> Any:
    """Write values at a number or slice of one axis, by concatenating them with the parts before and after."""
    put = w.of(value, x.dtype)
    if isinstance(item, slice):
        start, stop = item.start or 0, item.stop
    else:
        start, stop = item, item + 1 or None
        if len(w.shape_of(value)) >= ndim - axis:  # the value has axes before this one: insert this one, which it lacks
            put = unsqueezed(w, put, axis - ndim)
    stretch = sliced(w, x, [start], [LAST if stop is None else stop], [axis])
    before = [sliced(w, x, [0], [start], [axis])] if start else []
    after = [] if stop is None else [sliced(w, x, [stop], [LAST], [axis])]
    return w.op("Concat", *before, w.op("Expand", put, w.op("Shape", stretch)), *after, axis=axis)


@rule(indexing.Gather, BoxMax)
def gather(w: Writer, step: Step) -> Any:
    return w.op("GatherElements", operand(w, step), w.of(step.settings["index"], INT64), axis=step.settings["axis"])


@rule(indexing.IndexSelect)
def index_select(w: Writer, step: Step) -> Any:
    return w.op("Gather", operand(w, step), w.of(step.settings["index"], INT64), axis=step.settings["axis"])


@rule(embedding.Embedding, embedding.TakeRows)
def rows(w: Writer, step: Step) -> Any:
    return w.op("Gather", operand(w, step), w.of(step.settings["index"]), axis=0)


@rule("one_hot")
def at_classes(w: Writer, step: Step) -> Any:
    depth = step.settings["num_classes"]
    return one_hot(w, w.of(step.inputs[0]), w.static(step.shapes[0][-1]) if depth < 0 else depth, INT64)


def one_hot(w: Writer, classes: Symbol, count: Any, dtype: Any) -> Any:
    """Return one-hot vectors (..., C) of classes (...)."""
    return w.op("OneHot", classes, w.ints([count]), w.constant([0, 1], dtype))
