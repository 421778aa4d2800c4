"""ONNX files: models written as graphs that other programs run, and graphs run as microgad's operations.

Names are loaded when they are first used, with the `onnx` package: `pip install microgad[onnx]`.
"""

from __future__ import annotations

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
    """In which mode `export` runs a model: evaluation, its own, or training. Source: torch.onnx.TrainingMode."""

    EVAL = 0
    PRESERVE = 1
    TRAINING = 2


_define_getattr(globals(), _HOMES, extras={"onnx": "onnx", "google": "onnx"})
