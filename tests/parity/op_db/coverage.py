"""The state of each name in op_db, which tests/parity/coverage.md shows."""

from __future__ import annotations

import importlib
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from . import pending
from .scope import OUT_OF_SCOPE

HERE = Path(__file__).parent

PENDING_PY = '''"""Names in scope that fail a check. The aim is that there are none."""

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

| not done | why |
|---|---|
{rows}

Done are:

{names}
"""


@dataclass
class Page:
    """A page with the state of each name, and the module with the pending names."""

    path: Path
    text: str
    pending_module: ModuleType
    out_of_scope: dict[str, str]  # name -> reason

    def table(self, names: Iterable[str], pending: Sequence[str]) -> str:
        """Make the page: totals, a line for each name that isn't done, and the names that are."""
        left = dict.fromkeys(pending, "pending")
        left |= {name: f"out of scope: {reason}" for name, reason in self.out_of_scope.items()}
        done = [f"`{name}`" for name in sorted({*names} - {*left})]
        return self.text.format(
            all=len(done) + len(left),
            scope=len(done) + len(pending),
            done=len(done),
            pending=len(pending),
            rows="\n".join(f"| `{name}` | {left[name]} |" for name in sorted(left)),
            names=textwrap.fill(", ".join(done), 116, break_on_hyphens=False),
        )

    def update(self, names: Iterable[str], failed: dict[str, bool]) -> None:
        """Rewrite both files. `failed` says whether a check failed, for the names that were checked."""
        # Another process may have rewritten it since the import.
        before = {*importlib.reload(self.pending_module).PENDING}
        now = sorted((before - {*failed} | {name for name, bad in failed.items() if bad}) - {*self.out_of_scope})
        indents = {"initial_indent": "    ", "subsequent_indent": "    "}
        lines = textwrap.fill(" ".join(now), 116, break_on_hyphens=False, **indents)
        Path(str(self.pending_module.__file__)).write_text(PENDING_PY.format(lines))
        self.path.write_text(self.table(names, now))


PAGE = Page(HERE.parent / "coverage.md", COVERAGE_MD, pending, OUT_OF_SCOPE)


def update(failed: dict[str, bool]) -> None:
    """Rewrite the page and pending.py."""
    from .checks import op_db

    PAGE.update({op.name for op in op_db}, failed)
