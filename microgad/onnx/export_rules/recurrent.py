"""Rules of recurrent layers. ONNX orders gates differently from PyTorch and has an axis for directions."""

from __future__ import annotations

from typing import Any

from ...ops import recurrent
from ..recording import Step
from ..writer import Symbol, Writer, rule
from .movement import squeezed, unsqueezed


def gates(w: Writer, x: Symbol, rows: int, order: list[int]) -> Symbol:
    """Reorder the gates: (gates · H, ...) -> (1, gates · H, ...)."""
    if len(order) > 1:
        size = rows // len(order)
        parts = w.op("Split", x, w.ints([size] * len(order)), outputs=len(order), axis=0)
        x = w.op("Concat", *(parts[i] for i in order), axis=0)
    return unsqueezed(w, x, 0)


def layer(w: Writer, step: Step, kind: str, order: list[int], states: int, **attributes: Any) -> Any:
    """Write one layer in one direction."""
    input, weights = step.inputs[0], step.inputs[1 + states :]
    dtype = step.kinds[0]
    sizes, batches = w.shape_of(input), step.settings["batch_sizes"]
    x = w.of(input, dtype)
    one = len(sizes) == 2
    if one and (not isinstance(batches, tuple) or len(batches) > 1):
        raise w.unsupported("ONNX has no packed sequences: pad them")
    if one:
        x = unsqueezed(w, x, 0)
    w_ih, w_hh, b_ih, b_hh = weights[:4]
    if len(weights) > 4 and weights[4] is not None:
        raise w.unsupported("ONNX has no LSTM with proj_size")
    rows, hidden = w.shape_of(w_hh)
    made = [gates(w, w.of(x, dtype), rows, order) for x in (w_ih, w_hh)]
    bias = None
    if b_ih is not None:
        bias = w.op("Concat", *(gates(w, w.of(x, dtype), rows, order) for x in (b_ih, b_hh)), axis=1)
    first = [unsqueezed(w, w.of(x, dtype), 0) for x in step.inputs[1 : 1 + states]]
    attributes |= {"hidden_size": int(hidden), "direction": "reverse" if step.settings["reverse"] else "forward"}
    out, *last = w.op(kind, x, *made, bias, None, *first, outputs=1 + states, **attributes)
    return [squeezed(w, out, *((0, 1) if one else (1,))), *(squeezed(w, state, 0) for state in last)]


@rule(recurrent.Lstm)
def lstm(w: Writer, step: Step) -> Any:
    return layer(w, step, "LSTM", [0, 3, 1, 2], 2)


@rule(recurrent.Gru)
def gru(w: Writer, step: Step) -> Any:
    return layer(w, step, "GRU", [1, 0, 2], 1, linear_before_reset=1)


@rule(recurrent.Rnn)
def rnn(w: Writer, step: Step) -> Any:
    return layer(w, step, "RNN", [0], 1, activations=["Relu" if step.settings["relu"] else "Tanh"])
