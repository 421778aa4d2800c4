"""Render a drawing with the `dot` program, or with the Graphviz that the wheel of pygraphviz contains."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from ...errors import MicrogadError
from .svg_titles import move_titles

if TYPE_CHECKING:
    from .dot import Digraph

TIMEOUT = 25  # seconds
_WHEEL = """
import sys, pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog="dot"))
"""


class RendererMissing(MicrogadError, RuntimeError):
    """Graphviz isn't installed, so that nothing can be drawn. It is a RuntimeError."""


class TooSlow(MicrogadError, RuntimeError):
    """Graphviz did not finish in time, or failed."""


def rendered(drawing: Digraph, format: str) -> bytes:
    """Return the picture of a drawing as "svg", "png" or "pdf". Raises RendererMissing or TooSlow (RuntimeErrors).

    Graphviz runs in a separate process, so that it can be stopped after TIMEOUT seconds.
    """
    if format == "png":
        drawing = drawing.copy()
        drawing.attr(dpi="144")
    if shutil.which("dot"):
        command = ["dot", "-Kdot", f"-T{format}"]
    elif importlib.util.find_spec("pygraphviz"):
        command = [sys.executable, "-c", _WHEEL, format]
    else:
        raise RendererMissing(
            "there is no Graphviz here. Either install its `dot` program (apt install graphviz, brew install graphviz, "
            "or https://graphviz.org/download), or the Python package that brings it along: pip install 'microgad[dot]'"
        )
    try:
        done = subprocess.run(command, input=drawing.source.encode(), capture_output=True, timeout=TIMEOUT, check=True)
    except subprocess.TimeoutExpired:
        raise TooSlow(f"Graphviz did not finish in {TIMEOUT} seconds") from None
    except subprocess.CalledProcessError as error:
        raise TooSlow(f"Graphviz failed: {error.stderr.decode(errors='replace').strip()[-500:]}") from None
    return move_titles(done.stdout.decode()).encode() if format == "svg" else done.stdout
