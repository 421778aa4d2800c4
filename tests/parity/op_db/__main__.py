"""Check PyTorch's operator database on microgad: print a line per op, the first check that fails, and a count.

An argument is a name of op_db (`add`, `nn.functional.relu`) or, where there is no such name, a prefix (`linalg.`).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and torch are loaded

import argparse
import itertools
import re
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any


def grouped(failures: list[Any]) -> list[tuple[Any, list[str]]]:
    """The first failure for each reason, with the names of the other checks that fail for the same reason."""
    groups: dict[str, list[Any]] = {}
    for failure in failures:
        groups.setdefault(re.sub(r"(float|complex|int)\d+|bool", "", failure.reason), []).append(failure)
    return [
        (first, [f"\n      and so: {', '.join(x.check for x in rest)}"] if rest else [])
        for first, *rest in groups.values()
    ]


def report(name: str, failures: Iterator[Any], verbose: bool) -> bool:
    """Print a line for `name` and its failures (by default only the first), and return whether there are any."""
    start = time.perf_counter()
    found = list(failures if verbose else itertools.islice(failures, 1))
    took = time.perf_counter() - start
    print("FAIL" if found else "ok  ", name, f"({took:.1f} s)" * (took > 2), flush=True)
    for failure, others in grouped(found):
        print("    ", failure, *others)
        if verbose and failure.trace:
            print("       ", failure.trace.strip().replace("\n", "\n        "))
    return bool(found)


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.parity.op_db", description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--dtype", action="append", help="only this one; may be given again")
    parser.add_argument("--verbose", action="store_true", help="the first failure of every check, with its traceback")
    parser.add_argument("--thorough", action="store_true", help="all samples, not a seeded choice")
    parser.add_argument("--update", action="store_true", help="rewrite pending.py and coverage.md from the results")
    args = parser.parse_args()
    if args.update and args.dtype:
        parser.error("--update needs all dtypes")
    warnings.simplefilter("ignore")
    from . import checks, coverage

    failed: dict[str, bool] = {}
    counts = [0, 0]
    for op in checks.infos(args.names):
        if op.name in coverage.OUT_OF_SCOPE and op.name not in args.names:
            continue
        op_checks = checks.OpChecks(op, tuple(args.dtype or checks.DTYPES), args.thorough)
        found = report(checks.title(op), op_checks.failures(), args.verbose)
        failed[op.name] = failed.get(op.name, False) or found
        counts[found] += 1
    print(f"{counts[0]} ok, {counts[1]} failed")
    if args.update:
        coverage.update(failed)
    return counts[1] > 0


if __name__ == "__main__":
    sys.exit(main())
