"""Every layer of torch.nn in scope passes its checks, and the tables of exceptions are up to date."""

from __future__ import annotations

import pytest

from .checks import NAMES, LayerChecks
from .coverage import PAGE
from .exceptions import LEFT_OUT, NORMAL, SLACK
from .pending import PENDING
from .scope import OUT_OF_SCOPE


@pytest.mark.parametrize("name", sorted(NAMES - {*OUT_OF_SCOPE, *PENDING}))
def test_layer_passes_its_checks(name, request):
    failures = list(LayerChecks(name, thorough=request.config.getoption("--thorough")).failures())
    assert not failures, "\n".join(map(str, failures))


def test_tables_only_name_layers_of_torch_nn():
    assert not {*OUT_OF_SCOPE, *PENDING, *LEFT_OUT, *SLACK, *NORMAL} - NAMES
    assert not {*PENDING} & {*OUT_OF_SCOPE}
    assert list(PENDING) == sorted(PENDING)


@pytest.mark.parametrize("name", sorted(NAMES - {*OUT_OF_SCOPE}))
def test_layer_has_cases(name):
    assert LayerChecks(name).infos


def test_modules_page_is_up_to_date():
    assert PAGE.path.read_text() == PAGE.table(NAMES, PENDING), "run python -m tests.parity.module_db --update"
