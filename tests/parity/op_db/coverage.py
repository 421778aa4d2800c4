"""The state of every name of op_db, as tests/parity/coverage.md shows it."""

from __future__ import annotations

import importlib
import textwrap
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from . import pending
from .scope import OUT

HERE = Path(__file__).parent
TABLE = HERE.parent / "coverage.md"

PENDING_PY = '''"""Names in scope that aren't done. None is to stay."""

from __future__ import annotations

NAMES = """
{}
"""
PENDING = tuple(NAMES.split())
'''

COVERAGE_MD = """\
# PyTorch's operator database on microgad

Of {all} names {scope} are in scope: {done} are done, {pending} are pending. Written by
`python -m tests.parity.op_db --update`, which runs each op of PyTorch's
`torch.testing._internal.common_methods_invocations.op_db` in both libraries.

| name | state |
|---|---|
{rows}
"""


def table(names: Iterable[str], waiting: Iterable[str]) -> str:
    """The page: totals, and a line a name."""
    waiting = set(waiting)
    state = {name: "pending" if name in waiting else "done" for name in names}
    state |= {name: f"out of scope: {reason}" for name, reason in OUT.items()}
    counts = Counter(state.values())
    return COVERAGE_MD.format(
        all=len(state),
        scope=len(state) - len(OUT),
        done=counts["done"],
        pending=counts["pending"],
        rows="\n".join(f"| `{name}` | {state[name]} |" for name in sorted(state)),
    )


def update(failed: dict[str, bool]) -> None:
    """Write both files anew, by what a walk has seen of some names: whether they failed."""
    from .walk import op_db

    before = {*importlib.reload(pending).PENDING}  # another walk may have written it since
    now = sorted((before - {*failed} | {name for name, bad in failed.items() if bad}) - {*OUT})
    names = textwrap.fill(" ".join(now), 116, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    (HERE / "pending.py").write_text(PENDING_PY.format(names))
    TABLE.write_text(table({op.name for op in op_db}, now))
