"""torch.types: names for annotations."""

from __future__ import annotations

import os
from typing import IO, TypeAlias

from ...backend.devices import device as _device_class
from ...dtypes import dtype as _dtype_class
from ...size import Size as Size
from ...tensor import Tensor as Tensor

__all__ = ["Device", "FileLike", "Number"]

Number: TypeAlias = int | float | bool
Device: TypeAlias = _device_class | str | int | None
FileLike: TypeAlias = str | os.PathLike[str] | IO[bytes]
IntLikeType: TypeAlias = int
FloatLikeType: TypeAlias = float
BoolLikeType: TypeAlias = bool
_TensorOrTensors: TypeAlias = Tensor | tuple[Tensor, ...]
_dtype, _device = _dtype_class, _device_class
_int, _float, _bool, _complex, _str, _bytes = int, float, bool, complex, str, bytes
_Number, _size = (int, float, bool), Size | list[int] | tuple[int, ...]
