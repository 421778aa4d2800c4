"""Whose code asks for values: a test's, which may look, or an operation's, which may not.

The tests that run a second time with `--device cuda` read results as NumPy's: `np.testing.assert_allclose(y.array, z)`.
That proves as much as it would with a `.get()` in each line, so it is let pass, and nothing else is. The stand-in's own
tests are held to everything.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import numpy as np

import microgad

from .synchronizations import ALLOWED

HERE, TESTS = str(Path(__file__).parent), str(Path(__file__).parents[1])
LIBRARY = str(Path(microgad.__file__).parent) + "/"
BETWEEN = (str(Path(np.__file__).parent), f"{HERE}/array.py", f"{HERE}/askers.py", contextlib.__file__)
BETWEEN += (f"{LIBRARY}backend/__init__.py", f"{LIBRARY}batching/array.py")
tests_look = False  # whether this is a second run of tests


def asker() -> tuple[str, str]:
    """File and function of the code that asks, on the far side of NumPy, of the stand-in, and of what is between."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(BETWEEN):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_code.co_qualname


def a_test_asks() -> bool:
    """Whether a test of the second run looks at values."""
    return tests_look and (file := asker()[0]).startswith(TESTS) and not file.startswith(HERE)


def check_fetch(how: str) -> None:
    """Raise AssertionError where a part of microgad fetches an array that has no reason to."""
    file, function = asker()
    if file.startswith(LIBRARY):
        place = f"{file.removeprefix(LIBRARY)}:{function}"
        if not place.startswith(tuple(ALLOWED)):
            raise AssertionError(f"{place} fetches an array from the device ({how}): synchronizations.py has no reason")
