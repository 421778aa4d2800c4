"""Choose how much detail of a tape a drawing shows, so that it fits on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..module_tree import ModuleTree
from ..tape import Tape
from .sketch import Options, Sketch

MAX_BOXES = 60  # on a page
MAX_DEPTH = 60  # levels of modules; what is below is drawn at the last one
MAX_USES = 4  # of a parameter; the edges of more would clutter the drawing
MAX_HEIGHT = 22  # inches; a higher drawing can't be read when it is scaled to a page


def make_sketch(tape: Tape, options: Options, limit: int | None, free: Sequence[str]) -> Sketch:
    """Make a Sketch with as much detail as fits in `limit` boxes.

    `free` are the options that may be changed for that: "roll", "fold" and "depth". Repetitions are rolled up only if
    that is necessary, or if parameters are read so often that their edges would clutter the drawing.
    """
    modules = ModuleTree(tape, MAX_DEPTH)
    too_many = free and limit is not None and len(tape) > limit and options == Options(expand=options.expand)
    if not too_many:
        sketch = Sketch(tape, options, modules)
        if limit is None or not free:
            return sketch
        if len(sketch.boxes) <= limit and sketch.height() <= MAX_HEIGHT:
            busy = any(box.kind == "parameter" and box.uses > MAX_USES for box in sketch.boxes)
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
        if len(sketch.boxes) <= limit and (sketch.height() <= MAX_HEIGHT or chosen is tries[-1]):
            return sketch
    if "depth" not in free or options.collapse or options.expand:
        return sketch
    return Sketch(tape, replace(options, parts=max(2, -(-len(tape) // max(1, limit // 2)))), modules)
