"""save and load: PyTorch's files, both ways; safetensors and npz. No code in a file is ever run."""

from ..lazy import absent as _absent
from . import safetensors
from .errors import FileError
from .npz import save_npz
from .objects import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals
from .reading import load
from .writing import save

__all__ = [
    "FileError", "add_safe_globals", "clear_safe_globals", "get_safe_globals", "load", "safe_globals", "safetensors",
    "save", "save_npz",
]  # fmt: skip

_absent(globals())
