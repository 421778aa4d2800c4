"""What every test has at hand."""

from __future__ import annotations

import hypothesis
import pytest

collect_ignore = ["consumer"]  # a package with tests of its own, which tests/testing/test_consumer.py runs

hypothesis.settings.register_profile("gate", max_examples=25, derandomize=True, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=500, deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="run every long check in full, not a seeded sample")


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.load_profile("thorough" if config.getoption("--thorough") else "gate")
