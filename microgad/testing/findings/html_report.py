"""The HTML report of wrong gradients: numbers, a reproducer, and the graph with the wrong operations marked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from .diagnosis import likely_mistake
from .fault_localization import CallTrace
from .finding import Finding, brackets
from .reproducer import as_code

ENTRIES = 10  # rows of the table of worst entries
WRONG = "#C0392B"  # the color in which drawings mark operations

STYLE = f"""
body {{ font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
section {{ border-top: 1px solid #ccc; margin-top: 2rem }}
h2 small {{ font: 13px monospace; color: #6b6b6b; margin-left: .5em }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums }}
th, td {{ text-align: right; padding: .15rem .8rem; border-bottom: 1px solid #eee }}
pre {{ background: #f6f6f6; padding: .8rem; overflow-x: auto }}
figure {{ margin: 0; overflow-x: auto }}
.mistake, b {{ color: {WRONG} }}
"""


def page(examples: Iterable[str]) -> str:
    """Return the report, one self-contained HTML file, of sections that `example` returns.

    >>> page([]).count("No gradient was found wrong")
    1
    """
    body = "\n".join(examples) or "<p>No gradient was found wrong.</p>"
    head = f'<meta charset="utf-8"><title>Wrong gradients</title><style>{STYLE}</style>'
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n'
        f"<body>\n<h1>Wrong gradients</h1>\n{body}\n</body></html>\n"
    )


def facts(finding: Finding) -> dict[str, str]:
    """Return the subject of a finding and its worst entry, as short texts by column."""
    i, j = finding.worst_entry()
    output, name = f"output {finding.output}", finding.names[finding.input]
    return {
        "op": finding.op,
        "input": name,
        "order": str(finding.order),
        "worst": f"{output}{brackets(j, finding.output_shape)} by {brackets(i, finding.input_shape) or name}",
        "numerical": f"{finding.numerical[i, j]:.6g}",
        "analytical": f"{finding.analytical[i, j]:.6g}",
    }


def example(test: str, error: Any) -> str:
    """Return the section of one failing example of `test`: what is wrong, a reproducer, and the graph.

    The error is a GradcheckError, or that of another broken law with the finding and the call of one.
    """
    finding = error.finding
    if finding is None:
        return _section(test, "", f"<pre>{escape(str(error))}</pre>")
    mistake = likely_mistake(finding)
    wrong = int((finding.excess() > 0).sum())
    message = (
        f"Order {finding.order}: the derivative of output {finding.output} {finding.output_shape} by "
        f"{finding.names[finding.input]} {finding.input_shape} is wrong in {wrong} of {finding.numerical.size} entries."
    )
    return _section(
        test,
        finding.op,
        f"<p>{escape(message)}</p>",
        f'<p class="mistake">It looks like {escape(mistake)}</p>' if mistake else "",
        numbers(finding),
        f"<pre><code>{escape(as_code(finding))}</code></pre>",
        _drawn(error.call[0], error.call[1], finding.order) if error.call else "",
    )


def _section(test: str, title: str, *parts: str) -> str:
    heading = f"<h2>{escape(title)}<small>{escape(test)}</small></h2>"
    return "\n".join(("<section>", heading, *filter(None, parts), "</section>"))


def _drawn(function: Callable[..., Any], inputs: Sequence[Any], order: int) -> str:
    """Return the drawing, or a note why there is none, so that the report is written in any case."""
    try:
        return drawing(function, inputs, order)
    except Exception as error:
        return f"<p>The graph can't be drawn: {escape(f'{type(error).__name__}: {error}')}</p>"


def numbers(finding: Finding) -> str:
    """Return the worst entries as an HTML table."""
    excess = finding.excess().reshape(-1)
    rows = []
    for flat in np.argsort(-excess, kind="stable")[:ENTRIES]:
        if excess[flat] > 0:
            i, j = divmod(int(flat), finding.numerical.shape[1])
            n, a = finding.numerical[i, j], finding.analytical[i, j]
            cells = [brackets(j, finding.output_shape) or "·", brackets(i, finding.input_shape) or "·"]
            cells += [f"{x:.10g}" for x in (n, a)] + [f"{x:.3g}" for x in (abs(a - n), finding.error[i, j])]
            rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    heads = [f"output {finding.output}", finding.names[finding.input]]
    heads += ["numerical", "analytical", "difference", "tolerance"]
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def drawing(function: Callable[..., Any], inputs: Sequence[Any], order: int) -> str:
    """Return the graph of a call as inline SVG (DOT without Graphviz), with its wrong operations marked."""
    from ...graph.drawing.graph import Graph
    from ...graph.recording.node_reader import read

    trace = CallTrace(function, inputs)
    recorded = [y for y in trace.outputs if y.requires_grad]
    if not recorded:
        return "<p>No output has a graph: somewhere on the way the values were taken off it.</p>"
    faulty = trace.faulty(order)
    why = "its derivative is wrong by itself"
    if not faulty:
        faulty, why = trace.unchecked(), "the derivatives of all others are right by themselves"
    tape, numbers = read(tuple(recorded), {f"input {i}": x for i, x in enumerate(inputs)}), {n.number for n in faulty}
    marked = [op for op in tape if op.number in numbers]
    picture, names = Graph(tape, mark=marked), dict.fromkeys(op.name for op in marked)
    message = (
        f"Marked: <b>{escape(', '.join(names))}</b>, since {why}."
        if names
        else "Each operation's derivative is right by itself, so that the mistake is between them."
    )
    svg = picture._repr_mimebundle_().get("image/svg+xml")
    shown = svg[svg.index("<svg") :] if svg else f"<pre>{escape(picture.source)}</pre>"  # HTML takes no prolog
    return f"<figure>{shown}<figcaption>{message}</figcaption></figure>"
