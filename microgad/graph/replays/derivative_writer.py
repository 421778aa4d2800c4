"""Write the backward passes of a program: a line for each derivative, while a replay computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ... import backend
from ...engine.complex import conjugates
from ...engine.paths import producer
from ...errors import GraphError
from ...function import Function
from ...function.half import HALF, wide
from ...state.observer import Observer
from ...type_aliases import Array
from ..replay_data import BoundaryPoint

if TYPE_CHECKING:
    from .program import ProgramWriter

_Key = tuple[int, int]  # number of a node, and index of its result


@dataclass
class OpNames:
    """The names that the program has for an operation's object, results and inputs."""

    op: str  # "relu1_op", or "Relu()"
    out: list[str]
    inputs: list[str]


class DerivativeWriter(Observer):
    """An observer that writes a line for each derivative."""

    def __init__(self, writer: ProgramWriter) -> None:
        self.writer = writer
        self.steps: dict[int, OpNames] = {}  # number of a node -> its names
        self.leaves: dict[int, str] = {}  # number of a leaf's node -> name of the leaf
        self.gradients: dict[str, str] = {}  # name of a leaf -> variable of its final gradient
        self.grads: dict[_Key, str] = {}  # variables of gradients during a pass
        self.hooked: dict[_Key, Any] = {}  # gradients that hooks returned during the recording
        self.ends: dict[_Key, str] = {}  # results whose gradients `grad` asked for -> their variables

    def start(self, points: Sequence[tuple[Function | None, BoundaryPoint]]) -> None:
        """Begin a backward pass."""
        writer = self.writer
        for node, point in points:
            assert node is not None
            if point.role == "hook":
                self.hooked[_key(node)] = point.gradient
                continue
            if point.role == "fresh":
                self.gradients.pop(self.leaves[node.number], None)
                continue
            called = writer.variables[point.source, point.index]
            if point.role == "end":
                self.ends[_key(node)] = called
                continue
            name = writer.new_name(f"grad_{called}")
            ones = bool((backend.to_numpy(point.gradient) == 1).all())
            text = f"np.ones_like({called})" if ones else writer.array(name, point.gradient)
            self.send(node, name, text, point.gradient)

    def end(self) -> None:
        """End a backward pass: add the gradients of leaves to those of earlier passes."""
        for key in [key for key in self.grads if key[0] in self.leaves]:
            name = self.leaves[key[0]]
            self.ends.pop(key, None)
            grad, total = self.take(key, ""), self.gradients.get(name)
            if total:
                self.writer.emit(f"{total} = {total} + {grad}", "what this pass adds")
            self.gradients[name] = total or grad
        for key, name in self.ends.items():
            if key in self.grads:
                self.gradients[name] = self.grads.pop(key)
        self.grads, self.hooked, self.ends = {}, {}, {}

    def take(self, key: _Key, nothing: str) -> str:
        """Return the variable of a result's gradient, now that it is complete, or `nothing` if it has none."""
        name = self.grads.pop(key, nothing)
        if key in self.hooked:
            name = name if name.isidentifier() else self.writer.new_name("grad")
            self.writer.emit(f"{name} = {self.writer.array(name, self.hooked.pop(key))}", "as hooks have changed it")
        if key in self.ends:
            self.gradients[self.ends.pop(key)] = name
        return name

    def incoming(self, node: Function) -> str:
        """Return the expression for the gradient of a node's result, or the tuple of gradients of its results."""
        conjugate = conjugates(node)
        if type(node.shape) is not list:
            name = self.take((node.number, 0), "")
            return f"np.conj({name})" if conjugate and node.dtype.kind == "c" else name
        parts = []
        for i, (shape, dtype) in enumerate(zip(node.shape, node.dtype, strict=True)):
            zeros = f"np.zeros({shape}, {dtype.name!r})" if node.materializes else "None"
            parts.append(self.take((node.number, i), zeros))
        whole = f"({', '.join(parts)},)"
        return f"tuple(map(np.conj, {whole}))" if conjugate and any(d.kind == "c" for d in node.dtype) else whole

    def backward(self, node: Function, gradients: list[Any]) -> None:
        """Write the derivatives of a node."""
        if node.number in self.leaves:
            return  # an Identity in place of a leaf
        step = self.steps.get(node.number)
        if step is None:
            raise GraphError(f"program: in-place writes to views ({type(node).__name__}) aren't supported")
        plan = node.plan
        kept = [step.inputs[i] for i in plan.inputs]
        kept += [f"({', '.join(step.out)})" if type(node.shape) is list else step.out[0]] * plan.out
        kept += [f"{step.op}.{name}" for name in plan.intermediates]
        incoming = self.incoming(node)
        if HALF in (node.dtype if type(node.dtype) is list else [node.dtype]):
            incoming = f"wide({incoming})"
            kept = [f"wide({name})" if wide(x) is not x else name for name, x in zip(kept, node.kept, strict=True)]
        texts: dict[int, str] = {}
        if plan.joint is not None:
            texts = self.joint(node, step, [incoming, *(kept[j] for j in plan.joint[1])], gradients)
        for i, derivative, positions in plan.derivatives:
            if gradients[i] is not None:
                arguments = ", ".join([incoming, *(kept[j] for j in positions)])
                name = f"grad_{type(node).inputs[i]}"  # which may be another class's method, of another name
                method = name if hasattr(node, name) else derivative.__name__  # LinearMap's is grad_x for any input
                texts[i] = f"{step.op}.{method}({arguments})"
        for i, text in texts.items():
            edge, g = node.edges[i], gradients[i]
            if edge.dtype.kind == "c" and conjugates(node):
                text = f"np.conj({text})"
            if not backend.is_array(g) or g.shape != edge.shape or g.dtype != edge.dtype:
                text = f"fit({text}, {edge.shape}, {edge.dtype.name!r})"
            self.pass_on(edge, step.inputs[i], text, g)

    def joint(self, node: Function, step: OpNames, arguments: list[str], gradients: list[Any]) -> dict[int, str]:
        """Write the call that computes all derivatives together, and return their variables."""
        names = {
            i: self.gradient_name(step.inputs[i])
            for i, edge in enumerate(node.edges)
            if edge is not None and gradients[i] is not None
        }
        targets = [names.get(i, "_") for i in range(len(node.edges))]
        call = f"{step.op}.{node.plan.joint[0].__name__}({', '.join(arguments)})"  # type: ignore[index]
        self.writer.emit(f"{', '.join(targets)} = {call}" if len(targets) > 1 else f"({targets[0]},) = parts({call})")
        return names

    def gradient_name(self, name: str) -> str:
        """Return a new name for the gradient of a variable."""
        return self.writer.new_name(f"grad_{name if name.isidentifier() else 'x'}")

    def pass_on(self, edge: Function, name: str, text: str, grad: Array) -> None:
        """Add a gradient, which may already be a variable, to that of a node."""
        held = _key(edge) in self.grads
        if not held and text.isidentifier():
            self.grads[_key(edge)] = text
        else:
            self.send(edge, "" if held else self.gradient_name(name), text, grad)

    def send(self, edge: Function, base: str, text: str, grad: Array) -> None:
        """Write the line that assigns a gradient to a node, or adds it to what the node has."""
        key = _key(edge)
        held = self.grads.get(key)
        if held is not None:
            self.writer.emit(f"{held} = {held} + {text}", "its next part")
            return
        name = self.grads[key] = base
        self.writer.emit(f"{name} = {text}", facts(grad))


def facts(x: Array) -> str:
    """Return shape and dtype as text for a comment."""
    x = backend.as_array(x)
    return f"{tuple(x.shape)} {x.dtype}"


def _key(edge: Function) -> _Key:
    node, index = producer(edge)
    return node.number, index
