"""The pytest plugin's work: check what a test marked `gradcheck` returns, and report wrong gradients.

The hooks and the fixtures are in `_microgad_pytest.py`, next to the package.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from ...errors import MicrogadError
from ..calls import GradcheckError, fresh_tensors
from ..check_grads import check_grads

OPTIONS = [name for name in inspect.signature(check_grads).parameters if name not in ("f", "args")]
OWN = ("microgad.testing.", "microgad.errors.", "_microgad_pytest")  # modules whose frames tracebacks leave out
COLUMNS = ("test", "op", "input", "order", "worst", "numerical", "analytical", "likely mistake")


@contextmanager
def checking(item: pytest.Function, mark: pytest.Mark) -> Iterator[None]:
    """Context in which the return value of a test is checked, under hypothesis for each example."""
    unknown = [*map(repr, mark.args), *(name for name in mark.kwargs if name not in OPTIONS)]
    if unknown:
        _refuse(item, f"the mark has no option {', '.join(unknown)}; there are {', '.join(OPTIONS)}, by name")
    inner = getattr(item.obj, "hypothesis", None)  # hypothesis' handle for plugins, on the test under @given
    holder, name = (item, "obj") if inner is None else (inner, "inner_test")
    if inner is not None:
        _leave_time(item.obj)
    function = getattr(holder, name)

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        returned = function(*args, **kwargs)
        called, *inputs = returned if isinstance(returned, tuple) else (returned,)
        if not callable(called) or not inputs:
            _refuse(item, f"it returns the function to check and its inputs, `return function, x, y`; got {returned!r}")
        check_grads(called, fresh_tensors(inputs), **mark.kwargs)

    setattr(holder, name, checked)
    try:
        yield
    finally:
        setattr(holder, name, function)


def _leave_time(test: Any) -> None:
    """Change hypothesis's settings of a test: no deadline, unless the test sets one, and no explanation of failures.

    The first check in a process imports modules, which takes longer than hypothesis's 200 ms. The explanation would be
    of lines of microgad.
    """
    test = getattr(test, "__func__", test)  # of a method
    own = getattr(test, "_hypothesis_internal_use_settings", None)
    if own is not None:
        deadline = None if own.deadline == type(own).default.deadline else own.deadline
        phases = [phase for phase in own.phases if phase.name != "explain"]
        test._hypothesis_internal_use_settings = type(own)(own, deadline=deadline, phases=phases)


def leave_out_own_frames(excinfo: pytest.ExceptionInfo[BaseException], path: Path) -> bool:
    """Cut the kit's own frames from the traceback of an error that a check raised: its message says what matters.

    Return whether a frame of the test's file is left, or nothing was cut.
    """
    entries = excinfo.traceback
    if not (isinstance(excinfo.value, (AssertionError, MicrogadError)) and _module(entries[-1]).startswith(OWN[0])):
        return True
    rest: TracebackType | None = None
    for entry in reversed(entries):
        step = entry._rawentry
        if not _module(entry).startswith(OWN):
            rest = TracebackType(rest, step.tb_frame, step.tb_lasti, step.tb_lineno)
    if rest is not None:
        excinfo.traceback = type(entries)(rest)
    return any(entry.path == path for entry in entries)


def _module(entry: Any) -> str:
    name: str = entry.frame.f_globals.get("__name__", "")
    return name


def _refuse(item: pytest.Function, why: str) -> None:
    __tracebackhide__ = True
    pytest.fail(f"{item.name} is marked gradcheck: {why}", pytrace=False)


def rows(test: str, error: BaseException, page: bool) -> list[dict[str, str]]:
    """Return a table row for each wrong derivative among a test's errors, with `page` also its section of the report.

    Rows are plain text, so that a worker of pytest-xdist can send them.
    """
    if isinstance(error, BaseExceptionGroup):  # several failures that hypothesis found
        return [row for each in error.exceptions for row in rows(test, each, page)]
    finding = getattr(error, "finding", None)  # other broken laws, too, may be due to a wrong derivative
    if finding is None and not isinstance(error, GradcheckError):
        return []
    from ..findings import html_report
    from ..findings.diagnosis import likely_mistake

    row = {"test": test.rpartition("::")[2]}
    if finding is None:
        row["message"] = str(error).splitlines()[0]
    else:
        row |= html_report.facts(finding) | {"likely mistake": likely_mistake(finding) or ""}
    if page:
        row["html"] = html_report.example(test, error)
    return [row]


def table(found: Sequence[dict[str, str]]) -> list[str]:
    """Return rows as lines of aligned columns; errors that are not about an entry give their message instead.

    >>> facts = dict.fromkeys(COLUMNS[1:], "x")
    >>> print(*table([{"test": "test_exp", **facts}, {"test": "test_abs", "message": "abs sits on a kink"}]), sep="\\n")
    test      op  input  order  worst  numerical  analytical  likely mistake
    test_exp  x   x      x      x      x          x           x
    test_abs: abs sits on a kink
    """
    cells = [[row[column] for column in COLUMNS] for row in found if "message" not in row]
    cells = [list(COLUMNS), *cells] if cells else []
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(n) for cell, n in zip(line, widths, strict=True)).rstrip() for line in cells]
    return lines + [f"{row['test']}: {row['message']}" for row in found if "message" in row]
