"""Explain how a Tensor was computed, and why one gets no gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import backend, state
from ...engine.paths import producer
from ...errors import DtypeError, place
from ...errors.own_arguments import checked
from ...function import AccumulateGrad, Function
from ...function.plan import argument
from ...grad_fn.interface import derivatives_alone
from ...tensor import Tensor
from ...type_aliases import Array
from ..formulas import formula_of
from ..recording.node_reader import read
from ..recording.recorder import record
from ..tape import Op, Tape
from ..text import settings, shape_of, size, title
from .gradient_path import Cut, no_gradient

MAX_SHOWN = 6  # elements of a Tensor whose values are all shown


@checked
def why_no_grad(
    tensor: Tensor | Any, loss: Tensor | Tape | Callable[[], Tensor] | Any = None, tape: Tape | None = None
) -> Cut:
    """Return why `loss.backward()` gives a Tensor no gradient: which operation cuts the path, how, and on which line.

    The answer is most precise if `loss` is a function that computes the loss, or if `tape` or `loss` is a tape that was
    recorded around it with source=True. From a loss Tensor alone only what autograd recorded is known, not what was
    detached. Raises TypeError for other arguments.

    >>> w = torch.ones(2, requires_grad=True)
    >>> cut = torch.graph.why_no_grad(w, lambda: (w.argmax() * 3.0).sum())
    >>> cut.op.name, cut.reason
    ('Argmax', 'integer')
    """
    if isinstance(loss, Tape):
        loss, tape = None, loss
    if not isinstance(tensor, Tensor):
        if tape is None:
            raise DtypeError(f"why_no_grad: expected a Tensor, got {type(tensor).__name__}")
        return tape.why_no_grad(tensor, _number(tape, loss))
    name = tensor.name or f"the {'parameter' if tensor.is_leaf else 'result'} of shape {tuple(tensor.shape)}"
    if tensor.is_leaf and not tensor.requires_grad:
        return no_gradient(name, "frozen", None, "it doesn't require grad")
    if callable(loss) and not isinstance(loss, Tensor):
        with record(source=True, params={name: tensor}) as tape:
            loss = loss()
    if tape is not None:
        of = _number(tape, tensor)
        if of is None and name not in tape.names and all(source.name != name for source in tape.sources):
            return no_gradient(name, "unused", None, "no operation on the tape reads it")
        return tape.why_no_grad(name if of is None else of, _number(tape, loss))
    if not isinstance(loss, Tensor):
        raise DtypeError(f"why_no_grad: loss must be a Tensor, a function or a tape, got {type(loss).__name__}")
    return _by_nodes(tensor, loss, name)


def _number(tape: Tape, x: Any) -> Any:
    """Return the number of a Tensor's node, or None if it isn't on the tape. Anything else is returned as it is."""
    if not isinstance(x, Tensor):
        return x
    number = producer(x.node)[0].number if x.node is not None else None
    return number if tape.find(number) is not None else None


def _by_nodes(tensor: Tensor, loss: Tensor, name: str) -> Cut:
    """Answer from the autograd graph alone: is there a path, or which operations read values without a graph?"""
    advice = "Give why_no_grad the loss as a function, or a tape of microgad.record(source=True), to see where"
    if loss.node is None:
        return no_gradient(name, "unknown", None, f"the loss doesn't require grad. {advice}")
    tape = read((loss,))
    node = producer(tensor.node)[0] if tensor.node is not None else None
    if node is not None and tape.find(node.number) is not None:
        found = tape.why_no_grad(node.number, tape.results[0].source)
        if found or type(node) is AccumulateGrad or tensor.retains_grad or tensor._links.grad is not None:
            return found
        return Cut(
            "flows", None, f"a gradient flows through {name}, but only leaves keep theirs: call retain_grad() on it"
        )
    cut = [op for op in tape if any(not x.wanted and x.shape != () for x in op.inputs)]
    why = "no recorded path leads from it to the loss"
    if cut:
        places = ", ".join(dict.fromkeys(place(op.name, op.path) for op in cut[:5]))
        why += f"; values without a graph come in at {places}"
    return no_gradient(name, "unknown", cut[0] if cut else None, f"{why}. {advice}")


class Explanation(str):
    """Text that a prompt and a notebook show as it is printed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def explain(tensor: Tensor, params: Any = None) -> Explanation:
    """Describe the operation that computed a Tensor, and which gradients it passes to its inputs.

    The description has the operation, its inputs, the source code of its forward and derivatives, what it keeps for
    backward, and the values of the derivatives: all of them for up to six elements, otherwise their range. `params`, a
    module or a dict, gives names to Tensors. Raises TypeError for anything but a Tensor.

    >>> x = torch.tensor([2.0, 3.0], requires_grad=True)
    >>> torch.graph.explain(x.exp(), {"x": x})
    [ 7.389056, 20.085537] is the result of Exp: eˣ
      x: (2,), leaf x
      forward: np.exp(x)
      gradient of x: grad * out
      keeps out: 8 B of additional memory
      where its gradient is 1 everywhere,
        x gets [ 7.389056, 20.085537]
    """
    if not isinstance(tensor, Tensor):
        raise DtypeError(f"explain: expected a Tensor, got {type(tensor).__name__}")
    if tensor.node is None or type(tensor.node) is AccumulateGrad:
        return Explanation(_of_a_leaf(tensor))
    node, index = producer(tensor.node)
    tape = read((tensor,), params)
    op = tape[node.number]
    which = f"result {index} of" if type(node.shape) is list else "the result of"
    known = formula_of(type(node))
    where = f" in {op.path}" if op.path else ""
    lines = [
        f"{_values(tensor.array)} is {which} {title(op)}{where}"
        + (f": {known.says.rstrip('.')}" if known else "").rstrip(": ")
    ]
    if words := settings(op):
        lines.append(f"  settings: {', '.join(words)}")
    lines += [f"  {x.name}: {_origin(tape, x)}" for x in op.inputs]
    if known is not None:
        lines.append(_indented("  forward: ", known.forward))
        for name, body in known.derivatives.items():
            name = name or (op.inputs[0].name if len(op.inputs) == 1 else "")
            lines.append(_indented(f"  gradient of {name}: " if name else "  gradients: ", body))
        if node.conjugates and known.derivatives and any(dtype.startswith("complex") for dtype in op.dtypes):
            lines.append("  since these are complex: the conjugate of that, for the conjugate of grad")
    if op.kept:
        lines.append(f"  keeps {', '.join(kept.name for kept in op.kept)}: {size(op.bytes)} of additional memory")
    lines += _derivatives(node, index, tensor)
    return Explanation("\n".join(lines))


def _of_a_leaf(tensor: Tensor) -> str:
    words = f"{_values(tensor.array)} is a leaf" + (f" named {tensor.name}" if tensor.name else "")
    if tensor.node is None:
        return f"{words} without a graph: it was made from numbers, detached, or computed where gradients are off"
    if tensor.grad is None:
        return f"{words} that wants a gradient, and has none yet"
    return f"{words} that wants a gradient; it has {_values(tensor.grad.array)}"


def _origin(tape: Tape, x: Any) -> str:
    """Describe where an input came from."""
    if x.source is None:
        return "None, or what no derivative reads" if x.shape is None else repr(x.value)
    found = tape.find(x.source)
    shape = shape_of(x.shape, x.dtype)
    if isinstance(found, Op):
        name = next((f", {made.name}" for made in tape.variables if made.number == found.number), "")
        return f"{shape}{name} from {title(found)}" + (f" in {found.path}" if found.path else "")
    assert found is not None
    value = f"{found.value:.6g}" if isinstance(found.value, float) else ""
    return ", ".join(filter(None, (shape, f"{found.kind} {found.name}".strip(), value)))  # no shape: freed by backward


def _derivatives(node: Function, index: int, tensor: Tensor) -> list[str]:
    """Compute the gradients of the inputs for a gradient of ones, and describe them."""
    if node.kept is None:
        return ["  backward has let go of what it kept: its derivatives can't be computed any more"]
    grads: list[Any] = [None] * (len(node.shape) if type(node.shape) is list else 1)
    grads[index] = np.ones_like(tensor.array)
    try:
        with state.scope(observer=None, grad_enabled=False):
            found = derivatives_alone(node, grads, node.edges, False)
    except RuntimeError as error:
        return [f"  its derivatives can't be computed: {error}"]
    lines = ["  where its gradient is 1 everywhere,"]
    for i, (edge, g) in enumerate(zip(node.edges, found, strict=True)):
        if edge is not None:
            lines.append(f"    {argument(type(node), i)} gets {'nothing' if g is None else _values(g.array)}")
    return lines


def _values(array: Array) -> str:
    x = backend.to_numpy(array)
    if x.size <= MAX_SHOWN:
        return np.array2string(x, precision=6, separator=", ").replace("\n", "")
    kind = f"{x.dtype} {x.shape}"
    return f"{kind} from {x.min():.4g} to {x.max():.4g}" if x.dtype.kind in "fiu" else kind


def _indented(lead: str, body: str) -> str:
    first, *more = body.splitlines() or [""]
    if not more:
        return lead + first
    return "\n".join([lead.rstrip(), *(f"      {line}" for line in body.splitlines())])
