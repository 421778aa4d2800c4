"""What is wrong with a file."""

from __future__ import annotations

import pickle

from ..errors import MicrogadError


class FileError(MicrogadError, RuntimeError, ValueError, pickle.UnpicklingError):
    """A file that is damaged, or that holds what may not be loaded."""
