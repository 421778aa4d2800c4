"""Convert a tape to a networkx graph or a pandas table."""

from __future__ import annotations

import dataclasses
from importlib import import_module
from typing import Any

from ..tape import Input, Op, Tape


def to_networkx(tape: Tape) -> Any:
    """Return a MultiDiGraph: a node for each operation and source, and an edge for each input."""
    networkx = _package("networkx")
    graph = networkx.MultiDiGraph()
    for source in tape.sources:
        graph.add_node(source.number, name=source.name or "x", kind=source.kind, shape=source.shape, dtype=source.dtype)
    for op in tape:
        graph.add_node(op.number, kind="operation", **row(op))
        for x in op.inputs:
            if x.origin is not None:
                graph.add_edge(x.origin, op.number, name=x.name, index=x.index, shape=x.shape, dtype=x.dtype)
    return graph


def to_pandas(tape: Tape) -> Any:
    """Return a DataFrame of the operations, indexed by number."""
    pandas = _package("pandas")
    return pandas.DataFrame([row(op) for op in tape], index=pandas.Index([op.number for op in tape], name="number"))


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"to_{name} needs {name}: pip install 'microgad[tables]'") from error


def row(op: Op) -> dict[str, Any]:
    """Return an operation as a flat dict, with a key for each statistic of its first result."""
    plain = ("name", "symbol", "path", "call", "line", "shapes", "dtypes", "layouts", "bytes", "flops", "seconds")
    found = {name: getattr(op, name) for name in plain}
    found |= {"backward_seconds": op.backward_seconds, "inputs": [_read(x) for x in op.inputs], "settings": op.settings}
    for prefix, stats in (("", op.stats), ("gradient_", op.gradients)):
        if stats and stats[0] is not None:
            values = dataclasses.asdict(stats[0])
            del values["counts"]
            found |= {prefix + name: value for name, value in values.items()}
            found[f"{prefix}norm"] = stats[0].norm
    return found


def _read(x: Input) -> Any:
    return x.value if x.origin is None else x.origin
