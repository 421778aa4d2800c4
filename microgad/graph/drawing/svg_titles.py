"""Move the titles of clusters in an SVG to where no edge crosses them, since Graphviz doesn't avoid that."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

_CLUSTER = re.compile(r'<g id="[^"]*" class="cluster">.*?</g>', re.DOTALL)
_EDGE = re.compile(r'<g id="[^"]*" class="edge">.*?(?=<!--|<g id="[^"]*" class="|</svg>)', re.DOTALL)
_TEXT = re.compile(r'(<text [^>]*?x=")([-\d.]+)(" y="([-\d.]+)"[^>]*?font-size="([-\d.]+)"[^>]*>)([^<]*)')
_PAIR = re.compile(r"(-?[\d.]+),(-?[\d.]+)")
STEP, MARGIN = 4.0, 3.0  # points between the positions that are tried, and left free on both sides of a title

Box = tuple[float, float, float, float]  # left, top, right, bottom


def move_titles(svg: str) -> str:
    """Return Graphviz's SVG with the title of each cluster moved to the right, to where the fewest edges cross it.

    >>> from microgad.graph.drawing.svg_titles import move_titles
    >>> move_titles("<svg></svg>")
    '<svg></svg>'
    """
    edges = [box for found in _EDGE.finditer(svg) for box in _edge_boxes(found[0])]

    def placed(found: re.Match[str]) -> str:
        cluster = found[0]
        shift = _title_shift(cluster, edges)
        return _TEXT.sub(lambda text: f"{text[1]}{float(text[2]) + shift:g}{text[3]}{text[6]}", cluster)

    return _CLUSTER.sub(placed, svg)


def _title_shift(cluster: str, edges: list[Box]) -> float:
    """Return how far to move a cluster's title to the right."""
    texts = [text for text in _TEXT.finditer(cluster) if html.unescape(text[6]).strip()]
    outline = _PAIR.findall(cluster.partition("<text")[0])
    if not texts or not outline:
        return 0.0
    left = min(float(text[2]) for text in texts)
    right = max(float(text[2]) + _width(text) for text in texts)
    y, high = max(float(text[4]) for text in texts), max(float(text[5]) for text in texts)
    room = max(float(x) for x, _ in outline) - MARGIN - right
    best = (len(edges) + 1, 0.0)
    for i in range(max(0, int(room / STEP)) + 1):
        place = (left + i * STEP - MARGIN, y - high, right + i * STEP + MARGIN, y + 3)
        best = min(best, (sum(_overlap(edge, place) for edge in edges), i * STEP))
        if not best[0]:
            break
    return best[1]


def _width(text: re.Match[str]) -> float:
    """Estimate the width of some text."""
    return 0.6 * float(text[5]) * len(html.unescape(text[6]).strip())


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _edge_boxes(edge: str) -> Iterator[Box]:
    """Iterate over bounding boxes of the pieces of an edge's curve, and of its label."""
    for path in re.findall(r' d="M([^"]*)"', edge):
        points = [(float(x), float(y)) for x, y in _PAIR.findall(path)]
        for i in range(0, len(points) - 3, 3):
            before = points[i]
            for k in range(1, 17):
                after = _bezier(points[i : i + 4], k / 16)
                (x0, x1), (y0, y1) = sorted((before[0], after[0])), sorted((before[1], after[1]))
                yield x0 - 1, y0 - 1, x1 + 1, y1 + 1
                before = after
    for text in _TEXT.finditer(edge):
        x, y, half = float(text[2]), float(text[4]), _width(text) / 2
        yield x - half, y - float(text[5]), x + half, y + 2


def _bezier(points: list[tuple[float, float]], t: float) -> tuple[float, float]:
    s = 1 - t
    weights = (s**3, 3 * s * s * t, 3 * s * t * t, t**3)
    x = sum(w * p[0] for w, p in zip(weights, points, strict=True))
    return x, sum(w * p[1] for w, p in zip(weights, points, strict=True))
