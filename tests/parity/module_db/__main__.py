"""Walk torch.nn's layers on microgad: a line a layer, the first check that fails, and a count.

An argument is a name (`nn.Conv2d`) or, where there is no such name, a prefix (`nn.Lazy`).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and torch are loaded

import argparse
import sys
import warnings

from tests.parity.op_db.__main__ import told


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.parity.module_db", description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--verbose", action="store_true", help="the first failure of every check, with its traceback")
    parser.add_argument("--thorough", action="store_true", help="all samples, not a seeded choice")
    parser.add_argument("--update", action="store_true", help="write pending.py and modules.md anew from what is seen")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    from . import coverage, walk

    failed: dict[str, bool] = {}
    for name in walk.selected(args.names):
        failed[name] = told(name, walk.Walk(name, thorough=args.thorough).failures(), args.verbose)
    bad = sum(failed.values())
    print(f"{len(failed) - bad} ok, {bad} failed")
    if args.update:
        coverage.PAGE.update(walk.NAMES, failed)
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
