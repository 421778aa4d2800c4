"""Fixtures that run pytest, and that say whether hypothesis makes a failing example smaller."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from microgad.testing.laws.case import Case


@pytest.fixture(autouse=True)
def _settings_of_this_run(pytestconfig: pytest.Config) -> Iterator[None]:
    """Load the run's settings again: tests that run pytest in this process load others."""
    yield
    settings.load_profile("thorough" if pytestconfig.getoption("--thorough") else "gate")


@pytest.fixture(autouse=True)
def _constants_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes in other folders find the constants that hypothesis has read in microgad's files, in seconds.

    They load settings without a database where an example fails, or it would be tried again in the next run.
    """
    monkeypatch.setenv("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(__file__).parents[2] / ".hypothesis"))


@pytest.fixture
def no_shrinking() -> None:
    """Stop at the first failing example: to shrink it takes the longest."""
    settings.register_profile("no_shrinking", settings(), phases=[Phase.generate], database=None)
    settings.load_profile("no_shrinking")


@pytest.fixture
def thorough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the expensive parts of the laws on every example, so that a quarter as many show the same."""
    monkeypatch.setattr(Case, "one_in", lambda case, n, turn=0: True)


@pytest.fixture
def shrinking(no_shrinking: None) -> None:
    """Shrink failing examples, in the same way each time."""
    settings.register_profile("shrinking", settings(), phases=[Phase.generate, Phase.shrink], derandomize=True)
    settings.load_profile("shrinking")


@pytest.fixture
def run(pytester: pytest.Pytester):
    """A function that runs pytest on a file with the given code."""

    def run(code: str, *args: str, in_subprocess: bool = False) -> pytest.RunResult:
        pytester.makepyfile(test_it=code)
        options = ("-p", "no:cacheprovider", "-W", "error", *args)
        return pytester.runpytest_subprocess(*options) if in_subprocess else pytester.runpytest_inprocess(*options)

    return run
