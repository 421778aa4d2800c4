"""What every test has at hand."""

from __future__ import annotations

import hypothesis
import pytest

import microgad

from .strictarray import installed

collect_ignore = [
    "consumer",  # a package with tests of its own, which tests/testing/test_consumer.py runs
    "strictarray/read_surface.py",  # a program for a machine with CuPy
]

hypothesis.settings.register_profile("gate", max_examples=25, derandomize=True, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=500, deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="run every long check in full, not a seeded sample")
    parser.addoption("--device", default="cpu", help="cuda: also on a GPU, by a stand-in for CuPy where there is none")


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.load_profile("thorough" if config.getoption("--thorough") else "gate")
    if config.getoption("--device") == "cuda" and not microgad.cuda.is_available():
        stand_in = installed()
        stand_in.__enter__()
        config.add_cleanup(lambda: stand_in.__exit__(None, None, None))
