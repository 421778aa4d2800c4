"""The pytest plugin's work: check what a test marked `gradcheck` returns, and report wrong gradients.

The hooks and the fixtures are in `_microgad_pytest.py`, next to the package.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from ..calls import GradcheckError, fresh_tensors
from ..check_grads import check_grads

OPTIONS = [name for name in inspect.signature(check_grads).parameters if name not in ("f", "args")]
COLUMNS = ("test", "op", "input", "order", "worst", "numerical", "analytical", "likely mistake")


@contextmanager
def checking(item: pytest.Function, mark: pytest.Mark) -> Iterator[None]:
    """Context in which the return value of a test is checked, under hypothesis for each example."""
    unknown = [*map(repr, mark.args), *(name for name in mark.kwargs if name not in OPTIONS)]
    if unknown:
        _refuse(item, f"the mark has no option {', '.join(unknown)}; there are {', '.join(OPTIONS)}, by name")
    inner = getattr(item.obj, "hypothesis", None)  # hypothesis' handle for plugins, on the test under @given
    holder, name = (item, "obj") if inner is None else (inner, "inner_test")
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


def _refuse(item: pytest.Function, why: str) -> None:
    __tracebackhide__ = True
    pytest.fail(f"{item.name} is marked gradcheck: {why}", pytrace=False)


def rows(test: str, error: BaseException, page: bool) -> list[dict[str, str]]:
    """Return a table row for each GradcheckError among a test's errors, with `page` also its section of the report.

    Rows are plain text, so that a worker of pytest-xdist can send them.
    """
    if isinstance(error, BaseExceptionGroup):  # several failures that hypothesis found
        return [row for each in error.exceptions for row in rows(test, each, page)]
    if not isinstance(error, GradcheckError):
        return []
    from ..findings import html_report
    from ..findings.diagnosis import likely_mistake

    row = {"test": test.rpartition("::")[2]}
    if error.finding is None:
        row["message"] = str(error).splitlines()[0]
    else:
        row |= html_report.facts(error.finding) | {"likely mistake": likely_mistake(error.finding) or ""}
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
