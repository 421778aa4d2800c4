"""The errors of files that can't be loaded, and of objects that can't be saved."""

import pickle
from reprlib import repr as shown  # what a file holds could have an endless repr

from ..errors import DtypeError, MicrogadError

__all__ = ["EmptyFileError", "FileError", "SaveError", "SourceChangeWarning", "shown"]


class FileError(MicrogadError, RuntimeError, ValueError, pickle.UnpicklingError):
    """A file that is damaged, or that holds what may not be loaded."""


class EmptyFileError(FileError, EOFError):
    """A file that ends where the object to load should begin."""


class SaveError(DtypeError, pickle.PicklingError):
    """An object that a file can't hold, such as a function without a name in its module."""


class SourceChangeWarning(Warning):
    """The warning of files of whole models by old versions of PyTorch, for filters: `load` doesn't read the source."""
