"""The state of every name of op_db, as tests/parity/coverage.md shows it."""

from __future__ import annotations

import importlib
import textwrap
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from . import pending
from .scope import OUT

HERE = Path(__file__).parent

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


@dataclass
class Page:
    """A page of names and states, and the file of names that wait."""

    path: Path
    text: str
    pending: ModuleType
    out: dict[str, str]  # name -> reason

    def table(self, names: Iterable[str], waiting: Iterable[str]) -> str:
        """The page: totals, and a line a name."""
        waiting = set(waiting)
        state = {name: "pending" if name in waiting else "done" for name in names}
        state |= {name: f"out of scope: {reason}" for name, reason in self.out.items()}
        counts = Counter(state.values())
        return self.text.format(
            all=len(state),
            scope=len(state) - len(self.out),
            done=counts["done"],
            pending=counts["pending"],
            rows="\n".join(f"| `{name}` | {state[name]} |" for name in sorted(state)),
        )

    def update(self, names: Iterable[str], failed: dict[str, bool]) -> None:
        """Write both files anew, by what a walk has seen of some names: whether they failed."""
        before = {*importlib.reload(self.pending).PENDING}  # another walk may have written it since
        now = sorted((before - {*failed} | {name for name, bad in failed.items() if bad}) - {*self.out})
        indents = {"initial_indent": "    ", "subsequent_indent": "    "}
        lines = textwrap.fill(" ".join(now), 116, break_on_hyphens=False, **indents)
        Path(str(self.pending.__file__)).write_text(PENDING_PY.format(lines))
        self.path.write_text(self.table(names, now))


PAGE = Page(HERE.parent / "coverage.md", COVERAGE_MD, pending, OUT)
TABLE, table = PAGE.path, PAGE.table


def update(failed: dict[str, bool]) -> None:
    """Write the page and pending.py anew."""
    from .walk import op_db

    PAGE.update({op.name for op in op_db}, failed)
