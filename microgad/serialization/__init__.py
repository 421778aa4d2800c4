"""save and load, in PyTorch's file formats, safetensors and npz. No code from a file is ever run."""

import pickle as pickle  # torchbearer takes it from here, the default of its own `save`

from ..lazy import define_getattr as _define_getattr
from . import safetensors
from .errors import FileError, SourceChangeWarning
from .npz import save_npz
from .objects import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals
from .reading import (
    LoadEndianness,
    _is_zipfile,
    default_restore_location,
    get_default_load_endianness,
    load,
    set_default_load_endianness,
)
from .unpickling import _layout
from .writing import save

__all__ = [
    "DEFAULT_PROTOCOL", "FileError", "LoadEndianness", "SourceChangeWarning", "_is_zipfile", "add_safe_globals",
    "clear_safe_globals", "default_restore_location", "get_default_load_endianness", "get_safe_globals", "load",
    "safe_globals", "safetensors", "save", "save_npz", "set_default_load_endianness",
]  # fmt: skip

DEFAULT_PROTOCOL = 2  # the pickle protocol of files
_get_layout = _layout  # the name in pickles

_define_getattr(globals())
