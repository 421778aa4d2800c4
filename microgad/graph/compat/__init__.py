"""The functions of torchviz, torchview and micrograd that draw graphs, with their names and arguments.

Programs that use these packages work after a change of the import. Under `as_torch()`, `torchviz` and `torchview` are
this module.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import ArgumentError
from ...errors.own_arguments import checked
from ...nn.modules.module.training_mode import training_mode
from ...tensor import Tensor
from ..drawing.graph import Graph
from ..recording.node_reader import read
from ..recording.recorder import record

if TYPE_CHECKING:
    from ..drawing.dot import Digraph


@checked
def make_dot(
    var: Tensor | Sequence[Tensor],
    params: Any = None,
    show_attrs: bool = False,
    show_saved: bool = False,
    max_attr_chars: int = 50,
) -> Digraph:
    """Return the graph that led to one or several Tensors as a graphviz.Digraph.

    `params`, a module or a dict of names to Tensors, gives names to Tensors, and `show_saved` shows what is kept for
    backward. Settings are always shown and shortened; `show_attrs` and `max_attr_chars` are ignored. Raises
    RuntimeError for a Tensor without a graph.

    Source: torchviz.make_dot.

    >>> model = torch.nn.Linear(2, 1)
    >>> drawn = torch.graph.make_dot(model(torch.ones(1, 2)), params=dict(model.named_parameters()))
    >>> "weight" in drawn.source
    True
    """
    results = (var,) if isinstance(var, Tensor) else tuple(var)
    return Graph(read(results, params), show_saved=show_saved).dot


@checked
def draw_dot(root: Tensor, format: str = "svg", rankdir: str = "LR", params: Any = None) -> Digraph:
    """Return the graph of a scalar as a graphviz.Digraph, with the values and gradients of its leaves.

    `rankdir` is "LR" or "TB". `params=locals()` labels Tensors with the program's names, and also shows the values of
    those that aren't leaves, and gradients that `retain_grad` keeps. Raises RuntimeError for a Tensor without a graph.

    Source: micrograd's trace_graph notebook.

    >>> a = torch.tensor(2.0, requires_grad=True)
    >>> y = a * 3
    >>> y.backward()
    >>> "grad 3" in torch.graph.draw_dot(y).source
    True
    """
    drawn = Graph(read((root,), params), rankdir=rankdir, depth=None).dot
    drawn.format = format
    return drawn


class ComputationGraph:
    """The result of `draw_graph`. The drawing is `visual_graph`, a graphviz.Digraph."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.visual_graph = graph.dot
        self.visual_graph.name = name

    def resize_graph(self, scale: float = 1.0, size_per_element: float = 0.3, min_size: float = 12) -> None:
        """Limit the drawing to `size_per_element` inches per box, at least `min_size` inches, times `scale`."""
        size = max(min_size, len(self.graph.sketch.boxes) * size_per_element) * scale
        self.visual_graph.graph_attr["size"] = f"{size:g},{size:g}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.graph._repr_mimebundle_(include, exclude)


@checked
def draw_graph(
    model: Callable[..., Any],
    input_data: Any = None,
    input_size: Any = None,
    graph_name: str = "model",
    depth: float = 3,
    device: Any = None,
    dtypes: Sequence[Any] | None = None,
    mode: str | None = None,
    strict: bool = True,
    expand_nested: bool = False,
    graph_dir: str | None = None,
    hide_module_functions: bool = True,
    hide_inner_tensors: bool = True,
    roll: bool = False,
    show_shapes: bool = True,
    save_graph: bool = False,
    filename: str | None = None,
    directory: str | os.PathLike[str] = ".",
    collect_attributes: bool = False,
    **kwargs: Any,
) -> ComputationGraph:
    """Draw a model's forward pass: its modules down to `depth`, operations outside of them, and shapes.

    The model runs once, in `mode` "eval" (the default) or "train". Its input is `input_data`, a Tensor, a sequence of
    arguments or a dict of named arguments, or random numbers of `input_size`, a shape or a sequence of shapes.

    `expand_nested` draws frames around modules, `hide_module_functions=False` opens the innermost modules, `roll` draws
    what repeats once, and `graph_dir` is the direction of the arrows. `save_graph` writes `filename`.png into
    `directory`. Shapes are always shown, inner tensors never. Raises ValueError without an input, and for another mode.

    Source: torchview.draw_graph.

    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
    >>> drawn = torch.graph.draw_graph(model, input_size=(4, 3))
    >>> "(4, 2)" in drawn.visual_graph.source
    True
    """
    if mode not in (None, "eval", "train"):
        raise ArgumentError(f"draw_graph: mode must be 'eval' or 'train', got {mode!r}")
    arguments, named = _inputs(input_data, input_size, device, dtypes)
    params = model if hasattr(model, "named_parameters") else None
    with training_mode(model, mode == "train"), record(params=params) as tape:
        model(*arguments, **named, **kwargs)
    level = None if depth == math.inf else int(depth)
    graph = Graph(
        tape, depth=level, leaves=hide_module_functions, roll=roll, fold=False, frames=expand_nested, show_saved=False,
        rankdir=graph_dir or "TB",
    )  # fmt: skip
    drawn = ComputationGraph(graph, graph_name)
    if save_graph:
        from pathlib import Path

        graph.save(Path(directory) / f"{filename or graph_name}.png")
    return drawn


def _inputs(data: Any, size: Any, device: Any, dtypes: Sequence[Any] | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and keyword arguments for the model."""
    if data is not None:
        if isinstance(data, Mapping):
            return (), dict(data)
        return (tuple(data), {}) if isinstance(data, (list, tuple)) else ((data,), {})
    if size is None:
        raise ArgumentError("draw_graph: expected input_data, or input_size for random input")
    from ...ops.random import rand

    shapes = [size] if all(isinstance(n, int) for n in size) else size
    kinds = dtypes or [None] * len(shapes)
    device = None if str(device) == "meta" else device
    made = [rand(shape, device=device) for shape in shapes]
    return tuple(x if kind is None else x.to(kind) for x, kind in zip(made, kinds, strict=True)), {}
