"""Data sets in files that are checked: MNIST, whole or as the real subset that ships with microgad."""

from ..lazy import absent as _absent
from .idx import DataError, decode_idx, encode_idx, read_idx
from .mnist import MNIST

__all__ = ["MNIST", "DataError", "decode_idx", "encode_idx", "read_idx"]

_absent(globals())
