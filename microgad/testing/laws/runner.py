"""Running hypothesis: many examples, each held against every law."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np
from hypothesis import HealthCheck, Phase, core, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, HypothesisException

from ...errors import ArgumentError
from ...ops.random import fork_rng
from ..calls import GradcheckError
from .case import Case
from .report import Report
from .root_cause import find_wrong_derivatives

# Called after each example.
on_example: ContextVar[Callable[[], None]] = ContextVar("on_example", default=lambda: None)

ROUND = 10  # examples that hypothesis makes afresh, before it begins to change those that it has
FLAKY = (
    "The same example held when it was looked at again: what was checked keeps something from one call to the next, or "
    "draws from elsewhere than the default generator"
)

C = TypeVar("C", bound=Case)
Law = Callable[[C], None]


def select_laws(laws: Sequence[Law[C]], names: Iterable[str] | None) -> list[Law[C]]:
    """The laws named; all of them without names. Raises ValueError for a name that is none."""
    if names is None:
        return list(laws)
    known, names = {law.__name__: law for law in laws}, list(names)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ArgumentError(f"laws: there is no law {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in names]


@contextmanager
def without_warnings() -> Iterator[None]:
    """No warnings of NumPy: laws go to places where a caller would not, such as means and indices of nothing."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def check_laws(case: C, laws: Sequence[Law[C]]) -> None:
    """Hold each law against one example. Raises AssertionError, or GradcheckError, that names the operation and law."""
    with without_warnings():
        for law in laws:
            case.begin(law.__name__)
            try:
                law(case)
            except (AssertionError, GradcheckError) as error:
                said = f"{case.name} breaks the law `{law.__name__}`: {error}"
                found = find_wrong_derivatives(case) if isinstance(error, AssertionError) else None
                if found is not None:  # which says what the mistake may be
                    said = f"{said}\nIts derivatives are wrong, there or nearby. {found}"
                    error.finding = found.finding  # type: ignore[union-attr]
                error.args = (said,)
                raise
            except HypothesisException:
                raise
            except Exception as error:
                said = f"{case.name} breaks the law `{law.__name__}`: {type(error).__name__}: {error}"
                raise AssertionError(said) from error


class ThoroughnessSchedule:
    """Which examples are looked at in every way: some at first, and after one has failed all others, to make it small.

    The one that failed is looked at as it was, however often hypothesis comes back to it: a test in which it fails in
    another way is taken for flaky.
    """

    def __init__(self, wholly: int) -> None:
        self.wholly = wholly
        self.failed: dict[int, bool] = {}  # by its seed the example that did, and whether it was looked at in every way

    @contextmanager
    def running(self, case: Case) -> Iterator[None]:
        """While an example is looked at."""
        case.thorough = self.failed.get(case.seed, bool(self.failed) or self.wholly > 0)
        try:
            yield
        except (AssertionError, GradcheckError):
            self.failed = self.failed or {case.seed: case.thorough}
            raise
        self.wholly -= 1


def for_all(name: str, cases: st.SearchStrategy[C], check: Callable[[C], None], **options: Any) -> None:
    """Hold `check` against many cases, as hypothesis's settings and `options` say.

    In rounds: after some examples hypothesis goes on mostly by changing numbers in those that it has, with the same
    shapes and axes, and a fault that shows in few of these would pass.
    """
    wanted, forced = settings(**options), getattr(core, "global_force_seed", None)
    for done in range(0, wanted.max_examples, ROUND):
        test = given(cases)(check)
        if wanted.derandomize or forced is not None:
            test = seed(f"{forced} {name} {done}")(test)
        settings(wanted, max_examples=min(ROUND, wanted.max_examples - done))(test)()  # last: a seed takes the database


def check_for_all(name: str, cases: st.SearchStrategy[C], laws: Sequence[Law[C]], examples: int | None) -> Report:
    """Hold each law against many examples. Draws that the default generator makes are not seen outside."""
    count, classes, laws_held = 0, set[str](), laws
    schedule = ThoroughnessSchedule(1)  # the first may be one that failed in another run

    def every_example_obeys(case: C) -> None:
        nonlocal count, laws_held
        with schedule.running(case):
            for law in laws_held:
                try:
                    check_laws(case, [law])
                except (AssertionError, GradcheckError):
                    laws_held = [law]  # which the others are made small for
                    raise
        with without_warnings():
            classes.update(cls.__name__ for cls in case.classes)
        count += 1
        on_example.get()()

    every_example_obeys.__qualname__ = f"{name}: every example obeys"  # hypothesis keeps failures under this name
    options: dict[str, Any] = {} if examples is None else {"max_examples": examples}
    options |= {"deadline": None, "report_multiple_bugs": False, "suppress_health_check": list(HealthCheck)}
    # A case is one value: to explain it, hypothesis would run it a hundred times to say that others fail as well.
    options["phases"] = [phase for phase in settings().phases if phase is not Phase.explain]
    with fork_rng():
        try:
            for_all(name, cases, every_example_obeys, **options)
        except Flaky as error:
            said = f"{getattr(error, 'exceptions', (error,))[0]}\n{FLAKY}"
            raise AssertionError(said) from error
    return Report(name, count, tuple(law.__name__ for law in laws), tuple(sorted(classes)))
