"""Draw loss curves. This is the only module that imports matplotlib."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any, NamedTuple

from .history import History, Path

# Okabe and Ito's colors (2008), which the color-blind can tell apart.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SOLID, DASHED = "-", (0, (4, 2))
KINDS = (
    ("held_out_loss", "held-out", "solid: held-out data", SOLID, 2.0),
    ("train_loss", "training", "dashed: training data, dropout off", DASHED, 1.4),
)
STYLE: dict[Any, Any] = {
    "axes.edgecolor": "#999999", "axes.labelcolor": "#444444", "axes.spines.right": False, "axes.spines.top": False,
    "font.size": 10, "svg.hashsalt": "microgad", "xtick.color": "#444444", "ytick.color": "#444444",
}  # fmt: skip


class End(NamedTuple):
    """The end of a line, and its label."""

    y: float
    x: float
    label: str
    color: str


def curves(histories: Mapping[str, Sequence[History]], title: str = "") -> Any:
    """Plot the losses of all variants against the epoch, on a log scale, and return the matplotlib Figure.

    Each variant has one color. Its held-out loss is a solid line, and its training loss with dropout off, if it was
    measured, a dashed line; both have a label at their end. Of several seeds, the line is the mean, and a band shows
    the range; lines end where the shortest run does. Raises ImportError without matplotlib.

    >>> figure = curves({"net": [History([{"epoch": 1, "held_out_loss": 0.5}, {"epoch": 2, "held_out_loss": 0.2}])]})
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['net, held-out']
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("curves needs matplotlib: pip install 'microgad[train]'") from None

    with rc_context(STYLE):
        figure = Figure(figsize=(8.6, 5.0), dpi=160, layout="constrained")
        axes = figure.add_subplot(xlabel="epoch", ylabel="loss, log scale", yscale="log")
        ends, legend = [], dict[str, None]()
        for (name, runs), color in zip(histories.items(), cycle(COLORS), strict=False):
            for column, kind, words, dashes, width in KINDS:
                if not runs or not all(run.has(column) for run in runs):
                    continue
                values = list(zip(*(run[column] for run in runs), strict=False))  # for each epoch, one value per seed
                epochs = runs[0]["epoch"][: len(values)]
                mean = [sum(at) / len(at) for at in values]
                label = f"{name}, {kind}"
                axes.plot(epochs, mean, color=color, linestyle=dashes, linewidth=width, label=label)
                if len(runs) > 1:
                    axes.fill_between(epochs, [*map(min, values)], [*map(max, values)], color=color, alpha=0.16, lw=0)
                ends.append(End(mean[-1], epochs[-1], label, color))
                legend[words] = None
        _scale(axes)
        _label(axes, ends)
        seeds = max(map(len, histories.values()), default=0)
        band = [f"mean and range of {seeds} seeds"] if seeds > 1 else []
        nothing = "no losses were measured: fit takes held_out, and train_loss=True"
        _head(axes, title, "; ".join([*legend, *band]) if legend else nothing)
    return figure


def write(figure: Any, path: Path) -> None:
    """Save a figure. An SVG has no date in it, so that the same curves give the same file."""
    from matplotlib import rc_context

    with rc_context(STYLE):
        figure.savefig(path, metadata={"Date": None} if os.fspath(path).endswith(".svg") else None)


def _scale(axes: Any) -> None:
    """Set ticks at whole epochs, and at 1, 2 and 5 times each power of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(True, color="#e8e8e8", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.margins(x=0.01)


def _label(axes: Any, ends: list[End]) -> None:
    """Write the label of each line beside its end. Labels that would overlap are moved, and connected to the end."""
    axes.set_ylim(axes.get_ylim())
    least, _ = axes.get_ylim()
    low, high = map(math.log, axes.get_ylim())
    ends = sorted(end._replace(y=max(end.y, least)) for end in ends)  # a log scale doesn't have 0
    heights = spread([(math.log(end.y) - low) / (high - low) for end in ends], least=0.055)
    for end, height in zip(ends, heights, strict=True):
        axes.annotate(
            end.label, (end.x, end.y), (1.03, height), textcoords="axes fraction", va="center", fontsize=9.5,
            color=end.color, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": end.color, "lw": 0.7, "alpha": 0.5, "shrinkA": 1, "shrinkB": 2},
        )  # fmt: skip


def spread(heights: Sequence[float], least: float) -> list[float]:
    """Move ascending heights so that neighbors are `least` apart, with the least sum of squared moves.

    >>> [round(height, 2) for height in spread([0.1, 0.5, 0.52, 0.9], least=0.1)]
    [0.1, 0.46, 0.56, 0.9]
    """
    groups: list[list[float]] = []  # touching neighbors: where each would put the first of its group
    for i, height in enumerate(heights):
        group = [height - i * least]
        while groups and sum(groups[-1]) / len(groups[-1]) > sum(group) / len(group):
            group = groups.pop() + group
        groups.append(group)
    firsts = [sum(group) / len(group) for group in groups for _ in group]
    return [first + i * least for i, first in enumerate(firsts)]


def _head(axes: Any, title: str, legend: str) -> None:
    """Write the title and, below it, what lines and bands mean."""
    axes.set_title(title, loc="left", fontsize=13, pad=24)
    axes.text(0, 1.02, legend, transform=axes.transAxes, color="#666666", fontsize=9, va="bottom")
