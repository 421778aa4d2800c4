"""Every op in scope of PyTorch's operator database passes its checks, and the tables of exceptions are up to date."""

from __future__ import annotations

import pytest

from .checks import OpChecks, op_db, title
from .coverage import PAGE
from .exceptions import LEFT_OUT, SLACK, UNDEFINED
from .pending import PENDING
from .scope import OUT_OF_SCOPE

NAMES = {op.name for op in op_db}


@pytest.mark.parametrize("op", [op for op in op_db if op.name not in {*OUT_OF_SCOPE, *PENDING}], ids=title)
def test_op_passes_its_checks(op, request):
    failures = list(OpChecks(op, thorough=request.config.getoption("--thorough")).failures())
    assert not failures, "\n".join(map(str, failures))


def test_tables_only_name_ops_of_the_database():
    assert not {*OUT_OF_SCOPE, *PENDING, *LEFT_OUT, *SLACK, *UNDEFINED} - NAMES
    assert not {*PENDING} & {*OUT_OF_SCOPE}
    assert list(PENDING) == sorted(PENDING)
    assert len(NAMES) - len(OUT_OF_SCOPE) >= 465


def test_coverage_page_is_up_to_date():
    assert PAGE.path.read_text() == PAGE.table(NAMES, PENDING), "run python -m tests.parity.op_db --update"
