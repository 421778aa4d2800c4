"""The state of each layer of torch.nn, which tests/parity/modules.md shows."""

from __future__ import annotations

from pathlib import Path

from tests.parity.op_db.coverage import Page

from . import pending
from .scope import OUT_OF_SCOPE

MODULES_MD = """\
# torch.nn's layers on microgad

Of {all} names {scope} are in scope: {done} are done, {pending} are pending. Written by
`python -m tests.parity.module_db --update`, which builds and runs each layer in both libraries: those of PyTorch's
`torch.testing._internal.common_modules.module_db`, and with cases of this repository the other ones of torch.nn.

| not done | why |
|---|---|
{rows}

Done are:

{names}
"""
PAGE = Page(Path(__file__).parent.parent / "modules.md", MODULES_MD, pending, OUT_OF_SCOPE)
