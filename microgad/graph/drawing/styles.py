"""The colors of drawings, and the scales by which boxes can be colored.

The colors are tints of Okabe and Ito's palette, which color-blind people can tell apart. Kinds of boxes also differ in
their borders.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from .. import text
from ..statistics import Stats
from ..tape import Op, total
from .sketch import Box

MAX_RATIO = 30  # of the largest value to the least; with a larger one colors are logarithmic
LEAST = 0.06  # the position of the least value on a logarithmic scale: 0 has none


class Style(NamedTuple):
    """How a kind of box looks, and its label in the legend."""

    label: str
    fill: str
    line: str
    style: str
    width: str = "1"


@dataclass(frozen=True)
class Theme:
    """The colors of a drawing."""

    paper: str
    ink: str
    faint: str
    line: str
    operation: str
    kept: str
    module: str
    frames: tuple[str, str]
    border: str
    residual: str  # residual edges, marked operations
    hot: str  # upper end of the color scale
    parameter: tuple[str, str]
    result: tuple[str, str]
    buffer: tuple[str, str]
    derivative: tuple[str, str]

    def style(self, kind: str) -> Style:
        return {
            "parameter": Style("parameter", *self.parameter, "rounded,filled"),
            "buffer": Style("buffer or frozen parameter", *self.buffer, "rounded,filled,dashed"),
            "leaf": Style("leaf (gets a gradient)", self.operation, self.parameter[1], "rounded,filled"),
            "constant": Style("constant (no gradient)", self.operation, self.faint, "rounded,filled,dashed"),
            "result": Style("result", *self.result, "rounded,filled", "2"),
            "gradient": Style("gradient", *self.result, "rounded,filled,dashed"),
        }[kind]


LIGHT = Theme(
    "white", "#222222", "#6B6B6B", "#555555", "#FFFFFF", "#FFE0B0", "#EAEAEA", ("#EAEAEA", "#F4F4F4"), "#BBBBBB",
    "#C0392B", "#6BAED6", ("#CFE8F8", "#0072B2"), ("#CDEBDF", "#00805C"), ("#F3DCEA", "#9C4A7C"),
    ("#F7F1BE", "#8C7A00"),
)  # fmt: skip
DARK = Theme(
    "#1B1D21", "#EDEDED", "#A8A8A8", "#A0A0A0", "#2A2D33", "#6B4A12", "#3A3E46", ("#2F333A", "#24272D"), "#5A5F69",
    "#FF8A70", "#1F6FB2", ("#123F5C", "#56B4E9"), ("#0E4A38", "#2CC295"), ("#4E2A41", "#E08CC0"),
    ("#4A4618", "#D8C94A"),
)  # fmt: skip
THEMES = {"light": LIGHT, "dark": DARK}


def is_derivative(box: Box) -> bool:
    """Whether all operations in a box belong to derivatives, which a pass under create_graph computed."""
    return bool(box.ops) and all(op.derives is not None for op in box.ops)


def _seconds(value: float) -> str:
    return f"{value * 1e3:.3g} ms" if value >= 1e-3 else f"{value * 1e6:.3g} µs"


def _plain(value: float) -> str:
    return f"{value:.3g}"


def _largest(of: Callable[[Stats], float], gradients: bool = False) -> Callable[[Box], float | None]:
    """Make a function that returns the largest value of a statistic in a box, or None if there are no statistics."""

    def value(box: Box) -> float | None:
        found = [s for op in box.ops for s in ((op.gradients if gradients else op.stats) or ()) if s is not None]
        found += [s for x in box.sources if (s := x.gradient if gradients else x.stats) is not None]
        return max(map(of, found), default=None)

    return value


def _sum(of: Callable[[Op], float | None]) -> Callable[[Box], float | None]:
    """Make a function that returns the sum of a value over the operations in a box, or None if it isn't known."""

    def value(box: Box) -> float | None:
        found = [x for op in box.ops if (x := of(op)) is not None]
        return sum(found) if found else None

    return value


class Scale(NamedTuple):
    """A quantity by which boxes can be colored."""

    label: str
    value: Callable[[Box], float | None]  # the quantity of a box
    shown: Callable[[float], str]  # formats it
    needs: str = ""  # how it is recorded, if not every tape has it
    share: bool = False  # whether it is a share of all elements

    def extremes(self, repetitions: Iterable[Box]) -> tuple[float, float] | None:
        """Return the least and the largest value of the repetitions that a box stands for; None if none is known."""
        values = [x for box in repetitions if (x := self.value(box)) is not None]
        return (min(values), max(values)) if values else None

    def range(self, extremes: tuple[float, float]) -> str:
        """Format values that `extremes` returned: "3.57e-11 … 0.107", or one where all are the same."""
        return text.spread(map(self.shown, extremes))


class ColorMap:
    """Where values lie between the two ends of the colors: by their logarithms where they differ a lot."""

    def __init__(self, scale: Scale | None, values: Iterable[float]) -> None:
        positive = [x for x in values if x > 0]
        self.low, self.high = min(positive, default=0.0), max(positive, default=1.0)
        self.logarithmic = scale is not None and not scale.share and self.high > MAX_RATIO * self.low > 0

    def __call__(self, value: float) -> float:
        """Return the position of a value, from 0 to 1."""
        if self.logarithmic and value > 0:
            return LEAST + (1 - LEAST) * math.log(value / self.low) / math.log(self.high / self.low)
        return float((value / self.high) ** 0.5)


SCALES = {
    "time": Scale("time", _sum(lambda op: op.seconds), _seconds, "time=True"),
    "bytes": Scale(
        "kept for backward", lambda box: float(total(box.ops)) if box.ops else None, lambda x: text.size(round(x))
    ),
    "flops": Scale("flops", _sum(lambda op: op.flops), lambda x: text.with_unit(round(x))),
    "gradient": Scale(
        "gradient norm", _largest(lambda s: s.norm, True), _plain, "stats=True, and its backward pass, too"
    ),
    "zeros": Scale("zeros", _largest(lambda s: s.zeros), lambda x: f"{100 * x:.3g} %", "stats=True", True),
    "nan": Scale("NaN or infinite", _largest(lambda s: s.nans + s.infs), _plain, "stats=True"),
}


def interpolate(low: str, high: str, fraction: float) -> str:
    """Return the color at a fraction of the way from one color to another.

    >>> from microgad.graph.drawing.styles import interpolate
    >>> interpolate("#FFFFFF", "#000000", 0.5)
    '#808080'
    """
    ends = [[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in (low, high)]
    return "#" + "".join(f"{round(a + (b - a) * fraction):02X}" for a, b in zip(*ends, strict=True))
