"""The commands `python -m microgad.testing check mypackage.ops:Softplus` and `... write mypackage.ops`."""

from __future__ import annotations

import argparse
import difflib
import importlib
import itertools
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

from ... import autograd
from ...errors import ArgumentError
from ...function import Function
from ...nn import Module
from ...state.contexts import binding
from ..calls import GradcheckError
from .progress import Progress

RIGHT, WRONG, USAGE = 0, 1, 2  # exit codes


class Target(NamedTuple):
    """An object to check, and its name on the command line."""

    name: str  # "mypackage.ops:Softplus"
    value: Any


class UsageError(Exception):
    """Raised for a command that can't be carried out."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Return the exit code: 0 if all is right, 1 if a fault was found, 2 if something can't be checked.

    `arguments` are by default those of the command line. Arguments that argparse rejects raise SystemExit(2).

    >>> main(["check", "microgad.ops.elementwise:Sin", "--examples", "10"])
    Sin: 10 examples obey ... laws
        laws: ...
        recorded: ...
    0
    """
    options = _parser().parse_args(arguments)
    if find_spec("hypothesis") is None:
        print("microgad.testing needs hypothesis: pip install 'microgad[test]'", file=sys.stderr)
        return USAGE
    try:
        return int(options.run(options))
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m microgad.testing", description="Property tests of derivatives.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check",
        help="check operations and modules by every law, over random inputs",
        description="Check operations and modules by every law, over random inputs. Exit code 0: all is right; "
        "1: a fault was found; 2: something can't be checked.",
    )
    check.add_argument(
        "targets",
        nargs="+",
        metavar="TARGET",
        help="mypackage.ops:Softplus, a Function, a Module or a function on Tensors; or mypackage.ops, for every "
        "Function and Module class that is defined there",
    )
    check.add_argument("--examples", type=_positive, metavar="N", help="examples for each; hypothesis's default is 100")
    check.add_argument("--order", type=_positive, default=2, help="highest order of derivatives; 2 by default")
    check.set_defaults(run=_check)
    write = commands.add_parser(
        "write",
        help="print a test file",
        description="Print a test file with a test for each Function that is defined in a module.",
    )
    write.add_argument("module", metavar="MODULE", help="mypackage.ops")
    write.set_defaults(run=_write)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a positive integer, got {text!r}")
    return int(text)


def _check(options: argparse.Namespace) -> int:
    from hypothesis import settings

    targets = [target for name in options.targets for target in targets_of(name)]
    examples = options.examples or settings().max_examples
    codes = []
    with _progress_bar(examples * len(targets)) as progress:
        for i, target in enumerate(targets):
            progress.at(target.name, i * examples)
            code, message = check_target(target, examples, options.order)
            progress.at(target.name, (i + 1) * examples)
            codes.append(code)
            progress.say(message, sys.stderr if code == USAGE else sys.stdout)
    if len(targets) > 1:
        counts = [(codes.count(RIGHT), "right"), (codes.count(WRONG), "wrong"), (codes.count(USAGE), "not checked")]
        print(f"{len(targets)} checked: " + ", ".join(f"{n} {what}" for n, what in counts if n))
    return WRONG if WRONG in codes else max(codes)


@contextmanager
def _progress_bar(total: int) -> Iterator[Progress]:
    """Context with a progress bar on standard error that advances with every example."""
    from ..laws.runner import on_example

    progress = Progress(total, sys.stderr)
    with closing(progress), binding(on_example, progress.example):
        yield progress


def check_target(target: Target, examples: int, order: int) -> tuple[int, str]:
    """Check a target. Return the exit code and the text to print."""
    from hypothesis.errors import Flaky, Unsatisfiable

    from ..laws import check_module, check_op

    name = target.name.partition(":")[2]
    try:
        if isinstance(target.value, Module) or _is_class(target.value, Module):
            return RIGHT, str(check_module(target.value, examples=examples, order=order, name=name))
        return RIGHT, str(check_op(target.value, examples=examples, order=order, name=name))
    except (AssertionError, GradcheckError, Flaky) as error:
        notes = itertools.takewhile(lambda note: note != "Explanation:", getattr(error, "__notes__", ()))
        return WRONG, "\n".join([str(error), *notes])
    except (ArgumentError, Unsatisfiable, UsageError) as error:
        return USAGE, f"{target.name} can't be checked from here: {error}. Write a test with check_op or check_module"
    except Exception as error:  # the target raised it when it was first called
        return WRONG, f"{target.name} raised {type(error).__name__}: {error}"


def _is_class(value: Any, *bases: type) -> bool:
    return isinstance(value, type) and issubclass(value, bases) and value not in bases


def import_module(name: str) -> ModuleType:
    """Import a module by name. Raise UsageError if there is none, or if it can't be imported."""
    try:
        return importlib.import_module(name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            path = name.removesuffix(".py").replace("\\", "/").split("/")
            hint = f"; a file is named as in an import, {'.'.join(path)}" if len(path) > 1 or name != path[0] else ""
            raise UsageError(f"there is no module {error.name}, here or among what is installed{hint}") from None
        raise UsageError(f"{name} can't be imported: {type(error).__name__}: {error}") from error


def targets_of(text: str) -> list[Target]:
    """Return the targets that "mypackage.ops:Softplus" or "mypackage.ops" names. Raise UsageError if there are none.

    >>> [target.name for target in targets_of("microgad.nn.modules.distance")]
    ['microgad.nn.modules.distance:PairwiseDistance', 'microgad.nn.modules.distance:CosineSimilarity']
    """
    module_name, colon, path = text.partition(":")
    module = import_module(module_name)
    if not colon:
        found = operations(module, Function, autograd.Function, Module)
        if not found:
            raise UsageError(f"{module_name} defines no Function and no Module; name what to check: {module_name}:name")
        return found
    value = module
    for part in path.split("."):
        if not hasattr(value, part):
            near = difflib.get_close_matches(part, dir(value), 1)
            raise UsageError(f"{module_name} has no {path!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        value = getattr(value, part)
    if not callable(value):
        raise UsageError(f"{text} is a {type(value).__name__}: expected a Function, a Module or a function on Tensors")
    return [Target(text, value)]


def operations(module: ModuleType, *bases: type) -> list[Target]:
    """Return the public classes with these bases, and a forward, that a module or package defines, in its order."""
    found = []
    for name, value in vars(module).items():
        its_own = _is_class(value, *bases) and f"{value.__module__}.".startswith(f"{module.__name__}.")
        if its_own and not name.startswith("_") and not any(value.forward is base.forward for base in bases):  # type: ignore[attr-defined]
            found.append(Target(f"{module.__name__}:{name}", value))
    return found


def _write(options: argparse.Namespace) -> int:
    from .ghostwriter import write_tests

    module = import_module(options.module)
    found = operations(module, Function, autograd.Function)
    if not found:
        raise UsageError(f"{options.module} defines no Function")
    print(write_tests(module, [target.value for target in found]), end="")
    return RIGHT
