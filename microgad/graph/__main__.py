"""The command `python -m microgad.graph program.py`: draw or summarize the first backward pass of a program."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import ArgumentError, MicrogadError
from ..porting import run
from .recording.first_backward import FirstBackwardRecorder
from .recording.recorder import RecordOptions
from .tape import Tape

REPORTS = ("summary", "table", "tree", "memory")
TAPE_SUFFIXES = (".json", ".npz")
DRAWING_SUFFIXES = (".svg", ".png", ".pdf", ".dot", ".gv", ".mmd")


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code. For `diff` that is 1 if the tapes differ."""
    try:
        return _main(list(arguments))
    except (MicrogadError, OSError) as error:
        print(f"python -m microgad.graph: {error}", file=sys.stderr)
        return 2


def _main(arguments: list[str]) -> int:
    if arguments[:1] == ["diff"]:
        return _diff(arguments[1:])
    command = arguments.pop(0) if arguments[:1] and arguments[0] in REPORTS else None
    given, others = _parse(arguments)

    def show(tape: Tape, failures: Sequence[int] = ()) -> None:
        if given.out:
            _write(tape, given, [number for number in failures if tape.find(number)])
        if command or not given.out:
            print(_report(tape, command or "table", given))

    if Path(given.program).suffix in TAPE_SUFFIXES:
        show(_tape(Path(given.program)))
        return 0
    if Path(given.program).suffix in (".html", *DRAWING_SUFFIXES):
        raise ArgumentError(f"{given.program} holds no tape: write one to a .json or .npz file")
    if not Path(given.program).exists():
        return run.main([given.program])  # prints that there is no such file
    return _run(given.program, others, show)


def _run(program: str, arguments: list[str], show: Callable[..., None]) -> int:
    """Run a program, show the tape of its first backward pass, and return its exit code."""
    failed: list[Exception] = []
    code = None  # until the program has ended

    def show_or_fail_later(tape: Tape) -> None:
        """Show the tape in the middle of the program, which goes on even if that fails."""
        if code and not tape:
            return  # the program failed before it computed anything
        try:
            show(tape, recorder.failures)
        except (MicrogadError, OSError) as error:
            failed.append(error)

    recorder = FirstBackwardRecorder(show_or_fail_later, RecordOptions(source=True, stats=True, time=True))
    try:
        code = run.main([program, *arguments])
    except BaseException as error:
        code = getattr(error, "code", 1)  # of SystemExit
        raise
    finally:
        recorder.end()
    if failed:
        raise failed[0]
    return int(code)


def _parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Split the arguments into the command's own and the program's: all others, and those after --."""
    parser = argparse.ArgumentParser(
        prog="python -m microgad.graph",
        allow_abbrev=False,
        description="Run a program that was written for PyTorch (or microgad) on microgad, and draw what its first "
        "backward pass saw, with the operation marked at which it fails; or read a tape that was saved as .json or "
        ".npz.",
        epilog="With summary, table, tree or memory in front, the program or tape is described as text. "
        "diff a.json b.json tells what differs. All other arguments, and those after --, go to the program.",
    )
    parser.add_argument("program", help="a .py file, or a tape as .json or .npz")
    parser.add_argument("--out", help="the file to write: .html, .json, .npz, or .svg, .png, .pdf, .dot, .mmd")
    parser.add_argument("--depth", type=int, help="level from which on modules are closed")
    parser.add_argument("--sort", choices=("bytes", "flops", "time", "calls"), help="order of the table")
    parser.add_argument("--by", choices=("op", "module"), help="grouping of the table")
    own = arguments.index("--") if "--" in arguments else len(arguments)
    given, others = parser.parse_known_args(arguments[:own])
    others += arguments[own + 1 :]
    suffixes = (".html", *TAPE_SUFFIXES, *DRAWING_SUFFIXES)
    if given.out and Path(given.out).suffix not in suffixes:
        parser.error(f"--out {given.out}: the suffix must be one of {', '.join(suffixes)}")
    return given, others


def _tape(path: Path) -> Tape:
    return Tape.from_npz(path) if path.suffix == ".npz" else Tape.from_json(path)


def _report(tape: Tape, command: str, given: argparse.Namespace) -> str:
    if command == "table":
        return str(tape.table(given.sort, given.by, depth=given.depth))
    if command == "tree":
        return str(tape.tree(given.depth))
    if command == "memory":
        return str(tape.memory())
    bad = tape.first_bad() if any(op.stats is not None for op in tape) else None
    parts = [tape.tree(given.depth), tape.memory(), *([bad] if bad else [])]
    return "\n\n".join(map(str, parts))


def _write(tape: Tape, given: argparse.Namespace, mark: Sequence[int]) -> None:
    """Write the tape to the file that --out names. In a drawing the operations `mark` are highlighted."""
    out, suffix = given.out, Path(given.out).suffix
    if suffix == ".html":
        tape.page(out, Path(given.program).name)
    elif suffix == ".json":
        tape.to_json(out)
    elif suffix == ".npz":
        tape.to_npz(out)
    else:
        tape.draw(**({} if given.depth is None else {"depth": given.depth}), mark=mark).save(out)
    print(f"{out}: {tape!r}", file=sys.stderr)


def _diff(files: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m microgad.graph diff", description="Tell what differs in two tapes, and where first."
    )
    parser.add_argument("mine", type=Path)
    parser.add_argument("theirs", type=Path)
    parser.add_argument("--rtol", type=float, default=0.0, help="relative difference up to which values are the same")
    given = parser.parse_args(files)
    found = _tape(given.mine).diff(_tape(given.theirs), given.rtol)
    print(found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
