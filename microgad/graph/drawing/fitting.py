"""Choose how much detail of a tape a drawing shows, so that it fits on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..module_tree import ModuleTree
from ..tape import Tape
from .sketch import Box, Options, Sketch

MAX_BOXES = 60  # on a page
MAX_DEPTH = 60  # levels of modules; what is below is drawn at the last one
MAX_USES = 4  # of a parameter; the edges of more would clutter the drawing
MAX_HEIGHT = 24  # inches; a higher drawing can't be read when it is scaled to a page
MAX_SIDE_BY_SIDE = 16  # boxes; what repeats, such as the heads of attention, is drawn once if more were side by side


def make_sketch(tape: Tape, options: Options, limit: int | None, free: Sequence[str]) -> Sketch:
    """Make a Sketch with as much detail as fits in `limit` boxes.

    `free` are the options that may be changed for that: "roll", "fold" and "depth". Repetitions are rolled up only if
    that is necessary, or if parameters are read so often that their edges would clutter the drawing, or if it would be
    very wide.
    """
    modules = ModuleTree(tape, MAX_DEPTH)
    too_many = free and limit is not None and len(tape) > limit and options == Options(expand=options.expand)
    if not too_many:
        sketch = Sketch(tape, options, modules)
        if limit is None or not free:
            return sketch
        if len(sketch.boxes) <= limit and height(sketch) <= MAX_HEIGHT:
            busy = any(box.kind == "parameter" and box.uses > MAX_USES for box in sketch.boxes)
            busy = busy or _side_by_side(sketch) > MAX_SIDE_BY_SIDE
            rolled = Sketch(tape, replace(options, roll=True), modules) if busy and "roll" in free else sketch
            return rolled if rolled.rolls else sketch
    assert limit is not None
    return _reduce(tape, options, limit, free, modules)


def _reduce(tape: Tape, options: Options, limit: int, free: Sequence[str], modules: ModuleTree) -> Sketch:
    """Roll, fold, and close modules from the deepest level on until the Sketch fits, or else split it evenly."""
    options = replace(options, roll=options.roll or "roll" in free, fold=options.fold or "fold" in free)
    tries = [options]
    if "depth" in free:
        deepest = max((len(call.parts) for call in modules.calls), default=0)
        tries = [replace(options, leaves=True)]
        tries += [replace(options, leaves=True, depth=depth) for depth in range(deepest - 1, 0, -1)]
    for chosen in tries:
        sketch = Sketch(tape, chosen, modules)
        if len(sketch.boxes) <= limit and (height(sketch) <= MAX_HEIGHT or chosen is tries[-1]):
            return sketch
    if "depth" not in free or options.collapse or options.expand:
        return sketch
    return Sketch(tape, replace(options, parts=max(2, -(-len(tape) // max(1, limit // 2)))), modules)


def height(sketch: Sketch) -> float:
    """Estimate the height of a drawing in inches from the longest chain of boxes."""
    return max(_levels(sketch).values(), default=0.0)


def _side_by_side(sketch: Sketch) -> int:
    """Estimate how many boxes are side by side. Sources that are read once are beside what reads them."""
    levels = _levels(sketch)
    beside: dict[int, set[Box]] = {}
    for op in sketch.tape:
        if (head := sketch.box(op.number)) is not None:
            read = (sketch.box(x.source) for x in op.inputs)
            once = {box for box in read if box is not None and box.uses == 1 and box not in levels}
            beside.setdefault(round(levels[head]), set()).update({head} | once)
    return max(map(len, beside.values()), default=0)


def _levels(sketch: Sketch) -> dict[Box, float]:
    """Estimate in inches how far down each box is in a drawing: below all that it reads."""
    levels: dict[Box, float] = {}
    for op in sketch.tape:
        head = sketch.box(op.number)
        tails = (sketch.box(x.origin) for x in op.inputs if not sketch.crosses(x.origin or 0, op.number)[0])
        before = max((levels.get(tail, 1.0) for tail in tails if tail is not None and tail is not head), default=0)
        if head is not None:
            levels[head] = max(levels.get(head, 0.0), before + 0.8 + 0.1 * min(len(head.ops), 6))
    return levels
