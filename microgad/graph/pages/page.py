"""Write a tape as one HTML file that works offline. Its scripts and styles are in `web/`."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import ArgumentError
from ...errors.own_arguments import checked
from ..tape import Tape
from .page_data import page_data

WEB = Path(__file__).parent / "web"
SCRIPTS = ("graph", "layout", "color", "draw", "view", "panel", "charts", "controls", "main")
LARGEST = 200_000  # operations that a browser can hold


@checked
def page(tape: Tape, path: str | Path | None = None, title: str = "", steps: Sequence[Tape] = ()) -> str:
    """Return the page as text, and write it to `path` if that is given: see `Tape.page`."""
    if path is not None and Path(path).suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(
            f"page: expected a path that ends with .html, got {str(path)!r}; for pictures use tape.draw().save(path)"
        )
    if len(tape) > LARGEST:
        raise ArgumentError(
            f"page: {len(tape):,} operations are more than a browser holds (at most {LARGEST:,}): record a part of it"
        )
    for i, one in enumerate(steps):
        if [op.name for op in one.ops] != [op.name for op in tape.ops]:
            raise ArgumentError(
                f"page: steps[{i}] has other operations than the tape: a step is shown on the same graph"
            )
    made = document(page_data(tape, title, steps))
    if path is not None:
        Path(path).write_text(made, encoding="utf-8")
    return made


def document(data: dict[str, Any], live: bool = False) -> str:
    """Return the HTML file with the data. A browser runs only its own scripts, whose hashes the policy lists."""
    library = _part("dagre.min.js").partition("//# sourceMappingURL")[0]
    script = "".join(_part(f"{name}.js") for name in SCRIPTS)
    parts = {
        "title": html.escape(data["title"]),
        "style": _part("page.css"),
        "library": _part("dagre.LICENSE.txt") + library,
        "script": f'(() => {{\n"use strict";\n{script}}})();\n',
        "data": json.dumps(data | {"live": live}, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
    }
    network = "'self'" if live else "'none'"
    parts["policy"] = (
        f"default-src 'none'; script-src {_hash(parts['library'])} {_hash(parts['script'])}; "
        f"style-src {_hash(parts['style'])}; connect-src {network}"
    )
    first, *rest = _part("page.html").split("{{")
    return first + "".join(parts[name] + after for name, _, after in (piece.partition("}}") for piece in rest))


def _part(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
