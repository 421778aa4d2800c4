"""Run hypothesis: draw many examples, and check every law on each."""

from __future__ import annotations

import math
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from textwrap import indent
from typing import Any, TypeVar

import numpy as np
from hypothesis import HealthCheck, Phase, core, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import FailedHealthCheck, Flaky, HypothesisException

from ...autograd.grad_mode import enable_grad
from ...errors import ArgumentError
from ...ops.random import fork_rng
from ...tensor import Tensor
from ..calls import GradcheckError
from ..check_grads import check_kinks
from .case import Case
from .derivatives import derivatives
from .report import Report
from .root_cause import find_wrong_derivatives

# Called after each example: the progress bar of the command line sets it.
on_example: ContextVar[Callable[[], None]] = ContextVar("on_example", default=lambda: None)

ROUND = 10  # how many examples hypothesis draws afresh before it begins to mutate earlier ones
FLAKY = (
    "The same example passed when it was checked again: the function keeps state from one call to the next, or draws "
    "random numbers from another generator than the default one"
)

SECOND = "second derivative"
NOT_PROGRAM = ("microgad", "numpy", "cupy", "functools")  # packages whose functions call a program's, or are called

C = TypeVar("C", bound=Case)
Law = Callable[[C], None]


def select_laws(laws: Sequence[Law[C]], names: Iterable[str] | None) -> list[Law[C]]:
    """Return the laws of these names, by default all. Raise ValueError for an unknown name."""
    if names is None:
        return list(laws)
    known, names = {law.__name__: law for law in laws}, [names] if isinstance(names, str) else list(names)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ArgumentError(f"laws: there is no law {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in names]


def check_options(check: str, kinks: str, order: int, examples: int | None) -> None:
    """Raise ArgumentError (a ValueError) for options of `check_op` and `check_module` that are out of range."""
    check_kinks(check, kinks)
    if order not in (1, 2):
        raise ArgumentError(f"{check}: order is 1 or 2, got {order}; check_grads checks higher derivatives")
    if examples is not None and examples < 1:
        raise ArgumentError(f"{check}: examples must be at least 1, got {examples}")


@contextmanager
def without_warnings() -> Iterator[None]:
    """Context without warnings: laws also try what a caller would not, such as the mean of an empty array."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check_laws(case: C, laws: Sequence[Law[C]]) -> None:
    """Check each law on one example. Raise AssertionError, or GradcheckError, that names the operation and the law."""
    with without_warnings():
        for law in laws:
            _check_law(case, law)


def _check_law(case: C, law: Law[C]) -> None:
    case.begin(law.__name__)
    try:
        law(case)
    except (AssertionError, GradcheckError) as error:
        error.args = (_broken(case, law, error),)
        raise
    except HypothesisException:
        raise
    except Exception as error:
        raise AssertionError(_raised(case, law, error)) from error


def _broken(case: C, law: Law[C], error: AssertionError | GradcheckError) -> str:
    """Return the message for a law that doesn't hold. The error gets the finding of a wrong derivative behind it."""
    message = f"{case.name} breaks the law `{law.__name__}`: {error}"
    found = find_wrong_derivatives(case) if isinstance(error, AssertionError) else None
    if found is not None:  # its message says what the mistake may be
        error.finding, error.call = found.finding, found.call  # type: ignore[union-attr]
        return f"{message}\nIts derivatives are wrong, at these inputs or nearby. {found}"
    return message if getattr(error, "finding", None) is not None else message + _reproducer(case, law)


def _raised(case: C, law: Law[C], error: Exception) -> str:
    """Return the message for an error of the operation itself while a law is checked."""
    said = "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
    no_jvp = law.__name__ == "forward_mode" and isinstance(error, NotImplementedError)
    failing, where = _failing(case) or (SECOND if no_jvp else "", "")  # forward mode computes one instead
    what = f": its {failing} fails{where}" if failing else f" breaks the law `{law.__name__}`"
    if failing == SECOND:
        said += "\nIf it isn't meant to have one, check it with order=1"
    return f"{case.name}{what}: {said}{_reproducer(case, law)}"


def _failing(case: Case) -> tuple[str, str] | None:
    """Return what fails at the example itself, whatever the law: forward, backward, or the second derivative.

    Backward fails by an error in one of the program's functions, which is also returned. None if all of them run.
    """
    for stage, result in (("forward", "results"), ("backward", "gradients"), (SECOND, "classes")):
        try:
            getattr(case, result)
        except Exception as error:
            where = _raised_in(error) if stage == "backward" else ""
            known = where if stage == "backward" else case.order > 1 or stage != SECOND
            return (stage, where) if known else None
    return None


def _raised_in(error: Exception) -> str:
    """Return " in Softplus.grad_x", the outermost of the program's functions that an error went through, if any."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__", "").partition(".")[0] not in NOT_PROGRAM:
            return f" in {frame.f_code.co_qualname.rpartition('<locals>.')[2]}"
    return ""


def _reproducer(case: C, law: Law[C]) -> str:
    """Return the last lines of a message: code that checks the law on the same example."""
    return f"\nTo reproduce it:\n{indent(case.as_code(law.__name__), '    ')}"


class ThoroughnessSchedule:
    """Decides which examples are checked thoroughly, that is, by the expensive parts of the laws as well.

    The first `thorough` examples are, and once an example has failed, all others while hypothesis shrinks it. The
    failed example itself is always checked as it was the first time: if it failed in another way, hypothesis would call
    the test flaky.
    """

    def __init__(self, thorough: int) -> None:
        self.thorough_left = thorough
        self.failed: dict[int, bool] = {}  # seed of the failed example -> whether it was checked thoroughly

    @contextmanager
    def running(self, case: Case) -> Iterator[None]:
        """Context in which an example is checked."""
        case.thorough = self.failed.get(case.seed, bool(self.failed) or self.thorough_left > 0)
        try:
            yield
        except (AssertionError, GradcheckError):
            self.failed = self.failed or {case.seed: case.thorough}
            raise
        self.thorough_left -= 1


def for_all(name: str, cases: st.SearchStrategy[C], check: Callable[[C], None], **options: Any) -> None:
    """Run `check` on many cases, with hypothesis's settings changed by `options`.

    It runs in rounds. After some examples hypothesis mostly mutates the numbers of earlier ones, keeping their shapes
    and axes, and would miss a fault that shows only for a few shapes.
    """
    wanted, forced = settings(**options), getattr(core, "global_force_seed", None)
    for done in range(0, wanted.max_examples, ROUND):
        test = given(cases)(check)
        if wanted.derandomize or forced is not None:
            test = seed(f"{forced} {name} {done}")(test)
        settings(wanted, max_examples=min(ROUND, wanted.max_examples - done))(test)()  # last: seed drops the database


class _Seen:
    """What the examples have shown, for the report."""

    def __init__(self, name: str, laws: Sequence[Law[C]]) -> None:
        self.name, self.laws, self.count = name, [law.__name__ for law in laws], 0
        self.classes: set[str] = set()
        self.largest: tuple[int, ...] = ()
        self.not_checked: dict[str, str] = {}
        self.constants: dict[str, None] = {}
        self.undefined: list[str] = []
        self.differentiates = derivatives in laws
        self.not_compared = ""  # why no derivative has been compared in any example

    def add(self, case: Case) -> None:
        """Add an example that obeys every law."""
        self.classes.update(cls.__name__ for cls in case.classes)
        if self.differentiates:
            if not self.count or self.not_compared:
                self.not_compared = case.not_compared()
            self.undefined.extend(_undefined(case))
        self.count += 1
        shapes = [tuple(x.shape) for x in getattr(case, "given", case.inputs) if isinstance(x, Tensor)]
        self.largest = max([self.largest, *shapes], key=lambda shape: (math.prod(shape), len(shape)))
        self.not_checked.update(case.not_checked)
        self.constants.update(dict.fromkeys(case.constants()))

    def report(self) -> Report:
        """Return the report. Raise ArgumentError if derivatives were to be compared, but never were."""
        if self.not_compared:
            raise ArgumentError(
                f"{self.name}: in none of {self.count} examples a derivative was compared, since {self.not_compared}. "
                "Give other inputs; or name the laws to check without it, as laws=['layout', 'deterministic']"
            )
        checked = tuple(law for law in self.laws if law not in self.not_checked)
        reasons = tuple(f"{law}, since {reason}" for law, reason in self.not_checked.items())
        nan, classes = min(self.undefined, key=len, default=""), tuple(sorted(self.classes))
        return Report(self.name, self.count, checked, classes, self.largest, reasons, tuple(self.constants), nan)


def check_for_all(name: str, cases: st.SearchStrategy[C], laws: Sequence[Law[C]], examples: int | None) -> Report:
    """Check each law on many examples. The default generator is left as it was."""
    seen, laws_held = _Seen(name, laws), laws
    schedule = ThoroughnessSchedule(1)  # the first example may be a failure from an earlier run

    def every_example_obeys(case: C) -> None:
        nonlocal laws_held
        with without_warnings():
            with schedule.running(case):
                for law in laws_held:
                    try:
                        _check_law(case, law)
                    except (AssertionError, GradcheckError):
                        laws_held = [law]  # hypothesis shrinks the example for this law alone
                        raise
            seen.add(case)
        on_example.get()()

    # Part of the key under which hypothesis stores failures: others' would be replayed, and wouldn't be shrunk.
    every_example_obeys._hypothesis_internal_add_digest = name.encode()  # type: ignore[attr-defined]
    options: dict[str, Any] = {} if examples is None else {"max_examples": examples}
    options |= {"deadline": None, "report_multiple_bugs": False, "suppress_health_check": list(HealthCheck)}
    options["print_blob"] = False  # the decorator that it names is for a test with @given: the code to paste is above
    # A case is one drawn value: the explain phase would run a hundred more cases and add nothing to the message.
    options["phases"] = [phase for phase in settings().phases if phase is not Phase.explain]
    with fork_rng(), enable_grad():
        try:
            for_all(name, cases, every_example_obeys, **options)
        except Flaky as error:
            message = f"{getattr(error, 'exceptions', (error,))[0]}\n{FLAKY}"
            raise AssertionError(message) from error
        except FailedHealthCheck as error:
            error.add_note(
                "check_op and check_module are such tests themselves: instead of using @given, pass strategies as "
                "their inputs, and to check_module one of modules, or of tuples (module, *inputs)"
            )
            raise
    return seen.report()


def _undefined(case: Case) -> list[str]:
    """Return the differentiated inputs as text if a gradient is NaN there although they and the results are finite."""
    finite = all(np.isfinite(x.array).all() for x in (*case.wanted, *case.outs))
    if not finite or not any(g is not None and np.isnan(g).any() for g in case.gradients):
        return []
    return [", ".join(f"{case.input_name(i)} = {x.tolist()}" for i, x in enumerate(case.wanted))]
