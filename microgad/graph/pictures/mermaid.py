"""A sketch in Mermaid's language."""

from __future__ import annotations

from .. import text
from ..tape import total
from .sketch import Box, Frame, Sketch
from .styles import LIGHT

_SHAPES = {"parameter": '("{}")', "buffer": '("{}")', "leaf": '("{}")', "constant": '("{}")', "module": '[["{}"]]'}
_SHAPES |= {"part": '[["{}"]]', "result": '(["{}"])'}


def mermaid(sketch: Sketch, rankdir: str = "TB") -> str:
    """A sketch as a Mermaid flowchart: boxes, modules as subgraphs, and edges with their shapes."""
    lines = [f"flowchart {rankdir}"]
    stack: list[tuple[Box | Frame | None, int]] = [(item, 1) for item in reversed([*sketch.items, *sketch.results])]
    while stack:
        item, level = stack.pop()
        beside = "  " * level
        if item is None:
            lines.append(f"{beside}end")
        elif isinstance(item, Frame):
            lines.append(f'{beside}subgraph {item.name}["{_words(item.title, item.times) or " "}"]')
            stack.append((None, level))
            stack += [(inner, level + 1) for inner in reversed(item.items)]
        else:
            shape = _SHAPES.get(item.kind, '["{}"]')
            lines.append(f"{beside}{item.name}{shape.format(_label(item))}")
    edges = sketch.edges()
    past = sketch.past(edges)
    drawn = []
    for i, (edge, times) in enumerate(edges.items()):
        label = sketch.carried(edge) + (f" ×{times}" if times > 1 else "")
        arrow = "-.->" if edge.again or edge.wrote or edge.tail.kind in ("constant", "buffer") else "-->"
        said = f'|"{_words("next" if edge.again else label)}"|' if label or edge.again else ""
        lines.append(f"  {edge.tail.name} {arrow}{said} {edge.head.name}")
        if edge in past:
            drawn.append(str(i))
    for kind, style in (("parameter", LIGHT.parameter), ("buffer", LIGHT.buffer), ("result", LIGHT.result)):
        names = [box.name for box in (*sketch.boxes, *sketch.results) if box.kind == kind]
        if names:
            lines.append(f"  classDef {kind} fill:{style[0]},stroke:{style[1]},color:{LIGHT.ink}")
            lines.append(f"  class {','.join(names)} {kind}")
    if drawn:
        lines.append(f"  linkStyle {','.join(drawn)} stroke:{LIGHT.past},stroke-width:2px")
    return "\n".join(lines) + "\n"


def _label(box: Box) -> str:
    """What a box says, a line for each thing."""
    if box.kind in ("op", "chain"):
        lines = [text.title(op) for op in box.ops]
        lines = [_words(lines[0], box.times), *map(_words, lines[1:])]
        if box.kind == "op":
            lines += map(_words, text.settings(box.ops[0]))
    else:
        lines = [_words(box.title, box.times)]
        if box.result is not None and box.result.value is not None:
            lines.append(_words(text.number(box.result.value)))
        if len(box.ops) == 1:
            lines.append(_words(text.title(box.ops[0])))
        elif box.ops:
            lines.append(f"{len(box.ops):,} operations")
    if total(box.ops):
        lines.append(f"keeps {text.size(total(box.ops))}")
    return "<br/>".join(lines)


def _words(words: str, times: int = 1) -> str:
    """Text inside Mermaid's quotes: what means something to it is written by its number."""
    shown = "".join(f"#{ord(c)};" if c in '"#<>&`\\' or not c.isprintable() else c for c in words)
    return shown + (f" ×{times}" if times > 1 else "")
