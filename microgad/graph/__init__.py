"""The graph that led to a Tensor, as an object: to hold, to draw and to read.

>>> x = torch.tensor([1.0, 2.0], requires_grad=True)
>>> y = (x * x).sum()
>>> graph = y.graph()
>>> graph
<Graph: 2 operations, 1 leaf; 0 B kept for backward>

`graph.save("y.svg")` draws it, a notebook shows it by itself, `print(graph)` lists it, and `graph.tape` is what it is
drawn from: plain data, with no array in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ..lazy import absent as _absent
from .compat import draw_dot as draw_dot
from .compat import draw_graph as draw_graph
from .compat import make_dot as make_dot
from .compat.torchinfo import summary as summary
from .decomposition import fine as fine
from .drawing.graph import Graph as Graph
from .drawing.render import RendererMissing as RendererMissing
from .formulas import Formula as Formula
from .formulas import formula as formula
from .pages.watching import watch as watch
from .queries.explain import explain as explain
from .queries.explain import why_no_grad as why_no_grad
from .queries.memory import memory as memory
from .queries.non_finite import first_bad as first_bad
from .recording.node_reader import read
from .tape import Tape as Tape

if TYPE_CHECKING:
    from ..tensor import Tensor


def graph(
    *tensors: Tensor,
    params: Any = None,
    show_saved: bool = True,
    depth: int | Literal["auto"] | None = "auto",
    **options: Any,
) -> Graph:
    """The graph that led to `tensors`: operations, leaves, what is kept for backward. `y.graph()` is the same.

    `params`, a module or a dict of names to Tensors (`locals()` will do), names what it has; a leaf without a name
    takes that of the argument it is used as: "features.0.weight". `show_saved=False` leaves out what is kept. Modules
    at level `depth` are one box each; with None all are open, and by default as many as a page holds. The other
    options are those of `Tape.draw`. Inputs that want no gradient are shown as far as a derivative reads them: the
    nodes know no others. Works after backward too, for gradients computed under create_graph, and for theirs. Raises
    RuntimeError for a Tensor without a graph.

    >>> w = torch.ones(2, requires_grad=True)
    >>> print(torch.graph.graph(w.exp().sum(), params={"w": w}))
    #  operation  module  result  keeps  bytes
    0  Exp                (2,)    out      8 B
    1  Σ Sum              scalar
    2 operations, 1 leaf; 8 B kept for backward
    """
    return Graph(read(tensors, params), show_saved=show_saved, depth=depth, **options)


_absent(globals())
