"""Comparisons of times that hold on a loaded machine, too: there they take more runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any


def assert_takes(at_most: float, ours: Callable[[], Any], theirs: Callable[[], Any], overhead: float = 0) -> None:
    """Assert that a call of `ours` takes at most so many times that of `theirs`, and `overhead` seconds.

    Compared are the least processor times, of runs that alternate. A disturbed one says nothing, so there are many
    before it fails.
    """
    best, functions = [math.inf, math.inf], (ours, theirs)
    for i in range(1000):
        for k, function in enumerate(functions):
            start = time.process_time()
            function()
            best[k] = min(best[k], time.process_time() - start)
        if i > 5 and best[0] < at_most * best[1] + overhead:
            return
    raise AssertionError(f"it takes {1e6 * best[0]:.0f} µs, the other {1e6 * best[1]:.0f}")
