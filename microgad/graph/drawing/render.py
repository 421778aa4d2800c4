"""A drawing as a picture: by the `dot` program, or by the Graphviz inside the wheel of pygraphviz."""

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

PATIENCE = 25  # seconds that Graphviz is given
_WHEEL = """
import sys, pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog="dot"))
"""


class RendererMissing(MicrogadError, RuntimeError):
    """There is no Graphviz to make a picture with."""


class TooSlow(MicrogadError, RuntimeError):
    """Graphviz did not finish, or could not."""


def rendered(drawing: Digraph, format: str) -> bytes:
    """The picture of a drawing as "svg", "png" or "pdf". Raises RendererMissing and TooSlow (RuntimeErrors).

    Graphviz runs in a process of its own, so that it can be stopped.
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
        done = subprocess.run(command, input=drawing.source.encode(), capture_output=True, timeout=PATIENCE, check=True)
    except subprocess.TimeoutExpired:
        raise TooSlow(f"Graphviz did not finish in {PATIENCE} seconds") from None
    except subprocess.CalledProcessError as error:
        raise TooSlow(f"Graphviz failed: {error.stderr.decode(errors='replace').strip()[-500:]}") from None
    return move_titles(done.stdout.decode()).encode() if format == "svg" else done.stdout
