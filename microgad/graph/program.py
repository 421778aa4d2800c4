"""A recorded program as Python source that runs with NumPy alone: its forward and its backward, a line an operation."""

from __future__ import annotations

import dataclasses
import keyword
import pathlib
import re
from typing import Any

import numpy as np

from .. import backend, engine, state
from ..autograd import custom
from ..errors import GraphError
from ..function import Function, Output
from ..tensor import Tensor
from .replaying import Replaying
from .sources import Sources
from .tape import Op, Seed, Source, Tape

SMALL = 8  # elements of an array that is written into the source
HELPER = '''def fit(grad, shape, dtype):
    """A gradient as its input is: summed over the axes along which that was stretched."""
    grad = np.asarray(grad)
    lead = grad.ndim - len(shape)
    axes = [i for i, n in enumerate(grad.shape) if i < lead or (shape[i - lead] == 1 and n != 1)]
    grad = grad.sum(tuple(axes)).reshape(shape) if axes else grad.reshape(shape)
    return (grad.real if grad.dtype.kind == "c" and np.dtype(dtype).kind != "c" else grad).astype(dtype)'''
PARTS = """def parts(x):
    return x if isinstance(x, (tuple, list)) else (x,)"""
MAIN = """if __name__ == "__main__":
    results, gradients = run(np.load(__file__.removesuffix(".py") + ".npz"))
    for name, value in {**results, **{f"gradient of {name}": grad for name, grad in gradients.items()}}.items():
        print(name, value.shape, value if value.size <= 8 else f"norm {np.linalg.norm(value):.6g}")"""


@dataclasses.dataclass(frozen=True)
class Program:
    """The source, and the arrays that it starts from, by name."""

    text: str
    values: dict[str, Any]

    def run(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What it computes: results and gradients by name."""
        scope: dict[str, Any] = {"__name__": __name__}  # dataclasses look for their module
        exec(compile(self.text, "<program>", "exec"), scope)
        found: tuple[dict[str, Any], dict[str, Any]] = scope["run"](self.values)
        return found

    def save(self, path: str | pathlib.Path) -> None:
        """Write it as a .py file, with its arrays in an .npz file beside it: `python net.py` runs it."""
        path = pathlib.Path(path)
        path.write_text(self.text, encoding="utf-8")
        with open(path.with_suffix(".npz"), "wb") as file:
            np.savez(file, **self.values)

    def __str__(self) -> str:
        return self.text


def program(tape: Tape) -> Program:
    """A tape recorded with `replay=True` as a Program.

    Raises RuntimeError for other tapes, and for operations that have no source in microgad, as an autograd.Function.
    """
    writer = Writer(tape)
    writer.run({}, {})
    return writer.program()


@dataclasses.dataclass
class Step:
    """What the program calls an operation's parts."""

    op: str  # "relu1_op", or "Relu()"
    out: list[str]
    inputs: list[str]


class Writer(Replaying):
    """A replay that writes down what it does, forward and backward."""

    def __init__(self, tape: Tape) -> None:
        super().__init__(tape, None, None)
        self.sources = Sources()
        self.values: dict[str, Any] = {}
        self.body: list[str] = []
        self.variables: dict[tuple[int, int], str] = {}
        self.steps: dict[int, Step] = {}  # by the number of the node
        self.nodes: dict[tuple[int, int], Function] = {}
        self.grads: dict[tuple[int, int], str] = {}
        self.gradients: dict[str, str] = {}
        self.leaves: dict[int, str] = {}  # what a leaf is called, by the number of its node
        self.names: dict[tuple[int, int], str] = {}
        self.taken = dict.fromkeys([*keyword.kwlist, "np", "values", "fit", "parts", "float", "complex", "slice"], 1)
        self.seeds: dict[int, list[Seed]] = {}
        for seed in tape.seeds:
            self.seeds.setdefault(seed.place, []).append(seed)

    def program(self) -> Program:
        results = [self.variables[result.source, result.index] for result in self.tape.results]
        told = ", ".join(f"'result{i or ''}': {name}" for i, name in enumerate(results))
        grads = ", ".join(f"{name!r}: {g}" for name, g in self.gradients.items())
        lines = ["def run(values):", *(f"    {line}" if line else "" for line in self.body)]
        lines.append(f"    return {{{told}}}, {{{grads}}}")
        head = f'"""{len(self.tape):,} operations as they were recorded by microgad, in NumPy alone."""'
        future = "from __future__ import annotations"
        body = "\n".join(lines)
        helper = [text for call, text in (("fit(", HELPER), ("parts(", PARTS)) if call in body]
        text = "\n\n\n".join([f"{head}\n\n{future}\n\n{self.sources.text()}", *helper, body, MAIN])
        return Program(text + "\n", self.values)

    def say(self, line: str, comment: str = "") -> None:
        self.body.append(f"{line}  # {comment}" if comment else line)

    def fresh(self, wish: str) -> str:
        """A name that no variable has yet."""
        wish = _name(wish)
        n = self.taken[wish] = self.taken.get(wish, 0) + 1
        name = wish if n == 1 else f"{wish}_{n}"
        return name if n == 1 or name not in self.taken else self.fresh(name)

    # Forward

    def start(self, source: Source, given: Any) -> Tensor:
        x = super().start(source, given)
        name = self.fresh(source.name or {"constant": "x"}.get(source.kind, source.kind))
        self.variables[source.number, 0] = name
        self.say(f"{name} = {self.array(name, source.array)}", _facts(x.array))
        if x.node is not None:
            known = not source.name or source.name in self.leaves.values()  # a parameter after a step is another
            self.leaves[x.node.number] = self.names[source.number, 0] = name if known else source.name
        return x

    def array(self, name: str, x: Any) -> str:
        """An array in the source, or among the values."""
        x = backend.to_numpy(x)
        if x.size <= SMALL and np.isfinite(x).all() and x.dtype.kind in "biuf":
            return f"np.array({x.tolist()!r}, {x.dtype.name!r})"
        self.values[name] = x
        return f"values[{name!r}].copy()" if name in self.variables.values() else f"values[{name!r}]"

    def step(self, op: Op) -> list[Tensor]:
        recipe = op.recipe
        assert recipe is not None
        cls = recipe.function
        if issubclass(cls, custom._Custom):
            raise GraphError(f"program: {op.name} is an autograd.Function, which has no forward on bare arrays")
        given = [
            self.variables[x.source, x.index] if x.source is not None else self.setting_text("", x.value)
            for x in op.inputs
        ]
        operands = [self.made[x.source, x.index].array if x.source is not None else x.value for x in op.inputs]
        brought = operands if cls.promote is None else cls.promote(list(operands))
        arguments = [_brought(*x) for x in zip(given, operands, brought, strict=True)]
        outs = [self.fresh(op.name.lower()) for _ in op.shapes]
        maker = self.maker(cls, outs[0], recipe.settings)
        before = len(self.body)
        seen = _Seen()
        if recipe.in_place:
            self.body.append("")
        with state.scope(observer=seen):
            results = super().step(op)
        node = seen.node if hasattr(seen.node, "plan") else None
        if node is not None:
            for i in node.plan.inputs:
                if arguments[i] != given[i] or (recipe.in_place and backend.is_array(brought[i])):
                    kept = self.fresh(f"{given[i] if given[i].isidentifier() else 'number'}_then")
                    self.say(f"{kept} = {arguments[i]}" + ".copy()" * recipe.in_place)
                    arguments[i] = kept
            if cls.joint is not None or node.plan.computed:
                needs = tuple(edge is not None for edge in node.edges)
                more = f"needs={needs}" if cls.joint is not None else ""
                maker = (
                    maker.replace("()", f"({more})")
                    if maker.endswith("()")
                    else f"{maker[:-1]}, {more})"
                    if more
                    else maker
                )
        if recipe.in_place:
            del self.body[before]
        comment = ", ".join([*[op.path] * bool(op.path), *map(_facts, (x.array for x in results))])
        made = f"{outs[0]}_op" if node is not None and not maker.endswith("()") else maker
        call = f"({made} := {maker})" if made != maker else maker
        call = f"{call}({', '.join(arguments)})"
        if recipe.in_place:
            outs = [given[0]]
            self.say(f"{given[0]}[...] = {call}", comment)
        else:
            self.say(f"{', '.join(outs)}{',' * (seen.several and len(outs) == 1)} = {call}", comment)
        for i, name in enumerate(outs):
            self.variables[op.number, i] = name
        if node is not None:
            self.steps[node.number] = Step(made, outs, arguments)
        return results

    def maker(self, cls: type[Function], out: str, settings: dict[str, Any]) -> str:
        given = ", ".join(f"{name}={self.setting_text(f'{out}.{name}', x)}" for name, x in settings.items())
        return f"{self.sources.bring(cls)}({given})"

    def setting_text(self, name: str, x: Any) -> str:
        """A setting as it is written."""
        if x is None or x is Ellipsis or isinstance(x, (bool, int, str, slice)):
            return repr(x)
        if isinstance(x, (float, complex)):
            return repr(x) if np.isfinite(x) else f"{type(x).__name__}('{x}')"
        if backend.is_array(x):
            return self.array(name, x)
        if isinstance(x, np.dtype):
            return f"np.dtype({x.name!r})"
        if hasattr(x, "_fields") or dataclasses.is_dataclass(x):
            fields = x._fields if hasattr(x, "_fields") else [f.name for f in dataclasses.fields(x)]
            parts = [f"{field}={self.setting_text(f'{name}.{field}', getattr(x, field))}" for field in fields]
            return f"{self.sources.bring(type(x))}({', '.join(parts)})"
        if isinstance(x, (tuple, list)):
            parts = [self.setting_text(f"{name}.{i}", y) for i, y in enumerate(x)]
            text = ", ".join(parts) + "," * (len(x) == 1 and isinstance(x, tuple))
            return f"({text})" if isinstance(x, tuple) else f"[{text}]"
        if isinstance(x, dict):
            return "{" + ", ".join(f"{k!r}: {self.setting_text(f'{name}.{k}', y)}" for k, y in x.items()) + "}"
        if isinstance(x, type):
            return x.__name__ if x.__module__ == "builtins" else self.sources.bring(x)
        raise GraphError(f"program: the setting {name} is a {type(x).__name__}, which can't be written out")

    def see(self, op: Op, results: list[Tensor]) -> None:
        for i, x in enumerate(results):
            if x.node is not None:
                self.nodes[op.number, i] = x.node

    # Backward

    def reach(self, place: int) -> None:
        seeds = self.seeds.get(place, ())
        for passed in sorted({seed.passed for seed in seeds}):
            roots, values = [], []
            self.say("")
            for seed in (s for s in seeds if s.passed == passed):
                at = seed.op, seed.index
                node = self.made[at].node if seed.written else self.nodes.get(at)
                assert node is not None
                roots.append(node)
                values.append(seed.values)
                name = self.fresh(f"grad_{self.variables[at]}")
                ones = bool((backend.to_numpy(seed.values) == 1).all())
                text = f"np.ones_like({self.variables[at]})" if ones else self.array(name, seed.values)
                self.send(node, name, text, seed.values)
            with state.scope(observer=_Backward(self)):
                engine.run(roots, values, retain_graph=True)
            for number in [key[0] for key in self.grads if key[0] in self.leaves]:
                grad, total = self.grads.pop((number, 0)), self.gradients.setdefault(self.leaves[number], "")
                if total:
                    self.say(f"{total} = {total} + {grad}", "what this pass adds")
                self.gradients[self.leaves[number]] = total or grad
            self.say("")

    def send(self, edge: Function, wish: str, text: str, grad: Any) -> None:
        """A gradient goes to a node, or to a leaf."""
        node, index = (edge.edges[0], edge.index) if type(edge) is Output else (edge, 0)
        key = node.number, index
        held = self.grads.get(key)
        if held is not None:
            self.say(f"{held} = {held} + {text}", "its next part")
            return
        name = self.grads[key] = wish
        self.say(f"{name} = {text}", _facts(grad))

    def derive(self, node: Function, grad: Any, gradients: list[Any]) -> None:
        """Write down what a node gives its inputs."""
        step = self.steps.get(node.number)
        if step is None:
            raise GraphError(f"program: a {type(node).__name__} of views that are written to can't be written out")
        plan = node.plan
        kept = [step.inputs[i] for i in plan.inputs]
        kept += [f"({', '.join(step.out)})" if type(node.shape) is list else step.out[0]] * plan.out
        kept += [f"{step.op}.{name}" for name in plan.computed]
        if type(node.shape) is list:
            parts = []
            for i, (shape, dtype) in enumerate(zip(node.shape, node.dtype, strict=True)):
                zeros = f"np.zeros({shape}, {dtype.name!r})" if node.materializes else "None"
                parts.append(self.grads.pop((node.number, i), zeros))
            incoming = f"({', '.join(parts)},)"
        else:
            incoming = self.grads.pop((node.number, 0))
        complex_out = any(d.kind == "c" for d in (node.dtype if type(node.dtype) is list else [node.dtype]))
        if complex_out and engine._conjugates(node):
            incoming = f"np.conj({incoming})" if type(node.shape) is not list else f"tuple(map(np.conj, {incoming}))"
        names: dict[int, str] = {}
        if plan.joint is not None:
            method, positions = plan.joint
            call = f"{step.op}.{method.__name__}({', '.join([incoming, *(kept[j] for j in positions)])})"
            targets = []
            for i, edge in enumerate(node.edges):
                if edge is None or gradients[i] is None:
                    targets.append("_")
                    continue
                names[i] = self.wish(edge, step.inputs[i])
                targets.append(names[i])
            told = f"{', '.join(targets)} = {call}" if len(targets) > 1 else f"({targets[0]},) = parts({call})"
            self.say(told)
        for i, derivative, positions in plan.derivatives:
            if gradients[i] is not None:
                arguments = ", ".join([incoming, *(kept[j] for j in positions)])
                names[i] = f"{step.op}.{derivative.__name__}({arguments})"
        for i, text in names.items():
            edge, g = node.edges[i], gradients[i]
            if edge.dtype.kind == "c" and engine._conjugates(node):
                text = f"np.conj({text})"
            if not backend.is_array(g) or g.shape != edge.shape or g.dtype != edge.dtype:
                text = f"fit({text}, {edge.shape}, {edge.dtype.name!r})"
            self.forward_to(edge, step.inputs[i], text, g)

    def wish(self, edge: Function, name: str) -> str:
        return self.fresh(f"grad_{name if name.isidentifier() else 'x'}")

    def forward_to(self, edge: Function, name: str, text: str, grad: Any) -> None:
        node, index = (edge.edges[0], edge.index) if type(edge) is Output else (edge, 0)
        held = self.grads.get((node.number, index))
        if held is None and text.isidentifier():
            self.grads[node.number, index] = text
            return
        self.send(edge, "" if held else self.wish(edge, name), text, grad)


class _Seen(state.Observer):
    """Sees which node an operation has become."""

    node: Any = None
    several = False

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        self.node, self.several = node, type(out) is tuple


class _Backward(state.Observer):
    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.grad: Any = None

    def begin_backward(self, node: Function, grad: Any) -> None:
        self.grad = grad

    def backward(self, node: Function, gradients: list[Any]) -> None:
        self.writer.derive(node, self.grad, gradients)


def _brought(name: str, x: Any, y: Any) -> str:
    """An operand in the dtype that the operation takes it in."""
    if x is y or not backend.is_array(y):
        return name
    if not backend.is_array(x):
        return f"np.asarray({name}, {y.dtype.name!r})"
    return name if x.dtype == y.dtype else f"{name}.astype({y.dtype.name!r})"


def _facts(x: Any) -> str:
    x = backend.as_array(x)
    return f"{tuple(x.shape)} {x.dtype}"


def _name(wish: str) -> str:
    """A name as Python takes it."""
    name = re.sub(r"\W+", "_", wish).strip("_")
    return name[:1].lower() + name[1:] if name[:1].isalpha() else f"x{name}"  # capitals are classes'
