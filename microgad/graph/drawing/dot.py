"""Write a Sketch in DOT, Graphviz's language. This is the only module that imports graphviz."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import chain
from typing import TYPE_CHECKING

from .. import text
from ..tape import Input, Op, Result, Source, total
from .sketch import Box, Edge, Frame
from .styles import SCALES, THEMES, ColorMap, interpolate, is_derivative

if TYPE_CHECKING:
    from graphviz import Digraph as Digraph

    from .graph import Graph

FONT = "Helvetica,Arial,sans-serif"
DIRECTIONS = ("TB", "BT", "LR", "RL")
MAX_LABELS = 100  # on edges, where these are many for the boxes: each is a box to lay out in all ranks that it crosses
_IDENTIFIER = re.compile(r"[a-zA-Z_]\w*|-?(\.[0-9]+|[0-9]+(\.[0-9]*)?)", re.ASCII)
_KEYWORDS = {"node", "edge", "graph", "digraph", "subgraph", "strict"}
_VIEWS = {
    "Permute", "Expand", "Reshape", "Diagonal", "SlidingWindows", "AsStrided", "Split", "Unbind", "ViewAsReal",
    "ViewAsComplex", "Real", "Imag", "SumAdjoint", "PermuteAdjoint", "ReshapeAdjoint",
}  # fmt: skip


def drawing(graph: Graph) -> Digraph:
    """Return the drawing of a Graph as a graphviz.Digraph.

    Operations show their arguments and what they keep for backward; modules are clusters.
    """
    writer = DotWriter(graph)
    if graph.beside:
        from .backward_pass import draw_backward

        draw_backward(writer)
    writer.graph.graph_attr["label"] = writer.caption(graph.beside)
    return writer.graph


class DotWriter:
    """Writes one drawing as a graphviz.Digraph."""

    def __init__(self, graph: Graph) -> None:
        from graphviz import Digraph

        self.sketch = sketch = graph.sketch
        self.show_saved, self.rankdir, self.frames = graph.show_saved, graph.rankdir, graph.frames
        self.theme = look = THEMES[graph.theme]
        self.scale = SCALES[graph.color] if graph.color else None
        self.values: dict[Box, tuple[float, float]] = {}  # the least and the largest of what a box stands for
        for box in sketch.boxes if self.scale else ():
            if (found := self.scale.extremes(sketch.repetitions_of(box))) is not None:  # type: ignore[union-attr]
                self.values[box] = found
        self.color = ColorMap(self.scale, chain.from_iterable(self.values.values()))
        self.marked: dict[Box | None, list[int]] = {}
        for number in graph.mark:
            self.marked.setdefault(sketch.box(number), []).append(number)
        self.edges = sketch.edges()
        self.labels_edges = len(self.edges) <= max(MAX_LABELS, 2 * len(sketch.boxes))
        self.residual = sketch.residual_edges(self.edges) if len(sketch.boxes) <= 2000 else set()
        self.graph = Digraph(
            "microgad",
            graph_attr={
                "rankdir": self.rankdir, "bgcolor": look.paper, "fontname": FONT, "fontsize": "11",
                "fontcolor": look.faint, "nodesep": "0.25", "ranksep": "0.2", "pad": "0.2", "labelloc": "b",
            },
            node_attr={
                "fontname": FONT, "fontsize": "11", "fontcolor": look.ink, "shape": "box", "height": "0.3",
                "margin": "0.12,0.05",
            },
            edge_attr={
                "fontname": FONT, "fontsize": "9", "fontcolor": look.faint, "color": look.line, "arrowsize": "0.6",
            },
        )  # fmt: skip
        self.draw_items(self.graph, sketch.items)
        for box in sketch.results:
            self.box(self.graph, box, box.results)
        self.connect()

    def draw_items(self, graph: Digraph, items: list[Box | Frame], level: int = 0) -> None:
        """Draw what is in a frame at this level, with inner frames as clusters."""
        for item in items:
            if isinstance(item, Frame) and not self.frames and item.times == 1:
                self.draw_items(graph, item.items, level)
            elif isinstance(item, Frame):
                graph.subgraph(self.cluster(item, level))
            elif item.kind == "op":
                self.op(graph, item)
            elif item.ops:
                self.merged(graph, item)
            else:
                self.box(graph, item, self.sketch.drawn_as(item.sources[0]))

    def cluster(self, frame: Frame, level: int) -> Digraph:
        """Draw a frame as a cluster. The box of a single operation shows the module's path instead."""
        from graphviz import Digraph

        cluster = Digraph(frame.name if frame.title else f"cluster_{frame.name}")
        first = frame.items[0]
        if isinstance(first, Box) and first.kind == "op" and len(frame.items) == 1 and frame.title:
            cluster.attr(label="", style="", peripheries="0", margin="2")
            self.op(cluster, first, frame.title, frame.times)
            return cluster
        title = _bold(frame.title) if frame.title else ""
        if frame.times > 1:
            title += f'&#160;<FONT POINT-SIZE="12"><B>×{frame.times}</B></FONT>'
        padding = "&#160;" * (3 * len(frame.title))  # widens the cluster, so that edges into it don't cross the title
        cluster.attr(
            label=f"<{title}{padding}>", labeljust="l", labelloc="t", fontsize="10", margin="10",
            fontcolor=self.theme.ink,
            style="rounded,filled" if frame.title and not frame.derivative else "rounded,filled,dashed",
            fillcolor=self.theme.frames[1 - level % 2],
            color=self.theme.derivative[1] if frame.derivative else self.theme.border,
            penwidth="2" if frame.times > 1 else "1",
        )  # fmt: skip
        self.draw_items(cluster, frame.items, level + 1)
        return cluster

    def filled(self, box: Box, fill: str) -> str:
        """Return the color of a box: that of its kind, or that of its value on the color scale."""
        if self.scale is None:
            return self.theme.derivative[0] if is_derivative(box) else fill
        return interpolate(self.theme.operation, self.theme.hot, self.color(self.values.get(box, (0.0, 0.0))[1]))

    def outline(self, box: Box, line: str, width: str) -> dict[str, str]:
        """Return the attributes of a box's border, which is highlighted if the box is marked."""
        if box in self.marked:
            return {"color": self.theme.residual, "penwidth": "3"}
        return {"color": line} | ({"penwidth": width} if width != "1" else {})

    def measured(self, box: Box) -> list[str]:
        """Return the line with a box's value on the color scale, unless it is shown anyway, and one of marks inside."""
        lines = []
        drawn = {op.number for op in box.ops} | {source.number for source in box.sources}
        if others := [self.sketch.tape[number] for number in self.marked.get(box, ()) if number not in drawn]:
            where = dict.fromkeys(x.path or x.name if isinstance(x, Op) else x.name for x in others)
            lines.append(f"marked: {text.spread(where)}")
        if self.scale and box in self.values and not (self.show_saved and self.scale is SCALES["bytes"]):
            lines.append(f"{self.scale.label} {self.scale.range(self.values[box])}")
        return [_small(escaped(line)) for line in lines]

    def box(self, graph: Digraph, box: Box, of: Sequence[Source | Result]) -> None:
        """Draw a source or a result, `of` what it stands for."""
        style = self.theme.style(box.kind)
        title = _bold(box.title) + (_times(box.times) if box.times > 1 else "")
        lines = [escaped(line) for line in text.values(of)]
        shared = box.kind == "parameter" and box.uses > 1
        if shared:
            lines.append(_small(f"used {box.uses}×"))
        put(
            graph, box.name, f"<{'<BR/>'.join([title, *lines, *self.measured(box)])}>", style=style.style,
            fillcolor=self.filled(box, style.fill), tooltip=escaped(f"{box.kind} {box.title}"),
            **self.outline(box, style.line, style.width), **{"peripheries": "2"} if shared else {},
        )  # fmt: skip

    def merged(self, graph: Digraph, box: Box) -> None:
        """Draw a closed module or a chain of operations as one box that lists what is in it."""
        ops, parameters = box.ops, [source for source in box.sources if source.kind == "parameter"]
        counted = [f"{len(ops):,} operations"] if len(ops) > 1 and box.kind != "chain" else []
        if parameters:
            counted.append(f"{sum(map(text.elements, parameters)):,} parameters")
        if self.show_saved and total(ops):
            counted.append(f"keeps {text.size(total(ops))}")
        if box.kind == "chain":
            lines = _join_lines([self.line(op) for op in ops])
        else:
            kinds = Counter(map(text.title, ops)).most_common()
            names = [escaped(name) if n == 1 else f"{escaped(name)} ×{n}" for name, n in kinds]
            what = ", ".join(names if len(names) <= 4 else [*names[:3], "…"])
            settings = escaped(", ".join(self.facts(ops[0]))) if len(ops) == 1 else ""
            lines = [_bold(box.title), *map(_small, filter(None, (what, settings)))]
        if box.times > 1:
            lines[0] += _times(box.times)
        together = " · ".join(counted)
        lines += [_small(line) for line in ([together] if len(together) < 40 else counted) if line] + self.measured(box)
        put(
            graph, box.name, f"<{'<BR/>'.join(lines)}>", style="rounded,filled",
            fillcolor=self.filled(box, self.theme.module),
            tooltip=escaped(box.title), **self.outline(box, self.theme.line, "1.8" if len(ops) > 1 else "1"),
        )  # fmt: skip

    def facts(self, op: Op) -> list[str]:
        """Return the settings and the numbers of an operation, where its arguments aren't drawn."""
        same = self.sketch.drawn_as(op)
        return text.settings(*same) + text.numbers(*same)

    def line(self, op: Op) -> tuple[str, int]:
        """Return the line of an operation in a chain, and its length. It names a module without other operations."""
        settings, title = ", ".join(self.facts(op)), text.title(op)
        calls = [self.sketch.modules.call_of[x.number] for x in self.sketch.drawn_as(op)]
        own = calls[0].parts[-1:] if len(calls[0].members) == 1 else ()
        name = text.spread(".".join(call.parts[-2:] if own[0].isdigit() else own) for call in calls) if own else ""
        shown = settings if len(settings) < 50 else ""
        made = "".join(self.sketch.variables(self.sketch.drawn_as(op))[:1])
        words = [_bold(name)] * bool(name) + [escaped(title)] + [_small(escaped(shown))] * bool(shown)
        words += [f"→&#160;{_bold(made)}"] * bool(made)
        return "&#160;".join(words), len(name) + len(title) + len(shown) + len(made)

    def op(self, graph: Digraph, box: Box, module: str = "", times: int = 1) -> None:
        """Draw an operation as a table, with the module's path if it is the only operation of the module."""
        op, times = box.ops[0], times * box.times
        kept = {k.name for k in op.kept if k.role == "input"} if self.show_saved else set()
        arguments = []
        if len(op.inputs) > 1 or kept:
            same = list(zip(*(y.inputs for y in self.sketch.drawn_as(op)), strict=False))
            if self.sketch.reads_in_turn(op):
                same = [tuple(op.inputs)]
            arguments = [self.argument(i, list(xs), xs[0].name in kept) for i, xs in enumerate(same)]
        words = text.settings(*self.sketch.drawn_as(op))
        joined = [", ".join(words)] if sum(map(len, words)) < 24 else words
        settings = [_small(escaped(line)) for line in joined if line]
        if module:
            kind = "function&#160;" if module.endswith("()") else "module&#160;" if op.derives is None else ""
            settings.append(f'<FONT COLOR="{self.theme.faint}">{_small(f"{kind}{_bold(module)}")}</FONT>')
        title = escaped(text.title(op)) + (f"<B>&#160;×{times}</B>" if times > 1 else "")
        drawn = self.sketch.drawn_as(op)
        name, *known = self.sketch.variables(drawn) or [""]
        values = [_bold(name)] * bool(name) + [escaped(line) for line in known or text.values(drawn)]
        body = "<BR/>".join([f'<FONT POINT-SIZE="12">{title}</FONT>', *settings, *values, *self.measured(box)])
        rows = self.card(arguments, body, self.keeps(op) if self.show_saved else "", box)
        border, line = (2, self.theme.residual) if box in self.marked else (1, self.theme.line)
        label = f'<TABLE BORDER="0" CELLBORDER="{border}" CELLSPACING="0" CELLPADDING="4" COLOR="{line}">{rows}</TABLE>'
        where = f" in {op.path}" if op.path else ""
        put(graph, box.name, f"<{label}>", shape="plain", tooltip=escaped(f"{text.title(op)}{where}"))

    def card(self, arguments: list[str], body: str, keeps: str, box: Box) -> str:
        """Return the rows of an operation's table. The arguments are on the side where their edges come in."""
        across = self.rankdir in ("TB", "BT")
        span = len(arguments) or 1
        style = ' STYLE="dashed"' if is_view(box.ops[0]) else ""
        fill = self.filled(box, self.theme.operation)
        center = f'<TD {"COLSPAN" if across else "ROWSPAN"}="{span}" BGCOLOR="{fill}"{style}>{body}</TD>'
        if across:
            rows = [f"<TR>{''.join(arguments)}</TR>"] if arguments else []
            rows.append(f"<TR>{center}</TR>")
        else:
            lines = arguments or [""]
            first = [center, lines[0]] if self.rankdir == "RL" else [lines[0], center]
            rows = [f"<TR>{''.join(first)}</TR>", *(f"<TR>{line}</TR>" for line in lines[1:])]
            span = 2 if arguments else 1
        if keeps:
            rows.append(f'<TR><TD COLSPAN="{span}" BGCOLOR="{self.theme.kept}">{keeps}</TD></TR>')
        return "".join(rows[::-1] if self.rankdir == "BT" else rows)

    def argument(self, i: int, same: list[Input], kept: bool) -> str:
        x = same[0]
        words = text.spread(y.name for y in same)
        if x.value is not None:
            words += f" = {text.spread(text.number(y.value) for y in same)}"
        ink = self.theme.faint if x.source is None and x.value is None else self.theme.ink
        fill = self.theme.kept if kept else self.theme.operation
        return f'<TD PORT="{i}" BGCOLOR="{fill}"><FONT POINT-SIZE="9" COLOR="{ink}">{escaped(words)}</FONT></TD>'

    def keeps(self, op: Op) -> str:
        """Return the lines with what is kept besides inputs, and the bytes of all that is kept."""
        lines = [
            _small(escaped(x.name if x.role == "output" else f"{x.name} {text.shape_of(x.shape, x.dtype)}"))
            for x in op.kept
            if x.role != "input"
        ]
        if op.bytes:
            lines.append(_small(f"keeps {text.size(op.bytes)}"))
        return "<BR/>".join(lines)

    def connect(self) -> None:
        drawn: set[tuple[Box, Box, int]] = set()  # one edge to a later repetition is enough for two boxes
        for edge, times in self.edges.items():
            if not edge.later:
                self.edge(edge, times)
            elif (same := (edge.tail, edge.head, edge.later)) not in drawn:
                drawn.add(same)
                self.edge_to_later(edge)
        for tail, head in self.derivatives:
            more = {"constraint": "false", "color": self.theme.derivative[1], "style": "dotted", "arrowhead": "open"}
            put(self.graph, f"{tail.name} -> {head.name}", "", **more)

    @cached_property
    def derivatives(self) -> list[tuple[Box, Box]]:
        """Pairs of an operation's box and the first one of its derivative, where that has the name of others, too."""
        tape, box = self.sketch.tape, self.sketch.box
        names = {op.number: (op.path, op.name, self.sketch.modules.orders.get(op.number)) for op in tape}
        alike = Counter(names.values())
        first = {op.derives: op.number for op in reversed(tape.ops) if op.derives in names}
        pairs = [(box(a), box(b)) for a, b in first.items() if alike[names[a]] > 1]
        return [(a, b) for a, b in dict.fromkeys(pairs) if a is not None and b is not None and a is not b]

    def edge(self, edge: Edge, times: int) -> None:
        """Draw an edge to a box, or to the argument in it that reads the value."""
        look, head, label = self.theme, edge.head.name, f" {self.sketch.edge_label(edge, times)} "
        op = edge.head.ops[0] if edge.argument is not None else None
        if op and (len(op.inputs) > 1 or (self.show_saved and any(k.role == "input" for k in op.kept))):
            head += f":{edge.argument}:" + {"TB": "n", "BT": "s", "LR": "w", "RL": "e"}[self.rankdir]
        more = {"weight": "4"} if edge.tail.ops else {}
        if edge.dashed:
            more["style"] = "dashed"
        if edge.tail.ops and isinstance(source := self.sketch.tape.find(edge.what.origin), Source):
            more |= {"color": look.parameter[1], "fontcolor": look.parameter[1]}  # a parameter that modules share
            label = f" {escaped(source.name)}{label}"
        elif edge in self.residual:
            more |= {"color": look.residual, "penwidth": "1.8"}
        if not self.labels_edges:
            more["tooltip"], label = label.strip() or " ", ""
        put(self.graph, f"{edge.tail.name} -> {head}", label, **more)

    def edge_to_later(self, edge: Edge) -> None:
        """Draw an edge to a later repetition of what is drawn once. It ends at the side of the box."""
        side = "e" if self.rankdir in ("TB", "BT") else "s"
        more = {"constraint": "false", "color": self.theme.parameter[1], "style": "bold,dashed"}
        words = self.sketch.edge_label(edge)
        put(self.graph, f"{edge.tail.name} -> {edge.head.name}:{side}", f" {words} " if words else "", **more)

    def caption(self, beside: bool) -> str:
        """Return the legend and the summary as one label."""
        cells = self.legend(beside)
        columns = 4 if len(cells) > 5 else len(cells) or 1
        lines = "".join(f"<TR>{''.join(cells[i : i + columns])}</TR>" for i in range(0, len(cells), columns))
        legend = f'<TR><TD><TABLE BORDER="0" CELLBORDER="0" CELLSPACING="4" CELLPADDING="3">{lines}</TABLE></TD></TR>'
        legend = legend if lines else ""  # Graphviz rejects a table without rows
        summary = f"<TR><TD>{escaped(text.summary(self.sketch.tape))}</TD></TR>"
        return f'<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="2">{legend}{summary}</TABLE>>'

    def legend(self, beside: bool) -> list[str]:
        """Return a cell for each kind of box and edge in the drawing."""
        look, boxes = self.theme, self.sketch.boxes
        kinds = {box.kind for box in (*boxes, *self.sketch.results) if not is_derivative(box)}
        open_ops = [box.ops[0] for box in boxes if box.kind == "op"]
        shared = any(box.kind == "parameter" and box.uses > 1 for box in boxes)
        kept = self.show_saved and any(op.kept for op in open_ops)
        cut = any(x.dashed and not x.wrote and x.tail.kind not in ("constant", "buffer") for x in self.edges)
        module = "module" if "module" in kinds else "part"
        outside = [kind for kind in ("parameter", "buffer", "leaf", "constant") if kind in kinds]
        cells = [self.swatch(*look.style(kind)[:4]) for kind in outside]
        cells += [cell for there, cell in (
            (shared, self.words("double border: used several times")),
            (open_ops, self.swatch("operation", look.operation, look.line)),
            (any(map(is_derivative, boxes)), self.swatch("∂ backward, by create_graph", *look.derivative)),
            (any(map(is_view, open_ops)), self.swatch("view, of the same memory", look.operation, look.line, "dashed")),
            (kept, self.swatch("kept for backward", look.kept, look.line)),
            (self.derivatives, self.words("its derivative ⇢", look.derivative[1])),
            (module in kinds, self.swatch(module, look.module, look.line, "rounded")),
            ("chain" in kinds, self.swatch("operations in a row", look.module, look.line, "rounded")),
            (self.marked, self.swatch("marked", look.operation, look.residual)),
            (self.residual, self.words("residual →", look.residual)),
            (cut, self.words("no gradient ⇢", look.line)),
            (any(edge.later for edge in self.edges), self.words("to the next time ⇢", look.parameter[1])),
            ("result" in kinds, self.swatch(*look.style("result")[:4])),
            (beside, self.swatch(*look.style("gradient")[:4])),
            (beside, self.words("reads what was kept ⇢", look.residual)),
        ) if there]  # fmt: skip
        if self.scale is not None:
            least, color = (self.color.low, self.color(self.color.low)) if self.color.logarithmic else (0.0, 0.0)
            words = f"{self.scale.label}{', logarithmic' * self.color.logarithmic}: "
            ends = f"{self.scale.shown(least)} … {self.scale.shown(self.color.high)}" if self.values else "not recorded"
            fill = f"{interpolate(look.operation, look.hot, color)}:{look.hot}"  # a gradient
            cells.append(self.swatch(words + ends, fill, look.line))
        return cells

    def swatch(self, words: str, fill: str, line: str, style: str = "") -> str:
        style = ",".join(part for part in style.split(",") if part != "filled")
        border = f' STYLE="{style}"' if style else ""
        label = f'<FONT POINT-SIZE="9" COLOR="{self.theme.ink}">{words}</FONT>'
        return f'<TD BORDER="1" COLOR="{line}" BGCOLOR="{fill}"{border}>{label}</TD>'

    def words(self, words: str, color: str = "") -> str:
        return f'<TD><FONT POINT-SIZE="9" COLOR="{color or self.theme.ink}">{words}</FONT></TD>'


def put(graph: Digraph, what: str, label: str, **attributes: str) -> None:
    """Add a node or an edge. Digraph's own methods do the same in five times the time."""
    settings = [f"label={_quoted(label)}"] if label else []
    settings += [f"{name}={_quoted(value)}" for name, value in sorted(attributes.items())]
    graph.body.append(f"\t{what} [{' '.join(settings)}]\n")


def _quoted(words: str) -> str:
    return words if words.startswith("<") and words.endswith(">") else _word(words)


@lru_cache(maxsize=1024)  # most words are repeated often
def _word(words: str) -> str:
    if _IDENTIFIER.fullmatch(words) and words.lower() not in _KEYWORDS:
        return words
    quoted = words.replace('"', '\\"')
    return f'"{quoted}"'


def is_view(op: Op) -> bool:
    """Whether a result shares memory with an input: as recorded, or else as follows from the operation."""
    if op.layouts:
        return any(x in ("view", "expanded") for x in op.layouts)
    if op.own:
        return False
    if op.name == "GetItem":  # of a basic index: numbers, None, "1:3" and "...", but no array, as "int64 (3,)"
        items = op.settings.get("index", "array")
        return all(x is None or type(x) is int or (type(x) is str and not x[0].isalpha()) for x in items)
    return op.name in _VIEWS


def _join_lines(words: list[tuple[str, int]]) -> list[str]:
    """Arrange words, given with their lengths, in lines. Short ones share a line; of many lines the middle is cut."""
    lines: list[str] = []
    room = 0
    for word, length in words:
        if length <= room:
            lines[-1] += f"&#160;·&#160;{word}"
            room -= length + 3
        else:
            lines.append(word)
            room = 30 - length
    return text.shortened(lines, "lines")


def escaped(words: str) -> str:
    """Escape text for an HTML-like label or a tooltip. A zero-width space keeps \\N from becoming the node's name."""
    printable = words if words.isprintable() else "".join(c if c.isprintable() else "�" for c in words)
    return html.escape(printable).replace("\\", "\\\u200b")


def _bold(words: str) -> str:
    return f"<B>{escaped(words)}</B>"


def _times(count: int) -> str:
    return f'<FONT POINT-SIZE="13"><B>&#160;×{count}</B></FONT>'


def _small(words: str) -> str:
    return f'<FONT POINT-SIZE="9">{words}</FONT>'
