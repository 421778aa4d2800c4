"""The stored digits are mpmath's: those of erf, or all of them with --thorough."""

import numpy as np
import pytest

from . import FILE, digits


def pytest_generate_tests(metafunc):
    with np.load(FILE) as file:
        names = file["names"].tolist()
    metafunc.parametrize("name", names if metafunc.config.getoption("--thorough") else ["erf"])


def test_stored_digits_are_mpmaths(name):
    pytest.importorskip("mpmath")
    from . import oracle

    stored = digits(name)
    # Exponentials that NumPy computes may differ in the last place from one processor to another.
    np.testing.assert_allclose(stored.at, oracle.arguments(name), rtol=1e-14)
    nearest, rest = oracle.results(name, stored.at)
    np.testing.assert_allclose((nearest - stored.nearest) / stored.unit() + (rest - stored.rest), 0, atol=1e-6)
