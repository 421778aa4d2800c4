"""python -m tests.fuzz: read many broken files, and report each that isn't loaded or refused as it should be."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from datetime import date
from pathlib import Path

from .mutate import KINDS, broken_file
from .watch import Watch, end_if_stuck

SAMPLE = 50  # for one of this many files the allocated memory is measured


def run(
    kinds: list[str], seed: int, begin: int, end: int, step: int = 1, seconds: float = float("inf")
) -> Counter[str]:
    """Read the files with the numbers begin, begin + step, ..., and count them, those loaded, and the problems."""
    first = [(kind, broken_file(kind, seed + 1, number)) for kind in kinds for number in range(200)]
    watch, tally = Watch(), Counter[str]()
    for kind, content in first:  # imports what readers import only when needed
        _quietly(watch, kind, content)
    started = time.monotonic()
    for count, number in enumerate(range(begin, end, step)):
        if count % 1000 == 0:
            if time.monotonic() - started > seconds:
                break
            end_if_stuck(120)
        if count and count % 50_000 == 0:
            print(f"{count} files, {tally['problems']} problems", file=sys.stderr, flush=True)
        kind = kinds[number % len(kinds)]
        content = broken_file(kind, seed, number)
        problem, loaded = watch.problem(kind, content, memory=count % SAMPLE == 0)
        tally[kind] += 1
        tally[f"{kind} loaded"] += loaded
        if problem:
            tally["problems"] += 1
            tally[f"{kind} problems"] += 1
            if tally["problems"] <= 20:
                print(f"--seed {seed} --kinds {' '.join(kinds)} --only {number}: {kind} {problem}", flush=True)
    return tally


def _quietly(watch: Watch, kind: str, content: bytes) -> None:
    try:
        watch.readers[kind](content)
    except Exception:
        return


def _job(arguments: tuple[list[str], int, int, int, int, float]) -> Counter[str]:
    return run(*arguments)


PAGE = """# Broken files

Written by `python -m tests.fuzz {arguments}` on {today}: {minutes:.0f} minutes.

Each file is a small intact one with changes by a program that knows its format (tests/fuzz/mutate.py): in instructions
of pickles, the names that they import, records, headers, sizes, offsets, checksums, nodes and attributes, and sometimes
in arbitrary bytes. Most checksums are corrected, so that the reader gets as far as the change. Files are numbered and
reproducible: `python -m tests.fuzz --seed S --kinds ... --only N`.

A file must be loaded, or rejected with the error that the reader documents (tests/fuzz/watch.py). It counts as a
problem if anything else is raised; if reading takes longer than a second, in two attempts; if anything is run,
imported, compiled or opened, as Python's audit hooks report; if an array exceeds its memory; if the process takes
256 MB more; or, for every {sample}th file, if more is allocated than 25 times the file's size (100 times for compressed
ones, which are rejected beyond that) plus some 200 kB.

| kind | files | loaded | problems |
| --- | --- | --- | --- |
{rows}
"""


def page(kinds: list[str], tally: Counter[str], arguments: str, seconds: float) -> str:
    """The text of benchmarks/FUZZ.md for a run."""
    rows = [
        f"| {kind} | {tally[kind]:,} | {tally[f'{kind} loaded']:,} | {tally[f'{kind} problems']} |" for kind in kinds
    ]
    total = sum(tally[kind] for kind in kinds)
    loaded = sum(tally[f"{kind} loaded"] for kind in kinds)
    rows.append(f"| together | {total:,} | {loaded:,} | {tally['problems']} |")
    return PAGE.format(
        arguments=arguments, today=date.today(), minutes=seconds / 60, sample=SAMPLE, rows="\n".join(rows)
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="number of files of all kinds together")
    parser.add_argument("--begin", type=int, default=0, help="number of the first file")
    parser.add_argument("--only", type=int, help="write the file of this number to standard output, and read it")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time")
    parser.add_argument("--jobs", type=int, default=1, help="number of processes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--page", type=Path, help="write a report to this file")
    given = parser.parse_args()
    if given.only is not None:
        kind = given.kinds[given.only % len(given.kinds)]
        content = broken_file(kind, given.seed, given.only)
        sys.stdout.buffer.write(content)
        _quietly(watch := Watch(), kind, content)
        print(f"\n{kind}: {watch.problem(kind, content, memory=True)}", file=sys.stderr)
        return 0
    end = given.begin + given.count
    started = time.monotonic()
    jobs = [(given.kinds, given.seed, given.begin + i, end, given.jobs, given.seconds) for i in range(given.jobs)]
    if given.jobs == 1:
        tallies = [run(*jobs[0])]
    else:
        with multiprocessing.get_context("spawn").Pool(given.jobs) as pool:
            tallies = pool.map(_job, jobs)
    tally = sum(tallies, Counter[str]())
    seconds = time.monotonic() - started
    for kind in given.kinds:
        print(f"{kind:12} {tally[kind]:8} files, {tally[f'{kind} loaded']:7} loaded, the others refused")
    total = sum(tally[kind] for kind in given.kinds)
    print(f"{total} files in {seconds:.0f} s: {tally['problems']} problems")
    if given.page:
        given.page.write_text(page(given.kinds, tally, " ".join(sys.argv[1:]), seconds))
    return 1 if tally["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
