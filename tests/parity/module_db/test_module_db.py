"""Every layer of torch.nn that is done, and the tables that say which are."""

from __future__ import annotations

import pytest

from .coverage import PAGE
from .exceptions import LEFT_OUT, NORMAL, SLACK
from .pending import PENDING
from .scope import OUT
from .walk import NAMES, Walk


@pytest.mark.parametrize("name", sorted(NAMES - {*OUT, *PENDING}))
def test_layer(name, request):
    failures = list(Walk(name, thorough=request.config.getoption("--thorough")).failures())
    assert not failures, "\n".join(map(str, failures))


def test_tables_name_layers():
    assert not {*OUT, *PENDING, *LEFT_OUT, *SLACK, *NORMAL} - NAMES
    assert not {*PENDING} & {*OUT}
    assert list(PENDING) == sorted(PENDING)


@pytest.mark.parametrize("name", sorted(NAMES - {*OUT}))
def test_there_are_cases(name):
    assert Walk(name).infos


def test_the_page_is_fresh():
    assert PAGE.path.read_text() == PAGE.table(NAMES, PENDING), "run python -m tests.parity.module_db --update"
