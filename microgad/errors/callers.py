"""Which line of the program called."""

from __future__ import annotations

import sys
from types import FrameType


def program_frame() -> tuple[FrameType, int]:
    """The innermost frame that isn't microgad's own, and its number, counted from 1 for the function that asks."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "microgad":
        frame, level = frame.f_back, level + 1
    return frame, level
