"""How long hypothesis looks on where a fault has been found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings


@pytest.fixture
def unshrunk(pytestconfig: pytest.Config) -> Iterator[None]:
    """A fault is found, and not made small, which takes the longest."""
    settings.register_profile("unshrunk", settings(), phases=[Phase.generate], database=None)
    settings.load_profile("unshrunk")
    yield
    settings.load_profile("thorough" if pytestconfig.getoption("--thorough") else "gate")


@pytest.fixture
def shrunk(unshrunk: None) -> None:
    """It is made small, in the same way each time."""
    settings.register_profile("shrunk", settings(), phases=[Phase.generate, Phase.shrink], derandomize=True)
    settings.load_profile("shrunk")
