"""Graph: a drawing of a tape, which a notebook displays, and which can be saved as a picture or as source."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

from ...errors import ArgumentError, GraphError
from ...errors.own_arguments import checked
from .. import text
from ..tape import Op, Tape
from .fitting import MAX_BOXES, make_sketch
from .render import RendererMissing, TooSlow, rendered
from .sketch import Box, Options, Sketch

if TYPE_CHECKING:
    import pathlib

    from .dot import Digraph

MAX_LAID_OUT = 1000  # boxes, since Graphviz would be too slow for more
PICTURES = ("svg", "png", "pdf")


class Graph:
    """A drawing of a tape with as much detail as fits on a page. See `Tape.draw` for the options.

    Raises ValueError for options out of range, and RuntimeError for a color by what wasn't recorded.

    >>> x = torch.ones(3, requires_grad=True)
    >>> "Exp" in torch.graph.Graph(torch.graph.read((x.exp(),))).dot.source
    True
    """

    @checked
    def __init__(
        self,
        tape: Tape,
        *,
        depth: int | Literal["auto"] | None = "auto",
        collapse: str | Sequence[str] = (),
        expand: str | Sequence[str] = (),
        roll: bool | None = None,
        fold: bool | None = None,
        leaves: bool = False,
        frames: bool = True,
        show_saved: bool = True,
        rankdir: str = "TB",
        color: str | None = None,
        theme: str = "light",
        limit: int = MAX_BOXES,
        beside: bool = False,
        mark: Collection[int | Op] = (),
    ) -> None:
        from .dot import DIRECTIONS
        from .styles import SCALES, THEMES

        if depth not in ("auto", None) and (not isinstance(depth, int) or depth < 1):
            raise ArgumentError(
                "graph: depth must be 'auto', None or at least 1, the level of modules to draw as one box, "
                f"got {depth!r}"
            )
        if limit < 1:
            raise ArgumentError(f"graph: limit must be at least 1, a number of boxes, got {limit!r}")
        numbers = [x.number if isinstance(x, Op) else x for x in mark]
        unknown = [number for number in numbers if not isinstance(number, Integral) or tape.find(number) is None]
        if unknown:
            raise ArgumentError(f"graph: mark must hold numbers of what is on the tape, not {unknown[0]!r}")
        for name, given, known in (
            ("rankdir", rankdir, DIRECTIONS), ("theme", theme, THEMES), ("color", color, (None, *SCALES))
        ):  # fmt: skip
            if given not in known:
                raise ArgumentError(f"graph: {name} must be one of {', '.join(map(str, known))}, got {given!r}")
        scale = SCALES[color] if color and tape.ops else None
        if scale and scale.needs and scale.value(Box("", "part", "", tape.ops, tape.sources)) is None:
            raise GraphError(f"graph: color={color!r}: the tape has no {scale.label}: record it with {scale.needs}")
        self.tape = tape
        self.show_saved, self.rankdir, self.color, self.theme, self.beside = show_saved, rankdir, color, theme, beside
        self.frames, self.mark = frames, numbers
        self.limit = None if depth is None else limit
        self.free = [name for name, given in (("roll", roll), ("fold", fold)) if given is None]
        if depth == "auto":
            self.free.append("depth")
        closed, opened = ((paths,) if isinstance(paths, str) else tuple(paths) for paths in (collapse, expand))
        level = depth if isinstance(depth, int) else None
        self.options = Options(level, closed, opened, roll=bool(roll), fold=bool(fold), leaves=leaves)

    @cached_property
    def sketch(self) -> Sketch:
        """The boxes, frames and edges as plain data."""
        return make_sketch(self.tape, self.options, self.limit, self.free)

    @cached_property
    def dot(self) -> Digraph:
        """The drawing as a graphviz.Digraph, which can be changed before it is saved."""
        from .dot import drawing

        return drawing(self)

    @property
    def source(self) -> str:
        """The drawing in Graphviz's DOT language."""
        return self.dot.source

    @property
    def mermaid(self) -> str:
        """The drawing as a Mermaid flowchart, which code hosts and notebooks render by themselves."""
        from .mermaid import mermaid

        return mermaid(self.sketch, self.rankdir)

    def save(self, path: str | pathlib.Path) -> None:
        """Write the drawing to a file: .svg, .png or .pdf, .dot or .gv for its DOT source, .mmd for its Mermaid source.

        Raises ValueError for another suffix or too many boxes, and RuntimeError if Graphviz fails. If Graphviz isn't
        installed, the DOT source is written beside the path before RuntimeError is raised.
        """
        from pathlib import Path

        path = Path(path)
        format = path.suffix.lower().removeprefix(".")
        if format in ("dot", "gv", "mmd"):
            path.write_text(self.mermaid if format == "mmd" else self.source, encoding="utf-8")
            return
        if format not in PICTURES:
            raise ArgumentError(
                f"graph: can't save {path.name!r}: the suffix must be .svg, .png, .pdf, .dot or .gv for Graphviz's "
                "source, or .mmd for Mermaid's"
            )
        try:
            path.write_bytes(self._picture(format))
        except RendererMissing as error:
            source = path.with_suffix(".dot")
            source.write_text(self.source, encoding="utf-8")
            message = f"graph: {path.name} is not drawn, but its source is written to {source}: {error}"
            raise RendererMissing(message) from None

    def view(self) -> None:
        """Write the drawing to a temporary file and open it in the browser."""
        import tempfile
        import webbrowser
        from pathlib import Path

        path = Path(tempfile.mkdtemp(prefix="microgad-")) / "graph.svg"
        self.save(path)
        webbrowser.open(path.as_uri())

    def _picture(self, format: str) -> bytes:
        boxes = len(self.sketch.boxes)
        if boxes > MAX_LAID_OUT:
            raise ArgumentError(
                f"graph: {boxes:,} boxes are more than can be laid out (at most {MAX_LAID_OUT:,}). {self._advice()}"
            )
        try:
            return rendered(self.dot, format)
        except TooSlow as error:
            raise TooSlow(f"graph: {boxes:,} boxes: {error}; {self._advice()}") from None

    def _advice(self) -> str:
        best = make_sketch(self.tape, Options(), MAX_BOXES, ("roll", "fold", "depth"))
        level = f"depth={best.options.depth}" if best.options.depth else "depth='auto'"
        fewer = f"With {level} it is {len(best.boxes)}; " if len(best.boxes) < len(self.sketch.boxes) else ""
        return f"{fewer}save() to a .dot file takes any number, and tape.page('graph.html') opens them one by one"

    def __str__(self) -> str:
        return text.table(self.tape)

    def __repr__(self) -> str:
        return f"<Graph: {text.summary(self.tape)}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return what a notebook shows: the picture, or the table of operations if it can't be drawn."""
        shown = {"text/plain": str(self)}
        try:
            shown["image/svg+xml"] = self._picture("svg").decode()
        except (ArgumentError, RendererMissing, TooSlow) as error:
            shown["text/plain"] += f"\n({error})"
        return shown
