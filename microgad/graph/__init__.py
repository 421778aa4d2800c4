"""The graph that led to a Tensor, as an object: to hold, to draw and to read.

>>> x = torch.tensor([1.0, 2.0], requires_grad=True)
>>> y = (x * x).sum()
>>> graph = y.graph()
>>> graph
<Graph: 2 operations, 1 leaf; 0 B kept for backward>

`graph.save("y.svg")` draws it, a notebook shows it by itself, `print(graph)` lists it, and `graph.tape` is what it is
drawn from: plain data, with no array in it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError
from . import text
from .formulas import Formula as Formula
from .formulas import formula as formula
from .modules import Modules
from .reading import read
from .render import RendererMissing as RendererMissing
from .render import rendered
from .steps import fine as fine
from .tape import Tape as Tape
from .watching import watch as watch

if TYPE_CHECKING:
    import pathlib

    from ..tensor import Tensor
    from .dot import Digraph

LARGEST = 2000  # boxes that Graphviz is asked to lay out


def graph(
    *tensors: Tensor, params: Any = None, show_saved: bool = True, depth: int | None = None, rankdir: str = "TB"
) -> Graph:
    """The graph that led to `tensors`: operations, leaves, what is kept for backward. `y.graph()` is the same.

    `params`, a module or a dict of names to Tensors (`locals()` will do), names what it has; a leaf without a name
    takes that of the argument it is used as: "features.0.weight". `show_saved=False` leaves out what is kept. Modules
    at level `depth` are one box each; by default all are open. `rankdir` is where the arrows go: "TB", "LR", "BT",
    "RL". Inputs that want no gradient are shown as far as a derivative reads them: the nodes know no others. Works
    after backward too, for gradients computed under create_graph, and for theirs. Raises RuntimeError for a Tensor
    without a graph.

    >>> w = torch.ones(2, requires_grad=True)
    >>> print(torch.graph.graph(w.exp().sum(), params={"w": w}))
    #  operation  module  result  keeps  bytes
    0  Exp                (2,)    out      8 B
    1  Σ Sum              scalar
    2 operations, 1 leaf; 8 B kept for backward
    """
    return Graph(read(tensors, params), show_saved, depth, rankdir)


class Graph:
    """What led to some Tensors: see `graph`."""

    def __init__(self, tape: Tape, show_saved: bool = True, depth: int | None = None, rankdir: str = "TB") -> None:
        from .dot import DIRECTIONS

        if depth is not None and (not isinstance(depth, int) or depth < 1):
            raise ArgumentError(
                f"graph: depth must be None or at least 1, the level of modules to draw as one box, got {depth!r}"
            )
        if rankdir not in DIRECTIONS:
            raise ArgumentError(f"graph: rankdir must be one of {', '.join(DIRECTIONS)}, got {rankdir!r}")
        self.tape = tape
        self.show_saved = show_saved
        self.rankdir = rankdir
        self.modules = Modules(tape, depth)

    @cached_property
    def dot(self) -> Digraph:
        """The drawing, a graphviz.Digraph: to change before it is saved, or to use with Graphviz's own tools."""
        from .dot import drawing

        return drawing(self.tape, self.modules, self.show_saved, self.rankdir)

    @property
    def source(self) -> str:
        """The drawing in Graphviz's DOT language."""
        source: str = self.dot.source
        return source

    def save(self, path: str | pathlib.Path) -> None:
        """Draw into a file: .svg, .png or .pdf, or .dot or .gv for the source.

        Raises RuntimeError for another suffix, for more boxes than can be read, and where there is no Graphviz: then
        the source is written beside it.
        """
        from pathlib import Path

        path = Path(path)
        format = path.suffix.lower().removeprefix(".")
        if format in ("dot", "gv"):
            path.write_text(self.source, encoding="utf-8")
            return
        if format not in ("svg", "png", "pdf"):
            raise ArgumentError(
                f"graph: can't save {path.name!r}: the suffix must be .svg, .png, .pdf, or .dot or .gv for the source"
            )
        try:
            path.write_bytes(self._picture(format))
        except RendererMissing as error:
            source = path.with_suffix(".dot")
            source.write_text(self.source, encoding="utf-8")
            told = f"graph: {path.name} is not drawn, but its source is written to {source}: {error}"
            raise RendererMissing(told) from None

    def view(self) -> None:
        """Draw into a temporary file and open it in the browser."""
        import tempfile
        import webbrowser
        from pathlib import Path

        path = Path(tempfile.mkdtemp(prefix="microgad-")) / "graph.svg"
        self.save(path)
        webbrowser.open(path.as_uri())

    def _picture(self, format: str) -> bytes:
        boxes = self.modules.boxes()
        if boxes > LARGEST:
            raise ArgumentError(
                f"graph: {boxes:,} boxes are more than can be read (at most {LARGEST:,}). {self._advice()}"
            )
        return rendered(self.dot, format)

    def _advice(self) -> str:
        deepest = max((len(call.parts) for call in self.modules.calls), default=0)
        for depth in range(deepest, 0, -1):
            boxes = Modules(self.tape, depth).boxes()
            if boxes <= LARGEST:
                return f"With depth={depth}, which draws each module at that level as one box, it is {boxes:,}"
        return "print(graph) lists them, and save() to a .dot file takes any number"

    def __str__(self) -> str:
        return text.table(self.tape)

    def __repr__(self) -> str:
        return f"<Graph: {text.summary(self.tape)}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows: the picture, or the table where there can be none."""
        shown = {"text/plain": str(self)}
        try:
            shown["image/svg+xml"] = self._picture("svg").decode()
        except (ArgumentError, RendererMissing) as error:
            shown["text/plain"] += f"\n({error})"
        return shown
