"""A stand-in for CuPy: NumPy arrays that raise where CuPy's would. It shows without a GPU what wouldn't work on one.

Inside of `installed()`, microgad's device "cuda" uses it.
"""

from .array import ndarray, transfers
from .modules import installed

__all__ = ["installed", "ndarray", "transfers"]
