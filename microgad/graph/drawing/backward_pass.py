"""Draw the backward pass beside the forward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import text
from ..pages.page_data import ops_with_gradient
from .dot import escaped
from .sketch import Box, Sketch

if TYPE_CHECKING:
    from .dot import DotWriter


def draw_backward(writer: DotWriter) -> None:
    """Add the backward pass: the same boxes, reversed arrows, and dotted edges from what the forward pass kept."""
    look, needed = writer.theme, dict.fromkeys(boxes_with_gradient(writer.sketch))
    writer.graph.attr(newrank="true")
    with writer.graph.subgraph(name="cluster_backward") as beside:
        beside.attr(
            label="<<B>backward</B>>", labeljust="l", labelloc="t", fontsize="10", margin="10", fontcolor=look.ink,
            style="rounded,dashed", color=look.border,
        )  # fmt: skip
        style = look.style("gradient")
        for box in needed:
            names = [text.title(op) for op in (box.ops if box.kind in ("op", "chain") else ())]
            title = "∂ " + (" … ".join([names[0], *names[1:][-1:]]) if names else box.title)
            count = f" ×{box.times}" if box.times > 1 else ""
            operation = bool(box.ops)
            beside.node(
                f"back_{box.name}", f"<{escaped(title)}{count}>", style="filled" if operation else style.style,
                fillcolor=look.operation if operation else style.fill, color=look.line if operation else style.line,
            )  # fmt: skip
    for edge, times in writer.edges.items():
        if edge.tail in needed and edge.head in needed and not edge.later:
            label = f" {writer.sketch.edge_label(edge, times)} "
            writer.graph.edge(f"back_{edge.tail.name}", f"back_{edge.head.name}", label, dir="back")
    for box in needed:
        with writer.graph.subgraph() as row:
            row.attr(rank="same")
            row.node(box.name)
            row.node(f"back_{box.name}")
        if any(op.kept for op in box.ops):
            writer.graph.edge(box.name, f"back_{box.name}", constraint="false", style="dotted", color=look.residual)


def boxes_with_gradient(sketch: Sketch) -> list[Box]:
    """Return the boxes that gradients flow through, with the parameters, leaves and results at the ends."""
    ops = [sketch.tape.op(i) for i in ops_with_gradient(sketch.tape)]
    read = {x.origin for op in ops for x in op.inputs}
    numbers = {source.number for source in sketch.tape.sources if source.kind != "constant"} & read
    numbers |= {op.number for op in ops}
    boxes = [box for box in sketch.boxes if any(x.number in numbers for x in box.ops or box.sources)]
    return boxes + [box for box in sketch.results if any(x.source in numbers for x in box.results)]
