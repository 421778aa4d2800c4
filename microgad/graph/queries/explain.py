"""Questions about Tensors: how one came about, and why one gets no gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import backend, engine, state
from ...errors import DtypeError, place
from ...function import Function, Leaf
from ...function.plan import argument
from ...methods.node_hooks import HookedPlan
from ...tensor import Tensor
from ..formulas import formula
from ..recording.node_reader import producer, read
from ..recording.recorder import record
from ..tape import Op, Tape
from ..text import settings, shape_of, size, title
from .gradient_path import Cut, no_gradient

SMALL = 6  # elements of which all values are told


def why_no_grad(
    tensor: Tensor | Any, loss: Tensor | Tape | Callable[[], Tensor] | Any = None, tape: Tape | None = None
) -> Cut:
    """Why `loss.backward()` gives a Tensor no gradient: the operation where its path is cut, how, and on which line.

    `loss` as a function that computes it, or a tape recorded with source=True around it, tell most: a loss alone knows
    only what autograd recorded, not what was detached. Raises TypeError for what are no Tensors.

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
        return tape.why_no_grad(name if of is None else of, _number(tape, loss))
    if not isinstance(loss, Tensor):
        raise DtypeError(f"why_no_grad: loss must be a Tensor, a function or a tape, got {type(loss).__name__}")
    return _by_nodes(tensor, loss, name)


def _number(tape: Tape, x: Any) -> Any:
    """The number that a Tensor's node has on a tape, None where it isn't there; anything else is what it is."""
    if not isinstance(x, Tensor):
        return x
    number = producer(x.node)[0].number if x.node is not None else None
    return number if tape.find(number) is not None else None


def _by_nodes(tensor: Tensor, loss: Tensor, name: str) -> Cut:
    """What the nodes alone tell: the path is there, or what comes in without one."""
    advice = "Give why_no_grad the loss as a function, or a tape of microgad.record(source=True), to see where"
    if loss.node is None:
        return no_gradient(name, "unknown", None, f"the loss doesn't require grad. {advice}")
    tape = read((loss,))
    node = producer(tensor.node)[0] if tensor.node is not None else None
    if node is not None and tape.find(node.number) is not None:
        found = tape.why_no_grad(node.number, tape.results[0].source)
        if found or type(node) is Leaf or tensor.retains_grad or vars(tensor).get("grad") is not None:
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


def explain(tensor: Tensor, params: Any = None) -> str:
    """In words how a Tensor came about, and what gradient it gives to what it was made of.

    What is told are the operation, its inputs, its forward and its derivatives as they are written, what it keeps,
    and what the derivatives are here: of up to six elements all values, else their range. `params`, a module or a dict,
    names Tensors. Raises TypeError for what is no Tensor.

    >>> x = torch.tensor([2.0, 3.0], requires_grad=True)
    >>> print(torch.graph.explain(x.exp(), {"x": x}))
    [ 7.389056, 20.085537] is the result of Exp: e to the x
      x: (2,), leaf x
      forward: np.exp(x)
      gradient of x: grad * out
      keeps out: 8 B beside what is there anyway
      where its gradient is 1 everywhere,
        x gets [ 7.389056, 20.085537]
    """
    if not isinstance(tensor, Tensor):
        raise DtypeError(f"explain: expected a Tensor, got {type(tensor).__name__}")
    if tensor.node is None or type(tensor.node) is Leaf:
        return _of_a_leaf(tensor)
    node, index = producer(tensor.node)
    tape = read((tensor,), params)
    op = tape[node.number]
    which = f"result {index} of" if type(node.shape) is list else "the result of"
    told = formula(op.name)
    where = f" in {op.path}" if op.path else ""
    lines = [
        f"{_values(tensor.array)} is {which} {title(op)}{where}"
        + (f": {told.says.rstrip('.')}" if told else "").rstrip(": ")
    ]
    if words := settings(op):
        lines.append(f"  settings: {', '.join(words)}")
    lines += [f"  {x.name}: {_origin(tape, x)}" for x in op.inputs]
    if told is not None:
        lines.append(_indented("  forward: ", told.forward))
        for name, body in told.derivatives.items():
            name = name or (op.inputs[0].name if len(op.inputs) == 1 else "")
            lines.append(_indented(f"  gradient of {name}: " if name else "  gradients: ", body))
    if op.kept:
        lines.append(
            f"  keeps {', '.join(kept.name for kept in op.kept)}: {size(op.bytes)} beside what is there anyway"
        )
    lines += _here(node, tensor)
    return "\n".join(lines)


def _of_a_leaf(tensor: Tensor) -> str:
    told = f"{_values(tensor.array)} is a leaf" + (f" named {tensor.name}" if tensor.name else "")
    if tensor.node is None:
        return f"{told} without a graph: it was made from numbers, detached, or computed where gradients are off"
    if tensor.grad is None:
        return f"{told} that wants a gradient, and has none yet"
    return f"{told} that wants a gradient; it has {_values(tensor.grad.array)}"


def _origin(tape: Tape, x: Any) -> str:
    """Where an input came from, in words."""
    if x.source is None:
        return "None, or what no derivative reads" if x.shape is None else repr(x.value)
    found = tape.find(x.source)
    shape = shape_of(x.shape, x.dtype)
    if isinstance(found, Op):
        return f"{shape} from {title(found)}" + (f" in {found.path}" if found.path else "")
    assert found is not None
    value = f", {found.value:.6g}" if isinstance(found.value, float) else ""
    return f"{shape}, {found.kind}{f' {found.name}' if found.name else ''}{value}"


def _here(node: Function, tensor: Tensor) -> list[str]:
    """What the inputs get where the result's gradient is 1 everywhere, if it can still be computed."""
    if node.kept is None:
        return ["  backward has let go of what it kept: its derivatives can't be computed any more"]
    targets = {edge.number: edge for edge in node.edges if edge is not None}
    hooks = {x: x.hooks for x in (node, tensor.node, *targets.values())}
    plan = node.plan
    for x in hooks:
        x.hooks = None  # nobody else is to see this
    node.plan = plan.own if isinstance(plan, HookedPlan) else plan
    try:
        with state.scope(observer=None):
            ones = np.ones_like(tensor.array)
            found = engine.run([tensor.node], [ones], list(targets.values()), retain_graph=True)
    except RuntimeError as error:
        return [f"  its derivatives can't be computed: {error}"]
    finally:
        node.plan = plan
        for x, held in hooks.items():
            x.hooks = held
    lines = ["  where its gradient is 1 everywhere,"]
    for i, edge in enumerate(node.edges):
        if edge is not None:
            given = found.get(edge.number)
            told = "nothing" if given is None else _values(given)
            both = " (all together)" if sum(other is edge for other in node.edges) > 1 else ""
            lines.append(f"    {argument(type(node), i)} gets {told}{both}")
    return lines


def _values(array: Any) -> str:
    x = backend.to_numpy(array)
    if x.size <= SMALL:
        return np.array2string(x, precision=6, separator=", ").replace("\n", "")
    kind = f"{x.dtype} {x.shape}"
    return f"{kind} from {x.min():.4g} to {x.max():.4g}" if x.dtype.kind in "fiu" else kind


def _indented(lead: str, body: str) -> str:
    first, *more = body.splitlines() or [""]
    if not more:
        return lead + first
    return "\n".join([lead.rstrip(), *(f"      {line}" for line in body.splitlines())])
