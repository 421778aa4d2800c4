"""What a program is told once: that something it asked for has no effect."""

from __future__ import annotations

import functools
import warnings


@functools.cache
def once(said: str) -> None:
    """Warn of it, the first time only."""
    warnings.warn(said, UserWarning, stacklevel=3)
