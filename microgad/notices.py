"""What a program is told once: that something it asked for has no effect. And what it isn't told."""

from __future__ import annotations

import functools
import sys
import warnings

# What NumPy says of the logarithm of 0, of ∞ - ∞, of a float that is too large for a cast.
OF_NUMBERS = "(divide by zero|overflow|underflow|invalid value) encountered"


@functools.cache
def once(said: str) -> None:
    """Warn of it, the first time only."""
    warnings.warn(said, UserWarning, stacklevel=3)


def quiet_numbers() -> None:
    """Let microgad's arithmetic give ∞ and NaN without NumPy's warnings, as PyTorch's does.

    It is a filter of `warnings`, and so costs nothing where there is nothing to warn of. NumPy warns of what a program
    computes with NumPy itself as before, and where somebody asks by `np.errstate(all="raise")`, operations raise.
    """
    warnings.filterwarnings("ignore", OF_NUMBERS, RuntimeWarning, "microgad")
    action, message, category, _, line = warnings.filters[0]
    warnings.filters[0] = (action, message, category, _CalledByMicrogad(), line)  # type: ignore[index]


class _CalledByMicrogad:
    """In the place of a pattern of modules: the module may be NumPy's, where microgad has called it."""

    def match(self, module: str) -> bool:
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(("numpy.", "warnings")):
            frame = frame.f_back
        name: str = frame.f_globals.get("__name__", "")
        return name.startswith("microgad.")
