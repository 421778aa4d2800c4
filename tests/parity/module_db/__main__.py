"""Check torch.nn's layers on microgad: print a line per layer, the first check that fails, and a count.

An argument is a name (`nn.Conv2d`) or, where there is no such name, a prefix (`nn.Lazy`).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and torch are loaded

import argparse
import sys
import warnings

from tests.parity.op_db.__main__ import report


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.parity.module_db", description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--verbose", action="store_true", help="the first failure of every check, with its traceback")
    parser.add_argument("--thorough", action="store_true", help="all samples, not a seeded choice")
    parser.add_argument("--update", action="store_true", help="rewrite pending.py and modules.md from the results")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    from . import checks, coverage

    failed: dict[str, bool] = {}
    for name in checks.selected(args.names):
        failed[name] = report(name, checks.LayerChecks(name, thorough=args.thorough).failures(), args.verbose)
    failures = sum(failed.values())
    print(f"{len(failed) - failures} ok, {failures} failed")
    if args.update:
        coverage.PAGE.update(checks.NAMES, failed)
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
