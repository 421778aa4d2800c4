"""A tape as a Graphviz drawing. The only import of graphviz."""

from __future__ import annotations

import html
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from . import text
from .modules import Call, Modules
from .tape import Input, Kept, Op, Result, Source, Tape, total

if TYPE_CHECKING:
    from graphviz import Digraph as Digraph

FONT = "Helvetica,Arial,sans-serif"
INK, FAINT = "#222222", "#6B6B6B"
# Tints of Okabe and Ito's palette, which colour-blind people tell apart; the kinds also differ in their borders.
OPERATION, KEPT, MODULE, LINE = "#FFFFFF", "#FFE0B0", "#EAEAEA", "#555555"


class Style(NamedTuple):
    """How a kind of box looks, and what the legend calls it."""

    said: str
    fill: str
    line: str
    style: str
    width: str = "1"


STYLES = {
    "parameter": Style("parameter", "#CFE8F8", "#0072B2", "rounded,filled"),
    "leaf": Style("leaf (gets a gradient)", "#FFFFFF", "#0072B2", "rounded,filled"),
    "constant": Style("constant (no gradient)", "#FFFFFF", FAINT, "rounded,filled,dashed"),
    "result": Style("result", "#CDEBDF", "#00805C", "rounded,filled", "2"),
}
DIRECTIONS = ("TB", "BT", "LR", "RL")


def drawing(tape: Tape, modules: Modules, show_saved: bool = True, rankdir: str = "TB") -> Digraph:
    """The tape as a graphviz.Digraph: operations with their arguments and what they keep, modules as clusters."""
    return _Drawing(tape, modules, show_saved, rankdir).graph


class _Drawing:
    def __init__(self, tape: Tape, modules: Modules, show_saved: bool, rankdir: str) -> None:
        from graphviz import Digraph

        self.modules = modules
        self.show_saved = show_saved
        self.rankdir = rankdir
        self.results: dict[int | None, int] = {op.number: len(op.shapes) for op in tape}
        self.place = {call: i for i, call in enumerate(modules.calls)}
        self.boxes: dict[int, str] = {}  # number of an Op or Source -> the box that it is in
        for call in modules.folded:
            for member in (*call.members, *call.sources):
                if not isinstance(member, Call):
                    self.boxes[member.number] = f"module{self.place[call]}"
        for i, op in enumerate(tape.ops):
            self.boxes.setdefault(op.number, f"op{i}")
        for i, source in enumerate(tape.sources):
            self.boxes.setdefault(source.number, f"source{i}")
        self.graph = Digraph(
            "microgad",
            graph_attr={
                "rankdir": rankdir, "bgcolor": "white", "fontname": FONT, "fontsize": "11", "fontcolor": FAINT,
                "nodesep": "0.25", "ranksep": "0.35", "pad": "0.2", "labelloc": "b",
                "label": self.caption(tape),
            },
            node_attr={
                "fontname": FONT, "fontsize": "11", "fontcolor": INK, "shape": "box", "height": "0.3",
                "margin": "0.12,0.05",
            },
            edge_attr={"fontname": FONT, "fontsize": "9", "fontcolor": FAINT, "color": LINE, "arrowsize": "0.6"},
        )  # fmt: skip
        self.fill(self.graph, modules.root)
        for i, result in enumerate(tape.results):
            lines = [_bold(result.name or "result"), *self.value(result)]
            self.box(self.graph, f"result{i}", "result", lines, f"result {result.name}")
        self.connect(tape)

    def fill(self, graph: Digraph, call: Call) -> None:
        """Draw what belongs to a call, inner calls as clusters."""
        for source in call.sources:
            self.source(graph, source)
        for member in call.members:
            if isinstance(member, Op):
                self.op(graph, member)
            elif member in self.modules.folded:
                self.module(graph, member)
            else:
                graph.subgraph(self.cluster(member))

    def cluster(self, call: Call) -> Digraph:
        """A frame around a call. One box alone has the module's path in itself, and no frame."""
        from graphviz import Digraph

        cluster = Digraph(f"cluster{self.place[call]}")
        (first, *more) = call.members
        if isinstance(first, Op) and not more and not call.sources:
            cluster.attr(label="", style="", peripheries="0", margin="2")
            self.op(cluster, first, call.path)
            return cluster
        beside = "&#160;" * (3 * len(call.path))  # so that an edge into a narrow cluster passes the words by
        cluster.attr(
            label=f"<{_bold(call.path)}{beside}>", labeljust="l", labelloc="t", fontsize="10", margin="10",
            style="rounded,filled", fillcolor="#F4F4F4" if len(call.parts) % 2 else MODULE, color="#BBBBBB",
        )  # fmt: skip
        self.fill(cluster, call)
        return cluster

    def source(self, graph: Digraph, source: Source) -> None:
        lines = [_bold(source.name or source.kind), *self.value(source)]
        self.box(graph, self.boxes[source.number], source.kind, lines, f"{source.kind} {source.name}")

    def value(self, x: Source | Result) -> list[str]:
        return [] if x.value is None else [_escaped(text.number(x.value))]

    def module(self, graph: Digraph, call: Call) -> None:
        """A module that is not opened: one box with what is in it."""
        ops = [member for member in call.members if isinstance(member, Op)]
        counted = [f"{len(ops):,} operations"] if len(ops) > 1 else []
        parameters = [source for source in call.sources if source.kind == "parameter"]
        if parameters:
            counted.append(f"{sum(map(text.elements, parameters)):,} parameters")
        if self.show_saved and total(ops):
            counted.append(f"keeps {text.size(total(ops))}")
        kinds = Counter(map(text.title, ops)).most_common()
        names = [_escaped(name) if n == 1 else f"{_escaped(name)} ×{n}" for name, n in kinds]
        shown = ", ".join(names if len(names) <= 4 else [*names[:3], "…"])
        lines = [_bold(call.path), *map(_small, (shown, *counted))]
        graph.node(
            self.boxes[ops[0].number], f"<{'<BR/>'.join(lines)}>", style="rounded,filled", fillcolor=MODULE,
            color=LINE, tooltip=_escaped(call.path), peripheries="2",
        )  # fmt: skip

    def box(self, graph: Digraph, name: str, kind: str, lines: list[str], tip: str) -> None:
        style = STYLES[kind]
        graph.node(
            name, f"<{'<BR/>'.join(lines)}>", style=style.style, fillcolor=style.fill, color=style.line,
            penwidth=style.width, tooltip=_escaped(tip),
        )  # fmt: skip

    def op(self, graph: Digraph, op: Op, module: str = "") -> None:
        """An operation as a table; with the module's path if it is all that happened there."""
        kept = {k.name for k in op.kept if k.role == "input"} if self.show_saved else set()
        arguments = []
        if len(op.inputs) > 1 or kept:
            arguments = [self.argument(i, x, x.name in kept) for i, x in enumerate(op.inputs)]
        words = text.settings(op)
        joined = [", ".join(words)] if sum(map(len, words)) < 24 else words
        settings = [_small(_escaped(line)) for line in joined if line]
        if module:
            settings.append(f'<FONT COLOR="{FAINT}">{_small("module " + _bold(module))}</FONT>')
        body = "<BR/>".join([f'<FONT POINT-SIZE="12">{_bold(text.title(op))}</FONT>', *settings])
        rows = self.card(arguments, body, self.keeps(op) if self.show_saved else "")
        label = f'<TABLE BORDER="0" CELLBORDER="1" CELLSPACING="0" CELLPADDING="4" COLOR="{LINE}">{rows}</TABLE>'
        where = f" in {op.path}" if op.path else ""
        graph.node(self.boxes[op.number], f"<{label}>", shape="plain", tooltip=_escaped(f"{text.title(op)}{where}"))

    def card(self, arguments: list[str], body: str, keeps: str) -> str:
        """The rows of an operation's table: its arguments face where their edges come from."""
        across = self.rankdir in ("TB", "BT")
        span = len(arguments) or 1
        centre = f'<TD {"COLSPAN" if across else "ROWSPAN"}="{span}" BGCOLOR="{OPERATION}">{body}</TD>'
        if across:
            rows = [f"<TR>{''.join(arguments)}</TR>"] if arguments else []
            rows.append(f"<TR>{centre}</TR>")
        else:
            lines = arguments or [""]
            first = [centre, lines[0]] if self.rankdir == "RL" else [lines[0], centre]
            rows = [f"<TR>{''.join(first)}</TR>", *(f"<TR>{line}</TR>" for line in lines[1:])]
            span = 2 if arguments else 1
        if keeps:
            rows.append(f'<TR><TD COLSPAN="{span}" BGCOLOR="{KEPT}">{keeps}</TD></TR>')
        return "".join(rows[::-1] if self.rankdir == "BT" else rows)

    def argument(self, i: int, x: Input, kept: bool) -> str:
        words = x.name if x.value is None else f"{x.name} = {text.number(x.value)}"
        ink = FAINT if x.source is None and x.value is None else INK
        fill = KEPT if kept else OPERATION
        return f'<TD PORT="{i}" BGCOLOR="{fill}"><FONT POINT-SIZE="9" COLOR="{ink}">{_escaped(words)}</FONT></TD>'

    def keeps(self, op: Op) -> str:
        """What is kept besides inputs, and how much in all."""
        lines = [_small(_escaped(self.kept_line(kept))) for kept in op.kept if kept.role != "input"]
        if op.bytes:
            lines.append(_small(f"keeps {text.size(op.bytes)}"))
        return "<BR/>".join(lines)

    def kept_line(self, kept: Kept) -> str:
        return kept.name if kept.role == "output" else f"{kept.name} {text.shape_of(kept.shape, kept.dtype)}"

    def connect(self, tape: Tape) -> None:
        """An edge for each input, with its shape; from and to modules that are not opened, one for those alike."""
        side = {"TB": "n", "BT": "s", "LR": "w", "RL": "e"}[self.rankdir]
        constants = {source.number for source in tape.sources if source.kind == "constant"}
        sources = {source.number for source in tape.sources}
        edges: Counter[tuple[str, str, str, str, str]] = Counter()
        for op in tape:
            head = self.boxes[op.number]
            folded = self.modules.at[op.number] in self.modules.folded
            ports = not folded and (len(op.inputs) > 1 or (self.show_saved and any(k.role == "input" for k in op.kept)))
            for i, x in enumerate(op.inputs):
                if x.source is not None and self.boxes[x.source] != head:
                    style = "dashed" if x.source in constants else "solid"
                    straight = "1" if x.source in sources else "4"
                    end = f"{head}:{i}:{side}" if ports else head
                    edges[self.boxes[x.source], end, self.shape(x), style, straight] += 1
        for i, result in enumerate(tape.results):
            edges[self.boxes[result.source], f"result{i}", self.shape(result), "solid", "4"] += 1
        for (tail, head, label, style, straight), times in edges.items():
            said = f" {label} ×{times} " if times > 1 else f" {label} "
            self.graph.edge(tail, head, said, style=style, weight=straight, tooltip=label)

    def shape(self, x: Input | Result) -> str:
        """What an edge says: the shape, and which one it is of several results."""
        which = f"[{x.index}] " if self.results.get(x.source, 1) > 1 else ""
        return which + text.shape_of(x.shape, x.dtype)

    def caption(self, tape: Tape) -> str:
        """A legend of what there is, and the summary."""
        kinds = {source.kind for source in tape.sources if self.boxes[source.number].startswith("source")}
        open_ops = [op for op in tape if self.boxes[op.number].startswith("op")]
        cells = [_swatch(*STYLES[kind][:4]) for kind in STYLES if kind in kinds]
        if open_ops:
            cells.append(_swatch("operation", OPERATION, LINE))
        if self.show_saved and any(op.kept for op in open_ops):
            cells.append(_swatch("kept for backward", KEPT, LINE))
        if self.modules.folded:
            cells.append(_swatch("module", MODULE, LINE, "rounded"))
        cells.append(_swatch(*STYLES["result"][:4]))
        legend = f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="4" CELLPADDING="3"><TR>{"".join(cells)}</TR></TABLE>'
        rows = f"<TR><TD>{legend}</TD></TR><TR><TD>{_escaped(text.summary(tape))}</TD></TR>"
        return f'<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="2">{rows}</TABLE>>'


def _swatch(words: str, fill: str, line: str, style: str = "") -> str:
    style = ",".join(part for part in style.split(",") if part != "filled")
    border = f' STYLE="{style}"' if style else ""
    said = f'<FONT POINT-SIZE="9" COLOR="{INK}">{words}</FONT>'
    return f'<TD BORDER="1" COLOR="{line}" BGCOLOR="{fill}"{border}>{said}</TD>'


def _escaped(words: str) -> str:
    """Text for an HTML-like label or a tooltip. A mark of no width keeps \\N from being the box's name."""
    printable = "".join(c if c.isprintable() else "�" for c in words)
    return html.escape(printable).replace("\\", "\\\u200b")


def _bold(words: str) -> str:
    return f"<B>{_escaped(words)}</B>"


def _small(words: str) -> str:
    return f'<FONT POINT-SIZE="9">{words}</FONT>'
