"""Rules of movement: shapes, order, joining, padding, conversion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...backend.axis_order import inverse
from ...ops.activation import Glu
from ...ops.grids import BlockDiag
from ...ops.movement.conversion import Cast, Clone, Transfer
from ...ops.movement.diagonal import Diagonal, Trace, Tril, Triu
from ...ops.movement.joining import Cat, Stack
from ...ops.movement.padding import NonConstantPad, Pad
from ...ops.movement.rearranging import Flip, Permute, Roll, Rot90
from ...ops.movement.repeating import Expand, RepeatInterleave
from ...ops.movement.shape import Reshape
from ...ops.movement.splitting import Split, Unbind
from ...ops.movement.strided import SlidingWindows
from ...ops.shuffle import Shuffle
from ..dynamic_axes import Dim
from ..recording import Step
from ..writer import INT64, Symbol, Writer, rule
from .elementwise import operand, operands

LAST = np.iinfo(np.int64).max


def sliced(w: Writer, x: Symbol, starts: Any, stops: Any, axes: Any, steps: Any = None) -> Symbol:
    """Slice x[start:stop:step] along some axes."""
    given = [w.ints(part) for part in (starts, stops, axes)]
    return w.op("Slice", x, *given, None if steps is None else w.ints(steps))


def squeezed(w: Writer, x: Symbol, *axes: int) -> Symbol:
    """Remove axes of size 1."""
    return w.op("Squeeze", x, w.ints(axes))


def unsqueezed(w: Writer, x: Symbol, *axes: int) -> Symbol:
    """Insert axes of size 1."""
    return w.op("Unsqueeze", x, w.ints(axes))


def flipped(w: Writer, x: Symbol, axes: Sequence[int]) -> Symbol:
    """Reverse x along some axes."""
    n = len(axes)
    return sliced(w, x, [-1] * n, [-LAST] * n, axes, [-1] * n) if n else x


@rule(Reshape)
def reshape(w: Writer, step: Step) -> Any:
    size, before = list(step.settings["size"]), w.shape_of(step.inputs[0])
    unknown = [i for i, n in enumerate(size) if not isinstance(n, int)]
    if len(unknown) > 1 and 0 not in size:
        for i in unknown[:-1]:  # 0 stands for the input's size at the same axis
            if i < len(before) and isinstance(size[i], Dim) and before[i] == size[i]:
                size[i] = 0
        if sum(not isinstance(n, int) for n in size) == 1:
            whole = [n if isinstance(n, int) else -1 for n in size]
            return w.op("Reshape", operand(w, step), w.ints(whole))
    return w.reshaped(operand(w, step), step.settings["size"])


@rule(Permute)
def permute(w: Writer, step: Step) -> Any:
    x = operand(w, step)
    return w.op("Transpose", x, perm=list(step.settings["order"])) if step.settings["order"] else x


@rule(Reshape.transposed)
def reshaped_back(w: Writer, step: Step) -> Any:
    return w.reshaped(operand(w, step), step.shapes[0])


@rule(Permute.transposed)
def permuted_back(w: Writer, step: Step) -> Any:
    return w.op("Transpose", operand(w, step), perm=inverse(step.settings["order"]))


@rule(Shuffle)
def shuffle(w: Writer, step: Step) -> Any:
    split = w.reshaped(operand(w, step), step.settings["split"])
    return w.reshaped(w.op("Transpose", split, perm=list(step.settings["order"])), step.settings["size"])


@rule(Expand)
def expand(w: Writer, step: Step) -> Any:
    return w.op("Expand", operand(w, step), w.ints(step.settings["size"]))


@rule(RepeatInterleave)
def repeat_interleave(w: Writer, step: Step) -> Any:
    sizes, at = w.shapes[step.outputs[0]], step.settings["axis"] + 1
    times = [1] * at + [step.settings["repeats"]] + [1] * (len(sizes) - at)
    return w.reshaped(w.op("Tile", unsqueezed(w, operand(w, step), at), w.ints(times)), sizes)


@rule(Cat)
def cat(w: Writer, step: Step) -> Any:
    return w.op("Concat", *operands(w, step), axis=step.settings["axis"])


@rule(BlockDiag)
def block_diag(w: Writer, step: Step) -> Any:
    shapes = step.settings["shapes"]
    blocks = [  # a vector counts as a row, a number as a matrix of one element
        x if len(shape) == 2 else unsqueezed(w, x, *range(2 - len(shape)))
        for x, shape in zip(operands(w, step), shapes, strict=True)
    ]
    columns = w.static([(1, *shape)[-1] for shape in shapes])
    edges = [w.ints([0, sum(columns[:i]), 0, sum(columns[i + 1 :])]) for i in range(len(blocks))]
    rows = [w.op("Pad", x, edge, w.constant(0, x.dtype)) for x, edge in zip(blocks, edges, strict=True)]
    return w.op("Concat", *rows, axis=0)


@rule(Stack)
def stack(w: Writer, step: Step) -> Any:
    axis = step.settings["axis"]
    return w.op("Concat", *(unsqueezed(w, w.of(x, step.kinds[0]), axis) for x in step.inputs), axis=axis)


@rule(Split)
def split(w: Writer, step: Step) -> Any:
    x, axis = operand(w, step), step.settings["axis"]
    parts = [index[axis] for index in step.settings["indices"]]
    return [sliced(w, x, [part.start or 0], [LAST if part.stop is None else part.stop], [axis]) for part in parts]


@rule(Unbind)
def unbind(w: Writer, step: Step) -> Any:
    x, axis = operand(w, step), step.settings["axis"]
    return [w.op("Gather", x, w.constant(i, INT64), axis=axis) for i in range(len(step.outputs))]


@rule(Flip)
def flip(w: Writer, step: Step) -> Any:
    return flipped(w, operand(w, step), step.settings["axis"])


@rule(Rot90)
def rot90(w: Writer, step: Step) -> Any:
    x, (a, b), turns = operand(w, step), step.settings["axes"], step.settings["turns"]
    order = list(range(len(w.shape_of(step.inputs[0]))))
    x = flipped(w, x, [[], [b], [a, b], [a]][turns])
    order[a], order[b] = b, a
    return w.op("Transpose", x, perm=order) if turns % 2 else x


@rule(Roll)
def roll(w: Writer, step: Step) -> Any:
    x, sizes, axes = operand(w, step), w.shape_of(step.inputs[0]), step.settings["axis"]
    shifts, lengths = w.static(step.settings["shifts"]), sizes
    flat = axes is None
    if flat:
        x, axes, lengths = w.reshaped(x, [-1]), (0,), (None,)
    pairs = zip(
        shifts if isinstance(shifts, tuple) else (shifts,), axes if isinstance(axes, tuple) else (axes,), strict=True
    )
    for shift, axis in pairs:
        if isinstance(lengths[axis], int):
            cut = w.ints([-shift % max(lengths[axis], 1)])  # the shift may be larger than the size
        else:
            cut = w.op("Mod", w.ints([-shift]), w.op("Shape", x, start=axis, end=axis + 1))
        at = w.ints([axis])
        x = w.op("Concat", w.op("Slice", x, cut, w.ints([LAST]), at), w.op("Slice", x, w.ints([0]), cut, at), axis=axis)
    return w.reshaped(x, sizes) if flat else x


@rule(Pad)
def pad(w: Writer, step: Step) -> Any:
    x, widths = operand(w, step), w.static(step.settings["widths"])
    edges = [low for low, _ in widths] + [high for _, high in widths]
    return w.op("Pad", x, w.ints(edges), w.constant(step.settings["value"], x.dtype))


@rule(NonConstantPad)
def border(w: Writer, step: Step) -> Any:
    x, widths, mode = operand(w, step), w.static(step.settings["widths"]), step.settings["mode"]
    for axis, (low, high) in enumerate(widths):
        if not low and not high:
            continue
        if mode in ("edge", "reflect"):
            edges = [0] * (2 * len(widths))
            edges[axis], edges[axis + len(widths)] = low, high
            x = w.op("Pad", x, w.ints(edges), mode=mode)
        elif mode == "wrap":
            before = [sliced(w, x, [-low], [LAST], [axis])] if low else []
            after = [sliced(w, x, [0], [high], [axis])] if high else []
            x = w.op("Concat", *before, x, *after, axis=axis)
        else:
            raise w.unsupported(f"ONNX has no padding {mode!r}")
    return x


@rule(Tril, Triu)
def triangle(w: Writer, step: Step) -> Any:
    upper = int(step.function is Triu)
    return w.op("Trilu", operand(w, step), w.number(step.settings["k"], INT64), upper=upper)


@rule(Diagonal)
def on_diagonal(w: Writer, step: Step) -> Any:
    x, sizes = operand(w, step), w.shape_of(step.inputs[0])
    a, b = (axis % len(sizes) for axis in step.settings["axes"])
    rows, columns, offset = w.static(sizes[a]), w.static(sizes[b]), step.settings["offset"]
    rest = [i for i in range(len(sizes)) if i not in (a, b)]
    x = w.op("Transpose", x, perm=[*rest, a, b])
    x = w.op("Reshape", x, w.ints([0] * len(rest) + [rows * columns]))
    first = np.arange(rows * columns).reshape(rows, columns).diagonal(offset)
    return w.op("Gather", x, w.constant(first, INT64), axis=len(rest))


@rule(Trace)
def trace(w: Writer, step: Step) -> Any:
    x = w.of(step.inputs[0], step.kinds[0])
    rows, columns = (w.static(n) for n in w.shape_of(step.inputs[0]))
    places = np.arange(0, rows * columns, columns + 1)[: min(rows, columns)]
    diagonal = w.op("Gather", w.op("Reshape", x, w.ints([-1])), w.constant(places, INT64), axis=0)
    return w.op("ReduceSum", diagonal, keepdims=0)


@rule(Glu)
def glu(w: Writer, step: Step) -> Any:
    x, axis = operand(w, step), step.settings["axis"]
    half = w.static(step.shapes[0][axis])
    return sliced(w, x, [0], [half], [axis]) * w.op("Sigmoid", sliced(w, x, [half], [LAST], [axis]))


@rule(SlidingWindows)
def windows(w: Writer, step: Step) -> Any:
    x, axis, size, stride = operand(w, step), step.settings["axis"], step.settings["size"], step.settings["step"]
    count = w.static(step.shapes[0][axis])
    places = np.arange(count)[:, None] * stride + np.arange(size)
    taken = w.op("Gather", x, w.constant(places, INT64), axis=axis)
    n = len(step.shapes[0])
    return w.op("Transpose", taken, perm=[i for i in range(n) if i != axis + 1] + [axis + 1])


@rule(Clone, Transfer, Clone.transposed, Transfer.transposed)
def same(w: Writer, step: Step) -> Any:
    return operand(w, step)


@rule(Cast, Cast.transposed)
def cast(w: Writer, step: Step) -> Any:
    return w.cast(w.of(step.inputs[0]), step.kinds[0])
