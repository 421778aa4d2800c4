"""A recorded program as Python source that runs with NumPy alone: its forward and its backward, a line an operation."""

from __future__ import annotations

import dataclasses
import keyword
import pathlib
import re
from typing import Any

import numpy as np

from ... import backend, state
from ...autograd import function
from ...dtypes.number_kinds import HALF, shares, widened
from ...errors import GraphError
from ...function import Function
from ...nn.hooks import BackwardHookFunction
from ...tensor import Tensor
from ..replay_data import BackwardPass
from ..tape import Op, Source, Tape
from .definitions import Definitions
from .derivative_writer import DerivativeWriter, OpNames, facts
from .replaying import BackwardReplaying

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
WIDE = '''def wide(x):
    """float16 as float32, in which it is computed."""
    if isinstance(x, tuple):
        return tuple(map(wide, x))
    return x.astype(np.float32) if getattr(x, "dtype", None) == np.float16 else x'''
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
        return scope["run"](self.values)

    def save(self, path: str | pathlib.Path) -> None:
        """Write it as a .py file, with its arrays in an .npz file beside it: `python net.py` runs it."""
        path = pathlib.Path(path)
        path.write_text(self.text, encoding="utf-8")
        with open(path.with_suffix(".npz"), "wb") as file:
            np.savez(file, **self.values)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Program: {len(self.text.splitlines()):,} lines>"


def program(tape: Tape) -> Program:
    """A tape recorded with `replay=True` as a Program.

    Raises RuntimeError for other tapes, and for operations that have no source in microgad, as an autograd.Function.
    """
    writer = ProgramWriter(tape)
    writer.run({}, {})
    return writer.program()


class ProgramWriter(BackwardReplaying):
    """A replay that writes down what it does, forward and backward."""

    def __init__(self, tape: Tape) -> None:
        super().__init__(tape)
        self.sources = Definitions()
        self.values: dict[str, Any] = {}
        self.body: list[str] = []
        self.variables: dict[tuple[int, int], str] = {}
        self.names: dict[str, tuple[int, int]] = {}  # what a source's gradient is called, and which source that is
        self.taken = dict.fromkeys(
            [*keyword.kwlist, "np", "values", "fit", "parts", "wide", "float", "complex", "slice"], 1
        )
        self.derivatives = DerivativeWriter(self)

    def program(self) -> Program:
        results = [self.variables[result.source, result.index] for result in self.tape.results]
        told = ", ".join(f"'result{i or ''}': {name}" for i, name in enumerate(results))
        grads = ", ".join(f"{name!r}: {g}" for name, g in self.derivatives.gradients.items())
        lines = ["def run(values):", *(f"    {line}" if line else "" for line in self.body)]
        lines.append(f"    return {{{told}}}, {{{grads}}}")
        head = f'"""{len(self.tape):,} operations as they were recorded by microgad, in NumPy alone."""'
        future = "from __future__ import annotations"
        body = "\n".join(lines)
        helper = [text for call, text in (("fit(", HELPER), ("parts(", PARTS), ("wide(", WIDE)) if call in body]
        text = "\n\n\n".join([f"{head}\n\n{future}\n\n{self.sources.text()}", *helper, body, MAIN])
        return Program(text + "\n", self.values)

    def say(self, line: str, comment: str = "") -> None:
        self.body.append(f"{line}  # {comment}" if comment else line)

    def fresh(self, wish: str) -> str:
        """A name that no variable has yet."""
        wish = name = _name(wish)
        while name in self.taken:
            self.taken[wish] += 1
            name = f"{wish}_{self.taken[wish]}"
        self.taken[name] = 1
        return name

    def start(self, source: Source, given: Any) -> Tensor:
        x = super().start(source, given)
        name = self.fresh(source.name or {"constant": "x"}.get(source.kind, source.kind))
        self.variables[source.number, 0] = name
        text = self.array(name, source.array)
        self.say(f"{name} = {text}" + ".copy()" * text.startswith("values"), facts(x.array))
        if x.node is not None:
            known = not source.name or source.name in self.names  # a parameter after a step is another
            self.derivatives.leaves[x.node.number] = called = name if known else source.name
            self.names[called] = source.number, 0
        return x

    def array(self, name: str, x: Any) -> str:
        """An array in the source, or among the values."""
        x = backend.to_numpy(x)
        if 0 < x.size <= SMALL and np.isfinite(x).all() and x.dtype.kind in "biuf":
            return f"np.array({x.tolist()!r}, {x.dtype.name!r})"
        self.values[name] = x
        return f"values[{name!r}]"

    def step(self, op: Op) -> list[Tensor]:
        recipe = op.recipe
        assert recipe is not None
        cls = recipe.function
        if issubclass(cls, function.CustomNode):
            raise GraphError(f"program: {op.name} is an autograd.Function, which has no forward on bare arrays")
        if cls is BackwardHookFunction:
            raise GraphError("program: backward hooks of modules can't be written out")
        given, brought, arguments = self.arguments(op, cls)
        outs = [self.fresh(op.name.lower()) for _ in op.shapes]
        maker = self.maker(cls, outs[0], recipe.settings)
        results = super().step(op)
        node = self.last.node if hasattr(self.last.node, "plan") else None
        made = maker
        if node is not None:
            self.hold(op, node, given, arguments)
            made, maker = _named(f"{outs[0]}_op", maker, node)
        target = f"{', '.join(outs)}{',' * (self.last.several and len(outs) == 1)}"
        if recipe.in_place:
            outs, target = given[:1], f"{given[0]}[...]"
        comment = ", ".join([*[op.path] * bool(op.path), *map(facts, (x.array for x in results))])
        halves = [name for name, x in zip(outs, results, strict=True) if x.array.dtype == HALF]
        taken = arguments
        if halves and (op.in_place or not cls.may_share or not shares(results[0].array, brought)):
            taken = self.widened(cls, brought, arguments)
        self.say(f"{target} = {maker}({', '.join(taken)})", comment)
        if taken is not arguments and not op.in_place:
            for name in halves:
                self.say(f"{name} = {name}.astype('float16')")
        self.variables.update(((op.number, i), name) for i, name in enumerate(outs))
        if node is not None:
            self.derivatives.steps[node.number] = OpNames(made, outs, arguments)
        return results

    def widened(self, cls: type[Function], brought: list[Any], arguments: list[str]) -> list[str]:
        """Arguments as float16 is computed: number_kinds.py."""
        found = widened(cls, brought)
        if found is brought:
            return arguments
        return [
            name if x is y else f"wide({name})" if backend.is_array(y) else self.setting_text("", x)
            for name, x, y in zip(arguments, found, brought, strict=True)
        ]

    def arguments(self, op: Op, cls: type[Function]) -> tuple[list[str], list[Any], list[str]]:
        """An operation's inputs: their variables, values in the dtypes in which it takes them, and expressions."""
        given, operands = [], []
        for x in op.inputs:
            at = (x.source, x.index) if x.source is not None else None
            given.append(self.variables[at] if at else self.setting_text("", x.value))
            operands.append(self.made[at].array if at else x.value)
        brought = operands if cls.promote is None else cls.promote(list(operands))
        return given, list(brought), [_brought(*x) for x in zip(given, operands, brought, strict=True)]

    def hold(self, op: Op, node: Function, given: list[str], arguments: list[str]) -> None:
        """Give names to arguments that derivatives read in another dtype, or as they were before a write."""
        for i in node.plan.inputs:
            if arguments[i] != given[i] or (op.in_place and op.inputs[i].source is not None):
                kept = self.fresh(f"{given[i] if given[i].isidentifier() else 'number'}_then")
                self.say(f"{kept} = {arguments[i]}" + ".copy()" * op.in_place)
                arguments[i] = kept

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

    def walk(self, passed: BackwardPass) -> None:
        self.say("")
        self.derivatives.start([(self.node(point), point) for point in passed.points])
        with state.scope(observer=self.derivatives):
            super().walk(passed)
        self.derivatives.end()
        self.say("")


def _named(name: str, maker: str, node: Function) -> tuple[str, str]:
    """What derivatives call an operation's object, and the expression that makes it: a name, if it holds anything."""
    if type(node).joint is not None:
        needs = f"needs={tuple(edge is not None for edge in node.edges)}"
        maker = f"{maker[:-1]}{'' if maker.endswith('()') else ', '}{needs})"
    if maker.endswith("()") and not node.plan.computed:
        return maker, maker
    return name, f"({name} := {maker})"


def _brought(name: str, x: Any, y: Any) -> str:
    """The expression of an operand, cast to the dtype in which the operation takes it."""
    if x is y or not backend.is_array(y):
        return name
    if not backend.is_array(x):
        return f"np.asarray({name}, {y.dtype.name!r})"
    return name if x.dtype == y.dtype else f"{name}.astype({y.dtype.name!r})"


def _name(wish: str) -> str:
    """A name as Python takes it."""
    name = re.sub(r"\W+", "_", wish).strip("_")
    return name[:1].lower() + name[1:] if name[:1].isalpha() else f"x{name}"  # capitals are classes'
