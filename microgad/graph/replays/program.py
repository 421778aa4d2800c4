"""Write a tape as a Python program that needs NumPy alone: forward and backward, one line per operation."""

from __future__ import annotations

import dataclasses
import keyword
import pathlib
import re
from typing import Any

import numpy as np

from ... import backend, state
from ...autograd import function
from ...errors import GraphError
from ...function import Function
from ...function.half import HALF, shares, widened
from ...nn.modules.module.hooks import BackwardHookFunction
from ...tensor import Tensor
from ..replay_data import BackwardPass
from ..tape import Op, Source, Tape
from .definitions import Definitions
from .derivative_writer import DerivativeWriter, OpNames, facts
from .replaying import BackwardReplaying

MAX_INLINE = 8  # elements of an array that is written into the source
FIT = '''def fit(grad, shape, dtype):
    """Sum a gradient over broadcast axes, so that it has the shape and dtype of its input."""
    grad = np.asarray(grad)
    lead = grad.ndim - len(shape)
    axes = [i for i, n in enumerate(grad.shape) if i < lead or (shape[i - lead] == 1 and n != 1)]
    grad = grad.sum(tuple(axes)).reshape(shape) if axes else grad.reshape(shape)
    return (grad.real if grad.dtype.kind == "c" and np.dtype(dtype).kind != "c" else grad).astype(dtype)'''
PARTS = """def parts(x):
    return x if isinstance(x, (tuple, list)) else (x,)"""
WIDE = '''def wide(x):
    """Convert float16 to float32, in which it is computed."""
    if isinstance(x, tuple):
        return tuple(map(wide, x))
    return x.astype(np.float32) if getattr(x, "dtype", None) == np.float16 else x'''
MAIN = """if __name__ == "__main__":
    results, gradients = run(np.load(__file__.removesuffix(".py") + ".npz"))
    for name, value in {**results, **{f"gradient of {name}": grad for name, grad in gradients.items()}}.items():
        print(name, value.shape, value if value.size <= 8 else f"norm {np.linalg.norm(value):.6g}")"""


@dataclasses.dataclass(frozen=True)
class Program:
    """A program: its source, and the arrays that it reads, by name."""

    text: str
    values: dict[str, Any]

    def run(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Run the program. Returns its results and its gradients by name."""
        scope: dict[str, Any] = {"__name__": __name__}  # dataclasses look up their module by name
        exec(compile(self.text, "<program>", "exec"), scope)
        return scope["run"](self.values)

    def save(self, path: str | pathlib.Path) -> None:
        """Write a .py file, which `python net.py` runs, and its arrays to an .npz file beside it."""
        path = pathlib.Path(path)
        path.write_text(self.text, encoding="utf-8")
        with open(path.with_suffix(".npz"), "wb") as file:
            np.savez(file, **self.values)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Program: {len(self.text.splitlines()):,} lines>"


def program(tape: Tape) -> Program:
    """Return a tape recorded with `replay=True` as a Program.

    Raises RuntimeError for other tapes, and for operations without source code in microgad, such as an
    autograd.Function.
    """
    writer = ProgramWriter(tape)
    writer.run({}, {})
    return writer.program()


class ProgramWriter(BackwardReplaying):
    """A replay that writes a line of the program for each operation and derivative."""

    def __init__(self, tape: Tape) -> None:
        super().__init__(tape)
        self.definitions = Definitions()
        self.values: dict[str, Any] = {}  # arrays that the program reads from its .npz file
        self.body: list[str] = []
        self.variables: dict[tuple[int, int], str] = {}  # (Op or Source, result) -> name of its variable
        self.names: dict[str, tuple[int, int]] = {}  # name of a source's gradient -> the source
        self.taken = dict.fromkeys(
            [*keyword.kwlist, "np", "values", "fit", "parts", "wide", "float", "complex", "slice"], 1
        )
        self.derivatives = DerivativeWriter(self)

    def program(self) -> Program:
        results = [self.variables[result.source, result.index] for result in self.tape.results]
        outputs = ", ".join(f"'result{i or ''}': {name}" for i, name in enumerate(results))
        grads = ", ".join(f"{name!r}: {g}" for name, g in self.derivatives.gradients.items())
        lines = ["def run(values):", *(f"    {line}" if line else "" for line in self.body)]
        lines.append(f"    return {{{outputs}}}, {{{grads}}}")
        head = f'"""{len(self.tape):,} operations as they were recorded by microgad, in NumPy alone."""'
        future = "from __future__ import annotations"
        body = "\n".join(lines)
        helper = [text for call, text in (("fit(", FIT), ("parts(", PARTS), ("wide(", WIDE)) if call in body]
        text = "\n\n\n".join([f"{head}\n\n{future}\n\n{self.definitions.text()}", *helper, body, MAIN])
        return Program(text + "\n", self.values)

    def emit(self, line: str, comment: str = "") -> None:
        self.body.append(f"{line}  # {comment}" if comment else line)

    def new_name(self, base: str) -> str:
        """Return a name that no variable has yet, `base` itself or with a number."""
        base = name = _name(base)
        while name in self.taken:
            self.taken[base] += 1
            name = f"{base}_{self.taken[base]}"
        self.taken[name] = 1
        return name

    def start(self, source: Source, given: Any) -> Tensor:
        x = super().start(source, given)
        name = self.new_name(source.name or {"constant": "x"}.get(source.kind, source.kind))
        self.variables[source.number, 0] = name
        text = self.array(name, source.array)
        self.emit(f"{name} = {text}" + ".copy()" * text.startswith("values"), facts(x.array))
        if x.node is not None:
            known = not source.name or source.name in self.names  # a parameter is another source after each step
            self.derivatives.leaves[x.node.number] = called = name if known else source.name
            self.names[called] = source.number, 0
        return x

    def array(self, name: str, x: Any) -> str:
        """Return the expression for an array: its elements, or an entry of the values."""
        x = backend.to_numpy(x)
        if 0 < x.size <= MAX_INLINE and np.isfinite(x).all() and x.dtype.kind in "biuf":
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
            raise GraphError("program: backward hooks of modules aren't supported")
        given, converted, arguments = self.arguments(op, cls)
        outs = [self.new_name(op.name.lower()) for _ in op.shapes]
        constructor = self.constructor(cls, outs[0], recipe.settings)
        results = super().step(op)
        node = self.last.node if hasattr(self.last.node, "plan") else None
        reference = constructor
        if node is not None:
            self.keep(op, node, given, arguments)
            reference, constructor = _reference(f"{outs[0]}_op", constructor, node)
        target = f"{', '.join(outs)}{',' * (self.last.several and len(outs) == 1)}"
        if recipe.in_place:
            outs, target = given[:1], f"{given[0]}[...]"
        comment = ", ".join([*[op.path] * bool(op.path), *map(facts, (x.array for x in results))])
        halves = [name for name, x in zip(outs, results, strict=True) if x.array.dtype == HALF]
        taken = arguments
        if halves and (op.in_place or not cls.may_share or not shares(results[0].array, converted)):
            taken = self.widened(cls, converted, arguments)
        self.emit(f"{target} = {constructor}({', '.join(taken)})", comment)
        if taken is not arguments and not op.in_place:
            for name in halves:
                self.emit(f"{name} = {name}.astype('float16')")
        self.variables.update(((op.number, i), name) for i, name in enumerate(outs))
        if node is not None:
            self.derivatives.steps[node.number] = OpNames(reference, outs, arguments)
        return results

    def widened(self, cls: type[Function], converted: list[Any], arguments: list[str]) -> list[str]:
        """Return the arguments with float16 arrays converted to float32, where the operation computes in it."""
        found = widened(cls, converted)
        if found is converted:
            return arguments
        return [
            name if x is y else f"wide({name})" if backend.is_array(y) else self.setting_text("", x)
            for name, x, y in zip(arguments, found, converted, strict=True)
        ]

    def arguments(self, op: Op, cls: type[Function]) -> tuple[list[str], list[Any], list[str]]:
        """Return an operation's inputs as variables, as values in the dtypes of the computation, and as expressions."""
        given, operands = [], []
        for x in op.inputs:
            at = (x.source, x.index) if x.source is not None else None
            given.append(self.variables[at] if at else self.setting_text("", x.value))
            operands.append(self.made[at].array if at else x.value)
        converted = operands if cls.promote is None else cls.promote(list(operands))
        return given, list(converted), [_cast(*x) for x in zip(given, operands, converted, strict=True)]

    def keep(self, op: Op, node: Function, given: list[str], arguments: list[str]) -> None:
        """Assign variables to arguments that derivatives read after a cast, or before an in-place write."""
        for i in node.plan.inputs:
            if arguments[i] != given[i] or (op.in_place and op.inputs[i].source is not None):
                kept = self.new_name(f"{given[i] if given[i].isidentifier() else 'number'}_then")
                self.emit(f"{kept} = {arguments[i]}" + ".copy()" * op.in_place)
                arguments[i] = kept

    def constructor(self, cls: type[Function], out: str, settings: dict[str, Any]) -> str:
        given = ", ".join(f"{name}={self.setting_text(f'{out}.{name}', x)}" for name, x in settings.items())
        return f"{self.definitions.add(cls)}({given})"

    def setting_text(self, name: str, x: Any) -> str:
        if x is None or x is Ellipsis or isinstance(x, (bool, int, str, slice)):
            return repr(x)
        if isinstance(x, (float, complex)):
            return repr(x) if np.isfinite(x) else f"{type(x).__name__}('{x}')"
        if backend.is_array(x):
            return self.array(name, x)
        if isinstance(x, np.dtype):
            return f"np.dtype({x.name!r})"
        if isinstance(x, backend.device):  # which `to_device` ignores in a program
            return repr(str(x))
        if hasattr(x, "_fields") or dataclasses.is_dataclass(x):
            fields = x._fields if hasattr(x, "_fields") else [f.name for f in dataclasses.fields(x)]
            parts = [f"{field}={self.setting_text(f'{name}.{field}', getattr(x, field))}" for field in fields]
            return f"{self.definitions.add(type(x))}({', '.join(parts)})"
        if isinstance(x, (tuple, list)):
            parts = [self.setting_text(f"{name}.{i}", y) for i, y in enumerate(x)]
            text = ", ".join(parts) + "," * (len(x) == 1 and isinstance(x, tuple))
            return f"({text})" if isinstance(x, tuple) else f"[{text}]"
        if isinstance(x, dict):
            return "{" + ", ".join(f"{k!r}: {self.setting_text(f'{name}.{k}', y)}" for k, y in x.items()) + "}"
        if isinstance(x, type):
            return x.__name__ if x.__module__ == "builtins" else self.definitions.add(x)
        raise GraphError(f"program: the setting {name} is a {type(x).__name__}, which isn't supported")

    def backward(self, passed: BackwardPass) -> None:
        if any(point.role == "after" for point in passed.points):
            raise GraphError("program: hooks from register_post_accumulate_grad_hook aren't supported")
        self.emit("")
        self.derivatives.start([(self.node(point), point) for point in passed.points])
        with state.scope(observer=self.derivatives):
            super().backward(passed)
        self.derivatives.end()
        self.emit("")


def _reference(name: str, constructor: str, node: Function) -> tuple[str, str]:
    """Return how derivatives refer to an operation's object (by `name` if it has state), and the expression for it."""
    if type(node).joint is not None:
        needs = f"needs={tuple(edge is not None for edge in node.edges)}"
        constructor = f"{constructor[:-1]}{'' if constructor.endswith('()') else ', '}{needs})"
    if constructor.endswith("()") and not node.plan.intermediates:
        return constructor, constructor
    return name, f"({name} := {constructor})"


def _cast(name: str, x: Any, y: Any) -> str:
    """Return the expression of an operand x, cast to the dtype of y, in which the operation computes."""
    if x is y or not backend.is_array(y):
        return name
    if not backend.is_array(x):
        return f"np.asarray({name}, {y.dtype.name!r})"
    return name if x.dtype == y.dtype else f"{name}.astype({y.dtype.name!r})"


def _name(base: str) -> str:
    """Make a valid Python identifier."""
    name = re.sub(r"\W+", "_", base).strip("_")
    return name[:1].lower() + name[1:] if name[:1].isalpha() else f"x{name}"  # names with a capital are classes
