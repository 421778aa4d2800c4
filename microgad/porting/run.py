"""The command `python -m microgad`: run a program written for PyTorch, or check it for missing names."""

from __future__ import annotations

import os
import pkgutil
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from .alias import ProgramArguments, as_torch
from .check import check

USAGE = """usage: python -m microgad program.py [argument ...]
       python -m microgad -m module [argument ...]
       python -m microgad -c code [argument ...]
       python -m microgad - [argument ...]
       python -m microgad check program.py [folder ...]

Runs a program in which `import torch` gives microgad, or lists the names that it uses and microgad lacks.
"""


def main(arguments: Sequence[str]) -> int:
    """Run `python -m microgad` and return the exit code. The program's own exit code is passed on."""
    first, *rest = arguments or [""]
    asked = {"-h", "--help"} & {first, *(rest[:1] if first == "check" else ())}
    if asked or not arguments:
        print(USAGE, end="")
        return 0 if asked else 2
    if first == "check":
        return _check(rest)
    if first in ("-m", "-c") and not rest:
        print(f"python -m microgad: argument expected for the {first} option\n{USAGE}", file=sys.stderr, end="")
        return 2
    if first not in ("-m", "-c", "-") and not Path(first).exists():
        print(f"python -m microgad: can't open {first}: there is no such file", file=sys.stderr)
        return 2
    as_torch()
    try:
        _run(first, rest)
    except Exception as error:  # shown as Python shows it for a program that it runs itself
        error.__traceback__ = _without_runner_frames(error.__traceback__)
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def _run(first: str, rest: list[str]) -> None:
    if first == "-m":
        sys.argv = ProgramArguments(rest)
        sys.path[0] = ""
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first in ("-c", "-"):
        sys.argv = ProgramArguments([first, *(rest[1:] if first == "-c" else rest)])
        sys.path[0] = ""
        source, name = (rest[0], "<string>") if first == "-c" else (sys.stdin.buffer.read(), "<stdin>")
        _execute(source, name, {})
    else:
        sys.argv = ProgramArguments([first, *rest])
        sys.path[0] = str(Path(first).resolve().parent)
        if first.endswith(".pyc") or pkgutil.get_importer(first) is not None:  # a directory or zip file with a program
            runpy.run_path(first, run_name="__main__")
        else:  # runpy would read it twice, which a pipe can't be
            path = os.path.abspath(first)
            _execute(Path(path).read_bytes(), path, {"__file__": path, "__cached__": None})


def _execute(source: str | bytes, path: str, names: dict[str, Any]) -> None:
    """Run a program as the module `__main__`, where pickle finds its definitions."""
    sys.modules["__main__"] = main = ModuleType("__main__")
    vars(main).update(names)
    exec(compile(source, path, "exec", dont_inherit=True), vars(main))  # without our `from __future__`


def _without_runner_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Drop the leading frames of this file and of runpy from a traceback."""
    while traceback is not None and (
        traceback.tb_frame.f_globals["__name__"] == __name__ or "runpy" in traceback.tb_frame.f_code.co_filename
    ):
        traceback = traceback.tb_next
    return traceback


def _check(paths: Sequence[str]) -> int:
    """Print what is missing in each program, a file or all those in a directory.

    Return 1 if anything is, 2 if a file can't be read or isn't Python, or there is none.
    """
    if not paths:
        print(f"python -m microgad check: which program?\n{USAGE}", file=sys.stderr, end="")
        return 2
    code = 0
    for path in paths:
        files = sorted(map(str, Path(path).rglob("*.py"))) if Path(path).is_dir() else [path]
        found, errors = [], [] if files else [f"there is no .py file in {path}"]
        for file in files:
            try:
                found += check(file)
            except (OSError, SyntaxError) as error:
                errors.append(str(error))
        print(*found, sep="\n", end="\n" * bool(found))
        for said in errors:
            print(f"python -m microgad check: {said}", file=sys.stderr)
        if not found and not errors:
            print(f"{path}: microgad has all torch names in it; methods of Tensors are not checked")
        code = max(code, 2 * bool(errors), bool(found))
    return code
