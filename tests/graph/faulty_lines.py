"""Planted faults: functions with a mistake in the line with a comment `# here`, whose words say what to find there."""

from __future__ import annotations

import inspect


def faults_of(names):
    """The faulty functions of a module, given its globals."""
    functions = (f for f in names.values() if inspect.isfunction(f) and f.__module__ == names["__name__"])
    return [f for f in functions if "# here " in inspect.getsource(f)]


def planted(case):
    """The line number of a fault, and the words of its comment."""
    lines, first = inspect.getsourcelines(case)
    (at,) = (i for i, line in enumerate(lines) if "# here " in line)
    return first + at, lines[at].partition("# here ")[2].split()
