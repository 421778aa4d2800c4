"""Stateful tests of an autograd engine: random programs, compared with the naive engine and PyTorch at every step."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from textwrap import indent
from typing import Any, ClassVar, NoReturn

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from ...errors.own_arguments import checked
from ..strategies.program import leaf_steps, steps
from .program import (
    ALWAYS_REFUSED,
    GRADIENTS,
    OTHERS,
    RESULTS,
    SHARED_WEIGHTS,
    STORED,
    VIEWS,
    WRITES,
    Draft,
    Instruction,
    Program,
    Step,
    leads_to,
    line,
    run_line,
)

# Errors that only PyTorch raises. After one, the rest of the program is not compared with PyTorch.
ONLY_PYTORCH_REFUSES = (
    "modified by an inplace operation",  # x.mul_(x): PyTorch keeps the overwritten memory, microgad a copy
    "some elements of the input tensor and the written-to tensor",  # x.add_(x[0]): microgad reads before it writes
    "leaf Variable that requires grad",  # a write through a view made before its base required grad
)
# PyTorch also frees the node of a write through a view, though it keeps no values.
ONLY_PYTORCH_REFUSES_BY_VIEW = "backward through the graph a second time"


class GradMachine(RuleBasedStateMachine):
    """State machine that makes random programs, and after each statement compares a library with other engines.

    It compares values, gradients, `requires_grad`, `is_leaf`, and which statements raise an error. The naive engine is
    always one of the others. A subclass may set `library`, by default microgad, and `against`, by default PyTorch if it
    is installed. Run it with `run_state_machine_as_test`, as `check_engine` does, or put
    `TestCase = GradMachine.TestCase` in a test file. Raises AssertionError with the failing program as Python code.

    >>> from hypothesis import settings
    >>> from hypothesis.stateful import run_state_machine_as_test
    >>> from microgad.testing.programs.machine import GradMachine
    >>> class Machine(GradMachine):
    ...     library, against = torch, ()
    >>> run_state_machine_as_test(Machine, settings=settings(max_examples=2, stateful_step_count=10, deadline=None))
    """

    library: ClassVar[Any] = None
    against: ClassVar[Sequence[Any] | None] = None

    def __init__(self) -> None:
        super().__init__()
        library, against = type(self).library, type(self).against
        if against is None:
            against = [importlib.import_module("torch")] if importlib.util.find_spec("torch") else []
        self.draft, self.failed = Draft(), False
        self.ours = Execution(library or importlib.import_module("microgad"))
        self.others = [Execution(other) for other in against]

    @initialize(step=leaf_steps())
    def first(self, step: Step) -> None:
        self.take(step)

    @rule(step=leaf_steps())
    def leaf(self, step: Step) -> None:
        self.take(step)

    @rule(step=steps(RESULTS))
    def result(self, step: Step) -> None:
        self.take(step)

    @rule(step=steps(VIEWS))
    def view(self, step: Step) -> None:
        self.take(step)

    @rule(step=steps(WRITES))
    def write(self, step: Step) -> None:
        self.take(step)

    @rule(step=steps(GRADIENTS | SHARED_WEIGHTS | STORED))
    def gradient(self, step: Step) -> None:
        self.take(step)

    @rule(step=steps(OTHERS | ALWAYS_REFUSED))
    def other(self, step: Step) -> None:
        self.take(step)

    def teardown(self) -> None:
        """Compare the gradient of every tensor by every variable that it depends on."""
        tensors = {} if self.failed else self.draft.tensors
        for z, output in tensors.items():
            for x, variable in tensors.items():
                if leads_to(variable, output):
                    self._probe(("probe", z, x))

    def _probe(self, instruction: Instruction) -> None:
        self.draft.engine.doubtful = False
        run_line(instruction, self.draft.names)
        expected = self.draft.names["grad"]
        for run in (self.ours, *self.others):
            refusal = self._refusal(run, instruction)
            if refusal is not None and not (self.draft.engine.doubtful or self._only_pytorch_refuses(run, refusal)):
                self._fail(f"raises an error, unlike the naive engine: {refusal}", instruction, run)
            difference = refusal is None and _difference("grad", run.names["grad"], expected)
            if difference:
                self._fail(difference, instruction, run)
        self.draft.program.append(instruction)

    def take(self, step: Step) -> None:
        """Run a step in every engine, and compare the results."""
        instruction = self.draft.instruction(step)
        if instruction is not None and (step.kind in SHARED_WEIGHTS or self.draft.overlaps(instruction)):
            self.others = [other for other in self.others if other.name != "torch"]  # PyTorch is silently wrong there
        outcome = "out of bounds" if instruction is None else self.draft.add(instruction)
        if instruction is None or outcome == "out of bounds":
            return
        refusal = self._refusal(self.ours, instruction)
        if refusal is None and outcome == "refused":
            self._fail("raises no error, where every engine has to", instruction)
        if refusal is not None and outcome == "done":
            self._fail(f"raises an error, unlike the naive engine: {refusal}", instruction)
        for other in list(self.others):
            theirs = self._refusal(other, instruction)
            if (theirs is None) == (refusal is None):
                continue
            if theirs is None:
                self._fail(f"raises an error, unlike {other.name}: {refusal}", instruction)
            if not self._only_pytorch_refuses(other, theirs):
                self._fail(f"raises no error, unlike {other.name}: {theirs}", instruction)
            self.others.remove(other)
        if refusal is not None:
            self._refused(instruction, doubtful=outcome == "doubtful")
        self._compare()

    def _only_pytorch_refuses(self, run: Execution, refusal: RuntimeError) -> bool:
        """Whether the error is one that only PyTorch raises."""
        by_view = self.draft.engine.by_view and ONLY_PYTORCH_REFUSES_BY_VIEW in str(refusal)
        return run.name == "torch" and (by_view or any(known in str(refusal) for known in ONLY_PYTORCH_REFUSES))

    def _refusal(self, run: Execution, instruction: Instruction) -> RuntimeError | None:
        try:
            run_line(instruction, run.names)
        except RuntimeError as error:
            return error
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}", instruction, run)
        return None

    def _refused(self, instruction: Instruction, doubtful: bool) -> None:
        """Keep the statement in the program as one that fails, and reset gradients that may be half accumulated."""
        if doubtful:
            self.draft.take_back()
        self.draft.add(("refused", indent(line(instruction), "    ")))
        for name in [name for name, x in self.draft.tensors.items() if doubtful and x.grad is not None]:
            self.draft.add(("forget", name))
            for run in (self.ours, *self.others):
                run_line(("forget", name), run.names)

    def _compare(self) -> None:
        for name, expected in self.draft.tensors.items():
            for run in (self.ours, *self.others):
                difference = _difference(name, run.names[name], expected)
                if difference:
                    self._fail(difference, None, run)

    def _fail(self, what: str, instruction: Instruction | None, run: Execution | None = None) -> NoReturn:
        self.failed = True
        program = Program(self.draft.program)
        if instruction is not None and program[-1:] != [instruction]:
            program.append(instruction)
        raise AssertionError(f"{(run or self.ours).name}: {what}\n\n{program}")


class Execution:
    """The execution of a program by one library, with the tensors that it made."""

    def __init__(self, library: Any) -> None:
        self.name: str = getattr(library, "__name__", type(library).__name__)
        self.names: dict[str, Any] = {"torch": library}


def _difference(name: str, found: Any, expected: Any) -> str | None:
    """Return how a tensor differs from the naive engine's, None if it doesn't."""
    for fact in ("requires_grad", "is_leaf"):
        if getattr(found, fact) != getattr(expected, fact):
            return f"{name}.{fact} is {getattr(found, fact)}, but must be {getattr(expected, fact)}"
    pairs = [(name, found, expected)]
    if found.is_leaf:  # on others PyTorch warns of the access
        pairs.append((f"{name}.grad", found.grad, expected.grad))
    for what, x, y in pairs:
        if (x is None) != (y is None):
            return f"{what} is {x and x.tolist()}, but must be {y and y.tolist()}"
        if x is not None and not _close(np.array(x.tolist()), np.array(y.tolist())):
            return f"{what} is {x.tolist()}, but must be {y.tolist()}"
    return None


def _close(x: Any, y: Any) -> bool:
    return x.shape == y.shape and bool((np.abs(x - y) <= 1e-7 * (1 + np.abs(y))).all())


@checked
def check_engine(
    library: Any = None, *, against: Sequence[Any] | None = None, examples: int | None = None, steps: int = 20
) -> None:
    """Compare an autograd engine with the naive engine, and with others, on random programs.

    `library` is by default microgad, or a module with the same names. `against` are other modules, by default torch if
    it is installed. `examples` is the number of programs, by default that of hypothesis's profile; each has at most
    `steps` statements. Raises AssertionError with the shortest program found on which they differ, as Python code.

    >>> from microgad.testing.programs.machine import check_engine
    >>> check_engine(torch, against=(), examples=2)
    """

    class Machine(GradMachine):
        pass

    Machine.library, Machine.against = library, against
    run_state_machine_as_test(
        Machine,
        settings=settings(
            settings() if examples is None else settings(max_examples=examples),
            stateful_step_count=steps,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            phases=[phase for phase in settings().phases if phase is not Phase.explain],  # the program explains itself
        ),
    )
