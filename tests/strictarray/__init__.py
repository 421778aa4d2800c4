"""A stand-in for CuPy: NumPy arrays that refuse what CuPy's would. No GPU is needed to see what wouldn't work on one.

`installed()` puts it in CuPy's place: then microgad's device "cuda" is this one.
"""

from .array import ndarray, transfers
from .modules import installed

__all__ = ["installed", "ndarray", "transfers"]
