"""Programs of operations, views, in-place writes and backward passes: the statements, and how to build and run them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from string import Formatter
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from .naive import NaiveEngine, Refusal


class Rule(NamedTuple):
    """A rule by which a program grows: the source of a statement, with fields, and a condition on its tensors.

    Fields: `new` is a new name, `x` and `z` are tensors, `n` is a number, and `y` is z if its shape fits, else z.sum().
    A shape fits if it broadcasts with x, or into the part of x that is written. `when` gets the naive engine's x and z.
    """

    source: str
    when: Callable[[Any, Any], bool] = lambda x, z: True
    written: Callable[[Any], Any] | None = None  # array -> the part of it that is written


def _has_rows(x: Any, z: Any) -> bool:
    return len(x.shape) > 0


def _is_matrix(x: Any, z: Any) -> bool:
    return len(x.shape) == 2


def _has_grad(x: Any, z: Any) -> bool:
    return x.grad is not None


def _is_variable(x: Any, z: Any) -> bool:
    return x.requires_grad and not x.view


def _is_writable(x: Any, z: Any) -> bool:
    return not x.trace.leaf


def _has_the_next(x: Any, z: Any) -> bool:
    """Whether x contains the element that follows its first one in memory."""
    return x.where.size > 0 and x.where.flat[0] + 1 in x.where


def _can_turn(x: Any, z: Any) -> bool:
    return len(x.shape) == 2 and not x.trace.leaf and not x.view


def _has_writable_rows(x: Any, z: Any) -> bool:
    return len(x.shape) > 0 and not x.trace.leaf


def _wants_grad(x: Any, z: Any) -> bool:
    return x.requires_grad


def leads_to(x: Any, z: Any) -> bool:
    """Whether the naive engine has a gradient of z by x."""
    return _is_variable(x, z) and x.trace.own.start in z.trace.reach


def _is_unused(x: Any, z: Any) -> bool:
    return _is_variable(x, z) and z.requires_grad and not leads_to(x, z)


IN_NO_GRAD = "with torch.no_grad():\n    "
LEAVES = {"leaf": Rule("{new} = torch.tensor({data}, dtype=torch.float64, requires_grad={flag})")}
RESULTS = {
    "tanh": Rule("{new} = {x}.tanh()"),
    "sigmoid": Rule("{new} = {x}.sigmoid()"),
    "scale": Rule("{new} = {x} * {n}"),
    "shift": Rule("{new} = {x} + {n}"),
    "add": Rule("{new} = {x} + {y}"),
    "mul": Rule("{new} = {x} * {y}"),
    "matmul": Rule("{new} = {x} @ {z}", lambda x, z: len(x.shape) == len(z.shape) == 2 and x.shape[1] == z.shape[0]),
    "gram": Rule("{new} = {x} @ {x}.t()", _is_matrix),
    "sum": Rule("{new} = {x}.sum()"),
    "sum_rows": Rule("{new} = {x}.sum(0)", _has_rows),
    "sum_columns": Rule("{new} = {x}.sum(-1)", _has_rows),
    "repeat": Rule("{new} = {x}[[0, 0]]", _has_rows),
    "clone": Rule("{new} = {x}.clone()"),
    "mul_in_no_grad": Rule(IN_NO_GRAD + "{new} = {x} * {y}"),
}
VIEWS = {
    "row": Rule("{new} = {x}[0]", _has_rows),
    "tail": Rule("{new} = {x}[1:]", lambda x, z: len(x.shape) > 0 and x.shape[0] > 1),
    "column": Rule("{new} = {x}[:, -1]", _is_matrix),
    "step": Rule("{new} = {x}[..., ::2]", _has_rows),
    "transpose": Rule("{new} = {x}.t()", _is_matrix),
    "flatten": Rule("{new} = {x}.reshape(-1)", lambda x, z: len(x.shape) == 2 and x.where.flags.c_contiguous),
    "lift": Rule("{new} = {x}.unsqueeze(0)", lambda x, z: len(x.shape) < 3),
    "diagonal": Rule("{new} = {x}.diagonal()", _is_matrix),
    "part": Rule("{new} = {x}.tensor_split(2)[0]", _has_rows),
    "windows": Rule("{new} = {x}.unfold(0, 2, 2)", lambda x, z: 0 < len(x.shape) < 3 and x.shape[0] > 1),
    "stretch": Rule("{new} = {x}.as_strided((2,), (1,))", _has_the_next),
    "detach": Rule("{new} = {x}.detach()"),
}
WRITES = {
    "scale_": Rule("{x}.mul_({n})", _is_writable),
    "shift_": Rule("{x}.add_({n})", _is_writable),
    "fill_": Rule("{x}.fill_({n})", _is_writable),
    "tanh_": Rule("{x}.tanh_()", _is_writable),
    "mul_": Rule("{x}.mul_({y})", _is_writable, lambda x: x),
    "add_": Rule("{x}.add_({y})", _is_writable, lambda x: x),
    "copy_": Rule("{x}.copy_({y})", _is_writable, lambda x: x),
    "set_row": Rule("{x}[0] = {y}", _has_writable_rows, lambda x: x[0]),
    "set_rows": Rule("{x}[[-1]] = {n}", _has_writable_rows),
    "mul_row_": Rule("{x}[0].mul_({y})", _has_writable_rows, lambda x: x[0]),
    "turn_": Rule("{x}.t_()", _can_turn),
    "scale_diagonal_": Rule("{x}.diagonal().mul_({n})", lambda x, z: len(x.shape) == 2 and not x.trace.leaf),
    "add_transposed_": Rule("{x}.t().add_({y})", lambda x, z: len(x.shape) == 2 and not x.trace.leaf, lambda x: x.T),
    "copy_step_": Rule("{x}[..., ::2].copy_({y})", _has_writable_rows, lambda x: x[..., ::2]),
    "add_in_no_grad_": Rule(IN_NO_GRAD + "{x}.add_({y})", written=lambda x: x),
    "scale_row_in_no_grad_": Rule(IN_NO_GRAD + "{x}[0].mul_({n})", _has_rows),
}
GRADIENTS = {
    "backward": Rule("{x}.sum().backward()", _wants_grad),
    "backward_again": Rule("{x}.sum().backward(retain_graph=True)", _wants_grad),
    "backward_weighted": Rule("{x}.backward({x}.detach().clone())", _wants_grad),
    "grad": Rule("{new} = torch.autograd.grad({z}.sum(), {x})[0].contiguous().clone()", leads_to),
    "hook": Rule("{x}.register_hook(lambda grad: grad * {n})", _is_variable),
}
# PyTorch may store the weights themselves, or a view of them, as a leaf's gradient: a write to one changes the other.
SHARED_WEIGHTS = {"backward_shared": Rule("{new} = {x}.detach()\n{x}.backward({new})", _wants_grad)}
STORED = {
    "read": Rule("{new} = {x}.grad.clone()", _has_grad),
    "zero": Rule("{x}.grad.zero_()", _has_grad),
    "forget": Rule("{x}.grad = None", _has_grad),
    "descend": Rule(IN_NO_GRAD + "{x}.add_({x}.grad * {n})", _has_grad),
}
OTHERS = {
    # Not on a base that already has views: there PyTorch has special cases.
    "require": Rule("{x}.requires_grad_()", lambda x, z: not (x.requires_grad or x.view or x.trace.viewed)),
    "drop": Rule("del {x}"),
}
ALWAYS_REFUSED = {
    "scale_leaf_": Rule("{x}.mul_({n})", lambda x, z: x.trace.leaf),
    "backward_constant": Rule("{x}.sum().backward()", lambda x, z: not x.requires_grad),
    "hook_constant": Rule("{x}.register_hook(lambda grad: grad * {n})", lambda x, z: not x.requires_grad),
    "grad_unused": Rule("torch.autograd.grad({z}.sum(), {x})", _is_unused),
}
WRITTEN_BY_THE_MACHINE = {
    "refused": Rule("try:\n{lines}\nexcept RuntimeError:\n    pass"),
    "probe": Rule("(grad,) = torch.autograd.grad({z}, {x}, {z}.detach() + 1.0, retain_graph=True)"),
}
CHOSEN = RESULTS | VIEWS | WRITES | GRADIENTS | STORED | OTHERS
RULES = LEAVES | CHOSEN | SHARED_WEIGHTS | ALWAYS_REFUSED | WRITTEN_BY_THE_MACHINE

Instruction = tuple[str, ...]


class Program(list[Instruction]):
    """A list of instructions: each has the name of its rule, and texts for the fields of the rule, in order.

    `str` returns Python code that can be run.

    >>> from microgad.testing.programs.program import Program
    >>> print(Program([("leaf", "t0", "[2.0]", "True"), ("mul", "t1", "t0", "t0"), ("backward", "t1")]))
    import microgad as torch
    <BLANKLINE>
    t0 = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    t1 = t0 * t0
    t1.sum().backward()
    """

    def __str__(self) -> str:
        return "\n".join(["import microgad as torch\n", *map(line, self)])

    def __repr__(self) -> str:
        return f"Program({super().__repr__()})"


def line(instruction: Instruction) -> str:
    """Return the source of an instruction."""
    kind, *words = instruction
    source = RULES[kind].source
    return source.format(**dict(zip(fields(source), words, strict=True)))


@lru_cache
def fields(source: str) -> tuple[str, ...]:
    """Return the names of the fields in a rule's source, each once, in order.

    >>> from microgad.testing.programs.program import fields
    >>> fields("{new} = {x} @ {x}.t()")
    ('new', 'x')
    """
    return tuple(dict.fromkeys(name for _, name, _, _ in Formatter().parse(source) if name))


def run_line(instruction: Instruction, names: dict[str, Any]) -> None:
    """Run one instruction on `names`, which holds `torch` and the tensors. Errors of the library are passed on."""
    exec(_compiled(line(instruction)), names)


@lru_cache(4096)
def _compiled(source: str) -> CodeType:
    return compile(source, "<program>", "exec")


def tensors_among(names: dict[str, Any]) -> dict[str, Any]:
    """Return the tensors that a program made, by name, from the oldest to the newest."""
    return {name: value for name, value in names.items() if re.fullmatch(r"t\d+", name)}


def execute(program: Program, library: Any) -> dict[str, Any]:
    """Run a program with `library` as its `torch`: microgad, torch or a `NaiveEngine()`. Return the tensors by name.

    Errors of the library are passed on.

    >>> from microgad.testing.programs.program import Program, execute
    >>> program = Program([("leaf", "t0", "[2.0]", "True"), ("mul", "t1", "t0", "t0"), ("backward", "t1")])
    >>> execute(program, torch)["t0"].grad
    tensor([4.], dtype=torch.float64)
    """
    names = {"torch": library}
    for instruction in program:
        run_line(instruction, names)
    return tensors_among(names)


class Step(NamedTuple):
    """A drawn request for an instruction, which `Draft.instruction` fits to the tensors that exist by then.

    `x` and `z` are indices of tensors that the rule allows, counted from the newest, modulo their number.
    """

    kind: str
    x: int = 0
    z: int = 0
    n: float = 1.0
    data: Any = None
    flag: bool = False


LIMIT = 1e3  # of values and derivatives, so that two engines differ by rounding errors of less than 1e-8


class Draft:
    """A program under construction, and the naive engine that has run it.

    >>> from microgad.testing.programs.program import Draft, Step
    >>> draft = Draft()
    >>> for step in [Step("leaf", data=[1.0, 2.0], flag=True), Step("mul"), Step("backward")]:
    ...     instruction = draft.instruction(step)
    ...     outcome = draft.add(instruction)
    >>> print(draft.program)
    import microgad as torch
    <BLANKLINE>
    t0 = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    t1 = t0 * t0
    t1.sum().backward()
    >>> draft.tensors["t0"].grad.tolist()
    [2.0, 4.0]
    """

    def __init__(self) -> None:
        self.count = 0  # of names given so far
        self._restart(Program())

    def _restart(self, program: Program) -> None:
        self.program, self.engine = program, NaiveEngine(columns=512)
        self.names: dict[str, Any] = {"torch": self.engine}
        for instruction in program:
            self._run(instruction)

    def _run(self, instruction: Instruction) -> None:
        before, kept = set(self.names), False
        try:
            run_line(instruction, self.names)
            kept = instruction[0] != "refused"  # a refused statement makes no tensors in other engines
        finally:
            if not kept:
                self.names = {name: value for name, value in self.names.items() if name in before}

    @property
    def tensors(self) -> dict[str, Any]:
        """The naive engine's tensors, by name, from the oldest to the newest."""
        return tensors_among(self.names)

    def instruction(self, step: Step) -> Instruction | None:
        """Return the instruction that a step requests, None if no tensor allows it."""
        rule, tensors = RULES[step.kind], self.tensors
        names = list(tensors)[::-1]
        z = names[step.z % len(names)] if names else ""
        allowed = [name for name in names if rule.when(tensors[name], tensors[z])]
        if "x" in fields(rule.source) and not allowed:
            return None
        x = allowed[step.x % len(allowed)] if allowed else ""
        y = z
        if "y" in fields(rule.source) and not _fits(rule, tensors[x], tensors[z]):
            y = f"{z}.sum()"
        words = {"new": f"t{self.count}", "x": x, "y": y, "z": z, "n": step.n, "data": step.data, "flag": step.flag}
        return step.kind, *(str(words[field]) for field in fields(rule.source))

    def add(self, instruction: Instruction) -> str:
        """Run an instruction, and append it to the program unless it is refused or its numbers are out of bounds.

        Returns "done", "refused", "out of bounds", or "doubtful" for an appended instruction that a real engine, which
        keeps values, may refuse.
        """
        self.engine.doubtful = False
        try:
            self._run(instruction)
        except Refusal:
            return "refused"
        except OverflowError:
            self._restart(self.program)
            return "out of bounds"
        if self._largest() > LIMIT:
            self._restart(self.program)
            return "out of bounds"
        self.program.append(instruction)
        self.count += "new" in fields(RULES[instruction[0]].source)
        return "doubtful" if self.engine.doubtful else "done"

    def overlaps(self, instruction: Instruction) -> bool:
        """Whether it copies within one memory. The naive engine reads all first, PyTorch may silently not."""
        kind, *words = instruction
        tensors = self.tensors
        if RULES[kind].written is None or words[0] == words[1] or words[1] not in tensors:
            return False
        return tensors[words[0]].memory is tensors[words[1]].memory

    def take_back(self) -> None:
        """Remove the last instruction."""
        self._restart(Program(self.program[:-1]))

    def _largest(self) -> float:
        """Return the largest magnitude of all values, gradients and derivatives."""
        tensors = self.tensors.values()
        values = [x.values for x in tensors] + [x.grad.values for x in tensors if x.grad is not None]
        slopes = [trace.slopes[:, : self.engine.used] for trace in self.engine.traces]
        return max((float(np.abs(x).max(initial=0)) for x in values + slopes), default=0.0)


def _fits(rule: Rule, x: Any, z: Any) -> bool:
    try:
        if rule.written is None:
            np.broadcast_shapes(x.shape, z.shape)
            return True
        part = rule.written(x.where).shape
        return np.broadcast_shapes(part, z.shape) == part
    except ValueError:
        return False
