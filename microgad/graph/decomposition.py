"""Record the decomposition of a fused operation instead of the operation."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from .. import state
from ..engine.paths import producer
from ..function import Function
from ..tensor import Tensor


def fine() -> AbstractContextManager[None]:
    """In a `with` block, record fused operations such as attention and recurrent layers step by step.

    A Function with a `decomposition` is replaced by it on the tape, if it requires a gradient. Values and gradients
    differ by rounding errors, and the block needs more time and memory.

    >>> x = torch.ones(2, 3, 4, requires_grad=True)
    >>> with torch.graph.fine():
    ...     y = F.scaled_dot_product_attention(x, x, x)
    >>> [op.name for op in y.graph().tape]
    ['Mul', 'Permute', 'MatMul', 'Softmax', 'MatMul']
    """
    return state.scope(fine=_apply_decomposed)


def _apply_decomposed(cls: type[Function], inputs: tuple[Any, ...], settings: dict[str, Any]) -> Any:
    """Call the Function's decomposition on the inputs.

    The Function itself is applied first, to raise its errors and to compute what the decomposition reads.
    """
    with state.scope(observer=None, fine=None):
        out = cls.apply(*inputs, **settings)
    nodes = [x.node for x in (out if type(out) is tuple else (out,)) if isinstance(x, Tensor) and x.node]
    if not nodes:
        with state.scope(fine=None):
            return out if state.current().observer is None else cls.apply(*inputs, **settings)
    node = producer(nodes[0])[0]
    decomposition, positions = node.plan.decomposition
    given = [inputs[i] for i in node.plan.inputs]
    kept = [x if isinstance(x, Tensor) else array for x, array in zip(given, node.kept, strict=False)]
    kept += node.kept[len(kept) :]
    with state.scope(path=state.child_path(f"{cls.__name__}()"), deriving=True):  # it is NumPy, as a derivative is
        return decomposition(node, *[kept[j] for j in positions])
