"""What is wrong with a file."""

from __future__ import annotations

import pickle
from reprlib import repr as shown  # of what a file holds, which it can make endless to show

from ..errors import MicrogadError

__all__ = ["FileError", "shown"]


class FileError(MicrogadError, RuntimeError, ValueError, pickle.UnpicklingError):
    """A file that is damaged, or that holds what may not be loaded."""
