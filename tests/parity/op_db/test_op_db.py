"""Every op of PyTorch's operator database that is done, and the tables that say which are."""

from __future__ import annotations

import pytest

from .coverage import TABLE, table
from .exceptions import LEFT_OUT, SLACK, UNDEFINED
from .pending import PENDING
from .scope import OUT
from .walk import Walk, op_db, title

NAMES = {op.name for op in op_db}


@pytest.mark.parametrize("op", [op for op in op_db if op.name not in {*OUT, *PENDING}], ids=title)
def test_op(op, request):
    failures = list(Walk(op, thorough=request.config.getoption("--thorough")).failures())
    assert not failures, "\n".join(map(str, failures))


def test_tables_name_ops():
    assert not {*OUT, *PENDING, *LEFT_OUT, *SLACK, *UNDEFINED} - NAMES
    assert not {*PENDING} & {*OUT}
    assert list(PENDING) == sorted(PENDING)
    assert len(NAMES) - len(OUT) >= 465


def test_the_page_is_fresh():
    assert TABLE.read_text() == table(NAMES, PENDING), "run python -m tests.parity.op_db --update"
