"""Plant faults, print which are missed or named wrongly, and write benchmarks/MUTATIONS.md.

python -m tests.mutations --count 1000 --jobs 2
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from .collection import SEED, THOROUGH, chosen, every_fault
from .fault import Fault
from .judge import CHOICE, Verdict, judge
from .misses import MISSES
from .targets import derivatives, unreached

PAGE = Path(__file__).parents[2] / "benchmarks" / "MUTATIONS.md"
PROGRESS = 20  # faults between two lines about what is done
FAULTS: list[Fault] = []  # filled before the processes fork, since a plant can't be pickled


def _judged(number: int) -> Verdict:
    return judge(FAULTS[number])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=THOROUGH, help="number of faults")
    parser.add_argument("--seed", type=int, default=SEED, help="which faults are chosen")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--page", type=Path, default=PAGE, help="file to write")
    parser.add_argument("--kinds", nargs="+", help="all faults of these kinds in place of a choice; no page is written")
    parser.add_argument("--list", action="store_true", help="say how many faults each derivative gets, and plant none")
    given = parser.parse_args(arguments)
    if given.list:
        return reach(chosen(given.count, given.seed))
    if given.kinds:
        FAULTS[:] = [fault for fault in every_fault() if fault.kind in given.kinds]
    else:
        FAULTS[:] = chosen(given.count, given.seed)
    start, verdicts = time.perf_counter(), []
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("fork")) as processes:
        for verdict in processes.map(_judged, range(len(FAULTS)), chunksize=4):
            verdicts.append(verdict)
            if verdict.real and not verdict.caught and verdict.real != CHOICE:
                print(f"missed: {verdict.name} ({verdict.real})", flush=True)
            elif verdict.named is False:
                print(f"not named: {verdict.name}: {verdict.mistake or verdict.caught}", flush=True)
            if len(verdicts) % PROGRESS == 0:
                real = [v for v in verdicts if is_real(v)]
                share = f"{sum(bool(v.caught) for v in real)} of {len(real)} real ones caught"
                print(f"{len(verdicts)} of {len(FAULTS)} faults: {share}", flush=True)
    if not given.kinds:
        given.page.write_text(page(verdicts, time.perf_counter() - start, given.jobs))
    missed = [v for v in verdicts if is_real(v) and not v.caught and v.name not in MISSES]
    print(f"{len(verdicts)} faults, {len(missed)} missed")
    return 1 if missed else 0


def reach(faults: list[Fault]) -> int:
    """Print how many of the faults each derivative has, and return 1 if a derivative of the library has none."""
    counts = {derivative.place: 0 for derivative in derivatives()} | {cls.__name__: 0 for cls in unreached()}
    for fault in faults:
        if fault.place in counts:
            counts[fault.place] += 1
    print(*(f"{count:4}  {place}" for place, count in counts.items()), sep="\n")
    none = [place for place, count in counts.items() if not count]
    print(f"{len(counts)} derivatives, without a fault:", ", ".join(none) or "none")
    return 1 if none else 0


def is_real(verdict: Verdict) -> bool:
    return bool(verdict.real) and verdict.real != CHOICE


def page(verdicts: list[Verdict], seconds: float, jobs: int) -> str:
    real = [v for v in verdicts if is_real(v)]
    caught = [v for v in real if v.caught]
    named = [v for v in real if v.named is not None]
    guessed = [v for v in real if v.guessed is not None]
    by_guess = percent(sum(bool(v.guessed) for v in guessed), len(guessed))
    choices = sum(v.real == CHOICE for v in verdicts)
    summary = (
        f"Written by `python -m tests.mutations` on {datetime.date.today()}: {seconds / 60:.0f} minutes with "
        f"{jobs} processes.\n\nEach fault is planted in the library's own derivatives by a program\n"
        "(tests/mutations), one at a time. It is real if it changes some value, derivative, second derivative\n"
        "or law on some of 10,000 random inputs, compared with the unbroken code. It is caught if the property\n"
        "test of its Function fails within 100 examples."
    )
    unreal = f"{sum(not v.real for v in verdicts)} change nothing; {choices} give {CHOICE}, at a kink"
    right = percent(sum(bool(v.named) for v in named), len(named))
    lines = [
        "# Planted faults",
        "",
        summary,
        "",
        f"- {len(verdicts)} faults, of which {len(real)} are real",
        f"- {len(caught)} of the real ones are caught: {percent(len(caught), len(real))}",
        f"- {unreal}",
        f"- of the {len(guessed)} in Functions whose inputs check_op has to guess, it catches {by_guess}",
        f"- of the {len(named)} real ones of a kind that reports can name, the named mistake is right for {right}",
        "",
        "## By kind",
        "",
        *table(("kind", "faults", "real", "caught"), by_kind(verdicts)),
        "",
        "## Likely mistakes",
        "",
        *table(("planted", "faults", "named"), by_name(named)),
        "",
        "## Missed",
        "",
    ]
    missed = [v for v in real if not v.caught]
    lines += [f"- {v.name} ({v.real}): {MISSES.get(v.name, 'not explained')}" for v in missed] or ["None."]
    lines += ["", "## Not named", ""]
    lines += [f"- {v.name}: {v.mistake or 'nothing is said'}" for v in named if not v.named] or ["None."]
    for title, some in (
        ("The same on all inputs", [v for v in verdicts if not v.real]),
        ("Another choice at a kink", [v for v in verdicts if v.real == CHOICE]),
    ):
        if some:
            lines += ["", f"## {title}", "", *(f"- {v.name}{' (the kit objects)' if v.caught else ''}" for v in some)]
    return "\n".join(lines) + "\n"


def percent(part: int, whole: int) -> str:
    return f"{100 * part / max(1, whole):.1f} %"


def by_kind(verdicts: list[Verdict]) -> Iterable[tuple[str, int, int, int]]:
    for kind in sorted({v.kind for v in verdicts}):
        some = [v for v in verdicts if v.kind == kind]
        yield kind, len(some), sum(map(is_real, some)), sum(is_real(v) and bool(v.caught) for v in some)


def by_name(named: list[Verdict]) -> Iterable[tuple[str, int, int]]:
    for pattern in sorted({v.pattern for v in named}):
        some = [v for v in named if v.pattern == pattern]
        yield pattern.replace("|", " or "), len(some), sum(bool(v.named) for v in some)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(map(str, line))} |" for line in lines]


if __name__ == "__main__":
    sys.exit(main())
