"""The autograd graph behind a Tensor as an object that can be drawn, printed and queried.

>>> x = torch.tensor([1.0, 2.0], requires_grad=True)
>>> y = (x * x).sum()
>>> graph = y.graph()
>>> graph
<Graph: 2 operations, 1 leaf; 0 B kept for backward>

`graph.save("y.svg")` draws it, a notebook displays it, and `print(graph)` lists its operations. `graph.tape` is the
plain data behind the drawing; it holds no arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ..lazy import define_getattr as _define_getattr
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
    """Return the graph that led to `tensors`: its operations, its leaves, and what is kept for backward.

    `y.graph()` does the same for one Tensor. `params` is a module, or a dict of names to Tensors (`locals()` will do)
    or to lists of them, and gives names to the leaves and to what operations computed. A leaf without a name is named
    after the argument that it is used as, for example "features.0.weight". `show_saved=False` hides what is kept for
    backward. Modules at level `depth` are drawn as one box each; None opens all of them, and by default as many are
    opened as fit on a page. The other options are those of `Tape.draw`.

    An input that doesn't require grad is shown only if a derivative reads it, because nodes keep no others. The graph
    can also be read after backward, and for gradients of any order computed under create_graph. Raises RuntimeError for
    a Tensor without a graph.

    >>> w = torch.ones(2, requires_grad=True)
    >>> print(torch.graph.graph(w.exp().sum(), params={"w": w}))
    #  operation  module  result  keeps  bytes
    0  Exp                (2,)    out      8 B
    1  Σ Sum              scalar
    2 operations, 1 leaf; 8 B kept for backward
    """
    return Graph(read(tensors, params), show_saved=show_saved, depth=depth, **options)


_define_getattr(globals())
