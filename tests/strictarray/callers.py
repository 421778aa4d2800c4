"""Which code reads values of an array on the device: a test, which may, or an operation, which may not.

The tests that run a second time with `--device cuda` read results as if they were NumPy arrays, for example in
`np.testing.assert_allclose(y.array, z)`. They would prove no more with a `.get()` in each line, so this is allowed. It
isn't allowed in the tests of the stand-in itself.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

import microgad

from .synchronizations import ALLOWED

HERE, TESTS = str(Path(__file__).parent), str(Path(__file__).parents[1])
LIBRARY = str(Path(microgad.__file__).parent) + "/"
SKIPPED = (str(Path(np.__file__).parent), f"{HERE}/array.py", f"{HERE}/callers.py", contextlib.__file__)
COPYING = ("backend/__init__", "backend/copies", "backend/memory_layout", "batching/array")
SKIPPED += tuple(f"{LIBRARY}{name}.py" for name in COPYING)
tests_may_read = False  # whether the tests run with --device cuda


def caller() -> tuple[str, str]:
    """File and function of the code that reads, without the frames of NumPy, of the stand-in and of helpers."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(SKIPPED):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_code.co_qualname


def called_by_test() -> bool:
    """Whether a test that runs with --device cuda reads values."""
    return tests_may_read and (file := caller()[0]).startswith(TESTS) and not file.startswith(HERE)


def let_tests_read(array: Any) -> None:
    """Let tests that run on a GPU read CuPy's own arrays as if they were NumPy's, and compute on their values."""
    global SKIPPED
    SKIPPED += (str(Path(sys.modules["cupy"].__file__).parent),)
    refused, called, computed = array.__array__, array.__array_function__, array.__array_ufunc__

    def fetched(x: Any) -> Any:
        if isinstance(x, array):
            return x.get()
        if type(x) is dict:
            return {name: fetched(value) for name, value in x.items()}
        return type(x)(map(fetched, x)) if type(x) in (tuple, list) else x

    def convert(self: Any, *args: Any, **kwargs: Any) -> Any:
        return np.array(self.get(), *args) if called_by_test() else refused(self, *args, **kwargs)

    def function(self: Any, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if not called_by_test():
            return called(self, func, types, args, kwargs)
        return func(*fetched(args), **fetched(kwargs))

    def ufunc(self: Any, of: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        if not called_by_test():
            return computed(self, of, method, *args, **kwargs)
        return getattr(of, method)(*fetched(args), **fetched(kwargs))

    array.__array__, array.__array_function__, array.__array_ufunc__ = convert, function, ufunc


def check_fetch(how: str) -> None:
    """Raise AssertionError if code of microgad fetches an array without a reason in synchronizations.py."""
    file, function = caller()
    if file.startswith(LIBRARY):
        location = f"{file.removeprefix(LIBRARY)}:{function}"
        if not location.startswith(tuple(ALLOWED)):
            raise AssertionError(
                f"{location} fetches an array from the device ({how}): synchronizations.py has no reason"
            )
