"""The error of files that can't be loaded."""

import pickle
from reprlib import repr as shown  # what a file holds could have an endless repr

from ..errors import MicrogadError

__all__ = ["EmptyFileError", "FileError", "SourceChangeWarning", "shown"]


class FileError(MicrogadError, RuntimeError, ValueError, pickle.UnpicklingError):
    """A file that is damaged, or that holds what may not be loaded."""


class EmptyFileError(FileError, EOFError):
    """A file that ends where the object to load should begin."""


class SourceChangeWarning(Warning):
    """The warning of files of whole models by old versions of PyTorch, for filters: `load` doesn't read the source."""
