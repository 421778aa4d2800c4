"""ONNX files: `export` writes models as graphs for other programs, and `load` runs graphs as microgad's operations.

Both need the `onnx` package: `pip install microgad[onnx]`. It is imported on first use.
"""

import enum
from typing import TYPE_CHECKING

from ..errors import UnsupportedError as UnsupportedError
from ..lazy import define_getattr as _define_getattr
from ..serialization.errors import FileError as FileError

if TYPE_CHECKING:
    from .exporting import export as export
    from .loading import OnnxModule as OnnxModule
    from .loading import load as load
    from .state import is_in_onnx_export as is_in_onnx_export

_HOMES = {"export": ".exporting", "is_in_onnx_export": ".state", "OnnxModule": ".loading", "load": ".loading"}

__all__ = [*_HOMES, "FileError", "TrainingMode", "UnsupportedError"]


class TrainingMode(enum.IntEnum):
    """The mode in which `export` runs a model: evaluation, unchanged, or training. Source: torch.onnx.TrainingMode.

    >>> torch.onnx.TrainingMode.EVAL.value
    0
    """

    EVAL = 0
    PRESERVE = 1
    TRAINING = 2


_define_getattr(globals(), _HOMES, extras={"onnx": "onnx"})
