"""save and load: PyTorch's files, both ways. No code in a file is ever run."""

from .errors import FileError
from .reading import load
from .writing import save

__all__ = ["FileError", "load", "save"]
