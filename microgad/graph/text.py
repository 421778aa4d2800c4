"""Text for a tape and its operations: titles, shapes, sizes, settings, and the table that `print(tape)` shows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from .. import errors
from ..errors import wording
from .recording.node_reader import scalar_value
from .repeats import flat_settings
from .statistics import Stats
from .tape import Op, Result, Shape, Source, Tape

# Settings that aren't shown if they have these values, and those with one number for each spatial dimension.
_DEFAULTS = {
    "stride": 1, "dilation": 1, "groups": 1, "padding": 0, "output_padding": 0, "count_include_pad": True,
    "ignore_index": -100, "eps": 1e-05, "k": 0, "offset": 0, "decimals": 0,
}  # fmt: skip
_SPATIAL = {"kernel", "stride", "dilation", "padding", "output_padding"}
# Settings that aren't shown because the shapes and dtypes of inputs and results imply them.
_IN_SHAPES = {"x_shape", "size", "sizes", "indices", "shape_of_weight", "rows", "view", "affine", "source"}
# How attention is computed, not what; a part of the title; how results and gradients lie in memory; a method of ours.
_INTERNAL = {"block", "fused", "keep", "of", "by_columns", "channels_last", "kind", "order", "callback"}
_REORDERING = "Permute", "Shuffle"  # operations whose order is what they do
_LONGEST = 40  # characters of a setting
_COMPUTE_NOTHING = {
    "BackwardHookFunction": "backward hook",
    "TransformArgument": "argument of torch.func",
    "TangentGate": "tangents only",
}
# The public functions that an operation may be, by its settings and inputs; "" for what it is called after.
_FUNCTIONS: dict[str, Callable[[Op], str]] = {
    "Pick": lambda op: op.settings.get("of", ""),
    "Elu": lambda op: "selu" if "scale" in op.settings else "celu" if "rate" in op.settings else "",
    "Hardtanh": lambda op: "relu6" if (op.settings.get("low"), op.settings.get("high")) == (0, 6) else "",
    "PRelu": lambda op: "leaky_relu" if len(op.inputs) > 1 and op.inputs[1].value is not None else "",
    "SetItem": lambda op: "masked_fill" if not op.in_place and _is_mask(op.settings.get("index")) else "",
}


def table(tape: Tape, rows: int = 60) -> str:
    """Return a line for each operation, with its module, result, and what it keeps, without the middle of a long tape.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> print(torch.graph.graph((x * x).exp()))
    #  operation  module  result  keeps  bytes
    0  × Mul              (2,)    a, b
    1  Exp                (2,)    out      8 B
    2 operations, 1 leaf; 8 B kept for backward
    """
    ops = list(enumerate(tape))
    if len(ops) > rows:
        ops = [*ops[: rows - rows // 2], *ops[len(ops) - rows // 2 :]]
    places = {op.number: i for i, op in enumerate(tape)}
    derives, named = any(op.derives is not None for op in tape), {x.number: x.name for x in tape.variables}
    more = [*["variable"] * bool(named), "module", *["derivative of"] * derives]
    lines = [("#", "operation", *more, "result", "keeps", "bytes")]
    for i, op in ops:
        keeps = "freed" if op.freed else ", ".join([kept.name for kept in op.kept] + ["recomputed"] * op.recomputed)
        path = on_one_line(op.path)
        of = tape.find(op.derives)
        known = f"{places[of.number]} {title(of)}" if isinstance(of, Op) else on_one_line(op.derived)
        known = "(sum)" if of is op else known
        facts = (*[known] * derives, results(op), keeps, size(op.bytes) if op.bytes else "")
        lines.append((str(i), title(op), *[on_one_line(named.get(op.number, ""))] * bool(named), path, *facts))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [str.rjust, *[str.ljust] * (len(widths) - 2), str.rjust]
    shown = [
        "  ".join(align(cell, width) for align, cell, width in zip(aligned, line, widths, strict=True)).rstrip()
        for line in lines
    ]
    if len(tape) > rows:
        shown.insert(1 + rows - rows // 2, f"... {len(tape) - rows:,} more ...")
    return "\n".join([*shown, summary(tape)])


def summary(tape: Tape) -> str:
    """Return one line with the number of operations and parameters and the bytes kept for backward."""
    first = [source for source in tape.sources if source.version == 1]
    count = Counter(source.kind for source in first)
    parts = [f"{len(tape):,} {'operation' if len(tape) == 1 else 'operations'}"]
    if count["parameter"]:
        numbers = sum(elements(source) for source in first if source.kind == "parameter")
        arrays = wording.plural(count["parameter"], "array")
        parts.append(f"{numbers:,} {'parameter' if numbers == 1 else 'parameters'} in {arrays}")
    if count["leaf"]:
        parts.append("1 leaf" if count["leaf"] == 1 else f"{count['leaf']} leaves")
    held = f"{size(tape.bytes)} kept for backward"
    if any(op.freed for op in tape):
        held = f"{held}, the rest is freed" if tape.bytes else "what was kept is freed"
    return f"{', '.join(parts)}; {held}"


def on_one_line(words: str) -> str:
    """Escape line breaks and all else that isn't printable, as in a module's name."""
    return words if words.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in words)


def called(source: Source, name: str = "") -> str:
    """Return a source's name, or another one for it, or else its kind, and which value of a changed Tensor it is."""
    name = f"{source.gradient_of}.grad" if source.gradient_of else name or source.name or source.kind
    return name + (f", version {source.version}" if source.version > 1 else "")


def elements(source: Source) -> int:
    """Return the number of elements of a source."""
    return math.prod(source.shape or ())


def title(op: Op) -> str:
    """Return an operation's symbol and name ("× Mul"), or the name alone if it contains the symbol ("Conv2d").

    The adjoint of a linear operation is shown as "Sumᵀ". Where several functions are one operation, their name comes
    first: "max Pick", "celu Elu", "masked_fill SetItem". What computes nothing is called after what it is for.
    """
    if op.name in _COMPUTE_NOTHING and not op.own:
        return _COMPUTE_NOTHING[op.name]
    if op.name.endswith("Adjoint"):
        return op.name.removesuffix("Adjoint") + "ᵀ"
    name = op.name if op.own else op.name.removesuffix("InPlace")
    if name in _FUNCTIONS and (function := _FUNCTIONS[name](op)):
        return f"{function} {name}"
    contained = op.symbol.replace("_", "").replace(" ", "").lower() in name.lower()
    return name if contained else f"{op.symbol} {name}"


def _is_mask(index: Any) -> bool:
    """Whether an index, as a setting, is one mask and nothing else."""
    return isinstance(index, tuple) and len(index) == 1 and str(index[0]).startswith("bool ")


def place(op: Op, called: str = "") -> str:
    """Return an operation's name, module and line: "Conv2d (features.0) at train.py, line 12"."""
    return errors.place(called or op.name, op.path) + (f" at {op.line}" if op.line else "")


def results(op: Op) -> str:
    return ", ".join(shape_of(shape, dtype) for shape, dtype in zip(op.shapes, op.dtypes, strict=True))


def shape_of(shape: Shape | None, dtype: str | None) -> str:
    """Return a shape, with the dtype unless it is float32: "(8, 10)", "(8,) int64", "scalar"."""
    if shape is None:
        return ""
    text = str(shape) if shape else "scalar"
    return text if dtype in (None, "float32") else f"{text} {dtype}"


def size(count: int) -> str:
    """Format a number of bytes: "96 B", "12.2 KiB"."""
    if count < 1024:
        return f"{count} B"
    amount = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= 1024
        if amount < 999.95 or unit == "GiB":
            break
    return f"{amount:,.1f} {unit}"


def with_unit(n: int) -> str:
    """Format a number with a unit: "950", "1.2 k", "3.4 M"."""
    for unit, scale in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if n >= 0.99995 * scale:
            return f"{n / scale:.1f} {unit}"
    return str(n)


def settings(op: Op, *others: Op) -> list[str]:
    """Return the settings worth showing, such as "kernel 3", "axis (0, 2)" and "in place".

    `others` do the same: of a setting that differs, such as an index, the first and the last value are shown.
    """
    hidden = _IN_SHAPES | _INTERNAL | {kept.name for kept in op.kept}
    hidden -= {"order"} if op.name.startswith(_REORDERING) else set()
    first, *more = (flat_settings(x.settings) for x in (op, *others))
    values = {name: [value, *(x.get(name) for x in more)] for name, value in first.items() if name not in hidden}
    facts = ["in place"] * op.in_place + ["recomputed in backward"] * op.recomputed
    return facts + [_short(words) for name, value in values.items() if (words := _range(name, value))]


def _range(name: str, values: list[Any]) -> str:
    """Return a setting as text, such as "dilation 1 … 8" where values differ."""
    words = spread(_setting(name, value) for value in values)
    if " … " not in words or name == "index":
        return words
    return f"{name} {spread(_shown(_one(value)) for value in values)}"


def _setting(name: str, value: Any) -> str:
    """Return a setting as text, empty if it has its default value."""
    if value is None or value is False:
        return ""
    if name == "index" and isinstance(value, tuple):
        items = value[:-1] if len(value) > 1 and value[-1] == "..." else value
        return f"[{', '.join(map(str, items))}]"
    if name == "labels":  # of einsum: "ij,kj → ik"
        *of, to = ("".join(map(str, labels)) for labels in value)
        return f"{','.join(of)} → {to}"
    if name == "batch_sizes" and len(set(value)) == 1:
        return ""  # all sequences are of the same length
    if name == "chain":
        return ", then ".join(step for step, _ in value)
    if name in _SPATIAL:
        value = _one(value)
    if name in _DEFAULTS and value == _DEFAULTS[name]:
        return ""
    return name if value is True else f"{name} {_shown(value)}"


def numbers(op: Op, *others: Op) -> list[str]:
    """Return the Python numbers that an operation reads, such as "b = 2", or "b = 2 … 71" where the others' differ."""
    read = zip(*(x.inputs for x in (op, *others)), strict=False)
    return [f"{x[0].name} = {spread(number(y.value) for y in x)}" for x in read if x[0].value is not None]


def shortened(lines: list[str], what: str) -> list[str]:
    """Return at most six lines: of more, the first three and the last two."""
    return lines if len(lines) <= 6 else [*lines[:3], f"… {len(lines) - 5} more {what} …", *lines[-2:]]


def spread(words: Iterable[str]) -> str:
    """Return words that all are the same, or the first and the last of different ones: "2 … 71"."""
    first, *more = dict.fromkeys(words)
    return f"{first} … {more[-1]}" if more else first


def number(value: Any) -> str:
    """Format a Python number: "0.1", "2", "1.6e-05", "0.5-2j"."""
    return f"{value:.4g}" if isinstance(value, (float, complex)) else str(value)


def value(x: Op | Source | Result) -> str:
    """Return a 0-d value as a number, empty if it isn't one or isn't known. Of an operation it is the result."""
    if not isinstance(x, Op):
        return "" if x.value is None else number(x.value)
    if x.shapes != [()]:
        return ""
    return number(scalar_value(x.values[0])) if x.values else _only(x.stats[0], x.dtypes[0]) if x.stats else ""


def gradient(x: Op | Source | Result) -> str:
    """Return the gradient of a 0-d value, such as "grad 1.5", empty if it isn't one or isn't known."""
    stats, dtype = ((x.gradients or [None])[0], x.dtypes[0]) if isinstance(x, Op) else (x.gradient, x.dtype)
    scalar = (x.shapes if isinstance(x, Op) else [x.shape]) == [()]
    found = _only(stats, dtype) if stats is not None and scalar else ""
    return found and f"grad {found}"


def values(of: Iterable[Op | Source | Result]) -> list[str]:
    """Return a line with the 0-d values of things that are drawn as one, and one with their gradients, if known."""
    lines = (list(filter(None, map(known, of))) for of in [list(of)] for known in (value, gradient))
    return [spread(words) for words in lines if words]


def _only(stats: Stats, dtype: str | None) -> str:
    """Return the number that statistics are of. Of an infinite one they don't have the sign."""
    if str(dtype).startswith("complex"):
        return ""
    return "nan" if stats.nans else "±inf" if stats.infs else number(stats.mean)


def _one(value: Any) -> Any:
    """Return the number that all elements of a tuple equal, or the tuple itself if they differ."""
    if isinstance(value, tuple) and value:
        ones = [_one(x) for x in value]
        return ones[0] if all(x == ones[0] for x in ones) else value
    return value


def _shown(value: Any) -> str:
    return number(value) if not isinstance(value, tuple) else str(value).replace("'", "")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
