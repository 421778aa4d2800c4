"""A drawing as a picture: by the `dot` program, or by the Graphviz inside the wheel of pygraphviz."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from ..errors import MicrogadError

if TYPE_CHECKING:
    from .dot import Digraph


class RendererMissing(MicrogadError, RuntimeError):
    """There is no Graphviz to make a picture with."""


def rendered(drawing: Digraph, format: str) -> bytes:
    """The picture of a drawing as "svg", "png" or "pdf". Raises RendererMissing (a RuntimeError)."""
    if format == "png":
        drawing = drawing.copy()
        drawing.attr(dpi="144")
    if shutil.which("dot"):
        picture: bytes = drawing.pipe(format=format)
        return picture
    try:
        from pygraphviz import AGraph
    except ImportError:
        raise RendererMissing(
            "there is no Graphviz here. Either install its `dot` program (apt install graphviz, brew install graphviz, "
            "or https://graphviz.org/download), or the Python package that brings it along: pip install 'microgad[dot]'"
        ) from None
    picture = AGraph(string=drawing.source).draw(format=format, prog="dot")
    return picture
