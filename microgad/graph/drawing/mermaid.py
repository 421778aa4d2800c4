"""Write a Sketch as a Mermaid flowchart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .. import text
from ..tape import total
from .sketch import Box, Edge, Frame, Sketch
from .styles import LIGHT, is_derivative

_SHAPES = {"parameter": '("{}")', "buffer": '("{}")', "leaf": '("{}")', "constant": '("{}")', "module": '[["{}"]]'}
_SHAPES |= {"part": '[["{}"]]', "result": '(["{}"])'}


def mermaid(sketch: Sketch, rankdir: str = "TB") -> str:
    """Return a Mermaid flowchart of a Sketch: boxes, modules as subgraphs, and edges labeled with shapes."""
    edges = sketch.edges()
    lines = [f"flowchart {rankdir}", *_boxes(sketch), *_arrows(sketch, edges), *_colors(sketch)]
    residual = sketch.residual_edges(edges)
    if residual:
        numbers = ",".join(str(i) for i, edge in enumerate(edges) if edge in residual)
        lines.append(f"  linkStyle {numbers} stroke:{LIGHT.residual},stroke-width:2px")
    return "\n".join(lines) + "\n"


def _boxes(sketch: Sketch) -> Iterator[str]:
    """Iterate over the lines of boxes. Those in a frame are indented between the first and last line of the frame."""
    stack: list[tuple[Box | Frame | None, int]] = [(item, 1) for item in reversed([*sketch.items, *sketch.results])]
    while stack:
        item, level = stack.pop()
        indent = "  " * level
        if item is None:
            yield f"{indent}end"
        elif isinstance(item, Frame):
            yield f'{indent}subgraph {item.name}["{_words(item.title, item.times) or " "}"]'
            stack.append((None, level))
            stack += [(inner, level + 1) for inner in reversed(item.items)]
        else:
            shape = _SHAPES.get(item.kind, '["{}"]')
            yield f"{indent}{item.name}{shape.format(_label(item, sketch))}"


def _arrows(sketch: Sketch, edges: Counter[Edge]) -> Iterator[str]:
    """The lines of edges. One to a later repetition is enough for two boxes."""
    later = {(edge.tail, edge.head, edge.later): edge for edge in reversed(edges) if edge.later}
    for edge, times in edges.items():
        if edge.later and later[edge.tail, edge.head, edge.later] is not edge:
            continue
        words = sketch.edge_label(edge, times) or "next" * bool(edge.later)
        label = f'|"{_words(words)}"|' if words else ""
        yield f"  {edge.tail.name} {'-.->' if edge.later or edge.dashed else '-->'}{label} {edge.head.name}"


def _colors(sketch: Sketch) -> Iterator[str]:
    kinds = {box.name: "derivative" if is_derivative(box) else box.kind for box in (*sketch.boxes, *sketch.results)}
    for kind in ("parameter", "buffer", "result", "derivative"):
        style, names = getattr(LIGHT, kind), [name for name, known in kinds.items() if known == kind]
        if names:
            yield f"  classDef {kind} fill:{style[0]},stroke:{style[1]},color:{LIGHT.ink}"
            yield f"  class {','.join(names)} {kind}"


def _label(box: Box, sketch: Sketch) -> str:
    if box.kind in ("op", "chain"):
        drawn = sketch.drawn_as(box.ops[0])
        facts = [text.settings(*same) + text.numbers(*same) for same in map(sketch.drawn_as, box.ops)]
        name, *known = sketch.variables(drawn) or [""]
        lines = [text.title(box.ops[0]), *facts[0], *[name] * bool(name), *(known or text.values(drawn))]
        if box.kind == "chain":
            made = [[f"→ {x}" for x in sketch.variables(sketch.drawn_as(op))[:1]] for op in box.ops]
            rows = zip(map(text.title, box.ops), map(", ".join, facts), map("".join, made), strict=True)
            named = [" ".join(filter(None, row)) for row in rows]
            lines = text.shortened(named, "operations")
        lines = [_words(lines[0], box.times), *map(_words, lines[1:])]
    else:
        lines = [_words(box.title, box.times)]
        if not box.ops:
            lines += map(_words, text.values(box.results or sketch.drawn_as(box.sources[0])))
        if len(box.ops) == 1:
            lines.append(_words(text.title(box.ops[0])))
        elif box.ops:
            lines.append(f"{len(box.ops):,} operations")
    if total(box.ops):
        lines.append(f"keeps {text.size(total(box.ops))}")
    return "<br/>".join(lines)


def _words(words: str, times: int = 1) -> str:
    """Escape text for Mermaid's quotes, where special characters are written by their code points."""
    shown = "".join(f"#{ord(c)};" if c in '"#<>&`\\' or not c.isprintable() else c for c in words)
    return shown + (f" ×{times}" if times > 1 else "")
